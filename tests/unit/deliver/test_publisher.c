/*
 * test_publisher: a real redis-server gets every revision, in order, whatever happens to it.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "deliver/payload.h"
#include "deliver/publisher.h"
#include "deliver/store.h"
#include "redis_server.h"
#include "sample.h"

/* A store with rows, a publisher on it, and a clock that the test moves. */
struct bench {
	struct redis_server server;
	char store_path[96], password_path[96];
	struct store *store;
	struct publisher *publisher;
	uint64_t now_ns, sequence;
};

static void bench_init(struct bench *bench)
{
	signal(SIGPIPE, SIG_IGN); /* as weird's main does */
	memset(bench, 0, sizeof(*bench));
	strcpy(bench->server.directory, sample_directory());
	snprintf(bench->store_path, sizeof(bench->store_path), "%s/weir.db",
		 bench->server.directory);
	snprintf(bench->password_path, sizeof(bench->password_path), "%s/password",
		 bench->server.directory);
	char why[256] = "";
	cr_assert_eq(store_open(bench->store_path, &bench->store, why, sizeof(why)), 0, "%s", why);
	bench->now_ns = 1000000000;
}

static void bench_publisher(struct bench *bench, struct publisher_options options)
{
	char why[256] = "";
	options.store_path = bench->store_path;
	options.environment = "prod";
	options.random_seed = 42;
	cr_assert_eq(publisher_create(&options, &bench->publisher, why, sizeof(why)), 0, "%s", why);
}

static void bench_fini(struct bench *bench)
{
	publisher_destroy(bench->publisher);
	store_close(bench->store);
	if (bench->server.pid)
		redis_server_kill(&bench->server);
	sample_remove(bench->server.directory);
}

/* Revisions 1..count of one anomaly each, ids from bench->sequence on. */
static void bench_raise(struct bench *bench, uint32_t count)
{
	struct anomaly anomaly;
	sample_anomaly(&anomaly);
	cr_assert_eq(store_begin(bench->store), 0);
	for (uint32_t i = 0; i < count; i++) {
		anomaly.id[0] = ++bench->sequence;
		cr_assert_eq(store_add(bench->store, bench->sequence, &anomaly), 0);
	}
	cr_assert_eq(store_commit(bench->store, bench->sequence), 0);
}

/* One step, 6 s later: past every backoff. */
static int bench_step(struct bench *bench)
{
	bench->now_ns += 6000000000;
	return publisher_step(bench->publisher, bench->now_ns);
}

static struct publisher_status bench_status(struct bench *bench)
{
	struct publisher_status status;
	publisher_status(bench->publisher, &status);
	return status;
}

static void bench_drain(struct bench *bench)
{
	for (int i = 0; i < 200 && publisher_acknowledged(bench->publisher) < bench->sequence; i++)
		bench_step(bench);
	cr_assert_eq(publisher_acknowledged(bench->publisher), bench->sequence, "%s",
		     bench_status(bench).error);
}

static uint64_t real_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static redisReply *ask(redisContext *redis, const char *command)
{
	redisReply *reply = redisCommand(redis, command);
	cr_assert(reply, "%s: %s", command, redis->errstr);
	return reply;
}

/* Value of a field in a flat list of names and values. */
static const char *field(const redisReply *list, const char *name)
{
	for (size_t i = 0; i + 1 < list->elements; i += 2)
		if (strcmp(list->element[i]->str, name) == 0)
			return list->element[i + 1]->str;
	return "";
}

/* The stream holds ids 1..count, each for the first time in order; repeats are allowed. */
static size_t expect_stream(struct bench *bench, uint64_t count)
{
	redisContext *redis = redis_server_connect(&bench->server);
	redisReply *stream = ask(redis, "XRANGE weir:prod:anomalies - +");
	uint64_t next = 1;
	for (size_t i = 0; i < stream->elements; i++) {
		const char *id = field(stream->element[i]->element[1], "id");
		char text[33];
		anomaly_id_text((uint64_t[2]){next, UINT64_C(0xfedcba9876543210)}, text);
		if (strcmp(id, text) == 0)
			next++;
		else
			cr_assert_lt(strcmp(id, text), 0, "%s came before %s", id, text);
	}
	cr_assert_eq(next - 1, count, "%lu of %lu ids in the stream", next - 1, count);
	size_t elements = stream->elements;
	freeReplyObject(stream);
	redisFree(redis);
	return elements;
}

