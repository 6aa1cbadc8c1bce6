/* The configuration: what it means, and what it says when it means nothing. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "detect/scoring.h"

static char why[512];

static struct config *parse(const char *text)
{
	struct config *config = NULL;

	why[0] = '\0';
	int r = config_parse(text, strlen(text), "etc/weir.yaml", &config, why, sizeof(why));

	cr_assert_eq(r, 0, "%s", why);
	return config;
}

/* The text is refused, with exactly this. */
static void refused(const char *text, const char *expected)
{
	struct config *config = NULL;

	why[0] = '\0';
	int r = config_parse(text, strlen(text), "weir.yaml", &config, why, sizeof(why));

	cr_assert_eq(r, -EINVAL, "%s", text);
	cr_assert_null(config);
	cr_assert_str_eq(why, expected);
}

#define METRICS                                                                                    \
	"metrics:\n  - {name: orders, event: purchase}\n  - {name: views, event: page_view}\n"

Test(config, an_empty_file_gives_the_documented_defaults)
{
	struct config *c = parse("# nothing\n");

	cr_assert_str_eq(c->data_directory, "/var/lib/weir");
	cr_assert_str_eq(c->socket, "/run/weir/weir.sock");
	cr_assert_str_eq(c->control_socket, "/run/weir/control.sock");
	cr_assert_str_eq(c->environment, "prod");
	cr_assert_eq(c->lanes, 1);
	cr_assert_eq(c->shards, 1);
	cr_assert_eq(c->interval_ms, 10000);
	cr_assert_eq(c->lateness_wall_ms, 1000);
	cr_assert_eq(c->lateness_event_ms, 10000, "one interval");
	cr_assert_eq(c->series_max, 1000000);
	cr_assert_eq(c->producers_max, 256);
	cr_assert_eq(c->producer_series_max, WEIR_PRODUCER_SERIES_DEFAULT);
	cr_assert_eq(c->slices_max, 4096);
	cr_assert_eq(c->user_bytes_max, 2ull << 30);
	cr_assert_str_eq(c->io, "auto");
	cr_assert_str_eq(c->durability, "interval");
	cr_assert_eq(c->sync_ms, 100);
	cr_assert_eq(c->sync_bytes, 4u << 20);
	cr_assert_eq(c->segment_bytes, WEIR_SEGMENT_BYTES_DEFAULT);
	cr_assert_eq(c->block_bytes, WEIR_BLOCK_BYTES_MAX);
	cr_assert_eq(c->spares, 2);
	cr_assert_eq(c->retain_bytes, 0);
	cr_assert_eq(c->retain_s, 0);
	cr_assert_eq(c->checkpoint_intervals, 360);
	cr_assert_null(c->redis_url);
	cr_assert_null(c->redis_user);
	cr_assert_null(c->redis_password_file);
	cr_assert_eq(c->redis_stream_max, 100000);
	cr_assert_eq(c->metrics_count, 0);
	cr_assert_eq(c->detectors_count, 0);
	cr_assert_str_eq(c->text, "# nothing\n");
	config_free(c);
	config_free(NULL);
}

