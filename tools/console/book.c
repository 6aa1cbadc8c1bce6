/*
 * book: see book.h. Entries, found by id.
 */
#include "book_private.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "deliver/payload.h"

#define ENTRIES_FIRST 1024u

static const char *const statuses[BOOK_STATUSES] = {
	[BOOK_OPEN] = "open",           [BOOK_ACKNOWLEDGED] = "acknowledged",
	[BOOK_MUTED] = "muted",         [BOOK_RESOLVED] = "resolved",
	[BOOK_DISMISSED] = "dismissed", [BOOK_CONFIRMED] = "confirmed",
};

const char *book_status_name(enum book_status status)
{
	return statuses[status];
}

/* Who changes it comes before who looks next: many who look, one upon the other, would keep what is
 * new out for as long as they do. So nobody looks who looks already. */
static void make_lock(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attributes;

	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
}

int book_create(uint32_t kept_max, struct book **ret_book)
{
	struct book *book = calloc(1, sizeof(*book));

	if (!book)
		return -ENOMEM;
	make_lock(&book->lock);
	book->kept_max = kept_max ? kept_max : BOOK_ANOMALIES;
	book->names = names_create();
	book->mute = calloc(BOOK_MUTES, sizeof(book->mute[0]));
	if (!book->names || !book->mute) {
		book_destroy(book);
		return -ENOMEM;
	}
	*ret_book = book;
	return 0;
}

void book_destroy(struct book *book)
{
	if (!book)
		return;
	names_release(book->names);
	free(book->entry);
	free(book->place);
	free(book->group);
	free(book->group_place);
	free(book->changed);
	free(book->mute);
	free(book->said);
	pthread_rwlock_destroy(&book->lock);
	free(book);
}

void book_take_names(struct book *book, struct names *names)
{
	for (uint32_t i = 0; i < book->metrics; i++) {
		struct book_metric *metric = &book->metric[i];
		metric->name = names_take(names, metric->name->text, metric->name->bytes);
		if (!metric->name) { /* forgotten rather than wrong */
			book->metrics = i;
			break;
		}
	}
	names_release(book->names);
	book->names = names;
}

void book_empty(struct book *book)
{
	book->count = book->groups = book->sources = 0;
	book->mutes = book->saids = book->changes = 0;
	if (book->place)
		memset(book->place, 0, book->places * sizeof(book->place[0]));
	if (book->group_place)
		memset(book->group_place, 0, book->places * sizeof(book->group_place[0]));
}

int book_reset(struct book *book)
{
	struct names *names = names_create();

	if (!names)
		return -ENOMEM;
	book_take_names(book, names);
	book_empty(book);
	return 0;
}

void book_read(struct book *book)
{
	pthread_rwlock_rdlock(&book->lock);
}

void book_write(struct book *book)
{
	pthread_rwlock_wrlock(&book->lock);
}

void book_done(struct book *book)
{
	pthread_rwlock_unlock(&book->lock);
}

/* Where the id is, or the free place where it would be. Ids are hashes already. */
static uint32_t place_of(const struct book *book, const uint64_t id[2])
{
	uint32_t at = (uint32_t)(id[0] ^ id[1] >> 7) & (book->places - 1);

	while (book->place[at] &&
	       memcmp(book->entry[book->place[at] - 1].id, id, sizeof(uint64_t[2])) != 0)
		at = (at + 1) & (book->places - 1);
	return at;
}

static struct book_entry *find(const struct book *book, const uint64_t id[2])
{
	uint32_t at = book->places ? book->place[place_of(book, id)] : 0;

	return at ? &book->entry[at - 1] : NULL;
}

const struct book_entry *book_find(const struct book *book, const uint64_t id[2])
{
	const struct book_entry *entry = find(book, id);

	/* Without memory one may be left half made. */
	return entry && entry->in_group != BOOK_NONE ? entry : NULL;
}

void book_index(struct book *book)
{
	memset(book->place, 0, book->places * sizeof(book->place[0]));
	for (uint32_t i = 0; i < book->count; i++)
		book->place[place_of(book, book->entry[i].id)] = i + 1;
}

