/*
 * orphans: what an application has published is kept, although it and the engine are gone, or
 * although it never calls the library again.
 *
 *   orphans WEIRD WEIRCTL
 *
 * `weird --supervise` holds the shared memory. The engine is stopped (SIGSTOP) so that events stay
 * in the ring, the producer emits and is killed, or goes idle; the engine is killed; the next one
 * must find everything in the memory that the parent kept. `weirctl verify` is the judge.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../support/proof.h"
#include "weir/weir.h"

#define FIRST_EVENTS 1000 /* while the engine runs */
#define LAST_EVENTS 5000  /* while it is stopped */

struct stage {
	const char *weird, *weirctl;
	char directory[64], config[96], socket[96], data[96], log[96];
	pid_t supervisor;
};

struct application {
	pid_t pid;
	int say, hear; /* one byte for each step */
};

static void fail(const struct stage *stage, const char *what)
{
	printf("FAILED: %s; left for you: %s\n", what, stage->directory);
	if (stage->supervisor > 0)
		kill(stage->supervisor, SIGTERM);
	exit(1);
}

static void expect(const struct stage *stage, bool condition, const char *what)
{
	if (!condition)
		fail(stage, what);
}

static void pause_ms(long ms)
{
	struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	nanosleep(&pause, NULL);
}

static void hear(const struct stage *stage, const struct application *application, char wanted)
{
	char byte = 0;
	if (read(application->hear, &byte, 1) != 1 || byte != wanted)
		fail(stage, "the application did not get as far as it should");
}

static void say(const struct application *application, char byte)
{
	if (write(application->say, &byte, 1) != 1)
		exit(1);
}

/* The application's side: one letter in, a piece of its life, one letter out. */
static void live(const struct stage *stage, int in, int out)
{
	struct weir_options options = {.size = sizeof(options), .socket_path = stage->socket};
	struct weir_ledger ledger;
	weir *w;
	char byte;

	if (weir_open(&options, &w) < 0)
		_exit(1);
	int series = weir_series(w, WEIR_PURCHASE, WEIR_VALUE, WEIR_KIND_NUMBER, NULL, 0);
	while (read(in, &byte, 1) == 1) {
		bool ok = true;
		if (byte == 'f') {
			for (int i = 0; i < FIRST_EVENTS; i++)
				ok &= weir_emit(w, series, i) == 0;
			ok &= weir_wait(w, WEIR_PERSISTED, 20000) == 0;
		} else if (byte == 'l') {
			for (int i = 0; i < LAST_EVENTS; i++)
				ok &= weir_emit(w, series, i) == 0;
		} else if (byte == 'c') { /* back to life: the ledger, and the end */
			ok &= weir_wait(w, WEIR_DURABLE, 20000) == 0;
			weir_ledger(w, &ledger);
			ok &= ledger.attempted == FIRST_EVENTS + LAST_EVENTS;
			ok &= ledger.persisted == ledger.attempted && ledger.dropped == 0;
			ok &= ledger.rejected == 0 && ledger.lost == 0;
			ok &= weir_close(w, 20000) == 0;
		}
		if (write(out, ok ? &byte : "!", 1) != 1 || byte == 'c')
			_exit(0);
	}
	_exit(0);
}

static struct application start_application(const struct stage *stage)
{
	int down[2], up[2];

	if (pipe(down) < 0 || pipe(up) < 0)
		exit(1);
	struct application application = {.say = down[1], .hear = up[0]};
	application.pid = fork();
	if (application.pid == 0) {
		close(down[1]); /* so that our end is its end */
		live(stage, down[0], up[1]);
	}
	close(down[0]);
	close(up[1]);
	return application;
}

static void end_application(const struct application *application)
{
	close(application->say);
	close(application->hear);
	waitpid(application->pid, NULL, 0);
}

static void write_config(const struct stage *stage)
{
	FILE *file = fopen(stage->config, "w");

	if (!file)
		exit(1);
	fprintf(file,
		"data_directory: %s\nsocket: %s\ncontrol_socket: %s/control.sock\n"
		"lanes: 1\nshards: 1\n"
		"metrics:\n  - {name: purchases, event: purchase, agg: count}\n",
		stage->data, stage->socket, stage->directory);
	fclose(file);
}

