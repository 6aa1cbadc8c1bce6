/*
 * peer_ck: the queue that one would build by hand: a typed single-producer ck_ring between two
 * threads of one process, and a writer thread behind it that collects 256 KiB and writes them. It
 * rests when it finds little, which spares the producer's cache lines. A full ring is waited for.
 */
#include "coarse.h"
#include "peer.h"

#include <ck_ring.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "peer_file.h"
#include "weir/event.h"
#include "weir/order.h"

#define RING_EVENTS (64u << 10)
#define WRITE_EVENTS (16u << 10)
/* Where fewer than REST_BELOW were found, the writer rests for a microsecond. */
#define REST_BELOW 64u
#define REST_STALLS 50u

CK_RING_PROTOTYPE(event, weir_event)

struct ck {
	const struct peer_task *task;
	ck_ring_t ring;
	struct weir_event *slots;
	uint32_t done; /* release-stored by the producer after its last event */
	int fd, error;
};

static int write_all(int fd, const void *data, size_t bytes)
{
	const char *at = data;
	while (bytes > 0) {
		ssize_t written = write(fd, at, bytes);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return -errno;
		at += written;
		bytes -= (size_t)written;
	}
	return 0;
}

static uint32_t take(struct ck *ck, struct weir_event *events, uint32_t most)
{
	uint32_t count = 0;
	while (count < most && CK_RING_DEQUEUE_SPSC(event, &ck->ring, ck->slots, &events[count]))
		count++;
	return count;
}

static void *write_events(void *argument)
{
	static struct weir_event events[WRITE_EVENTS];
	struct ck *ck = argument;
	uint64_t written = 0, hastened = 0;
	uint32_t count = 0;
	processor_pin(0, ck->task->receiver);
	for (;;) {
		/* Before the look into the ring: what is not found then never comes. */
		uint32_t done = weir_load_acquire_32(&ck->done);
		uint32_t taken = take(ck, events + count, WRITE_EVENTS - count);
		count += taken;
		if (count == WRITE_EVENTS || (done && !taken)) {
			int r = write_all(ck->fd, events, count * sizeof(*events));
			if (r < 0 && !ck->error)
				ck->error = r;
			written += count * sizeof(*events);
			count = 0;
			peer_file_hasten(ck->fd, written, &hastened);
		}
		if (done && !taken)
			return NULL;
		for (uint32_t i = 0; i < REST_STALLS && taken < REST_BELOW; i++)
			ck_pr_stall();
	}
}

static void push_chunk(struct ck *ck, struct plan_cursor *cursor)
{
	for (uint32_t i = 0; i < PEER_CHUNK; i++) {
		uint32_t value, index = plan_next(cursor, &value);
		struct weir_event event = {.word = weir_event_word(coarse_ms(), index),
					   .value = weir_value_bits(value)};
		while (!CK_RING_ENQUEUE_SPSC(event, &ck->ring, ck->slots, &event))
			ck_pr_stall();
	}
}

static int push_all(struct ck *ck, const struct plan *plan, struct peer_result *result)
{
	struct plan_cursor cursor;
	struct peer_watch watch;
	pthread_t writer;
	int r = -pthread_create(&writer, NULL, write_events, ck);
	if (r < 0)
		return r;
	processor_pin(0, ck->task->sender);
	plan_start(plan, &cursor);
	peer_watch_start(&watch, ck->task);
	while (peer_going(&watch, result->sent)) {
		push_chunk(ck, &cursor);
		result->sent += PEER_CHUNK;
	}
	weir_store_release_32(&ck->done, 1);
	pthread_join(writer, NULL);
	if (fdatasync(ck->fd) < 0)
		r = -errno;
	result->seconds = peer_seconds(&watch);
	return r < 0 ? r : ck->error;
}

static int ck_run(const struct peer *peer, const struct peer_task *task,
		  struct peer_result *ret_result)
{
	struct ck ck = {.task = task};
	struct plan plan;
	char path[2300];

	(void)peer;
	peer_file_path(task, path, sizeof(path));
	ck_ring_init(&ck.ring, RING_EVENTS);
	ck.slots = aligned_alloc(64, RING_EVENTS * sizeof(*ck.slots));
	ck.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int r = ck.fd < 0 ? -errno : ck.slots ? plan_init(&plan, task->series, 0) : -ENOMEM;
	if (r < 0) {
		free(ck.slots);
		return r;
	}
	r = push_all(&ck, &plan, ret_result);
	close(ck.fd);
	free(ck.slots);
	if (r == 0)
		r = peer_file_check(path, &plan, ret_result->sent, ret_result);
	plan_fini(&plan);
	return r;
}

const struct peer peer_ck_ring = {
	.name = "ck_ring",
	.title = "ck_ring and a writer thread",
	.driven = "typed, one producer, 64Ki events of 16 bytes; page cache, synced at the end",
	.on_disk = true,
	.available = peer_file_available,
	.run = ck_run,
};
