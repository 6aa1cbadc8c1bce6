/* cells: what an event adds to, what a mark hands over, where a replay must start. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "interval/cells.h"
#include "interval/sketch.h"

#define ALL UINT64_MAX
#define SECOND 1000
#define SOURCE 3

static struct cells *make(uint32_t series_max, int64_t frontier)
{
	struct cells *cells = cells_create(series_max, SECOND, SOURCE, 7, 2, frontier);
	cr_assert_not_null(cells);
	cells_block(cells, 1);
	return cells;
}

static struct weir_event event(uint64_t time_ms, uint32_t series, double value)
{
	return (struct weir_event){weir_event_word(time_ms, series), weir_value_bits(value)};
}

static void add(struct cells *cells, const struct weir_event *events, uint32_t count)
{
	struct batch batch = {.events = events, .count = count, .source = SOURCE};
	cells_add(cells, &batch);
}

static void add_one(struct cells *cells, uint64_t time_ms, uint32_t series, double value)
{
	struct weir_event one = event(time_ms, series, value);
	add(cells, &one, 1);
}

static void expect_one(struct partial *partial, int64_t interval, uint32_t series, double value)
{
	cr_assert_not_null(partial);
	cr_assert_eq(partial->interval, interval);
	cr_assert_eq(partial->cell_count, 1);
	cr_assert_eq(partial->cells[0].series, series);
	cr_assert_eq(partial->cells[0].count, 1);
	cr_assert_eq(partial->cells[0].sum, value);
}

static void expect_counters(const struct cells *cells, uint64_t late, uint64_t future)
{
	struct cells_counters counters;
	cells_counters(cells, &counters);
	cr_assert_eq(counters.late, late);
	cr_assert_eq(counters.future, future);
}

static void expect_resume(const struct cells *cells, uint64_t lsn, int64_t frontier)
{
	uint64_t is_lsn;
	int64_t is_frontier;
	cells_resume(cells, &is_lsn, &is_frontier);
	cr_assert_eq(is_lsn, lsn);
	cr_assert_eq(is_frontier, frontier);
}

Test(cells, a_cell_holds_count_sum_squares_and_extremes)
{
	struct cells *cells = make(10, -1);
	struct weir_event events[] = {event(10, 4, 2), event(20, 4, -3), event(30, 4, 5)};
	add(cells, events, 3);
	struct partial *partial = cells_mark(cells, 0, ALL);
	cr_assert_not_null(partial);
	cr_assert_null(partial->next);
	cr_assert_eq(partial->cell_count, 1);
	cr_assert_not(partial->dropped);
	struct partial_cell *cell = partial->cells;
	cr_assert_eq(cell->series, 4);
	cr_assert_eq(cell->count, 3);
	cr_assert_eq(cell->sum, 4);
	cr_assert_eq(cell->sum_squares, 38);
	cr_assert_eq(cell->min, -3);
	cr_assert_eq(cell->max, 5);
	partial_free(partial);
	cells_destroy(cells);
}

Test(cells, extremes_of_one_sign_do_not_meet_zero)
{
	struct cells *cells = make(10, -1);
	struct weir_event events[] = {event(1, 1, 5), event(2, 1, 7), event(3, 2, -5),
				      event(4, 2, -7)};
	add(cells, events, 4);
	struct partial *partial = cells_mark(cells, 0, ALL);
	cr_assert_eq(partial->cells[0].min, 5);
	cr_assert_eq(partial->cells[0].max, 7);
	cr_assert_eq(partial->cells[1].min, -7);
	cr_assert_eq(partial->cells[1].max, -5);
	partial_free(partial);
	cells_destroy(cells);
}

Test(cells, a_partial_says_whose_it_is)
{
	struct cells *cells = make(10, -1);
	cells_block(cells, 41);
	add_one(cells, 0, 1, 1);
	struct partial *partial = cells_mark(cells, 0, ALL);
	cr_assert_eq(partial->source, SOURCE);
	cr_assert_eq(partial->epoch, 7);
	cr_assert_eq(partial->lane, 2);
	cr_assert_eq(partial->first_lsn, 41);
	partial_free(partial);
	cells_destroy(cells);
}

Test(cells, cells_come_out_in_the_order_of_series)
{
	const uint32_t series[] = {1000, 1, 64, 63, 65, 128, 999, 2};
	const uint32_t sorted[] = {1, 2, 63, 64, 65, 128, 999, 1000};
	struct cells *cells = make(1000, -1);
	for (uint32_t i = 0; i < 8; i++)
		add_one(cells, 5, series[i], series[i]);
	struct partial *partial = cells_mark(cells, 0, ALL);
	cr_assert_eq(partial->cell_count, 8);
	for (uint32_t i = 0; i < 8; i++) {
		cr_assert_eq(partial->cells[i].series, sorted[i]);
		cr_assert_eq(partial->cells[i].sum, sorted[i]);
	}
	partial_free(partial);
	cells_destroy(cells);
}

Test(cells, an_interval_ends_before_the_first_millisecond_of_the_next)
{
	struct cells *cells = make(10, 4);
	add_one(cells, 5999, 1, 1);
	add_one(cells, 6000, 1, 2);
	struct partial *partial = cells_mark(cells, 6, ALL);
	expect_one(partial, 5, 1, 1);
	expect_one(partial->next, 6, 1, 2);
	cr_assert_null(partial->next->next);
	partial_free(partial->next);
	partial_free(partial);
	cells_destroy(cells);
}

Test(cells, late_and_future_events_are_counted_and_in_no_open_cell)
{
	struct cells *cells = make(10, 4);
	uint64_t end_ms = (4 + WEIR_OPEN_INTERVALS_MAX + 1) * SECOND;
	cr_assert_eq(cells_window_end_ms(cells), end_ms);
	struct weir_event events[] = {
		event(4999, 1, 1),   event(5000, 2, 2),       event(0, 1, 1),
		event(end_ms, 3, 3), event(end_ms - 1, 4, 4), event(WEIR_TIME_MS_MAX, 3, 3),
	};
	add(cells, events, 6);
	expect_counters(cells, 2, 2);
	struct partial *partial = cells_mark(cells, 100, ALL);
	expect_one(partial, 5, 2, 2);
	expect_one(partial->next, 4 + WEIR_OPEN_INTERVALS_MAX, 4, 4);
	cr_assert_eq(partial->next->next->interval, 100);
	cr_assert_eq(partial->next->next->cell_count, 0);
	cr_assert_eq(partial->next->next->late_count, 2);
	cr_assert_null(partial->next->next->next);
	partials_free(partial);
	cells_destroy(cells);
}

static void expect_late(const struct partial *partial, uint32_t at, int64_t interval,
			uint32_t series, uint64_t count, double sum)
{
	cr_assert_lt(at, partial->late_count);
	cr_assert_eq(partial->late[at].interval, interval);
	cr_assert_eq(partial->late[at].cell.series, series);
	cr_assert_eq(partial->late[at].cell.count, count);
	cr_assert_eq(partial->late[at].cell.sum, sum);
}

Test(cells, what_came_late_goes_with_the_next_mark_by_interval_and_series)
{
	struct cells *cells = make(10, 9);
	struct weir_event events[] = {event(7 * SECOND, 3, 1), event(10 * SECOND, 1, 5),
				      event(2 * SECOND, 4, 2), event(7 * SECOND, 2, 3),
				      event(7 * SECOND + 999, 3, 4)};
	add(cells, events, 5);
	struct partial *partial = cells_mark(cells, 10, ALL);
	expect_one(partial, 10, 1, 5);
	cr_assert_null(partial->next);
	cr_assert_eq(partial->late_count, 3);
	expect_late(partial, 0, 2, 4, 1, 2);
	expect_late(partial, 1, 7, 2, 1, 3);
	expect_late(partial, 2, 7, 3, 2, 5);
	cr_assert_eq(partial->late[2].cell.min, 1);
	cr_assert_eq(partial->late[2].cell.max, 4);
	cr_assert_eq(partial->late[2].cell.sum_squares, 17);
	partials_free(partial);
	/* And only once. */
	cr_assert_null(cells_mark(cells, 11, ALL));
	cells_destroy(cells);
}

