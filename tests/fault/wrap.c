/*
 * wrap: see fault.h. A wrapper for each function: strike, or do what the real one does.
 */
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"
#include "wrap.h"

/* 1 January 2026. */
#define START_S 1767225600
#define NS_PER_S UINT64_C(1000000000)
#define PATH_MAX_CALLS 24

const char *const fault_names[FAULT_CALLS] = {
	"malloc",      "open",        "read",       "write",      "short",
	"sync",        "allocate",    "rename",     "mmap",       "thread",
	"socket",      "message",     "ring-setup", "ring-submit", "ring-write",
	"ring-short",  "ring-sync",   "sql-step",   "sql-memory", "sql-file",
	"sql-sync",    "json-memory", "redis",
};

const char *const fault_sides[SIDES] = {"engine", "client", "test"};

static struct {
	enum fault_call call;
	enum fault_side side;
	uint64_t nth;
	bool persistent;
} armed;
static _Atomic uint64_t counted[SIDES][FAULT_CALLS], struck;
static void *callers[PATH_MAX_CALLS]; /* of the first call that was refused */
static int callers_count;
static uint64_t own_ns = NS_PER_S, *now_ns = &own_ns;
static __thread enum fault_side side;

enum fault_side fault_enter(enum fault_side next)
{
	enum fault_side was = side;

	side = next;
	return was;
}

bool (*fault_watch)(enum fault_call call);

bool fault_strikes(enum fault_call call)
{
	if (side == SIDE_TEST)
		return false;
	if (fault_watch && side == SIDE_ENGINE)
		return fault_watch(call);
	uint64_t n = atomic_fetch_add(&counted[side][call], 1) + 1;
	if (!armed.nth || call != armed.call || side != armed.side || n < armed.nth)
		return false;
	if (n > armed.nth && !armed.persistent)
		return false;
	if (atomic_fetch_add(&struck, 1) == 0)
		callers_count = backtrace(callers, PATH_MAX_CALLS);
	return true;
}

void fault_say_struck(void)
{
	extern const char __executable_start[];

	printf("  struck at:");
	for (int i = 0; i < callers_count; i++)
		printf(" 0x%tx", (const char *)callers[i] - __executable_start);
	printf("\n");
}

void fault_arm(enum fault_call call, enum fault_side whose, uint64_t nth, bool persistent)
{
	memset(counted, 0, sizeof(counted));
	struck = 0;
	armed.call = call;
	armed.side = whose;
	armed.persistent = persistent;
	armed.nth = nth;
}

void fault_disarm(void)
{
	armed.nth = 0;
}

uint64_t fault_struck(void)
{
	return struck;
}

uint64_t fault_counted(enum fault_call call, enum fault_side whose)
{
	return counted[whose][call];
}

/* What a poor machine says: one thing or the other, by the number of the call. */
int fault_error(int one, int other)
{
	return armed.nth % 2 ? one : other;
}

/* Relaxed: a number that grows; what orders the threads and processes that look is elsewhere. */
static void pass_ns(uint64_t ns)
{
	__atomic_fetch_add(now_ns, ns, __ATOMIC_RELAXED);
}

void fault_pass_ms(uint64_t ms)
{
	pass_ns(ms * 1000000);
}

void fault_share_time(uint64_t *at)
{
	*at = *now_ns;
	now_ns = at;
}

/* What the engine thinks it cannot go on without. */
jmp_buf *fault_stop;

_Noreturn void __wrap_check_failed(const char *file, int line, const char *expression)
{
	bool memory = armed.call == FAULT_MALLOC || armed.call == FAULT_MMAP ||
		      armed.call == FAULT_JSON_MEMORY || armed.call == FAULT_SQL_MEMORY;

	if (!fault_stop || !struck || !memory)
		__real_check_failed(file, line, expression);
	printf("stopped itself: %s:%d: %s\n", file, line, expression);
	longjmp(*fault_stop, 1);
}

/* Time. */

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
	uint64_t ns = __atomic_load_n(now_ns, __ATOMIC_RELAXED);

	time->tv_sec = (time_t)(ns / NS_PER_S);
	time->tv_nsec = (long)(ns % NS_PER_S);
	if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
		time->tv_sec += START_S;
	return 0;
}

int __wrap_nanosleep(const struct timespec *pause, struct timespec *left)
{
	(void)left;
	pass_ns((uint64_t)pause->tv_sec * NS_PER_S + (uint64_t)pause->tv_nsec);
	return 0;
}

