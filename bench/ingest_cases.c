/*
 * ingest_cases: what of ingest is asked, and what figures are made of it; see ingest_cases.h.
 */
#include "ingest_cases.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "layout.h"
#include "limit_lane.h"
#include "producer.h"

#define SERIES 100000u
#define SERIES_QUICK 2000u
/* Where a disk is behind it: four times what is on its way. Where none is: what fits a cache. */
#define RING_LOG (256u << 10)
#define RING_NO_LOG (64u << 10)
/* Of a limit that is not what its program is known for. */
#define LIMIT_TRIES 3u
#define RING_QUICK (16u << 10)

static const char *const names[INGEST_CASES] = {
	[INGEST_DURABLE] = "durable",
	[INGEST_FRESH] = "fresh",
	[INGEST_DURABLE_1K] = "durable_1k",
	[INGEST_MEMORY_1] = "memory_1",
	[INGEST_MEMORY_4] = "memory_4",
	[INGEST_MEMORY_64] = "memory_64",
	[INGEST_CPU_AT_10M] = "cpu_at_10m",
	[INGEST_CPU_IDLE] = "cpu_idle",
	[INGEST_LATENCY_INTERVAL] = "latency.interval",
	[INGEST_LATENCY_BLOCK] = "latency.block",
};

/* What differs from 1 producer, 100,000 series, written files, level interval. */
static const struct {
	uint32_t series, producers;
	double rate;
	const char *durability;
	bool fresh, no_log, idle;
	bool lane; /* judged by a bare lane */
} cases[INGEST_CASES] = {
	[INGEST_DURABLE] = {.lane = true},
	[INGEST_FRESH] = {.fresh = true},
	[INGEST_DURABLE_1K] = {.series = 1000, .lane = true},
	[INGEST_MEMORY_1] = {.no_log = true, .lane = true},
	[INGEST_MEMORY_4] = {.producers = 4, .no_log = true, .lane = true},
	[INGEST_MEMORY_64] = {.producers = 64, .no_log = true},
	[INGEST_CPU_AT_10M] = {.rate = 10e6},
	[INGEST_CPU_IDLE] = {.idle = true},
	[INGEST_LATENCY_INTERVAL] = {.rate = 1e6},
	[INGEST_LATENCY_BLOCK] = {.rate = 1e6, .durability = "block"},
	[INGEST_OWN] = {.lane = true},
};

static double events_per_s(const struct ingest_outcome *outcome)
{
	return (double)outcome->events / outcome->seconds;
}

static double bytes_per_s(const struct ingest_outcome *outcome)
{
	return (double)outcome->log_bytes / outcome->seconds;
}

static double cores(const struct ingest_outcome *outcome)
{
	return outcome->cpu_s / outcome->seconds;
}

static double cpu_of_million(const struct ingest_outcome *outcome)
{
	return outcome->events ? outcome->cpu_s * 1e9 / (double)outcome->events : 0;
}

static double producer_ns(const struct ingest_outcome *outcome)
{
	return outcome->emit_ns;
}

static double p50_ms(const struct ingest_outcome *outcome)
{
	return outcome->p50_s * 1e3;
}

static double p99_ms(const struct ingest_outcome *outcome)
{
	return outcome->p99_s * 1e3;
}

static double resident(const struct ingest_outcome *outcome)
{
	return (double)outcome->peak_bytes;
}

static double disk_fresh(const struct ingest_outcome *outcome)
{
	return (outcome->before.fresh + outcome->after.fresh) / 2;
}

static double disk_overwrite(const struct ingest_outcome *outcome)
{
	return (outcome->before.overwrite + outcome->after.overwrite) / 2;
}

static double of_lane(const struct ingest_suite *suite, enum ingest_name name)
{
	return suite->lanes[name];
}

static double of_disk(const struct ingest_suite *suite, enum ingest_name name)
{
	return ingest_disk_limit(&suite->outcomes[name]);
}

static double of_case(const struct ingest_suite *suite, enum ingest_name name)
{
	return suite->measured[name] ? events_per_s(&suite->outcomes[name]) : 0;
}

static double of_durable(const struct ingest_suite *suite, enum ingest_name name)
{
	(void)name;
	return of_case(suite, INGEST_DURABLE);
}

static double of_memory_4(const struct ingest_suite *suite, enum ingest_name name)
{
	(void)name;
	return of_case(suite, INGEST_MEMORY_4);
}

static double of_layout(const struct ingest_suite *suite, enum ingest_name name)
{
	struct layout layout;
	layout_of(&suite->cases[name], suite->outcomes[name].base_bytes, &layout);
	return (double)layout_bytes(&layout);
}

struct figure_row {
	const char *name, *unit;
	enum ingest_name of;
	double (*take)(const struct ingest_outcome *outcome);
	double (*limit)(const struct ingest_suite *suite, enum ingest_name name); /* NULL: none */
};

