/*
 * without: runs a command to which the kernel refuses io_uring, as container runtimes do.
 *
 *   without [--enosys | --restrictions] COMMAND [ARGUMENT...]
 *
 * EPERM, or ENOSYS as on a kernel that has none; or only what restricts a ring (EINVAL), as on one
 * that is too old for it.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ANSWER(value) BPF_STMT(BPF_RET | BPF_K, (value))
/* The next one is the answer if it is this; if not, it is passed over. */
#define IF(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, 1)

static int refuse(const struct sock_filter *filter, size_t bytes)
{
	struct sock_fprog program = {(unsigned short)(bytes / sizeof(*filter)),
				     (struct sock_filter *)filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int refuse_all(int error)
{
	const unsigned answer = SECCOMP_RET_ERRNO | (unsigned)error;
	const struct sock_filter filter[] = {
		LOAD(nr),
		IF(SYS_io_uring_setup), ANSWER(answer),
		IF(SYS_io_uring_enter), ANSWER(answer),
		IF(SYS_io_uring_register), ANSWER(answer),
		ANSWER(SECCOMP_RET_ALLOW),
	};

	return refuse(filter, sizeof(filter));
}

static int refuse_restrictions(void)
{
	const struct sock_filter filter[] = {
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_register, 0, 3),
		LOAD(args[1]),
		IF(IORING_REGISTER_RESTRICTIONS), ANSWER(SECCOMP_RET_ERRNO | EINVAL),
		ANSWER(SECCOMP_RET_ALLOW),
	};

	return refuse(filter, sizeof(filter));
}

int main(int argc, char **argv)
{
	bool enosys = argc > 1 && strcmp(argv[1], "--enosys") == 0;
	bool restrictions = argc > 1 && strcmp(argv[1], "--restrictions") == 0;
	char **command = argv + 1 + (enosys || restrictions);

	if (argc < 2 || !*command)
		return 2;
	if ((restrictions ? refuse_restrictions() : refuse_all(enosys ? ENOSYS : EPERM)) < 0) {
		perror("without: no filter");
		return 77;
	}
	execvp(*command, command);
	perror(*command);
	return 127;
}
