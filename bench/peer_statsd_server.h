/*
 * peer_statsd_server: what a StatsD server must do at least: take packets, split them into lines,
 * look the name up, add the value. Debian has none to compare with; this is a lean one.
 */
#ifndef BENCH_PEER_STATSD_SERVER_H
#define BENCH_PEER_STATSD_SERVER_H

#include <stddef.h>
#include <stdint.h>

#define STATSD_PACKETS 64u        /* taken, and sent, at a time */
#define STATSD_PACKET_BYTES 1432u /* what StatsD's manual says for Ethernet */
#define STATSD_NAME_BYTES 39u

/* A counter; a cache line. */
struct statsd_counter {
	uint64_t hash; /* 0: free */
	uint64_t count, sum;
	uint8_t name_bytes;
	char name[STATSD_NAME_BYTES];
};
_Static_assert(sizeof(struct statsd_counter) == 64, "a counter is a cache line");

/* In memory that the sender sees. */
struct statsd_server {
	uint64_t events;  /* release-stored after the counters */
	uint64_t last_ns; /* when the last packet had been read */
	uint64_t refused; /* lines that are none, and names there was no room for */
	uint32_t mask;    /* of the counters */
	struct statsd_counter counters[] __attribute__((aligned(64)));
};

/* Room for so many names. NULL: no memory. */
struct statsd_server *statsd_server_create(uint32_t names);
/* Take packets from the socket until killed. */
_Noreturn void statsd_server_run(struct statsd_server *server, int fd);
/* The lines of a packet. Returns how many were taken. */
uint64_t statsd_server_read(struct statsd_server *server, const char *at, const char *end);
/* NULL: never seen. */
const struct statsd_counter *statsd_server_find(struct statsd_server *server, const char *name,
						size_t bytes);

#endif
