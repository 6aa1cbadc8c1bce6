/*
 * scorer_rebuild: a scorer that lives through a history instead of closes; see scorer.h, rebase.h.
 *
 * Runs on: the rebase agent; whoever looks back (backtest.h). Deterministic, no I/O, no clock.
 */
#include <string.h>

#include "scorer_private.h"

struct metric_state *scorer_metric(struct scorer *scorer, uint32_t source, const char *name,
				   uint64_t spec)
{
	for (struct metric_state *m = scorer->metrics; m; m = m->next)
		if (m->source == source && m->recorder.spec == spec &&
		    strcmp(scorer->config->metrics[m->index].name, name) == 0)
			return m;
	return NULL;
}

bool scorer_watched(const struct metric_state *metric)
{
	return metric->banks_count > 0;
}

uint32_t scorer_slice(struct metric_state *metric, const char *label, int64_t interval)
{
	return rollup_slice(metric->rollup, label, interval);
}

int scorer_put(struct metric_state *metric, enum history_kind kind, uint32_t slice,
	       int64_t interval, const uint64_t *words, const uint8_t *sketch, size_t bytes)
{
	return recorder_put(metric->rollup, kind, slice, interval, words, sketch, bytes);
}

void scorer_carried(struct scorer *scorer, bank_each *each, void *self)
{
	for (const struct scored *at = scorer->carried.first; at; at = at->next)
		each(self, &at->anomaly);
	scored_list_free(&scorer->carried);
}

int scorer_step(struct scorer *scorer, uint32_t source, int64_t interval, bool incomplete,
		bank_each *each, void *self)
{
	scorer_carried(scorer, each ? each : bank_unheard, self);
	for (struct metric_state *m = scorer->metrics; m; m = m->next) {
		if (m->source != source)
			continue;
		const struct observations *observations =
			rollup_close(m->rollup, interval, incomplete ? OBSERVATION_INCOMPLETE : 0);
		for (uint32_t i = 0; i < m->banks_count; i++) {
			struct bank *bank = m->banks[i].bank;
			int error = bank_step(bank, observations, each ? each : bank_unheard, self);
			if (error < 0)
				return error;
		}
		m->last = interval;
		m->scored = true;
	}
	return 0;
}

int scorer_absorb(struct scorer *scorer, uint32_t source, const struct scorer_stretch *stretch)
{
	for (struct metric_state *m = scorer->metrics; m; m = m->next) {
		if (m->source != source)
			continue;
		const struct observations *observations = rollup_close(m->rollup, stretch->interval,
								       0);
		for (uint32_t i = 0; i < m->banks_count; i++) {
			struct bank *bank = m->banks[i].bank;
			if (!bank_absorbs(bank, scorer->interval_ms, stretch->step_ms))
				continue;
			int error = bank_absorb(bank, observations, stretch->intervals,
						stretch->step_ms, stretch->incomplete,
						stretch->through);
			if (error < 0)
				return error;
		}
	}
	return 0;
}

void scorer_settle(struct scorer *scorer, bank_each *each, void *self)
{
	for (struct metric_state *m = scorer->metrics; m; m = m->next)
		for (uint32_t i = 0; i < m->banks_count; i++)
			bank_end(m->banks[i].bank, m->last, each ? each : bank_unheard, self);
}
