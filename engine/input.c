/*
 * input: see input.h. Lists are short and searched from the front; order in them is the order of
 * the records and revisions, so that equal histories are equal bytes in a checkpoint.
 */
#include "input.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "checkpoint.h"
#include "base/match.h"
#include "deliver/payload.h"
#include "input_private.h"

struct ack {
	uint64_t id[2];
};

/* An anomaly that has a muted revision and is not resolved. */
struct withheld {
	uint64_t id[2];
	uint32_t source; /* number */
	uint32_t told;   /* an earlier revision was published */
	double severity_peak;
	char source_name[32];
	char metric[65];
	char detector[65];
	char slice[ANOMALY_LABEL_BYTES];
};

static const char *const kind_names[] = {
	[OPERATOR_MUTE] = "mute",
	[OPERATOR_UNMUTE] = "unmute",
	[OPERATOR_ACK] = "ack",
	[OPERATOR_ANNOTATE] = "annotate",
	[OPERATOR_FEEDBACK] = "feedback",
	[OPERATOR_FEEDBACK_UNDO] = "feedback_undo",
	[OPERATOR_CALENDAR_ADD] = "calendar_add",
	[OPERATOR_CALENDAR_REMOVE] = "calendar_remove",
	[OPERATOR_OVERRIDE] = "override",
	[OPERATOR_OVERRIDE_UNDO] = "override_undo",
};
_Static_assert(sizeof(kind_names) / sizeof(kind_names[0]) == OPERATOR_KINDS, "each has a name");

const char *input_kind_name(enum operator_kind kind)
{
	return kind_names[kind];
}

