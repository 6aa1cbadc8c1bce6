/* outlook: what it says of a span is what the detector says that lived through it; steps, days of a
 * place, and what no detector can say. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/zone.h"
#include "deliver/store.h"
#include "detect/bank.h"
#include "input.h"
#include "outlook.h"
#include "scorer.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS INT64_C(3600000)
#define DAY_MS INT64_C(86400000)
/* Monday, 9 March 2026; Berlin's clock is put forward on the 29th. */
#define START_MS INT64_C(1773014400000)
#define SLICES 3 /* the total, country=DE, and country=IT, which is born on the third day */

static char directory[64], path[96], store_path[96], why[640];
static struct config *config;
static struct outlook outlook, other;
static struct history *history;
static int64_t interval_ms;
static uint64_t seed;

static void load_config(const char *interval, const char *zone, const char *more)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "data_directory: /nonexistent\nsocket: /nonexistent/s\n"
		 "control_socket: /nonexistent/c\ninterval: %s\ntimezone: %s\n"
		 "metrics:\n"
		 "  - {name: orders, event: purchase, by: [country]}\n"
		 "  - {name: revenue, event: purchase, agg: sum, field: value, by: [country]}\n%s",
		 interval, zone, more);
	config_free(config);
	config = NULL;
	cr_assert_eq(config_parse(text, strlen(text), "test", &config, why, sizeof(why)), 0, "%s",
		     why);
}

static void begin(void)
{
	strcpy(directory, "/tmp/weir-outlook-XXXXXX");
	cr_assert_not_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/history.db", directory);
	snprintf(store_path, sizeof(store_path), "%s/weir.db", directory);
	seed = 1;
}

static void end(void)
{
	char command[128];

	outlook_fini(&outlook);
	outlook_fini(&other);
	config_free(config);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	cr_assert_eq(system(command), 0);
}

TestSuite(outlook, .init = begin, .fini = end);

static void open_history(int64_t of_ms, uint32_t base_days)
{
	struct history_options options = {
		.path = path,
		.store = "store",
		.interval_ms = of_ms,
		.keep = {{base_days * 86400u, 14 * 86400, 730 * 86400, 1826 * 86400}},
		.pending_bytes_max = 64 << 20,
	};

	interval_ms = of_ms;
	cr_assert_eq(history_open(&options, &history, NULL, why, sizeof(why)), 0, "%s", why);
}

/* A shop's day, and chance; the same for the same seed. */
static uint64_t count_of(int64_t ms, uint32_t slice)
{
	double hour = (double)(ms % DAY_MS) / (double)HOUR_MS;
	double rate = 40 + 30 * sin((hour - 9) * 3.14159265 / 12);

	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	double chance = (double)(seed >> 40) / 16777216.0 - 0.5;
	double count = rate * (1 + 0.5 * chance) * (double)interval_ms / (double)HOUR_MS;
	return (uint64_t)(count * 60 / (slice + 1));
}

/* In the first interval nothing has come at all. */
static bool born(uint32_t slice, int64_t ms)
{
	return ms > START_MS && (slice < 2 || ms >= START_MS + 2 * DAY_MS);
}

/* A close of one interval; counts[slice] events of 2 each. */
static void put(int64_t interval, const uint64_t *counts, bool incomplete)
{
	static const struct history_metric metrics[] = {
		{.name = "orders", .spec = 1, .kind = HISTORY_COUNT},
		{.name = "revenue",
		 .spec = 2,
		 .kind = HISTORY_SUM,
		 .aggregation = AGGREGATE_SUM}};
	static const char *const labels[] = {"", "country=DE", "country=IT"};
	struct history_rows rows = {0};

	history_rows_interval(&rows, interval, incomplete);
	for (uint32_t m = 0; m < 2; m++) {
		for (uint32_t s = 0; s < SLICES; s++) {
			struct history_row row = {.metric = m, .slice = s, .interval = interval};
			row.words[0] = counts[s];
			row.words[1] = weir_value_bits(2.0 * (double)counts[s]);
			row.words[2] = weir_value_bits(4.0 * (double)counts[s]);
			/* Of what nothing has come yet nobody knows a name. */
			if (counts[0])
				history_rows_name(&rows, m, &metrics[m], s, labels[s]);
			if (counts[s])
				history_rows_add(&rows, &row, NULL);
		}
	}
	struct history_close close = {
		.sequence = history_added(history) + 1,
		.source = "live",
		.through = interval,
		.rows = &rows,
		.shards = 1,
	};
	cr_assert(history_add(history, &close));
	history_rows_fini(&rows);
	if (history_pending_bytes(history) > 8 << 20)
		cr_assert_eq(history_commit(history), 0);
}

