/*
 * server: see server.h.
 */
#include "server.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/process.h"

/* Keys that make loading take its time, when asked to. */
#define DUMMIES "3000"
#define START_TRIES 6000
#define START_PAUSE_US 10000

redisContext *server_connect(const char *path)
{
	redisContext *redis = redisConnectUnix(path);

	/* It counts while Redis loads, too. An error is the next command's to see. */
	if (redis && !redis->err)
		freeReplyObject(redisCommand(redis, "AUTH tester tester"));
	return redis;
}

static void hang_up(struct server *server)
{
	if (server->redis)
		redisFree(server->redis);
	server->redis = NULL;
}

static bool connect_own(struct server *server)
{
	hang_up(server);
	server->redis = server_connect(server->path);
	return server->redis && !server->redis->err;
}

bool server_do(struct server *server, const char *format, ...)
{
	redisReply *reply = NULL;
	bool loading = true;
	va_list arguments;

	/* One that was started again may not have read its keys yet. */
	for (int looks = 0; loading && looks < START_TRIES; looks++) {
		if (looks)
			usleep(START_PAUSE_US);
		freeReplyObject(reply);
		reply = NULL;
		/* Reading its users anew it hangs up on all: then once more. */
		for (int tries = 0; !reply && tries < 2; tries++) {
			if (tries || !server->redis)
				connect_own(server);
			if (!server->redis)
				return false;
			va_start(arguments, format);
			reply = redisvCommand(server->redis, format, arguments);
			va_end(arguments);
		}
		loading = reply && reply->type == REDIS_REPLY_ERROR &&
			  strncmp(reply->str, "LOADING", 7) == 0;
	}
	bool done = reply && reply->type != REDIS_REPLY_ERROR;
	if (reply && !done)
		printf("redis says to \"%s\": %s\n", format, reply->str);
	freeReplyObject(reply);
	return done;
}

/* Answers, with whatever it has to say. */
static bool answers(struct server *server)
{
	redisReply *reply = connect_own(server) ? redisCommand(server->redis, "PING") : NULL;
	bool answered = reply != NULL;

	freeReplyObject(reply);
	return answered;
}

/* More to its command line, or NULL. */
static bool run(struct server *server, const char *slowly)
{
	char conf[96], log[96];

	snprintf(conf, sizeof(conf), "%s/redis.conf", server->directory);
	snprintf(log, sizeof(log), "%s/redis.log", server->directory);
	char *argv[] = {"redis-server", conf, slowly ? "--key-load-delay" : NULL, (char *)slowly,
			NULL};
	unlink(server->path);
	server->pid = process_spawn(argv, log);
	for (int tries = 0; tries < START_TRIES; tries++) {
		if (answers(server))
			return true;
		if (waitpid(server->pid, NULL, WNOHANG) == server->pid)
			break;
		usleep(START_PAUSE_US);
	}
	printf("redis-server does not start: see %s\n", log);
	return false;
}

static bool die(struct server *server)
{
	hang_up(server);
	kill(server->pid, SIGKILL);
	return waitpid(server->pid, NULL, 0) == server->pid;
}

static bool revive(struct server *server)
{
	return run(server, NULL);
}

static bool pause_it(struct server *server)
{
	return kill(server->pid, SIGSTOP) == 0;
}

static bool wake_it(struct server *server)
{
	return kill(server->pid, SIGCONT) == 0;
}

static bool fill(struct server *server)
{
	return server_do(server, "CONFIG SET maxmemory 1");
}

static bool make_room(struct server *server)
{
	return server_do(server, "CONFIG SET maxmemory 0");
}

/* A replica of nobody, as after a failover: it reads, and writes no more. */
static bool demote(struct server *server)
{
	return server_do(server, "REPLICAOF 127.0.0.1 1");
}

static bool promote(struct server *server)
{
	return server_do(server, "REPLICAOF NO ONE");
}

static bool change_password(struct server *server)
{
	return server_do(server, "ACL SETUSER " SERVER_USER " resetpass >another") &&
	       server_do(server, "CLIENT KILL USER " SERVER_USER);
}

static bool restore_password(struct server *server)
{
	return server_do(server, "ACL SETUSER " SERVER_USER " resetpass >%s", SERVER_PASSWORD);
}

