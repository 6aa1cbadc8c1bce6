/*
 * config_text: see config_text.h. The text is read with libyaml, which knows where a value stands;
 * what its keys mean is config.c's to say.
 */
#include "config_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "config_yaml.h"

#define NAME_BYTES 65

/* A text as a tree. */
struct tree {
	yaml_document_t document;
	const char *name;
	char *why;
	size_t why_bytes;
};

static void refuse(const struct tree *tree, const yaml_mark_t *mark, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void refuse(const struct tree *tree, const yaml_mark_t *mark, const char *format, ...)
{
	va_list arguments;
	int used = snprintf(tree->why, tree->why_bytes, "%s:%zu:%zu: ", tree->name, mark->line + 1,
			    mark->column + 1);

	if (used < 0 || (size_t)used >= tree->why_bytes)
		return;
	va_start(arguments, format);
	vsnprintf(tree->why + used, tree->why_bytes - (size_t)used, format, arguments);
	va_end(arguments);
}

/* false: broken; nothing is to be deleted. */
static bool load(struct tree *tree, const char *text, size_t bytes)
{
	yaml_parser_t parser;

	if (!yaml_parser_initialize(&parser)) {
		snprintf(tree->why, tree->why_bytes, "out of memory");
		return false;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
	bool loaded = yaml_parser_load(&parser, &tree->document);
	if (!loaded)
		refuse(tree, &parser.problem_mark, "%s",
		       parser.problem ? parser.problem : "broken YAML");
	yaml_parser_delete(&parser);
	return loaded;
}

static yaml_node_t *node_of(struct tree *tree, int index)
{
	return yaml_document_get_node(&tree->document, index);
}

static const char *scalar(const yaml_node_t *node)
{
	return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value
						      : NULL;
}

/* The value of a key of a mapping; NULL: there is none. */
static yaml_node_t *value_of(struct tree *tree, const yaml_node_t *mapping, const char *key)
{
	if (!mapping || mapping->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
	     pair < mapping->data.mapping.pairs.top; pair++) {
		const char *name = scalar(node_of(tree, pair->key));
		if (name && strcmp(name, key) == 0)
			return node_of(tree, pair->value);
	}
	return NULL;
}

static json_t *read_list(struct tree *tree, const yaml_node_t *node)
{
	json_t *list = json_array();

	for (yaml_node_item_t *item = node->data.sequence.items.start;
	     item < node->data.sequence.items.top; item++) {
		const yaml_node_t *entry = node_of(tree, *item);
		const char *text = scalar(entry);
		if (text && json_array_append_new(list, json_string(text)) == 0)
			continue;
		refuse(tree, &entry->start_mark, "a list of plain values is expected here");
		json_decref(list);
		return NULL;
	}
	return list;
}

/* A key and its value. false: refused. */
static bool read_key(struct tree *tree, const yaml_node_pair_t *pair, json_t *detector)
{
	const yaml_node_t *key = node_of(tree, pair->key), *value = node_of(tree, pair->value);
	const char *name = scalar(key);
	bool list = false;
	json_t *text = NULL;

	if (!name || !config_yaml_detector_key(name, &list)) {
		refuse(tree, &key->start_mark, "unknown key \"%s\"; correct or remove it",
		       name ? name : "?");
		return false;
	}
	if (json_object_get(detector, name)) {
		refuse(tree, &key->start_mark, "\"%s\" stands there twice; remove one", name);
		return false;
	}
	if (list && value->type == YAML_SEQUENCE_NODE) {
		text = read_list(tree, value);
		if (!text)
			return false;
	} else if (!list && scalar(value)) {
		text = json_string(scalar(value));
	}
	if (text)
		return json_object_set_new(detector, name, text) == 0;
	refuse(tree, &value->start_mark, "%s is expected of \"%s\"",
	       list ? "a list" : "a single value", name);
	return false;
}

static json_t *read_detector(struct tree *tree, const yaml_node_t *node)
{
	json_t *detector = json_object();

	if (node->type != YAML_MAPPING_NODE) {
		refuse(tree, &node->start_mark, "a detector is a group of keys: name, metric, ...");
		json_decref(detector);
		return NULL;
	}
	for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top; pair++) {
		if (read_key(tree, pair, detector))
			continue;
		json_decref(detector);
		return NULL;
	}
	return detector;
}

static json_t *read_sequence(struct tree *tree, const yaml_node_t *node)
{
	json_t *detectors = json_array();

	for (yaml_node_item_t *item = node->data.sequence.items.start;
	     item < node->data.sequence.items.top; item++) {
		json_t *detector = read_detector(tree, node_of(tree, *item));
		if (detector && json_array_append_new(detectors, detector) == 0)
			continue;
		json_decref(detectors);
		return NULL;
	}
	return detectors;
}

/* Each metric has one of the default kind. */
static json_t *standard_detectors(struct tree *tree, const yaml_node_t *root)
{
	const yaml_node_t *metrics = value_of(tree, root, "metrics");
	json_t *detectors = json_array();

	if (!metrics || metrics->type != YAML_SEQUENCE_NODE)
		return detectors;
	for (yaml_node_item_t *item = metrics->data.sequence.items.start;
	     item < metrics->data.sequence.items.top; item++) {
		const char *name = scalar(value_of(tree, node_of(tree, *item), "name"));
		if (name)
			json_array_append_new(detectors, json_pack("{ss}", "metric", name));
	}
	return detectors;
}

static json_t *read_root(struct tree *tree)
{
	yaml_node_t *root = yaml_document_get_root_node(&tree->document);
	yaml_node_t *listed = value_of(tree, root, "detectors");
	const char *nothing = scalar(listed);

	if (!root)
		return json_array();
	if (root->type == YAML_SEQUENCE_NODE)
		return read_sequence(tree, root);
	if (listed && listed->type == YAML_SEQUENCE_NODE)
		return read_sequence(tree, listed);
	if (listed && nothing && !nothing[0])
		return json_array();
	if (listed) {
		refuse(tree, &listed->start_mark, "a list of detectors is expected here");
		return NULL;
	}
	/* A detector of its own has a metric or a name; a configuration has neither. */
	if (value_of(tree, root, "metric") || value_of(tree, root, "name")) {
		json_t *detector = read_detector(tree, root);
		return detector ? json_pack("[o]", detector) : NULL;
	}
	return standard_detectors(tree, root);
}

json_t *config_text_detectors(const char *text, size_t bytes, const char *name, char *why,
			      size_t why_bytes)
{
	struct tree tree = {.name = name, .why = why, .why_bytes = why_bytes};

	if (!load(&tree, text, bytes))
		return NULL;
	json_t *detectors = read_root(&tree);
	yaml_document_delete(&tree.document);
	return detectors;
}

bool config_text_name(const json_t *detector, char *ret_name, size_t size)
{
	const char *name = json_string_value(json_object_get(detector, "name"));
	const char *metric = json_string_value(json_object_get(detector, "metric"));
	const char *kind = json_string_value(json_object_get(detector, "kind"));
	int used;

	if (!name && !metric)
		return false;
	if (name)
		used = snprintf(ret_name, size, "%s", name);
	else
		used = snprintf(ret_name, size, "%s-%s", metric, kind ? kind : "seasonal");
	return used > 0 && (size_t)used < size;
}

/* A double-quoted scalar of YAML. */
static void put_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;
		if (byte == '"' || byte == '\\')
			fprintf(out, "\\%c", byte);
		else if (byte < 0x20 || byte == 0x7f)
			fprintf(out, "\\x%02x", byte);
		else
			fputc(byte, out);
	}
	fputc('"', out);
}

