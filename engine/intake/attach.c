/*
 * attach: the engine's side of the socket. Takes regions and rings, checks them, notices deaths,
 * maps series, hands rings to lanes.
 *
 * Idea:  one step looks at everything once and blocks on nothing. epoll tells which sockets have
 *        something and which processes have died; producers are then visited in turn, each for a
 *        bounded piece of work. A connection is a way to talk, not a thing to own: it is closed on
 *        the first wrong word, and what was attached through it stays.
 *
 *   connect -> [pending, one second, 64 of them] -HELLO-> [a producer's] -RING, RING, ..
 *                      | late, wrong, crowded out             | wrong, replaced, gone
 *                      `-> closed                             `-> closed; the producer stays
 *
 * Runs on:  the intake agent; intake_counters() and intake_awaited() on any thread.
 * Never:    blocks; keeps a descriptor that it has no use for; lets one peer's noise cost another
 *           more than its turn.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "intake/message.h"
#include "intake/producer.h"

/* From connect to HELLO. A library sends it in the same call as the connect. */
#define HELLO_NS UINT64_C(1000000000)
/* Work of one step; what is left comes with the next. */
#define EVENTS_PER_STEP 128
#define ACCEPTS_PER_STEP 64
#define MESSAGES_PER_TURN 16
#define SERIES_PER_STEP 8192u
/* Descriptors that producers never get: the log's next files, the store's, an operator's socket. Of
 * few, a quarter. */
#define DESCRIPTORS_KEPT 64u
/* Refused rings on one connection: who has not understood by then is cut off. */
#define REFUSALS_MAX 64u

/* What an epoll event is about: kind, slot, and the serial of the slot's use, so that an event of
 * a closed connection cannot hit the next one in its place. */
enum watch { WATCH_LISTENER = 0, WATCH_CONNECTION = 1, WATCH_PRODUCER = 2 };

static uint64_t watch_key(enum watch kind, uint32_t slot, uint32_t serial)
{
	check(slot < 1u << 30);
	return (uint64_t)serial << 32 | (uint64_t)kind << 30 | slot;
}

