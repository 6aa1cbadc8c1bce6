/*
 * client: what an application may do to itself with the library inside, many times.
 *
 *   client COUNT WEIRD [NAME]
 *
 *   thread-exits   COUNT threads that emit and end: rings are used again, nothing grows
 *   forks          COUNT / 4 of: fork, vfork, a raw clone, a fork in a thread, two forks
 *   process-ends   5 for each 100 of COUNT, applications that emit where they end: in handlers of
 *                  exit, behind weir_close, in destructors of program and threads, before an exec
 *   signal-emits   100 x COUNT emits, into which a timer's handler emits too
 *   signal-emits-at-steps  a handler emits before each instruction of an emit, and of many other
 *                  calls, once and for each 4000 of COUNT
 *   time-spaces    children whose boot and monotonic clocks are years away from the engine's
 *   engine-cycles  COUNT / 100 engines, stopped or killed in turn, under one application
 *
 * Each event's value is a number that no other event has: in the log each is there exactly once,
 * and as many as the ledgers and the answers of emit say.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "steps.h"
#include "support/proof.h"
#include "support/random.h"
#include "weir/order.h"
#include "weir/region.h"
#include "weir/weir.h"

#define EVENTS_OF_THREAD 4u
#define EVENTS_OF_CHILD 3u
#define THREADS_AT_ONCE 8u
#define PATIENCE_MS ((unsigned)HOST_PATIENCE_S * 1000u)

static weir *app;
static int app_series;
/* The next number of an event; shared with children. */
static uint64_t *numbers;

static void app_open(const struct host *host)
{
	struct weir_options options = {.size = sizeof(options),
				       .socket_path = host->socket,
				       .program = "client",
				       .ring_events = 4096,
				       .full_wait_us = 60000000};

	if (weir_open(&options, &app) < 0)
		exit(1);
	app_series = weir_series(app, "numbered", WEIR_VALUE, WEIR_KIND_NUMBER, NULL, 0);
}

/* Any thread, process or handler. 0, or what emit said; a number that was not taken is none. */
static int emit_one(void)
{
	/* Relaxed: a number of its own, no order. */
	return weir_emit(app, app_series, (double)__atomic_fetch_add(numbers, 1, __ATOMIC_RELAXED));
}

static void emit_some(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (emit_one() != 0)
			_exit(3);
}

/* In a child: emit, see it kept, end. */
static void be_child(void)
{
	emit_some(EVENTS_OF_CHILD);
	_exit(weir_wait(app, WEIR_PERSISTED, PATIENCE_MS) == 0 ? 0 : 4);
}

static void expect_kept(struct host *host, const char *what)
{
	struct weir_ledger ledger;
	int error = weir_wait(app, WEIR_PERSISTED, PATIENCE_MS);

	weir_ledger(app, &ledger);
	host_expect(host, error == 0 && ledger.attempted == ledger.published + ledger.dropped &&
				  ledger.persisted == ledger.published && !ledger.rejected &&
				  !ledger.lost,
		    "%s: %llu attempted, %llu published, %llu dropped, %llu persisted: %s", what,
		    (unsigned long long)ledger.attempted, (unsigned long long)ledger.published,
		    (unsigned long long)ledger.dropped, (unsigned long long)ledger.persisted,
		    strerror(-error));
}

/* Threads. */

static void *be_thread(void *self)
{
	(void)self;
	emit_some(EVENTS_OF_THREAD);
	return NULL;
}

static void run_threads(uint64_t count)
{
	for (uint64_t i = 0; i < count; i += THREADS_AT_ONCE) {
		pthread_t threads[THREADS_AT_ONCE];
		for (unsigned t = 0; t < THREADS_AT_ONCE; t++)
			if (pthread_create(&threads[t], NULL, be_thread, NULL))
				exit(1);
		for (unsigned t = 0; t < THREADS_AT_ONCE; t++)
			pthread_join(threads[t], NULL);
	}
}

