/*
 * test_store: what goes into the store comes out to the bit, whole transactions or nothing.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "deliver/payload.h"
#include "deliver/store.h"
#include "fault_vfs.h"
#include "sample.h"

struct list {
	struct anomaly *anomaly;
	uint32_t count, capacity;
	uint32_t stop_after;
};

static int collect(void *self, const struct anomaly *anomaly)
{
	struct list *list = self;
	if (list->count == list->capacity) {
		list->capacity = list->capacity ? list->capacity * 2 : 8;
		list->anomaly = realloc(list->anomaly, list->capacity * sizeof(*anomaly));
	}
	list->anomaly[list->count++] = *anomaly;
	return list->stop_after && list->count == list->stop_after;
}

static struct store *open_store(const char *path)
{
	struct store *store;
	char why[256] = "";
	cr_assert_eq(store_open(path, &store, why, sizeof(why)), 0, "%s", why);
	return store;
}

static struct list read_all(const char *path, const struct store_query *query)
{
	struct store_reader *reader;
	struct list list = {0};
	cr_assert_eq(store_reader_open(path, &reader), 0);
	cr_assert_eq(store_anomalies(reader, query, collect, &list), 0);
	store_reader_close(reader);
	return list;
}

static void read_again(struct list *list, const char *path, const struct store_query *query)
{
	free(list->anomaly);
	*list = read_all(path, query);
}

static void store_one(struct store *store, uint64_t sequence, const struct anomaly *anomaly)
{
	cr_assert_eq(store_begin(store), 0);
	cr_assert_eq(store_add(store, sequence, anomaly), 0);
	cr_assert_eq(store_commit(store, sequence), 0);
}

Test(store, gives_every_revision_back_to_the_bit_also_after_reopening)
{
	const char *directory = sample_directory();
	char path[128];
	snprintf(path, sizeof(path), "%s/weir.db", directory);
	struct anomaly *in = calloc(200, sizeof(*in));
	uint64_t seed = 20260101, published = 0;
	struct store *store = open_store(path);
	for (int i = 0; i < 200; i++) {
		sample_any(&in[i], &seed);
		published += store_publishes(&in[i]);
		if (i % 10 == 0)
			cr_assert_eq(store_begin(store), 0);
		cr_assert_eq(store_add(store, (uint64_t)i / 10 + 1, &in[i]), 0);
		if (i % 10 == 9)
			cr_assert_eq(store_commit(store, (uint64_t)i / 10 + 1), 0);
	}
	store_close(store);
	store = open_store(path);
	cr_assert_eq(store_scored_through(store), 20);
	cr_assert_eq(store_outbox_rows(store), published);
	struct list out = read_all(path, &(struct store_query){.revisions = true});
	cr_assert_eq(out.count, 200);
	for (int i = 0; i < 200; i++)
		cr_assert(sample_equal(&in[i], &out.anomaly[i]), "revision %d differs", i);
	store_close(store);
	free(out.anomaly);
	free(in);
	sample_remove(directory);
}

Test(store, works_in_memory)
{
	struct anomaly anomaly;
	struct store *store = open_store(":memory:");
	sample_anomaly(&anomaly);
	store_one(store, 1, &anomaly);
	cr_assert_eq(store_outbox_rows(store), 1);
	store_close(store);
}

Test(store, ignores_what_comes_at_or_below_scored_through)
{
	const char *directory = sample_directory();
	char path[128];
	snprintf(path, sizeof(path), "%s/weir.db", directory);
	struct anomaly anomaly;
	struct store *store = open_store(path);
	sample_anomaly(&anomaly);
	store_one(store, 5, &anomaly);
	for (uint64_t sequence = 1; sequence <= 5; sequence++) {
		anomaly.revision = 10 + (uint32_t)sequence;
		store_one(store, sequence, &anomaly);
	}
	cr_assert_eq(store_scored_through(store), 5, "an older commit must not move it back");
	cr_assert_eq(store_outbox_rows(store), 1);
	anomaly.revision = 2;
	store_one(store, 6, &anomaly);
	cr_assert_eq(store_outbox_rows(store), 2);
	store_close(store);
	sample_remove(directory);
}

Test(store, keeps_a_revision_once_and_an_empty_transaction_moves_the_mark)
{
	const char *directory = sample_directory();
	char path[128];
	snprintf(path, sizeof(path), "%s/weir.db", directory);
	struct anomaly anomaly;
	struct store *store = open_store(path);
	sample_anomaly(&anomaly);
	store_one(store, 1, &anomaly);
	store_one(store, 2, &anomaly);
	cr_assert_eq(store_outbox_rows(store), 1);
	cr_assert_eq(store_begin(store), 0);
	cr_assert_eq(store_commit(store, 9), 0);
	cr_assert_eq(store_scored_through(store), 9);
	store_close(store);
	sample_remove(directory);
}

Test(store, hands_the_outbox_out_in_order_until_it_is_acknowledged)
{
	const char *directory = sample_directory();
	char path[128];
	snprintf(path, sizeof(path), "%s/weir.db", directory);
	struct anomaly in, out;
	struct store *store = open_store(path);
	struct store_reader *reader;
	uint64_t row = 0, first = 0;
	cr_assert_eq(store_reader_open(path, &reader), 0);
	cr_assert_eq(store_outbox_next(reader, 0, &row, &out), 0, "empty");
	sample_anomaly(&in);
	for (uint32_t i = 1; i <= 5; i++) {
		in.revision = i;
		store_one(store, i, &in);
	}
	for (uint32_t i = 1; i <= 5; i++) {
		uint64_t before = row;
		cr_assert_eq(store_outbox_next(reader, before, &row, &out), 1);
		cr_assert_gt(row, before);
		in.revision = i;
		cr_assert(sample_equal(&in, &out));
		first = i == 1 ? row : first;
	}
	cr_assert_eq(store_outbox_next(reader, row, &row, &out), 0, "the end");
	cr_assert_eq(store_acknowledge(store, first + 2), 0);
	cr_assert_eq(store_outbox_rows(store), 2);
	cr_assert_eq(store_outbox_next(reader, 0, &row, &out), 1);
	cr_assert_eq(out.revision, 4);
	cr_assert_eq(store_acknowledge(store, row + 1), 0);
	cr_assert_eq(store_outbox_rows(store), 0);
	/* The number of a forgotten row is not used again: the publisher's cursor is beyond it. */
	store_reader_close(reader);
	store_close(store);
	store = open_store(path);
	in.revision = 6;
	store_one(store, 6, &in);
	cr_assert_eq(store_reader_open(path, &reader), 0);
	uint64_t after = row + 1;
	cr_assert_eq(store_outbox_next(reader, after, &row, &out), 1);
	cr_assert_gt(row, after);
	cr_assert_eq(out.revision, 6);
	store_reader_close(reader);
	store_close(store);
	sample_remove(directory);
}

