/*
 * kill: kill -9 of a real engine under load, many times; then every promise is counted.
 *
 *   kill WEIRD WEIRCTL BACKEND KILLS [SEED]
 *
 * Producers write all the time (load.h), and alerts are raised all the time. The driver starts the
 * engine, waits until it writes, kills it at a random moment, two times of three while blocks are
 * on their way to the disk, starts it again. After some hundred kills everything is judged
 * (judge.h), and what follows begins with an empty directory.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "judge.h"
#include "load.h"
#include "site.h"
#include "support/proof.h"
#include "support/random.h"

/* Kills between two judgements: what they write has to be read and replayed in one go. */
#define ROUND_KILLS 500u
#define PAUSE_US_MAX 30000u
#define WRITE_PAUSE_US 1000u
/* Looks for a block on its way; each is a question to the engine. */
#define LOOKS_MAX 500

struct tally {
	unsigned kills, in_flight;
	uint64_t violations;
	uint64_t wait_us, pause_us, look_us, kill_us, start_us;
};

static bool kill_one(struct site *site, struct tally *tally)
{
	char answer[65536];
	uint64_t was_us = site_now_us();

	if (!site_wait_for_events(site))
		return false;
	tally->wait_us += site_now_us() - was_us;
	const uint64_t us = random_below(PAUSE_US_MAX);
	tally->pause_us += us;
	pause_us(us);
	was_us = site_now_us();
	/* A moment at which blocks were given to the disk and are not yet known to be there. */
	if (random_below(3))
		for (int i = 0; i < LOOKS_MAX; i++)
			if (site_ask(site, answer, sizeof(answer)) &&
			    site_shown(answer, "unsynced") > 0) {
				tally->in_flight++;
				break;
			}
	tally->look_us += site_now_us() - was_us;
	was_us = site_now_us();
	site_end_engine(site, SIGKILL);
	tally->kills++;
	tally->kill_us += site_now_us() - was_us;
	was_us = site_now_us();
	const bool runs = site_start_engine(site);
	tally->start_us += site_now_us() - was_us;
	return runs;
}

/* All of it on one directory. false: no more of this. */
static bool play(char **argv, unsigned kills, struct tally *tally)
{
	struct site site;
	struct verdict verdict = {0};

	site_begin(&site, argv[1], argv[2], "/var/tmp");
	site.redis = process_redis(site.directory);
	site_write_config(&site, argv[3], LOAD_PRODUCERS, "");
	struct load *load = load_start(&site, WRITE_PAUSE_US);
	bool running = site_start_engine(&site);
	for (unsigned k = 0; running && k < kills; k++)
		running = kill_one(&site, tally);
	load_stop(load);
	if (running) {
		judge_wait(&site);
		int status = site_end_engine(&site, SIGTERM);
		site_expect(&site, WIFEXITED(status) && WEXITSTATUS(status) == 0,
			    "the engine stops cleanly");
		verdict = judge_events(&site, load);
		judge_alerts(&site);
		site_verify(&site, true);
		judge_history(&site);
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
	char name[32];

	if (argc < 5) {
		fprintf(stderr, "usage: kill WEIRD WEIRCTL BACKEND KILLS [SEED]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	random_start(argc > 5 ? strtoull(argv[5], NULL, 10) : 1);
	const unsigned kills = (unsigned)atoi(argv[4]);
	bool going = true;
	while (going && tally.kills < kills) {
		const unsigned left = kills - tally.kills;
		going = play(argv, left < ROUND_KILLS ? left : ROUND_KILLS, &tally);
	}
	const uint64_t each = 1000 * (tally.kills ? tally.kills : 1);
	printf("%u kills over %s, %u with blocks on their way to the disk; ms of each: "
	       "%llu until it wrote, %llu at random, %llu looking, %llu dying, %llu starting\n",
	       tally.kills, argv[3], tally.in_flight, (unsigned long long)(tally.wait_us / each),
	       (unsigned long long)(tally.pause_us / each),
	       (unsigned long long)(tally.look_us / each),
	       (unsigned long long)(tally.kill_us / each),
	       (unsigned long long)(tally.start_us / each));
	if (going && 2 * tally.in_flight < tally.kills && ++tally.violations)
		printf("FAILED: at least half the kills find blocks on their way to the disk\n");
	snprintf(name, sizeof(name), "engine-kills-%s", argv[3]);
	proof_say(name, tally.kills, tally.violations);
	return tally.violations ? 1 : 0;
}
