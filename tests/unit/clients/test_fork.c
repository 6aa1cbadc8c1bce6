/* Forked children: a region of their own, the parent's untouched. */
#include "setup.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "hostile/steps.h"
#include "skip.h"
#include "weir/region.h"

enum { CHILDREN = 8, CHILD_EVENTS = 300 };

static void child_run(struct setup *s, int number)
{
	char name[16];
	struct weir_ledger l;

	/* The id from before the fork, and one of the child's own. */
	for (int i = 0; i < CHILD_EVENTS; i++) {
		if (weir_emit(s->w, s->series, 1) != 0)
			_exit(1);
	}
	snprintf(name, sizeof(name), "child-%d", number);
	int own = weir_series(s->w, name, NULL, WEIR_KIND_NUMBER, NULL, 0);
	if (own != s->series + 1 ||
	    weir_series(s->w, WEIR_PURCHASE, NULL, WEIR_KIND_NUMBER, NULL, 0) != s->series)
		_exit(2);
	if (weir_emit_at(s->w, own, 1, 7) != 0)
		_exit(3);
	if (weir_wait(s->w, WEIR_DURABLE, 10000) != 0)
		_exit(4);
	weir_ledger(s->w, &l);
	if (l.attempted != CHILD_EVENTS + 1 || l.published != l.attempted ||
	    l.durable != l.attempted || l.dropped)
		_exit(5);
	_exit(weir_close(s->w, 5000) == 0 ? 0 : 6);
}

static void children_join(const pid_t *children, int count)
{
	for (int i = 0; i < count; i++) {
		int status;
		cr_assert_eq(waitpid(children[i], &status, 0), children[i]);
		cr_assert(WIFEXITED(status), "child %d was killed by %d", i, WTERMSIG(status));
		cr_assert_eq(WEXITSTATUS(status), 0, "child %d said %d", i, WEXITSTATUS(status));
	}
}

Test(fork, eight_children_each_end_with_an_exact_ledger, .timeout = 30)
{
	static struct fake_log log;
	static struct fake fake;
	struct setup s = setup_open_with(&fake, &log, (struct weir_options){.ring_events = 1024});
	pid_t children[CHILDREN];

	for (int i = 0; i < 100; i++)
		cr_assert_eq(weir_emit(s.w, s.series, 1), 0);
	for (int i = 0; i < CHILDREN; i++) {
		children[i] = fork();
		if (children[i] == 0)
			child_run(&s, i);
		cr_assert_gt(children[i], 0);
	}
	fake_run(&fake);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(weir_emit(s.w, s.series, 1), 0);
	children_join(children, CHILDREN);
	cr_assert_eq(weir_wait(s.w, WEIR_DURABLE, 5000), 0);
	struct weir_ledger l = ledger_of(s.w);
	cr_assert_eq(l.attempted, 200);
	cr_assert_eq(l.durable, 200);
	fake_stop(&fake);
	cr_assert_eq(log.count, CHILDREN + 1);
	cr_assert_eq(fake_log_events(&log), 200 + CHILDREN * (CHILD_EVENTS + 1));
	cr_assert_null(fake.wrong, "%s", fake.wrong);
	setup_close(&s);
}

Test(fork, a_child_that_only_closes_leaves_the_parent_as_it_was)
{
	static struct fake_log log;
	static struct fake fake;
	struct setup s = setup_open_with(&fake, &log, (struct weir_options){0});

	weir_emit(s.w, s.series, 1);
	fake_run(&fake);
	cr_assert_eq(weir_wait(s.w, WEIR_PERSISTED, 5000), 0);
	pid_t child = fork();
	if (child == 0)
		_exit(weir_close(s.w, 1000) == 0 && weir_emit(s.w, 1, 1) == -EINVAL ? 0 : 1);
	children_join(&child, 1);
	weir_emit(s.w, s.series, 1);
	cr_assert_eq(weir_wait(s.w, WEIR_PERSISTED, 5000), 0);
	cr_assert_eq(fake.producers[0].region->state, WEIR_REGION_OPEN);
	cr_assert_eq(fake.connections, 1);
	fake_stop(&fake);
	setup_close(&s);
}

