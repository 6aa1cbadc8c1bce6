/*
 * loop: the kth call of every kind into the machine fails, for k = 1, 2, ... until a run has no
 * failure; once, and from then on. After each run the ledger, the log and the alerts are exact.
 *
 *   loop POINTS [BACKEND]          about so many points, spread evenly; 0: all
 *   loop syncs CUTS [BACKEND]      each sync, and a power cut behind it, so many times
 *   loop KIND SIDE NTH once|persistent [BACKEND [AFTER SEED]]   one point, and all that it says
 *
 * Idea:  a life of the engine takes milliseconds (stage.h), and a child of its own for each point
 *        makes a crash, a hang or a leak that point's alone. The method is SQLite's.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk.h"
#include "fault.h"
#include "stage.h"
#include "stream.h"
#include "support/process.h"

#define CPU_SECONDS 20
#define WALL_SECONDS 120
/* One point of so many lives with retention. */
#define RETAIN_EVERY 8

struct result {
	uint64_t counted[SIDES][FAULT_CALLS];
	uint64_t struck;
	unsigned stops;
};

struct loop {
	char directory[64];
	const char *backend, *redis;
	unsigned cut_after; /* as in struct stage */
	uint64_t seed;      /* of what the disk has by then */
	struct result *result; /* shared with the child */
	uint64_t points, stops, violations;
	uint64_t struck[SIDES][FAULT_CALLS]; /* points of each kind */
};

