/*
 * watched: the metrics of a configuration, for who asks at the control socket or reads a log.
 */
#ifndef WATCHED_H
#define WATCHED_H

#include "config.h"

/* A json_t: the answer to {"command":"metrics"}. */
void *watched_json(const struct config *config);

#endif
