/*
 * app: an application that does what it is told, for tests of whole paths.
 *
 *   app NAME RING_EVENTS FULL_WAIT_US COMMAND...
 *
 *   emit N          N events; the value of an event is its number in this process
 *   threads T N     T threads at once, N > 0 events each, in numbers of their own
 *   fork K N        K children at once: each emits N events, waits until they are kept, says its
 *                   ledger as NAME.0 ..., closes
 *   wait MS         until everything is kept; ends with 1 if that does not happen in time
 *   durable MS      until everything is on stable storage
 *   many N          one event for each of N series: `page_view` by number
 *   ledger          says it, as one line of JSON
 *   exit            without a word to the library, like an application that crashes
 *   -               go on with commands from standard input, one a line, each answered with a line,
 *                   until one is `end`
 *
 * It finds the engine at $WEIR_SOCKET. Its series is `purchase` with the one dimension `process`.
 * `sum` in the ledger is that of the values whose emit returned 0: what the log must add up to.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "weir/weir.h"

#define WORKERS_MAX 64
#define MANY_MAX 60000

struct app {
	weir *w;
	char name[64];
	int series;
	uint64_t number; /* of the next event */
	double sum;
	int many[MANY_MAX]; /* series, 0: not defined yet */
};

struct worker {
	pthread_t thread;
	pthread_barrier_t *all; /* each has a ring of its own */
	struct app *app;
	uint64_t first, count;
	double sum;
};

static void fail(const struct app *app, const char *what)
{
	fprintf(stderr, "app %s: %s\n", app->name, what);
	exit(1);
}

static void define(struct app *app, const char *name)
{
	struct weir_dimension process = {"process", name};

	snprintf(app->name, sizeof(app->name), "%s", name);
	app->series = weir_series(app->w, WEIR_PURCHASE, WEIR_VALUE, WEIR_KIND_NUMBER, &process, 1);
	if (app->series < 0)
		fail(app, "no series");
}

static double emit(const struct app *app, uint64_t first, uint64_t count)
{
	double sum = 0;

	for (uint64_t i = first; i < first + count; i++)
		if (weir_emit(app->w, app->series, (double)i) == 0)
			sum += (double)i;
	return sum;
}

static void say_ledger(const struct app *app)
{
	struct weir_ledger l;

	weir_ledger(app->w, &l);
	printf("{\"process\":\"%s\",\"attempted\":%" PRIu64 ",\"published\":%" PRIu64
	       ",\"dropped\":%" PRIu64 ",\"dropped_full\":%" PRIu64 ",\"persisted\":%" PRIu64
	       ",\"durable\":%" PRIu64 ",\"rejected\":%" PRIu64 ",\"lost\":%" PRIu64
	       ",\"attached\":%d,\"sum\":%.0f}\n",
	       app->name, l.attempted, l.published, l.dropped, l.dropped_full, l.persisted,
	       l.durable, l.rejected, l.lost, l.attached, app->sum);
	fflush(stdout);
}

static void *work(void *self)
{
	struct worker *worker = self;

	/* A thread that ends early would leave its ring to one that begins late. */
	worker->sum = emit(worker->app, worker->first, 1);
	pthread_barrier_wait(worker->all);
	worker->sum += emit(worker->app, worker->first + 1, worker->count - 1);
	return NULL;
}

static void emit_threads(struct app *app, uint64_t threads, uint64_t count)
{
	struct worker workers[WORKERS_MAX];
	pthread_barrier_t all;

	if (pthread_barrier_init(&all, NULL, (unsigned)threads))
		fail(app, "no barrier");
	for (uint64_t i = 0; i < threads; i++) {
		workers[i] = (struct worker){.app = app,
					     .all = &all,
					     .first = app->number + i * count,
					     .count = count};
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			fail(app, "no thread");
	}
	for (uint64_t i = 0; i < threads; i++) {
		pthread_join(workers[i].thread, NULL);
		app->sum += workers[i].sum;
	}
	pthread_barrier_destroy(&all);
	app->number += threads * count;
}

