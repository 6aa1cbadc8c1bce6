/*
 * outage: Redis is away, in every way that it can be, while alerts are raised; none is lost.
 *
 *   outage WEIRD WEIRCTL OUTAGES [SEED]
 *
 * Idea:  a real weird and a real redis-server, and between them a network that is as bad as it is
 *        told to be (proxy.h). An application whose clock is its events' makes time cheap: a
 *        second of the test is hours of alerts. An outage begins at a random moment while they
 *        are raised; meanwhile every event must be taken and every alert stored, with the engine
 *        killed in some; then Redis is well again, sometimes until all has been said, sometimes
 *        not.
 *
 * At the end Redis' stream holds every revision that the store says was published, byte for byte
 * and in order; what came twice has one body; a subscriber heard nothing else; the log is whole,
 * and a replay of it gives the same alerts; and the password is in no file, answer or argument.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "heard.h"
#include "proxy.h"
#include "server.h"
#include "support/process.h"
#include "support/proof.h"
#include "support/random.h"
#include "weir/weir.h"

#define START_MS UINT64_C(1767225600000)
#define INTERVAL_MS 1000u
#define COUNTRIES 4
/* Events of a country in an ordinary interval; in three of SPELL there are more. */
#define PER_INTERVAL 6u
#define MORE 12u
#define SPELL 20u
/* The youngest intervals wait for their lateness. */
#define LATE 3u
/* Intervals before an outage, and in one. */
#define BEFORE 60u
#define DURING 100u
/* Whatever must happen happens within this, on a slow machine too. */
#define PATIENCE_MS 120000u
#define PAUSE_MS 2u

struct driver {
	const char *weird, *weirctl;
	char directory[64], config[96], socket[96], control[96], data[96];
	pid_t engine;
	struct server server;
	struct proxy *proxy;
	struct subscriber subscriber;
	weir *client;
	int series[COUNTRIES];
	uint64_t interval; /* next one to be written */
	char answer[65536];
	FILE *answers; /* everything that the engine has answered */
	int64_t errors; /* of Redis, that this engine had seen when the outage began */
	unsigned kills, restarts_in_outage, stalls, violations;
	unsigned resident_kib; /* most that the engine has used */
};

static void expect_that(struct driver *driver, bool condition, const char *what)
{
	if (!condition) {
		printf("FAILED: %s\n", what);
		driver->violations++;
	}
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The engine. */

static void write_config(struct driver *driver)
{
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), "%s/password", driver->directory);
	file = fopen(path, "w");
	fprintf(file, "%s\n", SERVER_PASSWORD);
	fclose(file);
	chmod(path, 0600);
	file = fopen(driver->config, "w");
	fprintf(file,
		"data_directory: %s\nsocket: %s\ncontrol_socket: %s\nenvironment: outage\n"
		"lanes: 1\nshards: 1\ninterval: 1s\nlateness: {event: 1s}\n"
		"checkpoint_intervals: 200\nlimits: {series_max: 1024}\n"
		"log: {segment_bytes: 4MiB, block_bytes: 64KiB, sync_interval: 5ms}\n"
		"redis: {url: 'redis://127.0.0.1:%u', user: " SERVER_USER ", password_file: %s, "
		"stream_max: 1000000000}\n"
		"metrics:\n"
		"  - {name: views, event: page_view, agg: count, by: [country]}\n"
		"detectors:\n"
		"  - {name: many, metric: views, kind: rule, above: 9, cooldown: 0s}\n"
		"  - {name: more, metric: views, kind: rule, above: 30, for: 2, cooldown: 0s}\n",
		driver->data, driver->socket, driver->control, proxy_port(driver->proxy), path);
	fclose(file);
}

/* Its answer to a line; false: none. */
static bool ask(struct driver *driver, const char *line)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = 10};
	size_t got = 0;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", driver->control);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    send(fd, line, strlen(line), MSG_NOSIGNAL) > 0)
		while (got < sizeof(driver->answer) - 1) {
			ssize_t n = recv(fd, driver->answer + got,
					 sizeof(driver->answer) - 1 - got, 0);
			if (n <= 0)
				break;
			got += (size_t)n;
			if (driver->answer[got - 1] == '\n')
				break;
		}
	driver->answer[got] = '\0';
	close(fd);
	fputs(driver->answer, driver->answers);
	return got > 0;
}

