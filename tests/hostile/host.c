/*
 * host: see host.h.
 */
#include "host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "log/reader.h"
#include "support/control_ask.h"
#include "support/proof.h"
#include "verify.h"

#define ANSWER_BYTES (1u << 20)
/* Descriptors of an engine that come and go by themselves. */
#define DESCRIPTORS_SLACK 12u
#define LANES 2u /* as configured */

/* What a signal to the test takes along. */
static char ending_directory[64];
static pid_t ending_owner;

static void end_by_signal(int number)
{
	(void)number;
	if (getpid() != ending_owner)
		_exit(1);
	/* Children die with this process: execl is its end as little as its beginning. */
	kill(0, SIGTERM);
	if (ending_directory[0])
		execl("/bin/rm", "rm", "-rf", ending_directory, (char *)NULL);
	_exit(1);
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = end_by_signal};
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

	ending_owner = getpid();
	/* A group of our own, so that the handler reaches all of us and nobody else. */
	setpgid(0, 0);
	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

bool host_quick(void)
{
	const char *quick = getenv("WEIR_TEST_QUICK");

	return quick && *quick;
}

static const char *only;

void host_only(const char *name)
{
	only = name;
}

bool host_wanted(const char *name)
{
	return !only || strcmp(only, name) == 0;
}

bool host_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__)
	return true;
#elif defined(__has_feature)
	return __has_feature(address_sanitizer);
#else
	return false;
#endif
}

