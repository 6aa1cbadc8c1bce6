/*
 * input_override: what an operator changes of the configuration's detectors.
 *
 *   {"kind":"override","layers":[{"detector":"orders","keys":{"severity":"60","for":null}}, ...]}
 *
 * A layer changes some keys of a detector (null: as if the key were not there); with "whole": true
 * its keys are all there are, and a detector of that name is made if there is none. What the keys
 * mean is the configuration's to say.
 *
 * Runs on: whoever reads a record.
 */
#include <string.h>

#include "config_yaml.h"
#include "input_private.h"

static bool is_value(const json_t *value, bool list)
{
	const json_t *entry;
	size_t i;

	if (!list)
		return json_is_string(value);
	if (!json_is_array(value))
		return false;
	json_array_foreach(value, i, entry)
	{
		if (!json_is_string(entry))
			return false;
	}
	return true;
}

static int check_key(struct input_reading *reading, const char *key, const json_t *value,
		     bool whole)
{
	bool list;

	if (!config_yaml_detector_key(key, &list))
		return input_refuse(reading, "a detector has no key \"%s\"", key);
	if (strcmp(key, "name") == 0 && !whole)
		return input_refuse(reading, "another name is another detector: set it as a whole, "
					     "from a file");
	if (json_is_null(value) && !whole)
		return 0;
	if (!is_value(value, list))
		return input_refuse(reading, "\"%s\" is %s", key,
				    list ? "a list of texts" : "one text");
	return 0;
}

static int check_layer(struct input_reading *reading, const json_t *layer)
{
	const char *name = json_string_value(json_object_get(layer, "detector")), *key;
	json_t *keys = json_object_get(layer, "keys"), *value;
	bool whole = json_is_true(json_object_get(layer, "whole"));
	int error = 0;

	if (!name || !name[0] || strlen(name) >= sizeof(reading->input->detector))
		return input_refuse(reading, "of which detector? \"detector\" is its name");
	if (!json_is_object(keys) || json_object_size(keys) == 0)
		return input_refuse(reading, "\"keys\" is what changes: {\"severity\": \"60\"}");
	json_object_foreach(keys, key, value)
	{
		if (!error)
			error = check_key(reading, key, value, whole);
	}
	if (!error && !reading->input->detector[0])
		error = input_take_text(reading, "detector", json_object_get(layer, "detector"),
					reading->input->detector, sizeof(reading->input->detector));
	return error;
}

int input_override_member(struct input_reading *reading, const char *key, const json_t *value)
{
	const json_t *layer;
	size_t i;
	int error = 0;

	if (reading->input->kind != OPERATOR_OVERRIDE || strcmp(key, "layers") != 0)
		return 0;
	if (!json_is_array(value) || json_array_size(value) == 0)
		return input_refuse(reading, "\"layers\" is a list of what changes");
	json_array_foreach(value, i, layer)
	{
		if (!error)
			error = check_layer(reading, layer);
	}
	return error ? error : 1;
}

int input_override_check(struct input_reading *reading)
{
	if (reading->input->kind == OPERATOR_OVERRIDE_UNDO)
		return reading->input->ends ? 0
					    : input_refuse(reading, "undo which one? name its "
								    "number");
	if (!json_object_get(reading->own, "layers"))
		return input_refuse(reading, "\"layers\" is missing: what changes");
	return 0;
}
