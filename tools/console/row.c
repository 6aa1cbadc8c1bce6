/*
 * row: see row.h.
 */
#include "row.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "deliver/payload.h"
#include "interval/history.h"

void row_fill(const struct book *book, const struct book_entry *entry, uint32_t members,
	      struct book_row *ret_row)
{
	const struct book_metric *metric = book_metric_of(book, entry->metric);

	ret_row->entry = *entry;
	ret_row->members = members;
	ret_row->impact = book_impact(book, entry);
	ret_row->about = !isnan(ret_row->impact) && !book_is_exact(entry);
	ret_row->source_through_ms = book_through(book, entry);
	snprintf(ret_row->aggregation, sizeof(ret_row->aggregation), "%s",
		 metric ? metric->aggregation : "");
	snprintf(ret_row->unit, sizeof(ret_row->unit), "%s", metric ? metric->unit : "value");
}

json_t *row_number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

const char *row_direction(int direction)
{
	return direction < 0 ? "down" : direction > 0 ? "up" : "none";
}

static json_t *text_of(const struct name *name)
{
	return name ? json_stringn(name->text, name->bytes) : json_null();
}

json_t *row_dimensions(const char *slice)
{
	struct label_pair pair[WEIR_DIMENSIONS_MAX];
	unsigned count = split_label(slice, strlen(slice), pair, WEIR_DIMENSIONS_MAX);
	json_t *object = json_object();

	for (unsigned i = 0; i < count; i++) {
		char name[HISTORY_LABEL_BYTES], value[HISTORY_LABEL_BYTES];
		size_t bytes = label_plain(pair[i].value, pair[i].value_bytes, value);
		name[label_plain(pair[i].name, pair[i].name_bytes, name)] = '\0';
		json_object_set_new(object, name, json_stringn(value, bytes));
	}
	return object;
}

static void put_integer(json_t *to, const char *name, int64_t value)
{
	json_object_set_new(to, name, json_integer(value));
}

static void put_text(json_t *to, const char *name, const char *text)
{
	json_object_set_new(to, name, text ? json_string(text) : json_null());
}

static void put_name(json_t *to, const char *name, const struct name *text)
{
	json_object_set_new(to, name, text_of(text));
}

static void put_number(json_t *to, const char *name, double value)
{
	json_object_set_new(to, name, row_number(value));
}

static json_t *explanation(const struct book_entry *entry)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < entry->explanations; i++) {
		json_t *one = json_object();
		put_name(one, "slice", entry->explained[i]);
		json_object_set_new(one, "dimensions", row_dimensions(entry->explained[i]->text));
		put_number(one, "share", entry->share[i]);
		json_array_append_new(list, one);
	}
	return list;
}

static void put_identity(json_t *row, const struct book_row *from)
{
	const struct book_entry *entry = &from->entry;
	char id[33], group[33];

	anomaly_id_text(entry->id, id);
	anomaly_id_text(entry->group, group);
	put_text(row, "id", id);
	put_text(row, "group", group);
	put_integer(row, "members", from->members);
	put_name(row, "metric", entry->metric);
	put_text(row, "unit", from->unit);
	put_text(row, "aggregation", from->aggregation[0] ? from->aggregation : NULL);
	put_name(row, "source", entry->source);
	put_name(row, "slice", entry->slice);
	json_object_set_new(row, "dimensions", row_dimensions(entry->slice->text));
	put_name(row, "detector", entry->detector);
	put_name(row, "kind", entry->kind);
}

static void put_times(json_t *row, const struct book_row *from)
{
	const struct book_entry *entry = &from->entry;

	put_integer(row, "start_ms", entry->start_ms);
	json_object_set_new(row, "end_ms",
			    book_is_over(entry) ? json_integer(entry->through_ms) : json_null());
	put_integer(row, "through_ms", entry->through_ms);
	put_integer(row, "source_through_ms", from->source_through_ms);
	put_integer(row, "peak_ms", entry->peak_ms);
	put_integer(row, "interval_ms", entry->interval_ms);
	put_integer(row, "frequency_ms", entry->frequency_ms);
}

json_t *row_json(const struct book_row *from)
{
	const struct book_entry *entry = &from->entry;
	json_t *row = json_object();

	put_identity(row, from);
	put_text(row, "state", anomaly_state_name((enum anomaly_state)entry->state));
	put_text(row, "status", book_status_name(book_status(entry)));
	json_object_set_new(row, "fired", json_boolean(entry->fired));
	put_number(row, "severity", severity_shown(entry->severity));
	put_number(row, "peak", severity_shown(entry->peak));
	put_text(row, "direction", row_direction(entry->direction));
	put_times(row, from);
	put_number(row, "observed", entry->observed);
	put_number(row, "expected", entry->expected);
	put_number(row, "change", entry->observed / entry->expected - 1);
	json_object_set_new(row, "explanation", explanation(entry));
	put_number(row, "impact", from->impact);
	json_object_set_new(row, "impact_about", json_boolean(from->about));
	put_text(row, "verdict",
		 entry->verdict ? feedback_verdict_name((enum feedback_verdict)entry->verdict)
				: NULL);
	json_object_set_new(row, "feedback",
			    entry->feedback ? json_integer((json_int_t)entry->feedback)
					    : json_null());
	json_object_set_new(row, "ack", json_boolean(entry->acknowledged));
	json_object_set_new(row, "muted", json_boolean(entry->muted));
	put_name(row, "first_mover", entry->first_mover);
	put_integer(row, "revision", entry->revision);
	return row;
}