Test(config, every_key_is_read)
{
	struct config *c = parse(
		"data_directory: data\nsocket: /s/a.sock\ncontrol_socket: b.sock\nenvironment: "
		"test\n"
		"lanes: 3\nshards: 5\ninterval: 1m\ncheckpoint_intervals: 7\n"
		"lateness: {wall: 250ms, event: 2m}\n"
		"limits: {series_max: 5000, producers_max: 64, producer_series_max: 100,\n"
		"         slices_max: 99, user_bytes_max: 512MiB}\n"
		"log: {io: pwrite, durability: block, sync_interval: 1s, sync_bytes: 64KiB,\n"
		"      segment_bytes: 2MiB, block_bytes: 64KiB, spares: 9, retain_bytes: 1GiB, "
		"retain_age: 12h}\n"
		"redis: {url: 'redis://localhost:6379', user: weir, password_file: secret,\n"
		"        stream_max: 12}\n");

	cr_assert_str_eq(c->data_directory, "etc/data", "relative to the file");
	cr_assert_str_eq(c->socket, "/s/a.sock");
	cr_assert_str_eq(c->control_socket, "etc/b.sock");
	cr_assert_str_eq(c->environment, "test");
	cr_assert_eq(c->lanes, 3);
	cr_assert_eq(c->shards, 5);
	cr_assert_eq(c->interval_ms, 60000);
	cr_assert_eq(c->checkpoint_intervals, 7);
	cr_assert_eq(c->lateness_wall_ms, 250);
	cr_assert_eq(c->lateness_event_ms, 120000);
	cr_assert_eq(c->series_max, 5000);
	cr_assert_eq(c->producers_max, 64);
	cr_assert_eq(c->producer_series_max, 100);
	cr_assert_eq(c->slices_max, 99);
	cr_assert_eq(c->user_bytes_max, 512u << 20);
	cr_assert_str_eq(c->io, "pwrite");
	cr_assert_str_eq(c->durability, "block");
	cr_assert_eq(c->sync_ms, 1000);
	cr_assert_eq(c->sync_bytes, 65536);
	cr_assert_eq(c->segment_bytes, 2u << 20);
	cr_assert_eq(c->block_bytes, 65536);
	cr_assert_eq(c->spares, 9);
	cr_assert_eq(c->retain_bytes, 1u << 30);
	cr_assert_eq(c->retain_s, 12 * 3600);
	cr_assert_str_eq(c->redis_url, "redis://localhost:6379");
	cr_assert_str_eq(c->redis_user, "weir");
	cr_assert_str_eq(c->redis_password_file, "etc/secret");
	cr_assert_eq(c->redis_stream_max, 12);
	config_free(c);
}

Test(config, a_metric_has_roll_ups_over_one_dimension_or_several)
{
	struct config *c = parse(
		"metrics:\n"
		"  - {name: orders, event: purchase}\n"
		"  - {name: revenue, event: purchase, agg: sum, by: [country, country * device]}\n"
		"  - {name: items, event: purchase, agg: mean, field: quantity}\n");

	cr_assert_eq(c->metrics_count, 3);
	cr_assert_str_eq(c->metrics[0].agg, "count");
	cr_assert_str_eq(c->metrics[0].field, "");
	cr_assert_eq(c->metrics[0].by_count, 0);
	cr_assert_str_eq(c->metrics[1].field, "value");
	cr_assert_eq(c->metrics[1].by_count, 2);
	cr_assert_eq(c->metrics[1].by[0].dimensions_count, 1);
	cr_assert_str_eq(c->metrics[1].by[0].dimensions[0], "country");
	cr_assert_eq(c->metrics[1].by[1].dimensions_count, 2);
	cr_assert_str_eq(c->metrics[1].by[1].dimensions[0], "country");
	cr_assert_str_eq(c->metrics[1].by[1].dimensions[1], "device");
	cr_assert_str_eq(c->metrics[2].field, "quantity");
	config_free(c);
}

Test(config, a_metric_may_be_a_percentile_or_a_number_of_different_values)
{
	struct config *c = parse(
		"metrics:\n"
		"  - {name: slow, event: page_view, agg: p99.9, field: ms}\n"
		"  - {name: typical, event: purchase, agg: p50}\n"
		"  - {name: visitors, event: page_view, agg: distinct, field: who}\n");

	cr_assert_str_eq(c->metrics[0].agg, "p99.9");
	cr_assert_float_eq(c->metrics[0].quantile, 0.999, 1e-12);
	cr_assert_str_eq(c->metrics[0].field, "ms");
	cr_assert_eq(c->metrics[1].quantile, 0.5);
	cr_assert_str_eq(c->metrics[1].field, "value");
	cr_assert_str_eq(c->metrics[2].agg, "distinct");
	config_free(c);
	static const char *const wrong[] = {
		"p", "p0", "p100", "p95x", "p9.", "p.5", "p-1", "p1e1", "p99.9999999999999"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char text[128], expected[256];

		snprintf(text, sizeof(text), "metrics: [{name: a, event: x, agg: %s}]\n", wrong[i]);
		snprintf(expected, sizeof(expected),
			 "weir.yaml: metrics[0].agg: \"%s\" is unknown; write one of count, sum, "
			 "mean, min, max, distinct, or a percentile as p95 or p99.9",
			 wrong[i]);
		refused(text, expected);
	}
}

