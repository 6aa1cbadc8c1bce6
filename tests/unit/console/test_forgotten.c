/* An anomaly that the book has forgotten: its page is made of the store alone. */
#include <criterion/criterion.h>

#include "../deliver/sample.h"
#include "api.h"
#include "book.h"
#include "console.h"
#include "deliver/payload.h"
#include "deliver/store.h"
#include "engine_link.h"
#include "made.h"

static const char *directory;
static struct store *store;
static struct console console;
static uint64_t sequence, number;

static void begin(void)
{
	static char path[128]; /* the link keeps its name */
	char why[256] = "";

	directory = sample_directory();
	snprintf(path, sizeof(path), "%s/weir.db", directory);
	cr_assert_eq(store_open(path, &store, why, sizeof(why)), 0, "%s", why);
	snprintf(path, sizeof(path), "%s/control.sock", directory);
	console.link = engine_link_open(path, directory);
	cr_assert_eq(book_create(0, &console.book), 0);
}

static void end(void)
{
	book_destroy(console.book);
	engine_link_close(console.link);
	store_close(store);
	sample_remove(directory);
}

TestSuite(forgotten, .init = begin, .fini = end);

static void put(const struct anomaly *anomaly)
{
	cr_assert_eq(store_begin(store), 0);
	cr_assert_eq(store_add(store, ++sequence, anomaly), 0);
	cr_assert_eq(store_commit(store, sequence), 0);
}

static uint64_t say(enum operator_kind kind, const struct anomaly *of, const char *detail,
		    uint64_t ends)
{
	struct operator_input input = {.kind = kind, .number = ++number, .ends = ends};

	input.has_id = true;
	memcpy(input.id, of->id, sizeof(input.id));
	strcpy(input.detail, detail);
	cr_assert_eq(store_begin(store), 0);
	cr_assert_eq(store_input(store, &input), 0);
	cr_assert_eq(store_commit(store, sequence), 0);
	return number;
}

static json_t *page_of(const struct anomaly *anomaly)
{
	char id[33];
	unsigned status = 200;

	anomaly_id_text(anomaly->id, id);
	const struct api_request request = {.id = id};
	json_t *page = api_anomaly(&console, &request, &status);
	cr_assert_eq(status, 200, "%s", json_string_value(json_object_get(page, "error")));
	return page;
}

static const char *verdict_of(json_t *page)
{
	return json_string_value(json_object_get(json_object_get(page, "row"), "verdict"));
}

/* Yes, no, and no taken back: yes holds. */
Test(forgotten, has_the_verdict_that_holds)
{
	struct anomaly made = made_anomaly(1, "orders", "");

	put(&made);
	say(OPERATOR_FEEDBACK, &made, "{\"verdict\":\"yes\"}", 0);
	uint64_t no = say(OPERATOR_FEEDBACK, &made, "{\"verdict\":\"no\"}", 0);
	json_t *page = page_of(&made);
	cr_assert_str_eq(verdict_of(page), "no");
	json_decref(page);
	say(OPERATOR_FEEDBACK_UNDO, &made, "", no);
	page = page_of(&made);
	cr_assert_not_null(verdict_of(page));
	cr_assert_str_eq(verdict_of(page), "yes");
	json_decref(page);
}

/* Between two revisions it was more severe than at any of them. */
Test(forgotten, peaks_where_its_last_revision_says)
{
	struct anomaly made = made_anomaly(1, "orders", "");

	put(&made);
	made_next(&made, ANOMALY_RESOLVED, 5);
	made.severity = 1;
	made.severity_peak = 88;
	put(&made);
	json_t *page = page_of(&made), *came_about = json_object_get(page, "came_about");
	cr_assert_eq(json_number_value(json_object_get(came_about, "severity")), 60);
	cr_assert_eq(json_number_value(json_object_get(came_about, "peak")), 88);
	json_decref(page);
}

/* Its metric is known all the same. */
Test(forgotten, has_its_unit)
{
	struct anomaly made = made_anomaly(1, "orders", "");

	cr_assert_eq(book_metric(console.book, "visits", "sum", "value"), 0);
	cr_assert_eq(book_metric(console.book, "orders", "count", "count"), 0);
	put(&made);
	json_t *page = page_of(&made), *row = json_object_get(page, "row");
	cr_assert_str_eq(json_string_value(json_object_get(row, "unit")), "count");
	cr_assert_str_eq(json_string_value(json_object_get(row, "aggregation")), "count");
	cr_assert(json_is_number(json_object_get(row, "impact")));
	json_decref(page);
}