/* Tables are at most half full. */
static int make_room(struct book *book)
{
	if (book->count < book->capacity)
		return 0;
	uint32_t capacity = book->capacity ? 2 * book->capacity : ENTRIES_FIRST;
	struct book_entry *entry = realloc(book->entry, capacity * sizeof(entry[0]));
	if (entry)
		book->entry = entry;
	uint32_t *changed = realloc(book->changed, capacity * sizeof(changed[0]));
	if (changed)
		book->changed = changed;
	uint32_t *place = calloc(2 * capacity, sizeof(place[0]));
	uint32_t *group_place = calloc(2 * capacity, sizeof(group_place[0]));
	if (!entry || !changed || !place || !group_place) {
		free(place);
		free(group_place);
		return -ENOMEM;
	}
	free(book->place);
	free(book->group_place);
	book->place = place;
	book->group_place = group_place;
	book->capacity = capacity;
	book->places = 2 * capacity;
	book_index(book);
	return book_regroup(book);
}

void book_note(struct book *book, struct book_entry *entry)
{
	if (entry->changed || !entry->revision)
		return;
	entry->changed = true;
	book->changed[book->changes++] = (uint32_t)(entry - book->entry);
}

static const struct name *named(struct book *book, const char *text)
{
	return names_take(book->names, text, strlen(text));
}

static int name_pairs(struct book *book, struct book_entry *entry, const char *slice)
{
	struct label_pair pair[WEIR_DIMENSIONS_MAX];
	unsigned count = split_label(slice, ANOMALY_LABEL_BYTES, pair, WEIR_DIMENSIONS_MAX);

	for (unsigned i = 0; i < count; i++) {
		size_t bytes = pair[i].name_bytes + 1 + pair[i].value_bytes;
		entry->pair[i] = names_take(book->names, pair[i].name, bytes);
		if (!entry->pair[i])
			return -ENOMEM;
	}
	entry->pairs = (uint8_t)count;
	return 0;
}

/* What all its revisions have in common. */
static int begin(struct book *book, struct book_entry *entry, const struct anomaly *anomaly)
{
	memset(entry, 0, sizeof(*entry));
	memcpy(entry->id, anomaly->id, sizeof(entry->id));
	entry->in_group = entry->next = BOOK_NONE;
	entry->source = named(book, anomaly->source);
	entry->metric = named(book, anomaly->metric);
	entry->detector = named(book, anomaly->detector);
	entry->kind = named(book, anomaly->kind);
	entry->slice = named(book, anomaly->slice);
	if (!entry->source || !entry->metric || !entry->detector || !entry->kind || !entry->slice)
		return -ENOMEM;
	entry->start_ms = entry->since_ms = anomaly_time_ms(anomaly, anomaly->start, false);
	entry->strongest = -INFINITY;
	return name_pairs(book, entry, anomaly->slice);
}

static int take_strongest(struct book *book, struct book_entry *entry,
			  const struct anomaly *anomaly)
{
	entry->strongest = anomaly->severity;
	entry->observed = anomaly->observed;
	entry->expected = anomaly->expected;
	entry->direction = (int8_t)(anomaly->direction < 0 ? -1 : anomaly->direction > 0);
	entry->explanations = 0;
	for (uint32_t i = 0; i < anomaly->explanations; i++) {
		const struct name *slice = named(book, anomaly->explanation[i].slice);
		if (!slice)
			return -ENOMEM;
		entry->explained[i] = slice;
		entry->share[i] = anomaly->explanation[i].share;
		entry->explanations++;
	}
	return 0;
}

/* What is against the anomaly's direction is none of it. */
static double in_direction(const struct book_entry *entry, double value)
{
	return value * entry->direction < 0 ? 0 : value;
}

/* An estimate: a revision is told when an anomaly changes, so it speaks for its own period; between
 * two of them the deviation has gone evenly from the one to the other. */
static void add_impact(struct book_entry *entry, const struct anomaly *anomaly)
{
	int64_t until_ms = anomaly_time_ms(anomaly, anomaly->interval, true);
	double period_ms = (double)anomaly_period_ms(anomaly),
	       gap = anomaly->observed - anomaly->expected;
	double rate = isfinite(gap) ? in_direction(entry, gap) / period_ms : 0;
	double held_ms = fmax((double)until_ms - (double)entry->since_ms, 0);
	double own_ms = fmin(period_ms, held_ms);
	double before = entry->revision ? entry->rate : rate;

	entry->impact += (before + rate) / 2 * (held_ms - own_ms) + rate * own_ms;
	entry->rate = rate;
	if (until_ms > entry->since_ms)
		entry->since_ms = until_ms;
}

