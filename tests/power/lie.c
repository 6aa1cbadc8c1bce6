/*
 * lie: a disk that has less room than it says, so that a sync fails once and then says yes.
 *
 *   power_lie [DISKS [SEED]]
 *
 * An ext4 lies on a file whose own file system runs out of room. What the engine writes then comes
 * back as an error of a write, or as EIO from one fdatasync, behind which the kernel has forgotten
 * that anything was dirty: the next fdatasync says 0, and the data is nowhere (that it does is
 * tried each time, and counted). Then, by turns,
 *
 *   - the disk is given the room that it had claimed. The engine, which goes on by itself, brings
 *     everything that was published to stable storage, into segments of their own;
 *   - or the power goes while the disk lies.
 *
 * Either way the page cache is dropped and the log read from the disk: what had been called durable
 * is there, once; in the first case that is everything.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "power/world.h"
#include "support/proof.h"
#include "support/random.h"
#include "weir/order.h"

#define DISK_BYTES (UINT64_C(96) << 20)
#define POLL_US 500
/* Something must happen within two minutes. */
#define POLLS 240000

/* Shared with engines. */
struct heard {
	uint64_t failed, lies;
};
static struct heard *heard;

struct tally {
	uint64_t disks, grown, cuts, given_up, bad;
};

/* In the engine's process, behind each sync that has failed: is the next one believed? */
static void try_again(int fd, int error)
{
	bool lie = syscall(SYS_fdatasync, fd) == 0;

	(void)error;
	/* Relaxed: counts. */
	__atomic_add_fetch(&heard->failed, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&heard->lies, lie, __ATOMIC_RELAXED);
}

/* Errors that the engine has met, of writes and of syncs, over its lanes. */
static uint64_t errors_met(void)
{
	static const char *const names[] = {"\"write_errors\":", "\"sync_errors\":"};
	char answer[65536];
	uint64_t all = 0;

	if (!world_ask("{\"command\":\"status\"}\n", answer, sizeof(answer)))
		return 0;
	for (int i = 0; i < 2; i++)
		for (const char *at = strstr(answer, names[i]); at; at = strstr(at + 1, names[i]))
			all += strtoull(at + strlen(names[i]), NULL, 10);
	return all;
}

/* ext4 writes no more when what it lost was its own: nothing more comes of this disk. */
static bool given_up(void)
{
	return mkdir(GROUND_DISK "/probe", 0700) < 0 || rmdir(GROUND_DISK "/probe") < 0;
}

static bool caught_up(const struct world *world)
{
	for (uint32_t p = 0; p < WORLD_PRODUCERS; p++) {
		const struct world_ledger *told = &world->board->ledger[p];
		if (weir_load_relaxed_64(&told->durable) < weir_load_relaxed_64(&told->published))
			return false;
	}
	return true;
}

/* Applications have said everything; the engine brings it to the disk, if there is one. */
static bool ends_in_peace(struct world *world, struct tally *tally)
{
	weir_store_relaxed_32(&world->board->finish, 1);
	for (int i = 0; i < POLLS && !caught_up(world); i++) {
		if (i % 100 == 0 && given_up())
			return false;
		pause_us(POLL_US);
	}
	tally->bad += world_end_others(world);
	if (!caught_up(world))
		tally->bad += (uint64_t)printf("FAILED: published = durable\n") > 0;
	weir_store_relaxed_32(&world->board->stop, 1);
	int status = world_end_engine(world, false);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		tally->bad += (uint64_t)printf("FAILED: a clean stop: %#x\n", status) > 0;
	return true;
}

static void lose_power(struct world *world, struct tally *tally)
{
	world_cut(world, GROUND_CUT_NOW);
	int status = world_end_engine(world, true);
	tally->bad += world_end_others(world);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
		printf("FAILED: the engine ended with %#x on a disk that fails\n", status);
		tally->bad++;
		world_leave();
	}
}

static void use_disk(struct world *world, struct tally *tally)
{
	struct world_log log = {
		.io = random_one_in(3) ? "uring" : "pwrite",
		.durability = random_one_in(3) ? "block" : "interval",
		.sync_ms = 1 + (uint32_t)random_below(20),
		.lanes = 1 + (uint32_t)random_below(2),
	};
	struct plug plug = {
		.ground = &world->ground,
		.cutting = &world->board->cutting,
		.struck = &world->board->struck,
		.ahead_ns = &world->board->ahead_ns,
		.sync_failed = try_again,
	};
	bool power = random_one_in(2);

	ground_format_lying(&world->ground, DISK_BYTES);
	ground_mount(&world->ground, NULL);
	world_config(world, &log);
	world_start_engine(world, &plug);
	for (int i = 0; i < POLLS && !weir_load_relaxed_32(&world->board->ready); i++)
		pause_us(POLL_US);
	world_start_others(world);
	pause_us(random_below(60000));
	ground_lie(&world->ground, random_below(1024) << 12);
	for (int i = 0; i < POLLS / 10 && !errors_met(); i++)
		pause_us(10 * POLL_US);
	if (!errors_met())
		tally->bad += (uint64_t)printf("FAILED: the disk did not lie\n") > 0;
	pause_us(random_below(60000));
	ground_grow(DISK_BYTES);
	bool peace = !power && ends_in_peace(world, tally);
	if (!peace)
		lose_power(world, tally);
	tally->grown += peace;
	tally->cuts += power;
	tally->given_up += !power && !peace;
	ground_unmount(&world->ground);
	ground_mount(&world->ground, NULL);
	uint64_t bad = judge_log(&world->lives) + judge_remarks(&world->board->remarks);
	if (bad) {
		printf("%s, %s, %u lanes, %s\n", log.io, log.durability, log.lanes,
		       peace ? "in peace" : "power cut");
		world_leave();
	}
	tally->bad += bad;
	ground_unmount(&world->ground);
	unlink(WORLD_LOG);
}

int main(int argc, char **argv)
{
	static struct world world;
	struct tally tally = {0};
	uint64_t wanted = argc > 1 ? strtoull(argv[1], NULL, 10) : 20;

	setvbuf(stdout, NULL, _IOLBF, 0);
	random_start(argc > 2 ? strtoull(argv[2], NULL, 10) : 1);
	world_init(&world);
	world.events_max = UINT64_MAX;
	world.pace = 512;
	snprintf(world.environment, sizeof(world.environment), "lie");
	ground_enter(&world.ground);
	heard = mmap(NULL, sizeof(*heard), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (heard == MAP_FAILED)
		abort();
	for (; tally.disks < wanted && !tally.bad; tally.disks++) {
		world_forget(&world);
		use_disk(&world, &tally);
	}
	printf("%llu disks: %llu given their room, %llu without power, %llu given up by ext4; %llu "
	       "syncs failed, %llu of the next ones were lies\n",
	       (unsigned long long)tally.disks, (unsigned long long)tally.grown,
	       (unsigned long long)tally.cuts, (unsigned long long)tally.given_up,
	       (unsigned long long)heard->failed, (unsigned long long)heard->lies);
	proof_say("lying-disks", tally.disks, tally.bad);
	proof_say("lying-syncs", heard->lies, tally.bad);
	return tally.bad ? 1 : 0;
}
