/*
 * story: see story.h. A failure says what and aborts: the runner shows it.
 */
#include "story.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deliver/payload.h"
#include "deliver/store.h"
#include "log/reader.h"
#include "support/simdisk.h"
#include "unit/clients/skip.h"

#define MINUTE_MS 60000u

#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s (errno %d)\n", __FILE__, __LINE__,      \
				#condition, errno);                                                \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static const char *const countries[] = {"DE", "FR", "IT"};
static const char *const events[] = {WEIR_PAGE_VIEW, WEIR_PURCHASE};

static const char own_metrics[] =
	"  - {name: page_views, event: page_view, agg: count, by: [country, country*device]}\n"
	"  - {name: orders, event: purchase, agg: count, by: [country, device]}\n"
	"  - {name: revenue, event: purchase, agg: sum, by: [country]}\n"
	"  - {name: basket, event: purchase, agg: mean, by: [device]}\n";

static const char own_detectors[] =
	"  - {name: views-seasonal, metric: page_views, kind: seasonal, severity: 20, learn: 120}\n"
	"  - {name: views-window, metric: page_views, kind: window, window: 30, k: 3, severity: 5}\n"
	"  - {name: orders-window, metric: orders, kind: window, window: 60, k: 2.5, severity: 5, for: 2}\n"
	"  - {name: revenue-window, metric: revenue, kind: window, window: 60, k: 2.5, severity: 5}\n"
	"  - {name: orders-stopped, metric: orders, kind: absence, absent: 3, severity: 3}\n";

static uint64_t fake_monotonic(void *self)
{
	const struct story *story = self;
	return story->now_ns;
}

static uint64_t fake_wall(void *self)
{
	const struct story *story = self;
	return STORY_START_MS + story->now_ns / 1000000;
}

