/*
 * victim: see victim.h.
 */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "load.h"

#define ID_SHIFT 32
#define EVENTS_OF_MS 1024u
#define PAUSE_US 1000u
#define BURST_EVENTS 100u
/* Single steps to look for the middle of an emit: a full ring takes some hundred for each try. */
#define STEPS_MAX 20000u

struct weir_event victim_event(const struct victim *victim, uint64_t n)
{
	const double value = (double)((uint64_t)victim->id << ID_SHIFT | n);

	return (struct weir_event){
		.word = weir_event_word(victim->start_ms + n / EVENTS_OF_MS, victim->series),
		.value = weir_value_bits(value),
	};
}

bool victim_of_event(const struct weir_event *event, uint64_t *ret_id, uint64_t *ret_n)
{
	const double value = weir_bits_value(event->value);

	if (!(value >= 0 && value < 9007199254740992.0) || (double)(uint64_t)value != value)
		return false;
	*ret_id = (uint64_t)value >> ID_SHIFT;
	*ret_n = (uint64_t)value & UINT32_MAX;
	return true;
}

weir *victim_open(const struct site *site, uint32_t ring_events, int *ret_series)
{
	struct weir_options options = {
		.size = sizeof(options),
		.socket_path = site->socket,
		.ring_events = ring_events,
		.series_max = 16,
		.table_bytes = 1u << 14,
	};
	weir *w = NULL;

	if (weir_open(&options, &w) < 0)
		return NULL;
	*ret_series = weir_series(w, "life", WEIR_VALUE, WEIR_KIND_NUMBER, NULL, 0);
	return w;
}

/* A timer of its own processor time: so it dies while it works, not while it waits. */
static void set_end(uint64_t cpu_ns)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
	struct itimerspec at = {.it_value.tv_nsec = (long)(cpu_ns % 1000000000)};
	timer_t timer;

	if (timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) < 0 ||
	    timer_settime(timer, 0, &at, NULL) < 0)
		_exit(1);
}

/* A batch is begun only where all of it has room: it would lose single events of its middle. */
static bool has_room(const weir *w, uint32_t count)
{
	const struct weir_ring_writer *ring = &w->rings[0].writer;
	const uint64_t released = weir_load_acquire_64(&ring->control->released);
	const uint64_t tail = weir_load_relaxed_64(&ring->header->tail);

	return tail - released + count <= VICTIM_RING_EVENTS;
}

/* Events from the nth on; how many were taken. */
static uint64_t write_some(weir *w, const struct victim *victim, uint64_t n)
{
	struct weir_sample samples[VICTIM_BATCH];
	const uint32_t count = victim->id % 2 ? VICTIM_BATCH : 1;

	for (uint32_t i = 0; i < count; i++) {
		const struct weir_event event = victim_event(victim, n + i);
		samples[i] = (struct weir_sample){
			.time_ms = weir_event_time_ms(event.word),
			.value = weir_bits_value(event.value),
			.series = (int)victim->series,
		};
	}
	if (count > 1)
		return n && !has_room(w, count) ? 0 : weir_emit_many(w, samples, count);
	return weir_emit_at(w, samples[0].series, samples[0].value, samples[0].time_ms) == 0;
}

static void live(const struct site *site, struct victim *victim)
{
	struct weir_ledger ledger;
	int series;
	weir *w = victim_open(site, VICTIM_RING_EVENTS, &series);
	uint64_t n = 0;

	if (!w || series <= 0) {
		__atomic_store_n(&victim->refused, 1, __ATOMIC_RELEASE);
		_exit(1);
	}
	victim->series = (uint32_t)series;
	do {
		if (n < VICTIM_RING_EVENTS / 2)
			n += write_some(w, victim, n);
		load_look(w);
		weir_ledger(w, &ledger);
		if (!ledger.persisted)
			pause_us(PAUSE_US);
	} while (!ledger.persisted);
	victim->ring_fd = w->rings[0].memory.descriptor.fd;
	/* Orders: series and descriptor before the word that the killer waits for. */
	__atomic_store_n(&victim->ready, 1, __ATOMIC_RELEASE);
	/* Relaxed: nothing comes with it. */
	while (!__atomic_load_n(&victim->seen, __ATOMIC_RELAXED))
		pause_us(PAUSE_US);
	if (victim->cpu_ns)
		set_end(victim->cpu_ns);
	for (uint64_t burst = n;;) {
		const uint64_t taken = write_some(w, victim, n);
		n += taken;
		/* Who is to die at work works all the time, also where the ring is full. */
		if (!victim->cpu_ns && (!taken || n - burst >= BURST_EVENTS)) {
			pause_us(PAUSE_US);
			burst = n;
		}
	}
}

