/*
 * ingest_run: one case of ingest, measured once; see ingest_run.h. The disk's own limit is measured
 * right before and after, because on shared machines it changes by the minute.
 */
#include "ingest_run.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "plan.h"
#include "processor.h"
#include "producer.h"
#include "scratch.h"
#include "server.h"
#include "tally.h"
#include "weir/limits.h"

/* Of disk for each second of a run; what is more than this, the run must not need. */
#define BYTES_PER_S (UINT64_C(2700) << 20)
#define SPARE_BYTES (UINT64_C(2) << 30)
/* Of disk for an event at most, all costs included. */
#define EVENT_BYTES 20u
/* Of a fixed rate: less is another rate. */
#define RATE_PART 0.98
/* Of the engine's count, 50 ms apart. */
#define STATUS_LOOKS 40u

struct run {
	const struct ingest_place *place;
	const struct ingest_case *with;
	struct ingest_outcome *outcome;
	char *why;
	size_t why_bytes;
	char directory[4200];
	struct producers *producers;
	struct server server;
	uint32_t written; /* files of a lane, written ahead */
};

int ingest_place_init(struct ingest_place *place, const char *directory, const char *weird,
		      const char *weirctl, char *why, size_t why_bytes)
{
	char resolved[PATH_MAX];
	/* Absolute: the configuration takes paths from where its file lies. */
	const char *is = realpath(directory, resolved) ? resolved : directory;
	if (snprintf(place->directory, sizeof(place->directory), "%s", is) >=
	    (int)sizeof(place->directory)) {
		snprintf(why, why_bytes, "%s: %s", directory, strerror(ENAMETOOLONG));
		return -ENAMETOOLONG;
	}
	int error = program_find_weird(weird, place->weird, sizeof(place->weird), why, why_bytes);
	if (error)
		return error;
	if (program_find(weirctl, "weirctl", place->weirctl, sizeof(place->weirctl)) == 0)
		return 0;
	snprintf(why, why_bytes,
		 "%s: no such program, and nothing is lossless that `weirctl verify` has not read; "
		 "build it, or name it with --weirctl",
		 weirctl ? weirctl : "weirctl");
	return -ENOENT;
}

int ingest_disk_check(const struct ingest_place *place, uint64_t ms, char *why, size_t why_bytes)
{
	uint64_t free_bytes;
	return disk_check(place->directory, SPARE_BYTES + ms * BYTES_PER_S / 1000, &free_bytes, why,
			  why_bytes);
}

double ingest_disk_limit(const struct ingest_outcome *outcome)
{
	double before = outcome->before.overwrite, after = outcome->after.overwrite;
	if (outcome->before.fresh > before)
		before = outcome->before.fresh;
	if (outcome->after.fresh > after)
		after = outcome->after.fresh;
	return (before + after) / 2;
}

static void sum_up(struct run *run, uint64_t *ret_shortest_ns)
{
	uint64_t first_ns = UINT64_MAX, durable_ns = 0, emit_ns = 0;
	struct delays delays = {0};
	*ret_shortest_ns = UINT64_MAX;
	for (uint32_t i = 0; i < run->producers->count; i++) {
		const struct producer_report *report = &run->producers->reports[i];
		uint64_t ns = report->last_ns - report->first_ns;
		first_ns = report->first_ns < first_ns ? report->first_ns : first_ns;
		durable_ns = report->durable_ns > durable_ns ? report->durable_ns : durable_ns;
		*ret_shortest_ns = ns < *ret_shortest_ns ? ns : *ret_shortest_ns;
		run->outcome->events += report->events;
		emit_ns += ns;
		delays_merge(&delays, &report->delays);
	}
	run->outcome->seconds = (double)(durable_ns - first_ns) * 1e-9;
	if (run->outcome->events)
		run->outcome->emit_ns = (double)emit_ns / (double)run->outcome->events;
	run->outcome->delays = delays.count;
	run->outcome->p50_s = delays_quantile_ns(&delays, 0.5) * 1e-9;
	run->outcome->p99_s = delays_quantile_ns(&delays, 0.99) * 1e-9;
}

