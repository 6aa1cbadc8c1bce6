/*
 * judge: see judge.h.
 */
#include "judge.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "definitions.h"
#include "deliver/payload.h"
#include "deliver/store.h"
#include "log/reader.h"
#include "replay.h"
#include "support/history_dump.h"

#define LANES_MAX 4

struct counting {
	const struct load *load;
	uint32_t ids[LOAD_PRODUCERS]; /* the engine's, of their series */
	uint8_t *seen[LOAD_PRODUCERS];
	struct verdict verdict;
};

/* Where the series of the producers are in the log's numbers. */
static int note_series(void *self, uint32_t id, enum weir_sketch sketch,
		       const struct weir_definition *definition)
{
	struct counting *counting = self;

	(void)sketch;
	for (int i = 0; i < LOAD_PRODUCERS; i++) {
		char name[16];
		load_name(i, name);
		if (definition->event_bytes == strlen(name) &&
		    memcmp(definition->text, name, strlen(name)) == 0)
			counting->ids[i] = id;
	}
	return 0;
}

static void count_event(struct counting *counting, const struct weir_event *event)
{
	const uint32_t id = weir_event_series(event->word);
	const double value = weir_bits_value(event->value);

	for (int i = 0; i < LOAD_PRODUCERS; i++) {
		if (id != counting->ids[i])
			continue;
		const uint64_t n = value >= 0 && value < 9e15 ? (uint64_t)value : UINT64_MAX;
		if ((double)n != value || weir_event_time_ms(event->word) != load_time_ms(n))
			counting->verdict.torn++;
		else if (n >= counting->load->rows[i].emitted || counting->seen[i][n])
			counting->verdict.doubled++;
		else
			counting->seen[i][n] = 1;
		return;
	}
	counting->verdict.torn++; /* of no series that anybody wrote */
}

/* A ring may change lanes between two engines: all lanes are read. */
static void count_lane(struct counting *counting, struct io *io, uint32_t lane)
{
	struct reader_block block;
	struct reader *reader;
	char name[16], why[256];

	snprintf(name, sizeof(name), "lane-%02u", lane);
	if (reader_open(io, name, (uint16_t)lane, 0, false, &reader, why, sizeof(why)) < 0)
		return;
	while (reader_next(reader, &block) > 0) {
		if (block.header.type == WEIR_BLOCK_SERIES)
			counting->verdict.torn +=
				definitions_each(block.payload, block.header.payload_bytes,
						 note_series, counting) < 0;
		if (block.header.type == WEIR_BLOCK_EVENTS)
			for (uint32_t e = 0; e < block.header.count; e++)
				count_event(counting, &block.events[e]);
	}
	reader_close(reader);
}

static void check_ledgers(struct site *site, const struct load *load)
{
	for (int i = 0; i < LOAD_PRODUCERS; i++) {
		const struct weir_ledger *ledger = &load->rows[i].ledger;
		site_expect(site, load->rows[i].ended, "a producer comes to its end");
		site_expect(site, ledger->attempted == ledger->published + ledger->dropped,
			    "attempted = published + dropped");
		site_expect(site, ledger->published == load->rows[i].emitted,
			    "published = what emit said yes to");
		site_expect(site, ledger->published == ledger->persisted, "published = persisted");
		site_expect(site, ledger->rejected == 0 && ledger->lost == 0,
			    "nothing is rejected or lost");
	}
}

struct verdict judge_events(struct site *site, const struct load *load)
{
	struct counting counting = {.load = load};
	struct verdict *verdict = &counting.verdict;
	struct io *io;
	int fd = open(site->data, O_RDONLY | O_DIRECTORY);

	if (fd < 0 || io_pwrite_create(fd, 1, &io) < 0)
		exit(1);
	for (int i = 0; i < LOAD_PRODUCERS; i++) {
		counting.seen[i] = calloc(load->rows[i].emitted + 1, 1);
		verdict->published += load->rows[i].emitted;
	}
	for (uint32_t lane = 0; lane < LANES_MAX; lane++)
		count_lane(&counting, io, lane);
	for (int i = 0; i < LOAD_PRODUCERS; i++) {
		for (uint64_t n = 0; n < load->rows[i].emitted; n++)
			verdict->lost += !counting.seen[i][n];
		free(counting.seen[i]);
	}
	io->ops->destroy(io);
	close(fd);
	printf("%llu events published, %llu missing, %llu twice or never published, %llu torn\n",
	       (unsigned long long)verdict->published, (unsigned long long)verdict->lost,
	       (unsigned long long)verdict->doubled, (unsigned long long)verdict->torn);
	site_expect(site, verdict->published > 0 && verdict->lost == 0,
		    "every published event is in the log");
	site_expect(site, verdict->doubled == 0, "no event is in the log twice");
	site_expect(site, verdict->torn == 0, "every event in the log is one that was written");
	check_ledgers(site, load);
	return *verdict;
}

struct lines {
	char **lines;
	uint32_t count;
};

static void lines_free(struct lines *lines)
{
	for (uint32_t i = 0; i < lines->count; i++)
		free(lines->lines[i]);
	free(lines->lines);
}

static int add_line(void *self, const struct anomaly *anomaly)
{
	struct lines *lines = self;

	lines->lines = realloc(lines->lines, (lines->count + 1) * sizeof(char *));
	lines->lines[lines->count++] = payload_json(anomaly, "prod");
	return 0;
}

