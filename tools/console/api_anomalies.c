/*
 * api_anomalies: the list of anomalies: filtered, counted, in pages. From memory alone.
 */
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "console.h"
#include "feed.h"
#include "follow.h"
#include "sieve.h"

/* Of one facet at most: the most frequent. */
#define VALUES_MAX 100
#define DIMENSIONS_MAX 32

const char *anomalies_query(const void *self, const char *name)
{
	return api_query(self, name);
}

static json_t *pair_of(const char *name, uint32_t count)
{
	return json_pack("[si]", name, (int)count);
}

static json_t *facet_json(const struct sieve_facet *facet, uint32_t count)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < count && i < VALUES_MAX; i++)
		json_array_append_new(list, pair_of(facet[i].name->text, facet[i].count));
	return list;
}

static json_t *statuses_json(const struct sieve_answer *answer)
{
	json_t *list = json_array();

	for (enum book_status i = 0; i < BOOK_STATUSES; i++)
		if (answer->status[i])
			json_array_append_new(list,
					      pair_of(book_status_name(i), answer->status[i]));
	return list;
}

static json_t *directions_json(const struct sieve_answer *answer)
{
	json_t *list = json_array();

	for (int up = 0; up < 2; up++)
		if (answer->direction[up])
			json_array_append_new(list, pair_of(row_direction(up ? 1 : -1),
							    answer->direction[up]));
	return list;
}

/* "country=IT" to country: [["IT", 3]], the most frequent first. */
static json_t *dimensions_json(const struct sieve_answer *answer)
{
	json_t *object = json_object();

	for (uint32_t i = 0; i < answer->pairs; i++) {
		const struct name *pair = answer->pair[i].name;
		size_t bytes = strcspn(pair->text, "=");
		char dimension[WEIR_NAME_BYTES_MAX + 1];
		if (bytes >= sizeof(dimension) || !pair->text[bytes])
			continue;
		memcpy(dimension, pair->text, bytes);
		dimension[bytes] = '\0';
		json_t *list = json_object_get(object, dimension);
		if (!list && json_object_size(object) < DIMENSIONS_MAX)
			json_object_set_new(object, dimension, list = json_array());
		if (list && json_array_size(list) < VALUES_MAX)
			json_array_append_new(list, pair_of(pair->text + bytes + 1,
							    answer->pair[i].count));
	}
	return object;
}

static json_t *histogram_json(const struct sieve_answer *answer)
{
	json_t *list = json_array();

	for (int i = 0; i < SIEVE_BINS; i++)
		json_array_append_new(list, json_integer(answer->histogram[i]));
	return list;
}

static json_t *answer_json(const struct sieve_answer *answer, uint64_t event_id, bool loading)
{
	json_t *rows = json_array();

	for (uint32_t i = 0; i < answer->rows; i++)
		json_array_append_new(rows, row_json(&answer->row[i]));
	json_t *facets = json_pack("{so so so so so}", "metric",
				   facet_json(answer->metric, answer->metrics), "status",
				   statuses_json(answer), "detector",
				   facet_json(answer->detector, answer->detectors), "direction",
				   directions_json(answer), "dimension", dimensions_json(answer));
	const char *cursor = answer->cursor[0] ? answer->cursor : NULL;
	return json_pack("{si si so so so ss? sI sb}", "total", (int)answer->total, "shown",
			 (int)answer->shown, "histogram", histogram_json(answer), "facets", facets,
			 "rows", rows, "cursor", cursor, "event_id", (json_int_t)event_id,
			 "loading", (int)loading);
}

json_t *api_anomalies(struct console *console, const struct api_request *request, unsigned *status)
{
	struct sieve_answer answer;
	struct sieve *sieve;
	char why[256];

	if (sieve_create(anomalies_query, request, &sieve, why, sizeof(why)) < 0)
		return api_error(status, 400, "%s", why);
	/* Asked first: what is in the book then is at least as new as that event. */
	uint64_t event_id = feed_last_id(console->feed);
	bool loading = !follow_is_ready(console->follow);
	int error = sieve_run(sieve, console->book, &answer);
	sieve_free(sieve);
	if (error)
		return api_error(status, 503, "there is not enough memory to answer: ask for less");
	json_t *body = answer_json(&answer, event_id, loading);
	sieve_answer_fini(&answer);
	return body;
}