static uint64_t exit_threads(struct host *host, uint64_t count)
{
	run_threads(count / 10 + THREADS_AT_ONCE);
	uint64_t rings = host_number(host, "\"intake\"", "rings");
	unsigned descriptors = descriptors_of(getpid());
	uint64_t kib = memory_kib_of(getpid());
	run_threads(count);
	unsigned descriptors_now = descriptors_of(getpid());
	uint64_t kib_now = memory_kib_of(getpid());
	host_expect(host, descriptors_now <= descriptors + THREADS_AT_ONCE,
		    "threads leave descriptors: %u, then %u", descriptors, descriptors_now);
	/* A ring is 64 KiB and a page; so many may be at once.
	 * (A sanitizer keeps what was freed.) */
	host_expect(host, host_sanitized() || kib_now <= kib + 1024 + 68 * THREADS_AT_ONCE,
		    "threads leave memory: %llu KiB, then %llu", (unsigned long long)kib,
		    (unsigned long long)kib_now);
	host_expect(host, host_number(host, "\"intake\"", "rings") <= rings + THREADS_AT_ONCE,
		    "threads leave rings");
	expect_kept(host, "after threads");
	return count + count / 10;
}

/* Ends of processes, in each of which somebody still emits. */

static bool emits_last;

static void emit_late(void)
{
	emit_some(1);
	if (weir_wait(app, WEIR_PERSISTED, PATIENCE_MS) != 0)
		_exit(4);
}

static __attribute__((destructor)) void emit_last(void)
{
	if (emits_last)
		emit_late();
}

static void emit_refused(void)
{
	/* Were it taken, the log would hold what is no number. */
	if (weir_emit(app, app_series, -1) == 0)
		_exit(5);
	if (weir_close(app, 0) == 0)
		_exit(6);
}

static void emit_of_thread(void *self)
{
	(void)self;
	emit_some(1);
}

static void end_with_handler(void)
{
	atexit(emit_late);
	exit(0);
}

static void end_closed(void)
{
	atexit(emit_refused);
	if (weir_close(app, PATIENCE_MS) != 0)
		_exit(4);
	exit(0);
}

static void end_with_destructor(void)
{
	emits_last = true;
	exit(0);
}

static void *use_key(void *key)
{
	if (pthread_setspecific(*(pthread_key_t *)key, key) != 0)
		_exit(7);
	emit_some(1);
	return NULL;
}

/* Its destructor comes behind that of the library, which has given the ring back. */
static void end_thread_late(void)
{
	pthread_t thread;
	pthread_key_t key;

	if (pthread_key_create(&key, emit_of_thread) ||
	    pthread_create(&thread, NULL, use_key, &key))
		_exit(7);
	pthread_join(thread, NULL);
	if (weir_wait(app, WEIR_PERSISTED, PATIENCE_MS) != 0)
		_exit(4);
	exit(0);
}

static void end_in_exec(void)
{
	emit_late(); /* it is known to the engine by now */
	emit_some(1);
	execl("/bin/true", "true", (char *)NULL);
	_exit(8);
}

static uint64_t end_processes(struct host *host, uint64_t count)
{
	static const struct {
		void (*end)(void);
		const char *name;
	} ends[] = {{end_with_handler, "a handler of exit"},
		    {end_closed, "a handler behind weir_close"},
		    {end_with_destructor, "a destructor"},
		    {end_thread_late, "a thread's destructor"},
		    {end_in_exec, "an exec"}};
	const unsigned kinds = sizeof(ends) / sizeof(ends[0]);

	for (uint64_t i = 0; i < count * kinds; i++) {
		pid_t pid = process_fork();
		if (pid == 0) {
			emit_some(1);
			ends[i % kinds].end();
		}
		int code = host_wait(pid);
		host_expect(host, code == 0, "who emits in %s ends with %d", ends[i % kinds].name,
			    code);
	}
	return count * kinds;
}

/* Forks. */

static void expect_child(struct host *host, pid_t pid, const char *kind)
{
	int code = pid > 0 ? host_wait(pid) : 1;

	host_expect(host, code == 0, "a child of %s ended with %d", kind, code);
}

static void fork_plain(struct host *host)
{
	pid_t pid = fork();

	if (pid == 0)
		be_child();
	expect_child(host, pid, "fork");
}

/* It shares our memory: its emit is ours. */
static __attribute__((noinline)) void fork_shared(struct host *host)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(emit_one() == 0 ? 0 : 3);
	expect_child(host, pid, "vfork");
}

static void fork_raw(struct host *host)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		be_child();
	expect_child(host, pid, "clone");
}

static void *fork_there(void *self)
{
	emit_some(1);
	fork_plain(self);
	emit_some(1);
	return NULL;
}

static void fork_in_thread(struct host *host)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fork_there, host))
		exit(1);
	pthread_join(thread, NULL);
}

static void fork_twice(struct host *host)
{
	pid_t pid = fork();

	if (pid == 0) {
		emit_some(1);
		pid_t again = fork();
		if (again == 0)
			be_child();
		int code = host_wait(again);
		if (code != 0)
			_exit(code);
		be_child();
	}
	expect_child(host, pid, "two forks");
}

