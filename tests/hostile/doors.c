/*
 * doors: what is said and shown at the attach and the control socket of an engine.
 *
 *   doors COUNT WEIRD [NAME]
 *
 * Beside honest producers, in turn:
 *   bad-descriptors  each of a table of things that are no producer's memory, as region and as ring
 *   hole-punches     COUNT pages punched out of rings and tables while the engine reads them
 *   floods           COUNT connections or more, as long as others come for the first time: they are
 *                    silent, say nonsense, half of it, too much, leave
 *   half-open-producers  a tenth of COUNT clients at once that connect and never attach, and come
 *                    again when they are hung up on
 *   attach-cycles    COUNT regions, opened and closed by a process that lives
 *   stopped-readers  producers and operators that ask and never read an answer
 *   written-after-end  producers that say that they are done, and write on
 *   thefts           rings and uuids of a living producer, offered by another process, also by one
 *                    that was born in the same instant, and by itself with other memory
 *
 * Holds: each is refused or let go of, descriptors do not grow, honest producers come, go and are
 * whole all the while, an operator is answered, and sees who was put in quarantine.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "crowd.h"
#include "descriptors.h"
#include "honest.h"
#include "host.h"
#include "support/proof.h"
#include "support/random.h"

#define PAGE 4096u
/* Connections that a flood holds open at a time. */
#define HELD 100u
/* Operators who read nothing: more than an engine serves at a time, and more than that. */
#define OPERATORS_MIN 24u
#define OPERATORS_MAX 64u

/* A connection, offered `fd` as its region, or as the ring of a region that is good. 1: refused; 0:
 * taken; -1: the kernel does not let it through. */
static int refused(const struct rogue *good, const struct host *host, int fd, bool ring)
{
	struct weir_message answer;
	int socket = ring ? good->socket : rogue_connect(host->socket);
	int type = 0;

	if (socket < 0)
		return 0;
	int error = rogue_say(socket, ring ? WEIR_MESSAGE_RING : WEIR_MESSAGE_HELLO, 0, fd);
	if (error == 0)
		type = rogue_hear(socket, &answer, NULL);
	if (!ring)
		close(socket);
	return error ? -1 : type == WEIR_MESSAGE_REFUSED;
}

/* Beside a region that is attached: what is offered bears another's name, so that the one reason to
 * refuse it is what is wrong with it. A ring is the attached region's. */
static void offer_one(struct host *host, const struct bad_descriptor *bad, bool ring,
		      uint64_t *count)
{
	struct rogue_options options = {.rings = 1};
	struct rogue attached, fresh;

	rogue_open(&attached, &options);
	rogue_open(&fresh, &options);
	/* The region is offered without its ring; that is what comes bad. */
	attached.rings = 0;
	if (!rogue_attach(&attached, host->socket))
		host_expect(host, false, "a good region is refused: %s", attached.answer.text);
	attached.rings = 1;
	struct rogue model = ring ? attached : fresh;
	model.socket = attached.socket;
	model.control_fd = attached.control_fd;
	int fd = bad->make(&model, ring);
	if (fd >= 0) {
		int answer = refused(&attached, host, fd, ring);
		*count += answer >= 0;
		host_expect(host, answer, "%s was taken for a %s", bad->name,
			    ring ? "ring" : "region");
		close(fd);
	}
	rogue_close(&attached, true);
	rogue_close(&fresh, false);
}

static uint64_t show_descriptors(struct host *host)
{
	uint64_t count = 0;
	char kinds[1024] = "";

	for (unsigned i = 0; i < bad_descriptors_count; i++) {
		uint64_t before = count;
		offer_one(host, &bad_descriptors[i], false, &count);
		offer_one(host, &bad_descriptors[i], true, &count);
		if (count == before && strlen(kinds) < 900)
			sprintf(kinds + strlen(kinds), " %s", bad_descriptors[i].name);
	}
	if (kinds[0])
		printf("cannot be made here:%s\n", kinds);
	return count;
}

/* Punches: while one thread emits, another takes the pages away. */
struct punched {
	struct rogue rogue;
	uint64_t wanted, done;
	uint32_t over;
};

static void *punch(void *self)
{
	struct punched *punched = self;
	const struct rogue *rogue = &punched->rogue;
	const uint64_t pages = rogue->ring_bytes / PAGE;
	uint64_t state = 1;

	for (; punched->done < punched->wanted; punched->done++) {
		state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
		uint64_t page = 1 + (state >> 33) % (pages - 1);
		fallocate(rogue->ring_fd[0], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  (off_t)(page * PAGE), PAGE * (1 + (state >> 50) % 4));
		if (punched->done % 16 == 0)
			fallocate(rogue->region_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				  PAGE, PAGE);
		if (punched->done % 64 == 0)
			pause_us(100);
	}
	/* Polled by the emitting thread. */
	weir_store_relaxed_32(&punched->over, 1);
	return NULL;
}