static uint64_t next_random(struct story *story)
{
	uint64_t z = story->random += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void open_producers(struct story *story, uint32_t ring_events)
{
	for (int p = 0; p < STORY_PRODUCERS; p++) {
		struct weir_options options = {
			.size = sizeof(options),
			.socket_path = story->socket,
			.source = "story",
			.event_clock = 1,
			.ring_events = ring_events >> p,
			.table_bytes = 1u << 16,
			.series_max = 64,
		};
		must(weir_open(&options, &story->producers[p]) == 0);
		for (int s = 0; s < 6; s++) {
			struct weir_dimension by[] = {{"country", countries[s % 3]},
						      {"device", p ? "mobile" : "desktop"}};
			story->series[p][s] = weir_series(story->producers[p], events[s / 3],
							  WEIR_VALUE, WEIR_KIND_NUMBER, by, 2);
			must(story->series[p][s] > 0);
			if (s >= 3)
				continue;
			story->visitors[p][s] = weir_series(story->producers[p], events[0],
							    "visitor", WEIR_KIND_HASH, by, 2);
			must(story->visitors[p][s] > 0);
		}
	}
}

void story_begin(struct story *story, uint32_t lanes, uint32_t shards, uint64_t seed)
{
	*story = (struct story){
		.lanes = lanes,
		.shards = shards,
		.checkpoint_intervals = 50,
		.random = seed,
		.now_ns = UINT64_C(1000000000),
	};
	story->clock =
		(struct clock){.monotonic_ns = fake_monotonic, .wall_ms = fake_wall, .self = story};
	/* In memory, where there is such a place: SQLite's real syncs are most of a story's time,
	 * and nothing here asks what they do. */
	const char *base = getenv("TMPDIR");
	if (!base)
		base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/var/tmp";
	snprintf(story->directory, sizeof(story->directory), "%s/weir-story-XXXXXX", base);
	must(mkdtemp(story->directory));
	story->disk = simdisk_create(seed);
	must(story->disk);
	snprintf(story->data, sizeof(story->data), "%s/data", story->directory);
	snprintf(story->socket, sizeof(story->socket), "%s/weir.sock", story->directory);
	open_producers(story, 1u << 16);
}

static int write_config(const struct story *story, char *text, size_t size)
{
	return snprintf(
		text, size,
		"data_directory: %s\nsocket: %s\ncontrol_socket: %s/control.sock\n"
		"lanes: %u\nshards: %u\ninterval: 1m\nlateness: {event: 1m}\n"
		"checkpoint_intervals: %u\n"
		"limits: {series_max: 1000}\n"
		"log: {io: pwrite, durability: %s, segment_bytes: 1MiB, block_bytes: %s%s%llu}\n"
		"metrics:\n%sdetectors:\n%s",
		story->data, story->socket, story->directory, story->lanes, story->shards,
		story->checkpoint_intervals, story->durability ? story->durability : "interval",
		story->block_bytes ? story->block_bytes : "64KiB",
		", retain_bytes: ", (unsigned long long)story->retain_bytes,
		story->metrics ? story->metrics : own_metrics,
		story->detectors ? story->detectors : own_detectors);
}

static void configure(struct story *story)
{
	char text[4096];
	char why[512];
	int bytes = write_config(story, text, sizeof(text));

	config_free(story->config);
	if (config_parse(text, (size_t)bytes, "story", &story->config, why, sizeof(why)) < 0) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
}

int story_crank(struct story *story)
{
	story->now_ns += UINT64_C(1000000);
	for (int p = 0; p < STORY_PRODUCERS; p++)
		if (story->producers[p])
			weir_poll(story->producers[p]);
	return story->engine ? engine_crank(story->engine, story->now_ns) : 0;
}

/* libweir looks for a new engine once a second, which passes at our word. Polled first, so that it
 * knows of an engine's end. */
static bool all_attached(struct story *story)
{
	for (int p = 0; p < STORY_PRODUCERS; p++) {
		struct weir_ledger ledger = {.attached = 1};
		if (story->producers[p]) {
			weir_poll(story->producers[p]);
			weir_ledger(story->producers[p], &ledger);
		}
		if (!ledger.attached) {
			clock_skip(1);
			return false;
		}
	}
	return true;
}

static int make_io(void *self, int dirfd, uint32_t depth, struct io **ret_io)
{
	struct story *story = self;

	(void)dirfd;
	*ret_io = simdisk_io(story->disk, depth);
	return *ret_io ? 0 : -ENOMEM;
}

void story_start(struct story *story)
{
	char why[512];
	struct engine_options options = {
		.clock = &story->clock,
		.random_seed = next_random(story) | 1,
		.lock_wait_ms = 1000,
		.make_io = make_io,
		.self = story,
	};

	configure(story);
	options.config = story->config;
	if (engine_open(&options, &story->engine, why, sizeof(why)) < 0) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	for (int turns = 0; turns < 10000 && !all_attached(story); turns++)
		story_crank(story);
}

/* What was submitted is durable before this returns, as it is for who asks at the socket. */
static void wait_kept(struct story *story)
{
	for (int turns = 0; turns < 10000 && !engine_kept(story->engine); turns++)
		story_crank(story);
	must(engine_kept(story->engine));
}

void story_reload(struct story *story)
{
	char text[4096];
	char why[512];
	int bytes = write_config(story, text, sizeof(text));

	if (engine_configure(story->engine, text, (size_t)bytes, "story", why, sizeof(why)) < 0) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	wait_kept(story);
}

void story_input(struct story *story, const char *json)
{
	char why[512];

	if (engine_input(story->engine, json, why, sizeof(why)) < 0) {
		fprintf(stderr, "%s: %s\n", json, why);
		abort();
	}
	wait_kept(story);
}

void story_rebase(struct story *story)
{
	char why[512];
	int done = engine_rebase(story->engine, "story", why, sizeof(why));

	if (done < 0)
		fprintf(stderr, "%s\n", why);
	for (int turns = 0; turns < 100000 && done == 0; turns++) {
		story_crank(story);
		done = engine_rebased(story->engine);
	}
	must(done == 1);
}

static void show_status(struct story *story)
{
	char *status = getenv("STORY_STATUS") ? engine_status(story->engine) : NULL;

	if (status)
		printf("%s\n", status);
	free(status);
}

void story_stop(struct story *story)
{
	show_status(story);
	engine_close(story->engine);
	story->engine = NULL;
}

void story_crash(struct story *story)
{
	show_status(story);
	simdisk_kill(story->disk);
	engine_abandon(story->engine);
	story->engine = NULL;
}

void story_power_cut(struct story *story)
{
	show_status(story);
	simdisk_power_cut(story->disk);
	engine_abandon(story->engine);
	story->engine = NULL;
}

void story_renew_producers(struct story *story, uint32_t ring_events)
{
	for (int p = 0; p < STORY_PRODUCERS; p++)
		weir_close(story->producers[p], 0);
	open_producers(story, ring_events);
}

void story_settle(struct story *story)
{
	for (int turns = 0; turns < 10000 && !all_attached(story); turns++)
		story_crank(story);
	/* Two thousand milliseconds of nothing cover every timer of the engine. */
	for (int idle = 0, turns = 0; idle < 2000 && turns < 1000000; turns++)
		idle = story_crank(story) > 2 ? 0 : idle + 1;
}

static void emit(struct story *story, int producer, int series, double value, uint64_t time_ms)
{
	while (weir_emit_at(story->producers[producer], series, value, time_ms) == -EAGAIN) {
		must(story->engine);
		story_crank(story);
	}
	story->emitted++;
	story->emitted_sum += value;
}

uint64_t story_time_ms(const struct story *story)
{
	return STORY_START_MS + story->minute * MINUTE_MS;
}

void story_play(struct story *story, uint32_t minutes, double broken)
{
	for (uint32_t m = 0; m < minutes; m++, story->minute++) {
		uint64_t start_ms = story_time_ms(story);
		uint32_t count = 60 + (uint32_t)(next_random(story) % 25);
		for (uint32_t i = 0; i < count; i++) {
			int producer = (int)(next_random(story) % STORY_PRODUCERS);
			int series = (int)(next_random(story) % 6);
			double value = (double)(next_random(story) % 10000) / 100;
			bool missing = series % 3 == 0 &&
				       (double)(next_random(story) % 1000) < 1000 * broken;
			if (!missing)
				emit(story, producer, story->series[producer][series], value,
				     start_ms + i * (MINUTE_MS / 100));
			if (!missing && series < 3 && story->hashes)
				emit(story, producer, story->visitors[producer][series],
				     weir_hash_value(next_random(story) % 500),
				     start_ms + i * (MINUTE_MS / 100));
		}
		if (story->engine)
			for (int i = 0; i < 3; i++)
				story_crank(story);
	}
}

void story_late(struct story *story, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		int producer = (int)(next_random(story) % STORY_PRODUCERS);
		int series = (int)(next_random(story) % 6);
		uint64_t back_ms = (5 + next_random(story) % 50) * MINUTE_MS;
		emit(story, producer, story->series[producer][series], 1.5,
		     story_time_ms(story) - back_ms);
	}
}