/* So many days from START_MS on, and a hole of two hours in orders at the end of them. */
static void fill(uint32_t days)
{
	int64_t first = START_MS / interval_ms, last = first + days * DAY_MS / interval_ms;

	for (int64_t i = first; i < last; i++) {
		uint64_t counts[SLICES];
		bool hole = i >= last - 5 * HOUR_MS / interval_ms &&
			    i < last - 3 * HOUR_MS / interval_ms;
		for (uint32_t s = 0; s < SLICES; s++) {
			counts[s] = count_of(i * interval_ms, s);
			if (!born(s, i * interval_ms))
				counts[s] = 0;
			if (hole)
				counts[s] /= 3;
		}
		/* Some intervals are not whole. */
		put(i, counts, i % 1000 == 7);
	}
	cr_assert_eq(history_commit(history), 0);
	history_close(history);
}

static struct outlook_query query_of(const char *metric, const char *slice)
{
	return (struct outlook_query){
		.history_path = path,
		.config = config,
		.metric = metric,
		.slice = slice,
		.to_ms = HISTORY_NEWEST,
	};
}

/* Of orders in a shop of the last `days`, quarters of an hour of which are kept for `kept_days`. */
static struct outlook_query quarters(const char *zone, uint32_t kept_days, uint32_t days,
				     const char *slice)
{
	load_config("15m", zone, "");
	open_history(15 * MINUTE_MS, kept_days);
	fill(days);
	return query_of("orders", slice);
}

static void look(const struct outlook_query *query)
{
	outlook_fini(&outlook);
	cr_assert_eq(outlook_read(query, &outlook, why, sizeof(why)), 0, "%s", why);
}

/* What a bank says that watches all slices of orders from the beginning, as live. */
struct lived {
	struct bank_slice said[SLICES];
	double value[SLICES];
};

static void let_pass(void *self, const struct anomaly *anomaly)
{
	(void)self;
	(void)anomaly;
}

static struct lived *live(uint32_t days, bool sums)
{
	struct detector_spec spec;
	static const char *const labels[] = {"", "country=DE", "country=IT"};
	int64_t first = START_MS / interval_ms, count = days * DAY_MS / interval_ms;
	struct lived *lived = calloc((size_t)count, sizeof(*lived));
	double value[SLICES], events[SLICES], squares[SLICES];
	struct slice slices[SLICES];
	bool known = false;

	scorer_detector_spec(&config->detectors[sums], &spec);
	struct bank *bank = bank_create(&spec);
	for (uint32_t s = 0; s < SLICES; s++)
		slices[s] = (struct slice){.label = labels[s]};
	struct observations observations = {
		.metric = sums ? "revenue" : "orders",
		.source = "live",
		.aggregation = sums ? AGGREGATE_SUM : AGGREGATE_COUNT,
		.interval_ms = interval_ms,
		.value = value,
		.events = events,
		.sum_squares = squares,
		.slices = slices,
	};
	seed = 1;
	for (int64_t i = 0; i < count; i++) {
		bool hole = i >= count - 5 * HOUR_MS / interval_ms &&
			    i < count - 3 * HOUR_MS / interval_ms;
		for (uint32_t s = 0; s < SLICES; s++) {
			uint64_t n = count_of((first + i) * interval_ms, s);
			n = hole ? n / 3 : n;
			if (!born(s, (first + i) * interval_ms))
				n = 0;
			events[s] = (double)n;
			value[s] = sums ? 2.0 * (double)n : (double)n;
			squares[s] = sums ? 4.0 * (double)n : 0;
		}
		known |= born(2, (first + i) * interval_ms);
		observations.count = known ? 3 : i ? 2 : 1;
		observations.interval = first + i;
		observations.flags = (first + i) % 1000 == 7 ? OBSERVATION_INCOMPLETE : 0;
		cr_assert_eq(bank_step(bank, &observations, let_pass, NULL), 0);
		for (uint32_t s = 0; s < observations.count; s++) {
			bank_slice(bank, s, &lived[i].said[s]);
			lived[i].value[s] = value[s];
		}
	}
	bank_destroy(bank);
	return lived;
}

