/*
 * control: the operator's socket. One JSON request per line, one JSON answer per line.
 *
 * Idea:  a poll loop over a few clients, each with one request or one answer under way. All is
 *        bounded: clients, bytes of a line, seconds for a line to come and an answer to go.
 *
 *   client: reading a line --whole line--> (later) writing the answer --all gone--> reading a line
 *              `-- too long, too slow: an error is written, then the connection is closed
 *
 * Runs on: the control agent. Who may ask is decided by the socket's mode: owner and group.
 * Never: knows what a command means; waits for a client.
 */
#include "deliver/control.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"

#define CLIENTS_MAX 16
/* Fuzz targets have shorter ones: what is beyond is met sooner. */
#ifndef CONTROL_LINE_BYTES_MAX
#define CONTROL_LINE_BYTES_MAX (64u << 10)
#endif
/* While an answer has to wait for something else than sockets. */
#define POLL_LATER_MS 1
/* From the first byte of a request to its newline, and from an answer's first byte to its last. */
#define DEADLINE_NS UINT64_C(5000000000)
#define POLL_MS 50
#define SOCKET_MODE 0660

struct client {
	int fd; /* -1: free */
	uint32_t used;
	bool closing;      /* after the answer under way */
	uint64_t since_ns; /* of the request or answer under way, or of the last one's end */
	struct control_later *later; /* not NULL: the answer is being waited for */
	char *answer;                /* being written; NULL: reading, or waiting */
	size_t answer_bytes, sent;
	char *line; /* CONTROL_LINE_BYTES_MAX, made with the client */
};

struct control {
	int fd;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	dev_t device; /* of the socket file: another one in its place is not ours to remove */
	ino_t inode;
	control_answer *answer;
	void *self;
	struct control_later *later; /* set by the answer under way */
	struct client clients[CLIENTS_MAX];
};

static int refuse(int error, const char *path, const char *text, char *why, size_t why_bytes)
{
	snprintf(why, why_bytes, "control socket %s: %s", path, text);
	return error;
}

