/*
 * peer: what all comparisons share; see peer.h. A run is a forked process: what it pins, maps,
 * starts and leaks goes with it.
 */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "producer.h"

/* Of a run's time besides that of sending: to start, to arrive, to be read back. */
#define MARGIN_MS 120000u

int peer_books_init(struct peer_books *books, const struct plan *plan)
{
	*books = (struct peer_books){.plan = plan,
				     .counts = calloc(plan->series, sizeof(*books->counts)),
				     .sums = calloc(plan->series, sizeof(*books->sums))};
	if (books->counts && books->sums)
		return 0;
	peer_books_fini(books);
	return -ENOMEM;
}

void peer_books_fini(struct peer_books *books)
{
	free(books->counts);
	free(books->sums);
	*books = (struct peer_books){0};
}

void peer_books_close(const struct peer_books *books, uint64_t sent, struct peer_result *ret_result)
{
	const struct plan *plan = books->plan;
	uint64_t *counts = calloc(plan->series, sizeof(*counts));
	uint64_t *sums = calloc(plan->series, sizeof(*sums));

	ret_result->sent = sent;
	ret_result->kept = books->events;
	ret_result->wrong = books->strangers;
	if (!counts || !sums) {
		ret_result->wrong++;
	} else if (books->events == sent) {
		plan_expect(plan, sent, counts, sums);
		for (uint32_t i = 0; i < plan->series; i++)
			if (counts[i] != books->counts[i] || sums[i] != books->sums[i])
				ret_result->wrong++;
	}
	free(counts);
	free(sums);
}

void peer_watch_start(struct peer_watch *watch, const struct peer_task *task)
{
	watch->first_ns = monotonic_ns();
	watch->end_ns = watch->first_ns + task->run_ns;
	watch->events_max = task->events_max;
}

bool peer_going(const struct peer_watch *watch, uint64_t sent)
{
	return sent + PEER_CHUNK <= watch->events_max && monotonic_ns() < watch->end_ns;
}

double peer_seconds(const struct peer_watch *watch)
{
	return (double)(monotonic_ns() - watch->first_ns) * 1e-9;
}

/* After fork: become the program. */
static _Noreturn void become(const struct peer_program *program)
{
	char output[3200], home[3200], lttng_home[3200];
	char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin",
				     "LTTNG_UST_ALLOW_BLOCKING=1",
				     "LTTNG_UST_REGISTER_TIMEOUT=-1",
				     home,
				     lttng_home,
				     NULL};
	snprintf(output, sizeof(output), "%s/%s.log", program->home, program->name);
	snprintf(home, sizeof(home), "HOME=%s", program->home);
	snprintf(lttng_home, sizeof(lttng_home), "LTTNG_HOME=%s", program->home);
	/* Opened before it becomes another user, who may not see where it lies. */
	int file = open(program->path, O_RDONLY | O_CLOEXEC);
	int out = open(output, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (file < 0 || out < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0)
		_exit(126);
	processor_pin(0, program->processor);
	if (program->user != 0 &&
	    (setgroups(0, NULL) < 0 || setresgid(program->user, program->user, program->user) < 0 ||
	     setresuid(program->user, program->user, program->user) < 0)) {
		dprintf(STDERR_FILENO, "cannot become user %u: %s\n", program->user,
			strerror(errno));
		_exit(126);
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (chdir(program->home) < 0) {
		dprintf(STDERR_FILENO, "user %u cannot go to %s: %s\n", getuid(), program->home,
			strerror(errno));
		_exit(126);
	}
	fexecve(file, program->arguments, environment);
	dprintf(STDERR_FILENO, "%s: %s\n", program->path, strerror(errno));
	_exit(127);
}

pid_t peer_start(const struct peer_program *program)
{
	pid_t pid = fork();
	if (pid == 0)
		become(program);
	return pid < 0 ? -errno : pid;
}

bool peer_runs(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) == 0;
}

int peer_wait(pid_t pid, uint32_t timeout_ms)
{
	uint64_t end_ns = monotonic_ns() + timeout_ms * UINT64_C(1000000);
	int status;
	for (;;) {
		pid_t ended = waitpid(pid, &status, WNOHANG);
		if (ended == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
		if (ended < 0 && errno != EINTR)
			return -ECHILD;
		if (monotonic_ns() > end_ns || producers_interrupted()) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return producers_interrupted() ? -EINTR : -ETIMEDOUT;
		}
		usleep(500);
	}
}

void peer_end(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGTERM);
	peer_wait(pid, 10000);
}

void peer_quote(const char *home, const char *name, char *text, size_t text_bytes)
{
	char path[3200], line[400];
	snprintf(path, sizeof(path), "%s/%s.log", home, name);
	text[0] = '\0';
	FILE *file = fopen(path, "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		if (line[0] != '\n')
			snprintf(text, text_bytes, "%.*s", (int)strcspn(line, "\n"), line);
	fclose(file);
}

int peer_sync(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = fdatasync(fd) < 0 ? -errno : 0;
	close(fd);
	return r;
}

/* Remove what a run wrote: a directory of ours, made by mkdtemp. */
static void remove_tree(const char *directory)
{
	pid_t pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", directory, (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

int peer_measure(const struct peer *peer, const struct peer_task *task,
		 struct peer_result *ret_result)
{
	struct peer_result *result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct peer_task own = *task;
	char directory[2200];

	*ret_result = (struct peer_result){0};
	if (result == MAP_FAILED)
		return -ENOMEM;
	snprintf(directory, sizeof(directory), "%s/weir-compare-XXXXXX", task->directory);
	int r = mkdtemp(directory) ? 0 : -errno;
	if (r < 0) {
		snprintf(ret_result->why, sizeof(ret_result->why), "%s: %s", task->directory,
			 strerror(errno));
		munmap(result, sizeof(*result));
		return r;
	}
	own.directory = directory;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		_exit(-peer->run(peer, &own, result));
	}
	r = pid < 0 ? -EAGAIN : peer_wait(pid, (uint32_t)(task->run_ns / 1000000) + MARGIN_MS);
	*ret_result = *result;
	if (r > 0)
		r = -r;
	if (r < 0 && !ret_result->why[0])
		snprintf(ret_result->why, sizeof(ret_result->why), "%s", strerror(-r));
	munmap(result, sizeof(*result));
	if (r < 0) /* what it had started is ending */
		usleep(300000);
	if (task->keep)
		fprintf(stderr, "weir-bench: what %s wrote is in %s\n", peer->name, directory);
	else
		remove_tree(directory);
	return r;
}