static bool same(double a, double b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static void compare(const struct lived *lived, uint32_t slice, uint32_t days)
{
	uint32_t compared = 0, severe = 0;
	int64_t count = days * DAY_MS / interval_ms;

	cr_assert(outlook.whole && outlook.step_ms == interval_ms && outlook.count > 1000);
	for (uint32_t i = 0; i < outlook.count; i++) {
		const struct outlook_point *point = &outlook.points[i];
		int64_t at = count - outlook.count + i;
		const struct bank_slice *said = &lived[at].said[slice];
		cr_assert(same(point->value, lived[at].value[slice]), "%u: %g", i, point->value);
		cr_assert(same(point->expected, said->expected), "%u: %.17g, %.17g", i,
			  point->expected, said->expected);
		cr_assert(same(point->lower, said->lower) && same(point->upper, said->upper));
		cr_assert(same(point->score, said->score));
		cr_assert_eq(isnan(point->severity), point->incomplete > 0);
		cr_assert(point->incomplete || same(point->severity, said->severity));
		compared++;
		severe += point->severity > 50;
	}
	cr_assert(compared > 1000 && severe > 20, "%u, %u", compared, severe);
}

/* Also where other slices, longer periods and an alarm budget go with it. */
Test(outlook, says_of_an_interval_what_live_said)
{
	load_config("1m", "Europe/Berlin", "");
	open_history(MINUTE_MS, 35);
	fill(16);
	static const char *const labels[] = {"", "country=DE", "country=IT"};
	for (uint32_t m = 0; m < 2; m++) {
		struct lived *lived = live(16, m);
		for (uint32_t s = 0; s < SLICES; s++) {
			struct outlook_query query = query_of(m ? "revenue" : "orders", labels[s]);
			query.back_ms = 1500 * MINUTE_MS;
			query.points_max = 2000;
			look(&query);
			compare(lived, s, 16);
			cr_assert_str_eq(outlook.kind, "seasonal");
		}
		free(lived);
	}
}

Test(outlook, steps_are_natural_and_as_fine_as_the_points_allow)
{
	static const struct {
		int64_t back_ms, step_ms;
		uint32_t points;
	} cases[] = {
		{12 * HOUR_MS, MINUTE_MS, 0},        {14 * HOUR_MS, 5 * MINUTE_MS, 0},
		{7 * DAY_MS, 15 * MINUTE_MS, 0},     {7 * DAY_MS, 5 * MINUTE_MS, 2016},
		{20 * DAY_MS, HOUR_MS, 0},           {7 * DAY_MS, 6 * HOUR_MS, 30},
		{20 * DAY_MS, DAY_MS, 20},           {20 * DAY_MS, 7 * DAY_MS, 5},
		{20 * DAY_MS, 14 * DAY_MS, 2},
	};

	load_config("1m", "UTC", "");
	open_history(MINUTE_MS, 35);
	fill(21);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct outlook_query query = query_of("orders", "");
		query.back_ms = cases[i].back_ms;
		query.points_max = cases[i].points;
		look(&query);
		cr_assert_eq(outlook.step_ms, cases[i].step_ms, "%zu: %lld", i,
			     (long long)outlook.step_ms);
		cr_assert_leq(outlook.count, (cases[i].points ? cases[i].points : 800) + 1);
		/* Of weeks nobody says anything, and of days not yet. */
		const struct outlook_point *last = &outlook.points[outlook.count - 1];
		cr_assert(isfinite(last->expected) || outlook.step_ms > HOUR_MS * 6, "%zu", i);
		cr_assert(isnan(last->expected) || outlook.step_ms < 7 * DAY_MS, "%zu", i);
	}
}

