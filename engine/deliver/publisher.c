/*
 * publisher: from the outbox to Redis, one MULTI for each revision.
 *
 * Idea:  the outbox is the queue, Redis is told from its front, and a row is done when EXEC has
 *        answered for it. One transaction is under way at a time, its commands in one pipeline:
 *        with more, a row that Redis refuses would be overtaken by those behind it. After any
 *        error the connection is dropped and made anew with backoff (redisReconnect() forgets
 *        its timeouts, a context is of no use after an error), and the row is sent again.
 *
 *   closed --connect--> greeting (AUTH, PING) --ok--> open --rows--> open
 *      ^                     |                          |
 *      `---- backoff --------'<------ any error --------'
 *
 * Runs on: its own thread. Status and the acknowledged row may be read by any.
 * Never: says a password, in a log, a status or an error; deletes a row; waits without a bound.
 */
#include "deliver/publisher.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/monotonic.h"
#include "deliver/payload.h"
#include "deliver/store.h"
#include "weir/order.h"

#define CALL_TIMEOUT_MS 300
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
/* Rows of one step at most; it also ends when it has taken CALL_TIMEOUT_MS. */
#define STEP_ROWS 64
/* MULTI, XADD, HSET, ZADD or ZREM, PUBLISH twice, EXEC; of a resolved one EXPIRE too. */
#define REPLIES_PER_ROW 7
/* A resolved anomaly's hash is forgotten after this long: 30 d. */
#define RESOLVED_KEPT_S 2592000
#define PASSWORD_BYTES_MAX 512

struct publisher {
	char *store_path, *user, *password_file, *environment;
	char *host; /* of redis://, else NULL */
	int port;
	char *unix_path; /* of unix://, else NULL */
	uint64_t stream_max;
	uint64_t random;

	struct store_reader *reader;
	redisContext *redis; /* NULL: closed */
	uint32_t failures;   /* in a row, for the backoff */
	uint64_t retry_ns;   /* no attempt before */
	bool refused;        /* the last error was Redis' answer to a row */
	bool was_connected;
	struct anomaly anomaly; /* too large for a stack */

	uint64_t acknowledged;
	pthread_mutex_t lock; /* over status: written by the publisher, read by any thread */
	struct publisher_status status;
};

static uint64_t random_next(struct publisher *publisher)
{
	publisher->random ^= publisher->random << 13;
	publisher->random ^= publisher->random >> 7;
	publisher->random ^= publisher->random << 17;
	return publisher->random;
}

/* Note what went wrong; the first of its kind is said in the log. */
static void __attribute__((format(printf, 2, 3)))
complain(struct publisher *publisher, const char *format, ...)
{
	char text[sizeof(publisher->status.error)];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	text[strcspn(text, "\r\n")] = '\0';
	pthread_mutex_lock(&publisher->lock);
	bool news = strcmp(publisher->status.error, text) != 0;
	memcpy(publisher->status.error, text, sizeof(text));
	publisher->status.errors++;
	pthread_mutex_unlock(&publisher->lock);
	if (news)
		log_warning("publisher", "%s; alerts wait in the outbox", text);
}

static void disconnect(struct publisher *publisher, uint64_t now_ns)
{
	if (publisher->redis)
		redisFree(publisher->redis);
	publisher->redis = NULL;
	uint64_t delay_ms = BACKOFF_MAX_MS;
	if (publisher->failures < 6) /* 100 ms doubled six times is above the greatest */
		delay_ms = (uint64_t)BACKOFF_MIN_MS << publisher->failures;
	if (delay_ms > BACKOFF_MAX_MS)
		delay_ms = BACKOFF_MAX_MS;
	publisher->failures++;
	delay_ms = delay_ms / 2 + random_next(publisher) % (delay_ms / 2 + 1);
	publisher->retry_ns = now_ns + delay_ms * 1000000;
	pthread_mutex_lock(&publisher->lock);
	publisher->status.connected = 0;
	if (!publisher->status.away_since_ns)
		publisher->status.away_since_ns = now_ns;
	pthread_mutex_unlock(&publisher->lock);
}

static const char *redis_error(const redisContext *redis)
{
	if (redis->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK))
		return "no answer within 300 ms: is it overloaded or stopped?";
	return redis->errstr;
}

