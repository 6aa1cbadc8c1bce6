/*
 * test_input: what operators said, as state: who is muted, until when, and what becomes of it.
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "input.h"
#include "sample.h"

#define MINUTE INT64_C(60000)

static struct operator_input parse(const char *text)
{
	struct operator_input input;
	char why[256] = "";
	cr_assert_eq(input_parse(text, strlen(text), &input, why, sizeof(why)), 0, "%s: %s", text,
		     why);
	return input;
}

static void expect_refused(const char *text, const char *wanted)
{
	struct operator_input input;
	char why[256] = "";
	cr_assert_eq(input_parse(text, strlen(text), &input, why, sizeof(why)), -EINVAL, "%s",
		     text);
	cr_assert(strstr(why, wanted), "%s: \"%s\", not \"%s\"", text, why, wanted);
}

static void say(struct inputs *inputs, const char *text)
{
	struct operator_input input = parse(text);
	input.number = inputs->count + 1;
	inputs_apply(inputs, &input);
}

/* A revision of the anomaly `id`, whose interval ends at this minute. */
static struct anomaly revision(uint64_t id, enum anomaly_state state, int64_t minute)
{
	struct anomaly anomaly;
	sample_anomaly(&anomaly);
	anomaly.id[0] = id;
	anomaly.state = state;
	anomaly.interval_ms = MINUTE;
	anomaly.interval = minute - 1;
	return anomaly;
}

static bool muted(struct inputs *inputs, uint64_t id, enum anomaly_state state, int64_t minute)
{
	struct anomaly anomaly = revision(id, state, minute);
	inputs_mark(inputs, 0, &anomaly);
	return anomaly.muted;
}

struct released {
	uint64_t id[16];
	unsigned count;
};

static void each_released(void *self, const uint64_t id[2])
{
	struct released *released = self;
	released->id[released->count++] = id[0];
}

/* The source is closed to a minute: whose last revision is published? */
static struct released close_at(struct inputs *inputs, int64_t minute)
{
	struct released released = {0};
	inputs_close(inputs, 0, minute * MINUTE);
	inputs_release(inputs, each_released, &released);
	return released;
}

Test(input, takes_a_record_apart)
{
	struct operator_input input = parse(
		"{\"kind\":\"mute\",\"author\":\"ann\",\"time_ms\":5,\"metric\":\"rev*\","
		"\"slice\":\"country=DE\",\"severity_below\":75,\"until_ms\":9,\"text\":\"x\"}");
	cr_assert_eq(input.kind, OPERATOR_MUTE);
	cr_assert_str_eq(input.author, "ann");
	cr_assert_str_eq(input.metric, "rev*");
	cr_assert_str_eq(input.slice, "country=DE");
	cr_assert_eq(input.severity_below, 75);
	cr_assert_eq(input.until_ms, 9);
	cr_assert_not(input.has_id);
	input = parse("{\"kind\":\"ack\",\"id\":\"0123456789abcdeffedcba9876543210\"}");
	cr_assert(input.has_id);
	cr_assert_eq(input.id[0], 0x0123456789abcdef);
	cr_assert_eq(input.id[1], 0xfedcba9876543210);
}

