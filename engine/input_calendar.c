/*
 * input_calendar: what an operator says of the calendar.
 *
 * Runs on: whoever reads a record.
 */
#include "input_private.h"

int input_calendar_member(struct input_reading *reading, const char *key, const json_t *value)
{
	(void)reading;
	(void)key;
	(void)value;
	return 0;
}

int input_calendar_check(struct input_reading *reading)
{
	if (reading->input->kind == OPERATOR_CALENDAR_REMOVE && !reading->input->ends)
		return input_refuse(reading, "remove which entry? name its number");
	return 0;
}