void story_end_producers(struct story *story)
{
	for (int p = 0; p < STORY_PRODUCERS; p++)
		weir_poll(story->producers[p]);
	story_settle(story);
	for (int p = 0; p < STORY_PRODUCERS; p++) {
		struct weir_ledger ledger;
		weir_ledger(story->producers[p], &ledger);
		must(ledger.attempted == ledger.published + ledger.dropped);
		must(ledger.persisted + ledger.rejected + ledger.lost == ledger.published);
		must(ledger.rejected == 0 && ledger.lost == 0);
		weir_close(story->producers[p], 0);
		story->producers[p] = NULL;
	}
	story_settle(story);
}

void story_end(struct story *story)
{
	char command[128];

	for (int p = 0; p < STORY_PRODUCERS; p++)
		if (story->producers[p])
			weir_close(story->producers[p], 0);
	config_free(story->config);
	simdisk_destroy(story->disk);
	snprintf(command, sizeof(command), "rm -rf %s", story->directory);
	must(system(command) == 0);
}

struct lines {
	char **lines;
	uint32_t count;
};

static int add_line(void *self, const struct anomaly *anomaly)
{
	struct lines *lines = self;

	lines->lines = realloc(lines->lines, (lines->count + 1) * sizeof(char *));
	must(lines->lines);
	lines->lines[lines->count] = payload_json(anomaly, "test");
	must(lines->lines[lines->count]);
	lines->count++;
	return 0;
}

char **story_stored(struct story *story, uint32_t *ret_count)
{
	char path[128];
	struct lines lines = {0};
	struct store_query query = {.limit = 1u << 30, .revisions = true};
	struct store_reader *reader;

	snprintf(path, sizeof(path), "%s/weir.db", story->data);
	must(store_reader_open(path, &reader) == 0);
	must(store_anomalies(reader, &query, add_line, &lines) == 0);
	store_reader_close(reader);
	*ret_count = lines.count;
	return lines.lines;
}