Test(config, a_metric_may_have_conditions)
{
	struct config *c = parse(
		"metrics:\n"
		"  - {name: paid, event: x, where: ['channel=cpc|email', 'country!=DE']}\n"
		"  - {name: odd, event: x, where: ['a\\=b=c\\|d|', 'channel!=']}\n");
	const struct config_metric *paid = &c->metrics[0], *odd = &c->metrics[1];

	cr_assert_eq(paid->where_count, 2);
	cr_assert_str_eq(paid->where[0].dimension, "channel");
	cr_assert(!paid->where[0].negated);
	cr_assert_eq(paid->where[0].values_count, 2);
	cr_assert_str_eq(paid->where[0].values[0], "cpc");
	cr_assert_str_eq(paid->where[0].values[1], "email");
	cr_assert_str_eq(paid->where[1].dimension, "country");
	cr_assert(paid->where[1].negated);
	cr_assert_str_eq(odd->where[0].dimension, "a=b");
	cr_assert_eq(odd->where[0].values_count, 2);
	cr_assert_str_eq(odd->where[0].values[0], "c|d");
	cr_assert_str_eq(odd->where[0].values[1], "", "the value of a series without it");
	cr_assert_eq(odd->where[1].values_count, 1);
	cr_assert_str_eq(odd->where[1].values[0], "");
	config_free(c);
	refused("metrics: [{name: a, event: x, where: [channel]}]\n",
		"weir.yaml: metrics[0].where[0]: \"channel\" is not a condition; write "
		"channel=cpc|email or channel!=direct");
	refused("metrics: [{name: a, event: x, where: ['c=d', '!=e']}]\n",
		"weir.yaml: metrics[0].where[1]: \"!=e\" is not a condition; write "
		"channel=cpc|email or channel!=direct");
	refused("metrics: [{name: a, event: x, where: ['c!d']}]\n",
		"weir.yaml: metrics[0].where[0]: \"c!d\" is not a condition; write "
		"channel=cpc|email or channel!=direct");
}

Test(config, a_metric_may_be_the_ratio_of_two_before_it)
{
	struct config *c = parse(
		"metrics:\n"
		"  - {name: sessions, event: session_start}\n"
		"  - {name: bounces, event: bounce, by: [channel]}\n"
		"  - {name: bounce_rate, ratio: bounces / sessions, by: [country]}\n"
		"  - {name: inverse, ratio: sessions/bounces}\n");

	cr_assert_str_eq(c->metrics[2].agg, "ratio");
	cr_assert_null(c->metrics[2].event);
	cr_assert_eq(c->metrics[2].numerator, 1);
	cr_assert_eq(c->metrics[2].denominator, 0);
	cr_assert_eq(c->metrics[2].by_count, 1);
	cr_assert_eq(c->metrics[3].numerator, 0);
	cr_assert_eq(c->metrics[3].by_count, 0, "its own roll-ups, not its parts'");
	cr_assert_eq(c->detectors_count, 4);
	config_free(c);
}

#define PARTS "metrics: [{name: a, event: x}, {name: m, event: x, agg: mean}, "

Test(config, a_ratio_that_makes_no_sense_is_refused)
{
	refused(PARTS "{name: r, ratio: a / b}, {name: b, event: x}]\n",
		"weir.yaml: metrics[2].ratio: there is no metric \"b\" before this one; define it "
		"above");
	refused(PARTS "{name: r, ratio: a / m}]\n",
		"weir.yaml: metrics[2].ratio: m is a mean; a ratio is of counts and sums, whose "
		"parts add up");
	refused(PARTS "{name: r, ratio: a}]\n",
		"weir.yaml: metrics[2].ratio: \"a\" is not a ratio; write two metrics as "
		"bounces / sessions");
	refused(PARTS "{name: r, ratio: a / a / a}]\n",
		"weir.yaml: metrics[2].ratio: \"a / a / a\" is not a ratio; write two metrics as "
		"bounces / sessions");
	refused(PARTS "{name: r, ratio: a / a, agg: sum}]\n",
		"weir.yaml: metrics[2].agg: a ratio has none of its own, its two metrics have; "
		"remove it");
	refused(PARTS "{name: r, ratio: a / a, where: ['c=d']}]\n",
		"weir.yaml: metrics[2].where: a ratio has none of its own, its two metrics have; "
		"remove it");
}

