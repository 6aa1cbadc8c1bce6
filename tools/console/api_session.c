/*
 * api_session: what a page has to know first: which engine this is and how it is, which metrics it
 * watches, and, where nothing has come yet, the steps to the first event.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api.h"
#include "base/zone.h"
#include "console.h"
#include "engine_link.h"
#include "in_force.h"
#include "interval/history.h"
#include "session.h"
#include "watched.h"
#include "weir/order.h"
#include "weir/weir.h"

#define CLOCKS_FROM_MS INT64_C(946684800000) /* 2000-01-01 */
#define CLOCKS_AHEAD_MS (INT64_C(731) * 86400000)

static double number_at(const json_t *status, const char *part, const char *name)
{
	const json_t *object = part ? json_object_get(status, part) : status;

	return json_number_value(json_object_get(object, name));
}

/* {"metrics","timezone"}, as the engine said last; else as the configuration in force has it. */
static json_t *watched(struct console *console)
{
	char why[ENGINE_WHY_BYTES];
	json_t *said = engine_link_watched(console->link);
	const struct config *config = said || !console->in_force
					      ? NULL
					      : in_force_take(console->in_force, why);

	if (config)
		said = watched_json(config);
	if (config)
		in_force_give(console->in_force, config);
	return said;
}

static json_t *metrics_json(const json_t *watched)
{
	const json_t *metrics = json_object_get(watched, "metrics");
	json_t *list = json_array();
	json_t *metric;
	size_t i;

	json_array_foreach(metrics, i, metric) json_array_append_new(
		list, json_pack("{sO sO sO sO sO}", "name", json_object_get(metric, "name"),
				"aggregation", json_object_get(metric, "aggregation"), "unit",
				json_object_get(metric, "unit"), "detectors",
				json_object_get(metric, "detectors"), "dimensions",
				json_object_get(metric, "dimensions")));
	return list;
}

json_t *session_metrics(struct console *console)
{
	json_t *said = watched(console);
	json_t *list = metrics_json(said);

	json_decref(said);
	return list;
}

/* A source of this machine's clock closes intervals in which nothing came, too. */
static void look_at_sources(const json_t *status, bool *ret_closed, bool *ret_events)
{
	const json_t *source;
	size_t i;

	*ret_closed = *ret_events = false;
	json_array_foreach(json_object_get(status, "sources"), i, source)
	{
		const char *clock = json_string_value(json_object_get(source, "clock"));
		if (!json_is_integer(json_object_get(source, "closed_through_ms")))
			continue;
		*ret_closed = true;
		*ret_events |= clock && strcmp(clock, "event") == 0;
	}
}

static void add_step(json_t *steps, const char *key, bool done, const char *text)
{
	json_array_append_new(steps,
			      json_pack("{ss sb ss}", "key", key, "done", done, "text", text));
}

static const char *demo_name(struct console *console)
{
	static const char *const names[] = {
		[DEMO_ABSENT] = "absent",
		[DEMO_READY] = "ready",
		[DEMO_RUNNING] = "running",
		[DEMO_DONE] = "done",
	};

	return names[weir_load_relaxed_32(&console->demo)];
}

static int each_metric(void *self, const struct history_metric_name *name)
{
	bool *ret_any = self;

	(void)name;
	*ret_any = true;
	return 1;
}

/* What session_holds() answers, of the history; it may be another engine's. */
static int holds_history(struct console *console)
{
	char why[ENGINE_WHY_BYTES];
	char *path = engine_link_path(console->link, HISTORY_FILE, why);
	struct history_reader *reader;
	bool any = false;
	int error = path ? history_reader_open(path, &reader) : -ENOENT;

	free(path);
	if (error < 0)
		return error;
	error = history_metrics(reader, each_metric, &any);
	history_reader_close(reader);
	if (error < 0)
		return error;
	return !any && engine_link_elsewhere(console->link) ? -EXDEV : any;
}

