/*
 * server: a real `weird` with a configuration of its own; see server.h. Its log lines go into a
 * file of the run, and to the reader when it fails.
 */
#include "server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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

#include "disk.h"
#include "processor.h"
#include "producer.h"

#define START_MS 20000u
/* The registry sets some ids aside for what is over its bound. */
#define SERIES_ASIDE 4096u

/* Metrics with roll-ups over the plan's dimensions, each with a seasonal detector, which is what a
 * metric gets when nothing is said. */
static const char metrics[] =
	"metrics:\n"
	"  - {name: page_views, event: page_view, agg: count, by: [country, device]}\n"
	"  - {name: item_views, event: view_item, agg: count, by: [channel, country*device]}\n"
	"  - {name: carts, event: add_to_cart, agg: count, by: [country, campaign]}\n"
	"  - {name: checkouts, event: begin_checkout, agg: count, by: [device]}\n"
	"  - {name: orders, event: purchase, agg: count, by: [country, device, channel]}\n"
	"  - {name: revenue, event: purchase, agg: sum, by: [country, country*device]}\n"
	"  - {name: basket, event: purchase, agg: mean, by: [country]}\n";

static int write_config(const char *path, const struct server *server,
			const struct server_options *options)
{
	/* Rings and series tables of all producers, twice over. */
	uint64_t user_bytes = (uint64_t)options->producers * 2 *
			      (options->ring_events * UINT64_C(16) +
			       options->series_max * UINT64_C(256) + (8u << 20));
	FILE *file = fopen(path, "we");
	if (!file)
		return -errno;
	fprintf(file,
		"data_directory: %s\nsocket: %s\ncontrol_socket: %s\n"
		"environment: bench\nlanes: %u\nshards: %u\ninterval: %s\n"
		"limits: {series_max: %u, producer_series_max: %u, user_bytes_max: %lluMiB}\n"
		"log: {io: %s, durability: %s, spares: %u}\n%s%s",
		server->data, server->socket, server->control, options->lanes, options->shards,
		options->interval, options->series_max + SERIES_ASIDE, options->series_max,
		(unsigned long long)(user_bytes >> 20) + 64, options->io, options->durability,
		options->spares, metrics, options->more ? options->more : "");
	bool failed = ferror(file);
	return fclose(file) || failed ? -EIO : 0;
}

/* The last lines of what the engine said, for who must find out why it failed. */
static void quote_output(const struct server *server, const char *what, char *why, size_t why_bytes)
{
	char text[1200] = "";
	FILE *file = fopen(server->output, "re");
	if (file) {
		if (fseek(file, -(long)sizeof(text) + 1, SEEK_END) < 0)
			rewind(file);
		text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
		fclose(file);
	}
	snprintf(why, why_bytes, "weird %s; it said:\n%s", what, text[0] ? text : "nothing");
}

static bool answers(const char *socket_path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
	bool connected = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	close(fd);
	return connected;
}

static _Noreturn void become(const char *program, const char *config, const char *output)
{
	int fd = open(output, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd >= 0) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
	}
	execl(program, program, "--config", config, (char *)NULL);
	fprintf(stderr, "%s: %s\n", program, strerror(errno));
	_exit(127);
}

