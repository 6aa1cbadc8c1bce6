/*
 * recording: a source with clock `event` from one thread: open, emit all of it, settle, close.
 *
 * What is emitted is the caller's; that nothing is lost, that a request to stop ends it in order,
 * and what is said at the end are here. A full ring or a missing engine is waited for.
 */
#ifndef SHOP_RECORDING_H
#define SHOP_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sender.h"
#include "weir/weir.h"

#define RECORDING_BATCH 1024

struct recording {
	const char *socket_path; /* NULL: libweir's default */
	const char *source;
	uint32_t patience_s;
	/* Defines its series at .sender.weir and calls recording_emit(). 0, or a negative errno,
	 * and then what is wrong in .why, unless the recording already knows. */
	int (*emit)(struct recording *recording, void *self);
	void *self;
	struct sender sender;
	struct lockstep stop; /* of one party: only the word that ends it */
	struct weir_sample batch[RECORDING_BATCH];
	size_t used;
	struct weir_ledger ledger;
	char why[256];
};

/* Emit one event, sooner or later. 0; -ETIMEDOUT, -ECANCELED: end here. */
int recording_emit(struct recording *recording, const struct weir_sample *sample);
/* Play all of it. Exit code of the tool; the ledger is in, and what went wrong is said. */
int recording_play(struct recording *recording);
/* The ledger, for people and as JSON members with a comma before each. */
void recording_say(const struct recording *recording);
void recording_print(const struct recording *recording);

#endif
