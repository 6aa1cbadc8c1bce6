/*
 * own_redis: see own_redis.h.
 */
#include "own_redis.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "peer.h"
#include "server.h"

#define START_MS 20000u
#define LOOK_MS 10u

int own_redis_find(char program[2200], char *why, size_t why_bytes)
{
	if (program_find(NULL, "redis-server", program, 2200) == 0)
		return 0;
	snprintf(why, why_bytes, "no redis-server here; apt-get install redis-server");
	return -ENOENT;
}

/* NULL: it does not answer in time, or has ended. */
static redisContext *connect_to(const char *socket, pid_t pid)
{
	for (uint32_t waited_ms = 0; waited_ms < START_MS; waited_ms += LOOK_MS) {
		redisContext *context = redisConnectUnix(socket);
		if (context && !context->err)
			return context;
		if (context)
			redisFree(context);
		if (!peer_runs(pid))
			return NULL;
		usleep(LOOK_MS * 1000);
	}
	return NULL;
}

pid_t own_redis_start(const struct own_redis *own, redisContext **ret_context)
{
	char path[2200], socket[2300], why[100];
	snprintf(socket, sizeof(socket), "%s/redis.sock", own->directory);
	char *const arguments[] = {(char *)"redis-server", (char *)"--port", (char *)"0",
				   (char *)"--unixsocket", socket, (char *)"--dir",
				   (char *)own->directory, (char *)"--save", (char *)"",
				   (char *)"--appendfsync", (char *)"everysec",
				   /* it would only be in the way of the disk */
				   (char *)"--auto-aof-rewrite-percentage", (char *)"0",
				   (char *)"--appendonly", (char *)(own->appends ? "yes" : "no"),
				   NULL};
	const struct peer_program program = {.path = path,
					     .arguments = arguments,
					     .home = own->directory,
					     .name = "redis",
					     .processor = own->processor};
	*ret_context = NULL;
	if (own_redis_find(path, why, sizeof(why)) < 0)
		return -ENOENT;
	pid_t pid = peer_start(&program);
	if (pid > 0)
		*ret_context = connect_to(socket, pid);
	return pid;
}
