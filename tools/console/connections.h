/*
 * connections: every open connection, what it is at, and since when.
 *
 * The library knows how long a client was silent; who sends a byte every few seconds is never
 * silent. So each part of a request has its time here, whatever comes meanwhile:
 *
 *   HEAD    15 s  from the connection, or the end of the answer before, to the end of a head
 *   BODY    10 s
 *   WAIT    -     its answer is being made, which is our time
 *   ANSWER  30 s  to take an answer
 *   STREAM  -     listens to events: the feed looks after it
 *
 * When nearly all places are taken, those that are at a head longest lose theirs; when as many
 * bodies are held as may be, who takes longest over one. One address has a share of the places;
 * this machine and a UNIX socket have all: a proxy may stand there.
 *
 * Runs on: the server's threads; connections_sweep on a thread of its own. One mutex.
 */
#ifndef CONSOLE_CONNECTIONS_H
#define CONSOLE_CONNECTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define CONNECTIONS_MAX 3072u
#define CONNECTIONS_OF_ADDRESS_MAX 256u

enum connection_phase {
	CONNECTION_HEAD,
	CONNECTION_BODY,
	CONNECTION_WAIT,
	CONNECTION_ANSWER,
	CONNECTION_STREAM
};

struct connections;
struct connection;

struct connections_counters {
	uint32_t open;
	uint64_t opened, refused, late, evicted;
};

struct connections *connections_open(void); /* NULL: no memory */
void connections_close(struct connections *connections);

/* May one from there be taken? Counts those that may not. */
bool connections_admit(struct connections *connections, const struct sockaddr *address);
/* NULL: all places are taken. `fd` is open until connections_remove. */
struct connection *connections_add(struct connections *connections, int fd,
				   const struct sockaddr *address, uint64_t now_ms);
void connections_remove(struct connections *connections, struct connection *connection);
void connections_phase(struct connections *connections, struct connection *connection,
		       enum connection_phase phase, uint64_t now_ms);
/* Cut it: the library sees its end. */
void connections_cut(struct connections *connections, struct connection *connection);
/* There is no room for more than so many at this phase: cut those that came to it first. */
void connections_evict(struct connections *connections, enum connection_phase phase, unsigned most);
/* Cut those that are late. A few times a second. */
void connections_sweep(struct connections *connections, uint64_t now_ms);

void connections_counters(struct connections *connections,
			  struct connections_counters *ret_counters);

#endif
