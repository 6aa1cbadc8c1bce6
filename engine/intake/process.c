/*
 * process: who is at the other end, and is it still alive?
 *
 * Idea:  a pidfd is the only name of a process that cannot come to mean another one. The kernel
 *        gives the peer's directly since 6.5 (SO_PEERPIDFD); before that it is opened by number,
 *        and the start time tells whether the number has been reused in between.
 *
 * Runs on:  the intake agent.
 * Never:    signals or waits for anybody; believes a pid that the producer wrote.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "intake/process.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* newer than the C library's headers here */
#endif

/* The 22nd field, counted behind the program's name, which may hold spaces and brackets. */
static uint64_t parse_start_time(const char *stat)
{
	const char *at = strrchr(stat, ')');
	if (!at)
		return 0;
	at++;
	for (int field = 3; field <= 22; field++) {
		at += strspn(at, " ");
		if (field < 22)
			at += strcspn(at, " ");
	}
	return strtoull(at, NULL, 10);
}

static bool same_link(const char *one, const char *other)
{
	char a[64] = "", b[64] = "";

	return readlink(one, a, sizeof(a) - 1) > 0 && readlink(other, b, sizeof(b) - 1) > 0 &&
	       !strcmp(a, b);
}

/* What /proc adds to start times for a reader in our time namespace, in clock ticks. Producers may
 * be in others, so that times are compared as they are outside of all. false: it cannot be read
 * now. */
static bool boot_offset_ticks(uint64_t *ret_ticks)
{
	long long seconds = 0, nanoseconds = 0, per_s = sysconf(_SC_CLK_TCK);
	char line[128];

	*ret_ticks = 0;
	/* The file tells of children's namespace; only where that is ours too is it our offset. */
	if (!same_link("/proc/self/ns/time", "/proc/self/ns/time_for_children"))
		return true;
	FILE *file = fopen("/proc/self/timens_offsets", "re");
	if (!file)
		return errno == ENOENT || errno == EACCES;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "boottime %lld %lld", &seconds, &nanoseconds) == 2)
			break;
	fclose(file);
	*ret_ticks = (uint64_t)(seconds * per_s + nanoseconds / (1000000000 / per_s));
	return true;
}

uint64_t process_start_time(pid_t pid)
{
	/* It does not change for a process that has threads. Read by the intake agent only. */
	static uint64_t offset_ticks;
	static bool known;
	char path[32], stat[1024];

	if (pid <= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t bytes = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	if (bytes <= 0)
		return 0;
	stat[bytes] = 0;
	known = known || boot_offset_ticks(&offset_ticks);
	uint64_t ticks = parse_start_time(stat);
	return ticks ? ticks - offset_ticks : 0;
}

static int open_pidfd(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	return fd < 0 ? -errno : fd;
}

/* The pidfd of the peer, as sure as this kernel can make it. Negative errno; -ESRCH: dead. */
static int peer_pidfd(int socket, pid_t pid)
{
	int fd = -1;
	socklen_t bytes = sizeof(fd);

	if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &bytes) == 0) {
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		return fd;
	}
	/* Dead and reaped, says this kernel (in one of two ways, by its version). */
	if (errno == ESRCH || errno == ENODATA)
		return -ESRCH;
	if (errno != ENOPROTOOPT && errno != EINVAL)
		return -errno;
	return pid > 0 ? open_pidfd(pid) : -ENOPROTOOPT;
}

int process_of_peer(int socket, struct process *ret_process)
{
	struct ucred peer;
	socklen_t bytes = sizeof(peer);

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0)
		return -errno;
	struct process process = {.uid = peer.uid, .pid = peer.pid, .pidfd = -1};
	int fd = peer_pidfd(socket, peer.pid);
	if (fd == -ESRCH)
		process.gone = true;
	else if (fd < 0)
		return fd;
	else
		process.pidfd = fd;
	/* After the pidfd: if the number was reused before that, this is the other one's time, and
	 * the comparison with what the producer wrote of itself fails. */
	if (!process.gone)
		process.start_time_ticks = process_start_time(peer.pid);
	*ret_process = process;
	return 0;
}

void process_of_pid(pid_t pid, uint64_t start_time_ticks, struct process *ret_process)
{
	struct process process = {.pid = pid, .pidfd = -1, .start_time_ticks = start_time_ticks};
	int fd = pid > 0 ? open_pidfd(pid) : -EINVAL;
	uint64_t now_ticks = fd >= 0 ? process_start_time(pid) : 0;

	if (fd < 0 || (now_ticks && now_ticks != start_time_ticks)) {
		process.gone = true;
		process.unsure = fd < 0 && fd != -ESRCH;
		if (fd >= 0)
			close(fd);
	} else {
		process.pidfd = fd;
	}
	*ret_process = process;
}
