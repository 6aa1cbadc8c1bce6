/*
 * score_svg: see score_svg.h.
 *
 * Idea:  the scale of values is chosen so that what came is seen: bands that are wide because
 *        little is known yet are cut off at the edge.
 */
#include "score_svg.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "svg.h"

#define WIDTH 960.0
#define HEIGHT 340.0
#define LEFT 52.0
#define RIGHT 16.0
#define TOP 52.0
#define BOTTOM 34.0
/* As many points as a line has pixels, and twice. */
#define POINTS 1800
/* Of the bands' edges this part is within the chart, whatever the values are. */
#define EDGES 0.96
/* With more alarms than this, none has a label. */
#define LABELS_MAX 8
#define LABEL_WIDTH 130.0
/* Labels of the time axis. */
#define LABELS_TIME 11
#define DAY_MS INT64_C(86400000)

struct scale {
	double low, high; /* values */
	int64_t from_ms, to_ms;
};

static const char light[] =
	".band{fill:#dcdfe4}.expected{fill:none;stroke:#8a9099;stroke-dasharray:4 3}"
	".value{fill:none;stroke:#222;stroke-width:1.3;stroke-linejoin:round}.mark{fill:#d4380d}"
	".alarm{fill:none;stroke:#d4380d;stroke-width:2}.said{fill:#d4380d;"
	"font:600 12px system-ui,sans-serif;stroke:#fff;stroke-width:4px;stroke-linejoin:round;"
	"paint-order:stroke}";
static const char dark[] = ".band{fill:#343b45}.expected{stroke:#8a9099}.value{stroke:#e6e6e6}"
			   ".mark{fill:#ff7a45}.alarm{stroke:#ff7a45}"
			   ".said{fill:#ff7a45;stroke:#15181c}";

int score_svg_add(struct score_svg *svg, const struct score_line *line)
{
	if (!line->timed || (svg->since_ms && line->time_ms < svg->since_ms) ||
	    (svg->until_ms && line->time_ms >= svg->until_ms))
		return 0;
	if (svg->count > 0 && line->time_ms <= svg->lines[svg->count - 1].time_ms)
		return 0;
	if (svg->count == svg->capacity) {
		size_t capacity = svg->capacity ? 2 * svg->capacity : 4096;
		struct score_line *lines = realloc(svg->lines, capacity * sizeof(*lines));

		if (!lines)
			return -ENOMEM;
		svg->lines = lines;
		svg->capacity = capacity;
	}
	svg->lines[svg->count++] = *line;
	return 0;
}

void score_svg_fini(struct score_svg *svg)
{
	free(svg->lines);
	svg->lines = NULL;
	svg->count = svg->capacity = 0;
}

