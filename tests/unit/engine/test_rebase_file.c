/* rebase_file: a rebuilt state is found under its own checksum, or not at all. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint.h"
#include "rebase_file.h"

static char directory[] = "/tmp/weir-rebase.XXXXXX";
static struct io *io;
static void *buffer;
static int directory_fd;

static void setup(void)
{
	cr_assert_not_null(mkdtemp(directory));
	directory_fd = open(directory, O_RDONLY | O_DIRECTORY);
	cr_assert_eq(io_pwrite_create(directory_fd, 1, &io), 0);
	buffer = io->ops->buffers(io, 1, CHECKPOINT_BUFFER_BYTES);
	cr_assert_not_null(buffer);
}

static void teardown(void)
{
	char command[128];
	io->ops->destroy(io);
	close(directory_fd);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	cr_expect_eq(system(command), 0);
}

static struct weir_control_rebase write_one(uint64_t sequence, const char *text)
{
	struct weir_control_rebase rebase;
	struct bytes sections = {0};
	bytes_put(&sections, text, strlen(text));
	cr_assert_eq(rebase_file_write(io, buffer, sequence, 3, &sections, &rebase), 0);
	bytes_fini(&sections);
	return rebase;
}

static int read_one(const struct weir_control_rebase *rebase, uint32_t source, const char *wanted)
{
	struct bytes sections = {0};
	int error = rebase_file_read(io, rebase, source, &sections);
	if (!error)
		cr_expect(sections.used == strlen(wanted) &&
			  memcmp(sections.data, wanted, sections.used) == 0);
	bytes_fini(&sections);
	return error;
}

Test(rebase_file, two_of_one_close_are_two_files, .init = setup, .fini = teardown)
{
	struct weir_control_rebase one = write_one(7, "one state"), two = write_one(7, "another");
	cr_expect_eq(read_one(&one, 3, "one state"), 0);
	cr_expect_eq(read_one(&two, 3, "another"), 0);
	cr_expect_eq(read_one(&one, 4, ""), -EPROTO, "of another source");
	one.crc++;
	cr_expect_eq(read_one(&one, 3, ""), -ENOENT);
}

Test(rebase_file, a_changed_byte_is_refused, .init = setup, .fini = teardown)
{
	struct weir_control_rebase rebase = write_one(7, "one state");
	char path[128];
	snprintf(path, sizeof(path), "%s/checkpoint/rebase-%016x-%08x.wreb", directory, 7,
		 rebase.crc);
	int fd = open(path, O_WRONLY);
	cr_assert_geq(fd, 0);
	cr_assert_eq(pwrite(fd, "x", 1, 66), 1);
	close(fd);
	cr_expect_eq(read_one(&rebase, 3, ""), -EPROTO);
	cr_assert_eq(truncate(path, 70), 0);
	cr_expect_eq(read_one(&rebase, 3, ""), -EPROTO);
	cr_assert_eq(truncate(path, 10), 0);
	cr_expect_eq(read_one(&rebase, 3, ""), -EPROTO);
}

Test(rebase_file, it_is_kept_while_a_checkpoint_is_older, .init = setup, .fini = teardown)
{
	struct weir_control_rebase files[14];
	for (uint32_t i = 0; i < 14; i++)
		files[i] = write_one(10 + i, "state");
	/* The newest eight are 16 to 23. */
	rebase_file_forget(io, 12);
	for (uint32_t i = 0; i < 14; i++)
		cr_expect_eq(read_one(&files[i], 3, "state"), i < 2 ? -ENOENT : 0, "%u", i);
	rebase_file_forget(io, 100);
	for (uint32_t i = 0; i < 14; i++)
		cr_expect_eq(read_one(&files[i], 3, "state"), i < 6 ? -ENOENT : 0, "%u", i);
}
