/*
 * log: bytes as changes to a whole data directory: its lane, its control log or its checkpoints,
 * by the program's name (fuzz_segment, fuzz_control_log, fuzz_checkpoint). Each change is 8 bytes:
 *
 *   byte   0..2     3      4     5        6      7
 *          place    file   how   value    how often...
 *
 * where `how` says: a byte, a bit, a copy of other bytes of the file, zeros, or a shorter file. In
 * the end the checksums of all blocks are made good, so that readers have to look at what they
 * protect; an odd number of bytes leaves them as they are.
 *
 * Holds: whatever is read lies within its bounds; a refusal has a reason.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "checkpoint.h"
#include "damage/shelf.h"
#include "log/reader.h"
#include "replay.h"
#include "support/simdisk.h"
#include "support/story.h"
#include "target.h"

#define REGION_BYTES (96u << 10) /* of a file, from its start */
#define CHANGES_MAX 64

#ifndef FUZZ_DIRECTORY
#error "which part of a data directory?"
#endif

int __real_config_restore(const char *record, size_t bytes, const char *name,
			  struct config **ret_config, char *why, size_t why_bytes);
void __real_config_free(struct config *config);
int __wrap_config_restore(const char *record, size_t bytes, const char *name,
			  struct config **ret_config, char *why, size_t why_bytes);
void __wrap_config_free(struct config *config);

static struct shelf whole, changed;
static struct {
	struct config *config;
	char *record;
	size_t bytes;
} usual; /* the configuration that stands in all records which nobody changed */
static volatile uint64_t sum; /* what is read is looked at */

/* Taking the same configuration apart was most of a run, and says nothing new: it is done once. Any
 * other is taken apart for itself. */
int __wrap_config_restore(const char *record, size_t bytes, const char *name,
			  struct config **ret_config, char *why, size_t why_bytes)
{
	if (usual.config && bytes == usual.bytes && memcmp(record, usual.record, bytes) == 0) {
		*ret_config = usual.config;
		return 0;
	}
	int error = __real_config_restore(record, bytes, name, ret_config, why, why_bytes);
	if (!error && whole.count && !usual.config) {
		usual.config = *ret_config;
		usual.record = malloc(bytes + 1);
		usual.bytes = bytes;
		check(usual.record);
		memcpy(usual.record, record, bytes);
	}
	return error;
}

void __wrap_config_free(struct config *config)
{
	if (config != usual.config)
		__real_config_free(config);
}

/* A small life: an engine, some minutes, two checkpoints. Where the lane is not what is read, it is
 * not there: every run would sum its events again, and say nothing new. */
static void make(void)
{
	static const char *const lane[] = {"lane-00", NULL};
	static const char *const control[] = {"control", NULL};
	static const char *const checkpoint[] = {"control", "checkpoint", NULL};
	const char *const *directories = strcmp(FUZZ_DIRECTORY, "lane-00") == 0   ? lane
					 : strcmp(FUZZ_DIRECTORY, "control") == 0 ? control
										  : checkpoint;
	static struct story story;

	story_begin(&story, 1, 1, 9);
	story.checkpoint_intervals = 3;
	story.metrics = "  - {name: orders, event: purchase, agg: count, by: [device]}\n";
	/* The state of detectors is a checkpoint's; a close needs one that answers at once. */
	story.detectors =
		directories == control
			? "  - {name: rule, metric: orders, kind: rule, above: 9}\n"
			: "  - {name: seasonal, metric: orders, kind: seasonal, learn: 60}\n"
			  "  - {name: window, metric: orders, kind: window, window: 8, k: 3}\n"
			  "  - {name: rule, metric: orders, kind: rule, above: 20}\n"
			  "  - {name: stopped, metric: orders, kind: absence, absent: 3}\n";
	story_start(&story);
	story_play(&story, directories == lane ? 12 : 7, 0.3);
	story_end_producers(&story);
	story_stop(&story);
	struct io *io = simdisk_io(story.disk, 1);
	shelf_fill(&whole, io, directories);
	shelf_fill(&changed, io, directories);
	io->ops->destroy(io);
	story_end(&story);
	for (uint32_t i = 0; i < whole.count; i++) {
		/* Zeros behind the end cost time, and say nothing. */
		if (whole.files[i].bytes > REGION_BYTES)
			whole.files[i].bytes = changed.files[i].bytes = REGION_BYTES;
	}
}

