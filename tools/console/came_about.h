/*
 * came_about: how a severity came about: what chance has to do with it, and from where on its
 * detector fires.
 *
 * Runs on: any thread. What the engine says of its detectors is kept for half a minute: who looks
 * at anomalies shall not keep its shards busy.
 */
#ifndef CONSOLE_CAME_ABOUT_H
#define CONSOLE_CAME_ABOUT_H

#include <jansson.h>

#include "detect/anomaly.h"

struct console;

/* {"log10_p","severity","peak","raw","return_weeks","threshold","slices","budget","fires_at"} of a
 * revision, `peak` of the last one, which knows it; null what is not known: the engine
 * has not said it yet. */
json_t *came_about_json(struct console *console, const struct anomaly *strongest, double peak);

#endif