/* Files that have been written, as retention leaves them, under the names of FORMAT.md. */
static int write_spares(const struct server *server, const struct server_options *options,
			char *why, size_t why_bytes)
{
	char path[3200];
	for (uint32_t lane = 0; lane < options->lanes && options->written; lane++) {
		snprintf(path, sizeof(path), "%s/lane-%02u", server->data, lane);
		if (mkdir(path, 0700) < 0) {
			snprintf(why, why_bytes, "%s: %s", path, strerror(errno));
			return -EIO;
		}
		for (uint32_t i = 1; i <= options->written; i++) {
			snprintf(path, sizeof(path), "%s/lane-%02u/spare-%016x.wspare",
				 server->data, lane, i);
			int r = disk_write_file(path, SERVER_SEGMENT_BYTES, why, why_bytes);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int server_start(struct server *server, const struct server_options *options, char *why,
		 size_t why_bytes)
{
	char config[3000];
	*server = (struct server){0};
	snprintf(server->data, sizeof(server->data), "%s/data", options->directory);
	snprintf(server->socket, sizeof(server->socket), "%s/weir.sock", options->directory);
	snprintf(server->control, sizeof(server->control), "%s/control.sock", options->directory);
	snprintf(server->output, sizeof(server->output), "%s/weird.log", options->directory);
	if (snprintf(config, sizeof(config), "%s/weir.yaml", options->directory) >=
		    (int)sizeof(config) ||
	    strlen(server->socket) + 8 > sizeof(((struct sockaddr_un *)0)->sun_path)) {
		snprintf(why, why_bytes, "%s: too long for a socket's path; shorten --dir",
			 options->directory);
		return -ENAMETOOLONG;
	}
	/* It may be there: a data directory that somebody has made up. */
	if ((mkdir(server->data, 0700) < 0 && errno != EEXIST) ||
	    write_config(config, server, options) < 0) {
		snprintf(why, why_bytes, "%s: %s", options->directory, strerror(errno));
		return -EIO;
	}
	int r = write_spares(server, options, why, why_bytes);
	if (r < 0)
		return r;
	server->pid = fork();
	if (server->pid == 0)
		become(options->program, config, server->output);
	if (server->pid < 0) {
		snprintf(why, why_bytes, "fork: %s", strerror(errno));
		return -EAGAIN;
	}
	uint64_t end_ns = monotonic_ns() + START_MS * UINT64_C(1000000);
	while (!answers(server->socket)) {
		struct timespec pause = {0, 5000000};
		int status;
		if (waitpid(server->pid, &status, WNOHANG) > 0) {
			server->pid = 0;
			quote_output(server, "did not start", why, why_bytes);
			return -EIO;
		}
		if (monotonic_ns() > end_ns) {
			server_stop(server, 1000, why, why_bytes);
			quote_output(server, "does not answer", why, why_bytes);
			return -ETIMEDOUT;
		}
		nanosleep(&pause, NULL);
	}
	return 0;
}

static uint64_t status_bytes(const char *line, const char *key)
{
	unsigned long long kib;
	size_t bytes = strlen(key);
	return strncmp(line, key, bytes) == 0 && sscanf(line + bytes, ": %llu", &kib) == 1
		       ? kib * 1024
		       : 0;
}

int server_usage(const struct server *server, struct server_usage *ret_usage)
{
	char path[64], line[256];
	struct timespec cpu;
	clockid_t clock;
	*ret_usage = (struct server_usage){0};
	int r = clock_getcpuclockid(server->pid, &clock);
	if (r == 0 && clock_gettime(clock, &cpu) < 0)
		r = errno;
	if (r)
		return -r;
	ret_usage->cpu_s = (double)cpu.tv_sec + (double)cpu.tv_nsec * 1e-9;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)server->pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		ret_usage->peak_bytes += status_bytes(line, "VmHWM");
		ret_usage->own_bytes +=
			status_bytes(line, "RssAnon") + status_bytes(line, "RssFile");
	}
	fclose(file);
	return 0;
}

int server_pin_lanes(const struct server *server)
{
	char path[300], name[32];
	int lane, r = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)server->pid);
	DIR *tasks = opendir(path);
	if (!tasks)
		return -errno;
	for (struct dirent *task = readdir(tasks); task && r == 0; task = readdir(tasks)) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/comm", (int)server->pid,
			 task->d_name);
		FILE *file = fopen(path, "re");
		if (!file)
			continue;
		bool is = fgets(name, sizeof(name), file) && sscanf(name, "lane-%d", &lane) == 1;
		fclose(file);
		if (is)
			r = processor_pin(atoi(task->d_name), lane);
	}
	closedir(tasks);
	return r;
}

