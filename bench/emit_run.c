/*
 * emit_run: what an emit costs; see emit_run.h.
 */
#include "emit_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coarse.h"
#include "plan.h"
#include "producer.h"
#include "weir/event.h"

#define ATTACH_MS 20000u
#define ROOM_MS 5000u
#define FULL_BURSTS 16u
/* Of the caller's own time: what it is does not matter. */
#define TIME_MS UINT64_C(1700000000000)

static inline void compiler_fence(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Series and value of event number i, for all loops the same. */
static inline int series_of(uint32_t i)
{
	return 1 + (int)(i % EMIT_SERIES);
}

static inline double value_of(uint32_t i)
{
	return (double)(int)i;
}

static void batch_make(struct weir_sample batch[EMIT_BATCH])
{
	for (uint32_t i = 0; i < EMIT_BATCH; i++)
		batch[i] = (struct weir_sample){.value = value_of(i), .series = series_of(i)};
}

uint64_t emit_some(struct emit_bench *bench, enum emit_way way, uint32_t count)
{
	struct weir_sample batch[EMIT_BATCH];
	uint64_t taken = 0;
	switch (way) {
	case EMIT_STAMPED:
		for (uint32_t i = 0; i < count; i++)
			taken += weir_emit(bench->w, series_of(i), value_of(i)) == 0;
		break;
	case EMIT_AT:
		for (uint32_t i = 0; i < count; i++)
			taken += weir_emit_at(bench->w, series_of(i), value_of(i), TIME_MS) == 0;
		break;
	case EMIT_MANY:
	default:
		batch_make(batch);
		for (uint32_t i = 0; i < count; i += EMIT_BATCH)
			taken += weir_emit_many(bench->w, batch, EMIT_BATCH);
	}
	bench->emitted += count;
	bench->refused += count - taken;
	return taken;
}

/* The same, as far as it cannot be left out: time, word, two stores an event, in order. */
static inline __attribute__((always_inline)) void floor_loop(struct weir_event *slots,
							      enum emit_way way, uint32_t count)
{
	static uint64_t emitted;
	struct weir_sample batch[EMIT_BATCH];
	uint64_t next = emitted, time_ms = TIME_MS;
	if (way == EMIT_MANY)
		batch_make(batch);
	for (uint32_t i = 0; i < count; i++, next++) {
		struct weir_event *slot = &slots[next % EMIT_RING_EVENTS];
		int series = series_of(i);
		double value = value_of(i);
		if (way == EMIT_STAMPED || (way == EMIT_MANY && i % EMIT_BATCH == 0))
			time_ms = coarse_ms();
		if (way == EMIT_MANY) {
			series = batch[i % EMIT_BATCH].series;
			value = batch[i % EMIT_BATCH].value;
		}
		slot->word = weir_event_word(time_ms, (uint32_t)series);
		slot->value = weir_value_bits(value);
		compiler_fence();
	}
	emitted = next;
}

static void floor_some(struct weir_event *slots, enum emit_way way, uint32_t count)
{
	switch (way) {
	case EMIT_STAMPED:
		floor_loop(slots, EMIT_STAMPED, count);
		break;
	case EMIT_AT:
		floor_loop(slots, EMIT_AT, count);
		break;
	case EMIT_MANY:
	default:
		floor_loop(slots, EMIT_MANY, count);
	}
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;
	return (left > right) - (left < right);
}

static double median(double *values, uint32_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

/* Until the ring has room for `events` more. */
static int wait_for_room(struct emit_bench *bench, uint32_t events)
{
	uint64_t end_ns = monotonic_ns() + ROOM_MS * UINT64_C(1000000);
	for (;;) {
		struct weir_ledger ledger;
		weir_ledger(bench->w, &ledger);
		if (ledger.published - ledger.persisted + events <= EMIT_RING_EVENTS)
			return 0;
		if (monotonic_ns() > end_ns)
			return -ETIMEDOUT;
		/* Two microseconds: a closer look would cost the engine lines. */
		for (uint64_t until = monotonic_ns() + 2000; monotonic_ns() < until;)
			;
	}
}

static uint32_t time_one(struct emit_bench *bench, enum emit_way way,
			 const struct weir_sample *batch, uint32_t i)
{
	uint64_t from = ticks_begin(), to;
	uint64_t taken;
	if (way == EMIT_STAMPED)
		taken = weir_emit(bench->w, series_of(i), value_of(i)) == 0;
	else if (way == EMIT_AT)
		taken = weir_emit_at(bench->w, series_of(i), value_of(i), TIME_MS) == 0;
	else
		taken = weir_emit_many(bench->w, batch, EMIT_BATCH);
	to = ticks_end();
	uint32_t events = way == EMIT_MANY ? EMIT_BATCH : 1;
	bench->emitted += events;
	bench->refused += events - taken;
	return to - from < UINT32_MAX ? (uint32_t)(to - from) : UINT32_MAX;
}

/* One call after the other. `full`: the ring is, and nothing is waited for. */
static int time_singles(struct emit_bench *bench, enum emit_way way, bool full,
			struct ticks_spread *ret_spread)
{
	struct weir_sample batch[EMIT_BATCH];
	uint32_t events = way == EMIT_MANY ? EMIT_BATCH : 1, calls = EMIT_BURST / events;
	uint32_t floor = ticks_floor(bench->samples, bench->samples_max);
	batch_make(batch);
	for (uint32_t i = 0; i < bench->samples_max; i++) {
		int r = full || i % calls ? 0 : wait_for_room(bench, EMIT_BURST);
		if (r < 0)
			return r;
		bench->samples[i] = time_one(bench, way, batch, i);
	}
	*ret_spread = ticks_spread(bench->samples, bench->samples_max, floor,
				   bench->tick_ns / events);
	return 0;
}

static double time_burst(struct emit_bench *bench, enum emit_way way)
{
	uint64_t from_ns = monotonic_ns();
	emit_some(bench, way, EMIT_BURST);
	return (double)(monotonic_ns() - from_ns) / EMIT_BURST;
}

int emit_live(struct emit_bench *bench, enum emit_way way, struct emit_cost *ret_cost)
{
	for (uint32_t i = 0; i < bench->bursts_max; i++) {
		int r = wait_for_room(bench, EMIT_BURST);
		if (r < 0)
			return r;
		bench->bursts[i] = time_burst(bench, way);
		uint64_t from_ns = monotonic_ns();
		floor_some(bench->private, way, EMIT_BURST);
		bench->floors[i] = (double)(monotonic_ns() - from_ns) / EMIT_BURST;
	}
	ret_cost->mean = median(bench->bursts, bench->bursts_max);
	ret_cost->floor = median(bench->floors, bench->bursts_max);
	return time_singles(bench, way, false, &ret_cost->single);
}

void emit_gone(struct emit_bench *bench, struct emit_cost *ret_alone, struct emit_cost *ret_full)
{
	struct weir_ledger ledger;
	uint32_t count = 0;
	*ret_alone = *ret_full = (struct emit_cost){0};
	weir_ledger(bench->w, &ledger);
	uint64_t room = EMIT_RING_EVENTS - (ledger.published - ledger.persisted);
	for (; room >= EMIT_BURST && count < bench->bursts_max; room -= EMIT_BURST)
		bench->bursts[count++] = time_burst(bench, EMIT_STAMPED);
	ret_alone->mean = count ? median(bench->bursts, count) : 0;
	for (; room; room--)
		emit_some(bench, EMIT_AT, 1);
	count = bench->bursts_max < FULL_BURSTS ? bench->bursts_max : FULL_BURSTS;
	for (uint32_t i = 0; i < count; i++)
		bench->bursts[i] = time_burst(bench, EMIT_STAMPED);
	ret_full->mean = median(bench->bursts, count);
	time_singles(bench, EMIT_STAMPED, true, &ret_full->single);
}

static int define(struct emit_bench *bench)
{
	for (uint32_t i = 0; i < EMIT_SERIES; i++) {
		struct plan_series text;
		struct weir_dimension by[PLAN_DIMENSIONS];
		plan_series(i, &text);
		for (uint32_t j = 0; j < PLAN_DIMENSIONS; j++)
			by[j] = (struct weir_dimension){text.names[j], text.values[j]};
		int id = weir_series(bench->w, text.event, WEIR_VALUE, WEIR_KIND_NUMBER, by,
				     PLAN_DIMENSIONS);
		if (id != (int)i + 1)
			return id < 0 ? id : -EPROTO;
	}
	return 0;
}

static int await_engine(struct emit_bench *bench, char *why, size_t why_bytes)
{
	uint64_t end_ns = monotonic_ns() + ATTACH_MS * UINT64_C(1000000);
	while (weir_poll(bench->w) != 1) {
		struct timespec pause = {0, 1000000};
		if (weir_refusal(bench->w)[0] || monotonic_ns() > end_ns) {
			snprintf(why, why_bytes, "the engine %s%s",
				 weir_refusal(bench->w)[0] ? "refused: " : "does not answer",
				 weir_refusal(bench->w));
			return -EIO;
		}
		nanosleep(&pause, NULL);
	}
	return 0;
}

int emit_open(struct emit_bench *bench, const char *socket, char *why, size_t why_bytes)
{
	struct weir_options options = {
		.size = sizeof(options),
		.socket_path = socket ? socket : "/nonexistent/weir.sock",
		.ring_events = EMIT_RING_EVENTS,
		.program = "weir-bench",
	};
	bench->emitted = bench->refused = 0;
	int r = weir_open(&options, &bench->w);
	if (r == 0)
		r = define(bench);
	if (r == 0 && socket)
		return await_engine(bench, why, why_bytes);
	if (r < 0)
		snprintf(why, why_bytes, "weir_open: %s", strerror(-r));
	return r;
}

void emit_close(struct emit_bench *bench)
{
	weir_close(bench->w, 0);
	bench->w = NULL;
}