/* A file is in the way. 0: it was a dead engine's socket and is gone; else negative errno. */
static int clear_stale(const struct sockaddr_un *address, char *why, size_t why_bytes)
{
	const char *path = address->sun_path;
	struct stat status;
	if (lstat(path, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return refuse(-EEXIST, path,
			      "a file that is no socket is in its place: move it away, or set "
			      "control_socket",
			      why, why_bytes);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return refuse(-errno, path, strerror(errno), why, why_bytes);
	int answer = connect(fd, (const struct sockaddr *)address, sizeof(*address));
	int error = errno;
	close(fd);
	/* EAGAIN: somebody listens and is busy. */
	if (answer == 0 || error == EAGAIN)
		return refuse(-EADDRINUSE, path,
			      "another engine answers there: stop it, or set control_socket", why,
			      why_bytes);
	if (error != ECONNREFUSED)
		return refuse(-error, path, strerror(error), why, why_bytes);
	if (unlink(path) < 0 && errno != ENOENT)
		return refuse(-errno, path, strerror(errno), why, why_bytes);
	return 0;
}

static int bind_socket(struct control *control, const struct sockaddr_un *address, char *why,
		       size_t why_bytes)
{
	const char *path = address->sun_path;
	for (int attempt = 0; attempt < 2; attempt++) {
		if (bind(control->fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
			return 0;
		int error = errno;
		if (error == ENOENT)
			return refuse(-ENOENT, path,
				      "no such directory: make it, or set control_socket", why,
				      why_bytes);
		if (error == EACCES || error == EROFS)
			return refuse(-error, path,
				      "the engine's user may not write the directory: change its "
				      "owner, or set control_socket",
				      why, why_bytes);
		if (error != EADDRINUSE)
			return refuse(-error, path, strerror(error), why, why_bytes);
		error = clear_stale(address, why, why_bytes);
		if (error)
			return error;
	}
	return refuse(-EADDRINUSE, path, "another program keeps making it", why, why_bytes);
}

int control_open(const char *socket_path, control_answer *answer, void *self,
		 struct control **ret_control, char *why, size_t why_bytes)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(socket_path) >= sizeof(address.sun_path))
		return refuse(-ENAMETOOLONG, socket_path,
			      "longer than 107 bytes: set a shorter control_socket", why,
			      why_bytes);
	struct control *control = calloc(1, sizeof(*control));
	if (!control)
		return refuse(-ENOMEM, socket_path, "out of memory", why, why_bytes);
	memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
	memcpy(control->path, address.sun_path, sizeof(control->path));
	const char *path = control->path;
	control->answer = answer;
	control->self = self;
	for (int i = 0; i < CLIENTS_MAX; i++)
		control->clients[i].fd = -1;
	int error = 0;
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->fd < 0)
		error = refuse(-errno, path, strerror(errno), why, why_bytes);
	/* The mode before the name: nobody else gets in between. A stricter umask may have taken
	 * the group's bits; they are given back once it has its name. */
	if (!error)
		fchmod(control->fd, SOCKET_MODE);
	if (!error)
		error = bind_socket(control, &address, why, why_bytes);
	if (error) {
		if (control->fd >= 0)
			close(control->fd);
		free(control);
		return error;
	}
	struct stat status = {0};
	if (chmod(path, SOCKET_MODE) < 0 || stat(path, &status) < 0 ||
	    listen(control->fd, CLIENTS_MAX) < 0) {
		error = refuse(-errno, path, strerror(errno), why, why_bytes);
		unlink(path);
		close(control->fd);
		free(control);
		return error;
	}
	control->device = status.st_dev;
	control->inode = status.st_ino;
	*ret_control = control;
	return 0;
}

static void drop(struct client *client)
{
	if (client->later)
		client->later->forget(client->later);
	close(client->fd);
	free(client->answer);
	free(client->line);
	*client = (struct client){.fd = -1};
}

void control_close(struct control *control)
{
	struct stat status;
	if (!control)
		return;
	for (int i = 0; i < CLIENTS_MAX; i++)
		if (control->clients[i].fd >= 0)
			drop(&control->clients[i]);
	if (stat(control->path, &status) == 0 && status.st_dev == control->device &&
	    status.st_ino == control->inode)
		unlink(control->path);
	close(control->fd);
	free(control);
}

/* {"ok":false,"error":text} */
static char *error_answer(const char *text)
{
	json_t *answer = json_pack("{s:b, s:s}", "ok", 0, "error", text);
	char *line = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
	json_decref(answer);
	return line;
}

/* The answer to one line, never NULL but without memory. */
static char *answer_line(struct control *control, const char *line, size_t bytes)
{
	json_error_t error;
	json_t *request = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, &error);
	char text[256];
	if (!request) {
		snprintf(text, sizeof(text), "broken JSON at byte %d: %s", error.position,
			 error.text);
		char *answer = error_answer(text);
		/* The parser quotes the input, which need not be UTF-8. */
		return answer ? answer : error_answer("broken JSON");
	}
	const char *command = json_string_value(json_object_get(request, "command"));
	char *answer;
	if (command)
		answer = control->answer(control->self, command, request);
	else
		answer = error_answer("a request is an object with a text \"command\", such as "
				      "{\"command\":\"status\"}");
	json_decref(request);
	return answer;
}

static void say(struct client *client, char *answer, uint64_t now_ns)
{
	static const char no_memory[] = "{\"ok\":false,\"error\":\"out of memory\"}";
	size_t bytes = answer ? strlen(answer) : 0;
	char *line = answer ? realloc(answer, bytes + 2) : strdup(no_memory);
	if (!line) {
		free(answer);
		drop(client);
		return;
	}
	bytes = answer ? bytes : sizeof(no_memory) - 1;
	/* An answer is one line, whatever it is made of. */
	check(!memchr(line, '\n', bytes));
	line[bytes] = '\n'; /* in the place of the NUL */
	client->answer = line;
	client->answer_bytes = bytes + 1;
	client->sent = 0;
	client->since_ns = now_ns;
}

/* Take the first line out of what has come, if it is whole, and answer it. */
static void take_line(struct control *control, struct client *client, bool at_end, uint64_t now_ns)
{
	char *newline = memchr(client->line, '\n', client->used);
	size_t bytes = newline ? (size_t)(newline - client->line) : client->used;
	if (!newline && client->used == CONTROL_LINE_BYTES_MAX) {
		client->closing = true;
		client->used = 0;
		say(client, error_answer("a request is at most 65536 bytes"), now_ns);
		return;
	}
	if (!newline && !(at_end && bytes > 0))
		return;
	control->later = NULL;
	char *answer = answer_line(control, client->line, bytes);
	size_t taken = newline ? bytes + 1 : bytes;
	client->used -= (uint32_t)taken;
	memmove(client->line, client->line + taken, client->used);
	client->later = control->later;
	if (!client->later)
		say(client, answer, now_ns);
}

void control_later(struct control *control, struct control_later *later)
{
	control->later = later;
}

