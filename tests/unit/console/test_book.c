/* book: entries and groups out of revisions, and what operators said. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>

#include "book.h"
#include "made.h"
#include "row.h"

static struct book *open_book(uint32_t kept_max)
{
	struct book *book;

	cr_assert_eq(book_create(kept_max, &book), 0);
	cr_assert_eq(book_metric(book, "orders", "count", "count"), 0);
	cr_assert_eq(book_metric(book, "conversion", "ratio", "share"), 0);
	return book;
}

static void put(struct book *book, const struct anomaly *anomaly)
{
	cr_assert_eq(book_revision(book, anomaly), 0);
}

static struct operator_input said(enum operator_kind kind, uint64_t number, const uint64_t *id)
{
	struct operator_input input = {.kind = kind, .number = number, .has_id = id != NULL};

	if (id)
		memcpy(input.id, id, sizeof(input.id));
	return input;
}

static void say(struct book *book, const struct operator_input *input)
{
	cr_assert_eq(book_input(book, input, 0), 0);
	cr_assert_eq(book_settle(book), 0);
}

static bool no_memory;
void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);

void *__wrap_malloc(size_t bytes)
{
	return no_memory ? NULL : __real_malloc(bytes);
}

static uint32_t changes(struct book *book)
{
	static struct book_entry entry[64];

	return book_take_changes(book, entry, 64);
}

Test(book, remembers_the_strongest_revision_and_where_it_stands)
{
	struct book *book = open_book(0);
	struct anomaly made = made_anomaly(1, "orders", "country=IT");

	put(book, &made);
	made_next(&made, ANOMALY_UPDATED, 2);
	made.severity = made.severity_peak = 90;
	made.observed = 10;
	strcpy(made.explanation[0].slice, "country=IT,device=app");
	made.explanation[0].share = 0.75;
	made.explanations = 1;
	put(book, &made);
	made_next(&made, ANOMALY_RESOLVED, 3);
	made.severity = 1;
	made.observed = 99;
	made.explanations = 0;
	put(book, &made);
	const struct book_entry *entry = book_find(book, made.id);
	cr_assert_not_null(entry);
	cr_assert_eq(entry->observed, 10);
	cr_assert_eq(entry->peak, 90);
	cr_assert_eq(entry->severity, 1);
	cr_assert_eq(entry->explanations, 1);
	cr_assert_str_eq(entry->explained[0]->text, "country=IT,device=app");
	cr_assert_eq(entry->start_ms, 1001 * MADE_INTERVAL_MS);
	cr_assert_eq(entry->through_ms, 1007 * MADE_INTERVAL_MS);
	cr_assert_eq(book_status(entry), BOOK_RESOLVED);
	/* Each of its own interval, and evenly from 60 to 90, to 1 between them. */
	cr_assert_float_eq(book_impact(book, entry), -60 - 75 - 90 - 2 * 45.5 - 1, 1e-9);
	/* Told again, it is nothing new. */
	(void)changes(book);
	made.revision = 2;
	put(book, &made);
	cr_assert_eq(changes(book), 0);
	cr_assert_eq(book_find(book, made.id)->revision, 3);
	book_destroy(book);
}

Test(book, adds_up_what_is_missing_as_time_goes_on_and_of_sums_only)
{
	struct book *book = open_book(0);
	struct anomaly made = made_anomaly(1, "orders", ""),
		       share = made_anomaly(2, "conversion", ""),
		       unknown = made_anomaly(3, "visits", "");

	put(book, &made);
	put(book, &share);
	put(book, &unknown);
	const struct book_entry *entry = book_find(book, made.id);
	cr_assert_eq(book_closed(book, "shop", 1011 * MADE_INTERVAL_MS), 0);
	cr_assert_float_eq(book_impact(book, entry), -60 - 30.0 * 9, 1e-9);
	cr_assert(isnan(book_impact(book, book_find(book, share.id))));
	cr_assert(isnan(book_impact(book, book_find(book, unknown.id))));
	/* A detector of hours: what it says is of an hour. */
	struct anomaly hour = made_anomaly(9, "orders", "country=FR");
	hour.frequency_ms = 3600000;
	put(book, &hour);
	cr_assert_eq(book_closed(book, "shop", (1009 + 90) * MADE_INTERVAL_MS), 0);
	cr_assert_float_eq(book_impact(book, book_find(book, hour.id)), -1 - 89 / 2.0, 1e-9);
	book_destroy(book);
}

