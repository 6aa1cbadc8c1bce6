/*
 * cut: the power goes, again and again, and whatever had been called durable is there.
 *
 *   power_cut [CUTS [SEED]]
 *
 * An engine (io_uring and pwrite by turns, durability `interval` and `block`), three applications
 * and an operator run on a file system of their own (ground.h). Then it is cut: by the clock, or by
 * the engine's own call in a state that was drawn (plug.h), and all processes are gone. On what a
 * new mount finds, before anything repairs it:
 *
 *   - every event that its application had been told is durable, by the ledger or by weir_wait, is
 *     there, once; of each ring a prefix, with its definition; nothing that nobody wrote;
 *   - every command that was answered is there, once;
 *   - weirctl verify, a reader of its own, finds nothing wrong (every other time).
 *
 * The next engine recovers that; what was there stays there. After some cuts the machine ends
 * in peace: the ledgers are exact, the stored alerts are those of a replay, and Redis, which is
 * another machine and has kept its power, holds no other ones and all of them, in order.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "power/world.h"
#include "support/proof.h"
#include "support/random.h"
#include "weir/order.h"

#define IMAGE_BYTES (UINT64_C(384) << 20)
#define CUTS_OF_MACHINE 40u
#define RETAIN_BYTES (UINT64_C(12) << 20)
#define REDIS GROUND "/redis.sock"
/* A state that does not come for so long is not waited for: the clock decides. */
#define STATE_POLLS 4000
#define STATE_POLLS_FIRST 60000
#define READY_POLLS 240000
#define POLL_US 500

struct tally {
	uint64_t cuts, bad, in_flight, told, alerts;
	uint64_t of_state[PLUG_STATES];
	uint64_t of_backend[2];
	char last[128]; /* what the last cut was */
};

