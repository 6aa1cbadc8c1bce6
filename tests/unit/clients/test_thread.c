/* Threads: each its ring, handed on when it exits; several handles side by side. */
#include "setup.h"

#include <sys/resource.h>

static void *emit_some(void *argument)
{
	struct setup *s = argument;

	for (int i = 0; i < 10; i++)
		weir_emit_at(s->w, s->series, 1, 1);
	return NULL;
}

Test(thread, a_thousand_threads_one_after_the_other_share_a_ring, .timeout = 20)
{
	static struct fake_log log;
	static struct fake fake;
	struct setup s = setup_open_with(&fake, &log, (struct weir_options){.ring_events = 16384});
	int descriptors = 0;

	for (int i = 0; i < 1000; i++) {
		pthread_t thread;
		cr_assert_eq(pthread_create(&thread, NULL, emit_some, &s), 0);
		pthread_join(thread, NULL);
		if (i == 0)
			descriptors = open_descriptors();
	}
	cr_assert_eq(open_descriptors(), descriptors);
	struct weir_ledger l = ledger_of(s.w);
	cr_assert_eq(l.published, 10000);
	cr_assert_eq(l.dropped, 0);
	fake_run(&fake);
	cr_assert_eq(weir_wait(s.w, WEIR_PERSISTED, 5000), 0);
	fake_stop(&fake);
	cr_assert_eq(log.count, 1);
	cr_assert_eq(fake_log_events(&log), 10000);
	setup_close(&s);
}

struct crowd {
	struct setup *s;
	pthread_barrier_t barrier;
};

static void *emit_in_crowd(void *argument)
{
	struct crowd *crowd = argument;

	for (int i = 0; i < 5; i++)
		weir_emit_at(crowd->s->w, crowd->s->series, 1, 1);
	pthread_barrier_wait(&crowd->barrier); /* nobody exits before all have emitted */
	return NULL;
}

static void crowd_run(struct setup *s, int count)
{
	struct crowd crowd = {.s = s};
	pthread_t *threads = calloc((size_t)count, sizeof(*threads));
	pthread_attr_t small;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 128 << 10);
	pthread_barrier_init(&crowd.barrier, NULL, (unsigned)count);
	for (int i = 0; i < count; i++)
		cr_assert_eq(pthread_create(&threads[i], &small, emit_in_crowd, &crowd), 0);
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&crowd.barrier);
	pthread_attr_destroy(&small);
	free(threads);
}

Test(thread, more_threads_than_rings_are_counted_and_later_ones_find_room, .timeout = 20)
{
	struct setup s = setup_open((struct weir_options){.ring_events = 64});

	crowd_run(&s, WEIR_RINGS_MAX + 20);
	struct weir_ledger l = ledger_of(s.w);
	cr_assert_eq(l.attempted, (WEIR_RINGS_MAX + 20) * 5);
	cr_assert_eq(l.published, WEIR_RINGS_MAX * 5);
	cr_assert_eq(l.dropped_no_ring, 20 * 5);
	crowd_run(&s, 100);
	l = ledger_of(s.w);
	cr_assert_eq(l.published, (WEIR_RINGS_MAX + 100) * 5);
	setup_close(&s);
}

Test(thread, without_descriptors_emits_are_counted_and_recover)
{
	struct setup s = setup_open((struct weir_options){0});
	struct rlimit limit, none;

	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	none.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &none);
	cr_assert_eq(weir_emit(s.w, s.series, 1), -ENOMEM);
	cr_assert_eq(weir_emit_at(s.w, s.series, 1, 1), -ENOMEM);
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < 1500 && weir_emit(s.w, s.series, 1) != 0; i++)
		usleep(1000);
	struct weir_ledger l = ledger_of(s.w);
	cr_assert_eq(l.published, 1);
	cr_assert_geq(l.dropped_no_ring, 2);
	setup_close(&s);
}

