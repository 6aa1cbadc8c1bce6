/* feed: who listens gets every event once, in order, or is told that some are missing. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feed.h"

#define START_MS 1000u
#define FIRST_ID (START_MS * 1000 + 1)

static struct feed *feed;

struct listener {
	struct feed_subscriber *subscriber;
	unsigned paused, woken, dropped;
	char *text; /* all that it got */
	size_t bytes;
};

static void on_pause(void *self)
{
	((struct listener *)self)->paused++;
}

static void on_wake(void *self)
{
	((struct listener *)self)->woken++;
}

static void on_drop(void *self)
{
	((struct listener *)self)->dropped++;
}

static const struct feed_ops ops = {on_pause, on_wake, on_drop};

static void set_up(void)
{
	feed = feed_open(START_MS);
}

static void tear_down(void)
{
	feed_close(feed);
}

TestSuite(feed, .init = set_up, .fini = tear_down);

static void listen_to(struct listener *listener, unsigned topics, uint64_t last_id)
{
	*listener = (struct listener){0};
	listener->subscriber = feed_subscribe(feed, topics, last_id, &ops, listener, 0);
	cr_assert_not_null(listener->subscriber);
}

/* Read until there is no more. */
static const char *take(struct listener *listener, size_t at_once, uint64_t now_ms)
{
	char part[8192];
	ssize_t got;

	listener->bytes = 0;
	listener->text = realloc(listener->text, 1);
	while ((got = feed_read(listener->subscriber, part, at_once, now_ms)) > 0) {
		listener->text = realloc(listener->text, listener->bytes + (size_t)got + 1);
		memcpy(listener->text + listener->bytes, part, (size_t)got);
		listener->bytes += (size_t)got;
	}
	listener->text[listener->bytes] = '\0';
	return listener->text;
}

static void leave(struct listener *listener)
{
	feed_unsubscribe(listener->subscriber);
	free(listener->text);
}

static void publish(unsigned topics, int number)
{
	feed_publish(feed, topics, "anomaly", json_pack("{si}", "n", number));
}

/* The numbers in what it got, as "1 2 3". */
static const char *numbers(const char *text)
{
	static char list[8192];

	list[0] = '\0';
	for (const char *at = text; (at = strstr(at, "{\"n\":")); at++)
		sprintf(list + strlen(list), "%s%d", list[0] ? " " : "", atoi(at + 5));
	return list;
}

Test(feed, an_event_comes_whole_with_its_id_however_it_is_read)
{
	struct listener whole, bytewise;

	listen_to(&whole, FEED_ANOMALIES, 0);
	listen_to(&bytewise, FEED_ANOMALIES, 0);
	publish(FEED_ANOMALIES, 7);
	cr_assert(strstr(take(&whole, 4096, 0),
			 "\n\nid: 1000001\nevent: anomaly\ndata: {\"n\":7}\n\n"));
	cr_assert_str_eq(take(&bytewise, 1, 0), whole.text);
	cr_assert_eq(feed_last_id(feed), FIRST_ID);
	leave(&whole);
	leave(&bytewise);
}

Test(feed, who_has_all_sleeps_and_is_woken_once_by_what_is_for_it)
{
	struct listener listener;

	listen_to(&listener, FEED_ANOMALIES, 0);
	take(&listener, 4096, 0);
	cr_assert_eq(listener.paused, 1);
	feed_publish(feed, FEED_PIPELINE, "pipeline", json_object());
	cr_assert_eq(listener.woken, 0);
	publish(FEED_ANOMALIES, 1);
	publish(FEED_ANOMALIES, 2);
	cr_assert_eq(listener.woken, 1);
	cr_assert_str_eq(numbers(take(&listener, 4096, 0)), "1 2");
	feed_publish(feed, 0, "engine", json_pack("{si}", "n", 3));
	cr_assert_str_eq(numbers(take(&listener, 4096, 0)), "3");
	leave(&listener);
}