static int64_t number_of(const char *path, const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *statement;
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_step(statement), SQLITE_ROW);
	int64_t number = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return number;
}

/* Redis may be away for weeks, and nothing is dropped for it: so what waits must be no second copy
 * of what the store keeps anyway, however long an alert is. */
Test(store, keeps_for_an_alert_that_waits_a_few_bytes_beside_its_revision)
{
	const char *directory = sample_directory();
	char path[128];
	snprintf(path, sizeof(path), "%s/weir.db", directory);
	const uint32_t waiting = 20000;
	struct anomaly anomaly;
	struct store *store = open_store(path);
	sample_anomaly(&anomaly);
	cr_assert_eq(store_begin(store), 0);
	for (uint32_t i = 1; i <= waiting; i++) {
		anomaly.id[1] = i;
		cr_assert_eq(store_add(store, 1, &anomaly), 0);
	}
	cr_assert_eq(store_commit(store, 1), 0);
	cr_assert_eq(store_outbox_rows(store), waiting);
	int64_t free_before = number_of(path, "PRAGMA freelist_count");
	cr_assert_eq(store_acknowledge(store, INT64_MAX), 0);
	int64_t page_bytes = number_of(path, "PRAGMA page_size");
	int64_t bytes = (number_of(path, "PRAGMA freelist_count") - free_before) * page_bytes;
	cr_assert_gt(bytes, 0);
	cr_assert_leq(bytes, 32 * waiting, "%lld bytes for %u", (long long)bytes, waiting);
	store_close(store);
	sample_remove(directory);
}

