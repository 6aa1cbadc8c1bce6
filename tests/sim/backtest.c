/*
 * backtest: what was found live is found again from the history, bit for bit.
 *
 * A story is played into a hand-cranked engine, with stops, crashes, changes of configuration, what
 * operators say and a rebase in the middle. The detectors that were in force live through its
 * history again: every revision must be the one that the store has. Then drafts: one that is the
 * live detector finds what that has found, one that is deaf finds nothing, one that is wrong is
 * refused; and where the intervals are forgotten, hours take their place.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backtest.h"
#include "deliver/payload.h"
#include "deliver/store.h"
#include "lived.h"
#include "support/proof.h"
#include "support/simdisk.h"
#include "support/story.h"

static int failed, passed;
static uint64_t compared;

static void expect(bool condition, const char *what, const char *scenario)
{
	passed += condition;
	failed += !condition;
	if (!condition)
		printf("FAILED %s: %s\n", scenario, what);
}

struct lines {
	char **lines;
	uint32_t count;
};

/* What is known behind the detectors only (other metrics, what operators said of it) is left out.
 */
static void add_line(void *self, const struct anomaly *anomaly)
{
	struct anomaly *own = malloc(sizeof(*own));
	struct lines *lines = self;

	*own = *anomaly;
	own->relateds = 0;
	own->muted = own->acknowledged = false;
	lines->lines = realloc(lines->lines, (lines->count + 1) * sizeof(char *));
	lines->lines[lines->count++] = payload_json(own, "test");
	free(own);
}

static int add_stored(void *self, const struct anomaly *anomaly)
{
	add_line(self, anomaly);
	return 0;
}

static struct lines stored(const struct story *story)
{
	struct store_query query = {.limit = 1u << 30, .revisions = true};
	struct store_reader *reader;
	struct lines lines = {0};
	char path[128];

	snprintf(path, sizeof(path), "%s/weir.db", story->data);
	if (store_reader_open(path, &reader) < 0)
		return lines;
	expect(store_anomalies(reader, &query, add_stored, &lines) == 0, "the store is read", path);
	store_reader_close(reader);
	return lines;
}

/* With a draft, or NULL; `lines` may be NULL. */
static int look_back(const struct story *story, const char *draft, struct backtest *backtest,
		     struct lines *lines, char *why, size_t why_bytes)
{
	char history[128], store[128];
	struct backtest_options options = {
		.io = simdisk_io(story->disk, 1),
		.history_path = history,
		.store_path = store,
		.draft = draft,
		.draft_bytes = draft ? strlen(draft) : 0,
		.draft_name = "draft.yaml",
		.each = lines ? add_line : NULL,
		.self = lines,
	};

	snprintf(history, sizeof(history), "%s/%s", story->data, HISTORY_FILE);
	snprintf(store, sizeof(store), "%s/weir.db", story->data);
	int error = backtest_run(&options, backtest, why, why_bytes);
	options.io->ops->destroy(options.io);
	return error;
}

static void free_lines(struct lines *lines)
{
	for (uint32_t i = 0; i < lines->count; i++)
		free(lines->lines[i]);
	free(lines->lines);
}

static void found_again(const struct story *story, const char *scenario)
{
	struct lines live = stored(story), again = {0};
	struct backtest backtest;
	struct backtest_comparison comparison = {0};
	char why[512];
	int error = look_back(story, NULL, &backtest, &again, why, sizeof(why));
	bool same = true;

	if (error < 0)
		printf("%s: %s\n", scenario, why);
	expect(error == 0, "a backtest can be run", scenario);
	expect(live.count >= 10, "the story has anomalies", scenario);
	expect(live.count == again.count, "as many revisions are found again", scenario);
	for (uint32_t i = 0; same && i < live.count && i < again.count; i++) {
		same = strcmp(live.lines[i], again.lines[i]) == 0;
		if (!same)
			printf("live  %s\nagain %s\n", live.lines[i], again.lines[i]);
	}
	expect(same, "every revision is the live one", scenario);
	expect(backtest_compare(&backtest, &comparison) == 0, "both sides compare", scenario);
	expect(comparison.only_live == 0 && comparison.only_found == 0 &&
		       comparison.live_all == comparison.found_all && comparison.live_all > 0,
	       "no anomaly differs", scenario);
	expect(backtest.sources_count == 1 && backtest.sources[0].whole &&
		       backtest.sources[0].tier == HISTORY_BASE,
	       "it was looked at whole", scenario);
	printf("%-28s %u revisions, %u found again, %u anomalies\n", scenario, live.count,
	       again.count, comparison.live_all);
	compared += live.count;
	free(comparison.weeks);
	backtest_fini(&backtest);
	free_lines(&live);
	free_lines(&again);
}

