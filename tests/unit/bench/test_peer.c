/*
 * peer: what a comparison believes. Books that differ from the plan are seen, and the StatsD server
 * takes what is a line and nothing else.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "peer.h"
#include "peer_statsd_server.h"

#define SERIES 1000u
#define EVENTS 12345u

/* The plan's first EVENTS events in the books, but for number `left_out`. */
static void fill(struct peer_books *books, struct plan *plan, uint32_t left_out)
{
	struct plan_cursor cursor;
	cr_assert_eq(plan_init(plan, SERIES, 0), 0);
	cr_assert_eq(peer_books_init(books, plan), 0);
	plan_start(plan, &cursor);
	for (uint32_t i = 0; i < EVENTS; i++) {
		uint32_t value, index = plan_next(&cursor, &value);
		if (i != left_out)
			peer_books_add(books, index, value);
	}
}

static struct peer_result closed(struct peer_books *books, struct plan *plan)
{
	struct peer_result result = {0};
	peer_books_close(books, EVENTS, &result);
	peer_books_fini(books);
	plan_fini(plan);
	return result;
}

Test(peer, what_was_sent_and_arrived_is_all_right)
{
	struct plan plan;
	struct peer_books books;
	fill(&books, &plan, EVENTS);
	struct peer_result result = closed(&books, &plan);
	cr_assert_eq(result.sent, EVENTS);
	cr_assert_eq(result.kept, EVENTS);
	cr_assert_eq(result.wrong, 0);
}

Test(peer, a_lost_event_is_missing)
{
	struct plan plan;
	struct peer_books books;
	fill(&books, &plan, 77);
	cr_assert_eq(closed(&books, &plan).kept, EVENTS - 1);
}

Test(peer, an_event_under_another_series_is_seen_in_both)
{
	struct plan plan;
	struct peer_books books;
	fill(&books, &plan, 77);
	/* 77 again, elsewhere. */
	struct plan_cursor cursor;
	uint32_t value = 0, index = 0;
	plan_start(&plan, &cursor);
	for (uint32_t i = 0; i <= 77; i++)
		index = plan_next(&cursor, &value);
	peer_books_add(&books, (index + 1) % SERIES, value);
	struct peer_result result = closed(&books, &plan);
	cr_assert_eq(result.kept, EVENTS);
	cr_assert_eq(result.wrong, 2);
}

Test(peer, what_is_no_event_of_the_plan_is_a_stranger)
{
	struct plan plan;
	struct peer_books books;
	fill(&books, &plan, EVENTS);
	peer_books_add(&books, SERIES, 1);
	peer_books_add(&books, 0, 0);
	peer_books_add(&books, 0, PLAN_VALUES + 1);
	struct peer_result result = closed(&books, &plan);
	cr_assert_eq(result.kept, EVENTS);
	cr_assert_eq(result.wrong, 3);
}

static uint64_t take(struct statsd_server *server, const char *packet)
{
	return statsd_server_read(server, packet, packet + strlen(packet));
}

Test(peer, the_statsd_server_adds_up_by_name)
{
	struct statsd_server *server = statsd_server_create(10);
	cr_assert_not_null(server);
	cr_assert_eq(take(server, "a.b:5|c\nlonger.name.of.it:12|c\na.b:3|c"), 3);
	cr_assert_eq(take(server, "a.b:1|c\n"), 1);
	const struct statsd_counter *counter = statsd_server_find(server, "a.b", 3);
	cr_assert_not_null(counter);
	cr_assert_eq(counter->count, 3);
	cr_assert_eq(counter->sum, 9);
	cr_assert_eq(statsd_server_find(server, "longer.name.of.it", 17)->sum, 12);
	cr_assert_null(statsd_server_find(server, "a", 1));
	cr_assert_eq(server->refused, 0);
}

Test(peer, the_statsd_server_refuses_the_rest_of_a_packet_that_is_broken)
{
	static const char *const broken[] = {"a",    "a:",    "a:5",    "a:5|", ":5|c",
					     "a:|c", "a:5|g", "a:5|cx", "a:x|c"};
	struct statsd_server *server = statsd_server_create(10);
	char packet[64];
	cr_assert_not_null(server);
	for (uint32_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		snprintf(packet, sizeof(packet), "good:1|c\n%s\nafter:1|c", broken[i]);
		cr_assert_leq(take(server, packet), 2, "%s", broken[i]);
		cr_assert_eq(server->refused, i + 1, "%s", broken[i]);
	}
	cr_assert_eq(statsd_server_find(server, "good", 4)->count, server->refused);
	cr_assert_eq(take(server, "last:1|cx"), 1);
	cr_assert_eq(server->refused, sizeof(broken) / sizeof(broken[0]) + 1);
	cr_assert_null(statsd_server_find(server, "after", 5));
}

Test(peer, the_statsd_server_keeps_ten_thousand_names_apart)
{
	struct statsd_server *server = statsd_server_create(10000);
	char text[64];
	cr_assert_not_null(server);
	for (uint32_t round = 0; round < 2; round++)
		for (uint32_t i = 0; i < 10000; i++) {
			snprintf(text, sizeof(text), "name.%u:%u|c", i, i % 10);
			cr_assert_eq(take(server, text), 1);
		}
	for (uint32_t i = 0; i < 10000; i++) {
		int bytes = snprintf(text, sizeof(text), "name.%u", i);
		const struct statsd_counter *counter = statsd_server_find(server, text,
									  (size_t)bytes);
		cr_assert(counter && counter->count == 2 && counter->sum == 2 * (i % 10), "%s",
			  text);
	}
}