Test(config, without_detectors_each_metric_has_the_default_detector)
{
	struct config *c = parse("interval: 1m\n" METRICS);

	cr_assert_eq(c->detectors_count, 2);
	cr_assert_str_eq(c->detectors[1].name, "views-seasonal");
	cr_assert_str_eq(c->detectors[1].metric, "views");
	cr_assert_str_eq(c->detectors[1].kind, "seasonal");
	cr_assert_str_eq(c->detectors[1].direction, "both");
	cr_assert_eq(c->detectors[1].severity, 70);
	cr_assert_eq(c->detectors[1].for_intervals, 1);
	cr_assert_eq(c->detectors[1].recover_intervals, 2);
	cr_assert_eq(c->detectors[1].learn_intervals, 1);
	config_free(c);
}

Test(config, the_default_detector_is_the_one_that_scores_files_and_benchmarks)
{
	struct config *c = parse("interval: 1m\n" METRICS);
	const struct config_detector *found = &c->detectors[1];
	struct detector_spec shipped;

	scoring_defaults(&shipped);
	cr_assert_eq(shipped.kind, DETECTOR_SEASONAL);
	cr_assert_str_eq(found->kind, "seasonal");
	cr_assert_eq(shipped.direction, DIRECTION_BOTH);
	cr_assert_eq(found->severity, shipped.severity);
	cr_assert_eq(found->min_volume, shipped.min_volume);
	cr_assert_eq(found->min_delta, shipped.min_delta);
	cr_assert_eq(found->for_intervals, shipped.for_intervals);
	cr_assert_eq(found->recover_intervals, shipped.recover_intervals);
	cr_assert_eq(found->cooldown_intervals, shipped.cooldown_intervals);
	cr_assert_eq(found->learn_intervals, shipped.learn_intervals);
	cr_assert_eq(found->frequency_ms, shipped.frequency_ms);
	config_free(c);
}

Test(config, an_empty_list_of_detectors_means_none)
{
	struct config *c = parse(METRICS "detectors: []\n");

	cr_assert_eq(c->detectors_count, 0);
	config_free(c);
	c = parse(METRICS "detectors:\n");
	cr_assert_eq(c->detectors_count, 0);
	config_free(c);
}

Test(config, a_detector_counts_in_intervals_or_in_time)
{
	struct config *c = parse(
		"interval: 5m\n" METRICS "detectors:\n"
		"  - {metric: orders, kind: window, window: 6h, k: 2.5, for: 2, recover: 11m,\n"
		"     direction: down, severity: 33.5, min_volume: 50, name: orders.slow}\n"
		"  - {metric: orders, kind: absence, absent: 4}\n");

	cr_assert_str_eq(c->detectors[0].name, "orders.slow");
	cr_assert_eq(c->detectors[0].window_intervals, 72);
	cr_assert_eq(c->detectors[0].k, 2.5);
	cr_assert_eq(c->detectors[0].for_intervals, 2);
	cr_assert_eq(c->detectors[0].recover_intervals, 3, "11 minutes are three intervals");
	cr_assert_str_eq(c->detectors[0].direction, "down");
	cr_assert_eq(c->detectors[0].severity, 33.5);
	cr_assert_eq(c->detectors[0].min_volume, 50);
	cr_assert_str_eq(c->detectors[1].name, "orders-absence");
	cr_assert_eq(c->detectors[1].absent_intervals, 4);
	cr_assert_eq(c->detectors[1].severity, 75);
	config_free(c);
}

