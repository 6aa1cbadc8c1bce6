/*
 * site: see site.h.
 */
#include "site.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/control_ask.h"

/* What a signal takes along. */
static char doomed[64];
static pid_t owner;

static void remove_directory(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", doomed, NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

/* Of children this is only the copy that was inherited: they just end. */
static void on_signal(int number)
{
	if (getpid() == owner && doomed[0])
		remove_directory();
	_exit(128 + number);
}

static void watch_signals(void)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

	owner = getpid();
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], on_signal);
	signal(SIGPIPE, SIG_IGN);
}

void site_begin(struct site *site, const char *weird, const char *weirctl, const char *parent)
{
	*site = (struct site){.weird = weird, .weirctl = weirctl};
	snprintf(site->directory, sizeof(site->directory), "%s/weir-crash-XXXXXX", parent);
	if (!mkdtemp(site->directory)) {
		printf("FAILED: no directory in %s\n", parent);
		exit(1);
	}
	snprintf(doomed, sizeof(doomed), "%s", site->directory);
	watch_signals();
	snprintf(site->config, sizeof(site->config), "%s/weir.yaml", site->directory);
	snprintf(site->socket, sizeof(site->socket), "%s/weir.sock", site->directory);
	snprintf(site->control, sizeof(site->control), "%s/control.sock", site->directory);
	snprintf(site->data, sizeof(site->data), "%s/data", site->directory);
	snprintf(site->log, sizeof(site->log), "%s/weird.log", site->directory);
}

void site_end(struct site *site)
{
	if (site->engine > 0)
		site_end_engine(site, SIGKILL);
	if (site->redis > 0) {
		kill(site->redis, SIGTERM);
		waitpid(site->redis, NULL, 0);
	}
	if (site->failed)
		printf("left for you: %s\n", site->directory);
	else
		remove_directory();
	fflush(stdout);
	doomed[0] = '\0';
}

bool site_expect(struct site *site, bool condition, const char *what)
{
	if (!condition && site->failed++ < 20)
		printf("FAILED: %s\n", what);
	return condition;
}

uint64_t site_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

bool site_ask(const struct site *site, char *answer, size_t bytes)
{
	return control_ask(site->control, "{\"command\":\"status\"}\n", answer, bytes, 10) > 0;
}

uint64_t site_shown(const char *answer, const char *name)
{
	uint64_t most = 0;
	char key[64];

	snprintf(key, sizeof(key), "\"%s\":", name);
	for (const char *at = strstr(answer, key); at; at = strstr(at + 1, key)) {
		uint64_t value = strtoull(at + strlen(key), NULL, 10);
		most = value > most ? value : most;
	}
	return most;
}

bool site_wait_for_events(struct site *site)
{
	const uint64_t end_us = site_now_us() + SITE_PATIENCE_S * 1000000;
	char answer[65536];

	while (site_now_us() < end_us) {
		if (site_ask(site, answer, sizeof(answer)) &&
		    site_shown(answer, "events_persisted") > 0)
			return true;
		pause_us(1000);
	}
	return site_expect(site, false, "an engine takes events");
}

bool site_start_engine(struct site *site)
{
	const uint64_t end_us = site_now_us() + SITE_PATIENCE_S * 1000000;
	char *argv[] = {(char *)site->weird, "--config", site->config, NULL};
	char answer[65536];

	site->engine = process_spawn(argv, site->log);
	while (site_now_us() < end_us) {
		if (site_ask(site, answer, sizeof(answer)))
			return true;
		if (waitpid(site->engine, NULL, WNOHANG) == site->engine) {
			site->engine = 0;
			break;
		}
		pause_us(2000);
	}
	return site_expect(site, false, "the engine starts");
}

int site_end_engine(struct site *site, int signal)
{
	int status = 0;

	const uint64_t end_us = site_now_us() + SITE_PATIENCE_S * 1000000;

	kill(site->engine, signal);
	while (waitpid(site->engine, &status, WNOHANG) == 0) {
		if (site_now_us() > end_us) {
			site_expect(site, false, "the engine ends");
			kill(site->engine, SIGKILL);
			waitpid(site->engine, &status, 0);
			break;
		}
		pause_us(500);
	}
	site->engine = 0;
	return status;
}

void site_verify(struct site *site, bool refuse_late)
{
	char command[512];

	snprintf(command, sizeof(command), "%s verify %s --json %s > %s/verify.json", site->weirctl,
		 site->data, refuse_late ? "--refuse-late" : "", site->directory);
	const bool good = system(command) == 0;
	/* The beginning says what is wrong; there may be a line for each block. */
	snprintf(command, sizeof(command), "cut -c 1-2000 %s/verify.json", site->directory);
	fflush(stdout);
	site_expect(site, system(command) == 0 && good, "weirctl verify finds nothing wrong");
}

void site_write_config(const struct site *site, const char *backend, int producers,
		       const char *more)
{
	FILE *file = fopen(site->config, "w");

	if (!file)
		exit(1);
	fprintf(file,
		"data_directory: %s\nsocket: %s\ncontrol_socket: %s\nlanes: 2\nshards: 2\n"
		"interval: 1s\nlateness: {event: 1s}\ncheckpoint_intervals: 60\n"
		"limits: {series_max: 4096}\n"
		"log: {io: %s, durability: interval, sync_interval: 5ms, segment_bytes: 4MiB, "
		"block_bytes: 64KiB%s}\n",
		site->data, site->socket, site->control, backend, more);
	if (site->redis > 0)
		fprintf(file, "redis: {url: \"unix://%s/redis.sock\"}\n", site->directory);
	fprintf(file, "metrics:\n");
	for (int i = 0; i < producers; i++)
		fprintf(file, "  - {name: count_%d, event: number_%d, agg: count}\n", i, i);
	fprintf(file, "detectors:\n");
	for (int i = 0; i < producers; i++)
		fprintf(file,
			"  - {name: window_%d, metric: count_%d, kind: window, window: 40, k: 4, "
			"severity: 30, for: 1, recover: 1}\n",
			i, i);
	fclose(file);
}