/* The measured part: from the first emit until everything is durable. */
static int emit_all(struct run *run)
{
	struct server_usage from, to;
	uint64_t free_bytes, shortest_ns, events_max;
	int r = disk_check(run->directory, SPARE_BYTES, &free_bytes, run->why, run->why_bytes);
	if (r < 0)
		return r;
	/* Never fill a disk that others need. What is written ahead lies there already. */
	free_bytes += (uint64_t)run->written * run->with->lanes * SERVER_SEGMENT_BYTES;
	events_max = (free_bytes - SPARE_BYTES) / EVENT_BYTES / run->with->producers;
	if (run->with->no_log)
		events_max = UINT64_MAX / 2;
	const struct producer_options with = {
		.socket = run->server.socket,
		.series = run->with->series,
		.ring_events = run->with->ring_events,
		.batch = run->with->batch,
		.rate = run->with->rate / run->with->producers,
		.idle = run->with->idle,
		.pinned = run->outcome->pinned,
		.unkept = run->with->no_log,
		.run_ns = run->with->run_ms * UINT64_C(1000000),
		.events_max = events_max,
		.attach_ms = 30000,
		.durable_ms = 60000,
	};
	server_usage(&run->server, &from);
	run->outcome->base_bytes = from.own_bytes;
	run->producers = producers_start(&with, run->with->producers, run->why, run->why_bytes);
	if (!run->producers)
		return -EIO;
	if (run->outcome->pinned)
		server_pin_lanes(&run->server);
	server_usage(&run->server, &from);
	r = producers_run(run->producers, &with, run->why, run->why_bytes);
	server_usage(&run->server, &to);
	if (r < 0)
		return r;
	sum_up(run, &shortest_ns);
	run->outcome->cpu_s = to.cpu_s - from.cpu_s;
	run->outcome->peak_bytes = to.peak_bytes;
	for (uint32_t i = 0; run->with->recycled && i < run->with->lanes; i++)
		run->outcome->ran_out |= server_segments(&run->server, i) > run->written;
	if (shortest_ns >= with.run_ns)
		return 0;
	snprintf(run->why, run->why_bytes,
		 "%s had no room for %.1f seconds; name another directory with --dir",
		 run->place->directory, run->with->run_ms * 1e-3);
	return -ENOSPC;
}

/* The producers' own books: nothing dropped, refused or lost, all of it durable; or taken, where
 * nothing is kept. */
static bool ledger_exact(struct run *run)
{
	for (uint32_t i = 0; i < run->producers->count; i++) {
		const struct producer_report *report = &run->producers->reports[i];
		const struct weir_ledger *l = &report->ledger;
		uint64_t kept = run->with->no_log ? 0 : l->attempted;
		if (l->attempted == report->events && l->published == l->attempted &&
		    l->taken == l->attempted && l->persisted == kept && l->durable == kept &&
		    !l->dropped && !l->rejected && !l->lost)
			continue;
		snprintf(run->outcome->missing, sizeof(run->outcome->missing),
			 "producer %u: attempted %llu, published %llu, taken %llu, persisted %llu, "
			 "durable %llu, dropped %llu, rejected %llu, lost %llu",
			 i, (unsigned long long)l->attempted, (unsigned long long)l->published,
			 (unsigned long long)l->taken, (unsigned long long)l->persisted,
			 (unsigned long long)l->durable,
			 (unsigned long long)l->dropped, (unsigned long long)l->rejected,
			 (unsigned long long)l->lost);
		return false;
	}
	return true;
}

/* Read the log back. False: something is missing, doubled or different; `missing` says what. */
static bool log_exact(struct run *run)
{
	struct plan plans[PRODUCERS_MAX] = {0};
	uint64_t sent[PRODUCERS_MAX];
	struct tally_result result = {0};
	struct ingest_outcome *outcome = run->outcome;
	uint32_t count = run->producers->count;
	int r = 0;
	for (uint32_t i = 0; i < count; i++) {
		sent[i] = run->producers->reports[i].events;
		if (plan_init(&plans[i], run->with->series, i) < 0)
			r = -ENOMEM;
	}
	if (r == 0)
		r = tally_log(run->server.data, run->with->lanes, plans, count, sent, &result,
			      outcome->missing, sizeof(outcome->missing));
	for (uint32_t i = 0; i < count; i++)
		plan_fini(&plans[i]);
	outcome->log_bytes = result.log_bytes;
	if (r < 0)
		return false;
	if (result.events == outcome->events && !result.wrong_events && !result.wrong_series &&
	    !result.rejected && !result.gaps)
		return true;
	snprintf(outcome->missing, sizeof(outcome->missing),
		 "the log: %llu events of %llu, %llu wrong, %llu series wrong, %llu rejected, %llu "
		 "gaps; first: %s",
		 (unsigned long long)result.events, (unsigned long long)outcome->events,
		 (unsigned long long)result.wrong_events, (unsigned long long)result.wrong_series,
		 (unsigned long long)result.rejected, (unsigned long long)result.gaps,
		 result.first_wrong);
	return false;
}

/* Where nothing is kept there is only the engine's word for what it summed up, besides the
 * producers'. Asked while it runs. */
static bool engine_agrees(struct run *run)
{
	static const char key[] = "\"events_unkept\":";
	struct timespec pause = {.tv_nsec = 50000000};
	unsigned long long taken = 0;
	char said[8000];
	int r = 0;
	/* A lane adds up its counts now and then. */
	for (uint32_t i = 0; i < STATUS_LOOKS && r == 0; i++) {
		r = program_status(run->place->weirctl, &run->server, said, sizeof(said));
		const char *at = r == 0 ? strstr(said, key) : NULL;
		taken = at ? strtoull(at + sizeof(key) - 1, NULL, 10) : 0;
		if (taken == run->outcome->events)
			return true;
		nanosleep(&pause, NULL);
	}
	snprintf(run->outcome->missing, sizeof(run->outcome->missing),
		 "weirctl status: %s %d: the engine took %llu events of %llu",
		 r < 0 ? "error" : "exit status", r < 0 ? -r : r, taken,
		 (unsigned long long)run->outcome->events);
	return false;
}

