/*
 * ask: one question to a running engine: a JSON line to its control socket, a JSON line back.
 */
#ifndef TOOLS_ASK_H
#define TOOLS_ASK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The socket given, else $WEIR_CONTROL, else the configuration's default. */
const char *ask_socket(const char *given);

/* Ask; steals `request`. An answer that says ok (to be json_decref'd), or NULL with what is wrong
 * and what to do in `why`. */
json_t *ask(const char *socket_path, json_t *request, char *why, size_t why_bytes);

/* The same; without one *ret_code is what to leave with: TOOL_NO where the engine says that it
 * knows no such thing, else TOOL_IO. */
json_t *ask_of(const char *socket_path, json_t *request, int *ret_code, char *why,
	       size_t why_bytes);

/* The same, but an answer that says no is an answer too. */
json_t *ask_raw(const char *socket_path, json_t *request, char *why, size_t why_bytes);

/* The same, with another patience than ten seconds, and with the name of the option that says where
 * to ask. */
struct ask_how {
	const char *socket_path;
	const char *option; /* "--socket" */
	unsigned patience_ms;
	/* Who may cut it short: told the socket, before it is connected and again while that takes
	 * long, and -1 before it is closed. False: it is cut short now; later by shutdown(2). NULL:
	 * nobody. */
	bool (*holds)(void *by, int fd);
	void *by;
	bool *ret_sent; /* the whole line: who was asked may act on it. NULL: nobody wants to know
			 */
};
json_t *ask_with(const struct ask_how *how, json_t *request, char *why, size_t why_bytes);

/* A path in the status of an engine ("data_directory", "socket"), as this process can open it; to
 * be freed. NULL: it says none. */
char *ask_status_path(const json_t *status, const char *name);

/* The data directory given, else that of the running engine, as this process can open it; to be
 * freed. NULL: why. */
char *ask_directory(const char *given, const char *socket_path, char *why, size_t why_bytes);

#endif
