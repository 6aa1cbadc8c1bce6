/*
 * web: what is said to weir-console over HTTP.
 *
 *   web COUNT CONSOLE
 *
 *   hostile-requests   each of requests.c: refused with a whole 4xx and nothing behind it, or,
 *                      where it is no request at all, cut off
 *   mutated-requests   COUNT good requests with bytes changed, cut, doubled: a whole answer, or cut
 *   half-open-clients  clients that never end their head or their body, 700 or a tenth of COUNT
 *                      up to 10,000, beside all that: cut off in the end
 *
 * Holds: the console answers all the while, its memory and its descriptors do not grow.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host.h"
#include "requests.h"
#include "support/proof.h"
#include "support/random.h"
#include "visitor.h"

/* Clients that never end their head or their body: a tenth of COUNT, within these. A quarter are at
 * a body: more than the console holds at a time. */
#define HALF_OPEN_MIN 700u
#define HALF_OPEN_MAX 10000u
#define DESCRIPTORS_OWN 64u    /* of this process, besides its clients */
#define MUTATED_MS 10u         /* for an answer, where one comes */
#define GROWTH_KIB (48u << 10) /* places for all connections at once, and a body for some */

struct web {
	struct host host; /* its directory, its violations */
	pid_t pid;
	unsigned port;
	char log[128];
	uint64_t count;
	unsigned half_open_count;
	unsigned first_body, last_body; /* of them, and open until the console cuts them */
	int half_open[HALF_OPEN_MAX];
};

