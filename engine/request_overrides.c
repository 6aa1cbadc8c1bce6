/*
 * request_overrides: overrides of the configuration's detectors: at the start, with every reload,
 * and when an operator sets or undoes one. See overrides.h, request.c.
 *
 * Runs on: the main thread at the start, then the control agent.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config_diff.h"
#include "engine_private.h"
#include "overrides.h"

const char *engine_file_name(const struct engine *engine)
{
	return engine->options.config_path ? engine->options.config_path : "the configuration";
}

/* Says which do not fit; returns how many do. */
static size_t say_left(json_t *list)
{
	size_t kept = json_array_size(list);
	const json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry)
	{
		const char *left = json_string_value(json_object_get(entry, "left"));
		if (!left)
			continue;
		kept--;
		log_warning("config",
			    "override %" JSON_INTEGER_FORMAT
			    " does not fit the file and is left out: %s; correct the file, or: "
			    "weirctl detectors undo %" JSON_INTEGER_FORMAT,
			    json_integer_value(json_object_get(entry, "number")), left,
			    json_integer_value(json_object_get(entry, "number")));
	}
	return kept;
}

int engine_overridden(struct engine *engine, struct config **config, char *why, size_t why_bytes)
{
	struct config *with = NULL;
	char *text = strdup((*config)->text);
	int error = text ? overrides_apply(text, engine_file_name(engine), engine->overrides, &with,
					   why, why_bytes)
			 : -ENOMEM;

	if (error < 0) {
		free(text);
		config_free(*config);
		*config = NULL;
		return error;
	}
	size_t kept = say_left(engine->overrides);
	free(engine->file_text);
	engine->file_text = text;
	if (with) {
		log_info("config", "%zu overrides of detectors are kept: weirctl detectors diff",
			 kept);
		config_free(*config);
		*config = with;
	}
	return 0;
}

int engine_overrides_begin(struct engine *engine, char *why, size_t why_bytes)
{
	engine->overrides = overrides_read(engine->store_path);
	engine->file_text = strdup(engine->config->text);
	if (!engine->overrides || !engine->file_text)
		return -ENOMEM;
	int error = overrides_apply(engine->file_text, engine_file_name(engine), engine->overrides,
				    &engine->begun, why, why_bytes);
	if (error < 0)
		return error;
	say_left(engine->overrides);
	if (engine->begun)
		engine->config = engine->begun;
	return 0;
}

static size_t find(const json_t *list, uint64_t number)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry)
	{
		if ((uint64_t)json_integer_value(json_object_get(entry, "number")) == number)
			return i;
	}
	return json_array_size(list);
}

int engine_override_plan(struct engine *engine, const struct operator_input *input,
			 void **ret_overrides, struct config **ret_config, char *why,
			 size_t why_bytes)
{
	json_t *list = json_deep_copy(engine->overrides);
	struct config *config = NULL;
	const char *left = NULL;
	int error = list ? 0 : -ENOMEM;

	if (!error && input->kind == OPERATOR_OVERRIDE_UNDO &&
	    json_array_remove(list, find(list, input->ends)) < 0) {
		snprintf(why, why_bytes,
			 "there is no such override, or it is undone: see weirctl detectors "
			 "history");
		error = -EINVAL;
	}
	if (!error && input->kind == OPERATOR_OVERRIDE)
		json_array_append_new(list, overrides_entry(input));
	if (!error)
		error = overrides_apply(engine->file_text, engine_file_name(engine), list, &config,
					why, why_bytes);
	if (!error && input->kind == OPERATOR_OVERRIDE)
		left = json_string_value(
			json_object_get(json_array_get(list, find(list, input->number)), "left"));
	if (!error && left) {
		snprintf(why, why_bytes, "%s", left);
		error = -EINVAL;
	}
	if (!error && !config)
		error = config_parse(engine->file_text, strlen(engine->file_text),
				     engine_file_name(engine), &config, why, why_bytes);
	if (!error && !closing_takes(engine->closing, strlen(config->record))) {
		snprintf(why, why_bytes,
			 "the configuration would be larger than a block of the log: raise "
			 "log.block_bytes");
		error = -EINVAL;
	}
	if (error < 0) {
		config_free(config);
		json_decref(list);
		return error;
	}
	*ret_overrides = list;
	*ret_config = config;
	return 0;
}

static void add_change(void *self, const char *key, const char *from, const char *to, bool restart)
{
	json_array_append_new(self, json_pack("{ss ss? ss? sb}", "key", key, "from", from, "to", to,
					      "restart", restart));
}

char *engine_answer_overrides(struct engine *engine)
{
	json_t *changes = json_array();
	struct config *file;
	char why[256];

	if (config_parse(engine->file_text, strlen(engine->file_text), engine_file_name(engine),
			 &file, why, sizeof(why)) == 0) {
		config_diff(file, engine->running ? engine->running : engine->config, add_change,
			    changes);
		config_free(file);
	}
	json_t *answer = json_pack("{sb ss? sO so}", "ok", 1, "path", engine->options.config_path,
				   "overrides", engine->overrides, "changes", changes);
	char *text = answer ? json_dumps(answer, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
	json_decref(answer);
	return text;
}
