/*
 * scratch: see scratch.h.
 */
#include "scratch.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int scratch_make(const char *directory, char *path, size_t path_bytes, char *why, size_t why_bytes)
{
	char absolute[PATH_MAX];
	/* Absolute: a configuration takes paths from where its file lies. */
	if (!realpath(directory, absolute)) {
		int error = errno;
		snprintf(why, why_bytes, "%s: %s; name a directory with --dir", directory,
			 strerror(error));
		return -error;
	}
	if (snprintf(path, path_bytes, "%s/weir-bench-XXXXXX", absolute) >= (int)path_bytes) {
		snprintf(why, why_bytes, "%s: too long; name another directory with --dir",
			 directory);
		return -ENAMETOOLONG;
	}
	if (!mkdtemp(path)) {
		int error = errno;
		snprintf(why, why_bytes, "%s: %s; name another directory with --dir", directory,
			 strerror(error));
		return -error;
	}
	return 0;
}

void scratch_remove(const char *path)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		/* Interrupted is when it matters most. */
		signal(SIGINT, SIG_IGN);
		signal(SIGTERM, SIG_IGN);
		execlp("rm", "rm", "-rf", "--", path, (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
}
