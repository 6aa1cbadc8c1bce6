/*
 * history: what the engine kept live is what it rebuilds from its log, byte for byte.
 *
 * A story with late events, crashes and a reload is played; its history must have every event
 * once. Then history.db is lost, or damaged, and an engine is started again: every chunk must be as
 * it was. After a power cut the log may have lost its end, which the history must not count twice.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "interval/history.h"
#include "support/history_dump.h"
#include "support/proof.h"
#include "support/story.h"

static int failed, passed;
static uint64_t rebuilds;

static const char metrics[] =
	"  - {name: page_views, event: page_view, by: [country]}\n"
	"  - {name: orders, event: purchase, by: [country, country*device]}\n"
	"  - {name: revenue, event: purchase, agg: sum, by: [device]}\n"
	"  - {name: most, event: purchase, agg: max}\n"
	"  - {name: conversion, ratio: orders / page_views}\n"
	"  - {name: visitors, event: page_view, field: visitor, agg: distinct, by: [country]}\n";
static const char more_metrics[] =
	"  - {name: orders, event: purchase, by: [country, country*device]}\n"
	"  - {name: page_views, event: page_view, by: [country, device]}\n"
	"  - {name: typical, event: purchase, agg: p50}\n"
	"  - {name: revenue, event: purchase, agg: sum, by: [device]}\n";

static void expect(bool condition, const char *what, const char *scenario)
{
	passed += condition;
	failed += !condition;
	if (!condition)
		printf("FAILED %s: %s\n", scenario, what);
}

static void path_of(const struct story *story, const char *ending, char path[128])
{
	snprintf(path, 128, "%s/%s%s", story->data, HISTORY_FILE, ending);
}

/* Events of a metric over all time. */
static double events_of(const struct story *story, const char *metric, int64_t step_ms)
{
	char path[128], why[512];
	struct history_reader *reader;
	struct history_answer answer;
	struct history_query query = {
		.metric = metric,
		.source = "story",
		.from_ms = (int64_t)STORY_START_MS - 86400000,
		.to_ms = (int64_t)STORY_START_MS + INT64_C(20) * 86400000,
		.step_ms = step_ms,
	};
	double events = 0;

	path_of(story, "", path);
	if (history_reader_open(path, &reader) < 0)
		return NAN;
	int error = history_read(reader, &query, &answer, why, sizeof(why));
	history_reader_close(reader);
	if (error < 0) {
		printf("%s: %s\n", metric, why);
		return NAN;
	}
	for (uint32_t i = 0; i < answer.count; i++)
		events += answer.points[i].events;
	history_answer_fini(&answer);
	return events;
}

static double events_of_all(const struct story *story, int64_t step_ms)
{
	return events_of(story, "page_views", step_ms) + events_of(story, "orders", step_ms);
}

/* Events of hours ago, in the log but behind every close. */
static void emit_late(struct story *story, int count)
{
	for (int i = 0; i < count; i++) {
		uint64_t back_ms = (uint64_t)(20 + 13 * i) * 60000;
		double value = 1000 + i;
		int producer = i % STORY_PRODUCERS;
		if (story_time_ms(story) - back_ms < STORY_START_MS)
			break;
		weir_emit_at(story->producers[producer], story->series[producer][i % 6], value,
			     story_time_ms(story) - back_ms);
		story->emitted++;
		story->emitted_sum += value;
	}
}

static void rebuilt_is_same(struct story *story, const char *name)
{
	char *live = history_dump(story->data, NULL);

	expect(strlen(live) > 10000, "there are chunks", name);
	history_remove(story->data);
	story_start(story);
	story_stop(story);
	char *rebuilt = history_dump(story->data, NULL);
	rebuilds++;
	bool same = strcmp(live, rebuilt) == 0;
	expect(same, "what is rebuilt is what was kept", name);
	if (!same)
		history_show_difference(live, rebuilt);
	free(live);
	free(rebuilt);
}