static void start_supervisor(struct stage *stage)
{
	stage->supervisor = fork();
	if (stage->supervisor == 0) {
		int fd = open(stage->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		execl(stage->weird, stage->weird, "--config", stage->config, "--supervise", NULL);
		_exit(127);
	}
}

/* The engine is the supervisor's only child; not `old`, if that is not 0. */
static pid_t find_engine(const struct stage *stage, pid_t old)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)stage->supervisor,
		 (int)stage->supervisor);
	for (int i = 0; i < 1000; i++) {
		FILE *file = fopen(path, "r");
		int pid = 0;
		if (file) {
			if (fscanf(file, "%d", &pid) != 1)
				pid = 0;
			fclose(file);
		}
		if (pid > 0 && pid != old)
			return pid;
		pause_ms(10);
	}
	fail(stage, "there is no engine");
	return 0;
}

/* A number in verify's answer; -1: none. */
static long number(const char *answer, const char *name)
{
	char key[32];
	snprintf(key, sizeof(key), "\"%s\":", name);
	const char *at = strstr(answer, key);
	return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

/* Ask verify; its exit status. */
static int verify(const struct stage *stage, char answer[4096])
{
	char command[512];
	snprintf(command, sizeof(command), "%s verify --json %s 2>&1", stage->weirctl, stage->data);
	FILE *pipe = popen(command, "r");
	if (!pipe)
		exit(1);
	size_t bytes = fread(answer, 1, 4095, pipe);
	answer[bytes] = 0;
	return pclose(pipe);
}

static void wait_for_events(const struct stage *stage, long wanted)
{
	char answer[4096];
	for (int i = 0; i < 200; i++) {
		verify(stage, answer);
		if (number(answer, "events") >= wanted)
			return;
		pause_ms(100);
	}
	printf("%s\n", answer);
	fail(stage, "the new engine did not keep what was in the rings");
}

/* Events go into the ring behind the back of an engine that is then killed. */
static void lose_engine(struct stage *stage, const struct application *application, bool both)
{
	say(application, 'f');
	hear(stage, application, 'f');
	pid_t engine = find_engine(stage, 0);
	kill(engine, SIGSTOP);
	say(application, 'l');
	hear(stage, application, 'l');
	if (both) {
		kill(application->pid, SIGKILL);
		waitpid(application->pid, NULL, 0);
	}
	kill(engine, SIGKILL);
	find_engine(stage, engine);
}

int main(int argc, char **argv)
{
	struct stage stage = {.supervisor = 0};
	char answer[4096];
	int status;

	if (argc != 3)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	stage.weird = argv[1];
	stage.weirctl = argv[2];
	snprintf(stage.directory, sizeof(stage.directory), "/var/tmp/weir-orphans-XXXXXX");
	if (!mkdtemp(stage.directory))
		return 1;
	snprintf(stage.config, sizeof(stage.config), "%s/weir.yaml", stage.directory);
	snprintf(stage.socket, sizeof(stage.socket), "%s/weir.sock", stage.directory);
	snprintf(stage.data, sizeof(stage.data), "%s/data", stage.directory);
	snprintf(stage.log, sizeof(stage.log), "%s/weird.log", stage.directory);
	write_config(&stage);
	start_supervisor(&stage);

	struct application killed = start_application(&stage);
	lose_engine(&stage, &killed, true);
	wait_for_events(&stage, FIRST_EVENTS + LAST_EVENTS);
	close(killed.say);
	close(killed.hear);

	struct application idle = start_application(&stage);
	lose_engine(&stage, &idle, false);
	wait_for_events(&stage, 2 * (FIRST_EVENTS + LAST_EVENTS));
	say(&idle, 'c');
	hear(&stage, &idle, 'c');
	end_application(&idle);

	kill(stage.supervisor, SIGTERM);
	waitpid(stage.supervisor, &status, 0);
	stage.supervisor = 0;
	expect(&stage, WIFEXITED(status) && WEXITSTATUS(status) == 0, "the supervisor ends with 0");
	status = verify(&stage, answer);
	printf("%s", answer);
	expect(&stage, WIFEXITED(status) && WEXITSTATUS(status) == 0, "verify");
	expect(&stage, number(answer, "events") == 2 * (FIRST_EVENTS + LAST_EVENTS),
	       "exactly once");
	proof_say("orphans-events", (uint64_t)number(answer, "events"), 0);
	snprintf(answer, sizeof(answer), "rm -rf %s", stage.directory);
	return system(answer) == 0 ? 0 : 1;
}
