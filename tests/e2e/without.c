/*
 * without: runs a command to which the kernel refuses io_uring, as container runtimes do, or what
 * older kernels have not.
 *
 *   without [--enosys | --restrictions | --peerpidfd | --pidfd] COMMAND [ARGUMENT...]
 *
 * io_uring: EPERM, or ENOSYS as on a kernel that has none; or only what restricts a ring (EINVAL).
 * --peerpidfd: the pidfd of a socket's peer (ENOPROTOOPT), as before Linux 6.5; --pidfd: nor any
 * other (ENOSYS), as before 5.3.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
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

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* newer than the C library's headers here */
#endif

static int refuse_peer_pidfd(void)
{
	const struct sock_filter filter[] = {
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsockopt, 0, 3),
		LOAD(args[2]),
		IF(SO_PEERPIDFD), ANSWER(SECCOMP_RET_ERRNO | ENOPROTOOPT),
		ANSWER(SECCOMP_RET_ALLOW),
	};

	return refuse(filter, sizeof(filter));
}

static int refuse_pidfd(void)
{
	const struct sock_filter filter[] = {
		LOAD(nr),
		IF(SYS_pidfd_open), ANSWER(SECCOMP_RET_ERRNO | ENOSYS),
		ANSWER(SECCOMP_RET_ALLOW),
	};
	int error = refuse_peer_pidfd();

	return error < 0 ? error : refuse(filter, sizeof(filter));
}

static int refuse_eperm(void)
{
	return refuse_all(EPERM);
}

static int refuse_enosys(void)
{
	return refuse_all(ENOSYS);
}

static const struct {
	const char *option;
	int (*refuse)(void);
} kinds[] = {
	{"--enosys", refuse_enosys},
	{"--restrictions", refuse_restrictions},
	{"--peerpidfd", refuse_peer_pidfd},
	{"--pidfd", refuse_pidfd},
};

int main(int argc, char **argv)
{
	int (*chosen)(void) = refuse_eperm;
	char **command = argv + 1;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && argc > 1; i++)
		if (strcmp(argv[1], kinds[i].option) == 0) {
			chosen = kinds[i].refuse;
			command = argv + 2;
		}
	if (argc < 2 || !*command)
		return 2;
	if (chosen() < 0) {
		perror("without: no filter");
		return 77;
	}
	execvp(*command, command);
	perror(*command);
	return 127;
}