static int poll_fast(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	int ready = __real_poll(fds, count, 0);

	/* Nobody but a server of another process can still answer. */
	if (ready == 0 && timeout_ms > 100)
		ready = __real_poll(fds, count, timeout_ms);
	else if (ready == 0 && timeout_ms > 0)
		fault_pass_ms(1);
	return ready;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	FAULT(FAULT_MESSAGE, EINTR, ENOMEM, -1);
	return poll_fast(fds, count, timeout_ms);
}

/* Memory. Pieces of the engine's, in a table with open addresses. */

#define PIECES (1u << 18)
#define GONE ((void *)1)

static struct {
	void *at;
	void *by;
} pieces[PIECES];
static uint64_t pieces_count;
static pthread_mutex_t pieces_lock = PTHREAD_MUTEX_INITIALIZER;

static uint32_t piece_slot(const void *at)
{
	return (uint32_t)(((uintptr_t)at * UINT64_C(0x9e3779b97f4a7c15)) >> 46) % PIECES;
}

static void *piece_add(void *at, void *by)
{
	if (!at || side != SIDE_ENGINE)
		return at;
	pthread_mutex_lock(&pieces_lock);
	uint32_t i = piece_slot(at);
	while (pieces[i].at && pieces[i].at != GONE)
		i = (i + 1) % PIECES;
	pieces[i].at = at;
	pieces[i].by = by;
	if (++pieces_count == PIECES / 2)
		abort();
	pthread_mutex_unlock(&pieces_lock);
	return at;
}

static void piece_remove(void *at)
{
	if (!at)
		return;
	pthread_mutex_lock(&pieces_lock);
	for (uint32_t i = piece_slot(at); pieces[i].at; i = (i + 1) % PIECES)
		if (pieces[i].at == at) {
			pieces[i].at = GONE;
			pieces_count--;
			break;
		}
	pthread_mutex_unlock(&pieces_lock);
}

uint64_t fault_held(void)
{
	return pieces_count;
}

void fault_say_held(void)
{
	extern const char __executable_start[];
	int said = 0;

	for (uint32_t i = 0; i < PIECES && said < 20; i++)
		if (pieces[i].at && pieces[i].at != GONE) {
			printf("  held: from 0x%tx\n",
			       (const char *)pieces[i].by - __executable_start);
			said++;
		}
}

#define BY __builtin_return_address(0)

void *__wrap_malloc(size_t bytes)
{
	FAULT(FAULT_MALLOC, ENOMEM, ENOMEM, NULL);
	return piece_add(__real_malloc(bytes), BY);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	FAULT(FAULT_MALLOC, ENOMEM, ENOMEM, NULL);
	return piece_add(__real_calloc(count, bytes), BY);
}

static void *move(void *at, void *to, void *by)
{
	if (to || !at) {
		piece_remove(at);
		piece_add(to, by);
	}
	return to;
}

void *__wrap_realloc(void *at, size_t bytes)
{
	FAULT(FAULT_MALLOC, ENOMEM, ENOMEM, NULL);
	return move(at, __real_realloc(at, bytes), BY);
}

void *__wrap_reallocarray(void *at, size_t count, size_t bytes)
{
	FAULT(FAULT_MALLOC, ENOMEM, ENOMEM, NULL);
	return move(at, __real_reallocarray(at, count, bytes), BY);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
	FAULT(FAULT_MALLOC, ENOMEM, ENOMEM, NULL);
	return piece_add(__real_aligned_alloc(alignment, bytes), BY);
}

char *__wrap_strdup(const char *text)
{
	FAULT(FAULT_MALLOC, ENOMEM, ENOMEM, NULL);
	return piece_add(__real_strdup(text), BY);
}

char *__wrap_strndup(const char *text, size_t bytes)
{
	FAULT(FAULT_MALLOC, ENOMEM, ENOMEM, NULL);
	return piece_add(__real_strndup(text, bytes), BY);
}

int __wrap_asprintf(char **text, const char *format, ...)
{
	va_list arguments;

	FAULT(FAULT_MALLOC, ENOMEM, ENOMEM, -1);
	va_start(arguments, format);
	int bytes = vasprintf(text, format, arguments);
	va_end(arguments);
	if (bytes >= 0)
		piece_add(*text, BY);
	return bytes;
}

void __wrap_free(void *at)
{
	piece_remove(at);
	__real_free(at);
}

void *__wrap_mmap64(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	FAULT(FAULT_MMAP, ENOMEM, ENOMEM, MAP_FAILED);
	return __real_mmap64(at, bytes, protection, flags, fd, offset);
}

