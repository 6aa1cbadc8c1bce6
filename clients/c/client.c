/*
 * client: open, close, and what a forked child does in between.
 *
 * Idea:  one mapping per handle, found again through a list that only grows (see client.h). In a
 *        forked child the handle's generation reads 0; the first call that notices makes a new
 *        region, copies the parent's definitions (so that series ids stay valid) and lets go of
 *        the parent's descriptors. The parent's rings are not even mapped in the child.
 *
 * Runs on:  any thread. The lock of a handle is held while a forked child opens it again.
 * Never:    exits, prints, starts a thread, handles or raises a signal.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "client.h"

enum handle_use {
	HANDLE_UNUSED = 0,
	HANDLE_TAKEN, /* being made or being taken down */
	HANDLE_OPEN,
};

/* All handles there ever were in this process, as the address of the newest; and how many
 * generations there were. Process-wide because fork is. */
static uint64_t handles_head;
static uint64_t generations = GENERATION_FIRST;

static uint64_t generation_next(void)
{
	for (;;) {
		uint64_t was = weir_load_relaxed_64(&generations);
		/* The order of the swap is not needed: only that no two callers get the same. */
		if (weir_cas_64(&generations, was, was + 1))
			return was;
	}
}

static struct weir *handles_first(void)
{
	/* Orders: the handle's next_handle before its use. Partner: the swap in handle_make(). */
	return (struct weir *)(uintptr_t)weir_load_acquire_64(&handles_head);
}

/* Private zeros in the place of a ring, which is a hole in the child; nothing else may have taken
 * the place meanwhile. */
static void ring_plug(struct memory *memory)
{
	if (!memory->map || memory->plugged)
		return;
	void *plug = mmap(memory->map, memory->bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	memory->plugged = plug == memory->map;
	if (!memory->plugged && plug != MAP_FAILED) /* Linux before 4.17 */
		munmap(plug, memory->bytes);
}

/*
 * In the child, before fork returns. A signal handler may have forked inside one of our calls,
 * which then ends in both processes: here it shall end without effect on the parent, in zeros for
 * the rings and in private copies of the region's pages. System calls only: the child may be of
 * a process with many threads.
 */
static void forked_child(void)
{
	int error = errno;

	for (struct weir *w = handles_first(); w; w = w->next_handle) {
		for (uint32_t i = 0; i < w->ring_count; i++)
			ring_plug(&w->rings[i].memory);
		/* One that another thread was making is whole nowhere. */
		if (w->ring_count < WEIR_RINGS_MAX)
			libweir_memory_drop(&w->rings[w->ring_count].memory);
		if (w->region.map && libweir_descriptor_valid(&w->region.descriptor))
			(void)mmap(w->region.map, w->region.bytes, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_FIXED, w->region.descriptor.fd, 0);
	}
	errno = error;
}

static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static int fork_error;

static void fork_setup(void)
{
	fork_error = -pthread_atfork(NULL, NULL, forked_child);
}

static struct weir *handle_make(void)
{
	struct weir *w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);
	if (w == MAP_FAILED)
		return NULL;
	if (madvise(w, WIPED_BYTES, MADV_WIPEONFORK) < 0) {
		munmap(w, sizeof(*w));
		return NULL;
	}
	w->in_use = HANDLE_TAKEN;
	for (;;) {
		struct weir *first = handles_first();
		w->next_handle = first;
		/* Orders: next_handle before the handle is in the list. Seen by: handles_first().
		 * Without it a walk could stray. */
		if (weir_cas_64(&handles_head, (uintptr_t)first, (uintptr_t)w))
			return w;
	}
}

/* A handle of all zeros but for its links, or NULL. */
static struct weir *handle_take(void)
{
	for (struct weir *w = handles_first(); w; w = w->next_handle) {
		/* Orders: the last owner's zeroing before our use. Partner: the release store in
		 * handle_release(). Without it two opens could get one handle. */
		if (weir_cas_32(&w->in_use, HANDLE_UNUSED, HANDLE_TAKEN))
			return w;
	}
	return handle_make();
}

/* Free whatever the handle has, also half made, also a forked child's share of its parent's. */
static void handle_release(struct weir *w)
{
	pthread_mutex_lock(&w->lock);
	/* Relaxed: no other thread is inside a call; exits of threads look with the lock held. */
	const bool forked = weir_load_relaxed_64(&w->generation) == 0;
	weir_store_relaxed_64(&w->generation, 0);
	weir_store_relaxed_32(&w->in_use, HANDLE_TAKEN);
	pthread_mutex_unlock(&w->lock);

	libweir_rings_drop(w, forked);
	libweir_descriptor_drop(&w->attach.socket);
	libweir_memory_drop(&w->region);
	libweir_index_destroy(w);
	if (w->control)
		munmap(w->control, WEIR_CONTROL_BYTES);

	memset(w->pending, 0, sizeof(w->pending));
	weir_store_relaxed_32(&w->series_count, 0); /* no emitter has generation 0 */
	memset((char *)w + offsetof(struct weir, ring_count), 0,
	       sizeof(*w) - offsetof(struct weir, ring_count));
	/* Orders: the zeroing before the next open. Seen by: the swap in handle_take(). */
	weir_store_release_32(&w->in_use, HANDLE_UNUSED);
}

