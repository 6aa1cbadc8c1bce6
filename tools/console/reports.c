/*
 * reports: see reports.h.
 */
#include "reports.h"

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/log.h"

#define QUIET_S 60

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t count;
static time_t said_s; /* 0: never */

static const char *text_at(const json_t *report, const char *name)
{
	const char *text = json_string_value(json_object_get(report, name));

	return text ? text : "?";
}

void reports_take(const char *body, size_t bytes)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	pthread_mutex_lock(&lock);
	count++;
	bool say = !said_s || now.tv_sec - said_s >= QUIET_S;
	if (say)
		said_s = now.tv_sec;
	uint64_t all = count;
	pthread_mutex_unlock(&lock);
	if (!say)
		return;
	json_t *given = body ? json_loadb(body, bytes, 0, NULL) : NULL;
	const json_t *report = json_object_get(given, "csp-report");
	log_warning("pages",
		    "a browser says that a page broke its policy: %.80s of %.120s (%llu so far)",
		    text_at(report, "violated-directive"), text_at(report, "blocked-uri"),
		    (unsigned long long)all);
	json_decref(given);
}
