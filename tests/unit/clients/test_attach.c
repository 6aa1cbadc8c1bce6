/* The way to an engine and back to another one, and engines that misbehave. */
#include "setup.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "skip.h"

/* Turn both sides until the client is attached with all its rings, at most some thousand times. */
static bool attach(struct setup *s, struct fake *fake)
{
	for (int i = 0; i < 4000; i++) {
		int attached = weir_poll(s->w);
		fake_step(fake);
		if (attached == 1 && weir_poll(s->w) == 1)
			return true;
		if (attached == 0)
			clock_skip(1);
	}
	return false;
}

Test(attach, events_from_before_the_engine_are_taken_when_it_comes)
{
	struct setup s = setup_open((struct weir_options){.ring_events = 4096});
	static struct fake_log log;
	struct fake fake;

	cr_assert_eq(weir_poll(s.w), 0);
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(weir_emit(s.w, s.series, i), 0);
	cr_assert_eq(ledger_of(s.w).attached, 0);
	fake_start(&fake, s.path, &log);
	cr_assert(attach(&s, &fake));
	cr_assert_eq(ledger_of(s.w).attached, 1);
	cr_assert_eq(fake_drain(&fake, UINT64_MAX), 1000);
	cr_assert_eq(log.rings[0].sum, 499500);
	struct weir_ledger l = ledger_of(s.w);
	cr_assert_eq(l.persisted, 1000);
	cr_assert_str_eq(weir_refusal(s.w), "");
	cr_assert_null(fake.wrong, "%s", fake.wrong);
	fake_stop(&fake);
	setup_close(&s);
}

/* Nothing but emits: they alone must find the engine, with the clock's times and the caller's. */
Test(attach, emits_alone_find_the_engine, .timeout = 20)
{
	for (int way = 0; way < 2; way++) {
		/* More room than events: where the caller gives the times, it is not a full ring
		 * that makes the library look around. */
		struct setup s = setup_open((struct weir_options){.ring_events = 16384});
		static struct fake_log log;
		struct fake fake;

		memset(&log, 0, sizeof(log));
		weir_emit(s.w, s.series, 1);
		fake_start(&fake, s.path, &log);
		for (int second = 0; second < 3; second++) {
			clock_skip(1);
			/* The caller's times: a look every so many calls, or when the ring is full.
			 */
			for (int i = 0; i < (way ? 5000 : 1); i++)
				way ? weir_emit_at(s.w, s.series, 1, 1)
				    : weir_emit(s.w, s.series, 1);
			fake_step(&fake);
			fake_drain(&fake, UINT64_MAX);
		}
		cr_assert_eq(log.count, 1);
		cr_assert_geq(ledger_of(s.w).persisted, 3);
		fake_stop(&fake);
		setup_close(&s);
	}
}

Test(attach, another_engine_goes_on_where_the_first_one_ended)
{
	struct setup s = setup_open((struct weir_options){.ring_events = 64});
	static struct fake_log log;
	uint64_t taken = 0, attempts = 0;

	for (int life = 0; life < 4; life++) {
		struct fake fake;
		fake_start(&fake, s.path, &log);
		cr_assert(attach(&s, &fake));
		/* The new engine's page was zeros a moment ago: the ledger must not go back. */
		cr_assert_eq(ledger_of(s.w).persisted, fake_log_events(&log));
		for (int i = 0; i < 500; i++, attempts++) {
			taken += weir_emit_at(s.w, s.series, 1, 1) == 0;
			if (i % 16 == 0)
				fake_drain(&fake, 20);
		}
		fake_stop(&fake);
		/* Nobody there: the ring fills, then drops are counted. */
		for (int i = 0; i < 100; i++, attempts++)
			taken += weir_emit_at(s.w, s.series, 1, 1) == 0;
		cr_assert_eq(weir_poll(s.w), 0);
		cr_assert_eq(ledger_of(s.w).attached, 0);
		cr_assert_eq(ledger_of(s.w).persisted, fake_log_events(&log));
	}
	struct fake fake;
	fake_start(&fake, s.path, &log);
	cr_assert(attach(&s, &fake));
	fake_drain(&fake, UINT64_MAX);
	struct weir_ledger l = ledger_of(s.w);
	cr_assert_eq(l.attempted, attempts);
	cr_assert_eq(l.published, taken);
	cr_assert_eq(l.persisted, taken);
	cr_assert_eq(fake_log_events(&log), taken);
	cr_assert_eq(log.count, 1);
	cr_assert_null(fake.wrong, "%s", fake.wrong);
	fake_stop(&fake);
	setup_close(&s);
}