/* Helpers. Who has woken one waits until it has nothing left to do (it waits again, or is gone): so
 * a run is the same every time. A helper's condition lies in what it was started with. */

#define HELPERS 32
#define SELF_BYTES (64u << 10) /* at least the largest of what they are started with */

static struct helper {
	void *(*start)(void *);
	char *self; /* NULL: free */
	pthread_cond_t *woken;
	pthread_t thread;
} helpers[HELPERS];
static pthread_mutex_t helpers_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t helpers_rest = PTHREAD_COND_INITIALIZER;
static __thread struct helper *waking, *self_helper;

/* It may lie close behind another's: the nearest before it is the one. */
static struct helper *helper_of(const pthread_cond_t *condition)
{
	struct helper *nearest = NULL;

	for (int i = 0; i < HELPERS; i++) {
		const char *self = helpers[i].self;
		if (self && (const char *)condition >= self &&
		    (const char *)condition < self + SELF_BYTES &&
		    (!nearest || self > nearest->self))
			nearest = &helpers[i];
	}
	return nearest;
}

static void set_woken(struct helper *helper, pthread_cond_t *condition)
{
	pthread_mutex_lock(&helpers_lock);
	if (helper)
		helper->woken = condition;
	if (!condition)
		pthread_cond_broadcast(&helpers_rest);
	__real_pthread_mutex_unlock(&helpers_lock);
}

static void *help(void *self)
{
	struct helper *helper = self;

	self_helper = helper;
	helper->start(helper->self);
	set_woken(helper, NULL);
	return NULL;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			  void *(*start)(void *), void *self)
{
	struct helper *helper = helpers;

	if (fault_strikes(FAULT_THREAD))
		return EAGAIN;
	while (helper->self)
		if (++helper == helpers + HELPERS)
			abort();
	*helper = (struct helper){.start = start, .self = self};
	int error = __real_pthread_create(thread, attributes, help, helper);
	helper->thread = *thread;
	if (error)
		helper->self = NULL;
	return error;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
	int error = __real_pthread_join(thread, result);

	/* The memory it was started with is freed next, and may be another helper's then. */
	for (int i = 0; i < HELPERS; i++)
		if (helpers[i].self && pthread_equal(helpers[i].thread, thread))
			helpers[i].self = NULL;
	waking = NULL;
	return error;
}

int __wrap_pthread_cond_signal(pthread_cond_t *condition)
{
	waking = helper_of(condition);
	set_woken(waking, condition);
	return __real_pthread_cond_signal(condition);
}

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
	struct helper *helper = helper_of(condition);

	/* Else nobody would wait for it, and each run be another one. */
	if (helper != self_helper)
		abort();
	set_woken(helper, NULL);
	return __real_pthread_cond_wait(condition, mutex);
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	int error = __real_pthread_mutex_unlock(mutex);

	/* Asleep, not yielding: on a busy machine that would take all of our time. */
	if (waking) {
		pthread_mutex_lock(&helpers_lock);
		while (waking->woken)
			__real_pthread_cond_wait(&helpers_rest, &helpers_lock);
		__real_pthread_mutex_unlock(&helpers_lock);
	}
	return error;
}

/* What is refused with an errno and has nothing else to it. */
#define PLAIN(result, name, parameters, arguments, call, one, other, bad)                          \
	result __wrap_##name parameters                                                            \
	{                                                                                          \
		FAULT(call, one, other, bad);                                                      \
		return __real_##name arguments;                                                    \
	}
FAULT_PLAIN(PLAIN)

/* io_uring. An entry that is to fail becomes a NOP, and its completion says what is wanted; a
 * short one is made short. */

#define OVERRIDES 256

static struct override {
	struct io_uring *ring; /* NULL: free */
	uint64_t cookie;
	int result;
} overrides[OVERRIDES];

static void nothing(struct io_uring *ring, struct io_uring_sqe *sqe, int result)
{
	for (int i = 0; i < OVERRIDES; i++)
		if (!overrides[i].ring) {
			overrides[i] = (struct override){
				.ring = ring, .cookie = sqe->user_data, .result = result};
			io_uring_prep_nop(sqe);
			sqe->user_data = overrides[i].cookie;
			return;
		}
	abort();
}

/* Which file is which, of those that were registered: an entry names it by its place. */
#define REGISTERED 64
#define RINGS 64

static struct {
	struct io_uring *ring;
	int files[REGISTERED];
} registered[RINGS];