struct verification {
	const struct run *run;
	int result;
	char said[500];
};

static void *verify(void *self)
{
	struct verification *verification = self;
	const struct run *run = verification->run;
	verification->result = program_verify(run->place->weirctl, run->server.data,
					      verification->said, sizeof(verification->said));
	return NULL;
}

/* Two readers side by side: ours against what was sent, `weirctl verify` against the format. */
static bool readers_agree(struct run *run)
{
	struct verification verification = {.run = run};
	pthread_t thread;
	bool beside = pthread_create(&thread, NULL, verify, &verification) == 0;
	bool exact = log_exact(run);
	if (beside)
		pthread_join(thread, NULL);
	else
		verify(&verification);
	if (!exact || verification.result == 0)
		return exact;
	snprintf(run->outcome->missing, sizeof(run->outcome->missing), "weirctl verify: %s %d: %s",
		 verification.result < 0 ? "error" : "exit status",
		 verification.result < 0 ? -verification.result : verification.result,
		 verification.said);
	return false;
}

/* At a fixed rate: has it been that rate? An engine or a machine that cannot keep up shows less of
 * everything else. */
static bool rate_held(const struct run *run)
{
	double asked = run->with->rate * (double)run->with->run_ms * 1e-3;
	return (double)run->outcome->events >= RATE_PART * asked;
}

static int limit(struct run *run, struct disk_rate *ret_rate)
{
	return run->place->limit_mib
		       ? disk_measure(run->directory, (uint64_t)run->place->limit_mib << 20,
				      ret_rate, run->why, run->why_bytes)
		       : 0;
}

/* Files that a lane needs at most; not more than the disk takes, where that is known. */
static uint32_t files_needed(const struct ingest_case *with, const struct disk_rate *disk)
{
	double rate = disk->fresh > disk->overwrite ? disk->fresh : disk->overwrite;
	rate = rate > 0 && rate < (double)BYTES_PER_S ? rate : (double)BYTES_PER_S;
	uint64_t bytes = (uint64_t)(with->run_ms * rate * 1e-3);
	if (with->rate > 0)
		bytes = (uint64_t)(with->rate * with->run_ms * 1e-3 * EVENT_BYTES);
	uint64_t files = bytes / SERVER_SEGMENT_BYTES / with->lanes + 3;
	return files < WEIR_SPARES_MAX ? (uint32_t)files : WEIR_SPARES_MAX;
}

/* In a directory of its own. 0: measured (outcome->lossless says whether to believe it). */
static int measure(struct run *run)
{
	int r = limit(run, &run->outcome->before);
	if (r < 0)
		return r;
	if (run->with->recycled)
		run->written = files_needed(run->with, &run->outcome->before);
	run->outcome->pinned = run->with->pinned &&
			       run->with->lanes + run->with->producers <= processor_count();
	const struct server_options with = {
		.program = run->place->weird,
		.directory = run->directory,
		.lanes = run->with->lanes,
		.shards = run->with->shards,
		.series_max = run->with->series,
		.ring_events = run->with->ring_events,
		.producers = run->with->producers,
		.interval = run->with->interval,
		.durability = run->with->durability,
		.io = run->with->no_log ? "none" : run->with->io,
		.spares = run->written,
		.written = run->written,
	};
	r = server_start(&run->server, &with, run->why, run->why_bytes);
	if (r == 0)
		r = emit_all(run);
	if (r < 0)
		return r;
	bool exact = ledger_exact(run) && (!run->with->no_log || engine_agrees(run));
	r = server_stop(&run->server, 60000, run->why, run->why_bytes);
	if (r == 0)
		r = limit(run, &run->outcome->after);
	if (r == 0 && exact)
		exact = run->with->no_log || readers_agree(run);
	run->outcome->too_slow = !rate_held(run);
	if (r < 0)
		return r;
	run->outcome->lossless = exact;
	if (!producers_interrupted())
		return 0;
	snprintf(run->why, run->why_bytes, "interrupted");
	return -EINTR;
}

int ingest_measure(const struct ingest_place *place, const struct ingest_case *with,
		   struct ingest_outcome *ret_outcome, char *why, size_t why_bytes)
{
	struct run run = {.place = place,
			  .with = with,
			  .outcome = ret_outcome,
			  .why = why,
			  .why_bytes = why_bytes};
	char ignored[200];

	*ret_outcome = (struct ingest_outcome){0};
	int r = ingest_disk_check(place, with->run_ms, why, why_bytes);
	if (r < 0)
		return r;
	r = scratch_make(place->directory, run.directory, sizeof(run.directory), why, why_bytes);
	if (r < 0)
		return r;
	r = measure(&run);
	if (r == 0 && !ret_outcome->lossless)
		fprintf(stderr, "weir-bench: NOT LOSSLESS: %s\n", ret_outcome->missing);
	producers_stop(run.producers);
	server_stop(&run.server, 10000, ignored, sizeof(ignored));
	if (place->keep)
		fprintf(stderr, "weir-bench: the data are in %s\n", run.directory);
	else
		scratch_remove(run.directory);
	return r;
}
