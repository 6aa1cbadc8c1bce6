/*
 * stat_text: the numbers of stat.h as JSON and as Prometheus reads them.
 *
 *   # HELP weir_events_persisted_total Events that are in the log's files.
 *   # TYPE weir_events_persisted_total counter
 *   weir_events_persisted_total{lane="0"} 1000
 *
 * Runs on: whoever asks; no state.
 */
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stat.h"

void stat_number(char text[STAT_NUMBER_BYTES], double value)
{
	if (value == floor(value) && fabs(value) < 1e15) {
		snprintf(text, STAT_NUMBER_BYTES, "%.0f", value);
		return;
	}
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(text, STAT_NUMBER_BYTES, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			return;
	}
}

static const char *type_name(enum stat_type type)
{
	return type == STAT_COUNTER ? "counter" : "gauge";
}

static void add_json(void *self, const struct stat_row *row, const char *label, const char *of,
		     double value)
{
	bool whole = value == floor(value) && fabs(value) < 1e15;
	json_t *number = whole ? json_integer((json_int_t)value) : json_real(value);
	json_t *labels = json_object();

	if (label)
		json_object_set_new(labels, label, json_string(of));
	json_array_append_new(self,
			      json_pack("{ss so so ss ss ss}", "name", row->name, "labels", labels,
					"value", number, "unit", row->unit, "type",
					type_name(row->type), "description", row->description));
}

void *stat_json(struct engine *engine)
{
	json_t *list = json_array();

	if (list && stat_walk(engine, add_json, list) < 0) {
		json_decref(list);
		return NULL;
	}
	return list;
}

struct page {
	FILE *to;
	const struct stat_row *last;
};

/* A label's value: backslash, quote and line feed are escaped. */
static void print_label(FILE *to, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			fputc('\\', to);
		if (*text == '\n')
			fputs("\\n", to);
		else
			fputc(*text, to);
	}
}

static void add_line(void *self, const struct stat_row *row, const char *label, const char *of,
		     double value)
{
	struct page *page = self;
	char number[STAT_NUMBER_BYTES];

	if (page->last != row)
		fprintf(page->to, "# HELP weir_%s %s\n# TYPE weir_%s %s\n", row->name,
			row->description, row->name, type_name(row->type));
	page->last = row;
	fprintf(page->to, "weir_%s", row->name);
	if (label) {
		fprintf(page->to, "{%s=\"", label);
		print_label(page->to, of);
		fputs("\"}", page->to);
	}
	stat_number(number, value);
	fprintf(page->to, " %s\n", number);
}

char *stat_prometheus(struct engine *engine)
{
	char *text = NULL;
	size_t bytes;
	struct page page = {.to = open_memstream(&text, &bytes)};

	if (!page.to)
		return NULL;
	fputs("# HELP weir_build_info 1; the version is in the label.\n"
	      "# TYPE weir_build_info gauge\n"
	      "weir_build_info{version=\"" ENGINE_VERSION "\"} 1\n",
	      page.to);
	int error = stat_walk(engine, add_line, &page);
	if (fclose(page.to) != 0 || error < 0) {
		free(text);
		return NULL;
	}
	return text;
}
