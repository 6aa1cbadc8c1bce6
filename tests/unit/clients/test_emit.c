/* Emit: what is counted, what is refused, what it may cost. */
#include "setup.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>

#include "counting.h"

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

Test(emit, a_full_ring_drops_the_newest_and_counts_it)
{
	struct setup s = setup_open((struct weir_options){.ring_events = 64});

	for (int i = 0; i < 64; i++)
		cr_assert_eq(weir_emit(s.w, s.series, i), 0);
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(weir_emit(s.w, s.series, i), -EAGAIN);
	for (int i = 0; i < 10; i++)
		cr_assert_eq(weir_emit_at(s.w, s.series, i, 5), -EAGAIN);
	struct weir_ledger l = ledger_of(s.w);
	cr_assert_eq(l.attempted, 1074);
	cr_assert_eq(l.published, 64);
	cr_assert_eq(l.dropped_full, 1010);
	cr_assert_eq(l.persisted, 0);
	cr_assert_eq(l.attached, 0);
	setup_close(&s);
}

Test(emit, the_ledger_is_exact_while_an_engine_drains_now_and_then)
{
	static struct fake_log log;
	struct fake fake;
	struct setup s = setup_open_with(&fake, &log, (struct weir_options){.ring_events = 64});
	uint64_t state = 88172645463325252u, taken = 0, attempts = 0;
	double sum = 0;

	for (int i = 0; i < 20000; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		switch (state >> 60) {
		case 0:
			fake_drain(&fake, state >> 50 & 63);
			break;
		case 1:
			weir_poll(s.w);
			fake_step(&fake);
			break;
		case 2:
			attempts++;
			cr_assert_eq(weir_emit(s.w, s.series, NAN), -EINVAL);
			break;
		default:
			attempts++;
			if (weir_emit_at(s.w, s.series, i, (uint64_t)i) == 0) {
				taken++;
				sum += i;
			}
		}
	}
	struct weir_ledger l = ledger_of(s.w);
	cr_assert_eq(l.attempted, attempts);
	cr_assert_eq(l.published, taken);
	cr_assert_gt(l.dropped_full, 0);
	cr_assert_gt(taken, 128);
	fake_drain(&fake, UINT64_MAX);
	l = ledger_of(s.w);
	cr_assert_eq(l.persisted, taken);
	cr_assert_eq(l.durable, 0);
	fake_sync(&fake);
	cr_assert_eq(ledger_of(s.w).durable, taken);
	cr_assert_eq(fake_log_events(&log), taken);
	cr_assert_eq(fake_log_sum(&log), sum);
	cr_assert_null(fake.wrong, "%s", fake.wrong);
	fake_stop(&fake);
	setup_close(&s);
}

Test(emit, what_is_no_event_is_refused_and_counted)
{
	struct setup s = setup_open((struct weir_options){0});

	cr_assert_eq(weir_emit(s.w, s.series, NAN), -EINVAL);
	cr_assert_eq(weir_emit(s.w, s.series, -NAN), -EINVAL);
	cr_assert_eq(weir_emit(s.w, s.series, INFINITY), -EINVAL);
	cr_assert_eq(weir_emit(s.w, s.series, -INFINITY), -EINVAL);
	cr_assert_eq(weir_emit(s.w, 0, 1), -EINVAL);
	cr_assert_eq(weir_emit(s.w, -1, 1), -EINVAL);
	cr_assert_eq(weir_emit(s.w, -EINVAL, 1), -EINVAL);
	cr_assert_eq(weir_emit(s.w, s.series + 1, 1), -EINVAL);
	cr_assert_eq(weir_emit(s.w, INT32_MAX, 1), -EINVAL);
	cr_assert_eq(weir_emit(s.w, INT32_MIN, 1), -EINVAL);
	cr_assert_eq(weir_emit_at(s.w, s.series, 1, WEIR_TIME_MS_MAX + 1), -EINVAL);
	cr_assert_eq(weir_emit_at(s.w, s.series, 1, UINT64_MAX), -EINVAL);
	cr_assert_eq(weir_emit_at(s.w, s.series, 1, UINT64_MAX - 1), -EINVAL);
	cr_assert_eq(weir_emit_at(s.w, s.series, NAN, 1), -EINVAL);
	cr_assert_eq(weir_emit_at(s.w, s.series, 1, WEIR_TIME_MS_MAX), 0);
	cr_assert_eq(weir_emit_at(s.w, s.series, -0.0, 0), 0);
	cr_assert_eq(weir_emit(s.w, s.series, 1.7976931348623157e308), 0);
	cr_assert_eq(weir_emit(s.w, s.series, 4.9e-324), 0);
	struct weir_ledger l = ledger_of(s.w);
	cr_assert_eq(l.dropped_invalid, 14);
	cr_assert_eq(l.published, 4);
	setup_close(&s);
}