/* Send what was appended. 0, or -EIO with the complaint made. */
static int send_all(struct publisher *publisher, uint64_t deadline_ms)
{
	int done = 0;
	while (!done) {
		errno = 0;
		if (redisBufferWrite(publisher->redis, &done) != REDIS_OK) {
			complain(publisher, "redis: %s", redis_error(publisher->redis));
			return -EIO;
		}
		if (!done && monotonic_ms() >= deadline_ms) {
			complain(publisher, "redis: takes no data: is it overloaded or stopped?");
			return -EIO;
		}
	}
	return 0;
}

/* The next reply, or NULL with the complaint made. A server that sends a byte now and then does
 * not get beyond the deadline either. */
static redisReply *receive(struct publisher *publisher, uint64_t deadline_ms)
{
	void *reply = NULL;
	for (;;) {
		errno = 0;
		if (redisGetReplyFromReader(publisher->redis, &reply) != REDIS_OK)
			break;
		if (reply)
			return reply;
		uint64_t now_ms = monotonic_ms();
		struct pollfd ready = {.fd = publisher->redis->fd, .events = POLLIN};
		if (now_ms >= deadline_ms || poll(&ready, 1, (int)(deadline_ms - now_ms)) == 0) {
			complain(publisher,
				 "redis: no answer within %d ms: is it overloaded or stopped?",
				 CALL_TIMEOUT_MS);
			return NULL;
		}
		if (redisBufferRead(publisher->redis) != REDIS_OK)
			break;
	}
	complain(publisher, "redis: %s", redis_error(publisher->redis));
	return NULL;
}

