/*
 * status: the engine's numbers as JSON, and what the control socket can ask.
 *
 * Runs on: the control agent. Reads numbers that other agents store relaxed; anomalies come over a
 * connection to SQLite of its own.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chart.h"
#include "engine_private.h"
#include "listing.h"
#include "stat.h"
#include "watched.h"

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *lane_json(const struct lane_totals *t)
{
	return json_pack("{so so so so so so so so so so so so so so so so}", "rings",
			 number(t->rings), "in_ring", number(t->in_ring), "late", number(t->late),
			 "future", number(t->future), "blocks", number(t->blocks), "bytes",
			 number(t->bytes), "segments", number(t->segments), "syncs",
			 number(t->syncs), "in_flight", number(t->in_flight), "in_flight_max",
			 number(t->in_flight_max), "unsynced", number(t->unsynced), "stalled",
			 number(t->stalled), "write_errors", number(t->write_errors), "sync_errors",
			 number(t->sync_errors), "quarantined", number(t->quarantined), "failing",
			 json_integer(-(json_int_t)t->failing));
}

static void add_lanes(struct engine *engine, json_t *status)
{
	struct lane_totals sum = {0};
	json_t *lanes = json_array();

	for (uint32_t i = 0; i < engine->config->lanes; i++) {
		struct lane_totals t;
		lane_totals(engine->lanes[i], &t);
		json_array_append_new(lanes, lane_json(&t));
		sum.attempted += t.attempted;
		sum.persisted += t.persisted;
		sum.unkept += t.unkept;
		sum.rejected += t.rejected;
		sum.dropped += t.dropped;
		sum.lost += t.lost;
		sum.in_ring += t.in_ring;
	}
	json_object_set_new(status, "events_attempted", number(sum.attempted));
	json_object_set_new(status, "events_persisted", number(sum.persisted));
	json_object_set_new(status, "events_unkept", number(sum.unkept));
	json_object_set_new(status, "events_rejected", number(sum.rejected));
	json_object_set_new(status, "events_dropped", number(sum.dropped));
	json_object_set_new(status, "events_lost", number(sum.lost));
	json_object_set_new(status, "events_in_ring", number(sum.in_ring));
	json_object_set_new(status, "lanes", lanes);
}

static void add_sources(struct engine *engine, json_t *status)
{
	const struct source_table *table = &engine->recovered.sources;
	/* Orders: the entries before their count; partner: closing_new_source(). */
	uint32_t count = weir_load_acquire_32(&table->count);
	json_t *sources = json_array();

	for (uint32_t s = 0; s < count; s++) {
		const struct source *source = &table->sources[s];
		int64_t closed = closing_closed(engine->closing, s);
		json_t *entry = json_pack("{ss ss so}", "name", source->name, "clock",
					  source->clock == WEIR_CLOCK_EVENT ? "event" : "wall",
					  "clock_ms",
					  number(weir_load_relaxed_64(&source->clock_ms)));
		json_object_set_new(entry, "closed_through",
				    closed == INT64_MIN ? json_null() : json_integer(closed));
		json_object_set_new(
			entry, "closed_through_ms",
			closed == INT64_MIN
				? json_null()
				: json_integer((closed + 1) * engine->config->interval_ms));
		json_array_append_new(sources, entry);
	}
	json_object_set_new(status, "sources", sources);
}

static void add_intake(struct engine *engine, json_t *status)
{
	struct intake_counters c;

	intake_counters(engine->intake, &c);
	json_object_set_new(status, "intake",
			    json_pack("{so so so so so so so}", "producers", number(c.producers),
				      "rings", number(c.rings), "attached", number(c.attached),
				      "refused", number(c.refused), "quarantined",
				      number(c.quarantined), "deaths", number(c.deaths),
				      "refused_definitions", number(c.refused_definitions)));
	json_object_set_new(status, "series",
			    json_integer(series_count(engine->recovered.registry)));
	json_object_set_new(status, "series_overflowed",
			    number(series_overflowed(engine->recovered.registry)));
	json_object_set_new(status, "limits",
			    json_pack("{si si si}", "series", (int)engine->config->series_max,
				      "producers", (int)engine->config->producers_max, "slices",
				      (int)engine->config->slices_max));
}

static void add_scoring(struct engine *engine, json_t *status)
{
	struct scorer_status sum = {0};
	const struct storing *storing = &engine->storing;

	for (uint32_t i = 0; i < engine->config->shards; i++) {
		struct scorer_status one;
		shard_status(&engine->shards[i], &one);
		sum.banks += one.banks;
		sum.learning += one.learning;
		sum.bytes += one.bytes;
		sum.overflowed += one.overflowed;
	}
	json_object_set_new(status, "detectors",
			    json_pack("{so so so so}", "banks", number(sum.banks), "learning",
				      number(sum.learning), "state_bytes", number(sum.bytes),
				      "overflowed", number(sum.overflowed)));
	json_object_set_new(
		status, "store",
		json_pack("{so so so so so si}", "closes",
			  number(closing_sequence(engine->closing)), "stored_through",
			  number(weir_load_relaxed_64(&storing->stored_through)), "revisions",
			  number(weir_load_relaxed_64(&storing->revisions)), "checkpoints",
			  number(weir_load_relaxed_64(&storing->checkpoints)), "outbox",
			  number(weir_load_relaxed_64(&storing->outbox)), "failing",
			  -(int)weir_load_relaxed_32((const uint32_t *)&storing->failing)));
}

