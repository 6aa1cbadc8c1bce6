/*
 * proxy: see proxy.h. One thread over poll(); a pair of sockets for each who is connected.
 */
#include "proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PAIRS 32
/* Bytes of a connection's answers before it is cut. A greeting is 12, a transaction some 150. */
#define CUT_WITHIN 700u
#define TICK_MS 5

struct pair {
	int client, server; /* -1: free; server -1: none is needed */
	uint64_t answered;  /* bytes that the client got */
	uint64_t cut_at;
	bool over;     /* its sending side is shut: what comes is read and forgotten */
	bool greeted;  /* its AUTH was swallowed */
};

struct proxy {
	pthread_t thread;
	struct sockaddr_un upstream;
	struct sockaddr_in address;
	int keeper;   /* bound and not listening: the port stays ours */
	int listener; /* -1: nobody listens */
	struct pair pairs[PAIRS];
	uint64_t random;
	uint32_t way, done;
	uint64_t struck;
};

static uint32_t way_of(const struct proxy *proxy)
{
	/* Relaxed: a word on its own; the driver waits for what comes of it. */
	return __atomic_load_n(&proxy->way, __ATOMIC_RELAXED);
}

static void strike(struct proxy *proxy)
{
	/* Relaxed: a count. */
	__atomic_fetch_add(&proxy->struck, 1, __ATOMIC_RELAXED);
}

/* At the address, which is known behind the first call. */
static int bind_one(struct proxy *proxy, bool listening)
{
	socklen_t bytes = sizeof(proxy->address);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&proxy->address, bytes) < 0 ||
	    (listening && listen(fd, PAIRS) < 0) ||
	    getsockname(fd, (struct sockaddr *)&proxy->address, &bytes) < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static void part(struct pair *pair, bool reset)
{
	struct linger linger = {.l_onoff = 1};

	if (reset)
		setsockopt(pair->client, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(pair->client);
	if (pair->server >= 0)
		close(pair->server);
	pair->client = -1;
	pair->server = -1;
}

static void part_all(struct proxy *proxy)
{
	for (int i = 0; i < PAIRS; i++)
		if (proxy->pairs[i].client >= 0)
			part(&proxy->pairs[i], false);
}

static void take(struct proxy *proxy)
{
	int client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
	struct pair *pair = proxy->pairs;

	while (client >= 0 && pair < proxy->pairs + PAIRS && pair->client >= 0)
		pair++;
	if (client < 0)
		return;
	if (pair == proxy->pairs + PAIRS) {
		close(client);
		return;
	}
	proxy->random = proxy->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
	*pair = (struct pair){.client = client, .cut_at = (proxy->random >> 33) % CUT_WITHIN};
	pair->server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(pair->server, (struct sockaddr *)&proxy->upstream, sizeof(proxy->upstream)) < 0)
		part(pair, false);
}

/* false: who was to get it is gone. */
static bool give(int fd, const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t sent = send(fd, data, bytes, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		data += sent;
		bytes -= (size_t)sent;
	}
	return true;
}

/* A server of another kind answers in Redis' place. */
static bool answer(struct proxy *proxy, struct pair *pair, const char *asked, size_t bytes)
{
	char text[8192];
	int used;

	strike(proxy);
	if (way_of(proxy) == PROXY_NONSENSE) {
		used = snprintf(text, sizeof(text), "HTTP/1.1 400 Bad Request\r\n\r\n");
		return give(pair->client, text, (size_t)used) && false;
	}
	used = snprintf(text, sizeof(text), "-ERR unknown command, with args beginning with: ");
	for (size_t i = 0; i < bytes && (size_t)used < sizeof(text) - 3; i++)
		if (asked[i] >= ' ')
			text[used++] = asked[i];
	memcpy(text + used, "\r\n", 2);
	return give(pair->client, text, (size_t)used + 2);
}

/* What the engine asks. false: the end of the connection. */
static bool forward(struct proxy *proxy, struct pair *pair)
{
	char data[65536];
	ssize_t got = recv(pair->client, data, sizeof(data), 0);

	if (got <= 0)
		return false;
	if (pair->over)
		return true;
	switch (way_of(proxy)) {
	case PROXY_QUOTE:
	case PROXY_NONSENSE:
		return answer(proxy, pair, data, (size_t)got);
	case PROXY_NO_AUTH:
		/* It is sent alone, and waited for. */
		if (!pair->greeted && memmem(data, (size_t)got, "\r\nAUTH\r\n", 8)) {
			pair->greeted = true;
			strike(proxy);
			return give(pair->client, "+OK\r\n", 5);
		}
		break;
	default:
		break;
	}
	return give(pair->server, data, (size_t)got);
}

static bool cut(struct proxy *proxy, struct pair *pair, const char *data, size_t bytes, bool reset)
{
	size_t left = pair->cut_at > pair->answered ? pair->cut_at - pair->answered : 0;

	pair->answered += bytes;
	if (bytes <= left)
		return give(pair->client, data, bytes);
	strike(proxy);
	give(pair->client, data, left);
	if (reset) {
		part(pair, true);
		return true;
	}
	shutdown(pair->client, SHUT_WR);
	pair->over = true;
	return true;
}