pid_t victim_start(const struct site *site, struct victim *victim)
{
	pid_t pid = process_fork();

	if (pid == 0)
		live(site, victim);
	return pid;
}

bool victim_look(const struct victim *victim, pid_t pid, struct victim_view *ret_view)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, victim->ring_fd);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	const size_t bytes = WEIR_RING_OFFSET + VICTIM_RING_EVENTS * sizeof(struct weir_event);
	char *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return false;
	*ret_view = (struct victim_view){
		.header = (const void *)map,
		.slots = (const void *)(map + WEIR_RING_OFFSET),
		.bytes = bytes,
	};
	return true;
}

void victim_look_away(struct victim_view *view)
{
	if (view->header)
		munmap((void *)view->header, view->bytes);
	*view = (struct victim_view){0};
}

enum victim_place victim_place(const struct victim *victim, const struct victim_view *view)
{
	const uint64_t tail = weir_ring_snapshot(view->header);
	uint32_t whole = 0;

	for (; whole < VICTIM_BATCH; whole++) {
		const uint64_t n = tail + whole;
		const struct weir_event wanted = victim_event(victim, n);
		const struct weir_event slot =
			weir_ring_read(&view->slots[n & (VICTIM_RING_EVENTS - 1)]);
		if (slot.word == wanted.word && slot.value == wanted.value)
			continue;
		if (whole == 0)
			return slot.word == wanted.word || slot.value == wanted.value
				       ? VICTIM_HALF
				       : VICTIM_BETWEEN;
		break;
	}
	return whole > 1 ? VICTIM_BATCH_OPEN : VICTIM_WHOLE;
}

bool victim_can_stop(void)
{
	int status = 0;
	pid_t pid = process_fork();

	if (pid == 0)
		for (;;)
			pause();
	const bool can = ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_EXITKILL) == 0 &&
			 ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0 &&
			 waitpid(pid, &status, 0) == pid && WIFSTOPPED(status) &&
			 ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0;
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) == pid && !WIFSIGNALED(status))
		;
	return can;
}

/* Steps until there is something to be seen, or the patience ends. */
static enum victim_place walk(const struct victim *victim, pid_t pid,
			      const struct victim_view *view, uint64_t linger)
{
	enum victim_place place = victim_place(victim, view);
	int status;

	for (uint32_t step = 0; step < STEPS_MAX; step++) {
		if (place != VICTIM_BETWEEN && linger-- == 0)
			return place;
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0 ||
		    waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			break;
		const enum victim_place now = victim_place(victim, view);
		/* Published before the time to linger was over: take the next one at once. */
		if (place != VICTIM_BETWEEN && now == VICTIM_BETWEEN)
			linger = 0;
		place = now;
	}
	return VICTIM_BETWEEN;
}

enum victim_place victim_stop(const struct victim *victim, pid_t pid,
			      const struct victim_view *view, uint64_t linger)
{
	int status;

	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_EXITKILL) < 0)
		return VICTIM_BETWEEN;
	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 || waitpid(pid, &status, 0) != pid ||
	    !WIFSTOPPED(status))
		return VICTIM_BETWEEN;
	const enum victim_place place = walk(victim, pid, view, linger);
	if (place == VICTIM_BETWEEN)
		victim_continue(pid);
	return place;
}

void victim_continue(pid_t pid)
{
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
}
