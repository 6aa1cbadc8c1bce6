/*
 * cells: how many events a second go into the lane's cells, by the number of series?
 *
 * Idea:  a stream of checked events, series uniformly random, larger than the second cache, is
 *        given to the engine's cells in batches as a lane's pieces are, all in one open interval;
 *        the same stream to the bare loop (limit_cells.h), in turns. Afterwards the interval is
 *        marked, and its partial must hold the same counts, sums and extremes as the bare cells,
 *        bit for bit.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "figure.h"
#include "interval/cells.h"
#include "limit_cells.h"
#include "plan.h"
#include "producer.h"
#include "question.h"
#include "report.h"

#define STREAM_EVENTS (2u << 20)
#define PIECE_EVENTS 1024u /* as engine/lane.c drains them */
#define INTERVAL_MS 3600000
#define INTERVAL INT64_C(400000)

struct settings {
	uint32_t series, runs, passes;
	bool json, quick;
};

static const struct option_row rows[] = {
	{.name = "series",
	 .argument = "N",
	 .help = "only this many; default 1000, 100000 and 1000000, each by itself",
	 .kind = OPTION_U32,
	 .min = 2,
	 .max = PLAN_SERIES_MAX,
	 .at = offsetof(struct settings, series)},
	{.name = "runs",
	 .argument = "N",
	 .help = "the median of N runs is reported; default 9",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = FIGURE_RUNS_MAX,
	 .at = offsetof(struct settings, runs)},
	{.name = "passes",
	 .argument = "N",
	 .help = "over two million events in a run; default 16",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 1000,
	 .at = offsetof(struct settings, passes)},
	{.name = "quick",
	 .help = "2 runs of 1 pass: to see that it works",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct settings, quick)},
	ROW_JSON(struct settings),
};

/* Rounds of the plan, all within the interval. */
static struct weir_event *make_stream(uint32_t series)
{
	struct weir_event *events = malloc(STREAM_EVENTS * sizeof(*events));
	struct plan plan;
	struct plan_cursor cursor;

	if (!events || plan_init(&plan, series, 0) < 0) {
		free(events);
		return NULL;
	}
	plan_start(&plan, &cursor);
	for (uint32_t i = 0; i < STREAM_EVENTS; i++) {
		uint32_t value, index = plan_next(&cursor, &value);
		events[i] = (struct weir_event){
			.word = weir_event_word((uint64_t)INTERVAL * INTERVAL_MS + i, index + 1),
			/* Not whole: another order of additions would show. */
			.value = weir_value_bits((double)value + 1e-3 * (i % 1000)),
		};
	}
	plan_fini(&plan);
	return events;
}

static double engine_s(struct cells *cells, const struct weir_event *events, uint32_t passes)
{
	uint64_t start_ns = monotonic_ns();
	for (uint32_t pass = 0; pass < passes; pass++)
		for (uint32_t i = 0; i < STREAM_EVENTS; i += PIECE_EVENTS) {
			struct batch batch = {.events = events + i, .count = PIECE_EVENTS};
			cells_add(cells, &batch);
		}
	return (double)(monotonic_ns() - start_ns) * 1e-9;
}

static double bare_s(struct limit_cell *cells, const struct weir_event *events, uint32_t passes)
{
	uint64_t start_ns = monotonic_ns();
	for (uint32_t pass = 0; pass < passes; pass++)
		for (uint32_t i = 0; i < STREAM_EVENTS; i += PIECE_EVENTS)
			limit_cells_add(cells, events + i, PIECE_EVENTS);
	return (double)(monotonic_ns() - start_ns) * 1e-9;
}

/* Each cell of the partial against the bare one's, bit for bit; and no bare one is left out. */
static bool same(const struct partial *partial, const struct limit_cell *cells, uint32_t series)
{
	uint32_t used = 0;
	for (uint32_t i = 1; i <= series; i++)
		used += cells[i].count > 0;
	if (!partial || partial->dropped || partial->cell_count != used)
		return false;
	for (uint32_t i = 0; i < used; i++) {
		const struct partial_cell *ours = &partial->cells[i];
		const struct limit_cell *bare = &cells[ours->series];
		const double left[] = {ours->sum, ours->sum_squares, ours->min, ours->max};
		const double right[] = {bare->sum, bare->sum_squares, bare->min, bare->max};
		if (ours->count != bare->count || memcmp(left, right, sizeof(left)) != 0)
			return false;
	}
	return true;
}

static int measure(struct report *report, const struct settings *settings, uint32_t series)
{
	char name[32];
	struct weir_event *events = make_stream(series);
	struct limit_cell *bare = limit_cells_create(series);
	struct cells *cells = cells_create(series, INTERVAL_MS, 0, 1, 0, INTERVAL - 1);
	struct figure figure = {.name = name,
				.unit = "events/s",
				.row = limit_cells_row(series),
				.lossless = true};
	const char *scale = series % 1000000 == 0 ? "m" : series % 1000 == 0 ? "k" : "";
	int r = -1;

	snprintf(name, sizeof(name), "cells.%u%s", series / (*scale == 'm'   ? 1000000
							     : *scale == 'k' ? 1000
									     : 1),
		 scale);
	if (events && bare && cells) {
		double count = (double)settings->passes * STREAM_EVENTS;
		/* Memory and large pages first: a table is reused from interval to interval. */
		engine_s(cells, events, 1);
		bare_s(bare, events, 1);
		for (uint32_t run = 0; run < settings->runs; run++) {
			double ours = engine_s(cells, events, settings->passes);
			double limit = bare_s(bare, events, settings->passes);
			figure_add(&figure, count / ours, count / limit);
		}
		struct partial *partial = cells_mark(cells, INTERVAL, UINT64_MAX);
		figure.lossless = same(partial, bare, series);
		partials_free(partial);
		report_figure(report, &figure);
		r = 0;
	}
	cells_destroy(cells);
	free(bare);
	free(events);
	return r;
}

static int run(void *self, int count, char **operands)
{
	struct settings settings = *(const struct settings *)self;
	const uint32_t all[] = {1000, 100000, 1000000};
	struct report report;
	int r = 0;

	(void)count;
	(void)operands;
	if (settings.quick) {
		settings.runs = 2;
		settings.passes = 1;
	}
	report_begin(&report, settings.json, NULL);
	for (size_t i = 0; i < OPTIONS_COUNT(all) && r == 0; i++)
		if (settings.series == 0)
			r = measure(&report, &settings, all[i]);
	if (settings.series)
		r = measure(&report, &settings, settings.series);
	if (r == 0)
		return report_end(&report);
	fprintf(stderr, "weir-bench: not enough memory; ask for fewer --series\n");
	return STATUS_UNABLE;
}

static const struct settings defaults = {.runs = 9, .passes = 16};

static const struct option_example examples[] = {
	{"weir-bench cells", "1,000, 100,000 and 1,000,000 series"},
};

const struct command bench_cells = {
	.options = {.program = "weir-bench cells",
		    .operands = "",
		    .summary = "events into the lane's cells, by the number of series",
		    .description =
			    "How many events a second the engine's cells take, series uniformly "
			    "random, beside a bare loop over the same events in the same run: the "
			    "limit. The cells must hold the same as the bare loop's, bit for bit.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    QUESTION_EXITS},
	.bytes = sizeof(struct settings),
	.defaults = &defaults,
	.run = run,
};
