/*
 * marks: see marks.h.
 */
#include "marks.h"

#include <stdlib.h>
#include <string.h>

#include "book.h"
#include "deliver/payload.h"
#include "looking.h"

#define MARKS_MAX 500

static bool is_of(const struct book_entry *entry, const char *source, const char *metric)
{
	return entry->fired && strcmp(entry->metric->text, metric) == 0 &&
	       strcmp(entry->source->text, source) == 0;
}

static json_t *mark_json(const struct book_entry *entry)
{
	char id[33];

	anomaly_id_text(entry->id, id);
	return json_pack("{ss sI so so}", "id", id, "start_ms", (json_int_t)entry->start_ms,
			 "end_ms",
			 book_is_over(entry) ? json_integer(entry->through_ms) : json_null(),
			 "peak", looking_rough(entry->peak));
}

json_t *marks_of_slice(struct book *book, const char *source, const char *metric,
		       const char *slice, int64_t from_ms, int64_t until_ms)
{
	json_t *list = json_array();

	book_read(book);
	for (uint32_t i = book->count; i-- > 0 && json_array_size(list) < MARKS_MAX;) {
		const struct book_entry *entry = &book->entry[i];
		bool during = entry->start_ms < until_ms &&
			      (!book_is_over(entry) || entry->through_ms > from_ms);
		if (during && is_of(entry, source, metric) &&
		    strcmp(entry->slice->text, slice) == 0)
			json_array_append_new(list, mark_json(entry));
	}
	book_done(book);
	return list;
}

struct marks_open marks_of_metric(struct book *book, const char *source, const char *metric)
{
	struct marks_open open = {0};

	book_read(book);
	for (uint32_t i = 0; i < book->count; i++) {
		const struct book_entry *entry = &book->entry[i];
		enum book_status status = book_status(entry);
		/* What is muted is to be quiet here too. */
		if ((status != BOOK_OPEN && status != BOOK_ACKNOWLEDGED) || book_is_over(entry) ||
		    !is_of(entry, source, metric))
			continue;
		open.count++;
		if (entry->peak > open.worst)
			open.worst = entry->peak;
	}
	book_done(book);
	return open;
}
