/*
 * worker: one process of the shop: its threads play their share of the series, step by step.
 */
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "options.h"
#include "sender.h"
#include "weir/order.h"

#define FLUSH_SAMPLES 4096       /* flat out: what lies in a thread's buffer at most */
#define NAP_NS UINT64_C(5000000) /* as lived: grain of the pace */
#define CLOSE_MS 10000
#define CLOSE_STOPPED_MS 2000

struct worker {
	const struct plan *plan;
	const struct worker_options *options;
	struct worker_shared *shared;
	struct worker_report *report;
	struct weir *weir;
	int ids[MARKET_SERIES]; /* weir's, 0: not ours */
};

struct worker_thread {
	struct worker *worker;
	pthread_t thread;
	struct sender sender;
	struct traffic_buffer buffer;
	uint32_t index; /* among all threads of all processes */
	bool settled;   /* the engine knows our ring */
	bool sent;
	uint64_t origin_ns; /* monotonic time at which live_ms was or is due; 0 before */
};

static int fail(struct worker *worker, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(struct worker *worker, int status, const char *format, ...)
{
	struct worker_report *report = worker->report;
	/* Orders: nothing; it only lets one thread in. The parent reads after the exit. */
	if (weir_cas_32(&report->failed, 0, 1)) {
		va_list list;
		va_start(list, format);
		vsnprintf(report->why, sizeof(report->why), format, list);
		va_end(list);
		report->status = status;
	}
	lockstep_stop(&worker->shared->lockstep);
	return status;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Which thread of all plays this series. */
static bool is_mine(const struct worker_options *options, uint32_t series, uint32_t thread)
{
	return series % (options->processes * options->threads) == thread;
}

/* The process's first thread speaks for it. */
static bool is_first(const struct worker_thread *thread)
{
	return thread->index % thread->worker->options->threads == 0;
}

static int send_samples(struct worker_thread *thread, struct weir_sample *samples, size_t count)
{
	struct worker *worker = thread->worker;
	for (size_t i = 0; i < count; i++)
		samples[i].series = worker->ids[samples[i].series];
	int ret = sender_send(&thread->sender, samples, count);
	if (ret == -ETIMEDOUT)
		return fail(worker, ret, "no engine took an event for %u s; is weird running?",
			    worker->options->patience_s);
	thread->sent |= count > 0;
	/* For show only: no order. */
	weir_add_64(&worker->report->events, count);
	return ret;
}

static int settle(struct worker_thread *thread)
{
	int ret = thread->sender.waits ? sender_settle(&thread->sender) : 0;
	if (ret == -ETIMEDOUT)
		return fail(thread->worker, ret,
			    "no engine persisted an event for %u s; is weird running?",
			    thread->worker->options->patience_s);
	return ret;
}

/* Sleep until `time_ms` of the shop is due. */
static int await_due(struct worker_thread *thread, uint64_t time_ms)
{
	const struct worker *worker = thread->worker;
	uint64_t due = thread->origin_ns + (uint64_t)((double)(time_ms - worker->plan->live_ms) *
						      1e6 / worker->options->speed);
	for (;;) {
		uint64_t now = clock_ns(CLOCK_MONOTONIC);
		if (lockstep_stopped(&worker->shared->lockstep))
			return -ECANCELED;
		if (now >= due)
			return 0;
		uint64_t nap_ns = due - now < 20 * NAP_NS ? due - now : 20 * NAP_NS;
		struct timespec nap = {.tv_nsec = (long)nap_ns};
		nanosleep(&nap, NULL);
	}
}

/* Emit the step's events when they are due, a nap's worth at a time. */
static int play_as_lived(struct worker_thread *thread)
{
	struct traffic_buffer *buffer = &thread->buffer;
	const uint64_t grain_ms =
		(uint64_t)((double)NAP_NS / 1e6 * thread->worker->options->speed) + 1;
	traffic_sort(buffer);
	size_t from = 0;
	/* Clock wall: what was due before the shop opened has not happened. */
	while (from < buffer->used &&
	       buffer->samples[from].time_ms < thread->worker->plan->options.now_ms)
		from++;
	for (size_t to; from < buffer->used; from = to) {
		uint64_t until = buffer->samples[from].time_ms + grain_ms;
		for (to = from; to < buffer->used && buffer->samples[to].time_ms < until; to++)
			;
		int ret = await_due(thread, buffer->samples[to - 1].time_ms);
		if (ret == 0)
			ret = send_samples(thread, buffer->samples + from, to - from);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int play_step(struct worker_thread *thread, uint64_t step, bool as_lived)
{
	struct worker *worker = thread->worker;
	struct traffic_buffer *buffer = &thread->buffer;
	int ret = 0;

	buffer->used = 0;
	for (uint32_t series = 0; series < MARKET_SERIES && ret == 0; series++) {
		if (!is_mine(worker->options, series, thread->index))
			continue;
		ret = traffic_step(&worker->plan->traffic, step, series, buffer);
		if (ret < 0)
			return fail(worker, ret, "no memory for a step's events");
		if (!as_lived && buffer->used >= FLUSH_SAMPLES) {
			ret = send_samples(thread, buffer->samples, buffer->used);
			buffer->used = 0;
		}
	}
	if (ret < 0)
		return ret;
	if (as_lived)
		return play_as_lived(thread);
	return send_samples(thread, buffer->samples, buffer->used);
}

/* What happens between two intervals: rings get known, and nobody runs ahead. */
static int end_interval(struct worker_thread *thread)
{
	if (thread->sent && !thread->settled) {
		int ret = settle(thread);
		if (ret < 0)
			return ret;
		thread->settled = true;
	}
	return lockstep_wait(&thread->worker->shared->lockstep);
}

/* History is over: once it is in, the clock begins to run, for all at once. */
static int begin_live(struct worker_thread *thread)
{
	struct worker *worker = thread->worker;
	int ret = settle(thread);
	if (ret == 0)
		ret = lockstep_wait(&worker->shared->lockstep);
	thread->origin_ns = clock_ns(CLOCK_MONOTONIC) - worker->plan->opened_ms * 1000000;
	if (is_first(thread))
		worker->report->live_unix_ms = clock_ns(CLOCK_REALTIME) / 1000000 -
					       worker->plan->opened_ms;
	return ret;
}

static int play(struct worker_thread *thread)
{
	struct worker *worker = thread->worker;
	const struct plan *plan = worker->plan;
	const uint64_t step_ms = plan->traffic.step_ms;
	const uint64_t interval_ms = plan->options.interval_ms;

	for (uint64_t time_ms = plan->first_ms; time_ms < plan->last_ms; time_ms += step_ms) {
		int ret = 0;
		bool live = time_ms >= plan->live_ms;
		if (live && thread->origin_ns == 0)
			ret = begin_live(thread);
		if (ret == 0)
			ret = play_step(thread, time_ms / step_ms,
					live && worker->options->speed > 0.0);
		if (ret == 0 && (time_ms + step_ms) % interval_ms == 0)
			ret = end_interval(thread);
		if (ret < 0)
			return ret;
		if (is_first(thread))
			/* For show only: no order. */
			weir_store_relaxed_64(&worker->report->sim_ms, time_ms + step_ms);
	}
	return 0;
}

static void *thread_main(void *argument)
{
	struct worker_thread *thread = argument;
	play(thread);
	free(thread->buffer.samples);
	thread->buffer.samples = NULL;
	return NULL;
}

static int define_series(struct worker *worker, uint32_t first_thread)
{
	for (uint32_t series = 0; series < MARKET_SERIES; series++) {
		bool mine = false;
		for (uint32_t i = 0; i < worker->options->threads; i++)
			mine |= is_mine(worker->options, series, first_thread + i);
		if (!mine)
			continue;
		struct weir_dimension by[MARKET_DIMENSIONS];
		for (uint32_t i = 0; i < MARKET_DIMENSIONS; i++) {
			const struct market_dimension *dimension = &market_dimensions[i];
			by[i].name = dimension->name;
			by[i].value = dimension->values[market_series_value(series, i)].name;
		}
		int id = weir_series(worker->weir, market_event_name(market_series_event(series)),
				     WEIR_VALUE, WEIR_KIND_NUMBER, by, MARKET_DIMENSIONS);
		if (id < 0)
			return fail(worker, id, "cannot define a series: %s", strerror(-id));
		worker->ids[series] = id;
	}
	return 0;
}

static void run_threads(struct worker *worker, struct worker_thread *threads, uint32_t first)
{
	uint32_t started = 0;
	for (; started < worker->options->threads; started++) {
		struct worker_thread *thread = &threads[started];
		*thread = (struct worker_thread){
			.worker = worker,
			.index = first + started,
			.sender = {.weir = worker->weir,
				   .stop = &worker->shared->lockstep,
				   .socket_path = worker->options->socket_path,
				   .patience_s = worker->options->patience_s,
				   .waits = !worker->plan->options.wall,
				   .speaks = first + started == 0},
		};
		int ret = pthread_create(&thread->thread, NULL, thread_main, thread);
		if (ret != 0) {
			fail(worker, -ret, "cannot start a thread: %s", strerror(ret));
			break;
		}
	}
	for (uint32_t i = 0; i < started; i++)
		pthread_join(threads[i].thread, NULL);
}

int worker_run(const struct plan *plan, const struct worker_options *options, uint32_t index,
	       struct worker_shared *shared)
{
	struct worker worker = {.plan = plan,
				.options = options,
				.shared = shared,
				.report = &shared->reports[index]};
	struct weir_options open = {
		.size = sizeof(open),
		.socket_path = options->socket_path,
		.source = plan->options.source,
		.event_clock = !plan->options.wall,
		.full_wait_us = plan->options.wall ? 0 : SENDER_FULL_WAIT_US,
		.program = "weir-shop",
	};
	struct worker_thread *threads = calloc(options->threads, sizeof(*threads));
	int ret = threads ? weir_open(&open, &worker.weir) : -ENOMEM;
	if (ret < 0) {
		fail(&worker, ret, "cannot open weir: %s", strerror(-ret));
		free(threads);
		return TOOL_IO;
	}
	if (define_series(&worker, index * options->threads) == 0)
		run_threads(&worker, threads, index * options->threads);

	bool stopped = lockstep_stopped(&shared->lockstep);
	uint32_t wait_ms = stopped ? CLOSE_STOPPED_MS : CLOSE_MS;
	ret = weir_wait(worker.weir, WEIR_PERSISTED, wait_ms);
	if (ret == -EOPNOTSUPP) /* taken, by an engine that keeps nothing */
		ret = 0;
	if (ret < 0 && !stopped && !plan->options.wall)
		fail(&worker, ret, "the engine did not persist everything within %u ms", wait_ms);
	weir_ledger(worker.weir, &worker.report->ledger);
	worker.report->closed = 1;
	/* Waited once is enough: an engine that holds the rings drains them all the same. */
	weir_close(worker.weir, ret == 0 ? wait_ms : 0);
	free(threads);
	return worker.report->failed ? TOOL_IO : TOOL_OK;
}
