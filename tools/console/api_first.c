/*
 * api_first: what the first page asks for, in one answer: each question of a browser takes its
 * time, also where the answers are at hand.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "console.h"
#include "url.h"

#define MINUTE_MS INT64_C(60000)
#define WITHIN_MAX_MS ((int64_t)1 << 42)
#define TIME_BYTES 24

/* What is open, and the worst of it. */
static const struct url open_question = {
	.query = {{"status", "open,acknowledged"},
		  {"severity", "0"},
		  {"sort", "severity"},
		  {"limit", "1"}},
	.query_count = 4,
};

static json_t *ask(struct console *console, api_handler *handler, const struct url *url,
		   unsigned *status)
{
	const struct api_request request = {.id = "", .author = "", .key = "", .url = url};

	return handler(console, &request, status);
}

/* The question with a member more; false: it has it already, or too many. */
static bool add(struct url *url, const char *name, const char *value)
{
	if (url_query(url, name) || url->query_count == URL_QUERY_MAX)
		return false;
	url->query[url->query_count++] = (struct url_pair){name, value};
	return true;
}

/* Adds {name: answer}; the first that is no answer is the answer to all. */
static void take(json_t *all, const char *name, json_t *answer, unsigned *status, json_t **ret_bad)
{
	if (*status == 200 && !*ret_bad)
		json_object_set_new(all, name, answer);
	else if (!*ret_bad)
		*ret_bad = answer;
	else
		json_decref(answer);
}

json_t *api_first(struct console *console, const struct api_request *request, unsigned *status)
{
	char from[TIME_BYTES], to[TIME_BYTES];
	json_t *all = json_object(), *bad = NULL;
	struct url asked = *request->url;
	int64_t within_ms;

	if (api_query_i64(request, "within_ms", 1, WITHIN_MAX_MS, 0, &within_ms, &bad) < 0 ||
	    within_ms == 0) {
		json_decref(all);
		*status = 400;
		return bad ? bad : api_error(status, 400, "within_ms is wanted");
	}
	json_t *session = api_session(console, request, status);
	int64_t now_ms = json_integer_value(json_object_get(session, "now_ms"));
	int64_t to_ms = (now_ms + MINUTE_MS - 1) / MINUTE_MS * MINUTE_MS;
	take(all, "session", session, status, &bad);
	snprintf(from, sizeof(from), "%" PRId64, to_ms > within_ms ? to_ms - within_ms : 0);
	snprintf(to, sizeof(to), "%" PRId64, to_ms);
	if (!bad && (!add(&asked, "from_ms", from) || url_query(&asked, "to_ms")))
		bad = api_error(status, 400, "within_ms stands instead of from_ms and to_ms");
	if (!bad)
		take(all, "anomalies", ask(console, api_anomalies, &asked, status), status, &bad);
	if (!bad && !add(&asked, "to_ms", to))
		bad = api_error(status, 400, "the query has too many members");
	if (!bad)
		take(all, "lanes", ask(console, api_lanes, &asked, status), status, &bad);
	if (!bad)
		take(all, "open", ask(console, api_anomalies, &open_question, status), status,
		     &bad);
	if (!bad)
		return all;
	json_decref(all);
	return bad;
}
