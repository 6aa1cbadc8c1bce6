/*
 * world: see world.h.
 */
#include "power/world.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"
#include "support/control_ask.h"
#include "weir/order.h"
#include "weir/weir.h"

#define CONFIG GROUND "/weir.yaml"
#define SOCKET GROUND "/weir.sock"
#define CONTROL GROUND "/control.sock"
#define START_MS UINT64_C(1767225600000)
#define INTERVAL_MS 1000u
#define EVENTS_OF_INTERVAL 1000u
/* Every 31 intervals there is a hole in the traffic, for an alert. */
#define HOLE_EVERY 31u
#define HOLE_FROM 27u
#define LOCK_WAIT_MS 10000u
/* An engine waits so long for applications that its log knows, and a little more. */
#define HOLD_NS UINT64_C(6000000000)

void world_init(struct world *world)
{
	*world = (struct world){.events_max = 50000, .pace = 128};
	world->board = mmap(NULL, sizeof(*world->board), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (world->board == MAP_FAILED)
		abort();
}

void world_forget(struct world *world)
{
	memset(world->board, 0, sizeof(*world->board));
	memset(&world->lives, 0, sizeof(world->lives));
	memset(world->slot, 0, sizeof(world->slot));
}

void world_renew(struct world *world, uint64_t bytes)
{
	ground_format(&world->ground, bytes);
	world_forget(world);
}

void world_config(const struct world *world, const struct world_log *log)
{
	FILE *file = fopen(CONFIG, "w");

	if (!file)
		abort();
	fprintf(file,
		"data_directory: " GROUND_DATA "\nsocket: " SOCKET "\ncontrol_socket: " CONTROL "\n"
		"environment: %s\nlanes: %u\nshards: 2\ninterval: 1s\nlateness: {event: 1s}\n"
		"checkpoint_intervals: 8\nlimits: {series_max: 4096}\n"
		"log: {io: %s, durability: %s, sync_interval: %ums, segment_bytes: 1MiB, "
		"block_bytes: 64KiB, spares: 1",
		world->environment, log->lanes ? log->lanes : 2, log->io, log->durability,
		log->sync_ms);
	if (log->retain_bytes)
		fprintf(file, ", retain_bytes: %lluKiB",
			(unsigned long long)(log->retain_bytes >> 10));
	fprintf(file, "}\n");
	if (world->redis)
		fprintf(file, "redis: {url: \"unix://%s\"}\n", world->redis);
	fprintf(file, "metrics:\n");
	for (uint32_t p = 0; p < WORLD_PRODUCERS; p++)
		fprintf(file, "  - {name: count_%u, event: number_%u, agg: count}\n", p, p);
	fprintf(file, "detectors:\n");
	for (uint32_t p = 0; p < WORLD_PRODUCERS; p++)
		fprintf(file,
			"  - {name: window_%u, metric: count_%u, kind: window, window: 20, k: 4, "
			"severity: 30, for: 1, recover: 1}\n",
			p, p);
	fclose(file);
}

/* Wall time is for one thread of an engine (base/clock.h). */
static uint64_t wall_of_one(void *self)
{
	static pid_t one;
	struct timespec now;
	pid_t me = gettid(), none = 0;

	(void)self;
	/* Relaxed: a number that is set once. The main thread asks before there are others. */
	if (me != getpid() &&
	    !__atomic_compare_exchange_n(&one, &none, me, false, __ATOMIC_RELAXED,
					 __ATOMIC_RELAXED) &&
	    none != me) {
		fprintf(stderr, "two threads ask for wall time\n");
		abort();
	}
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* As weird's main() does. */
static int run_engine(struct world *world)
{
	struct engine *engine;
	struct config *config;
	struct clock clock;
	char why[1024] = "";
	struct engine_options options = {
		.config_path = CONFIG,
		.clock = &clock,
		.lock_wait_ms = LOCK_WAIT_MS,
	};

	signal(SIGPIPE, SIG_IGN);
	clock_system(&clock);
	clock.wall_ms = wall_of_one;
	if (config_load(CONFIG, &config, why, sizeof(why)) < 0) {
		fprintf(stderr, "%s\n", why);
		return 78;
	}
	options.config = config;
	if (engine_open(&options, &engine, why, sizeof(why)) < 0) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	fprintf(stderr, "%s\n", engine_recovery_text(engine));
	plug_phase(PLUG_RUNNING);
	if (engine_start(engine) < 0)
		return 1;
	/* Applications of before the cut are gone: nobody need wait for them to come back.
	 * Relaxed, here and below: flags between processes that nothing else hangs on. */
	world_hurry(world, HOLD_NS);
	weir_store_relaxed_32(&world->board->ready, 1);
	while (!weir_load_relaxed_32(&world->board->stop))
		pause_us(500);
	plug_phase(PLUG_STOPPING);
	engine_close(engine);
	config_free(config);
	return 0;
}

void world_hurry(struct world *world, uint64_t ns)
{
	/* Relaxed: one number. In one step: the engine and its driver add to it, perhaps at the
	 * same time, and its clock must not go back. */
	weir_add_64(&world->board->ahead_ns, ns);
}

void world_start_engine(struct world *world, const struct plug *plug)
{
	world->board->ready = world->board->stop = world->board->struck = 0;
	world->board->over = world->board->finish = 0;
	world->board->ahead_ns = world->board->cutting = 0;
	world->engine = process_fork();
	if (world->engine)
		return;
	int log = open(WORLD_LOG, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	plug_in(plug);
	_exit(run_engine(world));
}

/* Behind what somebody was told: it counts. */
static bool has_power(const struct world_board *board)
{
	/* Acquire: see plug_cutting(). */
	return !weir_load_acquire_32(&board->cutting);
}

static void read_ledger(const struct world_board *board, weir *w, struct world_ledger *told)
{
	struct weir_ledger ledger;

	weir_ledger(w, &ledger);
	told->published = ledger.published;
	told->dropped = ledger.dropped;
	told->rejected = ledger.rejected;
	told->lost = ledger.lost;
	told->error |= ledger.attempted != ledger.published + ledger.dropped;
	/* What was said once stays said. Relaxed: the driver looks whether there are any. */
	if (!has_power(board))
		return;
	if (ledger.durable > told->durable)
		weir_store_relaxed_64(&told->durable, ledger.durable);
	if (ledger.persisted > told->persisted)
		weir_store_relaxed_64(&told->persisted, ledger.persisted);
}

/* The numbers of one life, some hundred thousand a second, until the power goes. */
static void emit_numbers(struct world *world, weir *w, uint32_t p, int series)
{
	struct world_board *board = world->board;
	struct world_ledger *told = &board->ledger[p];
	uint64_t n = 0;

	for (uint64_t slot = world->slot[p];
	     !weir_load_relaxed_32(&board->over) && !weir_load_relaxed_32(&board->finish); slot++) {
		bool all = n == world->events_max;
		if (slot % 16 == 0 || all)
			read_ledger(board, w, told);
		if (slot % world->pace == 0 || all)
			pause_us(all ? 2000 : 100);
		slot -= all;
		if (all || slot / EVENTS_OF_INTERVAL % HOLE_EVERY >= HOLE_FROM)
			continue;
		told->emitted = n + 1;
		told->slot = slot;
		uint64_t time_ms = START_MS + slot * INTERVAL_MS / EVENTS_OF_INTERVAL;
		int error;
		while ((error = weir_emit_at(w, series, (double)n, time_ms)) == -EAGAIN &&
		       !weir_load_relaxed_32(&board->over)) {
			read_ledger(board, w, told);
			pause_us(200);
		}
		n += error == 0;
		/* Who asks to be told. */
		if (n % 8192 == 2730 * p && weir_wait(w, WEIR_DURABLE, 20) == 0 && has_power(board))
			told->waited = n;
	}
	told->emitted = n;
}

static void produce(struct world *world, uint32_t p)
{
	struct world_board *board = world->board;
	struct world_ledger *told = &board->ledger[p];
	char source[16], name[16], life[8];
	struct weir_dimension by[] = {{LIFE_DIMENSION, life}};
	struct weir_options options = {
		.size = sizeof(options),
		.socket_path = SOCKET,
		.source = source,
		.event_clock = 1,
		.ring_events = 16384,
		.table_bytes = 4096,
		.series_max = 64,
	};
	weir *w;

	snprintf(source, sizeof(source), "producer%u", p);
	snprintf(name, sizeof(name), "number_%u", p);
	snprintf(life, sizeof(life), "%u", world->life_of[p]);
	if (weir_open(&options, &w) < 0) {
		told->error = 1;
		_exit(0);
	}
	emit_numbers(world, w, p, weir_series(w, name, WEIR_VALUE, WEIR_KIND_NUMBER, by, 1));
	if (weir_load_relaxed_32(&board->over)) {
		read_ledger(board, w, told);
		_exit(0); /* as a machine ends */
	}
	told->error |= weir_wait(w, WEIR_DURABLE, 120000) != 0;
	read_ledger(board, w, told);
	told->error |= weir_close(w, 60000) != 0;
	_exit(0);
}

bool world_ask(const char *line, char *answer, size_t bytes)
{
	size_t got = control_ask(CONTROL, line, answer, bytes, 5);

	return got && answer[got - 1] == '\n';
}

/* Remarks and mutes, each with its number; which of them were answered yes. */
static void operate(struct world_board *board)
{
	char line[256], answer[4096];

	while (!weir_load_relaxed_32(&board->over) && !weir_load_relaxed_32(&board->finish)) {
		uint32_t number = board->remark;
		if (number + 1 == REMARKS_MAX)
			_exit(0);
		if (number % 3)
			snprintf(line, sizeof(line),
				 "{\"command\":\"annotate\",\"text\":\"remark %u\",\"from_ms\":1,"
				 "\"until_ms\":2}\n",
				 number);
		else
			snprintf(line, sizeof(line),
				 "{\"command\":\"mute\",\"metric\":\"none\",\"for_ms\":1000,"
				 "\"text\":\"remark %u\"}\n",
				 number);
		/* Asked for is used up: whether it came that far is not known. */
		board->remark = number + 1;
		if (world_ask(line, answer, sizeof(answer)) && strstr(answer, "\"ok\":true") &&
		    has_power(board)) {
			board->remarks.answered[number] = 1;
			board->answers++;
		}
		pause_us(3000);
	}
	_exit(0);
}

void world_start_others(struct world *world)
{
	for (uint32_t p = 0; p < WORLD_PRODUCERS; p++) {
		world->board->ledger[p] = (struct world_ledger){0};
		if (++world->lives.count == LIVES_MAX)
			abort();
		world->life_of[p] = world->lives.count;
		world->producers[p] = process_fork();
		if (world->producers[p] == 0)
			produce(world, p);
	}
	world->operator= process_fork();
	if (world->operator== 0)
		operate(world->board);
}

bool world_engine_runs(const struct world *world)
{
	siginfo_t info = {0};

	return world->engine &&
	       waitid(P_PID, (id_t)world->engine, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == 0;
}

int world_engine_ended(struct world *world, int *ret_status)
{
	pid_t ended = world->engine ? waitpid(world->engine, ret_status, WNOHANG) : 0;

	if (ended != world->engine)
		return 0;
	world->engine = 0;
	return 1;
}

int world_cut(struct world *world, enum ground_cut how)
{
	plug_cutting(&world->board->cutting);
	return ground_cut(&world->ground, how);
}

int world_end_engine(struct world *world, bool killed)
{
	int status = 0;

	if (killed)
		kill(world->engine, SIGKILL);
	waitpid(world->engine, &status, 0);
	world->engine = 0;
	return status;
}

uint64_t world_end_others(struct world *world)
{
	uint64_t bad = 0;
	int status;

	/* Relaxed: the engine is dead, or all was said; see world_board. */
	if (!weir_load_relaxed_32(&world->board->finish))
		weir_store_relaxed_32(&world->board->over, 1);
	for (uint32_t p = 0; p < WORLD_PRODUCERS; p++) {
		const struct world_ledger *told = &world->board->ledger[p];
		struct life *life = &world->lives.life[world->life_of[p]];
		waitpid(world->producers[p], &status, 0);
		life->emitted = told->emitted;
		life->promised = told->durable > told->waited ? told->durable : told->waited;
		if (status || told->error || told->lost || told->rejected ||
		    told->published != told->emitted || told->durable > told->published) {
			printf("FAILED: an application's ledger: %llu emitted, %llu published, "
			       "%llu durable, %llu rejected, %llu lost, error %u, ended with %d\n",
			       (unsigned long long)told->emitted,
			       (unsigned long long)told->published,
			       (unsigned long long)told->durable,
			       (unsigned long long)told->rejected, (unsigned long long)told->lost,
			       told->error, status);
			bad++;
		}
		if (told->slot)
			world->slot[p] = told->slot + 1;
	}
	waitpid(world->operator, & status, 0);
	return bad;
}

void world_leave(void)
{
	static bool left;
	char directory[] = "/var/tmp/weir-power-XXXXXX", command[256];

	fflush(stdout);
	if (system("tail -n 30 " WORLD_LOG) != 0)
		printf("no engine has said anything\n");
	if (left || !mkdtemp(directory))
		return;
	left = true;
	snprintf(command, sizeof(command), "cp -a " GROUND_DATA " " WORLD_LOG " %s", directory);
	if (system(command) == 0)
		printf("left for you: %s\n", directory);
}