static const struct figure_row rows[] = {
	{"ingest.durable", "events/s", INGEST_DURABLE, events_per_s, of_lane},
	{"ingest.durable_bytes", "B/s", INGEST_DURABLE, bytes_per_s, of_disk},
	{"ingest.durable_cores", "cores", INGEST_DURABLE, cores, NULL},
	{"ingest.durable_cpu", "ms/M", INGEST_DURABLE, cpu_of_million, NULL},
	{"ingest.durable_producer", "ns/event", INGEST_DURABLE, producer_ns, NULL},
	{"ingest.durable_p50", "ms", INGEST_DURABLE, p50_ms, NULL},
	{"ingest.durable_p99", "ms", INGEST_DURABLE, p99_ms, NULL},
	{"disk.fresh", "B/s", INGEST_DURABLE, disk_fresh, NULL},
	{"disk.overwrite", "B/s", INGEST_DURABLE, disk_overwrite, NULL},
	{"ingest.fresh", "events/s", INGEST_FRESH, events_per_s, of_durable},
	{"ingest.durable_1k", "events/s", INGEST_DURABLE_1K, events_per_s, of_lane},
	{"ingest.memory_1", "events/s", INGEST_MEMORY_1, events_per_s, of_lane},
	{"ingest.memory_4", "events/s", INGEST_MEMORY_4, events_per_s, of_lane},
	{"ingest.memory_64", "events/s", INGEST_MEMORY_64, events_per_s, of_memory_4},
	{"ingest.memory_64_resident", "B", INGEST_MEMORY_64, resident, of_layout},
	{"engine.cpu_at_10m", "cores", INGEST_CPU_AT_10M, cores, NULL},
	{"engine.cpu_idle", "cores", INGEST_CPU_IDLE, cores, NULL},
	{"latency.interval", "ms", INGEST_LATENCY_INTERVAL, p99_ms, NULL},
	{"latency.interval_p50", "ms", INGEST_LATENCY_INTERVAL, p50_ms, NULL},
	{"latency.block", "ms", INGEST_LATENCY_BLOCK, p99_ms, NULL},
	{"latency.block_p50", "ms", INGEST_LATENCY_BLOCK, p50_ms, NULL},
	{"ingest.events", "events/s", INGEST_OWN, events_per_s, of_lane},
	{"ingest.bytes", "B/s", INGEST_OWN, bytes_per_s, of_disk},
	{"ingest.cores", "cores", INGEST_OWN, cores, NULL},
	{"ingest.cpu", "ms/M", INGEST_OWN, cpu_of_million, NULL},
	{"ingest.producer", "ns/event", INGEST_OWN, producer_ns, NULL},
	{"ingest.p50", "ms", INGEST_OWN, p50_ms, NULL},
	{"ingest.p99", "ms", INGEST_OWN, p99_ms, NULL},
	{"ingest.resident", "B", INGEST_OWN, resident, of_layout},
};
/* More of it is better; of everything else, less. */
static bool is_rate(const struct figure_row *row)
{
	return row->take == events_per_s || row->take == bytes_per_s || row->take == disk_fresh ||
	       row->take == disk_overwrite;
}

static bool is_delay(const struct figure_row *row)
{
	return row->take == p50_ms || row->take == p99_ms;
}

#define ROWS (sizeof(rows) / sizeof(rows[0]))
_Static_assert(ROWS <= INGEST_FIGURES_MAX, "a place for each figure");

void ingest_suite_init(struct ingest_suite *suite, uint32_t run_ms, bool quick)
{
	*suite = (struct ingest_suite){.quick = quick, .limit_ms = quick           ? 100
						     : run_ms < 3000 ? run_ms
								     : 3000};
	for (uint32_t i = 0; i < INGEST_CASES; i++) {
		uint32_t series = cases[i].series ? cases[i].series : SERIES;
		suite->asked[i] = i != INGEST_OWN;
		suite->cases[i] = (struct ingest_case){
			.interval = "1s",
			.durability = cases[i].durability ? cases[i].durability : "interval",
			.io = "auto",
			.run_ms = quick ? 200 : run_ms,
			.producers = cases[i].producers ? cases[i].producers : 1,
			.series = quick && series > SERIES_QUICK ? SERIES_QUICK : series,
			.ring_events = quick             ? RING_QUICK
				       : cases[i].no_log ? RING_NO_LOG
							 : RING_LOG,
			.lanes = 1,
			.shards = 1,
			.rate = cases[i].rate,
			.idle = cases[i].idle,
			.recycled = !cases[i].fresh && !cases[i].idle && !cases[i].no_log,
			.no_log = cases[i].no_log,
			.pinned = true,
		};
	}
	for (uint32_t i = 0; i < ROWS; i++)
		suite->figures[i] = (struct figure){.name = rows[i].name,
						    .unit = rows[i].unit,
						    .cost = !is_rate(&rows[i])};
}