/* Slots that were punched out before they are published: each is read as zeros, and refused. */
static void publish_holes(struct host *host, struct rogue *rogue)
{
	const struct weir_control_slot *slot = rogue_slot(rogue, 0);
	uint64_t before = slot->rejected;

	fallocate(rogue->ring_fd[0], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE,
		  (off_t)(rogue->ring_bytes - PAGE));
	/* Orders: nothing, there was nothing written; partner: weir_ring_snapshot(). */
	weir_store_release_64(&rogue->ring[0]->tail, rogue->ring[0]->tail + rogue->capacity / 2);
	host_expect(host, rogue_taken(rogue, 0) && slot->rejected - before == rogue->capacity / 2,
		    "of %llu slots that are holes %llu were refused",
		    (unsigned long long)rogue->capacity / 2,
		    (unsigned long long)(slot->rejected - before));
}

static uint64_t punch_holes(struct host *host, uint64_t wanted)
{
	struct rogue_options options = {.capacity = 16384};
	struct punched punched = {.wanted = wanted};
	struct rogue *rogue = &punched.rogue;
	pthread_t thread;

	rogue_open(rogue, &options);
	rogue_define(rogue, "hostile", "holes", 5);
	if (!rogue_attach(rogue, host->socket))
		host_expect(host, false, "a good producer is refused: %s", rogue->answer.text);
	pthread_create(&thread, NULL, punch, &punched);
	while (!weir_load_relaxed_32(&punched.over)) {
		uint64_t released = weir_load_acquire_64(&rogue_slot(rogue, 0)->released);
		uint64_t room = released + rogue->capacity - rogue->ring[0]->tail;
		if (room > 256)
			rogue_emit(rogue, 0, 1, (uint32_t)(room > 4096 ? 4096 : room), 1);
		else
			pause_us(50);
	}
	pthread_join(thread, NULL);
	host_expect(host, rogue_taken(rogue, 0), "a ring with holes is read no more");
	const struct weir_control_slot *slot = rogue_slot(rogue, 0);
	printf("%llu slots with holes read, %llu refused\n", (unsigned long long)slot->released,
	       (unsigned long long)slot->rejected);
	publish_holes(host, rogue);
	host_expect(host, !(slot->flags & WEIR_CONTROL_QUARANTINED), "holes are no lie");
	/* The tail's own page: it stands at 0 now, which is a lie, and an operator sees it. */
	fallocate(rogue->ring_fd[0], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE);
	rogue->ring[0]->tail = 1;
	bool told = false;
	for (int i = 0; i < HOST_PATIENCE_S * 1000 && !told; i++) {
		told = weir_load_relaxed_32(&slot->flags) & WEIR_CONTROL_QUARANTINED;
		pause_us(1000);
	}
	host_expect(host, told, "a tail that went back is not told to be a lie");
	host_expect(host, host_reaches(host, "\"intake\"", "quarantined", 1),
		    "an operator does not see the quarantine");
	char answer[1 << 16];
	long bytes = host_ask(host, "{\"command\":\"producers\"}\n", answer, sizeof(answer));
	host_expect(host, strstr(answer, "\"quarantined\":true") != NULL,
		    "the list of producers does not show who lied: %ld bytes: %.300s", bytes,
		    answer);
	rogue_close(rogue, true);
	return punched.done;
}

/* One connection of a flood; it stays open in *ret_fd, or is -1. */
static int flood_one(const struct host *host, uint64_t die, const struct rogue *rogue)
{
	struct weir_message message = {.magic = WEIR_MESSAGE_MAGIC,
				       .version = WEIR_LAYOUT_VERSION,
				       .type = WEIR_MESSAGE_HELLO};
	int fds[250];
	int socket = rogue_connect(host->socket);

	if (socket < 0)
		return -1;
	/* Every other one is silent, so that more are held than an engine lets wait. */
	switch (die % 18 < 9 ? die % 18 : 0) {
	case 0: /* silent */
		break;
	case 1: /* nonsense */
		rogue_send(socket, "GET / HTTP/1.0\r\n\r\n", 18, NULL, 0);
		break;
	case 2: /* half a word, then nothing */
		rogue_send(socket, &message, sizeof(message) / 2, NULL, 0);
		break;
	case 3: /* HELLO without a region */
		rogue_send(socket, &message, sizeof(message), NULL, 0);
		break;
	case 4: /* more descriptors than a message may bring */
		for (unsigned i = 0; i < 250; i++)
			fds[i] = rogue->region_fd;
		rogue_send(socket, &message, sizeof(message), fds, 2 + die / 18 % 248);
		break;
	case 5: /* a ring without a region */
		rogue_say(socket, WEIR_MESSAGE_RING, 0, rogue->ring_fd[0]);
		break;
	case 6: /* the same region as all the others: each takes the socket from the last */
		rogue_say(socket, WEIR_MESSAGE_HELLO, 0, rogue->region_fd);
		break;
	case 7: /* many words at once, and gone */
		for (int i = 0; i < 20; i++)
			rogue_say(socket, WEIR_MESSAGE_RING, (uint32_t)i, rogue->region_fd);
		close(socket);
		return -1;
	default: /* gone at once */
		close(socket);
		return -1;
	}
	return socket;
}