static int take(struct book *book, struct book_entry *entry, const struct anomaly *anomaly)
{
	const char *first_mover = anomaly_first_mover(anomaly);
	bool stronger = !entry->revision || anomaly->severity > entry->strongest ||
			(isnan(entry->strongest) && !isnan(anomaly->severity));

	if (first_mover && !(entry->first_mover = named(book, first_mover)))
		return -ENOMEM;
	if (stronger && take_strongest(book, entry, anomaly) < 0)
		return -ENOMEM;
	add_impact(entry, anomaly);
	memcpy(entry->group, anomaly->group, sizeof(entry->group));
	entry->state = (uint8_t)anomaly->state;
	entry->fired = anomaly->fired;
	entry->acknowledged |= anomaly->acknowledged;
	entry->revision = anomaly->revision ? anomaly->revision : 1;
	entry->severity = anomaly->severity;
	entry->peak = anomaly->severity_peak;
	entry->interval_ms = anomaly->interval_ms;
	entry->frequency_ms = anomaly->frequency_ms;
	entry->through_ms = anomaly_time_ms(anomaly, anomaly->interval, true);
	if (book_is_over(entry))
		entry->exact.due_ms = 0;
	entry->peak_ms = anomaly_time_ms(anomaly, anomaly->peak_interval, false);
	return 0;
}

int book_revision(struct book *book, const struct anomaly *anomaly)
{
	struct book_entry *entry = find(book, anomaly->id);
	uint64_t group[2] = {0};
	bool known = entry != NULL, listed = false;
	int error;

	if (known && (anomaly->revision <= entry->revision || entry->in_group == BOOK_NONE))
		return 0;
	if (!known) {
		error = make_room(book);
		if (!error)
			error = begin(book, &book->entry[book->count], anomaly);
		if (error)
			return error;
		entry = &book->entry[book->count];
		book->place[place_of(book, anomaly->id)] = ++book->count;
	} else {
		memcpy(group, entry->group, sizeof(group));
		listed = book_is_listed(entry);
	}
	error = take(book, entry, anomaly);
	if (!error)
		error = book_closed(book, anomaly->source, entry->through_ms);
	if (error)
		return error;
	entry->muted = book_is_over(entry) ? anomaly->muted : book_mutes_hold(book, entry);
	book_note(book, entry);
	if (!known)
		return book_join(book, entry);
	book->group[entry->in_group].members += book_is_listed(entry) - listed;
	/* It has never been seen to move; should it, the next book_settle() finds it. */
	book->loose |= memcmp(group, entry->group, sizeof(group)) != 0;
	return 0;
}

int book_closed(struct book *book, const char *source, int64_t through_ms)
{
	const struct name *name = named(book, source);
	uint32_t i = 0;

	if (!name)
		return -ENOMEM;
	while (i < book->sources && book->source[i].name != name)
		i++;
	if (i == WEIR_SOURCES_MAX)
		return 0;
	if (i == book->sources)
		book->source[book->sources++] = (struct book_source){.name = name};
	else if (book->source[i].through_ms >= through_ms)
		return 0;
	book->source[i].through_ms = through_ms;
	book->source[i].moved_ms = (int64_t)time(NULL) * 1000;
	book->mutes_turned = true;
	return 0;
}

int book_metric(struct book *book, const char *metric, const char *aggregation, const char *unit)
{
	const struct name *name = named(book, metric);
	uint32_t i = 0;

	if (!name)
		return -ENOMEM;
	while (i < book->metrics && book->metric[i].name != name)
		i++;
	if (i == BOOK_METRICS)
		return 0;
	struct book_metric *to = &book->metric[i];
	to->name = name;
	to->sums = strcmp(aggregation, "count") == 0 || strcmp(aggregation, "sum") == 0;
	snprintf(to->aggregation, sizeof(to->aggregation), "%s", aggregation);
	snprintf(to->unit, sizeof(to->unit), "%s", unit);
	book->metrics += i == book->metrics;
	return 0;
}

const struct book_metric *book_metric_of(const struct book *book, const struct name *metric)
{
	for (uint32_t i = 0; i < book->metrics; i++)
		if (book->metric[i].name == metric)
			return &book->metric[i];
	return NULL;
}