Test(cells, a_mark_that_closes_nothing_hands_over_nothing_late)
{
	struct cells *cells = make(10, 9);
	add_one(cells, 9 * SECOND, 1, 1);
	cr_assert_null(cells_mark(cells, 9, ALL));
	struct partial *partial = cells_mark(cells, 12, ALL);
	cr_assert_eq(partial->interval, 12);
	cr_assert_eq(partial->cell_count, 0);
	expect_late(partial, 0, 9, 1, 1, 1);
	partials_free(partial);
	cells_destroy(cells);
}

Test(cells, at_the_end_of_an_epoch_what_came_late_goes_with_the_interval_behind_the_frontier)
{
	struct cells *cells = make(10, 9);
	add_one(cells, 4 * SECOND, 1, 1);
	add_one(cells, 12 * SECOND, 2, 2);
	struct partial *partial = cells_end(cells);
	cr_assert_eq(partial->interval, 10);
	cr_assert_eq(partial->cell_count, 0);
	expect_late(partial, 0, 4, 1, 1, 1);
	expect_one(partial->next, 12, 2, 2);
	cr_assert_eq(partial->next->late_count, 0);
	partials_free(partial);
	cells_destroy(cells);
}

Test(cells, late_cells_are_bounded_by_their_count_alone)
{
	struct cells *cells = make(10, INT64_C(1) << 30);
	struct cells_counters counters;
	for (uint64_t i = 0; i < WEIR_LATE_CELLS_MAX + 5; i++)
		add_one(cells, i * SECOND, 1, 1);
	add_one(cells, 0, 1, 1); /* has its cell */
	cells_counters(cells, &counters);
	cr_assert_eq(counters.late, WEIR_LATE_CELLS_MAX + 6);
	cr_assert_eq(counters.late_uncorrected, 5);
	struct partial *partial = cells_mark(cells, (INT64_C(1) << 30) + 1, ALL);
	cr_assert_eq(partial->late_count, WEIR_LATE_CELLS_MAX);
	expect_late(partial, 0, 0, 1, 2, 2);
	expect_late(partial, WEIR_LATE_CELLS_MAX - 1, WEIR_LATE_CELLS_MAX - 1, 1, 1, 1);
	partials_free(partial);
	add_one(cells, 5 * SECOND, 1, 1);
	partial = cells_mark(cells, (INT64_C(1) << 30) + 2, ALL);
	cr_assert_eq(partial->late_count, 1);
	partials_free(partial);
	cells_destroy(cells);
}

