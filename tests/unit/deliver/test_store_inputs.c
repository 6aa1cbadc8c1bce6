/*
 * test_store_inputs: what operators said, as the store keeps it.
 */
#include <criterion/criterion.h>

#include "deliver/store.h"
#include "sample.h"

static struct store *open_store(const char *path)
{
	struct store *store;
	char why[256] = "";
	cr_assert_eq(store_open(path, &store, why, sizeof(why)), 0, "%s", why);
	return store;
}

static int count_input(void *self, const struct operator_input *input, uint64_t ended)
{
	uint64_t *sum = self;
	*sum = *sum * 100 + input->number * 10 + (ended ? 1 : 0);
	return 0;
}

Test(store_inputs, keeps_what_operators_said_once)
{
	const char *directory = sample_directory();
	char path[128];
	snprintf(path, sizeof(path), "%s/weir.db", directory);
	struct store *store = open_store(path);
	struct operator_input mute = {.kind = OPERATOR_MUTE, .number = 1, .until_ms = 5},
			      ack = {.kind = OPERATOR_ACK,
				     .number = 2,
				     .has_id = true,
				     .id = {1, 2}},
			      unmute = {.kind = OPERATOR_UNMUTE, .number = 3, .ends = 1};
	struct store_reader *reader;
	uint64_t sum = 0;
	strcpy(mute.metric, "ord*");
	for (int twice = 0; twice < 2; twice++) {
		cr_assert_eq(store_begin(store), 0);
		cr_assert_eq(store_input(store, &mute), 0);
		cr_assert_eq(store_input(store, &ack), 0);
		cr_assert_eq(store_input(store, &unmute), 0);
		cr_assert_eq(store_commit(store, 0), 0);
		store_close(store);
		store = open_store(path);
	}
	cr_assert_eq(store_reader_open(path, &reader), 0);
	cr_assert_eq(store_inputs(reader, -1, NULL, 0, count_input, &sum), 0);
	cr_assert_eq(sum, 302011, "newest first, the mute with its end: %llu",
		     (unsigned long long)sum);
	sum = 0;
	cr_assert_eq(store_inputs(reader, -1, ack.id, 0, count_input, &sum), 0);
	cr_assert_eq(sum, 20);
	sum = 0;
	cr_assert_eq(store_inputs(reader, OPERATOR_MUTE, NULL, 0, count_input, &sum), 0);
	cr_assert_eq(sum, 11);
	cr_assert_eq(store_standing(reader, OPERATOR_MUTE), 0);
	cr_assert_eq(store_standing(reader, OPERATOR_ACK), 1);
	cr_assert_eq(store_standing(reader, OPERATOR_CALENDAR_ADD), 0);
	store_reader_close(reader);
	/* The log has lost its end: what comes then is stored again. */
	cr_assert_eq(store_rewind_inputs(store, 2), 0);
	cr_assert_eq(store_begin(store), 0);
	ack.number = 3;
	cr_assert_eq(store_input(store, &ack), 0);
	cr_assert_eq(store_commit(store, 0), 0);
	cr_assert_eq(store_reader_open(path, &reader), 0);
	sum = 0;
	cr_assert_eq(store_inputs(reader, OPERATOR_UNMUTE, NULL, 0, count_input, &sum), 0);
	cr_assert_eq(sum, 0, "nobody has said that");
	cr_assert_eq(store_inputs(reader, -1, NULL, 0, count_input, &sum), 0);
	cr_assert_eq(sum, 302010, "%llu", (unsigned long long)sum);
	store_reader_close(reader);
	store_close(store);
	sample_remove(directory);
}

Test(store_inputs, keeps_what_only_a_kind_says_and_what_it_ends)
{
	const char *directory = sample_directory();
	char path[128];
	snprintf(path, sizeof(path), "%s/weir.db", directory);
	struct store *store = open_store(path);
	struct operator_input said = {.kind = OPERATOR_FEEDBACK,
				      .number = 1,
				      .has_id = true,
				      .id = {1, 2},
				      .detail = "{\"verdict\":\"no\"}"},
			      entry = {.kind = OPERATOR_CALENDAR_ADD, .number = 2},
			      wrong = {.kind = OPERATOR_FEEDBACK_UNDO, .number = 3, .ends = 2},
			      undo = {.kind = OPERATOR_FEEDBACK_UNDO, .number = 4, .ends = 1},
			      removed = {.kind = OPERATOR_CALENDAR_REMOVE, .number = 5, .ends = 2};
	struct operator_input *all[] = {&said, &entry, &wrong, &undo, &removed};
	struct store_reader *reader;
	uint64_t sum = 0;
	cr_assert_eq(store_begin(store), 0);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(store_input(store, all[i]), 0);
	cr_assert_eq(store_commit(store, 0), 0);
	cr_assert_eq(store_reader_open(path, &reader), 0);
	cr_assert_eq(store_inputs(reader, -1, NULL, 0, count_input, &sum), 0);
	cr_assert_eq(sum, 302010, "an undo ends feedback only: %llu", (unsigned long long)sum);
	cr_assert_eq(store_begin(store), 0);
	for (int i = 3; i < 5; i++)
		cr_assert_eq(store_input(store, all[i]), 0);
	cr_assert_eq(store_commit(store, 0), 0);
	sum = 0;
	cr_assert_eq(store_inputs(reader, OPERATOR_FEEDBACK, NULL, 0, count_input, &sum), 0);
	cr_assert_eq(sum, 11);
	cr_assert_eq(store_inputs(reader, OPERATOR_CALENDAR_ADD, NULL, 0, count_input, &sum), 0);
	cr_assert_eq(sum, 1121);
	store_reader_close(reader);
	store_close(store);
	sample_remove(directory);
}
