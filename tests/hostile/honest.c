/*
 * honest: see honest.h. The value of an event is its number in its process; numbers are used up by
 * events that are taken, so that those in the log must be 0 to emitted - 1.
 */
#include "honest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "weir/order.h"
#include "weir/region.h"

#define BURST 256u

static void live(struct honest_page *page, const char *socket_path, unsigned number,
		 uint64_t nap_us)
{
	struct weir_options options = {.size = sizeof(options),
				       .socket_path = socket_path,
				       .program = "honest",
				       .ring_events = 16384,
				       .full_wait_us = 60000000};
	char name[16];
	struct weir_dimension by = {"process", name};
	weir *w;

	snprintf(name, sizeof(name), "%u", number);
	if (weir_open(&options, &w) < 0)
		_exit(2);
	int series = weir_series(w, "honest", WEIR_VALUE, WEIR_KIND_NUMBER, &by, 1);
	/* Relaxed: words that the other side polls. */
	while (!weir_load_relaxed_32(&page->stop)) {
		/* Each waits for room: without an engine not all of a burst. */
		for (uint32_t i = 0; i < BURST && !weir_load_relaxed_32(&page->stop); i++)
			if (weir_emit(w, series, (double)page->emitted) == 0)
				weir_store_relaxed_64(&page->emitted, page->emitted + 1);
		if (weir_poll(w) == 1)
			weir_store_relaxed_32(&page->attached, 1);
		pause_us(nap_us);
	}
	page->waited = weir_wait(w, WEIR_PERSISTED, HOST_PATIENCE_S * 1000);
	weir_ledger(w, &page->ledger);
	weir_close(w, HOST_PATIENCE_S * 1000);
	_exit(0);
}

void honest_start(struct honest *honest, const struct host *host, unsigned first, unsigned count,
		  uint64_t nap_us)
{
	*honest = (struct honest){.first = first, .count = count};
	honest->page = mmap(NULL, HONEST_MAX * sizeof(*honest->page), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (honest->page == MAP_FAILED)
		exit(1);
	for (unsigned i = 0; i < count; i++) {
		honest->pid[i] = process_fork();
		if (honest->pid[i] == 0)
			live(&honest->page[i], host->socket, first + i, nap_us);
	}
}

void honest_wait(struct honest *honest, struct host *host, uint64_t events)
{
	for (unsigned i = 0; i < honest->count; i++) {
		struct honest_page *page = &honest->page[i];
		uint64_t until = weir_load_relaxed_64(&page->emitted) + events;
		int left = HOST_PATIENCE_S * 1000;
		while (left-- > 0 && (!weir_load_relaxed_32(&page->attached) ||
				      weir_load_relaxed_64(&page->emitted) < until))
			pause_us(1000);
		host_expect(host, left > 0, "honest producer %u comes no further", i);
	}
}

void honest_stop(struct honest *honest, struct host *host)
{
	for (unsigned i = 0; i < honest->count; i++)
		weir_store_relaxed_32(&honest->page[i].stop, 1); /* polled */
	for (unsigned i = 0; i < honest->count; i++) {
		const struct honest_page *page = &honest->page[i];
		const struct weir_ledger *l = &page->ledger;
		int code = host_wait(honest->pid[i]);
		honest->pid[i] = 0;
		host_expect(host, code == 0, "honest producer %u ended with %d", i, code);
		host_expect(host, page->waited == 0, "honest producer %u waited in vain: %s", i,
			    strerror(-page->waited));
		host_expect(host,
			    l->published == page->emitted && l->attempted == l->published &&
				    !l->dropped && !l->rejected && !l->lost &&
				    l->persisted == l->published,
			    "honest ledger %u: %llu emitted, %llu attempted, %llu published, "
			    "%llu dropped, %llu persisted, %llu rejected, %llu lost",
			    i, (unsigned long long)page->emitted,
			    (unsigned long long)l->attempted, (unsigned long long)l->published,
			    (unsigned long long)l->dropped, (unsigned long long)l->persisted,
			    (unsigned long long)l->rejected, (unsigned long long)l->lost);
	}
}

struct tally {
	const struct honest *honest;
	uint32_t id[HONEST_MAX]; /* of their series in the log; 0: not seen yet */
	uint8_t *seen[HONEST_MAX];
	uint64_t wrong; /* twice, or never emitted */
};

/* Is it honest{process=N}? N, or -1. */
static int number_of(const struct weir_definition *definition)
{
	static const char head[] = "honestvalue";
	const uint8_t *tail = definition->text + sizeof(head) - 1 + 4;

	if (definition->event_bytes != 6 || definition->field_bytes != 5 ||
	    definition->dimensions != 1 || memcmp(definition->text, head, sizeof(head) - 1))
		return -1;
	return memcmp(tail, "process", 7) ? -1 : tail[7] - '0';
}

static int note_series(void *self, uint32_t id, enum weir_sketch sketch,
		       const struct weir_definition *definition)
{
	struct tally *tally = self;
	int number = number_of(definition);
	uint32_t place = (uint32_t)number - tally->honest->first;

	(void)sketch;
	if (number >= 0 && place < tally->honest->count)
		tally->id[place] = id;
	return 0;
}

static void note_event(void *self, const struct weir_event *event)
{
	struct tally *tally = self;

	for (unsigned i = 0; i < tally->honest->count; i++) {
		if (weir_event_series(event->word) != tally->id[i])
			continue;
		double value = weir_bits_value(event->value);
		uint64_t n = (uint64_t)value;
		if (!(value >= 0) || n >= tally->honest->page[i].emitted || (double)n != value ||
		    tally->seen[i][n])
			tally->wrong++;
		else
			tally->seen[i][n] = 1;
	}
}

void honest_check(const struct honest *honest, struct host *host)
{
	struct tally tally = {.honest = honest};
	uint64_t missing = 0, all = 0;

	for (unsigned i = 0; i < honest->count; i++)
		tally.seen[i] = calloc(honest->page[i].emitted + 1, 1);
	host_read(host, note_series, note_event, &tally);
	for (unsigned i = 0; i < honest->count; i++) {
		for (uint64_t n = 0; n < honest->page[i].emitted; n++)
			missing += !tally.seen[i][n];
		all += honest->page[i].emitted;
		free(tally.seen[i]);
	}
	printf("%llu events of %u honest producers, %llu missing, %llu twice or never emitted\n",
	       (unsigned long long)all, honest->count, (unsigned long long)missing,
	       (unsigned long long)tally.wrong);
	host_expect(host, all > 0 && missing == 0, "every honest event is in the log");
	host_expect(host, tally.wrong == 0, "no honest event is there twice or changed");
}

void honest_free(struct honest *honest)
{
	munmap(honest->page, HONEST_MAX * sizeof(*honest->page));
}

void honest_end(struct honest *honest, struct host *host)
{
	honest_stop(honest, host);
	host_stop(host);
	host_verify(host);
	honest_check(honest, host);
	honest_free(honest);
}
