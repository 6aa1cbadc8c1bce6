/*
 * stat: see stat.h. Here are the table and the snapshots; what is made of them is in stat_text.c.
 *
 * Runs on: whoever asks. Never waits: numbers are words that their agents store relaxed.
 */
#include "stat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/check.h"
#include "engine_private.h"

/* Snapshots of what has no struct of its own elsewhere; all members are 64-bit words. */
struct process_stats {
	uint64_t up_ms, started_ms, epoch, holding;
	uint64_t memory_bytes, cpu_us;
	uint64_t disk_bytes, disk_free_bytes;
	uint64_t series, series_overflowed;
	uint64_t descriptors_taken, notices_unsent;
};

struct source_stats {
	int64_t clock_ms, closed_ms, lag_ms;
};

struct shard_stats {
	struct scorer_status scorer;
	uint64_t closes;
};

struct store_stats {
	uint64_t closes, stored_through, revisions, checkpoints, outbox, inputs;
	uint64_t muted, withheld;
	struct rebase_counters rebase;
	int64_t failing, control_log_failing;
	struct history_counters history;
	uint64_t history_through;
	int64_t history_failing;
};

struct redis_stats {
	uint64_t configured, connected, published, reconnects, errors;
};

struct agent_stats {
	uint64_t steps, sleeps;
};

#define ROW(group_, structure, member, name_, unit_, type_, scale_, description_)                  \
	{                                                                                          \
		.name = name_, .unit = unit_, .type = type_, .description = description_,          \
		.group = group_, .at = offsetof(structure, member), .scale = scale_                \
	}
#define COUNTER(group, structure, member, name, unit, description)                                 \
	ROW(group, structure, member, name "_total", unit, STAT_COUNTER, 1.0, description)
#define GAUGE(group, structure, member, name, unit, description)                                   \
	ROW(group, structure, member, name, unit, STAT_GAUGE, 1.0, description)

#define PROCESS_ROW(type, member, ...) type(STAT_PROCESS, struct process_stats, member, __VA_ARGS__)
#define LANE_ROW(type, member, ...) type(STAT_LANE, struct lane_totals, member, __VA_ARGS__)
#define INTAKE_ROW(type, member, ...) type(STAT_INTAKE, struct intake_counters, member, __VA_ARGS__)
#define SHARD_ROW(type, member, ...) type(STAT_SHARD, struct shard_stats, member, __VA_ARGS__)
#define STORE_ROW(type, member, ...) type(STAT_STORE, struct store_stats, member, __VA_ARGS__)
#define REDIS_ROW(type, member, ...) type(STAT_REDIS, struct redis_stats, member, __VA_ARGS__)
#define AGENT_ROW(type, member, ...) type(STAT_AGENT, struct agent_stats, member, __VA_ARGS__)

