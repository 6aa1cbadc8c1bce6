/*
 * crowd: see crowd.h. A client that the engine has hung up on comes again at once, so that its door
 * is never without one; one that finds no room before the door tries on.
 */
#include "crowd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "honest.h"
#include "rogue.h"
#include "weir/region.h"

#define PROCESSES 4u
#define NEWCOMERS 4u
/* Of one process besides its clients. */
#define DESCRIPTORS_OWN 64u
/* Connections that the engine lets wait at a time, and what comes and goes by itself. */
#define DESCRIPTORS_GROWTH (64u + 16u)
#define GROWTH_KIB 4096u
#define EVENTS_PER_TURN 256

/* Shared: one of the processes, as it counts. */
struct crowd_page {
	uint64_t clients;   /* have been let in, once or more */
	uint64_t connected; /* connections made, of all clients */
	uint64_t open_most; /* at the same time */
};

struct gate {
	uint32_t enough; /* test -> crowd */
	struct crowd_page pages[PROCESSES];
};

/* One process and its clients. */
struct part {
	const struct host *host;
	struct crowd_page *page;
	int epoll_fd;
	uint64_t count, open;
	int *fds; /* -1: outside */
	bool *been;
};

/* Connect one, unless there is no room: false. Of three, one is silent, one says half a HELLO, one
 * a byte of it. */
static bool come(struct part *part, uint64_t client)
{
	const struct weir_message hello = {.magic = WEIR_MESSAGE_MAGIC,
					   .version = WEIR_LAYOUT_VERSION,
					   .type = WEIR_MESSAGE_HELLO};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct epoll_event event = {.events = EPOLLRDHUP, .data.u64 = client};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		_exit(3);
	memcpy(address.sun_path, part->host->socket, sizeof(part->host->socket));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return false;
	}
	if (client % 3 == 1)
		rogue_send(fd, &hello, sizeof(hello) / 2, NULL, 0);
	else if (client % 3 == 2)
		rogue_send(fd, &hello, 1, NULL, 0);
	if (epoll_ctl(part->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		_exit(4);
	part->fds[client] = fd;
	/* Relaxed: the test looks at them. */
	weir_store_relaxed_64(&part->page->clients, part->page->clients + !part->been[client]);
	weir_store_relaxed_64(&part->page->connected, part->page->connected + 1);
	part->been[client] = true;
	if (++part->open > part->page->open_most)
		weir_store_relaxed_64(&part->page->open_most, part->open);
	return true;
}

/* Those that were hung up on. */
static void see_off(struct part *part)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int count = epoll_wait(part->epoll_fd, events, EVENTS_PER_TURN, 1);

	for (int i = 0; i < count; i++) {
		int *fd = &part->fds[events[i].data.u64];
		close(*fd);
		*fd = -1;
		part->open--;
	}
}

static void be_crowd(const struct host *host, struct gate *gate, unsigned which, uint64_t count)
{
	struct part part = {.host = host,
			    .page = &gate->pages[which],
			    .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
			    .count = count,
			    .fds = malloc(count * sizeof(*part.fds)),
			    .been = calloc(count, sizeof(*part.been))};

	if (part.epoll_fd < 0 || !part.fds || !part.been)
		_exit(2);
	for (uint64_t i = 0; i < count; i++)
		part.fds[i] = -1;
	uint64_t next = 0;
	/* Polled. All have been in, and then as long as others still come. */
	while (part.page->clients < count || !weir_load_relaxed_32(&gate->enough)) {
		for (uint64_t tried = 0; tried < count; tried++, next = (next + 1) % count)
			if (part.fds[next] < 0 && !come(&part, next))
				break;
		see_off(&part);
	}
	_exit(0);
}

/* The bound on descriptors: that of who has the least room, a process of the crowd. */
static bool allow(uint64_t each)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return false;
	if (limit.rlim_cur < each + DESCRIPTORS_OWN) {
		limit.rlim_cur = each + DESCRIPTORS_OWN;
		return setrlimit(RLIMIT_NOFILE, &limit) == 0;
	}
	return true;
}

static void report(const struct gate *gate, struct crowd_page *ret_all)
{
	*ret_all = (struct crowd_page){0};
	for (unsigned i = 0; i < PROCESSES; i++) {
		/* Counters, each for itself. */
		const struct crowd_page *page = &gate->pages[i];
		ret_all->clients += weir_load_relaxed_64(&page->clients);
		ret_all->connected += weir_load_relaxed_64(&page->connected);
		ret_all->open_most += weir_load_relaxed_64(&page->open_most);
	}
}

/* Until each of them has been in. */
static void wait_gathered(struct host *host, const struct gate *gate, uint64_t count)
{
	struct crowd_page all = {0};

	for (int i = 0; i < HOST_PATIENCE_S * 1000 && all.clients < count; i++) {
		report(gate, &all);
		pause_us(1000);
	}
	host_expect(host, all.clients >= count, "of a crowd only %llu come in",
		    (unsigned long long)all.clients);
}

/* Others come for the first time, one after the other, as if nothing were. */
static void newcomers(struct host *host, unsigned before, unsigned *ret_most)
{
	for (unsigned i = 0; i < NEWCOMERS; i++) {
		struct honest late;
		honest_start(&late, host, 2 + i, 1, 500);
		honest_wait(&late, host, 500);
		unsigned now = host_descriptors(host);
		*ret_most = now > *ret_most ? now : *ret_most;
		honest_stop(&late, host);
		honest_free(&late);
	}
	host_expect(host, *ret_most <= before + DESCRIPTORS_GROWTH,
		    "the engine has %u descriptors beside a crowd, %u without", *ret_most, before);
}

uint64_t crowd(struct host *host, uint64_t count)
{
	const uint64_t each = (count + PROCESSES - 1) / PROCESSES;
	const unsigned descriptors = host_descriptors(host);
	const uint64_t memory_kib = host_memory_kib(host);
	struct crowd_page all;
	unsigned most = descriptors;
	pid_t pids[PROCESSES];

	if (!allow(each)) {
		printf("SKIPPED: a process may open fewer than %llu files here: no crowd\n",
		       (unsigned long long)(each + DESCRIPTORS_OWN));
		return 0;
	}
	struct gate *gate = mmap(NULL, sizeof(*gate), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (gate == MAP_FAILED)
		exit(1);
	for (unsigned i = 0; i < PROCESSES; i++) {
		pids[i] = process_fork();
		if (pids[i] == 0)
			be_crowd(host, gate, i, each);
	}
	wait_gathered(host, gate, each * PROCESSES);
	newcomers(host, descriptors, &most);
	weir_store_relaxed_32(&gate->enough, 1);
	for (unsigned i = 0; i < PROCESSES; i++) {
		int code = host_wait(pids[i]);
		host_expect(host, code == 0, "a crowd ended with %d", code);
	}
	report(gate, &all);
	uint64_t now_kib = host_memory_kib(host);
	host_expect(host, host_sanitized() || now_kib < memory_kib + GROWTH_KIB,
		    "a crowd leaves memory: %llu KiB, then %llu KiB",
		    (unsigned long long)memory_kib, (unsigned long long)now_kib);
	printf("%llu half-open clients came %llu times, up to %llu at once; the engine: %u "
	       "descriptors, then up to %u; %llu KiB, then %llu KiB\n",
	       (unsigned long long)all.clients, (unsigned long long)all.connected,
	       (unsigned long long)all.open_most, descriptors, most,
	       (unsigned long long)memory_kib, (unsigned long long)now_kib);
	munmap(gate, sizeof(*gate));
	return all.clients;
}