Test(thread, handles_side_by_side_keep_their_events_apart)
{
	struct setup s[7];
	static struct fake_log log[7];
	static struct fake fake[7];

	for (int i = 0; i < 7; i++)
		s[i] = setup_open((struct weir_options){.ring_events = 4096});
	for (int k = 0; k < 2000; k++) {
		for (int i = 0; i < 7; i++) {
			if (k % (i + 1) == 0)
				cr_assert_eq(weir_emit_at(s[i].w, s[i].series, i, 1), 0);
		}
	}
	for (int i = 0; i < 7; i++) {
		const uint64_t expected = (uint64_t)(1999 / (i + 1) + 1);
		cr_assert_eq(ledger_of(s[i].w).published, expected);
		fake_start(&fake[i], s[i].path, &log[i]);
		fake_run(&fake[i]);
		cr_assert_eq(weir_wait(s[i].w, WEIR_PERSISTED, 5000), 0);
		fake_stop(&fake[i]);
		cr_assert_eq(fake_log_sum(&log[i]), (double)expected * i);
		setup_close(&s[i]);
	}
}

/* A handle's memory is used again; a thread that knew the old one must not write to the new
 * one's ring of another thread. */
struct reuse {
	struct setup s;
	pthread_barrier_t barrier;
};

static void *emit_over_two_lives(void *argument)
{
	struct reuse *reuse = argument;

	weir_emit_at(reuse->s.w, 1, 1, 1);
	pthread_barrier_wait(&reuse->barrier); /* closed and opened again here */
	pthread_barrier_wait(&reuse->barrier);
	for (int i = 0; i < 1000; i++)
		weir_emit_at(reuse->s.w, 1, 1, 1);
	return NULL;
}

Test(thread, a_handle_opened_again_has_rings_of_its_own)
{
	struct reuse reuse;
	pthread_t thread;

	reuse.s = setup_open((struct weir_options){.ring_events = 4096});
	pthread_barrier_init(&reuse.barrier, NULL, 2);
	pthread_create(&thread, NULL, emit_over_two_lives, &reuse);
	pthread_barrier_wait(&reuse.barrier);
	weir *old = reuse.s.w;
	const int descriptors = open_descriptors();
	setup_close(&reuse.s);
	cr_assert_lt(open_descriptors(), descriptors);
	reuse.s = setup_open((struct weir_options){.ring_events = 4096});
	cr_assert_eq(reuse.s.w, old, "the test is of a handle that is used again");
	weir_emit_at(reuse.s.w, 1, 1, 1);
	pthread_barrier_wait(&reuse.barrier);
	for (int i = 0; i < 1000; i++)
		weir_emit_at(reuse.s.w, 1, 1, 1);
	pthread_join(thread, NULL);
	struct weir_ledger l = ledger_of(reuse.s.w);
	cr_assert_eq(l.published, 2001);
	cr_assert_eq(l.dropped, 0);
	setup_close(&reuse.s);
}

static void *exit_after_close(void *argument)
{
	return emit_over_two_lives(argument);
}

Test(thread, a_thread_may_exit_after_its_handle_is_closed)
{
	struct reuse reuse;
	pthread_t thread;

	reuse.s = setup_open((struct weir_options){0});
	pthread_barrier_init(&reuse.barrier, NULL, 2);
	pthread_create(&thread, NULL, exit_after_close, &reuse);
	pthread_barrier_wait(&reuse.barrier);
	setup_close(&reuse.s);
	pthread_barrier_wait(&reuse.barrier); /* it emits into the closed handle, then exits */
	pthread_join(thread, NULL);
}

Test(thread, opening_and_closing_leaves_nothing_behind)
{
	struct setup s = setup_open((struct weir_options){0});
	weir_emit(s.w, s.series, 1);
	setup_close(&s);
	const int descriptors = open_descriptors();
	for (int i = 0; i < 100; i++) {
		s = setup_open((struct weir_options){0});
		weir_emit(s.w, s.series, 1);
		setup_close(&s);
	}
	cr_assert_eq(open_descriptors(), descriptors);
}
