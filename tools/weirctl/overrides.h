/*
 * overrides: what `weirctl detectors` changes: set, diff, undo, history.
 */
#ifndef WEIRCTL_OVERRIDES_H
#define WEIRCTL_OVERRIDES_H

#include "operate.h"

/* NAME KEY=VALUE ..., or one FILE of detectors. rebase: all sources' detectors live through their
 * history then. Exit codes all. */
int overrides_set(const struct operate_by *by, const char *note, bool rebase, int count,
		  char **operands);
/* What differs from the file. */
int overrides_diff(const struct operate_by *by);
/* The override of this number; NULL: the last one. */
int overrides_undo(const struct operate_by *by, const char *note, const char *number);
/* All that there ever were, the newest first. */
int overrides_history(const struct operate_by *by);

#endif
