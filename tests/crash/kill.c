/*
 * kill: kill -9 of a real engine under load, many times; then every promise is counted.
 *
 *   kill WEIRD WEIRCTL BACKEND KILLS [SEED]
 *
 * Producers are processes of their own, each with one ring and one event-clock source. The value
 * of an event is its number, so that a hole, a double or a torn event shows as what it is. Every
 * so often a producer leaves a hole in its traffic, so that alerts are raised all the time. The
 * driver starts the engine, waits until it writes, kills it at a random moment, starts it again.
 *
 * At the end: each producer's events are in the log exactly once, its ledger is exact, `weirctl
 * verify` agrees, the stored revisions are those of a replay of the log (none missing, none under
 * two ids), and Redis, when it is installed, has received all of them in order.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "deliver/payload.h"
#include "deliver/store.h"
#include "log/reader.h"
#include "replay.h"
#include "weir/weir.h"

#define PRODUCERS 3
#define INTERVAL_MS 1000u
#define EVENTS_OF_INTERVAL 2000u
#define START_MS UINT64_C(1767225600000)

struct shared {
	uint32_t stop;
	struct {
		uint64_t emitted; /* events whose emit has returned 0 */
		uint64_t attempted, published, dropped, persisted, rejected, lost;
		int error;
	} producers[PRODUCERS];
};

struct driver {
	const char *weird, *weirctl, *backend;
	unsigned kills;
	uint64_t random;
	char directory[64], config[96], socket[96], control[96], data[96];
	pid_t engine;
	pid_t redis;
	pid_t producers[PRODUCERS];
	struct shared *shared;
	unsigned in_flight; /* kills that found blocks on their way to the disk */
	int failed;
};

static void expect(struct driver *driver, bool condition, const char *what)
{
	if (!condition) {
		printf("FAILED: %s\n", what);
		driver->failed++;
	}
}

static void sleep_us(uint64_t us)
{
	struct timespec pause = {.tv_sec = (time_t)(us / 1000000),
				 .tv_nsec = (long)(us % 1000000) * 1000};
	nanosleep(&pause, NULL);
}

