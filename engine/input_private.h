/*
 * input_private: how a record's members are read, shared by input.c and the files of the kinds that
 * say more (input_feedback.c, input_calendar.c). Nobody else includes this.
 */
#ifndef ENGINE_INPUT_PRIVATE_H
#define ENGINE_INPUT_PRIVATE_H

#include <jansson.h>
#include <stddef.h>

#include "deliver/operator.h"

struct input_reading {
	struct operator_input *input; /* its kind is known */
	char *why;
	size_t why_bytes;
	json_t *own; /* members that only its kind has */
};

/* -EINVAL, always. */
int input_refuse(struct input_reading *reading, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* 0 or -EINVAL. */
int input_take_text(struct input_reading *reading, const char *key, const json_t *value, char *to,
		    size_t size);

/* A member that is not of all kinds: 1 taken, 0 not known here, -EINVAL. Members come in any
 * order. */
int input_feedback_member(struct input_reading *reading, const char *key, const json_t *value);
int input_calendar_member(struct input_reading *reading, const char *key, const json_t *value);
int input_override_member(struct input_reading *reading, const char *key, const json_t *value);
/* What the members say together: 0 or -EINVAL. */
int input_feedback_check(struct input_reading *reading);
int input_calendar_check(struct input_reading *reading);
int input_override_check(struct input_reading *reading);

#endif
