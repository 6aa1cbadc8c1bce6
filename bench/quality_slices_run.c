/*
 * quality_slices_run: shops through banks, as they run live, and what these say of each fault.
 *
 * Three banks see a shop: of the one that fails, the detector as it ships and one whose threshold,
 * less the alarm budget, is once a week of each slice; of its clean twin the one that ships. A
 * fault is found by an alarm of a slice that fails, or of the total, in its direction.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detect/bank.h"
#include "detect/scoring.h"
#include "detect/severity.h"
#include "quality_slices.h"

#define MINUTE_MS 60000
#define LOUD_SEVERITY 50.0
#define CELL_FLOATS ((size_t)SLICES_CELLS * SLICES_MINUTES)

/* A bank's view of the shop. */
struct view {
	struct slices_shop *shop;
	struct bank *bank;
	enum slices_watcher watcher;
	struct slices_fault *fault; /* that may be found now, or has just been; NULL: none */
	uint32_t minute;            /* since its onset */
	uint32_t fired;
	double values[SLICES_COUNT];
	const struct slices_place *places;
	struct slice slices[SLICES_COUNT];
	uint32_t last[SLICES_COUNT]; /* hour with an alarm */
};

bool slices_named(const struct slices_fault *fault, const struct anomaly *anomaly)
{
	uint32_t right = 0;

	for (uint32_t k = 0; k < fault->count; k++) {
		struct slices_place place;
		slices_place(fault->slices[k], &place);
		for (uint32_t i = 0; i < anomaly->explanations; i++)
			right += strcmp(anomaly->explanation[i].slice, place.label) == 0;
	}
	return right == fault->count && anomaly->explanations == fault->count;
}

static bool concerned(const struct view *view, const char *label)
{
	bool is = *label == '\0';

	for (uint32_t k = 0; k < view->fault->count; k++)
		is |= strcmp(label, view->places[view->fault->slices[k]].label) == 0;
	return is;
}

static void note_found(struct view *view)
{
	struct slices_answer *answer = &view->fault->answers[view->watcher];

	if (answer->found == 0 && view->minute < SLICES_WINDOW)
		answer->found = (uint8_t)(view->minute + 1);
}

static void hear(void *self, const struct anomaly *anomaly)
{
	struct view *view = self;

	view->fired += anomaly->state == ANOMALY_FIRING;
	if (!view->fault || anomaly->state == ANOMALY_RESOLVED)
		return;
	struct slices_answer *answer = &view->fault->answers[view->watcher];
	if (answer->found == 0 || view->minute < (uint32_t)answer->found + SLICES_NAMED_AFTER)
		answer->named = slices_named(view->fault, anomaly);
	if (view->watcher == SLICES_SHIPPED && anomaly->state == ANOMALY_FIRING &&
	    anomaly->direction < 0 && concerned(view, anomaly->slice))
		note_found(view);
}

void slices_shipped(struct detector_spec *ret_spec, int64_t interval_ms)
{
	static const int64_t longer_ms[] = {300000, 3600000, 86400000};
	uint32_t count = 0;

	scoring_defaults(ret_spec);
	for (uint32_t i = 0; i < sizeof(longer_ms) / sizeof(longer_ms[0]); i++) {
		if (longer_ms[i] > interval_ms && longer_ms[i] % interval_ms == 0)
			ret_spec->resolutions_ms[count++] = longer_ms[i];
	}
}

static int view_init(struct view *view, struct slices_shop *shop, enum slices_watcher watcher,
		     const struct slices_place *places)
{
	struct detector_spec spec;

	scoring_defaults(&spec);
	/* So that with the budget of all slices each of them fires at LOUD_SEVERITY. */
	if (watcher == SLICES_WEEKLY)
		spec.severity = 2 * LOUD_SEVERITY - severity_budget(LOUD_SEVERITY, SLICES_COUNT);
	*view = (struct view){.shop = shop, .watcher = watcher, .places = places};
	view->bank = bank_create(&spec);
	for (uint32_t i = 0; i < SLICES_COUNT; i++)
		view->slices[i] = (struct slice){.label = places[i].label,
						 .rollup = places[i].rollup,
						 .dimensions = places[i].dimensions,
						 .names = places[i].names,
						 .values = places[i].values};
	return view->bank ? 0 : -ENOMEM;
}