/* What Redis answers. */
static bool back(struct proxy *proxy, struct pair *pair)
{
	char data[4096];
	uint32_t way = way_of(proxy);
	ssize_t got = recv(pair->server, data, way == PROXY_SLOW ? 1 : sizeof(data), 0);

	if (got <= 0)
		return false;
	switch (way) {
	case PROXY_SILENT:
		strike(proxy);
		return true;
	case PROXY_FIN:
	case PROXY_RST:
		return pair->over || cut(proxy, pair, data, (size_t)got, way == PROXY_RST);
	case PROXY_SLOW:
		strike(proxy);
		return give(pair->client, data, (size_t)got);
	default:
		pair->answered += (uint64_t)got;
		return pair->over || give(pair->client, data, (size_t)got);
	}
}

static void turn(struct proxy *proxy)
{
	struct pollfd fds[1 + 2 * PAIRS] = {{.fd = proxy->listener, .events = POLLIN}};

	for (int i = 0; i < PAIRS; i++) {
		struct pair *pair = &proxy->pairs[i];
		fds[1 + 2 * i] = (struct pollfd){.fd = pair->client, .events = POLLIN};
		fds[2 + 2 * i] = (struct pollfd){.fd = pair->server, .events = POLLIN};
	}
	/* Slow: a byte for each turn, and a turn takes its time. */
	if (way_of(proxy) == PROXY_SLOW)
		usleep(TICK_MS * 1000);
	if (poll(fds, 1 + 2 * PAIRS, TICK_MS) <= 0)
		return;
	for (int i = 0; i < PAIRS; i++) {
		struct pair *pair = &proxy->pairs[i];
		if (fds[1 + 2 * i].revents && pair->client >= 0 && !forward(proxy, pair))
			part(pair, false);
		if (fds[2 + 2 * i].revents && pair->client >= 0 && !back(proxy, pair))
			part(pair, false);
	}
	if (fds[0].revents)
		take(proxy);
}

static void *run(void *self)
{
	struct proxy *proxy = self;

	enum proxy_way before = PROXY_PASS;

	/* Relaxed: pthread_join() orders what follows. */
	while (!__atomic_load_n(&proxy->done, __ATOMIC_RELAXED)) {
		enum proxy_way way = way_of(proxy);
		/* These two are about who comes, not about who is there. */
		if (way != before && (way == PROXY_REFUSE || way == PROXY_NO_AUTH))
			part_all(proxy);
		before = way;
		if (way == PROXY_REFUSE && proxy->listener >= 0) {
			strike(proxy);
			close(proxy->listener);
			proxy->listener = -1;
		} else if (way != PROXY_REFUSE && proxy->listener < 0) {
			proxy->listener = bind_one(proxy, true);
		}
		turn(proxy);
	}
	return NULL;
}

struct proxy *proxy_start(const char *upstream, uint64_t seed)
{
	struct proxy *proxy = calloc(1, sizeof(*proxy));

	if (!proxy)
		return NULL;
	proxy->random = seed;
	proxy->upstream.sun_family = AF_UNIX;
	snprintf(proxy->upstream.sun_path, sizeof(proxy->upstream.sun_path), "%s", upstream);
	proxy->address.sin_family = AF_INET;
	proxy->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 0; i < PAIRS; i++)
		proxy->pairs[i] = (struct pair){.client = -1, .server = -1};
	proxy->keeper = bind_one(proxy, false);
	proxy->listener = proxy->keeper < 0 ? -1 : bind_one(proxy, true);
	if (proxy->listener < 0 || pthread_create(&proxy->thread, NULL, run, proxy)) {
		if (proxy->listener >= 0)
			close(proxy->listener);
		if (proxy->keeper >= 0)
			close(proxy->keeper);
		free(proxy);
		return NULL;
	}
	return proxy;
}

uint16_t proxy_port(const struct proxy *proxy)
{
	return ntohs(proxy->address.sin_port);
}

void proxy_behave(struct proxy *proxy, enum proxy_way way)
{
	/* Relaxed: see way_of(). */
	__atomic_store_n(&proxy->way, way, __ATOMIC_RELAXED);
}

uint64_t proxy_struck(struct proxy *proxy)
{
	/* Relaxed: a count. */
	return __atomic_load_n(&proxy->struck, __ATOMIC_RELAXED);
}

void proxy_stop(struct proxy *proxy)
{
	/* Relaxed: the thread looks at it and at nothing else of ours. */
	__atomic_store_n(&proxy->done, 1, __ATOMIC_RELAXED);
	pthread_join(proxy->thread, NULL);
	part_all(proxy);
	if (proxy->listener >= 0)
		close(proxy->listener);
	close(proxy->keeper);
	free(proxy);
}
