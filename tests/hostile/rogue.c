/*
 * rogue: see rogue.h. Written from include/weir/region.h alone.
 */
#include "rogue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S (getenv("WEIR_TEST_QUICK") ? 30 : 120) /* as HOST_PATIENCE_S */

static void fail(const char *what)
{
	perror(what);
	_exit(1);
}

int rogue_memory(uint64_t bytes, int seals, void **ret_at)
{
	int fd = memfd_create("rogue", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
		fail("memfd");
	*ret_at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*ret_at == MAP_FAILED || (seals && fcntl(fd, F_ADD_SEALS, seals) < 0))
		fail("memory");
	return fd;
}

static uint64_t start_time_ticks(void)
{
	unsigned long long ticks = 0;
	char text[1024];
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	ssize_t bytes = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[bytes < 0 ? 0 : bytes] = '\0';
	/* Behind the name, which may hold anything: field 3 is the first. */
	const char *at = strrchr(text, ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (!at || sscanf(at, "%llu", &ticks) != 1)
		fail("start time");
	return ticks;
}

static void open_rings(struct rogue *rogue)
{
	rogue->ring_bytes = WEIR_RING_OFFSET + rogue->capacity * sizeof(struct weir_event);
	for (uint32_t i = 0; i < rogue->rings; i++) {
		void *at;
		rogue->ring_fd[i] = rogue_memory(rogue->ring_bytes, ROGUE_SEALS, &at);
		rogue->ring[i] = at;
		*rogue->ring[i] = (struct weir_ring_header){.magic = WEIR_RING_MAGIC,
							    .version = WEIR_LAYOUT_VERSION,
							    .fingerprint =
								    weir_layout_fingerprint(),
							    .index = i,
							    .capacity = rogue->capacity,
							    .owned = 1};
		memcpy(rogue->ring[i]->uuid, rogue->region->uuid, 16);
	}
}

void rogue_open(struct rogue *rogue, const struct rogue_options *options)
{
	uint64_t table_bytes = options->table_bytes ? options->table_bytes : 16384;
	void *at;

	*rogue = (struct rogue){.socket = -1,
				.control_fd = -1,
				.rings = options->rings ? options->rings : 1,
				.capacity = options->capacity ? options->capacity : 64,
				.region_bytes = WEIR_TABLE_OFFSET + table_bytes};
	rogue->region_fd = rogue_memory(rogue->region_bytes, options->unsealed ? 0 : ROGUE_SEALS,
					&at);
	rogue->region = at;
	*rogue->region = (struct weir_region_header){
		.magic = WEIR_REGION_MAGIC,
		.version = WEIR_LAYOUT_VERSION,
		.fingerprint = weir_layout_fingerprint(),
		.pid = (uint32_t)getpid(),
		.clock = options->event_clock ? WEIR_CLOCK_EVENT : WEIR_CLOCK_WALL,
		.start_time_ticks = start_time_ticks(),
		.table_bytes = table_bytes,
		.rings_max = rogue->rings,
		.series_max = options->series_max ? options->series_max : 64,
		.program = "hostile",
	};
	snprintf(rogue->region->source, sizeof(rogue->region->source), "%s",
		 options->source ? options->source : "live");
	if (getrandom(rogue->region->uuid, 16, 0) != 16)
		fail("uuid");
	open_rings(rogue);
}

uint32_t rogue_define(struct rogue *rogue, const char *event, const void *value,
		      uint16_t value_bytes)
{
	static const char dimension[] = "process", field[] = "value";
	struct weir_region_header *region = rogue->region;
	uint8_t *record = (uint8_t *)region + WEIR_TABLE_OFFSET + rogue->table_used;
	struct weir_definition *definition = (struct weir_definition *)record;
	uint16_t lengths[2] = {sizeof(dimension) - 1, value_bytes};
	uint8_t *at = definition->text;

	definition->kind = WEIR_NUMBER;
	definition->event_bytes = (uint8_t)strlen(event);
	definition->field_bytes = sizeof(field) - 1;
	definition->dimensions = 1;
	at = mempcpy(at, event, strlen(event));
	at = mempcpy(at, field, sizeof(field) - 1);
	at = mempcpy(at, lengths, sizeof(lengths));
	at = mempcpy(at, dimension, sizeof(dimension) - 1);
	at = mempcpy(at, value, value_bytes);
	definition->bytes = (uint32_t)(at - record + 7) & ~7u;
	/* Orders: the record, then the cursor, then the count; partner: table_step(). */
	rogue->table_used += definition->bytes;
	weir_store_release_64(&region->table_used, rogue->table_used);
	weir_store_release_32(&region->series_count, ++rogue->defined);
	return rogue->defined;
}

void rogue_emit(struct rogue *rogue, uint32_t ring, uint32_t local, uint32_t count, double value)
{
	struct weir_ring_header *header = rogue->ring[ring];
	struct weir_event *slots = (struct weir_event *)((char *)header + WEIR_RING_OFFSET);
	struct timespec now;
	uint64_t tail = header->tail;

	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	for (uint32_t i = 0; i < count; i++)
		slots[(tail + i) & (rogue->capacity - 1)] = (struct weir_event){
			weir_event_word(now_ms, local), weir_value_bits(value)};
	/* Orders: the slots before the tail; partner: weir_ring_snapshot() in the engine. */
	weir_store_release_64(&header->tail, tail + count);
}

int rogue_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

int rogue_send(int socket, const void *bytes, uint64_t count, const int *fds, uint32_t fds_count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(256 * sizeof(int))] = {0};
	struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = count};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

	if (fds_count) {
		header.msg_control = control;
		header.msg_controllen = CMSG_SPACE(fds_count * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fds_count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, fds_count * sizeof(int));
	}
	return sendmsg(socket, &header, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int rogue_say(int socket, enum weir_message_type type, uint32_t index, int fd)
{
	struct weir_message message = {.magic = WEIR_MESSAGE_MAGIC,
				       .version = WEIR_LAYOUT_VERSION,
				       .type = (uint16_t)type,
				       .index = index};

	return rogue_send(socket, &message, sizeof(message), &fd, fd >= 0);
}

int rogue_hear(int socket, struct weir_message *ret_message, int *ret_fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = {.iov_base = ret_message, .iov_len = sizeof(*ret_message)};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof(control)};
	int fd = -1;

	ssize_t bytes = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
	/* A stop and its end interrupt a wait that has a bound. */
	while (bytes < 0 && errno == EINTR)
		bytes = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
	/* Who closed before it read all that we sent is told of first; its words follow. */
	if (bytes < 0 && errno == ECONNRESET)
		bytes = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = bytes > 0 ? CMSG_FIRSTHDR(&header) : NULL;
	if (c)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	if (ret_fd)
		*ret_fd = fd;
	else if (fd >= 0)
		close(fd);
	return bytes == sizeof(*ret_message) ? ret_message->type : -1;
}

