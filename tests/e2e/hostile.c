/*
 * hostile: a producer without the library, that does what the library never would.
 *
 *   hostile SOCKET nul|utf8|long|nan|good      10 good events, 5 bad ones, 10 good ones
 *   hostile SOCKET unsealed|size               a region that is not as it must be
 *
 * nul, utf8, long: the bad events are of a series with such a dimension value (a NUL in it, bytes
 * that are no UTF-8, 64 KiB). Says what the engine says of it: "released R rejected J", once all
 * its slots are read, or "refused: TEXT".
 */
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "weir/event.h"
#include "weir/order.h"
#include "weir/region.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define TABLE_BYTES (256u << 10)
#define GOOD_EVENTS 10
#define BAD_EVENTS 5
#define EVENTS (2 * GOOD_EVENTS + BAD_EVENTS)
#define WAIT_MS 10000

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int memory(size_t bytes, int seals, void **ret_at)
{
	int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);

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
	FILE *file = fopen("/proc/self/stat", "r");

	if (!file || fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u "
				  "%*u %*d %*d %*d %*d %*d %*d %llu", &ticks) != 1)
		fail("start time");
	fclose(file);
	return ticks;
}

/* purchase by process=VALUE, whatever the value is. */
static void define(struct weir_region_header *region, const char *value, uint16_t value_bytes)
{
	static const char dimension[] = "process", event[] = "purchase", field[] = "value";
	uint8_t *record = (uint8_t *)region + WEIR_TABLE_OFFSET + region->table_used;
	struct weir_definition *definition = (struct weir_definition *)record;
	uint16_t lengths[2] = {sizeof(dimension) - 1, value_bytes};
	uint8_t *at = definition->text;

	definition->event_bytes = sizeof(event) - 1;
	definition->field_bytes = sizeof(field) - 1;
	definition->dimensions = 1;
	at = mempcpy(at, event, sizeof(event) - 1);
	at = mempcpy(at, field, sizeof(field) - 1);
	at = mempcpy(at, lengths, sizeof(lengths));
	at = mempcpy(at, dimension, sizeof(dimension) - 1);
	at = mempcpy(at, value, value_bytes);
	definition->bytes = (uint32_t)(at - record + 7) & ~7u;
	region->table_used += definition->bytes;
	region->series_count++;
}

static void send_memory(int socket, enum weir_message_type type, int fd)
{
	struct weir_message message = {.magic = WEIR_MESSAGE_MAGIC,
				       .version = WEIR_LAYOUT_VERSION,
				       .type = (uint16_t)type};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {.iov_base = &message, .iov_len = sizeof(message)};
	struct msghdr header = {.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&header);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(socket, &header, MSG_NOSIGNAL) < 0)
		fail("send");
}

/* The next answer and its descriptor; a refusal ends it. */
static int hear(int socket, enum weir_message_type wanted)
{
	struct weir_message message = {0};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {.iov_base = &message, .iov_len = sizeof(message)};
	struct msghdr header = {.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof(control)};
	int fd = -1;

	if (recvmsg(socket, &header, 0) != sizeof(message))
		fail("no answer");
	if (message.type == WEIR_MESSAGE_REFUSED) {
		printf("refused: %.*s\n", (int)sizeof(message.text), message.text);
		exit(0);
	}
	if (message.type != wanted)
		fail("another answer");
	if (CMSG_FIRSTHDR(&header))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(fd));
	return fd;
}

static int attach(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = WAIT_MS / 1000};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail("connect");
	return fd;
}

static struct weir_region_header *make_region(const char *kind, int *ret_fd)
{
	struct weir_region_header *region;
	int seals = strcmp(kind, "unsealed") ? SEALS : 0;
	void *at;

