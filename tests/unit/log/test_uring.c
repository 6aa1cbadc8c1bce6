/*
 * What the engine's io_uring may be used for: every operation, registration and flag there is, one
 * after the other, on a ring as the engine makes it. The backend is part of this file, so that the
 * ring behind it can be got at.
 */
#include "../../../engine/log/uring.c"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "../../support/proof.h"

#define BLOCK 4096u

static char path[64];
static int dirfd_of_test;
static struct io *io;
static uint64_t tried, passed_by;

static void make_place(void)
{
	snprintf(path, sizeof(path), "/var/tmp/weir-uring-XXXXXX");
	cr_assert(mkdtemp(path));
	dirfd_of_test = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(dirfd_of_test, 0);
	int error = io_uring_create(dirfd_of_test, 8, &io);
	if (error < 0)
		cr_skip_test("no io_uring here: %s", strerror(-error));
}

static void remove_place(void)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -rf %s", path);
	cr_assert_eq(system(command), 0);
}

TestSuite(uring, .init = make_place, .fini = remove_place);

/* The kernel's answer to one operation on the first file, whatever it would do. */
static int answer_to(uint8_t operation, uint8_t flags)
{
	struct uring_io *uring = uring_of(io);
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
	struct io_uring_cqe *cqe;

	cr_assert(sqe);
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = operation;
	sqe->flags = flags;
	cr_assert_eq(io_uring_submit(&uring->ring), 1);
	cr_assert_eq(io_uring_wait_cqe(&uring->ring, &cqe), 0);
	int result = cqe->res;
	io_uring_cqe_seen(&uring->ring, cqe);
	return result;
}

/* What this kernel does not know it refuses as such, and flags that an operation cannot have. */
static void expect_refused(const char *what, unsigned number, int result, unsigned known)
{
	tried++;
	if (result == -EACCES || result == -EOPNOTSUPP || (number >= known && result == -EINVAL))
		return;
	passed_by++;
	printf("%s %u: %s\n", what, number, result < 0 ? strerror(-result) : "done");
}

static bool may(unsigned number, const unsigned *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (numbers[i] == number)
			return true;
	return false;
}

static void writes_and_syncs_work(void)
{
	struct io_completion completion;
	uint8_t *data = io->ops->buffers(io, 1, BLOCK);
	int file = io->ops->create(io, "file", BLOCK), got;

	cr_assert(data && file >= 0);
	memset(data, 7, BLOCK);
	cr_assert_eq(io->ops->write(io, file, 0, data, BLOCK, 1), 0);
	while ((got = io->ops->reap(io, &completion, 1)) == 0)
		;
	cr_assert(got == 1 && completion.result == BLOCK, "%d", (int)completion.result);
	cr_assert_eq(io->ops->sync(io, file, 2), 0);
	while ((got = io->ops->reap(io, &completion, 1)) == 0)
		;
	cr_assert(got == 1 && completion.result == 0, "%d", (int)completion.result);
	_Alignas(4096) uint8_t back[BLOCK]; /* for O_DIRECT */
	cr_assert_eq(io->ops->read(io, file, 0, back, BLOCK), BLOCK);
	cr_assert_arr_eq(back, data, BLOCK);
	io->ops->close(io, file);
}

Test(uring, a_ring_does_what_the_log_needs_and_nothing_else)
{
	static const unsigned operations[] = {IORING_OP_WRITE, IORING_OP_WRITE_FIXED,
					      IORING_OP_FSYNC};
	static const unsigned registers[] = {IORING_REGISTER_BUFFERS, IORING_UNREGISTER_BUFFERS,
					     IORING_REGISTER_FILES_UPDATE};
	static const uint8_t flags[] = {0,
					IOSQE_FIXED_FILE | IOSQE_IO_DRAIN,
					IOSQE_FIXED_FILE | IOSQE_IO_LINK,
					IOSQE_FIXED_FILE | IOSQE_IO_HARDLINK,
					IOSQE_FIXED_FILE | IOSQE_ASYNC,
					IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT,
					IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS};

	if (!(uring_of(io)->ring.features & IORING_FEAT_EXT_ARG) || !uring_of(io)->fixed_files)
		cr_skip_test("this kernel's rings cannot be restricted");
	writes_and_syncs_work();
	for (unsigned n = 0; n < 256; n++)
		if (!may(n, operations, 3))
			expect_refused("operation", n, answer_to((uint8_t)n, IOSQE_FIXED_FILE),
				       IORING_OP_LAST);
	for (unsigned n = 0; n < 3; n++)
		for (size_t f = 0; f < sizeof(flags); f++)
			expect_refused("flags of operation", operations[n],
				       answer_to((uint8_t)operations[n], flags[f]), UINT32_MAX);
	for (unsigned n = 0; n < 64; n++)
		if (!may(n, registers, 3))
			expect_refused("registration", n,
				       register_call(uring_of(io), n, NULL, 0),
				       IORING_REGISTER_LAST);
	io->ops->destroy(io);
	proof_say("uring-restricted", tried, passed_by);
	cr_assert_gt(tried, 300);
	cr_assert_eq(passed_by, 0);
}

/* From now on this process may not restrict a ring, as on a kernel that cannot. */
static bool refuse_restrictions(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_register, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IORING_REGISTER_RESTRICTIONS, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

Test(uring, where_a_ring_cannot_be_restricted_it_is_used_as_it_is_and_that_is_said)
{
	char said[512] = "";
	int ends[2];

	io->ops->destroy(io);
	if (!refuse_restrictions())
		cr_skip_test("no seccomp here");
	cr_assert_eq(pipe(ends), 0);
	int before = dup(STDERR_FILENO);
	cr_assert_geq(dup2(ends[1], STDERR_FILENO), 0);
	int error = io_uring_create(dirfd_of_test, 8, &io);
	cr_assert_geq(dup2(before, STDERR_FILENO), 0);
	close(ends[1]);
	cr_assert_eq(error, 0);
	cr_assert_gt(read(ends[0], said, sizeof(said) - 1), 0, "it says nothing");
	cr_assert(strstr(said, "cannot be restricted to writes and syncs"), "%s", said);
	writes_and_syncs_work();
	io->ops->destroy(io);
}