static void stops_and_crashes(uint32_t lanes, uint32_t shards)
{
	struct story story;
	char name[64];

	snprintf(name, sizeof(name), "%u lanes, %u shards", lanes, shards);
	story_begin(&story, lanes, shards, 31 + lanes);
	story_start(&story);
	story_play(&story, 150, 0);
	story_play(&story, 12, 0.9);
	story_play(&story, 40, 0);
	story_stop(&story);
	story_start(&story);
	story_play(&story, 100, 0);
	story_play(&story, 8, 0.9);
	story_crash(&story);
	story_start(&story);
	story_play(&story, 90, 0);
	story_end_producers(&story);
	story_stop(&story);
	found_again(&story, name);
	story_end(&story);
}

static const char many_metrics[] =
	"  - {name: page_views, event: page_view, by: [country]}\n"
	"  - {name: orders, event: purchase, by: [country, country*device]}\n"
	"  - {name: revenue, event: purchase, agg: sum, by: [device]}\n"
	"  - {name: most, event: purchase, agg: max}\n"
	"  - {name: typical, event: purchase, agg: p50, by: [country]}\n"
	"  - {name: conversion, ratio: orders / page_views, by: [country]}\n"
	"  - {name: visitors, event: page_view, field: visitor, agg: distinct, by: [country]}\n";
static const char many_detectors[] =
	"  - {name: views, metric: page_views, severity: 30}\n"
	"  - {name: orders, metric: orders, severity: 30}\n"
	"  - {name: sums, metric: revenue, severity: 30}\n"
	"  - {name: most, metric: most, severity: 20}\n"
	"  - {name: typical, metric: typical, severity: 20}\n"
	"  - {name: ratio, metric: conversion, severity: 30}\n"
	"  - {name: people, metric: visitors, severity: 30}\n"
	"  - {name: hours, metric: orders, kind: window, frequency: 1h, window: 3, k: 2}\n";
static const char other_detectors[] = "  - {name: views, metric: page_views, severity: 30}\n"
				      "  - {name: orders, metric: orders, severity: 40}\n"
				      "  - {name: limit, metric: orders, kind: rule, below: 20}\n";

/* Every kind of metric; another configuration in between, and a rebuilt state. */
static void changes(void)
{
	struct story story;

	story_begin(&story, 2, 3, 99);
	story.metrics = many_metrics;
	story.detectors = many_detectors;
	story.hashes = true;
	story_start(&story);
	story_play(&story, 150, 0);
	story_play(&story, 12, 0.9);
	story_play(&story, 60, 0);
	story_play(&story, 6, 0.9);
	story_settle(&story);
	/* Something fires while it changes. */
	story.detectors = other_detectors;
	story_reload(&story);
	story_play(&story, 60, 0);
	story_settle(&story);
	story.detectors = many_detectors;
	story_reload(&story);
	story_play(&story, 120, 0);
	story_play(&story, 6, 0.9);
	story_settle(&story);
	found_again(&story, "metrics and configurations");
	story_end_producers(&story);
	story_stop(&story);
	found_again(&story, "the same, stopped");
	story_end(&story);
}

/* Does the configuration that is in force have this text? */
static bool in_force(const struct story *story, const char *words)
{
	struct io *io = simdisk_io(story->disk, 1);
	struct lived lived;
	char why[256];
	bool found = lived_read(io, true, &lived, why, sizeof(why)) == 0 && lived_config(&lived) &&
		     strstr(lived_config(&lived), words);

	lived_fini(&lived);
	io->ops->destroy(io);
	return found;
}

static void replays(struct story *story, const char *scenario)
{
	uint32_t live_count, count;
	char **live = story_stored(story, &live_count), **again = story_replayed(story, 2, &count);
	bool same = live_count == count;

	for (uint32_t i = 0; same && i < count; i++)
		same = strcmp(live[i], again[i]) == 0;
	expect(same, "a replay gives the live run's revisions", scenario);
	story_free_lines(live, live_count);
	story_free_lines(again, count);
}