/* A fall that swings back is no gain, however long its last revision stands. */
Test(book, adds_up_nothing_against_the_direction)
{
	struct book *book = open_book(0);
	struct anomaly made = made_anomaly(1, "orders", "");

	put(book, &made);
	made_next(&made, ANOMALY_UPDATED, 4);
	made.severity = 50;
	made.observed = 160;
	put(book, &made);
	cr_assert_eq(book_closed(book, "shop", 1100 * MADE_INTERVAL_MS), 0);
	cr_assert_float_eq(book_impact(book, book_find(book, made.id)), -60 - 30 * 3, 1e-9);
	book_destroy(book);
}

static struct book_entry due(const struct book *book, int64_t now_ms, uint32_t count)
{
	struct book_entry found[8];
	uint32_t all = 0;

	for (enum book_due due = BOOK_FIRST; due <= BOOK_CORRECTED; due++)
		all += book_inexact(book, now_ms, due, found + all, 8 - all);
	cr_assert_eq(all, count, "at %d", (int)now_ms);
	return found[0];
}

Test(book, takes_the_exact_sum_for_the_estimate_of_what_it_was_reckoned_of)
{
	struct book *book = open_book(0);
	struct anomaly made = made_anomaly(1, "orders", "");
	struct anomaly later = made_anomaly(2, "orders", "a=b");
	struct anomaly share = made_anomaly(3, "conversion", "");

	put(book, &made);
	put(book, &later);
	put(book, &share);
	const struct book_entry *entry = book_find(book, made.id);
	struct book_entry of = due(book, 1, 2);
	cr_assert_eq(memcmp(of.id, later.id, sizeof(of.id)), 0, "the newest first");
	of = *entry;
	cr_assert(!book_is_exact(entry));
	/* Against the direction, too: it is no estimate. */
	struct book_exact exact = {.sum = 7, .through_ms = book_through(book, entry), .due_ms = 50};
	book_take_exact(book, &of, &exact);
	cr_assert(book_is_exact(entry));
	cr_assert_float_eq(book_impact(book, entry), 7, 1e-9);
	due(book, 60, 1);
	/* As time goes on it is that of a moment ago, and due again, but not before it is said. */
	cr_assert_eq(book_closed(book, "shop", 1011 * MADE_INTERVAL_MS), 0);
	cr_assert_float_eq(book_impact(book, entry), 7, 1e-9);
	due(book, 49, 1);
	due(book, 50, 2);
	/* Over, it is due at once, also where it was reckoned of what went on still. */
	made_next(&made, ANOMALY_RESOLVED, 3);
	put(book, &made);
	cr_assert(!book_is_exact(entry));
	due(book, 1, 2);
	book_take_exact(book, &of, &exact);
	due(book, 1, 2);
	exact = (struct book_exact){.sum = -8, .through_ms = entry->through_ms, .due_ms = 900};
	of = *entry;
	book_take_exact(book, &of, &exact);
	cr_assert_float_eq(book_impact(book, entry), -8, 1e-9);
	due(book, 899, 1);
	/* What comes late corrects also what is over: it is due again, and known meanwhile. */
	due(book, 900, 2);
	cr_assert_eq(book_inexact(book, 900, BOOK_CORRECTED, &of, 1), 1);
	cr_assert_eq(memcmp(of.id, made.id, sizeof(of.id)), 0);
	cr_assert(book_is_exact(entry));
	exact.sum = -9;
	book_take_exact(book, &of, &exact);
	cr_assert_float_eq(book_impact(book, entry), -9, 1e-9);
	/* Of what nobody can say it is not asked again; another configuration may say it. */
	exact.sum = NAN;
	book_take_exact(book, &of, &exact);
	cr_assert(!book_is_exact(entry));
	due(book, 1000, 1);
	book_forget_exact(book);
	due(book, 1000, 2);
	book_destroy(book);
}

