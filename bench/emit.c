/*
 * emit: what does an emit cost the application?
 *
 * Idea:  a real weird drains what this process emits (emit_run.h); then it is stopped, and the ring
 *        runs full. Beside each figure stands the same loop into private memory, from the same
 *        moments. At the end the ledger must know of every event. Instructions are counted apart,
 *        by callgrind, where there is one.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emit_count.h"
#include "emit_run.h"
#include "figure.h"
#include "producer.h"
#include "question.h"
#include "report.h"
#include "scratch.h"
#include "server.h"
#include "status.h"
#include "weir/event.h"

enum alone { ALONE_NO, ALONE_STAMPED, ALONE_AT, ALONE_MANY };

struct settings {
	const char *directory, *weird;
	uint32_t runs, bursts, calls;
	unsigned alone; /* enum alone */
	bool json, quick;
};

static const struct option_row rows[] = {
	{.name = "dir",
	 .argument = "DIR",
	 .help = "for the engine's data; default the current directory",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct settings, directory)},
	{.name = "runs",
	 .argument = "N",
	 .help = "the median of N runs is reported; default 5",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = FIGURE_RUNS_MAX,
	 .at = offsetof(struct settings, runs)},
	{.name = "bursts",
	 .argument = "N",
	 .help = "of 4096 events, of each kind in each run; default 400",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 100000,
	 .at = offsetof(struct settings, bursts)},
	{.name = "calls",
	 .argument = "N",
	 .help = "timed one by one, of each kind in each run; default 400000",
	 .kind = OPTION_U32,
	 .min = 1000,
	 .max = 10000000,
	 .at = offsetof(struct settings, calls)},
	ROW_PROGRAM(struct settings, weird),
	{.name = "alone",
	 .argument = "no|stamped|at|many",
	 .help = "emit 32768 events without an engine and end: for profilers",
	 .kind = OPTION_CHOICE,
	 .at = offsetof(struct settings, alone)},
	{.name = "quick",
	 .help = "one short run: a smoke test, no measurement",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, quick)},
	ROW_JSON(struct settings),
};

enum part { MEAN, P50, P99, P999, MOST, PARTS };

#define PART_FIGURES(word)                                                                         \
	{                                                                                          \
		{.name = (word)}, {.name = word "_p50"}, {.name = word "_p99"},                    \
			{.name = word "_p999"}, {.name = word "_max"},                             \
	}

struct emit {
	struct settings options;
	char weird[2200], directory[2600], why[2000];
	struct emit_bench bench;
	struct figure ways[EMIT_WAYS][PARTS], alone, full[PARTS], instructions[EMIT_WAYS];
	bool lossless;
};

static void add(struct figure figures[PARTS], const struct emit_cost *cost)
{
	figure_add(&figures[MEAN], cost->mean, cost->floor);
	figure_add(&figures[P50], cost->single.p50, 0);
	figure_add(&figures[P99], cost->single.p99, 0);
	figure_add(&figures[P999], cost->single.p999, 0);
	figure_add(&figures[MOST], cost->single.max, 0);
}

/* Every event is in the ledger: taken or refused as the calls said; with an engine, all of those
 * taken before are in its files. */
static bool books_agree(struct emit *emit, uint64_t persisted)
{
	struct weir_ledger ledger;
	weir_ledger(emit->bench.w, &ledger);
	return ledger.attempted == emit->bench.emitted && ledger.dropped == emit->bench.refused &&
	       ledger.published == ledger.attempted - ledger.dropped &&
	       ledger.persisted == persisted && ledger.rejected == 0 && ledger.lost == 0;
}

static int measure(struct emit *emit, struct server *server)
{
	struct emit_bench *bench = &emit->bench;
	struct emit_cost cost, full;
	int r = emit_open(bench, server->socket, emit->why, sizeof(emit->why));
	for (uint32_t way = 0; r == 0 && way < EMIT_WAYS; way++) {
		r = emit_live(bench, (enum emit_way)way, &cost);
		if (r == 0)
			add(emit->ways[way], &cost);
	}
	if (r == 0)
		r = weir_wait(bench->w, WEIR_PERSISTED, 10000);
	if (r < 0) {
		if (!emit->why[0])
			snprintf(emit->why, sizeof(emit->why), "the engine does not drain: %s",
				 strerror(-r));
		return r;
	}
	uint64_t persisted = bench->emitted - bench->refused;
	emit->lossless &= bench->refused == 0 && books_agree(emit, persisted);
	r = server_stop(server, 10000, emit->why, sizeof(emit->why));
	if (r < 0)
		return r;
	emit_gone(bench, &cost, &full);
	emit->lossless &= books_agree(emit, persisted);
	figure_add(&emit->alone, cost.mean, 0);
	full.floor = 0;
	add(emit->full, &full);
	return 0;
}

/* An engine of its own for each run: at its end the ring is full. */
static int run_once(struct emit *emit)
{
	char ignored[200];
	struct server server = {0};
	int r = scratch_make(emit->options.directory, emit->directory, sizeof(emit->directory),
			     emit->why, sizeof(emit->why));
	if (r < 0)
		return r;
	const struct server_options with = {
		.program = emit->weird,
		.directory = emit->directory,
		.lanes = 1,
		.shards = 1,
		.series_max = 2 * EMIT_SERIES,
		.ring_events = EMIT_RING_EVENTS,
		.producers = 1,
		.interval = "1s",
		.durability = "interval",
		.io = "auto",
	};
	r = server_start(&server, &with, emit->why, sizeof(emit->why));
	if (r == 0)
		r = measure(emit, &server);
	if (r == 0 && producers_interrupted())
		r = -EINTR;
	emit_close(&emit->bench);
	server_stop(&server, 10000, ignored, sizeof(ignored));
	for (uint32_t way = 0; r == 0 && way < EMIT_WAYS; way++) {
		double instructions;
		if (emit->instructions[way].runs || emit->instructions[way].absent)
			continue;
		int error = emit_count((enum emit_way)way, emit->directory, &instructions);
		if (error == 0)
			figure_add(&emit->instructions[way], instructions, 0);
		else
			emit->instructions[way].absent =
				error == -ENOENT ? "no valgrind here" : "valgrind failed";
	}
	scratch_remove(emit->directory);
	return r;
}

