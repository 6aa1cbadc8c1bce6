/*
 * sieve_ask: a query's parameters, taken apart.
 *
 *   severity=50  metric=a,b  detector=a  slice=country=IT,device=mobile  status=open,muted
 *   direction=down  from_ms=  to_ms=  q=words  by=group|each  sort=newest|severity|impact
 *   limit=100  cursor=
 *
 * Values of one dimension are alternatives, dimensions are not.
 */
#include "sieve_private.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/match.h"

#define DIGITS "0123456789"

struct asking {
	sieve_get *get;
	const void *self;
	struct sieve *sieve;
	char *why;
	size_t why_bytes;
};

static int refuse(const struct asking *asking, const char *name, const char *what)
{
	snprintf(asking->why, asking->why_bytes, "%s %s", name, what);
	return -EINVAL;
}

/* A copy of a parameter that lives as long as the sieve; NULL: it was not given. */
static int take_copy(const struct asking *asking, const char *name, const char **ret_text)
{
	const char *given = asking->get(asking->self, name);

	*ret_text = NULL;
	if (!given || !given[0])
		return 0;
	char *copy = strdup(given);
	if (!copy)
		return -ENOMEM;
	asking->sieve->copy[asking->sieve->copies++] = copy;
	*ret_text = copy;
	return 0;
}

static int take_list(const struct asking *asking, const char *name, struct sieve_text *list,
		     unsigned *count)
{
	const char *at;
	int error = take_copy(asking, name, &at);

	while (!error && at && *at) {
		size_t bytes = strcspn(at, ",");
		if (*count == SIEVE_WANTED_MAX)
			return refuse(asking, name, "names too many at once: at most 64");
		if (bytes)
			list[(*count)++] = (struct sieve_text){at, bytes};
		at += bytes + (at[bytes] == ',');
	}
	return error;
}

/* Which dimension; added if it is new. -1: too many. */
static int dimension_of(struct sieve *sieve, const char *text, size_t bytes)
{
	for (unsigned i = 0; i < sieve->dimensions; i++)
		if (sieve->dimension[i].bytes == bytes &&
		    memcmp(sieve->dimension[i].text, text, bytes) == 0)
			return (int)i;
	if (sieve->dimensions == SIEVE_DIMENSIONS_MAX)
		return -1;
	sieve->dimension[sieve->dimensions] = (struct sieve_text){text, bytes};
	return (int)sieve->dimensions++;
}

/* A piece without `=` belongs to the value before it. */
static int take_slice(const struct asking *asking)
{
	struct sieve *sieve = asking->sieve;
	const char *at;
	int error = take_copy(asking, "slice", &at);

	while (!error && at && *at) {
		size_t bytes = match_piece(at);
		const char *equals = memchr(at, '=', bytes);
		if (equals && equals > at) {
			int dimension = dimension_of(sieve, at, (size_t)(equals - at));
			if (dimension < 0 || sieve->pairs == SIEVE_WANTED_MAX)
				return refuse(asking, "slice", "names too many values at once");
			sieve->pair_dimension[sieve->pairs] = (uint8_t)dimension;
			sieve->pair[sieve->pairs++] = (struct sieve_text){at, bytes};
		} else if (sieve->pairs > 0) {
			struct sieve_text *last = &sieve->pair[sieve->pairs - 1];
			last->bytes = (size_t)(at + bytes - last->text);
		} else {
			return refuse(asking, "slice",
				      "is a list such as country=IT,device=mobile");
		}
		at += bytes + (at[bytes] == ',');
	}
	return error;
}

static int take_words(const struct asking *asking)
{
	struct sieve *sieve = asking->sieve;
	const char *at;
	int error = take_copy(asking, "q", &at);

	while (!error && at && *(at += strspn(at, " \t"))) {
		size_t bytes = strcspn(at, " \t");
		if (sieve->words == SIEVE_WORDS_MAX)
			return refuse(asking, "q", "has too many words: at most 8");
		sieve->word[sieve->words++] = (struct sieve_text){at, bytes};
		at += bytes;
	}
	return error;
}

/* One of several words: its place; -1: none of them. */
static int one_of(const char *text, size_t bytes, const char *const *names, int count)
{
	for (int i = 0; i < count; i++)
		if (strlen(names[i]) == bytes && memcmp(names[i], text, bytes) == 0)
			return i;
	return -1;
}

static int take_statuses(const struct asking *asking)
{
	const char *at = asking->get(asking->self, "status");
	const char *names[BOOK_STATUSES];

	for (int i = 0; i < BOOK_STATUSES; i++)
		names[i] = book_status_name((enum book_status)i);
	while (at && *at) {
		size_t bytes = strcspn(at, ",");
		int status = one_of(at, bytes, names, BOOK_STATUSES);
		if (status < 0)
			return refuse(asking, "status",
				      "is a list of open, acknowledged, muted, resolved, "
				      "dismissed, confirmed");
		asking->sieve->status |= 1u << status;
		at += bytes + (at[bytes] == ',');
	}
	return 0;
}

/* *ret_place stays as it is where the parameter is not given. */
static int take_choice(const struct asking *asking, const char *name, const char *const *names,
		       int count, const char *what, int *ret_place)
{
	const char *text = asking->get(asking->self, name);

	if (!text || !text[0])
		return 0;
	*ret_place = one_of(text, strlen(text), names, count);
	return *ret_place < 0 ? refuse(asking, name, what) : 0;
}

