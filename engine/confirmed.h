/*
 * confirmed: incidents that people confirmed, kept out of what a rebuilt state learns.
 *
 * Idea:  a detector that lives through a history again meets an incident under another id, or finds
 *        none there: what was said of it holds by its span of time and its slice. So each becomes
 *        an entry of the calendar that the rebuild has, of effect exclude and the number of the
 *        feedback; no calendar but that one ever has it.
 *
 * Of an incident that went on when it was confirmed, what came afterwards is not held. Other
 * detectors of the metric do not learn from it either, nor do slices of a slice: of an incident of
 * the total all slices.
 *
 * Runs on: the rebase agent; whoever looks back (backtest.h).
 */
#ifndef ENGINE_CONFIRMED_H
#define ENGINE_CONFIRMED_H

#include "detect/calendar.h"
#include "scorer.h"

/* Those of this source that the store has: 0 or negative. */
int confirmed_stored(const char *store_path, const char *source, struct calendar *calendar);
/* Those that a scorer was told of. */
int confirmed_told(const struct scorer *told, const char *source, struct calendar *calendar);

#endif
