/*
 * replay: the same log gives the same anomalies, bit for bit.
 *
 * A story is played into a hand-cranked engine over every combination of shards and lanes, with
 * stops, crashes, changes of configuration, what operators say and retention in the middle. The
 * revisions that the live run stored must be those of a replay with 1, 2 and 5 shards; after
 * retention, a replay from the oldest checkpoint must give the live run's last revisions.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "judge.h"
#include "support/proof.h"
#include "support/story.h"
#include "words.h"

static int failed, passed;
static uint64_t compared;

static void expect(bool condition, const char *what, const char *scenario)
{
	if (condition) {
		passed++;
		return;
	}
	failed++;
	printf("FAILED %s: %s\n", scenario, what);
}

static void compare(struct story *story, const char *scenario, bool suffix)
{
	static const uint32_t shards[] = {1, 2, 5};
	uint32_t stored_count;
	char **stored = story_stored(story, &stored_count);

	expect(stored_count >= 10, "the story has anomalies", scenario);
	for (size_t i = 0; i < sizeof(shards) / sizeof(shards[0]); i++) {
		uint32_t count;
		char **replayed = story_replayed(story, shards[i], &count);
		uint32_t skip = suffix && count < stored_count ? stored_count - count : 0;
		bool same = count > 0;
		for (uint32_t at = 0; same && at < count && skip + at < stored_count; at++) {
			same = strcmp(stored[skip + at], replayed[at]) == 0;
			if (!same)
				printf("live   %s\nreplay %s\n", stored[skip + at], replayed[at]);
		}
		same = same && count + skip == stored_count;
		if (!same && getenv("STORY_LINES")) {
			for (uint32_t at = 0; at < stored_count; at++)
				printf("L %s\n", stored[at]);
			for (uint32_t at = 0; at < count; at++)
				printf("R %s\n", replayed[at]);
		}
		if (!same)
			printf("%s: %u live revisions, %u replayed with %u shards\n", scenario,
			       stored_count, count, shards[i]);
		expect(same, "a replay gives the live run's revisions", scenario);
		compared += stored_count - skip;
		story_free_lines(replayed, count);
	}
	printf("%-40s %u revisions\n", scenario, stored_count);
	story_free_lines(stored, stored_count);
}

static void check_log(struct story *story, const char *scenario)
{
	uint64_t events;
	double sum;

	story_logged(story, &events, &sum);
	expect(events == story->emitted, "every event is in the log once", scenario);
	expect(fabs(sum - story->emitted_sum) < 1e-6 * story->emitted_sum,
	       "the values in the log are those emitted", scenario);
}

/* More definitions at once than a small block holds, and than one of any size takes. */
static void many_series(struct story *story)
{
	struct weir_options options = {
		.size = sizeof(options),
		.socket_path = story->socket,
		.source = "story",
		.event_clock = 1,
		.ring_events = 1024,
		.table_bytes = 1u << 18,
		.series_max = 500,
	};
	weir *producer;
	char value[200];

	expect(weir_open(&options, &producer) == 0, "a producer opens", "many series");
	for (int i = 0; i < 400; i++) {
		struct weir_dimension by[] = {{"campaign", value}};
		snprintf(value, sizeof(value), "%0180d", i);
		int series = weir_series(producer, "select_item", WEIR_VALUE, WEIR_KIND_NUMBER, by,
					 1);
		expect(series > 0, "a series is defined", "many series");
		weir_emit_at(producer, series, 1, story_time_ms(story));
		story->emitted++;
		story->emitted_sum += 1;
	}
	for (int turns = 0; turns < 1000; turns++) {
		weir_poll(producer);
		story_settle(story);
		struct weir_ledger ledger;
		weir_ledger(producer, &ledger);
		if (ledger.persisted == 400)
			break;
	}
	struct weir_ledger ledger;
	weir_ledger(producer, &ledger);
	expect(ledger.persisted == 400, "every event of many series is kept", "many series");
	weir_close(producer, 0);
	story_settle(story); /* drained to the end: no engine waits for it to come back */
}

static void small_blocks(void)
{
	struct story story;

	story_begin(&story, 2, 1, 77);
	story.block_bytes = "16KiB";
	story_start(&story);
	story_play(&story, 150, 0);
	many_series(&story);
	story_crash(&story);
	story_start(&story);
	story_play(&story, 12, 0.9);
	story_play(&story, 100, 0);
	story_end_producers(&story);
	story_stop(&story);
	check_log(&story, "small blocks");
	compare(&story, "small blocks, many series", false);
	story_end(&story);
}