Test(config, a_window_leaves_it_to_k_what_is_too_far)
{
	struct config *c = parse(METRICS "detectors: [{metric: orders, kind: window, k: 3}]\n");

	cr_assert_eq(c->detectors[0].severity, 50);
	config_free(c);
}

Test(config, an_anchor_shares_a_list)
{
	struct config *c = parse("metrics:\n"
				 "  - {name: a, event: x, by: &by [country, device]}\n"
				 "  - {name: b, event: y, by: *by}\n");

	cr_assert_eq(c->metrics[1].by_count, 2);
	cr_assert_str_eq(c->metrics[1].by[1].dimensions[0], "device");
	config_free(c);
}

Test(config, an_empty_group_is_an_absent_one)
{
	struct config *c = parse("redis:\n  # url: later\nlog:\ninterval: 2s\n");

	cr_assert_null(c->redis_url);
	cr_assert_eq(c->interval_ms, 2000);
	config_free(c);
}

Test(config, an_unknown_key_is_named_with_its_line_and_column)
{
	refused("intervall: 5s\n",
		"weir.yaml:1:1: unknown key \"intervall\"; correct or remove it");
	refused("interval: 5s\n\n# window: 3\nwindow: 3\n",
		"weir.yaml:4:1: unknown key \"window\"; correct or remove it");
	refused("metrics:\n  - name: a\n    event: x\n  - name: b\n    evnt: y\n    agg: sum\n",
		"weir.yaml:5:5: unknown key \"evnt\"; correct or remove it");
	refused("log: {io: auto, bytes: 5}\n",
		"weir.yaml:1:17: unknown key \"bytes\"; correct or remove it");
}

Test(config, broken_syntax_is_named_with_its_line_and_column)
{
	refused("metrics:\n  - {name: a, event: x\ninterval: 1s\n",
		"weir.yaml:3:9: did not find expected ',' or '}', while parsing a flow mapping");
	refused("interval: 1s\n\tlanes: 2\n", "weir.yaml:2:1: found a tab character that violates "
					      "indentation, while scanning a plain scalar");
	refused("interval: 1s\ninterval: 2s\n",
		"weir.yaml:2:1: \"interval\" stands there twice; remove one");
	refused("interval: 1s\n---\nlanes: 2\n",
		"weir.yaml:2:1: a second document; join it with the first and remove the line ---");
}

Test(config, a_wrong_shape_is_named_with_its_line_and_column)
{
	refused("interval: [1s]\n",
		"weir.yaml:1:11: a list stands where a single value is expected");
	refused("metrics:\n  - {name: a, event: x, by: [[country, device]]}\n",
		"weir.yaml:2:30: a list stands where a single value is expected; write a roll-up "
		"over "
		"two dimensions as country*device");
	refused("lanes: 2\nmetrics: orders\n",
		"weir.yaml:2:10: a single value stands where a list is expected");
	refused("- a\n", "weir.yaml:1:1: a list stands where a group of keys is expected");
}

