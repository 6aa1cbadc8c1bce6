/*
 * attach: bring the region and its rings to an engine, take the engine's control page.
 *
 * Idea:  a state machine that is turned by whoever has a reason to (an emit once a second, a poll,
 *        a wait, a close), one thread at a time, never waiting: who finds it busy goes on. The
 *        first attach and every one after an engine's restart are the same path.
 *
 *          OFF --connect, HELLO(region), RING(ring)...--> HELLO --WELCOME(control)--> ON
 *           ^                                               |                          |
 *           '------------- hang-up, refusal, nonsense ------+--------------------------'
 *
 * Runs on:  any thread, in a slow call; the holder of `attach_busy`, its signals held back.
 * Never:    blocks, takes a lock, raises SIGPIPE.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* Seconds of the coarse clock between two attempts to connect, and after a refusal. */
#define RETRY_S 1
#define REFUSED_RETRY_S 10
/* Messages read in one step: an answer per ring, WELCOME, and some. */
#define MESSAGES_MAX (WEIR_RINGS_MAX + 16)

static void state_set(struct attach *attach, enum attach_state state)
{
	/* Relaxed: others only look at it; what it stands for they read from the control page. */
	weir_store_relaxed_32(&attach->state, state);
}

bool libweir_attached(const struct weir *w)
{
	/* Relaxed as in state_set(). */
	return weir_load_relaxed_32(&w->attach.state) == ATTACH_ON;
}

void libweir_attach_reset(struct weir *w)
{
	memset(&w->attach, 0, sizeof(w->attach));
	w->attach.socket.fd = -1;
}

static void disconnect(struct weir *w)
{
	/* Acquire: partner in ring_take(); a ring behind the count is being made right now. */
	const uint32_t count = weir_load_acquire_32(&w->ring_count);

	libweir_descriptor_drop(&w->attach.socket);
	state_set(&w->attach, ATTACH_OFF);
	for (uint32_t i = 0; i < count; i++)
		w->rings[i].offer = OFFER_NEW;
}

/* Remember why. `text` may be the engine's: up to the first NUL, or all of its room. */
static void refusal_set(struct attach *attach, int status, const char *text)
{
	const size_t bytes = strnlen(text, sizeof(attach->refusal) - 1);

	memcpy(attach->refusal, text, bytes);
	memset(attach->refusal + bytes, 0, sizeof(attach->refusal) - bytes);
	/* A status that is no negative errno must not pass for success. Relaxed: looked at only. */
	weir_store_relaxed_32(&attach->status,
			      (uint32_t)(status < 0 && status >= -4095 ? status : -EPROTO));
}

/* The engine does not want this producer, or speaks in a way we do not understand: leave it in
 * peace for a while. */
static void refused(struct weir *w, int status, const char *text)
{
	refusal_set(&w->attach, status, text);
	disconnect(w);
	w->attach.retry_at_s = libweir_coarse_s() + REFUSED_RETRY_S;
}

/* One message, with a descriptor or without (-1). 0, -EAGAIN: no room now, or why the connection
 * is over. */
static int message_send(int socket, const struct weir_message *message, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.space = {0}};
	struct iovec part = {(void *)message, sizeof(*message)};
	struct msghdr envelope = {.msg_iov = &part, .msg_iovlen = 1};

	if (fd >= 0) {
		envelope.msg_control = control.space;
		envelope.msg_controllen = sizeof(control.space);
		struct cmsghdr *rights = CMSG_FIRSTHDR(&envelope);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
	}
	if (sendmsg(socket, &envelope, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(*message))
		return 0;
	/* ETOOMANYREFS: too many descriptors of this user are under way; they will arrive. */
	if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM ||
	    errno == ETOOMANYREFS)
		return -EAGAIN;
	return -errno;
}

/* One message and the descriptor that came with it (-1: none). 0, -EAGAIN: nothing there, -EPIPE:
 * hung up, -EPROTO: not one of our messages. */