static const struct stat_row rows[] = {
	ROW(STAT_PROCESS, struct process_stats, up_ms, "up_seconds", "seconds", STAT_GAUGE, 1e-3,
	    "Time since the engine began to open its data directory."),
	ROW(STAT_PROCESS, struct process_stats, started_ms, "start_time_seconds", "seconds",
	    STAT_GAUGE, 1e-3, "Unix time at which the engine was started."),
	PROCESS_ROW(GAUGE, epoch, "epoch", "1",
		    "How many engines have opened this data directory, this one included."),
	PROCESS_ROW(GAUGE, holding, "holding", "1",
		    "1 while closing waits for producers that the last engine knew."),
	PROCESS_ROW(GAUGE, memory_bytes, "resident_memory_bytes", "bytes",
		    "Memory of the engine that is in RAM, rings of producers included."),
	ROW(STAT_PROCESS, struct process_stats, cpu_us, "cpu_seconds_total", "seconds",
	    STAT_COUNTER, 1e-6, "Processor time of all threads, user and system."),
	PROCESS_ROW(GAUGE, disk_bytes, "disk_size_bytes", "bytes",
		    "Size of the file system that holds the data directory."),
	PROCESS_ROW(GAUGE, disk_free_bytes, "disk_free_bytes", "bytes",
		    "What of it an unprivileged engine can still write."),
	PROCESS_ROW(GAUGE, series, "series", "series", "Series that have a number in the log."),
	PROCESS_ROW(COUNTER, series_overflowed, "series_overflowed", "series",
		    "Definitions over the limit of all series, counted as __overflow__."),
	PROCESS_ROW(GAUGE, descriptors_taken, "descriptors_taken", "descriptors",
		    "Regions and rings that outlived the last engine and were taken back."),
	PROCESS_ROW(COUNTER, notices_unsent, "notices_unsent", "notices",
		    "Notices that the service manager did not take."),

	LANE_ROW(GAUGE, rings, "rings", "rings", "Rings that the lane drains."),
	LANE_ROW(COUNTER, attempted, "events_attempted", "events",
		 "Events that producers tried to emit: the sum of the six that follow."),
	LANE_ROW(COUNTER, persisted, "events_persisted", "events",
		 "Events that are in the log's files."),
	LANE_ROW(COUNTER, unkept, "events_unkept", "events",
		 "Events that were summed and not kept, because log.io is none."),
	LANE_ROW(
		COUNTER, rejected, "events_rejected", "events",
		"Events refused for what they are: no number, no such series, an impossible time."),
	LANE_ROW(COUNTER, dropped, "events_dropped", "events",
		 "Events that found their ring full and were dropped by the producer."),
	LANE_ROW(COUNTER, lost, "events_lost", "events",
		 "Events overwritten before an engine came back to them."),
	LANE_ROW(GAUGE, in_ring, "events_in_ring", "events",
		 "Events emitted and not yet in the log's files."),
	LANE_ROW(COUNTER, late, "events_late", "events",
		 "Events of intervals that were closed already: kept, and corrected into the "
		 "history."),
	LANE_ROW(COUNTER, late_uncorrected, "events_late_uncorrected", "events",
		 "Those of them over the limit of corrections: kept in the log only."),
	LANE_ROW(COUNTER, unsketched, "cells_unsketched", "cells",
		 "Cells of series that no sketch had room for: no percentile of theirs."),
	LANE_ROW(COUNTER, future, "events_future", "events",
		 "Events too far ahead of their source's clock: kept, not summed."),
	LANE_ROW(COUNTER, events, "events_drained", "events",
		 "Events taken out of rings by this engine."),
	LANE_ROW(COUNTER, blocks, "log_blocks", "blocks", "Blocks given to the disk."),
	LANE_ROW(COUNTER, bytes, "log_bytes", "bytes", "Bytes given to the disk."),
	LANE_ROW(GAUGE, in_flight, "log_blocks_in_flight", "blocks",
		 "Blocks that the disk has and has not acknowledged."),
	LANE_ROW(GAUGE, in_flight_max, "log_blocks_in_flight_max", "blocks",
		 "The most there were of these since the start."),
	LANE_ROW(GAUGE, unsynced, "log_unsynced_bytes", "bytes",
		 "Written, and not yet on stable storage."),
	LANE_ROW(COUNTER, segments, "log_segments", "segments", "Segments begun."),
	LANE_ROW(COUNTER, syncs, "log_syncs", "syncs", "Syncs that the disk has finished."),
	LANE_ROW(COUNTER, stalled, "log_stalls", "stalls",
		 "Times that a lane had no free block because the disk was behind."),
	LANE_ROW(COUNTER, write_errors, "log_write_errors", "errors", "Writes that failed."),
	LANE_ROW(COUNTER, sync_errors, "log_sync_errors", "errors",
		 "Syncs that failed: their segment is given up, what it held is written again."),
	LANE_ROW(COUNTER, quarantined, "rings_quarantined", "rings",
		 "Rings whose numbers cannot be true, and that are not read any more."),
	ROW(STAT_LANE, struct lane_totals, failing, "log_failing", "errno", STAT_GAUGE, -1.0,
	    "0, or the error with which the disk refuses the lane."),

	INTAKE_ROW(GAUGE, producers, "producers", "producers", "Producers that are attached."),
	INTAKE_ROW(GAUGE, rings, "producers_rings", "rings", "Rings that they have given."),
	INTAKE_ROW(COUNTER, attached, "producers_attached", "producers",
		   "Producers that have attached."),
	INTAKE_ROW(COUNTER, refused, "producers_refused", "producers",
		   "Producers that were refused; the log says why."),
	INTAKE_ROW(COUNTER, quarantined, "producers_quarantined", "producers",
		   "Producers whose memory said what cannot be."),
	INTAKE_ROW(COUNTER, deaths, "producers_dead", "producers",
		   "Producers that ended without a word; their rings were drained."),
	INTAKE_ROW(COUNTER, refused_definitions, "series_refused", "series",
		   "Definitions that were refused: broken, or more than a producer may have."),

	SHARD_ROW(COUNTER, closes, "closes_scored", "closes", "Closes that the shard has scored."),
	SHARD_ROW(GAUGE, scorer.slices, "slices", "slices",
		  "Slices of metrics: one for each combination of the dimensions of a roll-up."),
	SHARD_ROW(GAUGE, scorer.banks, "detectors", "detectors",
		  "Detectors at work, one for each detector and source."),
	SHARD_ROW(GAUGE, scorer.learning, "detectors_learning", "detectors",
		  "Those that have not seen enough yet to say anything."),
	SHARD_ROW(GAUGE, scorer.bytes, "detectors_state_bytes", "bytes",
		  "Memory of slices and detectors."),
	SHARD_ROW(COUNTER, scorer.overflowed, "slices_overflowed", "cells",
		  "Cells of slices over the limit: in the metric's total, in no slice of its own."),

	ROW(STAT_SOURCE, struct source_stats, clock_ms, "source_clock_seconds", "seconds",
	    STAT_GAUGE, 1e-3, "Unix time that the source's clock shows."),
	ROW(STAT_SOURCE, struct source_stats, closed_ms, "source_closed_seconds", "seconds",
	    STAT_GAUGE, 1e-3, "Unix time up to which the source's intervals are closed; 0: none."),
	ROW(STAT_SOURCE, struct source_stats, lag_ms, "source_lag_seconds", "seconds", STAT_GAUGE,
	    1e-3,
	    "How far closing is behind the source's clock; lateness and an interval are "
	    "normal."),

	STORE_ROW(COUNTER, closes, "closes", "closes",
		  "Closes in the control log, from the beginning of the data directory."),
	STORE_ROW(COUNTER, stored_through, "closes_stored", "closes",
		  "Those of them whose anomalies are in the store."),
	STORE_ROW(COUNTER, revisions, "revisions", "revisions",
		  "Revisions of anomalies stored since the start."),
	STORE_ROW(COUNTER, muted, "revisions_muted", "revisions",
		  "Those of them that a mute has kept from Redis."),
	STORE_ROW(GAUGE, withheld, "anomalies_withheld", "anomalies",
		  "Anomalies that go on and were muted: told when the mute is over."),
	STORE_ROW(COUNTER, rebase.done, "rebases", "rebases",
		  "Times that a source's detectors have lived through its history again."),
	STORE_ROW(COUNTER, rebase.failed, "rebases_failed", "rebases",
		  "Times that it was tried in vain; the log says why."),
	STORE_ROW(COUNTER, rebase.intervals, "rebase_intervals", "intervals",
		  "Intervals that were lived through again."),
	STORE_ROW(COUNTER, rebase.stretches, "rebase_stretches", "stretches",
		  "Hours and days that were taken as sums before them."),
	STORE_ROW(COUNTER, checkpoints, "checkpoints", "checkpoints",
		  "Checkpoints written since the start."),
	STORE_ROW(COUNTER, history_through, "history_closes", "closes",
		  "Closes whose intervals are in history.db."),
	STORE_ROW(GAUGE, history.series, "history_series", "series",
		  "Series of the history: one for each slice of a metric."),
	STORE_ROW(COUNTER, history.rows, "history_points", "points",
		  "Points that were added to the history, corrections included."),
	STORE_ROW(COUNTER, history.chunks, "history_chunks", "chunks",
		  "Chunks of the history that were written, each time one was."),
	STORE_ROW(COUNTER, history.commits, "history_commits", "commits",
		  "Transactions of history.db."),
	STORE_ROW(COUNTER, history.refused, "history_refused", "points",
		  "Points of intervals that the history has, that cannot be, or of unnamed "
		  "slices: not taken."),
	STORE_ROW(COUNTER, history.written_bytes, "history_written_bytes", "bytes",
		  "Chunks written to history.db."),
	STORE_ROW(COUNTER, history.pruned, "history_forgotten", "chunks",
		  "Chunks of the history that were older than their tier is kept."),
	STORE_ROW(COUNTER, history.lost_closes, "history_lost_closes", "closes",
		  "Closes that are missing from the history because it could not be written."),
	STORE_ROW(COUNTER, history.damaged_chunks, "history_damaged_chunks", "chunks",
		  "Chunks that failed their checksum when more was to be added to them."),
	STORE_ROW(GAUGE, history.file_bytes, "history_file_bytes", "bytes",
		  "Bytes of history.db."),
	ROW(STAT_STORE, struct store_stats, history_failing, "history_failing", "errno", STAT_GAUGE,
	    -1.0, "0, or the error number with which the history cannot be written."),
	STORE_ROW(GAUGE, outbox, "outbox", "revisions", "Revisions that wait for Redis."),
	STORE_ROW(COUNTER, inputs, "inputs", "inputs",
		  "Mutes, acknowledgements, notes and reloads that are kept."),
	ROW(STAT_STORE, struct store_stats, failing, "store_failing", "errno", STAT_GAUGE, -1.0,
	    "0, or the error with which the store refuses."),
	ROW(STAT_STORE, struct store_stats, control_log_failing, "control_log_failing", "errno",
	    STAT_GAUGE, -1.0, "0, or the error with which the disk refuses the control log."),

	REDIS_ROW(GAUGE, configured, "redis_configured", "1", "1: alerts are to go to Redis."),
	REDIS_ROW(GAUGE, connected, "redis_connected", "1", "1: Redis answers."),
	REDIS_ROW(COUNTER, published, "redis_published", "revisions",
		  "Revisions that Redis has taken."),
	REDIS_ROW(COUNTER, reconnects, "redis_reconnects", "connections",
		  "Connections after the first."),
	REDIS_ROW(COUNTER, errors, "redis_errors", "errors",
		  "Connections and commands that failed."),

	AGENT_ROW(COUNTER, steps, "agent_steps", "steps", "Turns of the thread's loop."),
	AGENT_ROW(COUNTER, sleeps, "agent_sleeps", "sleeps",
		  "Turns that found nothing to do and slept."),
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))
#define SNAPSHOT_WORDS 64
/* The largest group: agents. Lanes, shards and sources are fewer. */
#define MEMBERS_MAX ENGINE_AGENTS_MAX