static bool forbid(struct server *server)
{
	return server_do(server, "ACL SETUSER " SERVER_USER " -zadd -zrem");
}

static bool allow(struct server *server)
{
	return server_do(server, "ACL SETUSER " SERVER_USER " +zadd +zrem");
}

static bool forbid_channels(struct server *server)
{
	return server_do(server, "ACL SETUSER " SERVER_USER " resetchannels");
}

static bool allow_channels(struct server *server)
{
	return server_do(server, "ACL SETUSER " SERVER_USER " &weir.*");
}

static bool remove_user(struct server *server)
{
	return server_do(server, "ACL DELUSER " SERVER_USER);
}

static bool restore_user(struct server *server)
{
	return server_do(server, "ACL LOAD");
}

/* The stream's key is something else's: part of a transaction fails, and the rest is done. */
static bool move_stream(struct server *server)
{
	return server_do(server, "EVAL %s 0",
			 "if redis.call('exists', '" SERVER_STREAM "') == 1 then "
			 "redis.call('rename', '" SERVER_STREAM "', 'moved') end "
			 "return redis.call('set', '" SERVER_STREAM "', 'no stream')");
}

static bool move_stream_back(struct server *server)
{
	return server_do(server, "EVAL %s 0",
			 "redis.call('del', '" SERVER_STREAM "') "
			 "if redis.call('exists', 'moved') == 1 then "
			 "redis.call('rename', 'moved', '" SERVER_STREAM "') end return 1");
}

/* It comes back, and takes its time to read what it has; meanwhile it says so. */
static bool load_slowly(struct server *server)
{
	return die(server) && run(server, "300");
}

static bool load_fast(struct server *server)
{
	return server_do(server, "CONFIG SET key-load-delay 0");
}

const struct trouble server_troubles[] = {
	{"killed", die, revive},
	{"stopped", pause_it, wake_it},
	{"full", fill, make_room},
	{"read-only", demote, promote},
	{"wrong-password", change_password, restore_password},
	{"no-permission", forbid, allow},
	{"no-channel", forbid_channels, allow_channels},
	{"no-user", remove_user, restore_user},
	{"wrong-type", move_stream, move_stream_back},
	{"loading", load_slowly, load_fast},
	{NULL, NULL, NULL},
};

static bool write_conf(const struct server *server)
{
	char path[96], users[96];
	FILE *file;

	snprintf(users, sizeof(users), "%s/users.acl", server->directory);
	file = fopen(users, "w");
	if (!file)
		return false;
	/* Nobody may anything without a name; as it loads, Redis is the default user. */
	fprintf(file,
		"user default on >none ~* &* +@all\nuser tester on >tester ~* &* +@all\n"
		"user " SERVER_USER " on >%s ~weir:* resetchannels &weir.* -@all +auth +ping "
		"+multi +exec +xadd +hset +expire +zadd +zrem +publish\n",
		SERVER_PASSWORD);
	fclose(file);
	snprintf(path, sizeof(path), "%s/redis.conf", server->directory);
	file = fopen(path, "w");
	if (!file)
		return false;
	fprintf(file,
		"port 0\nunixsocket %s\ndir %s\naclfile %s\nsave \"\"\nappendonly yes\n"
		"appendfsync no\nauto-aof-rewrite-percentage 0\n"
		"loading-process-events-interval-bytes 1024\nmaxmemory-policy noeviction\n",
		server->path, server->directory, users);
	fclose(file);
	return true;
}

int server_start(struct server *server, const char *directory)
{
	snprintf(server->directory, sizeof(server->directory), "%s", directory);
	snprintf(server->path, sizeof(server->path), "%s/redis.sock", directory);
	server->redis = NULL;
	if (!write_conf(server) || !run(server, NULL))
		return -1;
	return server_do(server, "EVAL %s 0",
			 "for i = 1, " DUMMIES " do redis.call('set', 'dummy' .. i, i) end")
		       ? 0
		       : -1;
}

void server_stop(struct server *server)
{
	hang_up(server);
	if (server->pid > 0) {
		kill(server->pid, SIGKILL);
		waitpid(server->pid, NULL, 0);
	}
	server->pid = 0;
}