static void expect_message(redisContext *redis, const char *kind, const char *channel,
			   const char *payload)
{
	redisReply *reply;
	cr_assert_eq(redisGetReply(redis, (void **)&reply), REDIS_OK, "%s", redis->errstr);
	cr_assert_str_eq(reply->element[0]->str, kind);
	cr_assert_str_eq(reply->element[reply->elements - 2]->str, channel);
	if (payload)
		cr_assert_str_eq(reply->element[reply->elements - 1]->str, payload);
	freeReplyObject(reply);
}

static void expect_error(struct bench *bench, const char *words)
{
	struct publisher_status status = bench_status(bench);
	cr_assert(strstr(status.error, words), "\"%s\" lacks \"%s\"", status.error, words);
	cr_assert_eq(status.connected, 0);
}

Test(publisher, tells_subscribers_the_stream_the_hash_and_the_open_set)
{
	REDIS_OR_SKIP();
	struct bench bench;
	struct anomaly anomaly;
	bench_init(&bench);
	redis_server_start(&bench.server, "");
	bench_publisher(&bench,
			(struct publisher_options){.url = bench.server.url, .stream_max = 1000});
	redisContext *subscriber = redis_server_connect(&bench.server);
	redisAppendCommand(subscriber, "SUBSCRIBE weir.prod.anomaly");
	redisAppendCommand(subscriber, "PSUBSCRIBE weir.prod.anomaly.critical.*");
	redisReply *reply;
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(redisGetReply(subscriber, (void **)&reply), REDIS_OK);
		freeReplyObject(reply);
	}
	sample_anomaly(&anomaly);
	store_begin(bench.store);
	store_add(bench.store, 1, &anomaly);
	store_commit(bench.store, 1);
	cr_assert_eq(bench_step(&bench), 2, "connected, and told one");
	cr_assert_eq(bench_status(&bench).connected, 1);
	cr_assert_eq(bench_status(&bench).published, 1);

	char *payload = payload_json(&anomaly, "prod");
	expect_message(subscriber, "message", "weir.prod.anomaly", payload);
	expect_message(subscriber, "pmessage", "weir.prod.anomaly.critical.orders", payload);
	redisContext *redis = redis_server_connect(&bench.server);
	reply = ask(redis, "XRANGE weir:prod:anomalies - +");
	cr_assert_eq(reply->elements, 1);
	redisReply *fields = reply->element[0]->element[1];
	cr_assert_str_eq(field(fields, "id"), "0123456789abcdeffedcba9876543210");
	cr_assert_str_eq(field(fields, "revision"), "1");
	cr_assert_str_eq(field(fields, "payload"), payload);
	freeReplyObject(reply);
	reply = ask(redis, "HGETALL weir:prod:anomaly:0123456789abcdeffedcba9876543210");
	cr_assert_str_eq(field(reply, "state"), "firing");
	cr_assert_str_eq(field(reply, "severity"), "81.2");
	cr_assert_str_eq(field(reply, "metric"), "orders");
	cr_assert_str_eq(field(reply, "slice"), "country=DE,device=mobile");
	cr_assert_str_eq(field(reply, "revision"), "1");
	cr_assert_str_eq(field(reply, "payload"), payload);
	freeReplyObject(reply);
	reply = ask(redis, "ZRANGE weir:prod:open 0 -1 WITHSCORES");
	cr_assert_eq(reply->elements, 2);
	cr_assert_str_eq(reply->element[1]->str, "81.200000000000003");
	freeReplyObject(reply);
	free(payload);

	anomaly.revision = 2;
	anomaly.state = ANOMALY_RESOLVED;
	anomaly.severity = 0.4;
	store_begin(bench.store);
	store_add(bench.store, 2, &anomaly);
	store_commit(bench.store, 2);
	cr_assert_eq(bench_step(&bench), 1);
	expect_message(subscriber, "message", "weir.prod.anomaly", NULL);
	expect_message(subscriber, "pmessage", "weir.prod.anomaly.critical.orders", NULL);
	reply = ask(redis, "EXISTS weir:prod:open");
	cr_assert_eq(reply->integer, 0, "resolved: no longer open");
	freeReplyObject(reply);
	cr_assert_eq(store_acknowledge(bench.store, publisher_acknowledged(bench.publisher)), 0);
	cr_assert_eq(store_outbox_rows(bench.store), 0);
	cr_assert_eq(bench_step(&bench), 0, "nothing left");
	redisFree(subscriber);
	redisFree(redis);
	bench_fini(&bench);
}

