/*
 * told: what was said under which key. Who has had no answer does not know whether it was heard; he
 * says it again under the same key, and it is said once.
 *
 * Idea:  a key is a member of the record, so it is in the control log and in the store like what
 *        was said. The newest TOLD_MAX are in memory, those of earlier lives from the store.
 *
 * Runs on: the control agent (or the thread of a test).
 */
#ifndef ENGINE_TOLD_H
#define ENGINE_TOLD_H

#include <jansson.h>
#include <stddef.h>

#include "deliver/operator.h"

/* More than can be on their way to the store. */
#define TOLD_MAX 1024u

struct told_entry {
	char key[OPERATOR_KEY_BYTES];
	enum operator_kind kind;
	bool has_id;
	uint64_t id[2];
	uint64_t number;
	int64_t until_ms;
};

struct told;

void told_free(struct told *told);
/* Was something said under the record's key? 1: *ret_entry; 0: no, or it has none; -EINVAL, with
 * why: something else was. *told is made, with what the store has, when the first key is seen. */
int told_find(struct told **told, const char *store_path, const json_t *record,
	      struct told_entry *ret_entry, char *why, size_t why_bytes);
/* Of one that is to be said: false: it has no key. */
bool told_of(const struct operator_input *input, struct told_entry *ret_entry);
/* It was said. */
void told_add(struct told *told, const struct told_entry *entry);

#endif
