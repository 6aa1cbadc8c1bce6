/*
 * watch: see watch.h.
 */
#include "watch.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/monotonic.h"
#include "console.h"
#include "engine_link.h"
#include "feed.h"
#include "impact.h"
#include "in_force.h"
#include "news.h"
#include "overview.h"
#include "pipeline.h"
#include "server.h"

struct watcher {
	const char *name; /* of the thread, at most 15 bytes */
	unsigned period_ms;
	void (*step)(struct watch *watch);
};

struct watching {
	struct watch *watch;
	const struct watcher *watcher;
	pthread_t thread;
};

struct watch {
	struct console *console;
	struct server *server;
	pthread_mutex_t lock;
	pthread_cond_t stopped;
	bool stop;
	bool up, said;  /* the engine: what was told last */
	json_t *closed; /* {source: closed_through_ms}, as told last */
	struct watching *threads;
	unsigned count;
};

/* Who is late goes, who sleeps hears a ping. */
static void step_clients(struct watch *watch)
{
	server_tick(watch->server);
	feed_tick(watch->console->feed, monotonic_ms());
}

static void tell_engine(struct watch *watch, bool up, const char *why)
{
	if (watch->said && watch->up == up)
		return;
	if (watch->said || !up)
		log_info("engine", "%s%s", up ? "it answers" : "it is away: ", up ? "" : why);
	watch->said = true;
	watch->up = up;
	feed_publish(watch->console->feed, 0, "engine",
		     json_pack("{sb ss?}", "up", up, "error", up ? NULL : why));
}

static void tell_closed(struct watch *watch, const json_t *status)
{
	const json_t *source;
	size_t i;

	json_array_foreach(json_object_get(status, "sources"), i, source)
	{
		const char *name = json_string_value(json_object_get(source, "name"));
		json_t *through = json_object_get(source, "closed_through_ms");
		if (!name || !json_is_integer(through) ||
		    json_equal(json_object_get(watch->closed, name), through))
			continue;
		json_object_set(watch->closed, name, through);
		feed_publish(watch->console->feed, FEED_ANOMALIES, "closed",
			     json_pack("{ss sO}", "source", name, "through_ms", through));
	}
}

static void step_engine(struct watch *watch)
{
	char why[ENGINE_WHY_BYTES] = "";
	json_t *status = engine_link_status(watch->console->link, why);

	tell_engine(watch, status != NULL, why);
	tell_closed(watch, status);
	json_decref(status);
}

static void step_news(struct watch *watch)
{
	news_step(watch->console);
}

static void step_in_force(struct watch *watch)
{
	in_force_step(watch->console->in_force);
}

static void step_overview(struct watch *watch)
{
	overview_step(watch->console);
}

static void step_impact(struct watch *watch)
{
	impact_step(watch->console);
}

static void step_pipeline(struct watch *watch)
{
	pipeline_step(watch->console);
}

static const struct watcher watchers[] = {
	{"clients", 250, step_clients},
	{"engine", 500, step_engine},
	{"news", 500, step_news},
	{"in force", 500, step_in_force},
	{"overview", 500, step_overview},
	{"impact", 1000, step_impact},
	{"pipeline", 1000, step_pipeline},
};

#define WATCHERS (sizeof(watchers) / sizeof(watchers[0]))

/* False: it is to stop. */
static bool sleep_until(struct watch *watch, const struct timespec *until)
{
	pthread_mutex_lock(&watch->lock);
	while (!watch->stop &&
	       pthread_cond_clockwait(&watch->stopped, &watch->lock, CLOCK_MONOTONIC, until) == 0)
		;
	bool go_on = !watch->stop;
	pthread_mutex_unlock(&watch->lock);
	return go_on;
}

static void *run(void *argument)
{
	struct watching *watching = argument;
	const struct watcher *watcher = watching->watcher;
	struct timespec until;

	pthread_setname_np(pthread_self(), watcher->name);
	do {
		watcher->step(watching->watch);
		until = monotonic_in_ms(watcher->period_ms);
	} while (sleep_until(watching->watch, &until));
	return NULL;
}

int watch_start(struct console *console, struct server *server, struct watch **ret_watch)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (watch)
		watch->threads = calloc(WATCHERS, sizeof(watch->threads[0]));
	if (!watch || !watch->threads) {
		free(watch);
		return -ENOMEM;
	}
	watch->console = console;
	watch->server = server;
	watch->closed = json_object();
	pthread_mutex_init(&watch->lock, NULL);
	pthread_cond_init(&watch->stopped, NULL);
	for (size_t i = 0; i < WATCHERS; i++) {
		struct watching *watching = &watch->threads[i];
		*watching = (struct watching){.watch = watch, .watcher = &watchers[i]};
		int error = pthread_create(&watching->thread, NULL, run, watching);
		if (error) {
			/* Those that run may be waiting for it. */
			engine_link_end(console->link);
			watch_stop(watch);
			return -error;
		}
		watch->count++;
	}
	*ret_watch = watch;
	return 0;
}

void watch_stop(struct watch *watch)
{
	pthread_mutex_lock(&watch->lock);
	watch->stop = true;
	pthread_cond_broadcast(&watch->stopped);
	pthread_mutex_unlock(&watch->lock);
	for (unsigned i = 0; i < watch->count; i++)
		pthread_join(watch->threads[i].thread, NULL);
	pthread_cond_destroy(&watch->stopped);
	pthread_mutex_destroy(&watch->lock);
	json_decref(watch->closed);
	free(watch->threads);
	free(watch);
}
