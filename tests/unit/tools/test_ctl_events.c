/* events, show, groups: a log made block by block, read back as events, lines and sums. */
#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <stdlib.h>

#include "../deliver/maker.h"
#include "events.h"
#include "groups.h"
#include "show.h"
#include "text.h"

#define TIME_MS UINT64_C(1294135200000) /* 2011-01-04T10:00:00Z */

static char root[64], why[256];
static struct maker control, lanes[2];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void set_up(void)
{
	snprintf(root, sizeof(root), "/tmp/weir-events-XXXXXX");
	cr_assert(mkdtemp(root));
	maker_open(&control, root, "control", WEIR_LANE_CONTROL);
	maker_segment(&control, 0);
	maker_epoch(&control, 1, 2);
	maker_source(&control, 0, "live");
	maker_source(&control, 1, "orders");
	for (int i = 0; i < 2; i++) {
		maker_open(&lanes[i], root, i ? "lane-01" : "lane-00", (uint16_t)i);
		maker_segment(&lanes[i], 0);
		maker_series(&lanes[i], 3);
	}
}

static void tear_down(void)
{
	maker_end(&control);
	maker_end(&lanes[0]);
	maker_end(&lanes[1]);
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* A run of one event. */
static void put(struct maker *maker, uint32_t source, uint32_t ring, uint64_t sequence,
		uint64_t time_ms, uint32_t series, double value)
{
	maker_event(maker, time_ms, series, value);
	maker->run[maker->runs_count++] = (struct weir_run){
		.ring = ring, .source = source, .first_sequence = sequence, .count = 1};
}

static struct events *open_all(void)
{
	struct events *events = NULL;
	cr_assert_eq(events_open(root, EVENTS_ALL, &events, why, sizeof(why)), 0, "%s", why);
	return events;
}

TestSuite(ctl_events, .init = set_up, .fini = tear_down);

Test(ctl_events, come_lane_after_lane_with_ring_sequence_source_and_definition)
{
	struct event_view event;
	maker_run(&lanes[0], 4, 100, 2, 0, TIME_MS, 2);
	maker_mark(&lanes[0], 0, 5);
	maker_run(&lanes[0], 5, 7, 1, 1, TIME_MS + 10, 1);
	maker_flush(&lanes[0]);
	put(&lanes[1], 1, 6, 0, TIME_MS + 1, 3, -2.5);
	maker_flush(&lanes[1]);

	static const struct {
		uint32_t lane, ring, series;
		uint64_t sequence, time_ms;
		double value;
		const char *event, *source;
	} expected[] = {
		{0, 4, 2, 100, TIME_MS, 1, "e2", "live"},
		{0, 4, 2, 101, TIME_MS + 1, 1, "e2", "live"},
		{0, 5, 1, 7, TIME_MS + 10, 1, "e1", "live"},
		{1, 6, 3, 0, TIME_MS + 1, -2.5, "e3", "orders"},
	};
	struct events *events = open_all();
	for (int i = 0; i < 4; i++) {
		cr_assert_eq(events_next(events, &event), 1);
		cr_expect_eq(event.lane, expected[i].lane);
		cr_expect_eq(event.ring, expected[i].ring);
		cr_expect_eq(event.series_id, expected[i].series);
		cr_expect_eq(event.sequence, expected[i].sequence);
		cr_expect_eq(event.time_ms, expected[i].time_ms);
		cr_expect_eq(weir_bits_value(event.value_bits), expected[i].value);
		cr_expect_str_eq(event.source_name, expected[i].source);
		cr_assert(event.series);
		cr_expect_str_eq(event.series->event, expected[i].event);
		cr_expect_str_eq(event.series->field, "");
		cr_expect_eq(event.series->dimensions, 1);
		cr_expect_str_eq(event_dimension(&event, "country"), "DE");
		cr_expect_str_eq(event_dimension(&event, "device"), "");
	}
	cr_expect_eq(events_next(events, &event), 0);
	events_close(events);
}

Test(ctl_events, of_a_series_that_nothing_defines_are_shown_without_one)
{
	struct event_view event;
	char line[256] = "";
	put(&lanes[0], 0, 1, 0, TIME_MS, 9, 1);
	maker_flush(&lanes[0]);
	struct events *events = open_all();
	cr_assert_eq(events_next(events, &event), 1);
	cr_expect_null(event.series);
	FILE *file = fmemopen(line, sizeof(line), "w");
	show_event(&event, FORM_TEXT, file);
	fclose(file);
	cr_expect(strstr(line, "series#9"), "%s", line);
	events_close(events);
}

Test(ctl_events, following_shows_only_what_comes_after_the_look)
{
	struct event_view event;
	struct events *events = NULL;
	put(&lanes[0], 0, 1, 0, TIME_MS, 1, 1);
	maker_flush(&lanes[0]);
	cr_assert_eq(events_open(root, EVENTS_FOLLOW, &events, why, sizeof(why)), 0, "%s", why);
	cr_expect_eq(events_next(events, &event), 0);
	put(&lanes[1], 2, 2, 0, TIME_MS, 2, 7);
	maker_flush(&lanes[1]);
	maker_source(&control, 2, "new");
	cr_assert_eq(events_next(events, &event), 1);
	cr_expect_eq(weir_bits_value(event.value_bits), 7);
	cr_expect_str_eq(event.source_name, "new");
	cr_expect_eq(events_next(events, &event), 0);
	put(&lanes[0], 0, 1, 1, TIME_MS, 1, 8);
	maker_flush(&lanes[0]);
	cr_assert_eq(events_next(events, &event), 1);
	cr_expect_eq(weir_bits_value(event.value_bits), 8);
	events_close(events);
}

Test(ctl_events, a_directory_without_a_log_is_told_from_one_that_is_not_there)
{
	struct events *events;
	cr_expect_eq(events_open("/nonexistent", EVENTS_ALL, &events, why, sizeof(why)), -ENOENT);
	cr_expect(strstr(why, "No such file"), "%s", why);
	cr_expect_eq(events_open("/usr", EVENTS_ALL, &events, why, sizeof(why)), -ENOENT);
	cr_expect(strstr(why, "no log here"), "%s", why);
}

Test(ctl_events, damage_is_reported_and_reading_goes_on)
{
	struct event_view event;
	struct events_report report;
	put(&lanes[0], 0, 1, 0, TIME_MS, 1, 1);
	maker_flush(&lanes[0]);
	uint64_t offset = lanes[0].last_offset;
	lanes[0].durable = lanes[0].lsn - 1;
	put(&lanes[0], 0, 1, 1, TIME_MS, 1, 2);
	maker_flush(&lanes[0]);
	cr_assert_eq(pwrite(lanes[0].fd, "x", 1, (off_t)offset + 70), 1);
	struct events *events = open_all();
	cr_assert_eq(events_next(events, &event), 1);
	cr_expect_eq(weir_bits_value(event.value_bits), 2);
	cr_expect_eq(events_next(events, &event), 0);
	events_report(events, &report);
	cr_expect_eq(report.gaps, 1);
	cr_expect_eq(report.gap_blocks, 1);
	events_close(events);
}

/* At level none no header calls it durable: that a close names a mark behind it says as much. */
Test(ctl_events, damage_in_front_of_a_mark_that_was_heeded_is_not_the_end)
{
	for (int follow = 0; follow < 2; follow++) {
		struct event_view event;
		struct events_report report;
		struct events *events = NULL;
		put(&lanes[0], 0, 1, 0, TIME_MS, 1, 1);
		maker_flush(&lanes[0]);
		cr_assert_eq(pwrite(lanes[0].fd, "x", 1, (off_t)lanes[0].last_offset + 70), 1);
		put(&lanes[0], 0, 1, 1, TIME_MS, 1, 2);
		maker_mark(&lanes[0], 0, 5);
		maker_close(&control, 0, 5, 5, 2, maker_flush(&lanes[0]), 0);
		cr_assert_eq(events_open(root, follow ? EVENTS_FOLLOW : EVENTS_ALL, &events, why,
					 sizeof(why)),
			     0, "%s", why);
		if (follow) {
			cr_expect_eq(events_next(events, &event), 0);
			put(&lanes[0], 0, 1, 2, TIME_MS, 1, 2);
			maker_flush(&lanes[0]);
		}
		cr_assert_eq(events_next(events, &event), 1);
		cr_expect_eq(weir_bits_value(event.value_bits), 2);
		cr_expect_eq(events_next(events, &event), 0);
		events_report(events, &report);
		cr_expect_eq(report.gaps, 1);
		events_close(events);
		tear_down();
		set_up();
	}
}

/* Of a lane that an engine had not, retention may have taken all: its blocks begin again. */
Test(ctl_events, what_was_kept_of_a_lane_that_was_dropped_is_not_of_one_that_comes_back)
{
	struct event_view event;
	maker_close(&control, 0, 5, 5, 2, 1, 9);
	for (uint32_t epoch = 2; epoch <= 3; epoch++) {
		control.epoch = epoch;
		maker_segment(&control, 0);
		maker_epoch(&control, epoch, epoch - 1);
	}
	put(&lanes[1], 0, 1, 0, TIME_MS, 1, 1);
	maker_flush(&lanes[1]);
	cr_assert_eq(pwrite(lanes[1].fd, "x", 1, (off_t)lanes[1].last_offset + 70), 1);
	put(&lanes[1], 0, 1, 1, TIME_MS, 1, 2);
	maker_flush(&lanes[1]);
	struct events *events = open_all();
	cr_expect_eq(events_next(events, &event), 0);
	events_close(events);
}

/* One event with what a test wants of it. */
static struct event_view view(uint64_t time_ms, double value, const struct event_series *series)
{
	return (struct event_view){.time_ms = time_ms,
				   .value_bits = weir_value_bits(value),
				   .source_name = "shop",
				   .lane = 1,
				   .ring = 2,
				   .sequence = 3,
				   .series_id = 4,
				   .series = series};
}

static const char *const names[] = {"country", "device"};
static const char *const german[] = {"DE", "mobile"}, *const french[] = {"FR", "a,\"b\""};
static const struct event_series purchase_de = {"purchase", "value", names, german, 2, false};
static const struct event_series purchase_fr = {"purchase", "value", names, french, 2, false};
static const struct event_series visitor = {"visitor", "id", names, german, 2, true};

Test(ctl_show, filters_hold_all_at_once)
{
	struct event_view event = view(TIME_MS, 1, &purchase_de);
	struct event_filter all = {.since_ms = INT64_MIN, .until_ms = INT64_MAX};
	cr_expect(filter_takes(&all, &event));
	cr_expect_eq(filter_where(&all, "country=DE"), 0);
	cr_expect_eq(text_take_time(&all.since_ms, "2011-01-04T10:00"), 0);
	cr_expect_eq(text_take_time(&all.until_ms, "2011-01-04T10:00:01"), 0);
	all.event = "purchase";
	all.source = "shop";
	cr_expect(filter_takes(&all, &event));

	struct event_filter one = all;
	cr_expect_eq(text_take_time(&one.since_ms, "2011-01-04T10:00:01"), 0);
	cr_expect_not(filter_takes(&one, &event));
	one = all;
	cr_expect_eq(text_take_time(&one.until_ms, "2011-01-04T10:00:00"), 0);
	cr_expect_not(filter_takes(&one, &event), "the end is not within");
	one = all;
	one.event = "refund";
	cr_expect_not(filter_takes(&one, &event));
	one = all;
	one.source = "live";
	cr_expect_not(filter_takes(&one, &event));
	one = all;
	cr_expect_eq(filter_where(&one, "device=desktop"), 0);
	cr_expect_not(filter_takes(&one, &event));
	one = all;
	cr_expect_eq(filter_where(&one, "countr=DE"), 0);
	cr_expect_not(filter_takes(&one, &event));
	cr_expect_eq(filter_where(&one, "country"), -EINVAL);
	cr_expect_eq(filter_where(&one, "=DE"), -EINVAL);
	cr_expect_eq(text_take_time(&one.since_ms, "once"), -EINVAL);
}

static const char *shown(const struct event_view *event, enum event_form form)
{
	static char line[512];
	memset(line, 0, sizeof(line));
	FILE *file = fmemopen(line, sizeof(line), "w");
	show_event(event, form, file);
	fclose(file);
	return line;
}

Test(ctl_show, an_event_is_one_line_of_json_csv_or_text)
{
	struct event_view event = view(TIME_MS, 49.99, &purchase_fr);
	cr_expect_str_eq(shown(&event, FORM_JSON),
			 "{\"time_ms\":1294135200000,\"source\":\"shop\",\"lane\":1,\"ring\":2,"
			 "\"sequence\":3,\"series\":4,\"event\":\"purchase\",\"field\":\"value\","
			 "\"dimensions\":{\"country\":\"FR\",\"device\":\"a,\\\"b\\\"\"},"
			 "\"value\":49.99}\n");
	cr_expect_str_eq(shown(&event, FORM_CSV), "1294135200000,shop,1,2,3,purchase,value,"
						  "\"country=FR,device=a,\"\"b\"\"\",49.99\n");
	cr_expect_str_eq(shown(&event, FORM_TEXT),
			 "2011-01-04T10:00:00.000Z  purchase              49.99  "
			 "country=FR,device=a,\"b\"\n");
	event = view(TIME_MS, 2.0, &visitor);
	cr_expect(strstr(shown(&event, FORM_JSON), ",\"hash\":\"4000000000000000\"}"));
}

static const char *printed(struct groups *groups, enum event_form form)
{
	static char text[4096];
	memset(text, 0, sizeof(text));
	FILE *file = fmemopen(text, sizeof(text), "w");
	groups_print(groups, form, file);
	fclose(file);
	return text;
}

Test(ctl_groups, count_and_sum_by_day_and_dimension_in_order)
{
	struct groups *groups;
	cr_assert_eq(groups_create("day,country", &groups), 0);
	const struct event_view events[] = {
		view(TIME_MS + 86400000, 1.25, &purchase_de),
		view(TIME_MS, 5, &purchase_fr),
		view(TIME_MS + 1, 7.10, &purchase_de),
		view(TIME_MS, -3.05, &purchase_fr),
		view(TIME_MS, 1e9, &visitor),
	};
	for (int i = 0; i < 5; i++)
		cr_assert_eq(groups_add(groups, &events[i]), 0);
	cr_expect_str_eq(printed(groups, FORM_CSV), "day,country,count,sum\n"
						    "2011-01-04,DE,2,7.1\n"
						    "2011-01-04,FR,2,1.95\n"
						    "2011-01-05,DE,1,1.25\n");
	cr_expect_str_eq(printed(groups, FORM_JSON),
			 "{\"day\":\"2011-01-04\",\"country\":\"DE\",\"count\":2,\"sum\":7.1}\n"
			 "{\"day\":\"2011-01-04\",\"country\":\"FR\",\"count\":2,\"sum\":1.95}\n"
			 "{\"day\":\"2011-01-05\",\"country\":\"DE\",\"count\":1,\"sum\":1.25}\n");
	groups_destroy(groups);
}

Test(ctl_groups, sums_do_not_drift_however_many_events_there_are)
{
	struct groups *groups;
	cr_assert_eq(groups_create("event", &groups), 0);
	struct event_view large = view(TIME_MS, 1e12, &purchase_de);
	struct event_view small = view(TIME_MS, 0.01, &purchase_de);
	struct event_view back = view(TIME_MS, -1e12, &purchase_de);
	cr_assert_eq(groups_add(groups, &large), 0);
	for (int i = 0; i < 100000; i++)
		cr_assert_eq(groups_add(groups, &small), 0);
	cr_assert_eq(groups_add(groups, &back), 0);
	cr_expect_str_eq(printed(groups, FORM_CSV), "event,count,sum\npurchase,100002,1000\n");
	groups_destroy(groups);
}

Test(ctl_groups, thousands_of_groups_are_kept_apart)
{
	struct groups *groups;
	unsigned lines = 0;
	cr_assert_eq(groups_create("hour", &groups), 0);
	for (int round = 0; round < 2; round++) {
		for (uint64_t hour = 0; hour < 5000; hour++) {
			struct event_view event = view(hour * 3600000, 1, &purchase_de);
			cr_assert_eq(groups_add(groups, &event), 0);
		}
	}
	char *text = NULL;
	size_t bytes = 0;
	FILE *file = open_memstream(&text, &bytes);
	groups_print(groups, FORM_CSV, file);
	fclose(file);
	for (char *at = text; (at = strstr(at, ",2,2\n")); at++)
		lines++;
	cr_expect_eq(lines, 5000);
	cr_expect(strstr(text, "\n1970-01-02T03,2,2\n"));
	free(text);
	groups_destroy(groups);
}

Test(ctl_groups, keys_must_have_names)
{
	struct groups *groups;
	cr_expect_eq(groups_create("", &groups), -EINVAL);
	cr_expect_eq(groups_create("day,,country", &groups), -EINVAL);
	cr_expect_eq(groups_create("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", &groups), -EINVAL);
}
