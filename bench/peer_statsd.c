/*
 * peer_statsd: StatsD lines by UDP over the loopback, with sendmmsg, a packet for each or as many
 * as fit, to a lean server (peer_statsd_server.c) that keeps sums.
 *
 *	page_view.p3.h7.c12.d1:5|c\n        event and dimensions, as weir has them; text made before
 *
 * StatsD has no time of the event: the server's own is taken. UDP loses what the receiver's socket
 * has no room for, and a client is never told; here it waits before that happens, which makes the
 * rate one without loss.
 */
#include "peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer_statsd_server.h"
#include "producer.h"
#include "weir/order.h"

#define LINE_BYTES 48u
#define TAIL_BYTES 8u                /* of a line behind its name, at most */
#define BUFFER_BYTES (64 << 20)      /* of the receiver's socket, where that is allowed */
#define PACKET_COST 4608u            /* bytes of it that a packet takes, at most */
#define AHEAD_MAX 256u               /* packets; more would only fall out of the cache */
#define QUIET_NS UINT64_C(300000000) /* nothing for so long: nothing will come */

struct line {
	char text[LINE_BYTES - 1]; /* the name and a colon */
	uint8_t bytes;
};

struct sender {
	const struct peer_task *task;
	struct statsd_server *server;
	struct line *lines;
	uint32_t batch; /* lines of a packet, at most */
	uint64_t ahead; /* packets that the receiver's socket has room for */
	int fds[2];     /* [0] sends to [1] */
	struct peer_watch watch;
};

static int statsd_available(const struct peer_task *task, char *why, size_t why_bytes)
{
	(void)task, (void)why, (void)why_bytes;
	return 0;
}

static struct line *make_lines(uint32_t series)
{
	struct line *lines = calloc(series, sizeof(*lines));
	for (uint32_t i = 0; lines && i < series; i++) {
		struct plan_series is;
		plan_series(i, &is);
		int bytes = snprintf(lines[i].text, sizeof(lines[i].text),
				     "%s.%s.%s.%s.%s:", is.event, is.values[0], is.values[1],
				     is.values[2], is.values[3]);
		lines[i].bytes = (uint8_t)bytes;
	}
	return lines;
}

/* Fill a packet with at most `most` lines. */
static uint32_t fill(struct plan_cursor *cursor, const struct line *lines, char *packet,
		     uint32_t most, size_t *ret_bytes)
{
	char *at = packet, *end = packet + STATSD_PACKET_BYTES - LINE_BYTES - TAIL_BYTES;
	uint32_t count = 0;
	while (count < most && at <= end) {
		uint32_t value, index = plan_next(cursor, &value);
		memcpy(at, lines[index].text, sizeof(lines[index].text));
		at += lines[index].bytes;
		*at++ = (char)('0' + value); /* 1 .. PLAN_VALUES */
		memcpy(at, "|c\n", 3);
		at += 3;
		count++;
	}
	*ret_bytes = (size_t)(at - packet) - 1; /* the last without its line feed */
	return count;
}

/* Until the receiver's socket has room for what comes next. */
static void hold(const struct sender *sender, uint64_t sent, uint32_t packet_events)
{
	uint64_t before = 0, since_ns = monotonic_ns();
	for (;;) {
		uint64_t events = weir_load_acquire_64(&sender->server->events);
		if (sent - events <= sender->ahead * packet_events)
			return;
		if (events != before)
			since_ns = monotonic_ns();
		before = events;
		if (monotonic_ns() - since_ns > QUIET_NS)
			return; /* it was lost all the same, and will be seen so */
		sched_yield();
	}
}

