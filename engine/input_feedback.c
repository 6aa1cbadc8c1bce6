/*
 * input_feedback: what an operator says of an anomaly: an incident, or none.
 *
 * Idea:  the record says all that a detector needs, since neither the store nor an anomaly that is
 *        over is at hand in a replay: of which series, when, how large. The engine
 *        writes it there when somebody says it (request.c).
 * Runs on: whoever reads a record.
 */
#include <math.h>
#include <string.h>

#include "detect/feedback.h"
#include "input_private.h"

/* Times have 42 bits, in milliseconds. */
#define TIME_MAX_MS ((json_int_t)1 << 42)

static int take_verdict(struct input_reading *reading, const json_t *value)
{
	const char *text = json_string_value(value);

	for (int i = FEEDBACK_NO; text && i < FEEDBACK_VERDICTS; i++) {
		if (strcmp(text, feedback_verdict_name((enum feedback_verdict)i)) != 0)
			continue;
		reading->input->feedback.verdict = (enum feedback_verdict)i;
		return 1;
	}
	return input_refuse(reading, "\"verdict\" is one of yes, no, unsure");
}

static int take_time(struct input_reading *reading, const char *key, const json_t *value,
		     int64_t *ret_ms)
{
	json_int_t ms = json_integer_value(value);

	if (!json_is_integer(value) || ms < -TIME_MAX_MS || ms > TIME_MAX_MS)
		return input_refuse(reading, "\"%s\" is no time", key);
	*ret_ms = ms;
	return 1;
}

static int take_size(struct input_reading *reading, const char *key, const json_t *value,
		     double *ret_number)
{
	double number = json_number_value(value);

	if (!json_is_number(value) || !isfinite(number))
		return input_refuse(reading, "\"%s\" is not a number", key);
	*ret_number = number;
	return 1;
}

static int take_sizes(struct input_reading *reading, const char *key, const json_t *value,
		      double ret_sizes[FEEDBACK_SCALES])
{
	int taken = 1;

	if (json_array_size(value) != FEEDBACK_SCALES)
		return input_refuse(reading, "\"%s\" is a list of %d numbers", key,
				    FEEDBACK_SCALES);
	for (size_t i = 0; i < FEEDBACK_SCALES && taken == 1; i++)
		taken = take_size(reading, key, json_array_get(value, i), &ret_sizes[i]);
	return taken;
}

int input_feedback_member(struct input_reading *reading, const char *key, const json_t *value)
{
	struct feedback_said *said = &reading->input->feedback;

	if (reading->input->kind != OPERATOR_FEEDBACK)
		return 0;
	if (strcmp(key, "verdict") == 0)
		return take_verdict(reading, value);
	if (strcmp(key, "start_ms") == 0)
		return take_time(reading, key, value, &said->start_ms);
	if (strcmp(key, "end_ms") == 0)
		return take_time(reading, key, value, &said->end_ms);
	if (strcmp(key, "period_ms") == 0)
		return take_time(reading, key, value, &said->period_ms);
	if (strcmp(key, "severity") == 0)
		return take_size(reading, key, value, &said->severity_peak);
	if (strcmp(key, "usual") == 0)
		return take_size(reading, key, value, &said->usual);
	if (strcmp(key, "sizes") == 0)
		return take_sizes(reading, key, value, said->size);
	if (strcmp(key, "rebound") == 0)
		return take_sizes(reading, key, value, said->rebound);
	if (strcmp(key, "direction") != 0)
		return 0;
	said->direction = (int)json_integer_value(value);
	if (json_is_integer(value) && (said->direction == 1 || said->direction == -1))
		return 1;
	return input_refuse(reading, "\"direction\" is 1 or -1");
}

int input_feedback_check(struct input_reading *reading)
{
	const struct operator_input *input = reading->input;

	if (!input->has_id)
		return input_refuse(reading, "feedback on which anomaly? name its id");
	if (input->kind == OPERATOR_FEEDBACK_UNDO)
		return input->ends ? 0 : input_refuse(reading, "which feedback? name its number");
	if (!input->feedback.verdict)
		return input_refuse(reading, "was it one? \"verdict\" is yes, no or unsure");
	if (!input->source[0] || !input->metric[0] || !input->detector[0])
		return input_refuse(reading, "feedback says of which series: source, metric, "
					     "detector");
	if (!feedback_possible(&input->feedback))
		return input_refuse(reading, "feedback says when, and how large: direction, "
					     "start_ms, end_ms behind it, period_ms, sizes from 0 "
					     "on");
	return 0;
}
