/*
 * sieve: see sieve.h. The pass over the book.
 */
#include "sieve_private.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "deliver/payload.h"

#define WORDS_KNOWN 0x8000u
#define DIMENSION_NONE 0xffu

/* How many of each name; a unit (group or entry) counts once. */
struct tally {
	uint32_t *count, *stamp;
};

/* What of the texts that are asked for the book has, by their numbers. */
struct trial {
	const struct sieve *sieve;
	const struct book *book;
	uint8_t *wanted;    /* WANTED_METRIC, WANTED_DETECTOR */
	uint8_t *pair;      /* 1 + the dimension of which it is asked for; 0: it is not */
	uint8_t *dimension; /* of a pair: 1 + which that is asked for; 0: not known yet */
	uint16_t *words;    /* WORDS_KNOWN, and those that are in it */
	struct tally metric, detector, pairs;
	uint32_t status_stamp[BOOK_STATUSES], direction_stamp[2];
	uint32_t unit;
};

enum { WANTED_METRIC = 1, WANTED_DETECTOR = 2 };

struct pick {
	struct sieve_rank rank;
	uint32_t entry, members;
};

static void mark(const struct trial *trial, const struct sieve_text *text, unsigned count,
		 uint8_t bit)
{
	for (unsigned i = 0; i < count; i++) {
		const struct name *name = names_find(trial->book->names, text[i].text,
						     text[i].bytes);
		if (name)
			trial->wanted[name->number] |= bit;
	}
}

static void trial_fini(struct trial *trial)
{
	free(trial->wanted);
	free(trial->pair);
	free(trial->dimension);
	free(trial->words);
	struct tally *const tallies[] = {&trial->metric, &trial->detector, &trial->pairs};
	for (size_t i = 0; i < 3; i++) {
		free(tallies[i]->count);
		free(tallies[i]->stamp);
	}
}

static int trial_init(struct trial *trial, const struct sieve *sieve, const struct book *book,
		      bool counting)
{
	struct tally *const tallies[] = {&trial->metric, &trial->detector, &trial->pairs};
	size_t names = names_count(book->names) + 1;
	bool whole = true;

	*trial = (struct trial){.sieve = sieve, .book = book};
	trial->wanted = calloc(names, sizeof(trial->wanted[0]));
	trial->pair = calloc(names, sizeof(trial->pair[0]));
	trial->dimension = calloc(names, sizeof(trial->dimension[0]));
	trial->words = calloc(names, sizeof(trial->words[0]));
	for (size_t i = 0; i < 3 && counting; i++) {
		tallies[i]->count = calloc(names, sizeof(uint32_t));
		tallies[i]->stamp = calloc(names, sizeof(uint32_t));
		whole &= tallies[i]->count && tallies[i]->stamp;
	}
	if (!whole || !trial->wanted || !trial->pair || !trial->dimension || !trial->words) {
		trial_fini(trial);
		return -ENOMEM;
	}
	mark(trial, sieve->metric, sieve->metrics, WANTED_METRIC);
	mark(trial, sieve->detector, sieve->detectors, WANTED_DETECTOR);
	for (unsigned i = 0; i < sieve->pairs; i++) {
		const struct name *name = names_find(book->names, sieve->pair[i].text,
						     sieve->pair[i].bytes);
		if (name)
			trial->pair[name->number] = (uint8_t)(1 + sieve->pair_dimension[i]);
	}
	return 0;
}

/* The words that are in a text, whatever their case; ASCII's, that is. */
static unsigned words_in(const struct trial *trial, const struct name *name)
{
	const struct sieve *sieve = trial->sieve;
	uint16_t *known = &trial->words[name->number];

	if (*known & WORDS_KNOWN)
		return *known & ~WORDS_KNOWN;
	for (unsigned i = 0; i < sieve->words; i++) {
		char word[256];
		size_t bytes = sieve->word[i].bytes;
		if (bytes >= sizeof(word))
			continue; /* nobody is called so */
		memcpy(word, sieve->word[i].text, bytes);
		word[bytes] = '\0';
		if (strcasestr(name->text, word))
			*known |= (uint16_t)(1u << i);
	}
	*known |= WORDS_KNOWN;
	return *known & ~WORDS_KNOWN;
}

