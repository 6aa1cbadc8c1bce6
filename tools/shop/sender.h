/*
 * sender: one thread's way into libweir, for traffic that must not be lost.
 *
 * With clock `event` a full ring or a missing engine is waited for: what was not taken is offered
 * again until it is. With clock `wall` the shop is an application like any other: what does not
 * fit is dropped and counted by libweir.
 *
 * A refused attempt stays in libweir's ledger as attempted and dropped, also when the event is
 * taken later: the ledger is exact about attempts.
 */
#ifndef SHOP_SENDER_H
#define SHOP_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lockstep.h"
#include "weir/weir.h"

struct sender {
	weir *weir;
	const struct lockstep *stop; /* left at once when it says so */
	const char *socket_path;     /* for messages; NULL: the default */
	uint32_t patience_s;         /* without one event taken, before it gives up */
	bool waits;                  /* clock event */
	bool speaks;                 /* says on stderr that it waits for an engine */
};

#define SENDER_FULL_WAIT_US 1000000u /* for struct weir_options of a sender that waits */

/* 0: all were taken (or, not waiting, offered). -ECANCELED: stopped. -ETIMEDOUT: nobody took
 * anything for patience_s. */
int sender_send(const struct sender *sender, const struct weir_sample *samples, size_t count);
/* Wait until the engine has persisted what this process sent. Same answers. */
int sender_settle(const struct sender *sender);

#endif
