/*
 * soak: a long life: load all the time, producers and threads that come and go, and nothing grows.
 *
 *   soak EVENTS WEIRD [MINUTES]
 *
 * Residents emit all the while, from threads that stay and from threads that end. In each round
 * visitors attach, define, emit and leave. After each round the engine's descriptors must be what
 * they were before the first one. Memory may rise at first (tables fill, caches warm up): of the
 * engine and of each resident, the last quarter of the rounds may not need more than the second.
 * It goes on until there were so many events, and so many minutes have passed. Every ledger is
 * exact, and the log that retention has left is whole.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "hostile/host.h"
#include "support/proof.h"
#include "weir/order.h"
#include "weir/weir.h"

#define RESIDENTS 3u
#define RESIDENT_THREADS 2u
#define VISITORS 8u
#define VISITOR_SERIES 8u
#define BURST 64u
#define ROUNDS_MIN 16u
#define SUBJECTS (1u + RESIDENTS) /* the engine and the residents */
/* Files of the log come and go by one or two. A leak is one more in every round. */
#define DESCRIPTORS_SLACK 6u
/* What may come by chance: a page here and there, an arena of malloc. */
#define GROWTH_KIB 2048u
#define GROWTH_PERCENT 2u
#define PATIENCE_MS (HOST_PATIENCE_S * 1000u)

struct board {
	uint32_t stop;                /* test -> residents */
	uint64_t events;              /* of all: emit has said yes */
	uint64_t threads;             /* that have come and gone */
	uint64_t attached[RESIDENTS]; /* residents that an engine has answered */
};

struct soak {
	struct host host;
	struct board *board; /* shared */
	pid_t pid[SUBJECTS];
	uint64_t rounds, rounds_room, visits;
	uint32_t (*kib)[SUBJECTS]; /* [rounds] */
	unsigned descriptors[SUBJECTS];
};

struct emitter {
	weir *w;
	int series;
	struct board *board;
};

static void emit_burst(const struct emitter *emitter)
{
	uint64_t taken = 0;

	for (unsigned i = 0; i < BURST; i++)
		taken += weir_emit(emitter->w, emitter->series, 1.0) == 0;
	weir_add_64(&emitter->board->events, taken);
}

static bool stopped(const struct board *board)
{
	/* Relaxed: a flag by itself. */
	return weir_load_relaxed_32(&board->stop) != 0;
}

static void *stay(void *argument)
{
	const struct emitter *emitter = argument;

	while (!stopped(emitter->board)) {
		emit_burst(emitter);
		pause_us(1000);
	}
	return NULL;
}

static void *come_and_go(void *argument)
{
	emit_burst(argument);
	return NULL;
}

static weir *open_producer(const struct host *host, const char *program)
{
	struct weir_options options = {.size = sizeof(options),
				       .socket_path = host->socket,
				       .program = program,
				       .ring_events = 4096,
				       .series_max = 256,
				       .table_bytes = 65536};
	weir *w;

	return weir_open(&options, &w) < 0 ? NULL : w;
}

/* Wait until all is kept; the ledger's exit code. */
static int leave(weir *w)
{
	struct weir_ledger ledger;

	if (weir_wait(w, WEIR_PERSISTED, PATIENCE_MS))
		return 3;
	weir_ledger(w, &ledger);
	if (ledger.attempted != ledger.published + ledger.dropped || ledger.rejected ||
	    ledger.lost || ledger.persisted != ledger.published)
		return 4;
	weir_close(w, PATIENCE_MS);
	return 0;
}

static int reside(const struct host *host, struct board *board, unsigned number)
{
	pthread_t threads[RESIDENT_THREADS], guest;
	char name[16];
	struct emitter emitter = {.w = open_producer(host, "resident"), .board = board};

	if (!emitter.w)
		return 2;
	snprintf(name, sizeof(name), "resident-%u", number);
	emitter.series = weir_series(emitter.w, name, NULL, WEIR_KIND_NUMBER, NULL, 0);
	for (unsigned i = 0; i < RESIDENT_THREADS; i++)
		if (pthread_create(&threads[i], NULL, stay, &emitter))
			return 2;
	while (!stopped(board)) {
		/* Relaxed: for the test's wait. */
		weir_store_relaxed_64(&board->attached[number], weir_poll(emitter.w) == 1);
		if (pthread_create(&guest, NULL, come_and_go, &emitter) == 0) {
			pthread_join(guest, NULL);
			weir_add_64(&board->threads, 1);
		}
		pause_us(2000);
	}
	for (unsigned i = 0; i < RESIDENT_THREADS; i++)
		pthread_join(threads[i], NULL);
	return leave(emitter.w);
}

static int visit(const struct host *host, struct board *board, unsigned number)
{
	struct emitter emitter = {.w = open_producer(host, "visitor"), .board = board};
	char name[16];

	if (!emitter.w)
		return 2;
	for (unsigned i = 0; i < VISITOR_SERIES; i++) {
		struct weir_dimension by = {"page", name};
		snprintf(name, sizeof(name), "%u", number * VISITOR_SERIES + i);
		emitter.series =
			weir_series(emitter.w, "visitor", NULL, WEIR_KIND_NUMBER, &by, 1);
		emit_burst(&emitter);
	}
	return leave(emitter.w);
}

static pid_t start(struct soak *soak, int (*life)(const struct host *, struct board *, unsigned),
		   unsigned number)
{
	pid_t pid = process_fork();

	if (pid == 0)
		_exit(life(&soak->host, soak->board, number));
	return pid;
}