int session_holds(struct console *console, const json_t *status)
{
	bool closed, events;

	look_at_sources(status, &closed, &events);
	if (events || (closed && number_at(status, NULL, "events_persisted") > 0))
		return 1;
	/* Nothing is closed: the engine knows. */
	return status && !closed ? 0 : holds_history(console);
}

static json_t *first_run_json(struct console *console, const json_t *status, bool up)
{
	json_t *steps = json_array();
	int found = session_holds(console, status);
	bool holds = found > 0, needed = found == 0 || found == -ENOENT;
	bool redis = json_is_true(json_object_get(json_object_get(status, "redis"), "connected"));

	/* Of an engine that is away what it holds is known still; nobody is linked to it. */
	add_step(steps, "engine", up, "Start the engine: weird --config weir.yaml");
	add_step(steps, "client", up && number_at(status, "intake", "attached") > 0,
		 "Link your application with libweir, or try: weirctl emit page_view");
	add_step(steps, "events", holds || number_at(status, NULL, "events_persisted") > 0,
		 "Send the first event");
	add_step(steps, "intervals", holds,
		 "Wait for the first interval to close; charts begin there");
	add_step(steps, "alerts", up && redis,
		 "Name a Redis in the configuration, so that alerts reach you: redis.url");
	return json_pack("{sb so ss}", "needed", needed, "steps", steps, "demo",
			 demo_name(console));
}

static json_t *engine_json(const json_t *status, bool up, const char *why)
{
	const json_t *started = json_object_get(status, "started_ms");

	return json_pack("{sb ss? sO?}", "up", up, "error", up ? NULL : why, "started_ms", started);
}

/* [[since_ms, ahead_ms], ...] of a zone, oldest first: how far its clocks are ahead of UTC, from
 * the year 2000 until two years from now. null: of UTC, or of one that this machine does not know.
 */
static json_t *clocks_json(const char *name, int64_t now_ms)
{
	char why[ENGINE_WHY_BYTES];
	struct zone *zone;
	int64_t until_ms, ahead_ms, last_ms = 0;

	if (!name || zone_load(name, &zone, why, sizeof(why)) < 0)
		return json_null();
	json_t *turns = json_array();
	for (int64_t at_ms = CLOCKS_FROM_MS; at_ms < now_ms + CLOCKS_AHEAD_MS; at_ms = until_ms) {
		ahead_ms = zone_offset_until(zone, at_ms, &until_ms);
		if (at_ms == CLOCKS_FROM_MS || ahead_ms != last_ms)
			json_array_append_new(turns, json_pack("[I I]", (json_int_t)at_ms,
							       (json_int_t)ahead_ms));
		last_ms = ahead_ms;
	}
	zone_free(zone);
	return turns;
}

json_t *api_session(struct console *console, const struct api_request *request, unsigned *status)
{
	char why[ENGINE_WHY_BYTES] = "";
	struct timespec now;
	json_t *said = engine_link_known(console->link); /* watch.c asks, twice a second */
	bool up = engine_link_up(console->link, why);

	(void)status;
	clock_gettime(CLOCK_REALTIME, &now);
	json_t *interval = json_object_get(said, "interval_ms");
	const char *environment = json_string_value(json_object_get(said, "environment"));
	json_t *watches = watched(console);
	json_t *zone = json_object_get(watches, "timezone"); /* null: UTC, or nobody says */
	int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	json_t *session =
		json_pack("{ss ss? sO? so sO? sI ss sb so so so}", "version", weir_version(),
			  "environment", environment, "timezone", zone, "clocks",
			  clocks_json(json_string_value(zone), now_ms), "interval_ms", interval,
			  "now_ms", (json_int_t)now_ms, "author", request->author, "token_required",
			  console->token_required, "engine", engine_json(said, up, why), "metrics",
			  metrics_json(watches), "first_run", first_run_json(console, said, up));
	json_decref(watches);
	json_decref(said);
	return session;
}