static const size_t group_bytes[STAT_GROUPS] = {
	[STAT_PROCESS] = sizeof(struct process_stats),  [STAT_LANE] = sizeof(struct lane_totals),
	[STAT_INTAKE] = sizeof(struct intake_counters), [STAT_SHARD] = sizeof(struct shard_stats),
	[STAT_SOURCE] = sizeof(struct source_stats),    [STAT_STORE] = sizeof(struct store_stats),
	[STAT_REDIS] = sizeof(struct redis_stats),      [STAT_AGENT] = sizeof(struct agent_stats),
};

const struct stat_row *stat_rows(size_t *ret_count)
{
	*ret_count = ROWS;
	return rows;
}

size_t stat_group_bytes(enum stat_group group)
{
	return group_bytes[group];
}

/* Pages in RAM, from the kernel's one line; 0 where there is no /proc. */
static uint64_t resident_bytes(void)
{
	unsigned long all = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file)
		return 0;
	if (fscanf(file, "%lu %lu", &all, &resident) != 2)
		resident = 0;
	fclose(file);
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t microseconds(struct timeval time)
{
	return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

static void take_process(struct engine *engine, struct process_stats *to)
{
	struct clock *clock = engine->options.clock;
	const struct fdstore *fdstore = engine->options.fdstore;
	struct rusage usage = {0};
	struct statvfs disk = {0};

	getrusage(RUSAGE_SELF, &usage);
	fstatvfs(engine->datadir.fd, &disk);
	*to = (struct process_stats){
		.up_ms = (clock_monotonic_ns(clock) - engine->opened_ns) / 1000000,
		.started_ms = engine->started_ms,
		.epoch = engine->epoch,
		.holding = weir_load_relaxed_32(&engine->hold_marks),
		.memory_bytes = resident_bytes(),
		.cpu_us = microseconds(usage.ru_utime) + microseconds(usage.ru_stime),
		.disk_bytes = (uint64_t)disk.f_blocks * disk.f_frsize,
		.disk_free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize,
		.series = series_count(engine->recovered.registry),
		.series_overflowed = series_overflowed(engine->recovered.registry),
		.descriptors_taken = fdstore ? fdstore->taken : 0,
		.notices_unsent = fdstore ? weir_load_relaxed_64(&fdstore->unsent) : 0,
	};
}

static void take_store(struct engine *engine, struct store_stats *to)
{
	const struct storing *storing = &engine->storing;

	*to = (struct store_stats){
		.closes = closing_sequence(engine->closing),
		.stored_through = weir_load_relaxed_64(&storing->stored_through),
		.revisions = weir_load_relaxed_64(&storing->revisions),
		.checkpoints = weir_load_relaxed_64(&storing->checkpoints),
		.outbox = weir_load_relaxed_64(&storing->outbox),
		.muted = weir_load_relaxed_64(&storing->muted),
		.withheld = weir_load_relaxed_64(&storing->withheld),
		.inputs = closing_records_kept(engine->closing),
		.failing = (int32_t)weir_load_relaxed_32((const uint32_t *)&storing->failing),
		.control_log_failing = closing_failing(engine->closing),
		.history_through = history_through(engine->history),
		.history_failing = (int32_t)weir_load_relaxed_32(
			(const uint32_t *)&engine->keeping.failing),
	};
	history_counters(engine->history, &to->history);
	rebase_counters(engine->rebase, &to->rebase);
}

static void take_redis(struct engine *engine, struct redis_stats *to)
{
	struct publisher_status status = {0};

	if (engine->publisher)
		publisher_status(engine->publisher, &status);
	*to = (struct redis_stats){
		.configured = engine->publisher != NULL,
		.connected = status.connected,
		.published = status.published,
		.reconnects = status.reconnects,
		.errors = status.errors,
	};
}

static void take_source(struct engine *engine, uint32_t number, struct source_stats *to)
{
	const struct source *source = &engine->recovered.sources.sources[number];
	int64_t closed = closing_closed(engine->closing, number);
	int64_t clock_ms = (int64_t)weir_load_relaxed_64(&source->clock_ms);
	int64_t closed_ms = closed == INT64_MIN ? 0 : (closed + 1) * engine->config->interval_ms;

	*to = (struct source_stats){
		.clock_ms = clock_ms,
		.closed_ms = closed_ms,
		.lag_ms = closed_ms && clock_ms > closed_ms ? clock_ms - closed_ms : 0,
	};
}

/* How many members a group has now. */
static uint32_t members(struct engine *engine, enum stat_group group)
{
	switch (group) {
	case STAT_LANE:
		return engine->config->lanes;
	case STAT_SHARD:
		return engine->config->shards;
	case STAT_SOURCE:
		/* Orders: the entries before their count; partner: closing_new_source(). */
		return weir_load_acquire_32(&engine->recovered.sources.count);
	case STAT_AGENT:
		/* Acquire: the names of the agents that are counted; partner: start(). */
		return weir_load_acquire_32(&engine->agents_count);
	default:
		return 1;
	}
}

/* One member's snapshot, and what it is called. NULL: it needs no name. */
static const char *take(struct engine *engine, enum stat_group group, uint32_t member,
			uint64_t *words, char name[WEIR_SOURCE_NAME_BYTES])
{
	struct shard_stats *shard = (void *)words;
	struct agent_stats *agent = (void *)words;

	snprintf(name, WEIR_SOURCE_NAME_BYTES, "%u", member);
	switch (group) {
	case STAT_PROCESS:
		take_process(engine, (void *)words);
		return NULL;
	case STAT_LANE:
		lane_totals(engine->lanes[member], (void *)words);
		return name;
	case STAT_INTAKE:
		intake_counters(engine->intake, (void *)words);
		return NULL;
	case STAT_SHARD:
		shard_status(&engine->shards[member], &shard->scorer);
		shard->closes = weir_load_relaxed_64(&engine->shards[member].closes);
		return name;
	case STAT_SOURCE:
		take_source(engine, member, (void *)words);
		return engine->recovered.sources.sources[member].name;
	case STAT_STORE:
		take_store(engine, (void *)words);
		return NULL;
	case STAT_REDIS:
		take_redis(engine, (void *)words);
		return NULL;
	default:
		agent->steps = weir_load_relaxed_64(&engine->agents[member].steps);
		agent->sleeps = weir_load_relaxed_64(&engine->agents[member].sleeps);
		return engine->agent_names[member];
	}
}

/* All of one group, taken at once: its numbers are as of about the same moment. */
struct group {
	enum stat_group group;
	uint32_t count;
	bool named;
	uint64_t words[MEMBERS_MAX][SNAPSHOT_WORDS];
	char names[MEMBERS_MAX][WEIR_SOURCE_NAME_BYTES];
};

static void take_group(struct engine *engine, enum stat_group which, struct group *group)
{
	group->group = which;
	group->count = members(engine, which);
	check(group->count <= MEMBERS_MAX && group_bytes[which] <= sizeof(group->words[0]));
	for (uint32_t m = 0; m < group->count; m++) {
		const char *of = take(engine, which, m, group->words[m], group->names[m]);
		group->named = of != NULL;
		if (of && of != group->names[m])
			snprintf(group->names[m], sizeof(group->names[m]), "%s", of);
	}
}

int stat_walk(struct engine *engine, stat_each *each, void *self)
{
	static const char *const labels[STAT_GROUPS] = {[STAT_LANE] = "lane",
							[STAT_SHARD] = "shard",
							[STAT_SOURCE] = "source",
							[STAT_AGENT] = "agent"};
	struct group *group = malloc(sizeof(*group));

	if (!group)
		return -ENOMEM;
	group->group = STAT_GROUPS;
	/* Row by row, so that a number's members stand together. */
	for (size_t i = 0; i < ROWS; i++) {
		const struct stat_row *row = &rows[i];
		if (row->group != group->group)
			take_group(engine, row->group, group);
		for (uint32_t m = 0; m < group->count; m++) {
			int64_t word;
			memcpy(&word, (const char *)group->words[m] + row->at, sizeof(word));
			each(self, row, group->named ? labels[row->group] : NULL,
			     group->named ? group->names[m] : NULL,
			     (double)word * row->scale + 0.0);
		}
	}
	free(group);
	return 0;
}