/* The store is a projection: where it is lost, the log gives it again, checkpoints or not. */
static void lost_store(void)
{
	struct story story;

	story_begin(&story, 2, 2, 78);
	story_start(&story);
	story_play(&story, 150, 0);
	story_play(&story, 12, 0.9);
	story_play(&story, 150, 0);
	story_stop(&story);
	words_lose_store(&story);
	story_start(&story);
	story_play(&story, 30, 0);
	story_end_producers(&story);
	story_stop(&story);
	check_log(&story, "lost store");
	compare(&story, "a store that was lost", false);
	story_end(&story);
}

/* Where the beginning of the lanes is gone as well, what people said is told all the same: the
 * control log has it, from before the oldest checkpoint too. */
static void lost_words(void)
{
	static const char *const said[] = {
		("{\"kind\":\"annotate\",\"author\":\"ann\",\"text\":\"a sale\",\"from_ms\":1,"
		 "\"until_ms\":2}"),
		"{\"kind\":\"mute\",\"metric\":\"none\",\"until_ms\":99999999999999}",
		"{\"kind\":\"calendar_add\",\"name\":\"summer\",\"date\":\"07-14\"}",
		"{\"kind\":\"unmute\",\"author\":\"bob\",\"mute\":2}",
	};
	const char *name = "lost words";
	struct story story;
	struct words before, behind;

	story_begin(&story, 2, 2, 79);
	story.retain_bytes = 8u << 20;
	story_start(&story);
	story_play(&story, 150, 0);
	for (int i = 0; i < 4; i++)
		story_input(&story, said[i]);
	story_stop(&story);
	struct story_span then = story_replay_span(&story);
	story_start(&story);
	story_play(&story, 2800, 0);
	story_input(&story, "{\"kind\":\"annotate\",\"text\":\"late\",\"from_ms\":1,"
			    "\"until_ms\":2}");
	story_stop(&story);
	expect(words_read(&story, &before) && before.count == 5, "the store has what was said",
	       name);
	expect(story_replay_span(&story).from > then.through,
	       "retention has taken the lanes of that time", name);
	words_lose_store(&story);
	story_start(&story);
	story_play(&story, 30, 0);
	story_end_producers(&story);
	story_stop(&story);
	expect(words_read(&story, &behind) && memcmp(&behind, &before, sizeof(before)) == 0,
	       "a store that was lost is told all that was said", name);
	printf("%-40s %u of %u words\n", name, behind.count, before.count);
	story_end(&story);
}

/* The id of the last anomaly that the store says is not over. */
static bool open_anomaly(struct story *story, char id[33])
{
	uint32_t count;
	char **lines = story_stored(story, &count);
	bool found = false;

	for (uint32_t i = count; i > 0 && !found; i--) {
		const char *at = strstr(lines[i - 1], "\"data\":{\"id\":\"");
		snprintf(id, 33, "%s", at ? at + 14 : "");
		found = at != NULL;
		for (uint32_t j = i; j <= count && found; j++)
			found = !(strstr(lines[j - 1], id) && strstr(lines[j - 1], "resolved"));
	}
	story_free_lines(lines, count);
	return found;
}

/* What the store kept for Redis is what a replay would have told: mutes and their ends included. */
static void compare_told(struct story *story, const char *scenario)
{
	uint32_t kept_count, told_count, same = 0;
	char **kept = story_outbox(story, &kept_count);
	char **told = story_told(story, 2, &told_count);

	while (same < kept_count && same < told_count && strcmp(kept[same], told[same]) == 0)
		same++;
	if (same < kept_count || same < told_count)
		printf("%s: %u alerts kept, %u told by a replay, alike until %s / %s\n", scenario,
		       kept_count, told_count, same < kept_count ? kept[same] : "-",
		       same < told_count ? told[same] : "-");
	expect(same == kept_count && same == told_count && same > 0, "Redis would hear the same",
	       scenario);
	story_free_lines(kept, kept_count);
	story_free_lines(told, told_count);
}

/* How many stored revisions say this. */
static uint32_t count_saying(struct story *story, const char *text)
{
	uint32_t count, saying = 0;
	char **lines = story_stored(story, &count);

	for (uint32_t i = 0; i < count; i++)
		saying += strstr(lines[i], text) != NULL;
	story_free_lines(lines, count);
	return saying;
}

