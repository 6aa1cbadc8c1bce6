/*
 * process: see process.h.
 */
#include "process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Five minutes: on a loaded machine a start takes as long as it is given. */
#define REDIS_TRIES 30000
#define REDIS_PAUSE_NS 10000000
/* What process_spawn() ends with where there is no such program. */
#define NOT_INSTALLED 127

pid_t process_fork(void)
{
	fflush(stdout);
	pid_t parent = getpid(), pid = fork();

	if (pid < 0) {
		perror("fork");
		exit(1);
	}
	if (pid == 0) {
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		signal(SIGHUP, SIG_DFL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent) /* it was gone before it was asked for */
			_exit(1);
	}
	return pid;
}

pid_t process_spawn(char *const argv[], const char *output)
{
	pid_t pid = process_fork();

	if (pid == 0) {
		int fd = open(output ? output : "/dev/null",
			      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		if (fd >= 0) {
			dup2(fd, STDOUT_FILENO);
			dup2(fd, STDERR_FILENO);
		}
		signal(SIGPIPE, SIG_DFL);
		execvp(argv[0], argv);
		_exit(NOT_INSTALLED);
	}
	return pid;
}

pid_t process_redis(const char *directory)
{
	/* Not pause_us(): where a test's own clock stands in for nanosleep, no time would pass. */
	const struct timespec pause = {.tv_nsec = REDIS_PAUSE_NS};
	char path[128], log[128];
	char *argv[] = {"redis-server", "--port", "0",     "--unixsocket",	path,
			"--save",	"",	  "--dir", (char *)directory, NULL};

	snprintf(path, sizeof(path), "%s/redis.sock", directory);
	snprintf(log, sizeof(log), "%s/redis.log", directory);
	pid_t pid = process_spawn(argv, log);
	for (int i = 0; access(path, F_OK) != 0; i++) {
		int status = 0;
		const bool ended = waitpid(pid, &status, WNOHANG) == pid;
		if (ended && WIFEXITED(status) && WEXITSTATUS(status) == NOT_INSTALLED)
			return 0;
		if (ended || i == REDIS_TRIES) {
			printf("FAILED: redis-server is installed, and does not start: see %s\n",
			       log);
			exit(1);
		}
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
	return pid;
}

void pause_us(uint64_t us)
{
	struct timespec pause = {.tv_sec = (time_t)(us / 1000000),
				 .tv_nsec = (long)(us % 1000000) * 1000};
	nanosleep(&pause, NULL);
}
