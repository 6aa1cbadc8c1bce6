/*
 * guard: see guard.h.
 */
#include "guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "url.h"

#define TOKEN_BYTES_MIN 16u

static const char api_prefix[] = "/api/";
static const char csp_path[] = "/api/v1/csp";

static bool starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* An address, not a name, cannot be made to point elsewhere. */
static bool is_address(const char *name)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

static bool is_ours(const struct guard *guard, const char *name)
{
	static const char *const local[] = {"localhost", "127.0.0.1", "::1"};

	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
		if (strcmp(name, local[i]) == 0)
			return true;
	for (unsigned i = 0; i < guard->hosts_count; i++)
		if (strcasecmp(name, guard->hosts[i]) == 0)
			return true;
	return strcmp(name, guard->address) == 0 || (guard->any_address && is_address(name));
}

/* "https://shop.example" of a page on the same host and port. */
static bool is_own_origin(const struct guard_head *head)
{
	const char *origin = head->origin;

	if (starts(origin, "http://"))
		origin += strlen("http://");
	else if (starts(origin, "https://"))
		origin += strlen("https://");
	else
		return false; /* "null" too */
	return strcasecmp(origin, head->host) == 0;
}

/* As long for any text of the same length. */
static bool same_secret(const char *left, const char *right)
{
	size_t bytes = strlen(left);
	unsigned char differs = 0;

	if (strlen(right) != bytes)
		return false;
	for (size_t i = 0; i < bytes; i++)
		differs |= (unsigned char)(left[i] ^ right[i]);
	return differs == 0;
}

static bool is_type(const char *given, const char *wanted)
{
	size_t bytes = strlen(wanted);

	return given && strncasecmp(given, wanted, bytes) == 0 &&
	       (given[bytes] == '\0' || given[bytes] == ';' || given[bytes] == ' ');
}

static void refuse(struct guard_verdict *verdict, unsigned status, const char *why)
{
	verdict->status = status;
	verdict->why = why;
}

/* Where does the body end? One answer only. */
static void check_framing(const struct guard_head *head, struct guard_verdict *verdict)
{
	uint64_t bytes = 0;

	if (head->malformed || head->repeated)
		refuse(verdict, 400, "the request's head is malformed, or says something twice");
	else if (head->bytes > GUARD_HEAD_BYTES_MAX)
		refuse(verdict, 431, "the request's head is longer than 8 KiB");
	else if (head->transfer_encoding && head->content_length)
		refuse(verdict, 400, "Transfer-Encoding and Content-Length are both there");
	else if (head->transfer_encoding && strcasecmp(head->transfer_encoding, "chunked") != 0)
		refuse(verdict, 400, "the only Transfer-Encoding taken is chunked");
	else if (head->content_length) {
		size_t digits = strspn(head->content_length, "0123456789");
		if (digits == 0 || head->content_length[digits] != '\0')
			refuse(verdict, 400, "Content-Length is no number");
		bytes = strtoull(head->content_length, NULL, 10);
	}
	if (!verdict->status && bytes > GUARD_BODY_BYTES_MAX)
		refuse(verdict, 413, "the body is longer than 64 KiB");
	verdict->close = verdict->status != 0;
}

static void check_host(const struct guard *guard, const struct guard_head *head,
		       struct guard_verdict *verdict)
{
	char name[URL_HOST_BYTES];

	if (!head->host || !url_host(head->host, name))
		refuse(verdict, 400, "the Host header is missing or malformed");
	else if (!is_ours(guard, name))
		refuse(verdict, 403,
		       "this console is not known under that name; start it with --host NAME");
}

static void check_site(const struct guard_head *head, bool writes, struct guard_verdict *verdict)
{
	const char *site = head->fetch_site;

	if (writes && head->origin && !is_own_origin(head))
		refuse(verdict, 403, "another site's page may not write here");
	else if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
		refuse(verdict, 403, "another site's page may not ask here");
}