Test(config, a_wrong_meaning_is_named_with_its_path)
{
	refused("interval: fast\n",
		"weir.yaml: interval: \"fast\" is not a duration, as 500ms, 10s, 5m, 1h or 1d; "
		"correct it");
	refused("interval: 2d\n", "weir.yaml: interval: 2d is out of bounds; write 1s to 1d");
	refused("interval: 10\n", "weir.yaml: interval: \"10\" is not a duration, as 500ms, 10s, "
				  "5m, 1h or 1d; correct it");
	refused("interval: -5s\n", "weir.yaml: interval: \"-5s\" is not a duration, as 500ms, 10s, "
				   "5m, 1h or 1d; correct it");
	refused("lanes: 0\n", "weir.yaml: lanes: 0 is out of bounds; write 1 to 32");
	refused("lanes: 1.5\n", "weir.yaml: lanes: \"1.5\" is not a whole number; correct it");
	refused("lanes: 0x2\n", "weir.yaml: lanes: \"0x2\" is not a whole number; correct it");
	refused("log: {segment_bytes: 64mib}\n", "weir.yaml: log.segment_bytes: \"64mib\" is not a "
						 "size, as 64MiB; correct it");
	refused("log: {segment_bytes: 5GiB}\n",
		"weir.yaml: log.segment_bytes: 5GiB is out of bounds; write 1MiB to 4GiB");
	refused("log: {segment_bytes: 3000001}\n",
		"weir.yaml: log.segment_bytes: not a multiple of "
		"4KiB; write 64MiB or so");
	refused("log: {io: aio}\n",
		"weir.yaml: log.io: \"aio\" is unknown; write one of auto, uring, pwrite, none");
	refused("log: {retain_bytes: 100MiB}\n", "weir.yaml: log.retain_bytes: two segments for "
						 "each lane are the least, 256MiB; keep "
						 "more, or make segment_bytes smaller");
	refused("lateness: {event: 2m}\n",
		"weir.yaml: lateness.event: more than 6 intervals; wait 1m at most, or make the "
		"interval longer");
	refused("environment: Prod\n",
		"weir.yaml: environment: \"Prod\" is not a name; use 1 to 64 of the letters a-z, "
		"digits, _ . and -");
	refused("data_directory:\n",
		"weir.yaml: data_directory: empty; give it a value or remove the key");
	refused("socket: /a\ncontrol_socket: /a\n",
		"weir.yaml: control_socket: the same path as socket; give it another");
}

Test(config, a_socket_path_that_no_socket_can_have_is_refused)
{
	char text[256] = "socket: /";

	memset(text + strlen(text), 'x', 107);
	refused(text,
		"weir.yaml: socket: "
		"/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx has 108 bytes, a socket's path has at most 107");
	text[strlen(text) - 1] = '\0';
	config_free(parse(text));
}

Test(config, redis_is_refused_where_it_makes_no_sense)
{
	refused("redis: {url: localhost}\n", "weir.yaml: redis.url: \"localhost\" is neither "
					     "unix:///path nor redis://host:port");
	refused("redis: {url: 'redis://'}\n", "weir.yaml: redis.url: nothing behind redis://");
	refused("redis: {password_file: x}\n",
		"weir.yaml: redis.url: missing; write where Redis is, or remove the group");
	refused("redis: {url: 'redis://h', user: a}\n",
		"weir.yaml: redis.password_file: missing; redis.user needs one");
}

Test(config, a_metric_that_makes_no_sense_is_refused)
{
	refused("metrics: [{event: x}]\n",
		"weir.yaml: metrics[0].name: missing; every metric has one");
	refused("metrics: [{name: a, event: x}, {name: b}]\n",
		"weir.yaml: metrics[1].event: missing; write which event feeds b, as purchase");
	refused("metrics: [{name: a, event: x}, {name: b, event: x}, {name: a, event: y}]\n",
		"weir.yaml: metrics[2].name: metrics[0] is called a too; rename one");
	refused("metrics: [{name: a, event: x, agg: median}]\n",
		"weir.yaml: metrics[0].agg: \"median\" is unknown; write one of count, sum, mean, "
		"min, max, distinct, or a percentile as p95 or p99.9");
	refused("metrics: [{name: a b, event: x}]\n", "weir.yaml: metrics[0].name: \"a b\" is not "
						      "a name; use 1 to 64 of the letters a-z, "
						      "digits, _ . and -");
	refused("metrics: [{name: a, event: x, by: [country, device*device]}]\n",
		"weir.yaml: metrics[0].by[1]: device stands there twice; remove one");
	refused("metrics: [{name: a, event: x, by: [b*c, d, c*b]}]\n",
		"weir.yaml: metrics[0].by[2]: the same as by[0]; remove one");
	refused("metrics: [{name: a, event: x, by: [b*]}]\n",
		"weir.yaml: metrics[0].by[0]: \"b*\" is not a roll-up; write a dimension's name, "
		"or "
		"several as country*device");
}