int input_refuse(struct input_reading *reading, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reading->why, reading->why_bytes, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

int input_take_text(struct input_reading *reading, const char *key, const json_t *value, char *to,
		    size_t size)
{
	const char *text = json_string_value(value);

	if (!text)
		return input_refuse(reading, "\"%s\" is not a text", key);
	if (strlen(text) >= size)
		return input_refuse(reading, "\"%s\" has more than %zu bytes", key, size - 1);
	memcpy(to, text, strlen(text) + 1);
	return 0;
}

static int take_id(struct input_reading *reading, const json_t *value)
{
	struct operator_input *input = reading->input;
	const char *text = json_string_value(value);
	char again[33] = "";
	int end = 0;

	if (text && strlen(text) == 32 &&
	    sscanf(text, "%16" SCNx64 "%16" SCNx64 "%n", &input->id[0], &input->id[1], &end) == 2)
		anomaly_id_text(input->id, again);
	if (!text || strcmp(text, again) != 0)
		return input_refuse(reading,
				    "\"id\" is not an anomaly's id: 32 hexadecimal digits, as "
				    "`weirctl anomalies --json` shows them");
	input->has_id = true;
	return 0;
}

static int take_kind(struct input_reading *reading, const json_t *value)
{
	const char *text = json_string_value(value);

	for (unsigned i = 0; text && i < OPERATOR_KINDS; i++) {
		if (strcmp(text, kind_names[i]) != 0)
			continue;
		reading->input->kind = (enum operator_kind)i;
		return 0;
	}
	return input_refuse(reading, "\"kind\" is one of mute, unmute, ack, annotate, feedback, "
				     "feedback_undo, calendar_add, calendar_remove, override, "
				     "override_undo");
}

/* Under which it is said: any may have one. */
static int take_key(struct input_reading *reading, const json_t *value)
{
	const char *text = json_string_value(value);
	size_t bytes = text ? strlen(text) : 0;

	for (size_t i = 0; i < bytes; i++)
		if (text[i] <= ' ' || text[i] > '~')
			bytes = 0;
	if (bytes == 0 || bytes >= OPERATOR_KEY_BYTES)
		return input_refuse(reading,
				    "\"key\" is 1 to %d characters of ASCII, without blanks",
				    OPERATOR_KEY_BYTES - 1);
	json_object_set(reading->own, "key", (json_t *)(uintptr_t)value);
	return 0;
}

/* A member that is one of a kind's own. */
static int take_own(struct input_reading *reading, const char *key, const json_t *value)
{
	switch (reading->input->kind) {
	case OPERATOR_FEEDBACK:
	case OPERATOR_FEEDBACK_UNDO:
		return input_feedback_member(reading, key, value);
	case OPERATOR_CALENDAR_ADD:
	case OPERATOR_CALENDAR_REMOVE:
		return input_calendar_member(reading, key, value);
	case OPERATOR_OVERRIDE:
		return input_override_member(reading, key, value);
	default:
		return 0;
	}
}

static int take_number(struct input_reading *reading, const char *key, const json_t *value)
{
	struct operator_input *input = reading->input;

	if (strcmp(key, "severity_below") == 0) {
		if (!json_is_number(value) || !(json_number_value(value) >= 0) ||
		    json_number_value(value) > 1000)
			return input_refuse(reading, "\"severity_below\" is a number from 0 on");
		input->severity_below = json_number_value(value);
		return 0;
	}
	if (!json_is_integer(value))
		return input_refuse(reading, "\"%s\" is not a whole number", key);
	if (strcmp(key, "time_ms") == 0)
		input->time_ms = json_integer_value(value);
	else if (strcmp(key, "from_ms") == 0)
		input->from_ms = json_integer_value(value);
	else if (strcmp(key, "until_ms") == 0)
		input->until_ms = json_integer_value(value);
	else if (strcmp(key, input->kind == OPERATOR_UNMUTE ? "mute" : "of") == 0 &&
		 json_integer_value(value) > 0)
		input->ends = (uint64_t)json_integer_value(value);
	else
		return input_refuse(reading, "\"%s\" is not known here", key);
	return 0;
}

static int take_member(struct input_reading *reading, const char *key, const json_t *value)
{
	struct operator_input *input = reading->input;
	const struct {
		const char *key;
		char *to;
		size_t size;
	} texts[] = {
		{"author", input->author, sizeof(input->author)},
		{"text", input->text, sizeof(input->text)},
		{"source", input->source, sizeof(input->source)},
		{"metric", input->metric, sizeof(input->metric)},
		{"detector", input->detector, sizeof(input->detector)},
		{"slice", input->slice, sizeof(input->slice)},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(key, texts[i].key) == 0)
			return input_take_text(reading, key, value, texts[i].to, texts[i].size);
	if (strcmp(key, "kind") == 0)
		return 0; /* taken first */
	if (strcmp(key, "id") == 0)
		return take_id(reading, value);
	if (strcmp(key, "key") == 0)
		return take_key(reading, value);
	int own = take_own(reading, key, value);
	if (own == 1)
		json_object_set(reading->own, key, (json_t *)(uintptr_t)value);
	return own ? (own == 1 ? 0 : own) : take_number(reading, key, value);
}

/* What the members say together. */
static int check_whole(struct input_reading *reading)
{
	const struct operator_input *input = reading->input;
	bool pattern = input->source[0] || input->metric[0] || input->detector[0] ||
		       input->slice[0];

	switch (input->kind) {
	case OPERATOR_MUTE:
		if (input->until_ms <= 0)
			return input_refuse(reading, "until when? a mute has an end");
		if (input->has_id && pattern)
			return input_refuse(reading,
					    "mute one anomaly by its id, or several by source, "
					    "metric, detector and slice; not both");
		if (!input->has_id && !pattern && input->severity_below <= 0)
			return input_refuse(reading,
					    "mute what? name an anomaly's id, or a metric, "
					    "detector, slice, source or severity; \"*\" as "
					    "metric is all of them");
		return 0;
	case OPERATOR_UNMUTE:
		return input->ends ? 0 : input_refuse(reading, "unmute which one? name its number");
	case OPERATOR_ACK:
		return input->has_id ? 0
				     : input_refuse(reading, "acknowledge which one? name its id");
	case OPERATOR_ANNOTATE:
		if (!input->text[0])
			return input_refuse(reading, "the remark is missing");
		if (input->has_id)
			return 0;
		if (input->from_ms <= 0 || input->until_ms < input->from_ms)
			return input_refuse(reading,
					    "annotate what? name an anomaly's id, or a span of "
					    "time: from, and until");
		return 0;
	case OPERATOR_FEEDBACK:
	case OPERATOR_FEEDBACK_UNDO:
		return input_feedback_check(reading);
	case OPERATOR_CALENDAR_ADD:
	case OPERATOR_CALENDAR_REMOVE:
		return input_calendar_check(reading);
	case OPERATOR_OVERRIDE:
	case OPERATOR_OVERRIDE_UNDO:
		return input_override_check(reading);
	default:
		return -EINVAL;
	}
}

static int keep_detail(struct input_reading *reading)
{
	char *text = json_dumps(reading->own, JSON_COMPACT | JSON_SORT_KEYS);
	size_t bytes = text ? strlen(text) : 0;
	int result = !text ? -ENOMEM : 0;

	if (bytes >= sizeof(reading->input->detail))
		result = input_refuse(reading, "more is said than the %zu bytes there is room for",
				      sizeof(reading->input->detail) - 1);
	else if (json_object_size(reading->own) > 0 && text)
		memcpy(reading->input->detail, text, bytes + 1);
	free(text);
	return result;
}

static int read_members(struct input_reading *reading, const json_t *object)
{
	const json_t *kind = json_object_get(object, "kind");
	const char *key;
	json_t *value;

	if (!kind)
		return input_refuse(reading, "\"kind\" is missing: mute, unmute, ack, annotate, "
					     "feedback ...");
	int result = take_kind(reading, kind);
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		if (!result)
			result = take_member(reading, key, value);
	}
	if (!result)
		result = check_whole(reading);
	return result ? result : keep_detail(reading);
}

