/*
 * log: one line to stderr for people.
 *
 * Idea:  stages return errors and count; only the edge speaks. A line is one write(2), so lines of
 *        several threads do not mix. Each call site may say ten lines a second: an error in a loop
 *        costs a counter, not a disk.
 * Runs on: any thread; a mutex orders the rate limiter. Not for hot paths.
 * Never: fails its caller; lets a control character from outside start a line of its own.
 */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINES_PER_S 10
#define LINE_BYTES 1024

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum log_level level_max = LOG_INFO; /* under lock */

static const char *program = "weird";

void log_set_program(const char *name)
{
	program = name;
}

void log_set_level(enum log_level level)
{
	pthread_mutex_lock(&lock);
	level_max = level;
	pthread_mutex_unlock(&lock);
}

/* Whether the site may speak now; *ret_held: lines that were held back before this one. */
static bool admit(struct log_site *site, enum log_level level, uint32_t *ret_held)
{
	struct timespec ts;
	bool say = false;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	pthread_mutex_lock(&lock);
	if (level <= level_max) {
		uint64_t now_s = (uint64_t)ts.tv_sec + 1; /* 0 is a site that never spoke */

		if (site->window_s != now_s) {
			site->window_s = now_s;
			site->lines = 0;
		}
		say = site->lines < LINES_PER_S;
		if (say) {
			site->lines++;
			*ret_held = site->dropped;
			site->dropped = 0;
		} else {
			site->dropped++;
		}
	}
	pthread_mutex_unlock(&lock);
	return say;
}

void log_line(struct log_site *site, enum log_level level, const char *part, const char *format,
	      ...)
{
	int errno_was = errno; /* callers log first and return -errno after */
	char line[LINE_BYTES];
	uint32_t held = 0;
	int used;

	if (!admit(site, level, &held))
		return;
	if (getenv("JOURNAL_STREAM"))
		used = snprintf(line, sizeof(line), "<%d>%s: ", (int)level, part);
	else
		used = snprintf(line, sizeof(line), "%s: %s: ", program, part);
	size_t end = used < 0 ? 0 : (size_t)used;

	if (end >= sizeof(line))
		end = sizeof(line) - 1;
	va_list arguments;

	va_start(arguments, format);
	/* Room is kept for the note and the newline; a longer text is cut. */
	size_t room = sizeof(line) - end > 64 ? sizeof(line) - end - 64 : 1;

	errno = errno_was; /* %m */
	vsnprintf(line + end, room, format, arguments);
	va_end(arguments);
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	end = strlen(line);
	if (held)
		end += (size_t)snprintf(line + end, sizeof(line) - end - 1,
					" (%u more like this were held back)", held);
	line[end++] = '\n';
	/* Nobody to tell when stderr is gone. */
	if (write(STDERR_FILENO, line, end) < 0)
		errno = errno_was;
	errno = errno_was;
}