static void figures_init(struct emit *emit)
{
	static const struct figure ways[EMIT_WAYS][PARTS] = {
		[EMIT_STAMPED] = PART_FIGURES("emit.stamped"),
		[EMIT_AT] = PART_FIGURES("emit.at"),
		[EMIT_MANY] = PART_FIGURES("emit.many"),
	};
	static const struct figure full[PARTS] = PART_FIGURES("emit.full");
	static const char *const instructions[EMIT_WAYS] = {
		"emit.stamped_instructions", "emit.at_instructions", "emit.many_instructions"};
	memcpy(emit->ways, ways, sizeof(ways));
	memcpy(emit->full, full, sizeof(full));
	emit->alone.name = "emit.alone";
	for (uint32_t way = 0; way < EMIT_WAYS; way++)
		emit->instructions[way].name = instructions[way];
}

static void report_cost(struct report *report, struct figure *figure, bool lossless,
			const char *unit)
{
	figure->unit = unit;
	figure->cost = true;
	figure->lossless = lossless;
	report_figure(report, figure);
}

static int report_all(struct emit *emit, struct report *report)
{
	report_note(report, "bursts of %u events into a ring of %u, of which an engine drains the "
			    "last; the limit is the same loop into private memory; _p50 to _max "
			    "are single calls, without what timing them costs",
		    EMIT_BURST, EMIT_RING_EVENTS);
	for (uint32_t way = 0; way < EMIT_WAYS; way++) {
		for (uint32_t part = 0; part < PARTS; part++)
			report_cost(report, &emit->ways[way][part], emit->lossless, "ns");
		emit->instructions[way].keeps_nothing = true;
		report_cost(report, &emit->instructions[way], emit->lossless, "instr");
	}
	report_cost(report, &emit->alone, emit->lossless, "ns");
	for (uint32_t part = 0; part < PARTS; part++)
		report_cost(report, &emit->full[part], emit->lossless, "ns");
	return report_end(report);
}

static int run(void *self, int count, char **operands)
{
	static struct emit emit = {.lossless = true};
	struct report report;
	(void)count;
	(void)operands;
	emit.options = *(const struct settings *)self;
	if (emit.options.alone != ALONE_NO)
		return emit_alone((enum emit_way)(emit.options.alone - ALONE_STAMPED));
	if (emit.options.quick) {
		emit.options.runs = 1;
		emit.options.bursts = 8;
		emit.options.calls = 1000;
	}
	producers_heed_signals();
	emit.bench = (struct emit_bench){
		.private = calloc(EMIT_RING_EVENTS, sizeof(struct weir_event)),
		.bursts = calloc(emit.options.bursts, sizeof(double)),
		.floors = calloc(emit.options.bursts, sizeof(double)),
		.samples = calloc(emit.options.calls, sizeof(uint32_t)),
		.bursts_max = emit.options.bursts,
		.samples_max = emit.options.calls,
		.tick_ns = ticks_ns(),
	};
	if (!emit.bench.private || !emit.bench.bursts || !emit.bench.floors || !emit.bench.samples)
		snprintf(emit.why, sizeof(emit.why), "no memory");
	else
		(void)program_find_weird(emit.options.weird, emit.weird, sizeof(emit.weird),
					 emit.why, sizeof(emit.why));
	figures_init(&emit);
	if (emit.bench.private) /* its pages are there before the first store is timed */
		memset(emit.bench.private, 1, EMIT_RING_EVENTS * sizeof(struct weir_event));
	int r = emit.why[0] ? -ENOENT : 0;
	if (r == 0)
		report_begin(&report, emit.options.json, emit.options.directory);
	for (uint32_t i = 0; r == 0 && i < emit.options.runs; i++)
		r = run_once(&emit);
	free(emit.bench.private);
	free(emit.bench.bursts);
	free(emit.bench.floors);
	free(emit.bench.samples);
	if (r < 0) {
		fprintf(stderr, "weir-bench: %s\n", emit.why[0] ? emit.why : "interrupted");
		return STATUS_UNABLE;
	}
	return report_all(&emit, &report);
}

static const struct settings defaults = {
	.directory = ".", .runs = 5, .bursts = 400, .calls = 400000};

static const struct option_example examples[] = {
	{"weir-bench emit --dir /var/tmp", "Everything, in about a minute"},
	{"weir-bench emit --quick --json", "Does it run here?"},
};

const struct command bench_emit = {
	.options = {.program = "weir-bench emit",
		    .operands = "",
		    .summary = "ns and instructions of an emit, beside a store to private memory",
		    .description =
			    "What an emit costs the application: with the time taken, with the "
			    "caller's time, and many at once, while a real engine drains the ring; "
			    "with the engine gone, and into a full ring. The limit is the same loop "
			    "storing into private memory. Instructions are counted by valgrind's "
			    "callgrind, where there is one.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    QUESTION_EXITS},
	.bytes = sizeof(struct settings),
	.defaults = &defaults,
	.run = run,
};
