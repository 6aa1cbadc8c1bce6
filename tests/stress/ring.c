/*
 * ring: both ends of weir/ring.h as two threads, at full speed, through rings of several sizes.
 *
 * Idea:  what an event says is a function of its sequence; so a slot that is read before it is
 *        written, or written before it was read, is a wrong number, and under ThreadSanitizer a
 *        report. The reader does what a lane does (snapshot, copy out, look away, release), and in
 *        one course chases the tail instead. The tiny rings turn over thousands of times, and one
 *        starts just below the end of its cursors, so that these roll over too.
 */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/proof.h"
#include "weir/ring.h"

#define TIMEOUT_S 60
#define SKIPPED 77

struct course {
	const char *name;
	uint64_t capacity;
	uint64_t start; /* both cursors, before the first event */
	uint64_t events;
	uint32_t chunk;   /* events per store of the tail */
	uint32_t holding; /* slots that the reader has copied but not yet released, at most */
	uint32_t away;    /* turns of doing something else between two looks */
};

struct pair {
	struct course course;
	struct weir_ring_header header;
	struct weir_control_slot control; /* zero: the cursors are relative to `start` below */
	struct weir_event *slots;
	uint64_t full;  /* of the writer: how often it found no room */
	uint64_t wrong; /* of the reader */
	uint32_t quit;  /* set by whoever runs out of time */
};

static uint64_t mix(uint64_t sequence)
{
	sequence = (sequence ^ sequence >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	sequence = (sequence ^ sequence >> 27) * UINT64_C(0x94d049bb133111eb);
	return sequence ^ sequence >> 31;
}

/* Out of time, or told so. Relaxed: it only ends a loop. */
static bool late(struct pair *pair, const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec - start->tv_sec > TIMEOUT_S)
		weir_store_relaxed_32(&pair->quit, 1);
	return weir_load_relaxed_32(&pair->quit);
}

static void *writer_run(void *argument)
{
	struct pair *pair = argument;
	const struct course *course = &pair->course;
	struct weir_ring_writer ring = {
		.slots = pair->slots,
		.mask = course->capacity - 1,
		.tail = course->start,
		.released = course->start,
		.header = &pair->header,
		.control = &pair->control,
	};
	const uint64_t end = course->start + course->events;
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (ring.tail != end) {
		uint64_t room = weir_ring_room(&ring);
		if (room > course->capacity)
			abort(); /* more room than there are slots: the cursors are confused */
		if (!room) {
			pair->full++;
			if (late(pair, &start))
				break;
			sched_yield();
			continue;
		}
		uint64_t count = room < course->chunk ? room : course->chunk;
		count = count < end - ring.tail ? count : end - ring.tail;
		if (course->chunk == 1) {
			weir_ring_push(&ring, mix(ring.tail), mix(~ring.tail));
			continue;
		}
		while (count--)
			weir_ring_put(&ring, mix(ring.tail), mix(~ring.tail));
		weir_ring_publish(&ring);
	}
	return NULL;
}

static void *reader_run(void *argument)
{
	struct pair *pair = argument;
	const struct course *course = &pair->course;
	const uint64_t mask = course->capacity - 1, end = course->start + course->events;
	uint64_t next = course->start, released = course->start;
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (next != end) {
		const uint64_t tail = weir_ring_snapshot(&pair->header);
		if (tail - next > course->capacity) {
			pair->wrong++;
			break;
		}
		if (tail == next) {
			if (late(pair, &start))
				break;
			sched_yield();
		}
		for (; next != tail; next++) {
			const struct weir_event event = pair->slots[next & mask];
			pair->wrong += event.word != mix(next) || event.value != mix(~next);
			if (next + 1 - released <= course->holding)
				continue;
			released = next + 1 - course->holding;
			/* Orders: the copy of a slot before the cursor that gives it back.
			 * Seen by: weir_ring_room(). */
			weir_store_release_64(&pair->control.released, released);
		}
		/* As above; at the end of a look everything is given back. */
		released = next;
		weir_store_release_64(&pair->control.released, released);
		for (volatile uint32_t turn = 0; turn < course->away; turn++)
			;
	}
	weir_store_relaxed_32(&pair->quit, 1); /* the writer must not wait for a reader that left */
	return NULL;
}

static int course_run(const struct course *course)
{
	struct pair *pair = aligned_alloc(128, (sizeof(*pair) + 127) & ~(size_t)127);
	pthread_t writer, reader;

	if (!pair)
		return SKIPPED;
	memset(pair, 0, sizeof(*pair));
	pair->course = *course;
	pair->slots = calloc(course->capacity, sizeof(*pair->slots));
	pair->header.tail = course->start;
	pair->control.released = course->start;
	if (!pair->slots || pthread_create(&writer, NULL, writer_run, pair))
		return SKIPPED;
	if (pthread_create(&reader, NULL, reader_run, pair)) {
		weir_store_relaxed_32(&pair->quit, 1); /* ends the writer */
		pthread_join(writer, NULL);
		return SKIPPED;
	}
	pthread_join(writer, NULL);
	pthread_join(reader, NULL);

	const uint64_t end = course->start + course->events;
	const bool good = !pair->wrong && pair->header.tail == end && pair->control.released == end;
	printf("%-10s %8llu events, %8llu times full, %llu wrong: %s\n", course->name,
	       (unsigned long long)course->events, (unsigned long long)pair->full,
	       (unsigned long long)pair->wrong, good ? "ok" : "FAILED");
	free(pair->slots);
	free(pair);
	return good ? 0 : 1;
}

int main(void)
{
	static const struct course courses[] = {
		{"default", 64 << 10, 0, 3000000, 1, 0, 2000},
		{"chasing", 4096, 0, 300000, 1, 0, 0},
		{"chunks", 4096, 0, 3000000, 64, 0, 500},
		{"holding", 1024, 0, 1000000, 1, 700, 200},
		{"tiny", 64, 0, 500000, 1, 0, 0},
		{"tiny-chunk", 64, 0, 500000, 64, 63, 50},
		{"roll-over", 64, UINT64_MAX - 100000, 300000, 1, 17, 10},
		{"one-slot", 1, UINT64_MAX - 1000, 20000, 1, 0, 0},
	};

	uint64_t events = 0, bad = 0;

	for (size_t i = 0; i < sizeof(courses) / sizeof(courses[0]); i++) {
		int result = course_run(&courses[i]);
		if (result == SKIPPED)
			return result;
		events += courses[i].events;
		bad += result;
	}
	proof_say("ring-events", events, bad);
	return bad ? 1 : 0;
}
