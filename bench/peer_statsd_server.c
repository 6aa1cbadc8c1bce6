/*
 * peer_statsd_server: see peer_statsd_server.h. Counters lie in one table of cache lines, found by
 * the hash of the name; counters only ("|c"), which is all that is sent.
 */
#include "peer_statsd_server.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "producer.h"
#include "weir/order.h"

struct statsd_server *statsd_server_create(uint32_t names)
{
	uint64_t counters = 1024;
	while (counters < names * UINT64_C(2))
		counters *= 2;
	size_t bytes = sizeof(struct statsd_server) + counters * sizeof(struct statsd_counter);
	struct statsd_server *server = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
					    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (server == MAP_FAILED)
		return NULL;
	server->mask = (uint32_t)counters - 1;
	return server;
}

static uint64_t hash_name(const char *name, size_t bytes)
{
	uint64_t hash = bytes * UINT64_C(0x9e3779b97f4a7c15), word;
	for (; bytes >= 8; bytes -= 8, name += 8) {
		memcpy(&word, name, 8);
		hash = (hash ^ word) * UINT64_C(0xbf58476d1ce4e5b9);
		hash ^= hash >> 32;
	}
	word = 0;
	memcpy(&word, name, bytes);
	hash = (hash ^ word) * UINT64_C(0x94d049bb133111eb);
	return (hash ^ hash >> 32) | 1;
}

/* The counter of the name, or the free place where it belongs. NULL: the table is full. */
static struct statsd_counter *find(struct statsd_server *server, uint64_t hash, const char *name,
				   size_t bytes)
{
	for (uint32_t i = 0; i <= server->mask; i++) {
		struct statsd_counter *counter = &server->counters[(hash + i) & server->mask];
		if (!counter->hash || (counter->hash == hash && counter->name_bytes == bytes &&
				       !memcmp(counter->name, name, bytes)))
			return counter;
	}
	return NULL;
}

const struct statsd_counter *statsd_server_find(struct statsd_server *server, const char *name,
						size_t bytes)
{
	const struct statsd_counter *counter = find(server, hash_name(name, bytes), name, bytes);
	return counter && counter->hash ? counter : NULL;
}

uint64_t statsd_server_read(struct statsd_server *server, const char *at, const char *end)
{
	uint64_t lines = 0;
	while (at < end) {
		const char *name = at, *colon = memchr(at, ':', (size_t)(end - at));
		uint32_t value = 0;
		if (!colon || colon == name || colon - name > (ptrdiff_t)STATSD_NAME_BYTES)
			break;
		size_t bytes = (size_t)(colon - name);
		for (at = colon + 1; at < end && *at >= '0' && *at <= '9'; at++)
			value = value * 10 + (uint32_t)(*at - '0');
		if (end - at < 2 || at[0] != '|' || at[1] != 'c' || at == colon + 1)
			break;
		at += 2;
		uint64_t hash = hash_name(name, bytes);
		struct statsd_counter *counter = find(server, hash, name, bytes);
		if (!counter || (!counter->hash && memchr(name, '\n', bytes))) {
			at = name;
			break;
		}
		if (!counter->hash) {
			counter->hash = hash;
			counter->name_bytes = (uint8_t)bytes;
			memcpy(counter->name, name, bytes);
		}
		counter->count++;
		counter->sum += value;
		lines++;
		if (at < end && *at != '\n')
			break;
		at += at < end;
	}
	server->refused += at < end;
	return lines;
}

_Noreturn void statsd_server_run(struct statsd_server *server, int fd)
{
	static char bytes[STATSD_PACKETS][STATSD_PACKET_BYTES + 8];
	static struct mmsghdr messages[STATSD_PACKETS];
	static struct iovec parts[STATSD_PACKETS];
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint32_t i = 0; i < STATSD_PACKETS; i++) {
		parts[i] = (struct iovec){bytes[i], sizeof(bytes[i])};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
	}
	for (;;) {
		int count = recvmmsg(fd, messages, STATSD_PACKETS, MSG_WAITFORONE, NULL);
		uint64_t events = server->events;
		for (int i = 0; i < count; i++)
			events += statsd_server_read(server, bytes[i],
						     bytes[i] + messages[i].msg_len);
		server->last_ns = monotonic_ns();
		weir_store_release_64(&server->events, events);
	}
}