static void scenario(uint32_t lanes, uint32_t shards, bool crashes)
{
	struct story story;
	char name[64];

	snprintf(name, sizeof(name), "%u lanes, %u shards%s", lanes, shards,
		 crashes ? ", crashes" : "");
	story_begin(&story, lanes, shards, lanes * 31 + shards);
	story.metrics = metrics;
	story_start(&story);
	for (int part = 0; part < 4; part++) {
		story_play(&story, 110, 0);
		emit_late(&story, 17);
		story_play(&story, 5, 0.5);
		if (crashes) {
			story_crash(&story);
			story_play(&story, 2, 0);
			story_start(&story);
		}
		if (part == 1 || part == 2) {
			story.metrics = part == 1 ? more_metrics : metrics;
			story_reload(&story);
		}
	}
	story_play(&story, 30, 0);
	story_end_producers(&story);
	story_stop(&story);
	expect(events_of_all(&story, 60000) == (double)story.emitted,
	       "every event once, in minutes", name);
	expect(events_of_all(&story, 86400000) == (double)story.emitted,
	       "every event once, in days", name);
	rebuilt_is_same(&story, name);
	printf("%-32s %" PRIu64 " events\n", name, story.emitted);
	story_end(&story);
}

/* Behind a rebase the detectors' slices have other numbers: their rows are kept all the same. */
static void rebased(uint32_t lanes, uint32_t shards)
{
	struct story story;
	char name[64];

	snprintf(name, sizeof(name), "%u lanes, %u shards, rebased", lanes, shards);
	story_begin(&story, lanes, shards, lanes * 17 + shards);
	story.metrics = metrics;
	story_start(&story);
	for (int part = 0; part < 3; part++) {
		story_play(&story, 110, 0);
		emit_late(&story, 17);
		story_play(&story, 5, 0.5);
		story_rebase(&story);
	}
	story_play(&story, 70, 0);
	story_end_producers(&story);
	story_stop(&story);
	expect(events_of_all(&story, 60000) == (double)story.emitted,
	       "every event once, in minutes", name);
	expect(events_of_all(&story, 86400000) == (double)story.emitted,
	       "every event once, in days", name);
	rebuilt_is_same(&story, name);
	printf("%-32s %" PRIu64 " events\n", name, story.emitted);
	story_end(&story);
}

/* The states of old rebases are not kept for ever. Without one the log cannot be replayed from its
 * first event: then the history is rebuilt from the oldest checkpoint on. */
static void lost_behind_many_rebases(void)
{
	const char *name = "history lost behind many rebases";
	struct story story;

	story_begin(&story, 1, 2, 77);
	story.metrics = metrics;
	story_start(&story);
	for (int part = 0; part < 12; part++) {
		story_play(&story, 70, 0);
		story_rebase(&story);
	}
	story_play(&story, 200, 0);
	story_end_producers(&story);
	story_stop(&story);
	double all = events_of_all(&story, 60000);
	history_remove(story.data);
	story_start(&story);
	story_stop(&story);
	double rebuilt = events_of_all(&story, 60000);
	expect(rebuilt > 0 && rebuilt < all, "what the oldest checkpoint leaves is rebuilt", name);
	printf("%-32s %.0f of %.0f events\n", name, rebuilt, all);
	story_end(&story);
}

/* Closing waits five seconds for producers that the power took with it. */
static void settle_long(struct story *story)
{
	for (int i = 0; i < 4; i++)
		story_settle(story);
}

/* The log's end can be lost, the history's is not: intervals that are closed again count once. */
static void power_cut(uint64_t seed)
{
	struct story story;
	uint64_t logged;
	double sum;

	story_begin(&story, 2, 2, seed);
	story.metrics = metrics;
	story_start(&story);
	for (int part = 0; part < 3; part++) {
		story_play(&story, 90, 0);
		story_power_cut(&story);
		story_renew_producers(&story, 1u << 16);
		story_start(&story);
		settle_long(&story);
	}
	story_play(&story, 60, 0);
	settle_long(&story);
	story_stop(&story);
	story_logged(&story, &logged, &sum);
	double kept = events_of_all(&story, 60000);
	expect(kept <= (double)story.emitted, "no event twice", "power cut");
	expect(kept >= 0.9 * (double)logged, "nearly all that the log has", "power cut");
	expect(kept == events_of_all(&story, 86400000), "days are the sum of minutes", "power cut");
	printf("power cut: %" PRIu64 " emitted, %" PRIu64 " in the log, %.0f in the history\n",
	       story.emitted, logged, kept);
	story_end(&story);
}

int main(void)
{
	scenario(1, 1, false);
	scenario(3, 2, true);
	scenario(2, 5, true);
	rebased(1, 1);
	rebased(2, 3);
	lost_behind_many_rebases();
	for (uint64_t seed = 1; seed <= 3; seed++)
		power_cut(seed);
	printf("%d passed, %d failed\n", passed, failed);
	proof_say("history-rebuilt", rebuilds, (uint64_t)failed);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