static uint64_t fork_all(struct host *host, uint64_t count)
{
	static void (*const kinds[])(struct host *) = {fork_plain, fork_shared, fork_raw,
						       fork_in_thread, fork_twice};
	const unsigned all = sizeof(kinds) / sizeof(kinds[0]);

	for (uint64_t i = 0; i < count / all; i++)
		for (unsigned k = 0; k < all; k++) {
			emit_some(1);
			kinds[k](host);
			emit_some(1);
		}
	expect_kept(host, "after forks");
	return count / all * all;
}

/* Signals. */

static struct {
	uint64_t taken, inside, full; /* by what emit said to the handler */
} handled;

static void emit_in_handler(int number)
{
	(void)number;
	int said = emit_one();

	handled.taken += said == 0;
	handled.inside += said == -EDEADLK;
	handled.full += said != 0 && said != -EDEADLK;
}

/* Of emits among which handlers emitted: the ledger has each, by what emit said. */
static void expect_answers(struct host *host, const struct weir_ledger *before, uint64_t taken,
			   uint64_t refused)
{
	const uint64_t in_handler = handled.taken + handled.inside + handled.full;
	struct weir_ledger after;

	weir_ledger(app, &after);
	printf("%llu emits in the handler, %llu of them inside an emit\n",
	       (unsigned long long)in_handler, (unsigned long long)handled.inside);
	host_expect(host,
		    after.published - before->published == taken + handled.taken &&
			    after.attempted - before->attempted == taken + refused + in_handler &&
			    after.dropped_reentrant - before->dropped_reentrant == handled.inside &&
			    after.dropped - before->dropped ==
				    refused + handled.inside + handled.full,
		    "the ledger is not what emit said");
}

static uint64_t emit_under_signals(struct host *host, uint64_t count)
{
	struct sigaction action = {.sa_handler = emit_in_handler, .sa_flags = SA_RESTART}, was;
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	struct itimerspec often = {.it_interval = {.tv_nsec = 100000},
				   .it_value = {.tv_nsec = 100000}};
	struct itimerspec never = {0};
	struct weir_ledger before;
	uint64_t taken = 0;
	timer_t timer;

	weir_ledger(app, &before);
	memset(&handled, 0, sizeof(handled));
	sigaction(SIGUSR1, &action, &was);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
		exit(1);
	timer_settime(timer, 0, &often, NULL);
	for (uint64_t i = 0; i < count; i++)
		taken += emit_one() == 0;
	timer_settime(timer, 0, &never, NULL);
	timer_delete(timer);
	sigaction(SIGUSR1, &was, NULL);
	expect_kept(host, "after signals");
	/* A short run may be over before the first one. */
	host_expect(host, handled.taken + handled.inside + handled.full > 0 || count < 100000,
		    "the timer never struck");
	expect_answers(host, &before, taken, count - taken);
	return count;
}

/* Signals before a given instruction. */

#define SAMPLES 6u
/* Each of so many instructions of a call is struck, then fewer and fewer, by chance. */
#define EACH_STEP 300u

static struct {
	uint64_t taken, refused; /* by what emit said to who was struck */
} struck;

static void note_said(uint64_t taken, uint64_t of)
{
	struck.taken += taken;
	struck.refused += of - taken;
}

static void call_emit(void)
{
	note_said(emit_one() == 0, 1);
}

static void call_emit_at(void)
{
	const double number = (double)__atomic_fetch_add(numbers, 1, __ATOMIC_RELAXED);

	note_said(weir_emit_at(app, app_series, number, 1) == 0, 1);
}

static void call_emit_many(void)
{
	const uint64_t first = __atomic_fetch_add(numbers, SAMPLES, __ATOMIC_RELAXED);
	struct weir_sample samples[SAMPLES];

	for (unsigned i = 0; i < SAMPLES; i++)
		samples[i] = (struct weir_sample){.value = (double)(first + i),
						  .series = app_series};
	note_said(weir_emit_many(app, samples, SAMPLES), SAMPLES);
}

static void call_others(void)
{
	struct weir_ledger ledger;

	weir_series(app, "numbered", WEIR_VALUE, WEIR_KIND_NUMBER, NULL, 0);
	weir_poll(app);
	weir_ledger(app, &ledger);
	weir_wait(app, WEIR_PERSISTED, 0);
}

static void strike(void)
{
	emit_in_handler(0);
}

