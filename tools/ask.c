/*
 * ask: one question to a running engine: a JSON line to its control socket, a JSON line back.
 */
#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "options.h"

#define CONTROL_DEFAULT "/run/weir/control.sock"
#define ANSWER_MS 10000u
#define FULL_PAUSE_MS 10
#define ANSWER_BYTES_MAX (64u << 20)

const char *ask_socket(const char *given)
{
	const char *environment = getenv("WEIR_CONTROL");
	if (given)
		return given;
	return environment && environment[0] ? environment : CONTROL_DEFAULT;
}

static bool goes_on(const struct ask_how *how, int fd)
{
	return !how->holds || how->holds(how->by, fd);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Where many wait to be taken already, nothing says when there is a place: it is tried again. */
static int connect_patiently(const struct ask_how *how, int fd, const struct sockaddr_un *address)
{
	const struct timespec pause = {.tv_nsec = FULL_PAUSE_MS * 1000000L};
	int64_t until_ms = now_ms() + how->patience_ms;

	while (goes_on(how, fd)) {
		if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
			return !goes_on(how, fd) ? -ECANCELED : fcntl(fd, F_SETFL, 0);
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (now_ms() >= until_ms)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	return -ECANCELED;
}

static void say_why(const struct ask_how *how, int error, char *why, size_t why_bytes)
{
	char hint[96] = "";

	if (error == ENOENT || error == ECONNREFUSED)
		snprintf(hint, sizeof(hint),
			 "; is weird running? Name its control_socket with %s or $WEIR_CONTROL",
			 how->option);
	else if (error == EACCES)
		snprintf(hint, sizeof(hint),
			 "; join the socket's group, or ask as the engine's user");
	snprintf(why, why_bytes, "cannot ask at %s: %s%s", how->socket_path, strerror(error), hint);
}

static int connect_to(const struct ask_how *how, char *why, size_t why_bytes)
{
	const char *socket_path = how->socket_path;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = how->patience_ms / 1000,
				   .tv_usec = how->patience_ms % 1000 * 1000};
	size_t bytes = strlen(socket_path);

	if (bytes >= sizeof(address.sun_path)) {
		snprintf(why, why_bytes, "the path of the socket is too long: %s", socket_path);
		return -ENAMETOOLONG;
	}
	memcpy(address.sun_path, socket_path, bytes);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = fd < 0 ? -errno : 0;
	if (!error) {
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		error = connect_patiently(how, fd, &address);
	}
	if (!error)
		return fd;
	say_why(how, -error, why, why_bytes);
	if (fd >= 0) {
		(void)(how->holds && how->holds(how->by, -1));
		close(fd);
	}
	return error;
}

static int send_all(int fd, const char *text, size_t bytes)
{
	while (bytes > 0) {
		ssize_t sent = send(fd, text, bytes, MSG_NOSIGNAL);
		if (sent <= 0)
			return -errno;
		text += sent;
		bytes -= (size_t)sent;
	}
	return 0;
}

/* The bytes of one line; NULL and errno where none comes. */
static char *read_line(int fd, size_t *ret_bytes)
{
	size_t used = 0, capacity = 0;
	char *line = NULL;
	for (;;) {
		if (used == capacity) {
			capacity = capacity ? 2 * capacity : 64u << 10;
			char *grown = capacity > ANSWER_BYTES_MAX ? NULL : realloc(line, capacity);
			if (!grown) {
				errno = ENOMEM;
				break;
			}
			line = grown;
		}
		ssize_t got = recv(fd, line + used, capacity - used, 0);
		if (got <= 0) {
			errno = got == 0 ? ECONNRESET : errno == EAGAIN ? ETIMEDOUT : errno;
			break;
		}
		char *end = memchr(line + used, '\n', (size_t)got);
		used += (size_t)got;
		if (end) {
			*ret_bytes = (size_t)(end - line);
			return line;
		}
	}
	free(line);
	return NULL;
}

/* The question's text with its newline, to be freed. */
static char *request_line(json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	size_t bytes = text ? strlen(text) : 0;
	char *line = text ? realloc(text, bytes + 2) : NULL;
	if (!line) {
		free(text);
		return NULL;
	}
	line[bytes] = '\n';
	line[bytes + 1] = '\0';
	return line;
}

json_t *ask_with(const struct ask_how *how, json_t *request, char *why, size_t why_bytes)
{
	const char *socket_path = how->socket_path;
	char *line = request_line(request);
	if (how->ret_sent)
		*how->ret_sent = false;
	if (!line) {
		snprintf(why, why_bytes, "out of memory");
		return NULL;
	}
	int fd = connect_to(how, why, why_bytes);
	if (fd < 0) {
		free(line);
		return NULL;
	}
	size_t bytes = 0;
	int ret = send_all(fd, line, strlen(line));
	free(line);
	if (how->ret_sent)
		*how->ret_sent = ret == 0;
	char *answer_text = ret < 0 ? NULL : read_line(fd, &bytes);
	int error = ret < 0 ? -ret : errno;
	(void)(how->holds && how->holds(how->by, -1));
	close(fd);
	if (!answer_text) {
		snprintf(why, why_bytes, "no answer at %s: %s", socket_path, strerror(error));
		return NULL;
	}
	json_error_t where;
	json_t *answer = json_loadb(answer_text, bytes, 0, &where);
	free(answer_text);
	if (!answer)
		snprintf(why, why_bytes,
			 "the answer at %s is no JSON (%s): is this weird's control "
			 "socket?",
			 socket_path, where.text);
	return answer;
}

json_t *ask_raw(const char *socket_path, json_t *request, char *why, size_t why_bytes)
{
	const struct ask_how how = {
		.socket_path = socket_path, .option = "--socket", .patience_ms = ANSWER_MS};
	return ask_with(&how, request, why, why_bytes);
}

json_t *ask_of(const char *socket_path, json_t *request, int *ret_code, char *why, size_t why_bytes)
{
	json_t *answer = ask_raw(socket_path, request, why, why_bytes);
	*ret_code = json_is_true(json_object_get(answer, "unknown")) ? TOOL_NO : TOOL_IO;
	if (!answer)
		return NULL;
	if (json_is_true(json_object_get(answer, "ok")))
		return answer;
	const char *said = json_string_value(json_object_get(answer, "error"));
	snprintf(why, why_bytes, "the engine says: %s", said ? said : "no");
	json_decref(answer);
	return NULL;
}

json_t *ask(const char *socket_path, json_t *request, char *why, size_t why_bytes)
{
	int code;
	return ask_of(socket_path, request, &code, why, why_bytes);
}

char *ask_status_path(const json_t *status, const char *name)
{
	const char *said = json_string_value(json_object_get(status, name));
	json_int_t pid = json_integer_value(json_object_get(status, "pid"));
	char *path = NULL;
	int bytes = -1;
	if (said && said[0] == '/')
		bytes = asprintf(&path, "%s", said);
	else if (said && pid > 0) /* relative to where the engine was started */
		bytes = asprintf(&path, "/proc/%lld/cwd/%s", (long long)pid, said);
	return bytes < 0 ? NULL : path;
}

char *ask_directory(const char *given, const char *socket_path, char *why, size_t why_bytes)
{
	if (given) {
		char *copy = strdup(given);
		if (!copy)
			snprintf(why, why_bytes, "out of memory");
		return copy;
	}
	json_t *answer = ask(socket_path, json_pack("{ss}", "command", "status"), why, why_bytes);
	if (!answer)
		return NULL;
	char *directory = ask_status_path(json_object_get(answer, "status"), "data_directory");
	if (!directory)
		snprintf(why, why_bytes, "the engine at %s does not say where its data is",
			 socket_path);
	json_decref(answer);
	return directory;
}
