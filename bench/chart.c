/*
 * chart: see chart.h. One colour for what the chart is about, greys for the rest; lines have shades
 * of it, since more of the same thing is what they tell apart.
 */
#include "chart.h"

#include <errno.h>
#include <math.h>

#include "svg.h"

#define WIDTH 760.0
#define TOP 48.0
#define RIGHT 24.0

/* Bars. */
#define BARS_LEFT 230.0
#define BARS_RIGHT 150.0 /* room for what is said behind the longest */
#define ROW 28.0
#define BAR 16.0
#define BARS_BOTTOM 34.0

/* Lines. */
#define LINES_LEFT 64.0
#define LINES_RIGHT 120.0 /* room for their labels */
#define LINES_HEIGHT 320.0
#define LINES_BOTTOM 46.0
#define LABEL_HEIGHT 15.0

static const char light[] =
	".bar{fill:#b9bfc8}.ours{fill:#2f6f8f}.said{fill:#222;font:12px system-ui,sans-serif}"
	".bold{font-weight:600}.line{fill:none;stroke-width:2;stroke-linejoin:round}"
	".s0{stroke:#a9c7d6}.s1{stroke:#6ba0b9}.s2{stroke:#2f6f8f}.s3{stroke:#123f56}"
	".s4{stroke:#8a9099}.s5{stroke:#555}"
	".p0{fill:#a9c7d6}.p1{fill:#6ba0b9}.p2{fill:#2f6f8f}.p3{fill:#123f56}.p4{fill:#8a9099}"
	".p5{fill:#555}";
static const char dark[] =
	".bar{fill:#4a525d}.ours{fill:#5fa8c8}.said{fill:#e6e6e6}"
	".s0{stroke:#2b5063}.s1{stroke:#3f7f9c}.s2{stroke:#6fb6d4}.s3{stroke:#c4e6f4}"
	".s4{stroke:#8a9099}.s5{stroke:#bbb}"
	".p0{fill:#2b5063}.p1{fill:#3f7f9c}.p2{fill:#6fb6d4}.p3{fill:#c4e6f4}.p4{fill:#8a9099}"
	".p5{fill:#bbb}";

static void open_page(const struct chart *chart, double height, FILE *to)
{
	const struct svg_page page = {.width = WIDTH,
				      .height = height,
				      .title = chart->title,
				      .about = chart->about,
				      .light = light,
				      .dark = dark,
				      .left = RIGHT};
	svg_open(&page, to);
}

/* An axis: from `low` to `high`, by powers or evenly. */
struct axis {
	double low, high, from, to;
	bool logarithmic;
};

static double place(const struct axis *axis, double value)
{
	double part = axis->logarithmic ? log(value / axis->low) / log(axis->high / axis->low)
					: (value - axis->low) / (axis->high - axis->low);
	return axis->from + part * (axis->to - axis->from);
}

/* 1000000 as "1 M": as short as it can be. */
static const char *short_text(double value, char text[32])
{
	static const char *const units[] = {"", " k", " M", " G"};
	uint32_t unit = 0;
	for (; value >= 1000 && unit < 3; unit++)
		value /= 1000;
	snprintf(text, 32, "%.3g%s", value, units[unit]);
	return text;
}

static void draw_mark(const struct axis *axis, double value, double top, double bottom, FILE *to)
{
	char text[32];
	double x = place(axis, value);
	fprintf(to, "<path class=\"grid\" d=\"M%.1f %.0fV%.0f\"/>", x, top, bottom);
	fprintf(to, "<text class=\"text\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.0f\">%s</text>\n",
		x, bottom + 16, short_text(value, text));
}

static void draw_bar(const struct chart_bar *bar, const struct axis *axis, double y, FILE *to)
{
	double end = bar->value > 0 ? place(axis, bar->value) : axis->from;
	fprintf(to, "<text class=\"said%s\" text-anchor=\"end\" x=\"%.0f\" y=\"%.1f\">",
		bar->ours ? " bold" : "", BARS_LEFT - 10, y + BAR - 4);
	svg_text(to, bar->label);
	fputs("</text>", to);
	if (bar->value > 0)
		fprintf(to,
			"<rect class=\"%s\" x=\"%.0f\" y=\"%.1f\" width=\"%.1f\" height=\"%.0f\" "
			"rx=\"2\"/>",
			bar->ours ? "ours" : "bar", BARS_LEFT, y, fmax(end - axis->from, 1), BAR);
	fprintf(to, "<text class=\"said%s\" x=\"%.1f\" y=\"%.1f\">", bar->ours ? " bold" : "",
		fmax(end, axis->from) + 8, y + BAR - 4);
	svg_text(to, bar->said);
	fputs("</text>\n", to);
}

int chart_draw_bars(const struct chart *chart, const struct chart_bar *bars, uint32_t count,
		    FILE *to)
{
	struct axis axis = {.low = INFINITY,
			    .from = BARS_LEFT,
			    .to = WIDTH - BARS_RIGHT,
			    .logarithmic = chart->logarithmic};
	for (uint32_t i = 0; i < count; i++) {
		if (!(bars[i].value > 0))
			continue;
		axis.low = fmin(axis.low, bars[i].value);
		axis.high = fmax(axis.high, bars[i].value);
	}
	if (!(axis.high > 0))
		return -ENODATA;
	/* The shortest bar is seen too. */
	axis.low = chart->logarithmic ? pow(10, floor(log10(axis.low) - 0.1)) : 0;
	double bottom = TOP + ROW * count;
	open_page(chart, bottom + BARS_BOTTOM, to);
	if (chart->logarithmic)
		for (double at = axis.low; at <= axis.high; at *= 10)
			draw_mark(&axis, at, TOP - 6, bottom, to);
	else
		for (double at = 0; at <= axis.high; at += svg_step(axis.high))
			draw_mark(&axis, at, TOP - 6, bottom, to);
	for (uint32_t i = 0; i < count; i++)
		draw_bar(&bars[i], &axis, TOP + ROW * i + (ROW - BAR) / 2, to);
	svg_close(to);
	return 0;
}