Test(cells, a_replay_starts_where_the_first_late_event_came)
{
	struct cells *cells = make(10, 9);
	cells_block(cells, 5);
	add_one(cells, 2 * SECOND, 1, 1);
	cells_block(cells, 6);
	add_one(cells, 10 * SECOND, 1, 1);
	expect_resume(cells, 5, 9);
	struct partial *partial = cells_mark(cells, 10, 0);
	cr_assert(partial->dropped);
	cr_assert_eq(partial->late_count, 0);
	cr_assert_eq(partial->first_lsn, 5);
	partials_free(partial);
	expect_resume(cells, 6, 9);
	cells_destroy(cells);
}

Test(cells, a_series_that_is_to_be_sketched_has_a_sketch_of_all_its_events_or_none)
{
	uint8_t kinds[11] = {[2] = SKETCH_QUANTILE};
	struct cells *cells = make(10, 9);
	cells_sketches(cells, kinds);
	for (uint32_t i = 1; i <= 100; i++) {
		add_one(cells, 10 * SECOND, 1, i);
		add_one(cells, 10 * SECOND, 2, i);
		add_one(cells, 3 * SECOND, 2, i);
		kinds[1] = SKETCH_QUANTILE; /* it has a cell already */
	}
	add_one(cells, 11 * SECOND, 1, 7);
	struct partial *partial = cells_mark(cells, 10, ALL);
	struct sketch *sketch = sketch_create(SKETCH_QUANTILE);
	cr_assert_eq(partial->cells[0].sketch, 0);
	cr_assert_eq(partial->cells[1].sketch, 1);
	struct bytes_reader in = {.data = partial->sketches, .left = partial->sketch_bytes};
	cr_assert_eq(sketch_merge_saved(sketch, &in), 0);
	cr_assert_eq(sketch_count(sketch), 100);
	cr_assert_float_eq(sketch_quantile(sketch, 0.5), 50, 1);
	/* What came late has its own, behind. */
	cr_assert_eq(partial->late[0].cell.sketch, 1 + partial->sketch_bytes - in.left);
	cr_assert_eq(sketch_merge_saved(sketch, &in), 0);
	cr_assert_eq(in.left, 0);
	cr_assert_eq(sketch_count(sketch), 200);
	partials_free(partial);
	partial = cells_mark(cells, 11, ALL);
	cr_assert_eq(partial->cells[0].sketch, 1);
	partials_free(partial);
	sketch_destroy(sketch);
	cells_destroy(cells);
}

Test(cells, sketches_are_bounded_by_their_count_alone)
{
	enum { SERIES = WEIR_SKETCHES_MAX + 3 };
	uint8_t *kinds = malloc(SERIES + 1);
	struct cells_counters counters;
	struct cells *cells = make(SERIES, -1);
	memset(kinds, SKETCH_DISTINCT, SERIES + 1);
	cells_sketches(cells, kinds);
	for (uint32_t round = 0; round < 2; round++) {
		for (uint32_t i = SERIES; i > 0; i--)
			add_one(cells, round * SECOND, i, 1);
		struct partial *partial = cells_mark(cells, round, ALL);
		cr_assert_eq(partial->cells[2].sketch, 0);
		cr_assert_eq(partial->cells[3].sketch, 1);
		partials_free(partial);
		cells_counters(cells, &counters);
		cr_assert_eq(counters.unsketched, 3 * (round + 1));
	}
	free(kinds);
	cells_destroy(cells);
}

