/*
 * cells: against a model that keeps every open interval in a plain array and looks through all of
 * them for each event. Two instances get the same events, one in whole batches, the other in
 * pieces: both must say, bit for bit, what the model says.
 */
#include "interval/cells.h"

#include <math.h>
#include <string.h>

#include "support/random.h"

#define SERIES_MAX 300
#define EVENTS_MAX 400

struct model_interval {
	bool used;
	int64_t interval;
	uint64_t lsn;
	int64_t frontier; /* at the start of block lsn */
	struct partial_cell cells[SERIES_MAX + 1];
};

struct model {
	int64_t interval_ms, frontier;
	uint64_t lsn;
	int64_t block_frontier;
	uint64_t late, future;
	struct model_interval open[WEIR_OPEN_INTERVALS_MAX];
};

static struct model model;

static bool same(double a, double b)
{
	return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof(a)) == 0;
}

static struct model_interval *model_open(int64_t interval)
{
	struct model_interval *unused = NULL;
	for (int i = 0; i < WEIR_OPEN_INTERVALS_MAX; i++) {
		if (model.open[i].used && model.open[i].interval == interval)
			return &model.open[i];
		if (!model.open[i].used)
			unused = &model.open[i];
	}
	expect(unused);
	memset(unused, 0, sizeof(*unused));
	unused->used = true;
	unused->interval = interval;
	unused->lsn = model.lsn;
	unused->frontier = model.block_frontier;
	return unused;
}

static void model_add(const struct weir_event *event)
{
	uint64_t time_ms = weir_event_time_ms(event->word);
	int64_t interval = interval_of_ms((int64_t)time_ms, model.interval_ms);
	double value = weir_bits_value(event->value);
	if (interval <= model.frontier) {
		model.late++;
		return;
	}
	if (interval > model.frontier + WEIR_OPEN_INTERVALS_MAX) {
		model.future++;
		return;
	}
	struct partial_cell *cell = &model_open(interval)->cells[weir_event_series(event->word)];
	if (cell->count == 0 || value < cell->min)
		cell->min = value;
	if (cell->count == 0 || value > cell->max)
		cell->max = value;
	cell->count++;
	cell->sum = cell->count == 1 ? value : cell->sum + value;
	cell->sum_squares += value * value;
}

static void compare_partial(const struct partial *partial, const struct model_interval *open,
			    bool dropped)
{
	uint32_t at = 0, count = 0;
	expect(partial->interval == open->interval);
	expect(partial->first_lsn == open->lsn && partial->first_frontier == open->frontier);
	expect(partial->source == 5 && partial->epoch == 6 && partial->lane == 7);
	expect(partial->dropped == dropped);
	for (uint32_t series = 0; series <= SERIES_MAX; series++) {
		const struct partial_cell *is = &partial->cells[at], *should = &open->cells[series];
		if (should->count == 0)
			continue;
		count++;
		if (dropped)
			continue;
		expect(at < partial->cell_count);
		expect(is->series == series && is->count == should->count);
		expect(same(is->sum, should->sum) && same(is->sum_squares, should->sum_squares));
		expect(same(is->min, should->min) && same(is->max, should->max));
		at++;
	}
	expect(partial->cell_count == (dropped ? 0 : count));
}

static uint64_t model_bytes(const struct model_interval *open)
{
	uint64_t bytes = sizeof(struct partial);
	for (uint32_t series = 0; series <= SERIES_MAX; series++)
		bytes += open->cells[series].count > 0 ? sizeof(struct partial_cell) : 0;
	return bytes;
}

/* Compare a mark's partials with the model's intervals up to it, oldest first. */
static void compare_mark(struct partial *partial, int64_t interval, uint64_t budget)
{
	for (int64_t i = model.frontier + 1; i <= model.frontier + WEIR_OPEN_INTERVALS_MAX; i++) {
		const struct model_interval *open = NULL;
		for (int j = 0; j < WEIR_OPEN_INTERVALS_MAX; j++)
			if (model.open[j].used && model.open[j].interval == i)
				open = &model.open[j];
		if (!open || i > interval)
			continue;
		uint64_t bytes = model_bytes(open);
		bool dropped = bytes > budget;
		expect(partial);
		compare_partial(partial, open, dropped);
		budget -= dropped ? 0 : bytes;
		struct partial *next = partial->next;
		partial_free(partial);
		partial = next;
	}
	expect(!partial);
}

static void model_mark(int64_t interval)
{
	for (int i = 0; i < WEIR_OPEN_INTERVALS_MAX; i++)
		if (model.open[i].interval <= interval)
			model.open[i].used = false;
	if (interval > model.frontier)
		model.frontier = interval;
}

