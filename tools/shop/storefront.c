/*
 * storefront: plays a plan with several processes and adds up what they did.
 */
#include "storefront.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "options.h"
#include "weir/order.h"

#define LOOK_MS 50
#define SHOW_EVERY 10   /* looks between two lines of progress */
#define GRACE_LOOKS 300 /* looks between the request to stop and SIGKILL */
#define PROCESSES_MAX 1024

struct storefront {
	const struct plan *plan;
	const struct worker_options *options;
	struct worker_shared *shared;
	size_t shared_bytes;
	pid_t pids[PROCESSES_MAX]; /* 0: gone */
	uint32_t living, broken;   /* broken: ended without a ledger */
	uint64_t started_ns;
	double expected;
	bool shows; /* progress on stderr */
};

/* What the handlers reach: a handler has no argument of its own. */
static struct lockstep *stopping;

static void on_signal(int signal)
{
	(void)signal;
	lockstep_stop(stopping);
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static double seconds_since(uint64_t started_ns)
{
	return (double)(monotonic_ns() - started_ns) / 1e9;
}

static void catch_signals(struct lockstep *lockstep)
{
	stopping = lockstep;
	struct sigaction action = {.sa_handler = on_signal};
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static int start_process(struct storefront *storefront, uint32_t index)
{
	pid_t parent = getpid();
	fflush(NULL);
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		/* Handlers and the word they set are the parent's: Ctrl-C reaches all of us. */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(TOOL_IO);
		int code = worker_run(storefront->plan, storefront->options, index,
				      storefront->shared);
		fflush(NULL);
		_exit(code);
	}
	storefront->pids[index] = pid;
	storefront->living++;
	return 0;
}

static void collect(struct storefront *storefront)
{
	for (uint32_t i = 0; i < storefront->options->processes; i++) {
		int status;
		if (storefront->pids[i] == 0 ||
		    waitpid(storefront->pids[i], &status, WNOHANG) != storefront->pids[i])
			continue;
		storefront->pids[i] = 0;
		storefront->living--;
		if (storefront->shared->reports[i].closed)
			continue;
		storefront->broken++;
		if (WIFSIGNALED(status))
			fprintf(stderr, "weir-shop: process %u was killed by signal %d\n", i,
				WTERMSIG(status));
		lockstep_stop(&storefront->shared->lockstep);
	}
}

static void show(const struct storefront *storefront)
{
	uint64_t events = 0;
	char clock[32];
	struct tm utc;
	/* For show only: no order. */
	time_t second =
		(time_t)(weir_load_relaxed_64(&storefront->shared->reports[0].sim_ms) / 1000);
	for (uint32_t i = 0; i < storefront->options->processes; i++)
		events += weir_load_relaxed_64(&storefront->shared->reports[i].events);
	strftime(clock, sizeof(clock), "%a %Y-%m-%d %H:%M", gmtime_r(&second, &utc));
	fprintf(stderr, "\r%s  %.2f M events  %.2f M/s", clock, (double)events / 1e6,
		(double)events / 1e6 / seconds_since(storefront->started_ns));
	if (isfinite(storefront->expected))
		fprintf(stderr, "  %3.0f %%",
			fmin(100.0, 100.0 * (double)events / storefront->expected));
	fputs("  ", stderr);
}

static void watch(struct storefront *storefront)
{
	uint32_t grace = 0;
	for (uint32_t look = 1; storefront->living > 0; look++) {
		poll(NULL, 0, LOOK_MS);
		collect(storefront);
		if (storefront->shows && look % SHOW_EVERY == 0)
			show(storefront);
		if (!lockstep_stopped(&storefront->shared->lockstep) || ++grace != GRACE_LOOKS)
			continue;
		for (uint32_t i = 0; i < storefront->options->processes; i++)
			if (storefront->pids[i] > 0)
				kill(storefront->pids[i], SIGKILL);
	}
	if (storefront->shows)
		fputc('\n', stderr);
}

static struct weir_ledger add_up(const struct storefront *storefront)
{
	struct weir_ledger sum = {0};
	for (uint32_t i = 0; i < storefront->options->processes; i++) {
		const struct weir_ledger *one = &storefront->shared->reports[i].ledger;
		sum.attempted += one->attempted;
		sum.published += one->published;
		sum.dropped += one->dropped;
		sum.persisted += one->persisted;
		sum.rejected += one->rejected;
		sum.lost += one->lost;
	}
	return sum;
}

/* When the incident began, by the wall clock; 0: it did not. */
static uint64_t onset_unix_ms(const struct storefront *storefront)
{
	const struct plan *plan = storefront->plan;
	uint64_t live_unix_ms = storefront->shared->reports[0].live_unix_ms;
	double lead_ms = (double)(plan->incident.onset_ms - plan->live_ms);
	if (live_unix_ms == 0 || !plan->options.incident)
		return 0;
	if (storefront->options->speed > 0.0)
		live_unix_ms += (uint64_t)(lead_ms / storefront->options->speed);
	return live_unix_ms;
}

static void print_json(const struct storefront *storefront, const struct weir_ledger *sum,
		       bool stopped)
{
	putchar('{');
	plan_print(storefront->plan, stdout);
	uint64_t onset = onset_unix_ms(storefront);
	printf(",\"onset_unix_ms\":");
	printf(onset ? "%llu" : "null", (unsigned long long)onset);
	printf(",\"processes\":%u,\"threads\":%u,\"events_attempted\":%llu,"
	       "\"events_published\":%llu,\"events_dropped\":%llu,\"events_persisted\":%llu,"
	       "\"events_rejected\":%llu,\"events_lost\":%llu,\"seconds\":%.3f,\"stopped\":%s}\n",
	       storefront->options->processes, storefront->options->threads,
	       (unsigned long long)sum->attempted, (unsigned long long)sum->published,
	       (unsigned long long)sum->dropped, (unsigned long long)sum->persisted,
	       (unsigned long long)sum->rejected, (unsigned long long)sum->lost,
	       seconds_since(storefront->started_ns), stopped ? "true" : "false");
}

static void print_people(const struct storefront *storefront, const struct weir_ledger *sum)
{
	const struct plan *plan = storefront->plan;
	printf("%llu events attempted, %llu published, %llu dropped, in %.1f s\n",
	       (unsigned long long)sum->attempted, (unsigned long long)sum->published,
	       (unsigned long long)sum->dropped, seconds_since(storefront->started_ns));
	if (!plan->options.incident) {
		puts("no incident was planted");
		return;
	}
	const struct incident *incident = &plan->incident;
	const struct market_dimension *dimension = &market_dimensions[incident->dimension];
	char clock[32];
	struct tm utc;
	time_t second = (time_t)(incident->onset_ms / 1000);
	strftime(clock, sizeof(clock), "%Y-%m-%d %H:%M:%S", gmtime_r(&second, &utc));
	printf("planted: %s, %s %+.0f %% in %s=%s from %s UTC\n", incident->kind,
	       market_event_name(incident->event), 100.0 * incident->size, dimension->name,
	       dimension->values[incident->value].name, clock);
}

/* What went wrong in a process, once. An exit code. */
static int tell(const struct storefront *storefront, const struct weir_ledger *sum)
{
	for (uint32_t i = 0; i < storefront->options->processes; i++) {
		const struct worker_report *report = &storefront->shared->reports[i];
		if (report->status == 0)
			continue;
		fprintf(stderr, "weir-shop: %s\n", report->why);
		return TOOL_IO;
	}
	if (storefront->broken) {
		fprintf(stderr, "weir-shop: %u of %u processes ended without a ledger\n",
			storefront->broken, storefront->options->processes);
		return TOOL_NO;
	}
	/* With clock `event` a drop is a refused attempt: the event was offered again. */
	uint64_t missing = sum->rejected + sum->lost;
	if (storefront->plan->options.wall)
		missing += sum->dropped;
	return missing ? TOOL_NO : TOOL_OK;
}

int storefront_run(const struct plan *plan, const struct worker_options *options, bool json)
{
	struct storefront storefront = {
		.plan = plan,
		.options = options,
		.shared_bytes = sizeof(struct worker_shared) +
				options->processes * sizeof(struct worker_report),
		.started_ns = monotonic_ns(),
		.expected = plan_expected(plan),
		.shows = !json && isatty(STDERR_FILENO),
	};
	storefront.shared = mmap(NULL, storefront.shared_bytes, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (storefront.shared == MAP_FAILED || options->processes > PROCESSES_MAX) {
		fprintf(stderr, "weir-shop: no memory for %u processes\n", options->processes);
		return TOOL_IO;
	}
	lockstep_init(&storefront.shared->lockstep, options->processes * options->threads);
	catch_signals(&storefront.shared->lockstep);
	int ret = 0;
	for (uint32_t i = 0; i < options->processes && ret == 0; i++)
		ret = start_process(&storefront, i);
	if (ret < 0) {
		fprintf(stderr, "weir-shop: cannot fork: %s\n", strerror(-ret));
		lockstep_stop(&storefront.shared->lockstep);
	}
	watch(&storefront);

	struct weir_ledger sum = add_up(&storefront);
	bool stopped = lockstep_stopped(&storefront.shared->lockstep);
	int code = tell(&storefront, &sum);
	if (json)
		print_json(&storefront, &sum, stopped);
	else
		print_people(&storefront, &sum);
	munmap(storefront.shared, storefront.shared_bytes);
	return ret < 0 ? TOOL_IO : code;
}