Test(emit, no_handle_is_no_crash)
{
	struct weir_sample sample = {.value = 1, .series = 1};
	struct weir_ledger l;

	cr_assert_eq(weir_emit(NULL, 1, 1), -EINVAL);
	cr_assert_eq(weir_emit_at(NULL, 1, 1, 1), -EINVAL);
	cr_assert_eq(weir_emit_many(NULL, &sample, 1), 0);
	cr_assert_eq(weir_poll(NULL), -EINVAL);
	cr_assert_eq(weir_wait(NULL, WEIR_PERSISTED, 1), -EINVAL);
	cr_assert_eq(weir_close(NULL, 1), 0);
	cr_assert_str_eq(weir_refusal(NULL), "");
	weir_ledger(NULL, &l);
	cr_assert_eq(l.attempted, 0);
}

Test(emit, a_closed_handle_answers_instead_of_crashing)
{
	struct setup s = setup_open((struct weir_options){0});
	weir *w = s.w;

	cr_assert_eq(weir_emit(w, 1, 1), 0);
	setup_close(&s);
	cr_assert_eq(weir_emit(w, 1, 1), -EINVAL);
	cr_assert_eq(weir_emit_at(w, 1, 1, 1), -EINVAL);
	cr_assert_eq(weir_series(w, "e", NULL, WEIR_KIND_NUMBER, NULL, 0), -EINVAL);
	cr_assert_eq(weir_wait(w, WEIR_PERSISTED, 1), -EINVAL);
	cr_assert_eq(weir_close(w, 1), -EINVAL);
}

Test(emit, options_out_of_bounds_are_refused)
{
	static const struct weir_options bad[] = {
		{.size = 1},
		{.ring_events = 63},
		{.ring_events = 100},
		{.ring_events = 32},
		{.ring_events = 8u << 20},
		{.series_max = WEIR_SERIES_MAX + 1u},
		{.table_bytes = WEIR_TABLE_BYTES_MAX + 1},
		{.source = ""},
		{.source = "a name of a source that is too long"},
		{.source = "\xff"},
		{.socket_path = "/a/path/that/is/longer/than/what/a/socket/address/can/hold/"
				"which/is/a/hundred/and/seven/bytes/and/not/one/more/than/that"},
	};
	weir *w;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct weir_options options = bad[i];
		options.size = options.size ? options.size : sizeof(options);
		w = (weir *)&w;
		cr_assert_eq(weir_open(&options, &w), -EINVAL, "options %zu", i);
		cr_assert_null(w);
	}
	cr_assert_eq(weir_open(NULL, NULL), -EINVAL);
	/* Of a later version: more bytes, which must say nothing. */
	struct {
		struct weir_options options;
		uint64_t more;
	} later = {.options = {.size = sizeof(later), .ring_events = 64}};
	cr_assert_eq(weir_open(&later.options, &w), 0);
	cr_assert_eq(weir_close(w, 0), 0);
	later.more = 1;
	cr_assert_eq(weir_open(&later.options, &w), -EINVAL);
	/* Of an earlier one: fewer. */
	later.options.size = offsetof(struct weir_options, full_wait_us);
	later.options.full_wait_us = UINT32_MAX;
	cr_assert_eq(weir_open(&later.options, &w), 0);
	cr_assert_eq(weir_close(w, 0), 0);
}

