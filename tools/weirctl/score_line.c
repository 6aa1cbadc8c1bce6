/*
 * score_line: see score_line.h.
 */
#include "score_line.h"

#include <inttypes.h>
#include <math.h>

#include "text.h"

void score_line_number(FILE *to, double value)
{
	char text[TEXT_NUMBER_BYTES];

	putc_unlocked(',', to);
	if (!isfinite(value))
		return;
	text_double(text, value);
	fputs(text, to);
}

static void put_time(FILE *to, int64_t time_ms)
{
	fprintf(to, "%" PRId64, time_ms / 1000);
	if (time_ms % 1000)
		fprintf(to, ".%03d", (int)(time_ms % 1000));
}

void score_line_put(FILE *to, const struct score_line *line)
{
	if (line->timed)
		put_time(to, line->time_ms);
	score_line_number(to, line->value);
	score_line_number(to, line->expected);
	score_line_number(to, line->lower);
	score_line_number(to, line->upper);
	score_line_number(to, line->score);
	score_line_number(to, line->onset);
	score_line_number(to, line->severity);
	fputs(line->alarm ? ",1" : ",0", to);
}

void score_line_json(FILE *to, const struct score_line *line)
{
	const struct {
		const char *name;
		double value;
	} numbers[] = {
		{"value", line->value}, {"expected", line->expected}, {"lower", line->lower},
		{"upper", line->upper}, {"score", line->score},       {"onset", line->onset},
		{"severity", line->severity},
	};

	fputs("{\"timestamp\":", to);
	if (line->timed)
		put_time(to, line->time_ms);
	else
		fputs("null", to);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		char text[TEXT_NUMBER_BYTES];

		text_double(text, numbers[i].value);
		fprintf(to, ",\"%s\":%s", numbers[i].name, text);
	}
	fprintf(to, ",\"alarm\":%d}\n", line->alarm);
}