Test(publisher, sends_texts_as_they_are_and_a_severity_that_is_no_number_as_zero)
{
	REDIS_OR_SKIP();
	struct bench bench;
	struct anomaly anomaly;
	bench_init(&bench);
	redis_server_start(&bench.server, "");
	bench_publisher(&bench, (struct publisher_options){.url = bench.server.url});
	sample_anomaly(&anomaly);
	strcpy(anomaly.slice, "campaign=\"50 %s off\"\r\n$5\r\nhello");
	anomaly.severity = NAN;
	store_begin(bench.store);
	store_add(bench.store, 1, &anomaly);
	store_commit(bench.store, 1);
	cr_assert_eq(bench_step(&bench), 2, "%s", bench_status(&bench).error);
	redisContext *redis = redis_server_connect(&bench.server);
	redisReply *reply = ask(redis,
				"HGETALL weir:prod:anomaly:0123456789abcdeffedcba9876543210");
	cr_assert_str_eq(field(reply, "slice"), anomaly.slice);
	cr_assert_str_eq(field(reply, "severity"), "0.0");
	freeReplyObject(reply);
	redisFree(redis);
	bench_fini(&bench);
}

Test(publisher, keeps_the_stream_near_its_bound)
{
	REDIS_OR_SKIP();
	struct bench bench;
	bench_init(&bench);
	redis_server_start(&bench.server, "");
	bench_publisher(&bench,
			(struct publisher_options){.url = bench.server.url, .stream_max = 50});
	bench_raise(&bench, 600);
	bench_drain(&bench);
	redisContext *redis = redis_server_connect(&bench.server);
	redisReply *reply = ask(redis, "XLEN weir:prod:anomalies");
	cr_assert(reply->integer >= 50 && reply->integer < 300, "%lld", reply->integer);
	freeReplyObject(reply);
	redisFree(redis);
	bench_fini(&bench);
}

Test(publisher, delivers_all_in_order_over_kills_of_redis, .timeout = 60)
{
	REDIS_OR_SKIP();
	static const char arguments[] = "--appendonly yes --appendfsync always";
	struct bench bench;
	uint64_t seed = 4711;
	bench_init(&bench);
	redis_server_start(&bench.server, arguments);
	bench_publisher(&bench, (struct publisher_options){.url = bench.server.url});
	for (int round = 0; round < 6; round++) {
		bench_raise(&bench, 100);
		/* Kill it some microseconds into the step, from another process. */
		pid_t killer = fork();
		if (killer == 0) {
			usleep((useconds_t)(sample_random(&seed) % 4000));
			kill(bench.server.pid, SIGKILL);
			_exit(0);
		}
		sample_random(&seed);
		bench_step(&bench);
		waitpid(killer, NULL, 0);
		waitpid(bench.server.pid, NULL, 0);
		bench_step(&bench);
		cr_assert_eq(bench_status(&bench).connected, 0);
		redis_server_start(&bench.server, arguments);
	}
	bench_drain(&bench);
	expect_stream(&bench, 600);
	cr_assert_gt(bench_status(&bench).reconnects, 0);
	cr_assert_str_eq(bench_status(&bench).error, "");
	bench_fini(&bench);
}

