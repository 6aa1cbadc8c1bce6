/*
 * operate: see operate.h.
 */
#include "operate.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"
#include "base/monotonic.h"
#include "member.h"
#include "options.h"
#include "text.h"

#define WHY_BYTES 1280
#define PATIENCE_MS 10000
#define PAUSE_MS 100

int64_t operate_now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void operate_set(json_t *request, const char *name, const char *text)
{
	if (text)
		json_object_set_new(request, name, json_string(text));
}

/* Who runs this, not who a variable says. */
static const char *login(void)
{
	const struct passwd *user = getpwuid(getuid());
	return user ? user->pw_name : NULL;
}

/* What is said again under it is kept once. */
static void set_key(json_t *request)
{
	uint64_t number[2];
	char key[33];

	if (getrandom(number, sizeof(number), 0) != sizeof(number))
		return;
	snprintf(key, sizeof(key), "%016" PRIx64 "%016" PRIx64, number[0], number[1]);
	operate_set(request, "key", key);
}

/* An answer that is lost leaves open whether it is kept: with a key it is said again, for as long
 * as an engine may take to be there again. Steals `request`. */
static json_t *say(const char *socket_path, json_t *request, char *why, size_t why_bytes)
{
	const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
	bool has_key = json_object_get(request, "key"), sent = false, lost = false;
	const struct ask_how how = {.socket_path = socket_path,
				    .option = "--socket",
				    .patience_ms = PATIENCE_MS,
				    .ret_sent = &sent};
	uint64_t until_ms = UINT64_MAX;
	json_t *answer;

	while (!(answer = ask_with(&how, json_incref(request), why, why_bytes))) {
		if (sent && !lost) {
			lost = true;
			until_ms = monotonic_ms() + PATIENCE_MS;
		}
		if (!lost || !has_key || monotonic_ms() >= until_ms)
			break;
		nanosleep(&pause, NULL);
	}
	json_decref(request);
	if (!answer && lost && has_key) {
		size_t used = strlen(why);
		snprintf(why + used, why_bytes - used,
			 "; it may have been kept: look before you say it again");
	}
	return answer;
}

json_t *operate(const struct operate_by *by, json_t *request, int *ret_code)
{
	char why[WHY_BYTES] = "";
	const char *author = by->author ? by->author : login();
	if (!by->unkept) {
		if (author && author[0])
			operate_set(request, "author", author);
		set_key(request);
	}
	json_t *answer = say(ask_socket(by->socket), request, why, sizeof(why));
	if (!answer) {
		fprintf(stderr, "weirctl: %s\n", why);
		*ret_code = TOOL_IO;
		return NULL;
	}
	bool ok = json_is_true(json_object_get(answer, "ok"));
	*ret_code = ok ? TOOL_OK : TOOL_NO;
	if (ok && !by->json)
		return answer;
	if (by->json) {
		json_dumpf(answer, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
	} else {
		const char *said = json_string_value(json_object_get(answer, "error"));
		fprintf(stderr, "weirctl: %s\n", said ? said : "the engine says no");
	}
	json_decref(answer);
	return NULL;
}

static void print_time(const json_t *object, const char *before, const char *name)
{
	const json_t *value = json_object_get(object, name);
	char time[TEXT_TIME_BYTES];
	if (!json_is_integer(value))
		return;
	text_time(time, json_integer_value(value));
	printf("%s%.19sZ", before, time);
}

static void print_input(const json_t *input)
{
	static const char *const about[] = {"source", "metric", "detector", "slice"};
	printf("%4lld ", (long long)json_integer_value(json_object_get(input, "number")));
	print_time(input, "", "time_ms");
	printf(" %-10s", text_of(input, "author"));
	if (text_of(input, "id")[0])
		printf(" %.12s", text_of(input, "id"));
	for (size_t i = 0; i < sizeof(about) / sizeof(about[0]); i++)
		if (text_of(input, about[i])[0])
			printf(" %s=%s", about[i], text_of(input, about[i]));
	const json_t *below = json_object_get(input, "severity_below");
	if (below)
		printf(" severity below %g", json_number_value(below));
	print_time(input, " from ", "from_ms");
	print_time(input, " until ", "until_ms");
	if (json_object_get(input, "ended"))
		printf(" (ended)");
	if (text_of(input, "text")[0])
		printf("  %s", text_of(input, "text"));
	putchar('\n');
}

int operate_list(const struct operate_by *by, const char *kind, int64_t active_ms)
{
	char why[WHY_BYTES] = "";
	json_t *request = json_pack("{ss ss si}", "command", "inputs", "kind", kind, "limit", 1000);
	if (active_ms)
		json_object_set_new(request, "active_ms", json_integer(active_ms));
	json_t *answer = ask(ask_socket(by->socket), request, why, sizeof(why));
	if (!answer) {
		fprintf(stderr, "weirctl: %s\n", why);
		return TOOL_IO;
	}
	const json_t *input;
	size_t i;
	json_array_foreach(json_object_get(answer, "inputs"), i, input)
	{
		if (by->json) {
			json_dumpf(input, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
			putchar('\n');
		} else {
			print_input(input);
		}
	}
	json_decref(answer);
	return TOOL_OK;
}