int input_parse(const char *text, size_t bytes, struct operator_input *ret_input, char *why,
		size_t why_bytes)
{
	struct input_reading reading = {.input = ret_input, .why = why, .why_bytes = why_bytes};
	json_error_t error;
	json_t *object = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
	int result;

	memset(ret_input, 0, sizeof(*ret_input));
	reading.own = json_object();
	if (!reading.own)
		result = -ENOMEM;
	else if (!json_is_object(object))
		result = input_refuse(&reading, "an input is a JSON object");
	else
		result = read_members(&reading, object);
	json_decref(reading.own);
	json_decref(object);
	return result;
}

bool input_mute_holds(const struct operator_input *mute, const struct input_target *of,
		      int64_t time_ms)
{
	if (time_ms >= mute->until_ms)
		return false;
	if (mute->severity_below > 0 && !(of->severity_peak < mute->severity_below))
		return false;
	if (mute->has_id)
		return memcmp(mute->id, of->id, sizeof(mute->id)) == 0;
	return (!mute->source[0] || match_glob(mute->source, of->source)) &&
	       (!mute->metric[0] || match_glob(mute->metric, of->metric)) &&
	       (!mute->detector[0] || match_glob(mute->detector, of->detector)) &&
	       match_slice(mute->slice, of->slice);
}

static bool any_holds(const struct inputs *inputs, const struct withheld *of, int64_t time_ms)
{
	const struct input_target target = {
		.id = of->id,
		.source = of->source_name,
		.metric = of->metric,
		.detector = of->detector,
		.slice = of->slice,
		.severity_peak = of->severity_peak,
	};

	for (uint32_t i = 0; i < inputs->mutes_count; i++)
		if (input_mute_holds(&inputs->mutes[i], &target, time_ms))
			return true;
	return false;
}

int inputs_init(struct inputs *inputs)
{
	memset(inputs, 0, sizeof(*inputs));
	inputs->mutes = calloc(INPUT_MUTES_MAX, sizeof(inputs->mutes[0]));
	inputs->acks = calloc(INPUT_ACKS_MAX, sizeof(inputs->acks[0]));
	inputs->withheld = calloc(INPUT_WITHHELD_MAX, sizeof(inputs->withheld[0]));
	inputs_reset(inputs);
	if (inputs->mutes && inputs->acks && inputs->withheld)
		return 0;
	inputs_fini(inputs);
	return -ENOMEM;
}