static void add_revision(void *self, uint64_t sequence, const struct anomaly *anomaly)
{
	(void)sequence;
	add_line(self, anomaly);
}

/* The options but for the shards and the io are the caller's. */
static struct story_span replay_all(struct story *story, uint32_t shards,
				    struct replay_options options)
{
	struct replay replay;

	options.io = simdisk_io(story->disk, 1);
	options.shards = shards;
	options.series_max = 1000;
	options.start = REPLAY_OLDEST;
	must(options.io);
	if (replay_run(&options, &replay) < 0) {
		fprintf(stderr, "replay: %s\n", replay.why);
		abort();
	}
	struct story_span span = {.from = replay.started_at, .through = replay.sequence};
	replay_fini(&replay);
	options.io->ops->destroy(options.io);
	return span;
}

struct story_span story_replay_span(struct story *story)
{
	return replay_all(story, 1, (struct replay_options){0});
}

char **story_replayed(struct story *story, uint32_t shards, uint32_t *ret_count)
{
	struct lines lines = {0};

	replay_all(story, shards, (struct replay_options){.each = add_revision, .self = &lines});
	*ret_count = lines.count;
	return lines.lines;
}

static void add_name(struct lines *lines, const struct anomaly *anomaly)
{
	char id[33];

	anomaly_id_text(anomaly->id, id);
	lines->lines = realloc(lines->lines, (lines->count + 1) * sizeof(char *));
	must(lines->lines &&
	     asprintf(&lines->lines[lines->count], "%s-%u", id, anomaly->revision) > 0);
	lines->count++;
}

char **story_outbox(struct story *story, uint32_t *ret_count)
{
	struct lines lines = {0};
	struct store_reader *reader;
	struct anomaly anomaly;
	uint64_t row = 0;
	char path[128];

	snprintf(path, sizeof(path), "%s/weir.db", story->data);
	must(store_reader_open(path, &reader) == 0);
	while (store_outbox_next(reader, row, &row, &anomaly) == 1)
		add_name(&lines, &anomaly);
	store_reader_close(reader);
	*ret_count = lines.count;
	return lines.lines;
}

struct telling {
	struct lines told;
	struct anomaly *all; /* revisions so far */
	uint32_t count;
};

static void tell(void *self, uint64_t sequence, const struct anomaly *anomaly)
{
	struct telling *telling = self;

	(void)sequence;
	telling->all = realloc(telling->all, (telling->count + 1) * sizeof(*anomaly));
	must(telling->all);
	telling->all[telling->count++] = *anomaly;
	if (store_publishes(anomaly))
		add_name(&telling->told, anomaly);
}

static void tell_released(void *self, uint64_t sequence, uint64_t number, const uint64_t id[2])
{
	struct telling *telling = self;
	uint32_t i = telling->count;

	(void)sequence;
	(void)number;
	while (i > 0 && memcmp(telling->all[i - 1].id, id, sizeof(uint64_t[2])) != 0)
		i--;
	must(i > 0);
	add_name(&telling->told, &telling->all[i - 1]);
}

char **story_told(struct story *story, uint32_t shards, uint32_t *ret_count)
{
	struct telling telling = {0};

	replay_all(story, shards,
		   (struct replay_options){
			   .each = tell, .each_release = tell_released, .self = &telling});
	free(telling.all);
	*ret_count = telling.told.count;
	return telling.told.lines;
}

void story_free_lines(char **lines, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		free(lines[i]);
	free(lines);
}

void story_logged(struct story *story, uint64_t *ret_events, double *ret_sum)
{
	struct io *io;
	char why[256];

	io = simdisk_io(story->disk, 1);
	must(io);
	*ret_events = 0;
	*ret_sum = 0;
	for (uint32_t lane = 0; lane < 8; lane++) {
		char name[16];
		struct reader *reader;
		struct reader_block block;
		snprintf(name, sizeof(name), "lane-%02u", lane);
		if (reader_open(io, name, (uint16_t)lane, 0, false, &reader, why, sizeof(why)) < 0)
			continue;
		while (reader_next(reader, &block) > 0) {
			if (block.header.type != WEIR_BLOCK_EVENTS)
				continue;
			*ret_events += block.header.count;
			for (uint32_t i = 0; i < block.header.count; i++)
				*ret_sum += weir_bits_value(block.events[i].value);
		}
		reader_close(reader);
	}
	io->ops->destroy(io);
}