uint32_t book_take_changes(struct book *book, struct book_entry *entry, uint32_t most)
{
	uint32_t count = book->changes < most ? book->changes : most;

	for (uint32_t i = 0; i < count; i++) {
		struct book_entry *from = &book->entry[book->changed[i]];
		from->changed = false;
		entry[i] = *from;
	}
	book->changes -= count;
	memmove(book->changed, book->changed + count, book->changes * sizeof(book->changed[0]));
	return count;
}

int64_t book_through(const struct book *book, const struct book_entry *entry)
{
	if (book_is_over(entry))
		return entry->through_ms;
	for (uint32_t i = 0; i < book->sources; i++)
		if (book->source[i].name == entry->source)
			return book->source[i].through_ms;
	return entry->through_ms;
}

int64_t book_newest(const struct book *book)
{
	int64_t newest_ms = 0;

	for (uint32_t i = 0; i < book->count; i++) {
		int64_t through_ms = book_through(book, &book->entry[i]);
		if (through_ms > newest_ms)
			newest_ms = through_ms;
	}
	return newest_ms;
}

bool book_is_exact(const struct book_entry *entry)
{
	const struct book_exact *exact = &entry->exact;

	return exact->through_ms && !isnan(exact->sum) &&
	       (!book_is_over(entry) || exact->through_ms == entry->through_ms);
}

double book_impact(const struct book *book, const struct book_entry *entry)
{
	const struct book_metric *metric = book_metric_of(book, entry->metric);

	if (!metric || !metric->sums)
		return NAN;
	if (book_is_exact(entry))
		return entry->exact.sum;
	if (book_is_over(entry))
		return in_direction(entry, entry->impact);
	/* Nobody has said yet that it is less: it is thought to be about to end. */
	double held_ms = (double)book_through(book, entry) - (double)entry->since_ms;
	return in_direction(entry, entry->impact + entry->rate / 2 * fmax(held_ms, 0));
}

static enum book_due due_for(const struct book_entry *entry)
{
	if (!entry->exact.through_ms)
		return BOOK_FIRST;
	return book_is_over(entry) && book_is_exact(entry) ? BOOK_CORRECTED : BOOK_GOES_ON;
}

static bool is_due(const struct book *book, const struct book_entry *entry, int64_t now_ms)
{
	const struct book_metric *metric;

	if (now_ms < entry->exact.due_ms || !book_is_listed(entry) ||
	    (due_for(entry) != BOOK_CORRECTED &&
	     entry->exact.through_ms == book_through(book, entry)))
		return false;
	metric = book_metric_of(book, entry->metric);
	return metric && metric->sums;
}

uint32_t book_inexact(const struct book *book, int64_t now_ms, enum book_due due,
		      struct book_entry *entry, uint32_t most)
{
	uint32_t count = 0;

	for (uint32_t i = book->count; i-- > 0 && count < most;)
		if (due_for(&book->entry[i]) == due && is_due(book, &book->entry[i], now_ms))
			entry[count++] = book->entry[i];
	return count;
}

void book_take_exact(struct book *book, const struct book_entry *of, const struct book_exact *exact)
{
	struct book_entry *entry = find(book, of->id);

	if (!entry)
		return;
	entry->exact = *exact;
	if (book_is_over(entry) && !book_is_over(of))
		entry->exact.due_ms = 0;
}

void book_forget_exact(struct book *book)
{
	for (uint32_t i = 0; i < book->count; i++)
		book->entry[i].exact = (struct book_exact){0};
}

bool book_is_over(const struct book_entry *entry)
{
	return entry->state == ANOMALY_RESOLVED;
}

bool book_is_listed(const struct book_entry *entry)
{
	return entry->fired || !book_is_over(entry);
}

enum book_status book_status(const struct book_entry *entry)
{
	if (entry->verdict == FEEDBACK_NO)
		return BOOK_DISMISSED;
	if (book_is_over(entry))
		return entry->verdict == FEEDBACK_YES ? BOOK_CONFIRMED : BOOK_RESOLVED;
	if (entry->muted)
		return BOOK_MUTED;
	return entry->acknowledged ? BOOK_ACKNOWLEDGED : BOOK_OPEN;
}