/* A number of the last answer, of the group of that name; -1: it is not there. */
static int64_t shown(const struct driver *driver, const char *group, const char *name)
{
	char key[64];

	snprintf(key, sizeof(key), "\"%s\":{", group);
	const char *at = strstr(driver->answer, key);
	snprintf(key, sizeof(key), "\"%s\":", name);
	at = at ? strstr(at, key) : NULL;
	return at ? strtoll(at + strlen(key), NULL, 10) : -1;
}

/* All that was written is closed, but for what may still come late, and stored: whatever Redis
 * does. */
static bool stored(struct driver *driver)
{
	static const char name[] = "{\"name\":\"outage\"";
	static const char through[] = "\"closed_through_ms\":";

	if (driver->client)
		weir_poll(driver->client); /* it attaches again when it is asked to */
	if (!ask(driver, "{\"command\":\"status\"}\n"))
		return false;
	const char *source = strstr(driver->answer, name);
	const char *at = source ? strstr(source, through) : NULL;
	uint64_t until_ms = START_MS + (driver->interval - LATE) * INTERVAL_MS;
	return at && strtoull(at + strlen(through), NULL, 10) >= until_ms &&
	       shown(driver, "store", "closes") == shown(driver, "store", "stored_through");
}

static bool said(struct driver *driver)
{
	return stored(driver) && shown(driver, "store", "outbox") == 0;
}

/* Redis has answered wrongly, or not: the engine knows. */
static bool noticed(struct driver *driver)
{
	return ask(driver, "{\"command\":\"status\"}\n") &&
	       shown(driver, "redis", "errors") > driver->errors;
}

static bool wait_until(struct driver *driver, bool (*true_now)(struct driver *), const char *what)
{
	uint64_t until_ms = now_ms() + PATIENCE_MS;

	while (!true_now(driver)) {
		if (now_ms() > until_ms) {
			printf("FAILED: waited in vain until %s; the last answer: %.600s\n", what,
			       driver->answer);
			driver->violations++;
			return false;
		}
		usleep(PAUSE_MS * 1000);
	}
	return true;
}

static bool ready(struct driver *driver)
{
	return ask(driver, "{\"command\":\"status\"}\n") ||
	       waitpid(driver->engine, NULL, WNOHANG) == driver->engine;
}

static void check_arguments(struct driver *driver, const char *name)
{
	char path[64], text[16384];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)driver->engine, name);
	file = fopen(path, "r");
	size_t bytes = file ? fread(text, 1, sizeof(text), file) : 0;
	if (file)
		fclose(file);
	expect_that(driver, !memmem(text, bytes, SERVER_PASSWORD, strlen(SERVER_PASSWORD)),
		    "the password is not among arguments and environment");
}

static bool start_engine(struct driver *driver)
{
	char *argv[] = {(char *)driver->weird, "--config", driver->config, NULL};
	char log[96];

	snprintf(log, sizeof(log), "%s/weird.log", driver->directory);
	driver->engine = process_spawn(argv, log);
	if (!wait_until(driver, ready, "the engine answers") || !driver->answer[0])
		return false;
	check_arguments(driver, "cmdline");
	check_arguments(driver, "environ");
	return true;
}

static bool kill_engine(struct driver *driver)
{
	kill(driver->engine, SIGKILL);
	waitpid(driver->engine, NULL, 0);
	driver->kills++;
	driver->errors = 0;
	return start_engine(driver);
}

static void look_at_memory(struct driver *driver)
{
	char path[64], line[128];
	unsigned kib = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)driver->engine);
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmRSS: %u", &kib) == 1)
			break;
	if (file)
		fclose(file);
	driver->resident_kib = kib > driver->resident_kib ? kib : driver->resident_kib;
}

/* The application. */