static unsigned descriptors(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static int live(struct loop *loop, enum fault_call call, enum fault_side side, uint64_t nth,
		bool persistent)
{
	static struct stage stage;
	unsigned before = descriptors();

	stage = (struct stage){
		.io = loop->backend, .redis = loop->redis, .retain = nth % RETAIN_EVERY == 3};
	stage_begin(&stage, loop->directory);
	if (loop->redis)
		stream_forget(loop->redis);
	if (loop->cut_after) {
		stage.cut_after = loop->cut_after;
		disk_begin(stage.directory, loop->seed);
	}
	fault_arm(call, side, nth, persistent);
	stage_play(&stage);
	loop->result->struck = fault_struck();
	for (int s = 0; s < SIDES; s++)
		for (int c = 0; c < FAULT_CALLS; c++)
			loop->result->counted[s][c] = fault_counted(c, s);
	stage_check(&stage);
	loop->result->stops = stage.stops;
	if (descriptors() != before && !stage.stops) {
		printf("FAILED: %u descriptors are left open\n", descriptors() - before);
		stage.violations++;
	}
	if (stage.violations)
		fault_say_struck();
	return stage.violations ? 1 : 0;
}

/* A child for one point. true: all was well. */
static bool try(struct loop *loop, enum fault_call call, enum fault_side side, uint64_t nth,
		bool persistent)
{
	char out[96];
	int status;

	snprintf(out, sizeof(out), "%s/out", loop->directory);
	memset(loop->result, 0, sizeof(*loop->result));
	pid_t pid = process_fork();
	if (pid == 0) {
		struct rlimit cpu = {.rlim_cur = CPU_SECONDS, .rlim_max = CPU_SECONDS};
		int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		dup2(fd, 1);
		dup2(fd, 2);
		close(fd);
		setrlimit(RLIMIT_CPU, &cpu);
		alarm(WALL_SECONDS);
		int code = live(loop, call, side, nth, persistent);
		fflush(stdout);
		_exit(code);
	}
	waitpid(pid, &status, 0);
	loop->points += nth > 0;
	loop->struck[side][call] += nth > 0 && loop->result->struck > 0;
	loop->stops += loop->result->stops;
	if (WIFEXITED(status) && WEXITSTATUS(status) == STAGE_STOPPED_AT_START) {
		/* What it was told to refuse it did: the walk goes on. */
		loop->stops++;
		loop->result->struck = 1;
		return true;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	loop->violations++;
	if (WIFSIGNALED(status))
		printf("killed by signal %d\n", WTERMSIG(status));
	printf("again with: loop %s %s %llu %s %s", fault_names[call], fault_sides[side],
	       (unsigned long long)nth, persistent ? "persistent" : "once", loop->backend);
	if (loop->cut_after)
		printf(" %u %llu", loop->cut_after, (unsigned long long)loop->seed);
	printf("; it said:\n");
	fflush(stdout);
	char command[160];
	snprintf(command, sizeof(command), "tail -n 12 %s", out);
	return system(command) != 0 && false;
}

/* Points 1, 2, ... of one kind, or as many of them, evenly; the last one strikes nothing. */
static void walk(struct loop *loop, enum fault_call call, enum fault_side side, uint64_t count,
		 uint64_t most, bool persistent)
{
	uint64_t points = most && count > most ? most : count;

	for (uint64_t i = 0; i < points; i++)
		try(loop, call, side, 1 + i * count / points, persistent);
	for (uint64_t nth = count + 1; points; nth++) {
		try(loop, call, side, nth, persistent);
		if (!loop->result->struck)
			break;
	}
}

/* Over io_uring only its own kinds: the others are the same. */
static uint64_t calls_of(const struct loop *loop, const struct result *counts, int s, int c)
{
	bool ring = c >= FAULT_RING_SETUP && c <= FAULT_RING_SYNC;

	return strcmp(loop->backend, "uring") == 0 && !ring ? 0 : counts->counted[s][c];
}

/* How many points of a kind at most, so that all together are about as many as asked for. */
static uint64_t share(const struct loop *loop, const struct result *counts, uint64_t wanted)
{
	uint64_t most = 0, sum = 0;

	for (; wanted && sum < wanted && most < wanted; most++) {
		sum = 0;
		for (int s = 0; s < SIDE_TEST; s++)
			for (int c = 0; c < FAULT_CALLS; c++) {
				uint64_t n = calls_of(loop, counts, s, c);
				sum += n ? 2 * ((n < most ? n : most) + 1) : 0;
			}
	}
	return most;
}

/* A kind that nobody calls any more, or that no wrapper sees, is a proof of nothing. */
static void expect_kinds(struct loop *loop, const struct result *counts)
{
	const bool uring = strcmp(loop->backend, "uring") == 0;

	for (int c = 0; c < FAULT_CALLS; c++) {
		const bool ring = c >= FAULT_RING_SETUP && c <= FAULT_RING_SYNC;
		if (ring != uring || (c == FAULT_REDIS && !loop->redis) ||
		    counts->counted[SIDE_ENGINE][c])
			continue;
		printf("FAILED: no call of the kind %s in a whole life\n", fault_names[c]);
		loop->violations++;
	}
}

static void walk_all(struct loop *loop, uint64_t wanted)
{
	struct result counts;

	try(loop, FAULT_MALLOC, SIDE_ENGINE, 0, false);
	counts = *loop->result;
	expect_kinds(loop, &counts);
	uint64_t most = share(loop, &counts, wanted);
	for (int s = 0; s < SIDE_TEST; s++)
		for (int c = 0; c < FAULT_CALLS; c++) {
			uint64_t n = calls_of(loop, &counts, s, c);
			walk(loop, c, s, n, most, false);
			walk(loop, c, s, n, most, true);
		}
	for (int s = 0; s < SIDE_TEST; s++)
		for (int c = 0; c < FAULT_CALLS; c++)
			if (loop->struck[s][c])
				printf("%s %s: %llu calls, %llu points\n", fault_sides[s],
				       fault_names[c],
				       (unsigned long long)calls_of(loop, &counts, s, c),
				       (unsigned long long)loop->struck[s][c]);
	printf("%llu times an engine without memory stopped itself\n",
	       (unsigned long long)loop->stops);
}

/* Each sync of a whole life fails, once and from then on; then the power is cut, at once, soon or
 * late, with nothing kept that was not synced, or some of it by chance. cuts 0: every 16th sync. */
static void walk_syncs(struct loop *loop, unsigned cuts)
{
	static const enum fault_call calls[] = {FAULT_SYNC, FAULT_RING_SYNC, FAULT_SQL_SYNC};
	static const unsigned after[] = {1, 2, 4, 9, 20, 60, 200, 1000000};
	struct result counts;

	loop->cut_after = 1000000;
	try(loop, FAULT_SYNC, SIDE_ENGINE, 0, false);
	counts = *loop->result;
	for (unsigned c = 0; c < sizeof(calls) / sizeof(calls[0]); c++) {
		if (calls[c] == FAULT_SQL_SYNC && strcmp(loop->backend, "uring") == 0)
			continue; /* SQLite's are the same */
		uint64_t count = counts.counted[SIDE_ENGINE][calls[c]], points = loop->points;
		for (uint64_t nth = 1; nth <= count; nth += cuts ? 1 : 16)
			for (unsigned cut = 0; cut < (cuts ? 2 * cuts : 2); cut++) {
				/* Every second loses all that it may. */
				uint64_t mix = (nth * 2 + cut) * UINT64_C(0x9e3779b97f4a7c15);
				loop->cut_after = after[(mix >> 40) % 8];
				loop->seed = mix >> 63 ? mix | 1 : 0;
				try(loop, calls[c], SIDE_ENGINE, nth, cut % 2);
			}
		printf("%s: %llu positions, %llu cuts\n", fault_names[calls[c]],
		       (unsigned long long)count, (unsigned long long)(loop->points - points));
	}
}

static int find(const char *const names[], int count, const char *name)
{
	for (int i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	printf("no such kind or side: %s\n", name);
	exit(2);
}

static struct loop loop = {.backend = "pwrite"};

/* Who is told to end leaves nothing behind: children and Redis die with it. */
static void end(int signal_number)
{
	(void)signal_number;
	execl("/bin/rm", "rm", "-rf", loop.directory, (char *)NULL);
}

int main(int argc, char **argv)
{
	const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/var/tmp";
	char command[128];
	pid_t redis = 0;

	fault_enter(SIDE_TEST);
	fault_begin();
	signal(SIGPIPE, SIG_IGN);
	loop.result = mmap(NULL, sizeof(*loop.result), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	snprintf(loop.directory, sizeof(loop.directory), "%s/weir-fault-XXXXXX", parent);
	if (argc < 2 || loop.result == MAP_FAILED || !mkdtemp(loop.directory))
		return 2;
	signal(SIGTERM, end);
	signal(SIGINT, end);
	setvbuf(stdout, NULL, _IOLBF, 0);
	/* Cuts are about disks; what Redis has is counted without. */
	if (strcmp(argv[1], "syncs") != 0 && argc <= 6)
		loop.redis = stream_start(loop.directory, &redis);
	if (argc > 4) {
		loop.backend = argc > 5 ? argv[5] : "pwrite";
		loop.cut_after = argc > 6 ? (unsigned)atoi(argv[6]) : 0;
		loop.seed = argc > 7 ? strtoull(argv[7], NULL, 10) : 0;
		int code = live(&loop, find(fault_names, FAULT_CALLS, argv[1]),
				find(fault_sides, SIDE_TEST, argv[2]), strtoull(argv[3], NULL, 10),
				strcmp(argv[4], "persistent") == 0);
		printf("%llu refused; %s\n", (unsigned long long)loop.result->struck,
		       loop.directory);
		return code;
	}
	if (!loop.redis && strcmp(argv[1], "syncs") != 0)
		printf("SKIPPED: redis-server is not installed: none of its calls is refused\n");
	bool syncs = strcmp(argv[1], "syncs") == 0;
	const char *backend = argv[1 + syncs] ? argv[2 + syncs] : NULL;
	loop.backend = backend ? backend : "pwrite";
	uint64_t wanted = strtoull(argv[1 + syncs] ? argv[1 + syncs] : "1", NULL, 10);
	if (syncs)
		walk_syncs(&loop, (unsigned)wanted);
	else
		walk_all(&loop, wanted && getenv("WEIR_TEST_QUICK") ? wanted / 8 + 1 : wanted);
	printf("PROOF %s-%s %llu %llu\n", syncs ? "failed-syncs" : "fault-points", loop.backend,
	       (unsigned long long)loop.points, (unsigned long long)loop.violations);
	if (redis > 0) {
		kill(redis, SIGKILL);
		waitpid(redis, NULL, 0);
	}
	if (!loop.violations) {
		snprintf(command, sizeof(command), "rm -rf %s", loop.directory);
		return system(command) ? 1 : 0;
	}
	printf("left for you: %s\n", loop.directory);
	return 1;
}