static void refused_input(struct story *story, const char *json, const char *words)
{
	char why[512] = "";
	int error = engine_input(story->engine, json, why, sizeof(why));

	if (!strstr(why, words))
		printf("%s: \"%s\" and not \"%s\"\n", json, why, words);
	expect(error < 0 && strstr(why, words), "a wrong override is refused in words", json);
}

/* Detectors are changed beside the file: through crashes and another file, until it is undone. */
static void overridden(void)
{
	static const char sixty[] = "severity: \"60\"", deaf[] = "min_delta: \"1000\"";
	struct story story;

	story_begin(&story, 2, 2, 55);
	story.metrics = many_metrics;
	story.detectors = many_detectors;
	story_start(&story);
	story_play(&story, 150, 0);
	story_play(&story, 12, 0.9);
	story_play(&story, 40, 0);
	story_input(&story, "{\"kind\":\"override\",\"author\":\"ann\",\"layers\":[{\"detector\":"
			    "\"orders\",\"keys\":{\"severity\":\"60\"}}]}");
	expect(in_force(&story, sixty), "an override is in force", "overrides");
	story_play(&story, 8, 0.9);
	story_crash(&story);
	story_start(&story);
	expect(in_force(&story, sixty), "an override survives a crash", "overrides");
	story_play(&story, 60, 0);
	story_input(&story, "{\"kind\":\"override\",\"layers\":[{\"detector\":\"views\",\"keys\":"
			    "{\"min_delta\":\"1000\",\"severity\":null}},{\"detector\":\"new\","
			    "\"whole\":true,\"keys\":{\"name\":\"new\",\"metric\":\"orders\","
			    "\"kind\":\"rule\",\"below\":\"20\"}}]}");
	story_settle(&story);
	refused_input(&story,
		      "{\"kind\":\"override\",\"layers\":[{\"detector\":\"none\",\"keys\":"
		      "{\"severity\":\"60\"}}]}",
		      "there is no detector \"none\"");
	refused_input(&story,
		      "{\"kind\":\"override\",\"layers\":[{\"detector\":\"orders\",\"keys\":"
		      "{\"severity\":\"600\"}}]}",
		      "detectors[1].severity");
	refused_input(&story,
		      "{\"kind\":\"override\",\"layers\":[{\"detector\":\"orders\",\"keys\":"
		      "{\"loudness\":\"6\"}}]}",
		      "no key \"loudness\"");
	refused_input(&story, "{\"kind\":\"override_undo\",\"of\":77}", "no such override");
	/* The file is another one: what does not fit it any more is left out, the rest stays. */
	story.detectors = other_detectors;
	story_reload(&story);
	expect(in_force(&story, sixty) && in_force(&story, deaf) &&
		       in_force(&story, "name: \"new\""),
	       "overrides survive a reload", "overrides");
	story_play(&story, 60, 0);
	story.detectors = "  - {name: views, metric: page_views, severity: 30}\n";
	story_reload(&story);
	expect(!in_force(&story, sixty) && in_force(&story, deaf), "what does not fit is left out",
	       "overrides");
	story.detectors = many_detectors;
	story_reload(&story);
	expect(in_force(&story, sixty), "and is there again with its detector", "overrides");
	story_play(&story, 12, 0.9);
	story_input(&story, "{\"kind\":\"override_undo\",\"of\":1}");
	expect(!in_force(&story, sixty) && in_force(&story, deaf), "it is undone", "overrides");
	refused_input(&story, "{\"kind\":\"override_undo\",\"of\":1}", "no such override");
	story_stop(&story);
	story_start(&story);
	expect(!in_force(&story, sixty) && in_force(&story, deaf), "for good", "overrides");
	story_play(&story, 90, 0);
	story_end_producers(&story);
	story_stop(&story);
	found_again(&story, "overrides");
	replays(&story, "overrides");
	story_end(&story);
}

struct wanted {
	struct anomaly anomaly;
	bool found;
};

static int first_fired(void *self, const struct anomaly *anomaly)
{
	struct wanted *wanted = self;

	/* Newest first: the oldest is what stays. */
	if (anomaly->fired && strcmp(anomaly->detector, "orders") == 0) {
		wanted->anomaly = *anomaly;
		wanted->found = true;
	}
	return 0;
}

