/*
 * series: producers that never stop defining series.
 *
 *   series NAMES WEIRD
 *
 * Regions of some ten thousand names each, none named twice, with one event for each name. An
 * engine has a bound of series for a producer and one for all.
 *
 * Holds: of the first region as many names have a series of their own as a producer may have; each
 * event is kept exactly once; those of names over a bound under `__overflow__`, and
 * their count is what the engine says; memory does not grow once the bound is reached; honest
 * producers, those that came before and one that comes after, are whole.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "honest.h"
#include "host.h"
#include "rogue.h"
#include "support/proof.h"

#define NAMES_OF_REGION 20000u
#define NAMES_BYTES 48u /* of one definition, at most */
#define PRODUCER_MAX 3000u
#define SERIES_MAX 20000u
/* What the allocator and the log's buffers may still take behind the first regions. */
#define SLACK_KIB 16384u

static uint64_t region_names(uint64_t names, uint64_t done)
{
	return names - done < NAMES_OF_REGION ? names - done : NAMES_OF_REGION;
}

/* One region: all its names, an event of each, drained, closed. */
static void define_many(const struct host *host, uint64_t first, uint64_t count)
{
	struct rogue_options options = {.capacity = 1u << 15,
					.table_bytes = (NAMES_OF_REGION + 1) * NAMES_BYTES,
					.series_max = NAMES_OF_REGION};
	struct rogue rogue;
	char name[24];

	rogue_open(&rogue, &options);
	if (!rogue_attach(&rogue, host->socket)) {
		printf("refused: %s\n", rogue.answer.text);
		_exit(1);
	}
	for (uint64_t i = 0; i < count; i++) {
		int bytes = snprintf(name, sizeof(name), "%llu", (unsigned long long)(first + i));
		uint32_t local = rogue_define(&rogue, "hostile", name, (uint16_t)bytes);
		rogue_emit(&rogue, 0, local, 1, 1);
	}
	if (!rogue_taken(&rogue, 0) || rogue_slot(&rogue, 0)->rejected)
		_exit(2);
	rogue_close(&rogue, true);
}

static void define_range(struct host *host, uint64_t first, uint64_t last)
{
	pid_t pid = process_fork();

	if (pid == 0) {
		while (first < last) {
			uint64_t count = region_names(last, first);
			define_many(host, first, count);
			first += count;
		}
		_exit(0);
	}
	int code = host_wait(pid);
	host_expect(host, code == 0, "who defines too much ended with %d", code);
}

/* What the log has of them, by id. */
struct found {
	uint8_t *kind;    /* [SERIES_MAX + 1]; 1: hostile{process=..}, 2: its overflow */
	uint64_t *events; /* the same */
};

static int note_series(void *self, uint32_t id, enum weir_sketch sketch,
		       const struct weir_definition *definition)
{
	struct found *found = self;

	(void)sketch;
	if (id <= SERIES_MAX && definition->event_bytes == 7 &&
	    memcmp(definition->text, "hostile", 7) == 0)
		found->kind[id] = definition->dimensions ? 1 : 2;
	return 0;
}

static void note_event(void *self, const struct weir_event *event)
{
	struct found *found = self;
	uint32_t id = weir_event_series(event->word);

	if (id <= SERIES_MAX)
		found->events[id]++;
}

static void check_log(struct host *host, uint64_t names, uint64_t overflowed)
{
	struct found found = {.kind = calloc(SERIES_MAX + 1, 1),
			      .events = calloc(SERIES_MAX + 1, sizeof(uint64_t))};
	uint64_t own = 0, over = 0, wrong = 0;

	host_read(host, note_series, note_event, &found);
	for (uint32_t id = 1; id <= SERIES_MAX; id++) {
		own += found.kind[id] == 1;
		wrong += found.kind[id] == 1 && found.events[id] != 1;
		over += found.kind[id] == 2 ? found.events[id] : 0;
	}
	printf("%llu names: %llu series of their own, %llu events over the bounds (%llu said)\n",
	       (unsigned long long)names, (unsigned long long)own, (unsigned long long)over,
	       (unsigned long long)overflowed);
	host_expect(host, wrong == 0, "%llu series have not their one event",
		    (unsigned long long)wrong);
	host_expect(host, own + over == names, "events of names are missing, or there twice");
	host_expect(host, over == overflowed, "what is over the bounds is not what is said");
	host_expect(host, own > 0 && over > 0, "no bound was reached");
	free(found.kind);
	free(found.events);
}

int main(int argc, char **argv)
{
	uint64_t names = argc > 1 ? strtoull(argv[1], NULL, 0) : 400000;
	struct honest honest, late;
	struct host host;
	char more[160];

	if (argc < 3)
		return 2;
	snprintf(more, sizeof(more), "limits: {series_max: %u, producer_series_max: %u}\n",
		 SERIES_MAX, PRODUCER_MAX);
	host_open(&host, argv[2], more);
	host_start(&host);
	honest_start(&honest, &host, 0, 2, 500);
	honest_wait(&honest, &host, 1000);
	/* One producer alone, up to the bound of all, then the rest. */
	uint64_t one = region_names(names, 0);
	uint64_t first = names / 2 < 10 * NAMES_OF_REGION ? names / 2 : 10 * NAMES_OF_REGION;
	define_range(&host, 0, one);
	uint64_t over_one = host_number(&host, NULL, "series_overflowed");
	host_expect(&host, over_one + PRODUCER_MAX == one,
		    "of %llu names of one producer %llu are over its bound",
		    (unsigned long long)one, (unsigned long long)over_one);
	define_range(&host, one, first);
	uint64_t before_kib = host_memory_kib(&host);
	define_range(&host, first, names);
	uint64_t kib = host_memory_kib(&host);
	printf("resident: %llu KiB at the bound, %llu KiB at the end\n",
	       (unsigned long long)before_kib, (unsigned long long)kib);
	host_expect(&host, host_sanitized() || kib < before_kib + before_kib / 20 + SLACK_KIB,
		    "memory grows with names over the bound");
	uint64_t overflowed = host_number(&host, NULL, "series_overflowed");
	honest_start(&late, &host, 2, 1, 500);
	honest_wait(&late, &host, 1000);
	honest_wait(&honest, &host, 1000);
	honest_stop(&late, &host);
	honest_stop(&honest, &host);
	host_stop(&host);
	host_verify(&host);
	check_log(&host, names, overflowed);
	honest_check(&honest, &host);
	honest_free(&late);
	honest_free(&honest);
	proof_say("series-flood", names, host.violations);
	host_close(&host);
	return host.violations ? 1 : 0;
}