/* Shared by the test and who floods. */
struct flood {
	uint64_t wanted, done[2];
	uint32_t enough; /* test -> flood: everybody else has come */
};

/* A process that floods, and holds on to some of the connections. */
static void flood(const struct host *host, struct flood *all, unsigned which)
{
	struct rogue_options options = {.rings = 1};
	struct rogue rogue;
	int held[HELD];

	random_start(which + 1);
	rogue_open(&rogue, &options);
	for (unsigned i = 0; i < HELD; i++)
		held[i] = -1;
	/* Polled. */
	for (uint64_t i = 0; i < all->wanted || !weir_load_relaxed_32(&all->enough); i++) {
		int *place = &held[i % HELD];
		if (*place >= 0)
			close(*place);
		*place = flood_one(host, random_next() >> 8, &rogue);
		all->done[which] = i + 1;
		if (i >= all->wanted)
			pause_us(200); /* still more than the engine holds, again and again */
	}
	_exit(0);
}

/* Who says nothing is hung up on, though nobody crowds him out. */
static void expect_hang_up(struct host *host)
{
	struct weir_message answer;
	int socket = rogue_connect(host->socket);

	host_expect(host, socket >= 0, "nobody can come after a flood");
	if (socket < 0)
		return;
	int type = rogue_hear(socket, &answer, NULL);
	host_expect(host, type == -1 && errno != EAGAIN, "a silent connection stays");
	close(socket);
}

static uint64_t flood_all(struct host *host, uint64_t count)
{
	struct flood *all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct honest late[4];
	pid_t pids[2];

	if (all == MAP_FAILED)
		exit(1);
	all->wanted = count / 2;
	for (unsigned i = 0; i < 2; i++) {
		pids[i] = process_fork();
		if (pids[i] == 0)
			flood(host, all, i);
	}
	/* Meanwhile others come for the first time, as if nothing were. */
	for (unsigned i = 0; i < 4; i++) {
		honest_start(&late[i], host, 2 + i, 1, 500);
		honest_wait(&late[i], host, 500);
		honest_stop(&late[i], host);
		honest_free(&late[i]);
	}
	weir_store_relaxed_32(&all->enough, 1);
	for (unsigned i = 0; i < 2; i++) {
		int code = host_wait(pids[i]);
		host_expect(host, code == 0, "a flood ended with %d", code);
	}
	expect_hang_up(host);
	count = all->done[0] + all->done[1];
	munmap(all, sizeof(*all));
	return count;
}

/* A producer that asks for answers and reads none, until it is cut off. */
static bool stop_reading_attach(const struct host *host, struct rogue *rogue)
{
	int socket = rogue_connect(host->socket);
	int said = 0;

	if (socket < 0)
		return false;
	fcntl(socket, F_SETFL, O_NONBLOCK);
	rogue_say(socket, WEIR_MESSAGE_HELLO, 0, rogue->region_fd);
	for (int i = 0; i < HOST_PATIENCE_S * 1000 && said != -EPIPE && said != -ECONNRESET; i++) {
		said = rogue_say(socket, WEIR_MESSAGE_RING, 0, rogue->ring_fd[0]);
		if (said == -EAGAIN)
			pause_us(1000);
	}
	close(socket);
	return said == -EPIPE || said == -ECONNRESET;
}

/* An operator's client that asks and asks: its descriptor. */
static int stop_reading_control(const struct host *host)
{
	static const char request[] = "{\"command\":\"status\"}\n";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", host->control);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -1;
	}
	for (int i = 0; i < 2000; i++)
		if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
			break;
	return fd;
}