Test(emit, the_time_is_the_coarse_clock_or_the_callers)
{
	static struct fake_log log;
	struct fake fake;
	struct setup s = setup_open_with(&fake, &log, (struct weir_options){0});

	const uint64_t before_ms = now_ms();
	cr_assert_eq(weir_emit(s.w, s.series, 1), 0);
	cr_assert_eq(weir_emit(s.w, s.series, 1), 0);
	const uint64_t after_ms = now_ms();
	for (int i = 0; i < 3000 && fake_log_events(&log) < 2; i++) {
		weir_poll(s.w);
		fake_step(&fake);
		fake_drain(&fake, UINT64_MAX);
		usleep(1000);
	}
	cr_assert_eq(fake_log_events(&log), 2);
	cr_assert_geq(log.rings[0].time_max_ms + 11, before_ms);
	cr_assert_leq(log.rings[0].time_max_ms, after_ms);
	cr_assert_eq(weir_emit_at(s.w, s.series, 1, WEIR_TIME_MS_MAX), 0);
	fake_drain(&fake, UINT64_MAX);
	cr_assert_eq(log.rings[0].time_max_ms, WEIR_TIME_MS_MAX);
	fake_stop(&fake);
	setup_close(&s);
}

Test(emit, many_takes_what_fits_and_counts_the_rest)
{
	struct setup s = setup_open((struct weir_options){.ring_events = 256});
	struct weir_sample samples[400];

	for (int i = 0; i < 400; i++)
		samples[i] = (struct weir_sample){
			.time_ms = (uint64_t)i, .value = i, .series = s.series};
	cr_assert_eq(weir_emit_many(s.w, samples, 0), 0);
	cr_assert_eq(weir_emit_many(s.w, samples, 100), 100);
	samples[0].series = 77;
	samples[70].value = NAN;
	samples[99].time_ms = UINT64_MAX;
	cr_assert_eq(weir_emit_many(s.w, samples, 100), 97);
	cr_assert_eq(weir_emit_many(s.w, samples + 100, 300), 256 - 197);
	struct weir_ledger l = ledger_of(s.w);
	cr_assert_eq(l.attempted, 500);
	cr_assert_eq(l.published, 256);
	cr_assert_eq(l.dropped_invalid, 3);
	cr_assert_eq(l.dropped_full, 500 - 256 - 3);
	setup_close(&s);
}

Test(emit, many_and_one_by_one_write_the_same)
{
	static struct fake_log log;
	struct fake fake;
	struct setup s = setup_open_with(&fake, &log, (struct weir_options){.ring_events = 1024});
	struct weir_sample samples[1000];

	for (int i = 0; i < 1000; i++)
		samples[i] = (struct weir_sample){
			.time_ms = (uint64_t)i + 1, .value = i * 0.5, .series = s.series};
	for (int way = 0; way < 2; way++) {
		if (way)
			cr_assert_eq(weir_emit_many(s.w, samples, 1000), 1000);
		for (int i = 0; !way && i < 1000; i++)
			cr_assert_eq(weir_emit_at(s.w, samples[i].series, samples[i].value,
						  samples[i].time_ms),
				     0);
		for (int i = 0; i < 3000 && fake_log_events(&log) < 1000u * (unsigned)(way + 1);
		     i++) {
			weir_poll(s.w);
			fake_step(&fake);
			fake_drain(&fake, UINT64_MAX);
			usleep(200);
		}
		cr_assert_eq(fake_log_events(&log), 1000u * (unsigned)(way + 1));
		cr_assert_eq(log.rings[0].sum, 249750.0 * (way + 1));
		cr_assert_eq(log.rings[0].time_max_ms, 1000);
		weir_poll(s.w);
	}
	fake_stop(&fake);
	setup_close(&s);
}