/* Where the intervals are not kept any more, hours are, and nothing is asked of what is not. */
Test(outlook, a_span_behind_the_intervals_is_of_hours)
{
	struct outlook_query query;

	load_config("5m", "UTC", "");
	open_history(5 * MINUTE_MS, 4);
	fill(30);
	query = query_of("orders", "");
	query.from_ms = START_MS + 9 * DAY_MS;
	query.to_ms = START_MS + 10 * DAY_MS;
	look(&query);
	cr_assert_eq(outlook.step_ms, HOUR_MS);
	cr_assert_eq(outlook.count, 24);
	cr_assert_eq(outlook.tier, HISTORY_HOUR);
	cr_assert_eq(outlook.learned, 9 * 24);
	cr_assert_eq(outlook.points[0].time_ms, query.from_ms);
	cr_assert_eq(outlook.points[0].closed, 12);
	cr_assert(isfinite(outlook.points[0].lower));
	/* It was not learned from the intervals that live saw. */
	cr_assert(!outlook.whole);
	/* Nothing was before the beginning, and nothing comes after the end. */
	query.from_ms = 0;
	query.to_ms = INT64_C(1) << 41;
	look(&query);
	cr_assert_eq(outlook.points[0].time_ms, START_MS);
	cr_assert_eq(outlook.points[outlook.count - 1].time_ms, START_MS + 30 * DAY_MS - HOUR_MS);
	query.to_ms = START_MS - DAY_MS;
	look(&query);
	cr_assert_eq(outlook.count, 0);
	query.from_ms = START_MS + 40 * DAY_MS;
	query.to_ms = query.from_ms + DAY_MS;
	look(&query);
	cr_assert_eq(outlook.count, 0);
}

Test(outlook, a_span_may_reach_back_beyond_all_time)
{
	load_config("1m", "UTC", "");
	open_history(MINUTE_MS, 35);
	fill(2);
	struct outlook_query query = query_of("orders", "");
	query.back_ms = INT64_MAX;
	look(&query);
	cr_assert_eq(outlook.points[0].time_ms, START_MS);
	query.to_ms = INT64_MIN + 1;
	look(&query);
	cr_assert_eq(outlook.count, 0);
}

/* It learns from as much as can be read in a moment, of minutes further back than of seconds. */
Test(outlook, learns_from_what_is_read_in_a_moment)
{
	load_config("15s", "UTC", "");
	open_history(15000, 35);
	fill(16);
	struct outlook_query query = query_of("orders", "");
	query.back_ms = 15 * 15000;
	look(&query);
	cr_assert_eq(outlook.step_ms, 15000);
	cr_assert_eq(outlook.learned, 60000);
	query.step_ms = 15 * MINUTE_MS;
	query.back_ms = 2 * 15 * MINUTE_MS;
	look(&query);
	cr_assert(outlook.learned >= 14 * 96 - 2 && outlook.learned <= 14 * 96 + 4, "%u",
		  outlook.learned);
	cr_assert(isfinite(outlook.points[1].expected) && outlook.tier == HISTORY_MINUTE);
}

static double sum_between(int64_t from_ms, int64_t until_ms)
{
	struct outlook_query query = query_of("orders", "");
	double sum = 0;

	query.from_ms = from_ms;
	query.to_ms = until_ms;
	query.step_ms = HOUR_MS;
	query.values = true;
	cr_assert_eq(outlook_read(&query, &other, why, sizeof(why)), 0, "%s", why);
	for (uint32_t i = 0; i < other.count; i++)
		sum += other.points[i].value;
	outlook_fini(&other);
	return sum;
}