static uint64_t stop_readers(struct host *host, uint64_t count)
{
	struct rogue_options options = {.rings = 1};
	struct rogue rogue;
	int clients[OPERATORS_MAX];
	unsigned held = count < OPERATORS_MIN	? OPERATORS_MIN
			: count < OPERATORS_MAX ? (unsigned)count
						: OPERATORS_MAX;

	rogue_open(&rogue, &options);
	for (uint64_t i = 0; i < count; i++)
		host_expect(host, stop_reading_attach(host, &rogue),
			    "who reads no answers is never cut off");
	rogue_close(&rogue, true);
	for (unsigned i = 0; i < held; i++)
		clients[i] = stop_reading_control(host);
	bool answered = false;
	for (int i = 0; i < HOST_PATIENCE_S * 10 && !answered; i++) {
		answered = host_answers(host);
		if (!answered)
			pause_us(100000);
	}
	host_expect(host, answered, "operators that read nothing keep others out");
	for (unsigned i = 0; i < held; i++)
		if (clients[i] >= 0)
			close(clients[i]);
	return count + held;
}

#define THEFTS 3u /* a thief's offers */
#define BORN_APART 64

/* Another process offers what is ours: the same memory under the same name, other memory under our
 * name, our ring under its region. */
static void be_thief(const struct host *host, const struct rogue *ours, bool twin)
{
	struct rogue_options options = {.rings = 1};
	struct rogue mine;
	int taken = 0;

	rogue_open(&mine, &options);
	if (twin && mine.region->start_time_ticks != ours->region->start_time_ticks)
		_exit(BORN_APART);
	/* As it is: it is another process's. */
	taken += refused(NULL, host, ours->region_fd, false) != 1;
	memcpy(mine.region->uuid, ours->region->uuid, 16);
	taken += rogue_attach(&mine, host->socket);
	rogue_close(&mine, false);
	rogue_open(&mine, &options);
	mine.rings = 0;
	taken += !rogue_attach(&mine, host->socket);
	taken += refused(&mine, host, ours->ring_fd[0], true) != 1;
	_exit(taken);
}

/* A producer that has a thief at once, before the clock that tells processes apart goes on. */
static void be_robbed(const struct host *host)
{
	struct rogue_options options = {.rings = 1};
	struct rogue ours;
	int gate[2];
	char word = 0;

	rogue_open(&ours, &options);
	rogue_define(&ours, "hostile", "stolen", 6);
	if (pipe(gate) < 0)
		_exit(THEFTS + 1);
	pid_t pid = process_fork();
	if (pid == 0) {
		if (read(gate[0], &word, 1) != 1)
			_exit(THEFTS + 1);
		be_thief(host, &ours, true);
	}
	if (!rogue_attach(&ours, host->socket) || write(gate[1], &word, 1) != 1)
		_exit(THEFTS + 1);
	int code = host_wait(pid);
	rogue_emit(&ours, 0, 1, 1, 1);
	if (code == 0 && !rogue_taken(&ours, 0))
		code = THEFTS + 1;
	rogue_close(&ours, true);
	_exit(code);
}

/* What is attached has a name; the producer itself offers other memory under it. */
static void rename_own(struct host *host, const struct rogue *rogue)
{
	struct rogue_options options = {.rings = 1};
	struct rogue other;

	rogue_open(&other, &options);
	memcpy(other.region->uuid, rogue->region->uuid, 16);
	memcpy(other.ring[0]->uuid, rogue->region->uuid, 16);
	host_expect(host, refused(NULL, host, other.region_fd, false) == 1,
		    "a second region is taken under the name of the first");
	host_expect(host, refused(rogue, host, other.ring_fd[0], true) == 1,
		    "a second ring is taken under the number of the first");
	rogue_close(&other, false);
}

/* The exit code of a thief. A twin that was born too late is another's turn. */
static int send_thief(const struct host *host, const struct rogue *rogue, bool twin)
{
	int code;

	do {
		pid_t pid = process_fork();
		if (pid == 0 && twin)
			be_robbed(host);
		if (pid == 0)
			be_thief(host, rogue, false);
		code = host_wait(pid);
	} while (code == BORN_APART);
	return code;
}

static uint64_t steal(struct host *host, uint64_t count)
{
	struct rogue_options options = {.rings = 1};
	struct rogue rogue;

	rogue_open(&rogue, &options);
	rogue_define(&rogue, "hostile", "stolen", 6);
	if (!rogue_attach(&rogue, host->socket))
		host_expect(host, false, "a good producer is refused: %s", rogue.answer.text);
	rename_own(host, &rogue);
	for (uint64_t i = 0; i < count * 2; i++) {
		int code = send_thief(host, &rogue, i % 2);
		host_expect(host, code == 0, "%d of a thief's offers were taken", code);
		rogue_emit(&rogue, 0, 1, 1, 1);
	}
	host_expect(host, rogue_taken(&rogue, 0) && !(rogue_slot(&rogue, 0)->flags &
						      WEIR_CONTROL_QUARANTINED),
		    "who was to be robbed is served no more");
	rogue_close(&rogue, true);
	return 2 + count * 2 * THEFTS;
}