/* The ids and revisions that the outbox holds, as "1.2 7.1". */
static const char *outbox(const char *path)
{
	static char text[256];
	struct store_reader *reader;
	struct anomaly anomaly;
	uint64_t row = 0;
	text[0] = '\0';
	cr_assert_eq(store_reader_open(path, &reader), 0);
	while (store_outbox_next(reader, row, &row, &anomaly) == 1)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%llu.%u",
			 text[0] ? " " : "", (unsigned long long)anomaly.id[0], anomaly.revision);
	store_reader_close(reader);
	return text;
}

static void store_revision(struct store *store, uint64_t sequence, uint64_t id, uint32_t revision,
			   bool muted)
{
	struct anomaly anomaly;
	sample_anomaly(&anomaly);
	anomaly.id[0] = id;
	anomaly.revision = revision;
	anomaly.muted = muted;
	store_one(store, sequence, &anomaly);
}

Test(store, keeps_from_the_outbox_what_is_muted_pending_or_never_fired)
{
	const char *directory = sample_directory();
	char path[128];
	snprintf(path, sizeof(path), "%s/weir.db", directory);
	struct store *store = open_store(path);
	struct anomaly anomaly;
	store_revision(store, 1, 1, 1, true);
	store_revision(store, 2, 2, 1, false);
	sample_anomaly(&anomaly);
	anomaly.id[0] = 3;
	anomaly.state = ANOMALY_PENDING;
	anomaly.fired = false;
	store_one(store, 3, &anomaly);
	anomaly.state = ANOMALY_RESOLVED;
	anomaly.revision = 2;
	store_one(store, 4, &anomaly);
	cr_assert_str_eq(outbox(path), "2.1");
	cr_assert_eq(store_outbox_rows(store), 1);
	struct list list = read_all(path, &(struct store_query){.revisions = true});
	cr_assert_eq(list.count, 4);
	read_again(&list, path, &(struct store_query){0});
	cr_assert_eq(list.count, 2, "what went before it fired is not listed");
	read_again(&list, path, &(struct store_query){.pending = true});
	cr_assert_eq(list.count, 3);
	read_again(&list, path,
		   &(struct store_query){.revisions = true, .states = 1u << ANOMALY_PENDING});
	cr_assert_eq(list.count, 1);
	free(list.anomaly);
	store_close(store);
	sample_remove(directory);
}

Test(store, releases_the_last_revision_once_and_behind_what_was_told_meanwhile)
{
	const char *directory = sample_directory();
	char path[128];
	snprintf(path, sizeof(path), "%s/weir.db", directory);
	struct store *store = open_store(path);
	uint64_t row = 0, id[2] = {1, 0xfedcba9876543210}, unknown[2] = {9, 9};
	struct anomaly anomaly;
	struct store_reader *reader;
	store_revision(store, 1, 1, 1, true);
	store_revision(store, 2, 1, 2, true);
	store_revision(store, 3, 2, 1, false);
	cr_assert_str_eq(outbox(path), "2.1");
	/* Redis has heard of all there was: numbers go on behind that. */
	cr_assert_eq(store_reader_open(path, &reader), 0);
	while (store_outbox_next(reader, row, &row, &anomaly) == 1)
		;
	cr_assert_eq(store_acknowledge(store, row), 0);
	for (int twice = 0; twice < 2; twice++) {
		cr_assert_eq(store_begin(store), 0);
		cr_assert_eq(store_release(store, 4, 0, id), 0);
		cr_assert_eq(store_release(store, 4, 0, unknown), 0);
		cr_assert_eq(store_commit(store, 4), 0);
		cr_assert_eq(store_outbox_rows(store), 1);
	}
	uint64_t last = row;
	cr_assert_eq(store_outbox_next(reader, row, &row, &anomaly), 1);
	cr_assert_eq(anomaly.revision, 2);
	cr_assert_gt(row, last);
	store_reader_close(reader);
	store_close(store);
	sample_remove(directory);
}

