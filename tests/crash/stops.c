/*
 * stops: SIGTERM under load, many times: what had been written is kept, and synced, and said.
 *
 *   stops COUNT WEIRD WEIRCTL [SEED]
 *
 * Each engine takes events, then is asked to end at a random moment. It ends with 0; what the
 * producers had written by then is in its files and durable, by what it has told them, and nothing
 * is called kept that is not. After the last one everything is judged as after kills (judge.h).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "judge.h"
#include "load.h"
#include "site.h"
#include "support/proof.h"
#include "support/random.h"

/* Stops between two judgements. */
#define ROUND_STOPS 250u
#define PAUSE_US_MAX 30000u
#define WRITE_PAUSE_US 1000u

struct tally {
	unsigned stops;
	uint64_t violations, longest_us, undrained;
};

/* The producers have looked at what the engine has left. */
static bool wait_for_looks(struct site *site, struct load *load)
{
	const uint64_t end_us = site_now_us() + SITE_PATIENCE_S * 1000000;
	uint64_t wanted[LOAD_PRODUCERS];

	/* One may be under way, with numbers from before. Acquire: partner in load.c. */
	for (int i = 0; i < LOAD_PRODUCERS; i++)
		wanted[i] = __atomic_load_n(&load->rows[i].looks, __ATOMIC_ACQUIRE) + 2;
	for (int i = 0; i < LOAD_PRODUCERS; i++)
		while (__atomic_load_n(&load->rows[i].looks, __ATOMIC_ACQUIRE) < wanted[i]) {
			if (site_now_us() > end_us)
				return site_expect(site, false, "the producers go on");
			pause_us(500);
		}
	return true;
}

/* Until every producer has got so far. */
static bool wait_for(struct site *site, struct load *load, const uint64_t wanted[LOAD_PRODUCERS])
{
	const uint64_t end_us = site_now_us() + SITE_PATIENCE_S * 1000000;

	for (int i = 0; i < LOAD_PRODUCERS; i++)
		while (__atomic_load_n(&load->rows[i].persisted, __ATOMIC_RELAXED) < wanted[i]) {
			if (site_now_us() > end_us)
				return site_expect(site, false, "this engine takes all events");
			pause_us(500);
		}
	return true;
}

/* All producers have come to this engine, which has taken what they had written by then: with one
 * of them away it may hold the others back, and with it what they have in their rings. */
static bool wait_for_all(struct site *site, struct load *load)
{
	uint64_t wanted[LOAD_PRODUCERS];

	for (int i = 0; i < LOAD_PRODUCERS; i++)
		wanted[i] = __atomic_load_n(&load->rows[i].persisted, __ATOMIC_RELAXED) + 1;
	if (!wait_for(site, load, wanted))
		return false;
	for (int i = 0; i < LOAD_PRODUCERS; i++)
		wanted[i] = __atomic_load_n(&load->rows[i].emitted, __ATOMIC_RELAXED);
	return wait_for(site, load, wanted);
}

static void stop_one(struct site *site, struct load *load, struct tally *tally)
{
	uint64_t written[LOAD_PRODUCERS];

	pause_us(random_below(PAUSE_US_MAX));
	const uint64_t was_us = site_now_us();
	for (int i = 0; i < LOAD_PRODUCERS; i++)
		written[i] = __atomic_load_n(&load->rows[i].emitted, __ATOMIC_RELAXED);
	int status = site_end_engine(site, SIGTERM);
	const uint64_t took_us = site_now_us() - was_us;
	if (took_us > tally->longest_us)
		tally->longest_us = took_us;
	site_expect(site, WIFEXITED(status) && WEXITSTATUS(status) == 0, "the engine ends with 0");
	tally->stops++;
	if (!wait_for_looks(site, load))
		return;
	for (int i = 0; i < LOAD_PRODUCERS; i++) {
		const struct load_row *row = &load->rows[i];
		if (!site_expect(site, row->persisted >= written[i],
				 "what was written before the stop is persisted"))
			tally->undrained += written[i] - row->persisted;
		site_expect(site, row->durable == row->persisted,
			    "what a stopped engine has kept is durable");
	}
}

static bool play(char **argv, unsigned stops, struct tally *tally)
{
	struct site site;
	struct verdict verdict = {0};

	site_begin(&site, argv[2], argv[3], "/var/tmp");
	site.redis = process_redis(site.directory);
	site_write_config(&site, "auto", LOAD_PRODUCERS, "");
	struct load *load = load_start(&site, WRITE_PAUSE_US);
	bool running = site_start_engine(&site);
	for (unsigned k = 0; running && k < stops; k++) {
		running = wait_for_all(&site, load);
		stop_one(&site, load, tally);
		running = running && site_start_engine(&site);
	}
	load_stop(load);
	if (running) {
		judge_wait(&site);
		site_end_engine(&site, SIGTERM);
		verdict = judge_events(&site, load);
		judge_alerts(&site);
		site_verify(&site, true);
	}
	const unsigned failed = site.failed;
	load_kill(load);
	site_end(&site);
	tally->violations += verdict.lost + verdict.doubled + verdict.torn + failed;
	return failed == 0;
}

int main(int argc, char **argv)
{
	struct tally tally = {0};

	if (argc < 4) {
		fprintf(stderr, "usage: stops COUNT WEIRD WEIRCTL [SEED]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	random_start(argc > 4 ? strtoull(argv[4], NULL, 10) : 1);
	const unsigned stops = (unsigned)atoi(argv[1]);
	bool going = true;
	while (going && tally.stops < stops) {
		const unsigned left = stops - tally.stops;
		going = play(argv, left < ROUND_STOPS ? left : ROUND_STOPS, &tally);
	}
	printf("%u stops, the longest took %llu ms; %llu events left in rings\n", tally.stops,
	       (unsigned long long)(tally.longest_us / 1000), (unsigned long long)tally.undrained);
	proof_say("clean-stops", tally.stops, tally.violations);
	return tally.violations ? 1 : 0;
}