/* 1: what was waited for is there. */
static int poll_later(struct client *client, uint64_t now_ns)
{
	struct control_later *later = client->later;
	char *answer = later->poll(later);
	if (!answer)
		return 0;
	client->later = NULL;
	later->forget(later);
	say(client, answer, now_ns);
	return 1;
}

static bool is_done(const struct client *client)
{
	return client->fd >= 0 && !client->answer && !client->later && client->closing;
}

/* 1: something came. */
static int read_client(struct control *control, struct client *client, uint64_t now_ns)
{
	ssize_t got = recv(client->fd, client->line + client->used,
			   CONTROL_LINE_BYTES_MAX - client->used, MSG_DONTWAIT);
	if (got < 0) {
		if (errno != EAGAIN && errno != EINTR)
			drop(client);
		return 0;
	}
	if (client->used == 0)
		client->since_ns = now_ns;
	client->used += (uint32_t)got;
	if (got == 0)
		client->closing = true; /* the last line may lack its newline */
	take_line(control, client, got == 0, now_ns);
	if (is_done(client))
		drop(client);
	return 1;
}

static int write_client(struct control *control, struct client *client, uint64_t now_ns)
{
	ssize_t sent = send(client->fd, client->answer + client->sent,
			    client->answer_bytes - client->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0) {
		if (errno != EAGAIN && errno != EINTR)
			drop(client);
		return 0;
	}
	client->sent += (size_t)sent;
	if (client->sent < client->answer_bytes)
		return 1;
	free(client->answer);
	client->answer = NULL;
	client->since_ns = now_ns;
	/* The next request may have come with the last one. */
	take_line(control, client, client->closing, now_ns);
	if (is_done(client))
		drop(client);
	return 1;
}

/* A place for one more: a free one, or that of who has said nothing for the longest time. */
static struct client *find_place(struct control *control)
{
	struct client *idle = NULL;
	for (int i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &control->clients[i];
		if (client->fd < 0)
			return client;
		if (!client->answer && !client->later && client->used == 0 &&
		    (!idle || client->since_ns < idle->since_ns))
			idle = client;
	}
	if (idle)
		drop(idle);
	return idle;
}

static int accept_client(struct control *control, uint64_t now_ns)
{
	static const char busy[] = "{\"ok\":false,\"error\":\"too many clients, try again\"}\n";
	int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			log_warning("control", "cannot accept a client: %s", strerror(errno));
		return 0;
	}
	struct client *client = find_place(control);
	char *line = client ? malloc(CONTROL_LINE_BYTES_MAX) : NULL;
	if (!line) {
		/* Best effort: who cannot be served is at least told. */
		if (send(fd, busy, sizeof(busy) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			log_warning("control", "too many clients");
		close(fd);
		return 1;
	}
	*client = (struct client){.fd = fd, .line = line, .since_ns = now_ns};
	return 1;
}

/* Who is in the middle of a request or an answer for too long has to go. */
static void expire(struct client *client, uint64_t now_ns)
{
	if (now_ns < client->since_ns + DEADLINE_NS)
		return;
	if (client->later)
		return; /* whoever made it wait bounds that */
	if (client->answer) {
		drop(client);
	} else if (client->used > 0) {
		client->closing = true;
		client->used = 0;
		say(client, error_answer("the request took longer than 5 s"), now_ns);
	}
}

int control_step(void *self, uint64_t now_ns)
{
	struct control *control = self;
	struct pollfd polls[CLIENTS_MAX + 1];
	struct client *who[CLIENTS_MAX + 1];
	nfds_t count = 0;
	int work = 0, patience_ms = POLL_MS;
	for (int i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &control->clients[i];
		if (client->fd >= 0)
			expire(client, now_ns);
		if (client->fd < 0)
			continue;
		if (client->later)
			work += poll_later(client, now_ns);
		if (client->fd < 0)
			continue;
		short events = client->later ? 0 : client->answer ? POLLOUT : POLLIN;
		if (client->later)
			patience_ms = POLL_LATER_MS;
		polls[count] = (struct pollfd){.fd = client->fd, .events = events};
		who[count++] = client;
	}
	polls[count] = (struct pollfd){.fd = control->fd, .events = POLLIN};
	if (poll(polls, count + 1, patience_ms) <= 0)
		return work;
	for (nfds_t i = 0; i < count; i++) {
		if (!polls[i].revents)
			continue;
		if (who[i]->later)
			drop(who[i]); /* gone, both ways */
		else if (who[i]->answer)
			work += write_client(control, who[i], now_ns);
		else
			work += read_client(control, who[i], now_ns);
	}
	if (polls[count].revents)
		work += accept_client(control, now_ns);
	return work;
}