static int watch(struct intake *intake, int fd, uint64_t key)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = key};
	return epoll_ctl(intake->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int watch_producer(struct intake *intake, struct producer *producer)
{
	if (producer->process.pidfd < 0)
		return 0;
	return watch(intake, producer->process.pidfd,
		     watch_key(WATCH_PRODUCER, producer->slot, producer->serial));
}

static void forget_pending(struct intake *intake, uint32_t slot)
{
	for (uint32_t i = 0; i < intake->pending_count; i++) {
		if (intake->pending[i] != slot)
			continue;
		intake->pending_count--;
		memmove(&intake->pending[i], &intake->pending[i + 1],
			(intake->pending_count - i) * sizeof(*intake->pending));
		return;
	}
}

void connection_close(struct intake *intake, struct connection *connection)
{
	if (connection->fd < 0)
		return;
	close(connection->fd); /* epoll forgets it with that: no copy of it exists */
	connection->fd = -1;
	if (connection->producer)
		connection->producer->connection = NULL;
	else
		forget_pending(intake, connection->slot);
	connection->producer = NULL;
	intake->free_connections[intake->free_count++] = connection->slot;
}

static void close_oldest_pending(struct intake *intake)
{
	count_add(&intake->counters.refused, 1);
	connection_close(intake, &intake->connections[intake->pending[0]]);
}

/* Send, and say whether there is anything left to hear. A peer that has gone may have sent more
 * before it went (its rings); that is read to its end, which then closes the connection. */
static bool answer(struct connection *connection, const struct weir_message *message, int fd,
		   const char *text)
{
	int r = message_send(connection->fd, message, fd, text);
	return r == 0 || r == -EPIPE || r == -ECONNRESET;
}

/* Tell the peer why not. The connection is closed unless it may go on with other rings. */
static void send_refusal(struct intake *intake, struct connection *connection, uint32_t index,
			 int status, const struct refusal *refusal)
{
	struct weir_message message = {
		.type = WEIR_MESSAGE_REFUSED, .index = index, .status = status};
	const char *who = connection->producer ? connection->producer->identity.program
					       : "a producer";

	count_add(&intake->counters.refused, 1);
	log_warning("intake", "refused %s: %s", who, refusal->text);
	if (!answer(connection, &message, -1, refusal->text) || !connection->producer ||
	    ++connection->refusals >= REFUSALS_MAX)
		connection_close(intake, connection);
}

static void send_welcome(struct intake *intake, struct connection *connection)
{
	struct weir_message message = {.type = WEIR_MESSAGE_WELCOME};
	if (!answer(connection, &message, connection->producer->control_fd, NULL))
		connection_close(intake, connection);
}

/* The same region again, over a new socket. */
static int replace_socket(const struct producer *producer, int fd, const struct process *process,
			  struct refusal *refusal)
{
	if (!memory_is(&producer->memory, fd)) {
		refuse(refusal, "another region of this user has the same uuid");
		return -EEXIST;
	}
	if (producer->leaving) {
		refuse(refusal, "the region is still being drained to its end: come again");
		return -EAGAIN;
	}
	/* A child of the same hundredth of a second has its parent's start time. */
	if (process->start_time_ticks && producer->process.start_time_ticks &&
	    (process->start_time_ticks != producer->process.start_time_ticks ||
	     process->pid != producer->process.pid)) {
		refuse(refusal,
		       "the region is another process's: after a fork, open one of your own");
		return -EPERM;
	}
	return 0;
}

/* A HELLO: find or make the producer. process.pidfd is used up. */
static int hello(struct intake *intake, int fd, struct process *process,
		 struct producer **ret_producer, struct refusal *refusal)
{
	struct region_identity identity;
	struct memory memory;
	struct producer *producer = NULL;

	int r = memory_open_region(fd, &memory, &identity, refusal);
	if (r == 0) {
		producer = producer_find(intake, process->uid, identity.uuid);
		memory_close(&memory);
	}
	if (r == 0 && !producer)
		r = producer_attach(intake, fd, process, true, &producer, refusal);
	else if (r == 0)
		r = replace_socket(producer, fd, process, refusal);
	if (r == 0)
		*ret_producer = producer;
	return r;
}

static void take_hello(struct intake *intake, struct connection *connection, int fd)
{
	struct refusal refusal = {.text = "the engine is out of memory"};
	struct producer *producer = NULL;
	struct process process;

	if (connection->producer || fd < 0) {
		refuse(&refusal, "HELLO comes once, with the region's descriptor");
		send_refusal(intake, connection, 0, -EINVAL, &refusal);
		return;
	}
	int r = process_of_peer(connection->fd, &process);
	if (r < 0) {
		if (r == -EMFILE || r == -ENFILE)
			refuse(&refusal, "the engine has no descriptors left: raise LimitNOFILE");
		else if (r == -ENOSYS || r == -EPERM)
			refuse(&refusal,
			       "the engine may not watch you (pidfd_open: %s): it needs Linux 5.3, "
			       "no filter",
			       strerror(-r));
		else
			refuse(&refusal,
			       "the kernel does not say who you are (%s): same pid namespace, "
			       "please",
			       strerror(-r));
		send_refusal(intake, connection, 0, r, &refusal);
		return;
	}
	r = hello(intake, fd, &process, &producer, &refusal);
	if (process.pidfd >= 0 && (r < 0 || producer->process.pidfd != process.pidfd))
		close(process.pidfd);
	if (r < 0) {
		send_refusal(intake, connection, 0, r, &refusal);
		return;
	}
	if (producer->connection)
		connection_close(intake, producer->connection);
	forget_pending(intake, connection->slot);
	connection->producer = producer;
	producer->connection = connection;
	send_welcome(intake, connection);
}

static void take_ring(struct intake *intake, struct connection *connection, uint32_t index, int fd)
{
	struct weir_message message = {.type = WEIR_MESSAGE_RING_OK, .index = index};
	struct refusal refusal = {.text = "the engine is out of memory"};
	int r = -EINVAL;

	if (!connection->producer || fd < 0)
		refuse(&refusal, "RING comes after HELLO, with the ring's descriptor");
	else
		r = producer_attach_ring(intake, connection->producer, index, fd, true,
					 &message.sequence, &refusal);
	if (r < 0)
		send_refusal(intake, connection, index, r, &refusal);
	else if (!answer(connection, &message, -1, NULL))
		connection_close(intake, connection);
}

static void take_message(struct intake *intake, struct connection *connection,
			 const struct weir_message *message, int fd)
{
	struct refusal refusal;

	if (message->version != WEIR_LAYOUT_VERSION) {
		refuse(&refusal,
		       "the library speaks layout %u, the engine %u: install the same release",
		       message->version, WEIR_LAYOUT_VERSION);
		send_refusal(intake, connection, message->index, -EPROTONOSUPPORT, &refusal);
	} else if (message->type == WEIR_MESSAGE_HELLO) {
		take_hello(intake, connection, fd);
	} else if (message->type == WEIR_MESSAGE_RING) {
		take_ring(intake, connection, message->index, fd);
	} else {
		refuse(&refusal, "a producer says HELLO and RING, not message %u", message->type);
		send_refusal(intake, connection, message->index, -EBADMSG, &refusal);
	}
	if (fd >= 0)
		close(fd);
}

bool connection_read(struct intake *intake, struct connection *connection)
{
	for (int i = 0; i < MESSAGES_PER_TURN; i++) {
		struct weir_message message;
		int fd, r = message_receive(connection->fd, &message, &fd);

		if (r == 0)
			return false;
		if (r == -EBADMSG) {
			struct refusal refusal;
			refuse(&refusal, "not a message of weir, or with several descriptors");
			send_refusal(intake, connection, 0, r, &refusal);
			connection_close(intake, connection);
			return false;
		}
		if (r < 0) {
			connection_close(intake, connection);
			return false;
		}
		take_message(intake, connection, &message, fd);
		if (connection->fd < 0)
			return false;
	}
	return true;
}

static void add_connection(struct intake *intake, int fd)
{
	if (intake->pending_count == PENDING_MAX)
		close_oldest_pending(intake);
	check(intake->free_count > 0); /* there is one more than producers and pending together */
	uint32_t slot = intake->free_connections[--intake->free_count];
	struct connection *connection = &intake->connections[slot];
	*connection = (struct connection){.fd = fd,
					  .slot = slot,
					  .serial = ++intake->serial,
					  .deadline_ns = intake->now_ns + HELLO_NS};
	intake->pending[intake->pending_count++] = slot;
	if (watch(intake, fd, watch_key(WATCH_CONNECTION, slot, connection->serial)) < 0) {
		connection_close(intake, connection);
		return;
	}
	/* Its HELLO is here already, as a rule; so a flood of silent peers that crowds it out of
	 * the pending ones comes too late. */
	connection_read(intake, connection);
}

/* Is this one of the last descriptors? The kernel gives the lowest number that is free. */
static bool too_many(int fd)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return false;
	rlim_t kept = limit.rlim_cur / 4 < DESCRIPTORS_KEPT ? limit.rlim_cur / 4 : DESCRIPTORS_KEPT;
	return (rlim_t)fd >= limit.rlim_cur - kept;
}

