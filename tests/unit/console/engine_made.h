/*
 * engine_made: an engine as the console sees it: a control socket that answers what a test wants,
 * and counts what it was asked.
 */
#ifndef UNIT_CONSOLE_ENGINE_MADE_H
#define UNIT_CONSOLE_ENGINE_MADE_H

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "deliver/control.h"
#include "weir/order.h"

struct engine_made {
	char root[64], path[96];
	struct control *control;
	pthread_t thread;
	pthread_mutex_t lock;
	json_t *answers; /* {command: answer}; others are unknown */
	json_t *asked;   /* {command: how often} */
	uint32_t stop;
	bool runs;
};

static char *engine_made_answer(void *self, const char *command, const void *request)
{
	struct engine_made *engine = self;

	(void)request;
	pthread_mutex_lock(&engine->lock);
	json_int_t times = json_integer_value(json_object_get(engine->asked, command));
	json_object_set_new(engine->asked, command, json_integer(times + 1));
	json_t *answer = json_object_get(engine->answers, command);
	char *text = answer ? json_dumps(answer, JSON_COMPACT)
			    : strdup("{\"ok\":false,\"error\":\"unknown\"}");
	pthread_mutex_unlock(&engine->lock);
	return text;
}

static void *engine_made_serve(void *argument)
{
	struct engine_made *engine = argument;

	while (!weir_load_relaxed_32(&engine->stop))
		control_step(engine->control, 0);
	return NULL;
}

static inline void engine_made_start(struct engine_made *engine)
{
	char why[256];

	if (!engine->root[0]) {
		pthread_mutex_init(&engine->lock, NULL);
		engine->answers = json_object();
		engine->asked = json_object();
		strcpy(engine->root, "/tmp/weir-console-XXXXXX");
		check(mkdtemp(engine->root));
		snprintf(engine->path, sizeof(engine->path), "%s/control.sock", engine->root);
	}
	weir_store_relaxed_32(&engine->stop, 0);
	check(control_open(engine->path, engine_made_answer, engine, &engine->control, why,
			   sizeof(why)) == 0);
	check(pthread_create(&engine->thread, NULL, engine_made_serve, engine) == 0);
	engine->runs = true;
}

/* It takes connections still, and answers nobody. */
static inline void engine_made_hang(struct engine_made *engine)
{
	weir_store_relaxed_32(&engine->stop, 1);
	pthread_join(engine->thread, NULL);
}

static inline void engine_made_go_on(struct engine_made *engine)
{
	weir_store_relaxed_32(&engine->stop, 0);
	check(pthread_create(&engine->thread, NULL, engine_made_serve, engine) == 0);
}

static inline void engine_made_stop(struct engine_made *engine)
{
	if (!engine->runs)
		return;
	weir_store_relaxed_32(&engine->stop, 1);
	pthread_join(engine->thread, NULL);
	control_close(engine->control);
	engine->runs = false;
}

static inline void engine_made_end(struct engine_made *engine)
{
	char command[128];

	engine_made_stop(engine);
	json_decref(engine->answers);
	json_decref(engine->asked);
	snprintf(command, sizeof(command), "rm -rf %s", engine->root);
	check(system(command) == 0);
}

/* Steals the answer. */
static inline void engine_made_says(struct engine_made *engine, const char *command, json_t *answer)
{
	pthread_mutex_lock(&engine->lock);
	json_object_set_new(engine->answers, command, answer);
	pthread_mutex_unlock(&engine->lock);
}

static inline json_int_t engine_made_asked(struct engine_made *engine, const char *command)
{
	pthread_mutex_lock(&engine->lock);
	json_int_t times = json_integer_value(json_object_get(engine->asked, command));
	pthread_mutex_unlock(&engine->lock);
	return times;
}

#endif