static void check_token(const struct guard *guard, const struct guard_head *head,
			struct guard_verdict *verdict)
{
	static const char bearer[] = "Bearer ";
	const char *given = head->authorization;

	if (!guard_wants_token(guard))
		return;
	if (!guard->token[0])
		refuse(verdict, 403,
		       "this console only shows: more than this machine can reach it, and it was "
		       "started without --token-file");
	else if (!given || strncasecmp(given, bearer, strlen(bearer)) != 0)
		refuse(verdict, 401, "the console's token is wanted: Authorization: Bearer TOKEN");
	else if (!same_secret(guard->token, given + strlen(bearer)))
		refuse(verdict, 403, "that is not the console's token");
}

void guard_check(const struct guard *guard, const struct guard_head *head,
		 struct guard_verdict *ret_verdict)
{
	bool reads = strcmp(head->method, "GET") == 0 || strcmp(head->method, "HEAD") == 0;
	bool posts = strcmp(head->method, "POST") == 0;
	bool writes = posts || strcmp(head->method, "DELETE") == 0;
	bool reports = posts && strcmp(head->path, csp_path) == 0;

	*ret_verdict = (struct guard_verdict){0};
	check_framing(head, ret_verdict);
	if (ret_verdict->status)
		return;
	if (!reads && !writes) {
		refuse(ret_verdict, 405, "only GET, HEAD, POST and DELETE");
		ret_verdict->allow = "GET, HEAD, POST, DELETE";
		ret_verdict->close = true;
		return;
	}
	check_host(guard, head, ret_verdict);
	if (!ret_verdict->status && starts(head->path, api_prefix))
		check_site(head, writes && !reports, ret_verdict);
	if (!ret_verdict->status && writes && !reports)
		check_token(guard, head, ret_verdict);
	if (!ret_verdict->status && posts && !is_type(head->content_type, "application/json") &&
	    !(reports && is_type(head->content_type, "application/csp-report")))
		refuse(ret_verdict, 415, "the body has to be application/json");
	if (!ret_verdict->status && !posts &&
	    (head->transfer_encoding ||
	     (head->content_length && strtoull(head->content_length, NULL, 10) > 0))) {
		refuse(ret_verdict, 400, "only a POST has a body");
		ret_verdict->close = true;
	}
}

bool guard_wants_token(const struct guard *guard)
{
	return guard->token[0] || !guard->local;
}

static int refuse_file(int error, const char *file, const char *what, char *why, size_t why_bytes)
{
	snprintf(why, why_bytes, "--token-file: %s %s", file, what);
	return error;
}

int guard_token(struct guard *guard, const char *file, char *why, size_t why_bytes)
{
	char text[GUARD_TOKEN_BYTES_MAX + 2];
	struct stat st;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return refuse_file(-errno, file, strerror(errno), why, why_bytes);
	ssize_t bytes = fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)
				? -1
				: read(fd, text, sizeof(text) - 1);
	close(fd);
	if (bytes < 0)
		return refuse_file(-EINVAL, file, "is no file that can be read", why, why_bytes);
	if (st.st_mode & 077)
		return refuse_file(-EPERM, file, "can be read by others than its owner; chmod 600",
				   why, why_bytes);
	text[bytes] = '\0';
	size_t used = strcspn(text, "\r\n");
	if (strlen(text) != (size_t)bytes || used < TOKEN_BYTES_MIN || used > GUARD_TOKEN_BYTES_MAX)
		return refuse_file(-EINVAL, file,
				   "has to hold one line of 16 to 512 characters; make one with: "
				   "head -c 24 /dev/urandom | base64",
				   why, why_bytes);
	text[used] = '\0';
	for (size_t i = 0; i < used; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return refuse_file(-EINVAL, file,
					   "has a character that is no ASCII, or a blank", why,
					   why_bytes);
	memcpy(guard->token, text, used + 1);
	explicit_bzero(text, sizeof(text));
	return 0;
}