static void say_too_many(void)
{
	log_warning("intake", "no descriptors left for new producers: raise LimitNOFILE");
}

static int accept_connections(struct intake *intake)
{
	for (int i = 0; i < ACCEPTS_PER_STEP; i++) {
		int fd = accept4(intake->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0 && too_many(fd)) {
			/* It comes again in a second; who hears a refusal stays away for longer. */
			close(fd);
			count_add(&intake->counters.refused, 1);
			say_too_many();
			continue;
		}
		if (fd >= 0) {
			add_connection(intake, fd);
			continue;
		}
		if ((errno == EMFILE || errno == ENFILE) && intake->pending_count > 0)
			close_oldest_pending(intake);
		if (errno == EMFILE || errno == ENFILE)
			say_too_many();
		return i;
	}
	return ACCEPTS_PER_STEP;
}

static int take_event(struct intake *intake, uint64_t key)
{
	uint32_t serial = (uint32_t)(key >> 32), slot = (uint32_t)key & ((1u << 30) - 1);
	enum watch kind = (enum watch)((uint32_t)key >> 30);

	if (kind == WATCH_LISTENER)
		return accept_connections(intake);
	if (kind == WATCH_CONNECTION) {
		struct connection *connection = &intake->connections[slot];
		if (connection->fd < 0 || connection->serial != serial)
			return 0;
		connection_read(intake, connection);
		return 1;
	}
	struct producer *producer = intake->producers[slot];
	if (producer && producer->serial == serial)
		producer_died(intake, producer);
	return 1;
}

