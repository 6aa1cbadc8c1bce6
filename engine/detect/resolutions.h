/*
 * resolutions: one detector that looks at its own interval and at longer periods of the same
 * observations: 5 minutes, an hour, a day. What is small and lasts is seen where it adds up.
 *
 *   rank 0   | | | | | | | | | | | | |    the intervals
 *   rank 1   |     5 min   |     ...      their sums      a bank each, with a state of its own
 *   rank 2   |         1 h        ...     sums of these
 *   rank 3   |         1 d        ...
 *
 *   resolutions.c    the banks: made, fed, saved
 *   incident.c       what they say becomes one anomaly for each incident
 *
 * Runs on: the shard that owns the metric. Allocates when slices are added and nowhere else.
 */
#ifndef DETECT_RESOLUTIONS_H
#define DETECT_RESOLUTIONS_H

#include "detect/life.h"

#define RANKS_MAX (1 + DETECTOR_RESOLUTIONS_MAX)

enum voice_status {
	VOICE_NONE,    /* nothing is anomalous */
	VOICE_PENDING, /* tells an anomaly that does not fire yet */
	VOICE_TELLS,   /* an anomaly is open under its name */
	VOICE_JOINED,  /* what it sees is part of another one's anomaly */
	VOICE_SILENT,  /* what it sees has been told, and that anomaly is over */
};

/* What a rank has to do with what is told of a slice. */
struct voice {
	uint8_t status; /* enum voice_status */
	uint8_t host;   /* JOINED: rank of the one that tells */
	int8_t direction;
	uint8_t band;      /* TELLS: the highest told, enum severity_band */
	bool over;         /* TELLS: it sees no more of it, another one does */
	uint32_t revision; /* PENDING, TELLS: the last */
	int64_t start;     /* first interval of the anomaly, and of its group */
	int64_t group;
	int64_t peak_interval;
	double peak; /* raw, of all that are part of it */
	double own;  /* the highest that it saw itself */
};

struct incident {
	struct voice voices[RANKS_MAX];
	/* Of the last anomaly told, down and up: its last interval, INT64_MIN: none; its peak. */
	int64_t ended[2];
	double peak[2];
};

struct resolutions {
	struct bank *banks[RANKS_MAX]; /* by rank; 0: the one whose resolutions these are */
	uint32_t feeders[RANKS_MAX];   /* rank of the one whose sums it adds up */
	uint32_t ranks;
	uint32_t slices, capacity;
	struct incident *incidents;
	bank_each *each; /* of the step in hand */
	void *self;
};

/* Make those that the bank's specification asks for and that are longer than its interval, of
 * metrics whose periods add up: 0 or -ENOMEM. */
int resolutions_make(struct bank *bank, enum aggregation aggregation);
void resolutions_free(struct bank *bank);
/* By how much the threshold of one of so many is higher: together they have one alarm budget. */
double resolutions_handicap(uint32_t rank, uint32_t ranks);
int resolutions_grow(struct resolutions *resolutions, uint32_t slices);
/* Other rules of the zone. */
int resolutions_zone(struct bank *bank);
/* The calendar is the bank's, and so is what people say. */
void resolutions_calendar(struct bank *bank);
void resolutions_feedback(struct bank *bank, struct feedback_list *list);
int resolutions_step(struct resolutions *resolutions, const struct observations *observations,
		     bank_each *each, void *self);
bool resolutions_absorb_any(const struct bank *bank, int64_t interval_ms, int64_t step_ms);
int resolutions_absorb(struct resolutions *resolutions, const struct observations *observations,
		       int64_t intervals, int64_t step_ms, int64_t incomplete, int64_t through);
void resolutions_end(struct resolutions *resolutions, int64_t interval, bank_each *each,
		     void *self);
uint64_t resolutions_bytes(const struct bank *bank); /* beside the bank's own */
void resolutions_save(const struct bank *bank, struct bytes *out);
int resolutions_load(struct bank *bank, struct bytes_reader *in); /* 0, -EPROTO, -ENOMEM */

/* incident.c: what one rank says, on its way out. */
struct ear {
	struct resolutions *resolutions;
	uint32_t rank;
};
void incident_hear(void *ear, const struct anomaly *anomaly); /* bank_each */
/* Of the anomaly that what a rank sees is part of; 0: of none. */
void incident_id(const struct resolutions *resolutions, uint32_t rank, uint32_t slice,
		 uint64_t ret_id[2]);
/* Is an anomaly of the slice open? */
bool incident_fires(const struct resolutions *resolutions, uint32_t slice);
void incident_clear(struct incident *incident);
void incident_save(const struct resolutions *resolutions, uint32_t slice, struct bytes *out);
int incident_load(struct resolutions *resolutions, uint32_t slice, struct bytes_reader *in);

#endif
