/*
 * input: bytes as what operators say: a record of the control log, and as what checkpoints keep of
 * such records. The first byte says which.
 *
 *   0 mod 4   a record's text; what it says is applied, and kept in a checkpoint
 *   1         feedback of a detector
 *   2         a calendar
 *   3         mutes and acknowledgements
 *
 * Holds: what is refused has a reason; what is taken is whole, and something that can be said;
 * and what a checkpoint gave, it gives again, byte for byte.
 */
#include <string.h>

#include "base/check.h"
#include "detect/calendar.h"
#include "detect/feedback.h"
#include "input.h"
#include "target.h"

static void same(const struct bytes *a, const struct bytes *b)
{
	check(a->used == b->used && memcmp(a->data, b->data, a->used) == 0);
}

/* 0: it was taken. */
static int read_feedback(const uint8_t *data, size_t size, struct bytes *ret_saved)
{
	struct feedback_list *list = feedback_create();
	struct bytes_reader in = {.data = data, .left = size};
	int error = list ? feedback_load(list, &in) : -1;

	check(error || !in.failed);
	for (uint32_t i = 0; !error && i < list->count; i++)
		check(feedback_possible(&list->entry[i].said));
	if (!error)
		feedback_save(list, ret_saved);
	feedback_destroy(list);
	return error;
}

static int read_calendar(const uint8_t *data, size_t size, struct bytes *ret_saved)
{
	struct calendar *calendar = calendar_create();
	struct bytes_reader in = {.data = data, .left = size};
	int error = calendar ? calendar_load(calendar, &in) : -1;

	check(error || !in.failed);
	for (uint32_t i = 0; !error && i < calendar->count; i++)
		check(!calendar_wrong(&calendar->entries[i]));
	if (!error)
		calendar_save(calendar, ret_saved);
	calendar_destroy(calendar);
	return error;
}

static int read_inputs(const uint8_t *data, size_t size, struct bytes *ret_saved)
{
	struct inputs inputs;

	check(inputs_init(&inputs) == 0);
	int error = inputs_load(&inputs, (struct bytes_reader){.data = data, .left = size});
	if (!error)
		inputs_save(&inputs, ret_saved);
	inputs_fini(&inputs);
	return error;
}

typedef int reader(const uint8_t *data, size_t size, struct bytes *ret_saved);

static void read_twice(reader *read, const uint8_t *data, size_t size)
{
	struct bytes first = {0}, second = {0};

	if (read(data, size, &first) == 0) {
		check(read(first.data, first.used, &second) == 0);
		same(&first, &second);
	}
	bytes_fini(&first);
	bytes_fini(&second);
}

/* Said, it is kept. */
static void keep_feedback(const struct operator_input *input)
{
	struct feedback_list *list = feedback_create();
	struct bytes saved = {0}, again = {0};

	check(feedback_possible(&input->feedback));
	check(list && feedback_add(list, 1, input->id, input->slice, &input->feedback) == 0);
	feedback_save(list, &saved);
	check(read_feedback(saved.data, saved.used, &again) == 0);
	same(&saved, &again);
	check(feedback_undo(list, 1) && list->count == 0);
	feedback_destroy(list);
	bytes_fini(&saved);
	bytes_fini(&again);
}

static void read_record(const char *text, size_t size)
{
	static struct operator_input input;
	struct bytes saved = {0}, again = {0};
	struct inputs inputs;
	char why[512] = "";
	int error = input_parse(text, size, &input, why, sizeof(why));

	check(error == 0 || why[0]);
	if (error < 0)
		return;
	check(input.kind < OPERATOR_KINDS);
	input.number = 1;
	if (input.kind == OPERATOR_FEEDBACK)
		keep_feedback(&input);
	check(inputs_init(&inputs) == 0);
	inputs_apply(&inputs, &input);
	inputs_close(&inputs, 0, input.until_ms);
	inputs_release(&inputs, NULL, NULL);
	inputs_save(&inputs, &saved);
	check(read_inputs(saved.data, saved.used, &again) == 0);
	same(&saved, &again);
	inputs_fini(&inputs);
	bytes_fini(&saved);
	bytes_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static reader *const readers[] = {NULL, read_feedback, read_calendar, read_inputs};

	if (size == 0)
		return 0;
	if (data[0] % 4)
		read_twice(readers[data[0] % 4], data + 1, size - 1);
	else
		read_record((const char *)data + 1, size - 1);
	return 0;
}