Test(book, shows_at_once_what_was_said_and_taken_back)
{
	struct book *book = open_book(0);
	struct anomaly made = made_anomaly(1, "orders", "");
	struct operator_input no = said(OPERATOR_FEEDBACK, 1, made.id),
			      yes = said(OPERATOR_FEEDBACK, 2, made.id),
			      undo = said(OPERATOR_FEEDBACK_UNDO, 3, made.id),
			      ack = said(OPERATOR_ACK, 4, made.id);

	strcpy(no.detail, "{\"verdict\":\"no\"}");
	strcpy(yes.detail, "{\"verdict\":\"yes\"}");
	put(book, &made);
	(void)changes(book);
	const struct book_entry *entry = book_find(book, made.id);
	cr_assert_eq(book_status(entry), BOOK_OPEN);
	say(book, &ack);
	cr_assert_eq(book_status(entry), BOOK_ACKNOWLEDGED);
	say(book, &no);
	cr_assert_eq(changes(book), 1, "said twice, told once");
	cr_assert_eq(book_status(entry), BOOK_DISMISSED);
	say(book, &yes);
	cr_assert_eq(book_status(entry), BOOK_ACKNOWLEDGED, "it goes on");
	undo.ends = 2;
	say(book, &undo);
	cr_assert_eq(book_status(entry), BOOK_DISMISSED, "what was said before holds again");
	cr_assert_eq(entry->feedback, 1);
	undo.ends = 1;
	say(book, &undo);
	cr_assert_eq(entry->verdict, 0);
	yes.number = 5;
	say(book, &yes);
	made_next(&made, ANOMALY_RESOLVED, 1);
	put(book, &made);
	cr_assert_eq(book_status(book_find(book, made.id)), BOOK_CONFIRMED);
	book_destroy(book);
}

Test(book, mutes_what_goes_on_until_event_time_has_come_there)
{
	struct book *book = open_book(0);
	struct anomaly made = made_anomaly(1, "orders", "country=IT"),
		       other = made_anomaly(2, "orders", "country=FR");
	struct operator_input mute = said(OPERATOR_MUTE, 1, NULL),
			      unmute = said(OPERATOR_UNMUTE, 2, NULL);

	put(book, &made);
	put(book, &other);
	strcpy(mute.metric, "ord*");
	strcpy(mute.slice, "country=IT");
	mute.until_ms = 1100 * MADE_INTERVAL_MS;
	(void)changes(book);
	say(book, &mute);
	cr_assert_eq(changes(book), 1);
	cr_assert_eq(book_status(book_find(book, made.id)), BOOK_MUTED);
	cr_assert_eq(book_status(book_find(book, other.id)), BOOK_OPEN);
	cr_assert_eq(book_closed(book, "shop", 1100 * MADE_INTERVAL_MS), 0);
	cr_assert_eq(book_settle(book), 0);
	cr_assert_eq(book_status(book_find(book, made.id)), BOOK_OPEN, "it is over");
	cr_assert_eq(changes(book), 1);
	mute.number = 3;
	mute.until_ms = 2000 * MADE_INTERVAL_MS;
	say(book, &mute);
	cr_assert_eq(book_status(book_find(book, made.id)), BOOK_MUTED);
	unmute.ends = 3;
	say(book, &unmute);
	cr_assert_eq(book_status(book_find(book, made.id)), BOOK_OPEN);
	book_destroy(book);
}

