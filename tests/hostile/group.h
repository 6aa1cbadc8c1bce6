/*
 * group: a control group of processes whose memory is bounded, as a container's is.
 */
#ifndef HOSTILE_GROUP_H
#define HOSTILE_GROUP_H

#include <stdbool.h>
#include <stdint.h>

struct group {
	char path[128];
};

/* NULL, or why there can be none here: it takes root and the first version of control groups. */
const char *group_make(struct group *group, uint64_t bytes);
/* This process, and what it starts, is in it from now on. Ends it if it cannot. */
void group_enter(const struct group *group);
/* How often the kernel has killed there for want of memory. */
uint64_t group_kills(const struct group *group);
/* From now on it may have what it has, and so much more. false: that cannot be. */
bool group_close_up(const struct group *group, uint64_t slack_bytes);
/* When all in it have ended. */
void group_remove(const struct group *group);

#endif
