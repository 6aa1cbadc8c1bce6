/*
 * overrides: see overrides.h.
 */
#include "overrides.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "changes.h"
#include "config_text.h"
#include "config_yaml.h"
#include "member.h"
#include "options.h"
#include "rebase.h"
#include "text.h"

#define WHY_BYTES 1280
#define FILE_BYTES_MAX (1u << 20)
#define NAME_BYTES 65

static int say(const char *what)
{
	fprintf(stderr, "weirctl: %s\n", what);
	return TOOL_IO;
}

static json_t *ask_overrides(const struct operate_by *by)
{
	char why[WHY_BYTES];
	json_t *answer = ask(ask_socket(by->socket), json_pack("{ss}", "command", "overrides"), why,
			     sizeof(why));

	if (!answer)
		say(why);
	return answer;
}

/* "5m, 1h" of a key that has several values; "": the default again. */
static json_t *value_of(const char *text, bool list)
{
	json_t *values;

	if (!text[0])
		return json_null();
	if (!list)
		return json_string(text);
	values = json_array();
	text += strspn(text, "[, ");
	while (*text) {
		size_t bytes = strcspn(text, ",] ");
		json_array_append_new(values, json_stringn(text, bytes));
		text += bytes;
		text += strspn(text, ",] ");
	}
	return values;
}

/* NULL: said why. */
static json_t *keys_of(int count, char **operands)
{
	json_t *keys = json_object();

	for (int i = 0; i < count; i++) {
		char key[NAME_BYTES] = "";
		const char *equals = strchr(operands[i], '=');
		bool list = false;
		size_t bytes = equals ? (size_t)(equals - operands[i]) : 0;

		if (bytes > 0 && bytes < sizeof(key))
			memcpy(key, operands[i], bytes);
		if (key[0] && config_yaml_detector_key(key, &list)) {
			json_object_set_new(keys, key, value_of(equals + 1, list));
			continue;
		}
		fprintf(stderr, "weirctl: \"%s\": %s\n", operands[i],
			key[0] ? "a detector has no such key; see weirctl detectors show"
			       : "write it as KEY=VALUE, as severity=60");
		json_decref(keys);
		return NULL;
	}
	return keys;
}

/* The whole file; NULL: said why. */
static char *read_file(const char *path, size_t *ret_bytes)
{
	FILE *file = fopen(path, "re");
	char *text = malloc(FILE_BYTES_MAX);

	*ret_bytes = file && text ? fread(text, 1, FILE_BYTES_MAX, file) : 0;
	bool whole = file && text && !ferror(file) && feof(file);
	if (file)
		fclose(file);
	if (whole)
		return text;
	fprintf(stderr, "weirctl: %s: %s\n", path,
		file ? "cannot be read, or is too large"
		     : "no such file; to change keys of a detector: weirctl detectors set NAME "
		       "KEY=VALUE");
	free(text);
	return NULL;
}

/* Each detector of a file as a whole. NULL: said why. */
static json_t *layers_of_file(const char *path)
{
	char why[WHY_BYTES] = "";
	size_t bytes, i;
	char *text = read_file(path, &bytes);
	json_t *detectors = text ? config_text_detectors(text, bytes, path, why, sizeof(why))
				 : NULL;
	json_t *layers = json_array(), *detector;

	if (text && !detectors)
		say(why);
	free(text);
	json_array_foreach(detectors, i, detector)
	{
		char name[NAME_BYTES];
		if (config_text_name(detector, name, sizeof(name)))
			json_array_append_new(layers, json_pack("{ss sb sO}", "detector", name,
								"whole", 1, "keys", detector));
	}
	bool some = detectors && json_array_size(layers) == json_array_size(detectors) &&
		    json_array_size(layers) > 0;
	if (detectors && !some)
		say("a detector of the file has neither name nor metric, or there is none");
	json_decref(detectors);
	if (some)
		return layers;
	json_decref(layers);
	return NULL;
}

static int print_changes(const struct operate_by *by)
{
	json_t *answer = ask_overrides(by), *change;
	size_t i;

	if (!answer)
		return TOOL_IO;
	json_array_foreach(json_object_get(answer, "changes"), i, change) change_print(change);
	if (json_array_size(json_object_get(answer, "changes")) == 0)
		puts("nothing differs from the file");
	json_decref(answer);
	return TOOL_OK;
}

static int submit(const struct operate_by *by, json_t *request, const char *note)
{
	int code;

	operate_set(request, "text", note);
	json_t *answer = operate(by, request, &code);
	if (!answer)
		return code;
	printf("override %" JSON_INTEGER_FORMAT ": in force behind the next interval; now, against "
	       "the file:\n",
	       json_integer_value(json_object_get(answer, "number")));
	json_decref(answer);
	return print_changes(by);
}

/* What has never been closed has no history. */
static int rebase_all(const struct operate_by *by)
{
	char why[WHY_BYTES];
	json_t *answer = ask(ask_socket(by->socket), json_pack("{ss}", "command", "status"), why,
			     sizeof(why));
	const json_t *source;
	int code = TOOL_OK;
	size_t i;

	if (!answer)
		return say(why);
	json_array_foreach(json_object_get(json_object_get(answer, "status"), "sources"), i, source)
	{
		if (code != TOOL_OK || !json_is_integer(json_object_get(source, "closed_through")))
			continue;
		json_t *rebase = rebase_follow(by->socket, text_of(source, "name"), by->json, &code,
					       why, sizeof(why));
		if (!rebase)
			say(why);
		else if (!by->json)
			rebase_print(rebase, false);
		json_decref(rebase);
	}
	json_decref(answer);
	return code;
}