static void compare_state(const struct cells *cells)
{
	struct cells_counters counters;
	uint64_t lsn = model.lsn, is_lsn;
	int64_t frontier = model.block_frontier, is_frontier;
	for (int i = 0; i < WEIR_OPEN_INTERVALS_MAX; i++)
		if (model.open[i].used && model.open[i].lsn < lsn) {
			lsn = model.open[i].lsn;
			frontier = model.open[i].frontier;
		}
	cells_resume(cells, &is_lsn, &is_frontier);
	expect(is_lsn == lsn && is_frontier == frontier);
	cells_counters(cells, &counters);
	expect(counters.late == model.late && counters.future == model.future);
	expect(cells_frontier(cells) == model.frontier);
	int64_t end = (model.frontier + WEIR_OPEN_INTERVALS_MAX + 1) * model.interval_ms;
	expect(cells_window_end_ms(cells) == (end < 0 ? 0 : (uint64_t)end));
}

static uint64_t random_value(void)
{
	switch (random_below(5)) {
	case 0:
		return weir_value_bits((double)random_below(5) - 2);
	case 1:
		return random_next() & ~(UINT64_C(1) << 62); /* a hash */
	case 2:
		return weir_value_bits(random_one_in(2) ? -0.0 : 0.0);
	case 3:
		return weir_value_bits(random_one_in(2) ? 1.7e308 : -1.7e308);
	default:
		return weir_value_bits((double)random_next() / 1e15 - 9000);
	}
}

/* Mostly in one interval, as live events are; some anywhere around the window. */
static void random_events(struct weir_event *events, uint32_t count, uint32_t series_max)
{
	int64_t ahead = 1 + (int64_t)random_below(3);
	for (uint32_t i = 0; i < count; i++) {
		int64_t at = model.frontier + ahead;
		if (random_one_in(10))
			at = model.frontier - 2 +
			     (int64_t)random_below(WEIR_OPEN_INTERVALS_MAX + 5);
		int64_t time_ms = at * model.interval_ms +
				  (int64_t)random_below((uint64_t)model.interval_ms);
		if (time_ms < 0)
			time_ms = 0;
		uint32_t series = 1 + (uint32_t)random_below(series_max);
		events[i].word = weir_event_word((uint64_t)time_ms, series);
		events[i].value = random_value();
	}
}

static void add_pieces(struct cells *cells, const struct weir_event *events, uint32_t count)
{
	for (uint32_t at = 0; at < count;) {
		uint32_t piece = 1 + (uint32_t)random_below(count - at);
		struct batch batch = {.events = events + at, .count = piece, .source = 5};
		cells_add(cells, &batch);
		at += piece;
	}
}

static void step(struct cells *whole, struct cells *pieces, uint32_t series_max)
{
	struct weir_event events[EVENTS_MAX];
	switch (random_below(8)) {
	case 0:
		model.lsn += 1 + random_below(3);
		model.block_frontier = model.frontier;
		cells_block(whole, model.lsn);
		cells_block(pieces, model.lsn);
		break;
	case 1:
	case 2: {
		int64_t interval = model.frontier - 1 + (int64_t)random_below(4);
		uint64_t budget = random_one_in(3) ? random_below(8000) : UINT64_MAX;
		if (random_one_in(8))
			interval = model.frontier + (int64_t)random_below(40);
		compare_mark(cells_mark(whole, interval, budget), interval, budget);
		compare_mark(cells_mark(pieces, interval, budget), interval, budget);
		model_mark(interval);
		break;
	}
	default: {
		uint32_t count = (uint32_t)random_below(random_one_in(3) ? EVENTS_MAX : 20);
		random_events(events, count, series_max);
		struct batch batch = {.events = events, .count = count, .source = 5};
		cells_add(whole, &batch);
		add_pieces(pieces, events, count);
		for (uint32_t i = 0; i < count; i++)
			model_add(&events[i]);
	}
	}
}

static void round_of_cells(void)
{
	const int64_t widths[] = {1, 7, 1000, 10000, 86400000};
	const uint32_t maxima[] = {1, 5, 63, 64, 65, SERIES_MAX};
	uint32_t series_max = maxima[random_below(6)];

	memset(&model, 0, sizeof(model));
	model.interval_ms = widths[random_below(5)];
	int64_t last = ((int64_t)1 << 41) / model.interval_ms;
	model.frontier = (int64_t)random_below((uint64_t)last) - 1;
	if (random_one_in(4))
		model.frontier = (int64_t)random_below(10) - 5;
	model.lsn = 1;
	model.block_frontier = model.frontier;
	struct cells *whole = cells_create(series_max, model.interval_ms, 5, 6, 7, model.frontier);
	struct cells *pieces = cells_create(series_max, model.interval_ms, 5, 6, 7, model.frontier);
	expect(whole && pieces);
	cells_block(whole, 1);
	cells_block(pieces, 1);
	for (int i = 0; i < 150; i++) {
		step(whole, pieces, series_max);
		compare_state(whole);
		compare_state(pieces);
	}
	cells_destroy(whole);
	cells_destroy(pieces);
}

int main(int argc, char **argv)
{
	return random_main(argc, argv, 300, round_of_cells);
}
