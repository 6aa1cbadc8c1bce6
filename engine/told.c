/*
 * told: see told.h.
 */
#include "told.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deliver/payload.h"
#include "deliver/store.h"
#include "input.h"

struct told {
	struct told_entry entry[TOLD_MAX]; /* a ring */
	uint32_t next;
};

void told_free(struct told *told)
{
	free(told);
}

bool told_of(const struct operator_input *input, struct told_entry *ret_entry)
{
	json_t *own = strstr(input->detail, "\"key\"") ? json_loads(input->detail, 0, NULL) : NULL;
	const char *key = json_string_value(json_object_get(own, "key"));

	if (key) {
		snprintf(ret_entry->key, sizeof(ret_entry->key), "%s", key);
		ret_entry->kind = input->kind;
		ret_entry->has_id = input->has_id;
		memcpy(ret_entry->id, input->id, sizeof(ret_entry->id));
		ret_entry->number = input->number;
		ret_entry->until_ms = input->until_ms;
	}
	json_decref(own);
	return key != NULL;
}

void told_add(struct told *told, const struct told_entry *entry)
{
	told->entry[told->next] = *entry;
	told->next = (told->next + 1) % TOLD_MAX;
}

/* Newest first: the oldest of them are to be overwritten first. */
static int each_input(void *self, const struct operator_input *input, uint64_t ended)
{
	struct told *told = self;

	(void)ended;
	if (told_of(input, &told->entry[told->next - 1]))
		told->next--;
	return 0;
}

static int read_store(const char *store_path, struct told **ret_told)
{
	struct told *told = calloc(1, sizeof(*told));
	struct store_reader *reader;

	if (!told)
		return -ENOMEM;
	told->next = TOLD_MAX;
	int error = store_reader_open(store_path, &reader);
	if (!error) {
		error = store_inputs(reader, -1, NULL, TOLD_MAX, each_input, told);
		store_reader_close(reader);
	}
	if (error) {
		free(told);
		return error;
	}
	told->next = 0;
	*ret_told = told;
	return 0;
}

static bool is_same(const struct told_entry *entry, const json_t *record)
{
	const char *kind = json_string_value(json_object_get(record, "kind"));
	const char *id = json_string_value(json_object_get(record, "id"));
	char text[33] = "";

	if (entry->has_id)
		anomaly_id_text(entry->id, text);
	return kind && strcmp(kind, input_kind_name(entry->kind)) == 0 &&
	       strcmp(id ? id : "", text) == 0;
}

int told_find(struct told **told, const char *store_path, const json_t *record,
	      struct told_entry *ret_entry, char *why, size_t why_bytes)
{
	const char *key = json_string_value(json_object_get(record, "key"));
	int error = key && key[0] && !*told ? read_store(store_path, told) : 0;

	if (error) {
		snprintf(why, why_bytes, "whether this was said before cannot be seen: %s",
			 strerror(-error));
		return -EINVAL;
	}
	for (uint32_t i = 0; key && key[0] && i < TOLD_MAX; i++) {
		const struct told_entry *entry = &(*told)->entry[i];
		if (strcmp(entry->key, key) != 0)
			continue;
		*ret_entry = *entry;
		if (is_same(entry, record))
			return 1;
		snprintf(why, why_bytes,
			 "something else was said under this key (number %" PRIu64
			 "): take another one",
			 entry->number);
		return -EINVAL;
	}
	return 0;
}