/* By whose clock a mute ends: by that of each source it is about, while that one goes on. */
Test(book, a_mute_counts_while_it_may_hold_for_something)
{
	struct book *book = open_book(0);
	struct anomaly made = made_anomaly(1, "orders", "country=IT");
	struct operator_input mute = said(OPERATOR_MUTE, 1, NULL);
	const int64_t now_ms = (int64_t)time(NULL) * 1000, minute_ms = 60000;
	const int64_t later_ms = now_ms + 48 * 60 * minute_ms;

	put(book, &made); /* its source is at 1970 */
	mute.time_ms = now_ms - 60 * minute_ms;
	mute.until_ms = now_ms + minute_ms;
	strcpy(mute.metric, "refunds");
	cr_assert(book_mute_counts(book, &mute, now_ms), "its end is to come");
	cr_assert(book_mute_counts(book, &mute, now_ms + 2 * minute_ms), "the source moves");
	cr_assert_not(book_mute_counts(book, &mute, later_ms), "the source stands still");
	strcpy(mute.source, "live");
	cr_assert_not(book_mute_counts(book, &mute, now_ms + 2 * minute_ms), "of another source");
	cr_assert_eq(book_closed(book, "live", now_ms + 2 * minute_ms), 0);
	cr_assert_not(book_mute_counts(book, &mute, now_ms + 2 * minute_ms), "it is there");
	mute.source[0] = '\0';
	strcpy(mute.metric, "orders");
	cr_assert(book_mute_counts(book, &mute, later_ms), "of what is open it holds");
	mute.until_ms = 1000 * MADE_INTERVAL_MS;
	cr_assert_not(book_mute_counts(book, &mute, later_ms), "by the anomaly's clock it is over");
	mute.until_ms = 1100 * MADE_INTERVAL_MS;
	strcpy(mute.metric, "refunds");
	mute.time_ms = later_ms;
	cr_assert(book_mute_counts(book, &mute, later_ms), "it was said just now");
	mute.has_id = true;
	cr_assert_not(book_mute_counts(book, &mute, later_ms), "nothing of this id is open");
	memcpy(mute.id, made.id, sizeof(mute.id));
	cr_assert(book_mute_counts(book, &mute, later_ms));
	book_destroy(book);
}

Test(book, keeps_the_newest_and_whatever_is_open)
{
	struct book *book = open_book(100);
	struct anomaly open = made_anomaly(1, "orders", "country=XX"), made;
	char slice[32];

	put(book, &open);
	for (uint64_t i = 2; i < 1000; i++) {
		snprintf(slice, sizeof(slice), "country=%03u", (unsigned)i);
		made = made_anomaly(i, "orders", slice);
		put(book, &made);
		made_next(&made, ANOMALY_RESOLVED, 1);
		put(book, &made);
		cr_assert_eq(book_settle(book), 0);
		cr_assert_leq(book->count, 113);
		cr_assert_leq(names_count(book->names), 230, "texts go with who had them");
	}
	cr_assert_not_null(book_find(book, open.id));
	cr_assert_not_null(book_find(book, made.id));
	cr_assert_str_eq(book_find(book, open.id)->slice->text, "country=XX");
	made = made_anomaly(2, "orders", "");
	cr_assert_null(book_find(book, made.id));
	cr_assert_eq(book_group_of(book, book_find(book, open.id))->members, 1);
	for (uint64_t i = 1000; i < 1400; i++) {
		made = made_anomaly(i, "orders", "");
		put(book, &made);
		cr_assert_eq(book_settle(book), 0);
	}
	cr_assert_geq(book->count, 400, "all of them go on");
	book_destroy(book);
}

