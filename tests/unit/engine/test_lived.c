/* lived: what is in force is read from the control log's end, whatever was damaged before it. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../deliver/maker.h"
#include "../deliver/sample.h"
#include "checkpoint.h"
#include "lived.h"

#define CONTAINED 5u /* the block up to which the checkpoint knows */

static char root[64];
static struct io *io;
static int directory_fd;
static struct maker control;

static void write_checkpoint(void)
{
	struct checkpoint checkpoint;
	struct bytes positions = {0}, sections = {0};
	void *buffer = io->ops->buffers(io, 1, CHECKPOINT_BUFFER_BYTES);

	checkpoint_init(&checkpoint);
	checkpoint.sequence = 2;
	checkpoint.control_lsn = CONTAINED;
	checkpoint.control_records = 1;
	checkpoint.interval_ms = 10000;
	checkpoint.config_text = strdup("old");
	checkpoint_put_positions(&checkpoint, &positions);
	cr_assert_eq(checkpoint_write(io, buffer, 2, &positions, &sections), 0);
	bytes_fini(&positions);
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
	maker_end(&control);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", root, directories[i]);
		sample_remove(path);
	}
	sample_remove(root);
}

static void put_config(const char *text)
{
	maker_control(&control, WEIR_CONTROL_CONFIG, 0, 0, text, (uint32_t)strlen(text));
}

/* Three configurations and two closes; the checkpoint is of the second close. No header calls
 * anything durable. Then block `hit` gets damaged. */
static void write_log(uint64_t hit)
{
	uint64_t offsets[CONTAINED + 4] = {0};

	maker_open(&control, root, "control", WEIR_LANE_CONTROL);
	maker_segment(&control, 0);
	while (control.lsn < CONTAINED + 4) {
		const uint64_t lsn = control.lsn;
		if (lsn == 1)
			maker_epoch(&control, 1, 1);
		else if (lsn == 2)
			maker_source(&control, 0, "live");
		else if (lsn == 4 || lsn == CONTAINED)
			maker_close(&control, 0, (int64_t)lsn, (int64_t)lsn, 1, lsn, 0);
		else
			put_config(lsn < CONTAINED ? "old" : lsn == CONTAINED + 3 ? "new" : "less");
		offsets[lsn] = control.last_offset;
	}
	cr_assert_eq(pwrite(control.fd, "?", 1, (off_t)offsets[hit] + 70), 1);
}

static const char *in_force(bool whole, struct lived *lived)
{
	char why[256] = "";

	cr_assert_eq(lived_read(io, whole, lived, why, sizeof(why)), 0, "%s", why);
	return lived_config(lived);
}

/* At level none headers call nothing durable before a file is full. */
Test(lived, a_damaged_block_that_the_checkpoint_contains_is_not_the_end, .init = setup,
     .fini = teardown)
{
	for (int whole = 0; whole < 2; whole++)
		for (uint64_t hit = 1; hit <= CONTAINED + 1; hit++) {
			struct lived lived;
			write_log(hit);
			/* Of what is behind it nobody has said that it was kept. */
			cr_expect_str_eq(in_force(whole, &lived), hit <= CONTAINED ? "new" : "old",
					 "block %lu, %d", (unsigned long)hit, whole);
			lived_fini(&lived);
			maker_end(&control);
			cr_assert_eq(unlink(control.path), 0);
		}
}