static int send_all(struct sender *sender, struct plan_cursor *cursor, uint64_t *ret_sent)
{
	static char bytes[STATSD_PACKETS][STATSD_PACKET_BYTES];
	static struct mmsghdr messages[STATSD_PACKETS];
	static struct iovec parts[STATSD_PACKETS];
	int r = 0;
	for (uint32_t i = 0; i < STATSD_PACKETS; i++) {
		parts[i].iov_base = bytes[i];
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
	}
	peer_watch_start(&sender->watch, sender->task);
	while (r == 0 && peer_going(&sender->watch, *ret_sent)) {
		uint32_t count = 0;
		for (uint32_t i = 0; i < STATSD_PACKETS; i++)
			count += fill(cursor, sender->lines, bytes[i], sender->batch,
				      &parts[i].iov_len);
		hold(sender, *ret_sent, count / STATSD_PACKETS);
		for (uint32_t sent = 0; sent < STATSD_PACKETS && r == 0;) {
			int now = sendmmsg(sender->fds[0], messages + sent, STATSD_PACKETS - sent,
					   0);
			if (now > 0)
				sent += (uint32_t)now;
			else if (now < 0 && errno != EINTR && errno != ENOBUFS)
				r = -errno;
		}
		*ret_sent += count;
	}
	hold(sender, *ret_sent, 0);
	return r;
}

static int connect_pair(struct sender *sender)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof(address), room_bytes = sizeof(int);
	int room = BUFFER_BYTES, *fds = sender->fds;
	for (int i = 0; i < 2; i++)
		if ((fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
			return -errno;
	/* As root as large as we say; else as large as net.core.rmem_max lets it be. */
	if (setsockopt(fds[1], SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		setsockopt(fds[1], SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (getsockopt(fds[1], SOL_SOCKET, SO_RCVBUF, &room, &room_bytes) < 0 ||
	    bind(fds[1], (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    getsockname(fds[1], (struct sockaddr *)&address, &bytes) < 0 ||
	    connect(fds[0], (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	uint64_t packets = (uint64_t)room / PACKET_COST;
	sender->ahead = packets > 2 * STATSD_PACKETS ? packets - 2 * STATSD_PACKETS : 0;
	if (sender->ahead > AHEAD_MAX)
		sender->ahead = AHEAD_MAX;
	return 0;
}

static int check(const struct sender *sender, const struct plan *plan, uint64_t sent,
		 struct peer_result *result)
{
	struct peer_books books;
	int r = peer_books_init(&books, plan);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < plan->series; i++) {
		const struct line *line = &sender->lines[i];
		const struct statsd_counter *counter =
			statsd_server_find(sender->server, line->text, line->bytes - 1u);
		books.counts[i] = counter ? counter->count : 0;
		books.sums[i] = counter ? counter->sum : 0;
		books.events += books.counts[i];
	}
	books.strangers = sender->server->refused + sender->server->events - books.events;
	peer_books_close(&books, sent, result);
	peer_books_fini(&books);
	return 0;
}

static int statsd_run(const struct peer *peer, const struct peer_task *task,
		      struct peer_result *ret_result)
{
	struct plan plan;
	struct plan_cursor cursor;
	struct sender sender = {.task = task,
				.batch = peer->batch,
				.lines = make_lines(task->series),
				.server = statsd_server_create(task->series),
				.fds = {-1, -1}};
	int r = sender.lines && sender.server ? plan_init(&plan, task->series, 0) : -ENOMEM;
	if (r == 0)
		r = connect_pair(&sender);
	pid_t server = r == 0 ? fork() : -1;
	if (server == 0) {
		processor_pin(0, task->receiver);
		statsd_server_run(sender.server, sender.fds[1]);
	}
	if (r < 0 || server < 0)
		return r < 0 ? r : -EAGAIN;
	processor_pin(0, task->sender);
	plan_start(&plan, &cursor);
	r = send_all(&sender, &cursor, &ret_result->sent);
	kill(server, SIGKILL);
	peer_wait(server, 1000);
	ret_result->seconds = (double)(sender.server->last_ns - sender.watch.first_ns) * 1e-9;
	if (r == 0)
		r = check(&sender, &plan, ret_result->sent, ret_result);
	plan_fini(&plan);
	return r;
}

const struct peer peer_statsd = {
	.name = "statsd",
	.title = "StatsD, a packet an event",
	.driven = "UDP over the loopback, 64 packets a call, a lean server; sums in its memory",
	.batch = 1,
	.available = statsd_available,
	.run = statsd_run,
};

const struct peer peer_statsd_packed = {
	.name = "statsd_packed",
	.title = "StatsD, packed",
	.driven = "the same, packets filled up to 1,432 bytes",
	.batch = STATSD_PACKET_BYTES,
	.available = statsd_available,
	.run = statsd_run,
};