Test(input, refuses_what_it_does_not_understand_and_says_why)
{
	char text[2048];
	expect_refused("[]", "JSON object");
	expect_refused("{\"kind\":\"mute\"", "JSON object");
	expect_refused("{\"kind\":\"shout\"}", "one of mute");
	expect_refused("{\"author\":\"ann\"}", "\"kind\" is missing");
	expect_refused("{\"kind\":\"mute\",\"metric\":\"x\"}", "until when");
	expect_refused("{\"kind\":\"mute\",\"until_ms\":9}", "mute what");
	expect_refused("{\"kind\":\"mute\",\"until_ms\":9,\"metric\":3}", "not a text");
	expect_refused("{\"kind\":\"mute\",\"until_ms\":1.5,\"metric\":\"x\"}", "whole number");
	expect_refused("{\"kind\":\"mute\",\"until_ms\":9,\"metric\":\"x\",\"severity_below\":-1}",
		       "severity_below");
	expect_refused("{\"kind\":\"mute\",\"until_ms\":9,\"colour\":3}", "not known");
	expect_refused("{\"kind\":\"ack\"}", "which one");
	expect_refused("{\"kind\":\"ack\",\"id\":\"0123\"}", "32 hexadecimal");
	expect_refused("{\"kind\":\"ack\",\"id\":\"0123456789ABCDEFfedcba9876543210\"}",
		       "32 hexadecimal");
	expect_refused("{\"kind\":\"unmute\"}", "name its number");
	expect_refused("{\"kind\":\"unmute\",\"mute\":0}", "not known");
	expect_refused("{\"kind\":\"annotate\",\"from_ms\":1,\"until_ms\":2}", "remark is missing");
	expect_refused("{\"kind\":\"annotate\",\"text\":\"x\",\"from_ms\":2,\"until_ms\":1}",
		       "span");
	snprintf(text, sizeof(text), "{\"kind\":\"annotate\",\"text\":\"%01100d\"}", 0);
	expect_refused(text, "more than 1024 bytes");
}

#define FEEDBACK                                                                                   \
	"{\"kind\":\"feedback\",\"id\":\"0123456789abcdeffedcba9876543210\",\"source\":\"live\","  \
	"\"metric\":\"orders\",\"detector\":\"d\",\"start_ms\":60000,\"end_ms\":180000,\"period_ms\":60000"

Test(input, knows_of_feedback_all_that_a_detector_needs)
{
	struct operator_input input = parse(
		FEEDBACK ",\"verdict\":\"no\",\"direction\":-1,\"severity\":81.5,"
			 "\"usual\":40,\"sizes\":[30,20.5,3],\"slice\":\"country=DE\"}");
	cr_assert_eq(input.kind, OPERATOR_FEEDBACK);
	cr_assert_eq(input.feedback.verdict, FEEDBACK_NO);
	cr_assert_eq(input.feedback.direction, -1);
	cr_assert_eq(input.feedback.start_ms, 60000);
	cr_assert_eq(input.feedback.end_ms, 180000);
	cr_assert_eq(input.feedback.severity_peak, 81.5);
	cr_assert_eq(input.feedback.usual, 40);
	cr_assert_eq(input.feedback.size[1], 20.5);
	cr_assert_str_eq(input.slice, "country=DE");
	cr_assert_str_eq(
		input.detail,
		"{\"direction\":-1,\"end_ms\":180000,\"period_ms\":60000,\"severity\":81.5,"
		"\"sizes\":[30,20.5,3],\"start_ms\":60000,\"usual\":40,\"verdict\":\"no\"}");
	input = parse("{\"kind\":\"feedback_undo\",\"of\":7,"
		      "\"id\":\"0123456789abcdeffedcba9876543210\"}");
	cr_assert_eq(input.ends, 7);
	cr_assert_str_eq(input.detail, "");
	cr_assert_eq(parse("{\"kind\":\"calendar_remove\",\"of\":3}").ends, 3);
}