Test(emit, a_wait_for_room_is_bounded)
{
	struct setup s =
		setup_open((struct weir_options){.ring_events = 64, .full_wait_us = 20000});

	for (int i = 0; i < 64; i++)
		cr_assert_eq(weir_emit(s.w, s.series, i), 0);
	uint64_t start_ms = now_ms();
	cr_assert_eq(weir_emit(s.w, s.series, 64), -EAGAIN);
	uint64_t took_ms = now_ms() - start_ms;
	cr_assert_geq(took_ms, 19);
	struct weir_ledger l = ledger_of(s.w);
	cr_assert_eq(l.dropped_timeout, 1);
	cr_assert_eq(l.dropped_full, 0);
	setup_close(&s);
}

/* The bound is far beyond what a busy machine lets the engine wait for its turn. */
Test(emit, a_wait_for_room_ends_when_there_is_some)
{
	struct setup s =
		setup_open((struct weir_options){.ring_events = 64, .full_wait_us = 60000000});
	static struct fake_log log;
	struct fake fake;

	for (int i = 0; i < 64; i++)
		cr_assert_eq(weir_emit(s.w, s.series, i), 0);
	fake_start(&fake, s.path, &log);
	fake_run(&fake);
	cr_assert_eq(weir_wait(s.w, WEIR_PERSISTED, 5000), 0);
	for (int i = 0; i < 5000; i++)
		cr_assert_eq(weir_emit(s.w, s.series, i), 0);
	fake_stop(&fake);
	struct weir_ledger l = ledger_of(s.w);
	cr_assert_eq(l.published, 5064);
	cr_assert_eq(l.dropped, 0);
	setup_close(&s);
}

Test(emit, nothing_is_allocated_after_a_threads_first_event)
{
	struct setup s = setup_open((struct weir_options){.ring_events = 1024});
	struct weir_sample samples[100];
	uint64_t before, after;

	for (int i = 0; i < 100; i++)
		samples[i] = (struct weir_sample){.value = i, .series = s.series};
	before = allocations_count();
	cr_assert_eq(weir_emit(s.w, s.series, 1), 0);
	after = allocations_count();
	cr_assert_gt(after, before, "the counter counts");

	const int descriptors = open_descriptors();
	before = allocations_count();
	const uint64_t end_ms = now_ms() + 1100; /* over a look at the socket */
	int round = 0;
	while (now_ms() < end_ms) {
		weir_emit(s.w, s.series, round);
		weir_emit_at(s.w, s.series, NAN, 1);
		weir_emit_at(s.w, s.series, round, (uint64_t)round);
		weir_emit_many(s.w, samples, 100);
		round++;
	}
	cr_assert_eq(allocations_count(), before);
	cr_assert_eq(open_descriptors(), descriptors);
	cr_assert_gt(round, 100);
	setup_close(&s);
}

static weir *signal_weir;
static int signal_series;
static volatile uint64_t signal_attempts, signal_taken, signal_nested;

static void emit_in_handler(int number)
{
	(void)number;
	signal_attempts++;
	int result = weir_emit(signal_weir, signal_series, 1);
	if (result == 0)
		signal_taken++;
	else if (result == -EDEADLK)
		signal_nested++;
}

