/*
 * bank: one detector over all slices of one metric of one source: scores, severities, the life of
 * anomalies, their diagnosis.
 *
 * Runs on: the shard that owns the metric. Deterministic: same observations, same revisions.
 */
#ifndef DETECT_BANK_H
#define DETECT_BANK_H

#include <stdbool.h>

#include "base/bytes.h"
#include "detect/anomaly.h"
#include "detect/calendar.h"
#include "detect/detector.h"

struct bank;

/* Copies the spec and its zone. NULL: no memory. */
struct bank *bank_create(const struct detector_spec *spec);
/* Other rules of the zone that has the same name, from the next step on: 0 or -ENOMEM. */
int bank_zone(struct bank *bank, const struct zone *zone);
void bank_destroy(struct bank *bank);
/* What is known to come, from the next step on. Stays the caller's, who may change it between two
 * steps; NULL: nothing. */
void bank_calendar(struct bank *bank, const struct calendar *calendar);
/* What people said of this detector's anomalies: the caller's, who may change it between two steps
 * and then calls this again; steps count in it what it suppressed. NULL: nothing. */
struct feedback_list;
void bank_feedback(struct bank *bank, struct feedback_list *list);
const char *bank_detector(const struct bank *bank); /* its name */
int64_t bank_interval_ms(const struct bank *bank);  /* of the observations; 0: none yet */
/* The next interval. `each` is called for every new revision, in slice order; the anomaly is the
 * callee's to copy. Grows its state when new slices came (the only allocation, before step()). */
typedef void bank_each(void *self, const struct anomaly *anomaly);
int bank_step(struct bank *bank, const struct observations *observations, bank_each *each,
	      void *self);
/* For who does not want to hear. */
static inline void bank_unheard(void *self, const struct anomaly *anomaly)
{
	(void)self;
	(void)anomaly;
}
/* Sums of several intervals at once, for a state rebuilt from a coarse history: `observations` is
 * as of the last of `intervals` that lie in a stretch of step_ms. Only a detector that has periods
 * made of such stretches can take them. */
bool bank_absorbs(const struct bank *bank, int64_t interval_ms, int64_t step_ms);
/* `intervals` of `step_ms` in all, of which so many incomplete. What has had them leaves out the
 * intervals up to `through` when they come one by one. */
int bank_absorb(struct bank *bank, const struct observations *observations, int64_t intervals,
		int64_t step_ms, int64_t incomplete, int64_t through);
/* Intervals seen, and how many the detector wants ("learning, n of m"): to say anything; of kind
 * seasonal, which speaks long before, to have seen day and week. */
void bank_learning(const struct bank *bank, uint64_t *ret_seen, uint64_t *ret_wanted);
uint64_t bank_bytes(const struct bank *bank); /* of state, for status */
/* One slice as of the last step, for people. */
struct bank_slice {
	const char *label;
	double expected, lower, upper;
	double score, onset; /* -log10 of the tail probability; where an anomaly opens, else 0 */
	double severity;
	bool pending, firing;
};
uint32_t bank_slices(const struct bank *bank);
/* Of these, what its alarm budget is shared by: those of which the last step said something. */
uint32_t bank_watched(const struct bank *bank);
void bank_slice(const struct bank *bank, uint32_t slice, struct bank_slice *ret_slice);
/* Checkpoint; load into a bank of an equal spec: 0 or -EPROTO. */
void bank_save(const struct bank *bank, struct bytes *out);
int bank_load(struct bank *bank, struct bytes_reader *in);
/* A revision of `resolved` for everything that fires or is pending (the detector is removed by
 * configuration). */
void bank_end(struct bank *bank, int64_t interval, bank_each *each, void *self);
/* 128-bit id of an anomaly. Exposed for tests and tools. */
void anomaly_id(const char *detector, const char *source, const char *metric, const char *slice,
		int64_t start, uint64_t ret_id[2]);

#endif