static void may_crash(struct story *story, int crashes)
{
	if (!crashes)
		return;
	story_crash(story);
	story_start(story);
}

/* Somebody acknowledges what goes on, and mutes for 100 minutes of the story, and for ever. */
static void operate(struct story *story)
{
	char json[256], id[33];

	story_settle(story);
	if (open_anomaly(story, id)) {
		snprintf(json, sizeof(json), "{\"kind\":\"ack\",\"author\":\"ann\",\"id\":\"%s\"}",
			 id);
		story_input(story, json);
	}
	snprintf(json, sizeof(json), "{\"kind\":\"mute\",\"metric\":\"page*\",\"until_ms\":%llu}",
		 (unsigned long long)story_time_ms(story) + 100 * 60000);
	story_input(story, json);
	story_input(story,
		    "{\"kind\":\"mute\",\"slice\":\"country=DE\",\"until_ms\":99999999999999}");
}

/* Mutes, an acknowledgement, late events and two reloads, with crashes between and behind them. The
 * metrics change their places, and with retention the beginning is gone: what is in force then
 * comes from a checkpoint. */
static void operated(uint32_t lanes, uint32_t shards, int crashes, uint64_t retain_bytes)
{
	static const char other_metrics[] =
		"  - {name: revenue, event: purchase, agg: sum, by: [country]}\n"
		"  - {name: views, event: page_view, agg: count, by: [device]}\n"
		"  - {name: page_views, event: page_view, agg: count, by: [country, country*device]}\n";
	static const char other_detectors[] =
		"  - {name: views-again, metric: views, kind: window, window: 30, k: 3, severity: 5}\n"
		"  - {name: views-window, metric: page_views, kind: window, window: 30, k: 3, severity: 5}\n"
		"  - {name: revenue-window, metric: revenue, kind: window, window: 40, k: 2, severity: 4}\n";
	struct story story;
	char name[80];
	uint32_t more = retain_bytes ? 700 : 0;

	snprintf(name, sizeof(name), "%u lanes, %u shards, operated%s%s", lanes, shards,
		 crashes ? ", crashes" : "", retain_bytes ? ", retention" : "");
	story_begin(&story, lanes, shards, lanes * 1000 + shards);
	story.retain_bytes = retain_bytes;
	story_start(&story);
	story_play(&story, 150, 0);
	story_play(&story, 12, 0.9);
	operate(&story);
	story_play(&story, 60 + more, 0);
	story_late(&story, 40);
	may_crash(&story, crashes);
	story_play(&story, 12, 0.9);
	story_input(&story,
		    "{\"kind\":\"annotate\",\"text\":\"a sale\",\"from_ms\":1,\"until_ms\":2}");
	story.metrics = other_metrics;
	story.detectors = other_detectors;
	story_reload(&story);
	story_play(&story, 70 + more, 0);
	story_late(&story, 40);
	may_crash(&story, crashes);
	story_play(&story, 12, 0.9);
	if (!retain_bytes)
		story_input(&story, "{\"kind\":\"unmute\",\"mute\":2}");
	story.metrics = story.detectors = NULL;
	story_play(&story, 3, 0);
	story_reload(&story);
	may_crash(&story, crashes);
	story_play(&story, 100 + 2 * more, 0);
	story_play(&story, 12, 0.9);
	story_play(&story, 30, 0);
	story_end_producers(&story);
	story_stop(&story);
	expect(count_saying(&story, "\"muted\":true") > 3, "something was muted", name);
	expect(count_saying(&story, "\"acknowledged\":true") > 0, "something was acknowledged",
	       name);
	if (!retain_bytes) {
		check_log(&story, name);
		compare_told(&story, name);
	}
	compare(&story, name, retain_bytes > 0);
	story_end(&story);
}

/* An entry of the calendar from `minutes` from now on, for 15 minutes. */
static void announce(struct story *story, const char *effect, const char *slice, int minutes)
{
	char json[512];
	unsigned long long from_ms = story_time_ms(story) + (unsigned long long)(minutes * 60000);

	snprintf(json, sizeof(json),
		 "{\"kind\":\"calendar_add\",\"name\":\"fall\",\"effect\":\"%s\",\"slice\":\"%s\","
		 "\"from_ms\":%llu,\"until_ms\":%llu,\"author\":\"ann\"}",
		 effect, slice, from_ms, from_ms + 15 * 60000);
	story_input(story, json);
}