Test(store, takes_a_store_of_the_first_version_over)
{
	static const char before[] =
		"CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
		"CREATE TABLE revision (row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL,"
		" revision INTEGER NOT NULL, sequence INTEGER NOT NULL, group_id TEXT NOT NULL,"
		" state INTEGER NOT NULL, severity REAL NOT NULL, severity_peak REAL NOT NULL,"
		" source TEXT NOT NULL, metric TEXT NOT NULL, detector TEXT NOT NULL,"
		" kind TEXT NOT NULL, slice TEXT NOT NULL, direction INTEGER NOT NULL,"
		" interval_ms INTEGER NOT NULL, start INTEGER NOT NULL, interval INTEGER NOT NULL,"
		" peak_interval INTEGER NOT NULL, end_ms INTEGER NOT NULL, observed REAL NOT NULL,"
		" expected REAL NOT NULL, lower REAL NOT NULL, upper REAL NOT NULL,"
		" log10_p REAL NOT NULL, incomplete INTEGER NOT NULL, UNIQUE (id, revision));"
		"CREATE INDEX revision_end ON revision (end_ms);"
		"CREATE TABLE contribution (row INTEGER NOT NULL, position INTEGER NOT NULL,"
		" dimension TEXT NOT NULL, value TEXT NOT NULL, share REAL NOT NULL,"
		" observed REAL NOT NULL, expected REAL NOT NULL, PRIMARY KEY (row, position))"
		" WITHOUT ROWID;"
		"CREATE TABLE outbox (row INTEGER PRIMARY KEY);"
		"INSERT INTO meta VALUES ('scored_through', 17); PRAGMA user_version = 1;"
		"INSERT INTO revision VALUES (41, '0000000000000005fedcba9876543210', 1, 16,"
		" '00000000000000000000000000000001', 0, 80, 80, 'live', 'orders', 'd', 'window', '',"
		" 1, 1000, 1, 2, 2, 3000, 1, 2, 3, 4, -5, 0);"
		"INSERT INTO revision VALUES (42, '0000000000000006fedcba9876543210', 1, 17,"
		" '00000000000000000000000000000001', 0, 80, 80, 'live', 'orders', 'd', 'window', '',"
		" 1, 1000, 1, 2, 2, 3000, 1, 2, 3, 4, -5, 0);"
		"INSERT INTO outbox VALUES (41); INSERT INTO outbox VALUES (42);";
	const char *directory = sample_directory();
	char path[128];
	snprintf(path, sizeof(path), "%s/weir.db", directory);
	sqlite3 *db;
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, before, NULL, NULL, NULL), SQLITE_OK, "%s",
		     sqlite3_errmsg(db));
	sqlite3_close(db);
	struct store *store = open_store(path);
	cr_assert_eq(store_scored_through(store), 17);
	cr_assert_eq(store_outbox_rows(store), 2);
	cr_assert_str_eq(outbox(path), "5.1 6.1");
	struct list list = read_all(path, &(struct store_query){0});
	cr_assert_eq(list.count, 2);
	cr_assert(list.anomaly[0].fired && !list.anomaly[0].muted);
	struct store_reader *reader;
	struct anomaly anomaly;
	uint64_t row;
	cr_assert_eq(store_reader_open(path, &reader), 0);
	cr_assert_eq(store_outbox_next(reader, 0, &row, &anomaly), 1);
	cr_assert_gt(row, 42, "no number of the outbox is used again");
	store_reader_close(reader);
	free(list.anomaly);
	store_close(store);

	sample_remove(directory);
}