static int compare(const void *left, const void *right)
{
	const double *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

/* What a part of the finite numbers is at most. NaN: there are none. */
static double part_of(double *numbers, size_t count, double part)
{
	size_t finite = 0;

	for (size_t i = 0; i < count; i++) {
		if (isfinite(numbers[i]))
			numbers[finite++] = numbers[i];
	}
	qsort(numbers, finite, sizeof(*numbers), compare);
	return finite ? numbers[(size_t)(part * (double)(finite - 1))] : (double)NAN;
}

static int find_scale(const struct score_svg *svg, struct scale *ret_scale)
{
	double *numbers = calloc(svg->count + 1, sizeof(*numbers));
	double low = INFINITY, high = -INFINITY;

	if (!numbers)
		return -ENOMEM;
	for (size_t i = 0; i < svg->count; i++) {
		low = fmin(low, svg->lines[i].value);
		high = fmax(high, svg->lines[i].value);
		numbers[i] = svg->lines[i].upper;
	}
	double upper = part_of(numbers, svg->count, EDGES);
	for (size_t i = 0; i < svg->count; i++)
		numbers[i] = svg->lines[i].lower;
	double lower = part_of(numbers, svg->count, 1 - EDGES);
	free(numbers);
	if (!isfinite(low))
		return -ENODATA;
	/* Bands that know nothing yet may not press the values flat. */
	double room = fmax(high - low, 1e-9 * fmax(fabs(high), 1));
	bool positive = low >= 0;
	high = fmax(high, fmin(upper, high + room));
	low = positive && low < 0.5 * high ? 0 : fmin(low, fmax(lower, low - room));
	*ret_scale = (struct scale){
		.low = low,
		.high = high + 0.08 * fmax(high - low, 1e-9 * fmax(fabs(high), 1)),
		.from_ms = svg->lines[0].time_ms,
		.to_ms = svg->lines[svg->count - 1].time_ms + svg->interval_ms,
	};
	return 0;
}

static double x_of(const struct scale *scale, int64_t time_ms)
{
	return LEFT + (WIDTH - LEFT - RIGHT) * (double)(time_ms - scale->from_ms) /
			      (double)(scale->to_ms - scale->from_ms);
}

/* A little beyond the chart at most: the rest is cut off anyway. */
static double y_of(const struct scale *scale, double value)
{
	double part = (value - scale->low) / (scale->high - scale->low);

	return TOP + (HEIGHT - TOP - BOTTOM) * (1 - fmin(fmax(part, -0.5), 1.5));
}

static void draw_values_axis(const struct scale *scale, FILE *to)
{
	double step = svg_step(scale->high - scale->low);

	for (double at = ceil(scale->low / step); at * step <= scale->high; at++) {
		double y = y_of(scale, at * step);

		fprintf(to, "<path class=\"grid\" d=\"M%.0f %.1fH%.0f\"/>", LEFT, y, WIDTH - RIGHT);
		fprintf(to,
			"<text class=\"text\" text-anchor=\"end\" x=\"%.0f\" y=\"%.1f\">%.6g</text>\n",
			LEFT - 8, y + 4, at * step + 0.0);
	}
}

/* A label wherever there is room for one, at whole days or parts of days, in UTC. */
static void draw_time_axis(const struct scale *scale, FILE *to)
{
	static const int64_t steps_ms[] = {300000,       1800000,      3600000,     3 * 3600000,
					   6 * 3600000,  12 * 3600000, DAY_MS,      2 * DAY_MS,
					   7 * DAY_MS,   14 * DAY_MS,  28 * DAY_MS, 91 * DAY_MS,
					   364 * DAY_MS, 3640 * DAY_MS};
	size_t step = 0;

	while (step + 1 < sizeof(steps_ms) / sizeof(steps_ms[0]) &&
	       (scale->to_ms - scale->from_ms) / steps_ms[step] > LABELS_TIME)
		step++;
	int64_t step_ms = steps_ms[step];
	for (int64_t at = (scale->from_ms + step_ms - 1) / step_ms * step_ms; at < scale->to_ms;
	     at += step_ms) {
		time_t seconds = (time_t)(at / 1000);
		char text[32];
		struct tm tm;

		gmtime_r(&seconds, &tm);
		strftime(text, sizeof(text),
			 step_ms >= 91 * DAY_MS ? "%b %Y"
			 : at % DAY_MS == 0     ? "%a %-d %b"
						: "%H:%M",
			 &tm);
		double x = x_of(scale, at);
		fprintf(to, "<path class=\"grid\" d=\"M%.1f %.0fv%.0f\"/>", x, TOP,
			HEIGHT - TOP - BOTTOM + 6);
		if (x < WIDTH - RIGHT - 60)
			fprintf(to, "<text class=\"text\" x=\"%.1f\" y=\"%.0f\">%s</text>\n", x + 3,
				HEIGHT - BOTTOM + 18, text);
	}
}

/* Lines that one point stands for. */
static size_t stride_of(const struct score_svg *svg)
{
	return (svg->count + POINTS - 1) / POINTS;
}

static bool is_gap(const struct score_svg *svg, size_t i)
{
	return i > 0 &&
	       svg->lines[i].time_ms - svg->lines[i - 1].time_ms > 3 * svg->interval_ms / 2;
}

static void draw_band(const struct score_svg *svg, const struct scale *scale, FILE *to)
{
	size_t stride = stride_of(svg);

	fputs("<path class=\"band\" d=\"", to);
	for (size_t i = 0; i < svg->count; i += stride)
		fprintf(to, "%c%.1f %.1f", i ? 'L' : 'M', x_of(scale, svg->lines[i].time_ms),
			y_of(scale, svg->lines[i].upper));
	for (size_t i = (svg->count - 1) / stride * stride + stride; i >= stride; i -= stride)
		fprintf(to, "L%.1f %.1f", x_of(scale, svg->lines[i - stride].time_ms),
			y_of(scale, svg->lines[i - stride].lower));
	fputs("Z\"/>\n", to);
}

static void draw_expected(const struct score_svg *svg, const struct scale *scale, FILE *to)
{
	size_t stride = stride_of(svg);

	fputs("<path class=\"expected\" d=\"", to);
	for (size_t i = 0; i < svg->count; i += stride)
		fprintf(to, "%c%.1f %.1f", i ? 'L' : 'M', x_of(scale, svg->lines[i].time_ms),
			y_of(scale, svg->lines[i].expected));
	fputs("\"/>\n", to);
}

static void draw_values(const struct score_svg *svg, const struct scale *scale, FILE *to)
{
	size_t stride = stride_of(svg);
	bool down = false;

	fputs("<path class=\"value\" d=\"", to);
	for (size_t i = 0; i < svg->count; i += stride) {
		double low = INFINITY, high = -INFINITY;
		bool gap = false;

		for (size_t k = i; k < i + stride && k < svg->count; k++) {
			low = fmin(low, svg->lines[k].value);
			high = fmax(high, svg->lines[k].value);
			gap |= stride == 1 && is_gap(svg, k);
		}
		if (!isfinite(low)) {
			down = false;
			continue;
		}
		double x = x_of(scale, svg->lines[i].time_ms);
		fprintf(to, "%c%.1f %.1f", down && !gap ? 'L' : 'M', x, y_of(scale, low));
		fprintf(to, "V%.1f", y_of(scale, high));
		down = true;
	}
	fputs("\"/>\n", to);
}

/* For people: three digits will do, and thousands are written out. */
static const char *said(double value, char text[32])
{
	snprintf(text, 32, fabs(value) >= 1000 ? "%.0f" : "%.3g", value);
	return text;
}

static void draw_label(const struct score_line *line, double x, double y, FILE *to)
{
	char value[32], expected[32];
	bool left = x > WIDTH - RIGHT - LABEL_WIDTH;

	fprintf(to, "<text class=\"said\" text-anchor=\"%s\" x=\"%.1f\" y=\"%.1f\">",
		left ? "end" : "start", left ? x - 10 : x + 10, fmax(y - 5, TOP + 10));
	fprintf(to, "%s, expected %s</text>\n", said(line->value, value),
		said(line->expected, expected));
}

static void draw_marks(const struct score_svg *svg, const struct scale *scale, FILE *to)
{
	for (size_t i = 0; i < svg->count; i++) {
		const struct score_line *line = &svg->lines[i];
		double x = x_of(scale, line->time_ms), y = y_of(scale, line->value);

		if (!isfinite(line->value) || (!line->alarm && line->severity < svg->severity))
			continue;
		fprintf(to, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\"/>\n",
			line->alarm ? "alarm" : "mark", x, y, line->alarm ? "5" : "2.5");
	}
}

/* Above the marks, which they would hide behind. */
static void draw_labels(const struct score_svg *svg, const struct scale *scale, FILE *to)
{
	unsigned alarms = 0;
	double free_from = 0;

	for (size_t i = 0; i < svg->count; i++)
		alarms += svg->lines[i].alarm;
	for (size_t i = 0; i < svg->count && alarms <= LABELS_MAX; i++) {
		const struct score_line *line = &svg->lines[i];
		double x = x_of(scale, line->time_ms);

		if (!isfinite(line->value) || !line->alarm || x < free_from)
			continue;
		draw_label(line, x, y_of(scale, line->value), to);
		free_from = x + LABEL_WIDTH;
	}
}

/* From the right. */
static void draw_legend(const struct score_svg *svg, FILE *to)
{
	double x = WIDTH - RIGHT - 450;

	fprintf(to,
		"<path class=\"value\" d=\"M%.0f 24h18\"/><text class=\"text\" x=\"%.0f\" "
		"y=\"28\">what came</text>"
		"<rect class=\"band\" x=\"%.0f\" y=\"18\" width=\"18\" height=\"12\"/>"
		"<path class=\"expected\" d=\"M%.0f 24h18\"/><text class=\"text\" x=\"%.0f\" "
		"y=\"28\">expected, and band</text>",
		x, x + 24, x + 100, x + 100, x + 124);
	fprintf(to,
		"<circle class=\"alarm\" cx=\"%.0f\" cy=\"24\" r=\"5\"/><text class=\"text\" "
		"x=\"%.0f\" y=\"28\">alarm</text>"
		"<circle class=\"mark\" cx=\"%.0f\" cy=\"24\" r=\"2.5\"/><text class=\"text\" "
		"x=\"%.0f\" y=\"28\">severity %.0f and up</text>\n",
		x + 264, x + 275, x + 326, x + 334, svg->severity);
}

static void draw_head(const struct score_svg *svg, FILE *to)
{
	unsigned alarms = 0;
	char about[128];
	const struct svg_page page = {.width = WIDTH,
				      .height = HEIGHT,
				      .title = svg->title,
				      .about = about,
				      .light = light,
				      .dark = dark,
				      .left = LEFT};

	for (size_t i = 0; i < svg->count; i++)
		alarms += svg->lines[i].alarm;
	snprintf(about, sizeof(about), "%zu values, the expected ones and their band; %u alarm%s",
		 svg->count, alarms, alarms == 1 ? "" : "s");
	svg_open(&page, to);
	draw_legend(svg, to);
}

int score_svg_draw(const struct score_svg *svg, FILE *to)
{
	struct scale scale;

	if (svg->count == 0)
		return -ENODATA;
	int result = find_scale(svg, &scale);
	if (result < 0)
		return result;
	draw_head(svg, to);
	draw_values_axis(&scale, to);
	draw_time_axis(&scale, to);
	fprintf(to,
		"<clipPath id=\"c\"><rect x=\"%.0f\" y=\"%.0f\" width=\"%.0f\" "
		"height=\"%.0f\"/></clipPath>\n<g clip-path=\"url(#c)\">\n",
		LEFT, TOP, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
	draw_band(svg, &scale, to);
	draw_values(svg, &scale, to);
	draw_expected(svg, &scale, to);
	fputs("</g>\n", to);
	draw_marks(svg, &scale, to);
	draw_labels(svg, &scale, to);
	svg_close(to);
	return 0;
}