static void add_up(struct view *view, const float *cells, uint32_t minute)
{
	for (uint32_t i = 0; i < SLICES_COUNT; i++) {
		double sum = 0.0;
		for (uint32_t rest = view->places[i].cells; rest; rest &= rest - 1) {
			uint32_t cell = (uint32_t)__builtin_ctz(rest);
			sum += (double)cells[(size_t)cell * SLICES_MINUTES + minute];
		}
		view->values[i] = sum;
	}
}

static int view_step(struct view *view, const float *cells, uint32_t minute)
{
	double events[SLICES_COUNT];
	const struct observations observations = {
		.metric = "orders",
		.source = "shop",
		.aggregation = AGGREGATE_COUNT,
		.interval = (int64_t)(COUNTS_START_MS / MINUTE_MS) + minute,
		.interval_ms = MINUTE_MS,
		.count = SLICES_COUNT,
		.value = view->values,
		.events = events,
		.sum_squares = events,
		.slices = view->slices,
	};

	add_up(view, cells, minute);
	for (uint32_t i = 0; i < SLICES_COUNT; i++)
		events[i] = isnan(view->values[i]) ? 0.0 : view->values[i];
	return bank_step(view->bank, &observations, hear, view);
}

/* Which fault may be found in this minute, or be named. */
static void turn_to(struct view *view, uint32_t minute)
{
	struct slices_fault *fault = &view->shop->faults[(minute - SLICES_TEST) / SLICES_SPACING];

	view->minute = minute - fault->onset;
	view->fault = minute >= fault->onset && view->minute < SLICES_WINDOW + SLICES_NAMED_AFTER
			      ? fault
			      : NULL;
}

/* By the severity of each slice alone. */
static void look(struct view *view)
{
	for (uint32_t i = 0; view->fault && i < SLICES_COUNT; i++) {
		struct bank_slice slice;

		if (!concerned(view, view->places[i].label))
			continue;
		bank_slice(view->bank, i, &slice);
		if (slice.severity >= LOUD_SEVERITY && view->values[i] < slice.expected)
			note_found(view);
	}
}

static void count_loud(struct view *view, uint32_t minute)
{
	for (uint32_t i = 0; i < SLICES_COUNT; i++) {
		struct bank_slice slice;

		bank_slice(view->bank, i, &slice);
		if (slice.severity < LOUD_SEVERITY || view->last[i] == minute / 60)
			continue;
		view->last[i] = minute / 60;
		view->shop->loud_hours++;
	}
}

/* Room for the cells of a shop: what each minute should be, is, and is with what fails. */
struct cells {
	float *lambda, *clean, *injected;
};

static int watch(struct slices_shop *shop, struct view *views, const struct cells *cells)
{
	struct view *weekly = &views[SLICES_WEEKLY], *shipped = &views[SLICES_SHIPPED];
	struct view *clean = &views[SLICES_WATCHERS];
	int ret = 0;

	for (uint32_t t = 0; ret == 0 && t < SLICES_MINUTES; t++) {
		for (uint32_t i = 0; t >= SLICES_TEST && i < SLICES_WATCHERS; i++)
			turn_to(&views[i], t);
		ret = view_step(weekly, cells->injected, t);
		if (ret == 0)
			ret = view_step(shipped, cells->injected, t);
		if (ret == 0)
			ret = view_step(clean, cells->clean, t);
		if (t + 1 == SLICES_TEST)
			clean->fired = 0;
		if (t < SLICES_TEST || ret < 0)
			continue;
		look(weekly);
		count_loud(clean, t);
	}
	shop->fired = clean->fired;
	return ret;
}

int slices_shop_watch(struct slices_shop *shop)
{
	struct slices_place places[SLICES_COUNT];
	float *room = malloc(3 * CELL_FLOATS * sizeof(*room));
	const struct cells cells = {room, room + CELL_FLOATS, room + 2 * CELL_FLOATS};
	struct view *views = calloc(SLICES_WATCHERS + 1, sizeof(*views));
	int ret = room && views ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < SLICES_COUNT; i++)
		slices_place(i, &places[i]);
	for (uint32_t i = 0; ret == 0 && i <= SLICES_WATCHERS; i++)
		ret = view_init(&views[i], shop,
				i < SLICES_WATCHERS ? (enum slices_watcher)i : SLICES_SHIPPED,
				places);
	if (ret == 0) {
		slices_shop_make(shop, cells.lambda, cells.clean, cells.injected);
		ret = watch(shop, views, &cells);
	}
	for (uint32_t i = 0; views && i <= SLICES_WATCHERS; i++)
		bank_destroy(views[i].bank);
	free(views);
	free(room);
	return ret;
}