Test(store, answers_queries_by_peak_time_and_metric_newest_first)
{
	const char *directory = sample_directory();
	char path[128];
	snprintf(path, sizeof(path), "%s/weir.db", directory);
	struct store *store = open_store(path);
	struct anomaly anomaly;
	cr_assert_eq(store_begin(store), 0);
	for (uint32_t i = 0; i < 12; i++) {
		sample_anomaly(&anomaly);
		anomaly.id[0] = i / 2; /* two revisions each */
		anomaly.revision = i % 2 + 1;
		anomaly.state = i % 2 ? ANOMALY_RESOLVED : ANOMALY_FIRING;
		anomaly.severity_peak = 10 * (i / 2);
		anomaly.severity = i % 2 ? 0 : anomaly.severity_peak;
		anomaly.interval = 100 + i;
		strcpy(anomaly.metric, i < 6 ? "orders" : "revenue");
		cr_assert_eq(store_add(store, 1 + i / 4, &anomaly), 0);
	}
	cr_assert_eq(store_commit(store, 3), 0);

	struct list all = read_all(path, &(struct store_query){0});
	cr_assert_eq(all.count, 6);
	for (uint32_t i = 0; i < 6; i++) {
		cr_assert_eq(all.anomaly[i].id[0], 5 - i);
		cr_assert_eq(all.anomaly[i].revision, 2);
	}
	free(all.anomaly);
	struct list some = {0};
	read_again(&some, path, &(struct store_query){.severity_min = 30});
	cr_assert_eq(some.count, 3);
	read_again(&some, path, &(struct store_query){.severity_min = 30, .metric = "orders"});
	cr_assert_eq(some.count, 0);
	read_again(&some, path, &(struct store_query){.metric = "orders", .revisions = true});
	cr_assert_eq(some.count, 6);
	cr_assert_eq(some.anomaly[0].id[0], 0, "oldest first");
	read_again(&some, path, &(struct store_query){.limit = 2});
	cr_assert_eq(some.count, 2);
	cr_assert_eq(some.anomaly[0].id[0], 5);
	read_again(&some, path, &(struct store_query){.after_sequence = 1, .revisions = true});
	cr_assert_eq(some.count, 8, "four came with close 1");
	read_again(&some, path, &(struct store_query){.after_sequence = 3, .revisions = true});
	cr_assert_eq(some.count, 0);
	/* Interval 109 ends at 1,100,000 ms. */
	read_again(&some, path, &(struct store_query){.since_ms = 1100000, .revisions = true});
	cr_assert_eq(some.count, 2);
	read_again(&some, path, &(struct store_query){.since_ms = 1099999, .revisions = true});
	cr_assert_eq(some.count, 3);

	struct store_reader *reader;
	struct list stopped = {.stop_after = 2};
	cr_assert_eq(store_reader_open(path, &reader), 0);
	cr_assert_eq(store_anomalies(reader, &(struct store_query){0}, collect, &stopped), 0);
	cr_assert_eq(stopped.count, 2);
	free(stopped.anomaly);
	free(some.anomaly);
	store_reader_close(reader);
	store_close(store);
	sample_remove(directory);
}

/*
 * Break the n-th operation on the disk, for every n until none is left to break. At every n: the
 * transaction is there as a whole or not at all, and the same calls work once the disk does.
 */