static uint64_t draw(struct driver *driver)
{
	uint64_t z = driver->random += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* One producer: events in order, a few hundred thousand a second, with holes in its traffic. */
static void produce(const struct driver *driver, int number)
{
	struct shared *shared = driver->shared;
	char source[16];
	char name[16];
	struct weir_options options = {
		.size = sizeof(options),
		.socket_path = driver->socket,
		.source = source,
		.event_clock = 1,
		.ring_events = 16384,
		.full_wait_us = 2000000,
	};
	weir *w;

	snprintf(source, sizeof(source), "producer%d", number);
	snprintf(name, sizeof(name), "number_%d", number);
	if (weir_open(&options, &w) < 0)
		_exit(1);
	int series = weir_series(w, name, WEIR_VALUE, WEIR_KIND_NUMBER, NULL, 0);
	uint64_t n = 0;
	for (uint64_t slot = 0; !__atomic_load_n(&shared->stop, __ATOMIC_RELAXED); slot++) {
		uint64_t interval = slot / EVENTS_OF_INTERVAL;
		if (interval % 97 >= 90)
			continue;
		uint64_t time_ms = START_MS + slot * INTERVAL_MS / EVENTS_OF_INTERVAL;
		int error;
		while ((error = weir_emit_at(w, series, (double)n, time_ms)) == -EAGAIN)
			if (__atomic_load_n(&shared->stop, __ATOMIC_RELAXED))
				break;
		if (error == 0)
			n++;
		if (slot % 512 == 0)
			sleep_us(100);
	}
	for (int i = 0; i < 300; i++) {
		struct weir_ledger ledger;
		weir_poll(w);
		weir_ledger(w, &ledger);
		if (ledger.persisted + ledger.rejected + ledger.lost == ledger.published)
			break;
		sleep_us(50000);
	}
	struct weir_ledger ledger;
	weir_ledger(w, &ledger);
	shared->producers[number].emitted = n;
	shared->producers[number].attempted = ledger.attempted;
	shared->producers[number].published = ledger.published;
	shared->producers[number].dropped = ledger.dropped;
	shared->producers[number].persisted = ledger.persisted;
	shared->producers[number].rejected = ledger.rejected;
	shared->producers[number].lost = ledger.lost;
	weir_close(w, 20000);
	_exit(0);
}

static pid_t spawn(char *const argv[], const char *output)
{
	pid_t pid = fork();

	if (pid == 0) {
		int fd = open(output, O_WRONLY | O_CREAT | O_APPEND, 0600);
		if (fd >= 0) {
			dup2(fd, 1);
			dup2(fd, 2);
		}
		execvp(argv[0], argv);
		_exit(127);
	}
	return pid;
}

static void write_config(struct driver *driver, bool redis)
{
	FILE *file = fopen(driver->config, "w");

	if (!file)
		exit(1);
	fprintf(file,
		"data_directory: %s\nsocket: %s\ncontrol_socket: %s\nlanes: 2\nshards: 2\n"
		"interval: 1s\nlateness: {event: 1s}\ncheckpoint_intervals: 60\n"
		"limits: {series_max: 4096}\n"
		"log: {io: %s, durability: interval, sync_interval: 5ms, segment_bytes: 4MiB, "
		"block_bytes: 64KiB}\n",
		driver->data, driver->socket, driver->control, driver->backend);
	if (redis)
		fprintf(file, "redis: {url: \"unix://%s/redis.sock\"}\n", driver->directory);
	fprintf(file, "metrics:\n");
	for (int i = 0; i < PRODUCERS; i++)
		fprintf(file, "  - {name: count_%d, event: number_%d, agg: count}\n", i, i);
	fprintf(file, "detectors:\n");
	for (int i = 0; i < PRODUCERS; i++)
		fprintf(file,
			"  - {name: window_%d, metric: count_%d, kind: window, window: 40, k: 4, "
			"severity: 30, for: 1, recover: 1}\n",
			i, i);
	fclose(file);
}

static int ask(struct driver *driver, char *answer, size_t bytes)
{
	static const char request[] = "{\"command\":\"status\"}\n";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = 2};
	size_t got = 0;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", driver->control);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0) {
		close(fd);
		return -1;
	}
	while (got < bytes - 1) {
		ssize_t n = recv(fd, answer + got, bytes - 1 - got, 0);
		if (n <= 0)
			break;
		got += (size_t)n;
		if (answer[got - 1] == '\n')
			break;
	}
	answer[got] = '\0';
	close(fd);
	return got ? 0 : -1;
}

/* The greatest number that any lane shows under this name. */
static uint64_t shown(const char *answer, const char *name)
{
	uint64_t most = 0;
	char key[64];

	snprintf(key, sizeof(key), "\"%s\":", name);
	for (const char *at = strstr(answer, key); at; at = strstr(at + 1, key)) {
		uint64_t value = strtoull(at + strlen(key), NULL, 10);
		most = value > most ? value : most;
	}
	return most;
}

static bool start_engine(struct driver *driver)
{
	char output[160];
	char answer[65536];

	snprintf(output, sizeof(output), "%s/weird.log", driver->directory);
	char *argv[] = {(char *)driver->weird, "--config", driver->config, NULL};
	driver->engine = spawn(argv, output);
	for (int i = 0; i < 2000; i++) {
		if (ask(driver, answer, sizeof(answer)) == 0)
			return true;
		int status;
		if (waitpid(driver->engine, &status, WNOHANG) == driver->engine)
			break;
		sleep_us(10000);
	}
	printf("FAILED: the engine does not start; see %s\n", output);
	return false;
}