int ingest_suite_ask(struct ingest_suite *suite, const char *text, char ret_wrong[64])
{
	memset(suite->asked, 0, sizeof(suite->asked));
	while (*text) {
		size_t bytes = strcspn(text, ",");
		uint32_t i = 0;
		while (i < INGEST_OWN &&
		       (strlen(names[i]) != bytes || memcmp(names[i], text, bytes) != 0))
			i++;
		if (i == INGEST_OWN) {
			snprintf(ret_wrong, 64, "%.*s", bytes < 60 ? (int)bytes : 60, text);
			return -EINVAL;
		}
		suite->asked[i] = true;
		text += bytes + (text[bytes] == ',');
	}
	return 0;
}

void ingest_suite_names(char *text, size_t text_bytes)
{
	size_t used = 0;
	for (uint32_t i = 0; i < INGEST_OWN && used < text_bytes; i++)
		used += (size_t)snprintf(text + used, text_bytes - used, "%s%s", i ? ", " : "",
					 names[i]);
}

/* What a bare lane does with the same series, with or without a log. */
static int measure_lane(struct ingest_suite *suite, uint32_t i, char *why, size_t why_bytes)
{
	const struct ingest_case *with = &suite->cases[i];
	const struct limit_lane_options options = {
		.directory = with->no_log ? NULL : suite->place.directory,
		.series = with->series,
		.run_ns = suite->limit_ms * UINT64_C(1000000),
	};
	bool known = !suite->quick && i != INGEST_OWN;
	double row = known ? limit_lane_row(!with->no_log, with->series) : 0;
	suite->lanes[i] = 0;
	/* On a shared machine a bare lane errs downwards only. */
	for (uint32_t try = 0; try < LIMIT_TRIES; try++) {
		struct limit_lane limit;
		int r = limit_lane_run(&options, &limit, why, why_bytes);
		if (r < 0)
			return r;
		if (limit.events_per_s > suite->lanes[i])
			suite->lanes[i] = limit.events_per_s;
		if (suite->lanes[i] >= row * FIGURE_ROW_PART)
			break;
	}
	return 0;
}

static void add_figures(struct ingest_suite *suite)
{
	for (uint32_t i = 0; i < ROWS; i++) {
		const struct figure_row *row = &rows[i];
		const struct ingest_outcome *outcome = &suite->outcomes[row->of];
		if (!suite->measured[row->of] || (is_delay(row) && outcome->delays == 0))
			continue;
		if (outcome->too_slow && !suite->quick) {
			suite->figures[i].absent = "the producers did not come to their rate";
			continue;
		}
		figure_add(&suite->figures[i], row->take(outcome),
			   row->limit ? row->limit(suite, row->of) : 0);
		if (row->limit == of_lane && !suite->quick)
			suite->figures[i].row = limit_lane_row(!suite->cases[row->of].no_log,
							       suite->cases[row->of].series);
	}
}

int ingest_suite_round(struct ingest_suite *suite, bool last, char *why, size_t why_bytes)
{
	bool keep = suite->place.keep;
	uint32_t limit_mib = suite->place.limit_mib;
	int r = 0;
	memset(suite->measured, 0, sizeof(suite->measured));
	for (uint32_t i = 0; i < INGEST_CASES && r == 0; i++) {
		if (!suite->asked[i])
			continue;
		suite->place.keep = keep && last;
		/* The disk's limit is printed beside these. */
		suite->place.limit_mib = i == INGEST_DURABLE || i == INGEST_OWN ? limit_mib : 0;
		if (cases[i].lane && suite->cases[i].rate == 0)
			r = measure_lane(suite, i, why, why_bytes);
		if (r == 0)
			r = ingest_measure(&suite->place, &suite->cases[i], &suite->outcomes[i],
					   why, why_bytes);
		suite->measured[i] = r == 0;
		suite->lossy[i] |= r == 0 && !suite->outcomes[i].lossless;
		suite->ran_out += suite->outcomes[i].ran_out;
		suite->pinned += suite->outcomes[i].pinned;
	}
	suite->place.keep = keep;
	suite->place.limit_mib = limit_mib;
	if (r == 0)
		add_figures(suite);
	return r;
}

void ingest_suite_report(struct ingest_suite *suite, struct report *report)
{
	for (uint32_t i = 0; i < ROWS; i++) {
		struct figure *figure = &suite->figures[i];
		const struct ingest_case *with = &suite->cases[rows[i].of];
		figure->lossless = !suite->lossy[rows[i].of];
		/* A wrong count is said all the same, and is an error. */
		figure->keeps_nothing = figure->lossless && (with->idle || with->no_log);
		if (suite->asked[rows[i].of] && (figure->runs || figure->absent))
			report_figure(report, figure);
	}
	if (suite->pinned)
		report_note(report, "where there are processors enough, lanes and producers have "
				    "one each, as with taskset or CPUAffinity; all else floats");
	if (suite->ran_out)
		report_note(report,
			    "%u runs needed more files than were written before; their last "
			    "ones were fresh",
			    suite->ran_out);
}
