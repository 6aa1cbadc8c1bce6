/*
 * orders_load: recorded orders from a file, packed or not, or from standard input.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "orders.h"

/* Start gzip on the file; its output is the stream. */
static FILE *open_gzip(const char *path, pid_t *ret_pid)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return NULL;
	pid_t pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		execlp("gzip", "gzip", "-dc", "--", path, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	FILE *file = pid > 0 ? fdopen(ends[0], "r") : NULL;
	if (!file)
		close(ends[0]);
	*ret_pid = pid;
	return file;
}

int orders_load(const char *path, struct orders *ret_orders, char *why, size_t why_bytes)
{
	size_t length = strlen(path);
	pid_t gzip = 0;
	FILE *file;

	if (strcmp(path, "-") == 0)
		file = stdin;
	else if (access(path, R_OK) < 0)
		file = NULL;
	else if (length > 3 && strcmp(path + length - 3, ".gz") == 0)
		file = open_gzip(path, &gzip);
	else
		file = fopen(path, "re");
	if (!file) {
		snprintf(why, why_bytes, "cannot open %s: %s", path, strerror(errno));
		return -EIO;
	}
	int ret = orders_read(file, path, ret_orders, why, why_bytes);
	if (file != stdin)
		fclose(file);
	int status = 0;
	if (gzip > 0 && waitpid(gzip, &status, 0) == gzip && status != 0 && ret == 0) {
		orders_fini(ret_orders);
		snprintf(why, why_bytes, "gzip could not read %s to its end", path);
		return -EIO;
	}
	return ret;
}