struct steps {
	void (*call)(void);
	uint32_t at;
	bool reached;
};

static void *be_struck(void *self)
{
	struct steps *steps = self;

	steps->reached = steps_run(steps->call, steps->at, strike);
	return NULL;
}

/* Until the call is over before it strikes. `anew`: in a thread of its own each time, whose first
 * call it is. Strikes. */
static uint64_t strike_each(void (*call)(void), bool anew)
{
	struct steps steps = {.call = call};
	pthread_t thread;
	uint64_t made = 0;

	for (;;) {
		if (!anew)
			be_struck(&steps);
		else if (pthread_create(&thread, NULL, be_struck, &steps) ||
			 pthread_join(thread, NULL))
			exit(1);
		if (!steps.reached)
			return made;
		made++;
		steps.at += 1;
		if (steps.at > EACH_STEP)
			steps.at += (uint32_t)random_below(steps.at / 8);
	}
}

static uint64_t emit_at_steps(struct host *host, uint64_t count)
{
	struct weir_ledger before;
	uint64_t made = 0;

	if (!steps_possible()) {
		printf("there are no single steps here\n");
		return 0;
	}
	weir_ledger(app, &before);
	memset(&handled, 0, sizeof(handled));
	for (uint64_t i = 0; i < count; i++) {
		made += strike_each(call_emit, false) + strike_each(call_emit_at, false);
		made += strike_each(call_emit_many, false) + strike_each(call_others, false);
		made += strike_each(call_emit, true);
	}
	expect_kept(host, "after steps");
	host_expect(host, handled.inside > 0 && handled.taken > 0, "no step was inside an emit");
	expect_answers(host, &before, struck.taken, struck.refused);
	return made;
}

/* Time. */

static bool enter_time_space(long long seconds)
{
	char text[96];

	if (unshare(0x80 /* CLONE_NEWTIME */) < 0)
		return false;
	int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	int bytes = snprintf(text, sizeof(text), "monotonic %lld 0\nboottime %lld 0\n", seconds,
			     seconds);
	bool ok = fd >= 0 && write(fd, text, (size_t)bytes) == bytes;
	if (fd >= 0)
		close(fd);
	return ok;
}

/* A process there, which opens its own, and one that forks with what it inherited. */
static void be_in_time_space(const struct host *host, long long seconds)
{
	if (!enter_time_space(seconds))
		_exit(77);
	pid_t pid = fork(); /* only children are inside */
	if (pid == 0) {
		be_child();
	}
	int code = host_wait(pid);
	pid = fork();
	if (pid == 0) {
		app_open(host);
		be_child();
	}
	int fresh = host_wait(pid);
	_exit(code ? code : fresh);
}

static uint64_t change_time(struct host *host, uint64_t count)
{
	static const long long offsets[] = {86400, 315360000, -1};
	uint64_t done = 0;

	for (uint64_t i = 0; i < count; i++) {
		pid_t pid = process_fork();
		if (pid == 0)
			be_in_time_space(host, offsets[i % 3]);
		int code = host_wait(pid);
		if (code == 77) {
			printf("skipped: no time namespace may be made here\n");
			break;
		}
		host_expect(host, code == 0, "with clocks %lld s away: ended with %d",
			    offsets[i % 3], code);
		done += 2;
	}
	expect_kept(host, "after time spaces");
	return done;
}

/* Engines that come and go. */

/* One engine in so many stays until the application has come back, which looks once a second: an
 * emit waits for room for a minute, and that is not for engines that nobody can reach. */
#define STAYS_ONE_IN 8u

static bool came_back(void)
{
	struct weir_ledger ledger = {0};

	for (unsigned ms = 0; ms < PATIENCE_MS && !ledger.attached; ms++) {
		pause_us(1000);
		weir_ledger(app, &ledger);
	}
	return ledger.attached;
}

static void *emit_on(void *self)
{
	uint32_t *stop = self;

	while (!weir_load_relaxed_32(stop)) { /* polled */
		emit_some(16);
		pause_us(500);
	}
	return NULL;
}

static uint64_t cycle_engines(struct host *host, uint64_t count)
{
	uint32_t stop = 0;
	pthread_t thread;

	unsigned descriptors = descriptors_of(getpid());
	pthread_create(&thread, NULL, emit_on, &stop);
	for (uint64_t i = 0; i < count; i++) {
		if (i % 2)
			host_kill(host);
		else
			host_stop(host);
		host_start(host);
		if (i % STAYS_ONE_IN == 0)
			host_expect(host, came_back(), "the application does not come back");
	}
	weir_store_relaxed_32(&stop, 1);
	pthread_join(thread, NULL);
	expect_kept(host, "after engines came and went");
	host_expect(host, descriptors_of(getpid()) <= descriptors + 4,
		    "engines leave descriptors in the application");
	return count;
}