Test(outlook, days_are_those_of_the_place)
{
	struct outlook_query query = quarters("Europe/Berlin", 35, 28, "");
	query.from_ms = START_MS + 14 * DAY_MS;
	query.points_max = 28;
	look(&query);
	cr_assert(outlook.step_ms == DAY_MS && outlook.local);
	for (uint32_t i = 0; i < outlook.count; i++) {
		const struct outlook_point *point = &outlook.points[i];
		int64_t hours = point->time_ms > START_MS + 20 * DAY_MS ? 2 : 1;
		bool forward = point->time_ms == START_MS + 20 * DAY_MS - HOUR_MS;
		cr_assert_eq((point->time_ms + hours * HOUR_MS) % DAY_MS, 0, "%u", i);
		cr_assert_eq(point->intervals, forward ? 92 : 96, "%u: %u", i, point->intervals);
		if (i + 1 < outlook.count)
			cr_assert_eq(point->value,
				     sum_between(point->time_ms, point[1].time_ms));
		cr_assert(isnan(point->expected) || point->expected > 1000);
	}
	/* The last one has begun. */
	const struct outlook_point *last = &outlook.points[outlook.count - 1];
	cr_assert(outlook.open && last->closed == 8 && last->intervals == 96);
	cr_assert(isnan(last->severity));
	/* Hours of a place that is half an hour off: its midnights lie within them. */
	load_config("15m", "Asia/Kolkata", "");
	query.config = config;
	look(&query);
	cr_assert(outlook.local && outlook.points[2].time_ms % DAY_MS == DAY_MS - 5.5 * HOUR_MS);
	cr_assert_eq(outlook.tier, HISTORY_BASE);
}

/* Where all that is kept of a time are hours, no midnight lies half an hour off. */
Test(outlook, days_are_of_utc_where_they_cannot_be_of_the_place)
{
	struct outlook_query query = quarters("Asia/Kolkata", 5, 28, "");
	query.step_ms = DAY_MS;
	look(&query);
	cr_assert(!outlook.local && outlook.count == 28);
	cr_assert_eq(outlook.points[20].time_ms, START_MS + 20 * DAY_MS);
	cr_assert_eq(outlook.points[20].value,
		     sum_between(START_MS + 20 * DAY_MS, START_MS + 21 * DAY_MS));
	query.back_ms = 3 * DAY_MS;
	look(&query);
	cr_assert(outlook.local && outlook.points[1].time_ms % DAY_MS == DAY_MS - 5.5 * HOUR_MS);
}

/* A band that nobody has said is none: a detector's first values are for learning. */
Test(outlook, says_nothing_before_it_knows_anything)
{
	load_config("1m", "UTC", "");
	open_history(MINUTE_MS, 35);
	fill(1);
	struct outlook_query query = query_of("orders", "");
	query.to_ms = START_MS + HOUR_MS;
	look(&query);
	for (uint32_t i = 0; i < 20; i++)
		cr_assert(isnan(outlook.points[i].expected) && isnan(outlook.points[i].severity));
	for (uint32_t i = 30; i < 60; i++)
		cr_assert(isfinite(outlook.points[i].expected) &&
			  isfinite(outlook.points[i].upper));
}

