/*
 * batch: the door from intake to log and interval. Events of one ring, consecutive, checked, with
 * engine series ids, in the order of their sequences. The memory is the block that is being
 * filled, so what the cells read is what the disk gets, while it is hot.
 */
#ifndef INTAKE_BATCH_H
#define INTAKE_BATCH_H

#include <stdint.h>

#include "weir/event.h"

struct batch {
	const struct weir_event *events;
	uint32_t count;
	uint32_t ring;           /* ring number in the log */
	uint32_t source;         /* source number */
	uint32_t rejected;       /* slots read and refused among these sequences */
	uint64_t first_sequence; /* of the first slot; the batch covers count + rejected slots */
};

#endif