static void draw_values_axis(const struct axis *y, FILE *to)
{
	double step = svg_step(y->high);
	for (double at = 0; at <= y->high; at += step) {
		char text[32];
		fprintf(to, "<path class=\"grid\" d=\"M%.0f %.1fH%.0f\"/>", LINES_LEFT,
			place(y, at), WIDTH - LINES_RIGHT);
		fprintf(to,
			"<text class=\"text\" text-anchor=\"end\" x=\"%.0f\" y=\"%.1f\">%s</text>\n",
			LINES_LEFT - 8, place(y, at) + 4, short_text(at, text));
	}
}

/* Where the labels of the lines stand: at their last values, but none above another. */
static void place_labels(const struct chart *chart, const struct chart_line *lines, uint32_t count,
			 const struct axis *axis, double at[CHART_LINES_MAX])
{
	bool placed[CHART_LINES_MAX] = {false};
	double free_from = -INFINITY;
	for (uint32_t i = 0; i < count; i++) {
		at[i] = NAN;
		for (uint32_t k = 0; k < chart->x_count; k++)
			if (isfinite(lines[i].values[k]))
				at[i] = place(axis, lines[i].values[k]);
		placed[i] = !isfinite(at[i]);
	}
	for (;;) {
		uint32_t next = count;
		for (uint32_t i = 0; i < count; i++)
			if (!placed[i] && (next == count || at[i] < at[next]))
				next = i;
		if (next == count)
			return;
		at[next] = fmax(at[next], free_from);
		free_from = at[next] + LABEL_HEIGHT;
		placed[next] = true;
	}
}

static void draw_line(const struct chart *chart, const struct chart_line *line, uint32_t shade,
		      const struct axis *x, const struct axis *y, FILE *to)
{
	bool down = false;
	fprintf(to, "<path class=\"line s%u\" d=\"", shade);
	for (uint32_t k = 0; k < chart->x_count; k++) {
		if (isfinite(line->values[k]))
			fprintf(to, "%c%.1f %.1f", down ? 'L' : 'M', place(x, chart->x[k]),
				place(y, line->values[k]));
		down = isfinite(line->values[k]);
	}
	fputs("\"/>", to);
	for (uint32_t k = 0; k < chart->x_count; k++)
		if (isfinite(line->values[k]))
			fprintf(to, "<circle class=\"p%u\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>",
				shade, place(x, chart->x[k]), place(y, line->values[k]));
	putc('\n', to);
}

static void draw_names(const struct chart *chart, double bottom, FILE *to)
{
	fprintf(to, "<text class=\"text\" x=\"%.0f\" y=\"%.0f\">", RIGHT, TOP);
	svg_text(to, chart->y_name);
	fprintf(to, "</text>\n<text class=\"text\" text-anchor=\"end\" x=\"%.0f\" y=\"%.0f\">",
		WIDTH - LINES_RIGHT, bottom + 34);
	svg_text(to, chart->x_name);
	fputs("</text>\n", to);
}

int chart_draw_lines(const struct chart *chart, const struct chart_line *lines, uint32_t count,
		     FILE *to)
{
	double labels[CHART_LINES_MAX], bottom = LINES_HEIGHT - LINES_BOTTOM;
	struct axis y = {.from = bottom, .to = TOP + 14};
	if (chart->x_count == 0 || chart->x_count > CHART_POINTS_MAX || count > CHART_LINES_MAX)
		return -ENODATA;
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t k = 0; k < chart->x_count; k++)
			y.high = fmax(y.high, lines[i].values[k]);
	if (!(y.high > 0))
		return -ENODATA;
	y.high *= 1.05;
	double first = chart->x[0], last = chart->x[chart->x_count - 1];
	/* A single point has no span of its own. */
	struct axis x = {.low = first,
			 .high = last > first ? last : first * 10,
			 .from = LINES_LEFT + 16,
			 .to = WIDTH - LINES_RIGHT - 8,
			 .logarithmic = true};
	open_page(chart, LINES_HEIGHT, to);
	draw_names(chart, bottom, to);
	draw_values_axis(&y, to);
	for (uint32_t k = 0; k < chart->x_count; k++)
		draw_mark(&x, chart->x[k], TOP + 14, bottom, to);
	for (uint32_t i = 0; i < count; i++)
		draw_line(chart, &lines[i], i, &x, &y, to);
	place_labels(chart, lines, count, &y, labels);
	for (uint32_t i = 0; i < count; i++) {
		if (!isfinite(labels[i]))
			continue;
		fprintf(to, "<circle class=\"p%u\" cx=\"%.0f\" cy=\"%.1f\" r=\"4\"/>", i,
			WIDTH - LINES_RIGHT + 12, labels[i]);
		fprintf(to, "<text class=\"said\" x=\"%.0f\" y=\"%.1f\">", WIDTH - LINES_RIGHT + 22,
			labels[i] + 4);
		svg_text(to, lines[i].label);
		fputs("</text>\n", to);
	}
	svg_close(to);
	return 0;
}