/* A producer that says that it is done and writes on, until the engine has let go of it. */
static void write_on(struct host *host)
{
	struct rogue_options options = {.capacity = 1024};
	struct rogue rogue;
	bool gone = false;
	char byte;

	rogue_open(&rogue, &options);
	rogue_define(&rogue, "hostile", "on", 2);
	if (!rogue_attach(&rogue, host->socket))
		host_expect(host, false, "a good producer is refused: %s", rogue.answer.text);
	rogue_emit(&rogue, 0, 1, 16, 1);
	weir_store_release_32(&rogue.region->state, WEIR_REGION_CLOSED);
	for (int i = 0; i < HOST_PATIENCE_S * 10000 && !gone; i++) {
		/* All is kept, and that is being noted as the end: that moment is the one. */
		if (weir_load_acquire_64(&rogue_slot(&rogue, 0)->durable) == rogue.ring[0]->tail) {
			pause_us(random_below(2000));
			rogue_emit(&rogue, 0, 1, 1, 1);
		}
		pause_us(50);
		gone = recv(rogue.socket, &byte, 1, MSG_DONTWAIT) == 0;
	}
	host_expect(host, gone, "who is done and writes on is never let go of");
	rogue_close(&rogue, false);
}

static uint64_t write_after_end(struct host *host, uint64_t count)
{
	for (uint64_t i = 0; i < count && !host->violations; i++)
		write_on(host);
	return count;
}

/* A process that lives and opens, attaches and closes one region after the other. */
static void churn(const struct host *host, uint64_t count)
{
	struct rogue_options options = {.rings = 1};
	struct rogue rogue;

	for (uint64_t i = 0; i < count; i++) {
		rogue_open(&rogue, &options);
		rogue_define(&rogue, "hostile", "again", 5);
		rogue_emit(&rogue, 0, 1, 1, 1);
		/* All places are taken for a moment: again. */
		for (int tries = 0; !rogue_attach(&rogue, host->socket); tries++) {
			if (rogue.answer.status != -EUSERS || tries > HOST_PATIENCE_S * 1000)
				_exit(1);
			close(rogue.socket);
			pause_us(1000);
		}
		rogue_close(&rogue, true);
	}
	_exit(0);
}

static uint64_t cycle(struct host *host, uint64_t count)
{
	uint64_t before_kib = 0;

	/* What one such life leaves is there after the first. (A sanitizer keeps more.) */
	for (int i = 0; i < 2; i++) {
		pid_t pid = process_fork();
		if (pid == 0)
			churn(host, count / 2);
		int code = host_wait(pid);
		host_expect(host, code == 0, "who comes and goes is refused in the end");
		uint64_t kib = host_memory_kib(host);
		host_expect(host, i == 0 || host_sanitized() || kib < before_kib + 4096,
			    "who comes and goes leaves memory: %llu KiB, then %llu KiB",
			    (unsigned long long)before_kib, (unsigned long long)kib);
		before_kib = kib;
	}
	return count / 2 * 2;
}

static uint64_t run_descriptors(struct host *host, uint64_t count)
{
	(void)count;
	return show_descriptors(host);
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 0) : 5000;
	struct honest honest;
	struct host host;

	if (argc < 3)
		return 2;
	if (host_quick())
		count = (count + 1) / 2;
	host_only(argv[3]);
	host_open(&host, argv[2], "");
	host_start(&host);
	honest_start(&honest, &host, 0, 2, 500);
	honest_wait(&honest, &host, 1000);
	host_prove(&host, "bad-descriptors", run_descriptors, 0);
	host_prove(&host, "hole-punches", punch_holes, count);
	host_prove(&host, "floods", flood_all, count);
	host_prove(&host, "half-open-producers", crowd, count / 10);
	host_prove(&host, "attach-cycles", cycle, count);
	host_prove(&host, "written-after-end", write_after_end, count / 50);
	host_prove(&host, "stopped-readers", stop_readers, count / 500);
	host_prove(&host, "thefts", steal, count / 100);
	uint64_t before = host.violations;
	honest_wait(&honest, &host, 1000);
	honest_end(&honest, &host);
	proof_say("honest-beside-hostile", 2, host.violations - before);
	host_close(&host);
	return host.violations ? 1 : 0;
}