static void timer_start(long interval_us)
{
	struct sigaction action = {.sa_handler = emit_in_handler, .sa_flags = SA_RESTART};
	struct itimerval timer = {{0, interval_us}, {0, interval_us}};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void timer_stop(void)
{
	struct itimerval timer = {{0, 0}, {0, 0}};

	setitimer(ITIMER_REAL, &timer, NULL);
}

Test(emit, a_signal_handlers_emit_inside_an_emit_is_counted)
{
	static struct fake_log log;
	struct fake fake;
	struct setup s = setup_open_with(&fake, &log, (struct weir_options){.ring_events = 65536});
	uint64_t attempts = 0, taken = 0;

	signal_weir = s.w;
	signal_series = s.series;
	cr_assert_eq(weir_emit(s.w, s.series, 1), 0);
	timer_start(50);
	const uint64_t end_ms = now_ms() + 600;
	while (now_ms() < end_ms) {
		for (int i = 0; i < 2000; i++, attempts++)
			taken += weir_emit_at(s.w, s.series, 1, 1) == 0;
		fake_step(&fake);
		fake_drain(&fake, UINT64_MAX);
		weir_poll(s.w);
	}
	timer_stop();
	struct weir_ledger l = ledger_of(s.w);
	cr_assert_gt(signal_attempts, 100);
	cr_assert_eq(l.attempted, 1 + attempts + signal_attempts);
	cr_assert_eq(l.published, 1 + taken + signal_taken);
	cr_assert_eq(l.dropped_reentrant, signal_nested);
	fake_drain(&fake, UINT64_MAX);
	cr_assert_eq(fake_log_events(&log), l.published);
	cr_assert_eq(fake_log_sum(&log), (double)l.published);
	cr_assert_null(fake.wrong, "%s", fake.wrong);
	fake_stop(&fake);
	setup_close(&s);
}

/* The handler finds the emitter busy for sure: it runs while the outer emit waits for room. */
Test(emit, an_emit_inside_an_emit_is_refused)
{
	struct setup s =
		setup_open((struct weir_options){.ring_events = 64, .full_wait_us = 50000});

	signal_weir = s.w;
	signal_series = s.series;
	for (int i = 0; i < 64; i++)
		cr_assert_eq(weir_emit(s.w, s.series, i), 0);
	timer_start(5000);
	cr_assert_eq(weir_emit(s.w, s.series, 64), -EAGAIN);
	timer_stop();
	struct weir_ledger l = ledger_of(s.w);
	cr_assert_gt(signal_nested, 0);
	cr_assert_eq(l.dropped_reentrant, signal_nested);
	cr_assert_eq(l.attempted, 65 + signal_attempts);
	setup_close(&s);
}

Test(emit, a_storm_of_signals_does_not_keep_a_handle_from_opening)
{
	struct sigaction action = {.sa_handler = SIG_IGN};
	struct itimerval timer = {{0, 100}, {0, 100}};
	weir *w;

	action.sa_handler = emit_in_handler;
	signal_weir = NULL;
	sigaction(SIGALRM, &action, NULL); /* without SA_RESTART */
	setitimer(ITIMER_REAL, &timer, NULL);
	for (int i = 0; i < 5; i++) {
		cr_assert_eq(weir_open(NULL, &w), 0);
		int id = weir_series(w, "e", NULL, WEIR_KIND_NUMBER, NULL, 0);
		cr_assert_eq(weir_emit(w, id, 1), 0);
		weir_close(w, 0);
	}
	timer_stop();
}

Test(emit, a_text_has_the_same_hash_in_every_process)
{
	/* The published test vectors of FNV-1a, without bit 62. */
	const struct {
		const char *text;
		uint64_t hash;
	} known[] = {{"", UINT64_C(0xcbf29ce484222325)},
		     {NULL, UINT64_C(0xcbf29ce484222325)},
		     {"a", UINT64_C(0xaf63dc4c8601ec8c)},
		     {"foobar", UINT64_C(0x85944171f73967e8)}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		cr_expect_eq(weir_value_bits(weir_hash_text(known[i].text)),
			     known[i].hash & ~(UINT64_C(1) << 62));
	cr_expect_neq(weir_value_bits(weir_hash_text("ab")),
		      weir_value_bits(weir_hash_text("ba")));
}

Test(emit, a_hash_is_always_a_value)
{
	uint64_t state = 1;

	for (int i = 0; i < 10000; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		uint64_t hash = i == 0 ? UINT64_MAX : state;
		uint64_t bits = weir_value_bits(weir_hash_value(hash));
		cr_assert(weir_bits_finite(bits));
		cr_assert_eq(bits, hash & ~(UINT64_C(1) << 62));
	}
	cr_assert_str_eq(weir_version(), WEIR_VERSION);
}
