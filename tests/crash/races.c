/*
 * races: engines that start at once on one data directory: one has it, the others say so and end.
 *
 *   races COUNT WEIRCTL [SEED]
 *
 * Two or three processes open an engine at the same moment (the engine's objects, not weird, which
 * would wait ten seconds for the lock). In one race of three they wait for each other: the owner is
 * killed or ends, the next one takes over, until none is left. Producers write through all of it;
 * at the end the log must hold every event once (judge.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "engine.h"
#include "judge.h"
#include "load.h"
#include "site.h"
#include "support/proof.h"
#include "support/random.h"

#define ENGINES_MAX 3u
#define LONG_WAIT_MS (SITE_PATIENCE_S * 1000u)
/* One race in so many goes on until its owner has persisted events. */
#define WRITES_ONE_IN 8u
/* Races between two judgements. */
#define ROUND_RACES 100u
#define WRITE_PAUSE_US 10000u
#define SHM_BYTES_MIN (UINT64_C(2) << 30)

enum answer { NONE, OWNS, REFUSED };

/* Shared by a race's processes. */
struct field {
	uint32_t go;    /* number of the race that may begin */
	uint32_t owner; /* 1 + who owns the directory; 0: nobody */
	uint32_t twice; /* times that somebody became owner where there was one */
	struct lane_of {
		uint32_t answer; /* enum answer, release-stored after the rest */
		uint32_t end;    /* the driver's: close now */
		int error;
		char why[512];
	} lanes[ENGINES_MAX];
};

struct driver {
	struct site site;
	struct config *config;
	struct field *field;
	struct load *load;
	pid_t pids[ENGINES_MAX];
	uint32_t engines, race;
	unsigned owners, refused, killed;
};