	*ret_fd = memory(WEIR_TABLE_OFFSET + TABLE_BYTES, seals, &at);
	region = at;
	*region = (struct weir_region_header){
		.magic = WEIR_REGION_MAGIC,
		.version = WEIR_LAYOUT_VERSION,
		.fingerprint = weir_layout_fingerprint(),
		.pid = (uint32_t)getpid(),
		.start_time_ticks = start_time_ticks(),
		.table_bytes = strcmp(kind, "size") ? TABLE_BYTES : 2 * TABLE_BYTES,
		.rings_max = 1,
		.series_max = 8,
		.source = "live",
		.program = "hostile",
	};
	if (getrandom(region->uuid, sizeof(region->uuid), 0) != sizeof(region->uuid))
		fail("uuid");
	return region;
}

static void define_all(struct weir_region_header *region, const char *kind)
{
	char *large = calloc(1, UINT16_MAX);

	if (!large)
		fail("memory");
	memset(large, 'x', UINT16_MAX);
	define(region, kind, (uint16_t)strlen(kind));
	if (strcmp(kind, "nul") == 0)
		define(region, "a\0b", 3);
	else if (strcmp(kind, "utf8") == 0)
		define(region, "\xc3\x28", 2);
	else if (strcmp(kind, "long") == 0)
		define(region, large, UINT16_MAX);
	free(large);
}

static struct weir_ring_header *make_ring(const struct weir_region_header *region, int *ret_fd)
{
	struct weir_ring_header *ring;
	void *at;

	*ret_fd = memory(WEIR_RING_OFFSET + 64 * sizeof(struct weir_event), SEALS, &at);
	ring = at;
	*ring = (struct weir_ring_header){.magic = WEIR_RING_MAGIC,
					  .version = WEIR_LAYOUT_VERSION,
					  .fingerprint = weir_layout_fingerprint(),
					  .capacity = 64,
					  .owned = 1};
	memcpy(ring->uuid, region->uuid, sizeof(ring->uuid));
	return ring;
}

static void fill(const struct weir_region_header *region, struct weir_ring_header *ring,
		 const char *kind)
{
	struct weir_event *slots = (struct weir_event *)((char *)ring + WEIR_RING_OFFSET);
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t now_ms = (uint64_t)now.tv_sec * 1000;
	for (uint32_t i = 0; i < EVENTS; i++) {
		bool bad = i >= GOOD_EVENTS && i < GOOD_EVENTS + BAD_EVENTS;
		double value = bad && strcmp(kind, "nan") == 0 ? (double)NAN : (double)i;
		slots[i].word = weir_event_word(now_ms, bad ? region->series_count : 1);
		slots[i].value = weir_value_bits(value);
	}
	/* Orders: the slots before the tail; partner: weir_ring_snapshot() in the engine. */
	weir_store_release_64(&ring->tail, EVENTS);
}

int main(int argc, char **argv)
{
	struct timespec pause = {.tv_nsec = 1000000};
	int region_fd, ring_fd;

	if (argc != 3)
		return 2;
	struct weir_region_header *region = make_region(argv[2], &region_fd);
	define_all(region, argv[2]);
	struct weir_ring_header *ring = make_ring(region, &ring_fd);
	fill(region, ring, argv[2]);
	int engine = attach(argv[1]);
	send_memory(engine, WEIR_MESSAGE_HELLO, region_fd);
	int control_fd = hear(engine, WEIR_MESSAGE_WELCOME);
	void *control = mmap(NULL, WEIR_CONTROL_BYTES, PROT_READ, MAP_SHARED, control_fd, 0);
	if (control == MAP_FAILED)
		fail("control");
	send_memory(engine, WEIR_MESSAGE_RING, ring_fd);
	hear(engine, WEIR_MESSAGE_RING_OK);
	const struct weir_control_slot *slot = weir_control_slots(control);
	/* Orders: `released` before `rejected`; partner: lane_say_back() in the engine. */
	for (int ms = 0; weir_load_acquire_64(&slot->released) < EVENTS && ms < WAIT_MS; ms++)
		nanosleep(&pause, NULL);
	printf("released %llu rejected %llu\n",
	       (unsigned long long)weir_load_acquire_64(&slot->released),
	       (unsigned long long)weir_load_relaxed_64(&slot->rejected));
	return 0;
}
