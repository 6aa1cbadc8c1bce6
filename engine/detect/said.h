/*
 * said: what people say to detectors, as plain data: the door by which a record of the control log,
 * taken apart (deliver/operator.h), comes to a bank.
 */
#ifndef DETECT_SAID_H
#define DETECT_SAID_H

#include <stdint.h>

enum feedback_verdict {
	FEEDBACK_NO = 1, /* a false alarm */
	FEEDBACK_YES,    /* an incident */
	FEEDBACK_UNSURE, /* kept, and nothing follows from it */
	FEEDBACK_VERDICTS
};
const char *feedback_verdict_name(enum feedback_verdict verdict);

/* An anomaly's size on so many scales: its largest deviations from what was expected, averaged over
 * 1, 8 and 64 intervals. 0: it did not last so long. */
#define FEEDBACK_SCALES 3

/* What a detector cannot know from an anomaly's id: the record of the feedback says it. */
struct feedback_said {
	enum feedback_verdict verdict;
	int direction;
	int64_t start_ms, end_ms; /* of the anomaly; of an open one up to its last revision */
	int64_t period_ms;        /* between its values: an interval, or what `frequency` says */
	double severity_peak;
	double usual;                    /* what was expected of a period when it began */
	double size[FEEDBACK_SCALES];    /* in its direction, so positive */
	double rebound[FEEDBACK_SCALES]; /* the other way: what was used to it misses it then */
};

#endif