/* The caller's options over the defaults. -EINVAL. */
static int options_read(const struct weir_options *options, struct weir_options *ret_options)
{
	struct weir_options read = {0};

	if (options) {
		const char *bytes = (const char *)options;
		if (options->size < sizeof(options->size))
			return -EINVAL;
		for (size_t i = sizeof(read); i < options->size; i++) {
			if (bytes[i]) /* an option of a later version */
				return -EINVAL;
		}
		memcpy(&read, options, options->size < sizeof(read) ? options->size : sizeof(read));
	}
	if (!read.socket_path)
		read.socket_path = secure_getenv("WEIR_SOCKET");
	if (!read.socket_path || !read.socket_path[0])
		read.socket_path = WEIR_SOCKET_DEFAULT;
	if (!read.source)
		read.source = "live";
	if (!read.program)
		read.program = program_invocation_short_name;
	if (!read.ring_events)
		read.ring_events = WEIR_RING_EVENTS_DEFAULT;
	if (!read.series_max)
		read.series_max = WEIR_PRODUCER_SERIES_DEFAULT;
	if (!read.table_bytes)
		read.table_bytes = WEIR_TABLE_BYTES_DEFAULT;
	*ret_options = read;
	return 0;
}

static int options_apply(struct weir *w, const struct weir_options *o)
{
	size_t source_bytes = strnlen(o->source, sizeof(w->source));
	size_t path_bytes = strnlen(o->socket_path, sizeof(w->socket_path));

	if (path_bytes >= sizeof(w->socket_path) || !source_bytes ||
	    source_bytes >= sizeof(w->source) || !libweir_utf8_valid(o->source, source_bytes) ||
	    o->ring_events < WEIR_RING_EVENTS_MIN || o->ring_events > WEIR_RING_EVENTS_MAX ||
	    (o->ring_events & (o->ring_events - 1)) || o->series_max > WEIR_SERIES_MAX ||
	    o->table_bytes > WEIR_TABLE_BYTES_MAX)
		return -EINVAL;
	memcpy(w->socket_path, o->socket_path, path_bytes);
	memcpy(w->source, o->source, source_bytes);
	memcpy(w->program, o->program, strnlen(o->program, sizeof(w->program) - 1));
	w->clock = o->event_clock ? WEIR_CLOCK_EVENT : WEIR_CLOCK_WALL;
	w->ring_events = o->ring_events;
	w->series_max = o->series_max;
	w->table_bytes = (o->table_bytes + 4095) & ~4095u;
	w->full_wait_us = o->full_wait_us;
	return 0;
}

static int handle_open(struct weir *w, const struct weir_options *options)
{
	w->region.descriptor.fd = -1;
	w->attach.socket.fd = -1;
	int error = options_apply(w, options);
	if (!error)
		error = libweir_index_create(w);
	if (!error)
		error = libweir_region_create(w, &w->region);
	if (error)
		return error;
	void *control = mmap(NULL, WEIR_CONTROL_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			     0);
	if (control == MAP_FAILED)
		return -errno;
	w->control = control;
	weir_store_relaxed_32(&w->in_use, HANDLE_OPEN); /* the caller has the only reference */
	/* Orders: the whole handle before its generation. Seen by: libweir_ensure(). */
	weir_store_release_64(&w->generation, generation_next());
	return 0;
}

int weir_open(const struct weir_options *options, weir **ret_weir)
{
	struct weir_options read;
	struct slow_call call;

	if (!ret_weir)
		return -EINVAL;
	*ret_weir = NULL;
	int error = options_read(options, &read);
	if (error)
		return error;
	call = libweir_enter();
	error = libweir_thread_setup();
	if (!error && pthread_once(&fork_once, fork_setup) == 0)
		error = fork_error;
	struct weir *w = error ? NULL : handle_take();
	if (w) {
		sigset_t signals;
		libweir_signals_hold(&signals);
		error = handle_open(w, &read);
		libweir_signals_release(&signals);
		if (error)
			handle_release(w);
		else
			libweir_attach_step(w);
	} else if (!error) {
		error = -ENOMEM;
	}
	libweir_leave(call);
	if (!error)
		*ret_weir = w;
	return error;
}