/* The password, without the newline that editors leave behind. Negative errno. */
static int read_password(const char *path, char password[PASSWORD_BYTES_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t bytes = read(fd, password, PASSWORD_BYTES_MAX - 1);
	int error = bytes < 0 ? -errno : 0;
	close(fd);
	if (error)
		return error;
	if (bytes == PASSWORD_BYTES_MAX - 1)
		return -EMSGSIZE;
	password[bytes] = '\0';
	password[strcspn(password, "\r\n")] = '\0';
	return password[0] ? 0 : -ENODATA;
}

/* 0, or negative with the complaint made. Of an error to AUTH only the first word is said: a
 * server that knows no such command quotes its arguments. */
static int authenticate(struct publisher *publisher)
{
	char password[PASSWORD_BYTES_MAX];
	int error = read_password(publisher->password_file, password);
	if (error) {
		complain(publisher, "redis: cannot read password_file %s: %s",
			 publisher->password_file,
			 error == -ENODATA ? "it is empty" : strerror(-error));
		return error;
	}
	if (publisher->user)
		redisAppendCommand(publisher->redis, "AUTH %s %s", publisher->user, password);
	else
		redisAppendCommand(publisher->redis, "AUTH %s", password);
	explicit_bzero(password, sizeof(password));
	uint64_t deadline_ms = monotonic_ms() + CALL_TIMEOUT_MS;
	if (send_all(publisher, deadline_ms) < 0)
		return -EIO;
	redisReply *reply = receive(publisher, deadline_ms);
	if (!reply)
		return -EIO;
	if (reply->type == REDIS_REPLY_ERROR) {
		complain(publisher,
			 "redis: AUTH as %s refused (%.*s): check user and password_file",
			 publisher->user ? publisher->user : "default",
			 (int)strcspn(reply->str, " "), reply->str);
		error = -EACCES;
	}
	freeReplyObject(reply);
	return error;
}

/* Is it there, loaded, and content with who we are? A PING that is not allowed is an answer too. */
static int greet(struct publisher *publisher)
{
	if (publisher->password_file) {
		int error = authenticate(publisher);
		if (error)
			return error;
	}
	uint64_t deadline_ms = monotonic_ms() + CALL_TIMEOUT_MS;
	redisAppendCommand(publisher->redis, "PING");
	if (send_all(publisher, deadline_ms) < 0)
		return -EIO;
	redisReply *reply = receive(publisher, deadline_ms);
	if (!reply)
		return -EIO;
	int error = 0;
	if (reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOPERM", 6) != 0) {
		bool unknown = strncmp(reply->str, "NOAUTH", 6) == 0;
		complain(publisher, "redis: %s%s", reply->str,
			 unknown ? " Set redis.password_file (and redis.user)" : "");
		error = -EACCES;
	}
	freeReplyObject(reply);
	return error;
}

static int connect_redis(struct publisher *publisher, uint64_t now_ns)
{
	struct timeval timeout = {.tv_usec = CALL_TIMEOUT_MS * 1000};
	redisContext *redis = publisher->unix_path
				      ? redisConnectUnixWithTimeout(publisher->unix_path, timeout)
				      : redisConnectWithTimeout(publisher->host, publisher->port,
								timeout);
	publisher->redis = redis;
	if (!redis || redis->err) {
		complain(publisher, "redis: cannot connect to %s: %s",
			 publisher->unix_path ? publisher->unix_path : publisher->host,
			 redis ? redis->errstr : "out of memory");
		disconnect(publisher, now_ns);
		return -EIO;
	}
	fcntl(redis->fd, F_SETFD, FD_CLOEXEC);
	if (!publisher->unix_path)
		redisEnableKeepAlive(redis);
	if (redisSetTimeout(redis, timeout) != REDIS_OK || greet(publisher) < 0) {
		disconnect(publisher, now_ns);
		return -EIO;
	}
	pthread_mutex_lock(&publisher->lock);
	bool was_broken = publisher->status.error[0] != '\0';
	publisher->status.connected = 1;
	publisher->status.away_since_ns = 0;
	publisher->status.reconnects += publisher->was_connected;
	if (!publisher->refused)
		publisher->status.error[0] = '\0';
	pthread_mutex_unlock(&publisher->lock);
	publisher->was_connected = true;
	if (was_broken && !publisher->refused)
		log_info("publisher", "redis is back");
	return 0;
}

/* The severity whose band names the channel. */
static double channel_severity(const struct anomaly *anomaly)
{
	return anomaly->state == ANOMALY_RESOLVED ? anomaly->severity_peak : anomaly->severity;
}

/* The one place where an alert leaves for Redis. 0, or -ENOMEM. */
static int append_row(struct publisher *publisher, const struct anomaly *anomaly)
{
	redisContext *redis = publisher->redis;
	const char *env = publisher->environment;
	char id[33], severity[32] = "0.0", maxlen[24];
	char *json = payload_json(anomaly, env);
	if (!json)
		return -ENOMEM;
	anomaly_id_text(anomaly->id, id);
	if (isfinite(anomaly->severity))
		snprintf(severity, sizeof(severity), "%.1f", severity_shown(anomaly->severity));
	snprintf(maxlen, sizeof(maxlen), "%llu", (unsigned long long)publisher->stream_max);
	int bad = redisAppendCommand(redis, "MULTI");
	if (publisher->stream_max)
		bad |= redisAppendCommand(
			redis, "XADD weir:%s:anomalies MAXLEN ~ %s * id %s revision %u payload %s",
			env, maxlen, id, anomaly->revision, json);
	else
		bad |= redisAppendCommand(redis,
					  "XADD weir:%s:anomalies * id %s revision %u payload %s",
					  env, id, anomaly->revision, json);
	bad |= redisAppendCommand(
		redis,
		"HSET weir:%s:anomaly:%s state %s severity %s metric %s slice %s revision %u "
		"acknowledged %d payload %s",
		env, id, anomaly_state_name(anomaly->state), severity, anomaly->metric,
		anomaly->slice, anomaly->revision, anomaly->acknowledged, json);
	if (anomaly->state == ANOMALY_RESOLVED) {
		bad |= redisAppendCommand(redis, "EXPIRE weir:%s:anomaly:%s %d", env, id,
					  RESOLVED_KEPT_S);
		bad |= redisAppendCommand(redis, "ZREM weir:%s:open %s", env, id);
	} else {
		bad |= redisAppendCommand(redis, "ZADD weir:%s:open %s %s", env, severity, id);
	}
	bad |= redisAppendCommand(redis, "PUBLISH weir.%s.anomaly %s", env, json);
	bad |= redisAppendCommand(redis, "PUBLISH weir.%s.anomaly.%s.%s %s", env,
				  severity_band_name(channel_severity(anomaly)), anomaly->metric,
				  json);
	bad |= redisAppendCommand(redis, "EXEC");
	free(json);
	return bad ? -ENOMEM : 0;
}

/* Keep the first error among a transaction's answers. */
static void note_error(const redisReply *reply, char *text, size_t size)
{
	if (reply->type == REDIS_REPLY_ERROR && !text[0])
		snprintf(text, size, "%s", reply->str);
	for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
		note_error(reply->element[i], text, size);
}

/* The answers to one transaction: 0 when EXEC has done it all. */
static int receive_row(struct publisher *publisher, uint64_t deadline_ms)
{
	char text[128] = "";
	bool executed = false;
	int replies = REPLIES_PER_ROW + (publisher->anomaly.state == ANOMALY_RESOLVED);
	for (int i = 0; i < replies; i++) {
		redisReply *reply = receive(publisher, deadline_ms);
		if (!reply)
			return -EIO;
		note_error(reply, text, sizeof(text));
		executed = reply->type == REDIS_REPLY_ARRAY;
		freeReplyObject(reply);
	}
	if (executed && !text[0])
		return 0;
	publisher->refused = true;
	complain(publisher, "redis refused an alert: %s", text[0] ? text : "no answer to EXEC");
	return -EACCES;
}

static void acknowledge(struct publisher *publisher, uint64_t row)
{
	/* Orders: EXEC's answer, before the number that lets the store forget the row. Partner:
	 * publisher_acknowledged() on the store agent. Without it a crash could find the row
	 * forgotten and Redis untold. */
	weir_store_release_64(&publisher->acknowledged, row);
	publisher->refused = false;
	pthread_mutex_lock(&publisher->lock);
	publisher->status.acknowledged = row;
	publisher->status.published++;
	publisher->status.error[0] = '\0';
	pthread_mutex_unlock(&publisher->lock);
}

/* Send one row, take its answers. 1, 0: there is none, or negative errno. */
static int publish_row(struct publisher *publisher)
{
	uint64_t row;
	int answer = store_outbox_next(publisher->reader, publisher->acknowledged, &row,
				       &publisher->anomaly);
	if (answer < 0)
		complain(publisher, "cannot read the outbox: %s", strerror(-answer));
	if (answer <= 0)
		return answer;
	if (append_row(publisher, &publisher->anomaly) < 0) {
		complain(publisher, "out of memory");
		return -ENOMEM;
	}
	uint64_t deadline_ms = monotonic_ms() + CALL_TIMEOUT_MS;
	int error = send_all(publisher, deadline_ms);
	if (!error)
		error = receive_row(publisher, deadline_ms);
	if (error)
		return error;
	acknowledge(publisher, row);
	return 1;
}

/* Nothing is asked of Redis now: whatever can be read is its end, or nonsense. */
static bool hung_up(const struct publisher *publisher)
{
	char byte;
	ssize_t got = recv(publisher->redis->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

int publisher_step(void *self, uint64_t now_ns)
{
	struct publisher *publisher = self;
	if ((!publisher->host && !publisher->unix_path) || now_ns < publisher->retry_ns)
		return 0;
	if (!publisher->reader) {
		int error = store_reader_open(publisher->store_path, &publisher->reader);
		if (error) {
			complain(publisher, "cannot open the store %s: %s", publisher->store_path,
				 strerror(-error));
			disconnect(publisher, now_ns);
			return 0;
		}
	}
	if (publisher->redis && hung_up(publisher)) {
		complain(publisher, "redis: the connection was closed");
		disconnect(publisher, now_ns);
		return 0;
	}
	int connected = 0;
	if (!publisher->redis) {
		if (connect_redis(publisher, now_ns) < 0)
			return 0;
		connected = 1;
	}
	uint64_t deadline_ms = monotonic_ms() + CALL_TIMEOUT_MS;
	int done = 0, answer = 0;
	while (done < STEP_ROWS && monotonic_ms() < deadline_ms) {
		answer = publish_row(publisher);
		if (answer <= 0)
			break;
		done++;
	}
	if (answer < 0)
		disconnect(publisher, now_ns);
	else
		publisher->failures = 0;
	return done + connected;
}

static int refuse_url(const char *reason, char *why, size_t why_bytes)
{
	/* The URL itself is not said: it may hold a password, in spite of everything. */
	snprintf(why, why_bytes,
		 "redis.url: %s; write unix:///path/to/redis.sock or redis://host:port", reason);
	return -EINVAL;
}

static int parse_url(struct publisher *publisher, const char *url, char *why, size_t why_bytes)
{
	if (strncmp(url, "unix://", 7) == 0) {
		const char *path = url + 7;
		if (path[0] != '/')
			return refuse_url("the socket's path must be absolute", why, why_bytes);
		if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
			return refuse_url("the socket's path is longer than 107 bytes", why,
					  why_bytes);
		publisher->unix_path = strdup(path);
		return publisher->unix_path ? 0 : -ENOMEM;
	}
	if (strncmp(url, "redis://", 8) != 0)
		return refuse_url("unknown scheme", why, why_bytes);
	const char *host = url + 8;
	if (strchr(host, '@'))
		return refuse_url("no user or password here: use redis.user and "
				  "redis.password_file",
				  why, why_bytes);
	const char *end = host + strcspn(host, ":/"), *after = end;
	if (host[0] == '[') {
		host++;
		end = host + strcspn(host, "]");
		after = *end ? end + 1 : "]";
	}
	unsigned long port = 6379;
	if (*after == ':') {
		char *rest = NULL;
		port = after[1] >= '0' && after[1] <= '9' ? strtoul(after + 1, &rest, 10) : 0;
		after = port ? rest : "";
	}
	if (port == 0 || port > 65535)
		return refuse_url("the port must be from 1 to 65535", why, why_bytes);
	if (end == host || (*after && strcmp(after, "/") != 0))
		return refuse_url("no host, or something behind the port", why, why_bytes);
	publisher->host = strndup(host, (size_t)(end - host));
	publisher->port = (int)port;
	return publisher->host ? 0 : -ENOMEM;
}

static char *copy(const char *text, int *error)
{
	char *result = text ? strdup(text) : NULL;
	if (text && !result)
		*error = -ENOMEM;
	return result;
}

int publisher_create(const struct publisher_options *options, struct publisher **ret_publisher,
		     char *why, size_t why_bytes)
{
	struct publisher *publisher = calloc(1, sizeof(*publisher));
	int error = 0;
	if (!publisher) {
		snprintf(why, why_bytes, "publisher: out of memory");
		return -ENOMEM;
	}
	pthread_mutex_init(&publisher->lock, NULL);
	check(options->store_path && options->environment);
	publisher->store_path = copy(options->store_path, &error);
	publisher->environment = copy(options->environment, &error);
	publisher->user = copy(options->user, &error);
	publisher->password_file = copy(options->password_file, &error);
	publisher->stream_max = options->stream_max;
	publisher->random = options->random_seed | 1; /* xorshift must not start from zero */
	if (error)
		snprintf(why, why_bytes, "publisher: out of memory");
	else if (options->url)
		error = parse_url(publisher, options->url, why, why_bytes);
	else
		snprintf(publisher->status.error, sizeof(publisher->status.error),
			 "no redis.url is configured: alerts wait in the outbox");
	if (error) {
		publisher_destroy(publisher);
		return error;
	}
	*ret_publisher = publisher;
	return 0;
}

uint64_t publisher_acknowledged(const struct publisher *publisher)
{
	/* Orders: what EXEC has answered for, before the store's deletion. Partner: acknowledge().
	 * Without it the store could forget a row that Redis has not been told. */
	return weir_load_acquire_64(&publisher->acknowledged);
}

void publisher_status(struct publisher *publisher, struct publisher_status *ret_status)
{
	pthread_mutex_lock(&publisher->lock);
	*ret_status = publisher->status;
	pthread_mutex_unlock(&publisher->lock);
}

void publisher_destroy(struct publisher *publisher)
{
	if (!publisher)
		return;
	if (publisher->redis)
		redisFree(publisher->redis);
	store_reader_close(publisher->reader);
	pthread_mutex_destroy(&publisher->lock);
	free(publisher->store_path);
	free(publisher->environment);
	free(publisher->user);
	free(publisher->password_file);
	free(publisher->host);
	free(publisher->unix_path);
	free(publisher);
}
