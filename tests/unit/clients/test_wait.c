/* Waiting and closing: what is reached, and what is given up in time. */
#include "setup.h"

#include <signal.h>
#include <sys/time.h>
#include <time.h>

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

Test(wait, without_an_engine_it_times_out_on_time)
{
	struct setup s = setup_open((struct weir_options){0});

	cr_assert_eq(weir_wait(s.w, WEIR_PERSISTED, 1000), 0, "nothing to wait for");
	weir_emit(s.w, s.series, 1);
	cr_assert_eq(weir_wait(s.w, WEIR_PERSISTED, 0), -ETIMEDOUT);
	uint64_t start_ms = now_ms();
	cr_assert_eq(weir_wait(s.w, WEIR_DURABLE, 120), -ETIMEDOUT);
	uint64_t took_ms = now_ms() - start_ms;
	cr_assert(took_ms >= 119 && took_ms < 400, "%d ms", (int)took_ms);
	cr_assert_eq(weir_wait(s.w, (enum weir_level)7, 10), -EINVAL);
	setup_close(&s);
}

Test(wait, persisted_is_not_durable)
{
	static struct fake_log log;
	struct fake fake;
	struct setup s = setup_open_with(&fake, &log, (struct weir_options){0});

	weir_emit(s.w, s.series, 1);
	for (int i = 0; i < 3000 && !fake_drain(&fake, UINT64_MAX); i++) {
		weir_poll(s.w);
		fake_step(&fake);
		usleep(1000);
	}
	cr_assert_eq(weir_wait(s.w, WEIR_PERSISTED, 0), 0);
	cr_assert_eq(weir_wait(s.w, WEIR_DURABLE, 20), -ETIMEDOUT);
	fake_sync(&fake);
	cr_assert_eq(weir_wait(s.w, WEIR_DURABLE, 0), 0);
	weir_emit(s.w, s.series, 1);
	cr_assert_eq(weir_wait(s.w, WEIR_PERSISTED, 20), -ETIMEDOUT);
	fake_stop(&fake);
	setup_close(&s);
}

Test(wait, what_an_engine_without_a_log_took_is_taken_and_never_persisted)
{
	static struct fake_log log;
	struct fake fake;
	struct setup s = setup_open_with(&fake, &log, (struct weir_options){0});
	struct weir_ledger ledger;

	weir_emit(s.w, s.series, 1);
	for (int i = 0; i < 3000 && log.count == 0; i++) {
		weir_poll(s.w);
		fake_step(&fake);
		usleep(1000);
	}
	weir_poll(s.w);
	cr_assert_eq(log.count, 1);
	log.rings[0].slot->flags |= WEIR_CONTROL_UNKEPT;
	cr_assert_eq(weir_wait(s.w, WEIR_PERSISTED, 20), -ETIMEDOUT, "it is still in the ring");
	fake_drain(&fake, UINT64_MAX);
	/* Even a page that claims more than it may is not believed. */
	fake_sync(&fake);
	cr_assert_eq(weir_wait(s.w, WEIR_PERSISTED, 1000), -EOPNOTSUPP);
	cr_assert_eq(weir_wait(s.w, WEIR_DURABLE, 1000), -EOPNOTSUPP);
	weir_ledger(s.w, &ledger);
	cr_assert_eq(ledger.published, 1);
	cr_assert_eq(ledger.taken, 1);
	cr_assert_eq(ledger.persisted, 0);
	cr_assert_eq(ledger.durable, 0);
	cr_assert_eq(weir_close(s.w, 1000), 0, "nothing is left to be waited for");
	s.w = NULL;
	fake_stop(&fake);
	setup_close(&s);
}

Test(wait, an_engine_with_a_log_does_not_answer_for_one_without)
{
	static struct fake_log log;
	struct fake fake;
	struct setup s = setup_open_with(&fake, &log, (struct weir_options){0});
	struct weir_ledger ledger;

	weir_emit(s.w, s.series, 1);
	for (int i = 0; i < 3000 && log.count == 0; i++) {
		weir_poll(s.w);
		fake_step(&fake);
		usleep(1000);
	}
	weir_poll(s.w);
	struct weir_control_slot *slot = log.rings[0].slot;
	slot->flags |= WEIR_CONTROL_UNKEPT;
	fake_drain(&fake, UINT64_MAX);
	weir_ledger(s.w, &ledger);
	cr_assert_eq(ledger.taken, 1);
	/* The next engine keeps a log, which has nothing of this ring yet. */
	slot->released = 0;
	slot->flags &= ~(uint32_t)WEIR_CONTROL_UNKEPT;
	weir_ledger(s.w, &ledger);
	cr_assert_eq(ledger.taken, 1);
	cr_assert_eq(ledger.persisted, 0);
	cr_assert_eq(weir_wait(s.w, WEIR_PERSISTED, 20), -ETIMEDOUT);
	fake_stop(&fake);
	setup_close(&s);
}

