/*
 * rebase: ask the engine to rebuild the state of a source's detectors from its history, and follow
 * it. Shared by `rebase` and `import --rebase`.
 */
#ifndef WEIRCTL_REBASE_H
#define WEIRCTL_REBASE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The engine's last words (to be json_decref'd); or NULL: it cannot be asked, it refuses, or the
 * rebase has failed, with `why` and the exit code. */
json_t *rebase_follow(const char *control_socket, const char *source, bool quiet, int *ret_code,
		      char *why, size_t why_bytes);
/* Wait until what came late so far has been handed to the history: two closes of the source. An
 * exit code, with `why` if it is not 0. */
int rebase_await_closes(const char *control_socket, const char *source, bool quiet, char *why,
			size_t why_bytes);
void rebase_print(const json_t *rebase, bool json);

#endif
