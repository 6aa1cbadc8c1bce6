/*
 * text: how weirctl writes and reads names, numbers and times. Knows nothing of weir.
 */
#ifndef WEIRCTL_TEXT_H
#define WEIRCTL_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TEXT_NUMBER_BYTES 32
#define TEXT_TIME_BYTES 40

/* A JSON string, quotes included. The text is UTF-8. */
void text_json(FILE *to, const char *text);
/* A CSV field, quoted where it must be (RFC 4180). */
void text_csv(FILE *to, const char *text);
/* The fewest digits that read back to the same double; "null" where JSON has no number for it. */
void text_double(char text[TEXT_NUMBER_BYTES], double value);
/* For people: whole numbers and large ones to the unit, others to six digits; "-" for none. */
void text_brief(char text[TEXT_NUMBER_BYTES], double value);
/* "20 s", "29 min", "7 d": whole ones of the largest unit that it has whole ones of. */
void text_span(char text[TEXT_NUMBER_BYTES], int64_t ms);
/* "2011-01-04T10:00:00.000Z". */
void text_time(char text[TEXT_TIME_BYTES], int64_t unix_ms);
/* A time of the week: "Tue 14:00-15:30 UTC", "Tue 22:00-Wed 02:00 UTC", "the whole week". */
#define TEXT_WEEK_BYTES 32
void text_week(char text[TEXT_WEEK_BYTES], int64_t start_ms, int64_t end_ms);
/* The end of a word: "" for one, else "s". */
const char *text_s(uint64_t count);
/* Unix seconds, "2011-01-04", "2011-01-04T10:00", "2011-01-04 10:00:00+01:00"; UTC where it does
 * not say; 1970 to 2109. 0, or -EINVAL. */
int text_parse_time(const char *text, int64_t *ret_unix_ms);
/* The same as an option's take (OPTION_TAKE): the field is an int64_t. */
int text_take_time(void *field, const char *text);

#endif