/* The end. */

/* The kernel's, for libc, which sets it. */
#define RESTORER 0x04000000

/* How the application takes each signal, and which it holds back. */
struct dispositions {
	struct sigaction of[NSIG];
	sigset_t held;
};

static void dispositions_note(struct dispositions *ret_dispositions)
{
	memset(ret_dispositions, 0, sizeof(*ret_dispositions));
	for (int i = 1; i < NSIG; i++)
		sigaction(i, NULL, &ret_dispositions->of[i]); /* some are libc's own */
	pthread_sigmask(SIG_BLOCK, NULL, &ret_dispositions->held);
}

static void expect_dispositions(struct host *host, const struct dispositions *before)
{
	struct dispositions now;

	dispositions_note(&now);
	for (int i = 1; i < NSIG; i++)
		host_expect(host,
			    now.of[i].sa_handler == before->of[i].sa_handler &&
				    !((now.of[i].sa_flags ^ before->of[i].sa_flags) & ~RESTORER) &&
				    sigismember(&now.held, i) == sigismember(&before->held, i),
			    "signal %d is not taken as it was", i);
}

struct found {
	uint8_t *seen;
	uint64_t all, wrong, events;
	uint32_t id;
};

static int note_series(void *self, uint32_t id, enum weir_sketch sketch,
		       const struct weir_definition *definition)
{
	struct found *found = self;

	(void)sketch;
	if (definition->event_bytes == 8 && memcmp(definition->text, "numbered", 8) == 0)
		found->id = id;
	return 0;
}

static void note_event(void *self, const struct weir_event *event)
{
	struct found *found = self;
	double value = weir_bits_value(event->value);
	uint64_t n = (uint64_t)value;

	if (weir_event_series(event->word) != found->id)
		return;
	found->events++;
	if (!(value >= 0) || n >= found->all || (double)n != value || found->seen[n]++)
		found->wrong++;
}

/* Each number at most once, and as many as were not dropped. */
static void check_log(struct host *host, uint64_t dropped)
{
	struct found found = {.all = *numbers, .seen = calloc(*numbers + 1, 1)};

	host_read(host, note_series, note_event, &found);
	printf("%llu numbers, %llu dropped, %llu events in the log, %llu wrong\n",
	       (unsigned long long)found.all, (unsigned long long)dropped,
	       (unsigned long long)found.events, (unsigned long long)found.wrong);
	host_expect(host, found.wrong == 0, "an event is there twice, or was never emitted");
	host_expect(host, found.events + dropped == found.all, "events are missing");
	free(found.seen);
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 0) : 2000;
	static struct dispositions dispositions;
	struct weir_ledger ledger;
	struct host host;

	if (argc < 3)
		return 2;
	if (host_quick())
		count = (count + 1) / 2;
	numbers = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (numbers == MAP_FAILED)
		return 1;
	random_start(1);
	host_only(argv[3]);
	host_open(&host, argv[2], "");
	host_start(&host);
	/* The test's own side ignores it; who speaks to a dead engine might die of it. */
	signal(SIGPIPE, SIG_DFL);
	dispositions_note(&dispositions);
	app_open(&host);
	emit_some(1);
	host_prove(&host, "thread-exits", exit_threads, count);
	host_prove(&host, "forks", fork_all, count / 4);
	host_prove(&host, "process-ends", end_processes, 1 + count / 100);
	host_prove(&host, "signal-emits", emit_under_signals, count * 100);
	host_prove(&host, "signal-emits-at-steps", emit_at_steps, 1 + count / 4000);
	host_prove(&host, "time-spaces", change_time, 1 + count / 1000);
	host_prove(&host, "engine-cycles", cycle_engines, count / 100);
	uint64_t before = host.violations;
	weir_ledger(app, &ledger);
	host_expect(&host, weir_close(app, PATIENCE_MS) == 0, "it does not close");
	host_stop(&host);
	host_verify(&host);
	check_log(&host, ledger.dropped);
	expect_dispositions(&host, &dispositions);
	proof_say("clients-whole", 1, host.violations - before);
	host_close(&host);
	return host.violations ? 1 : 0;
}