/* Somebody says of the first anomaly of the detector "orders" what it was. */
static void say(struct story *story, const char *verdict)
{
	struct wanted *wanted = calloc(1, sizeof(*wanted));
	const struct anomaly *anomaly = &wanted->anomaly;
	struct store_query query = {0};
	struct store_reader *reader;
	char path[128], json[1024], id[33];

	snprintf(path, sizeof(path), "%s/weir.db", story->data);
	if (store_reader_open(path, &reader) == 0) {
		store_anomalies(reader, &query, first_fired, wanted);
		store_reader_close(reader);
	}
	expect(wanted->found, "there is something to dismiss", "told");
	anomaly_id_text(anomaly->id, id);
	snprintf(
		json, sizeof(json),
		"{\"kind\":\"feedback\",\"verdict\":\"%s\",\"id\":\"%s\",\"source\":\"%s\","
		"\"metric\":\"%s\",\"detector\":\"%s\",\"slice\":\"%s\",\"direction\":%d,"
		"\"start_ms\":%lld,\"end_ms\":%lld,\"period_ms\":60000,\"severity\":%.17g,"
		"\"usual\":%.17g,\"sizes\":[%.17g,%.17g,%.17g],\"rebound\":[0,0,0]}",
		verdict, id, anomaly->source, anomaly->metric, anomaly->detector, anomaly->slice,
		anomaly->direction, (long long)anomaly_time_ms(anomaly, anomaly->start, false),
		(long long)anomaly_time_ms(anomaly, anomaly->interval, true),
		anomaly->severity_peak, anomaly->expected, 20.0, 10.0, 3.0);
	story_input(story, json);
	free(wanted);
}

/* A calendar, and feedback, are met where the live engine met them. */
static void told(void)
{
	struct story story;
	struct backtest backtest;
	struct backtest_comparison comparison = {0};
	char json[256], why[512];

	story_begin(&story, 2, 2, 17);
	story.metrics = many_metrics;
	story.detectors = many_detectors;
	story_start(&story);
	story_play(&story, 150, 0);
	story_play(&story, 12, 0.9);
	story_play(&story, 60, 0);
	story_settle(&story);
	say(&story, "no");
	story_play(&story, 12, 0.9);
	story_play(&story, 40, 0);
	unsigned long long from_ms = story_time_ms(&story) + 20 * 60000;
	snprintf(json, sizeof(json),
		 "{\"kind\":\"calendar_add\",\"name\":\"fall\",\"effect\":\"exclude\","
		 "\"from_ms\":%llu,\"until_ms\":%llu}",
		 from_ms, from_ms + 15 * 60000);
	story_input(&story, json);
	story_play(&story, 20, 0);
	story_play(&story, 15, 0.9);
	story_crash(&story);
	story_start(&story);
	story_play(&story, 60, 0);
	story_play(&story, 12, 0.9);
	story_play(&story, 30, 0);
	story_end_producers(&story);
	story_stop(&story);
	found_again(&story, "calendar and feedback");
	/* The first to be dismissed is what a deaf draft drops. */
	int error = look_back(&story, "{name: orders, metric: orders, min_delta: 1000000}",
			      &backtest, NULL, why, sizeof(why));
	expect(error == 0 && backtest_compare(&backtest, &comparison) == 0, "a draft lives",
	       "told");
	expect(comparison.dismissed == 1 && comparison.dropped == 1 && comparison.confirmed == 0,
	       "what was dismissed is known and dropped", "told");
	free(comparison.weeks);
	backtest_fini(&backtest);
	error = look_back(&story, "{name: orders, metric: orders, severity: 30}", &backtest, NULL,
			  why, sizeof(why));
	expect(error == 0 && backtest_compare(&backtest, &comparison) == 0, "a draft lives",
	       "told");
	expect(comparison.dismissed == 1 && comparison.dropped == 0 && comparison.only_live == 0 &&
		       comparison.only_found == 0,
	       "what was told holds for a draft of the same name", "told");
	free(comparison.weeks);
	backtest_fini(&backtest);
	story_end(&story);
}

static const char own_detectors[] =
	"  - {name: views, metric: page_views, severity: 20, learn: 100}\n"
	"  - {name: window, metric: orders, kind: window, window: 60, k: 2.5, severity: 5}\n"
	"  - {name: sums, metric: revenue, severity: 20}\n";

static void rebuilt(void)
{
	struct story story;

	story_begin(&story, 1, 2, 7);
	story_start(&story);
	story_play(&story, 150, 0);
	story_play(&story, 12, 0.9);
	story_play(&story, 60, 0);
	story_play(&story, 6, 0.9);
	/* What has changed shortly before has lived through all of it behind the rebase. */
	story.detectors = own_detectors;
	story_reload(&story);
	story_play(&story, 10, 0);
	story_settle(&story);
	story_rebase(&story);
	story_play(&story, 60, 0);
	story_play(&story, 12, 0.9);
	story_play(&story, 60, 0);
	story_end_producers(&story);
	story_stop(&story);
	found_again(&story, "a rebase");
	story_end(&story);
}

