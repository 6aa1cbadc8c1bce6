/* log: one line to stderr, at most ten a second from one place. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

static char said[65536];
static int was;

/* stderr goes to memory while a test speaks. */
static void listen_begin(void)
{
	int fd = memfd_create("stderr", 0);

	was = dup(STDERR_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

static const char *listen_end(void)
{
	ssize_t got = pread(STDERR_FILENO, said, sizeof(said) - 1, 0);

	dup2(was, STDERR_FILENO);
	close(was);
	said[got < 0 ? 0 : got] = '\0';
	return said;
}

static int lines(const char *text)
{
	int count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

/* Into the first tenth of a second, so that a burst does not straddle two. */
static void wait_for_a_fresh_second(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	if (ts.tv_nsec < 700000000)
		return;
	ts = (struct timespec){.tv_nsec = 1000000000 - ts.tv_nsec};
	nanosleep(&ts, NULL);
}

Test(log, says_program_part_and_text_on_a_terminal)
{
	unsetenv("JOURNAL_STREAM");
	listen_begin();
	log_warning("redis", "away since %d s", 5);
	cr_assert_str_eq(listen_end(), "weird: redis: away since 5 s\n");
}

Test(log, says_priority_and_part_under_a_service_manager)
{
	setenv("JOURNAL_STREAM", "8:12345", 1);
	listen_begin();
	log_error("log", "disk full");
	log_info("log", "space again");
	cr_assert_str_eq(listen_end(), "<3>log: disk full\n<6>log: space again\n");
}

Test(log, holds_back_more_than_ten_lines_a_second_and_says_how_many)
{
	struct timespec next = {.tv_sec = 1, .tv_nsec = 50000000};

	unsetenv("JOURNAL_STREAM");
	wait_for_a_fresh_second();
	listen_begin();
	for (int i = 0; i < 101; i++) {
		if (i == 100)
			nanosleep(&next, NULL);
		log_error("loop", "failed %d", i);
	}
	listen_end();
	cr_assert_eq(lines(said), 11, "%s", said);
	cr_assert_not_null(strstr(said, "failed 9\n"));
	cr_assert_not_null(strstr(said, "failed 100 (90 more like this were held back)\n"), "%s",
			   said);
}

Test(log, one_noisy_place_does_not_silence_another)
{
	unsetenv("JOURNAL_STREAM");
	listen_begin();
	for (int i = 0; i < 50; i++)
		log_error("a", "noise");
	log_error("b", "signal");
	cr_assert_not_null(strstr(listen_end(), "weird: b: signal\n"));
}

Test(log, keeps_to_one_line_whatever_the_text_brings)
{
	unsetenv("JOURNAL_STREAM");
	listen_begin();
	log_error("attach", "refused %s", "a\nweird: all is well\x1b[2J");
	listen_end();
	cr_assert_eq(lines(said), 1);
	cr_assert_null(strchr(said, '\x1b'));
}

Test(log, cuts_what_is_too_long)
{
	static char text[5000];

	unsetenv("JOURNAL_STREAM");
	memset(text, 'x', sizeof(text) - 1);
	listen_begin();
	log_error("config", "%s", text);
	listen_end();
	cr_assert_eq(lines(said), 1);
	cr_assert_lt(strlen(said), 1025);
	cr_assert_gt(strlen(said), 900);
}

Test(log, leaves_errno_as_it_was_and_prints_it)
{
	unsetenv("JOURNAL_STREAM");
	listen_begin();
	errno = ENOSPC;
	log_error("log", "write: %m");
	cr_assert_eq(errno, ENOSPC);
	cr_assert_not_null(strstr(listen_end(), strerror(ENOSPC)));
}

Test(log, a_lower_level_is_not_said)
{
	listen_begin();
	log_set_level(LOG_ERROR);
	log_warning("a", "not heard");
	log_error("a", "heard");
	listen_end();
	cr_assert_null(strstr(said, "not heard"));
	cr_assert_not_null(strstr(said, "heard"));
}
