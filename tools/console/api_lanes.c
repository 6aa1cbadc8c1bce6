/*
 * api_lanes: when it was: a row for each metric, or for each value of a dimension, and in it the
 * anomalies of each stretch of time.
 *
 * Idea:  each anomaly that passes the filters counts for its lane; then those of the worst lanes
 *        are put into the cells that they were alive in, so that a dimension of very many values
 *        costs no more memory than is answered. A cell is told only where there was something.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "console.h"
#include "deliver/payload.h"
#include "sieve.h"

#define LANES_MAX 40u
#define CELLS_MAX 400
#define CELLS_STANDARD 96
#define DAY_MS INT64_C(86400000)

struct cell {
	double peak;
	uint32_t count;
	uint64_t id[2]; /* of the most severe */
};

struct lane {
	const struct name *name; /* of the metric, or the pair "country=IT" */
	double peak;
	uint32_t count;
	struct cell *cell; /* [cells]; NULL: not among the worst */
};

struct lanes {
	const struct book *book;
	const char *dimension; /* NULL: metrics */
	size_t dimension_bytes;
	int64_t from_ms, to_ms;
	double cell_ms;
	uint32_t cells;
	struct lane *lane;
	uint32_t count, capacity;
	uint32_t *place; /* [names] 1 + index; 0: it has no lane, or none that is told */
	bool failed;     /* no memory */
};

static struct lane *lane_of(struct lanes *lanes, const struct name *name)
{
	uint32_t *place = &lanes->place[name->number];

	if (*place)
		return &lanes->lane[*place - 1];
	if (lanes->count == lanes->capacity) {
		uint32_t capacity = lanes->capacity ? 2 * lanes->capacity : 16;
		struct lane *grown = realloc(lanes->lane, capacity * sizeof(grown[0]));
		if (!grown)
			return NULL;
		lanes->lane = grown;
		lanes->capacity = capacity;
	}
	struct lane *lane = &lanes->lane[lanes->count];
	*lane = (struct lane){.name = name};
	*place = ++lanes->count;
	return lane;
}

/* What the anomaly goes under; NULL: nothing of this dimension. */
static const struct name *label_of(const struct lanes *lanes, const struct book_entry *entry)
{
	if (!lanes->dimension)
		return entry->metric;
	for (unsigned i = 0; i < entry->pairs; i++)
		if (entry->pair[i]->bytes > lanes->dimension_bytes &&
		    entry->pair[i]->text[lanes->dimension_bytes] == '=' &&
		    memcmp(entry->pair[i]->text, lanes->dimension, lanes->dimension_bytes) == 0)
			return entry->pair[i];
	return NULL;
}

static int64_t cell_of(const struct lanes *lanes, int64_t time_ms)
{
	return (int64_t)floor((double)(time_ms - lanes->from_ms) / lanes->cell_ms);
}

static double peak_of(const struct book_entry *entry)
{
	return isnan(entry->peak) ? 0 : entry->peak;
}

static void put(struct cell *cell, const struct book_entry *entry)
{
	double peak = peak_of(entry);

	if (cell->count++ == 0 || peak > cell->peak) {
		cell->peak = peak;
		memcpy(cell->id, entry->id, sizeof(cell->id));
	}
}

/* Its lane's name; NULL: it is not of this dimension, or of another time. */
static const struct name *name_of(const struct lanes *lanes, const struct book_entry *entry)
{
	const struct name *name = label_of(lanes, entry);

	if (!name || entry->start_ms >= lanes->to_ms ||
	    book_through(lanes->book, entry) <= lanes->from_ms)
		return NULL;
	return name;
}

static int count_entry(void *self, const struct book_entry *entry)
{
	struct lanes *lanes = self;
	const struct name *name = name_of(lanes, entry);

	if (!name)
		return 0;
	struct lane *lane = lane_of(lanes, name);
	if (!lane) {
		lanes->failed = true;
		return 1;
	}
	lane->count++;
	lane->peak = fmax(lane->peak, peak_of(entry));
	return 0;
}

static int put_entry(void *self, const struct book_entry *entry)
{
	struct lanes *lanes = self;
	const struct name *name = name_of(lanes, entry);

	if (!name || !lanes->place[name->number])
		return 0;
	struct lane *lane = &lanes->lane[lanes->place[name->number] - 1];
	int64_t end_ms = book_through(lanes->book, entry);
	int64_t first = entry->start_ms <= lanes->from_ms ? 0 : cell_of(lanes, entry->start_ms);
	int64_t last = end_ms >= lanes->to_ms ? lanes->cells - 1 : cell_of(lanes, end_ms - 1);
	for (int64_t i = first; i <= last && i < (int64_t)lanes->cells; i++)
		put(&lane->cell[i], entry);
	return 0;
}

static int compare_lanes(const void *left, const void *right)
{
	const struct lane *l = left, *r = right;

	if (l->peak != r->peak)
		return l->peak < r->peak ? 1 : -1;
	if (l->count != r->count)
		return l->count < r->count ? 1 : -1;
	return strcmp(l->name->text, r->name->text);
}