static int each_severity(void *self, const struct anomaly *anomaly)
{
	double *sum = self;

	*sum += anomaly->severity + anomaly->expected;
	return 0;
}

/* What was found behind a rebase, with an incident before it that was confirmed, or was not. */
static double behind_a_rebase(const char *verdict)
{
	struct store_query query = {.limit = 1u << 30, .revisions = true};
	struct store_reader *reader;
	struct story story;
	char path[128];
	double sum = 0;

	story_begin(&story, 1, 1, 8);
	story.detectors = "  - {name: orders, metric: orders, severity: 30}\n";
	story_start(&story);
	story_play(&story, 150, 0);
	story_play(&story, 40, 0.9);
	story_play(&story, 30, 0);
	story_settle(&story);
	say(&story, verdict);
	story_settle(&story);
	story_rebase(&story);
	query.since_ms = (int64_t)story_time_ms(&story);
	story_play(&story, 30, 0);
	story_play(&story, 12, 0.9);
	story_play(&story, 30, 0);
	story_end_producers(&story);
	story_stop(&story);
	found_again(&story, verdict);
	snprintf(path, sizeof(path), "%s/weir.db", story.data);
	if (store_reader_open(path, &reader) == 0) {
		store_anomalies(reader, &query, each_severity, &sum);
		store_reader_close(reader);
	}
	story_end(&story);
	return sum;
}

/* A rebase does not learn what was confirmed, and the same is found again. */
static void confirmed(void)
{
	double unsure = behind_a_rebase("unsure"), yes = behind_a_rebase("yes");

	printf("behind a rebase: %.6f, and %.6f where it was confirmed\n", unsure, yes);
	expect(yes > 0 && yes > unsure, "what was confirmed is not learned", "a rebase");
}

static void refused(const struct story *story, const char *draft, const char *words)
{
	struct backtest backtest;
	char why[512] = "";
	int error = look_back(story, draft, &backtest, NULL, why, sizeof(why));

	if (!strstr(why, words))
		printf("%s: \"%s\" and not \"%s\"\n", draft, why, words);
	expect(error == -EINVAL && strstr(why, words), "a wrong draft is refused in words", draft);
	backtest_fini(&backtest);
}

static void draft_finds(const struct story *story, const char *draft, bool all)
{
	struct backtest_comparison comparison = {0};
	struct backtest backtest;
	char why[512] = "";
	int error = look_back(story, draft, &backtest, NULL, why, sizeof(why));

	if (error < 0)
		printf("%s: %s\n", draft, why);
	expect(error == 0 && backtest_compare(&backtest, &comparison) == 0, "a draft lives", draft);
	expect(backtest.against_count == 1 && strcmp(backtest.against[0], "orders") == 0,
	       "it is held against the live one", draft);
	expect(comparison.live_all > 0, "the live one has found something", draft);
	expect(comparison.found_all == (all ? comparison.live_all : 0), "as many as it should find",
	       draft);
	expect(comparison.only_live == (all ? 0 : comparison.live_all), "what differs", draft);
	expect(comparison.weeks_count == 1, "a week", draft);
	printf("%-28s %u live, %u found\n", draft, comparison.live_all, comparison.found_all);
	free(comparison.weeks);
	backtest_fini(&backtest);
}