static uint32_t count_stored(struct story *story)
{
	uint32_t count;

	story_settle(story);
	char **lines = story_stored(story, &count);
	story_free_lines(lines, count);
	return count;
}

/* Entries that come, hold and are removed, with crashes in the middle of the events they speak of:
 * what is known is no anomaly, what the calendar says is part of what a replay does, and what was
 * remembered of the first event comes from checkpoints. */
static void calendared(uint32_t lanes, uint32_t shards, int crashes, uint64_t retain_bytes)
{
	struct story story;
	char name[80];
	uint32_t more = retain_bytes ? 700 : 0, before;

	snprintf(name, sizeof(name), "%u lanes, %u shards, calendar%s%s", lanes, shards,
		 crashes ? ", crashes" : "", retain_bytes ? ", retention" : "");
	story_begin(&story, lanes, shards, lanes * 7000 + shards);
	story.retain_bytes = retain_bytes;
	story_start(&story);
	story_play(&story, 150, 0);
	announce(&story, "exclude", "", -3); /* input 1; what is not closed yet is too */
	before = count_stored(&story);
	story_play(&story, 6, 0.9);
	may_crash(&story, crashes);
	story_play(&story, 5, 0.9);
	expect(count_stored(&story) == before, "what is excluded is no anomaly", name);
	story_play(&story, 61 + more, 0);
	announce(&story, "last-year", "country=DE", 0); /* 2 */
	announce(&story, "expect:+25.5%", "", 6);       /* 3 */
	story_input(&story, "{\"kind\":\"calendar_add\",\"name\":\"summer\",\"date\":\"07-14\","
			    "\"zone\":\"Europe/Berlin\","
			    "\"zone_rules\":\"Europe/Berlin 3600 CET-1CEST,M3.5.0,M10.5.0/3\"}");
	before = count_stored(&story);
	story_play(&story, 12, 0.9);
	may_crash(&story, crashes);
	story_play(&story, 60 + more, 0);
	expect(count_stored(&story) > before, "what is not excluded is found", name);
	announce(&story, "last-year", "country=DE", 0); /* 5 */
	announce(&story, "exclude", "country=IT", 3);   /* 6 */
	story_play(&story, 6, 0.9);
	may_crash(&story, crashes);
	story_input(&story, "{\"kind\":\"calendar_remove\",\"of\":6}");
	story_play(&story, 6, 0.9);
	may_crash(&story, crashes);
	story_play(&story, 60 + more, 0);
	if (crashes && !retain_bytes)
		story_rebase(&story); /* lives through the past with the calendar as it is */
	announce(&story, "exclude", "", 0); /* 8: and taken back */
	story_settle(&story);
	before = count_saying(&story, "\"band\":\"critical\"");
	story_input(&story, "{\"kind\":\"calendar_remove\",\"of\":8}");
	story_play(&story, 12, 0.9);
	story_settle(&story);
	expect(count_saying(&story, "\"band\":\"critical\"") > before,
	       "what was removed excludes nothing", name);
	story_play(&story, 30, 0);
	story_end_producers(&story);
	story_stop(&story);
	if (!retain_bytes)
		check_log(&story, name);
	compare(&story, name, retain_bytes > 0);
	story_end(&story);
}

/* What is dismissed is not told again, through crashes and from checkpoints; taken back, it is; and
 * what is confirmed is not learned from. */
