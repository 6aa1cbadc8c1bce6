/*
 * quality_lasting: changes that last, each planted in series of its own, and what the detector as
 * it ships makes of them. Found is a severity of 50.
 *
 *   shift        20 % more or less, for good: found, said once, then the new normal
 *   drift        down by 20 % within 6 hours, where it stays for 6 more
 *   outage       nothing at all for 4 hours
 *   conversion   orders of visits 10 % down for 2 hours, when there are about 100 orders a minute
 *
 * quality_lasting.c plants and scores, quality_lasting_table.c makes figures of it.
 */
#ifndef BENCH_QUALITY_LASTING_H
#define BENCH_QUALITY_LASTING_H

#include <stdint.h>

#include "quality_shop.h"

enum lasting_kind {
	LASTING_SHIFT,
	LASTING_DRIFT,
	LASTING_OUTAGE,
	LASTING_CONVERSION,
	LASTING_KINDS,
};

struct lasting_scenario {
	double size;      /* shift: of every second series with the other sign */
	uint32_t ramp;    /* minutes until it is that large */
	uint32_t length;  /* minutes; for good: until the end */
	uint32_t horizon; /* minutes in which it may be found */
	/* Minutes from the onset on of which alarm-hours are counted; both 0: they are not. */
	uint32_t after_from, after_to;
	uint32_t blocks; /* how often in a series */
};

extern const struct lasting_scenario lasting_scenarios[LASTING_KINDS];

/* One change, and what became of it. */
struct lasting_event {
	uint32_t onset;
	double size;
	uint32_t found, limit; /* minutes, the onset's being 1; 0: not within the horizon */
	uint32_t fired;        /* alarms within 7 days */
	uint32_t loud_hours, last_hour;
	double adapted; /* sum of the part of the change that is expected, in the minutes of the */
	uint32_t adapted_minutes; /* eighth day */
};

/* A scenario at one rate. */
struct lasting {
	enum lasting_kind kind;
	struct counts_spec spec;
	uint32_t series;
	struct lasting_event *events; /* [series * blocks] */
};

/* Score and print them all. 0; -ENOMEM. */
int lasting_run(const struct shop_request *request);
/* all: scenario by scenario of the first three, rate by rate, then conversion. */
void lasting_print(const struct shop_request *request, const struct lasting *all);

/* The evidence that is needed: the logarithm of the minutes in a week, which is the mean time
 * between false alarms. */
#define LASTING_NATS 9.2183
/* Of a minute: the mean evidence for a change by `size`, in nats. */
double lasting_evidence(double lambda, double size);

#endif
