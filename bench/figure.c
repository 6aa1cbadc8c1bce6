/*
 * figure: a measured number over several runs; see figure.h. Medians, because a run on a shared
 * machine errs in one direction only.
 */
#include "figure.h"

#include <stdlib.h>
#include <string.h>

void figure_add(struct figure *figure, double value, double limit)
{
	if (figure->runs == FIGURE_RUNS_MAX)
		return;
	figure->values[figure->runs] = value;
	figure->limits[figure->runs++] = limit;
}

static int compare(const void *a, const void *b)
{
	double left, right;
	memcpy(&left, a, sizeof(left));
	memcpy(&right, b, sizeof(right));
	return (left > right) - (left < right);
}

struct summary {
	double value, min, max, limit, ratio;
	bool limited;
};

static double median(const double *values, uint32_t count)
{
	double sorted[FIGURE_RUNS_MAX];
	if (count == 0)
		return 0;
	memcpy(sorted, values, count * sizeof(*values));
	qsort(sorted, count, sizeof(*sorted), compare);
	return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

static struct summary summarize(const struct figure *figure)
{
	double ratios[FIGURE_RUNS_MAX];
	struct summary summary = {.limited = figure->runs > 0};
	for (uint32_t i = 0; i < figure->runs; i++) {
		double value = figure->values[i];
		summary.min = i == 0 || value < summary.min ? value : summary.min;
		summary.max = i == 0 || value > summary.max ? value : summary.max;
		summary.limited = summary.limited && figure->limits[i] > 0;
		ratios[i] = figure->limits[i] > 0 ? value / figure->limits[i] : 0;
	}
	summary.value = median(figure->values, figure->runs);
	summary.limit = median(figure->limits, figure->runs);
	summary.ratio = median(ratios, figure->runs);
	return summary;
}

void figure_print_json(const struct figure *figure, FILE *out)
{
	struct summary s = summarize(figure);
	fprintf(out, "{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\"", figure->name, s.value,
		figure->unit);
	if (s.limited)
		fprintf(out, ",\"limit\":%.6g,\"ratio\":%.4f", s.limit, s.ratio);
	else
		fprintf(out, ",\"limit\":null,\"ratio\":null");
	fprintf(out, ",\"min\":%.6g,\"max\":%.6g,\"runs\":%u,\"lossless\":%s}\n", s.min, s.max,
		figure->runs, figure->lossless ? "true" : "false");
}

/* 83100000 as "83.1 M". */
static const char *scaled(double value, char text[32])
{
	static const char *const units[] = {"", " k", " M", " G"};
	uint32_t unit = 0;
	while (value >= 1000 && unit < 3) {
		value /= 1000;
		unit++;
	}
	snprintf(text, 32, "%.*f%s", value < 10 ? 2 : value < 100 ? 1 : 0, value, units[unit]);
	return text;
}

void figure_print(const struct figure *figure, FILE *out)
{
	struct summary s = summarize(figure);
	char value[32], min[32], max[32], limit[32];
	fprintf(out, "%-22s %9s %-9s (%s .. %s, %u run%s)", figure->name, scaled(s.value, value),
		figure->unit, scaled(s.min, min), scaled(s.max, max), figure->runs,
		figure->runs == 1 ? "" : "s");
	if (s.limited)
		fprintf(out, "  %.0f %% of %s", s.ratio * 100, scaled(s.limit, limit));
	fputc('\n', out);
}
