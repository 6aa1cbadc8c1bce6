/*
 * producer_emit: how a producer emits: as fast as it can, at a rate, or not at all; and how long an
 * event then takes until it is durable.
 *
 * Idea:  before an event now and then, its sequence and the time are noted. Between two pieces of
 *        emitting (or of sleep) the producer looks how far `durable` has moved, which is a load
 *        from the page that the engine says it in, and books what has become durable. Neither lane
 *        nor emit does anything for it, and a delay is at most a piece too long.
 */
#ifndef BENCH_PRODUCER_EMIT_H
#define BENCH_PRODUCER_EMIT_H

#include "plan.h"
#include "producer.h"

/* Emit `plan`'s events into `w` as the options say; all but state, durable_ns and ledger of the
 * report is filled. */
void producer_emit(weir *w, const struct plan *plan, const struct producer_options *options,
		   struct producer_report *report);

#endif
