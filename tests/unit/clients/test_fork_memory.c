/* A fork while memory of the library's is being made, or the engine spoken to: by a signal handler,
 * behind any system call of it. One of the two processes goes on late, when the other is through.
 * And one by another thread, which no held signal keeps from it, while memory is let go. */
#include "setup.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { EVENTS = 20 };

/* Shared with the child. */
static struct {
	uint32_t through; /* who goes first is through */
} *shared;

static __thread int seams_left; /* the handler forks at the seam that finds 1 here */
static pid_t child;
static bool in_child, child_first;

static void wait_for_other(void)
{
	/* Acquire, for symmetry: partner in pass_on(). */
	for (int ms = 0; ms < 5000 && !__atomic_load_n(&shared->through, __ATOMIC_ACQUIRE); ms++)
		usleep(1000);
}

static void pass_on(void)
{
	__atomic_store_n(&shared->through, 1, __ATOMIC_RELEASE);
}

static void fork_in_handler(int number)
{
	(void)number;
	if (child >= 0)
		return;
	child = fork();
	in_child = child == 0;
	if (in_child != child_first)
		wait_for_other();
}

/* At a system call, where signals come in. */
static void seam(void)
{
	if (seams_left && --seams_left == 0)
		raise(SIGUSR1);
}

#define SEEN __attribute__((visibility("default")))

SEEN int memfd_create(const char *name, unsigned int flags)
{
	int fd = (int)syscall(SYS_memfd_create, name, flags);
	seam();
	return fd;
}

/* The other thread forks at the system call that makes memory, or at the one that lets it go, that
 * finds 1 here. */
static int makes_left, unmaps_left;
static void fork_elsewhere(void);

static void made(void)
{
	if (makes_left && --makes_left == 0)
		fork_elsewhere();
}

SEEN int fallocate(int fd, int mode, off_t offset, off_t bytes)
{
	int result = (int)syscall(SYS_fallocate, fd, mode, offset, bytes);
	seam();
	made();
	return result;
}

SEEN void *mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	void *map = (void *)syscall(SYS_mmap, address, bytes, protection, flags, fd, offset);
	seam();
	made();
	return map;
}

SEEN int munmap(void *address, size_t bytes)
{
	int result = (int)syscall(SYS_munmap, address, bytes);
	if (unmaps_left && --unmaps_left == 0)
		fork_elsewhere();
	return result;
}

SEEN int madvise(void *address, size_t bytes, int advice)
{
	int result = (int)syscall(SYS_madvise, address, bytes, advice);
	seam();
	made();
	return result;
}

SEEN int connect(int socket, const struct sockaddr *address, socklen_t bytes)
{
	int result = (int)syscall(SYS_connect, socket, address, bytes);
	seam();
	return result;
}

SEEN ssize_t sendmsg(int socket, const struct msghdr *message, int flags)
{
	ssize_t result = syscall(SYS_sendmsg, socket, message, flags);
	seam();
	return result;
}

SEEN ssize_t recvmsg(int socket, struct msghdr *message, int flags)
{
	ssize_t result = syscall(SYS_recvmsg, socket, message, flags);
	seam();
	return result;
}

/* Before the signals are held, and when they come. */
SEEN int pthread_sigmask(int how, const sigset_t *set, sigset_t *ret_before)
{
	seam();
	return syscall(SYS_rt_sigprocmask, how, set, ret_before, _NSIG / 8) ? errno : 0;
}

static void begin(void)
{
	struct sigaction action = {.sa_handler = fork_in_handler};

	seams_left = 0;
	child_first = false;
	child = -1;
	in_child = false;
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sigaction(SIGUSR1, &action, NULL);
}

static void join(void)
{
	int status;

	pass_on();
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status), "the child was killed by %d", WTERMSIG(status));
	cr_assert_eq(WEXITSTATUS(status), 0, "the child said %d", WEXITSTATUS(status));
}