static void start(struct web *web, const char *console)
{
	char nowhere[128];

	snprintf(web->log, sizeof(web->log), "%s/console.log", web->host.directory);
	snprintf(nowhere, sizeof(nowhere), "%s/nowhere.sock", web->host.directory);
	web->pid = process_fork();
	if (web->pid == 0) {
		int fd = open(web->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		dup2(fd, STDERR_FILENO);
		execl(console, console, "--listen", "127.0.0.1:0", "--control", nowhere,
		      (char *)NULL);
		_exit(127);
	}
}

/* The port is in its log: "ready at http://127.0.0.1:45678/". */
static void wait_ready(struct web *web)
{
	for (int i = 0; i < HOST_PATIENCE_S * 100 && !web->port; i++) {
		char line[512];
		FILE *file = fopen(web->log, "r");
		while (file && fgets(line, sizeof(line), file)) {
			const char *at = strstr(line, "ready at http://127.0.0.1:");
			if (at)
				web->port = (unsigned)atoi(at + strlen("ready at "
								       "http://127.0.0.1:"));
		}
		if (file)
			fclose(file);
		pause_us(10000);
	}
	if (!web->port) {
		printf("FAILED: the console does not start\n");
		exit(1);
	}
}

static bool answers(struct web *web)
{
	static const char healthy[] = "GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n";
	const struct visitor visitor = {.port = web->port};
	struct visit visit;

	visitor_ask(&visitor, healthy, strlen(healthy), &visit);
	return visit.status == 200 && visit.whole;
}

static bool is_refusal(unsigned status, enum request_end end)
{
	return (status >= 400 && status < 500) || (end == REQUEST_OLD && status == 505);
}

static void ask(void *self, const struct hostile_request *request)
{
	struct web *web = self;
	const struct visitor visitor = {
		.port = web->port, .end = request->half_closed, .head_only = request->head_only};
	struct visit visit;

	visitor_ask(&visitor, request->bytes, request->count, &visit);
	bool dropped = request->end == REQUEST_DROPPED && visit.answers == 0 && visit.closed;
	/* What lies behind a refused one may be refused too; it may not be answered. */
	bool whole = visit.whole || (request->end == REQUEST_TWICE && visit.closed);
	bool refused = whole && visit.answers > 0 && is_refusal(visit.status, request->end) &&
		       !strstr(visit.text, " 200 OK");
	host_expect(&web->host, dropped || refused, "\"%.60s\" (%.80s): %u answers%s%s: %.120s",
		    request->name, request->bytes, visit.answers, visit.whole ? "" : ", not whole",
		    visit.closed ? ", closed" : "", visit.text);
	if (++web->count % 50 == 0)
		host_expect(&web->host, answers(web), "the console does not answer any more");
}

/* Bytes changed, taken out, doubled, in one or some places. */
static size_t mutate(char *text, size_t count, size_t room)
{
	for (uint64_t i = 1 + random_below(4); i > 0; i--) {
		size_t at = random_below(count), part = random_below(count - at) % 40;
		switch (random_below(5)) {
		case 0:
			text[at] = (char)random_next();
			break;
		case 1:
			text[at] = "\r\n\0 :%/?&=,\t"[random_below(12)];
			break;
		case 2:
			if (count - part < 8)
				break;
			memmove(text + at, text + at + part, count - at - part);
			count -= part;
			break;
		case 3:
			if (count + part > room)
				break;
			memmove(text + at + part, text + at, count - at);
			count += part;
			break;
		default:
			text[at] = (char)(text[at] ^ 1 << random_below(8));
		}
	}
	return count;
}

static void ask_mutated(struct web *web)
{
	static const char *const good[] = {
		"GET / HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n",
		"GET /assets/app.js HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: \"x\"\r\n\r\n",
		"GET /api/v1/session?a=1&b=%C3%A9 HTTP/1.1\r\nHost: localhost:80\r\n\r\n",
		"POST /api/v1/csp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
		"Content-Length: 12\r\n\r\n{\"a\":[1,2]}\n",
		"POST /api/v1/csp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
		"Transfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n2\r\n1}\r\n0\r\n\r\n",
		"DELETE /api/v1/mutes/1 HTTP/1.1\r\nHost: localhost\r\nOrigin: "
		"http://localhost\r\n\r\n",
	};
	const char *one = good[random_below(sizeof(good) / sizeof(good[0]))];
	struct visit visit;
	char text[1024];
	size_t count = strlen(one);

	memcpy(text, one, count);
	count = mutate(text, count, sizeof(text) / 2);
	const struct visitor visitor = {.port = web->port,
					.head_only = memmem(text, count, "HEAD", 4) != NULL,
					.patience_ms = MUTATED_MS};
	visitor_ask(&visitor, text, count, &visit);
	/* It may wait for more. A refusal of the library's own may have its head twice. */
	bool waits = !visit.closed && visit.bytes == 0, cut = visit.closed && visit.bytes == 0;
	bool refused = visit.closed && visit.status >= 400 && visit.status < 500;
	host_expect(&web->host,
		    waits || cut || refused || (visit.whole && visit.status && visit.status != 500),
		    "seed %llu: %.*s: %u answers: %.120s", (unsigned long long)random_seed,
		    (int)count, text, visit.answers, visit.text);
}

static void open_half(struct web *web)
{
	static const char *const halves[] = {
		"",
		"GET",
		"\x16\x03\x01\x02\x01\x01\x01\xfc\x03\x03 a TLS hello",
		"\r\n\r\n\r\n",
		"\x01\x02\x03",
		"G",
		"GET / HTTP/1.1\r\n",
		"GET / HTTP/1.1\r\nHost: localhost\r\nX: ",
		"POST /api/v1/csp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
		"Content-Length: 60000\r\n\r\n{",
		"POST /api/v1/csp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
		"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
		"POST /api/v1/csp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
		"Content-Length: 2\r\n\r\n{",
	};

	for (unsigned i = 0; i < web->half_open_count; i++) {
		const char *half = halves[i % (sizeof(halves) / sizeof(halves[0]))];
		web->half_open[i] = visitor_connect(web->port);
		if (send(web->half_open[i], half, strlen(half), MSG_NOSIGNAL) < 0)
			perror("send");
		if (i % 7 == 0)
			shutdown(web->half_open[i], SHUT_WR);
		else if (half[0] == 'P' && web->first_body == 0)
			web->first_body = i;
		else if (half[0] == 'P')
			web->last_body = i;
	}
}

static bool is_open(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
}

/* There are more bodies than are held at a time: who came to his first loses it to those behind.
 * Were it for his time, the last would lose hers with it, in one sweep. */
static void expect_first_body_lost(struct web *web)
{
	bool lost = false;

	for (int i = 0; i < HOST_PATIENCE_S * 1000 && !lost; i++) {
		lost = !is_open(web->half_open[web->first_body]);
		pause_us(1000);
	}
	pause_us(20000);
	host_expect(&web->host, lost && is_open(web->half_open[web->last_body]),
		    "bodies are held without a bound");
}

/* Each has come to its end, though it goes on sending a byte now and then. */
static uint64_t wait_cut(struct web *web)
{
	uint64_t cut = 0;

	for (unsigned i = 0; i < web->half_open_count; i++) {
		char byte;
		bool ended = false;
		for (int round = 0; round < HOST_PATIENCE_S * 20 && !ended; round++) {
			if (round % 20 == 0)
				ended = send(web->half_open[i], "a", 1, MSG_NOSIGNAL) < 0;
			ended = ended || recv(web->half_open[i], &byte, 1, MSG_DONTWAIT) == 0;
			if (!ended)
				pause_us(50000);
		}
		host_expect(&web->host, ended, "a client may take for ever over its head");
		cut += ended;
		close(web->half_open[i]);
	}
	return cut;
}

/* It ends as asked, and no sanitizer has said anything. */
static void stop(struct web *web)
{
	char command[192];

	kill(web->pid, SIGTERM);
	int code = host_wait(web->pid);
	host_expect(&web->host, code == 0, "the console ended with %d", code);
	snprintf(command, sizeof(command), "grep -E 'Sanitizer|runtime error' %s", web->log);
	host_expect(&web->host, system(command) != 0, "a sanitizer speaks in the console's log");
}

/* Clients at a head: as many as are wanted and may be. The console has places of its own. */
static unsigned half_open_for(uint64_t count)
{
	uint64_t wanted = count / 10;
	struct rlimit limit;

	wanted = wanted < HALF_OPEN_MIN ? HALF_OPEN_MIN : wanted;
	wanted = wanted > HALF_OPEN_MAX ? HALF_OPEN_MAX : wanted;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		exit(1);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur >= wanted + DESCRIPTORS_OWN)
		return (unsigned)wanted;
	printf("SKIPPED: %llu clients at once: a process may open %llu files here\n",
	       (unsigned long long)wanted, (unsigned long long)limit.rlim_cur);
	return HALF_OPEN_MIN;
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 0) : 3000, before;
	static struct web web;

	if (argc < 3)
		return 2;
	if (host_quick())
		count = (count + 3) / 4;
	web.half_open_count = half_open_for(count);
	host_open(&web.host, NULL, "");
	start(&web, argv[2]);
	wait_ready(&web);
	host_expect(&web.host, answers(&web), "the console does not answer");
	unsigned descriptors = descriptors_of(web.pid);
	uint64_t memory_kib = memory_kib_of(web.pid);

	open_half(&web);
	expect_first_body_lost(&web);
	uint64_t held = web.host.violations;
	before = held;
	unsigned requests = requests_each(ask, &web);
	proof_say("hostile-requests", requests, web.host.violations - before);
	before = web.host.violations;
	for (uint64_t i = 0; i < count; i++) {
		random_start(1 + i);
		ask_mutated(&web);
	}
	host_expect(&web.host, answers(&web), "the console does not answer any more");
	proof_say("mutated-requests", count, web.host.violations - before);
	before = web.host.violations;
	uint64_t cut = wait_cut(&web);
	host_expect(&web.host, answers(&web), "the console does not answer any more");
	uint64_t after_kib = memory_kib_of(web.pid);
	printf("memory of the console: %llu KiB, then %llu KiB\n", (unsigned long long)memory_kib,
	       (unsigned long long)after_kib);
	host_expect(&web.host, host_sanitized() || after_kib < memory_kib + GROWTH_KIB,
		    "the console's memory grows");
	/* The library closes what is over when it comes to it. */
	for (unsigned i = 0; i < 1000 && descriptors_of(web.pid) > descriptors; i++)
		pause_us(10000);
	host_expect(&web.host, descriptors_of(web.pid) <= descriptors, "descriptors: %u, then %u",
		    descriptors, descriptors_of(web.pid));
	proof_say("half-open-clients", cut, held + web.host.violations - before);
	stop(&web);
	host_close(&web.host);
	return web.host.violations ? 1 : 0;
}
