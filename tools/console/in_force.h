/*
 * in_force: the configuration that is in force, for whoever works with the engine's own detectors:
 * as the engine says; while it is away, as the log of its data directory says.
 *
 * Idea:  asked for anew at most every other second, by a thread of watch.c, and only while somebody
 *        looks: who comes has what is known, and waits only where nothing is, or nobody has looked
 *        for some seconds. It is read again only where its record is another one.
 *
 * Runs on: any thread.
 */
#ifndef CONSOLE_IN_FORCE_H
#define CONSOLE_IN_FORCE_H

#include "config.h"
#include "engine_link.h"

struct in_force;

struct in_force *in_force_open(struct engine_link *link); /* NULL: no memory */
void in_force_close(struct in_force *in_force);           /* all have given back */

/* To be given back. NULL, with `why`: nobody knows it. */
const struct config *in_force_take(struct in_force *in_force, char why[ENGINE_WHY_BYTES]);
/* Asks anew, where it has been taken since and that is due. */
void in_force_step(struct in_force *in_force);
void in_force_give(struct in_force *in_force, const struct config *config);

#endif
