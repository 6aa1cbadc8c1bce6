/*
 * server: a Redis of one's own, and what can be wrong with it.
 *
 * Idea:  the real redis-server, on a socket in a directory, with its log of what it was told
 *        (appendonly), so that it comes back from kill -9 with all that it has answered for. The
 *        engine's user may do what a publisher needs and no more.
 */
#ifndef OUTAGE_SERVER_H
#define OUTAGE_SERVER_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <sys/types.h>

#define SERVER_STREAM "weir:outage:anomalies"
#define SERVER_USER "weir"
#define SERVER_PASSWORD "Kp7-outage-secret-Vq3"

/* A connection of who may do all; NULL, or one with an error: not now. */
redisContext *server_connect(const char *path);

struct server {
	char directory[64], path[96];
	pid_t pid;
	redisContext *redis; /* of the driver, as a user who may do all */
};

/* 0; -1: redis-server is not there or does not start. */
int server_start(struct server *server, const char *directory);
void server_stop(struct server *server);
/* A command; it must be answered, and not by an error. */
bool server_do(struct server *server, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

struct trouble {
	const char *name;
	/* false: it could not be brought about. */
	bool (*begin)(struct server *server);
	bool (*end)(struct server *server);
};

/* Of those of Redis' own; ends with an entry without a name. */
extern const struct trouble server_troubles[];

#endif
