/*
 * load: see load.h.
 */
#include "load.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"

#define INTERVAL_MS 1000u
#define EVENTS_OF_INTERVAL 2000u
#define START_MS UINT64_C(1767225600000)
/* Of so many intervals the last ones are without events. */
#define CYCLE_INTERVALS 97u
#define CYCLE_FULL 90u
#define BURST_EVENTS 512u

uint64_t load_time_ms(uint64_t n)
{
	const uint64_t full = n / EVENTS_OF_INTERVAL;
	const uint64_t interval = full / CYCLE_FULL * CYCLE_INTERVALS + full % CYCLE_FULL;

	return START_MS + interval * INTERVAL_MS +
	       n % EVENTS_OF_INTERVAL * INTERVAL_MS / EVENTS_OF_INTERVAL;
}

uint64_t load_first_hole_ms(void)
{
	return START_MS + CYCLE_FULL * INTERVAL_MS;
}

void load_name(int producer, char name[16])
{
	snprintf(name, 16, "number_%d", producer);
}

void load_look(weir *w)
{
	if (w->attach.state == ATTACH_OFF)
		w->attach.retry_at_s = 0;
	weir_poll(w);
}

/* Show what the engine has said. */
static void look(weir *w, struct load_row *row)
{
	struct weir_ledger ledger;

	load_look(w);
	weir_ledger(w, &ledger);
	/* Release: who sees the count sees what was read before it. */
	__atomic_store_n(&row->persisted, ledger.persisted, __ATOMIC_RELAXED);
	__atomic_store_n(&row->durable, ledger.durable, __ATOMIC_RELAXED);
	__atomic_store_n(&row->looks, row->looks + 1, __ATOMIC_RELEASE);
}

/* Everything of it is kept, or the patience ends. */
static void settle(weir *w, struct weir_ledger *ledger)
{
	const uint64_t end_us = site_now_us() + SITE_PATIENCE_S * 1000000;

	do {
		load_look(w);
		weir_ledger(w, ledger);
		if (ledger->persisted + ledger->rejected + ledger->lost == ledger->published)
			break;
		pause_us(2000);
	} while (site_now_us() < end_us);
}

static void produce(const struct site *site, struct load *load, int number)
{
	struct load_row *row = &load->rows[number];
	char source[16], name[16];
	struct weir_options options = {
		.size = sizeof(options),
		.socket_path = site->socket,
		.source = source,
		.event_clock = 1,
		.ring_events = 16384,
	};
	uint64_t n = 0;
	weir *w;

	snprintf(source, sizeof(source), "producer%d", number);
	load_name(number, name);
	if (weir_open(&options, &w) < 0)
		_exit(1);
	int series = weir_series(w, name, WEIR_VALUE, WEIR_KIND_NUMBER, NULL, 0);
	/* Relaxed: a word of the driver's, and a counter that it looks at. */
	while (!__atomic_load_n(&load->stop, __ATOMIC_RELAXED)) {
		for (uint32_t i = 0; i < BURST_EVENTS; i++) {
			if (weir_emit_at(w, series, (double)n, load_time_ms(n)) < 0)
				break;
			n++;
		}
		__atomic_store_n(&row->emitted, n, __ATOMIC_RELAXED);
		look(w, row);
		pause_us(load->pause_us);
	}
	settle(w, &row->ledger);
	weir_close(w, 20000);
	row->ended = 1;
	_exit(0);
}

struct load *load_start(const struct site *site, uint32_t pause_us)
{
	struct load *load = mmap(NULL, sizeof(*load), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (load == MAP_FAILED)
		exit(1);
	load->pause_us = pause_us;
	for (int i = 0; i < LOAD_PRODUCERS; i++) {
		pid_t pid = process_fork();
		if (pid == 0)
			produce(site, load, i);
		load->pids[i] = pid;
	}
	return load;
}

void load_stop(struct load *load)
{
	/* Relaxed: nothing comes with it. */
	__atomic_store_n(&load->stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < LOAD_PRODUCERS; i++) {
		waitpid(load->pids[i], NULL, 0);
		load->pids[i] = 0;
	}
}

void load_kill(struct load *load)
{
	for (int i = 0; i < LOAD_PRODUCERS; i++)
		if (load->pids[i] > 0) {
			kill(load->pids[i], SIGKILL);
			waitpid(load->pids[i], NULL, 0);
		}
	munmap(load, sizeof(*load));
}