static bool stopped_well(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static uint64_t sum_told(const struct world *world, bool durable)
{
	uint64_t sum = 0;

	for (uint32_t p = 0; p < WORLD_PRODUCERS; p++)
		sum += durable ? weir_load_relaxed_64(&world->board->ledger[p].durable)
			       : weir_load_relaxed_64(&world->board->ledger[p].persisted);
	return sum;
}

/* What this life ends with. */
static struct plug draw_plug(const struct world *world, bool retention)
{
	static const uint32_t most[PLUG_STATES] = {1, 60, 4, 200, 12, 8, 2, 40, 40};
	struct plug plug = {
		.how = random_one_in(4) ? GROUND_CUT_BEHIND_JOURNAL : GROUND_CUT_NOW,
		.before = random_one_in(2),
		.ground = &world->ground,
		.cutting = &world->board->cutting,
		.struck = &world->board->struck,
		.ahead_ns = &world->board->ahead_ns,
	};

	if (!random_one_in(3))
		plug.state = (enum plug_state)random_below(PLUG_STATES);
	/* There has to be enough that can go. */
	if (plug.state == PLUG_RETENTION && (!retention || world->lives.count < 20))
		plug.state = PLUG_ROLL;
	plug.nth = 1 + (uint32_t)random_below(most[plug.state]);
	return plug;
}

/* An application that finds no engine looks again a second later: mostly there is one. */
static void wait_ready(struct world *world)
{
	if (random_one_in(50))
		return;
	for (int i = 0; i < READY_POLLS && !weir_load_relaxed_32(&world->board->ready) &&
			world_engine_runs(world);
	     i++)
		pause_us(POLL_US);
}

/* The clock's cuts: at any moment from the engine's first on. */
static void wait_random(struct world *world)
{
	bool early = random_one_in(4);

	for (int i = 0; i < STATE_POLLS && !early && !sum_told(world, false); i++)
		pause_us(POLL_US);
	pause_us(random_below(30000));
	/* Mostly with blocks that are written and not yet synced. */
	for (int i = 0; i < 1000 && !early && sum_told(world, false) <= sum_told(world, true); i++)
		pause_us(20);
}

/* The engine cuts itself when it comes to the state; or is told to stop, and does then. */
static bool wait_struck(struct world *world, enum plug_state state, bool seen, int *ret_status)
{
	int polls = seen ? STATE_POLLS : STATE_POLLS_FIRST;

	for (int i = 0; i < polls; i++) {
		if (world_engine_ended(world, ret_status))
			return true;
		if (state == PLUG_STOP && sum_told(world, false) &&
		    !weir_load_relaxed_32(&world->board->stop) && random_one_in(20))
			weir_store_relaxed_32(&world->board->stop, 1);
		/* Once a second it looks what can go. */
		if (state == PLUG_RETENTION && i % 100 == 99)
			world_hurry(world, UINT64_C(1100000000));
		pause_us(POLL_US);
	}
	return false;
}

/* One life of the machine, up to the cut. How its processes ended is judged. */
static void live_and_cut(struct world *world, struct tally *tally, bool retention)
{
	bool uring = random_one_in(2);
	struct world_log log = {
		.io = uring ? "uring" : "pwrite",
		.durability = random_one_in(3) ? "block" : "interval",
		.sync_ms = 2 + (uint32_t)random_below(20),
		.retain_bytes = retention ? RETAIN_BYTES : 0,
	};
	struct plug plug = draw_plug(world, retention);
	enum plug_state state = plug.state;
	bool struck = false;
	int status = 0;

	world_config(world, &log);
	world_start_engine(world, &plug);
	wait_ready(world);
	world_start_others(world);
	if (state == PLUG_RANDOM)
		wait_random(world);
	else
		struck = wait_struck(world, state, tally->of_state[state] > 0, &status);
	if (!struck) {
		int error = world_cut(world, plug.how);
		/* What an engine says of a dead disk must be true, too. */
		if (random_one_in(2))
			pause_us(random_below(15000));
		status = world_end_engine(world, true);
		state = error ? state : PLUG_RANDOM;
	}
	world_cut(world, plug.how); /* behind a clean stop */
	tally->bad += world_end_others(world);
	bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	/* An engine that notices before it is killed may refuse to start; it does nothing else. */
	bool refused = !struck && WIFEXITED(status) && WEXITSTATUS(status) == 1 &&
		       !world->board->ready;
	if (!killed && !refused && !(state == PLUG_STOP && stopped_well(status))) {
		printf("FAILED: the engine ended with status %#x before the power was gone\n",
		       status);
		world_leave();
		tally->bad++;
	}
	snprintf(tally->last, sizeof(tally->last),
		 "state %s, %s, durability %s, cut %s, retention %d", plug_names[state], log.io,
		 log.durability, plug.how == GROUND_CUT_NOW ? "now" : "behind the journal",
		 retention);
	tally->cuts++;
	tally->of_state[state]++;
	tally->of_backend[uring]++;
	tally->in_flight += sum_told(world, false) > sum_told(world, true) || state == PLUG_WRITE;
}

/* all: also by the second reader, which takes as long as everything else. */
static void look(struct world *world, struct tally *tally, bool all)
{
	uint64_t bad = judge_log(&world->lives) + judge_remarks(&world->board->remarks);
	uint64_t told = 0;

	for (uint32_t l = 1; l <= world->lives.count; l++)
		told += world->lives.life[l].promised;
	/* Before the first engine has come as far as that, it is no data directory yet. */
	if (told && all)
		bad += judge_verify();
	if (bad) {
		printf("after cut %llu: %s\n", (unsigned long long)tally->cuts, tally->last);
		world_leave();
	}
	tally->bad += bad;
	tally->told = told;
}

static bool nothing_left(void)
{
	char answer[65536];

	return world_ask("{\"command\":\"status\"}\n", answer, sizeof(answer)) &&
	       strstr(answer, "\"outbox\":0,") && strstr(answer, "\"producers\":0,");
}

/* The last engine: nobody cuts anything. */
static void end_in_peace(struct world *world, struct tally *tally, bool retention)
{
	struct world_log log = {
		.io = "auto",
		.durability = "interval",
		.sync_ms = 10,
		.retain_bytes = retention ? RETAIN_BYTES : 0,
	};
	struct plug plug = {.cutting = &world->board->cutting,
			    .ahead_ns = &world->board->ahead_ns,
			    .ground = &world->ground};
	int quiet = 0, status = 0;

	world_config(world, &log);
	world_start_engine(world, &plug);
	wait_ready(world);
	world_start_others(world);
	/* Some of everything, so that the detectors have come through a hole in the traffic. */
	for (int i = 0; i < READY_POLLS && sum_told(world, false) < 3 * 40000; i++)
		pause_us(POLL_US);
	weir_store_relaxed_32(&world->board->finish, 1);
	tally->bad += world_end_others(world);
	for (uint32_t p = 0; p < WORLD_PRODUCERS; p++)
		if (world->board->ledger[p].durable != world->board->ledger[p].published)
			tally->bad += (uint64_t)printf("FAILED: published = durable\n") > 0;
	/* Closes come in steps, and are stored soon after: what is quiet for a while is over. */
	for (int i = 0; i < 1200 && quiet < 8; i++) {
		quiet = nothing_left() ? quiet + 1 : 0;
		pause_us(50000);
	}
	weir_store_relaxed_32(&world->board->stop, 1);
	status = world_end_engine(world, false);
	if (!stopped_well(status))
		tally->bad += (uint64_t)printf("FAILED: a clean stop: %#x\n", status) > 0;
	look(world, tally, true);
	tally->bad += retention ? judge_sent(world->redis, world->environment, &tally->alerts)
				: judge_alerts(world->redis, world->environment, &tally->alerts);
}

/* Some cuts of one data directory, and a peaceful end. */
static void run_machine(struct world *world, uint32_t number, uint64_t cuts, struct tally *tally)
{
	/* What ext4 promises of names and contents, and hardly anything of contents. */
	const char *options = number % 3 == 2 ? "data=writeback" : NULL;
	bool retention = number % 2;

	world_renew(world, IMAGE_BYTES);
	world->lives.retention = retention;
	snprintf(world->environment, sizeof(world->environment), "m%u", number);
	ground_mount(&world->ground, options);
	for (uint64_t c = 0; c < cuts && !tally->bad; c++) {
		live_and_cut(world, tally, retention);
		ground_unmount(&world->ground);
		ground_mount(&world->ground, options);
		look(world, tally, c % 2);
	}
	if (!tally->bad)
		end_in_peace(world, tally, retention);
	ground_unmount(&world->ground);
	unlink(WORLD_LOG);
	printf("machine %u: %llu cuts, %u lives, %llu events called durable, %u answers\n", number,
	       (unsigned long long)cuts, world->lives.count, (unsigned long long)tally->told,
	       world->board->answers);
}

static void say(const struct tally *tally)
{
	printf("%llu cuts over io_uring, %llu over pwrite; in state:",
	       (unsigned long long)tally->of_backend[1], (unsigned long long)tally->of_backend[0]);
	for (int s = 0; s < PLUG_STATES; s++)
		printf(" %s %llu", plug_names[s], (unsigned long long)tally->of_state[s]);
	printf("; %llu alerts delivered\n", (unsigned long long)tally->alerts);
}

int main(int argc, char **argv)
{
	static struct world world;
	struct tally tally = {0};
	uint64_t wanted = argc > 1 ? strtoull(argv[1], NULL, 10) : 200;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	random_start(seed);
	world_init(&world);
	ground_enter(&world.ground);
	pid_t redis = process_redis(GROUND);
	world.redis = redis ? REDIS : NULL;
	if (!redis)
		printf("redis-server is not installed: no alert was delivered\n");
	for (uint32_t m = 0; tally.cuts < wanted && !tally.bad; m++) {
		uint64_t left = wanted - tally.cuts;
		run_machine(&world, m, left < CUTS_OF_MACHINE ? left : CUTS_OF_MACHINE, &tally);
	}
	if (redis)
		kill(redis, SIGKILL);
	say(&tally);
	for (int s = 0; s < PLUG_STATES && wanted >= 200; s++)
		if (!tally.of_state[s] && !tally.bad)
			tally.bad += (uint64_t)printf("FAILED: never in state %s\n",
						      plug_names[s]) > 0;
	proof_say("power-cuts", tally.cuts, tally.bad);
	/* Blocks written and not synced, or being written. */
	proof_say("power-cuts-in-flight", tally.in_flight, 0);
	return tally.bad ? 1 : 0;
}