Test(publisher, returns_in_time_from_a_stopped_redis_and_catches_up)
{
	REDIS_OR_SKIP();
	struct bench bench;
	bench_init(&bench);
	redis_server_start(&bench.server, "");
	bench_publisher(&bench, (struct publisher_options){.url = bench.server.url});
	bench_raise(&bench, 3);
	bench_drain(&bench);
	kill(bench.server.pid, SIGSTOP);
	bench_raise(&bench, 100);
	for (int i = 0; i < 2; i++) { /* in a transaction, then while greeting */
		uint64_t start_ms = real_ms();
		cr_assert_eq(bench_step(&bench), 0);
		uint64_t took_ms = real_ms() - start_ms;
		cr_assert(took_ms >= 250 && took_ms < 650, "%lu ms", took_ms);
		expect_error(&bench, "no answer within 300 ms");
	}
	kill(bench.server.pid, SIGCONT);
	bench_drain(&bench);
	expect_stream(&bench, 103);
	bench_fini(&bench);
}

Test(publisher, sends_again_what_no_store_has_forgotten_and_only_that)
{
	REDIS_OR_SKIP();
	struct bench bench;
	bench_init(&bench);
	redis_server_start(&bench.server, "");
	bench_publisher(&bench, (struct publisher_options){.url = bench.server.url});
	bench_raise(&bench, 10);
	bench_drain(&bench);
	cr_assert_eq(store_acknowledge(bench.store, 6), 0);
	publisher_destroy(bench.publisher); /* the engine dies here */
	bench_publisher(&bench, (struct publisher_options){.url = bench.server.url});
	bench_drain(&bench);
	cr_assert_eq(expect_stream(&bench, 10), 14);
	bench_fini(&bench);
}

static void write_password(struct bench *bench, const char *text)
{
	FILE *file = fopen(bench->password_path, "w");
	fputs(text, file);
	fclose(file);
}

Test(publisher, never_says_a_password_and_reads_it_at_each_connect)
{
	REDIS_OR_SKIP();
	struct bench bench;
	bench_init(&bench);
	redis_server_start(&bench.server,
			   "--requirepass opensesame --user weir on '>hunter2' '~weir:*' "
			   "'&weir.*' -@all +multi +exec +xadd +hset +expire +zadd +zrem +publish");
	bench_publisher(&bench, (struct publisher_options){.url = bench.server.url,
							   .user = "weir",
							   .password_file = bench.password_path});
	bench_raise(&bench, 5);
	cr_assert_eq(bench_step(&bench), 0);
	expect_error(&bench, "cannot read password_file");
	write_password(&bench, "");
	cr_assert_eq(bench_step(&bench), 0);
	expect_error(&bench, "it is empty");
	write_password(&bench, "hunter3\n");
	cr_assert_eq(bench_step(&bench), 0);
	expect_error(&bench, "AUTH as weir refused (WRONGPASS)");
	cr_assert(!strstr(bench_status(&bench).error, "hunter"));
	write_password(&bench, "hunter2\n");
	/* A user that may only do what is needed, not even PING. */
	cr_assert_eq(bench_step(&bench), 6, "%s", bench_status(&bench).error);
	cr_assert_str_eq(bench_status(&bench).error, "");
	bench_fini(&bench);
}

Test(publisher, says_to_set_a_password_when_redis_wants_one)
{
	REDIS_OR_SKIP();
	struct bench bench;
	bench_init(&bench);
	redis_server_start(&bench.server, "--requirepass opensesame");
	bench_publisher(&bench, (struct publisher_options){.url = bench.server.url});
	bench_step(&bench);
	expect_error(&bench, "Set redis.password_file");
	bench_fini(&bench);
}