Test(attach, the_ledger_does_not_go_back_before_a_new_engine_has_answered)
{
	static struct fake_log log;
	struct fake fake;
	struct setup s = setup_open_with(&fake, &log, (struct weir_options){0});

	for (int i = 0; i < 100; i++)
		weir_emit(s.w, s.series, 1);
	cr_assert(attach(&s, &fake));
	fake_drain(&fake, UINT64_MAX);
	fake_sync(&fake);
	fake_stop(&fake);
	fake_start(&fake, s.path, &log);
	fake.vice = FAKE_IGNORES_RINGS;
	cr_assert(attach(&s, &fake));
	struct weir_ledger l = ledger_of(s.w);
	cr_assert_eq(l.attached, 1);
	cr_assert_eq(l.persisted, 100);
	cr_assert_eq(l.durable, 100);
	cr_assert_eq(weir_wait(s.w, WEIR_DURABLE, 0), 0);
	fake_stop(&fake);
	setup_close(&s);
}

static void *emit_one(void *argument)
{
	struct setup *s = argument;

	weir_emit(s->w, s->series, 1);
	return NULL;
}

/* An engine that has stopped reading: our next message is a broken pipe, and no signal comes. */
Test(attach, a_connection_that_breaks_in_a_send_is_made_again)
{
	static struct fake_log log;
	struct fake fake;
	struct setup s = setup_open_with(&fake, &log, (struct weir_options){0});
	pthread_t thread;

	signal(SIGPIPE, SIG_DFL);
	weir_emit(s.w, s.series, 1);
	cr_assert(attach(&s, &fake));
	shutdown(fake.producers[0].socket, SHUT_RD);
	pthread_create(&thread, NULL, emit_one, &s); /* a ring to be offered */
	pthread_join(thread, NULL);
	cr_assert_eq(weir_poll(s.w), 0, "the connection is given up");
	cr_assert(attach(&s, &fake));
	cr_assert_eq(fake_drain(&fake, UINT64_MAX), 2);
	fake_stop(&fake);
	setup_close(&s);
}

Test(attach, errno_stays_the_callers)
{
	struct setup s = setup_open((struct weir_options){.ring_events = 64});
	struct weir_ledger l;

	for (int i = 0; i < 100; i++) {
		errno = EXDEV;
		clock_skip(i % 2); /* now and then there is an attempt to connect, which fails */
		switch (i % 5) {
		case 0:
			weir_emit(s.w, s.series, i);
			break;
		case 1:
			weir_poll(s.w);
			break;
		case 2:
			weir_wait(s.w, WEIR_PERSISTED, 0);
			break;
		case 3:
			weir_refusal(s.w);
			weir_series(s.w, "x", NULL, WEIR_KIND_NUMBER, NULL, 0);
			break;
		default:
			weir_ledger(s.w, &l);
		}
		cr_assert_eq(errno, EXDEV, "call %d", i % 5);
	}
	setup_close(&s);
}

static void *emit_all_the_time(void *argument)
{
	struct setup *s = argument;
	uint64_t attempts = 0;

	/* Acquire: partner in the test. */
	while (!weir_load_acquire_32((uint32_t *)&s->series)) {
		weir_emit_at(s->w, 1, 1, 1);
		attempts++;
	}
	return (void *)(uintptr_t)attempts;
}

