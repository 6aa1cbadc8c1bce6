/*
 * peer: both ends of the attach socket, for tests: an intake in a directory of its own, whose
 * steps the test turns by hand, and a producer made of plain system calls, so that it can also do
 * what the library never would.
 */
#ifndef TEST_PEER_H
#define TEST_PEER_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "intake/attach.h"
#include "intake/memory.h"
#include "intake/process.h"

#define OFFERED_MAX 64
#define KEPT_MAX 64
#define PEER_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

struct kept {
	char name[128];
	int fd;
};

/* The engine's side. */
struct host {
	char directory[64];
	char socket[96];
	struct series_registry *registry;
	struct source_table sources;
	struct clock clock;
	uint64_t wall_ms, now_ns;
	struct intake_options options;
	struct intake *intake;
	struct intake_ring *offered[OFFERED_MAX];
	uint32_t offered_count;
	bool lanes_full;
	int source_error;
	struct kept kept[KEPT_MAX];
	uint32_t kept_count;
};

static uint64_t host_monotonic_ns(void *self)
{
	return ((struct host *)self)->now_ns;
}

static uint64_t host_wall_ms(void *self)
{
	return ((struct host *)self)->wall_ms;
}

static bool host_offer(void *self, struct intake_ring *ring)
{
	struct host *host = self;
	if (host->lanes_full)
		return false;
	cr_assert(host->offered_count < OFFERED_MAX);
	host->offered[host->offered_count++] = ring;
	return true;
}

static int host_new_source(void *self, const char *name, enum weir_clock_kind clock)
{
	struct host *host = self;
	(void)name;
	(void)clock;
	return host->source_error ? host->source_error : (int)host->sources.count;
}

static void host_keep_fd(void *self, const char *name, int fd)
{
	struct host *host = self;
	cr_assert(host->kept_count < KEPT_MAX);
	struct kept *kept = &host->kept[host->kept_count++];
	snprintf(kept->name, sizeof(kept->name), "%s", name);
	kept->fd = dup(fd);
}

static void host_drop_fd(void *self, const char *name)
{
	struct host *host = self;
	for (uint32_t i = 0; i < host->kept_count;) {
		if (strcmp(host->kept[i].name, name)) {
			i++;
			continue;
		}
		close(host->kept[i].fd);
		host->kept[i] = host->kept[--host->kept_count];
	}
}

static __attribute__((unused)) void host_prepare(struct host *host)
{
	memset(host, 0, sizeof(*host));
	log_set_level(getenv("TEST_LOG") ? LOG_INFO : LOG_ERROR);
	strcpy(host->directory, "/tmp/weir-intake-XXXXXX");
	cr_assert_not_null(mkdtemp(host->directory));
	snprintf(host->socket, sizeof(host->socket), "%s/weir.sock", host->directory);
	host->registry = series_create(1000);
	host->now_ns = 1000000000;
	host->wall_ms = 1700000000000;
	host->clock = (struct clock){
		.monotonic_ns = host_monotonic_ns, .wall_ms = host_wall_ms, .self = host};
	host->options = (struct intake_options){.socket_path = host->socket,
						.registry = host->registry,
						.sources = &host->sources,
						.clock = &host->clock,
						.epoch = 7,
						.producers_max = 8,
						.user_bytes_max = 64u << 20,
						.producer_series_max = 100,
						.lateness_wall_ms = 2000,
						.lateness_event_ms = 3000,
						.offer = host_offer,
						.new_source = host_new_source,
						.keep_fd = host_keep_fd,
						.drop_fd = host_drop_fd,
						.self = host};
}

static __attribute__((unused)) void host_open(struct host *host)
{
	char why[256] = "";
	int r = intake_open(&host->options, &host->intake, why, sizeof(why));
	cr_assert_eq(r, 0, "intake_open: %d: %s", r, why);
}

static __attribute__((unused)) void host_init(struct host *host)
{
	host_prepare(host);
	host_open(host);
}

/* Steps until nothing happens any more; a millisecond passes with each. */
static __attribute__((unused)) void host_steps(struct host *host)
{
	int quiet = 0;
	for (int i = 0; i < 1000 && quiet < 3; i++) {
		host->now_ns += 1000000;
		quiet = intake_step(host->intake, host->now_ns) ? 0 : quiet + 1;
	}
	cr_assert(quiet == 3, "the intake never comes to rest");
}

static __attribute__((unused)) struct intake_counters host_counters(struct host *host)
{
	struct intake_counters counters;
	intake_counters(host->intake, &counters);
	return counters;
}