void inputs_reset(struct inputs *inputs)
{
	inputs->count = 0;
	inputs->mutes_count = inputs->acks_count = inputs->withheld_count = 0;
	for (uint32_t i = 0; i < WEIR_SOURCES_MAX; i++)
		inputs->closed_ms[i] = INT64_MIN;
}

void inputs_fini(struct inputs *inputs)
{
	free(inputs->mutes);
	free(inputs->acks);
	free(inputs->withheld);
	memset(inputs, 0, sizeof(*inputs));
}

/* Take entry `at` out of a list. */
static void take_out(void *list, uint32_t *count, uint32_t at, size_t bytes)
{
	uint8_t *entries = list;

	(*count)--;
	memmove(entries + at * bytes, entries + (at + 1) * bytes, (*count - at) * bytes);
}

static void add_mute(struct inputs *inputs, const struct operator_input *input)
{
	if (inputs->mutes_count == INPUT_MUTES_MAX) {
		uint32_t first = 0;
		for (uint32_t i = 1; i < inputs->mutes_count; i++)
			if (inputs->mutes[i].until_ms < inputs->mutes[first].until_ms)
				first = i;
		take_out(inputs->mutes, &inputs->mutes_count, first, sizeof(inputs->mutes[0]));
	}
	inputs->mutes[inputs->mutes_count++] = *input;
}

static void remove_mute(struct inputs *inputs, uint64_t number)
{
	for (uint32_t i = 0; i < inputs->mutes_count; i++)
		if (inputs->mutes[i].number == number) {
			take_out(inputs->mutes, &inputs->mutes_count, i, sizeof(inputs->mutes[0]));
			return;
		}
}

/* Its place, or the count: not there. */
static uint32_t find_ack(const struct inputs *inputs, const uint64_t id[2])
{
	uint32_t i = 0;

	while (i < inputs->acks_count && memcmp(inputs->acks[i].id, id, sizeof(uint64_t[2])) != 0)
		i++;
	return i;
}

static uint32_t find_withheld(const struct inputs *inputs, const uint64_t id[2])
{
	uint32_t i = 0;

	while (i < inputs->withheld_count &&
	       memcmp(inputs->withheld[i].id, id, sizeof(uint64_t[2])) != 0)
		i++;
	return i;
}

static void add_ack(struct inputs *inputs, const uint64_t id[2])
{
	if (find_ack(inputs, id) < inputs->acks_count)
		return;
	if (inputs->acks_count == INPUT_ACKS_MAX)
		take_out(inputs->acks, &inputs->acks_count, 0, sizeof(inputs->acks[0]));
	memcpy(inputs->acks[inputs->acks_count++].id, id, sizeof(uint64_t[2]));
}

void inputs_apply(struct inputs *inputs, const struct operator_input *input)
{
	inputs->count = input->number;
	if (input->kind == OPERATOR_MUTE)
		add_mute(inputs, input);
	else if (input->kind == OPERATOR_UNMUTE)
		remove_mute(inputs, input->ends);
	else if (input->kind == OPERATOR_ACK)
		add_ack(inputs, input->id);
}

static void describe(struct withheld *of, uint32_t source, const struct anomaly *anomaly)
{
	memset(of, 0, sizeof(*of));
	memcpy(of->id, anomaly->id, sizeof(of->id));
	of->source = source;
	of->severity_peak = anomaly->severity_peak;
	memcpy(of->source_name, anomaly->source, sizeof(of->source_name));
	memcpy(of->metric, anomaly->metric, sizeof(of->metric));
	memcpy(of->detector, anomaly->detector, sizeof(of->detector));
	memcpy(of->slice, anomaly->slice, sizeof(of->slice));
}

