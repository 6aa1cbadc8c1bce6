/*
 * revisions: are two lists of anomalies' revisions the same, bit for bit?
 *
 * Each revision is kept as its identity and a fingerprint of all that it says, so that a list of
 * a year costs little.
 */
#ifndef WEIRCTL_REVISIONS_H
#define WEIRCTL_REVISIONS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "detect/anomaly.h"

struct revision {
	uint64_t id[2];
	uint32_t revision;
	uint32_t state;
	double severity;
	uint64_t fingerprint; /* of every field, the bits of the doubles */
};

struct revisions {
	struct revision *list;
	size_t count, capacity;
};

struct revisions_difference {
	uint64_t same, changed;
	uint64_t only_left, only_right;
};

int revisions_add(struct revisions *revisions, const struct anomaly *anomaly);
void revisions_fini(struct revisions *revisions);
/* Sorts both; says each difference in a line on `to` (NULL: none), the lists by their names. */
struct revisions_difference revisions_compare(struct revisions *left, const char *left_name,
					      struct revisions *right, const char *right_name,
					      FILE *to);

#endif
