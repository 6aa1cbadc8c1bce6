/*
 * emit_count: instructions of an emit, counted by callgrind; see emit_count.h.
 */
#include "emit_count.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "status.h"

const char *const emit_way_names[EMIT_WAYS] = {"stamped", "at", "many"};
static const char *const functions[EMIT_WAYS] = {"weir_emit", "weir_emit_at", "weir_emit_many"};

static _Noreturn void become(enum emit_way way, const char *file)
{
	char out[4200], collect[80], self[4096];
	int null = open("/dev/null", O_RDWR);
	ssize_t bytes = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (null < 0 || bytes < 0)
		_exit(126);
	self[bytes] = '\0';
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	snprintf(out, sizeof(out), "--callgrind-out-file=%s", file);
	snprintf(collect, sizeof(collect), "--toggle-collect=%s", functions[way]);
	execlp("valgrind", "valgrind", "--tool=callgrind", out, collect, self, "emit", "--alone",
	       emit_way_names[way], (char *)NULL);
	_exit(127);
}

/* The line "summary: N" or "totals: N" of callgrind's file. 0: there is none. */
static double read_sum(const char *file)
{
	char line[4096];
	double sum = 0;
	FILE *in = fopen(file, "re");
	while (in && fgets(line, sizeof(line), in))
		if (sscanf(line, "summary: %lf", &sum) == 1 ||
		    sscanf(line, "totals: %lf", &sum) == 1)
			break;
	if (in)
		fclose(in);
	return sum;
}

int emit_count(enum emit_way way, const char *directory, double *ret_instructions)
{
	char file[4096];
	int status;
	snprintf(file, sizeof(file), "%s/callgrind.%s", directory, emit_way_names[way]);
	pid_t child = fork();
	if (child < 0)
		return -errno;
	if (child == 0)
		become(way, file);
	if (waitpid(child, &status, 0) < 0)
		return -errno;
	double sum = read_sum(file);
	unlink(file);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return -ENOENT;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != STATUS_GOOD || sum <= 0)
		return -EPROTO;
	*ret_instructions = sum / EMIT_COUNT_EVENTS;
	return 0;
}

static time_t coarse_second(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return now.tv_sec;
}

int emit_alone(enum emit_way way)
{
	struct emit_bench bench = {0};
	char why[200];
	if (emit_open(&bench, NULL, why, sizeof(why)) < 0) {
		fprintf(stderr, "weir-bench: %s\n", why);
		return STATUS_UNABLE;
	}
	/* The thread's first event, by another function than the one that is counted. */
	enum emit_way other = way == EMIT_AT ? EMIT_STAMPED : EMIT_AT;
	time_t second = coarse_second();
	while (coarse_second() == second)
		;
	emit_some(&bench, other, 1);
	uint64_t taken = emit_some(&bench, way, EMIT_COUNT_EVENTS);
	emit_close(&bench);
	return taken == EMIT_COUNT_EVENTS ? STATUS_GOOD : STATUS_LOSSY;
}