static json_t *away_ms(struct engine *engine, const struct publisher_status *redis)
{
	uint64_t now_ns = clock_monotonic_ns(engine->options.clock);

	if (!redis->away_since_ns || now_ns < redis->away_since_ns)
		return number(0);
	return number((now_ns - redis->away_since_ns) / 1000000);
}

static void add_redis(struct engine *engine, json_t *status)
{
	struct publisher_status redis = {0};

	if (!engine->publisher) {
		json_object_set_new(status, "redis", json_pack("{sb}", "configured", 0));
		return;
	}
	publisher_status(engine->publisher, &redis);
	json_object_set_new(status, "redis",
			    json_pack("{sb sb so so so so ss}", "configured", 1, "connected",
				      (int)redis.connected, "away_ms", away_ms(engine, &redis),
				      "published", number(redis.published),
				      "reconnects", number(redis.reconnects), "errors",
				      number(redis.errors), "error", redis.error));
}

static json_t *status_json(struct engine *engine)
{
	const struct config *config = engine->config;
	json_t *status = json_object();
	uint64_t up_ms = (clock_monotonic_ns(engine->options.clock) - engine->opened_ns) / 1000000;

	json_object_set_new(status, "version", json_string(ENGINE_VERSION));
	json_object_set_new(status, "pid", json_integer(getpid()));
	json_object_set_new(status, "epoch", json_integer(engine->epoch));
	json_object_set_new(status, "started_ms", number(engine->started_ms));
	json_object_set_new(status, "up_ms", number(up_ms));
	json_object_set_new(status, "environment", json_string(config->environment));
	json_object_set_new(status, "data_directory", json_string(config->data_directory));
	json_object_set_new(status, "socket", json_string(config->socket));
	json_object_set_new(status, "interval_ms", json_integer(config->interval_ms));
	json_object_set_new(status, "io", json_string(engine->backend));
	json_object_set_new(status, "durability",
			    json_string(engine->unkept ? "none" : config->durability));
	json_object_set_new(status, "recovery", json_string(engine->recovery_text));
	json_object_set_new(status, "holding",
			    json_boolean(weir_load_relaxed_32(&engine->hold_marks)));
	add_lanes(engine, status);
	add_sources(engine, status);
	add_intake(engine, status);
	add_scoring(engine, status);
	add_redis(engine, status);
	json_object_set_new(status, "control_log",
			    json_pack("{si}", "failing", -(int)closing_failing(engine->closing)));
	return status;
}

static char *answer_text(json_t *answer)
{
	char *text = json_dumps(answer, JSON_COMPACT | JSON_PRESERVE_ORDER);

	json_decref(answer);
	return text;
}

char *engine_status(struct engine *engine)
{
	return answer_text(status_json(engine));
}

static json_t *stat_answer(struct engine *engine)
{
	json_t *list = stat_json(engine);

	return list ? json_pack("{sb so}", "ok", 1, "stats", list)
		    : json_pack("{sb ss}", "ok", 0, "error", "out of memory");
}

/* The page as a text within JSON: a control socket speaks lines. */
static json_t *prometheus_answer(struct engine *engine)
{
	char *page = stat_prometheus(engine);
	json_t *answer = page ? json_pack("{sb ss}", "ok", 1, "text", page)
			      : json_pack("{sb ss}", "ok", 0, "error", "out of memory");

	free(page);
	return answer;
}

char *engine_answer(void *self, const char *command, const void *request)
{
	struct engine *engine = self;
	bool later;
	char *answer = engine_request(engine, command, request, &later);

	if (answer || later)
		return answer;
	if (strcmp(command, "status") == 0)
		return answer_text(json_pack("{sb so}", "ok", 1, "status", status_json(engine)));
	if (strcmp(command, "anomalies") == 0)
		return listing_anomalies(engine->store_path, engine->config->environment, request);
	if (strcmp(command, "inputs") == 0)
		return listing_inputs(engine->store_path, request);
	if (strcmp(command, "history") == 0)
		return chart_answer(engine->history_path, request);
	if (strcmp(command, "stat") == 0)
		return answer_text(stat_answer(engine));
	if (strcmp(command, "detectors") == 0)
		return answer_text(detectors_json(
			engine, json_string_value(json_object_get(request, "name"))));
	if (strcmp(command, "metrics") == 0)
		return answer_text(watched_json(engine_running(engine)));
	if (strcmp(command, "feedback_list") == 0)
		return answer_text(said_json(engine));
	if (strcmp(command, "producers") == 0)
		return answer_text(producers_json(engine));
	if (strcmp(command, "prometheus") == 0)
		return answer_text(prometheus_answer(engine));
	return answer_text(json_pack("{sb ss}", "ok", 0, "error",
				     "unknown command; this engine is older than what asks"));
}
