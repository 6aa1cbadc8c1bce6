/*
 * kill: kill -9 of the engine at every named point.
 *
 *   kill KILLS [BACKEND]        of each point so many, 0: at every occurrence; BACKEND is of the
 *                               log: pwrite (default), uring
 *   kill list [BACKEND]         the names of the points
 *   kill NAME NTH [BACKEND]     one of them, and all that it says
 *
 * Idea:  between two calls into the machine a dying engine changes nothing that outlives it but
 *        words in shared memory; so the places of those calls are all the points there are. A
 *        point is named by its call and the functions it was reached through, for instance
 *        "rename < posix_rename < checkpoint_put_file < checkpoint_write". The engine is a
 *        process of its own here, turned by hand over a pipe in the time that both share
 *        (stage.h), so every run is the same, and a point's nth occurrence is found again. A
 *        write is also left half done.
 *
 *   this process  --call-->  keeper  --fork--> engine   the keeper has no producer's descriptor
 *        ^----- answer, or that it is dead ------'
 *
 * After each: ledgers, log, alerts, as after every life of a stage.
 */
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "names.h"
#include "stage.h"
#include "support/process.h"
#include "support/proof.h"

#define POINTS_MAX 1024
#define FRAMES 28
#define NAME_FUNCTIONS 4
#define CPU_SECONDS 20
#define WALL_SECONDS 20

/* Life and times of an engine that a kill may hit. */
static const struct phase {
	const char *name, *function;
} phases[] = {
	{"start", "engine_open"},
	{"recovery", "replay_run"},
	{"roll", "roll_step"},
	{"segment", "writer_step"},
	{"checkpoint", "checkpoint_write"},
	{"retention", "writer_retain"},
	{"outbox", "store_commit"},
	{"history", "history_commit"},
	{"reload", NULL},
	{"attach", "intake_step"},
	{"control", "control_step"},
	{"stop", "tear_down"},
};
#define PHASES (sizeof(phases) / sizeof(phases[0]))
/* Turns in which a new configuration and an input go through all stages. */
#define RELOAD_TURNS 8

struct point {
	char name[192];
	uint32_t phases;
	uint64_t occurrences;
};

/* Shared by all processes of a run. */
struct board {
	uint64_t now_ns;
	struct point points[POINTS_MAX];
	uint32_t points_count;
	uint32_t retain_from; /* points from this one on come only in a life with retention */
	bool killed;
};

struct order {
	enum stage_call what;
	uint64_t slot;
};

/* What a run is to do; each process has a copy. */
static struct {
	struct board *board;
	const char *backend;
	uint32_t target; /* number of the point; POINTS_MAX: none */
	uint64_t nth;
	bool dying; /* at the next call */
	int reloading;
	int orders[2], answers[2];
} run;

static const char *call_name(enum fault_call call)
{
	if (call == FAULT_RING_SHORT)
		return "half a ring-write";
	return call == FAULT_SHORT ? "half a write" : fault_names[call];
}

/* The name of where we are, and through which phases we came. */
static uint32_t whereabouts(enum fault_call call, char *name, size_t bytes)
{
	void *frames[FRAMES];
	int count = backtrace(frames, FRAMES), functions = 0;
	size_t used = (size_t)snprintf(name, bytes, "%s", call_name(call));
	uint32_t seen = 0;

	for (int i = 0; i < count; i++) {
		const char *function = name_of(frames[i]);
		if (!function || strncmp(function, "__wrap_", 7) == 0 ||
		    strncmp(function, "fault_", 6) == 0 || strncmp(function, "file_", 5) == 0 ||
		    strcmp(function, "watch") == 0 || strcmp(function, "whereabouts") == 0)
			continue;
		if (strcmp(function, "stage_serve") == 0)
			break;
		for (uint32_t p = 0; p < PHASES; p++)
			if (phases[p].function ? strcmp(function, phases[p].function) == 0
					       : run.reloading > 0)
				seen |= 1u << p;
		if (functions++ < NAME_FUNCTIONS && used < bytes)
			used += (size_t)snprintf(name + used, bytes - used, " < %s", function);
	}
	if (run.reloading > 0 && used < bytes)
		snprintf(name + used, bytes - used, " (reload)");
	return seen;
}

static struct point *find_point(const char *name, uint32_t seen)
{
	struct board *board = run.board;

	for (uint32_t i = 0; i < board->points_count; i++)
		if (strcmp(board->points[i].name, name) == 0) {
			board->points[i].phases |= seen;
			return &board->points[i];
		}
	if (board->points_count == POINTS_MAX)
		abort();
	struct point *point = &board->points[board->points_count++];
	snprintf(point->name, sizeof(point->name), "%s", name);
	point->phases = seen;
	return point;
}