Test(feed, who_comes_back_gets_what_it_missed)
{
	struct listener listener;

	for (int i = 1; i <= 5; i++)
		publish(i == 4 ? FEED_PIPELINE : FEED_ANOMALIES, i);
	listen_to(&listener, FEED_ANOMALIES, FIRST_ID + 1);
	cr_assert_str_eq(numbers(take(&listener, 4096, 0)), "3 5");
	cr_assert_not(strstr(listener.text, "reset"));
	leave(&listener);
	/* One that has seen the newest misses nothing. */
	listen_to(&listener, FEED_ANOMALIES, feed_last_id(feed));
	cr_assert_not(strstr(take(&listener, 4096, 0), "event:"));
	leave(&listener);
}

Test(feed, what_is_no_longer_known_is_one_reset)
{
	static const uint64_t strange[] = {1, FIRST_ID - 2, FIRST_ID + 5, UINT64_MAX};
	struct listener listener;

	publish(FEED_ANOMALIES, 1);
	for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		listen_to(&listener, FEED_ANOMALIES, strange[i]);
		cr_assert(strstr(take(&listener, 4096, 0), "event: reset\ndata: {}\n\n"));
		cr_assert_str_eq(numbers(listener.text), "");
		publish(FEED_ANOMALIES, 2);
		cr_assert_str_eq(numbers(take(&listener, 4096, 0)), "2");
		leave(&listener);
	}
	/* The ring has gone round under one that does not read. */
	listen_to(&listener, FEED_ANOMALIES, 0);
	for (int i = 0; i < 3000; i++)
		publish(FEED_ANOMALIES, i);
	take(&listener, 4096, 0);
	cr_assert(strstr(listener.text, "event: reset"));
	cr_assert_str_eq(numbers(listener.text), "");
	leave(&listener);
	/* What is still there is had again. */
	listen_to(&listener, FEED_ANOMALIES, feed_last_id(feed) - 2);
	cr_assert_str_eq(numbers(take(&listener, 4096, 0)), "2998 2999");
	leave(&listener);
}

Test(feed, the_ring_is_bounded_by_bytes_too)
{
	static char large[100001];
	struct listener listener;

	memset(large, 'x', sizeof(large) - 1);
	for (int i = 0; i < 60; i++)
		feed_publish(feed, FEED_ANOMALIES, "anomaly",
			     json_pack("{si ss}", "n", i, "text", large));
	listen_to(&listener, FEED_ANOMALIES, FIRST_ID);
	cr_assert(strstr(take(&listener, 4096, 0), "event: reset"), "60 of 100 KB are 6 MB");
	leave(&listener);
}

Test(feed, of_what_only_the_newest_matters_one_is_had_and_none_again)
{
	struct listener slow;

	listen_to(&slow, FEED_PIPELINE, 0);
	for (int i = 0; i < 3; i++)
		feed_latest(feed, FEED_PIPELINE, "pipeline", json_pack("{si}", "n", i));
	cr_assert_str_eq(numbers(take(&slow, 4096, 0)), "2");
	cr_assert_not(strstr(slow.text, "id:"));
	cr_assert_str_eq(take(&slow, 4096, 0), "");
	cr_assert(feed_wanted(feed, FEED_PIPELINE));
	cr_assert_not(feed_wanted(feed, FEED_ANOMALIES));
	leave(&slow);
	cr_assert_not(feed_wanted(feed, FEED_PIPELINE));
}

Test(feed, who_comes_later_is_not_given_the_newest_of_long_ago)
{
	struct listener listener;

	feed_latest(feed, FEED_PIPELINE, "pipeline", json_pack("{si}", "n", 1));
	listen_to(&listener, FEED_PIPELINE, 0);
	cr_assert_not(strstr(take(&listener, 4096, 0), "pipeline"));
	feed_latest(feed, FEED_PIPELINE, "pipeline", json_pack("{si}", "n", 2));
	cr_assert_str_eq(numbers(take(&listener, 4096, 0)), "2");
	leave(&listener);
}

