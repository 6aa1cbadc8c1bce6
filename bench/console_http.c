/*
 * console_http: see console_http.h. A server that does not answer is given up after a while.
 */
#include "console_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "producer.h"

#define PATIENCE_S 60
#define ANSWER_BYTES_MAX (UINT32_C(64) << 20)
#define FILES_MAX 200u
#define PATH_BYTES 512u
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-"

int http_connect(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

int http_send_get(int fd, uint16_t port, const char *path, bool gzip, const char *more)
{
	char head[2048];
	int bytes = snprintf(head, sizeof(head),
			     "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s%s\r\n", path, port,
			     gzip ? "Accept-Encoding: gzip, br\r\n" : "", more);

	if (bytes >= (int)sizeof(head))
		return -ENAMETOOLONG;
	return send(fd, head, (size_t)bytes, MSG_NOSIGNAL) == bytes ? 0 : -EPIPE;
}

/* All that comes until the other side ends. Bytes, or a negative errno. */
static ssize_t read_all(int fd, char **ret_text)
{
	size_t room = 1 << 16, used = 0;
	char *text = malloc(room);

	while (text) {
		ssize_t got = recv(fd, text + used, room - used - 1, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			text[used] = '\0';
			*ret_text = text;
			return got < 0 ? -errno : (ssize_t)used;
		}
		used += (size_t)got;
		if (used + 1 < room)
			continue;
		char *more = room < ANSWER_BYTES_MAX ? realloc(text, room *= 2) : NULL;
		if (!more)
			break;
		text = more;
	}
	*ret_text = text;
	return -ENOMEM;
}

/* Take the answer apart: the body moves to the front. */
static int take_apart(struct http_answer *answer, char *text, size_t bytes)
{
	char *end = strstr(text, "\r\n\r\n");

	answer->body = text;
	if (!end || sscanf(text, "HTTP/1.%*d %d", &answer->status) != 1)
		return -EBADMSG;
	*end = '\0';
	/* What is left is then no body, but pieces with their lengths. */
	if (strcasestr(text, "\r\nTransfer-Encoding: chunked"))
		return -EBADMSG;
	answer->gzip = strcasestr(text, "\r\nContent-Encoding: ") != NULL;
	answer->body_bytes = bytes - (size_t)(end + 4 - text);
	memmove(text, end + 4, answer->body_bytes + 1);
	return 0;
}

int http_get(uint16_t port, const char *path, bool gzip, struct http_answer *ret_answer, char *why,
	     size_t why_bytes)
{
	uint64_t begin_ns = monotonic_ns();
	char *text = NULL;
	int fd = http_connect(port);
	int error = fd < 0 ? fd : http_send_get(fd, port, path, gzip, "Connection: close\r\n");

	*ret_answer = (struct http_answer){0};
	if (!error) {
		ssize_t bytes = read_all(fd, &text);
		error = bytes < 0 ? (int)bytes : take_apart(ret_answer, text, (size_t)bytes);
	}
	if (fd >= 0)
		close(fd);
	ret_answer->seconds = (double)(monotonic_ns() - begin_ns) / 1e9;
	if (!error)
		return 0;
	snprintf(why, why_bytes, "weir-console: GET %s: %s", path, strerror(-error));
	free(text);
	ret_answer->body = NULL;
	return error;
}

void http_answer_fini(struct http_answer *answer)
{
	free(answer->body);
	answer->body = NULL;
}

struct crawl {
	char paths[FILES_MAX][PATH_BYTES];
	uint32_t count;
};

/* The path that `name` (until its quotation mark) means in the file at `from`. */
static void find_path(struct crawl *crawl, const char *from, const char *name, size_t bytes)
{
	char path[PATH_BYTES];
	const char *slash = strrchr(from, '/');
	int folder = (int)(slash - from);

	/* Scripts are packed: what stands behind a word need not be a name. */
	if (!bytes || bytes >= PATH_BYTES / 2 || strspn(name, NAME_CHARS) < bytes)
		return;
	while (bytes > 3 && strncmp(name, "../", 3) == 0) {
		name += 3;
		bytes -= 3;
		while (folder > 0 && from[--folder] != '/')
			;
	}
	if (strncmp(name, "./", 2) == 0) {
		name += 2;
		bytes -= 2;
	}
	/* What is asked of the interface is data: as much as there is. */
	if (strncmp(name, "/api/", 5) == 0)
		return;
	if (name[0] == '/')
		snprintf(path, sizeof(path), "%.*s", (int)bytes, name);
	else
		snprintf(path, sizeof(path), "%.*s/%.*s", folder, from, (int)bytes, name);
	for (uint32_t i = 0; i < crawl->count; i++)
		if (strcmp(crawl->paths[i], path) == 0)
			return;
	if (crawl->count < FILES_MAX)
		snprintf(crawl->paths[crawl->count++], PATH_BYTES, "%s", path);
}

/* What a file of ours names: attributes of a page, imports of a script, images of a style. A link
 * to another page of the console is none of its files. */
static void find_names(struct crawl *crawl, const char *from, const char *text)
{
	static const char *const before[] = {"src=\"", "from \"", "from\"", "import \"", "import\"",
					     "import(\"", "url(\"", "@import \""};

	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++)
		for (const char *at = strstr(text, before[i]); at; at = strstr(at, before[i])) {
			at += strlen(before[i]);
			find_path(crawl, from, at, strcspn(at, "\"\n"));
		}
	for (const char *at = strstr(text, "<link "); at; at = strstr(at, "<link ")) {
		const char *end = strchr(at, '>'), *name = strstr(at, "href=\"");
		at += strlen("<link ");
		if (name && end && name < end)
			find_path(crawl, from, name + 6, strcspn(name + 6, "\"\n"));
	}
}

int http_weigh(uint16_t port, const char *path, struct http_weight *ret_weight, char *why,
	       size_t why_bytes)
{
	static struct crawl crawl;
	struct http_answer answer;

	*ret_weight = (struct http_weight){0};
	crawl.count = 1;
	snprintf(crawl.paths[0], PATH_BYTES, "%s", path);
	for (uint32_t i = 0; i < crawl.count; i++) {
		const char *at = crawl.paths[i];
		int error = http_get(port, at, true, &answer, why, why_bytes);
		if (!error && answer.status != 200) {
			snprintf(why, why_bytes, "weir-console: GET %s: status %d", at,
				 answer.status);
			error = -EBADMSG;
		}
		if (error) {
			http_answer_fini(&answer);
			return error;
		}
		ret_weight->bytes += answer.body_bytes;
		ret_weight->seconds += answer.seconds;
		bool packed = answer.gzip;
		if (packed) {
			http_answer_fini(&answer);
			error = http_get(port, at, false, &answer, why, why_bytes);
		}
		if (!error)
			find_names(&crawl, at, answer.body);
		http_answer_fini(&answer);
		if (error)
			return error;
	}
	ret_weight->files = crawl.count;
	return 0;
}