/* What both processes must say of a handle that was forked within its `first`-th emit. */
static int child_verdict(struct setup *s)
{
	struct weir_ledger l;

	for (int i = 0; i < 3; i++)
		if (weir_emit(s->w, s->series, 1) != 0)
			return 1;
	weir_ledger(s->w, &l);
	/* The interrupted emit may count here too. */
	if (l.dropped || l.published < 3 || l.published > 4)
		return 2;
	return weir_series(s->w, "own", NULL, WEIR_KIND_NUMBER, NULL, 0) == s->series + 1 ? 0 : 3;
}

/* A thread's first emit makes its ring. */
static bool first_emit(int at)
{
	begin();
	struct setup s = setup_open((struct weir_options){.ring_events = 65536});

	seams_left = at;
	int result = weir_emit(s.w, s.series, 1);
	seams_left = 0;
	if (in_child)
		_exit(result != 0 ? 4 : child_verdict(&s));
	cr_assert_eq(result, 0);
	for (int i = 1; i < EVENTS; i++)
		cr_assert_eq(weir_emit(s.w, s.series, 1), 0);
	if (child > 0)
		join();
	cr_assert_eq(ledger_of(s.w).published, EVENTS, "the child wrote into the ring, seam %d",
		     at);
	cr_assert_eq(weir_series(s.w, "other", NULL, WEIR_KIND_NUMBER, NULL, 0), s.series + 1);
	setup_close(&s);
	munmap(shared, 4096);
	return child > 0;
}

Test(fork_memory, a_fork_while_a_ring_is_made_leaves_it_to_the_parent, .timeout = 30)
{
	int at = 1;

	while (first_emit(at))
		at++;
	cr_assert_gt(at, 7, "only %d seams", at);
}

/* Opening makes the region. */
static bool first_open(int at)
{
	struct setup s = {0};
	struct weir_options options = {
		.size = sizeof(options), .ring_events = 256, .socket_path = s.path};

	begin();
	fake_path(s.path, sizeof(s.path));
	seams_left = at;
	int result = weir_open(&options, &s.w);
	seams_left = 0;
	cr_assert(in_child || result == 0);
	if (in_child && result != 0)
		_exit(4);
	s.series = weir_series(s.w, WEIR_PURCHASE, NULL, WEIR_KIND_NUMBER, NULL, 0);
	if (in_child)
		_exit(child_verdict(&s));
	for (int i = 0; i < EVENTS; i++)
		cr_assert_eq(weir_emit(s.w, s.series, 1), 0);
	for (int i = 0; i < EVENTS; i++) /* refused, and counted in the region */
		cr_assert_lt(weir_emit(s.w, s.series + 9, 1), 0);
	for (char name[] = "a"; name[0] <= 'e'; name[0]++)
		cr_assert_gt(weir_series(s.w, name, NULL, WEIR_KIND_NUMBER, NULL, 0), 1);
	if (child > 0)
		join();
	struct weir_ledger l = ledger_of(s.w);
	cr_assert_eq(l.published, EVENTS);
	cr_assert_eq(l.dropped_invalid, EVENTS, "the child wrote into the region, seam %d", at);
	cr_assert_eq(weir_series(s.w, "f", NULL, WEIR_KIND_NUMBER, NULL, 0), 7);
	setup_close(&s);
	munmap(shared, 4096);
	return child > 0;
}

Test(fork_memory, a_fork_while_a_region_is_made_leaves_it_to_the_parent, .timeout = 30)
{
	int at = 1;

	while (first_open(at))
		at++;
	cr_assert_gt(at, 7, "only %d seams", at);
}

