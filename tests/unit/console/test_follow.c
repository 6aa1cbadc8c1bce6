/* follow: the book is as the store is, whatever becomes of the store. */
#include <criterion/criterion.h>
#include <errno.h>

#include "../deliver/sample.h"
#include "deliver/store.h"
#include "follow.h"
#include "made.h"
#include "row.h"

struct heard {
	uint32_t rows, resets;
	uint64_t last; /* second half of the id of the last row */
};

struct setting {
	const char *directory;
	char path[128];
	struct store *store;
	struct book *book;
	struct follow *follow;
	struct heard heard;
	uint64_t sequence, number;
};

static void hear_row(void *self, const struct book_row *row)
{
	struct heard *heard = self;

	heard->rows++;
	heard->last = row->entry.id[1];
}

static void hear_reset(void *self)
{
	((struct heard *)self)->resets++;
}

static void open_store(struct setting *setting)
{
	char why[256] = "";

	cr_assert_eq(store_open(setting->path, &setting->store, why, sizeof(why)), 0, "%s", why);
}

static void setting_open(struct setting *setting, uint32_t kept_max)
{
	*setting = (struct setting){.directory = sample_directory()};
	snprintf(setting->path, sizeof(setting->path), "%s/weir.db", setting->directory);
	open_store(setting);
	cr_assert_eq(book_create(kept_max, &setting->book), 0);
	const struct follow_options options = {
		.book = setting->book,
		.changed = hear_row,
		.reset = hear_reset,
		.self = &setting->heard,
	};
	cr_assert_eq(follow_create(&options, &setting->follow), 0);
	cr_assert_eq(follow_path(setting->follow, setting->path), 0);
}

/* What SQLite keeps beside the file. */
static void remove_beside(const struct setting *setting)
{
	char path[160];

	snprintf(path, sizeof(path), "%s-wal", setting->path);
	unlink(path);
	snprintf(path, sizeof(path), "%s-shm", setting->path);
	unlink(path);
}

static void setting_close(struct setting *setting)
{
	follow_destroy(setting->follow);
	book_destroy(setting->book);
	store_close(setting->store);
	remove_beside(setting);
	sample_remove(setting->directory);
}

static void put(struct setting *setting, const struct anomaly *anomaly)
{
	cr_assert_eq(store_begin(setting->store), 0);
	cr_assert_eq(store_add(setting->store, ++setting->sequence, anomaly), 0);
	cr_assert_eq(store_commit(setting->store, setting->sequence), 0);
}

static void say(struct setting *setting, enum operator_kind kind, const struct anomaly *of,
		const char *text)
{
	struct operator_input input = {.kind = kind, .number = ++setting->number, .has_id = true};

	memcpy(input.id, of->id, sizeof(input.id));
	strcpy(input.text, text);
	cr_assert_eq(store_begin(setting->store), 0);
	cr_assert_eq(store_input(setting->store, &input), 0);
	cr_assert_eq(store_commit(setting->store, setting->sequence), 0);
}

Test(follow, reads_what_is_there_in_silence_then_tells_what_comes)
{
	struct setting setting;
	struct anomaly made = made_anomaly(7, "orders", "");

	setting_open(&setting, 0);
	put(&setting, &made);
	cr_assert_not(follow_is_ready(setting.follow));
	follow_catch_up(setting.follow);
	cr_assert(follow_is_ready(setting.follow));
	cr_assert_not_null(book_find(setting.book, made.id));
	cr_assert_eq(setting.heard.rows, 0);
	follow_catch_up(setting.follow);
	cr_assert_eq(setting.heard.rows, 0, "nothing has come");
	made_next(&made, ANOMALY_UPDATED, 1);
	put(&setting, &made);
	follow_catch_up(setting.follow);
	cr_assert_eq(setting.heard.rows, 1);
	cr_assert_eq(setting.heard.last, 7);
	say(&setting, OPERATOR_ACK, &made, "");
	follow_catch_up(setting.follow);
	cr_assert_eq(setting.heard.rows, 2);
	cr_assert_eq(book_status(book_find(setting.book, made.id)), BOOK_ACKNOWLEDGED);
	cr_assert_eq(setting.heard.resets, 1, "once, when it had been read");
	setting_close(&setting);
}