static bool open_client(struct driver *driver)
{
	static const char *const countries[COUNTRIES] = {"DE", "FR", "IT", "PL"};
	struct weir_options options = {
		.size = sizeof(options),
		.socket_path = driver->socket,
		.source = "outage",
		.event_clock = 1,
		.ring_events = 4096,
		.full_wait_us = PATIENCE_MS * 1000,
	};

	if (weir_open(&options, &driver->client) < 0)
		return false;
	for (int i = 0; i < COUNTRIES; i++) {
		struct weir_dimension by[] = {{"country", countries[i]}};
		driver->series[i] = weir_series(driver->client, WEIR_PAGE_VIEW, WEIR_VALUE,
						WEIR_KIND_NUMBER, by, 1);
	}
	return true;
}

/* Each country has its own bad spells, so alerts begin and end all the time. An event waits for
 * room in the ring; what waits in vain is a stall. */
static void write_intervals(struct driver *driver, unsigned count)
{
	for (unsigned i = 0; i < count; i++, driver->interval++)
		for (unsigned c = 0; c < COUNTRIES; c++) {
			unsigned phase = (unsigned)((driver->interval + 5 * c) % SPELL);
			unsigned events = phase >= SPELL - 3 ? MORE : PER_INTERVAL;
			uint64_t at_ms = START_MS + driver->interval * INTERVAL_MS;
			for (unsigned e = 0; e < events; e++)
				if (weir_emit_at(driver->client, driver->series[c], 1,
						 at_ms + e * 50) != 0)
					driver->stalls++;
		}
}

static bool taken(struct driver *driver)
{
	struct weir_ledger ledger;

	weir_poll(driver->client);
	weir_ledger(driver->client, &ledger);
	return ledger.persisted == ledger.published;
}

/* Outages. */

static const struct {
	const char *name;
	enum proxy_way way;
} ways[] = {
	{"refused", PROXY_REFUSE}, {"slow", PROXY_SLOW},       {"silent", PROXY_SILENT},
	{"cut by FIN", PROXY_FIN}, {"cut by RST", PROXY_RST},  {"unauthenticated", PROXY_NO_AUTH},
	{"quoting", PROXY_QUOTE},  {"nonsense", PROXY_NONSENSE},
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))
#define KINDS_MAX 32

static unsigned troubles(void)
{
	unsigned count = 0;

	while (server_troubles[count].name)
		count++;
	return count;
}

static const char *kind_name(unsigned kind)
{
	return kind < WAYS ? ways[kind].name : server_troubles[kind - WAYS].name;
}

static bool begin(struct driver *driver, unsigned kind)
{
	if (kind >= WAYS)
		return server_troubles[kind - WAYS].begin(&driver->server);
	proxy_behave(driver->proxy, ways[kind].way);
	return true;
}

static bool end(struct driver *driver, unsigned kind)
{
	if (kind >= WAYS)
		return server_troubles[kind - WAYS].end(&driver->server);
	proxy_behave(driver->proxy, PROXY_PASS);
	return true;
}

static bool outage(struct driver *driver, unsigned kind)
{
	write_intervals(driver, BEFORE);
	if (random_one_in(3))
		wait_until(driver, said, "all is said");
	write_intervals(driver, (unsigned)random_below(10));
	usleep((unsigned)random_below(20000));
	ask(driver, "{\"command\":\"status\"}\n");
	driver->errors = shown(driver, "redis", "errors");
	if (!begin(driver, kind)) {
		printf("FAILED: no outage \"%s\"\n", kind_name(kind));
		driver->violations++;
		return false;
	}
	/* The application and the store go on, and an engine that starts anew finds no Redis. */
	if (random_one_in(4)) {
		write_intervals(driver, (unsigned)random_below(DURING / 2));
		if (!kill_engine(driver))
			return false;
		driver->restarts_in_outage++;
	}
	write_intervals(driver, DURING);
	bool good = wait_until(driver, taken, "the engine has taken all events");
	good &= wait_until(driver, stored, "all closes are stored");
	good &= wait_until(driver, noticed, "the engine has noticed");
	look_at_memory(driver);
	if (!end(driver, kind)) {
		printf("FAILED: \"%s\" does not end\n", kind_name(kind));
		driver->violations++;
		return false;
	}
	if (random_one_in(8))
		good &= kill_engine(driver);
	return good;
}

