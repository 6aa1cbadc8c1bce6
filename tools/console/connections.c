/*
 * connections: see connections.h.
 */
#include "connections.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CROWDED (CONNECTIONS_MAX / 8 * 7)

/* By phase; 0: as long as it likes. */
static const uint64_t patience_ms[] = {
	[CONNECTION_HEAD] = 15000,   [CONNECTION_BODY] = 10000, [CONNECTION_WAIT] = 0,
	[CONNECTION_ANSWER] = 30000, [CONNECTION_STREAM] = 0,
};

struct connection {
	struct connection *next_free;
	int fd; /* -1: this place is free */
	enum connection_phase phase;
	uint64_t since_ms;
	struct in6_addr address; /* an IPv4 one mapped into it */
	bool shares;             /* of an address with a bound */
	bool cut;
};

struct connections {
	pthread_mutex_t lock;
	struct connection places[CONNECTIONS_MAX];
	struct connection *free;
	struct connections_counters counters;
};

struct connections *connections_open(void)
{
	struct connections *connections = calloc(1, sizeof(*connections));

	if (!connections)
		return NULL;
	pthread_mutex_init(&connections->lock, NULL);
	for (unsigned i = CONNECTIONS_MAX; i-- > 0;) {
		connections->places[i].fd = -1;
		connections->places[i].next_free = connections->free;
		connections->free = &connections->places[i];
	}
	return connections;
}

void connections_close(struct connections *connections)
{
	pthread_mutex_destroy(&connections->lock);
	free(connections);
}

/* False: of this machine, or no address at all. */
static bool take_address(const struct sockaddr *address, struct in6_addr *ret_address)
{
	*ret_address = (struct in6_addr){0};
	if (address && address->sa_family == AF_INET) {
		struct in_addr four = ((const struct sockaddr_in *)address)->sin_addr;
		ret_address->s6_addr[10] = ret_address->s6_addr[11] = 0xff;
		memcpy(&ret_address->s6_addr[12], &four, sizeof(four));
		return ntohl(four.s_addr) >> 24 != 127;
	}
	if (!address || address->sa_family != AF_INET6)
		return false;
	*ret_address = ((const struct sockaddr_in6 *)address)->sin6_addr;
	/* Who has one address of IPv6 has the 64 bits behind its network. */
	memset(&ret_address->s6_addr[8], 0, IN6_IS_ADDR_V4MAPPED(ret_address) ? 0 : 8);
	return !IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static unsigned count_address(const struct connections *connections, const struct in6_addr *address)
{
	unsigned count = 0;

	for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
		const struct connection *c = &connections->places[i];
		count += c->fd >= 0 && c->shares &&
			 memcmp(&c->address, address, sizeof(*address)) == 0;
	}
	return count;
}

bool connections_admit(struct connections *connections, const struct sockaddr *address)
{
	struct in6_addr from;
	bool shares = take_address(address, &from);

	pthread_mutex_lock(&connections->lock);
	bool admitted = connections->free &&
			(!shares || count_address(connections, &from) < CONNECTIONS_OF_ADDRESS_MAX);
	connections->counters.refused += !admitted;
	pthread_mutex_unlock(&connections->lock);
	return admitted;
}

struct connection *connections_add(struct connections *connections, int fd,
				   const struct sockaddr *address, uint64_t now_ms)
{
	pthread_mutex_lock(&connections->lock);
	struct connection *place = connections->free;
	if (place) {
		connections->free = place->next_free;
		*place = (struct connection){.fd = fd, .since_ms = now_ms};
		place->shares = take_address(address, &place->address);
		connections->counters.open++;
		connections->counters.opened++;
	}
	pthread_mutex_unlock(&connections->lock);
	return place;
}

void connections_remove(struct connections *connections, struct connection *connection)
{
	pthread_mutex_lock(&connections->lock);
	connection->fd = -1;
	connection->next_free = connections->free;
	connections->free = connection;
	connections->counters.open--;
	pthread_mutex_unlock(&connections->lock);
}

void connections_phase(struct connections *connections, struct connection *connection,
		       enum connection_phase phase, uint64_t now_ms)
{
	pthread_mutex_lock(&connections->lock);
	connection->phase = phase;
	connection->since_ms = now_ms;
	pthread_mutex_unlock(&connections->lock);
}

/* Under the lock: the descriptor is still this connection's. */
static void cut(struct connection *connection)
{
	connection->cut = true;
	shutdown(connection->fd, SHUT_RDWR);
}

void connections_cut(struct connections *connections, struct connection *connection)
{
	pthread_mutex_lock(&connections->lock);
	if (connection->fd >= 0 && !connection->cut)
		cut(connection);
	pthread_mutex_unlock(&connections->lock);
}

/* Those that are not cut yet: of all, and at a phase; of these the one that came to it first. */
struct alive {
	unsigned all, there;
	struct connection *oldest;
};

static struct alive find_alive(struct connections *connections, enum connection_phase phase)
{
	struct alive alive = {0};

	for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *c = &connections->places[i];
		if (c->fd < 0 || c->cut)
			continue;
		alive.all++;
		if (c->phase != phase)
			continue;
		alive.there++;
		if (!alive.oldest || c->since_ms < alive.oldest->since_ms)
			alive.oldest = c;
	}
	return alive;
}

static void evict(struct connections *connections)
{
	struct alive alive;

	while ((alive = find_alive(connections, CONNECTION_HEAD)).oldest && alive.all > CROWDED) {
		cut(alive.oldest);
		connections->counters.evicted++;
	}
}

void connections_evict(struct connections *connections, enum connection_phase phase, unsigned most)
{
	struct alive alive;

	pthread_mutex_lock(&connections->lock);
	while ((alive = find_alive(connections, phase)).there > most) {
		cut(alive.oldest);
		connections->counters.evicted++;
	}
	pthread_mutex_unlock(&connections->lock);
}

void connections_sweep(struct connections *connections, uint64_t now_ms)
{
	pthread_mutex_lock(&connections->lock);
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *c = &connections->places[i];
		if (c->fd < 0 || c->cut || !patience_ms[c->phase] ||
		    now_ms < c->since_ms + patience_ms[c->phase])
			continue;
		cut(c);
		connections->counters.late++;
	}
	evict(connections);
	pthread_mutex_unlock(&connections->lock);
}

void connections_counters(struct connections *connections,
			  struct connections_counters *ret_counters)
{
	pthread_mutex_lock(&connections->lock);
	*ret_counters = connections->counters;
	pthread_mutex_unlock(&connections->lock);
}