static void dismissed(uint32_t lanes, uint32_t shards, int crashes, uint64_t retain_bytes)
{
	struct story story;
	struct judged judged, again;
	char name[80], undo[128];
	uint32_t more = retain_bytes ? 700 : 0;

	snprintf(name, sizeof(name), "%u lanes, %u shards, feedback%s%s", lanes, shards,
		 crashes ? ", crashes" : "", retain_bytes ? ", retention" : "");
	story_begin(&story, lanes, shards, lanes * 9000 + shards);
	story.retain_bytes = retain_bytes;
	story_start(&story);
	story_play(&story, 150, 0);
	story_play(&story, 12, 0.9);
	expect(judge_find(&story, &judged), "something fires in Germany", name);
	judge(&story, &judged, "no", 12); /* input 1 */
	story_play(&story, 40 + more, 0);
	may_crash(&story, crashes);
	uint32_t before = judge_count(&story, &judged);
	story_play(&story, 6, 0.9);
	may_crash(&story, crashes);
	story_play(&story, 6, 0.9);
	story_play(&story, 20, 0);
	if (!retain_bytes)
		expect(judge_count(&story, &judged) == before, "its like is not told", name);
	snprintf(undo, sizeof(undo), "{\"kind\":\"feedback_undo\",\"of\":1,\"id\":\"%s\"}",
		 judged.id);
	story_input(&story, undo);
	story_play(&story, 70 + more, 0);
	may_crash(&story, crashes);
	story_play(&story, 12, 0.9);
	expect(judge_count(&story, &judged) > before, "taken back, it is told", name);
	expect(judge_find(&story, &again), "something fires in Germany", name);
	judge(&story, &again, "yes", 12);
	story_play(&story, 20, 0.9);
	may_crash(&story, crashes);
	/* The threshold is higher for long: what a checkpoint must know. */
	for (uint32_t nth = 1; nth <= 6 && judge_other(&story, nth, judged.id); nth++)
		judge(&story, &judged, "no", 12);
	story_play(&story, 60 + more, 0);
	story_play(&story, 12, 0.9);
	story_play(&story, 30, 0);
	story_end_producers(&story);
	story_stop(&story);
	if (!retain_bytes)
		check_log(&story, name);
	compare(&story, name, retain_bytes > 0);
	story_end(&story);
}

/* A metric of which nothing was ever found would prove nothing. */
static void expect_anomalies_of(struct story *story, const char *const *metrics, const char *name)
{
	uint32_t count;
	char **lines = story_stored(story, &count), text[64], what[96];

	for (; *metrics; metrics++) {
		bool found = false;
		snprintf(text, sizeof(text), "\"metric\":\"%s\"", *metrics);
		for (uint32_t i = 0; i < count && !found; i++)
			found = strstr(lines[i], text);
		snprintf(what, sizeof(what), "%s has anomalies", *metrics);
		expect(found, what, name);
	}
	story_free_lines(lines, count);
}

/* Every aggregation, with crashes and a reload that changes what is sketched. */
static void every_aggregation(uint32_t lanes, uint32_t shards, int crashes)
{
#define METRICS_BUT_PERCENTILES                                                                    \
	"  - {name: page_views, event: page_view, by: [country]}\n"                                \
	"  - {name: orders, event: purchase, by: [country, country*device]}\n"                     \
	"  - {name: revenue, event: purchase, agg: sum, where: ['country=DE|IT']}\n"               \
	"  - {name: basket, event: purchase, agg: mean, where: ['device!=mobile']}\n"              \
	"  - {name: least, event: purchase, agg: min}\n"                                           \
	"  - {name: most, event: purchase, agg: max, by: [device]}\n"                              \
	"  - {name: conversion, ratio: orders / page_views, by: [country]}\n"                      \
	"  - {name: visitors, event: page_view, field: visitor, agg: distinct, by: [country]}\n"
#define WINDOW(metric)                                                                             \
	"  - {metric: " metric ", kind: window, window: 30, k: 2, severity: 3, min_volume: 1}\n"
	static const char *const watched[] = {"orders",     "revenue",  "basket",  "least", "most",
					      "conversion", "visitors", "typical", "dear",  NULL};
	struct story story;
	char name[64];

	snprintf(name, sizeof(name), "%u lanes, %u shards, every aggregation%s", lanes, shards,
		 crashes ? ", crashes" : "");
	story_begin(&story, lanes, shards, lanes * 5000 + shards);
	story.hashes = true;
	story.metrics = METRICS_BUT_PERCENTILES
		"  - {name: typical, event: purchase, agg: p50, by: [country]}\n";
	story.detectors = WINDOW("orders") WINDOW("revenue") WINDOW("basket") WINDOW("least")
		WINDOW("most") WINDOW("conversion") WINDOW("visitors") WINDOW("typical");
	story_start(&story);
	for (int part = 0; part < 4; part++) {
		story_play(&story, 100, 0);
		story_play(&story, 10, 0.9);
		if (crashes) {
			story_crash(&story);
			story_play(&story, 2, 0);
			story_start(&story);
		}
		if (part == 1) {
			story.metrics = METRICS_BUT_PERCENTILES
				"  - {name: dear, event: purchase, agg: p95, by: [device]}\n"
				"  - {name: long, event: page_view, agg: p99.9}\n";
			story.detectors = WINDOW("orders") WINDOW("revenue") WINDOW("conversion")
				WINDOW("visitors") WINDOW("dear") WINDOW("long");
			story_reload(&story);
		}
	}
	story_play(&story, 30, 0);
	story_end_producers(&story);
	story_stop(&story);
	check_log(&story, name);
	expect_anomalies_of(&story, watched, name);
	compare(&story, name, false);
	story_end(&story);
}