int overrides_set(const struct operate_by *by, const char *note, bool rebase, int count,
		  char **operands)
{
	json_t *layers;

	if (count > 1) {
		json_t *keys = keys_of(count - 1, operands + 1);
		if (!keys)
			return TOOL_USAGE;
		layers = json_pack("[{ss so}]", "detector", operands[0], "keys", keys);
	} else {
		layers = layers_of_file(operands[0]);
		if (!layers)
			return TOOL_NO;
	}
	int code = submit(by, json_pack("{ss so}", "command", "override", "layers", layers), note);
	return code == TOOL_OK && rebase ? rebase_all(by) : code;
}

int overrides_undo(const struct operate_by *by, const char *note, const char *number)
{
	uint64_t of = 0;

	if (number && options_u64(number, 1, INT64_MAX, &of) < 0) {
		fprintf(stderr,
			"weirctl: \"%s\" is no number of an override: see weirctl detectors "
			"history\n",
			number);
		return TOOL_USAGE;
	}
	if (!number) {
		json_t *answer = ask_overrides(by);
		const json_t *list = json_object_get(answer, "overrides");
		size_t count = json_array_size(list);
		if (count > 0)
			of = (uint64_t)json_integer_value(
				json_object_get(json_array_get(list, count - 1), "number"));
		bool asked = answer != NULL;
		json_decref(answer);
		if (!asked)
			return TOOL_IO;
		if (!of) {
			fputs("weirctl: there is no override to undo\n", stderr);
			return TOOL_NO;
		}
	}
	return submit(by, json_pack("{ss sI}", "command", "override_undo", "of", (json_int_t)of),
		      note);
}

static void print_value(const char *key, const json_t *value)
{
	const json_t *entry;
	size_t i;

	printf(" %s=%s", key, json_is_string(value) ? json_string_value(value) : "");
	json_array_foreach(value, i, entry) printf("%s%s", i ? "," : "", json_string_value(entry));
}

static void print_override(const json_t *input)
{
	json_t *layer, *value;
	char time[TEXT_TIME_BYTES];
	const char *key;
	size_t i;

	text_time(time, json_integer_value(json_object_get(input, "time_ms")));
	printf("%4" JSON_INTEGER_FORMAT " %.19sZ %-10s",
	       json_integer_value(json_object_get(input, "number")), time,
	       text_of(input, "author"));
	if (json_object_get(input, "of"))
		printf(" undoes %" JSON_INTEGER_FORMAT,
		       json_integer_value(json_object_get(input, "of")));
	json_array_foreach(json_object_get(input, "layers"), i, layer)
	{
		printf(" %s%s:", text_of(layer, "detector"),
		       json_is_true(json_object_get(layer, "whole")) ? " as a whole" : "");
		json_object_foreach(json_object_get(layer, "keys"), key, value)
			print_value(key, value);
	}
	if (json_object_get(input, "ended"))
		printf(" (undone)");
	if (text_of(input, "left")[0])
		printf(" (left out: %s)", text_of(input, "left"));
	if (text_of(input, "text")[0])
		printf("  %s", text_of(input, "text"));
	putchar('\n');
}

static void print_json(const json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
	putchar('\n');
}

int overrides_diff(const struct operate_by *by)
{
	json_t *answer, *entry;
	size_t i;

	if (!by->json) {
		int code = print_changes(by);
		if (code != TOOL_OK)
			return code;
	}
	answer = ask_overrides(by);
	if (!answer)
		return TOOL_IO;
	if (by->json)
		print_json(answer);
	bool none = json_array_size(json_object_get(answer, "changes")) == 0;
	json_array_foreach(json_object_get(answer, "overrides"), i, entry)
	{
		if (!by->json)
			print_override(entry);
	}
	json_decref(answer);
	return none ? TOOL_OK : TOOL_NO;
}

/* Of one kind, newest first, in the order of their numbers among those of the other. NULL: said
 * why. */
static json_t *ask_inputs(const struct operate_by *by, const char *kind, json_t *into)
{
	char why[WHY_BYTES];
	json_t *request = json_pack("{ss ss si}", "command", "inputs", "kind", kind, "limit", 1000);
	json_t *answer = into ? ask(ask_socket(by->socket), request, why, sizeof(why)) : NULL;
	json_t *input;
	size_t i, at = 0;

	if (!into) {
		json_decref(request);
		return NULL;
	}
	if (!answer) {
		say(why);
		json_decref(into);
		return NULL;
	}
	json_array_foreach(json_object_get(answer, "inputs"), i, input)
	{
		while (at < json_array_size(into) &&
		       whole_of(json_array_get(into, at), "number") > whole_of(input, "number"))
			at++;
		json_array_insert(into, at, input);
	}
	json_decref(answer);
	return into;
}

int overrides_history(const struct operate_by *by)
{
	json_t *list = ask_inputs(by, "override_undo", ask_inputs(by, "override", json_array()));
	json_t *input;
	size_t i;

	if (!list)
		return TOOL_IO;
	json_array_foreach(list, i, input)
	{
		if (by->json)
			print_json(input);
		else
			print_override(input);
	}
	json_decref(list);
	return TOOL_OK;
}