/* Another source goes on for years behind what is looked at, as beside imported data. */
static void counted_from_its_end(const struct story *story, const char *source)
{
	char history[128], store[128], why[512] = "";
	struct backtest_comparison comparison = {0};
	struct backtest backtest;
	struct lived lived;
	int64_t last = -1;
	struct backtest_options options = {
		.io = simdisk_io(story->disk, 1),
		.lived = &lived,
		.history_path = history,
		.store_path = store,
		.source = source,
		.back_ms = INT64_C(30) * 86400000,
	};

	snprintf(history, sizeof(history), "%s/%s", story->data, HISTORY_FILE);
	snprintf(store, sizeof(store), "%s/weir.db", story->data);
	expect(lived_read(options.io, true, &lived, why, sizeof(why)) == 0, "the log is read", why);
	for (uint32_t s = 0; s < lived.sources; s++)
		last = lived.closed[s] > last ? lived.closed[s] : last;
	snprintf(lived.names[lived.sources], sizeof(lived.names[0]), "wall");
	lived.closed[lived.sources++] = last + INT64_C(2) * 365 * 1440;
	int error = backtest_run(&options, &backtest, why, sizeof(why));
	expect(error == 0 && backtest_compare(&backtest, &comparison) == 0, "it is run", why);
	expect(comparison.live_all > 0 && comparison.found_all == comparison.live_all &&
		       comparison.only_live == 0 && comparison.only_found == 0,
	       "30 days are those before the source's own end", source ? source : "all");
	free(comparison.weeks);
	backtest_fini(&backtest);
	/* Nothing was found live: so a draft alone is looked at. */
	options.store_path = NULL;
	options.lived = NULL;
	options.draft = "{name: orders, metric: orders, severity: 30}";
	options.draft_bytes = strlen(options.draft);
	options.draft_name = "draft.yaml";
	error = source ? backtest_run(&options, &backtest, why, sizeof(why)) : -ENOENT;
	if (source)
		expect(error == 0 && backtest.found.count > 0 && backtest.live.count == 0,
		       "a draft lives without a store", why);
	if (source)
		backtest_fini(&backtest);
	lived_fini(&lived);
	options.io->ops->destroy(options.io);
}

static void drafts(void)
{
	struct story story;

	story_begin(&story, 1, 1, 5);
	story.metrics = many_metrics;
	story.detectors = many_detectors;
	story_start(&story);
	story_play(&story, 150, 0);
	story_play(&story, 12, 0.9);
	story_play(&story, 60, 0);
	story_end_producers(&story);
	story_stop(&story);
	draft_finds(&story, "{name: orders, metric: orders, severity: 30}", true);
	/* The same incident, under another id. */
	draft_finds(&story, "detectors:\n- name: orders\n  metric: orders\n  severity: 29\n", true);
	draft_finds(&story, "- {name: orders, metric: orders, severity: 100, min_volume: 1000000}",
		    false);
	counted_from_its_end(&story, NULL);
	counted_from_its_end(&story, "story");
	refused(&story, "{name: orders, metric: order}", "detectors[0].metric: there is no metric");
	refused(&story, "{name: orders,\n metrics: orders}", "draft.yaml:2:2: unknown key");
	refused(&story, "name: orders\nmetric: [orders]\n", "draft.yaml:2:9: a single value");
	refused(&story, "- orders\n", "draft.yaml:1:3: a detector is a group of keys");
	refused(&story, "{name: orders", "draft.yaml:");
	refused(&story, "detectors: []\n", "no detector");
	story_end(&story);
}

/* The intervals are forgotten; of hours there is more. */
static void forgotten(void)
{
	static const char detectors[] = "  - {name: orders, metric: orders, severity: 30}\n"
					"history: {base: 6h, minute: 6h}\n";
	struct backtest backtest;
	struct story story;
	char why[512] = "";

	story_begin(&story, 1, 1, 6);
	story.detectors = detectors;
	story_start(&story);
	story_play(&story, 36 * 60, 0);
	story_settle(&story);
	story_end_producers(&story);
	story_stop(&story);
	int error = look_back(&story, "{name: orders, metric: orders}", &backtest, NULL, why,
			      sizeof(why));
	if (error < 0)
		printf("%s\n", why);
	expect(error == 0 && backtest.sources_count == 1, "hours are lived through", "forgotten");
	expect(backtest.sources[0].tier == HISTORY_HOUR && !backtest.sources[0].whole &&
		       backtest.sources[0].step_ms == 3600000 &&
		       backtest.sources[0].intervals >= 35,
	       "the answer says so", "forgotten");
	backtest_fini(&backtest);
	error = look_back(&story, "{name: orders, metric: orders, kind: window, frequency: 30m}",
			  &backtest, NULL, why, sizeof(why));
	expect(error == -EINVAL && strstr(why, "detectors[0].frequency") &&
		       strstr(why, "points of 3600 s"),
	       "what hours cannot say is refused", "forgotten");
	backtest_fini(&backtest);
	story_end(&story);
}

int main(void)
{
	stops_and_crashes(1, 1);
	stops_and_crashes(3, 2);
	changes();
	rebuilt();
	confirmed();
	overridden();
	told();
	drafts();
	forgotten();
	proof_say("revisions-backtested", compared, (uint64_t)failed);
	printf("%d checks passed, %d failed\n", passed, failed);
	return failed != 0;
}