Test(outlook, says_nothing_where_no_detector_can)
{
	load_config("1m", "UTC",
		    "detectors:\n"
		    "  - {name: limit, metric: orders, kind: rule, above: 200}\n"
		    "  - {name: quarter, metric: orders, kind: window, window: 4h, k: 3}\n"
		    "  - {name: days, metric: revenue, kind: rule, frequency: 1d, down: 20}\n");
	open_history(MINUTE_MS, 35);
	fill(10);
	struct outlook_query query = query_of("orders", "");
	query.back_ms = 6 * HOUR_MS;
	look(&query);
	cr_assert_str_eq(outlook.detector, "quarter");
	cr_assert(isfinite(outlook.points[9].upper) && outlook.whole);
	/* At 15 minutes it is a window of 16; at an hour too few to be one. */
	query.back_ms = 5 * DAY_MS;
	look(&query);
	cr_assert(outlook.step_ms == 15 * MINUTE_MS && isfinite(outlook.points[9].upper));
	query.step_ms = 6 * HOUR_MS;
	look(&query);
	cr_assert(isnan(outlook.points[9].upper) && isnan(outlook.points[9].severity));
	cr_assert(isfinite(outlook.points[9].value));
	cr_assert(strstr(outlook.unsaid, "quarter, of kind window, says nothing"));
	/* The limit is one of minutes. */
	query.detector = "limit";
	query.step_ms = 0;
	query.back_ms = 6 * HOUR_MS;
	look(&query);
	cr_assert_eq(outlook.points[9].upper, 200);
	query.step_ms = 5 * MINUTE_MS;
	look(&query);
	cr_assert(isnan(outlook.points[9].upper) && outlook.unsaid[0]);
	query = query_of("revenue", "");
	query.back_ms = 9 * DAY_MS;
	look(&query);
	cr_assert(isnan(outlook.points[9].expected) && outlook.unsaid[0]);
	query.step_ms = DAY_MS;
	look(&query);
	cr_assert(outlook.points[5].expected == outlook.points[4].value && !outlook.unsaid[0]);
	query.config = NULL;
	look(&query);
	cr_assert(isnan(outlook.points[5].expected) && isfinite(outlook.points[5].value));
}

static void say(uint64_t number, const char *members)
{
	struct store *store;
	struct operator_input *input = calloc(1, sizeof(*input));
	char text[1024];

	snprintf(text, sizeof(text), "{\"kind\":\"calendar_add\",%s}", members);
	cr_assert_eq(input_parse(text, strlen(text), input, why, sizeof(why)), 0, "%s", why);
	input->number = number;
	cr_assert_eq(store_open(store_path, &store, why, sizeof(why)), 0, "%s", why);
	cr_assert_eq(store_begin(store), 0);
	cr_assert_eq(store_input(store, input), 0);
	cr_assert_eq(store_commit(store, 1), 0);
	store_close(store);
	free(input);
}

/* Point i as it is without a calendar is in `other`. */
static void look_twice(struct outlook_query *query)
{
	query->store_path = NULL;
	outlook_fini(&other);
	cr_assert_eq(outlook_read(query, &other, why, sizeof(why)), 0, "%s", why);
	query->store_path = store_path;
	look(query);
	cr_assert_eq(outlook.count, other.count);
}