Test(publisher, does_not_repeat_what_a_server_without_AUTH_quotes)
{
	REDIS_OR_SKIP();
	struct bench bench;
	bench_init(&bench);
	redis_server_start(&bench.server, "--rename-command AUTH ''");
	write_password(&bench, "hunter2");
	bench_publisher(&bench, (struct publisher_options){.url = bench.server.url,
							   .password_file = bench.password_path});
	bench_step(&bench);
	expect_error(&bench, "AUTH as default refused (ERR)");
	cr_assert(!strstr(bench_status(&bench).error, "hunter"));
	bench_fini(&bench);
}

/* Redis refuses for a while, and says why in the status; then all is delivered. */
static void refuse_for_a_while(const char *break_it, const char *words, const char *mend_it)
{
	struct bench bench;
	bench_init(&bench);
	redis_server_start(&bench.server, "");
	redisContext *redis = redis_server_connect(&bench.server);
	freeReplyObject(ask(redis, break_it));
	bench_publisher(&bench, (struct publisher_options){.url = bench.server.url});
	bench_raise(&bench, 5);
	for (int i = 0; i < 3; i++) {
		bench_step(&bench);
		expect_error(&bench, words);
		cr_assert_eq(publisher_acknowledged(bench.publisher), 0);
	}
	cr_assert_eq(bench_status(&bench).errors, 3);
	freeReplyObject(ask(redis, mend_it));
	bench_drain(&bench);
	cr_assert_str_eq(bench_status(&bench).error, "");
	expect_stream(&bench, 5);
	redisFree(redis);
	bench_fini(&bench);
}

Test(publisher, waits_while_redis_is_out_of_memory)
{
	REDIS_OR_SKIP();
	refuse_for_a_while("CONFIG SET maxmemory 1", "OOM", "CONFIG SET maxmemory 0");
}

Test(publisher, waits_while_redis_is_a_read_only_replica)
{
	REDIS_OR_SKIP();
	refuse_for_a_while("REPLICAOF 127.0.0.1 1", "READONLY", "REPLICAOF NO ONE");
}

Test(publisher, waits_while_a_key_is_of_another_type)
{
	REDIS_OR_SKIP();
	refuse_for_a_while("SET weir:prod:open 1", "WRONGTYPE", "DEL weir:prod:open");
}

Test(publisher, backs_off_from_a_tenth_of_a_second_to_five)
{
	struct bench bench;
	bench_init(&bench);
	bench_publisher(&bench, (struct publisher_options){.url = "unix:///tmp/weir-none.sock"});
	uint64_t attempts = 0, last_ms = 0, gap_ms[64];
	for (uint64_t ms = 0; ms < 60000; ms += 10) {
		publisher_step(bench.publisher, ms * 1000000);
		if (bench_status(&bench).errors == attempts)
			continue;
		gap_ms[attempts] = ms - last_ms;
		last_ms = ms;
		cr_assert_lt(++attempts, 64);
	}
	cr_assert(gap_ms[1] >= 50 && gap_ms[1] <= 110, "%lu", gap_ms[1]);
	for (uint64_t i = 7; i < attempts; i++)
		cr_assert(gap_ms[i] >= 2500 && gap_ms[i] <= 5010, "%lu", gap_ms[i]);
	cr_assert_geq(attempts, 15);
	expect_error(&bench, "cannot connect to /tmp/weir-none.sock");
	bench_fini(&bench);
}

/* A server that is none: sends `text` over and over, a byte each `pause_ms`. */
struct impostor {
	int fd;
	const char *text;
	int pause_ms;
	uint32_t stop;
};

static void *impostor_main(void *argument)
{
	struct impostor *impostor = argument;
	int client = accept(impostor->fd, NULL, NULL);
	for (size_t i = 0; !__atomic_load_n(&impostor->stop, __ATOMIC_ACQUIRE); i++) {
		if (send(client, &impostor->text[i % strlen(impostor->text)], 1, MSG_NOSIGNAL) < 0)
			break;
		usleep((useconds_t)impostor->pause_ms * 1000);
	}
	close(client);
	return NULL;
}

