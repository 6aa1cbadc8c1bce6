/*
 * pipeline: see pipeline.h.
 */
#include "pipeline.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api.h"
#include "base/monotonic.h"
#include "console.h"
#include "engine_link.h"
#include "feed.h"

#define FRESH_MS 1000u
/* While somebody asks others wait so long, and have then what was said last, if it is no older than
 * that: an engine that is slow holds one thread, not all. */
#define PATIENCE_MS 250u
#define KNOWN_MS 10000u

struct pipeline {
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool asking;
	json_t *answer; /* NULL: it could not be had */
	unsigned status;
	char why[ENGINE_WHY_BYTES];
	uint64_t asked_ms; /* 0: never */
};

static uint64_t unix_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct pipeline *pipeline_open(void)
{
	struct pipeline *pipeline = calloc(1, sizeof(*pipeline));

	if (!pipeline)
		return NULL;
	pthread_mutex_init(&pipeline->lock, NULL);
	pthread_cond_init(&pipeline->done, NULL);
	return pipeline;
}

void pipeline_close(struct pipeline *pipeline)
{
	if (!pipeline)
		return;
	json_decref(pipeline->answer);
	pthread_mutex_destroy(&pipeline->lock);
	pthread_cond_destroy(&pipeline->done);
	free(pipeline);
}

/* One part: the member of the answer to a command. False: the engine did not give it. */
static bool add_part(struct engine_link *link, json_t *json, const char *command,
		     const char *member, unsigned *status, char *why)
{
	json_t *answer = engine_ask(link, json_pack("{ss}", "command", command), status, why);
	json_t *part = json_incref(json_object_get(answer, member));

	json_decref(answer);
	if (part)
		json_object_set_new(json, member, part);
	return part != NULL;
}

static json_t *look(struct engine_link *link, unsigned *status, char *why)
{
	json_t *json = json_pack("{sI}", "at_ms", (json_int_t)unix_ms());

	if (add_part(link, json, "status", "status", status, why) &&
	    add_part(link, json, "stat", "stats", status, why) &&
	    add_part(link, json, "producers", "producers", status, why) &&
	    add_part(link, json, "detectors", "detectors", status, why))
		return json;
	json_decref(json);
	return NULL;
}

/* With the lock: is what is known so young? */
static bool is_within(const struct pipeline *pipeline, uint64_t age_ms)
{
	return pipeline->asked_ms && monotonic_ms() - pipeline->asked_ms < age_ms;
}

/* With the lock: another asks. */
static void wait_for_other(struct pipeline *pipeline)
{
	struct timespec until;

	until = monotonic_in_ms(PATIENCE_MS);
	while (pipeline->asking && pthread_cond_clockwait(&pipeline->done, &pipeline->lock,
							  CLOCK_MONOTONIC, &until) == 0)
		;
}

/* With the lock, which it gives up meanwhile. */
static void ask(struct pipeline *pipeline, struct engine_link *link)
{
	unsigned code = 503;
	char why[ENGINE_WHY_BYTES] = "";

	pipeline->asking = true;
	pthread_mutex_unlock(&pipeline->lock);
	json_t *answer = look(link, &code, why);
	pthread_mutex_lock(&pipeline->lock);
	json_decref(pipeline->answer);
	pipeline->answer = answer;
	pipeline->status = answer ? 200 : code;
	memcpy(pipeline->why, why, sizeof(why));
	pipeline->asked_ms = monotonic_ms();
	pipeline->asking = false;
	pthread_cond_broadcast(&pipeline->done);
}

json_t *pipeline_get(struct console *console, unsigned *status)
{
	struct pipeline *pipeline = console->pipeline;
	json_t *answer;

	pthread_mutex_lock(&pipeline->lock);
	if (!is_within(pipeline, FRESH_MS))
		wait_for_other(pipeline);
	if (!pipeline->asking && !is_within(pipeline, FRESH_MS))
		ask(pipeline, console->link);
	if (!is_within(pipeline, KNOWN_MS)) {
		answer = api_error(status, 503, "the engine is slow to answer: try again");
	} else if (pipeline->answer) {
		answer = json_deep_copy(pipeline->answer);
		*status = 200;
	} else {
		answer = api_error(status, pipeline->status, "%s", pipeline->why);
	}
	pthread_mutex_unlock(&pipeline->lock);
	return answer;
}

void pipeline_step(struct console *console)
{
	unsigned status = 200;

	if (!feed_wanted(console->feed, FEED_PIPELINE))
		return;
	json_t *answer = pipeline_get(console, &status);
	/* That the engine is away is an event of its own. */
	if (status == 200 && answer)
		feed_latest(console->feed, FEED_PIPELINE, "pipeline", answer);
	else
		json_decref(answer);
}