bool rogue_attach_ring(struct rogue *rogue, uint32_t index)
{
	return rogue_say(rogue->socket, WEIR_MESSAGE_RING, index, rogue->ring_fd[index]) == 0 &&
	       rogue_hear(rogue->socket, &rogue->answer, NULL) == WEIR_MESSAGE_RING_OK;
}

bool rogue_attach(struct rogue *rogue, const char *path)
{
	rogue->socket = rogue_connect(path);
	int fd = rogue->socket;
	if (fd < 0 || rogue_say(fd, WEIR_MESSAGE_HELLO, 0, rogue->region_fd) < 0 ||
	    rogue_hear(fd, &rogue->answer, &rogue->control_fd) != WEIR_MESSAGE_WELCOME)
		return false;
	void *at = mmap(NULL, WEIR_CONTROL_BYTES, PROT_READ, MAP_SHARED, rogue->control_fd, 0);
	if (at == MAP_FAILED)
		fail("control");
	rogue->control = at;
	for (uint32_t i = 0; i < rogue->rings; i++)
		if (!rogue_attach_ring(rogue, i))
			return false;
	return true;
}

const struct weir_control_slot *rogue_slot(const struct rogue *rogue, uint32_t index)
{
	return &weir_control_slots(rogue->control)[index];
}

bool rogue_taken(const struct rogue *rogue, uint32_t index)
{
	const struct weir_control_slot *slot = rogue_slot(rogue, index);
	struct timespec pause = {.tv_nsec = 100000};

	for (int i = 0; i < PATIENCE_S * 10000; i++) {
		/* Orders: `released` before `rejected`; partner: say_released() in the engine. */
		if (weir_load_acquire_64(&slot->released) >= rogue->ring[index]->tail ||
		    weir_load_relaxed_32(&slot->flags) & WEIR_CONTROL_QUARANTINED)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

void rogue_close(struct rogue *rogue, bool say_so)
{
	/* Orders: the last events before CLOSED; partner: notice_end() in the engine. */
	if (say_so)
		weir_store_release_32(&rogue->region->state, WEIR_REGION_CLOSED);
	for (uint32_t i = 0; i < rogue->rings; i++) {
		munmap(rogue->ring[i], rogue->ring_bytes);
		close(rogue->ring_fd[i]);
	}
	munmap(rogue->region, rogue->region_bytes);
	close(rogue->region_fd);
	if (rogue->control)
		munmap((void *)(uintptr_t)rogue->control, WEIR_CONTROL_BYTES);
	if (rogue->control_fd >= 0)
		close(rogue->control_fd);
	if (rogue->socket >= 0)
		close(rogue->socket);
}