/* The end. */

static void say(const char *what, const struct bodies *came, const struct comparison *found)
{
	printf("%s: %u bodies, %u of them again; %u never came, %u strangers, %u out of order\n",
	       what, came->count, found->again, found->missing, found->strangers,
	       found->disorder);
}

static uint32_t check_alerts(struct driver *driver)
{
	struct bodies raised = {0}, stream = {0};
	char path[128];

	snprintf(path, sizeof(path), "%s/weir.db", driver->data);
	expect_that(driver, store_read(path, &raised) == 0, "the store can be read");
	expect_that(driver, stream_read(driver->server.path, &stream) == 0,
		    "the stream can be read");
	struct comparison in_stream = bodies_compare(&raised, &stream);
	struct comparison by_ear = bodies_compare(&raised, &driver->subscriber.heard);
	printf("%u revisions raised, by %u kills of the engine, %u of them during an outage\n",
	       raised.count, driver->kills, driver->restarts_in_outage);
	say("stream", &stream, &in_stream);
	say("subscriber", &driver->subscriber.heard, &by_ear);
	expect_that(driver, raised.count > 0, "alerts were raised");
	expect_that(driver, driver->subscriber.heard.count > 0, "a subscriber heard some");
	expect_that(driver, in_stream.missing == 0, "no alert is missing");
	expect_that(driver, in_stream.strangers + by_ear.strangers == 0,
		    "an alert comes with one body");
	expect_that(driver, in_stream.disorder + by_ear.disorder == 0, "alerts come in order");
	uint32_t bad = in_stream.missing + in_stream.strangers + in_stream.disorder +
		       by_ear.strangers + by_ear.disorder;
	bodies_free(&raised);
	bodies_free(&stream);
	bodies_free(&driver->subscriber.heard);
	return bad;
}

static void check_log(struct driver *driver)
{
	char command[512];

	snprintf(command, sizeof(command), "%s verify %s --json >%s/verify 2>&1", driver->weirctl,
		 driver->data, driver->directory);
	expect_that(driver, system(command) == 0, "weirctl verify finds nothing wrong");
	snprintf(command, sizeof(command),
		 "%s replay %s --compare --json >%s/replay 2>&1 && grep -q '\"ok\":true' "
		 "%s/replay",
		 driver->weirctl, driver->data, driver->directory, driver->directory);
	expect_that(driver, system(command) == 0, "a replay gives the alerts that were stored");
}

/* Whatever the engine has written or answered. Redis' own files and the password's do not count. */
static uint32_t check_secrets(struct driver *driver)
{
	char command[512];

	fflush(driver->answers);
	snprintf(command, sizeof(command), "! grep -rlaF '%s' %s/data %s/weird.log %s/answers "
					   "%s/weir.yaml",
		 SERVER_PASSWORD, driver->directory, driver->directory, driver->directory,
		 driver->directory);
	bool clean = system(command) == 0;
	expect_that(driver, clean, "the password is in no file, log or answer");
	snprintf(command, sizeof(command),
		 "grep -q redis %s/weird.log && grep -q AUTH %s/answers", driver->directory,
		 driver->directory);
	expect_that(driver, system(command) == 0, "the log and the answers speak of Redis");
	return !clean;
}