static int *files_of(struct io_uring *ring)
{
	int free = RINGS;

	for (int i = RINGS - 1; i >= 0; i--) {
		if (registered[i].ring == ring)
			return registered[i].files;
		free = registered[i].ring ? free : i;
	}
	if (free == RINGS)
		abort();
	registered[free].ring = ring;
	return registered[free].files;
}

static int file_of(struct io_uring *ring, const struct io_uring_sqe *sqe)
{
	return sqe->flags & IOSQE_FIXED_FILE ? files_of(ring)[sqe->fd] : sqe->fd;
}

/* As with plain calls: none is made. It covers what was written before it was asked for. */
static void judge_sync(struct io_uring *ring, struct io_uring_sqe *sqe)
{
	if (sqe->opcode != IORING_OP_FSYNC)
		return;
	bool good = !fault_strikes(FAULT_RING_SYNC) && !disk_is_off();
	if (!disk_is_off())
		disk_sync(file_of(ring, sqe), good);
	nothing(ring, sqe, good ? 0 : -EIO);
}

static void judge_write(struct io_uring *ring, struct io_uring_sqe *sqe)
{
	uint32_t half = sqe->len / 2 & ~4095u;

	if (sqe->opcode != IORING_OP_WRITE && sqe->opcode != IORING_OP_WRITE_FIXED)
		return;
	if (disk_is_off() || fault_strikes(FAULT_RING_WRITE)) {
		nothing(ring, sqe, fault_error(-EIO, -ENOSPC));
		return;
	}
	if (half && fault_strikes(FAULT_RING_SHORT))
		sqe->len = half;
	disk_write(file_of(ring, sqe), sqe->off, sqe->len);
}

int __wrap_io_uring_submit(struct io_uring *ring)
{
	if (fault_strikes(FAULT_RING_SUBMIT))
		return fault_error(-EAGAIN, -EBUSY);
	/* Syncs first: what is handed in together may be done in any order. */
	for (unsigned i = ring->sq.sqe_head; i != ring->sq.sqe_tail; i++)
		judge_sync(ring, &ring->sq.sqes[i & *ring->sq.kring_mask]);
	for (unsigned i = ring->sq.sqe_head; i != ring->sq.sqe_tail; i++)
		judge_write(ring, &ring->sq.sqes[i & *ring->sq.kring_mask]);
	/* Made-up time must not run ahead of real writes: they are all over when this returns. */
	unsigned queued = ring->sq.sqe_tail - ring->sq.sqe_head;
	return io_uring_submit_and_wait(ring, io_uring_cq_ready(ring) + queued);
}

unsigned __wrap_io_uring_peek_batch_cqe(struct io_uring *ring, struct io_uring_cqe **cqes,
					unsigned count)
{
	unsigned got = __real_io_uring_peek_batch_cqe(ring, cqes, count);

	for (unsigned c = 0; c < got; c++)
		for (int i = 0; i < OVERRIDES; i++)
			if (overrides[i].ring == ring &&
			    overrides[i].cookie == cqes[c]->user_data) {
				cqes[c]->res = overrides[i].result;
				overrides[i].ring = NULL;
				break;
			}
	return got;
}

/* What was submitted is over, what was not will never be. */
int __wrap_io_uring_wait_cqe_timeout(struct io_uring *ring, struct io_uring_cqe **cqe,
				     struct __kernel_timespec *wait)
{
	if (io_uring_cq_ready(ring))
		return __real_io_uring_wait_cqe_timeout(ring, cqe, wait);
	fault_pass_ms((uint64_t)wait->tv_nsec / 1000000);
	return -ETIME;
}

int __wrap_io_uring_register_files(struct io_uring *ring, const int *files, unsigned count)
{
	if (fault_strikes(FAULT_RING_SETUP))
		return fault_error(-ENOMEM, -EPERM);
	memcpy(files_of(ring), files, count * sizeof(*files));
	return __real_io_uring_register_files(ring, files, count);
}

int __wrap_io_uring_register_files_update(struct io_uring *ring, unsigned at, const int *files,
					  unsigned count)
{
	if (fault_strikes(FAULT_RING_SETUP))
		return fault_error(-ENOMEM, -EPERM);
	memcpy(files_of(ring) + at, files, count * sizeof(*files));
	return __real_io_uring_register_files_update(ring, at, files, count);
}

#define RING_SETUP(name, parameters, arguments)                                                    \
	int __wrap_##name parameters                                                               \
	{                                                                                          \
		if (fault_strikes(FAULT_RING_SETUP))                                               \
			return fault_error(-ENOMEM, -EPERM);                                       \
		return __real_##name arguments;                                                    \
	}
FAULT_RING_SETUPS(RING_SETUP)