static bool kill_one(struct driver *driver)
{
	char answer[65536];
	int status;

	/* Wait until this engine has taken events, then a random while. */
	for (int i = 0; i < 1000; i++) {
		if (ask(driver, answer, sizeof(answer)) == 0 &&
		    shown(answer, "events_persisted") > 0)
			break;
		sleep_us(2000);
	}
	sleep_us(draw(driver) % 60000);
	/* Two kills of three wait for a moment at which blocks are on their way to the disk: given
	 * to it, and not yet known to be there. */
	for (int i = 0; i < 500 && draw(driver) % 1500; i++) {
		if (ask(driver, answer, sizeof(answer)) == 0 && shown(answer, "unsynced") > 0) {
			driver->in_flight++;
			break;
		}
	}
	kill(driver->engine, SIGKILL);
	waitpid(driver->engine, &status, 0);
	return start_engine(driver);
}

struct numbers {
	uint64_t next[PRODUCERS];
	uint32_t ids[PRODUCERS];
	uint64_t holes, doubles;
};

static void note_series(struct numbers *numbers, const struct reader_block *block)
{
	const uint8_t *at = block->payload;
	uint32_t left = block->header.payload_bytes;

	while (left >= 16) {
		uint32_t id;
		const struct weir_definition *definition = (const void *)(at + 8);
		memcpy(&id, at, sizeof(id));
		for (int i = 0; i < PRODUCERS; i++) {
			char name[16];
			int bytes = snprintf(name, sizeof(name), "number_%d", i);
			if (definition->event_bytes == bytes &&
			    memcmp(definition->text, name, (size_t)bytes) == 0)
				numbers->ids[i] = id;
		}
		at += 8 + definition->bytes;
		left -= 8 + definition->bytes;
	}
}

/* A ring may change lanes between engines, so both lanes are read by epoch. */
static void count_lane(struct numbers *numbers, struct io *io, uint32_t lane, uint8_t *seen[])
{
	struct reader *reader;
	struct reader_block block;
	char name[16];
	char why[256];

	snprintf(name, sizeof(name), "lane-%02u", lane);
	if (reader_open(io, name, (uint16_t)lane, 0, false, &reader, why, sizeof(why)) < 0)
		return;
	while (reader_next(reader, &block) > 0) {
		if (block.header.type == WEIR_BLOCK_SERIES)
			note_series(numbers, &block);
		if (block.header.type != WEIR_BLOCK_EVENTS)
			continue;
		for (uint32_t e = 0; e < block.header.count; e++)
			for (int i = 0; i < PRODUCERS; i++) {
				if (weir_event_series(block.events[e].word) != numbers->ids[i])
					continue;
				uint64_t n = (uint64_t)weir_bits_value(block.events[e].value);
				if (n >= numbers->next[i] || seen[i][n])
					numbers->doubles++;
				else
					seen[i][n] = 1;
			}
	}
	reader_close(reader);
}

static void check_events(struct driver *driver)
{
	struct numbers numbers = {0};
	struct io *io;
	uint8_t *seen[PRODUCERS];
	int fd = open(driver->data, O_RDONLY | O_DIRECTORY);
	uint64_t total = 0;

	if (fd < 0 || io_pwrite_create(fd, 1, &io) < 0)
		exit(1);
	for (int i = 0; i < PRODUCERS; i++) {
		numbers.next[i] = driver->shared->producers[i].emitted;
		seen[i] = calloc(numbers.next[i] + 1, 1);
		total += numbers.next[i];
	}
	for (uint32_t lane = 0; lane < 4; lane++)
		count_lane(&numbers, io, lane, seen);
	for (int i = 0; i < PRODUCERS; i++) {
		for (uint64_t n = 0; n < numbers.next[i]; n++)
			numbers.holes += !seen[i][n];
		free(seen[i]);
	}
	printf("%llu events published, %llu missing, %llu twice or never published\n",
	       (unsigned long long)total, (unsigned long long)numbers.holes,
	       (unsigned long long)numbers.doubles);
	expect(driver, total > 0 && numbers.holes == 0, "every published event is in the log");
	expect(driver, numbers.doubles == 0, "no event is in the log twice");
	io->ops->destroy(io);
	close(fd);
	for (int i = 0; i < PRODUCERS; i++) {
		uint64_t attempted = driver->shared->producers[i].attempted;
		uint64_t published = driver->shared->producers[i].published;
		expect(driver, attempted == published + driver->shared->producers[i].dropped,
		       "attempted = published + dropped");
		expect(driver, published == driver->shared->producers[i].emitted,
		       "published = what emit said yes to");
		expect(driver, published == driver->shared->producers[i].persisted,
		       "published = persisted");
	}
}

