/*
 * api_demo: the button of a first run: a shop with weeks of history and an incident, into an engine
 * that has seen nothing yet.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "console.h"
#include "ask.h"
#include "demo.h"
#include "engine_link.h"
#include "session.h"

#define WHY_BYTES 640

static json_t *start(struct console *console, const json_t *said, unsigned *status)
{
	char why[WHY_BYTES] = "";
	long long interval_ms = json_integer_value(json_object_get(said, "interval_ms"));
	char *socket = ask_status_path(said, "socket");
	int error;

	if (!socket || interval_ms <= 0) {
		free(socket);
		return api_error(status, 409,
				 "this engine does not say where its producers attach: it is older "
				 "than this console; update it");
	}
	error = demo_start(console->demo_run, console, socket, interval_ms, why, sizeof(why));
	free(socket);
	if (error)
		return api_error(status, error == -EALREADY || error == -ENOENT ? 409 : 503, "%s",
				 why);
	return json_pack("{ss}", "demo", "running");
}

json_t *api_demo(struct console *console, const struct api_request *request, unsigned *status)
{
	char why[ENGINE_WHY_BYTES] = "";
	json_t *said = engine_link_status(console->link, why);
	json_t *answer;
	int holds = said ? session_holds(console, said) : 0;

	(void)request;
	if (!said)
		answer = api_error(status, 503, "%s", why);
	else if (holds < 0)
		answer = api_error(status, 503,
				   "whether this engine holds data already cannot be read: %s; "
				   "the demo's would mix with it",
				   holds == -EXDEV ? "--data names another directory than its own"
						   : strerror(-holds));
	else if (holds)
		answer = api_error(status, 409,
				   "this engine holds data already, and the demo's would mix with "
				   "it; start another one with a data directory of its own");
	else
		answer = start(console, said, status);
	json_decref(said);
	return answer;
}
