/*
 * producer_emit: how a producer emits; see producer_emit.h. Where the ring is full, weir_emit waits
 * in the kernel, so that a producer never takes from a lane the processor that it waits for.
 */
#include "producer_emit.h"

#include <sys/prctl.h>
#include <time.h>

#include "weir/order.h"

#define EVENTS_PER_LOOK 4096u /* between looks at the clock */
/* Pieces between two events whose way is watched, as fast as it can. */
#define PIECES_PER_NOTE 8u
#define PACE_SLEEP_NS 100000
#define IDLE_SLEEP_MS 100u
#define POLL_EVERY_MS 1000u
#define NOTES_MAX 8192u /* watched at once: a note is then 100 us old on average, or more */

/* Events on their way: sequences (from 1) and when their emit began. */
struct watch {
	uint64_t sequences[NOTES_MAX], begun_ns[NOTES_MAX];
	uint32_t first, count;
};

struct emission {
	weir *w;
	const struct producer_options *options;
	struct producer_report *report;
	struct plan_cursor cursor;
	struct watch watch;
};

static void emit_one_by_one(weir *w, struct plan_cursor *cursor, uint32_t count)
{
	while (count > 0) {
		const uint32_t *indexes;
		uint32_t now = plan_take(cursor, count, &indexes);
		/* What is not taken shows in the ledger. */
		for (uint32_t i = 0; i < now; i++)
			(void)weir_emit(w, (int)indexes[i] + 1,
					(double)plan_value(cursor, indexes[i]));
		count -= now;
	}
}

static void emit_batches(weir *w, struct plan_cursor *cursor, uint32_t count, uint32_t batch)
{
	struct weir_sample samples[PRODUCER_BATCH_MAX];
	while (count > 0) {
		const uint32_t *indexes;
		uint32_t now = plan_take(cursor, count < batch ? count : batch, &indexes);
		for (uint32_t i = 0; i < now; i++)
			samples[i] = (struct weir_sample){
				.series = (int)indexes[i] + 1,
				.value = (double)plan_value(cursor, indexes[i]),
			};
		(void)weir_emit_many(w, samples, now);
		count -= now;
	}
}

static void emit_piece(struct emission *emission, uint32_t count)
{
	if (emission->options->batch)
		emit_batches(emission->w, &emission->cursor, count, emission->options->batch);
	else
		emit_one_by_one(emission->w, &emission->cursor, count);
	/* Relaxed: a number that the parent may look at meanwhile. */
	weir_store_relaxed_64(&emission->report->events, emission->report->events + count);
}

/* The next event's emit begins now. */
static void note(struct emission *emission, uint64_t now_ns)
{
	struct watch *watch = &emission->watch;
	if (watch->count == NOTES_MAX)
		return;
	uint32_t at = (watch->first + watch->count++) % NOTES_MAX;
	watch->sequences[at] = emission->report->events + 1;
	watch->begun_ns[at] = now_ns;
}

static void look(struct emission *emission, uint64_t now_ns)
{
	struct watch *watch = &emission->watch;
	struct weir_ledger ledger;
	if (watch->count == 0)
		return;
	weir_ledger(emission->w, &ledger);
	while (watch->count > 0 && watch->sequences[watch->first] <= ledger.durable) {
		delays_add(&emission->report->delays, now_ns - watch->begun_ns[watch->first]);
		watch->first = (watch->first + 1) % NOTES_MAX;
		watch->count--;
	}
}

static void sleep_ns(uint64_t ns)
{
	struct timespec pause = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
	nanosleep(&pause, NULL);
}

static void emit_at_once(struct emission *emission)
{
	const struct producer_options *options = emission->options;
	struct producer_report *report = emission->report;
	uint64_t now_ns = report->first_ns;
	for (uint32_t piece = 0;; piece++) {
		if (piece % PIECES_PER_NOTE == 0)
			note(emission, now_ns);
		emit_piece(emission, EVENTS_PER_LOOK);
		now_ns = monotonic_ns();
		look(emission, now_ns);
		if (now_ns - report->first_ns >= options->run_ns ||
		    report->events + EVENTS_PER_LOOK > options->events_max)
			return;
	}
}

/* What is due, every tenth of a millisecond or so. */
static void emit_paced(struct emission *emission)
{
	const struct producer_options *options = emission->options;
	struct producer_report *report = emission->report;
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	for (;;) {
		uint64_t now_ns = monotonic_ns(), ran_ns = now_ns - report->first_ns;
		look(emission, now_ns);
		if (ran_ns >= options->run_ns)
			return;
		uint64_t due = (uint64_t)((double)ran_ns * options->rate * 1e-9) - report->events;
		if (due > EVENTS_PER_LOOK)
			due = EVENTS_PER_LOOK;
		if (report->events + due > options->events_max)
			return;
		if (due > 0) {
			/* From when the first of these was due, so that what holds us up counts. */
			note(emission, report->first_ns + (uint64_t)((double)report->events * 1e9 /
								     options->rate));
			emit_piece(emission, (uint32_t)due);
		}
		if (due < EVENTS_PER_LOOK)
			sleep_ns(PACE_SLEEP_NS);
	}
}

/* An application that is attached, and has nothing to say. */
static void stay_idle(struct emission *emission)
{
	uint64_t end_ns = emission->report->first_ns + emission->options->run_ns;
	uint32_t since_ms = 0;
	while (monotonic_ns() < end_ns) {
		sleep_ns(IDLE_SLEEP_MS * UINT64_C(1000000));
		since_ms += IDLE_SLEEP_MS;
		if (since_ms >= POLL_EVERY_MS) {
			(void)weir_poll(emission->w);
			since_ms = 0;
		}
	}
}

void producer_emit(weir *w, const struct plan *plan, const struct producer_options *options,
		   struct producer_report *report)
{
	/* One thread of the process runs this, once. */
	static struct emission emission;
	emission = (struct emission){.w = w, .options = options, .report = report};
	plan_start(plan, &emission.cursor);
	report->first_ns = monotonic_ns();
	if (options->idle)
		stay_idle(&emission);
	else if (options->rate > 0)
		emit_paced(&emission);
	else
		emit_at_once(&emission);
	report->last_ns = monotonic_ns();
}