static json_t *lane_json(const struct lanes *lanes, const struct lane *lane)
{
	json_t *cells = json_array();
	const char *name = lane->name->text;
	char id[33];

	for (uint32_t i = 0; i < lanes->cells; i++) {
		const struct cell *cell = &lane->cell[i];
		if (!cell->count)
			continue;
		anomaly_id_text(cell->id, id);
		json_array_append_new(cells, json_pack("[ifis]", (int)i, severity_shown(cell->peak),
						       (int)cell->count, id));
	}
	if (lanes->dimension)
		name += lanes->dimension_bytes + 1;
	return json_pack("{ss sf si so}", "name", name, "peak", severity_shown(lane->peak), "count",
			 (int)lane->count, "cells", cells);
}

static json_t *lanes_json(struct lanes *lanes)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < lanes->count && i < LANES_MAX; i++)
		json_array_append_new(list, lane_json(lanes, &lanes->lane[i]));
	return json_pack("{sI sI sf si so}", "from_ms", (json_int_t)lanes->from_ms, "to_ms",
			 (json_int_t)lanes->to_ms, "cell_ms", lanes->cell_ms, "more",
			 (int)(lanes->count > LANES_MAX ? lanes->count - LANES_MAX : 0), "lanes",
			 list);
}

/* The worst first, and these get cells. */
static int choose(struct lanes *lanes, uint32_t names)
{
	if (lanes->count)
		qsort(lanes->lane, lanes->count, sizeof(lanes->lane[0]), compare_lanes);
	memset(lanes->place, 0, names * sizeof(lanes->place[0]));
	for (uint32_t i = 0; i < lanes->count && i < LANES_MAX; i++) {
		struct lane *lane = &lanes->lane[i];
		lane->cell = calloc(lanes->cells, sizeof(lane->cell[0]));
		if (!lane->cell)
			return -ENOMEM;
		lanes->place[lane->name->number] = i + 1;
	}
	return 0;
}

static int walk(struct lanes *lanes, const struct sieve *sieve, struct book *book)
{
	uint32_t names = names_count(book->names);

	lanes->place = calloc(names + 1, sizeof(lanes->place[0]));
	if (!lanes->place)
		return -ENOMEM;
	int error = sieve_walk(sieve, book, count_entry, lanes);
	if (lanes->failed)
		return -ENOMEM;
	if (!error)
		error = choose(lanes, names + 1);
	return error ? error : sieve_walk(sieve, book, put_entry, lanes);
}

/* Fills the lanes with the lock; the names are held when it comes back. */
static int gather(struct lanes *lanes, struct sieve *sieve, struct book *book,
		  struct names **ret_names)
{
	book_read(book);
	if (!lanes->to_ms)
		lanes->to_ms = book_newest(book);
	if (!lanes->from_ms || lanes->from_ms >= lanes->to_ms)
		lanes->from_ms = lanes->to_ms - DAY_MS;
	lanes->book = book;
	lanes->cell_ms = (double)(lanes->to_ms - lanes->from_ms) / lanes->cells;
	sieve_span(sieve, lanes->from_ms > 0 ? lanes->from_ms : 0, lanes->to_ms);
	int error = walk(lanes, sieve, book);
	*ret_names = names_hold(book->names);
	book_done(book);
	return error;
}

static json_t *take_range(struct lanes *lanes, const struct api_request *request)
{
	int64_t cells, most_ms = (int64_t)1 << 42;
	json_t *error = NULL;

	if (api_query_i64(request, "from_ms", 0, most_ms, 0, &lanes->from_ms, &error) < 0 ||
	    api_query_i64(request, "to_ms", 0, most_ms, 0, &lanes->to_ms, &error) < 0 ||
	    api_query_i64(request, "cells", 1, CELLS_MAX, CELLS_STANDARD, &cells, &error) < 0)
		return error;
	lanes->cells = (uint32_t)cells;
	if (lanes->to_ms && lanes->from_ms >= lanes->to_ms)
		return json_pack("{ss}", "error", "from_ms has to be before to_ms");
	return NULL;
}

json_t *api_lanes(struct console *console, const struct api_request *request, unsigned *status)
{
	const char *rows = api_query(request, "rows");
	struct lanes lanes = {0};
	struct names *names = NULL;
	struct sieve *sieve;
	char why[256];
	json_t *wrong = take_range(&lanes, request);

	if (wrong) {
		*status = 400;
		return wrong;
	}
	if (sieve_create(anomalies_query, request, &sieve, why, sizeof(why)) < 0)
		return api_error(status, 400, "%s", why);
	if (rows && rows[0] && strcmp(rows, "metric") != 0) {
		lanes.dimension = rows;
		lanes.dimension_bytes = strlen(rows);
	}
	int error = gather(&lanes, sieve, console->book, &names);
	json_t *body = error ? api_error(status, 503, "there is not enough memory to answer")
			     : lanes_json(&lanes);
	for (uint32_t i = 0; i < lanes.count; i++)
		free(lanes.lane[i].cell);
	free(lanes.lane);
	free(lanes.place);
	names_release(names);
	sieve_free(sieve);
	return body;
}