/* A forked child opens again, and is forked in there: neither writes to the other's. */
static bool child_open(int at)
{
	begin();
	struct setup s = setup_open((struct weir_options){0});
	int status;

	weir_emit(s.w, s.series, 1);
	pid_t middle = fork();
	if (middle == 0) {
		seams_left = at;
		int result = weir_emit(s.w, s.series, 1);
		seams_left = 0;
		if (in_child)
			_exit(result != 0 ? 4 : child_verdict(&s));
		for (int i = 1; i < EVENTS; i++)
			result |= weir_emit(s.w, s.series, 1);
		for (int i = 0; i < EVENTS; i++)
			result |= weir_emit(s.w, s.series + 9, 1) == 0;
		int ids = weir_series(s.w, "a", NULL, WEIR_KIND_NUMBER, NULL, 0) +
			  weir_series(s.w, "b", NULL, WEIR_KIND_NUMBER, NULL, 0);
		if (child > 0)
			join();
		struct weir_ledger l;
		weir_ledger(s.w, &l);
		if (result || ids != 5 || l.published != EVENTS || l.dropped_invalid != EVENTS)
			_exit(1);
		_exit(child > 0 ? 0 : 77);
	}
	cr_assert_eq(waitpid(middle, &status, 0), middle);
	cr_assert(WIFEXITED(status), "seam %d: killed by %d", at, WTERMSIG(status));
	cr_assert(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77, "seam %d: said %d", at,
		  WEXITSTATUS(status));
	cr_assert_eq(ledger_of(s.w).attempted, 1);
	setup_close(&s);
	munmap(shared, 4096);
	return WEXITSTATUS(status) == 0;
}

Test(fork_memory, a_fork_while_a_child_opens_again_leaves_each_its_own, .timeout = 30)
{
	int at = 1;

	while (child_open(at))
		at++;
	cr_assert_gt(at, 7, "only %d seams", at);
}

/* Rings that this process has mapped or holds a descriptor of: the more of the two. */
static int rings_had(void)
{
	char line[512];
	int maps = 0, held = 0;

	FILE *file = fopen("/proc/self/maps", "re");
	while (fgets(line, sizeof(line), file))
		maps += strstr(line, "/memfd:weir-ring") != NULL;
	fclose(file);
	for (int fd = 0; fd < 256; fd++) {
		char path[32];
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		ssize_t bytes = readlink(path, line, sizeof(line) - 1);
		line[bytes < 0 ? 0 : bytes] = '\0';
		held += strstr(line, "/memfd:weir-ring") != NULL;
	}
	return maps > held ? maps : held;
}

static struct setup *forked_in;
static int fork_status;

static int elsewhere_verdict(void)
{
	if (weir_emit(forked_in->w, forked_in->series, 1) != 0)
		return 4;
	if (rings_had() != 1)
		return 5;
	return child_verdict(forked_in);
}

/* The child has this thread only, and finds the handle as the other one left it. */
static void *fork_and_speak(void *unused)
{
	(void)unused;
	pid_t pid = fork();
	if (pid == 0)
		_exit(elsewhere_verdict());
	waitpid(pid, &fork_status, 0);
	return NULL;
}

static void fork_elsewhere(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fork_and_speak, NULL) == 0)
		pthread_join(thread, NULL);
}

/* A thread's first emit makes its ring, and another thread forks meanwhile. */
static bool ring_in_making(int at)
{
	struct setup s = setup_open((struct weir_options){.ring_events = 65536});

	forked_in = &s;
	fork_status = -1;
	makes_left = at;
	cr_assert_eq(weir_emit(s.w, s.series, 1), 0);
	const bool over = makes_left > 0;
	makes_left = 0;
	cr_assert(over || fork_status == 0, "making %d: said %d", at, WEXITSTATUS(fork_status));
	cr_assert_eq(rings_had(), 1);
	setup_close(&s);
	return !over;
}

Test(fork_memory, a_fork_by_another_thread_while_a_ring_is_made_takes_no_part_of_it_along,
     .timeout = 30)
{
	int at = 1;

	while (ring_in_making(at))
		at++;
	cr_assert_gt(at, 6, "only %d makings", at - 1);
}