static void break_every_operation(int result, bool stays)
{
	const char *directory = sample_directory();
	char path[128];
	struct anomaly anomaly;
	int n;
	fault_install();
	fault.result = result;
	for (n = 1; n < 200; n++) {
		struct store_query query = {.revisions = true};
		snprintf(path, sizeof(path), "%s/%d.db", directory, n);
		fault.countdown = 0;
		struct store *store = open_store(path);
		sample_anomaly(&anomaly);
		store_one(store, 1, &anomaly);
		long faults = fault.faults;
		fault.stays = stays;
		fault.countdown = n;
		int error = store_begin(store);
		for (uint32_t i = 2; i <= 4; i++) {
			anomaly.revision = i;
			int answer = store_add(store, 2, &anomaly);
			error = error ? error : answer;
		}
		int committed = store_commit(store, 2);
		cr_assert(!error || committed < 0, "n=%d: an error was forgotten", n);
		fault.countdown = 0;
		bool stored = committed == 0;
		cr_assert_eq(store_scored_through(store), stored ? 2 : 1);
		cr_assert_eq(store_outbox_rows(store), stored ? 4 : 1);
		struct list list = read_all(path, &query);
		cr_assert_eq(list.count, stored ? 4 : 1, "n=%d", n);
		free(list.anomaly);
		if (!stored) {
			cr_assert(committed == -ENOSPC || committed == -EIO, "%d", committed);
			cr_assert_eq(store_begin(store), 0);
			for (uint32_t i = 2; i <= 4; i++) {
				anomaly.revision = i;
				cr_assert_eq(store_add(store, 2, &anomaly), 0);
			}
			cr_assert_eq(store_commit(store, 2), 0);
		}
		store_close(store);
		store = open_store(path);
		cr_assert_eq(store_scored_through(store), 2);
		cr_assert_eq(store_outbox_rows(store), 4);
		store_close(store);
		if (fault.faults == faults)
			break;
	}
	cr_assert(n > 2 && n < 200, "%d faults tried", n);
	sample_remove(directory);
}

Test(store, survives_a_full_disk_at_every_operation)
{
	break_every_operation(SQLITE_FULL, true);
}

Test(store, survives_a_single_write_or_sync_error_at_every_operation)
{
	break_every_operation(SQLITE_IOERR, false);
}

Test(store, goes_on_when_a_file_that_may_not_grow_may_grow_again)
{
	const char *directory = sample_directory();
	char path[128];
	struct rlimit limit;
	struct anomaly anomaly;
	snprintf(path, sizeof(path), "%s/weir.db", directory);
	struct store *store = open_store(path);
	sample_anomaly(&anomaly);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	struct rlimit small = {.rlim_cur = 256 << 10, .rlim_max = limit.rlim_max};
	setrlimit(RLIMIT_FSIZE, &small);
	uint64_t sequence;
	int error = 0;
	for (sequence = 1; sequence < 1000 && !error; sequence++) {
		anomaly.revision = (uint32_t)sequence;
		cr_assert_eq(store_begin(store), 0);
		store_add(store, sequence, &anomaly);
		error = store_commit(store, sequence);
	}
	sequence--;
	cr_assert_lt(error, 0, "the file grew beyond its limit");
	cr_assert_eq(store_scored_through(store), sequence - 1);
	setrlimit(RLIMIT_FSIZE, &limit);
	store_one(store, sequence, &anomaly);
	cr_assert_eq(store_outbox_rows(store), sequence);
	store_close(store);
	sample_remove(directory);
}

Test(store, begins_anew_when_begun_twice)
{
	struct anomaly anomaly;
	struct store *store = open_store(":memory:");
	sample_anomaly(&anomaly);
	cr_assert_eq(store_begin(store), 0);
	cr_assert_eq(store_add(store, 1, &anomaly), 0);
	cr_assert_eq(store_begin(store), 0);
	anomaly.revision = 2;
	cr_assert_eq(store_add(store, 1, &anomaly), 0);
	cr_assert_eq(store_commit(store, 1), 0);
	cr_assert_eq(store_outbox_rows(store), 1);
	store_close(store);
}