static void put_value(FILE *out, const json_t *value)
{
	const json_t *entry;
	size_t i;

	if (json_is_string(value)) {
		put_text(out, json_string_value(value));
		return;
	}
	fputc('[', out);
	json_array_foreach(value, i, entry)
	{
		fputs(i ? ", " : "", out);
		put_text(out, json_string_value(entry));
	}
	fputc(']', out);
}

static void put_detectors(FILE *out, const json_t *detectors)
{
	json_t *detector, *value;
	const char *key;
	size_t i;

	fputs(" [", out);
	json_array_foreach(detectors, i, detector)
	{
		bool first = true;
		fputs(i ? ",\n    {" : "\n    {", out);
		json_object_foreach(detector, key, value)
		{
			fprintf(out, "%s%s: ", first ? "" : ", ", key);
			put_value(out, value);
			first = false;
		}
		fputc('}', out);
	}
	fputs("]", out);
}

/* libyaml counts characters, we bytes; the mark of a byte order it does not count. */
static size_t byte_of(const char *text, size_t bytes, size_t character)
{
	size_t at = bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	for (; at < bytes && character; character--)
		for (at++; at < bytes && ((unsigned char)text[at] & 0xc0) == 0x80;)
			at++;
	return at;
}

/* What stands in the place of a value of the root, or where there is none. */
struct change {
	const char *key;
	bool there;
	size_t from, until;      /* of its value, in characters; then in bytes */
	const json_t *detectors; /* NULL: milliseconds */
	int64_t ms;
};

/* Where things stand in a text. Of its events, since a node does not know of where it is named by
 * an alias, nor where the last of what it says ends. */
struct places {
	struct change *changes;
	unsigned count;
	struct change *open; /* we are in its value */
	unsigned depth;      /* of collections; of keys of the root: 1 */
	bool key;            /* what comes next in the root is one */
	bool flow;           /* the root is written in braces */
	size_t brace;        /* behind the one that opens it */
	size_t column;       /* of the keys of the root, otherwise */
	size_t end;          /* of the first document */
	size_t said;         /* behind the last thing that was said */
};

static struct change *change_of(const struct places *places, const char *key)
{
	for (unsigned i = 0; i < places->count; i++)
		if (!places->changes[i].there && strcmp(places->changes[i].key, key) == 0)
			return &places->changes[i];
	return NULL;
}

static bool in_blocks(const yaml_event_t *event)
{
	return event->start_mark.index == event->end_mark.index;
}