static void die(void)
{
	run.board->killed = true;
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

/* Reading changes nothing: the call before or behind it is the same moment. */
static bool interesting(enum fault_call call)
{
	return call == FAULT_OPEN || call == FAULT_WRITE || call == FAULT_SHORT ||
	       call == FAULT_SYNC || call == FAULT_ALLOCATE || call == FAULT_RENAME ||
	       call == FAULT_MMAP || call == FAULT_THREAD || call == FAULT_SOCKET ||
	       call == FAULT_MESSAGE || call == FAULT_SQL_STEP || call == FAULT_SQL_FILE ||
	       call == FAULT_RING_SETUP || call == FAULT_RING_SUBMIT || call == FAULT_RING_WRITE ||
	       call == FAULT_RING_SHORT || call == FAULT_RING_SYNC;
}

static bool watch(enum fault_call call)
{
	static __thread bool inside;
	char name[sizeof(run.board->points[0].name)];

	if (run.dying)
		die();
	if (inside || run.board->killed || !interesting(call))
		return false;
	inside = true;
	uint32_t seen = whereabouts(call, name, sizeof(name));
	struct point *point = find_point(name, seen);
	inside = false;
	if (++point->occurrences != run.nth || point != &run.board->points[run.target])
		return false;
	if (call != FAULT_SHORT && call != FAULT_RING_SHORT)
		die();
	run.dying = true;
	return true;
}

/* The engine's process. */
static void serve(struct stage *stage)
{
	struct order order = {.what = STAGE_OPEN};
	int answer;

	fault_watch = watch;
	fault_enter(SIDE_ENGINE);
	do {
		stage->slot = order.slot;
		if (order.what == STAGE_ABANDON)
			kill(getpid(), SIGKILL);
		run.reloading = order.what == STAGE_INPUT ? RELOAD_TURNS : run.reloading - 1;
		answer = stage_serve(stage, order.what);
		if (run.dying)
			die();
		if (order.what == STAGE_CLOSE || (order.what == STAGE_OPEN && answer < 0))
			_exit(answer < 0 || stage->violations);
		fault_enter(SIDE_TEST);
		if (write(run.answers[1], &answer, sizeof(answer)) != sizeof(answer) ||
		    read(run.orders[0], &order, sizeof(order)) != sizeof(order))
			_exit(1);
		fault_enter(SIDE_ENGINE);
	} while (true);
}

/* The kernel lets go of a dead engine's file behind its last write into it, and a start uses those
 * again that it has let go of: without a wait runs would differ. */
static int wait_for_file(const char *path, const struct stat *status, int type, struct FTW *at)
{
	(void)status;
	(void)at;
	int fd = type == FTW_F ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;

	if (fd < 0)
		return 0;
	flock(fd, LOCK_SH);
	close(fd);
	return 0;
}

static void keep(struct stage *stage)
{
	struct order order;

	while (read(run.orders[0], &order, sizeof(order)) == sizeof(order)) {
		int status, answer = -ECANCELED;
		pid_t pid = process_fork();
		if (pid == 0) {
			stage->slot = order.slot;
			serve(stage);
		}
		waitpid(pid, &status, 0);
		nftw(stage->directory, wait_for_file, FRAMES, FTW_PHYS);
		if (WIFEXITED(status))
			answer = WEXITSTATUS(status) ? -EIO : -ESHUTDOWN;
		if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) {
			printf("FAILED: the engine died of signal %d\n", WTERMSIG(status));
			answer = -EFAULT;
		}
		if (write(run.answers[1], &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	_exit(0);
}

static int ask_host(struct stage *stage, enum stage_call what)
{
	struct order order = {.what = what, .slot = stage->slot};
	int answer;

	if (write(run.orders[1], &order, sizeof(order)) != sizeof(order) ||
	    read(run.answers[0], &answer, sizeof(answer)) != sizeof(answer))
		abort();
	if (answer == -EFAULT || (answer == -EIO && what == STAGE_CLOSE))
		stage->violations++;
	bool runs = answer >= 0 || (answer > -ENOTSUP && what != STAGE_OPEN);
	runs = runs && answer != -EIO && answer != -EFAULT && answer != -ESHUTDOWN &&
	       answer != -ECANCELED;
	stage->engine = runs ? (struct engine *)stage : NULL;
	return answer == -ESHUTDOWN ? 0 : answer;
}

static int live(const char *parent)
{
	static struct stage stage;

	stage = (struct stage){
		.io = run.backend,
		.host = ask_host,
		.retain = run.target >= run.board->retain_from,
	};
	stage_begin(&stage, parent);
	if (pipe2(run.orders, O_CLOEXEC) < 0 || pipe2(run.answers, O_CLOEXEC) < 0)
		abort();
	pid_t keeper = process_fork();
	if (keeper == 0) {
		close(run.orders[1]);
		close(run.answers[0]);
		keep(&stage);
	}
	close(run.orders[0]);
	close(run.answers[1]);
	stage_play(&stage);
	stage_check(&stage);
	close(run.orders[1]);
	waitpid(keeper, NULL, 0);
	return stage.violations ? 1 : 0;
}

/* One run; true: all was well. */
static bool try(const char *directory, uint32_t target, uint64_t nth)
{
	char command[160], out[96];
	int status;

	for (uint32_t i = 0; i < run.board->points_count; i++)
		run.board->points[i].occurrences = 0;
	run.board->killed = false;
	run.target = target;
	run.nth = nth;
	snprintf(out, sizeof(out), "%s/out", directory);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit cpu = {.rlim_cur = CPU_SECONDS, .rlim_max = CPU_SECONDS};
		int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
		dup2(fd, 1);
		dup2(fd, 2);
		close(fd);
		setrlimit(RLIMIT_CPU, &cpu);
		alarm(WALL_SECONDS);
		fault_share_time(&run.board->now_ns);
		int code = live(directory);
		fflush(stdout);
		_exit(code);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	printf("FAILED: killed at \"%s\", occurrence %llu (%s %d):\n",
	       target < POINTS_MAX ? run.board->points[target].name : "no point",
	       (unsigned long long)nth, WIFSIGNALED(status) ? "signal" : "code",
	       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	fflush(stdout);
	snprintf(command, sizeof(command), "tail -n 12 %s", out);
	return system(command) != 0 && false;
}

/* What points there are, and how often each comes: without retention, then with. */
static uint64_t look_twice(const char *directory)
{
	static struct point first[POINTS_MAX];
	uint64_t bad;

	run.board->retain_from = POINTS_MAX + 1;
	bad = !try(directory, POINTS_MAX, 0);
	memcpy(first, run.board->points, sizeof(first));
	run.board->retain_from = run.board->points_count;
	bad += !try(directory, POINTS_MAX, 0);
	memcpy(run.board->points, first, run.board->retain_from * sizeof(first[0]));
	return bad;
}

/* A kill at the first, the last and evenly between; 0: at every occurrence. */
static void walk(const char *directory, uint64_t wanted, uint64_t *kills, uint64_t *bad)
{
	uint32_t count = run.board->points_count;
	uint64_t *most = calloc(count, sizeof(*most));

	for (uint32_t i = 0; i < count; i++)
		most[i] = run.board->points[i].occurrences;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t times = wanted && wanted < most[i] ? wanted : most[i];
		for (uint64_t k = 0; k < times; k++) {
			uint64_t nth = times > 1 ? 1 + k * (most[i] - 1) / (times - 1) : 1;
			*bad += !try(directory, i, nth);
			*kills += run.board->killed;
			if (!run.board->killed && (*bad)++ < 20)
				printf("FAILED: \"%s\" did not come %llu times\n",
				       run.board->points[i].name, (unsigned long long)nth);
		}
	}
	free(most);
}

/* An argument of so many, if it is there and names one. */
static const char *backend_of(int argc, char **argv)
{
	if (argc > 3)
		return argv[3];
	if (argc > 2 && (strcmp(argv[2], "uring") == 0 || strcmp(argv[2], "pwrite") == 0))
		return argv[2];
	return "pwrite";
}

static int single(const char *directory, const char *name, uint64_t nth)
{
	char command[160];

	for (uint32_t i = 0; i < run.board->points_count; i++)
		if (strcmp(run.board->points[i].name, name) == 0) {
			bool good = try(directory, i, nth);
			snprintf(command, sizeof(command), "cat %s/out", directory);
			return system(command) || !good;
		}
	printf("there is no such point\n");
	return 2;
}

static bool every_phase(bool list)
{
	uint32_t count[PHASES] = {0};
	bool all = true;

	for (uint32_t i = 0; i < run.board->points_count; i++) {
		const struct point *point = &run.board->points[i];
		if (list)
			printf("%6llu  %s\n", (unsigned long long)point->occurrences, point->name);
		for (uint32_t p = 0; p < PHASES; p++)
			count[p] += point->phases >> p & 1;
	}
	printf("%u points:", run.board->points_count);
	for (uint32_t p = 0; p < PHASES; p++) {
		printf(" %s %u", phases[p].name, count[p]);
		all &= count[p] > 0;
	}
	printf("\n");
	return all;
}

int main(int argc, char **argv)
{
	char directory[64], command[128];
	uint64_t kills = 0, bad = 0;
	void *frame;

	fault_enter(SIDE_TEST);
	fault_begin();
	names_read();
	backtrace(&frame, 1); /* it loads a library at first */
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(directory, sizeof(directory), "%s/weir-kill-points-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/var/tmp");
	run.board = mmap(NULL, sizeof(*run.board), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (argc < 2 || run.board == MAP_FAILED || !mkdtemp(directory))
		return 2;
	run.backend = backend_of(argc, argv);
	bad += look_twice(directory);
	bool list = strcmp(argv[1], "list") == 0;
	if (!every_phase(list) && ++bad)
		printf("FAILED: every phase of a life has points\n");
	if (run.board->points_count < 60 && ++bad)
		printf("FAILED: there are 60 points or more\n");
	if (argc > 2 && argv[2] != run.backend)
		return single(directory, argv[1], strtoull(argv[2], NULL, 10));
	if (!list && !bad)
		walk(directory, strtoull(argv[1], NULL, 10), &kills, &bad);
	if (!list) {
		snprintf(command, sizeof(command), "kills-at-named-points-%s", run.backend);
		proof_say(command, kills, bad);
	}
	if (bad) {
		printf("left for you: %s\n", directory);
		return 1;
	}
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command) ? 1 : 0;
}