Test(attach, engines_come_and_go_under_load, .timeout = 30)
{
	struct setup s = setup_open((struct weir_options){.ring_events = 1024});
	static struct fake_log log;
	pthread_t threads[2];
	uint64_t attempts = 0;
	void *counted;

	s.series = 0;
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, emit_all_the_time, &s);
	for (int life = 0; life < 3; life++) {
		static struct fake fake;
		fake_start(&fake, s.path, &log);
		cr_assert(attach(&s, &fake));
		for (int i = 0; i < 200; i++) {
			fake_step(&fake);
			fake_drain(&fake, UINT64_MAX);
			usleep(100);
		}
		cr_assert_null(fake.wrong, "%s", fake.wrong);
		fake_stop(&fake);
	}
	weir_store_release_32((uint32_t *)&s.series, 1); /* partner above */
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], &counted);
		attempts += (uintptr_t)counted;
	}
	static struct fake fake;
	fake_start(&fake, s.path, &log);
	fake_run(&fake);
	cr_assert_eq(weir_wait(s.w, WEIR_DURABLE, 5000), 0);
	struct weir_ledger l = ledger_of(s.w);
	fake_stop(&fake);
	cr_assert_eq(l.attempted, attempts);
	cr_assert_eq(l.durable, l.published);
	cr_assert_eq(fake_log_events(&log), l.published);
	cr_assert_eq(fake_log_sum(&log), (double)l.published);
	setup_close(&s);
}

Test(attach, a_refusal_is_remembered_and_the_engine_left_in_peace)
{
	static struct fake_log log;
	struct fake fake;
	struct setup s = setup_open_with(&fake, &log, (struct weir_options){0});

	fake.vice = FAKE_REFUSES;
	for (int i = 0; i < 100 && !weir_refusal(s.w)[0]; i++) {
		weir_poll(s.w);
		fake_step(&fake);
	}
	cr_assert_str_eq(weir_refusal(s.w), "too many producers: stop some");
	cr_assert_eq(weir_poll(s.w), -EDQUOT);
	cr_assert_eq(fake.connections, 1);
	for (int i = 0; i < 9; i++) {
		clock_skip(1);
		weir_poll(s.w);
		weir_emit(s.w, s.series, 1);
		fake_step(&fake);
	}
	cr_assert_eq(fake.connections, 1);
	cr_assert_eq(ledger_of(s.w).published, 9);
	fake.vice = FAKE_HONEST;
	clock_skip(2);
	cr_assert(attach(&s, &fake));
	cr_assert_str_eq(weir_refusal(s.w), "");
	cr_assert_eq(fake.connections, 2);
	fake_stop(&fake);
	setup_close(&s);
}

/* The refusal of an engine that closes before it has read everything: the kernel reports a reset
 * first, and the last words are still to be had. */
Test(attach, the_last_words_of_an_engine_are_read)
{
	struct setup s = setup_open((struct weir_options){0});
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct weir_message message = {.magic = WEIR_MESSAGE_MAGIC,
				       .version = WEIR_LAYOUT_VERSION,
				       .type = WEIR_MESSAGE_REFUSED,
				       .status = -EPERM,
				       .text = "not you"};

	weir_emit(s.w, s.series, 1); /* so that HELLO and RING are sent */
	int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	memcpy(address.sun_path, s.path, sizeof(address.sun_path));
	cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(listener, 1), 0);
	clock_skip(1); /* the first attempt found nobody; the next may come a second later */
	cr_assert_eq(weir_poll(s.w), 0);
	int socket = accept(listener, NULL, NULL);
	cr_assert_geq(socket, 0);
	cr_assert_eq(send(socket, &message, sizeof(message), 0), (ssize_t)sizeof(message));
	close(socket); /* with HELLO and RING unread */
	cr_assert_eq(weir_poll(s.w), -EPERM);
	cr_assert_str_eq(weir_refusal(s.w), "not you");
	close(listener);
	setup_close(&s);
}

Test(attach, a_refused_ring_leaves_the_others_and_the_application_alone)
{
	static struct fake_log log;
	struct fake fake;
	struct setup s = setup_open_with(&fake, &log, (struct weir_options){0});

	weir_emit(s.w, s.series, 1);
	fake.vice = FAKE_REFUSES_RINGS;
	for (int i = 0; i < 100 && !weir_refusal(s.w)[0]; i++) {
		weir_poll(s.w);
		fake_step(&fake);
	}
	cr_assert_str_eq(weir_refusal(s.w), "too much memory: smaller rings");
	cr_assert_eq(weir_poll(s.w), 1);
	cr_assert_eq(weir_wait(s.w, WEIR_PERSISTED, 20), -ETIMEDOUT);
	cr_assert_eq(weir_emit(s.w, s.series, 1), 0);
	fake.vice = FAKE_HONEST;
	clock_skip(11);
	weir_poll(s.w);
	fake_step(&fake);
	cr_assert_eq(fake_drain(&fake, UINT64_MAX), 2, "offered again after a while");
	weir_poll(s.w);
	cr_assert_str_eq(weir_refusal(s.w), "");
	fake_stop(&fake);
	setup_close(&s);
}

