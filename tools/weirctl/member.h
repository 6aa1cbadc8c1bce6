/*
 * member: what a member of a JSON object says, also where there is none.
 */
#ifndef WEIRCTL_MEMBER_H
#define WEIRCTL_MEMBER_H

#include <jansson.h>
#include <math.h>

/* "" where there is no text. */
static inline const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

/* NAN where there is no number. */
static inline double number_of(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	return json_is_number(value) ? json_number_value(value) : NAN;
}

/* 0 where there is no whole number. */
static inline json_int_t whole_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

#endif