Test(outlook, heeds_the_calendar)
{
	char members[256];

	/* Nobody has stored anything yet. */
	struct outlook_query query = quarters("Europe/Berlin", 35, 30, "");
	query.back_ms = DAY_MS;
	look_twice(&query);
	cr_assert(!outlook.unsaid[0] && isfinite(outlook.points[9].upper));
	/* From noon to six on the last day twice the usual is expected; the last three hours are
	 * left out. */
	int64_t last_ms = START_MS + 29 * DAY_MS;
	snprintf(members, sizeof(members),
		 "\"name\":\"sale\",\"metric\":\"orders\",\"effect\":\"expect:+100%%\","
		 "\"learn\":false,\"from_ms\":%lld,\"until_ms\":%lld",
		 (long long)(last_ms + 12 * HOUR_MS), (long long)(last_ms + 18 * HOUR_MS));
	say(1, members);
	snprintf(members, sizeof(members),
		 "\"name\":\"move\",\"effect\":\"exclude\",\"from_ms\":%lld,\"until_ms\":%lld",
		 (long long)(last_ms + 21 * HOUR_MS), (long long)(last_ms + 24 * HOUR_MS));
	say(2, members);
	look_twice(&query);
	for (uint32_t i = 0; i < outlook.count; i++) {
		const struct outlook_point *point = &outlook.points[i];
		double times = point->expected / other.points[i].expected;
		if (i < 48)
			cr_assert_eq(times, 1);
		if (i >= 48 && i < 72)
			cr_assert_float_eq(times, 2, 0.6, "%u: %g", i, times);
		if (i >= 84)
			cr_assert(point->severity == 0 && isfinite(point->expected));
	}
	/* Local days: one of Berlin's, two hours before UTC's. */
	snprintf(members, sizeof(members),
		 "\"name\":\"ides\",\"effect\":\"expect:+100%%\",\"learn\":false,"
		 "\"from_ms\":%lld,\"until_ms\":%lld",
		 (long long)(START_MS + 28 * DAY_MS - 2 * HOUR_MS),
		 (long long)(START_MS + 29 * DAY_MS - 2 * HOUR_MS));
	say(3, members);
	query.back_ms = 0;
	query.from_ms = 0;
	query.step_ms = DAY_MS;
	look_twice(&query);
	uint32_t at = 0;
	while (outlook.points[at].time_ms < START_MS + 28 * DAY_MS - 2 * HOUR_MS)
		at++;
	cr_assert_eq(outlook.points[at].time_ms, START_MS + 28 * DAY_MS - 2 * HOUR_MS);
	/* As much as that, and nothing of it a day before. */
	double times = outlook.points[at].expected / other.points[at].expected;
	cr_assert_float_eq(times, 2, 1e-9, "%g", times);
	cr_assert(same(outlook.points[at - 1].expected, other.points[at - 1].expected));
	cr_assert(isfinite(outlook.points[at - 1].expected));
	times = outlook.points[at + 1].expected / other.points[at + 1].expected;
	/* The day behind has the six hours' sale. */
	cr_assert_float_eq(times, 1.25, 0.01, "%g", times);
	FILE *file = fopen(store_path, "r+");
	cr_assert(file && fwrite("nonsense nonsense nonsense", 1, 26, file) == 26);
	fclose(file);
	query.store_path = store_path;
	look(&query);
	cr_assert(isnan(outlook.points[at].expected) && isfinite(outlook.points[at].value));
	cr_assert(strstr(outlook.unsaid, "the calendar cannot be read"));
}

Test(outlook, before_is_the_same_time_before)
{
	double before[1000];
	int64_t step_ms;

	struct outlook_query query = quarters("Europe/Berlin", 35, 28, "");
	/* Its clock has been put forward since: an hour less is a week, by that clock. */
	query.from_ms = START_MS + 21 * DAY_MS;
	query.to_ms = query.from_ms + DAY_MS;
	look(&query);
	cr_assert_eq(outlook_before(&query, &outlook, 7, before, &step_ms, why, sizeof(why)), 0);
	cr_assert_eq(step_ms, outlook.step_ms);
	cr_assert_eq(outlook.count, 96);
	for (uint32_t i = 0; i < outlook.count; i += 4) {
		int64_t ms = outlook.points[i].time_ms - 7 * DAY_MS + HOUR_MS;
		cr_assert_eq(before[i] + before[i + 1] + before[i + 2] + before[i + 3],
			     sum_between(ms, ms + HOUR_MS));
	}
	cr_assert_eq(outlook_before(&query, &outlook, 364, before, &step_ms, why, sizeof(why)), 0);
	cr_assert(isnan(before[0]) && isnan(before[95]) && step_ms == 0);
	/* Days of the place. */
	query.from_ms = START_MS + 19 * DAY_MS;
	query.to_ms = HISTORY_NEWEST;
	query.step_ms = DAY_MS;
	look(&query);
	cr_assert(outlook.local);
	cr_assert_eq(outlook_before(&query, &outlook, 7, before, &step_ms, why, sizeof(why)), 0);
	cr_assert_eq(before[0], sum_between(START_MS + 12 * DAY_MS - HOUR_MS,
					    START_MS + 13 * DAY_MS - HOUR_MS));
	cr_assert_eq(before[7], outlook.points[0].value);
	/* A week has no day before. */
	query.step_ms = 7 * DAY_MS;
	look(&query);
	cr_assert_eq(outlook_before(&query, &outlook, 1, before, &step_ms, why, sizeof(why)), 0);
	cr_assert(isnan(before[0]));
}