static void emit_many_series(struct app *app, uint64_t count)
{
	char text[24];
	struct weir_dimension number = {"number", text};

	for (uint64_t i = 0; i < count && i < MANY_MAX; i++) {
		snprintf(text, sizeof(text), "%" PRIu64, i);
		if (!app->many[i])
			app->many[i] = weir_series(app->w, WEIR_PAGE_VIEW, WEIR_VALUE,
						   WEIR_KIND_NUMBER, &number, 1);
		if (app->many[i] < 0)
			fail(app, "no series");
		weir_emit(app->w, app->many[i], 1);
	}
}

static void be_child(const struct app *parent, uint64_t number, uint64_t count)
{
	static struct app app;
	char name[96];

	app.w = parent->w;
	snprintf(name, sizeof(name), "%s.%" PRIu64, parent->name, number);
	define(&app, name);
	app.sum = emit(&app, 0, count);
	if (weir_wait(app.w, WEIR_PERSISTED, 30000) < 0)
		fail(&app, "not kept");
	say_ledger(&app);
	_exit(weir_close(app.w, 10000) < 0);
}

static void fork_children(struct app *app, uint64_t children, uint64_t count)
{
	pid_t pids[WORKERS_MAX];

	for (uint64_t i = 0; i < children; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			be_child(app, i, count);
		if (pids[i] < 0)
			fail(app, "no child");
	}
	for (uint64_t i = 0; i < children; i++) {
		int status;
		if (waitpid(pids[i], &status, 0) < 0 || status != 0)
			fail(app, "a child did not end well");
	}
}

/* A command at words[0]: how many words it took. */
static int run(struct app *app, char **words, int count)
{
	const char *command = words[0];
	uint64_t a = count > 1 ? strtoull(words[1], NULL, 10) : 0;
	uint64_t b = count > 2 ? strtoull(words[2], NULL, 10) : 0;

	if (strcmp(command, "ledger") == 0) {
		say_ledger(app);
		return 1;
	}
	if (strcmp(command, "exit") == 0)
		_exit(0);
	if (strcmp(command, "emit") == 0) {
		app->sum += emit(app, app->number, a);
		app->number += a;
		return 2;
	}
	if (strcmp(command, "many") == 0) {
		emit_many_series(app, a);
		return 2;
	}
	if (strcmp(command, "wait") == 0 || strcmp(command, "durable") == 0) {
		enum weir_level level = *command == 'w' ? WEIR_PERSISTED : WEIR_DURABLE;
		if (weir_wait(app->w, level, (uint32_t)a) < 0)
			fail(app, "waited in vain");
		return 2;
	}
	if (a > WORKERS_MAX)
		fail(app, "too many");
	if (strcmp(command, "threads") == 0)
		emit_threads(app, a, b);
	else if (strcmp(command, "fork") == 0)
		fork_children(app, a, b);
	else
		fail(app, command);
	return 3;
}

static void obey(struct app *app)
{
	char line[128];

	while (fgets(line, sizeof(line), stdin)) {
		char *words[3], *rest = line;
		int count = 0;
		while (count < 3 && (words[count] = strtok_r(rest, " \n", &rest)))
			count++;
		if (count == 0)
			continue;
		if (strcmp(words[0], "end") == 0)
			return;
		run(app, words, count);
		if (strcmp(words[0], "ledger") != 0)
			puts("done");
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	static struct app app;

	if (argc < 4)
		return 2;
	struct weir_options options = {
		.size = sizeof(options),
		.ring_events = (uint32_t)strtoul(argv[2], NULL, 10),
		.full_wait_us = (uint32_t)strtoul(argv[3], NULL, 10),
	};
	if (weir_open(&options, &app.w) < 0)
		fail(&app, "does not open");
	define(&app, argv[1]);
	for (int i = 4; i < argc;) {
		if (strcmp(argv[i], "-") == 0) {
			obey(&app);
			i++;
		} else {
			i += run(&app, argv + i, argc - i);
		}
	}
	return weir_close(app.w, 10000) < 0;
}
