/*
 * redis_server: a redis-server of the test's own, on a UNIX socket in a temporary directory. It
 * dies with the test.
 */
#ifndef TEST_REDIS_SERVER_H
#define TEST_REDIS_SERVER_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct redis_server {
	pid_t pid;
	char directory[64];
	char socket[96];
	char url[112];
};

/* Is there a redis-server at all? Tests skip, and say so, where there is none. */
#define REDIS_OR_SKIP()                                                                            \
	do {                                                                                       \
		if (system("command -v redis-server >/dev/null 2>&1") != 0)                        \
			cr_skip("redis-server is not installed");                                  \
	} while (0)

static inline redisContext *redis_server_connect(const struct redis_server *server)
{
	struct timeval timeout = {.tv_sec = 5};
	redisContext *redis = redisConnectUnixWithTimeout(server->socket, timeout);
	if (redis && !redis->err)
		redisSetTimeout(redis, timeout);
	return redis;
}

/* Runs until it has answered a PING (a refused one is an answer); 10 s at most. */
static inline void redis_server_start(struct redis_server *server, const char *arguments)
{
	char command[512];
	snprintf(server->socket, sizeof(server->socket), "%s/redis.sock", server->directory);
	snprintf(server->url, sizeof(server->url), "unix://%s", server->socket);
	snprintf(command, sizeof(command),
		 "exec redis-server --port 0 --unixsocket %s --dir %s --save '' %s >/dev/null",
		 server->socket, server->directory, arguments);
	unlink(server->socket);
	server->pid = fork();
	if (server->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 2000; i++) {
		redisContext *redis = redis_server_connect(server);
		redisReply *reply = redis && !redis->err ? redisCommand(redis, "PING") : NULL;
		bool up = reply && strncmp(reply->str, "LOADING", 7) != 0;
		if (reply)
			freeReplyObject(reply);
		if (redis)
			redisFree(redis);
		if (up)
			return;
		usleep(5000);
	}
	cr_assert_fail("redis-server did not come up in %s", server->directory);
}

static inline void redis_server_kill(struct redis_server *server)
{
	int status;
	kill(server->pid, SIGKILL);
	waitpid(server->pid, &status, 0);
}

#endif
