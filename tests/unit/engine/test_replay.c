/* replay: a control log that is read from its first block does not end before what was kept. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../deliver/maker.h"
#include "../deliver/sample.h"
#include "checkpoint.h"
#include "replay.h"

#define FIRST_INPUT 3u
#define CONTAINED 8u /* the block up to which the checkpoint knows: a close */
#define REBASED 6u   /* where there is a rebase */
#define LAST 10u

static char root[64];
static struct io *io;
static int directory_fd;
static struct maker control;

static void write_checkpoint(void)
{
	struct checkpoint checkpoint;
	struct bytes positions = {0}, sections = {0};
	struct inputs inputs;
	struct moved moved;
	void *buffer = io->ops->buffers(io, 1, CHECKPOINT_BUFFER_BYTES);

	checkpoint_init(&checkpoint);
	closer_epoch(&checkpoint.closer, 1, 1);
	checkpoint.sequence = 1;
	checkpoint.control_lsn = CONTAINED;
	checkpoint.control_records = 1;
	checkpoint.interval_ms = 10000;
	checkpoint.config_text = strdup("metrics: []");
	checkpoint.sources = 1;
	strcpy(checkpoint.source[0].name, "live");
	checkpoint_put_positions(&checkpoint, &positions);
	cr_assert_eq(inputs_init(&inputs), 0);
	cr_assert_eq(moved_init(&moved), 0);
	inputs_save(&inputs, &sections);
	moved_save(&moved, &sections);
	cr_assert_eq(checkpoint_write(io, buffer, 1, &positions, &sections), 0);
	inputs_fini(&inputs);
	moved_fini(&moved);
	bytes_fini(&positions);
	bytes_fini(&sections);
	checkpoint_fini(&checkpoint);
}

static void setup(void)
{
	strcpy(root, sample_directory());
	directory_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(io_pwrite_create(directory_fd, 1, &io), 0);
	write_checkpoint();
}

static void teardown(void)
{
	static const char *const directories[] = {"control", CHECKPOINT_DIRECTORY};
	char path[128];

	io->ops->destroy(io);
	close(directory_fd);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", root, directories[i]);
		sample_remove(path);
	}
	sample_remove(root);
}

/* No header calls anything durable. Then block `hit` gets damaged. */
static void write_log(uint64_t hit, bool rebased)
{
	static const char said[] =
		"{\"kind\":\"annotate\",\"text\":\"a day\",\"from_ms\":1,\"until_ms\":2}";
	static const struct weir_control_rebase rebase = {.sequence = 1};
	uint64_t offsets[LAST + 1] = {0};

	maker_open(&control, root, "control", WEIR_LANE_CONTROL);
	maker_segment(&control, 0);
	while (control.lsn <= LAST) {
		const uint64_t lsn = control.lsn;
		if (lsn == 1)
			maker_epoch(&control, 1, 1);
		else if (lsn == 2)
			maker_source(&control, 0, "live");
		else if (lsn == CONTAINED)
			maker_close(&control, 0, 1, 1, 1, 0, 0);
		else if (lsn == REBASED && rebased)
			maker_control(&control, WEIR_CONTROL_REBASE, 0, 0, &rebase, sizeof(rebase));
		else
			maker_control(&control, WEIR_CONTROL_INPUT, 0, 0, said, sizeof(said) - 1);
		offsets[lsn] = control.last_offset;
	}
	if (hit)
		cr_assert_eq(pwrite(control.fd, "?", 1, (off_t)offsets[hit] + 70), 1);
	maker_end(&control);
}

struct heard {
	uint64_t inputs, started_at, next_lsn;
};

static void hear(void *self, const struct operator_input *input)
{
	struct heard *heard = self;

	(void)input;
	heard->inputs++;
}

/* By one whose store has nothing; then the log is removed. */
static struct heard run(enum replay_start start)
{
	struct heard heard = {0};
	const struct replay_options options = {
		.io = io,
		.shards = 1,
		.series_max = 10,
		.start = start,
		.each_input = hear,
		.self = &heard,
	};
	struct replay replay;

	int error = replay_run(&options, &replay);
	cr_assert_eq(error, 0, "%s", replay.why);
	heard.started_at = replay.started_at;
	heard.next_lsn = replay.control.report.next_lsn;
	replay_fini(&replay);
	cr_assert_eq(unlink(control.path), 0);
	return heard;
}

TestSuite(replay, .init = setup, .fini = teardown);

Test(replay, tells_what_was_said_behind_a_damaged_block)
{
	for (uint64_t hit = 0; hit < CONTAINED; hit++) {
		write_log(hit, false);
		const struct heard heard = run(REPLAY_NEWEST);
		cr_assert_eq(heard.started_at, 1u);
		cr_expect_eq(heard.inputs, LAST - FIRST_INPUT - (hit >= FIRST_INPUT),
			     "block %lu: %lu inputs", (unsigned long)hit,
			     (unsigned long)heard.inputs);
	}
}

Test(replay, from_the_first_event_goes_on_behind_a_damaged_block)
{
	for (uint64_t hit = FIRST_INPUT; hit <= CONTAINED; hit++) {
		write_log(hit, false);
		const struct heard heard = run(REPLAY_OLDEST);
		cr_assert_eq(heard.started_at, 0u);
		cr_expect_eq(heard.next_lsn, LAST + 1, "block %lu", (unsigned long)hit);
		cr_expect_eq(heard.inputs, LAST - FIRST_INPUT - (hit < CONTAINED), "block %lu",
			     (unsigned long)hit);
	}
}

/* The state that it put in force is gone: nobody can begin before it. */
Test(replay, finds_a_rebase_behind_a_damaged_block)
{
	for (uint64_t hit = 0; hit < REBASED; hit++) {
		write_log(hit, true);
		cr_expect_eq(run(REPLAY_OLDEST).started_at, 1u, "block %lu", (unsigned long)hit);
	}
}
