/*
 * producer: processes that emit a plan through libweir; see producer.h.
 *
 * A full ring is waited for, not dropped: lossless means that attempted equals persisted. So what
 * is measured is how fast the engine takes events, with the producer pushing all the time.
 */
#include "producer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "plan.h"
#include "processor.h"
#include "producer_emit.h"
#include "weir/order.h"

/* A ring that stays full this long has no engine behind it. */
#define FULL_WAIT_US 20000000u
/* Of a definition: 4 names, 4 values, event name, header. */
#define DEFINITION_BYTES 128u

static volatile sig_atomic_t interrupted;

void producers_interrupt(int signal)
{
	interrupted = signal;
}

void producers_heed_signals(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, producers_interrupt);
	signal(SIGTERM, producers_interrupt);
}

bool producers_interrupted(void)
{
	return interrupted != 0;
}

bool process_has_ended(pid_t child)
{
	siginfo_t info = {0};
	return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid;
}

static void sleep_us(uint32_t us)
{
	struct timespec pause = {us / 1000000, us % 1000000 * 1000l};
	nanosleep(&pause, NULL);
}

static _Noreturn void fail(struct producer_report *report, const char *what, int error)
{
	snprintf(report->why, sizeof(report->why), "a producer: %s: %s", what, strerror(error));
	weir_store_release_32(&report->state, PRODUCER_FAILED);
	_exit(1);
}

/* Define the plan's series. Their ids must be 1 and up, so that no second list is looked into for
 * each event. */
static void define_series(weir *w, uint32_t series, struct producer_report *report)
{
	for (uint32_t i = 0; i < series; i++) {
		struct plan_series text;
		struct weir_dimension by[PLAN_DIMENSIONS];
		plan_series(i, &text);
		for (uint32_t j = 0; j < PLAN_DIMENSIONS; j++)
			by[j] = (struct weir_dimension){text.names[j], text.values[j]};
		int id = weir_series(w, text.event, WEIR_VALUE, WEIR_KIND_NUMBER, by,
				     PLAN_DIMENSIONS);
		if (id < 0)
			fail(report, "weir_series", -id);
		if (id != (int)i + 1)
			fail(report, "series ids are not in the order of definition", EPROTO);
	}
}

static weir *open_weir(const struct producer_options *options, struct producer_report *report)
{
	struct weir_options with = {
		.size = sizeof(with),
		.socket_path = options->socket,
		.ring_events = options->ring_events,
		.series_max = options->series,
		.table_bytes = (options->series + 32) * DEFINITION_BYTES,
		.full_wait_us = FULL_WAIT_US,
		.program = "weir-bench",
	};
	weir *w;
	int r = weir_open(&with, &w);
	if (r < 0)
		fail(report, "weir_open", -r);
	define_series(w, options->series, report);
	uint64_t end_ns = monotonic_ns() + options->attach_ms * UINT64_C(1000000);
	while (weir_poll(w) != 1) {
		if (weir_refusal(w)[0]) {
			snprintf(report->why, sizeof(report->why), "the engine refused: %s",
				 weir_refusal(w));
			weir_store_release_32(&report->state, PRODUCER_FAILED);
			_exit(1);
		}
		if (monotonic_ns() > end_ns)
			fail(report, "no engine answers", ETIMEDOUT);
		sleep_us(1000);
	}
	return w;
}

static _Noreturn void produce(const struct producer_options *options, uint32_t number,
			      struct producers *producers)
{
	struct producer_report *report = &producers->reports[number];
	struct plan plan;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	if (plan_init(&plan, options->series, number) < 0)
		fail(report, "plan", ENOMEM);
	if (options->pinned)
		processor_pin(0, (int)(processor_count() - 1 - number));
	weir *w = open_weir(options, report);
	weir_store_release_32(&report->state, PRODUCER_READY);
	while (!weir_load_acquire_32(&producers->go))
		sleep_us(100);

	producer_emit(w, &plan, options, report);
	int r = weir_wait(w, options->unkept ? WEIR_PERSISTED : WEIR_DURABLE, options->durable_ms);
	report->durable_ns = monotonic_ns();
	weir_ledger(w, &report->ledger);
	if (r < 0 && !(r == -EOPNOTSUPP && options->unkept))
		fail(report, "waiting until everything is durable", -r);
	weir_close(w, 1000);
	weir_store_release_32(&report->state, PRODUCER_DONE);
	_exit(0);
}

/* Wait until all producers have reached a state. 0, or -EIO with `why`. */
static int await(struct producers *producers, uint32_t state, uint64_t timeout_ms, char *why,
		 size_t why_bytes)
{
	uint64_t end_ns = monotonic_ns() + timeout_ms * 1000000u;
	for (uint32_t i = 0; i < producers->count; i++) {
		struct producer_report *report = &producers->reports[i];
		for (;;) {
			uint32_t is = weir_load_acquire_32(&report->state);
			if (is == state)
				break;
			if (is == PRODUCER_FAILED || interrupted) {
				snprintf(why, why_bytes, "%s",
					 interrupted ? "interrupted" : report->why);
				return -EIO;
			}
			/* Gone without a word: killed, or a defect of the library. */
			if (kill(producers->pids[i], 0) < 0 ||
			    waitpid(producers->pids[i], NULL, WNOHANG) > 0) {
				if (weir_load_acquire_32(&report->state) == state)
					break;
				snprintf(why, why_bytes, "a producer has died");
				return -EIO;
			}
			if (monotonic_ns() > end_ns) {
				snprintf(why, why_bytes, "a producer hangs");
				return -EIO;
			}
			sleep_us(1000);
		}
	}
	return 0;
}

struct producers *producers_start(const struct producer_options *options, uint32_t count, char *why,
				  size_t why_bytes)
{
	struct producers *producers = mmap(NULL, sizeof(*producers), PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (producers == MAP_FAILED) {
		snprintf(why, why_bytes, "mmap: %s", strerror(errno));
		return NULL;
	}
	for (uint32_t i = 0; i < count; i++) {
		pid_t pid = fork();
		if (pid == 0)
			produce(options, i, producers);
		if (pid < 0) {
			snprintf(why, why_bytes, "fork: %s", strerror(errno));
			producers_stop(producers);
			return NULL;
		}
		producers->pids[producers->count++] = pid;
	}
	if (await(producers, PRODUCER_READY, options->attach_ms + 60000, why, why_bytes) < 0) {
		producers_stop(producers);
		return NULL;
	}
	return producers;
}

void producers_go(struct producers *producers)
{
	weir_store_release_32(&producers->go, 1);
}

int producers_run(struct producers *producers, const struct producer_options *options, char *why,
		  size_t why_bytes)
{
	uint64_t timeout_ms = options->run_ns / 1000000 + options->durable_ms + 60000;
	producers_go(producers);
	return await(producers, PRODUCER_DONE, timeout_ms, why, why_bytes);
}

void producers_stop(struct producers *producers)
{
	if (!producers)
		return;
	for (uint32_t i = 0; i < producers->count; i++) {
		/* A child that has been waited for is gone: its number may be another's by now. */
		if (waitpid(producers->pids[i], NULL, WNOHANG) == 0) {
			kill(producers->pids[i], SIGKILL);
			waitpid(producers->pids[i], NULL, 0);
		}
	}
	munmap(producers, sizeof(*producers));
}