static void add_revision(void *self, uint64_t sequence, const struct anomaly *anomaly)
{
	(void)sequence;
	add_line(self, anomaly);
}

/* Every revision that Redis holds in its stream must be a stored one: at least once, in order of
 * their first arrival. */
static void check_redis(struct site *site, const struct lines *stored)
{
	char command[512];
	char line[65536];
	uint32_t at = 0, entries = 0;

	if (site->redis <= 0) {
		printf("skipped: redis-server is not installed, no alert was delivered\n");
		return;
	}
	snprintf(command, sizeof(command),
		 "redis-cli -s %s/redis.sock XRANGE weir:prod:anomalies - + | grep specversion",
		 site->directory);
	FILE *stream = popen(command, "r");
	while (stream && fgets(line, sizeof(line), stream)) {
		line[strcspn(line, "\n")] = '\0';
		entries++;
		if (at < stored->count && strcmp(line, stored->lines[at]) == 0) {
			at++;
			continue;
		}
		bool again = false;
		for (uint32_t i = at; i > 0 && !again; i--)
			again = strcmp(line, stored->lines[i - 1]) == 0;
		site_expect(site, again, "Redis holds only stored revisions, in order");
	}
	if (stream)
		pclose(stream);
	printf("%u revisions stored, %u in the Redis stream\n", stored->count, entries);
	site_expect(site, at == stored->count, "no alert is missing in Redis");
}

/* Has an interval of a hole been closed? On a loaded machine few kills are over before. */
static bool hole_closed(const struct replay *replay)
{
	bool closed = false;

	for (uint32_t s = 0; s < replay->sources.count; s++) {
		const struct close_source *source = &replay->closer.sources[s];
		closed |= source->opened &&
			  replay->sources.sources[s].clock == WEIR_CLOCK_EVENT &&
			  (source->closed + 1) * replay->interval_ms >
				  (int64_t)load_first_hole_ms();
	}
	return closed;
}

/* What a straight recomputation says. Has to say something: true. */
static bool replay_alerts(struct site *site, uint32_t stored, struct lines *lines)
{
	struct replay replay;
	int fd = open(site->data, O_RDONLY | O_DIRECTORY);
	struct replay_options options = {
		.shards = 1,
		.series_max = 4096,
		.start = REPLAY_OLDEST,
		.each = add_revision,
		.self = lines,
	};

	if (fd < 0 || io_pwrite_create(fd, 1, &options.io) < 0)
		exit(1);
	site_expect(site, replay_run(&options, &replay) == 0, "the log replays");
	if (replay.why[0])
		printf("%s\n", replay.why);
	printf("%u epochs, %llu closes, %u revisions live, %u replayed\n", replay.epoch,
	       (unsigned long long)replay.sequence, stored, lines->count);
	const bool hole = hole_closed(&replay);
	replay_fini(&replay);
	options.io->ops->destroy(options.io);
	close(fd);
	return hole;
}

void judge_alerts(struct site *site)
{
	struct lines stored = {0}, replayed = {0};
	struct store_query query = {.limit = 1u << 30, .revisions = true};
	struct store_reader *reader;
	char path[128];

	snprintf(path, sizeof(path), "%s/weir.db", site->data);
	if (store_reader_open(path, &reader) < 0)
		exit(1);
	store_anomalies(reader, &query, add_line, &stored);
	store_reader_close(reader);
	if (replay_alerts(site, stored.count, &replayed))
		site_expect(site, stored.count > 0, "alerts were raised");
	else
		printf("skipped: no hole was closed yet, so that no alert has to be raised\n");
	bool same = stored.count == replayed.count;
	for (uint32_t i = 0; same && i < stored.count; i++)
		same = strcmp(stored.lines[i], replayed.lines[i]) == 0;
	site_expect(site, same, "the live alerts are those of a replay: none missing, none twice");
	check_redis(site, &stored);
	lines_free(&stored);
	lines_free(&replayed);
}

void judge_history(struct site *site)
{
	char *live = history_dump(site->data, "live");

	site_expect(site, strlen(live) > 1000, "the history holds something");
	history_remove(site->data);
	if (site_expect(site, site_start_engine(site), "an engine starts without its history")) {
		judge_wait(site);
		site_end_engine(site, SIGTERM);
		char *rebuilt = history_dump(site->data, "live");
		if (!site_expect(site, strcmp(live, rebuilt) == 0,
				 "the history that was kept is that of the log"))
			history_show_difference(live, rebuilt);
		printf("%zu bytes of history kept, %zu recomputed\n", strlen(live),
		       strlen(rebuilt));
		free(rebuilt);
	}
	free(live);
}

void judge_wait(struct site *site)
{
	const uint64_t end_us = site_now_us() + SITE_PATIENCE_S * 1000000;
	char answer[65536];
	int quiet = 0;

	/* Closes come in steps, and are stored within a second: what is quiet for two is over. */
	while (quiet < 20 && site_now_us() < end_us) {
		bool over = false;
		if (site_ask(site, answer, sizeof(answer))) {
			/* Another "producers" is the limit of them. */
			const char *intake = strstr(answer, "\"intake\"");
			unsigned long long attached;
			over = site_shown(answer, "outbox") == 0 && intake &&
			       sscanf(intake, "\"intake\": {\"producers\": %llu", &attached) == 1 &&
			       attached == 0;
		}
		quiet = over ? quiet + 1 : 0;
		pause_us(100000);
	}
	site_expect(site, quiet >= 20, "an engine without producers comes to rest");
}
