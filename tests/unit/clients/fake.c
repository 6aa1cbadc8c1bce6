/* The engine's side, for tests of the client: see fake.h. */
#include "fake.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

static void must(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	_exit(99);
}

static void complain(struct fake *fake, const char *what)
{
	if (!fake->wrong)
		fake->wrong = what;
}

void fake_path(char *path, size_t path_bytes)
{
	char directory[] = "/tmp/weir-test-XXXXXX";

	must(mkdtemp(directory) != NULL, "mkdtemp");
	snprintf(path, path_bytes, "%s/weir.sock", directory);
}

void fake_start(struct fake *fake, const char *path, struct fake_log *log)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memset(fake, 0, sizeof(*fake));
	fake->log = log;
	snprintf(fake->path, sizeof(fake->path), "%s", path);
	memcpy(address.sun_path, fake->path, sizeof(address.sun_path));
	unlink(path);
	fake->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	must(fake->listener >= 0, "socket");
	must(bind(fake->listener, (struct sockaddr *)&address, sizeof(address)) == 0, "bind");
	must(listen(fake->listener, 128) == 0, "listen");
}

static void answer(struct fake_producer *producer, struct weir_message message, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.space = {0}};
	struct iovec part = {&message, sizeof(message)};
	struct msghdr envelope = {.msg_iov = &part, .msg_iovlen = 1};

	message.magic = WEIR_MESSAGE_MAGIC;
	message.version = WEIR_LAYOUT_VERSION;
	if (fd >= 0) {
		envelope.msg_control = control.space;
		envelope.msg_controllen = sizeof(control.space);
		struct cmsghdr *rights = CMSG_FIRSTHDR(&envelope);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
	}
	(void)sendmsg(producer->socket, &envelope, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* A control memfd as the engine makes it, or with the vice that is asked for. */
static int control_make(struct fake *fake, struct fake_producer *producer)
{
	size_t bytes = WEIR_CONTROL_BYTES - (fake->vice == FAKE_SHORT ? 4096 : 0);
	int fd = memfd_create("fake-control", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	must(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0, "control");
	producer->control = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(producer->control != MAP_FAILED, "control map");
	producer->control_bytes = bytes;
	*(struct weir_control_header *)producer->control = (struct weir_control_header){
		.magic = WEIR_CONTROL_MAGIC + (fake->vice == FAKE_WRONG_MAGIC),
		.version = WEIR_LAYOUT_VERSION,
		.fingerprint = weir_layout_fingerprint(),
		.epoch = 1,
		.slots = WEIR_RINGS_MAX,
	};
	if (fake->vice != FAKE_UNSEALED)
		must(fcntl(fd, F_ADD_SEALS,
			   F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) == 0,
		     "seal");
	return fd;
}

static void *memfd_check(struct fake *fake, int fd, uint64_t *ret_bytes)
{
	const int needed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct stat status;

	if ((fcntl(fd, F_GET_SEALS) & needed) != needed)
		complain(fake, "a memfd without its seals");
	must(fstat(fd, &status) == 0, "fstat");
	if ((uint64_t)status.st_blocks * 512 < (uint64_t)status.st_size)
		complain(fake, "a memfd that is not allocated");
	*ret_bytes = (uint64_t)status.st_size;
	void *map = mmap(NULL, *ret_bytes, PROT_READ, MAP_SHARED, fd, 0);
	must(map != MAP_FAILED, "map");
	return map;
}

static void hello(struct fake *fake, struct fake_producer *producer, int fd)
{
	if (fd < 0) {
		complain(fake, "HELLO without a region");
		return;
	}
	if (fake->vice == FAKE_REFUSES) {
		answer(producer,
		       (struct weir_message){.type = WEIR_MESSAGE_REFUSED,
					     .status = -EDQUOT,
					     .text = "too many producers: stop some"},
		       -1);
		close(producer->socket);
		producer->socket = -1;
		return;
	}
	if (fake->vice == FAKE_GARBLES) {
		(void)send(producer->socket, "HTTP/1.1 400", 12, MSG_NOSIGNAL);
		return;
	}
	producer->region = memfd_check(fake, fd, &producer->region_bytes);
	const struct weir_region_header *region = producer->region;
	if (region->magic != WEIR_REGION_MAGIC || region->version != WEIR_LAYOUT_VERSION ||
	    region->fingerprint != weir_layout_fingerprint() || !region->start_time_ticks ||
	    region->rings_max != WEIR_RINGS_MAX ||
	    producer->region_bytes != WEIR_TABLE_OFFSET + region->table_bytes)
		complain(fake, "a region header that is not well-formed");
	int control = control_make(fake, producer);
	answer(producer, (struct weir_message){.type = WEIR_MESSAGE_WELCOME}, control);
	close(control);
}

static struct fake_ring *log_ring(struct fake_log *log, const struct weir_ring_header *header)
{
	for (uint32_t i = 0; i < log->count; i++) {
		if (log->rings[i].index == header->index &&
		    memcmp(log->rings[i].uuid, header->uuid, sizeof(header->uuid)) == 0)
			return &log->rings[i];
	}
	must(log->count < FAKE_RINGS_MAX, "fake log is full");
	struct fake_ring *ring = &log->rings[log->count++];
	memcpy(ring->uuid, header->uuid, sizeof(header->uuid));
	ring->index = header->index;
	return ring;
}

static void slot_store(const struct fake_ring *ring)
{
	if (!ring->slot)
		return;
	/* Orders: the counts before the cursors that cover them; partner: the client's
	 * libweir_ring_progress(). The word last, so that a waiter finds the cursors moved. */
	weir_store_relaxed_64(&ring->slot->rejected, ring->rejected);
	weir_store_release_64(&ring->slot->released, ring->next);
	weir_store_release_64(&ring->slot->durable, ring->durable);
	weir_store_release_32(&ring->slot->futex, ring->slot->futex + 1);
	syscall(SYS_futex, &ring->slot->futex, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void ring_offered(struct fake *fake, struct fake_producer *producer, uint32_t index, int fd)
{
	uint64_t bytes;

	if (fake->vice == FAKE_IGNORES_RINGS)
		return;
	if (fake->vice == FAKE_REFUSES_RINGS) {
		answer(producer,
		       (struct weir_message){.type = WEIR_MESSAGE_REFUSED,
					     .index = index,
					     .status = -EDQUOT,
					     .text = "too much memory: smaller rings"},
		       -1);
		return;
	}
	if (fd < 0 || !producer->region) {
		complain(fake, "RING without a ring or before HELLO");
		return;
	}
	const struct weir_ring_header *header = memfd_check(fake, fd, &bytes);
	if (header->magic != WEIR_RING_MAGIC || header->index != index ||
	    header->fingerprint != weir_layout_fingerprint() ||
	    memcmp(header->uuid, producer->region->uuid, sizeof(header->uuid)) != 0 ||
	    bytes != WEIR_RING_OFFSET + header->capacity * sizeof(struct weir_event)) {
		complain(fake, "a ring header that is not well-formed");
		return;
	}
	struct fake_ring *ring = log_ring(fake->log, header);
	ring->header = header;
	ring->slots = (const struct weir_event *)((const char *)header + WEIR_RING_OFFSET);
	ring->capacity = header->capacity;
	ring->slot = (struct weir_control_slot *)((char *)producer->control +
						  sizeof(struct weir_control_header)) +
		     index;
	slot_store(ring);
	answer(producer,
	       (struct weir_message){
		       .type = WEIR_MESSAGE_RING_OK, .index = index, .sequence = ring->next},
	       -1);
}

/* Read one message. false: nothing there, or hung up. */
static bool producer_step(struct fake *fake, struct fake_producer *producer)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct weir_message message;
	struct iovec part = {&message, sizeof(message)};
	struct msghdr envelope = {.msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.space,
				  .msg_controllen = sizeof(control.space)};
	int fd = -1;

	if (producer->socket < 0 || fake->vice == FAKE_SILENT)
		return false;
	ssize_t count = recvmsg(producer->socket, &envelope, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (count <= 0) {
		if (count == 0 || errno != EAGAIN) {
			close(producer->socket);
			producer->socket = -1;
		}
		return false;
	}
	struct cmsghdr *rights = CMSG_FIRSTHDR(&envelope);
	if (rights)
		memcpy(&fd, CMSG_DATA(rights), sizeof(fd));
	if (count != sizeof(message) || message.magic != WEIR_MESSAGE_MAGIC)
		complain(fake, "a message that is none");
	else if (message.type == WEIR_MESSAGE_HELLO)
		hello(fake, producer, fd);
	else if (message.type == WEIR_MESSAGE_RING)
		ring_offered(fake, producer, message.index, fd);
	if (fd >= 0)
		close(fd);
	return true;
}

void fake_step(struct fake *fake)
{
	for (;;) {
		int socket = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (socket < 0)
			break;
		must(fake->count < FAKE_PRODUCERS_MAX, "too many producers");
		fake->producers[fake->count++] = (struct fake_producer){.socket = socket};
		fake->connections++;
	}
	for (uint32_t i = 0; i < fake->count; i++) {
		while (producer_step(fake, &fake->producers[i]))
			;
	}
}

static void event_take(struct fake *fake, struct fake_ring *ring)
{
	const struct weir_event event = ring->slots[ring->next & (ring->capacity - 1)];
	const uint32_t series = weir_event_series(event.word);

	if (series == 0 || !weir_bits_finite(event.value))
		complain(fake, "an event that is not well-formed");
	ring->events++;
	ring->sum += weir_bits_value(event.value);
	if (weir_event_time_ms(event.word) > ring->time_max_ms)
		ring->time_max_ms = weir_event_time_ms(event.word);
	if (series > ring->series_max)
		ring->series_max = series;
	ring->next++;
}

uint64_t fake_drain(struct fake *fake, uint64_t max)
{
	uint64_t copied = 0;

	for (uint32_t i = 0; i < fake->log->count; i++) {
		struct fake_ring *ring = &fake->log->rings[i];
		if (!ring->header)
			continue;
		const uint64_t tail = weir_ring_snapshot(ring->header);
		if (tail - ring->next > ring->capacity)
			complain(fake, "a tail that no honest producer has");
		uint64_t left = tail - ring->next < max ? tail - ring->next : max;
		if (!left)
			continue;
		copied += left;
		while (left--)
			event_take(fake, ring);
		slot_store(ring);
	}
	return copied;
}

void fake_sync(struct fake *fake)
{
	for (uint32_t i = 0; i < fake->log->count; i++) {
		struct fake_ring *ring = &fake->log->rings[i];
		if (ring->header && ring->durable != ring->next) {
			ring->durable = ring->next;
			slot_store(ring);
		}
	}
}

static void *run(void *argument)
{
	struct fake *fake = argument;
	const struct timespec pause = {0, 200000};

	/* Acquire: partner in fake_stop(). */
	while (!weir_load_acquire_32(&fake->stop)) {
		fake_step(fake);
		fake_drain(fake, UINT64_MAX);
		fake_sync(fake);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

void fake_run(struct fake *fake)
{
	must(pthread_create(&fake->thread, NULL, run, fake) == 0, "thread");
}

void fake_stop(struct fake *fake)
{
	if (fake->thread) {
		/* Release: partner in run(). */
		weir_store_release_32(&fake->stop, 1);
		pthread_join(fake->thread, NULL);
	}
	for (uint32_t i = 0; i < fake->log->count; i++) {
		struct fake_ring *ring = &fake->log->rings[i];
		if (ring->header)
			munmap((void *)ring->header,
			       WEIR_RING_OFFSET + ring->capacity * sizeof(struct weir_event));
		ring->header = NULL;
		ring->slot = NULL;
	}
	for (uint32_t i = 0; i < fake->count; i++) {
		struct fake_producer *producer = &fake->producers[i];
		if (producer->socket >= 0)
			close(producer->socket);
		if (producer->region)
			munmap((void *)producer->region, producer->region_bytes);
		if (producer->control)
			munmap(producer->control, producer->control_bytes);
	}
	close(fake->listener);
	unlink(fake->path);
	fake->count = 0;
}

uint64_t fake_log_events(const struct fake_log *log)
{
	uint64_t events = 0;

	for (uint32_t i = 0; i < log->count; i++)
		events += log->rings[i].events;
	return events;
}

double fake_log_sum(const struct fake_log *log)
{
	double sum = 0;

	for (uint32_t i = 0; i < log->count; i++)
		sum += log->rings[i].sum;
	return sum;
}
