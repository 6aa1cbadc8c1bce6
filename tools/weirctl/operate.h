/*
 * operate: what the commands share that change something: mute, unmute, ack, annotate, feedback,
 * reload.
 */
#ifndef WEIRCTL_OPERATE_H
#define WEIRCTL_OPERATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Who asks, and how the answer is wanted: member `by` of these commands' structs. */
struct operate_by {
	const char *socket, *author;
	bool json;
	bool unkept; /* what is asked is not kept: it has neither author nor key */
};

/* The rows that fill it: --socket, --author, --json. */
#define ROWS_OPERATE(type)                                                                         \
	ROW_CONTROL_AT(offsetof(type, by.socket)),                                                 \
		{.name = "author",                                                                 \
		 .argument = "NAME",                                                               \
		 .help = "who says so; default: your login name",                                  \
		 .kind = OPTION_TEXT,                                                              \
		 .at = offsetof(type, by.author)},                                                 \
		ROW_JSON_AT(offsetof(type, by.json), "one JSON object, as the engine answers")

/* What the options of these commands end with, where their tables are `rows` and `examples`. */
#define OPERATE_ENDS                                                                               \
	COMMAND_ROWS(rows), COMMAND_EXAMPLES(examples),                                            \
		.exits = {[TOOL_NO] = "the engine refuses, and says why"},                         \
		.environment = "WEIR_CONTROL"

/* Ask the engine; steals `request`, adds the author (NULL: the login name) and a key, under which
 * it is said again where the answer is lost, and kept once. With `json` the answer is printed as it
 * is and NULL is returned with *ret_code; else it is the caller's to print and release. Where the
 * engine refuses, that is said. */
json_t *operate(const struct operate_by *by, json_t *request, int *ret_code);
/* A list of inputs of one kind for people, or one JSON object per line. An exit code. */
int operate_list(const struct operate_by *by, const char *kind, int64_t active_ms);
/* Unix ms, now. */
int64_t operate_now_ms(void);
/* A member only where there is something to say. */
void operate_set(json_t *request, const char *name, const char *text);

#endif
