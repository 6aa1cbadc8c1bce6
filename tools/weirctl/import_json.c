/*
 * import_json: one row of JSON lines: an object, whose members are columns by path.
 *
 * "geo.country" is the member `country` of the member `geo`; a member whose own name has the point
 * in it comes first. What is missing or null is an empty field.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "import_input.h"
#include "text.h"

int import_path(struct import_input *input, const char *path)
{
	for (uint32_t i = 0; i < input->paths_count; i++)
		if (strcmp(input->paths[i], path) == 0)
			return (int)i;
	if (input->paths_count == IMPORT_COLUMNS_MAX)
		return -E2BIG;
	input->paths[input->paths_count] = path;
	return (int)input->paths_count++;
}

static const json_t *member(const json_t *object, const char *path)
{
	const json_t *found = json_object_get(object, path);
	for (const char *point = path; !found && (point = strchr(point, '.')); point++) {
		char head[256];
		size_t bytes = (size_t)(point - path);
		if (bytes >= sizeof(head))
			return NULL;
		memcpy(head, path, bytes);
		head[bytes] = '\0';
		const json_t *inner = json_object_get(object, head);
		if (json_is_object(inner))
			found = member(inner, point + 1);
	}
	return found;
}

/* False: an array or an object is no field. */
static bool field_of(const json_t *value, struct import_field *field,
		     char number[TEXT_NUMBER_BYTES])
{
	*field = (struct import_field){.text = "", .bytes = 0};
	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_STRING:
		field->text = json_string_value(value);
		field->bytes = (uint32_t)json_string_length(value);
		return true;
	case JSON_INTEGER:
		snprintf(number, TEXT_NUMBER_BYTES, "%lld", (long long)json_integer_value(value));
		break;
	case JSON_REAL:
		text_double(number, json_real_value(value));
		break;
	case JSON_TRUE:
		field->text = "true";
		field->bytes = 4;
		return true;
	case JSON_FALSE:
		field->text = "false";
		field->bytes = 5;
		return true;
	case JSON_NULL:
		return true;
	default:
		return false;
	}
	field->text = number;
	field->bytes = (uint32_t)strlen(number);
	field->is_number = true;
	field->number = json_number_value(value);
	return true;
}

ssize_t import_json_row(struct import_input *input, struct import_row *row, char *why,
			size_t why_bytes)
{
	char *begin = input->buffer + input->begin;
	size_t left = input->end - input->begin;
	char *newline = memchr(begin, '\n', left);
	if (!newline && !input->ended)
		return 0;
	size_t bytes = newline ? (size_t)(newline - begin) : left;

	json_decref(input->document);
	row->count = 0;
	row->fields = input->fields;
	input->document = NULL;
	if (begin[strspn(begin, " \t\r")] == '\n')
		return (ssize_t)bytes + (newline != NULL);
	json_error_t error;
	input->document = json_loadb(begin, bytes, JSON_ALLOW_NUL, &error);
	if (!json_is_object(input->document)) {
		if (input->document)
			snprintf(why, why_bytes, "a row is an object: {\"time\":...}");
		else
			snprintf(why, why_bytes, "no JSON: %s, at byte %d", error.text,
				 error.position);
		return -EBADMSG;
	}
	for (uint32_t i = 0; i < input->paths_count; i++) {
		if (!field_of(member(input->document, input->paths[i]), &input->fields[i],
			      input->numbers + (size_t)i * TEXT_NUMBER_BYTES)) {
			snprintf(why, why_bytes, "\"%s\" is no text and no number",
				 input->paths[i]);
			return -EBADMSG;
		}
	}
	row->count = input->paths_count;
	return (ssize_t)bytes + (newline != NULL);
}
