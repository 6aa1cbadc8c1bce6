/*
 * rebase: see rebase.h.
 */
#include "rebase.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ask.h"
#include "member.h"
#include "options.h"
#include "progress.h"
#include "text.h"

#define POLL_NS 100000000L
#define CLOSES 2
/* Closes come every interval; this long beyond two of them something is wrong. */
#define SPARE_POLLS 300

static void pause_asking(void)
{
	struct timespec pause = {.tv_nsec = POLL_NS};
	nanosleep(&pause, NULL);
}

/* "rebase" of the answer, to be json_decref'd; source NULL: only look. NULL: why, and the exit
 * code. */
static json_t *look(const char *socket, const char *source, int *ret_code, char *why,
		    size_t why_bytes)
{
	json_t *request = source ? json_pack("{ss ss}", "command", "rebase", "source", source)
				 : json_pack("{ss}", "command", "rebase");
	json_t *answer = ask_of(socket, request, ret_code, why, why_bytes);
	json_t *rebase = json_incref(json_object_get(answer, "rebase"));
	json_decref(answer);
	return rebase;
}

json_t *rebase_follow(const char *control_socket, const char *source, bool quiet, int *ret_code,
		      char *why, size_t why_bytes)
{
	const char *socket = ask_socket(control_socket);
	struct progress progress;
	json_t *rebase = look(socket, source, ret_code, why, why_bytes);

	progress_begin(&progress, "rebuilding", "intervals", quiet);
	while (rebase) {
		const char *phase = text_of(rebase, "phase");
		if (strcmp(phase, "done") == 0)
			break;
		if (strcmp(phase, "failed") == 0) {
			snprintf(why, why_bytes, "%s: %s; the detectors go on as they were", source,
				 text_of(rebase, "error"));
			*ret_code = TOOL_NO;
			json_decref(rebase);
			rebase = NULL;
			break;
		}
		progress_show(&progress, json_real_value(json_object_get(rebase, "part")),
			      (uint64_t)json_integer_value(json_object_get(rebase, "intervals")));
		json_decref(rebase);
		pause_asking();
		rebase = look(socket, NULL, ret_code, why, why_bytes);
	}
	progress_end(&progress);
	if (rebase)
		*ret_code = TOOL_OK;
	return rebase;
}

/* Through which interval the source is closed; -1: not at all. */
static int closed_through(const char *socket, const char *source, json_int_t *ret_closed,
			  json_int_t *ret_interval_ms, char *why, size_t why_bytes)
{
	json_t *answer = ask(socket, json_pack("{ss}", "command", "status"), why, why_bytes);
	json_t *status = json_object_get(answer, "status");
	const json_t *one;
	size_t i;

	if (!answer)
		return TOOL_IO;
	*ret_closed = -1;
	*ret_interval_ms = json_integer_value(json_object_get(status, "interval_ms"));
	json_array_foreach(
		json_object_get(status, "sources"), i,
		one) if (strcmp(text_of(one, "name"), source) == 0 &&
			 json_is_integer(json_object_get(one, "closed_through"))) *ret_closed =
		json_integer_value(json_object_get(one, "closed_through"));
	json_decref(answer);
	return TOOL_OK;
}

int rebase_await_closes(const char *control_socket, const char *source, bool quiet, char *why,
			size_t why_bytes)
{
	const char *socket = ask_socket(control_socket);
	struct progress progress;
	json_int_t began = -1, closed, interval_ms;

	progress_begin(&progress, "waiting for the source's next two closes", "closed", quiet);
	for (json_int_t polls = 0;; polls++) {
		int code = closed_through(socket, source, &closed, &interval_ms, why, why_bytes);
		if (code == TOOL_OK && polls > CLOSES * interval_ms / 100 + SPARE_POLLS) {
			snprintf(why, why_bytes,
				 "source %s does not close; when it has, ask with "
				 "weirctl rebase %s",
				 source, source);
			code = TOOL_NO;
		}
		if (began < 0)
			began = closed;
		if (code != TOOL_OK || (began >= 0 && closed >= began + CLOSES)) {
			progress_end(&progress);
			return code;
		}
		progress_show(&progress, -1.0, (uint64_t)(closed - began));
		pause_asking();
	}
}

void rebase_print(const json_t *rebase, bool json)
{
	char time[TEXT_TIME_BYTES];

	if (json) {
		json_dumpf(rebase, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
		return;
	}
	text_time(time, json_integer_value(json_object_get(rebase, "behind_ms")));
	uint64_t intervals = whole_of(rebase, "intervals"), hours = whole_of(rebase, "hours");
	uint64_t days = whole_of(rebase, "days"), damaged = whole_of(rebase, "damaged");
	printf("%s: its detectors have lived through %" PRIu64 " interval%s of history",
	       text_of(rebase, "source"), intervals, text_s(intervals));
	if (days)
		printf(", and %" PRIu64 " day%s", days, text_s(days));
	if (hours)
		printf("%s %" PRIu64 " hour%s", days ? " and" : ", and", hours, text_s(hours));
	printf("%s; in force from %s on\n", days || hours ? " before them, as sums" : "", time);
	if (damaged)
		printf("%" PRIu64 " piece%s of the history could not be read\n", damaged,
		       text_s(damaged));
}
