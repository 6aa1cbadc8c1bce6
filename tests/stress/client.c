/*
 * client: libweir under everything at once: threads that emit, threads that come and go, one that
 * defines, one that polls, waits and looks at the ledger, while engines attach, drain and die.
 *
 * Idea:  whatever happens in between, at the end every attempt is published or dropped, and what
 *        was published is in the log, each event once: the sums agree. Under ThreadSanitizer, also
 *        without a race. Time is skipped, so that nobody sits through the seconds between two
 *        attempts to attach.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/clients/fake.h"
#include "../unit/clients/skip.h"
#include "support/proof.h"
#include "weir/weir.h"

enum { EMITTERS = 3, LIVES = 3, SERIES = 200 };

struct stress {
	weir *w;
	uint32_t quit;
	uint64_t attempts, taken; /* of all threads, added when each ends */
};

static bool ended(struct stress *stress)
{
	/* Relaxed: it only ends loops; the joins behind it order the rest. */
	return weir_load_relaxed_32(&stress->quit);
}

static void *emit_run(void *argument)
{
	struct stress *stress = argument;
	struct weir_sample samples[40];
	uint64_t attempts = 0, taken = 0;

	for (int i = 0; i < 40; i++)
		samples[i] = (struct weir_sample){.value = 1, .series = 1, .time_ms = 1};
	while (!ended(stress)) {
		for (int i = 0; i < 50; i++)
			taken += weir_emit(stress->w, 1, 1) == 0;
		for (int i = 0; i < 50; i++)
			taken += weir_emit_at(stress->w, 1 + i % SERIES, 1, 1) == 0;
		taken += weir_emit_many(stress->w, samples, 40);
		attempts += 140;
		if (attempts % 1400 == 0)
			usleep(50);
	}
	weir_add_64(&stress->attempts, attempts);
	weir_add_64(&stress->taken, taken);
	return NULL;
}

static void *brief_run(void *argument)
{
	struct stress *stress = argument;
	uint64_t taken = 0;

	for (int i = 0; i < 20; i++)
		taken += weir_emit(stress->w, 1, 1) == 0;
	weir_add_64(&stress->attempts, 20);
	weir_add_64(&stress->taken, taken);
	return NULL;
}

static void *come_and_go_run(void *argument)
{
	struct stress *stress = argument;

	while (!ended(stress)) {
		pthread_t threads[3];
		for (int i = 0; i < 3; i++) {
			if (pthread_create(&threads[i], NULL, brief_run, stress))
				exit(77);
		}
		for (int i = 0; i < 3; i++)
			pthread_join(threads[i], NULL);
		usleep(200);
	}
	return NULL;
}

static void *define_run(void *argument)
{
	struct stress *stress = argument;
	char name[16];

	for (int i = 0; !ended(stress); i = (i + 1) % SERIES) {
		snprintf(name, sizeof(name), "event-%d", i);
		if (weir_series(stress->w, name, NULL, WEIR_KIND_NUMBER, NULL, 0) <= 0)
			abort();
		usleep(20);
	}
	return NULL;
}

static void *watch_run(void *argument)
{
	struct stress *stress = argument;
	struct weir_ledger ledger, before = {0};

	while (!ended(stress)) {
		weir_poll(stress->w);
		weir_wait(stress->w, WEIR_DURABLE, 1);
		weir_refusal(stress->w);
		weir_ledger(stress->w, &ledger);
		if (ledger.attempted != ledger.published + ledger.dropped ||
		    ledger.persisted < before.persisted || ledger.durable < before.durable ||
		    ledger.published < before.published)
			abort();
		before = ledger;
	}
	return NULL;
}

static int judge(struct stress *stress, const struct fake_log *log, const char *wrong)
{
	struct weir_ledger l;

	weir_ledger(stress->w, &l);
	printf("%llu attempted, %llu published, %llu in the log, %u rings\n",
	       (unsigned long long)l.attempted, (unsigned long long)l.published,
	       (unsigned long long)fake_log_events(log), log->count);
	if (wrong)
		printf("the engine saw %s\n", wrong);
	const bool good = !wrong && l.attempted == stress->attempts &&
			  l.published == stress->taken && l.durable == stress->taken &&
			  l.attempted == l.published + l.dropped &&
			  fake_log_events(log) == stress->taken &&
			  fake_log_sum(log) == (double)stress->taken;
	proof_say("client-events", l.attempted, !good);
	return good ? 0 : 1;
}

int main(void)
{
	static struct fake_log log;
	static struct fake lives[LIVES + 1];
	static void *(*const runs[])(void *) = {emit_run,        emit_run,   emit_run,
						come_and_go_run, define_run, watch_run};
	pthread_t threads[sizeof(runs) / sizeof(runs[0])];
	struct stress stress = {0};
	char path[108];
	const char *wrong = NULL;

	fake_path(path, sizeof(path));
	struct weir_options options = {.size = sizeof(options),
				       .socket_path = path,
				       .ring_events = 4096,
				       .table_bytes = 65536};
	if (weir_open(&options, &stress.w) ||
	    weir_series(stress.w, "first", NULL, WEIR_KIND_NUMBER, NULL, 0) != 1)
		return 77;
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		if (pthread_create(&threads[i], NULL, runs[i], &stress))
			return 77;
	}
	for (int life = 0; life < LIVES; life++) {
		fake_start(&lives[life], path, &log);
		clock_skip(2);
		fake_run(&lives[life]);
		usleep(400000);
		fake_stop(&lives[life]);
		wrong = wrong ? wrong : lives[life].wrong;
		usleep(20000);
	}
	weir_store_relaxed_32(&stress.quit, 1); /* see ended() */
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		pthread_join(threads[i], NULL);

	fake_start(&lives[LIVES], path, &log);
	clock_skip(2);
	fake_run(&lives[LIVES]);
	if (weir_wait(stress.w, WEIR_DURABLE, 20000))
		printf("not durable in time\n");
	fake_stop(&lives[LIVES]);
	wrong = wrong ? wrong : lives[LIVES].wrong;
	int result = judge(&stress, &log, wrong);
	weir_close(stress.w, 0);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	return result;
}
