/*
 * outlook_private: between outlook.c (which points) and outlook_said.c (what a detector says of
 * them). Nobody else includes this.
 */
#ifndef ENGINE_OUTLOOK_PRIVATE_H
#define ENGINE_OUTLOOK_PRIVATE_H

#include "outlook.h"

#include "detect/detector.h"

/* The detector that is asked, as it is told to watch points of the step. */
struct outlook_judge {
	struct detector_spec spec;
	bool said; /* any can be asked */
	bool own;  /* the step is its own period */
	bool missing; /* of the metric: an interval in which nothing came has no value */
	int64_t lead_ms; /* what it wants to have seen before it says anything; INT64_MAX: all */
};

/* Who can say most of the metric at this step. 0; -ENOENT: there is no such detector (`why` lists
 * those that watch it). */
int outlook_choose(const struct outlook_query *query, struct outlook *outlook,
		   struct outlook_judge *ret_judge, char *why, size_t why_bytes);
/* Live through the history's points; of those from `first` on, keep what is said: [outlook.count]
 * of outlook->points, whose values are there. 0 or negative errno. */
int outlook_live(const struct outlook_query *query, const struct outlook_judge *judge,
		 const struct history_answer *history, uint32_t first, struct outlook *outlook);

#endif
