/*
 * operator: what a person said: mute, unmute, acknowledge, annotate, feedback on an anomaly, a
 * calendar's entry. One record of the control log, taken apart (engine/input*.c do that); the store
 * keeps a projection of it.
 */
#ifndef DELIVER_OPERATOR_H
#define DELIVER_OPERATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "detect/anomaly.h"
#include "detect/said.h"

enum operator_kind {
	OPERATOR_MUTE,     /* what matches is stored, not published, until a time */
	OPERATOR_UNMUTE,   /* a mute ends now */
	OPERATOR_ACK,      /* somebody looks after an anomaly */
	OPERATOR_ANNOTATE, /* a remark on an anomaly, or on a span of time */
	/* From here on detectors hear of them: scorer_input(). */
	OPERATOR_FEEDBACK,        /* was an anomaly one? */
	OPERATOR_FEEDBACK_UNDO,   /* as if one feedback had not been given, from here on */
	OPERATOR_CALENDAR_ADD,    /* an entry of the calendar */
	OPERATOR_CALENDAR_REMOVE, /* one holds no longer */
	/* The configuration is another one by them: a record of its own says which. */
	OPERATOR_OVERRIDE,      /* keys of the configuration's detectors are others */
	OPERATOR_OVERRIDE_UNDO, /* one of them holds no longer */
	OPERATOR_KINDS
};

#define OPERATOR_TEXT_BYTES 1025
#define OPERATOR_DETAIL_BYTES 4097
#define OPERATOR_KEY_BYTES 65

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
	/* UNMUTE, FEEDBACK_UNDO, CALENDAR_REMOVE, OVERRIDE_UNDO: number of what is over with it */
	uint64_t ends;
	struct feedback_said feedback; /* FEEDBACK */
	/* The members that only its kind has, and `key`, under which it was said (engine/told.h),
	 * as they stood in the record: a JSON object; or "". */
	char detail[OPERATOR_DETAIL_BYTES];
};

#endif