static void end(struct soak *soak, pid_t pid, const char *who)
{
	int code = host_wait(pid);

	host_expect(&soak->host, code == 0, "%s ends with %d (3: not kept in time, 4: its ledger)",
		    who, code);
}

/* What is open once those who left are forgotten; the least that was seen, if it never is. */
static void look_at_descriptors(struct soak *soak, unsigned subject)
{
	unsigned now = 0, least = ~0u;

	for (uint32_t i = 0; i < PATIENCE_MS; i++) {
		now = descriptors_of(soak->pid[subject]);
		least = now < least ? now : least;
		if (least <= soak->descriptors[subject] + DESCRIPTORS_SLACK)
			return;
		pause_us(1000);
	}
	host_expect(&soak->host, false, "%s has %u descriptors after %llu rounds, %u before them",
		    subject ? "a resident" : "the engine", least,
		    (unsigned long long)soak->rounds, soak->descriptors[subject]);
}

static void look(struct soak *soak)
{
	if (soak->rounds == soak->rounds_room) {
		soak->rounds_room = soak->rounds_room ? soak->rounds_room * 2 : 1024;
		soak->kib = realloc(soak->kib, soak->rounds_room * sizeof(*soak->kib));
		if (!soak->kib)
			abort();
	}
	for (unsigned s = 0; s < SUBJECTS; s++) {
		look_at_descriptors(soak, s);
		soak->kib[soak->rounds][s] = (uint32_t)memory_kib_of(soak->pid[s]);
	}
	soak->rounds++;
}

static void play_round(struct soak *soak)
{
	pid_t visitors[VISITORS];

	for (unsigned v = 0; v < VISITORS; v++)
		visitors[v] = start(soak, visit, v);
	for (unsigned v = 0; v < VISITORS; v++)
		end(soak, visitors[v], "a visitor");
	soak->visits += VISITORS;
	host_expect(&soak->host, host_answers(&soak->host), "the engine answers no more");
	look(soak);
}

static uint32_t most(const struct soak *soak, unsigned subject, uint64_t from, uint64_t to)
{
	uint32_t kib = 0;

	for (uint64_t r = from; r < to; r++)
		kib = soak->kib[r][subject] > kib ? soak->kib[r][subject] : kib;
	return kib;
}

static void judge_memory(struct soak *soak)
{
	for (unsigned s = 0; s < SUBJECTS; s++) {
		uint32_t first = most(soak, s, 0, soak->rounds / 4);
		uint32_t second = most(soak, s, soak->rounds / 4, soak->rounds / 2);
		uint32_t last = most(soak, s, soak->rounds * 3 / 4, soak->rounds);
		printf("%s: at most %u KiB in the first quarter, %u in the second, %u in the last; "
		       "%u descriptors\n",
		       s ? "resident" : "engine", first, second, last, soak->descriptors[s]);
		host_expect(&soak->host,
			    second && last <= second + second * GROWTH_PERCENT / 100 + GROWTH_KIB,
			    "%s has grown from %u to %u KiB", s ? "a resident" : "the engine",
			    second, last);
	}
}

static void move_in(struct soak *soak)
{
	soak->pid[0] = soak->host.pid;
	for (unsigned r = 0; r < RESIDENTS; r++)
		soak->pid[1 + r] = start(soak, reside, r);
	for (uint32_t ms = 0; ms < PATIENCE_MS; ms++) {
		uint64_t attached = 0;
		for (unsigned r = 0; r < RESIDENTS; r++)
			attached += weir_load_relaxed_64(&soak->board->attached[r]);
		if (attached == RESIDENTS && weir_load_relaxed_64(&soak->board->threads) > 100)
			break;
		pause_us(1000);
	}
	for (unsigned s = 0; s < SUBJECTS; s++)
		soak->descriptors[s] = descriptors_of(soak->pid[s]);
}

int main(int argc, char **argv)
{
	static struct soak soak;

	if (argc < 3) {
		fprintf(stderr, "usage: soak EVENTS WEIRD [MINUTES]\n");
		return 2;
	}
	uint64_t events = strtoull(argv[1], NULL, 10);
	uint64_t seconds = argc > 3 ? strtoull(argv[3], NULL, 10) * 60 : 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	soak.board = mmap(NULL, sizeof(*soak.board), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (soak.board == MAP_FAILED)
		return 1;
	host_open(&soak.host, argv[2],
		  "checkpoint_intervals: 5\n"
		  "log: {durability: interval, segment_bytes: 8MiB, retain_bytes: 64MiB}\n");
	host_start(&soak.host);
	move_in(&soak);
	const time_t began = time(NULL);
	while (weir_load_relaxed_64(&soak.board->events) < events ||
	       (uint64_t)(time(NULL) - began) < seconds || soak.rounds < ROUNDS_MIN)
		if (play_round(&soak), soak.host.violations)
			break;
	weir_store_relaxed_32(&soak.board->stop, 1); /* see stopped() */
	for (unsigned r = 0; r < RESIDENTS; r++)
		end(&soak, soak.pid[1 + r], "a resident");
	judge_memory(&soak);
	host_stop(&soak.host);
	host_verify(&soak.host);
	printf("%llu rounds, %llu visitors attached and left, %llu threads came and went\n",
	       (unsigned long long)soak.rounds, (unsigned long long)soak.visits,
	       (unsigned long long)soak.board->threads);
	proof_say("soak-events", soak.board->events, soak.host.violations);
	free(soak.kib);
	uint64_t bad = soak.host.violations;
	host_close(&soak.host);
	return bad ? 1 : 0;
}