uint32_t server_segments(const struct server *server, uint32_t lane)
{
	char path[3100];
	uint32_t count = 0;
	snprintf(path, sizeof(path), "%s/lane-%02u", server->data, lane);
	DIR *directory = opendir(path);
	if (!directory)
		return 0;
	for (struct dirent *file = readdir(directory); file; file = readdir(directory))
		count += strstr(file->d_name, ".wseg") != NULL;
	closedir(directory);
	return count;
}

int server_stop(struct server *server, uint32_t timeout_ms, char *why, size_t why_bytes)
{
	int status;
	if (server->pid <= 0)
		return 0;
	kill(server->pid, SIGTERM);
	uint64_t end_ns = monotonic_ns() + timeout_ms * UINT64_C(1000000);
	while (waitpid(server->pid, &status, WNOHANG) == 0) {
		struct timespec pause = {0, 2000000};
		if (monotonic_ns() > end_ns) {
			kill(server->pid, SIGKILL);
			waitpid(server->pid, &status, 0);
			server->pid = 0;
			quote_output(server, "did not end when asked", why, why_bytes);
			return -EIO;
		}
		nanosleep(&pause, NULL);
	}
	server->pid = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		quote_output(server, "ended badly", why, why_bytes);
		return -EIO;
	}
	return 0;
}

int program_find(const char *given, const char *name, char *path, size_t path_bytes)
{
	/* Beside this program, as installed; then where the build puts the others. */
	static const char *const places[] = {"", "../engine/", "../tools/weirctl/",
					     "../tools/console/", "../"};
	char self[2048];
	if (given)
		return snprintf(path, path_bytes, "%s", given) < (int)path_bytes &&
				       access(path, X_OK) == 0
			       ? 0
			       : -ENOENT;
	ssize_t bytes = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[bytes > 0 ? bytes : 0] = '\0';
	char *slash = strrchr(self, '/');
	if (slash)
		slash[1] = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct stat is;
		snprintf(path, path_bytes, "%s%s%s", self, places[i], name);
		if (stat(path, &is) == 0 && S_ISREG(is.st_mode) && access(path, X_OK) == 0)
			return 0;
	}
	const char *at = getenv("PATH");
	while (at && *at) {
		size_t length = strcspn(at, ":");
		snprintf(path, path_bytes, "%.*s/%s", (int)length, at, name);
		if (length && access(path, X_OK) == 0)
			return 0;
		at += length + (at[length] == ':');
	}
	return -ENOENT;
}

int program_find_weird(const char *given, char *path, size_t path_bytes, char *why,
		       size_t why_bytes)
{
	int error = program_find(given, "weird", path, path_bytes);
	if (error)
		snprintf(why, why_bytes, "%s: no such program; build it, or name it with --weird",
			 given ? given : "weird");
	return error;
}

/* What `arguments` (NULL at the end) prints, and its exit status. */
static int program_ask(char *const *arguments, char *text, size_t text_bytes)
{
	int pipes[2], status;
	size_t used = 0;
	char more[256];
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid == 0) {
		dup2(pipes[1], STDOUT_FILENO);
		execv(arguments[0], arguments);
		_exit(127);
	}
	close(pipes[1]);
	if (pid < 0) {
		close(pipes[0]);
		return -EAGAIN;
	}
	for (;;) {
		bool full = used + 1 >= text_bytes;
		ssize_t got = full ? read(pipes[0], more, sizeof(more))
				   : read(pipes[0], text + used, text_bytes - 1 - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		used += full ? 0 : (size_t)got;
	}
	close(pipes[0]);
	while (used > 0 && text[used - 1] == '\n')
		used--;
	text[used] = '\0';
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -EIO;
	return WEXITSTATUS(status) == 127 ? -ENOENT : WEXITSTATUS(status);
}

int program_verify(const char *program, const char *data, char *text, size_t text_bytes)
{
	char *const arguments[] = {(char *)program, "verify", (char *)data, "--json", NULL};
	return program_ask(arguments, text, text_bytes);
}

int program_status(const char *program, const struct server *server, char *text,
		   size_t text_bytes)
{
	char *const arguments[] = {(char *)program,          "status", "--json", "--socket",
				   (char *)server->control, NULL};
	return program_ask(arguments, text, text_bytes);
}