static int take_events(struct intake *intake)
{
	struct epoll_event events[EVENTS_PER_STEP];
	int count = epoll_wait(intake->epoll_fd, events, EVENTS_PER_STEP, 0), work = 0;

	for (int i = 0; i < count; i++)
		work += take_event(intake, events[i].data.u64);
	return work;
}

static int close_late(struct intake *intake)
{
	int work = 0;
	while (intake->pending_count > 0 &&
	       intake->connections[intake->pending[0]].deadline_ns <= intake->now_ns) {
		close_oldest_pending(intake);
		work++;
	}
	return work;
}

static int step_producers(struct intake *intake)
{
	uint32_t max = intake->options.producers_max, budget = SERIES_PER_STEP;
	int work = 0;

	for (uint32_t i = 0; i < max && intake->producers_count; i++) {
		struct producer *producer = intake->producers[(intake->first_producer + i) % max];
		if (!producer)
			continue;
		int done = producer_step(intake, producer, budget);
		work += done;
		budget -= (uint32_t)done < budget ? (uint32_t)done : budget;
	}
	intake->first_producer = (intake->first_producer + 1) % max;
	return work;
}

static void step_sources(struct intake *intake)
{
	struct source_table *table = intake->options.sources;
	uint64_t wall_ms = clock_wall_ms(intake->options.clock);

	for (uint32_t i = 0; i < table->count; i++) {
		struct source *source = &table->sources[i];
		/* Orders: nothing of ours before it; lanes acquire the clock ahead of their
		 * snapshots, so that what was published before this moment is drained first. */
		if (source->clock == WEIR_CLOCK_WALL)
			weir_max_64(&source->clock_ms, wall_ms);
		else if (intake->seen[i] && !intake->live[i] && !source->ended)
			/* Orders: the lanes' last events (acquired with `detached`) before the
			 * end. Seen by: lanes that close what is open. Without it an interval
			 * could be closed before its last event is counted. */
			weir_store_release_32(&source->ended, 1);
	}
}

static void step_awaited(struct intake *intake)
{
	if (intake->known_changed || !intake->stepped) {
		/* Relaxed: a number that the engine polls. */
		weir_store_relaxed_32(&intake->awaited, known_awaited(&intake->known));
		intake->known_changed = false;
		intake->stepped = true;
	}
}

int intake_step(void *self, uint64_t now_ns)
{
	struct intake *intake = self;

	intake->now_ns = now_ns;
	int work = take_events(intake);
	work += close_late(intake);
	work += step_producers(intake);
	step_sources(intake);
	step_awaited(intake);
	return work;
}