/* Hours are kept of what was a month ago: each stands for its quarters. */
Test(outlook, before_is_as_fine_as_it_is_kept)
{
	double before[1000];
	int64_t step_ms;

	struct outlook_query query = quarters("UTC", 5, 28, "");
	query.back_ms = DAY_MS;
	look(&query);
	cr_assert_eq(outlook.step_ms, 15 * MINUTE_MS);
	cr_assert_eq(outlook_before(&query, &outlook, 14, before, &step_ms, why, sizeof(why)), 0);
	cr_assert_eq(step_ms, HOUR_MS);
	int64_t ms = outlook.points[8].time_ms - 14 * DAY_MS;
	for (uint32_t i = 8; i < 12; i++)
		cr_assert_eq(before[i], sum_between(ms, ms + HOUR_MS) / 4);
}

Test(outlook, says_what_is_wrong)
{
	load_config("15m", "UTC", "");
	struct outlook_query query = query_of("orders", "");

	cr_assert_eq(outlook_read(&query, &outlook, why, sizeof(why)), -ENOENT);
	cr_assert(strstr(why, "cannot read") && strstr(why, "history.db"), "%s", why);
	open_history(15 * MINUTE_MS, 35);
	fill(2);
	query.metric = "ordres";
	cr_assert_eq(outlook_read(&query, &outlook, why, sizeof(why)), -ENOENT);
	cr_assert(strstr(why, "nothing is known of ordres; there are orders, revenue"), "%s", why);
	query = query_of("orders", "country=FR");
	cr_assert_eq(outlook_read(&query, &outlook, why, sizeof(why)), -ENOENT);
	query = query_of("orders", "");
	query.detector = "nobody";
	cr_assert_eq(outlook_read(&query, &outlook, why, sizeof(why)), -ENOENT);
	cr_assert_str_eq(why, "orders has no detector nobody; it has orders-seasonal");
	query = query_of("orders", "");
	query.from_ms = START_MS + DAY_MS;
	query.to_ms = START_MS;
	cr_assert_eq(outlook_read(&query, &outlook, why, sizeof(why)), -EINVAL);
	query.to_ms = HISTORY_NEWEST;
	query.points_max = OUTLOOK_POINTS_MAX + 1;
	cr_assert_eq(outlook_read(&query, &outlook, why, sizeof(why)), -EINVAL);
	query.points_max = 0;
	query.from_ms = INT64_MIN;
	look(&query);
	cr_assert_eq(outlook.count, 2 * 96);
	FILE *file = fopen(path, "r+");
	cr_assert(file && fwrite("nonsense nonsense nonsense", 1, 26, file) == 26);
	fclose(file);
	outlook_fini(&outlook);
	cr_assert_eq(outlook_read(&query, &outlook, why, sizeof(why)), -EBADMSG);
	cr_assert(strstr(why, "it is damaged"), "%s", why);
}

static void *look_often(void *self)
{
	struct outlook *mine = calloc(1, sizeof(*mine));
	struct outlook_query query = query_of("orders", "country=DE");
	char own_why[640];
	bool *equal = self;

	query.back_ms = DAY_MS;
	*equal = true;
	for (int i = 0; i < 10; i++) {
		int error = outlook_read(&query, mine, own_why, sizeof(own_why));
		*equal &= !error && mine->count == outlook.count &&
			  memcmp(mine->points, outlook.points,
				 mine->count * sizeof(mine->points[0])) == 0;
		outlook_fini(mine);
	}
	free(mine);
	return NULL;
}

Test(outlook, threads_do_not_meet)
{
	pthread_t threads[4];
	bool equal[4];

	struct outlook_query query = quarters("UTC", 35, 10, "country=DE");
	query.back_ms = DAY_MS;
	look(&query);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, look_often, &equal[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		cr_assert(equal[i]);
	}
}
