/*
 * route: see route.h.
 */
#include "route.h"

#include <string.h>

struct route {
	const char *method, *pattern; /* {id}: one segment of the path, whatever it is */
	api_handler *handler;
	enum route_pace pace;
};

/* A noun has a file api_NOUN.c; its declaration stands in api.h. */
static const struct route routes[] = {
	{"GET", "/api/v1/session", api_session, ROUTE_LOOKS},
	{"GET", "/api/v1/first", api_first, ROUTE_LOOKS},
	{"GET", "/api/v1/anomalies", api_anomalies, ROUTE_AT_ONCE},
	{"GET", "/api/v1/lanes", api_lanes, ROUTE_AT_ONCE},
	{"GET", "/api/v1/anomalies/{id}", api_anomaly, ROUTE_LOOKS},
	{"POST", "/api/v1/anomalies/{id}/feedback", api_feedback, ROUTE_TELLS},
	{"POST", "/api/v1/anomalies/{id}/ack", api_ack, ROUTE_TELLS},
	{"POST", "/api/v1/anomalies/{id}/notes", api_note, ROUTE_TELLS},
	{"GET", "/api/v1/feedback", api_feedback_said, ROUTE_LOOKS},
	{"DELETE", "/api/v1/feedback/{id}", api_feedback_undo, ROUTE_TELLS},
	{"POST", "/api/v1/notes", api_note_span, ROUTE_TELLS},
	{"GET", "/api/v1/mutes", api_mutes, ROUTE_LOOKS},
	{"POST", "/api/v1/mutes", api_mute, ROUTE_TELLS},
	{"DELETE", "/api/v1/mutes/{id}", api_unmute, ROUTE_TELLS},
	{"GET", "/api/v1/overview", api_overview, ROUTE_LOOKS},
	{"GET", "/api/v1/chart", api_chart, ROUTE_LOOKS},
	{"GET", "/api/v1/series", api_series, ROUTE_LOOKS},
	{"GET", "/api/v1/pipeline", api_pipeline, ROUTE_LOOKS},
	{"POST", "/api/v1/demo", api_demo, ROUTE_LOOKS},
};

/* What a browser may be sent to; {id} as above. */
static const char *const pages[] = {
	"/", "/anomalies", "/anomalies/{id}", "/pipeline", "/explore", "/tune",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool matches(const char *pattern, const char *path, char id[ROUTE_ID_BYTES])
{
	static const char hole[] = "{id}";
	const char *at = strstr(pattern, hole);

	id[0] = '\0';
	if (!at)
		return strcmp(pattern, path) == 0;
	size_t before = (size_t)(at - pattern);
	if (strncmp(pattern, path, before) != 0)
		return false;
	size_t bytes = strcspn(path + before, "/");
	if (bytes == 0 || bytes >= ROUTE_ID_BYTES ||
	    strcmp(at + strlen(hole), path + before + bytes) != 0)
		return false;
	memcpy(id, path + before, bytes);
	id[bytes] = '\0';
	return true;
}

/* One text for each set of methods, so that nobody has to free one. */
static const char *allow_text(bool get, bool post, bool delete)
{
	static const char *const texts[] = {
		NULL,     "GET, HEAD",         "POST",         "GET, HEAD, POST",
		"DELETE", "GET, HEAD, DELETE", "POST, DELETE", "GET, HEAD, POST, DELETE",
	};

	return texts[get + 2 * post + 4 * delete];
}

void route_find(const char *method, const char *path, struct route_match *ret_match)
{
	bool get = false, post = false, delete = false;
	char id[ROUTE_ID_BYTES];

	*ret_match = (struct route_match){0};
	for (size_t i = 0; i < COUNT(routes); i++) {
		if (!matches(routes[i].pattern, path, id))
			continue;
		if (strcmp(routes[i].method, method) == 0) {
			ret_match->handler = routes[i].handler;
			ret_match->pace = routes[i].pace;
			memcpy(ret_match->id, id, sizeof(id));
			return;
		}
		get |= strcmp(routes[i].method, "GET") == 0;
		post |= strcmp(routes[i].method, "POST") == 0;
		delete |= strcmp(routes[i].method, "DELETE") == 0;
	}
	ret_match->allow = allow_text(get, post, delete);
}

bool route_is_page(const char *path)
{
	char id[ROUTE_ID_BYTES];

	for (size_t i = 0; i < COUNT(pages); i++)
		if (matches(pages[i], path, id))
			return true;
	return false;
}
