/*
 * alerts: what Redis was sent against what is stored, and that against a replay of the log.
 */
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deliver/payload.h"
#include "deliver/store.h"
#include "power/ground.h"
#include "power/judge.h"
#include "replay.h"

/* Payloads, one a line. */
struct page {
	FILE *file;
	char *text;
	size_t bytes;
	uint64_t lines;
	const char *environment;
};

static void page_begin(struct page *page, const char *environment)
{
	*page = (struct page){.environment = environment};
	page->file = open_memstream(&page->text, &page->bytes);
	if (!page->file)
		abort();
}

static int page_add(void *self, const struct anomaly *anomaly)
{
	struct page *page = self;
	char *line = payload_json(anomaly, page->environment);

	fprintf(page->file, "%s\n", line);
	free(line);
	page->lines++;
	return 0;
}

static void page_add_revision(void *self, uint64_t sequence, const struct anomaly *anomaly)
{
	(void)sequence;
	page_add(self, anomaly);
}

static bool stored(struct page *page, const char *environment)
{
	struct store_query query = {.limit = 1u << 30, .revisions = true};
	struct store_reader *reader;

	page_begin(page, environment);
	bool ok = store_reader_open(GROUND_DATA "/weir.db", &reader) == 0;
	if (ok) {
		ok = store_anomalies(reader, &query, page_add, page) >= 0;
		store_reader_close(reader);
	}
	fclose(page->file);
	return ok;
}

static bool replayed(struct page *page, const char *environment)
{
	struct replay replay;
	struct replay_options options = {
		.shards = 1,
		.series_max = 4096,
		.start = REPLAY_OLDEST,
		.each = page_add_revision,
		.self = page,
	};
	int fd = open(GROUND_DATA, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	page_begin(page, environment);
	if (fd < 0 || io_pwrite_create(fd, 1, &options.io) < 0)
		abort();
	bool ok = replay_run(&options, &replay) == 0;
	if (!ok)
		printf("%s\n", replay.why);
	replay_fini(&replay);
	options.io->ops->destroy(options.io);
	close(fd);
	fclose(page->file);
	return ok;
}

/* Where in the stored text the payload stands, from `at` on; NULL: nowhere. */
static const char *find(const char *at, const char *payload, size_t bytes)
{
	while (*at) {
		size_t line = strcspn(at, "\n");
		if (line == bytes && memcmp(at, payload, bytes) == 0)
			return at;
		at += line + 1;
	}
	return NULL;
}

static const redisReply *payload_of(const redisReply *entry)
{
	const redisReply *fields = entry->elements == 2 ? entry->element[1] : NULL;

	for (size_t i = 0; fields && i + 1 < fields->elements; i += 2)
		if (memmem(fields->element[i + 1]->str, fields->element[i + 1]->len, "specversion",
			   11))
			return fields->element[i + 1];
	return NULL;
}

/* Each entry is the next stored revision, or one that came before; none is left. */
static uint64_t compare(const redisReply *entries, const struct page *page, uint64_t *ret_alerts)
{
	const char *at = page->text;
	uint64_t strangers = 0;

	for (size_t i = 0; i < entries->elements; i++) {
		const redisReply *payload = payload_of(entries->element[i]);
		const char *place = payload ? find(at, payload->str, payload->len) : NULL;
		bool next = place == at;
		if (next)
			at += payload->len + 1;
		else if (!payload || place || !find(page->text, payload->str, payload->len))
			strangers++;
	}
	*ret_alerts += entries->elements;
	if (strangers || *at)
		printf("FAILED: Redis has %llu alerts that are not stored so, or out of order%s\n",
		       (unsigned long long)strangers, *at ? "; stored ones are missing" : "");
	return strangers + (*at != '\0');
}

uint64_t judge_sent(const char *redis, const char *environment, uint64_t *ret_alerts)
{
	struct page page;
	uint64_t bad = 1;

	if (!redis)
		return 0;
	redisContext *context = redisConnectUnix(redis);
	redisReply *entries = context && !context->err
				      ? redisCommand(context, "XRANGE weir:%s:anomalies - +",
						     environment)
				      : NULL;
	if (entries && entries->type == REDIS_REPLY_ARRAY && stored(&page, environment)) {
		bad = compare(entries, &page, ret_alerts);
		free(page.text);
	} else {
		printf("FAILED: what was sent cannot be compared with what is stored\n");
	}
	if (entries)
		freeReplyObject(entries);
	if (context)
		redisFree(context);
	return bad;
}

uint64_t judge_alerts(const char *redis, const char *environment, uint64_t *ret_alerts)
{
	struct page live, again;
	bool both = stored(&live, environment);
	uint64_t bad = 0;

	both &= replayed(&again, environment);
	if (!both || live.lines == 0 || strcmp(live.text, again.text) != 0) {
		printf("FAILED: %llu stored alerts are not the %llu of a replay\n",
		       (unsigned long long)live.lines, (unsigned long long)again.lines);
		bad = 1;
	}
	free(live.text);
	free(again.text);
	return bad + judge_sent(redis, environment, ret_alerts);
}
