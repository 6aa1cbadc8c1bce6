/*
 * reports: what browsers say of a page that did what its policy forbids. There should be none; each
 * is counted, and the newest is logged, once a minute at most.
 *
 * Runs on: the server's threads.
 */
#ifndef CONSOLE_REPORTS_H
#define CONSOLE_REPORTS_H

#include <stddef.h>

void reports_take(const char *body, size_t bytes);

#endif
