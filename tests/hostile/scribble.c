/*
 * scribble: producers that write over everything that they share while the engine reads it.
 *
 *   scribble SCRIBBLES [WEIRD]     of WEIRD, or of an engine in this process
 *
 * Idea:  a hostile producer attaches as it should. One thread keeps its traffic going, by the tails
 *        that an honest producer might have; another writes at full speed at random and at chosen
 *        places: ring headers, slots, the region's header, the series table, their cursors. Both
 *        sides run at once, so that every read of the engine is one that may change under it. Only
 *        scribbles on memory that the engine still reads are counted: with the ring in quarantine
 *        or the table given up, that life is over, and the next one begins with a new region. Lives
 *        end by CLOSED, without a word, or with the process.
 *
 * Holds: the engine goes on and ends well, no sanitizer speaks, honest producers beside it have
 * exact ledgers and whole events, the independent reader finds nothing wrong, and nobody could
 * write what the engine says (PROOF control-writes).
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "honest.h"
#include "host.h"
#include "rogue.h"
#include "support/proof.h"
#include "support/random.h"

#define HOSTILES 2u
#define LIVES_OF_PROCESS 16u
#define SCRIBBLES_OF_LIFE 1024u
#define SERIES 6u

/* Shared with the hostile processes. */
struct score {
	_Alignas(128) uint32_t go; /* the engine drains: begin */
	uint64_t scribbles;
	uint64_t lives, refused;
	uint64_t taken, rejected, quarantined; /* what the engine made of it */
	uint64_t control_tries, control_written;
};

struct life {
	struct rogue rogue;
	uint64_t random; /* the talker's */
	uint32_t over;   /* scribbler -> talker */
	uint32_t quiet;  /* talker -> scribbler: the traffic has ended */
	uint64_t scribbles;
};

static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Values at the edge of something, and any. */
static uint64_t pick(uint64_t *state)
{
	static const uint64_t edges[] = {
		0, 1, 2, 7, 8, 63, 64, 65, 255, 4095, 4096, 4097, 65535, 65536, INT32_MAX,
		UINT64_C(0x80000000), UINT32_MAX, UINT64_C(0x100000000), INT64_MAX,
		UINT64_C(1) << 62, UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX - 1,
		UINT64_C(0x7ff0000000000000), UINT64_C(0xfff0000000000000),
		UINT64_C(0x7ff8000000000001), UINT64_C(0x0000000000000001) << 52,
	};
	uint64_t die = draw(state);

	return die % 3 ? edges[(die >> 8) % (sizeof(edges) / sizeof(edges[0]))] : draw(state);
}

/* Write 1 to 8 bytes at a place, torn or not. */
static void poke(void *at, uint64_t offset, uint64_t value, uint64_t bytes)
{
	for (uint64_t i = 0; i < bytes; i++)
		((volatile uint8_t *)at)[offset + i] = (uint8_t)(value >> 8 * i);
}

static void poke_slots(struct life *life, struct weir_ring_header *ring, uint64_t *state)
{
	volatile uint64_t *slots = (volatile uint64_t *)((char *)ring + WEIR_RING_OFFSET);
	uint64_t at = draw(state) % (life->rogue.capacity * 2);
	uint64_t value = pick(state);

	/* Words of an event, half of them nearly good: a series there is, a time there is not. */
	if (at % 2 == 0 && draw(state) % 2)
		value = weir_event_word(pick(state) & WEIR_TIME_MS_MAX,
					(uint32_t)(draw(state) % (SERIES + 3)));
	slots[at] = value;
}

static void poke_header(struct life *life, uint64_t *state)
{
	struct weir_ring_header *ring = life->rogue.ring[draw(state) % life->rogue.rings];
	/* Its identity, drops and owner: everything but the tail. */
	uint64_t offset = draw(state) % 2 ? draw(state) % 120 : 256 + draw(state) % 64;

	poke(ring, offset, pick(state), 1 + draw(state) % 8);
}

static void poke_region(struct life *life, uint64_t *state)
{
	struct weir_region_header *region = life->rogue.region;
	uint64_t die = draw(state) % 128;

	if (die < 72)
		poke(region, draw(state) % 120, pick(state), 1 + draw(state) % 8);
	else if (die < 102) /* the drops, and the state now and then */
		poke(region, (die % 30 ? 264 : 256) + draw(state) % 24, pick(state) << 1,
		     1 + draw(state) % 8);
	else if (die < 126)
		poke(region, 4096 - 8 - draw(state) % 3000, pick(state), 8);
	else if (die == 126)
		region->series_count += (uint32_t)(draw(state) % 3);
	else
		region->table_used += 8 * (draw(state) % 40);
}

static void poke_table(struct life *life, uint64_t *state)
{
	uint8_t *table = (uint8_t *)life->rogue.region + WEIR_TABLE_OFFSET;
	uint64_t used = life->rogue.region->table_used % 16384;
	uint64_t at = draw(state) % (used + 64 < 16376 ? used + 64 : 16376);

	poke(table, at & (draw(state) % 2 ? ~UINT64_C(7) : ~UINT64_C(0)), pick(state),
	     1 + draw(state) % 8);
}