/* A key or a value of the root begins. */
static void begin_place(struct places *places, const yaml_event_t *event)
{
	if (places->key) {
		places->open = event->type == YAML_SCALAR_EVENT
				       ? change_of(places, (const char *)event->data.scalar.value)
				       : NULL;
		if (places->said == 0)
			places->column = event->start_mark.column;
	} else if (places->open) {
		places->open->there = true;
		places->open->from = event->start_mark.index;
	}
}

/* A key or a value of the root has ended. */
static void end_place(struct places *places)
{
	if (!places->key && places->open) {
		size_t from = places->open->from;
		places->open->until = places->said > from ? places->said : from;
		places->open = NULL;
	}
	places->key = !places->key;
}

static void open_root(struct places *places, const yaml_event_t *event)
{
	places->key = true;
	places->flow = event->type == YAML_MAPPING_START_EVENT &&
		       event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
	places->brace = event->end_mark.index;
}

static void place(struct places *places, const yaml_event_t *event)
{
	bool opens = event->type == YAML_MAPPING_START_EVENT ||
		     event->type == YAML_SEQUENCE_START_EVENT;
	bool closes = event->type == YAML_MAPPING_END_EVENT ||
		      event->type == YAML_SEQUENCE_END_EVENT;
	bool leaf = event->type == YAML_SCALAR_EVENT || event->type == YAML_ALIAS_EVENT;

	if (event->type == YAML_DOCUMENT_END_EVENT)
		places->end = event->start_mark.index;
	if (places->depth == 1 && (opens || leaf))
		begin_place(places, event);
	if (opens && places->depth++ == 0)
		open_root(places, event);
	if (closes)
		places->depth--;
	/* The end of a block is where the next thing begins: behind comments. */
	if (leaf || (closes && !in_blocks(event)))
		places->said = event->end_mark.index;
	if (places->depth == 1 && (closes || leaf))
		end_place(places);
}

/* false: broken. */
static bool find_places(const char *text, size_t bytes, struct places *places)
{
	yaml_parser_t parser;
	yaml_event_t event;
	bool parsed, ended = false;

	if (!yaml_parser_initialize(&parser))
		return false;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
	while (!ended && (parsed = yaml_parser_parse(&parser, &event))) {
		place(places, &event);
		ended = event.type == YAML_DOCUMENT_END_EVENT ||
			event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return ended;
}

static void find_change(const struct places *places, const char *text, size_t bytes,
			struct change *change)
{
	if (!change->there)
		change->from = change->until = places->flow ? places->brace : places->end;
	change->from = byte_of(text, bytes, change->from);
	change->until = byte_of(text, bytes, change->until);
}

static void put_change(FILE *out, const struct places *places, const struct change *change)
{
	if (!change->there)
		fprintf(out, "\n%*s%s:", places->flow ? 1 : (int)places->column, "", change->key);
	if (change->detectors)
		put_detectors(out, change->detectors);
	else
		fprintf(out, " \"%lldms\"", (long long)change->ms);
	if (!change->there)
		fputs(places->flow ? "," : "\n", out);
}

static char *write_changes(const char *text, size_t bytes, const struct places *places)
{
	struct change *changes = places->changes;
	char *whole = NULL;
	size_t at = 0, size;
	FILE *out;

	for (unsigned i = 0; i < places->count; i++)
		find_change(places, text, bytes, &changes[i]);
	if (places->count == 2 && changes[1].from < changes[0].from) {
		struct change first = changes[1];
		changes[1] = changes[0];
		changes[0] = first;
	}
	out = open_memstream(&whole, &size);
	if (!out)
		return NULL;
	for (unsigned i = 0; i < places->count; i++) {
		fwrite(text + at, 1, changes[i].from - at, out);
		put_change(out, places, &changes[i]);
		at = changes[i].until;
	}
	fwrite(text + at, 1, bytes - at, out);
	if (fclose(out) != 0) {
		free(whole);
		return NULL;
	}
	return whole;
}

/* What was written is read again: a text that says something else is not let out. */
static bool says(const char *text, const json_t *detectors)
{
	char why[256];
	json_t *again = config_text_detectors(text, strlen(text), "", why, sizeof(why));
	bool same = again && json_equal(again, detectors);

	json_decref(again);
	return same;
}

char *config_text_with(const char *text, size_t bytes, const json_t *detectors, int64_t interval_ms,
		       const char *name, char *why, size_t why_bytes)
{
	struct change changes[2] = {{.key = "detectors", .detectors = detectors},
				    {.key = "interval", .ms = interval_ms}};
	struct places places = {.changes = changes, .count = interval_ms ? 2 : 1};
	char *whole = NULL;

	if (find_places(text, bytes, &places)) {
		whole = write_changes(text, bytes, &places);
		if (!whole) {
			snprintf(why, why_bytes, "out of memory");
			return NULL;
		}
	}
	if (whole && says(whole, detectors))
		return whole;
	free(whole);
	snprintf(why, why_bytes,
		 "%s: no other detectors can be put into it as it is written; write its list plainly, "
		 "as \"detectors:\" with a line \"- name: ...\" for each, and without anchors that "
		 "other keys name",
		 name);
	return NULL;
}