Test(store, loses_nothing_committed_when_the_process_dies)
{
	const char *directory = sample_directory();
	char path[128];
	snprintf(path, sizeof(path), "%s/weir.db", directory);
	pid_t child = fork();
	if (child == 0) {
		struct store *store;
		char why[256];
		struct anomaly anomaly;
		if (store_open(path, &store, why, sizeof(why)) < 0)
			_exit(1);
		sample_anomaly(&anomaly);
		for (uint32_t i = 1; i <= 3; i++) {
			anomaly.revision = i;
			store_begin(store);
			store_add(store, i, &anomaly);
			if (i < 3 && store_commit(store, i) < 0)
				_exit(1);
		}
		kill(getpid(), SIGKILL);
	}
	int status;
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFSIGNALED(status));
	struct store *store = open_store(path);
	cr_assert_eq(store_scored_through(store), 2);
	cr_assert_eq(store_outbox_rows(store), 2);
	store_close(store);
	sample_remove(directory);
}

struct watch {
	const char *path;
	uint32_t stop;
	uint64_t looks, torn;
};

static void *watch_main(void *argument)
{
	struct watch *watch = argument;
	struct store_reader *reader;
	if (store_reader_open(watch->path, &reader) < 0) {
		watch->torn = 1000000;
		return NULL;
	}
	while (!__atomic_load_n(&watch->stop, __ATOMIC_ACQUIRE)) {
		struct list list = {0};
		if (store_anomalies(reader, &(struct store_query){.revisions = true}, collect,
				    &list) < 0 ||
		    list.count % 5 != 0)
			watch->torn++;
		for (uint32_t i = 0; i < list.count; i++)
			watch->torn += list.anomaly[i].contributions != 2;
		free(list.anomaly);
		watch->looks++;
	}
	store_reader_close(reader);
	return NULL;
}

Test(store, shows_readers_whole_transactions_while_it_writes)
{
	const char *directory = sample_directory();
	char path[128];
	struct anomaly anomaly;
	pthread_t thread;
	snprintf(path, sizeof(path), "%s/weir.db", directory);
	struct store *store = open_store(path);
	struct watch watch = {.path = path};
	cr_assert_eq(pthread_create(&thread, NULL, watch_main, &watch), 0);
	sample_anomaly(&anomaly);
	for (uint64_t sequence = 1; sequence <= 40; sequence++) {
		cr_assert_eq(store_begin(store), 0);
		for (int i = 0; i < 5; i++) {
			anomaly.revision++;
			cr_assert_eq(store_add(store, sequence, &anomaly), 0);
		}
		cr_assert_eq(store_commit(store, sequence), 0);
	}
	__atomic_store_n(&watch.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	cr_assert_eq(watch.torn, 0);
	cr_assert_gt(watch.looks, 0);
	store_close(store);
	sample_remove(directory);
}

static void expect_refusal(const char *path, int error, const char *word)
{
	struct store *store = NULL;
	char why[256] = "";
	int answer = store_open(path, &store, why, sizeof(why));
	cr_assert_eq(answer, error, "%s: %d, %s", path, answer, why);
	cr_assert(strstr(why, word) && strstr(why, path), "%s", why);
}

Test(store, says_what_to_do_when_it_cannot_open)
{
	const char *directory = sample_directory();
	char path[128], command[256];
	snprintf(path, sizeof(path), "%s/none/weir.db", directory);
	expect_refusal(path, -ENOENT, "make its directory");
	snprintf(path, sizeof(path), "%s/folder.db", directory);
	mkdir(path, 0700);
	expect_refusal(path, -EISDIR, "directory is in its place");
	rmdir(path);
	snprintf(path, sizeof(path), "%s/text.db", directory);
	snprintf(command, sizeof(command), "yes 'no database at all' | head -c 8192 >%s", path);
	cr_assert_eq(system(command), 0);
	expect_refusal(path, -EBADMSG, "move it away");

	snprintf(path, sizeof(path), "%s/newer.db", directory);
	store_close(open_store(path));
	sqlite3 *db;
	sqlite3_open(path, &db);
	sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL);
	sqlite3_close(db);
	expect_refusal(path, -EPROTONOSUPPORT, "schema 99");
	sample_remove(directory);
}