/* A region of the child's own with the parent's definitions. With the lock held. */
static int child_open(struct weir *w)
{
	struct memory own;

	/* The descriptors first: there may be few. */
	libweir_rings_drop(w, true);
	libweir_descriptor_drop(&w->attach.socket);
	libweir_descriptor_drop(&w->region.descriptor);
	libweir_attach_reset(w);
	if (mmap(w->control, WEIR_CONTROL_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		 -1, 0) == MAP_FAILED)
		return -errno;
	int error = libweir_region_create(w, &own);
	if (error)
		return error;
	libweir_index_rebuild(w);
	struct weir_region_header *header = own.map;
	memcpy((char *)header + WEIR_TABLE_OFFSET, (const char *)w->region.map + WEIR_TABLE_OFFSET,
	       w->table_used);
	header->table_used = w->table_used; /* nobody else has seen this region yet */
	header->series_count = w->defined;
	/* Another thread may fork at any of these, and its child reads the table once more: at no
	 * moment is there none. */
	struct memory parents = w->region;
	w->region = own;
	libweir_memory_drop(&parents);
	weir_store_relaxed_32(&w->series_count, w->defined); /* before the generation, below */
	/* Orders: the new region before the generation. Seen by: libweir_ensure() in the child's
	 * other threads. Without it one could write to the parent's region. */
	weir_store_release_64(&w->generation, generation_next());
	return 0;
}

int libweir_ensure(struct weir *w)
{
	int error = 0;

	/* Orders: the look at the generation before the use of the region. Partners:
	 * handle_open(), child_open(). */
	if (likely(weir_load_acquire_64(&w->generation)))
		return 0;
	if (weir_load_relaxed_32(&w->in_use) != HANDLE_OPEN) /* set by who gave us the handle */
		return -EINVAL;
	sigset_t signals;
	libweir_signals_hold(&signals);
	pthread_mutex_lock(&w->lock);
	/* Relaxed: changed with the lock held only. */
	if (!weir_load_relaxed_64(&w->generation)) {
		const uint64_t now_s = libweir_coarse_s();
		if (now_s < w->reopen_at_s)
			error = -ENOMEM;
		else
			error = child_open(w);
		if (error && now_s >= w->reopen_at_s)
			w->reopen_at_s = now_s + 1;
	}
	pthread_mutex_unlock(&w->lock);
	libweir_signals_release(&signals);
	return error;
}

static uint64_t *region_drop(const struct weir *w, enum weir_drop reason)
{
	struct weir_region_header *header = region_header(w);

	return reason == WEIR_DROP_NO_RING     ? &header->dropped_no_ring
	       : reason == WEIR_DROP_REENTRANT ? &header->dropped_reentrant
					       : &header->dropped_invalid;
}

void libweir_drop(struct weir *w, enum weir_drop reason)
{
	/* Acquire as in libweir_ensure(): the region may be a moment old. */
	if (weir_load_acquire_64(&w->generation))
		weir_add_64(region_drop(w, reason), 1);
	else if (weir_load_relaxed_32(&w->in_use) == HANDLE_OPEN) /* a child's, without a region */
		weir_add_64(&w->pending[reason], 1);
}

static void pending_move(struct weir *w)
{
	for (int reason = WEIR_DROP_NO_RING; reason <= WEIR_DROP_INVALID; reason++) {
		/* Relaxed: counts, not guards; the swap only makes sure that each is moved once. */
		uint64_t count = weir_load_relaxed_64(&w->pending[reason]);
		if (count && weir_cas_64(&w->pending[reason], count, 0))
			weir_add_64(region_drop(w, (enum weir_drop)reason), count);
	}
}

void libweir_maintain(struct weir *w)
{
	pending_move(w);
	libweir_attach_step(w);
}

int weir_close(weir *w, uint32_t timeout_ms)
{
	int error = 0;

	if (!w)
		return 0;
	if (weir_load_relaxed_32(&w->in_use) != HANDLE_OPEN) /* no other thread is in a call */
		return -EINVAL;
	struct slow_call call = libweir_enter();
	/* A forked child that never used the handle has nothing to say of its parent's region.
	 * Acquire as in libweir_ensure(). */
	if (weir_load_acquire_64(&w->generation)) {
		pending_move(w);
		/* Orders: all tails and drops before the word that says they are the last. Seen
		 * by: the intake agent. Without it the engine could end a ring too early. */
		weir_store_release_32(&region_header(w)->state, WEIR_REGION_CLOSED);
		error = libweir_wait_level(w, WEIR_PERSISTED, timeout_ms);
		if (error == -EOPNOTSUPP) /* taken, by an engine that keeps nothing */
			error = 0;
	}
	handle_release(w);
	libweir_leave(call);
	return error;
}

const char *weir_version(void)
{
	return WEIR_VERSION;
}
