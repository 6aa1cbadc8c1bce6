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

static double median(const double *values, uint32_t count)
{
	double sorted[FIGURE_RUNS_MAX];
	if (count == 0)
		return 0;
	memcpy(sorted, values, count * sizeof(*values));
	qsort(sorted, count, sizeof(*sorted), compare);
	return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

static bool has_limit(const struct figure *figure)
{
	for (uint32_t i = 0; i < figure->runs; i++)
		if (!(figure->limits[i] > 0))
			return false;
	return figure->runs > 0;
}

double figure_value(const struct figure *figure)
{
	return median(figure->values, figure->runs);
}

double figure_limit(const struct figure *figure)
{
	return has_limit(figure) ? median(figure->limits, figure->runs) : 0;
}

double figure_ratio(const struct figure *figure)
{
	double ratios[FIGURE_RUNS_MAX];
	if (!has_limit(figure))
		return 0;
	for (uint32_t i = 0; i < figure->runs; i++)
		ratios[i] = figure->beaten ? figure->limits[i] / figure->values[i]
					   : figure->values[i] / figure->limits[i];
	return median(ratios, figure->runs);
}

double figure_min(const struct figure *figure)
{
	double min = figure->runs ? figure->values[0] : 0;
	for (uint32_t i = 1; i < figure->runs; i++)
		min = figure->values[i] < min ? figure->values[i] : min;
	return min;
}

double figure_max(const struct figure *figure)
{
	double max = figure->runs ? figure->values[0] : 0;
	for (uint32_t i = 1; i < figure->runs; i++)
		max = figure->values[i] > max ? figure->values[i] : max;
	return max;
}

bool figure_void(const struct figure *figure, char why[160])
{
	char limit[32], row[32];
	double of_row = figure->row > 0 ? figure_limit(figure) / figure->row : 0;
	why[0] = '\0';
	if (!(of_row > 0))
		return false;
	if (figure->cost ? of_row * FIGURE_ROW_PART <= 1 : of_row >= FIGURE_ROW_PART)
		return false;
	snprintf(why, 160, "the limit is %s, %.2f of the %s that its program is known for",
		 figure_scaled(figure_limit(figure), limit), of_row,
		 figure_scaled(figure->row, row));
	return true;
}

void figure_json_text(const char *text, FILE *out)
{
	fputc('"', out);
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;
		if (byte == '"' || byte == '\\')
			fputc('\\', out);
		if (byte < 0x20)
			fprintf(out, "\\u%04x", byte);
		else
			fputc(byte, out);
	}
	fputc('"', out);
}

static const char *json_lossless(const struct figure *figure)
{
	if (figure->keeps_nothing)
		return "null";
	return figure->lossless ? "true" : "false";
}

static void print_absent_json(const struct figure *figure, FILE *out)
{
	fprintf(out,
		"{\"name\":\"%s\",\"value\":null,\"unit\":\"%s\",\"limit\":null,\"ratio\":null,"
		"\"min\":null,\"max\":null,\"runs\":0,\"lossless\":null,\"absent\":",
		figure->name, figure->unit);
	figure_json_text(figure->absent, out);
	fputs("}\n", out);
}

void figure_print_json(const struct figure *figure, FILE *out)
{
	char why[160];
	if (figure->absent) {
		print_absent_json(figure, out);
		return;
	}
	bool voided = figure_void(figure, why);
	fprintf(out, "{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\"", figure->name,
		figure_value(figure), figure->unit);
	if (!has_limit(figure))
		fprintf(out, ",\"limit\":null,\"ratio\":null");
	else if (voided)
		fprintf(out, ",\"limit\":%.6g,\"ratio\":null", figure_limit(figure));
	else
		fprintf(out, ",\"limit\":%.6g,\"ratio\":%.6g", figure_limit(figure),
			figure_ratio(figure));
	fprintf(out, ",\"min\":%.6g,\"max\":%.6g,\"runs\":%u,\"lossless\":%s", figure_min(figure),
		figure_max(figure), figure->runs, json_lossless(figure));
	if (voided) {
		fputs(",\"void\":", out);
		figure_json_text(why, out);
	}
	fputs("}\n", out);
}

const char *figure_scaled(double value, char text[32])
{
	static const char *const units[] = {"", " k", " M", " G"};
	uint32_t unit = 0;
	while (value >= 1000 && unit < 3) {
		value /= 1000;
		unit++;
	}
	if (value < 1)
		snprintf(text, 32, "%.3g", value);
	else
		snprintf(text, 32, "%.*f%s",
			 value < 10    ? 2
			 : value < 100 ? 1
				       : 0,
			 value, units[unit]);
	return text;
}

/* In the figure's unit: nobody speaks of a thousand milliseconds as 1 k ms. */
static const char *readable(const struct figure *figure, double value, char text[32])
{
	bool small = strcmp(figure->unit, "ms") == 0 || strcmp(figure->unit, "ns") == 0;
	if (!small || value < 1000)
		return figure_scaled(value, text);
	snprintf(text, 32, "%.0f", value);
	return text;
}

void figure_print(const struct figure *figure, FILE *out)
{
	char value[32], min[32], max[32], limit[32], why[160];
	if (figure->absent) {
		fprintf(out, "%-26s %9s %s\n", figure->name, "absent:", figure->absent);
		return;
	}
	fprintf(out, "%-26s %9s %-9s (%s .. %s, %u run%s)", figure->name,
		readable(figure, figure_value(figure), value), figure->unit,
		readable(figure, figure_min(figure), min),
		readable(figure, figure_max(figure), max), figure->runs,
		figure->runs == 1 ? "" : "s");
	bool voided = figure_void(figure, why);
	if (voided)
		fprintf(out, "  VOID: %s", why);
	else if (has_limit(figure) && figure->beaten)
		fprintf(out, "  weir: %s, %.*f x", figure_scaled(figure_limit(figure), limit),
			figure_ratio(figure) < 10 ? 2 : 0, figure_ratio(figure));
	else if (has_limit(figure) && figure->cost)
		fprintf(out, "  %.2f x %s", figure_ratio(figure),
			readable(figure, figure_limit(figure), limit));
	else if (has_limit(figure))
		fprintf(out, "  %.0f %% of %s", figure_ratio(figure) * 100,
			figure_scaled(figure_limit(figure), limit));
	fputc('\n', out);
}
