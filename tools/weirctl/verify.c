/*
 * verify: see verify.h. This file opens the data directory, keeps the order, writes the report.
 *
 * The order: list all logs; find the good blocks of the control log, follow its chain and read it,
 * because it explains the lanes; the same for these; look whether the closes are covered by marks.
 */
#include "verify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "verify_private.h"

#define LINES_MAX 1000

void verify_say(struct verify *verify, enum verify_kind kind, const char *format, ...)
{
	struct verify_report *report = verify->report;
	struct verify_lines *lines = kind == VERIFY_NOTE ? &report->notes : &report->findings;
	uint32_t most = verify->options.lines_max ? verify->options.lines_max : LINES_MAX;
	va_list arguments;

	if (kind != VERIFY_NOTE)
		report->ok = false;
	if (kind == VERIFY_LEDGER)
		report->ledger_ok = false;
	if (lines->count >= most || !verify_grow(&lines->line, lines->count, sizeof(char *))) {
		lines->more++;
		return;
	}
	va_start(arguments, format);
	if (vasprintf(&lines->line[lines->count], format, arguments) < 0)
		lines->more++;
	else
		lines->count++;
	va_end(arguments);
}

bool verify_grow(void *array, uint64_t count, size_t size)
{
	void **at = array;

	if (count & (count - 1))
		return true;
	void *grown = reallocarray(*at, count ? count * 2 : 1, size);
	if (!grown)
		return false;
	*at = grown;
	return true;
}

static int open_log(struct verify *verify, const char *name, uint16_t lane)
{
	int fd = openat(verify->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0) {
		snprintf(verify->why, verify->why_bytes, "%s: %s", name, strerror(errno));
		return -errno;
	}
	struct verify_log *log = &verify->logs[verify->logs_count++];
	snprintf(log->directory, sizeof(log->directory), "%s", name);
	log->fd = fd;
	log->open_fd = -1;
	log->lane = lane;
	log->series = calloc(WEIR_SERIES_MAX / 8 + 1, 1);
	if (!log->series)
		return -ENOMEM;
	return verify_log_list(verify, log);
}

/* Lanes first, in their order, then the control log. */
static int open_logs(struct verify *verify)
{
	char name[16];
	int error = 0;

	for (uint16_t lane = 0; lane < WEIR_LANES_MAX && !error; lane++) {
		snprintf(name, sizeof(name), "lane-%02u", lane);
		if (faccessat(verify->fd, name, F_OK, 0) == 0)
			error = open_log(verify, name, lane);
	}
	if (error)
		return error;
	verify->report->lanes = verify->logs_count;
	if (faccessat(verify->fd, "control", F_OK, 0) == 0)
		return open_log(verify, "control", WEIR_LANE_CONTROL);
	if (verify->logs_count == 0) {
		snprintf(verify->why, verify->why_bytes,
			 "no lane-00 and no control log: this is no data directory of weir");
		return -ENOENT;
	}
	verify_say(verify, VERIFY_FINDING, "control: there is no control log");
	return 0;
}

static int find_chain(struct verify *verify, struct verify_log *log)
{
	int error = verify_log_scan(verify, log);

	return error ? error : verify_log_chain(verify, log);
}

static int verify_all(struct verify *verify)
{
	int error = open_logs(verify);
	const uint32_t lanes = verify->report->lanes;

	if (!error && lanes < verify->logs_count) {
		error = find_chain(verify, &verify->logs[lanes]);
		if (!error && verify_control(verify, &verify->logs[lanes]) < 0)
			error = -ENOMEM;
	}
	for (uint32_t i = 0; i < lanes && !error; i++)
		error = find_chain(verify, &verify->logs[i]);
	if (error)
		return error;
	if (verify_lanes(verify) < 0)
		return -ENOMEM;
	verify_closes(verify);
	verify_ring_totals(verify);
	return 0;
}

static void forget(struct verify *verify)
{
	for (uint32_t i = 0; i < verify->logs_count; i++) {
		struct verify_log *log = &verify->logs[i];
		close(log->fd);
		if (log->open_fd >= 0)
			close(log->open_fd);
		free(log->files);
		free(log->places);
		free(log->claims);
		free(log->marks);
		free(log->series);
	}
	close(verify->fd);
	free(verify->epochs);
	free(verify->closes);
	free(verify->rings);
	free(verify->definitions);
	free(verify->buffer);
	free(verify);
}

int verify_directory(const char *path, const struct verify_options *options,
		     struct verify_report *ret_report, char *why, size_t why_bytes)
{
	struct verify *verify = calloc(1, sizeof(*verify));

	*ret_report = (struct verify_report){.ok = true, .ledger_ok = true};
	snprintf(why, why_bytes, "out of memory");
	if (!verify)
		return -ENOMEM;
	if (options)
		verify->options = *options;
	verify->report = ret_report;
	verify->why = why;
	verify->why_bytes = why_bytes;
	verify->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (verify->fd < 0) {
		int error = -errno;
		snprintf(why, why_bytes, "%s: %s", path, strerror(-error));
		free(verify);
		return error;
	}
	verify->definitions = calloc(WEIR_SERIES_MAX + 1, sizeof(uint64_t));
	verify->buffer = malloc(VERIFY_BUFFER_BYTES);
	int error = verify->definitions && verify->buffer ? verify_all(verify) : -ENOMEM;
	forget(verify);
	if (error)
		verify_report_free(ret_report);
	else
		why[0] = '\0';
	return error;
}

static void free_lines(struct verify_lines *lines)
{
	for (uint32_t i = 0; i < lines->count; i++)
		free(lines->line[i]);
	free(lines->line);
}

void verify_report_free(struct verify_report *report)
{
	free_lines(&report->findings);
	free_lines(&report->notes);
	*report = (struct verify_report){0};
}