static void change(struct shelf_file *file, const uint8_t *op)
{
	uint64_t place = (op[0] | (uint64_t)op[1] << 8 | (uint64_t)op[2] << 16);
	uint64_t bytes = file->bytes;

	if (!bytes)
		return;
	place %= bytes;
	uint64_t length = 1 + op[6] % 64;
	length = length > bytes - place ? bytes - place : length;
	uint64_t from = ((uint64_t)op[5] << 8 | op[7]) * 16 % bytes;
	from = from > bytes - length ? 0 : from;
	switch (op[4] % 6) {
	case 0:
		file->data[place] = op[5];
		break;
	case 1:
		file->data[place] ^= (uint8_t)(1u << op[5] % 8);
		break;
	case 2: /* a field, and mostly one of a header */
		file->data[place / 4096 * 4096 + op[6] % 128] = op[5];
		break;
	case 3:
		memmove(file->data + place, file->data + from, length);
		break;
	case 4:
		memset(file->data + place, op[5] & 1 ? 0xff : 0, length);
		break;
	default:
		if (op[5] == 0)
			file->bytes = place;
		else
			file->data[place / 4096 * 4096 + 64 + op[6]] += op[5];
	}
}

static void seal_blocks(struct shelf_file *file)
{
	for (uint64_t at = 0; at + 4096 <= file->bytes; at += 4096) {
		struct weir_block_header header;
		memcpy(&header, file->data + at, sizeof(header));
		if (header.magic != WEIR_BLOCK_MAGIC)
			continue;
		if (header.payload_bytes <= file->bytes - at - sizeof(header))
			header.payload_crc = crc32c(0, file->data + at + sizeof(header),
						    header.payload_bytes);
		header.header_crc =
			crc32c(0, &header, offsetof(struct weir_block_header, header_crc));
		memcpy(file->data + at, &header, sizeof(header));
	}
}

static void read_lane(void)
{
	struct reader_block block;
	struct reader *reader;
	char why[256] = "";

	if (reader_open(&changed.io, "lane-00", 0, 0, false, &reader, why, sizeof(why)) < 0) {
		check(why[0]);
		return;
	}
	while (reader_next(reader, &block) > 0)
		for (uint32_t e = 0;
		     block.header.type == WEIR_BLOCK_EVENTS && e < block.header.count; e++)
			sum += block.events[e].word ^ block.events[e].value;
	reader_close(reader);
}

static void recover(void)
{
	struct replay replay;
	struct replay_options options = {
		.io = &changed.io,
		.shards = 1,
		.series_max = 64,
		.start = REPLAY_NEWEST,
	};
	int error = replay_run(&options, &replay);

	check(error == 0 || error == -ENOENT || replay.why[0]);
	replay_fini(&replay);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t touched = 0;

	if (!whole.count) {
		make();
		recover(); /* the usual configuration is the one without changes */
	}
	uint32_t files = 0;
	while (shelf_find(&changed, FUZZ_DIRECTORY, files))
		files++;
	check(files > 0 && files <= 64);
	for (size_t at = 0; at + 8 <= size && at < CHANGES_MAX * 8; at += 8) {
		uint32_t number = data[at + 3] % files;
		struct shelf_file *file = shelf_find(&changed, FUZZ_DIRECTORY, number);
		change(file, data + at);
		touched |= UINT64_C(1) << number;
	}
	for (uint32_t i = 0; i < files; i++) {
		struct shelf_file *file = shelf_find(&changed, FUZZ_DIRECTORY, i);
		if (touched >> i & 1 && size % 2 == 0) {
			if (strcmp(FUZZ_DIRECTORY, "checkpoint") == 0)
				shelf_seal_checkpoint(file);
			else
				seal_blocks(file);
		}
	}
	if (strcmp(FUZZ_DIRECTORY, "lane-00") == 0)
		read_lane();
	else
		recover();
	for (uint32_t i = 0; i < files; i++)
		if (touched >> i & 1) {
			struct shelf_file *file = shelf_find(&changed, FUZZ_DIRECTORY, i);
			const struct shelf_file *was = shelf_find(&whole, FUZZ_DIRECTORY, i);
			file->bytes = was->bytes;
			memcpy(file->data, was->data, was->bytes);
		}
	return 0;
}