static int take_choices(const struct asking *asking)
{
	static const char *const directions[] = {"down", "up"}, *const by[] = {"group", "each"};
	static const char *const sorts[] = {"newest", "severity", "impact"};
	struct sieve *sieve = asking->sieve;
	int direction = -1, each = 0, sort = SORT_NEWEST;
	int error = take_choice(asking, "direction", directions, 2, "is up or down", &direction);

	if (!error)
		error = take_choice(asking, "by", by, 2, "is group or each", &each);
	if (!error)
		error = take_choice(asking, "sort", sorts, 3, "is newest, severity or impact",
				    &sort);
	sieve->direction = direction < 0 ? 0 : 1u << direction;
	sieve->each = each == 1;
	sieve->sort = (enum sieve_sort)sort;
	return error;
}

static int take_whole(const struct asking *asking, const char *name, int64_t most, int64_t *ret)
{
	const char *text = asking->get(asking->self, name);

	if (!text || !text[0])
		return 0;
	errno = 0;
	long long value = strtoll(text, NULL, 10);
	if (text[strspn(text, DIGITS)] || errno || value > most) {
		snprintf(asking->why, asking->why_bytes,
			 "%s has to be a whole number from 0 to %" PRId64, name, most);
		return -EINVAL;
	}
	*ret = value;
	return 0;
}

/* Digits, and one point among them: strtod() alone takes hexadecimal ones, signs and blanks. */
static bool is_decimal(const char *text)
{
	size_t whole = strspn(text, DIGITS);
	const char *point = text + whole;
	size_t part = *point == '.' ? strspn(point + 1, DIGITS) : 0;

	return whole + part > 0 && !point[*point == '.' ? 1 + part : 0];
}

static int take_numbers(const struct asking *asking)
{
	struct sieve *sieve = asking->sieve;
	const char *severity = asking->get(asking->self, "severity");
	int64_t limit = 100, most_ms = (int64_t)1 << 42;
	int error = take_whole(asking, "limit", SIEVE_ROWS_MAX, &limit);

	if (!error)
		error = take_whole(asking, "from_ms", most_ms, &sieve->from_ms);
	if (!error)
		error = take_whole(asking, "to_ms", most_ms, &sieve->to_ms);
	sieve->limit = (uint32_t)limit;
	if (error || !severity || !severity[0])
		return error;
	sieve->severity = is_decimal(severity) ? strtod(severity, NULL) : NAN;
	if (!(sieve->severity >= 0 && sieve->severity <= 100))
		return refuse(asking, "severity", "has to be a number from 0 to 100");
	return 0;
}

/* Key, start and id, as they are in memory: 16, 16 and 32 hexadecimal digits. */
void sieve_rank_text(const struct sieve_rank *rank, char text[SIEVE_CURSOR_BYTES])
{
	uint64_t key;

	memcpy(&key, &rank->key, sizeof(key));
	snprintf(text, SIEVE_CURSOR_BYTES, "%016" PRIx64 "%016" PRIx64 "%016" PRIx64 "%016" PRIx64,
		 key, (uint64_t)rank->start_ms, rank->id[0], rank->id[1]);
}

static int take_cursor(const struct asking *asking)
{
	struct sieve *sieve = asking->sieve;
	const char *text = asking->get(asking->self, "cursor");
	uint64_t key, start;

	if (!text || !text[0])
		return 0;
	if (strlen(text) != SIEVE_CURSOR_BYTES - 1 ||
	    strspn(text, "0123456789abcdef") != SIEVE_CURSOR_BYTES - 1 ||
	    sscanf(text, "%16" SCNx64 "%16" SCNx64 "%16" SCNx64 "%16" SCNx64, &key, &start,
		   &sieve->cursor.id[0], &sieve->cursor.id[1]) != 4)
		return refuse(asking, "cursor", "is what an answer before this one gave");
	memcpy(&sieve->cursor.key, &key, sizeof(key));
	sieve->cursor.start_ms = (int64_t)start;
	if (isnan(sieve->cursor.key))
		return refuse(asking, "cursor", "is what an answer before this one gave");
	sieve->has_cursor = true;
	return 0;
}

int sieve_create(sieve_get *get, const void *self, struct sieve **ret_sieve, char *why,
		 size_t why_bytes)
{
	struct sieve *sieve = calloc(1, sizeof(*sieve));
	const struct asking asking = {get, self, sieve, why, why_bytes};

	snprintf(why, why_bytes, "out of memory");
	if (!sieve)
		return -ENOMEM;
	int error = take_numbers(&asking);
	if (!error)
		error = take_choices(&asking);
	if (!error)
		error = take_statuses(&asking);
	if (!error)
		error = take_cursor(&asking);
	if (!error)
		error = take_list(&asking, "metric", sieve->metric, &sieve->metrics);
	if (!error)
		error = take_list(&asking, "detector", sieve->detector, &sieve->detectors);
	if (!error)
		error = take_slice(&asking);
	if (!error)
		error = take_words(&asking);
	if (error) {
		sieve_free(sieve);
		return error;
	}
	*ret_sieve = sieve;
	return 0;
}

void sieve_span(struct sieve *sieve, int64_t from_ms, int64_t to_ms)
{
	sieve->from_ms = from_ms;
	sieve->to_ms = to_ms;
}

void sieve_free(struct sieve *sieve)
{
	if (!sieve)
		return;
	for (unsigned i = 0; i < sieve->copies; i++)
		free(sieve->copy[i]);
	free(sieve);
}
