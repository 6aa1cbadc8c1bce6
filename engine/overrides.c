/*
 * overrides: see overrides.h.
 */
#include "overrides.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_text.h"
#include "deliver/store.h"

#define NAME_BYTES 65

json_t *overrides_entry(const struct operator_input *input)
{
	json_t *own = json_loads(input->detail, 0, NULL);
	json_t *entry = json_pack("{sI ss sI ss sO?}", "number", (json_int_t)input->number,
				  "author", input->author, "time_ms", (json_int_t)input->time_ms,
				  "text", input->text, "layers", json_object_get(own, "layers"));

	json_decref(own);
	return entry;
}

/* They come newest first. */
static int each_input(void *self, const struct operator_input *input, uint64_t ended)
{
	json_t *list = self;

	if (!ended)
		json_array_insert_new(list, 0, overrides_entry(input));
	return 0;
}

json_t *overrides_read(const char *store_path)
{
	json_t *list = json_array();
	struct store_reader *reader;
	int error = store_reader_open(store_path, &reader);

	if (!error) {
		error = store_inputs(reader, OPERATOR_OVERRIDE, NULL, 0, each_input, list);
		store_reader_close(reader);
	}
	if (!error)
		return list;
	json_decref(list);
	return NULL;
}

/* The place of a detector of this name; the length of the list: there is none. */
static size_t find(const json_t *detectors, const char *name)
{
	const json_t *detector;
	char found[NAME_BYTES];
	size_t i;

	json_array_foreach(detectors, i, detector)
	{
		if (config_text_name(detector, found, sizeof(found)) && strcmp(found, name) == 0)
			return i;
	}
	return json_array_size(detectors);
}

static void change_keys(json_t *detector, const char *name, json_t *keys)
{
	const char *key;
	json_t *value;

	/* It keeps its name, be it made of a kind that changes. */
	json_object_set_new(detector, "name", json_string(name));
	json_object_foreach(keys, key, value)
	{
		if (json_is_null(value))
			json_object_del(detector, key);
		else
			json_object_set(detector, key, value);
	}
}

/* false: why. */
static bool lay(json_t *detectors, const json_t *layer, char *why, size_t why_bytes)
{
	const char *name = json_string_value(json_object_get(layer, "detector"));
	json_t *keys = json_object_get(layer, "keys");
	bool whole = json_is_true(json_object_get(layer, "whole"));
	size_t at = name ? find(detectors, name) : 0;
	bool there = name && at < json_array_size(detectors);

	if (whole && there)
		json_array_set_new(detectors, at, json_deep_copy(keys));
	else if (whole)
		json_array_append_new(detectors, json_deep_copy(keys));
	else if (there)
		change_keys(json_array_get(detectors, at), name, keys);
	else
		snprintf(why, why_bytes, "there is no detector \"%s\"", name ? name : "");
	return whole || there;
}

/* With one more of them: the detectors, and the configuration. NULL: it does not fit, or the text
 * cannot be written; and why. */
static struct config *add(const char *text, const char *name, json_t **detectors,
			  const json_t *entry, bool *ret_written, char *why, size_t why_bytes)
{
	json_t *with = json_deep_copy(*detectors);
	const json_t *layer;
	struct config *config = NULL;
	bool laid = with != NULL;
	size_t i;

	json_array_foreach(json_object_get(entry, "layers"), i, layer)
		laid = laid && lay(with, layer, why, why_bytes);
	char *whole = laid ? config_text_with(text, strlen(text), with, 0, name, why, why_bytes)
			   : NULL;
	if (whole && config_parse(whole, strlen(whole), name, &config, why, why_bytes) < 0)
		config = NULL;
	*ret_written = !laid || whole;
	free(whole);
	if (config) {
		json_decref(*detectors);
		*detectors = with;
	} else {
		json_decref(with);
	}
	return config;
}

int overrides_apply(const char *text, const char *name, json_t *list, struct config **ret_config,
		    char *why, size_t why_bytes)
{
	bool written = true;
	int error = 0;
	json_t *detectors, *entry;
	struct config *config;
	size_t i;

	*ret_config = NULL;
	if (json_array_size(list) == 0)
		return 0;
	detectors = config_text_detectors(text, strlen(text), name, why, why_bytes);
	if (!detectors)
		return -EINVAL;
	json_array_foreach(list, i, entry)
	{
		config = add(text, name, &detectors, entry, &written, why, why_bytes);
		if (config) {
			config_free(*ret_config);
			*ret_config = config;
			json_object_del(entry, "left");
		} else if (!written) {
			error = -EINVAL;
			break;
		} else {
			json_object_set_new(entry, "left", json_string(why));
		}
	}
	json_decref(detectors);
	if (error < 0) {
		config_free(*ret_config);
		*ret_config = NULL;
	}
	return error;
}