/* Only what was emitted before the call counts: a thread that goes on emitting holds nobody. */
static void *emit_on(void *argument)
{
	struct setup *s = argument;
	const struct timespec pause = {0, 20000};

	for (int i = 0; i < 100000; i++) {
		/* Acquire: partner in the test. */
		if (!weir_load_acquire_32((uint32_t *)&s->series))
			break;
		weir_emit_at(s->w, 1, 1, 1);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

Test(wait, others_may_go_on_emitting)
{
	static struct fake_log log;
	static struct fake fake;
	struct setup s = setup_open_with(&fake, &log, (struct weir_options){.ring_events = 4096});
	pthread_t thread;

	fake_run(&fake);
	pthread_create(&thread, NULL, emit_on, &s);
	for (int i = 0; i < 20; i++) {
		weir_emit_at(s.w, 1, 1, 1);
		cr_assert_eq(weir_wait(s.w, WEIR_DURABLE, 5000), 0);
	}
	weir_store_release_32((uint32_t *)&s.series, 0); /* partner above */
	pthread_join(thread, NULL);
	cr_assert_eq(weir_close(s.w, 5000), 0);
	fake_stop(&fake);
}

Test(wait, an_engine_that_dies_meanwhile_and_comes_back_is_waited_for, .timeout = 20)
{
	static struct fake_log log;
	static struct fake fake, other;
	struct setup s = setup_open_with(&fake, &log, (struct weir_options){0});

	fake_run(&fake);
	weir_emit(s.w, s.series, 1);
	cr_assert_eq(weir_wait(s.w, WEIR_DURABLE, 5000), 0);
	fake_stop(&fake);
	weir_emit(s.w, s.series, 1);
	cr_assert_eq(weir_wait(s.w, WEIR_DURABLE, 30), -ETIMEDOUT);
	fake_start(&other, s.path, &log);
	fake_run(&other);
	cr_assert_eq(weir_wait(s.w, WEIR_DURABLE, 5000), 0);
	cr_assert_eq(fake_log_events(&log), 2);
	fake_stop(&other);
	setup_close(&s);
}

static weir *ticking;
static volatile int ticks;

static void tick(int number)
{
	(void)number;
	ticks += weir_emit(ticking, 1, 1) == 0;
}

Test(wait, handlers_emit_while_the_thread_waits)
{
	struct setup s = setup_open((struct weir_options){.ring_events = 1024});
	struct sigaction action = {.sa_handler = tick};
	struct itimerval timer = {{0, 2000}, {0, 2000}}, off = {{0, 0}, {0, 0}};

	ticking = s.w;
	weir_emit(s.w, s.series, 1);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	uint64_t start_ms = now_ms();
	cr_assert_eq(weir_wait(s.w, WEIR_PERSISTED, 200), -ETIMEDOUT);
	cr_assert_geq(now_ms() - start_ms, 199, "signals do not cut it short");
	setitimer(ITIMER_REAL, &off, NULL);
	cr_assert_gt(ticks, 20);
	struct weir_ledger l = ledger_of(s.w);
	cr_assert_eq(l.published, (uint64_t)ticks + 1);
	setup_close(&s);
}

Test(wait, close_says_it_is_the_end_and_waits_for_the_engine)
{
	static struct fake_log log;
	static struct fake fake;
	struct setup s = setup_open_with(&fake, &log, (struct weir_options){0});

	fake_run(&fake);
	for (int i = 0; i < 100; i++)
		weir_emit(s.w, s.series, 1);
	cr_assert_eq(weir_close(s.w, 5000), 0);
	cr_assert_eq(fake_log_events(&log), 100);
	cr_assert_eq(fake.producers[0].region->state, WEIR_REGION_CLOSED);
	fake_stop(&fake);
}

Test(wait, close_gives_up_in_time_and_the_engine_still_has_the_rings)
{
	static struct fake_log log;
	struct fake fake;
	struct setup s = setup_open_with(&fake, &log, (struct weir_options){0});

	for (int i = 0; i < 100; i++)
		weir_emit(s.w, s.series, 1);
	while (fake.count == 0 || log.count == 0) {
		weir_poll(s.w);
		fake_step(&fake);
		usleep(1000);
	}
	cr_assert_eq(weir_close(s.w, 50), -ETIMEDOUT);
	fake_drain(&fake, UINT64_MAX);
	cr_assert_eq(fake_log_events(&log), 100);
	fake_step(&fake);
	cr_assert_eq(fake.producers[0].socket, -1);
	fake_stop(&fake);
}
