/*
 * operator: what a person said of anomalies: mute, unmute, acknowledge, annotate. One record of the
 * control log, taken apart (engine/input.c does that); the store keeps a projection of it.
 */
#ifndef DELIVER_OPERATOR_H
#define DELIVER_OPERATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "detect/anomaly.h"

enum operator_kind {
	OPERATOR_MUTE,     /* what matches is stored, not published, until a time */
	OPERATOR_UNMUTE,   /* a mute ends now */
	OPERATOR_ACK,      /* somebody looks after an anomaly */
	OPERATOR_ANNOTATE, /* a remark on an anomaly, or on a span of time */
};

#define OPERATOR_TEXT_BYTES 1025

struct operator_input {
	enum operator_kind kind;
	uint64_t number; /* of its record among all of its sort in the store's life, from 1 */
	int64_t time_ms; /* when it was said, unix */
	char author[65];
	char text[OPERATOR_TEXT_BYTES]; /* why; the remark; may be "" */
	/* Of which anomaly; or else of which ones (MUTE, ANNOTATE), "" being any: source, metric
	 * and detector may have `*` for any text; `slice` names dimension values that an anomaly's
	 * slice must all have ("country=DE,device=mobile"). */
	bool has_id;
	uint64_t id[2];
	char source[32];
	char metric[65];
	char detector[65];
	char slice[ANOMALY_LABEL_BYTES];
	double severity_below; /* MUTE: only while the peak is below this; 0: whatever it is */
	/* MUTE: to a revision's time (the end of its interval, in event time). ANNOTATE: a span. */
	int64_t from_ms, until_ms;
	uint64_t mute; /* UNMUTE: number of the mute */
};

#endif