/* A forked child opens again, and another of its threads forks while it lets its parent's go. */
static bool child_lets_go(int at)
{
	struct setup s = setup_open((struct weir_options){0});
	int status;

	weir_emit(s.w, s.series, 1);
	pid_t middle = fork();
	if (middle == 0) {
		forked_in = &s;
		fork_status = -1;
		unmaps_left = at;
		int result = weir_emit(s.w, s.series, 1);
		const bool over = unmaps_left > 0;
		unmaps_left = 0;
		if (over)
			_exit(77);
		_exit(result != 0 ? 1 : fork_status != 0 ? 2 : 0);
	}
	cr_assert_eq(waitpid(middle, &status, 0), middle);
	cr_assert(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77),
		  "unmapping %d: said %d", at, WEXITSTATUS(status));
	setup_close(&s);
	return WEXITSTATUS(status) == 0;
}

Test(fork_memory, a_fork_by_another_thread_while_a_child_opens_again_opens_too, .timeout = 30)
{
	int at = 1;

	while (child_lets_go(at))
		at++;
	cr_assert_gt(at, 2, "only %d unmappings", at - 1);
}

/* An engine that is turned by hand; a child must not touch its descriptors. */
static void turn(struct fake *fake)
{
	if (in_child)
		return;
	const int seams = seams_left;
	seams_left = 0;
	fake_step(fake);
	fake_drain(fake, UINT64_MAX);
	fake_sync(fake);
	seams_left = seams;
}

static bool attach(int at, bool child_goes_first)
{
	static struct fake_log log;
	static struct fake fake;
	struct setup s = {0};
	struct weir_options options = {
		.size = sizeof(options), .ring_events = 256, .socket_path = s.path};

	log = (struct fake_log){0};
	fake = (struct fake){0};
	begin();
	child_first = child_goes_first;
	fake_path(s.path, sizeof(s.path));
	fake_start(&fake, s.path, &log);
	seams_left = at;
	int result = weir_open(&options, &s.w); /* HELLO */
	turn(&fake);
	s.series = result ? 0 : weir_series(s.w, "a", NULL, WEIR_KIND_NUMBER, NULL, 0);
	for (int i = 0; i < EVENTS && !result; i++) {
		result = weir_emit(s.w, s.series, 1);
		if (i < 5) {
			weir_poll(s.w); /* WELCOME, RING, RING_OK */
			turn(&fake);
		}
	}
	seams_left = 0;
	if (in_child) {
		struct weir_ledger l;
		weir_ledger(s.w, &l);
		pass_on();
		_exit(result == 0 && l.published <= EVENTS && !l.dropped ? 0 : 1);
	}
	cr_assert_eq(result, 0);
	if (child > 0)
		join();
	weir_emit(s.w, s.series, 1);
	turn(&fake);
	weir_poll(s.w);
	struct weir_ledger l = ledger_of(s.w);
	cr_assert(l.attached, "seam %d: %s", at, weir_refusal(s.w));
	cr_assert_eq(l.durable, EVENTS + 1, "seam %d", at);
	const uint32_t mine = log.count > 1 && log.rings[0].events != EVENTS + 1;
	cr_assert_eq(log.rings[mine].events, EVENTS + 1, "seam %d", at);
	cr_assert_leq(fake.connections, child > 0 ? 2 : 1);
	cr_assert_null(fake.wrong, "%s", fake.wrong);
	setup_close(&s);
	fake_stop(&fake);
	munmap(shared, 4096);
	return child > 0;
}

Test(fork_memory, a_fork_while_the_engine_is_spoken_to_disturbs_no_word, .timeout = 50)
{
	for (int child_goes_first = 0; child_goes_first < 2; child_goes_first++) {
		int at = 1;
		while (attach(at, child_goes_first))
			at++;
		cr_assert_gt(at, 20, "only %d seams", at);
	}
}
