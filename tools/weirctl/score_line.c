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

void score_line_put(FILE *to, const struct score_line *line)
{
	if (line->timed)
		fprintf(to, "%" PRId64, line->time_ms / 1000);
	if (line->timed && line->time_ms % 1000)
		fprintf(to, ".%03d", (int)(line->time_ms % 1000));
	score_line_number(to, line->value);
	score_line_number(to, line->expected);
	score_line_number(to, line->lower);
	score_line_number(to, line->upper);
	score_line_number(to, line->score);
	score_line_number(to, line->onset);
	score_line_number(to, line->severity);
	fputs(line->alarm ? ",1" : ",0", to);
}