Test(feed, who_sleeps_hears_a_ping)
{
	struct listener listener;

	listen_to(&listener, FEED_ANOMALIES, 0);
	take(&listener, 4096, 1000);
	feed_tick(feed, 15999);
	cr_assert_eq(listener.woken, 0);
	feed_tick(feed, 16000);
	cr_assert_eq(listener.woken, 1);
	cr_assert_str_eq(take(&listener, 4096, 16000), ": ping\n\n");
	feed_tick(feed, 30999);
	cr_assert_eq(listener.woken, 1);
	leave(&listener);
}

Test(feed, who_takes_nothing_is_dropped_after_20_seconds)
{
	struct listener slow, quick;

	listen_to(&slow, FEED_ANOMALIES, 0);
	listen_to(&quick, FEED_ANOMALIES, 0);
	take(&slow, 4096, 0);
	take(&quick, 4096, 0);
	publish(FEED_ANOMALIES, 1);
	take(&quick, 4096, 0);
	feed_tick(feed, 14999);
	cr_assert_eq(slow.dropped, 0);
	feed_tick(feed, 20000);
	cr_assert_eq(slow.dropped, 1);
	cr_assert_eq(quick.dropped, 0);
	cr_assert_eq(feed_read(slow.subscriber, (char[8]){0}, 8, 20000), -1);
	feed_tick(feed, 60000);
	cr_assert_eq(slow.dropped, 1);
	leave(&slow);
	leave(&quick);
}

Test(feed, who_is_a_mebibyte_behind_is_dropped)
{
	static char large[300001];
	struct listener slow;
	struct feed_counters counters;

	memset(large, 'x', sizeof(large) - 1);
	listen_to(&slow, FEED_ANOMALIES, 0);
	for (int i = 0; i < 3; i++)
		feed_publish(feed, FEED_ANOMALIES, "anomaly", json_pack("{ss}", "text", large));
	cr_assert_eq(slow.dropped, 0);
	feed_publish(feed, FEED_ANOMALIES, "anomaly", json_pack("{ss}", "text", large));
	cr_assert_eq(slow.dropped, 1);
	feed_counters(feed, &counters);
	cr_assert_eq(counters.dropped, 1);
	leave(&slow);
}

/* It would be dropped at the next event, and come back, for ever. */
Test(feed, who_comes_back_to_more_than_a_mebibyte_looks_again)
{
	static char large[300001];
	struct listener listener;

	memset(large, 'x', sizeof(large) - 1);
	publish(FEED_ANOMALIES, 1);
	for (int i = 0; i < 4; i++)
		feed_publish(feed, FEED_ANOMALIES, "anomaly", json_pack("{ss}", "text", large));
	listen_to(&listener, FEED_ANOMALIES, FIRST_ID);
	const char *text = take(&listener, 4096, 0);
	cr_assert(strstr(text, "event: reset"));
	cr_assert_null(strstr(text, "xxx"));
	publish(FEED_ANOMALIES, 7);
	cr_assert(strstr(take(&listener, 4096, 0), "anomaly"));
	cr_assert_eq(listener.dropped, 0);
	leave(&listener);
}

Test(feed, listeners_are_bounded_and_all_come_to_an_end)
{
	static struct listener many[2049];
	unsigned count = 0;

	while (count < 2049 && (many[count].subscriber = feed_subscribe(feed, FEED_ANOMALIES, 0,
									&ops, &many[count], 0))) {
		take(&many[count], 4096, 0);
		count++;
	}
	cr_assert_eq(count, 2048);
	feed_end(feed);
	cr_assert_null(feed_subscribe(feed, FEED_ANOMALIES, 0, &ops, &many[count], 0));
	for (unsigned i = 0; i < count; i++) {
		cr_assert_eq(many[i].woken, 1);
		cr_assert_eq(feed_read(many[i].subscriber, (char[8]){0}, 8, 0), -1);
		leave(&many[i]);
	}
}
