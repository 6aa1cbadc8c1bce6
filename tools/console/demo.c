/*
 * demo: see demo.h.
 *
 * Idea:  a process of its own, in a group of its own, that ends by itself: it plays its history as
 *        fast as the engine takes it and then three quarters of an hour, a minute each second. It
 *        may take so long and no longer, and goes when this program does. What it was is known
 *        when it has been waited for.
 */
#include "demo.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/monotonic.h"
#include "console.h"
#include "weir/order.h"

#define MOST_S 1800
#define PATIENCE_MS 5000 /* from the first signal to the last */
#define LOOK_MS 100

struct demo {
	pthread_mutex_t lock;
	pthread_cond_t turned;
	pthread_t thread;
	struct console *console;
	pid_t pid; /* 0: none */
	bool begun, stop;
};

struct demo *demo_open(void)
{
	struct demo *demo = calloc(1, sizeof(*demo));

	if (!demo)
		return NULL;
	pthread_mutex_init(&demo->lock, NULL);
	pthread_cond_init(&demo->turned, NULL);
	return demo;
}

void demo_close(struct demo *demo)
{
	if (!demo)
		return;
	pthread_mutex_lock(&demo->lock);
	demo->stop = true;
	pthread_cond_broadcast(&demo->turned);
	bool begun = demo->begun;
	pthread_mutex_unlock(&demo->lock);
	if (begun)
		pthread_join(demo->thread, NULL);
	pthread_mutex_destroy(&demo->lock);
	pthread_cond_destroy(&demo->turned);
	free(demo);
}

/* A while, or until it is to stop. False: it is. */
static bool wait_some(struct demo *demo)
{
	struct timespec until;

	until = monotonic_in_ms(LOOK_MS);
	pthread_mutex_lock(&demo->lock);
	while (!demo->stop &&
	       pthread_cond_clockwait(&demo->turned, &demo->lock, CLOCK_MONOTONIC, &until) == 0)
		;
	bool go_on = !demo->stop;
	pthread_mutex_unlock(&demo->lock);
	return go_on;
}

/* Has it ended? *ret_code: as waitpid() has it. */
static bool has_ended(pid_t pid, int *ret_code)
{
	pid_t answer = waitpid(pid, ret_code, WNOHANG);

	return answer == pid || (answer < 0 && errno == ECHILD);
}

static void end_now(pid_t pid, int *ret_code)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};

	kill(-pid, SIGTERM);
	for (int ms = 0; ms < PATIENCE_MS; ms += LOOK_MS) {
		if (has_ended(pid, ret_code))
			return;
		nanosleep(&pause, NULL);
	}
	kill(-pid, SIGKILL);
	while (waitpid(pid, ret_code, 0) < 0 && errno == EINTR)
		;
}

static void *await(void *argument)
{
	struct demo *demo = argument;
	int code = 0;
	bool ended = false, go_on = true;

	pthread_setname_np(pthread_self(), "demo");
	for (int ms = 0; !ended && go_on && ms < MOST_S * 1000; ms += LOOK_MS) {
		go_on = wait_some(demo);
		ended = has_ended(demo->pid, &code);
	}
	if (!ended)
		end_now(demo->pid, &code);
	bool well = ended && WIFEXITED(code) && WEXITSTATUS(code) == 0;
	if (well)
		log_info("demo", "the shop has told its story");
	else if (ended)
		log_warning("demo", "weir-shop failed: its %s is %d",
			    WIFEXITED(code) ? "exit code" : "status",
			    WIFEXITED(code) ? WEXITSTATUS(code) : code);
	else
		log_info("demo", "weir-shop was ended");
	/* What has failed may be tried again. */
	weir_store_relaxed_32(&demo->console->demo, well ? DEMO_DONE : DEMO_READY);
	return NULL;
}

/* In the child, where only what is safe after a fork of many threads may be called. */
static void become(char *const arguments[], int null_fd)
{
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null_fd, STDIN_FILENO);
	dup2(null_fd, STDOUT_FILENO);
	close_range(STDERR_FILENO + 1, ~0u, 0); /* nobody's connection is the shop's */
	execv(arguments[0], arguments);
	_exit(127);
}

/* With the lock. */
static int start(struct demo *demo, const char *shop, const char *socket, long long interval_ms)
{
	char interval[32];
	char *const arguments[] = {(char *)(uintptr_t)shop,
				   (char *)(uintptr_t) "--socket",
				   (char *)(uintptr_t)socket,
				   (char *)(uintptr_t) "--interval",
				   interval,
				   NULL};
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null_fd < 0)
		return -errno;
	snprintf(interval, sizeof(interval), "%lldms", interval_ms);
	pid_t pid = fork();
	if (pid == 0)
		become(arguments, null_fd);
	int error = pid < 0 ? -errno : 0;
	close(null_fd);
	if (error)
		return error;
	setpgid(pid, pid); /* whoever of both comes first */
	demo->pid = pid;
	error = -pthread_create(&demo->thread, NULL, await, demo);
	if (error) {
		int code;
		end_now(pid, &code);
		demo->pid = 0;
		return error;
	}
	demo->begun = true;
	return 0;
}

int demo_start(struct demo *demo, struct console *console, const char *socket,
	       long long interval_ms, char *why, size_t why_bytes)
{
	const char *shop = console->options->shop;

	if (!shop) {
		snprintf(why, why_bytes, "this console knows no weir-shop; name it with --shop");
		return -ENOENT;
	}
	pthread_mutex_lock(&demo->lock);
	/* Once: what it has emitted may not have been seen yet by who looks if there is any. */
	int error = weir_load_relaxed_32(&console->demo) == DEMO_READY ? 0 : -EALREADY;
	if (!error && demo->begun) {
		/* One that failed: its last act was to say that it is over. */
		pthread_join(demo->thread, NULL);
		demo->begun = false;
	}
	if (!error) {
		demo->console = console;
		weir_store_relaxed_32(&console->demo, DEMO_RUNNING);
		error = start(demo, shop, socket, interval_ms);
		if (error)
			weir_store_relaxed_32(&console->demo, DEMO_READY);
	}
	pthread_mutex_unlock(&demo->lock);
	if (error == -EALREADY)
		snprintf(why, why_bytes, "the shop has been started already");
	else if (error)
		snprintf(why, why_bytes, "cannot start %s: %s", shop, strerror(-error));
	else
		log_info("demo", "%s plays into %s", shop, socket);
	return error;
}