Test(input, refuses_feedback_that_says_too_little)
{
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{FEEDBACK ",\"verdict\":\"no\"}", "how large"},
		{FEEDBACK ",\"verdict\":\"no\",\"direction\":1,\"sizes\":[1,-2,3]}", "from 0 on"},
		{"{\"kind\":\"feedback\",\"verdict\":\"no\","
		 "\"id\":\"0123456789abcdeffedcba9876543210\"}",
		 "which series"},
		{FEEDBACK ",\"direction\":1}", "yes, no or unsure"},
		{FEEDBACK ",\"verdict\":\"maybe\",\"direction\":1}", "one of yes, no, unsure"},
		{FEEDBACK ",\"verdict\":\"no\",\"direction\":2}", "1 or -1"},
		{FEEDBACK ",\"verdict\":\"no\",\"sizes\":[1,2]}", "list of 3"},
		{FEEDBACK ",\"verdict\":\"no\",\"sizes\":[1,2,\"3\"]}", "not a number"},
		{FEEDBACK ",\"verdict\":\"no\",\"severity\":\"high\"}", "not a number"},
		{FEEDBACK ",\"verdict\":\"no\",\"mute\":3}", "not known"},
		{"{\"kind\":\"feedback\",\"verdict\":\"no\"}", "which anomaly"},
		{"{\"kind\":\"feedback_undo\",\"of\":7}", "which anomaly"},
		{"{\"kind\":\"feedback_undo\",\"id\":\"0123456789abcdeffedcba9876543210\"}",
		 "which feedback"},
		{"{\"kind\":\"mute\",\"metric\":\"x\",\"until_ms\":9,\"verdict\":\"no\"}",
		 "not a whole number"},
		{"{\"kind\":\"calendar_remove\"}", "which entry"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_refused(cases[i].text, cases[i].wanted);
	expect_refused(FEEDBACK ",\"verdict\":\"no\",\"start_ms\":99999999999999}", "JSON object");
	expect_refused("{\"kind\":\"feedback\",\"verdict\":\"no\",\"end_ms\":99999999999999}",
		       "no time");
}

Test(input, mutes_by_patterns_of_which_all_must_hold)
{
	static const struct {
		const char *pattern;
		bool holds;
	} cases[] = {
		{"\"metric\":\"orders\"", true},
		{"\"metric\":\"order\"", false},
		{"\"metric\":\"*\"", true},
		{"\"metric\":\"o*r*s\"", true},
		{"\"metric\":\"*x*\"", false},
		{"\"metric\":\"orders*\"", true},
		{"\"source\":\"live\"", true},
		{"\"source\":\"shop\",\"metric\":\"*\"", false},
		{"\"detector\":\"* by country\"", true},
		{"\"slice\":\"country=DE\"", true},
		{"\"slice\":\"device=mobile,country=DE\"", true},
		{"\"slice\":\"country=D\"", false},
		{"\"slice\":\"country=DE,channel=cpc\"", false},
		{"\"severity_below\":82", true},
		{"\"severity_below\":81", false},
		{"\"id\":\"00000000000000010000000000000000\"", false},
		{"\"id\":\"0000000000000001fedcba9876543210\"", true},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct inputs inputs;
		char text[256];
		cr_assert_eq(inputs_init(&inputs), 0);
		snprintf(text, sizeof(text), "{\"kind\":\"mute\",\"until_ms\":600000,%s}",
			 cases[i].pattern);
		say(&inputs, text);
		cr_assert_eq(muted(&inputs, 1, ANOMALY_FIRING, 5), cases[i].holds, "%s",
			     cases[i].pattern);
		inputs_fini(&inputs);
	}
}

Test(input, ends_a_mute_by_the_time_of_the_events_and_releases_what_still_fires)
{
	struct inputs inputs;
	cr_assert_eq(inputs_init(&inputs), 0);
	say(&inputs, "{\"kind\":\"mute\",\"metric\":\"orders\",\"until_ms\":600000}");
	cr_assert(muted(&inputs, 1, ANOMALY_FIRING, 8));
	cr_assert_eq(close_at(&inputs, 8).count, 0);
	cr_assert(muted(&inputs, 2, ANOMALY_FIRING, 9));
	cr_assert(muted(&inputs, 2, ANOMALY_RESOLVED, 9), "never told, never heard of");
	cr_assert_eq(close_at(&inputs, 9).count, 0);
	cr_assert_not(muted(&inputs, 3, ANOMALY_FIRING, 10), "its time is the end of the mute");
	struct released released = close_at(&inputs, 10);
	cr_assert_eq(released.count, 1);
	cr_assert_eq(released.id[0], 1);
	cr_assert_eq(close_at(&inputs, 11).count, 0, "once");
	cr_assert_not(muted(&inputs, 1, ANOMALY_RESOLVED, 12), "now it was told");
	inputs_fini(&inputs);
}

Test(input, tells_the_end_of_what_was_told_before_the_mute)
{
	struct inputs inputs;
	cr_assert_eq(inputs_init(&inputs), 0);
	cr_assert_not(muted(&inputs, 1, ANOMALY_FIRING, 1));
	cr_assert_not(muted(&inputs, 2, ANOMALY_FIRING, 1));
	say(&inputs, "{\"kind\":\"mute\",\"metric\":\"*\",\"until_ms\":600000}");
	cr_assert(muted(&inputs, 1, ANOMALY_UPDATED, 2));
	cr_assert_not(muted(&inputs, 1, ANOMALY_RESOLVED, 3));
	cr_assert_not(muted(&inputs, 2, ANOMALY_RESOLVED, 3));
	inputs_fini(&inputs);
}

Test(input, is_over_at_once_when_unmuted)
{
	struct inputs inputs;
	struct released released = {0};
	cr_assert_eq(inputs_init(&inputs), 0);
	say(&inputs, "{\"kind\":\"mute\",\"metric\":\"*\",\"until_ms\":600000}");
	say(&inputs, "{\"kind\":\"mute\",\"slice\":\"country=DE\",\"until_ms\":600000}");
	cr_assert(muted(&inputs, 7, ANOMALY_FIRING, 2));
	close_at(&inputs, 2);
	say(&inputs, "{\"kind\":\"unmute\",\"mute\":1}");
	inputs_release(&inputs, each_released, &released);
	cr_assert_eq(released.count, 0, "another mute holds");
	say(&inputs, "{\"kind\":\"unmute\",\"mute\":2}");
	inputs_release(&inputs, each_released, &released);
	cr_assert_eq(released.count, 1);
	cr_assert_eq(inputs.count, 4);
	inputs_fini(&inputs);
}

Test(input, lets_through_what_has_grown_beyond_a_mute)
{
	struct inputs inputs;
	cr_assert_eq(inputs_init(&inputs), 0);
	say(&inputs, "{\"kind\":\"mute\",\"severity_below\":90,\"until_ms\":600000}");
	cr_assert(muted(&inputs, 1, ANOMALY_FIRING, 2));
	struct anomaly grown = revision(1, ANOMALY_UPDATED, 3);
	grown.severity_peak = 95;
	inputs_mark(&inputs, 0, &grown);
	cr_assert_not(grown.muted);
	cr_assert_eq(close_at(&inputs, 3).count, 0, "that revision has said it all");
	cr_assert_not(muted(&inputs, 1, ANOMALY_RESOLVED, 4));
	inputs_fini(&inputs);
}

Test(input, acknowledges_until_it_is_resolved)
{
	struct inputs inputs;
	cr_assert_eq(inputs_init(&inputs), 0);
	struct anomaly anomaly = revision(1, ANOMALY_FIRING, 1);
	inputs_mark(&inputs, 0, &anomaly);
	cr_assert_not(anomaly.acknowledged);
	say(&inputs, "{\"kind\":\"ack\",\"id\":\"0000000000000001fedcba9876543210\"}");
	anomaly = revision(2, ANOMALY_UPDATED, 2);
	inputs_mark(&inputs, 0, &anomaly);
	cr_assert_not(anomaly.acknowledged);
	anomaly = revision(1, ANOMALY_RESOLVED, 2);
	inputs_mark(&inputs, 0, &anomaly);
	cr_assert(anomaly.acknowledged);
	cr_assert_eq(inputs.acks_count, 0);
	inputs_fini(&inputs);
}

Test(input, forgets_the_mute_that_ends_first_and_the_oldest_acknowledgement)
{
	struct inputs inputs;
	char text[256];
	cr_assert_eq(inputs_init(&inputs), 0);
	for (unsigned i = 0; i < INPUT_MUTES_MAX + 1; i++) {
		snprintf(text, sizeof(text),
			 "{\"kind\":\"mute\",\"metric\":\"m%u\",\"until_ms\":%u}", i,
			 i == 5 ? 1 : 100 + i);
		say(&inputs, text);
	}
	cr_assert_eq(inputs.mutes_count, INPUT_MUTES_MAX);
	for (uint32_t i = 0; i < inputs.mutes_count; i++)
		cr_assert_neq(inputs.mutes[i].number, 6);
	for (unsigned i = 0; i < INPUT_ACKS_MAX + 1; i++) {
		snprintf(text, sizeof(text), "{\"kind\":\"ack\",\"id\":\"%032x\"}", i);
		say(&inputs, text);
	}
	cr_assert_eq(inputs.acks_count, INPUT_ACKS_MAX);
	inputs_fini(&inputs);
}

Test(input, publishes_what_it_has_no_room_to_withhold)
{
	struct inputs inputs;
	cr_assert_eq(inputs_init(&inputs), 0);
	say(&inputs, "{\"kind\":\"mute\",\"metric\":\"*\",\"until_ms\":600000}");
	for (uint64_t i = 0; i < INPUT_WITHHELD_MAX; i++)
		cr_assert(muted(&inputs, i, ANOMALY_FIRING, 1));
	cr_assert_not(muted(&inputs, INPUT_WITHHELD_MAX, ANOMALY_FIRING, 1));
	cr_assert(muted(&inputs, 0, ANOMALY_UPDATED, 1), "it is withheld already");
	inputs_fini(&inputs);
}

static void save(const struct inputs *inputs, struct bytes *out)
{
	bytes_clear(out);
	bytes_put_u32(out, 3); /* another section before it */
	bytes_put_u32(out, 0);
	bytes_put_u64(out, 5);
	bytes_put(out, "other", 5);
	inputs_save(inputs, out);
	cr_assert_not(out->failed);
}

/* One step of a life, on both: equal answers. */
static void live(struct inputs *one, struct inputs *other, uint64_t *seed, int64_t minute)
{
	char text[256];
	uint64_t what = sample_random(seed) % 8, id = sample_random(seed) % 20;
	if (what == 0)
		snprintf(
			text, sizeof(text),
			"{\"kind\":\"mute\",\"metric\":\"*\",\"severity_below\":%d,\"until_ms\":%lld}",
			(int)(sample_random(seed) % 100) + 1,
			(long long)((minute + (int64_t)(sample_random(seed) % 20)) * MINUTE + 1));
	else if (what == 1)
		snprintf(text, sizeof(text), "{\"kind\":\"unmute\",\"mute\":%d}",
			 (int)(sample_random(seed) % 10) + 1);
	else
		snprintf(text, sizeof(text), "{\"kind\":\"ack\",\"id\":\"%016llx%016x\"}",
			 (unsigned long long)id, 0);
	if (what <= 2) {
		say(one, text);
		say(other, text);
	}
	struct anomaly a = revision(id, (enum anomaly_state)(sample_random(seed) % 4), minute);
	a.id[1] = 0;
	a.severity_peak = (double)(sample_random(seed) % 100);
	struct anomaly b = a;
	inputs_mark(one, 0, &a);
	inputs_mark(other, 0, &b);
	cr_assert(sample_equal(&a, &b));
	struct released first = close_at(one, minute), second = close_at(other, minute);
	cr_assert_eq(first.count, second.count);
	cr_assert_eq(memcmp(&first, &second, sizeof(first)), 0);
}

Test(input, goes_on_from_a_checkpoint_as_if_nothing_had_been)
{
	uint64_t seed = 11;
	struct inputs whole, resumed;
	struct bytes bytes = {0}, again = {0};
	cr_assert_eq(inputs_init(&whole), 0);
	cr_assert_eq(inputs_init(&resumed), 0);
	for (int64_t minute = 1; minute < 3000; minute++) {
		live(&whole, &resumed, &seed, minute);
		if (minute % 7)
			continue;
		save(&resumed, &bytes);
		inputs_reset(&resumed);
		cr_assert_eq(inputs_load(&resumed, (struct bytes_reader){.data = bytes.data,
									 .left = bytes.used}),
			     0);
		save(&resumed, &again);
		cr_assert_eq(bytes.used, again.used);
		cr_assert_eq(memcmp(bytes.data, again.data, bytes.used), 0);
	}
	/* Cut anywhere, it is refused. */
	for (size_t left = 21; left < bytes.used; left += 13)
		cr_assert_eq(inputs_load(&resumed,
					 (struct bytes_reader){.data = bytes.data, .left = left}),
			     -EPROTO);
	inputs_fini(&whole);
	inputs_fini(&resumed);
	bytes_fini(&bytes);
	bytes_fini(&again);
}