static unsigned words_of_id(const struct sieve *sieve, const uint64_t id[2])
{
	unsigned found = 0;
	char text[33];

	anomaly_id_text(id, text);
	for (unsigned i = 0; i < sieve->words; i++)
		if (sieve->word[i].bytes >= 4 && sieve->word[i].bytes <= 32 &&
		    memcmp(text, sieve->word[i].text, sieve->word[i].bytes) == 0)
			found |= 1u << i;
	return found;
}

static bool has_words(const struct trial *trial, const struct book_entry *entry)
{
	const struct name *const names[] = {entry->metric, entry->slice, entry->detector,
					    entry->source, entry->kind};
	unsigned all = (1u << trial->sieve->words) - 1;
	unsigned found = words_of_id(trial->sieve, entry->id);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		found |= words_in(trial, names[i]);
	for (unsigned i = 0; i < entry->explanations; i++)
		found |= words_in(trial, entry->explained[i]);
	return found == all;
}

/* Bits of the dimensions that are asked for and that it has none of the values of. */
static unsigned fails_dimensions(const struct trial *trial, const struct book_entry *entry)
{
	unsigned has = 0, all = (1u << trial->sieve->dimensions) - 1;

	for (unsigned i = 0; i < entry->pairs; i++) {
		uint8_t dimension = trial->pair[entry->pair[i]->number];
		if (dimension)
			has |= 1u << (dimension - 1);
	}
	return (all & ~has) * FAIL_DIMENSION;
}

static unsigned fails(const struct trial *trial, const struct book_entry *entry)
{
	const struct sieve *sieve = trial->sieve;
	unsigned failed = 0;

	if (sieve->severity > 0 && !(entry->peak >= sieve->severity))
		failed |= FAIL_SEVERITY;
	if (sieve->metrics && !(trial->wanted[entry->metric->number] & WANTED_METRIC))
		failed |= FAIL_METRIC;
	if (sieve->detectors && !(trial->wanted[entry->detector->number] & WANTED_DETECTOR))
		failed |= FAIL_DETECTOR;
	if (sieve->status && !(sieve->status & 1u << book_status(entry)))
		failed |= FAIL_STATUS;
	if (sieve->direction && !(sieve->direction & (entry->direction < 0 ? 1u : 2u)))
		failed |= FAIL_DIRECTION;
	if (sieve->to_ms && entry->start_ms >= sieve->to_ms)
		failed |= FAIL_TIME;
	if (sieve->from_ms && book_is_over(entry) && entry->through_ms <= sieve->from_ms)
		failed |= FAIL_TIME;
	if (sieve->dimensions)
		failed |= fails_dimensions(trial, entry);
	if (sieve->words && !has_words(trial, entry))
		failed |= FAIL_WORDS;
	return failed;
}

static void count_up(struct tally *tally, const struct name *name, uint32_t unit)
{
	if (tally->stamp[name->number] == unit)
		return;
	tally->stamp[name->number] = unit;
	tally->count[name->number]++;
}

/* The bit of the dimension, where it is asked for. */
static unsigned dimension_bit(const struct trial *trial, const struct name *pair)
{
	const struct sieve *sieve = trial->sieve;
	uint8_t *known = &trial->dimension[pair->number];

	for (unsigned i = 0; i < sieve->dimensions && !*known; i++)
		if (pair->bytes > sieve->dimension[i].bytes &&
		    pair->text[sieve->dimension[i].bytes] == '=' &&
		    memcmp(pair->text, sieve->dimension[i].text, sieve->dimension[i].bytes) == 0)
			*known = (uint8_t)(1 + i);
	if (!*known)
		*known = DIMENSION_NONE;
	return *known == DIMENSION_NONE ? 0 : (unsigned)FAIL_DIMENSION << (*known - 1);
}

/* Each facet: what passes all filters but its own. */
static void count_facets(struct trial *trial, const struct book_entry *entry, unsigned failed,
			 struct sieve_answer *answer)
{
	enum book_status status = book_status(entry);
	unsigned up = entry->direction >= 0;

	if (!(failed & ~(unsigned)FAIL_METRIC))
		count_up(&trial->metric, entry->metric, trial->unit);
	if (!(failed & ~(unsigned)FAIL_DETECTOR))
		count_up(&trial->detector, entry->detector, trial->unit);
	if (!(failed & ~(unsigned)FAIL_STATUS) && trial->status_stamp[status] != trial->unit) {
		trial->status_stamp[status] = trial->unit;
		answer->status[status]++;
	}
	if (!(failed & ~(unsigned)FAIL_DIRECTION) && trial->direction_stamp[up] != trial->unit) {
		trial->direction_stamp[up] = trial->unit;
		answer->direction[up]++;
	}
	for (unsigned i = 0; i < entry->pairs; i++)
		if (!(failed & ~dimension_bit(trial, entry->pair[i])))
			count_up(&trial->pairs, entry->pair[i], trial->unit);
}

