/*
 * attach: bytes as what a producer says on the attach socket: messages of any kind, with or without
 * a descriptor, good ones or not.
 *
 *   a message     byte 0: what goes along (nothing, a good region, a good ring, some file, two)
 *                 byte 1: how many bytes of the message are written over a good one
 *                 then so many pairs (place, value)
 *
 * Holds: the engine goes on, and has no descriptor more than before once all have hung up.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "target.h"
#include "intake/attach.h"
#include "intake/process.h"
#include "weir/limits.h"
#include "weir/region.h"
#include "weir/ring.h"

#define RING_EVENTS 64u
#define TABLE_BYTES 4096u
#define MESSAGES_MAX 8
#define SERIES_MAX 64u

static struct {
	struct intake *intake;
	struct intake_options options;
	struct source_table sources;
	struct clock clock;
	uint64_t now_ns;
	struct intake_ring *rings[64];
	uint32_t rings_count;
	char path[64];
	int region, ring, other;
} host;

static uint64_t monotonic_ns(void *self)
{
	(void)self;
	return host.now_ns;
}

static uint64_t wall_ms(void *self)
{
	(void)self;
	return UINT64_C(1767225600000) + host.now_ns / 1000000;
}

static bool offer(void *self, struct intake_ring *ring)
{
	(void)self;
	if (host.rings_count == 64)
		return false;
	host.rings[host.rings_count++] = ring;
	return true;
}

static int new_source(void *self, const char *name, enum weir_clock_kind clock)
{
	(void)self;
	(void)name;
	(void)clock;
	return 0;
}

static void remove_socket(void)
{
	unlink(host.path);
}

static int make_memfd(const void *header, size_t header_bytes, size_t bytes)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	check(fd >= 0 && fallocate(fd, 0, 0, (off_t)bytes) == 0);
	check(pwrite(fd, header, header_bytes, 0) == (ssize_t)header_bytes);
	check(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
	return fd;
}

static void make_memory(void)
{
	const struct weir_region_header region = {
		.magic = WEIR_REGION_MAGIC,
		.version = WEIR_LAYOUT_VERSION,
		.fingerprint = weir_layout_fingerprint(),
		.uuid = {7},
		.pid = (uint32_t)getpid(),
		.start_time_ticks = process_start_time(getpid()),
		.table_bytes = TABLE_BYTES,
		.rings_max = WEIR_RINGS_MAX,
		.series_max = SERIES_MAX,
		.source = "fuzz",
	};
	const struct weir_ring_header ring = {
		.magic = WEIR_RING_MAGIC,
		.version = WEIR_LAYOUT_VERSION,
		.fingerprint = weir_layout_fingerprint(),
		.uuid = {7},
		.capacity = RING_EVENTS,
	};

	host.region = make_memfd(&region, sizeof(region), WEIR_TABLE_OFFSET + TABLE_BYTES);
	host.ring = make_memfd(&ring, sizeof(ring),
			       WEIR_RING_OFFSET + RING_EVENTS * sizeof(struct weir_event));
	host.other = open("/dev/null", O_RDWR | O_CLOEXEC);
}

static void make(void)
{
	char why[256];

	log_set_level((enum log_level)0);
	snprintf(host.path, sizeof(host.path), "./fuzz-attach-%d.sock", (int)getpid());
	host.now_ns = 1000000000;
	host.clock = (struct clock){.monotonic_ns = monotonic_ns, .wall_ms = wall_ms};
	host.sources.count = 1;
	host.options = (struct intake_options){
		.socket_path = host.path,
		.registry = series_create(SERIES_MAX),
		.sources = &host.sources,
		.clock = &host.clock,
		.epoch = 1,
		.producers_max = 16,
		.user_bytes_max = 1u << 24,
		.producer_series_max = SERIES_MAX,
		.offer = offer,
		.new_source = new_source,
	};
	check(intake_open(&host.options, &host.intake, why, sizeof(why)) == 0);
	atexit(remove_socket);
	make_memory();
}

static void step(void)
{
	host.now_ns += 1000000;
	intake_step(host.intake, host.now_ns);
	/* The lane of these rings: it lets go of those that are dead. */
	for (uint32_t i = 0; i < host.rings_count;) {
		struct intake_ring *ring = host.rings[i];
		if (!__atomic_load_n(&ring->drain.over, __ATOMIC_ACQUIRE)) {
			i++;
			continue;
		}
		host.rings[i] = host.rings[--host.rings_count];
		__atomic_store_n(&ring->detached, 1, __ATOMIC_RELEASE);
	}
}

static void say(int socket, const struct weir_message *message, size_t bytes, uint8_t along)
{
	const int all[4][2] = {
		{-1, -1}, {host.region, -1}, {host.ring, -1}, {host.other, host.region}};
	const int *fds = all[along % 4];
	int count = (fds[0] >= 0) + (fds[1] >= 0 && along & 4);
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {0};
	struct iovec data = {.iov_base = (void *)message, .iov_len = bytes};
	struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1};

	if (count) {
		header.msg_control = control;
		header.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, (size_t)count * sizeof(int));
	}
	sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static unsigned descriptors(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 128; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned before, runs;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t at = 0;

	if (!host.intake) {
		make();
		before = descriptors();
	}
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	memcpy(address.sun_path, host.path, sizeof(host.path));
	check(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	for (int m = 0; m < MESSAGES_MAX && at + 2 <= size; m++) {
		struct weir_message message = {
			.magic = WEIR_MESSAGE_MAGIC,
			.version = WEIR_LAYOUT_VERSION,
			.type = m ? WEIR_MESSAGE_RING : WEIR_MESSAGE_HELLO,
		};
		uint8_t along = data[at], pairs = data[at + 1] % 16;
		size_t bytes = data[at + 1] > 240 ? along : sizeof(message);
		at += 2;
		for (; pairs && at + 2 <= size; pairs--, at += 2)
			((uint8_t *)&message)[data[at] % sizeof(message)] = data[at + 1];
		say(fd, &message, bytes < sizeof(message) ? bytes : sizeof(message), along);
		if (along & 8)
			step();
	}
	step();
	step();
	close(fd);
	step();
	if (++runs % 4096 == 0) {
		/* A minute later nobody is left but a region whose process lives: ours. */
		for (int i = 0; i < 100; i++) {
			host.now_ns += 1000000000;
			step();
		}
		check(descriptors() <= before + 8);
	}
	return 0;
}