/* Texts move to a table of their own when the oldest go: those of the old one are gone. */
Test(book, is_empty_when_memory_runs_out_halfway)
{
	struct book *book = open_book(100);
	struct anomaly made;

	for (uint64_t i = 1; i < 120; i++) {
		made = made_anomaly(i, "orders", "country=IT");
		made.state = ANOMALY_RESOLVED;
		put(book, &made);
	}
	no_memory = true;
	int error = book_settle(book);
	no_memory = false;
	cr_assert_eq(error, -ENOMEM);
	cr_assert_eq(book->count, 0);
	cr_assert_null(book_find(book, made.id));
	cr_assert_eq(changes(book), 0);
	put(book, &made);
	cr_assert_eq(book_settle(book), 0);
	const struct book_entry *entry = book_find(book, made.id);
	cr_assert_str_eq(entry->slice->text, "country=IT");
	cr_assert_eq(book_group_of(book, entry)->members, 1);
	cr_assert_not_null(book_metric_of(book, entry->metric), "metrics are still known");
	book_destroy(book);
}

Test(book, counts_as_members_what_fired_or_goes_on)
{
	struct book *book = open_book(0);
	struct anomaly made = made_anomaly(4, "orders", ""),
		       pending = made_anomaly(5, "orders", "country=IT");

	pending.state = ANOMALY_PENDING;
	pending.fired = false;
	put(book, &made);
	put(book, &pending);
	const struct book_entry *entry = book_find(book, made.id);
	cr_assert_eq(book_group_of(book, entry)->members, 2);
	made_next(&pending, ANOMALY_RESOLVED, 1);
	put(book, &pending);
	cr_assert_eq(book_group_of(book, book_find(book, made.id))->members, 1);
	cr_assert_not(book_is_listed(book_find(book, pending.id)));
	book_destroy(book);
}

Test(book, shows_whatever_bytes_a_name_has)
{
	struct book *book = open_book(0);
	struct anomaly made = made_anomaly(1,
					   "or\xff"
					   "ders",
					   "a=\xc3,b=<script>\"\\\\\n,c==,=,,");
	struct book_row row;

	made.observed = NAN;
	made.expected = 0;
	made.severity = NAN;
	put(book, &made);
	row_fill(book, book_find(book, made.id), 1, &row);
	json_t *json = row_json(&row);
	char *text = json_dumps(json, 0);
	cr_assert_not_null(text, "it is JSON");
	cr_assert_str_eq(json_string_value(json_object_get(json, "metric")), "or\xef\xbf\xbd"
									     "ders");
	cr_assert(json_is_null(json_object_get(json, "observed")));
	cr_assert(json_is_null(json_object_get(json, "change")));
	cr_assert_str_eq(
		json_string_value(json_object_get(json_object_get(json, "dimensions"), "b")),
		"<script>\"\\\n");
	free(text);
	json_decref(json);
	book_destroy(book);
}

Test(book, is_as_new_after_a_reset)
{
	struct book *book = open_book(0);
	struct anomaly made = made_anomaly(1, "orders", "");

	put(book, &made);
	cr_assert_eq(book_reset(book), 0);
	cr_assert_null(book_find(book, made.id));
	cr_assert_eq(changes(book), 0);
	put(book, &made);
	cr_assert_eq(book_closed(book, "shop", 1002 * MADE_INTERVAL_MS), 0);
	cr_assert_float_eq(book_impact(book, book_find(book, made.id)), -60, 1e-9,
			   "what metrics are is still known");
	book_destroy(book);
}

static void *change(void *book)
{
	book_write(book);
	book_done(book);
	return NULL;
}

/* Who looks next waits for who is to change it: looks that overlap do not keep that one out. */
Test(book, news_come_between_two_looks, .timeout = 60)
{
	struct book *book = open_book(0);
	pthread_t thread;
	int looks = 0;

	book_read(book);
	cr_assert_eq(pthread_create(&thread, NULL, change, book), 0);
	while (looks == 0) {
		looks = pthread_rwlock_tryrdlock(&book->lock);
		if (looks == 0) {
			book_done(book);
			sched_yield();
		}
	}
	cr_assert_eq(looks, EBUSY);
	book_done(book);
	pthread_join(thread, NULL);
	book_destroy(book);
}