Test(cells, a_mark_closes_through_its_interval_and_leaves_the_rest_open)
{
	struct cells *cells = make(10, -1);
	for (uint64_t i = 0; i < 4; i++)
		add_one(cells, i * SECOND, 1, (double)i);
	struct partial *partial = cells_mark(cells, 1, ALL);
	expect_one(partial, 0, 1, 0);
	expect_one(partial->next, 1, 1, 1);
	cr_assert_null(partial->next->next);
	cr_assert_eq(cells_frontier(cells), 1);
	partial_free(partial->next);
	partial_free(partial);
	add_one(cells, 1 * SECOND, 1, 9);
	expect_counters(cells, 1, 0);
	add_one(cells, 3 * SECOND, 1, 10);
	partial = cells_mark(cells, 3, ALL);
	expect_one(partial, 2, 1, 2);
	cr_assert_eq(partial->next->cells[0].count, 2);
	cr_assert_eq(partial->next->cells[0].sum, 13);
	partial_free(partial->next);
	partial_free(partial);
	cells_destroy(cells);
}

Test(cells, a_mark_at_or_below_the_frontier_does_nothing)
{
	struct cells *cells = make(10, 3);
	add_one(cells, 4 * SECOND, 1, 1);
	cr_assert_null(cells_mark(cells, 3, ALL));
	cr_assert_null(cells_mark(cells, -5, ALL));
	cr_assert_eq(cells_frontier(cells), 3);
	struct partial *partial = cells_mark(cells, 4, ALL);
	expect_one(partial, 4, 1, 1);
	partial_free(partial);
	cells_destroy(cells);
}

Test(cells, an_interval_without_events_has_no_partial)
{
	struct cells *cells = make(10, -1);
	cr_assert_null(cells_mark(cells, 0, ALL));
	cr_assert_null(cells_mark(cells, 1000000, ALL));
	cr_assert_eq(cells_frontier(cells), 1000000);
	cells_destroy(cells);
}

Test(cells, a_table_used_again_remembers_nothing)
{
	struct cells *cells = make(200, -1);
	for (int64_t i = 0; i < 50; i++) {
		uint32_t series = 1 + (uint32_t)(i * 37 % 200);
		add_one(cells, (uint64_t)i * SECOND, series, -1.5 * (double)i);
		struct partial *partial = cells_mark(cells, i, ALL);
		expect_one(partial, i, series, -1.5 * (double)i);
		cr_assert_eq(partial->cells[0].min, -1.5 * (double)i);
		cr_assert_eq(partial->cells[0].max, -1.5 * (double)i);
		cr_assert_null(partial->next);
		partial_free(partial);
	}
	cells_destroy(cells);
}

Test(cells, partials_over_the_budget_are_dropped_and_say_so)
{
	struct cells *cells = make(10, -1);
	uint64_t one = sizeof(struct partial) + sizeof(struct partial_cell);
	cells_block(cells, 9);
	for (uint64_t i = 0; i < 3; i++)
		add_one(cells, i * SECOND, 1, 1);
	struct partial *partial = cells_mark(cells, 2, 2 * one);
	cr_assert_not(partial->dropped);
	cr_assert_not(partial->next->dropped);
	struct partial *third = partial->next->next;
	cr_assert(third->dropped);
	cr_assert_eq(third->cell_count, 0);
	cr_assert_eq(third->interval, 2);
	cr_assert_eq(third->first_lsn, 9);
	partial_free(third);
	partial_free(partial->next);
	partial_free(partial);
	/* What was dropped does not come back with the next interval of the same table. */
	add_one(cells, 3 * SECOND, 2, 5);
	partial = cells_mark(cells, 3, ALL);
	expect_one(partial, 3, 2, 5);
	partial_free(partial);
	cells_destroy(cells);
}

Test(cells, with_nothing_open_a_replay_starts_at_the_current_block)
{
	struct cells *cells = make(10, 6);
	cells_block(cells, 20);
	expect_resume(cells, 20, 6);
	cells_mark(cells, 8, ALL);
	/* The mark lies in block 20: who reads it again starts from what was closed before it. */
	expect_resume(cells, 20, 6);
	cells_block(cells, 21);
	expect_resume(cells, 21, 8);
	cells_destroy(cells);
}

