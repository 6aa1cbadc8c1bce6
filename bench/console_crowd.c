/*
 * console_crowd: see console_crowd.h. One thread looks after them all: subscribers by epoll, slow
 * clients one after the other, each about once a second.
 */
#include "console_crowd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "console_http.h"
#include "producer.h"

#define ASIDE 64u           /* descriptors for everything else */
#define PATIENCE_NS (UINT64_C(60) * 1000000000)
#define HEARD_BYTES 32768u  /* of a stream: a few events */
#define SLOW_TURN_US 1000000u
#define STREAM "/api/v1/events?topics=anomalies"
#define LIST "/api/v1/anomalies?limit=500"

int crowd_allow(uint32_t count, char *why, size_t why_bytes)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < count + ASIDE) {
		snprintf(why, why_bytes, "%u clients need as many descriptors: ulimit -n %u", count,
			 count + ASIDE);
		return -EMFILE;
	}
	if (limit.rlim_cur < count + ASIDE) {
		limit.rlim_cur = count + ASIDE;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	return 0;
}

struct subscriber {
	int fd;
	bool has_head, heard;
	uint32_t used;
	char text[HEARD_BYTES];
};

struct crowd {
	int epoll;
	uint32_t count;
	struct subscriber *subscribers;
};

void crowd_end(struct crowd *crowd)
{
	if (!crowd)
		return;
	for (uint32_t i = 0; i < crowd->count; i++)
		close(crowd->subscribers[i].fd);
	if (crowd->epoll >= 0)
		close(crowd->epoll);
	free(crowd->subscribers);
	free(crowd);
}

/* What has come for it; the last bytes are kept. false: the other side has ended. */
static bool take(struct subscriber *who)
{
	for (;;) {
		if (who->used > HEARD_BYTES / 2) {
			who->used = HEARD_BYTES / 4;
			memmove(who->text, who->text + HEARD_BYTES / 4, who->used);
		}
		ssize_t got = recv(who->fd, who->text + who->used, HEARD_BYTES - 1 - who->used,
				   MSG_DONTWAIT);
		if (got < 0)
			return errno == EAGAIN || errno == EINTR;
		if (got == 0)
			return false;
		who->used += (uint32_t)got;
		who->text[who->used] = '\0';
	}
}

static bool knows(struct subscriber *who, const char *word)
{
	bool *is = word ? &who->heard : &who->has_head;

	if (*is || !who->used)
		return false;
	*is = word ? strstr(who->text, word) != NULL
		   : strncmp(who->text, "HTTP/1.1 200", 12) == 0 && strstr(who->text, "\r\n\r\n");
	return *is;
}

/* Until each has its head (word NULL) or has heard the word. How many. */
static uint32_t listen_all(struct crowd *crowd, const char *word, uint64_t since_ns,
			   double *delays_ms)
{
	uint64_t end_ns = monotonic_ns() + PATIENCE_NS;
	struct epoll_event events[256];
	uint32_t count = 0;

	while (count < crowd->count && monotonic_ns() < end_ns && !producers_interrupted()) {
		int ready = epoll_wait(crowd->epoll, events, 256, 100);
		for (int i = 0; i < ready; i++) {
			struct subscriber *who = events[i].data.ptr;
			if (!take(who))
				epoll_ctl(crowd->epoll, EPOLL_CTL_DEL, who->fd, NULL);
			if (!knows(who, word))
				continue;
			if (delays_ms)
				delays_ms[count] = (double)(monotonic_ns() - since_ns) / 1e6;
			count++;
		}
	}
	return count;
}

struct crowd *crowd_subscribe(uint16_t port, uint32_t count, char *why, size_t why_bytes)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));
	uint32_t listening = 0;

	if (crowd)
		crowd->subscribers = calloc(count, sizeof(*crowd->subscribers));
	if (!crowd || !crowd->subscribers) {
		snprintf(why, why_bytes, "no memory for %u subscribers", count);
		free(crowd);
		return NULL;
	}
	crowd->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (uint32_t i = 0; i < count; i++) {
		struct subscriber *who = &crowd->subscribers[i];
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = who};
		who->fd = http_connect(port);
		if (who->fd < 0)
			break;
		crowd->count++;
		http_send_get(who->fd, port, STREAM, false, "Accept: text/event-stream\r\n");
		epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, who->fd, &event);
	}
	if (crowd->count == count)
		listening = listen_all(crowd, NULL, 0, NULL);
	if (listening == count)
		return crowd;
	snprintf(why, why_bytes, "%u of %u subscribers could listen to " STREAM, listening, count);
	crowd_end(crowd);
	return NULL;
}

uint32_t crowd_hear(struct crowd *crowd, const char *word, uint64_t since_ns, double *delays_ms)
{
	for (uint32_t i = 0; i < crowd->count; i++)
		crowd->subscribers[i].heard = false;
	return listen_all(crowd, word, since_ns, delays_ms);
}

/* How a slow client begins; the first kind has begun with its first bytes. */
static int slow_begin(uint16_t port, uint32_t kind)
{
	static const char head[] = "GET / HTTP/1.1\r\nHost: ";
	int fd = http_connect(port);

	if (fd < 0)
		return -1;
	/* The kernel's own room would read for it. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){2048}, sizeof(int));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (kind == 0)
		send(fd, head, sizeof(head) - 1, MSG_NOSIGNAL);
	else
		http_send_get(fd, port, kind == 1 ? STREAM : LIST, false, "");
	return fd;
}

/* A byte in or out. false: it was thrown out. */
static bool slow_go_on(int fd, uint32_t kind)
{
	char byte = 'a';
	ssize_t done = kind == 0 ? send(fd, &byte, 1, MSG_NOSIGNAL) : recv(fd, &byte, 1, 0);

	return done > 0 || (done < 0 && errno == EAGAIN);
}

static _Noreturn void slow_be(uint16_t port, uint32_t count)
{
	static int fds[CROWD_MAX];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	memset(fds, 0xff, sizeof(fds));
	for (;;)
		for (uint32_t i = 0; i < count; i++) {
			if (fds[i] < 0) {
				fds[i] = slow_begin(port, i % 3);
			} else if (!slow_go_on(fds[i], i % 3)) {
				close(fds[i]);
				fds[i] = -1;
			}
			usleep(SLOW_TURN_US / count);
		}
}

pid_t slow_start(uint16_t port, uint32_t count)
{
	pid_t pid = fork();

	if (pid == 0)
		slow_be(port, count < CROWD_MAX ? count : CROWD_MAX);
	return pid < 0 ? 0 : pid;
}

void slow_stop(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
