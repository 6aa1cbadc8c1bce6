/* impact: what the list says an anomaly has cost, over a history that grows, is corrected, goes. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "book.h"
#include "console.h"
#include "follow.h"
#include "impact.h"
#include "in_force.h"
#include "looking.h"
#include "made.h"

#define START (1001 * MADE_INTERVAL_MS)
#define SECOND_MS 1000
#define MISSING 60 /* of each interval */

/* The clock, the configuration and the history, as a test has them. */
static struct {
	int64_t now_ms;
	struct config config, other;
	const struct config *in_force;
	bool gone;         /* nothing can be read */
	uint32_t count;    /* intervals of the anomaly that are known */
	double late;       /* came to the first of them since */
	unsigned asked;
} hand;

static struct console console;

int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	*now = (struct timespec){.tv_sec = hand.now_ms / 1000,
				 .tv_nsec = hand.now_ms % 1000 * 1000000};
	return 0;
}

bool __wrap_follow_is_ready(struct follow *follow);
bool __wrap_follow_is_ready(struct follow *follow)
{
	(void)follow;
	return true;
}

const struct config *__wrap_in_force_take(struct in_force *in_force, char why[ENGINE_WHY_BYTES]);
const struct config *__wrap_in_force_take(struct in_force *in_force, char why[ENGINE_WHY_BYTES])
{
	(void)in_force;
	(void)why;
	return hand.in_force;
}

void __wrap_in_force_give(struct in_force *in_force, const struct config *config);
void __wrap_in_force_give(struct in_force *in_force, const struct config *config)
{
	(void)in_force;
	(void)config;
}

json_t *__wrap_looking_begin(struct console *of, struct looking *ret_looking, unsigned *status);
json_t *__wrap_looking_begin(struct console *of, struct looking *ret_looking, unsigned *status)
{
	(void)status;
	*ret_looking = (struct looking){.console = of, .config = hand.in_force};
	return NULL;
}

void __wrap_looking_end(struct looking *looking);
void __wrap_looking_end(struct looking *looking)
{
	(void)looking;
}

int __wrap_outlook_read(const struct outlook_query *query, struct outlook *ret_outlook, char *why,
			size_t why_bytes);
int __wrap_outlook_read(const struct outlook_query *query, struct outlook *ret_outlook, char *why,
			size_t why_bytes)
{
	hand.asked++;
	cr_assert_eq(query->from_ms, START);
	if (hand.gone) {
		snprintf(why, why_bytes, "cannot be read");
		return -EIO;
	}
	*ret_outlook = (struct outlook){
		.step_ms = query->step_ms,
		.through_ms = START + hand.count * query->step_ms,
		.count = hand.count,
		.points = calloc(hand.count, sizeof(struct outlook_point)),
	};
	for (uint32_t i = 0; i < hand.count; i++)
		ret_outlook->points[i] = (struct outlook_point){
			.time_ms = START + i * query->step_ms,
			.value = 100 - MISSING + (i == 0 ? hand.late : 0),
			.expected = 100,
		};
	return 0;
}

void __wrap_outlook_fini(struct outlook *outlook);
void __wrap_outlook_fini(struct outlook *outlook)
{
	free(outlook->points);
}

static void begin(void)
{
	memset(&hand, 0, sizeof(hand));
	hand.now_ms = 100 * SECOND_MS;
	hand.in_force = &hand.config;
	console = (struct console){.impact = impact_open()};
	cr_assert(console.impact);
	cr_assert_eq(book_create(0, &console.book), 0);
	cr_assert_eq(book_metric(console.book, "orders", "count", "count"), 0);
}

static void end(void)
{
	impact_close(&console, console.impact);
	book_destroy(console.book);
}

TestSuite(impact, .init = begin, .fini = end);

/* An anomaly of so many intervals; over, unless it goes on. */
static const struct book_entry *lived(uint32_t count, bool over)
{
	struct anomaly made = made_anomaly(1, "orders", "");

	cr_assert_eq(book_revision(console.book, &made), 0);
	if (over) {
		made_next(&made, ANOMALY_RESOLVED, count - 1);
		cr_assert_eq(book_revision(console.book, &made), 0);
	}
	cr_assert_eq(book_closed(console.book, "shop", START + count * MADE_INTERVAL_MS), 0);
	hand.count = count;
	return book_find(console.book, made.id);
}

/* A look so much later: how often the history was asked. */
static unsigned look(int64_t later_ms)
{
	unsigned before = hand.asked;

	hand.now_ms += later_ms;
	impact_step(&console);
	return hand.asked - before;
}

static void shows(const struct book_entry *entry, double sum)
{
	cr_expect(book_is_exact(entry));
	cr_expect_float_eq(book_impact(console.book, entry), sum, 1e-9);
}

Test(impact, is_the_sum_of_its_intervals_and_grows_with_them)
{
	const struct book_entry *entry = lived(3, false);

	cr_expect_eq(look(0), 1);
	shows(entry, -3 * MISSING);
	hand.count = 5;
	cr_assert_eq(book_closed(console.book, "shop", START + 5 * MADE_INTERVAL_MS), 0);
	cr_expect_eq(look(SECOND_MS), 0);
	cr_expect_eq(look(10 * SECOND_MS), 1);
	shows(entry, -5 * MISSING);
}

Test(impact, what_comes_late_is_summed_into_what_is_over)
{
	const struct book_entry *entry = lived(5, true);

	cr_expect_eq(look(0), 1);
	shows(entry, -5 * MISSING);
	hand.late = 50;
	cr_expect_eq(look(9 * SECOND_MS), 0);
	shows(entry, -5 * MISSING);
	cr_expect_eq(look(SECOND_MS), 1);
	shows(entry, 50 - 5 * MISSING);
}

Test(impact, what_was_known_stays_where_it_cannot_be_read_any_more)
{
	const struct book_entry *entry = lived(5, true);

	look(0);
	hand.gone = true;
	cr_expect_eq(look(10 * SECOND_MS), 1);
	shows(entry, -5 * MISSING);
	/* It is tried again, later. */
	hand.gone = false;
	hand.late = 50;
	cr_expect_eq(look(10 * SECOND_MS), 0);
	cr_expect_eq(look(600 * SECOND_MS), 1);
	shows(entry, 50 - 5 * MISSING);
}

/* As with a chart that has the hours only, by then. */
Test(impact, of_what_was_never_known_there_is_an_estimate)
{
	const struct book_entry *entry = lived(5, true);

	hand.gone = true;
	cr_expect_eq(look(0), 1);
	cr_expect_not(book_is_exact(entry));
	cr_expect_lt(book_impact(console.book, entry), -MISSING);
}

Test(impact, under_another_configuration_nothing_is_known)
{
	const struct book_entry *entry = lived(5, true);

	look(0);
	hand.in_force = &hand.other;
	hand.late = 50;
	cr_expect_eq(look(SECOND_MS), 0);
	look(10 * SECOND_MS);
	shows(entry, 50 - 5 * MISSING);
	hand.in_force = &hand.config;
	hand.gone = true;
	hand.now_ms += 10 * SECOND_MS;
	impact_step(&console);
	cr_expect_not(book_is_exact(entry));
}
