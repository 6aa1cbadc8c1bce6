/*
 * words: what people said, as the store of a story has it; and the loss of that store.
 */
#ifndef TESTS_SIM_WORDS_H
#define TESTS_SIM_WORDS_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "deliver/store.h"
#include "support/story.h"

#define WORDS_MAX 16

/* What the store has of what people said, one line each, newest first. */
struct words {
	char text[WORDS_MAX][OPERATOR_TEXT_BYTES + 160];
	uint32_t count;
};

static int words_each(void *self, const struct operator_input *input, uint64_t ended)
{
	struct words *words = self;

	if (words->count < WORDS_MAX)
		snprintf(words->text[words->count], sizeof(words->text[0]), "%llu %d %s %s %llu",
			 (unsigned long long)input->number, (int)input->kind, input->author,
			 input->text, (unsigned long long)ended);
	words->count++;
	return 0;
}

/* false: the store cannot be read. */
static bool words_read(const struct story *story, struct words *words)
{
	struct store_reader *reader;
	char path[128];

	memset(words, 0, sizeof(*words));
	snprintf(path, sizeof(path), "%s/weir.db", story->data);
	if (store_reader_open(path, &reader) < 0)
		return false;
	bool read = store_inputs(reader, -1, NULL, 0, words_each, words) >= 0;
	store_reader_close(reader);
	return read;
}

static void words_lose_store(const struct story *story)
{
	static const char *const files[] = {"weir.db", "weir.db-wal", "weir.db-shm"};
	char path[128];

	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", story->data, files[i]);
		unlink(path);
	}
}

#endif