/* Rebases in the middle, while something fires and while nothing does, with crashes behind them;
 * late events before the second, so that it learns what nobody had scored. */
static void rebased(uint32_t lanes, uint32_t shards, int crashes, uint64_t retain_bytes)
{
	struct story story;
	char name[64];

	snprintf(name, sizeof(name), "%u lanes, %u shards, rebased%s%s", lanes, shards,
		 crashes ? ", crashes" : "", retain_bytes ? ", retention" : "");
	story_begin(&story, lanes, shards, lanes * 3000 + shards);
	story.hashes = true;
	story.retain_bytes = retain_bytes;
	story_start(&story);
	for (int part = 0; part < 4; part++) {
		story_play(&story, retain_bytes ? 700 : 150, 0);
		story_play(&story, 12, 0.9);
		if (part != 2)
			story_rebase(&story);
		if (crashes) {
			story_crash(&story);
			story_play(&story, 3, 0);
			story_start(&story);
		}
		if (part == 2)
			story_rebase(&story);
	}
	story_play(&story, 30, 0);
	story_end_producers(&story);
	story_stop(&story);
	if (!retain_bytes)
		check_log(&story, name);
	compare(&story, name, retain_bytes > 0);
	story_end(&story);
}

/* Who lives through the same again knows the same: where nothing fired and nothing came late, all
 * that is found later is what would have been found without the rebase, bit for bit. */
static char **found(bool rebase, uint32_t *ret_count)
{
	/* So high that calm intervals, and five minutes of them, are calm. */
	static const char calm_detectors[] =
		"  - {name: views-seasonal, metric: page_views, kind: seasonal, severity: 55}\n"
		"  - {name: views-day, metric: page_views, kind: rule, frequency: 1d, above: 1}\n"
		"  - {name: views-window, metric: page_views, kind: window, window: 30, k: 3, severity: 5}\n"
		"  - {name: revenue-window, metric: revenue, kind: window, window: 60, k: 2.5, severity: 5}\n";
	struct story story;

	story_begin(&story, 2, 2, 4711);
	story.detectors = calm_detectors;
	story_start(&story);
	story_play(&story, 200, 0);
	story_settle(&story);
	if (rebase)
		story_rebase(&story);
	story_play(&story, 12, 0.9);
	/* Until the day is over, of which the rebase has seen a part. */
	story_play(&story, 1300, 0);
	story_end_producers(&story);
	story_stop(&story);
	char **lines = story_stored(&story, ret_count);
	story_end(&story);
	return lines;
}

static void rebased_to_the_same(void)
{
	const char *name = "a rebase of what was lived";
	uint32_t plain_count, again_count;
	char **plain = found(false, &plain_count);
	char **again = found(true, &again_count);
	bool same = plain_count == again_count;

	expect(plain_count >= 10, "the story has anomalies", name);
	for (uint32_t i = 0; i < plain_count && same; i++) {
		same = strcmp(plain[i], again[i]) == 0;
		if (!same)
			printf("without %s\nwith    %s\n", plain[i], again[i]);
	}
	expect(same, "the same is found", name);
	printf("%-40s %u, %u revisions\n", name, plain_count, again_count);
	story_free_lines(plain, plain_count);
	story_free_lines(again, again_count);
}