static int stop_engine(struct driver *driver)
{
	int status = 0;

	kill(driver->engine, SIGTERM);
	waitpid(driver->engine, &status, 0);
	driver->engine = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int drive(struct driver *driver, unsigned outages)
{
	unsigned counts[KINDS_MAX] = {0}, kinds = WAYS + troubles(), order[KINDS_MAX], done = 0;
	bool good = true;

	for (; good && done < outages; done++) {
		/* Every kind before any comes again, in another order each time. */
		if (done % kinds == 0)
			for (unsigned i = 0; i < kinds; i++) {
				unsigned j = (unsigned)random_below(i + 1);
				order[i] = order[j];
				order[j] = i;
			}
		unsigned kind = order[done % kinds];
		uint64_t began_ms = now_ms();
		good = outage(driver, kind);
		counts[kind]++;
		printf("%u: %s, %llu ms\n", done + 1, kind_name(kind),
		       (unsigned long long)(now_ms() - began_ms));
	}
	good = good && wait_until(driver, taken, "the engine has taken all events");
	weir_close(driver->client, 10000);
	driver->client = NULL;
	good = good && wait_until(driver, said, "all is said");
	/* What the last closes brought while it stopped is the next one's to say. */
	expect_that(driver, stop_engine(driver) == 0, "the engine stops cleanly");
	good = good && start_engine(driver) && wait_until(driver, said, "the rest is said");
	expect_that(driver, stop_engine(driver) == 0, "the engine stops cleanly again");
	subscriber_stop(&driver->subscriber);
	for (unsigned i = 0; i < kinds; i++)
		printf("%s %u%s", kind_name(i), counts[i], i + 1 < kinds ? ", " : "\n");
	uint32_t bad = check_alerts(driver);
	check_log(driver);
	uint32_t leaks = check_secrets(driver);
	expect_that(driver, driver->stalls == 0, "no event waits in vain");
	expect_that(driver, outages < kinds || done >= kinds, "every kind has come");
	printf("the engine used %u KiB at most\n", driver->resident_kib);
	proof_say("redis-outages", done, bad + (driver->violations && !bad));
	proof_say("secrets-in-outages", done, leaks);
	return driver->violations ? 1 : 0;
}

static int run(const char *directory, char **argv)
{
	static struct driver driver;
	char path[96];

	driver.weird = argv[1];
	driver.weirctl = argv[2];
	snprintf(driver.directory, sizeof(driver.directory), "%s", directory);
	snprintf(driver.config, sizeof(driver.config), "%s/weir.yaml", directory);
	snprintf(driver.socket, sizeof(driver.socket), "%s/weir.sock", directory);
	snprintf(driver.control, sizeof(driver.control), "%s/control.sock", directory);
	snprintf(driver.data, sizeof(driver.data), "%s/data", directory);
	snprintf(path, sizeof(path), "%s/answers", directory);
	driver.answers = fopen(path, "w");
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (!driver.answers || server_start(&driver.server, directory) < 0)
		return 1;
	driver.proxy = proxy_start(driver.server.path, random_next());
	if (!driver.proxy || subscriber_start(&driver.subscriber, driver.server.path) < 0)
		return 1;
	write_config(&driver);
	bool good = start_engine(&driver) && open_client(&driver);
	int code = good ? drive(&driver, (unsigned)atoi(argv[3])) : 1;
	if (driver.engine > 0)
		stop_engine(&driver);
	server_stop(&driver.server);
	proxy_stop(driver.proxy);
	fclose(driver.answers);
	return code;
}

static volatile pid_t driving;

/* Who is told to end takes all with it: the others die with the driver. */
static void end_driver(int signal_number)
{
	(void)signal_number;
	kill(driving, SIGKILL);
}

int main(int argc, char **argv)
{
	char directory[] = "/var/tmp/weir-outage-XXXXXX", command[128];
	int status;

	if (argc < 4) {
		fprintf(stderr, "usage: outage WEIRD WEIRCTL OUTAGES [SEED]\n");
		return 2;
	}
	if (system("command -v redis-server >/dev/null") != 0) {
		printf("skipped: redis-server is not installed\n");
		return 77;
	}
	random_start(argc > 4 ? strtoull(argv[4], NULL, 10) : 1);
	if (!mkdtemp(directory))
		return 1;
	driving = fork();
	if (driving == 0)
		exit(run(directory, argv));
	signal(SIGTERM, end_driver);
	signal(SIGINT, end_driver);
	while (waitpid(driving, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1) {
		printf("seed %s; left for you: %s\n", argc > 4 ? argv[4] : "1", directory);
		return 1;
	}
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command) || !WIFEXITED(status) || WEXITSTATUS(status);
}