Test(config, a_detector_that_makes_no_sense_is_refused)
{
	refused(METRICS "detectors: [{metric: orders}, {metric: order}]\n",
		"weir.yaml: detectors[1].metric: there is no metric \"order\"; use one of orders, "
		"views");
	refused("detectors: [{metric: order}]\n",
		"weir.yaml: detectors[0].metric: there is no metric \"order\"; define it under "
		"metrics");
	refused(METRICS "detectors: [{kind: window}]\n",
		"weir.yaml: detectors[0].metric: missing; write which metric it watches");
	refused(METRICS "detectors: [{metric: orders}, {metric: orders}]\n",
		"weir.yaml: detectors[1].name: detectors[0] is called orders-seasonal too; rename "
		"one");
	refused(METRICS "detectors: [{metric: orders, severity: 101}]\n",
		"weir.yaml: detectors[0].severity: 101 is out of bounds; write 0 to 100");
	refused(METRICS "detectors: [{metric: orders, kind: seasonal, k: 3}]\n",
		"weir.yaml: detectors[0].k: only kind window has it, this is seasonal; remove it");
	refused(METRICS "detectors: [{metric: orders, for: 0}]\n",
		"weir.yaml: detectors[0].for: 0 is out of bounds; write 1 to 10000");
}

Test(config, what_is_no_text_is_refused)
{
	struct config *config = NULL;
	static char big[(1 << 20) + 1];

	refused("environment: \xff\n", "weir.yaml:1:1: invalid leading UTF-8 octet");
	cr_assert_eq(config_parse("a\0b: 1", 6, "x", &config, why, sizeof(why)), -EINVAL);
	memset(big, '#', sizeof(big));
	cr_assert_eq(config_parse(big, sizeof(big), "x", &config, why, sizeof(why)), -EINVAL);
	cr_assert_not_null(strstr(why, "at most 1MiB"), "%s", why);
}

Test(config, a_long_message_is_cut_and_ended)
{
	struct config *config = NULL;
	char text[400] = "environment: ", small[20];

	memset(text + strlen(text), 'X', 300);
	cr_assert_eq(config_parse(text, strlen(text), "x", &config, small, sizeof(small)), -EINVAL);
	cr_assert_eq(strlen(small), sizeof(small) - 1);
}

Test(config, a_file_that_cannot_be_read_is_named)
{
	struct config *config = NULL;

	cr_assert_eq(config_load("/nonexistent/weir.yaml", &config, why, sizeof(why)), -ENOENT);
	cr_assert_str_eq(why, "/nonexistent/weir.yaml: No such file or directory; name a readable "
			      "file with --config");
	cr_assert_eq(config_load("/", &config, why, sizeof(why)), -EISDIR);
}

Test(config, the_preset_of_a_shop_is_accepted)
{
	struct config *c = NULL;
	const char *presets = getenv("WEIR_PRESETS");
	char path[1024];

	cr_assert_not_null(presets, "the suite sets it");
	snprintf(path, sizeof(path), "%s/shop.yaml", presets);
	cr_assert_eq(config_load(path, &c, why, sizeof(why)), 0, "%s", why);
	cr_assert_geq(c->metrics_count, 7);
	cr_assert_eq(c->detectors_count, c->metrics_count);
	for (unsigned i = 0; i < c->metrics_count; i++)
		cr_assert_eq(c->metrics[i].by_count, 3);
	cr_assert_eq(c->interval_ms, 60000);
	config_free(c);
}

/* Every cut of a good file, and the same with one byte changed: a config or a message, no crash. */
Test(config, survives_whatever_it_is_given)
{
	static const char text[] = "interval: 1m\nlog: {io: uring, retain_age: 7d}\n" METRICS
				   "detectors:\n  - {metric: orders, kind: window, window: 6h}\n";

	for (size_t cut = 0; cut < sizeof(text); cut++)
		for (int change = 0; change < 4; change++) {
			struct config *config = NULL;
			char copy[sizeof(text)];

			memcpy(copy, text, cut);
			if (cut && change)
				copy[cut * 31 / 7 % cut] = "\0{:*"[change];
			why[0] = '\0';
			int r = config_parse(copy, cut, "x", &config, why, sizeof(why));

			cr_assert((r == 0) == (config != NULL));
			cr_assert((r == 0) == (why[0] == '\0'));
			config_free(config);
		}
}