static unsigned bin_of(double peak)
{
	return peak > 0 ? (unsigned)fmin(peak, SIEVE_BINS - 1) : 0;
}

/* The group's total where it has fired, else the most severe. */
static bool is_better(const struct book_entry *entry, const struct book_entry *than)
{
	bool total = entry->fired && !entry->slice->bytes;

	if (!than)
		return true;
	if (total != (than->fired && !than->slice->bytes))
		return total;
	if (entry->peak != than->peak)
		return entry->peak > than->peak;
	return memcmp(entry->id, than->id, sizeof(entry->id)) < 0;
}

static struct sieve_rank rank_of(const struct trial *trial, const struct book_entry *entry)
{
	struct sieve_rank rank = {.start_ms = entry->start_ms, .id = {entry->id[0], entry->id[1]}};
	double key = (double)entry->start_ms;

	if (trial->sieve->sort == SORT_SEVERITY)
		key = entry->peak;
	else if (trial->sieve->sort == SORT_IMPACT)
		key = fabs(book_impact(trial->book, entry));
	rank.key = isnan(key) ? -1 : key;
	return rank;
}

int sieve_rank_compare(const struct sieve_rank *left, const struct sieve_rank *right)
{
	if (left->key != right->key)
		return left->key < right->key ? 1 : -1;
	if (left->start_ms != right->start_ms)
		return left->start_ms < right->start_ms ? 1 : -1;
	for (int i = 0; i < 2; i++)
		if (left->id[i] != right->id[i])
			return left->id[i] < right->id[i] ? 1 : -1;
	return 0;
}

static int compare_picks(const void *left, const void *right)
{
	const struct pick *l = left, *r = right;

	return sieve_rank_compare(&l->rank, &r->rank);
}

/* What one group, or one entry of it, adds up to. */
struct unit {
	const struct book_entry *best;
	uint32_t members;
	int bin; /* -1: nothing passes but for its severity */
	bool any;
};

static void unit_add(struct trial *trial, struct unit *unit, const struct book_entry *entry,
		     struct sieve_answer *answer)
{
	unsigned failed = fails(trial, entry);

	unit->any = true;
	count_facets(trial, entry, failed, answer);
	if (!(failed & ~(unsigned)FAIL_SEVERITY) && (int)bin_of(entry->peak) > unit->bin)
		unit->bin = (int)bin_of(entry->peak);
	if (failed)
		return;
	unit->members++;
	if (is_better(entry, unit->best))
		unit->best = entry;
}

static void unit_end(const struct trial *trial, const struct unit *unit,
		     struct sieve_answer *answer, struct pick *pick)
{
	answer->total += unit->any;
	if (unit->bin >= 0)
		answer->histogram[unit->bin]++;
	if (!unit->best)
		return;
	pick[answer->shown++] = (struct pick){
		.rank = rank_of(trial, unit->best),
		.entry = (uint32_t)(unit->best - trial->book->entry),
		.members = trial->sieve->each ? book_group_of(trial->book, unit->best)->members
					      : unit->members,
	};
}

static void pass(struct trial *trial, struct sieve_answer *answer, struct pick *pick)
{
	const struct book *book = trial->book;

	for (uint32_t g = 0; g < book->groups; g++) {
		struct unit unit = {.bin = -1};
		trial->unit++;
		for (uint32_t i = book->group[g].first; i != BOOK_NONE; i = book->entry[i].next) {
			if (!book_is_listed(&book->entry[i]))
				continue;
			unit_add(trial, &unit, &book->entry[i], answer);
			if (!trial->sieve->each)
				continue;
			unit_end(trial, &unit, answer, pick);
			unit = (struct unit){.bin = -1};
			trial->unit++;
		}
		if (!trial->sieve->each)
			unit_end(trial, &unit, answer, pick);
	}
}

static int compare_facets(const void *left, const void *right)
{
	const struct sieve_facet *l = left, *r = right;

	if (l->count != r->count)
		return l->count < r->count ? 1 : -1;
	return strcmp(l->name->text, r->name->text);
}