/* A muted revision of something that goes on. false: there is no room to remember it. */
static bool withhold(struct inputs *inputs, const struct withheld *of, bool told)
{
	uint32_t at = find_withheld(inputs, of->id);

	if (at < inputs->withheld_count) {
		inputs->withheld[at].severity_peak = of->severity_peak;
		return true;
	}
	if (inputs->withheld_count == INPUT_WITHHELD_MAX)
		return false;
	inputs->withheld[at] = *of;
	inputs->withheld[at].told = told;
	inputs->withheld_count++;
	return true;
}

static void forget(struct inputs *inputs, const uint64_t id[2])
{
	uint32_t at = find_withheld(inputs, id);

	if (at < inputs->withheld_count)
		take_out(inputs->withheld, &inputs->withheld_count, at,
			 sizeof(inputs->withheld[0]));
}

void inputs_mark(struct inputs *inputs, uint32_t source, struct anomaly *anomaly)
{
	uint32_t ack = find_ack(inputs, anomaly->id);
	struct withheld of;

	anomaly->acknowledged = ack < inputs->acks_count;
	anomaly->muted = false;
	if (anomaly->state == ANOMALY_RESOLVED) {
		uint32_t at = find_withheld(inputs, anomaly->id);
		anomaly->muted = at < inputs->withheld_count && !inputs->withheld[at].told;
		forget(inputs, anomaly->id);
		if (anomaly->acknowledged)
			take_out(inputs->acks, &inputs->acks_count, ack, sizeof(inputs->acks[0]));
		return;
	}
	if (inputs->mutes_count == 0 && inputs->withheld_count == 0)
		return;
	describe(&of, source, anomaly);
	bool muted = any_holds(inputs, &of, anomaly_time_ms(anomaly, anomaly->interval, true));
	if (anomaly->state == ANOMALY_PENDING) {
		anomaly->muted = muted;
		return;
	}
	anomaly->muted = muted && withhold(inputs, &of, anomaly->state == ANOMALY_UPDATED);
	/* This revision says all that the withheld ones would. */
	if (!anomaly->muted)
		forget(inputs, anomaly->id);
}

void inputs_close(struct inputs *inputs, uint32_t source, int64_t closed_ms)
{
	check(source < WEIR_SOURCES_MAX);
	inputs->closed_ms[source] = closed_ms;
}

void inputs_release(struct inputs *inputs, void (*each)(void *self, const uint64_t id[2]),
		    void *self)
{
	uint32_t i = 0;

	while (i < inputs->withheld_count) {
		struct withheld *of = &inputs->withheld[i];
		if (any_holds(inputs, of, inputs->closed_ms[of->source])) {
			i++;
			continue;
		}
		if (each)
			each(self, of->id);
		take_out(inputs->withheld, &inputs->withheld_count, i, sizeof(*of));
	}
}

static void put_mute(struct bytes *out, const struct operator_input *mute)
{
	bytes_put_u64(out, mute->number);
	bytes_put_u64(out, (uint64_t)mute->until_ms);
	bytes_put_f64(out, mute->severity_below);
	bytes_put_u32(out, mute->has_id);
	bytes_put_u64(out, mute->id[0]);
	bytes_put_u64(out, mute->id[1]);
	bytes_put_text(out, mute->source);
	bytes_put_text(out, mute->metric);
	bytes_put_text(out, mute->detector);
	bytes_put_text(out, mute->slice);
}

static void get_mute(struct bytes_reader *in, struct operator_input *mute)
{
	memset(mute, 0, sizeof(*mute));
	mute->kind = OPERATOR_MUTE;
	mute->number = bytes_get_u64(in);
	mute->until_ms = (int64_t)bytes_get_u64(in);
	mute->severity_below = bytes_get_f64(in);
	mute->has_id = bytes_get_u32(in) != 0;
	mute->id[0] = bytes_get_u64(in);
	mute->id[1] = bytes_get_u64(in);
	bytes_get_text(in, mute->source, sizeof(mute->source));
	bytes_get_text(in, mute->metric, sizeof(mute->metric));
	bytes_get_text(in, mute->detector, sizeof(mute->detector));
	bytes_get_text(in, mute->slice, sizeof(mute->slice));
}

