/*
 * storefront: plays a plan with several processes and adds up what they did.
 *
 * Runs on: the parent. It never opens weir itself: it forks, watches, and reads the reports.
 */
#ifndef SHOP_STOREFRONT_H
#define SHOP_STOREFRONT_H

#include <stdbool.h>

#include "plan.h"
#include "worker.h"

/* Prints the result on stdout (one JSON line, or text). An exit code (enum tool_exit). SIGINT and
 * SIGTERM end it early, in order, with the same output. */
int storefront_run(const struct plan *plan, const struct worker_options *options, bool json);

#endif