/* What is executed behind a fork is another program: it holds nothing of the library's. */
Test(fork, nothing_of_the_library_goes_through_an_exec)
{
	static struct fake_log log;
	static struct fake fake;
	struct setup s = setup_open_with(&fake, &log, (struct weir_options){.ring_events = 64});
	bool seen[256] = {0};
	int more = 0;

	for (int fd = 0; fd < 256; fd++)
		seen[fd] = fcntl(fd, F_GETFD) >= 0;
	struct setup own = {0};
	strcpy(own.path, s.path);
	setup_open_at(&own, (struct weir_options){0});
	cr_assert_eq(weir_emit(own.w, own.series, 1), 0);
	weir_poll(own.w);
	for (int fd = 0; fd < 256; fd++) {
		const int flags = seen[fd] ? -1 : fcntl(fd, F_GETFD);
		more += flags >= 0;
		cr_assert(flags < 0 || flags & FD_CLOEXEC, "descriptor %d", fd);
	}
	cr_assert_eq(more, 3, "%d: not a region, a ring and a socket", more);
	weir_close(own.w, 0);
	fake_stop(&fake);
	setup_close(&s);
}

/* The parent's control page says of ring 0 that slots are free; the child's ring 0 is another. */
Test(fork, a_child_takes_over_no_word_and_no_descriptor_of_its_parents)
{
	static struct fake_log log;
	static struct fake fake;
	struct setup s = setup_open_with(&fake, &log, (struct weir_options){.ring_events = 64});
	struct weir_ledger l;

	for (int i = 0; i < 40; i++)
		weir_emit(s.w, s.series, 1);
	fake_run(&fake);
	cr_assert_eq(weir_wait(s.w, WEIR_DURABLE, 5000), 0);
	fake_stop(&fake);
	pid_t child = fork();
	if (child == 0) {
		const int descriptors = open_descriptors();
		for (int i = 0; i < 100; i++)
			weir_emit(s.w, s.series, 1);
		weir_ledger(s.w, &l);
		if (l.published != 64 || l.dropped_full != 36 || l.persisted || l.attached)
			_exit(1);
		/* A region and a ring for a region, a ring and a socket: nobody listens now. */
		_exit(open_descriptors() == descriptors - 1 ? 0 : 2);
	}
	children_join(&child, 1);
	cr_assert_eq(ledger_of(s.w).durable, 40);
	setup_close(&s);
}

Test(fork, generations_of_children_keep_the_ids)
{
	struct setup s = setup_open((struct weir_options){0});
	char name[16];
	int depth = 0, status = 0;
	pid_t child;

	for (; depth < 5; depth++) {
		snprintf(name, sizeof(name), "depth-%d", depth);
		cr_assert_eq(weir_series(s.w, name, NULL, WEIR_KIND_NUMBER, NULL, 0), depth + 2);
		cr_assert_eq(weir_emit(s.w, depth + 2, 1), 0);
		child = fork();
		if (child)
			break;
	}
	struct weir_ledger l;
	weir_ledger(s.w, &l);
	if (depth == 5) { /* the last: it inherited five definitions and no event */
		for (int i = 0; i < 5; i++) {
			snprintf(name, sizeof(name), "depth-%d", i);
			if (weir_series(s.w, name, NULL, WEIR_KIND_NUMBER, NULL, 0) != i + 2)
				_exit(10);
		}
		_exit(l.attempted == 0 ? 0 : 11);
	}
	waitpid(child, &status, 0);
	if (depth > 0)
		_exit(l.attempted == 1 ? WEXITSTATUS(status) + !WIFEXITED(status) : 12);
	cr_assert_eq(l.attempted, 1);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", WEXITSTATUS(status));
	setup_close(&s);
}

static void *fork_and_emit(void *argument)
{
	struct setup *s = argument;
	struct weir_ledger l;

	weir_emit(s->w, s->series, 1);
	pid_t child = fork();
	if (child == 0) {
		weir_emit(s->w, s->series, 1);
		weir_emit(s->w, s->series, 1);
		weir_ledger(s->w, &l);
		_exit(l.attempted == 2 && l.published == 2 ? 0 : 1);
	}
	int status;
	waitpid(child, &status, 0);
	return (void *)(intptr_t)status;
}