static void meet_impostor(const char *text, int pause_ms, const char *words)
{
	struct bench bench;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct impostor impostor = {.text = text, .pause_ms = pause_ms};
	pthread_t thread;
	char url[128];
	bench_init(&bench);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/fake", bench.server.directory);
	snprintf(url, sizeof(url), "unix://%s", address.sun_path);
	impostor.fd = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(bind(impostor.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	listen(impostor.fd, 1);
	pthread_create(&thread, NULL, impostor_main, &impostor);
	bench_publisher(&bench, (struct publisher_options){.url = url});
	bench_raise(&bench, 2);
	uint64_t start_ms = real_ms();
	for (int i = 0; i < 2 && !bench_status(&bench).errors; i++)
		bench_step(&bench);
	cr_assert_lt(real_ms() - start_ms, 900);
	expect_error(&bench, words);
	cr_assert_eq(publisher_acknowledged(bench.publisher), 0);
	__atomic_store_n(&impostor.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	close(impostor.fd);
	bench_fini(&bench);
}

Test(publisher, does_not_wait_for_a_server_that_sends_a_byte_now_and_then)
{
	meet_impostor("$100\r\nxxxxxxxxxxxxxxxx", 50, "no answer within 300 ms");
}

Test(publisher, hangs_up_on_a_server_that_talks_nonsense)
{
	meet_impostor("HTTP/1.0 400 Bad Request\r\n", 0, "redis: ");
}

Test(publisher, does_not_believe_answers_to_what_it_did_not_ask)
{
	meet_impostor("+OK\r\n", 0, "redis");
}

Test(publisher, says_that_none_is_configured)
{
	struct bench bench;
	bench_init(&bench);
	bench_publisher(&bench, (struct publisher_options){.url = NULL});
	bench_raise(&bench, 1);
	cr_assert_eq(bench_step(&bench), 0);
	cr_assert_eq(bench_status(&bench).errors, 0);
	expect_error(&bench, "no redis.url is configured");
	bench_fini(&bench);
}

Test(publisher, waits_for_a_store_that_is_not_there_yet)
{
	REDIS_OR_SKIP();
	struct bench bench;
	bench_init(&bench);
	redis_server_start(&bench.server, "");
	char path[96];
	snprintf(path, sizeof(path), "%s/later.db", bench.server.directory);
	strcpy(bench.store_path, path);
	bench_publisher(&bench, (struct publisher_options){.url = bench.server.url});
	cr_assert_eq(bench_step(&bench), 0);
	expect_error(&bench, "cannot open the store");
	store_close(bench.store);
	char why[256];
	cr_assert_eq(store_open(path, &bench.store, why, sizeof(why)), 0);
	bench_raise(&bench, 3);
	bench_drain(&bench);
	bench_fini(&bench);
}

#define LONG "0123456789012345678901234567890123456789"

Test(publisher, takes_two_forms_of_url_and_refuses_others_without_repeating_them)
{
	static const char *const good[] = {"unix:///run/redis.sock", "redis://localhost",
					   "redis://localhost:6379", "redis://[::1]:6379",
					   "redis://10.0.0.1:1/",    "redis://[::1]"};
	static const char *const bad[] = {"",
					  "http://localhost",
					  "unix://relative",
					  "redis://",
					  "redis://:6379",
					  "redis://host:",
					  "redis://host:0",
					  "redis://host:65536",
					  "redis://host:6379x",
					  "redis://host:6379/1",
					  "redis://host:-1",
					  "redis://user:secret@host:6379",
					  "redis://[::1",
					  "unix:///tmp/" LONG LONG LONG};
	struct publisher_options options = {.store_path = "none", .environment = "prod"};
	struct publisher *publisher;
	char why[256] = "";
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		options.url = good[i];
		cr_assert_eq(publisher_create(&options, &publisher, why, sizeof(why)), 0, "%s: %s",
			     good[i], why);
		publisher_destroy(publisher);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		options.url = bad[i];
		cr_assert_eq(publisher_create(&options, &publisher, why, sizeof(why)), -EINVAL,
			     "%s", bad[i]);
		cr_assert(strstr(why, "write unix:///") && !strstr(why, "secret"), "%s", why);
	}
}
