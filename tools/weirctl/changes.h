/*
 * changes: a difference between two configurations, as a line for people.
 */
#ifndef WEIRCTL_CHANGES_H
#define WEIRCTL_CHANGES_H

#include <jansson.h>

/* {"key", "from", "to" (null: not there), "restart"}: as the engine answers a reload. */
void change_print(const json_t *change);

#endif
