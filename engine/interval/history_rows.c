/*
 * history_rows: see history_rows.h.
 */
#include "interval/history_rows.h"

void history_rows_fini(struct history_rows *rows)
{
	bytes_fini(&rows->intervals);
	bytes_fini(&rows->rows);
	bytes_fini(&rows->sketches);
	bytes_fini(&rows->names);
}

void history_rows_clear(struct history_rows *rows)
{
	bytes_clear(&rows->intervals);
	bytes_clear(&rows->rows);
	bytes_clear(&rows->sketches);
	bytes_clear(&rows->names);
}

size_t history_rows_bytes(const struct history_rows *rows)
{
	return rows->intervals.capacity + rows->rows.capacity + rows->sketches.capacity +
	       rows->names.capacity;
}

void history_rows_interval(struct history_rows *rows, int64_t interval, bool incomplete)
{
	struct history_interval one = {.interval = interval, .incomplete = incomplete};

	bytes_put(&rows->intervals, &one, sizeof(one));
}

void history_rows_name(struct history_rows *rows, uint32_t number,
		       const struct history_metric *metric, uint32_t slice, const char *label)
{
	struct bytes *names = &rows->names;

	bytes_put_u32(names, number);
	bytes_put_u32(names, slice);
	bytes_put_u64(names, metric->spec);
	bytes_put_u32(names, metric->kind);
	bytes_put_u32(names, metric->aggregation);
	bytes_put_u32(names, metric->sums);
	bytes_put_f64(names, metric->quantile);
	bytes_put_text(names, metric->name);
	bytes_put_text(names, label);
}

void history_rows_add(struct history_rows *rows, const struct history_row *row,
		      const struct sketch *sketch)
{
	struct history_row *kept = bytes_put(&rows->rows, row, sizeof(*row));

	if (!kept || !sketch)
		return;
	kept->sketch = 1;
	kept->words[1] = rows->sketches.used;
	sketch_save(sketch, &rows->sketches);
	kept->words[2] = rows->sketches.used - kept->words[1];
}

bool history_rows_failed(const struct history_rows *rows)
{
	return rows->intervals.failed || rows->rows.failed || rows->sketches.failed ||
	       rows->names.failed;
}
