/*
 * judge: see judge.h.
 */
#include "power/judge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "definitions.h"
#include "log/io.h"
#include "log/reader.h"
#include "power/ground.h"
#include "verify.h"
#include "weir/region.h"

#define LANES_MAX 4u
#define IDS_MAX 8192u
#define LINES_SAID 5

struct look {
	struct lives *lives;
	uint8_t *times[LIVES_MAX + 1]; /* how often each number was there */
	uint16_t life_of[IDS_MAX];     /* by series id; 0: none of ours */
	uint64_t doubles, strangers, gaps, undefined;
};

static uint64_t broken(const char *what, uint64_t count)
{
	if (count)
		printf("FAILED: %s: %llu\n", what, (unsigned long long)count);
	return count;
}

static struct io *open_data(int *ret_fd)
{
	struct io *io = NULL;

	*ret_fd = open(GROUND_DATA, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_fd >= 0 && io_pwrite_create(*ret_fd, 1, &io) < 0)
		abort();
	return io;
}

static void close_data(struct io *io, int fd)
{
	if (io)
		io->ops->destroy(io);
	if (fd >= 0)
		close(fd);
}

/* The life that a definition names: the value of its only dimension. */
static uint16_t life_named(const struct weir_definition *definition)
{
	const uint8_t *at = definition->text + definition->event_bytes + definition->field_bytes;
	uint16_t name, value;
	char text[8] = "";

	memcpy(&name, at, 2);
	memcpy(&value, at + 2, 2);
	if (definition->dimensions != 1 || value >= sizeof(text))
		return 0;
	memcpy(text, at + 4 + name, value);
	return (uint16_t)atoi(text);
}

static int note_series(void *self, uint32_t id, enum weir_sketch sketch,
		       const struct weir_definition *definition)
{
	struct look *look = self;
	uint16_t life = life_named(definition);

	(void)sketch;
	if (id < IDS_MAX && life <= look->lives->count)
		look->life_of[id] = life;
	return 0;
}

static void note_event(struct look *look, const struct weir_event *event)
{
	uint32_t id = weir_event_series(event->word);
	uint16_t number = id < IDS_MAX ? look->life_of[id] : 0;
	const struct life *life = &look->lives->life[number];
	double value = weir_bits_value(event->value);

	if (!number)
		look->undefined++;
	else if (!(value >= 0 && value < (double)life->emitted) || (double)(uint64_t)value != value)
		look->strangers++;
	else
		look->doubles += look->times[number][(uint64_t)value]++ > 0;
}

static uint64_t walk_lane(struct look *look, struct io *io, uint32_t lane)
{
	struct reader_report report;
	struct reader_block block;
	struct reader *reader;
	char name[16], why[256];
	uint64_t bad = 0;
	int more;

	snprintf(name, sizeof(name), "lane-%02u", lane);
	int error = reader_open(io, name, (uint16_t)lane, 0, false, &reader, why, sizeof(why));
	if (error == -ENOENT)
		return 0;
	if (error < 0) {
		printf("%s\n", why);
		return broken("a lane that cannot be read", 1);
	}
	while ((more = reader_next(reader, &block)) > 0) {
		if (block.header.type == WEIR_BLOCK_SERIES)
			bad += definitions_each(block.payload, block.header.payload_bytes,
						note_series, look) < 0;
		for (uint32_t e = 0;
		     block.header.type == WEIR_BLOCK_EVENTS && e < block.header.count; e++)
			note_event(look, &block.events[e]);
	}
	if (more < 0)
		printf("%s: %s\n", name, reader_why(reader));
	reader_report(reader, &report);
	look->gaps += report.gaps;
	reader_close(reader);
	return broken("a lane that cannot be read to its end", more < 0) +
	       broken("broken definitions", bad);
}