static void *emit_and_define(void *argument)
{
	struct setup *s = argument;
	char name[16];

	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "n-%d", i);
		weir_series(s->w, name, NULL, WEIR_KIND_NUMBER, NULL, 0);
		weir_emit(s->w, s->series, 1);
	}
	return NULL;
}

/* Locks that another thread held at the moment of the fork must not hold the child. */
Test(fork, threads_fork_while_others_define_and_emit, .timeout = 30)
{
	struct setup s = setup_open((struct weir_options){
		.series_max = 1000, .table_bytes = 65536, .ring_events = 1024});

	for (int round = 0; round < 10; round++) {
		pthread_t threads[4];
		void *status;
		for (int i = 0; i < 4; i++)
			pthread_create(&threads[i], NULL, i % 2 ? fork_and_emit : emit_and_define,
				       &s);
		for (int i = 0; i < 4; i++) {
			pthread_join(threads[i], &status);
			cr_assert_null(i % 2 ? status : NULL);
		}
	}
	struct weir_ledger l = ledger_of(s.w);
	cr_assert_eq(l.attempted, 10 * (2 + 2 * 500));
	setup_close(&s);
}

/* A bare clone: no fork handler runs, libc knows nothing. */
Test(fork, a_bare_clone_does_not_write_to_the_parents_ring)
{
	struct setup s = setup_open((struct weir_options){0});
	struct weir_ledger l;

	for (int i = 0; i < 10; i++)
		weir_emit_at(s.w, s.series, 1, 1);
	pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (child == 0) {
		for (int i = 0; i < 5; i++)
			weir_emit_at(s.w, s.series, 1, 1);
		weir_ledger(s.w, &l);
		_exit(l.attempted == 5 && l.published == 5 ? 0 : 1);
	}
	children_join(&child, 1);
	l = ledger_of(s.w);
	cr_assert_eq(l.published, 10);
	setup_close(&s);
}

static struct setup *handler_setup;
static volatile int handler_forks;
static pid_t handler_children[64];

static void fork_in_handler(int number)
{
	(void)number;
	if (handler_forks < 64) {
		pid_t child = fork();
		if (child == 0) {
			handler_forks = -1; /* this is a child; it returns into the emit */
			return;
		}
		handler_children[handler_forks++] = child;
	}
}