int host_wait(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void host_expect(struct host *host, bool condition, const char *format, ...)
{
	va_list arguments;

	if (condition)
		return;
	host->violations++;
	if (host->violations > 20) /* the count says the rest */
		return;
	printf("VIOLATION: ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	fflush(stdout);
}

static void write_config(struct host *host, const char *more)
{
	FILE *file = fopen(host->config_path, "w");

	if (!file)
		exit(1);
	fprintf(file,
		"data_directory: %s\nsocket: %s\ncontrol_socket: %s\nlanes: %u\nshards: 1\n"
		"interval: 1s\n%s"
		"metrics:\n  - {name: honest, event: honest, agg: count}\n"
		"  - {name: hostile, event: hostile, agg: mean, field: value}\n"
		"detectors:\n  - {name: honest, metric: honest}\n"
		"  - {name: hostile, metric: hostile}\n",
		host->data, host->socket, host->control, LANES, more);
	if (!strstr(more, "log:"))
		fprintf(file, "log: {durability: interval, sync_interval: 20ms, "
			      "segment_bytes: 8MiB}\n");
	fclose(file);
}

void host_open(struct host *host, const char *weird, const char *more)
{
	char why[512];

	*host = (struct host){.weird = weird};
	catch_signals();
	strcpy(host->directory, "/var/tmp/weir-hostile-XXXXXX");
	if (!mkdtemp(host->directory)) {
		perror("mkdtemp");
		exit(1);
	}
	strcpy(ending_directory, host->directory);
	snprintf(host->config_path, sizeof(host->config_path), "%s/weir.yaml", host->directory);
	snprintf(host->socket, sizeof(host->socket), "%s/weir.sock", host->directory);
	snprintf(host->control, sizeof(host->control), "%s/control.sock", host->directory);
	snprintf(host->data, sizeof(host->data), "%s/data", host->directory);
	snprintf(host->log, sizeof(host->log), "%s/weird.log", host->directory);
	write_config(host, more);
	if (config_load(host->config_path, &host->config, why, sizeof(why)) < 0) {
		printf("%s\n", why);
		exit(1);
	}
}

/* All in this process; what it says goes where the engine's own process would write it. */
static void start_inside(struct host *host)
{
	struct engine_options options = {.config = host->config,
					 .config_path = host->config_path,
					 .clock = &host->clock,
					 .lock_wait_ms = 10000};
	char why[512];

	log_set_level(LOG_ERROR);
	clock_system(&host->clock);
	if (engine_open(&options, &host->engine, why, sizeof(why)) < 0) {
		printf("%s\n", why);
		exit(1);
	}
	if (engine_start(host->engine) < 0)
		exit(1);
	host->pid = getpid();
}

static void start_weird(struct host *host)
{
	host->pid = process_fork();
	if (host->pid == 0) {
		int fd = open(host->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		if (host->limit)
			host->limit();
		execl(host->weird, host->weird, "--config", host->config_path, (char *)NULL);
		_exit(127);
	}
}

static void show_log(const struct host *host)
{
	char command[160];

	snprintf(command, sizeof(command), "tail -n 30 %s", host->log);
	fflush(stdout);
	if (system(command) != 0)
		return;
}

bool host_try(struct host *host, int *ret_code)
{
	int status = 0;

	start_weird(host);
	for (int i = 0; i < HOST_PATIENCE_S * 100; i++) {
		if (host_answers(host))
			return true;
		if (waitpid(host->pid, &status, WNOHANG) == host->pid)
			break;
		pause_us(10000);
	}
	*ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	host->pid = 0;
	return false;
}

void host_start(struct host *host)
{
	int code;

	if (!host->weird) {
		start_inside(host);
	} else if (!host_try(host, &code)) {
		printf("FAILED: the engine ends with %d where it should start\n", code);
		show_log(host);
		exit(1);
	}
}

long host_ask(const struct host *host, const char *request, char *answer, size_t bytes)
{
	size_t got = control_ask(host->control, request, answer, bytes, HOST_PATIENCE_S);

	return got ? (long)got : -1;
}

bool host_answers(struct host *host)
{
	return host_number(host, NULL, "epoch") > 0;
}

uint64_t host_number(struct host *host, const char *after, const char *name)
{
	char *answer = malloc(ANSWER_BYTES);
	char key[64];
	uint64_t value = 0;

	if (!answer)
		exit(1);
	if (host_ask(host, "{\"command\":\"status\"}\n", answer, ANSWER_BYTES) > 0) {
		const char *at = after ? strstr(answer, after) : answer;
		snprintf(key, sizeof(key), "\"%s\":", name);
		at = at ? strstr(at, key) : NULL;
		if (at)
			value = strtoull(at + strlen(key), NULL, 10);
	}
	free(answer);
	return value;
}

bool host_reaches(struct host *host, const char *after, const char *name, uint64_t wanted)
{
	for (int i = 0; i < HOST_PATIENCE_S * 100; i++) {
		if (host_number(host, after, name) >= wanted)
			return true;
		pause_us(10000);
	}
	return false;
}

/* Has a sanitizer said something in the engine's log? */
static bool reported(const struct host *host)
{
	char line[1024];
	FILE *file = fopen(host->log, "r");
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, "AddressSanitizer") || strstr(line, "runtime error:") ||
			strstr(line, "LeakSanitizer");
	if (file)
		fclose(file);
	return found;
}

void host_stop(struct host *host)
{
	if (!host->pid)
		return;
	if (host->engine) {
		engine_close(host->engine);
		host->engine = NULL;
	} else {
		uint64_t before = host->violations;
		kill(host->pid, SIGTERM);
		int code = host_wait(host->pid);
		host_expect(host, code == 0, "the engine ended with %d", code);
		host_expect(host, !reported(host), "a sanitizer speaks in the engine's log");
		if (host->violations != before)
			show_log(host);
	}
	host->pid = 0;
}

void host_kill(struct host *host)
{
	kill(host->pid, SIGKILL);
	host_wait(host->pid);
	host->pid = 0;
}

void host_verify(struct host *host)
{
	struct verify_report report;
	char why[512];

	int error = verify_directory(host->data, NULL, &report, why, sizeof(why));
	host_expect(host, error == 0, "weirctl verify cannot read it: %s", error < 0 ? why : "");
	if (error < 0)
		return;
	host_expect(host, report.ok && report.ledger_ok, "weirctl verify finds something wrong");
	for (uint32_t i = 0; i < report.findings.count && i < 5; i++)
		printf("verify: %s\n", report.findings.line[i]);
	verify_report_free(&report);
}

struct reading {
	definitions_take *definition;
	host_event *event;
	void *self;
};

static void read_lane(struct host *host, struct io *io, uint32_t lane,
		      const struct reading *reading)
{
	struct reader_block block;
	struct reader *reader;
	char name[16], why[256];

	snprintf(name, sizeof(name), "lane-%02u", lane);
	if (reader_open(io, name, (uint16_t)lane, 0, false, &reader, why, sizeof(why)) < 0) {
		host_expect(host, false, "a lane cannot be read: %s", why);
		return;
	}
	while (reader_next(reader, &block) > 0) {
		if (block.header.type == WEIR_BLOCK_SERIES)
			host_expect(host,
				    definitions_each(block.payload, block.header.payload_bytes,
						     reading->definition, reading->self) == 0,
				    "a block has broken definitions");
		for (uint32_t e = 0;
		     block.header.type == WEIR_BLOCK_EVENTS && e < block.header.count; e++)
			reading->event(reading->self, &block.events[e]);
	}
	reader_close(reader);
}

void host_read(struct host *host, definitions_take *definition, host_event *event, void *self)
{
	const struct reading reading = {definition, event, self};
	struct io *io;
	int fd = open(host->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || io_pwrite_create(fd, 1, &io) < 0)
		exit(1);
	for (uint32_t lane = 0; lane < LANES; lane++)
		read_lane(host, io, lane, &reading);
	io->ops->destroy(io);
	close(fd);
}

void host_close(struct host *host)
{
	char command[96];

	host_stop(host);
	config_free(host->config);
	ending_directory[0] = '\0';
	if (host->violations) {
		printf("left for you: %s\n", host->directory);
		return;
	}
	snprintf(command, sizeof(command), "rm -rf %s", host->directory);
	if (system(command) != 0)
		printf("%s stays\n", host->directory);
}

unsigned descriptors_of(pid_t pid)
{
	char path[64];
	unsigned count = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *folder = opendir(path);
	while (folder && readdir(folder))
		count++;
	if (folder)
		closedir(folder);
	return count;
}

uint64_t memory_kib_of(pid_t pid)
{
	char path[64], line[128];
	unsigned long long kib = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmRSS: %llu", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib;
}

unsigned host_descriptors(const struct host *host)
{
	return descriptors_of(host->pid);
}

uint64_t host_memory_kib(const struct host *host)
{
	return memory_kib_of(host->pid);
}

/* The descriptors come back to what they were, once the engine has seen who is gone. */
static void expect_descriptors(struct host *host, unsigned before, const char *behind)
{
	unsigned now = 0;

	for (int i = 0; i < HOST_PATIENCE_S * 100; i++) {
		now = host_descriptors(host);
		if (now <= before + DESCRIPTORS_SLACK)
			return;
		pause_us(10000);
	}
	host_expect(host, false, "%s left %u descriptors of %u", behind, now, before);
}

void host_prove(struct host *host, const char *name, uint64_t (*run)(struct host *, uint64_t),
		uint64_t count)
{
	uint64_t before = host->violations;

	if (!host_wanted(name))
		return;
	unsigned descriptors = host_descriptors(host);
	count = run(host, count);
	expect_descriptors(host, descriptors, name);
	host_expect(host, host_answers(host), "the engine answers no more after %s", name);
	proof_say(name, count, host->violations - before);
}
