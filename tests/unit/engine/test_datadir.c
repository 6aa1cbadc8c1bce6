/* The data directory of engines with a log, of engines without one, and of one after the other. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "datadir.h"

static char path[64];
static char why[500];

static void make(void)
{
	snprintf(path, sizeof(path), "/tmp/weir-datadir-XXXXXX");
	cr_assert(mkdtemp(path));
}

static void destroy(void)
{
	char command[100];
	snprintf(command, sizeof(command), "rm -rf %s", path);
	cr_assert_eq(system(command), 0);
}

static int open_and_close(bool keep, struct datadir *datadir)
{
	int r = datadir_open(path, 0, keep, datadir, why, sizeof(why));
	if (r == 0) {
		struct datadir opened = *datadir;
		datadir_close(&opened);
	}
	return r;
}

static void put(const char *name)
{
	char file[100];
	snprintf(file, sizeof(file), "%s/%s", path, name);
	int fd = open(file, O_WRONLY | O_CREAT, 0600);
	cr_assert_geq(fd, 0);
	close(fd);
}

static void put_directory(const char *name)
{
	char file[100];
	snprintf(file, sizeof(file), "%s/%s", path, name);
	cr_assert_eq(mkdir(file, 0700), 0);
}

static bool there(const char *name)
{
	char file[100];
	snprintf(file, sizeof(file), "%s/%s", path, name);
	return access(file, F_OK) == 0;
}

TestSuite(datadir, .init = make, .fini = destroy);

Test(datadir, keeps_its_name_where_a_log_is_kept)
{
	struct datadir first, second;

	cr_assert_eq(open_and_close(true, &first), 0, "%s", why);
	put("weir.db");
	cr_assert_eq(open_and_close(true, &second), 0, "%s", why);
	cr_assert_arr_eq(first.uuid, second.uuid, sizeof(first.uuid));
	cr_assert(!second.emptied && there("weir.db"));
}

Test(datadir, with_a_log_in_it_is_refused_to_an_engine_that_keeps_none)
{
	struct datadir datadir;

	cr_assert_eq(open_and_close(true, &datadir), 0, "%s", why);
	put("weir.db");
	cr_assert_eq(open_and_close(false, &datadir), -EEXIST);
	cr_assert(strstr(why, "log.io"), "%s", why);
	cr_assert(there("weir.db") && there("store.id") && !there("NOT-KEPT"));
}

/* A copy or a restore may lack the name, or all but one lane. */
Test(datadir, with_any_part_of_a_store_in_it_is_refused_to_an_engine_that_keeps_none)
{
	static const char *const parts[] = {"control", "checkpoint", "lane-00", "lane-63",
					    "weir.db", "history.db"};
	struct datadir datadir;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		destroy();
		make();
		put_directory(parts[i]);
		cr_assert_eq(open_and_close(false, &datadir), -EEXIST, "%s", parts[i]);
		cr_assert(strstr(why, parts[i]), "%s", why);
		cr_assert(!there("NOT-KEPT") && !there("store.id"));
	}
	destroy();
	make();
	put("mine");
	put_directory("lane-of-mine");
	cr_assert_eq(open_and_close(false, &datadir), 0, "%s", why);
}

Test(datadir, that_is_marked_and_holds_a_log_is_emptied_by_nobody)
{
	struct datadir datadir;

	cr_assert_eq(open_and_close(false, &datadir), 0, "%s", why);
	put("weir.db");
	put_directory("lane-03");
	for (int keep = 0; keep < 2; keep++) {
		cr_assert_eq(open_and_close(keep, &datadir), -EEXIST);
		cr_assert(strstr(why, "NOT-KEPT") && strstr(why, "lane-03"), "%s", why);
		cr_assert(there("weir.db") && there("store.id") && there("NOT-KEPT"));
	}
}

Test(datadir, of_an_engine_that_kept_none_is_emptied_by_the_next_one)
{
	static const char *const names[] = {"weir.db", "weir.db-wal", "history.db"};
	struct datadir first, second;

	for (int keep = 0; keep < 2; keep++) {
		cr_assert_eq(open_and_close(false, &first), 0, "%s", why);
		cr_assert(there("NOT-KEPT"));
		for (size_t i = 0; i < 3; i++)
			put(names[i]);
		put("mine");
		cr_assert_eq(open_and_close(keep, &second), 0, "%s", why);
		cr_assert(second.emptied);
		for (size_t i = 0; i < 3; i++)
			cr_assert(!there(names[i]), "%s", names[i]);
		cr_assert(there("mine"), "only what is its own");
		cr_assert_eq(there("NOT-KEPT"), !keep);
		cr_assert(memcmp(first.uuid, second.uuid, sizeof(first.uuid)), "another store");
	}
}