int __real_store_follow(struct store_reader *reader, struct store_position *position, uint32_t most,
			store_each *each, store_each_input *each_input, void *self);
int __wrap_store_follow(struct store_reader *reader, struct store_position *position, uint32_t most,
			store_each *each, store_each_input *each_input, void *self);

static unsigned busy; /* so many more times */

int __wrap_store_follow(struct store_reader *reader, struct store_position *position, uint32_t most,
			store_each *each, store_each_input *each_input, void *self)
{
	if (busy > 0) {
		busy--;
		return -EBUSY;
	}
	return __real_store_follow(reader, position, most, each, each_input, self);
}

Test(follow, comes_back_to_what_it_could_not_read_while_a_writer_had_the_store)
{
	struct setting setting;
	struct anomaly made = made_anomaly(7, "orders", "");

	setting_open(&setting, 0);
	put(&setting, &made);
	follow_catch_up(setting.follow);
	made_next(&made, ANOMALY_UPDATED, 1);
	put(&setting, &made);
	busy = 1;
	cr_assert_eq(follow_step(setting.follow), 0);
	cr_assert_eq(setting.heard.rows, 0);
	follow_catch_up(setting.follow);
	cr_assert_eq(setting.heard.rows, 1, "nobody has written again meanwhile");
	setting_close(&setting);
}

Test(follow, reads_another_store_under_the_same_name_anew)
{
	struct setting setting;
	struct anomaly made = made_anomaly(1, "orders", ""), other = made_anomaly(2, "visits", "");

	setting_open(&setting, 0);
	put(&setting, &made);
	follow_catch_up(setting.follow);
	store_close(setting.store);
	cr_assert_eq(unlink(setting.path), 0);
	remove_beside(&setting);
	cr_assert_lt(follow_step(setting.follow), 0, "there is none");
	cr_assert_not_null(book_find(setting.book, made.id), "what was known is still shown");
	setting.sequence = 0;
	open_store(&setting);
	put(&setting, &other);
	follow_catch_up(setting.follow);
	cr_assert_null(book_find(setting.book, made.id));
	cr_assert_not_null(book_find(setting.book, other.id));
	cr_assert_eq(setting.heard.resets, 2);
	setting_close(&setting);
}

Test(follow, sees_that_another_store_took_the_place_of_its_own)
{
	struct setting setting;
	struct anomaly made = made_anomaly(1, "orders", ""), other = made_anomaly(2, "visits", "");
	char path[160];

	setting_open(&setting, 0);
	put(&setting, &made);
	follow_catch_up(setting.follow);
	store_close(setting.store);
	snprintf(path, sizeof(path), "%s", setting.path);
	snprintf(setting.path, sizeof(setting.path), "%s/other.db", setting.directory);
	open_store(&setting);
	put(&setting, &other);
	store_close(setting.store);
	cr_assert_eq(rename(setting.path, path), 0);
	snprintf(setting.path, sizeof(setting.path), "%s/weir.db", setting.directory);
	remove_beside(&setting);
	follow_catch_up(setting.follow);
	cr_assert_null(book_find(setting.book, made.id));
	cr_assert_not_null(book_find(setting.book, other.id));
	open_store(&setting);
	setting_close(&setting);
}