struct lines {
	char **lines;
	uint32_t count;
};

static void lines_free(struct lines *lines)
{
	for (uint32_t i = 0; i < lines->count; i++)
		free(lines->lines[i]);
	free(lines->lines);
}

static int add_line(void *self, const struct anomaly *anomaly)
{
	struct lines *lines = self;

	lines->lines = realloc(lines->lines, (lines->count + 1) * sizeof(char *));
	lines->lines[lines->count++] = payload_json(anomaly, "prod");
	return 0;
}

static void add_revision(void *self, uint64_t sequence, const struct anomaly *anomaly)
{
	(void)sequence;
	add_line(self, anomaly);
}

/* Every id:revision that Redis holds in its stream, in order, must be the stored ones: at least
 * once, in order of their first arrival. */
static void check_redis(struct driver *driver, const struct lines *stored)
{
	char command[512];
	char line[65536];
	uint32_t at = 0, entries = 0;

	if (driver->redis <= 0) {
		printf("skipped: redis-server is not installed, no alert was delivered\n");
		return;
	}
	snprintf(command, sizeof(command),
		 "redis-cli -s %s/redis.sock XRANGE weir:prod:anomalies - + | grep specversion",
		 driver->directory);
	FILE *stream = popen(command, "r");
	while (stream && fgets(line, sizeof(line), stream)) {
		line[strcspn(line, "\n")] = '\0';
		entries++;
		if (at < stored->count && strcmp(line, stored->lines[at]) == 0) {
			at++;
			continue;
		}
		bool again = false;
		for (uint32_t i = 0; i < at && !again; i++)
			again = strcmp(line, stored->lines[i]) == 0;
		expect(driver, again, "Redis holds only stored revisions, in order");
	}
	if (stream)
		pclose(stream);
	printf("%u revisions stored, %u in the Redis stream\n", stored->count, entries);
	expect(driver, at == stored->count, "no alert is missing in Redis");
}

static void check_alerts(struct driver *driver)
{
	struct lines stored = {0}, replayed = {0};
	struct store_query query = {.limit = 1u << 30, .revisions = true};
	struct store_reader *reader;
	struct replay replay;
	char path[160];
	int fd = open(driver->data, O_RDONLY | O_DIRECTORY);
	struct replay_options options = {
		.shards = 1,
		.series_max = 4096,
		.start = REPLAY_OLDEST,
		.each = add_revision,
		.self = &replayed,
	};

	snprintf(path, sizeof(path), "%s/weir.db", driver->data);
	if (fd < 0 || io_pwrite_create(fd, 1, &options.io) < 0 ||
	    store_reader_open(path, &reader) < 0)
		exit(1);
	store_anomalies(reader, &query, add_line, &stored);
	store_reader_close(reader);
	expect(driver, replay_run(&options, &replay) == 0, "the log replays");
	if (replay.why[0])
		printf("%s\n", replay.why);
	printf("%u epochs, %llu closes, %u revisions live, %u replayed\n", replay.epoch,
	       (unsigned long long)replay.sequence, stored.count, replayed.count);
	replay_fini(&replay);
	options.io->ops->destroy(options.io);
	close(fd);
	expect(driver, stored.count > 0, "alerts were raised");
	bool same = stored.count == replayed.count;
	for (uint32_t i = 0; same && i < stored.count; i++)
		same = strcmp(stored.lines[i], replayed.lines[i]) == 0;
	expect(driver, same, "the live alerts are those of a replay: none missing, none twice");
	check_redis(driver, &stored);
	lines_free(&stored);
	lines_free(&replayed);
}