/* What ends a life: cursors that cannot be. */
static void poke_cursors(struct life *life, uint64_t *state)
{
	struct weir_ring_header *ring = life->rogue.ring[draw(state) % life->rogue.rings];

	switch (draw(state) % 5) {
	case 0:
		ring->tail -= 1 + draw(state) % life->rogue.capacity;
		break;
	case 1:
		ring->tail += life->rogue.capacity + draw(state) % 3;
		break;
	case 2:
		ring->tail = pick(state);
		break;
	case 3:
		life->rogue.region->series_count = (uint32_t)pick(state);
		break;
	default:
		life->rogue.region->table_used = pick(state);
	}
}

static bool in_quarantine(const struct rogue *rogue)
{
	for (uint32_t i = 0; i < rogue->rings; i++)
		if (!(weir_load_relaxed_32(&rogue_slot(rogue, i)->flags) &
		      WEIR_CONTROL_QUARANTINED))
			return false;
	return true;
}

static void *scribble(void *self)
{
	struct life *life = self;
	uint64_t state = life->random ^ UINT64_C(0x5bd1e995);

	while (life->scribbles < SCRIBBLES_OF_LIFE && !in_quarantine(&life->rogue)) {
		uint64_t die = draw(&state) % 1000;
		if (die < 560)
			poke_slots(life, life->rogue.ring[draw(&state) % life->rogue.rings],
				   &state);
		else if (die < 720)
			poke_header(life, &state);
		else if (die < 860)
			poke_region(life, &state);
		else if (die < 997)
			poke_table(life, &state);
		else
			poke_cursors(life, &state);
		life->scribbles++;
		/* In bursts, so that the engine looks in between. */
		if (draw(&state) % 16 == 0)
			pause_us(draw(&state) % 200);
	}
	weir_store_relaxed_32(&life->over, 1); /* polled */
	return NULL;
}

/* Traffic as a producer's: tails that go on, within the room there is; series that come. */
static void talk(struct life *life)
{
	struct rogue *rogue = &life->rogue;

	while (!weir_load_relaxed_32(&life->over)) {
		uint32_t i = (uint32_t)(draw(&life->random) % rogue->rings);
		const struct weir_control_slot *slot = rogue_slot(rogue, i);
		uint64_t released = weir_load_acquire_64(&slot->released);
		uint64_t tail = weir_load_relaxed_64(&rogue->ring[i]->tail);
		uint64_t room = released + rogue->capacity - tail;
		if (room && room <= rogue->capacity)
			weir_store_release_64(&rogue->ring[i]->tail,
					      tail + 1 + draw(&life->random) % room);
		if (draw(&life->random) % 16 == 0 && rogue->defined < SERIES + 20)
			rogue_define(rogue, "hostile", &life->random, 7);
		pause_us(draw(&life->random) % 120);
	}
}

/* What was published last is read too, if the engine reads this ring at all. */
static void let_drain(struct rogue *rogue)
{
	for (uint32_t i = 0; i < rogue->rings; i++)
		for (int tries = 0; tries < 100; tries++) {
			const struct weir_control_slot *slot = rogue_slot(rogue, i);
			if (weir_load_acquire_64(&slot->released) >= rogue->ring[i]->tail ||
			    weir_load_relaxed_32(&slot->flags) & WEIR_CONTROL_QUARANTINED)
				break;
			pause_us(100);
		}
}