Test(cells, a_replay_starts_where_the_oldest_open_table_was_begun)
{
	struct cells *cells = make(10, -1);
	cells_block(cells, 10);
	add_one(cells, 2 * SECOND, 1, 1);
	cells_block(cells, 11);
	add_one(cells, 0, 1, 1);
	add_one(cells, 2 * SECOND, 1, 1);
	expect_resume(cells, 10, -1);
	cells_block(cells, 12);
	partial_free(cells_mark(cells, 1, ALL));
	cells_block(cells, 13);
	add_one(cells, 3 * SECOND, 1, 1);
	expect_resume(cells, 10, -1);
	partial_free(cells_mark(cells, 2, ALL));
	expect_resume(cells, 13, 1);
	partial_free(cells_mark(cells, 3, ALL));
	expect_resume(cells, 13, 1);
	cells_destroy(cells);
}

Test(cells, the_greatest_series_has_a_cell)
{
	const uint32_t maxima[] = {1, 63, 64, 65, 40000};
	for (uint32_t i = 0; i < 5; i++) {
		struct cells *cells = make(maxima[i], -1);
		for (uint64_t k = 0; k < WEIR_OPEN_INTERVALS_MAX; k++)
			add_one(cells, k * SECOND, maxima[i], (double)k);
		struct partial *partial = cells_mark(cells, 100, ALL);
		for (int64_t k = 0; k < WEIR_OPEN_INTERVALS_MAX; k++) {
			struct partial *next = partial->next;
			expect_one(partial, k, maxima[i], (double)k);
			partial_free(partial);
			partial = next;
		}
		cr_assert_null(partial);
		cells_destroy(cells);
	}
}

/* More series than one interval's small pages: the table changes its pages on the way. */
Test(cells, large_pages_change_no_cell)
{
	enum { SERIES = 70000 };
	struct cells *cells = make(SERIES, -1);
	for (int64_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 2 * SERIES; i++)
			add_one(cells, (uint64_t)round * SECOND, 1 + i * 7919u % SERIES, i);
		struct partial *partial = cells_mark(cells, round, ALL);
		cr_assert_eq(partial->cell_count, SERIES);
		for (uint32_t i = 0; i < SERIES; i++) {
			cr_assert_eq(partial->cells[i].series, i + 1);
			cr_assert_eq(partial->cells[i].count, 2);
			cr_assert_eq(partial->cells[i].max - partial->cells[i].min, SERIES);
		}
		partial_free(partial);
	}
	cells_destroy(cells);
}

Test(cells, a_frontier_at_either_end_of_the_range_is_no_error)
{
	struct cells *cells = make(10, INT64_MIN);
	add_one(cells, 0, 1, 1);
	expect_counters(cells, 0, 1);
	cr_assert_eq(cells_window_end_ms(cells), 0);
	cr_assert_null(cells_mark(cells, 4, ALL));
	add_one(cells, 5 * SECOND, 1, 1);
	struct partial *partial = cells_mark(cells, INT64_MAX, ALL);
	expect_one(partial, 5, 1, 1);
	partial_free(partial);
	cr_assert_eq(cells_window_end_ms(cells), UINT64_MAX);
	add_one(cells, WEIR_TIME_MS_MAX, 1, 1);
	expect_counters(cells, 1, 1);
	cells_destroy(cells);
}

Test(cells, a_negative_frontier_counts_intervals_like_any_other)
{
	struct cells *cells = make(10, -4);
	add_one(cells, 0, 1, 1);
	add_one(cells, 4 * SECOND, 1, 2);
	add_one(cells, 5 * SECOND, 1, 3);
	expect_counters(cells, 0, 1);
	cr_assert_eq(cells_window_end_ms(cells), 5 * SECOND);
	struct partial *partial = cells_mark(cells, 4, ALL);
	expect_one(partial, 0, 1, 1);
	expect_one(partial->next, 4, 1, 2);
	partial_free(partial->next);
	partial_free(partial);
	cells_destroy(cells);
}

Test(cells, floor_division_finds_the_interval_of_a_time_before_1970)
{
	cr_assert_eq(interval_of_ms(0, 1000), 0);
	cr_assert_eq(interval_of_ms(999, 1000), 0);
	cr_assert_eq(interval_of_ms(-1, 1000), -1);
	cr_assert_eq(interval_of_ms(-1000, 1000), -1);
	cr_assert_eq(interval_of_ms(-1001, 1000), -2);
}

Test(cells, nothing_to_free_is_fine)
{
	cells_destroy(NULL);
	partial_free(NULL);
}
