/*
 * descriptors: everything that is no producer's memory, one by one and by name.
 */
#ifndef HOSTILE_DESCRIPTORS_H
#define HOSTILE_DESCRIPTORS_H

#include "rogue.h"

struct bad_descriptor {
	const char *name;
	/* Make it, for a region or a ring that would be good otherwise; -1: not on this machine. */
	int (*make)(const struct rogue *rogue, bool ring);
};

extern const struct bad_descriptor bad_descriptors[];
extern const unsigned bad_descriptors_count;

#endif