/* The names that were counted: found by way of the entries, which know them. */
static int facet_add(struct sieve_facet **list, uint32_t *count, struct tally *tally,
		     const struct name *name)
{
	if (tally->count[name->number] == 0)
		return 0;
	if ((*count & (*count - 1)) == 0) {
		struct sieve_facet *grown = realloc(*list,
						    (*count ? 2 * *count : 1) * sizeof(grown[0]));
		if (!grown)
			return -ENOMEM;
		*list = grown;
	}
	(*list)[(*count)++] = (struct sieve_facet){name, tally->count[name->number]};
	tally->count[name->number] = 0;
	return 0;
}

static int list_facets(struct trial *trial, struct sieve_answer *answer)
{
	const struct book *book = trial->book;
	int error = 0;

	for (uint32_t i = 0; i < book->count && !error; i++) {
		const struct book_entry *entry = &book->entry[i];
		error = facet_add(&answer->metric, &answer->metrics, &trial->metric, entry->metric);
		if (!error)
			error = facet_add(&answer->detector, &answer->detectors, &trial->detector,
					  entry->detector);
		for (unsigned k = 0; k < entry->pairs && !error; k++)
			error = facet_add(&answer->pair, &answer->pairs, &trial->pairs,
					  entry->pair[k]);
	}
	return error;
}

/* The page behind the cursor. */
static int take_rows(const struct trial *trial, struct pick *pick, struct sieve_answer *answer)
{
	const struct sieve *sieve = trial->sieve;
	uint32_t from = 0;

	if (answer->shown)
		qsort(pick, answer->shown, sizeof(pick[0]), compare_picks);
	while (sieve->has_cursor && from < answer->shown &&
	       sieve_rank_compare(&pick[from].rank, &sieve->cursor) <= 0)
		from++;
	uint32_t left = answer->shown - from;
	answer->rows = left < sieve->limit ? left : sieve->limit;
	answer->row = calloc(answer->rows + 1, sizeof(answer->row[0]));
	if (!answer->row)
		return -ENOMEM;
	for (uint32_t i = 0; i < answer->rows; i++)
		row_fill(trial->book, &trial->book->entry[pick[from + i].entry],
			 pick[from + i].members, &answer->row[i]);
	if (left > answer->rows && answer->rows)
		sieve_rank_text(&pick[from + answer->rows - 1].rank, answer->cursor);
	return 0;
}

static int run(const struct sieve *sieve, const struct book *book, struct sieve_answer *answer)
{
	struct trial trial;
	struct pick *pick = calloc(book->count + 1, sizeof(*pick));
	int error = pick ? trial_init(&trial, sieve, book, true) : -ENOMEM;

	if (error) {
		free(pick);
		return error;
	}
	pass(&trial, answer, pick);
	error = list_facets(&trial, answer);
	if (!error)
		error = take_rows(&trial, pick, answer);
	answer->names = names_hold(book->names);
	trial_fini(&trial);
	free(pick);
	return error;
}

int sieve_run(const struct sieve *sieve, struct book *book, struct sieve_answer *ret_answer)
{
	memset(ret_answer, 0, sizeof(*ret_answer));
	book_read(book);
	int error = run(sieve, book, ret_answer);
	book_done(book);
	if (error) {
		sieve_answer_fini(ret_answer);
		return error;
	}
	struct sieve_answer *answer = ret_answer;
	if (answer->metrics)
		qsort(answer->metric, answer->metrics, sizeof(answer->metric[0]), compare_facets);
	if (answer->detectors)
		qsort(answer->detector, answer->detectors, sizeof(answer->detector[0]),
		      compare_facets);
	if (answer->pairs)
		qsort(answer->pair, answer->pairs, sizeof(answer->pair[0]), compare_facets);
	return 0;
}

void sieve_answer_fini(struct sieve_answer *answer)
{
	free(answer->metric);
	free(answer->detector);
	free(answer->pair);
	free(answer->row);
	names_release(answer->names);
	memset(answer, 0, sizeof(*answer));
}

int sieve_walk(const struct sieve *sieve, const struct book *book, sieve_each *each, void *self)
{
	struct trial trial;
	int error = trial_init(&trial, sieve, book, false);

	if (error)
		return error;
	for (uint32_t i = 0; i < book->count; i++) {
		const struct book_entry *entry = &book->entry[i];
		if (entry->in_group != BOOK_NONE && book_is_listed(entry) &&
		    !fails(&trial, entry) && each(self, entry))
			break;
	}
	trial_fini(&trial);
	return 0;
}