static int allocate(struct intake *intake)
{
	uint32_t max = intake->options.producers_max, connections = max + PENDING_MAX + 1;

	intake->producers = calloc(max, sizeof(struct producer *));
	intake->connections = calloc(connections, sizeof(*intake->connections));
	intake->free_connections = calloc(connections, sizeof(*intake->free_connections));
	if (!intake->producers || !intake->connections || !intake->free_connections)
		return -ENOMEM;
	/* Only now: one that is not made yet would be closed as descriptor 0. */
	intake->connections_max = connections;
	for (uint32_t i = 0; i < connections; i++) {
		intake->connections[i] = (struct connection){.fd = -1, .slot = i};
		intake->free_connections[intake->free_count++] = i;
	}
	return 0;
}

int intake_open(const struct intake_options *options, struct intake **ret_intake, char *why,
		size_t why_bytes)
{
	check(options->producers_max > 0 && options->producers_max < 1u << 20);
	struct intake *intake = aligned_alloc(64, (sizeof(*intake) + 63) & ~(size_t)63);
	if (!intake)
		return -ENOMEM;
	memset(intake, 0, sizeof(*intake));
	intake->options = *options;
	intake->listener.fd = -1;
	intake->known.number_next = 1;
	intake->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int r = intake->epoll_fd < 0 ? -errno : allocate(intake);
	if (r < 0)
		snprintf(why, why_bytes, "cannot set up the intake: %s", strerror(-r));
	else
		r = listener_open(&intake->listener, options->socket_path, why, why_bytes);
	if (r == 0) {
		r = watch(intake, intake->listener.fd, watch_key(WATCH_LISTENER, 0, 0));
		if (r < 0)
			snprintf(why, why_bytes, "cannot watch the socket: %s", strerror(-r));
	}
	if (r < 0) {
		intake_close(intake);
		return r;
	}
	*ret_intake = intake;
	return 0;
}

int intake_restore(struct intake *intake, const struct weir_ring_record *record)
{
	int r = known_add(&intake->known, record);
	if (r == 0 && !record->final)
		intake->awaited++; /* at most; the first step counts regions */
	return r;
}

static int adopt_region(struct intake *intake, const struct store_name *name, int fd)
{
	struct region_identity identity;
	struct memory memory;
	struct process process;
	struct producer *producer;
	struct refusal refusal = {.text = "no memory"};

	int r = memory_open_region(fd, &memory, &identity, &refusal);
	if (r == 0) {
		memory_close(&memory);
		if (memcmp(identity.uuid, name->uuid, sizeof(identity.uuid)) ||
		    producer_find(intake, name->uid, name->uuid))
			r = -EEXIST;
	}
	if (r < 0)
		return r;
	process_of_pid((pid_t)name->number, identity.start_time_ticks, &process);
	process.uid = name->uid;
	r = producer_attach(intake, fd, &process, false, &producer, &refusal);
	if (r < 0) {
		if (process.pidfd >= 0)
			close(process.pidfd);
		log_warning("intake", "a region that was kept is refused: %s", refusal.text);
		return r;
	}
	/* A process that we cannot see may live all the same. */
	producer->doubtful = process.unsure;
	return 0;
}

static int adopt_ring(struct intake *intake, const struct store_name *name, int fd)
{
	struct refusal refusal = {.text = "no memory"};
	struct producer *producer = producer_find(intake, name->uid, name->uuid);
	uint64_t sequence;

	if (!producer)
		return -ENOENT;
	if (name->number < producer->identity.rings_max && producer->rings[name->number])
		return -EEXIST;
	int r = producer_attach_ring(intake, producer, name->number, fd, false, &sequence,
				     &refusal);
	if (r < 0)
		log_warning("intake", "a ring that was kept is refused: %s", refusal.text);
	return r;
}

int intake_adopt(struct intake *intake, const char *name, int fd)
{
	struct store_name parsed;
	int r = store_name_parse(name, &parsed);

	if (r == 0)
		r = parsed.region ? adopt_region(intake, &parsed, fd)
				  : adopt_ring(intake, &parsed, fd);
	/* -EEXIST: the store has it twice, and the other one is in use under this name. */
	if (r < 0 && r != -EEXIST && intake->options.drop_fd)
		intake->options.drop_fd(intake->options.self, name);
	if (r == 0)
		close(fd); /* the mapping holds the memory, the store another descriptor */
	return r;
}

