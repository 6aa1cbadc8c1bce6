/*
 * proxy: the network between the engine and Redis, which is as bad as it is told to be.
 *
 * Idea:  it listens on a port of the loopback, and joins each who connects to Redis' own socket.
 *        What Redis answers passes through its hands: late, byte by byte, cut off in the middle,
 *        or changed. A cut is a FIN or an RST behind exactly so many bytes of the answers.
 *
 * Runs on: a thread of its own; proxy_behave() is called by the driver.
 */
#ifndef OUTAGE_PROXY_H
#define OUTAGE_PROXY_H

#include <stdint.h>

enum proxy_way {
	PROXY_PASS,
	PROXY_REFUSE,   /* nobody listens */
	PROXY_SLOW,     /* answers come byte by byte */
	PROXY_SILENT,   /* connects, and nothing comes back */
	PROXY_FIN,      /* the end of an answer is cut off, politely */
	PROXY_RST,      /* and not so */
	PROXY_NO_AUTH,  /* says yes to AUTH, which Redis never hears */
	PROXY_QUOTE,    /* a server that knows no command, and quotes what it does not know */
	PROXY_NONSENSE, /* no Redis at all */
	PROXY_WAYS,
};

struct proxy;

/* upstream: path of Redis' socket. NULL: no port, no memory. */
struct proxy *proxy_start(const char *upstream, uint64_t seed);
uint16_t proxy_port(const struct proxy *proxy);
/* From now on, and for those already connected. */
void proxy_behave(struct proxy *proxy, enum proxy_way way);
/* Answers that were cut, delayed, changed or swallowed, so far. */
uint64_t proxy_struck(struct proxy *proxy);
void proxy_stop(struct proxy *proxy);

#endif
