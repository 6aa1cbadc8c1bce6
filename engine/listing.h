/*
 * listing: what the store holds, as JSON for people: anomalies with what operators said of them,
 * mutes and annotations. The control socket's answers; `weirctl anomalies DIR` without an engine.
 *
 * Runs on: the control agent; weirctl. Reads over a connection to SQLite of its own.
 */
#ifndef ENGINE_LISTING_H
#define ENGINE_LISTING_H

#include <jansson.h>

#include "deliver/store.h"

/* A revision as subscribers get it, and beside that, where there is something to say, the member
 * `operator`: {"ack": {number, author, time_ms, text}, "feedback": {the same, verdict}, "notes":
 * [the same, ...]}; of a resolved one `strongest`: {interval_start, severity, observed, expected}
 * of its most severe revision. NULL: no memory. */
json_t *listing_event(struct store_reader *reader, const struct anomaly *anomaly,
		      const char *environment);
/* {"number", "kind", "author", "time_ms", "text", and what it is about}; a mute that was ended by
 * hand has "ended". */
json_t *listing_input(const struct operator_input *input, uint64_t ended);
/* What was last said of an anomaly and not taken back: enum feedback_verdict; 0: nothing; negative
 * errno. */
int listing_verdict(struct store_reader *reader, const uint64_t id[2]);
/* enum anomaly_state bits of a list such as "firing,pending"; 0: not such a list. */
uint32_t listing_states(const char *names);

/* Whole answers to requests at the control socket; malloc'd. */
char *listing_anomalies(const char *store_path, const char *environment, const json_t *request);
char *listing_inputs(const char *store_path, const json_t *request);

#endif