static void start_redis(struct driver *driver)
{
	char path[160], output[160];

	snprintf(path, sizeof(path), "%s/redis.sock", driver->directory);
	snprintf(output, sizeof(output), "%s/redis.log", driver->directory);
	char *argv[] = {"redis-server", "--port", "0",  "--unixsocket", path,
			"--save",       "",       "--dir", driver->directory, NULL};
	driver->redis = spawn(argv, output);
	for (int i = 0; i < 100 && access(path, F_OK) != 0; i++)
		sleep_us(20000);
	if (access(path, F_OK) != 0) {
		waitpid(driver->redis, NULL, 0);
		driver->redis = 0;
	}
}

static void verify(struct driver *driver)
{
	char command[512];

	snprintf(command, sizeof(command), "%s verify %s --json --refuse-late", driver->weirctl,
		 driver->data);
	expect(driver, system(command) == 0, "weirctl verify finds nothing wrong");
}

static void wait_published(struct driver *driver)
{
	char answer[65536];

	int quiet = 0;

	/* Closes come in steps, and are stored within a second: what is quiet for two is over. */
	for (int i = 0; i < 600 && quiet < 20; i++) {
		bool over = ask(driver, answer, sizeof(answer)) == 0 &&
			    shown(answer, "outbox") == 0 && shown(answer, "producers") == 0;
		quiet = over ? quiet + 1 : 0;
		sleep_us(100000);
	}
}

int main(int argc, char **argv)
{
	struct driver driver = {0};

	if (argc < 5) {
		fprintf(stderr, "usage: kill WEIRD WEIRCTL BACKEND KILLS [SEED]\n");
		return 2;
	}
	driver.weird = argv[1];
	driver.weirctl = argv[2];
	driver.backend = argv[3];
	driver.kills = (unsigned)atoi(argv[4]);
	driver.random = argc > 5 ? strtoull(argv[5], NULL, 10) : 1;
	snprintf(driver.directory, sizeof(driver.directory), "%s", "/var/tmp/weir-kill-XXXXXX");
	if (!mkdtemp(driver.directory))
		return 1;
	snprintf(driver.config, sizeof(driver.config), "%s/weir.yaml", driver.directory);
	snprintf(driver.socket, sizeof(driver.socket), "%s/weir.sock", driver.directory);
	snprintf(driver.control, sizeof(driver.control), "%s/control.sock", driver.directory);
	snprintf(driver.data, sizeof(driver.data), "%s/data", driver.directory);
	driver.shared = mmap(NULL, sizeof(*driver.shared), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	start_redis(&driver);
	write_config(&driver, driver.redis > 0);
	for (int i = 0; i < PRODUCERS; i++) {
		driver.producers[i] = fork();
		if (driver.producers[i] == 0)
			produce(&driver, i);
	}
	bool running = start_engine(&driver);
	for (unsigned k = 0; running && k < driver.kills; k++)
		running = kill_one(&driver);
	__atomic_store_n(&driver.shared->stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < PRODUCERS; i++)
		waitpid(driver.producers[i], NULL, 0);
	if (running) {
		wait_published(&driver);
		kill(driver.engine, SIGTERM);
		int status = 0;
		waitpid(driver.engine, &status, 0);
		expect(&driver, WIFEXITED(status) && WEXITSTATUS(status) == 0,
		       "the engine stops cleanly");
		printf("%u kills over %s, %u with blocks on their way to the disk\n", driver.kills,
		       driver.backend, driver.in_flight);
		expect(&driver, 2 * driver.in_flight >= driver.kills,
		       "at least half the kills found blocks on their way to the disk");
		check_events(&driver);
		check_alerts(&driver);
		verify(&driver);
	}
	if (driver.redis > 0) {
		kill(driver.redis, SIGTERM);
		waitpid(driver.redis, NULL, 0);
	}
	if (!running || driver.failed) {
		printf("left for you: %s\n1 passed, %d failed\n", driver.directory,
		       driver.failed + !running);
		return 1;
	}
	char command[128];
	snprintf(command, sizeof(command), "rm -rf %s", driver.directory);
	return system(command) ? 1 : 0;
}
