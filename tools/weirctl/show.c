/*
 * show: which events are wanted, and how they are written. Shared by dump and tail.
 */
#include "show.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "text.h"
#include "weir/event.h"
#include "weir/limits.h"

int filter_where(void *field, const char *text)
{
	struct event_filter *filter = field;
	const char *equals = strchr(text, '=');
	if (!equals || equals == text || filter->where_count == SHOW_WHERE_MAX)
		return -EINVAL;
	filter->where[filter->where_count++] = text;
	return 0;
}

static bool where_holds(const char *where, const struct event_view *event)
{
	const char *equals = strchr(where, '=');
	size_t bytes = (size_t)(equals - where);
	for (uint32_t i = 0; event->series && i < event->series->dimensions; i++) {
		const char *name = event->series->names[i];
		if (strlen(name) == bytes && memcmp(name, where, bytes) == 0)
			return strcmp(event->series->values[i], equals + 1) == 0;
	}
	return false;
}

bool filter_takes(const struct event_filter *filter, const struct event_view *event)
{
	if ((int64_t)event->time_ms < filter->since_ms ||
	    (int64_t)event->time_ms >= filter->until_ms)
		return false;
	if (filter->event && (!event->series || strcmp(event->series->event, filter->event) != 0))
		return false;
	if (filter->source && strcmp(event->source_name, filter->source) != 0)
		return false;
	for (uint32_t i = 0; i < filter->where_count; i++)
		if (!where_holds(filter->where[i], event))
			return false;
	return true;
}

const char *event_dimension(const struct event_view *event, const char *name)
{
	for (uint32_t i = 0; event->series && i < event->series->dimensions; i++)
		if (strcmp(event->series->names[i], name) == 0)
			return event->series->values[i];
	return "";
}

void show_header(enum event_form form, FILE *to)
{
	if (form == FORM_CSV)
		fputs("time_ms,source,lane,ring,sequence,event,field,dimensions,value\n", to);
}

static bool is_hash(const struct event_view *event)
{
	return event->series && event->series->hash;
}

/* A hash is written as 16 hexadecimal digits. */
static void value_text(char text[TEXT_NUMBER_BYTES], const struct event_view *event)
{
	if (is_hash(event))
		snprintf(text, TEXT_NUMBER_BYTES, "%016" PRIx64, event->value_bits);
	else
		text_double(text, weir_bits_value(event->value_bits));
}

static void show_json(const struct event_view *event, FILE *to)
{
	const struct event_series *series = event->series;
	char value[TEXT_NUMBER_BYTES];
	value_text(value, event);
	fprintf(to, "{\"time_ms\":%" PRIu64 ",\"source\":", event->time_ms);
	text_json(to, event->source_name);
	fprintf(to, ",\"lane\":%u,\"ring\":%u,\"sequence\":%" PRIu64 ",\"series\":%u,\"event\":",
		event->lane, event->ring, event->sequence, event->series_id);
	text_json(to, series ? series->event : "");
	fputs(",\"field\":", to);
	text_json(to, series ? series->field : "");
	fputs(",\"dimensions\":{", to);
	for (uint32_t i = 0; series && i < series->dimensions; i++) {
		if (i)
			putc_unlocked(',', to);
		text_json(to, series->names[i]);
		putc_unlocked(':', to);
		text_json(to, series->values[i]);
	}
	fprintf(to, is_hash(event) ? "},\"hash\":\"%s\"}\n" : "},\"value\":%s}\n", value);
}

/* "country=DE,device=mobile" as one text. */
static void join_dimensions(const struct event_series *series, char *text, size_t text_bytes)
{
	size_t used = 0;
	text[0] = '\0';
	for (uint32_t i = 0; series && i < series->dimensions && used < text_bytes; i++)
		used += (size_t)snprintf(text + used, text_bytes - used, "%s%s=%s", i ? "," : "",
					 series->names[i], series->values[i]);
}

void show_event(const struct event_view *event, enum event_form form, FILE *to)
{
	const struct event_series *series = event->series;
	char dimensions[WEIR_DEFINITION_BYTES_MAX], value[TEXT_NUMBER_BYTES];

	if (form == FORM_JSON) {
		show_json(event, to);
		return;
	}
	value_text(value, event);
	join_dimensions(series, dimensions, sizeof(dimensions));
	if (form == FORM_CSV) {
		fprintf(to, "%" PRIu64 ",", event->time_ms);
		text_csv(to, event->source_name);
		fprintf(to, ",%u,%u,%" PRIu64 ",", event->lane, event->ring, event->sequence);
		text_csv(to, series ? series->event : "");
		putc_unlocked(',', to);
		text_csv(to, series ? series->field : "");
		putc_unlocked(',', to);
		text_csv(to, dimensions);
		fprintf(to, ",%s\n", value);
		return;
	}
	char time[TEXT_TIME_BYTES], unknown[24];
	text_time(time, (int64_t)event->time_ms);
	snprintf(unknown, sizeof(unknown), "series#%u", event->series_id);
	fprintf(to, "%s  %-14s %12s  %s\n", time, series ? series->event : unknown, value,
		dimensions);
}