/* Cursors and drops are the producer's word: numbers for people, that decide nothing. */
static void add_ring(const struct held_ring *held, struct intake_producer *to)
{
	const struct weir_ring_header *header = held->memory.at;
	uint64_t tail = weir_load_relaxed_64(&header->tail);
	uint64_t released = weir_load_relaxed_64(&held->ring.control->released);
	uint64_t in_ring = tail > released ? tail - released : 0;
	uint64_t capacity = held->ring.drain.capacity; /* checked when it was attached */
	double full = (double)in_ring / (double)capacity;

	if (full > 1)
		full = 1;
	if (full > to->fullest)
		to->fullest = full;
	to->emitted += tail;
	to->in_ring += in_ring;
	to->capacity += capacity;
	to->dropped[WEIR_DROP_FULL] += weir_load_relaxed_64(&header->dropped_full);
	to->dropped[WEIR_DROP_TIMEOUT] += weir_load_relaxed_64(&header->dropped_timeout);
}

void intake_producers(const struct intake *intake, intake_each *each, void *self)
{
	for (uint32_t i = 0; i < intake->options.producers_max; i++) {
		const struct producer *producer = intake->producers[i];
		if (!producer)
			continue;
		const struct weir_region_header *region = producer->memory.at;
		struct intake_producer said = {
			.program = producer->identity.program,
			.source = producer->identity.source,
			.pid = producer->process.pid,
			.uid = producer->process.uid,
			.rings = producer->rings_count - producer->rings_done,
			.series = weir_load_relaxed_32(&region->series_count),
			.connected = producer->connection != NULL,
			.quarantined = producer->lied,
		};
		for (uint32_t r = 0; r < producer->identity.rings_max; r++)
			if (producer->rings[r])
				add_ring(producer->rings[r], &said);
		said.dropped[WEIR_DROP_NO_RING] = weir_load_relaxed_64(&region->dropped_no_ring);
		said.dropped[WEIR_DROP_REENTRANT] =
			weir_load_relaxed_64(&region->dropped_reentrant);
		said.dropped[WEIR_DROP_INVALID] = weir_load_relaxed_64(&region->dropped_invalid);
		each(self, &said);
	}
}

void intake_counters(const struct intake *intake, struct intake_counters *ret_counters)
{
	const struct intake_counters *counters = &intake->counters;

	/* Relaxed: numbers for people; each is right, together they are about now. */
	ret_counters->producers = weir_load_relaxed_64(&counters->producers);
	ret_counters->rings = weir_load_relaxed_64(&counters->rings);
	ret_counters->attached = weir_load_relaxed_64(&counters->attached);
	ret_counters->refused = weir_load_relaxed_64(&counters->refused);
	ret_counters->quarantined = weir_load_relaxed_64(&counters->quarantined);
	ret_counters->deaths = weir_load_relaxed_64(&counters->deaths);
	ret_counters->refused_definitions = weir_load_relaxed_64(&counters->refused_definitions);
}

uint32_t intake_awaited(const struct intake *intake)
{
	return weir_load_relaxed_32(&intake->awaited); /* a number that is polled */
}

void intake_stop(struct intake *intake)
{
	listener_close(&intake->listener);
	for (uint32_t i = 0; i < intake->connections_max; i++)
		connection_close(intake, &intake->connections[i]);
}

void intake_close(struct intake *intake)
{
	if (!intake)
		return;
	intake_stop(intake);
	for (uint32_t i = 0; intake->producers && i < intake->options.producers_max; i++)
		if (intake->producers[i])
			producer_free(intake, intake->producers[i]);
	known_fini(&intake->known);
	free(intake->free_connections);
	free(intake->connections);
	free(intake->producers);
	if (intake->epoll_fd >= 0)
		close(intake->epoll_fd);
	free(intake);
}