static int message_receive(int socket, struct weir_message *ret_message, int *ret_fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {ret_message, sizeof(*ret_message)};
	struct msghdr envelope = {.msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.space,
				  .msg_controllen = sizeof(control.space)};

	*ret_fd = -1;
	ssize_t count = recvmsg(socket, &envelope, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	/* A peer that closed before it read all we sent is told first; its last words (a refusal)
	 * are still there. */
	if (count < 0 && errno == ECONNRESET)
		count = recvmsg(socket, &envelope, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (count < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -EPIPE;
	struct cmsghdr *rights = CMSG_FIRSTHDR(&envelope);
	if (rights && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS &&
	    rights->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret_fd, CMSG_DATA(rights), sizeof(*ret_fd));
	if (count == 0)
		return -EPIPE;
	if (count != (ssize_t)sizeof(*ret_message) || (envelope.msg_flags & MSG_TRUNC) ||
	    ret_message->magic != WEIR_MESSAGE_MAGIC || ret_message->version != WEIR_LAYOUT_VERSION)
		return -EPROTO;
	return 0;
}

/* Is this memfd a control page that cannot shrink under our reads? */
static bool control_valid(int fd)
{
	struct weir_control_header header;
	struct stat status;
	const int needed = F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE;
	const int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & needed) == needed && fstat(fd, &status) == 0 &&
	       status.st_size == (off_t)WEIR_CONTROL_BYTES &&
	       pread(fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header) &&
	       header.magic == WEIR_CONTROL_MAGIC && header.version == WEIR_LAYOUT_VERSION &&
	       header.fingerprint == weir_layout_fingerprint() && header.slots >= WEIR_RINGS_MAX;
}

/* Put the engine's page in the place that emits read from. The kernel swaps the mapping as one
 * step for every thread; what the page before had said is kept in the rings' floors. */
static int control_take(struct weir *w, int fd)
{
	/* Acquire: partner in ring_take(), so that each ring counted is whole. */
	const uint32_t count = weir_load_acquire_32(&w->ring_count);

	if (!control_valid(fd))
		return -EPROTO;
	for (uint32_t i = 0; i < count; i++)
		libweir_ring_progress(&w->rings[i]);
	/* The system call itself: ThreadSanitizer takes libc's mmap for a write to the place. */
	if (syscall(SYS_mmap, w->control, WEIR_CONTROL_BYTES, (long)PROT_READ,
		    (long)(MAP_SHARED | MAP_FIXED), (long)fd, 0L) != -1)
		return 0;
	/* The place may be a hole now; zeros say "nothing released", which is always safe. */
	(void)mmap(w->control, WEIR_CONTROL_BYTES, PROT_READ,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	return -ENOMEM;
}

static void refusal_clear(struct attach *attach)
{
	attach->refusal[0] = '\0';
	weir_store_relaxed_32(&attach->status, 0); /* looked at only */
}

static void welcome(struct weir *w, int fd)
{
	if (control_take(w, fd)) {
		refused(w, -EPROTO,
			"the engine's control page is not one of this version's: "
			"let libweir and weird be of one version");
		return;
	}
	refusal_clear(&w->attach);
	state_set(&w->attach, ATTACH_ON);
}

/* A ring that was refused is held now: was it the last? */
static void refusal_review(struct weir *w)
{
	/* Relaxed: what we know of a ring begins with our own offer of it. */
	const uint32_t count = weir_load_relaxed_32(&w->ring_count);

	for (uint32_t i = 0; w->attach.status && i < count; i++) {
		if (w->rings[i].offer == OFFER_REFUSED)
			return;
	}
	refusal_clear(&w->attach);
}

static void ring_answered(struct weir *w, const struct weir_message *message)
{
	if (message->index >= weir_load_relaxed_32(&w->ring_count)) /* we offered no such ring */
		return;
	struct client_ring *ring = &w->rings[message->index];
	if (message->type == WEIR_MESSAGE_RING_OK) {
		ring->offer = OFFER_HELD;
		refusal_review(w);
		return;
	}
	ring->offer = OFFER_REFUSED;
	refusal_set(&w->attach, message->status, message->text);
	w->attach.rings_retry_at_s = libweir_coarse_s() + REFUSED_RETRY_S;
}

static void message_handle(struct weir *w, const struct weir_message *message, int fd)
{
	switch (message->type) {
	case WEIR_MESSAGE_WELCOME:
		welcome(w, fd);
		break;
	case WEIR_MESSAGE_RING_OK:
		ring_answered(w, message);
		break;
	case WEIR_MESSAGE_REFUSED:
		/* Before WELCOME it is the region that is refused, whatever the index. */
		if (w->attach.state == ATTACH_ON)
			ring_answered(w, message);
		else
			refused(w, message->status, message->text);
		break;
	default: /* of a later version: nothing we asked for */
		break;
	}
}

static void answers_read(struct weir *w)
{
	struct weir_message message;
	int fd;

	for (int i = 0; i < MESSAGES_MAX && w->attach.state != ATTACH_OFF; i++) {
		int error = message_receive(w->attach.socket.fd, &message, &fd);
		if (error == -EPROTO)
			refused(w, error,
				"who answers on the socket is no engine of this version: "
				"look at $WEIR_SOCKET and at the versions");
		else if (error && error != -EAGAIN)
			disconnect(w);
		else if (!error)
			message_handle(w, &message, fd);
		if (fd >= 0)
			close(fd);
		if (error)
			return;
	}
}

/* A non-blocking connection, with the region offered over it. */
static void connect_and_greet(struct weir *w)
{
	struct attach *attach = &w->attach;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct weir_message hello = {
		.magic = WEIR_MESSAGE_MAGIC,
		.version = WEIR_LAYOUT_VERSION,
		.type = WEIR_MESSAGE_HELLO,
	};

	if (!libweir_descriptor_valid(&w->region.descriptor)) {
		refused(w, -EBADF,
			"the application has closed the library's descriptors: "
			"call weir_open after closing what was inherited");
		return;
	}
	_Static_assert(sizeof(address.sun_path) == sizeof(w->socket_path), "same bounds");
	memcpy(address.sun_path, w->socket_path, sizeof(address.sun_path));
	if (libweir_descriptor_take(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
					   0),
				    &attach->socket))
		return;
	if (connect(attach->socket.fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		const bool forbidden = errno == EACCES || errno == EPERM;
		libweir_descriptor_drop(&attach->socket);
		if (forbidden)
			refusal_set(attach, -EACCES,
				    "no permission to connect to the engine's "
				    "socket: add this user to its group");
		return;
	}
	state_set(attach, ATTACH_HELLO);
	if (message_send(attach->socket.fd, &hello, w->region.descriptor.fd))
		disconnect(w);
}

/* Offer what was not offered over this connection. true: an answer is awaited. */
static bool rings_offer(struct weir *w)
{
	/* Acquire: partner in ring_take(), so that each ring counted is whole. */
	const uint32_t count = weir_load_acquire_32(&w->ring_count);
	const bool again = libweir_coarse_s() >= w->attach.rings_retry_at_s;
	bool awaiting = w->attach.state == ATTACH_HELLO;

	for (uint32_t i = 0; i < count; i++) {
		struct client_ring *ring = &w->rings[i];
		struct weir_message offer = {
			.magic = WEIR_MESSAGE_MAGIC,
			.version = WEIR_LAYOUT_VERSION,
			.type = WEIR_MESSAGE_RING,
			.index = i,
		};
		if (ring->offer == OFFER_NEW || (ring->offer == OFFER_REFUSED && again)) {
			/* A closed descriptor may be another file's by now: never offer that. */
			if (!libweir_descriptor_valid(&ring->memory.descriptor))
				continue;
			int error = message_send(w->attach.socket.fd, &offer,
						 ring->memory.descriptor.fd);
			if (error == -EAGAIN)
				return true;
			if (error) {
				answers_read(w); /* the reason may be in there */
				if (w->attach.state != ATTACH_OFF)
					disconnect(w);
				return false;
			}
			ring->offer = OFFER_SENT;
		}
		awaiting |= ring->offer == OFFER_SENT;
	}
	return awaiting;
}

static void attach_run(struct weir *w)
{
	struct attach *attach = &w->attach;
	bool awaiting = false;

	if (attach->state != ATTACH_OFF && !libweir_descriptor_valid(&attach->socket))
		disconnect(w);
	answers_read(w);
	const uint64_t now_s = libweir_coarse_s();
	if (attach->state == ATTACH_OFF && now_s >= attach->retry_at_s) {
		attach->retry_at_s = now_s + RETRY_S;
		connect_and_greet(w);
	}
	if (attach->state != ATTACH_OFF)
		awaiting = rings_offer(w);
	/* Relaxed: a hint for emits to look again soon. */
	weir_store_relaxed_32(&attach->awaiting, awaiting);
}

bool libweir_attach_enter(struct weir *w)
{
	/* Orders: what the last holder did to `attach` before what we do. Partner: the release
	 * store in libweir_attach_leave(). Without it two threads could use one socket. */
	return weir_cas_32(&w->attach_busy, 0, 1);
}

void libweir_attach_leave(struct weir *w)
{
	/* Orders: our changes before the next holder's look. Seen by: libweir_attach_enter(). */
	weir_store_release_32(&w->attach_busy, 0);
}

void libweir_attach_step(struct weir *w)
{
	sigset_t signals;

	libweir_signals_hold(&signals);
	/* A child that was forked since the caller looked would speak over its parent's socket.
	 * Relaxed: only a fork by a handler of this thread's could have changed it. */
	if (weir_load_relaxed_64(&w->generation) && libweir_attach_enter(w)) {
		attach_run(w);
		libweir_attach_leave(w);
	}
	libweir_signals_release(&signals);
}