static __attribute__((unused)) void host_fini(struct host *host)
{
	intake_close(host->intake);
	series_destroy(host->registry);
	while (host->kept_count)
		close(host->kept[--host->kept_count].fd);
	unlink(host->socket);
	rmdir(host->directory);
}

/* The producer's side. */
struct peer {
	int socket;
	int region_fd;
	struct weir_region_header *region;
	size_t region_bytes;
	int ring_fd[WEIR_RINGS_MAX];
	struct weir_ring_header *ring[WEIR_RINGS_MAX];
	size_t ring_bytes[WEIR_RINGS_MAX];
	int control_fd;
	const void *control;
};

static __attribute__((unused)) int memfd_of(size_t bytes, int seals, void **ret_at)
{
	int fd = memfd_create("weir-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	cr_assert_geq(fd, 0);
	cr_assert_eq(ftruncate(fd, (off_t)bytes), 0);
	*ret_at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert(*ret_at != MAP_FAILED);
	if (seals)
		cr_assert_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static __attribute__((unused)) void peer_init_as(struct peer *peer, uint8_t uuid, int seals,
						 uint32_t table_bytes)
{
	memset(peer, 0, sizeof(*peer));
	peer->socket = peer->control_fd = -1;
	peer->region_bytes = WEIR_TABLE_OFFSET + table_bytes;
	peer->region_fd = memfd_of(peer->region_bytes, seals, (void **)&peer->region);
	*peer->region = (struct weir_region_header){
		.magic = WEIR_REGION_MAGIC,
		.version = WEIR_LAYOUT_VERSION,
		.fingerprint = weir_layout_fingerprint(),
		.pid = (uint32_t)getpid(),
		.clock = WEIR_CLOCK_WALL,
		.start_time_ticks = process_start_time(getpid()),
		.table_bytes = table_bytes,
		.rings_max = 4,
		.series_max = 200,
		.source = "live",
		.program = "test",
	};
	memset(peer->region->uuid, uuid, sizeof(peer->region->uuid));
}

static __attribute__((unused)) void peer_init(struct peer *peer, uint8_t uuid)
{
	peer_init_as(peer, uuid, PEER_SEALS, 16384);
}

static __attribute__((unused)) void peer_make_ring_as(struct peer *peer, uint32_t index,
						      uint64_t capacity, int seals)
{
	peer->ring_bytes[index] = WEIR_RING_OFFSET + capacity * sizeof(struct weir_event);
	peer->ring_fd[index] = memfd_of(peer->ring_bytes[index], seals,
					(void **)&peer->ring[index]);
	*peer->ring[index] = (struct weir_ring_header){.magic = WEIR_RING_MAGIC,
						       .version = WEIR_LAYOUT_VERSION,
						       .fingerprint = weir_layout_fingerprint(),
						       .index = index,
						       .capacity = capacity,
						       .owned = 1};
	memcpy(peer->ring[index]->uuid, peer->region->uuid, 16);
}

static __attribute__((unused)) void peer_make_ring(struct peer *peer, uint32_t index,
						   uint64_t capacity)
{
	peer_make_ring_as(peer, index, capacity, PEER_SEALS);
}

/* Publish a definition; its local id. */
static __attribute__((unused)) uint32_t peer_define(struct peer *peer, const char *event,
						    const char *country)
{
	_Alignas(8) char record[WEIR_DEFINITION_BYTES_MAX];
	const char *names[] = {"country"}, *values[] = {country};
	int bytes = series_build(record, sizeof(record), WEIR_NUMBER, event, "value",
				 country ? 1 : 0, names, values);
	uint64_t used = peer->region->table_used;

	cr_assert_gt(bytes, 0);
	cr_assert(used + (uint64_t)bytes <= peer->region->table_bytes);
	memcpy((char *)peer->region + WEIR_TABLE_OFFSET + used, record, (size_t)bytes);
	weir_store_release_64(&peer->region->table_used, used + (uint64_t)bytes);
	weir_store_release_32(&peer->region->series_count, peer->region->series_count + 1);
	return peer->region->series_count;
}

static __attribute__((unused)) void peer_push(struct peer *peer, uint32_t index, uint64_t word)
{
	struct weir_ring_header *ring = peer->ring[index];
	struct weir_event *slots = (struct weir_event *)((char *)ring + WEIR_RING_OFFSET);
	slots[ring->tail & (ring->capacity - 1)] = (struct weir_event){word, weir_value_bits(1)};
	weir_store_release_64(&ring->tail, ring->tail + 1);
}

static __attribute__((unused)) int socket_connect(const struct host *host)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strcpy(address.sun_path, host->socket);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cr_assert_geq(fd, 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0, "connect: %s",
		     strerror(errno));
	return fd;
}

/* Any bytes, any number of descriptors. */
static __attribute__((unused)) int send_bytes(int socket, const void *data, size_t bytes,
					      const int *fds, uint32_t count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(16 * sizeof(int))] = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = bytes};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
	if (count) {
		header.msg_control = control;
		header.msg_controllen = CMSG_SPACE(count * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	}
	return sendmsg(socket, &header, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static __attribute__((unused)) int send_message(int socket, enum weir_message_type type,
						uint32_t index, int fd)
{
	struct weir_message message = {.magic = WEIR_MESSAGE_MAGIC,
				       .version = WEIR_LAYOUT_VERSION,
				       .type = (uint16_t)type,
				       .index = index};
	return send_bytes(socket, &message, sizeof(message), &fd, fd >= 0 ? 1 : 0);
}

/* The next answer, there already. Its type; 0: none; -1: the other end is closed. */
static __attribute__((unused)) int read_answer(int socket, struct weir_message *ret_message,
					       int *ret_fd)
{
	struct weir_message message = {0};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {.iov_base = &message, .iov_len = sizeof(message)};
	struct msghdr header = {.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof(control)};
	ssize_t bytes = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (bytes < 0 && errno == EAGAIN)
		return 0;
	if (bytes <= 0)
		return -1;
	cr_assert_eq(bytes, sizeof(message));
	cr_assert_eq(message.magic, WEIR_MESSAGE_MAGIC);
	struct cmsghdr *c = CMSG_FIRSTHDR(&header);
	if (ret_fd)
		*ret_fd = -1;
	if (c) {
		int fd;
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
		if (ret_fd)
			*ret_fd = fd;
		else
			close(fd);
	}
	*ret_message = message;
	return message.type;
}

static __attribute__((unused)) void expect_answer(int socket, int type, int status,
						  struct weir_message *ret_message)
{
	struct weir_message message = {0};
	int got = read_answer(socket, &message, NULL);
	cr_assert_eq(got, type, "answer %d (%d: %s), expected %d", got, message.status,
		     message.text, type);
	cr_assert_eq(message.status, status, "status %d (%s), expected %d", message.status,
		     message.text, status);
	if (type == WEIR_MESSAGE_REFUSED)
		cr_assert(strlen(message.text) > 10, "a refusal says why");
	if (ret_message)
		*ret_message = message;
}

/* Connect, HELLO, WELCOME, map the control page. */
static __attribute__((unused)) void peer_attach(struct peer *peer, struct host *host)
{
	struct weir_message message;

	peer->socket = socket_connect(host);
	cr_assert_eq(send_message(peer->socket, WEIR_MESSAGE_HELLO, 0, peer->region_fd), 0);
	host_steps(host);
	int type = read_answer(peer->socket, &message, &peer->control_fd);
	cr_assert_eq(type, WEIR_MESSAGE_WELCOME, "%d: %s", message.status, message.text);
	cr_assert_geq(peer->control_fd, 0);
	peer->control = mmap(NULL, WEIR_CONTROL_BYTES, PROT_READ, MAP_SHARED, peer->control_fd, 0);
	cr_assert(peer->control != MAP_FAILED);
}

/* Offer a ring; the sequence that reading goes on from. */
static __attribute__((unused)) uint64_t peer_offer(struct peer *peer, struct host *host,
						   uint32_t index)
{
	struct weir_message message;
	cr_assert_eq(send_message(peer->socket, WEIR_MESSAGE_RING, index, peer->ring_fd[index]), 0);
	host_steps(host);
	expect_answer(peer->socket, WEIR_MESSAGE_RING_OK, 0, &message);
	cr_assert_eq(message.index, index);
	return message.sequence;
}

static __attribute__((unused)) void peer_fini(struct peer *peer)
{
	for (int i = 0; i < (int)WEIR_RINGS_MAX; i++)
		if (peer->ring[i]) {
			munmap(peer->ring[i], peer->ring_bytes[i]);
			close(peer->ring_fd[i]);
		}
	if (peer->control)
		munmap((void *)(uintptr_t)peer->control, WEIR_CONTROL_BYTES);
	if (peer->control_fd >= 0)
		close(peer->control_fd);
	if (peer->socket >= 0)
		close(peer->socket);
	munmap(peer->region, peer->region_bytes);
	close(peer->region_fd);
}

/* Descriptors that this process has open. */
static __attribute__((unused)) uint32_t open_descriptors(void)
{
	uint32_t count = 0;
	for (int fd = 0; fd < 4096; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* What a lane does with a ring that is drained: says so. */
static __attribute__((unused)) void lane_detach(struct intake_ring *ring)
{
	weir_store_release_32(&ring->detached, 1);
}

#endif