/* The engine's words cannot be written, by any door there is. */
static void try_control(struct score *score, const struct rogue *rogue)
{
	char path[64];
	uint64_t written = 0;
	int fd = rogue->control_fd;

	void *at = mmap(NULL, WEIR_CONTROL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	written += at != MAP_FAILED;
	written += mprotect((void *)(uintptr_t)rogue->control, WEIR_CONTROL_BYTES,
			    PROT_READ | PROT_WRITE) == 0;
	written += pwrite(fd, &score, sizeof(score), 128) >= 0;
	written += fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0;
	written += ftruncate(fd, 0) == 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int again = open(path, O_RDWR | O_CLOEXEC);
	if (again >= 0) {
		at = mmap(NULL, WEIR_CONTROL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0);
		written += at != MAP_FAILED;
		written += pwrite(again, &score, sizeof(score), 128) >= 0;
		close(again);
	}
	weir_add_64(&score->control_tries, 7);
	weir_add_64(&score->control_written, written);
}

static void live(struct score *score, const struct host *host, uint64_t seed, bool last)
{
	struct life life = {.random = seed};
	uint64_t die = draw(&life.random);
	struct rogue_options options = {
		.rings = 1 + (uint32_t)(die % 3),
		.capacity = UINT64_C(64) << (die >> 8) % 6,
		.source = (die >> 16) % 4 ? "live" : "replay",
		.event_clock = (die >> 16) % 4 == 0,
	};
	pthread_t thread;

	rogue_open(&life.rogue, &options);
	for (uint32_t i = 0; i < SERIES; i++)
		rogue_define(&life.rogue, "hostile", "abcdef", (uint16_t)(1 + i));
	/* Good events everywhere, for the scribbler to spoil. */
	for (uint32_t i = 0; i < options.rings; i++) {
		rogue_emit(&life.rogue, i, 1 + i, (uint32_t)options.capacity, (double)i);
		weir_store_relaxed_64(&life.rogue.ring[i]->tail, 0);
	}
	if (rogue_attach(&life.rogue, host->socket)) {
		if ((die >> 20) % 32 == 0)
			try_control(score, &life.rogue);
		pthread_create(&thread, NULL, scribble, &life);
		talk(&life);
		pthread_join(thread, NULL);
		if ((die >> 28) % 2)
			let_drain(&life.rogue);
		for (uint32_t i = 0; i < life.rogue.rings; i++) {
			const struct weir_control_slot *slot = rogue_slot(&life.rogue, i);
			weir_add_64(&score->taken, weir_load_relaxed_64(&slot->released));
			weir_add_64(&score->rejected, weir_load_relaxed_64(&slot->rejected));
			weir_add_64(&score->quarantined,
				    (weir_load_relaxed_32(&slot->flags) &
				     WEIR_CONTROL_QUARANTINED) != 0);
		}
		weir_add_64(&score->scribbles, life.scribbles);
		weir_add_64(&score->lives, 1);
	} else {
		weir_add_64(&score->refused, 1);
		pause_us(2000);
	}
	if (last && (die >> 24) % 2)
		kill(getpid(), SIGKILL);
	rogue_close(&life.rogue, (die >> 25) % 4 != 0);
}

/* Children that live a few lives each, until there are scribbles enough. */
static void be_hostile(struct score *score, const struct host *host, uint64_t wanted, uint64_t seed)
{
	while (!weir_load_relaxed_32(&score->go)) /* polled */
		pause_us(1000);
	/* Relaxed: a sum that only grows. */
	while (weir_load_relaxed_64(&score->scribbles) < wanted) {
		uint64_t lives = 1 + draw(&seed) % LIVES_OF_PROCESS;
		uint64_t child_seed = draw(&seed);
		pid_t pid = process_fork();
		if (pid == 0) {
			for (uint64_t i = 0; i < lives; i++)
				live(score, host, child_seed + i, i + 1 == lives);
			_exit(0);
		}
		int code = host_wait(pid);
		if (code != 0 && code != 128 + SIGKILL)
			_exit(3);
	}
	_exit(0);
}

static void say(const struct score *score)
{
	printf("%llu scribbles in %llu lives (%llu refused): %llu hostile slots read, %llu of "
	       "them refused, %llu rings put in quarantine\n",
	       (unsigned long long)score->scribbles, (unsigned long long)score->lives,
	       (unsigned long long)score->refused, (unsigned long long)score->taken,
	       (unsigned long long)score->rejected, (unsigned long long)score->quarantined);
}

int main(int argc, char **argv)
{
	uint64_t wanted = argc > 1 ? strtoull(argv[1], NULL, 0) : 200000;
	struct score *score = mmap(NULL, sizeof(*score), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct honest honest;
	struct host host;
	pid_t hostile[HOSTILES];

	if (score == MAP_FAILED)
		return 1;
	host_open(&host, argc > 2 ? argv[2] : NULL,
		  "limits: {series_max: 20000, user_bytes_max: 1GiB}\n");
	/* All processes before the threads of an engine in this one. */
	honest_start(&honest, &host, 0, 2, 500);
	random_start(argc > 3 ? strtoull(argv[3], NULL, 0) : 1);
	for (unsigned i = 0; i < HOSTILES; i++) {
		uint64_t seed = random_next();
		hostile[i] = process_fork();
		if (hostile[i] == 0)
			be_hostile(score, &host, wanted, seed);
	}
	host_start(&host);
	honest_wait(&honest, &host, 1000);
	host_expect(&host, host_reaches(&host, NULL, "events_persisted", 1000),
		    "the engine keeps nothing");
	weir_store_relaxed_32(&score->go, 1);
	for (unsigned i = 0; i < HOSTILES; i++) {
		int code = host_wait(hostile[i]);
		host_expect(&host, code == 0, "hostile process %u ended with %d", i, code);
	}
	say(score);
	honest_wait(&honest, &host, 1000);
	host_expect(&host, host_answers(&host), "the engine answers no more");
	host_expect(&host, score->taken > score->scribbles / 100 && score->rejected > 0 &&
				   score->quarantined > 0,
		    "the engine has seen little of it");
	honest_end(&honest, &host);
	proof_say("scribbles", score->scribbles, host.violations);
	proof_say("control-writes", score->control_tries, score->control_written);
	host.violations += score->control_written;
	host_close(&host);
	return host.violations ? 1 : 0;
}