static void put_withheld(struct bytes *out, const struct withheld *of)
{
	bytes_put_u64(out, of->id[0]);
	bytes_put_u64(out, of->id[1]);
	bytes_put_u32(out, of->source);
	bytes_put_u32(out, of->told);
	bytes_put_f64(out, of->severity_peak);
	bytes_put_text(out, of->source_name);
	bytes_put_text(out, of->metric);
	bytes_put_text(out, of->detector);
	bytes_put_text(out, of->slice);
}

static void get_withheld(struct bytes_reader *in, struct withheld *of)
{
	memset(of, 0, sizeof(*of));
	of->id[0] = bytes_get_u64(in);
	of->id[1] = bytes_get_u64(in);
	of->source = bytes_get_u32(in);
	of->told = bytes_get_u32(in);
	of->severity_peak = bytes_get_f64(in);
	bytes_get_text(in, of->source_name, sizeof(of->source_name));
	bytes_get_text(in, of->metric, sizeof(of->metric));
	bytes_get_text(in, of->detector, sizeof(of->detector));
	bytes_get_text(in, of->slice, sizeof(of->slice));
	in->failed |= of->source >= WEIR_SOURCES_MAX;
}

void inputs_save(const struct inputs *inputs, struct bytes *out)
{
	struct bytes body = {0};

	bytes_put_u64(&body, inputs->count);
	for (uint32_t i = 0; i < WEIR_SOURCES_MAX; i++)
		bytes_put_u64(&body, (uint64_t)inputs->closed_ms[i]);
	bytes_put_u32(&body, inputs->mutes_count);
	for (uint32_t i = 0; i < inputs->mutes_count; i++)
		put_mute(&body, &inputs->mutes[i]);
	bytes_put_u32(&body, inputs->acks_count);
	for (uint32_t i = 0; i < inputs->acks_count; i++)
		bytes_put(&body, inputs->acks[i].id, sizeof(inputs->acks[i].id));
	bytes_put_u32(&body, inputs->withheld_count);
	for (uint32_t i = 0; i < inputs->withheld_count; i++)
		put_withheld(&body, &inputs->withheld[i]);
	checkpoint_put_section(out, SECTION_INPUTS, &body);
}

static int load(struct inputs *inputs, struct bytes_reader *in)
{
	inputs->count = bytes_get_u64(in);
	for (uint32_t i = 0; i < WEIR_SOURCES_MAX; i++)
		inputs->closed_ms[i] = (int64_t)bytes_get_u64(in);
	inputs->mutes_count = bytes_get_u32(in);
	if (in->failed || inputs->mutes_count > INPUT_MUTES_MAX)
		return -EPROTO;
	for (uint32_t i = 0; i < inputs->mutes_count; i++)
		get_mute(in, &inputs->mutes[i]);
	inputs->acks_count = bytes_get_u32(in);
	if (in->failed || inputs->acks_count > INPUT_ACKS_MAX)
		return -EPROTO;
	for (uint32_t i = 0; i < inputs->acks_count; i++) {
		inputs->acks[i].id[0] = bytes_get_u64(in);
		inputs->acks[i].id[1] = bytes_get_u64(in);
	}
	inputs->withheld_count = bytes_get_u32(in);
	if (in->failed || inputs->withheld_count > INPUT_WITHHELD_MAX)
		return -EPROTO;
	for (uint32_t i = 0; i < inputs->withheld_count; i++)
		get_withheld(in, &inputs->withheld[i]);
	return in->failed || in->left ? -EPROTO : 0;
}

int inputs_load(struct inputs *inputs, struct bytes_reader sections)
{
	struct bytes_reader body;
	int error = checkpoint_get_section(sections, SECTION_INPUTS, &body);

	return error < 0 ? error : load(inputs, &body);
}