Test(follow, begins_anew_when_what_was_said_is_taken_from_the_log)
{
	struct setting setting;
	struct anomaly made = made_anomaly(1, "orders", ""), other = made_anomaly(2, "orders", "");

	setting_open(&setting, 0);
	put(&setting, &made);
	put(&setting, &other);
	say(&setting, OPERATOR_ACK, &made, "mine");
	follow_catch_up(setting.follow);
	/* The log has lost its end, and something else was said under the same number. */
	cr_assert_eq(store_rewind(setting.store, 1), 0);
	cr_assert_eq(store_rewind_inputs(setting.store, 0), 0);
	setting.number = 0;
	say(&setting, OPERATOR_ACK, &other, "mine");
	say(&setting, OPERATOR_ANNOTATE, &other, "more");
	follow_catch_up(setting.follow);
	cr_assert_eq(setting.heard.resets, 2);
	cr_assert_eq(book_status(book_find(setting.book, made.id)), BOOK_OPEN);
	cr_assert_eq(book_status(book_find(setting.book, other.id)), BOOK_ACKNOWLEDGED);
	setting_close(&setting);
}

Test(follow, has_the_newest_of_a_long_history_and_all_that_is_open)
{
	struct setting setting;
	struct anomaly open = made_anomaly(1, "orders", "open"),
		       crossing = made_anomaly(2, "orders", "crossing"), made;

	setting_open(&setting, 50);
	put(&setting, &open);
	made_next(&open, ANOMALY_UPDATED, 1);
	open.severity = 99;
	put(&setting, &open);
	put(&setting, &crossing);
	cr_assert_eq(store_begin(setting.store), 0);
	for (uint64_t i = 3; i < 2000; i++) {
		made = made_anomaly(i, "orders", "");
		cr_assert_eq(store_add(setting.store, ++setting.sequence, &made), 0);
		made_next(&made, ANOMALY_RESOLVED, 1);
		cr_assert_eq(store_add(setting.store, setting.sequence, &made), 0);
	}
	cr_assert_eq(store_commit(setting.store, setting.sequence), 0);
	made_next(&crossing, ANOMALY_RESOLVED, 2000);
	put(&setting, &crossing);
	follow_catch_up(setting.follow);
	cr_assert_leq(setting.book->count, 56);
	const struct book_entry *entry = book_find(setting.book, open.id);
	cr_assert_not_null(entry);
	cr_assert_eq(entry->strongest, 99);
	cr_assert_eq(entry->start_ms, 1001 * MADE_INTERVAL_MS, "from its first revision on");
	cr_assert_not_null(book_find(setting.book, made.id));
	entry = book_find(setting.book, crossing.id);
	cr_assert_not_null(entry);
	cr_assert_float_eq(entry->impact, -60.0 * 2001, 1e-6, "of all its life");
	setting_close(&setting);
}

Test(follow, goes_on_where_it_was_when_the_store_has_another_path)
{
	struct setting setting;
	struct anomaly made = made_anomaly(1, "orders", ""), other = made_anomaly(2, "orders", "");
	char link[160];

	setting_open(&setting, 0);
	put(&setting, &made);
	follow_catch_up(setting.follow);
	snprintf(link, sizeof(link), "%s/link", setting.directory);
	cr_assert_eq(symlink(setting.directory, link), 0);
	strcat(link, "/weir.db");
	cr_assert_eq(follow_path(setting.follow, link), 0);
	put(&setting, &other);
	follow_catch_up(setting.follow);
	cr_assert_eq(setting.heard.resets, 1, "nobody has to begin anew");
	cr_assert_eq(setting.heard.rows, 1);
	cr_assert_eq(setting.heard.last, 2);
	setting_close(&setting);
}

Test(follow, waits_for_a_store_and_may_be_told_of_another)
{
	struct setting setting;
	struct anomaly made = made_anomaly(1, "orders", "");
	char elsewhere[160];

	setting_open(&setting, 0);
	put(&setting, &made);
	snprintf(elsewhere, sizeof(elsewhere), "%s/none.db", setting.directory);
	cr_assert_eq(follow_path(setting.follow, elsewhere), 0);
	cr_assert_lt(follow_step(setting.follow), 0);
	cr_assert_eq(follow_start(setting.follow), 0);
	cr_assert_eq(follow_path(setting.follow, setting.path), 0);
	follow_catch_up(setting.follow);
	book_read(setting.book);
	cr_assert_not_null(book_find(setting.book, made.id));
	book_done(setting.book);
	setting_close(&setting);
}