Test(attach, an_engine_that_misbehaves_is_not_believed, .timeout = 30)
{
	static const enum fake_vice vices[] = {FAKE_UNSEALED, FAKE_SHORT, FAKE_WRONG_MAGIC,
					       FAKE_GARBLES};

	for (size_t k = 0; k < sizeof(vices) / sizeof(vices[0]); k++) {
		struct setup s = setup_open((struct weir_options){0});
		static struct fake_log log;
		struct fake fake;
		memset(&log, 0, sizeof(log));
		cr_assert_eq(weir_emit(s.w, s.series, 1), 0);
		fake_start(&fake, s.path, &log);
		fake.vice = vices[k];
		clock_skip(1);
		for (int i = 0; i < 100 && !weir_refusal(s.w)[0]; i++) {
			cr_assert_neq(weir_poll(s.w), 1);
			fake_step(&fake);
		}
		cr_assert_str_neq(weir_refusal(s.w), "", "vice %d", vices[k]);
		cr_assert_eq(weir_poll(s.w), -EPROTO);
		cr_assert_eq(weir_emit(s.w, s.series, 1), 0);
		cr_assert_eq(ledger_of(s.w).persisted, 0);
		fake_stop(&fake);
		setup_close(&s);
	}
}

Test(attach, an_engine_that_hangs_holds_nobody)
{
	struct setup s = setup_open((struct weir_options){.ring_events = 64});
	static struct fake_log log;
	struct fake fake;

	fake_start(&fake, s.path, &log);
	fake.vice = FAKE_SILENT;
	clock_skip(1);
	for (int i = 0; i < 20000; i++) {
		weir_emit(s.w, s.series, 1);
		if (i % 100 == 0)
			fake_step(&fake);
	}
	cr_assert_eq(weir_poll(s.w), 0);
	cr_assert_eq(ledger_of(s.w).attempted, 20000);
	fake.vice = FAKE_HONEST;
	cr_assert(attach(&s, &fake));
	fake_drain(&fake, UINT64_MAX);
	cr_assert_eq(ledger_of(s.w).persisted, 64);
	fake_stop(&fake);
	setup_close(&s);
}

/* A daemon that closes all descriptors, and gets the numbers for files of its own. */
Test(attach, numbers_that_are_the_applications_now_are_left_alone)
{
	static struct fake_log log;
	struct fake fake;
	struct setup s = setup_open_with(&fake, &log, (struct weir_options){0});
	int files[64], count = 0;

	weir_emit(s.w, s.series, 1);
	cr_assert(attach(&s, &fake));
	for (int fd = 3; fd < 64; fd++) {
		char link[64], target[128] = {0};
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (readlink(link, target, sizeof(target) - 1) > 0 && strstr(target, "weir-"))
			close(fd);
	}
	while (count < 64 && (files[count] = open("/dev/null", O_RDONLY)) < 64)
		count++;
	for (int i = 0; i < 100; i++)
		weir_emit(s.w, s.series, 1);
	weir_poll(s.w);
	fake_stop(&fake);
	weir_poll(s.w);
	fake_start(&fake, s.path, &log);
	clock_skip(1);
	cr_assert_eq(weir_poll(s.w), -EBADF);
	cr_assert_str_neq(weir_refusal(s.w), "");
	fake_step(&fake);
	setup_close(&s);
	for (int i = 0; i < count; i++)
		cr_assert_geq(fcntl(files[i], F_GETFD), 0);
	cr_assert_null(fake.wrong, "%s", fake.wrong);
	fake_stop(&fake);
}

Test(attach, the_standard_streams_numbers_are_never_taken)
{
	fflush(NULL);
	int kept = dup(1);
	close(0);
	close(1);
	struct setup s = setup_open((struct weir_options){0});
	weir_emit(s.w, s.series, 1);
	cr_assert_eq(fcntl(0, F_GETFD), -1);
	cr_assert_eq(fcntl(1, F_GETFD), -1);
	setup_close(&s);
	dup2(kept, 1);
	dup2(kept, 0);
}