/* One engine's process. */
static void contend(const struct driver *driver, uint32_t me, uint32_t wait_ms, uint64_t seed)
{
	struct field *field = driver->field;
	struct lane_of *lane = &field->lanes[me];
	struct engine *engine;
	struct clock clock;
	struct engine_options options = {
		.config = driver->config,
		.clock = &clock,
		.random_seed = seed,
		.lock_wait_ms = wait_ms,
	};
	int fd = open(driver->site.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	dup2(fd, STDERR_FILENO);
	clock_system(&clock);
	/* Relaxed: only a start signal. */
	while (__atomic_load_n(&field->go, __ATOMIC_RELAXED) != driver->race)
		sched_yield();
	lane->error = engine_open(&options, &engine, lane->why, sizeof(lane->why));
	if (lane->error < 0) {
		__atomic_store_n(&lane->answer, REFUSED, __ATOMIC_RELEASE);
		_exit(0);
	}
	uint32_t nobody = 0;
	if (!__atomic_compare_exchange_n(&field->owner, &nobody, me + 1, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		__atomic_fetch_add(&field->twice, 1, __ATOMIC_RELAXED);
	const bool started = engine_start(engine) == 0;
	__atomic_store_n(&lane->answer, OWNS, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&lane->end, __ATOMIC_ACQUIRE))
		pause_us(500);
	__atomic_store_n(&field->owner, 0, __ATOMIC_RELEASE);
	engine_close(engine);
	_exit(started ? 0 : 1);
}

/* Until an engine that has not been dealt with has answered; which. -1: none does. */
static int next_answer(struct driver *driver, const bool done[ENGINES_MAX])
{
	const uint64_t end_us = site_now_us() + SITE_PATIENCE_S * 1000000;

	while (site_now_us() < end_us) {
		for (uint32_t i = 0; i < driver->engines; i++)
			if (!done[i] && __atomic_load_n(&driver->field->lanes[i].answer,
							__ATOMIC_ACQUIRE) != NONE)
				return (int)i;
		pause_us(200);
	}
	site_expect(&driver->site, false, "every engine answers");
	return -1;
}

static void wait_for_writes(struct driver *driver)
{
	const uint64_t end_us = site_now_us() + SITE_PATIENCE_S * 1000000;
	const uint64_t *persisted = &driver->load->rows[0].persisted;
	const uint64_t before = __atomic_load_n(persisted, __ATOMIC_RELAXED);

	while (__atomic_load_n(persisted, __ATOMIC_RELAXED) == before && site_now_us() < end_us)
		pause_us(500);
	site_expect(&driver->site, site_now_us() < end_us, "the owner takes events");
}

/* The owner goes, one way or the other. */
static void end_owner(struct driver *driver, uint32_t i)
{
	struct field *field = driver->field;
	int status = 0;

	if (random_one_in(WRITES_ONE_IN))
		wait_for_writes(driver);
	if (random_below(2)) {
		/* Before the kill: the next one may be owner before we know of the death. */
		__atomic_store_n(&field->owner, 0, __ATOMIC_RELEASE);
		kill(driver->pids[i], SIGKILL);
		driver->killed++;
		waitpid(driver->pids[i], &status, 0);
		return;
	}
	__atomic_store_n(&field->lanes[i].end, 1, __ATOMIC_RELEASE);
	waitpid(driver->pids[i], &status, 0);
	site_expect(&driver->site, WIFEXITED(status) && WEXITSTATUS(status) == 0,
		    "an owner ends cleanly");
}

static void check_refusal(struct driver *driver, uint32_t i)
{
	const struct lane_of *lane = &driver->field->lanes[i];

	waitpid(driver->pids[i], NULL, 0);
	driver->refused++;
	if (!site_expect(&driver->site,
			 lane->error == -EBUSY && strstr(lane->why, "another engine runs on") &&
				 strstr(lane->why, driver->site.data),
			 "who comes second says who has the directory"))
		printf("  it said %d: %s\n", lane->error, lane->why);
}

/* Nobody waits: one owns it while all the others are told. */
static void sudden(struct driver *driver)
{
	bool done[ENGINES_MAX] = {false};
	int owner = -1;
	uint32_t owners = 0;

	for (uint32_t n = 0; n < driver->engines; n++) {
		int i = next_answer(driver, done);
		if (i < 0)
			return;
		done[i] = true;
		if (driver->field->lanes[i].answer == OWNS) {
			owners++;
			owner = i;
		} else {
			check_refusal(driver, (uint32_t)i);
		}
	}
	driver->owners += owners;
	if (site_expect(&driver->site, owners == 1, "exactly one engine owns the directory"))
		end_owner(driver, (uint32_t)owner);
}

/* All wait: one after the other. */
static void succession(struct driver *driver)
{
	bool done[ENGINES_MAX] = {false};

	for (uint32_t n = 0; n < driver->engines; n++) {
		int i = next_answer(driver, done);
		if (i < 0)
			return;
		done[i] = true;
		if (site_expect(&driver->site, driver->field->lanes[i].answer == OWNS,
				"who waits for the directory gets it")) {
			driver->owners++;
			end_owner(driver, (uint32_t)i);
		} else {
			check_refusal(driver, (uint32_t)i);
		}
	}
}

static void race(struct driver *driver)
{
	struct field *field = driver->field;
	const bool all_wait = random_one_in(3);

	driver->engines = 2 + (uint32_t)random_below(ENGINES_MAX - 1);
	driver->race++;
	memset(field->lanes, 0, sizeof(field->lanes));
	field->owner = 0;
	for (uint32_t i = 0; i < driver->engines; i++) {
		const uint32_t wait_ms = all_wait ? LONG_WAIT_MS : (uint32_t)random_below(3);
		const uint64_t seed = random_next() | 1;
		driver->pids[i] = process_fork();
		if (driver->pids[i] == 0)
			contend(driver, i, wait_ms, seed);
	}
	__atomic_store_n(&field->go, driver->race, __ATOMIC_RELAXED);
	if (all_wait)
		succession(driver);
	else
		sudden(driver);
}

/* A last engine, for what the producers still have. */
static struct verdict judge(struct driver *driver)
{
	struct site *site = &driver->site;
	struct engine *engine;
	struct clock clock;
	struct engine_options options = {
		.config = driver->config, .clock = &clock, .lock_wait_ms = LONG_WAIT_MS};
	char why[512] = "";

	clock_system(&clock);
	if (!site_expect(site, engine_open(&options, &engine, why, sizeof(why)) == 0, why))
		return (struct verdict){0};
	site_expect(site, engine_start(engine) == 0, "the last engine starts");
	load_stop(driver->load);
	engine_close(engine);
	struct verdict verdict = judge_events(site, driver->load);
	site_verify(site, true);
	return verdict;
}

/* Where syncs cost nothing, if there is room for all that is written. */
static const char *place(void)
{
	struct statvfs shm;

	if (access("/dev/shm", W_OK) == 0 && statvfs("/dev/shm", &shm) == 0 &&
	    (uint64_t)shm.f_bavail * shm.f_frsize >= SHM_BYTES_MIN)
		return "/dev/shm";
	return "/var/tmp";
}

struct tally {
	unsigned races, owners, killed, refused;
	uint64_t violations;
};

/* All of it on one directory. false: no more of this. */
static bool play(const char *weirctl, unsigned races, struct tally *tally)
{
	struct driver driver = {0};
	struct site *site = &driver.site;
	struct verdict verdict = {0};
	char why[512];

	site_begin(site, "", weirctl, place());
	site_write_config(site, "pwrite", LOAD_PRODUCERS, "");
	driver.field = mmap(NULL, sizeof(*driver.field), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (driver.field == MAP_FAILED ||
	    config_load(site->config, &driver.config, why, sizeof(why)) < 0)
		exit(1);
	driver.load = load_start(site, WRITE_PAUSE_US);
	while (driver.race < races && !site->failed)
		race(&driver);
	site_expect(site, driver.field->twice == 0, "never two owners at a time");
	if (!site->failed)
		verdict = judge(&driver);
	tally->races += driver.race;
	tally->owners += driver.owners;
	tally->killed += driver.killed;
	tally->refused += driver.refused;
	const unsigned failed = site->failed;
	tally->violations += failed + verdict.lost + verdict.doubled + verdict.torn;
	config_free(driver.config);
	load_kill(driver.load);
	munmap(driver.field, sizeof(*driver.field));
	site_end(site);
	return failed == 0;
}

int main(int argc, char **argv)
{
	struct tally tally = {0};

	if (argc < 3) {
		fprintf(stderr, "usage: races COUNT WEIRCTL [SEED]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	random_start(argc > 3 ? strtoull(argv[3], NULL, 10) : 1);
	const unsigned races = (unsigned)atoi(argv[1]);
	bool going = true;
	while (going && tally.races < races) {
		const unsigned left = races - tally.races;
		going = play(argv[2], left < ROUND_RACES ? left : ROUND_RACES, &tally);
	}
	printf("%u races, %u owners one after the other, %u of them killed, %u refused\n",
	       tally.races, tally.owners, tally.killed, tally.refused);
	proof_say("engine-races", tally.races, tally.violations);
	return tally.violations ? 1 : 0;
}
