/*
 * console_server: see console_server.h. What the programs say goes into files of the run, and to
 * the reader when they fail.
 */
#include "console_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "console_http.h"
#include "producer.h"
#include "server.h"

#define START_NS (UINT64_C(60) * 1000000000)
#define STOP_NS (UINT64_C(60) * 1000000000)
#define PAGE_S 120

/* A port that nobody listens on; 0: none. */
static uint16_t port_find(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t bytes = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &bytes) < 0)
		address.sin_port = 0;
	if (fd >= 0)
		close(fd);
	return ntohs(address.sin_port);
}

/* Start it with its words in the file `output`; it ends with us. */
static pid_t program_start(char *const *arguments, const char *output)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int fd = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd >= 0) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
	}
	execvp(arguments[0], arguments);
	fprintf(stderr, "%s: %s\n", arguments[0], strerror(errno));
	_exit(127);
}

/* What it has said, as much as there is room for. */
static char *output_read(const char *output, char *text, size_t text_bytes)
{
	FILE *file = fopen(output, "re");

	text[0] = '\0';
	if (file) {
		text[fread(text, 1, text_bytes - 1, file)] = '\0';
		fclose(file);
	}
	return text;
}

int console_server_start(struct console_server *server, const char *program, const char *directory,
			 const char *data, const char *control, char *why, size_t why_bytes)
{
	char output[4200], listen[32], said[400];
	uint64_t end_ns = monotonic_ns() + START_NS;
	struct http_answer answer;

	*server = (struct console_server){.port = port_find()};
	snprintf(output, sizeof(output), "%s/console.log", directory);
	snprintf(listen, sizeof(listen), "127.0.0.1:%u", server->port);
	char *const arguments[] = {(char *)program,   (char *)"--listen",  listen,
				   (char *)"--data",  (char *)data,        (char *)"--control",
				   (char *)control,   NULL};
	server->pid = program_start(arguments, output);
	while (server->pid > 0 && monotonic_ns() < end_ns && !producers_interrupted()) {
		if (waitpid(server->pid, NULL, WNOHANG) > 0) {
			server->pid = 0;
			break;
		}
		int error = http_get(server->port, "/-/healthy", false, &answer, said,
				     sizeof(said));
		http_answer_fini(&answer);
		if (!error && answer.status == 200)
			return 0;
		usleep(10000);
	}
	snprintf(why, why_bytes, "weir-console did not start; it said:\n%s",
		 output_read(output, said, sizeof(said)));
	console_server_stop(server, said, sizeof(said));
	return -EIO;
}

int console_server_stop(struct console_server *server, char *why, size_t why_bytes)
{
	uint64_t end_ns = monotonic_ns() + STOP_NS;
	pid_t pid = server->pid;
	int status = 0;

	server->pid = 0;
	if (pid <= 0)
		return 0;
	kill(pid, SIGTERM);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (monotonic_ns() > end_ns) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			break;
		}
		usleep(2000);
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	snprintf(why, why_bytes, "weir-console ended badly when it was asked to end");
	return -EIO;
}

/* The script that drives Chromium: beside this program, or installed. */
static int script_find(char *path, size_t path_bytes)
{
	static const char name[] = "console_page.mjs";
	char self[2048];
	ssize_t bytes = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[bytes > 0 ? bytes : 0] = '\0';
	char *slash = strrchr(self, '/');
	if (slash)
		slash[1] = '\0';
	snprintf(path, path_bytes, "%s%s", self, name);
	if (access(path, R_OK) == 0)
		return 0;
	snprintf(path, path_bytes, "%s/%s", WEIR_BENCH_LIBEXEC, name);
	return access(path, R_OK) == 0 ? 0 : -ENOENT;
}

static int page_wait(pid_t pid)
{
	uint64_t end_ns = monotonic_ns() + PAGE_S * UINT64_C(1000000000);
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (monotonic_ns() > end_ns || producers_interrupted()) {
			kill(pid, SIGTERM);
			waitpid(pid, &status, 0);
			return -ETIMEDOUT;
		}
		usleep(10000);
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

int console_page_measure(uint16_t port, const char *directory, uint32_t runs,
			 struct console_page *ret_pages, char *why, size_t why_bytes)
{
	char node[2200], chromium[2200], script[2200], url[64], count[16], output[4200], said[4000];

	if (program_find(NULL, "node", node, sizeof(node)) < 0 ||
	    program_find(NULL, "chromium", chromium, sizeof(chromium)) < 0 ||
	    script_find(script, sizeof(script)) < 0) {
		snprintf(why, why_bytes, "no node or Chromium: apt-get install nodejs chromium");
		return -ENOENT;
	}
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
	snprintf(count, sizeof(count), "%u", runs);
	snprintf(output, sizeof(output), "%s/page.log", directory);
	char *const arguments[] = {node, script, chromium, (char *)directory, url, count, NULL};
	pid_t pid = program_start(arguments, output);
	int error = pid > 0 ? page_wait(pid) : -EAGAIN;
	char *at = output_read(output, said, sizeof(said));
	for (uint32_t i = 0; i < runs && !error; i++) {
		int used = 0;
		struct console_page *page = &ret_pages[i];
		if (sscanf(at, "%lf %lf %lf\n%n", &page->usable_ms, &page->answers_ms,
			   &page->opened_ms, &used) != 3)
			error = -EBADMSG;
		at += used;
	}
	if (error)
		snprintf(why, why_bytes, "the page in Chromium: %s; it said:\n%.600s",
			 strerror(-error), said);
	return error;
}
