/*
 * setup: what the client's tests begin with: a small handle on a socket of its own, one series,
 * and the equation that must always hold.
 */
#ifndef TEST_SETUP_H
#define TEST_SETUP_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake.h"
#include "weir/weir.h"

struct setup {
	char path[108];
	weir *w;
	int series;
};

/* Zero fields of `options` become small ones. */
static inline void setup_open_at(struct setup *setup, struct weir_options options)
{
	options.size = sizeof(options);
	options.socket_path = setup->path;
	options.ring_events = options.ring_events ? options.ring_events : 256;
	options.series_max = options.series_max ? options.series_max : 64;
	options.table_bytes = options.table_bytes ? options.table_bytes : 32768;
	cr_assert_eq(weir_open(&options, &setup->w), 0);
	setup->series = weir_series(setup->w, WEIR_PURCHASE, NULL, WEIR_KIND_NUMBER, NULL, 0);
	cr_assert_eq(setup->series, 1);
}

/* A handle on a socket in a fresh directory, where nobody listens. */
static inline struct setup setup_open(struct weir_options options)
{
	struct setup setup = {0};

	fake_path(setup.path, sizeof(setup.path));
	setup_open_at(&setup, options);
	return setup;
}

/* The same, with an engine listening before the handle opens: nobody waits for a second try. */
static inline struct setup setup_open_with(struct fake *fake, struct fake_log *log,
					   struct weir_options options)
{
	struct setup setup = {0};

	fake_path(setup.path, sizeof(setup.path));
	fake_start(fake, setup.path, log);
	setup_open_at(&setup, options);
	return setup;
}

static inline void setup_close(struct setup *setup)
{
	weir_close(setup->w, 0);
	unlink(setup->path);
	*strrchr(setup->path, '/') = '\0';
	rmdir(setup->path);
}

/* The ledger, with its equation checked. */
static inline struct weir_ledger ledger_of(weir *w)
{
	struct weir_ledger l;

	weir_ledger(w, &l);
	cr_assert_eq(l.attempted, l.published + l.dropped);
	cr_assert_eq(l.dropped, l.dropped_full + l.dropped_timeout + l.dropped_no_ring +
					l.dropped_reentrant + l.dropped_invalid);
	cr_assert_leq(l.durable, l.persisted);
	cr_assert_leq(l.persisted + l.rejected + l.lost, l.published);
	return l;
}

static inline int open_descriptors(void)
{
	int count = 0;
	DIR *directory = opendir("/proc/self/fd");

	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

#endif