/* The fork lands inside an emit: the outer call ends in both processes, and counts once each. */
Test(fork, a_fork_in_a_signal_handler_inside_an_emit_ends_well, .timeout = 30)
{
	struct setup s = setup_open((struct weir_options){.ring_events = 64, .full_wait_us = 3000});
	struct sigaction action = {.sa_handler = fork_in_handler};
	struct weir_ledger l;

	handler_setup = &s;
	sigaction(SIGUSR1, &action, NULL);
	for (int i = 0; i < 64; i++)
		weir_emit(s.w, s.series, 1);
	/* While the emit waits for room, it is inside for certain. */
	pid_t waker = fork();
	if (waker == 0) {
		usleep(1000);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	int result = weir_emit(s.w, s.series, 1);
	/* On a busy machine the signal comes after it: then it is just a fork, but it must not come
	 * later than this. */
	for (int ms = 0; handler_forks == 0 && ms < 20000; ms++)
		usleep(1000);
	if (handler_forks < 0) {
		for (int i = 0; i < 10; i++)
			weir_emit(s.w, s.series, 1);
		weir_ledger(s.w, &l);
		_exit(l.attempted == 10 && l.published == 10 ? 0 : 1);
	}
	children_join(&waker, 1);
	cr_assert_eq(handler_forks, 1);
	children_join(handler_children, handler_forks);
	cr_assert_eq(result, -EAGAIN);
	l = ledger_of(s.w);
	cr_assert_eq(l.published, 64);
	cr_assert_eq(l.dropped_timeout, 1);
	setup_close(&s);
}

/* And at random moments of unwaiting emits. */
Test(fork, forks_in_signal_handlers_at_random_moments_end_well, .timeout = 60)
{
	struct setup s = setup_open((struct weir_options){.ring_events = 65536});
	struct sigaction action = {.sa_handler = fork_in_handler};
	struct itimerval timer = {{0, 900}, {0, 900}}, off = {{0, 0}, {0, 0}};
	struct weir_ledger l;
	uint64_t attempts = 0;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	while (handler_forks >= 0 && handler_forks < 40) {
		weir_emit_at(s.w, s.series, 1, 1);
		attempts++;
	}
	setitimer(ITIMER_REAL, &off, NULL);
	if (handler_forks < 0) {
		weir_emit_at(s.w, s.series, 1, 1);
		weir_emit_at(s.w, s.series, 1, 1);
		weir_ledger(s.w, &l);
		_exit(l.attempted >= 2 && l.attempted <= 4 && !l.dropped ? 0 : 1);
	}
	children_join(handler_children, handler_forks);
	cr_assert_eq(ledger_of(s.w).attempted, attempts);
	setup_close(&s);
}

/* At random moments of definitions: the child must not end the parent's half-done one. */
Test(fork, forks_in_signal_handlers_leave_the_parents_definitions_alone, .timeout = 60)
{
	struct setup s =
		setup_open((struct weir_options){.series_max = 200000, .table_bytes = 16 << 20});
	struct sigaction action = {.sa_handler = fork_in_handler};
	struct itimerval timer = {{0, 900}, {0, 900}}, off = {{0, 0}, {0, 0}};
	char name[16];
	int count = 1;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	while (handler_forks >= 0 && handler_forks < 60 && count < 199999) {
		snprintf(name, sizeof(name), "n-%d", ++count);
		if (weir_series(s.w, name, NULL, WEIR_KIND_NUMBER, NULL, 0) != count)
			break;
	}
	setitimer(ITIMER_REAL, &off, NULL);
	if (handler_forks < 0) {
		/* The interrupted definition is the child's too, or will be with the next call. */
		int id = weir_series(s.w, name, NULL, WEIR_KIND_NUMBER, NULL, 0);
		_exit(id == count && weir_emit(s.w, id, 1) == 0 ? 0 : 1);
	}
	children_join(handler_children, handler_forks);
	for (int i = 2; i <= count; i++) {
		snprintf(name, sizeof(name), "n-%d", i);
		cr_assert_eq(weir_series(s.w, name, NULL, WEIR_KIND_NUMBER, NULL, 0), i);
	}
	setup_close(&s);
}

static int seams_left;
static pid_t seam_child;
static bool seam_in_child;

static void fork_at_seam(void)
{
	if (--seams_left)
		return;
	clock_call(NULL);
	seam_child = fork();
	seam_in_child = seam_child == 0;
}

/* One call more, counted. In the child, counting begins behind the call that was interrupted. */
static void seam_emit(struct setup *s, int way, uint64_t *attempts)
{
	struct weir_sample samples[2] = {{.value = 1, .series = 1}, {.value = 1, .series = 1}};
	const bool was_child = seam_in_child;

	if (way == 0)
		weir_emit(s->w, s->series, 1);
	else if (way == 1)
		weir_emit_at(s->w, s->series, 1, 1);
	else
		weir_emit_many(s->w, samples, 2);
	*attempts += way == 2 ? 2 : 1;
	if (seam_in_child && !was_child)
		*attempts = 0;
}

/* Run the calls once, forking at the n-th look at the clock. false: there are not so many. */
static bool seam_run(int seam)
{
	struct setup s = setup_open((struct weir_options){0});
	struct weir_ledger l;
	uint64_t attempts = 0;

	seams_left = seam;
	seam_child = -1;
	clock_call(fork_at_seam);
	for (int way = 0; way < 3; way++) {
		seam_emit(&s, way, &attempts);
		clock_skip(1);
		seam_emit(&s, way, &attempts);
	}
	const bool was_child = seam_in_child;
	weir_poll(s.w);
	weir_wait(s.w, WEIR_PERSISTED, 0);
	clock_call(NULL);
	if (seam_in_child && !was_child)
		attempts = 0;
	weir_emit(s.w, s.series, 1);
	weir_ledger(s.w, &l);
	attempts++;
	if (seam_in_child) /* the interrupted call may count here too, in whole or in part */
		_exit(!l.dropped && l.published >= attempts && l.published <= attempts + 2 ? 0 : 1);
	cr_assert_eq(l.dropped, 0);
	cr_assert_eq(l.published, attempts);
	if (seam_child > 0)
		children_join(&seam_child, 1);
	setup_close(&s);
	return seam_child > 0;
}

Test(fork, a_fork_at_any_seam_of_a_call_ends_well, .timeout = 30)
{
	int seams = 1;

	while (seam_run(seams))
		seams++;
	cr_assert_gt(seams, 15, "only %d seams", seams);
}

enum { SHARED_MAX = 4 };

/* What the process shares with an engine, mapped once more: its region and its rings. */
struct shared {
	unsigned char *map[SHARED_MAX];
	size_t bytes[SHARED_MAX];
	int count;
	const struct weir_region_header *region;
};

static struct setup stepped;
static struct shared shared;
static bool step_closed; /* the parent had closed its region by then */
static pid_t step_child;

static void shared_find(void)
{
	char path[64], name[64];

	for (int fd = 3; fd < 256 && shared.count < SHARED_MAX; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		const ssize_t length = readlink(path, name, sizeof(name) - 1);
		name[length > 0 ? length : 0] = '\0';
		const off_t bytes = lseek(fd, 0, SEEK_END);
		if (!strstr(name, "memfd:weir-") || bytes <= 0)
			continue;
		void *map = mmap(NULL, (size_t)bytes, PROT_READ, MAP_SHARED, fd, 0);
		cr_assert_neq(map, MAP_FAILED);
		if (strstr(name, "region"))
			shared.region = map;
		shared.map[shared.count] = map;
		shared.bytes[shared.count++] = (size_t)bytes;
	}
	cr_assert(shared.region && shared.count == 2, "%d: a region and a ring", shared.count);
}

static void shared_drop(void)
{
	while (shared.count--)
		munmap(shared.map[shared.count], shared.bytes[shared.count]);
	shared = (struct shared){0};
}

/* The child ends the call that both are in, while the parent stands still. */
static void fork_at_step(void)
{
	static unsigned char before[SHARED_MAX][1 << 16];
	int status = -1;

	step_closed = shared.region->state == WEIR_REGION_CLOSED;
	for (int i = 0; i < shared.count; i++)
		memcpy(before[i], shared.map[i], shared.bytes[i]);
	step_child = fork();
	if (step_child == 0)
		return;
	cr_assert_eq(waitpid(step_child, &status, 0), step_child);
	cr_assert_eq(status, 0, "the child ended with %#x", (unsigned)status);
	for (int i = 0; i < shared.count; i++)
		cr_assert(!memcmp(before[i], shared.map[i], shared.bytes[i]),
			  "the child wrote into its parent's %s",
			  shared.map[i] == (const void *)shared.region ? "region" : "ring");
}

static void stepped_open(void)
{
	stepped = setup_open((struct weir_options){0});
	weir_emit_at(stepped.w, stepped.series, 1, 1);
	shared_find();
	for (int i = 0; i < shared.count; i++)
		cr_assert_leq(shared.bytes[i], 1u << 16);
}

static void stepped_close(void)
{
	setup_close(&stepped);
	shared_drop();
}

static void call_refused(void)
{
	weir_emit(stepped.w, 0, 1);
}

static void call_emit(void)
{
	weir_emit_at(stepped.w, stepped.series, 1, 1);
}

static void call_close(void)
{
	weir_close(stepped.w, 0);
}

static bool forked_at(void (*call)(void), uint32_t at)
{
	const bool struck = steps_run(call, at, fork_at_step);

	if (struck && step_child == 0)
		_exit(0);
	return struck;
}

/* What the parent looked at before the fork (a generation, a handle that is open) holds no more in
 * the child, which writes all the same: into what is its own. */
Test(fork, a_child_that_ends_its_parents_call_changes_no_byte_that_the_parent_shares, .timeout = 60)
{
	static void (*const calls[])(void) = {call_refused, call_emit};
	uint32_t at;

	if (!steps_possible())
		cr_skip_test("there are no single steps here");
	stepped_open();
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		for (at = 0; forked_at(calls[i], at); at++)
			;
		cr_assert_gt(at, 20, "only %u steps", (unsigned)at);
	}
	stepped_close();
	step_closed = false;
	for (at = 0; !step_closed; at++) {
		stepped_open();
		cr_assert(forked_at(call_close, at));
		shared_drop();
		unlink(stepped.path);
		*strrchr(stepped.path, '/') = '\0';
		rmdir(stepped.path);
	}
	cr_assert_gt(at, 20, "only %u steps", (unsigned)at);
}
