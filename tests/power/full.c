/*
 * full: the disk is full, has room again, is full; with kills and power cuts in between.
 *
 *   power_full [CYCLES [SEED]]
 *
 * Another program's file takes all room while applications write as fast as they can. The engine
 * takes what its segments hold, then rings fill up and what comes is dropped and counted. When the
 * file is gone, the engine goes on by itself and catches up with all that was published. Every few
 * cycles the engine is killed while there is no room, or the power goes. In the end every published
 * event is in the log once, or, after a power cut, all that had been called durable.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "power/world.h"
#include "support/proof.h"
#include "support/random.h"
#include "weir/order.h"

#define IMAGE_BYTES (UINT64_C(256) << 20)
#define CYCLES_OF_MACHINE 25u
#define BALLAST GROUND_DISK "/ballast"
#define POLL_US 500
/* Something must happen within two minutes. */
#define POLLS 240000
#define CHUNK_MAX (UINT64_C(64) << 20)

struct tally {
	uint64_t cycles, bad, kills, cuts, dropped;
};

/* All room that there is, down to the last block. */
static void fill(void)
{
	int fd = open(BALLAST, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	uint64_t used = 0;

	if (fd < 0) {
		printf("no ballast: %s\n", strerror(errno));
		return;
	}
	for (uint64_t chunk = CHUNK_MAX; chunk >= 4096;)
		if (fallocate(fd, 0, (off_t)used, (off_t)chunk) == 0)
			used += chunk;
		else
			chunk /= 2;
	close(fd);
}

static uint64_t sum(const struct world *world, bool dropped)
{
	uint64_t all = 0;

	for (uint32_t p = 0; p < WORLD_PRODUCERS; p++) {
		const struct world_ledger *told = &world->board->ledger[p];
		all += dropped ? weir_load_relaxed_64(&told->dropped)
			       : weir_load_relaxed_64(&told->durable);
	}
	return all;
}

/* Each application has lost events because its ring was full. */
static bool all_dropped(const struct world *world, const uint64_t before[WORLD_PRODUCERS])
{
	for (uint32_t p = 0; p < WORLD_PRODUCERS; p++)
		if (weir_load_relaxed_64(&world->board->ledger[p].dropped) <= before[p])
			return false;
	return true;
}

/* Each has been told that everything it had published when there was room again is durable. */
static bool caught_up(const struct world *world, const uint64_t published[WORLD_PRODUCERS])
{
	for (uint32_t p = 0; p < WORLD_PRODUCERS; p++)
		if (weir_load_relaxed_64(&world->board->ledger[p].durable) < published[p])
			return false;
	return true;
}

static void start(struct world *world, const struct world_log *log, struct tally *tally)
{
	struct plug plug = {
		.ground = &world->ground,
		.cutting = &world->board->cutting,
		.struck = &world->board->struck,
		.ahead_ns = &world->board->ahead_ns,
	};
	int status;

	world_config(world, log);
	world_start_engine(world, &plug);
	for (int i = 0; i < POLLS && !weir_load_relaxed_32(&world->board->ready); i++) {
		if (world_engine_ended(world, &status)) {
			tally->bad += (uint64_t)printf("FAILED: the engine does not start\n") > 0;
			world_leave();
			return;
		}
		pause_us(POLL_US);
	}
}

/* Fills the disk until everybody suffers. */
static void suffer(struct world *world, struct tally *tally)
{
	uint64_t before[WORLD_PRODUCERS];
	char answer[65536];

	for (uint32_t p = 0; p < WORLD_PRODUCERS; p++)
		before[p] = weir_load_relaxed_64(&world->board->ledger[p].dropped);
	fill();
	for (int i = 0; i < POLLS && !all_dropped(world, before); i++)
		pause_us(POLL_US);
	/* It says what is wrong, of itself and of what it cannot write. */
	bool said = false;
	for (int i = 0; i < 2000 && !said; i++) {
		said = world_ask("{\"command\":\"status\"}\n", answer, sizeof(answer)) &&
		       strstr(answer, "\"failing\":28");
		pause_us(said ? 0 : 10000);
	}
	if (!all_dropped(world, before) || !said) {
		printf("FAILED: the disk is full and nobody notices\n");
		tally->bad++;
	}
}

static void recover(struct world *world, struct tally *tally)
{
	uint64_t published[WORLD_PRODUCERS];

	for (uint32_t p = 0; p < WORLD_PRODUCERS; p++)
		published[p] = weir_load_relaxed_64(&world->board->ledger[p].published);
	for (int i = 0; i < POLLS && !caught_up(world, published); i++)
		pause_us(POLL_US);
	if (!caught_up(world, published)) {
		printf("FAILED: there is room again, and the engine does not go on\n");
		tally->bad++;
		world_leave();
	}
}

static void look(struct world *world, struct tally *tally)
{
	uint64_t bad = judge_log(&world->lives) + judge_remarks(&world->board->remarks) +
		       judge_verify();

	if (bad)
		world_leave();
	tally->bad += bad;
}

/* The engine dies while there is no room; the applications live on, and so does the power. */
static void kill_engine(struct world *world, const struct world_log *log, struct tally *tally)
{
	world_end_engine(world, true);
	unlink(BALLAST);
	start(world, log, tally);
	tally->kills++;
}

static void cut_power(struct world *world, const struct world_log *log, struct tally *tally)
{
	world_cut(world, GROUND_CUT_NOW);
	world_end_engine(world, true);
	tally->bad += world_end_others(world);
	ground_unmount(&world->ground);
	ground_mount(&world->ground, NULL);
	unlink(BALLAST);
	look(world, tally);
	start(world, log, tally);
	world_start_others(world);
	tally->cuts++;
}

static void end_in_peace(struct world *world, struct tally *tally)
{
	weir_store_relaxed_32(&world->board->finish, 1);
	tally->bad += world_end_others(world);
	for (uint32_t p = 0; p < WORLD_PRODUCERS; p++) {
		const struct world_ledger *told = &world->board->ledger[p];
		if (told->durable != told->published)
			tally->bad += (uint64_t)printf("FAILED: published = durable\n") > 0;
	}
	weir_store_relaxed_32(&world->board->stop, 1);
	int status = world_end_engine(world, false);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		tally->bad += (uint64_t)printf("FAILED: a clean stop: %#x\n", status) > 0;
	/* What the page cache has is not what the disk has. */
	ground_unmount(&world->ground);
	ground_mount(&world->ground, NULL);
	look(world, tally);
}

static void run_machine(struct world *world, uint32_t number, uint64_t cycles, struct tally *tally)
{
	struct world_log log = {
		.io = number % 2 ? "pwrite" : "auto",
		.durability = "interval",
		.sync_ms = 5,
		.lanes = 1,
	};

	world_renew(world, IMAGE_BYTES);
	ground_mount(&world->ground, NULL);
	start(world, &log, tally);
	world_start_others(world);
	for (uint64_t c = 0; c < cycles && !tally->bad; c++) {
		uint64_t before = sum(world, true);
		suffer(world, tally);
		tally->dropped += sum(world, true) - before;
		if (c % 12 == 5)
			kill_engine(world, &log, tally);
		else if (c % 12 == 11)
			cut_power(world, &log, tally);
		else
			unlink(BALLAST);
		recover(world, tally);
		tally->cycles++;
	}
	end_in_peace(world, tally);
	ground_unmount(&world->ground);
	unlink(WORLD_LOG);
}

int main(int argc, char **argv)
{
	static struct world world;
	struct tally tally = {0};
	uint64_t wanted = argc > 1 ? strtoull(argv[1], NULL, 10) : 100;

	setvbuf(stdout, NULL, _IOLBF, 0);
	random_start(argc > 2 ? strtoull(argv[2], NULL, 10) : 1);
	world_init(&world);
	world.events_max = UINT64_MAX;
	world.pace = 512;
	snprintf(world.environment, sizeof(world.environment), "full");
	ground_enter(&world.ground);
	for (uint32_t m = 0; tally.cycles < wanted && !tally.bad; m++) {
		uint64_t left = wanted - tally.cycles;
		run_machine(&world, m, left < CYCLES_OF_MACHINE ? left : CYCLES_OF_MACHINE, &tally);
	}
	printf("%llu kills and %llu power cuts while there was no room; %llu emits refused\n",
	       (unsigned long long)tally.kills, (unsigned long long)tally.cuts,
	       (unsigned long long)tally.dropped);
	proof_say("disk-full-cycles", tally.cycles, tally.bad);
	return tally.bad ? 1 : 0;
}