/* interrupt: 0 none, 1 stops, 2 crashes, 3 crashes and a change of configuration. */
static void scenario(uint32_t lanes, uint32_t shards, int interrupt, uint64_t retain_bytes)
{
	static const char other_detectors[] =
		"  - {name: views-window, metric: page_views, kind: window, window: 30, k: 3, severity: 5}\n"
		"  - {name: revenue-window, metric: revenue, kind: window, window: 40, k: 2, severity: 4}\n";
	struct story story;
	char name[64];

	snprintf(name, sizeof(name), "%u lanes, %u shards, interrupt %d%s", lanes, shards,
		 interrupt, retain_bytes ? ", retention" : "");
	story_begin(&story, lanes, shards, lanes * 100 + shards * 10 + (uint64_t)interrupt);
	story.retain_bytes = retain_bytes;
	story_play(&story, 5, 0); /* before there is an engine */
	story_start(&story);
	for (int part = 0; part < 4; part++) {
		story_play(&story, retain_bytes ? 700 : 150, 0);
		story_play(&story, 12, 0.9);
		if (interrupt == 1)
			story_stop(&story);
		else if (interrupt >= 2)
			story_crash(&story);
		if (interrupt == 3 && part == 1)
			story.detectors = other_detectors;
		if (interrupt && part % 2)
			story_play(&story, 3, 0); /* while the engine is away */
		if (interrupt)
			story_start(&story);
	}
	story_play(&story, 30, 0);
	story_end_producers(&story);
	story_stop(&story);
	if (!retain_bytes)
		check_log(&story, name);
	compare(&story, name, retain_bytes > 0);
	story_end(&story);
}

/* Checkpoints far apart: the log has more than retention would keep, because they need it. */
static void rare_checkpoints(void)
{
	struct story story;

	story_begin(&story, 1, 2, 1234);
	story.retain_bytes = 2u << 20;
	story.checkpoint_intervals = 900;
	story_start(&story);
	for (int part = 0; part < 4; part++) {
		story_play(&story, 700, 0);
		story_play(&story, 12, 0.9);
	}
	story_end_producers(&story);
	story_stop(&story);
	compare(&story, "rare checkpoints, retention", true);
	story_end(&story);
}

/* One part of the whole, by its name. false: there is none of that name. */
static bool play_part(const char *part)
{
	if (strcmp(part, "retention") == 0) {
		rare_checkpoints();
	} else if (strcmp(part, "small") == 0) {
		small_blocks();
		lost_store();
		lost_words();
	} else if (strcmp(part, "operated") == 0) {
		operated(1, 1, 0, 0);
		operated(3, 2, 1, 0);
		operated(2, 5, 1, 0);
		operated(2, 2, 1, 8u << 20);
	} else if (strcmp(part, "calendar") == 0) {
		calendared(1, 1, 0, 0);
		calendared(2, 5, 1, 0);
		calendared(2, 2, 1, 8u << 20);
	} else if (strcmp(part, "feedback") == 0) {
		dismissed(1, 1, 0, 0);
		dismissed(2, 5, 1, 0);
		dismissed(2, 2, 1, 8u << 20);
	} else if (strcmp(part, "aggregations") == 0) {
		every_aggregation(1, 1, 0);
		every_aggregation(3, 2, 1);
	} else if (strcmp(part, "rebased") == 0) {
		rebased_to_the_same();
		rebased(1, 1, 0, 0);
		rebased(3, 2, 1, 0);
	} else {
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	if (argc == 2 && play_part(argv[1]))
		return failed ? EXIT_FAILURE : EXIT_SUCCESS;
	if (argc == 5) { /* one scenario: lanes shards interrupt retain_bytes */
		scenario((uint32_t)atoi(argv[1]), (uint32_t)atoi(argv[2]), atoi(argv[3]),
			 strtoull(argv[4], NULL, 10));
		printf("%d passed, %d failed\n", passed, failed);
		return failed ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	static const uint32_t lanes[] = {1, 3};
	static const uint32_t shards[] = {1, 2, 5};

	for (int l = 0; l < 2; l++)
		for (int s = 0; s < 3; s++)
			for (int interrupt = 0; interrupt < 4; interrupt++)
				scenario(lanes[l], shards[s], interrupt, 0);
	for (int crashes = 0; crashes < 2; crashes++) {
		operated(1, 1, crashes, 0);
		operated(3, 2, crashes, 0);
		operated(2, 5, crashes, 0);
	}
	every_aggregation(1, 1, 0);
	every_aggregation(3, 2, 1);
	every_aggregation(2, 5, 1);
	play_part("calendar");
	play_part("feedback");
	operated(2, 2, 1, 8u << 20);
	rebased_to_the_same();
	rebased(1, 1, 0, 0);
	rebased(3, 2, 1, 0);
	rebased(2, 5, 1, 8u << 20);
	scenario(1, 2, 0, 8u << 20);
	scenario(3, 1, 2, 8u << 20);
	rare_checkpoints();
	small_blocks();
	lost_store();
	lost_words();
	printf("%d passed, %d failed\n", passed, failed);
	proof_say("revisions-replayed", compared, (uint64_t)failed);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