/* What one life has left, against what it was told and what the last look found. */
static uint64_t judge_life(const struct look *look, uint32_t number)
{
	struct life *life = &look->lives->life[number];
	const uint8_t *times = look->times[number];
	uint64_t first = 0, end, behind = 0, bad = 0;
	bool retention = look->lives->retention;

	while (first < life->emitted && !times[first])
		first++;
	for (end = first; end < life->emitted && times[end]; end++)
		;
	for (uint64_t n = end; n < life->emitted; n++)
		behind += times[n] > 0;
	bool gone = first == life->emitted;
	if (gone)
		first = end = 0;
	/* Retention takes the oldest, and nothing of what was being written when the power went. */
	bool may_be_gone = gone && retention && life->seen;
	if (!may_be_gone && end < life->promised)
		bad += broken("events that had been called durable are missing",
			      life->promised - end);
	if (!retention)
		bad += broken("first events of a ring are missing", first);
	bad += broken("events behind a hole", behind);
	if (life->seen && !may_be_gone && end != life->end)
		bad += broken("events that a recovery took away, or made", 1);
	if (bad)
		printf("life %u: %llu promised of %llu, in the log %llu to %llu\n", number,
		       (unsigned long long)life->promised, (unsigned long long)life->emitted,
		       (unsigned long long)first, (unsigned long long)end);
	life->first = first;
	if (!may_be_gone)
		life->end = end;
	life->seen = true;
	return bad;
}

uint64_t judge_log(struct lives *lives)
{
	struct look look = {.lives = lives};
	uint64_t bad = 0;
	int fd;
	struct io *io = open_data(&fd);

	for (uint32_t l = 1; l <= lives->count; l++)
		look.times[l] = calloc(lives->life[l].emitted + 1, 1);
	for (uint32_t lane = 0; io && lane < LANES_MAX; lane++)
		bad += walk_lane(&look, io, lane);
	close_data(io, fd);
	for (uint32_t l = 1; l <= lives->count; l++) {
		bad += judge_life(&look, l);
		free(look.times[l]);
	}
	bad += broken("events twice in the log", look.doubles);
	bad += broken("events that nobody wrote", look.strangers);
	bad += broken("events whose definition is gone", look.undefined);
	bad += broken("a power cut that looks like corruption", look.gaps);
	return bad;
}

static void note_remark(struct remarks *remarks, const char *text, size_t bytes)
{
	static const char mark[] = "remark ";
	const char *at = memmem(text, bytes, mark, sizeof(mark) - 1);
	unsigned long number = at ? strtoul(at + sizeof(mark) - 1, NULL, 10) : REMARKS_MAX;

	if (number < REMARKS_MAX && remarks->found[number] < 255)
		remarks->found[number]++;
}

uint64_t judge_remarks(struct remarks *remarks)
{
	struct reader_block block;
	struct reader *reader;
	uint64_t missing = 0, doubles = 0;
	char why[256];
	int fd;
	struct io *io = open_data(&fd);

	memset(remarks->found, 0, sizeof(remarks->found));
	if (io && reader_open(io, "control", WEIR_LANE_CONTROL, 0, false, &reader, why,
			      sizeof(why)) == 0) {
		while (reader_next(reader, &block) > 0) {
			const uint8_t *at = block.payload;
			for (uint32_t i = 0;
			     block.header.type == WEIR_BLOCK_CONTROL && i < block.header.count;
			     i++) {
				struct weir_control_record record;
				memcpy(&record, at, sizeof(record));
				at += sizeof(record);
				if (record.kind == WEIR_CONTROL_INPUT)
					note_remark(remarks, (const char *)at, record.bytes);
				at += (record.bytes + 7) & ~7u;
			}
		}
		reader_close(reader);
	}
	close_data(io, fd);
	for (uint32_t i = 0; i < REMARKS_MAX; i++) {
		missing += remarks->answered[i] && !remarks->found[i];
		doubles += remarks->found[i] > 1;
	}
	return broken("commands that had been answered are missing", missing) +
	       broken("commands that are there twice", doubles);
}

uint64_t judge_verify(void)
{
	struct verify_options options = {.refuse_late = true};
	struct verify_report report;
	char why[256];
	int error = verify_directory(GROUND_DATA, &options, &report, why, sizeof(why));

	if (error < 0) {
		printf("%s\n", why);
		return broken("weirctl verify cannot read it", 1);
	}
	for (uint32_t i = 0; i < report.findings.count && i < LINES_SAID; i++)
		printf("verify: %s\n", report.findings.line[i]);
	uint64_t bad = broken("weirctl verify finds something wrong",
			      !report.ok || !report.ledger_ok);
	verify_report_free(&report);
	return bad;
}