Test(store, says_so_when_the_file_is_read_only)
{
	const char *directory = sample_directory();
	char path[128];
	snprintf(path, sizeof(path), "%s/weir.db", directory);
	store_close(open_store(path));
	chmod(path, 0400);
	/* Root may write everything: become somebody else, in a process of one's own. */
	pid_t child = fork();
	if (child == 0) {
		struct store *store;
		char why[256] = "";
		if (getuid() == 0 && (chown(path, 65534, 65534) < 0 ||
				      chown(directory, 65534, 65534) < 0 || setuid(65534) < 0))
			_exit(2);
		int error = store_open(path, &store, why, sizeof(why));
		_exit(error == -EROFS && strstr(why, "must be able to write") ? 0 : 1);
	}
	int status;
	waitpid(child, &status, 0);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
	sample_remove(directory);
}

Test(store_reader, refuses_what_is_no_store)
{
	const char *directory = sample_directory();
	char path[128];
	struct store_reader *reader;
	snprintf(path, sizeof(path), "%s/none.db", directory);
	cr_assert_eq(store_reader_open(path, &reader), -ENOENT);
	sqlite3 *db;
	sqlite3_open(path, &db);
	sqlite3_exec(db, "CREATE TABLE other (x)", NULL, NULL, NULL);
	sqlite3_close(db);
	cr_assert_eq(store_reader_open(path, &reader), -EPROTONOSUPPORT);
	sample_remove(directory);
}

#define MANY_CONTRIBUTIONS                                                                         \
	"WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 40) "            \
	"INSERT INTO contribution SELECT 1, i, 'd', 'v', 0, 0, 0 FROM n"
#define MANY_EXPLANATIONS                                                                          \
	"INSERT INTO explanation VALUES (1, 1, 's', 0, 0, 0, 0, 0), (1, 2, 's', 0, 0, 0, 0, 0)"
#define MANY_RELATED                                                                               \
	"WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 8) "             \
	"INSERT INTO related SELECT 1, i, 'm', 0, 0, 0 FROM n"

Test(store_reader, refuses_rows_that_somebody_has_changed)
{
	static const char *const damage[] = {
		"UPDATE revision SET id = 'xyz'",
		"UPDATE revision SET id = '0123456789ABCDEFfedcba9876543210'",
		"UPDATE revision SET state = 7",
		"UPDATE revision SET metric = printf('%.*c', 65, 'm')",
		"UPDATE contribution SET value = printf('%.*c', 257, 'v')",
		"UPDATE revision SET group_id = ''",
		MANY_CONTRIBUTIONS,
		"UPDATE explanation SET slice = printf('%.*c', 384, 's')",
		MANY_EXPLANATIONS,
		"UPDATE related SET metric = printf('%.*c', 65, 'm')",
		MANY_RELATED,
	};
	const char *directory = sample_directory();
	char path[128];
	for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
		struct anomaly anomaly;
		struct store_reader *reader;
		struct list list = {0};
		uint64_t row;
		snprintf(path, sizeof(path), "%s/%zu.db", directory, i);
		struct store *store = open_store(path);
		sample_anomaly(&anomaly);
		store_one(store, 1, &anomaly);
		sqlite3 *db;
		sqlite3_open(path, &db);
		cr_assert_eq(sqlite3_exec(db, damage[i], NULL, NULL, NULL), SQLITE_OK, "%s",
			     sqlite3_errmsg(db));
		sqlite3_close(db);
		cr_assert_eq(store_reader_open(path, &reader), 0);
		cr_assert_eq(store_anomalies(reader, &(struct store_query){0}, collect, &list),
			     -EBADMSG, "%s", damage[i]);
		cr_assert_eq(store_outbox_next(reader, 0, &row, &anomaly), -EBADMSG);
		store_reader_close(reader);
		store_close(store);
	}
	sample_remove(directory);
}
