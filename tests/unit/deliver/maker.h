/*
 * maker: builds a data directory block by block, from include/weir/FORMAT.md alone, so that a test
 * can make any mistake in it.
 */
#ifndef TEST_MAKER_H
#define TEST_MAKER_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "weir/event.h"
#include "weir/region.h"
#include "weir/segment.h"

#define MAKER_FILE_BYTES (256u << 10)

struct maker {
	char root[64];
	char directory[16];
	uint16_t lane;
	uint32_t epoch;
	uint32_t serial;  /* of the next file in its epoch */
	uint64_t lsn;     /* of the next block */
	uint64_t durable; /* what headers say from here on */
	/* The file that is being filled. */
	int fd;
	uint64_t id, base_lsn, offset, blocks, events;
	char path[128];
	/* The events block that is being filled. */
	struct weir_event event[256];
	struct weir_run run[64];
	uint32_t events_count, runs_count;
	uint32_t time_lie;    /* seconds that the header is off */
	uint64_t last_offset; /* of the block written last */
};

static uint64_t maker_next_id = 0x1000;

static inline void maker_open(struct maker *maker, const char *root, const char *directory,
			      uint16_t lane)
{
	char path[128];
	memset(maker, 0, sizeof(*maker));
	strcpy(maker->root, root);
	strcpy(maker->directory, directory);
	maker->lane = lane;
	maker->epoch = maker->serial = 1;
	maker->lsn = 1;
	maker->fd = -1;
	snprintf(path, sizeof(path), "%s/%s", root, directory);
	mkdir(path, 0700);
}

/* A block at the current offset, with a header that the caller may have filled wrongly. */
static inline uint64_t maker_write(struct maker *maker, struct weir_block_header *header,
				   const void *payload, uint32_t bytes)
{
	static uint8_t block[WEIR_BLOCK_BYTES_MAX + 4096];
	memset(block, 0, sizeof(block));
	header->magic = WEIR_BLOCK_MAGIC;
	header->lane = maker->lane;
	header->segment_id = maker->id;
	header->epoch = maker->epoch;
	header->durable_lsn = maker->durable;
	header->payload_bytes = bytes;
	header->payload_crc = crc32c(0, payload, bytes);
	header->header_crc = crc32c(0, header, 60);
	memcpy(block, header, sizeof(*header));
	memcpy(block + sizeof(*header), payload, bytes);
	uint64_t disk = weir_block_disk_bytes(bytes);
	cr_assert_eq(pwrite(maker->fd, block, disk, (off_t)maker->offset), (ssize_t)disk);
	maker->last_offset = maker->offset;
	maker->offset += disk;
	return header->lsn;
}

static inline void maker_segment(struct maker *maker, uint32_t flags)
{
	struct weir_segment_info info = {
		.format_major = WEIR_FORMAT_MAJOR,
		.base_lsn = maker->lsn,
		.previous_id = maker->id,
		.created_ms = 1000 * maker_next_id, /* later files are later */
		.file_bytes = MAKER_FILE_BYTES,
		.flags = flags,
		.serial = maker->serial++,
	};
	struct weir_block_header header = {.type = WEIR_BLOCK_SEGMENT, .lsn = maker->lsn};
	memset(info.store_uuid, 7, sizeof(info.store_uuid));
	if (maker->fd >= 0)
		close(maker->fd);
	maker->id = maker_next_id++;
	maker->base_lsn = maker->lsn;
	maker->offset = maker->blocks = maker->events = 0;
	snprintf(maker->path, sizeof(maker->path), "%s/%s/%016lx.wseg", maker->root,
		 maker->directory, maker->id);
	maker->fd = open(maker->path, O_RDWR | O_CREAT | O_EXCL, 0600);
	cr_assert_geq(maker->fd, 0);
	cr_assert_eq(ftruncate(maker->fd, MAKER_FILE_BYTES), 0);
	maker_write(maker, &header, &info, sizeof(info));
}

static inline uint64_t maker_block(struct maker *maker, uint8_t type, const void *payload,
				   uint32_t bytes, uint32_t count)
{
	struct weir_block_header header = {.type = type, .count = count, .lsn = maker->lsn++};
	maker->blocks++;
	return maker_write(maker, &header, payload, bytes);
}

static inline void maker_footer(struct maker *maker)
{
	struct weir_footer footer = {
		.last_lsn = maker->lsn - 1, .events = maker->events, .blocks = maker->blocks};
	struct weir_block_header header = {.type = WEIR_BLOCK_FOOTER, .lsn = maker->lsn};
	maker_write(maker, &header, &footer, sizeof(footer));
}

static inline void maker_event(struct maker *maker, uint64_t time_ms, uint32_t series, double value)
{
	maker->event[maker->events_count++] = (struct weir_event){
		.word = weir_event_word(time_ms, series), .value = weir_value_bits(value)};
}

/* `count` events at a time, and their run. */
static inline void maker_run(struct maker *maker, uint32_t ring, uint64_t first, uint32_t count,
			     uint32_t rejected, uint64_t time_ms, uint32_t series)
{
	for (uint32_t i = 0; i < count; i++)
		maker_event(maker, time_ms + i, series, 1);
	maker->run[maker->runs_count++] = (struct weir_run){
		.ring = ring, .first_sequence = first, .count = count, .rejected = rejected};
}

static inline void maker_mark(struct maker *maker, uint32_t source, int64_t interval)
{
	maker->run[maker->runs_count++] =
		(struct weir_run){.ring = WEIR_RUN_MARK, .source = source, .interval = interval};
}

/* Write the events block. */
static inline uint64_t maker_flush(struct maker *maker)
{
	uint8_t payload[sizeof(maker->event) + sizeof(maker->run)];
	uint32_t events_bytes = maker->events_count * (uint32_t)sizeof(maker->event[0]);
	uint32_t runs_bytes = maker->runs_count * (uint32_t)sizeof(maker->run[0]);
	uint64_t time_min = UINT64_MAX, time_max = 0;
	memcpy(payload, maker->event, events_bytes);
	memcpy(payload + events_bytes, maker->run, runs_bytes);
	for (uint32_t i = 0; i < maker->events_count; i++) {
		uint64_t time_s = weir_event_time_ms(maker->event[i].word) / 1000;
		time_min = time_s < time_min ? time_s : time_min;
		time_max = time_s > time_max ? time_s : time_max;
	}
	struct weir_block_header header = {
		.type = WEIR_BLOCK_EVENTS,
		.lsn = maker->lsn++,
		.count = maker->events_count,
		.runs = maker->runs_count,
		.time_min_s = maker->events_count ? (uint32_t)time_min + maker->time_lie : 0,
		.time_max_s = (uint32_t)time_max,
	};
	maker->blocks++;
	maker->events += maker->events_count;
	maker->events_count = maker->runs_count = 0;
	return maker_write(maker, &header, payload, events_bytes + runs_bytes);
}

static inline uint64_t maker_ring(struct maker *maker, uint8_t type, uint32_t ring, uint64_t next,
				  uint64_t rejected, uint64_t lost, uint32_t final)
{
	struct weir_ring_record record = {
		.number = ring,
		.index = ring,
		.uid = 1000,
		.next_sequence = next,
		.rejected = rejected,
		.lost = lost,
		.dropped = {5 * final},
		.final = final,
	};
	memset(record.uuid, (int)ring, sizeof(record.uuid));
	return maker_block(maker, type, &record, sizeof(record), 1);
}

/* Series 1..count: event "e<id>", no field, country=DE. */
static inline uint64_t maker_series(struct maker *maker, uint32_t count)
{
	uint8_t payload[4096] = {0};
	uint32_t used = 0;
	for (uint32_t id = 1; id <= count; id++) {
		struct weir_definition head = {
			.bytes = 24, .dimensions = 1, .event_bytes = 2, .field_bytes = 0};
		uint8_t *at = payload + used;
		uint16_t lengths[2] = {7, 2};
		memcpy(at, &id, 4);
		memcpy(at + 8, &head, 8);
		at[16] = 'e';
		at[17] = (uint8_t)('0' + id);
		memcpy(at + 18, lengths, 4);
		memcpy(at + 22, "countryDE", 9);
		used += 8 + head.bytes;
	}
	return maker_block(maker, WEIR_BLOCK_SERIES, payload, used, count);
}

/* One record of the control log, as a block of its own. */
static inline uint64_t maker_control(struct maker *maker, uint32_t kind, uint32_t source,
				     int64_t interval, const void *data, uint32_t bytes)
{
	uint8_t payload[1024] = {0};
	struct weir_control_record record = {
		.kind = kind, .source = source, .interval = interval, .bytes = bytes};
	memcpy(payload, &record, sizeof(record));
	memcpy(payload + sizeof(record), data, bytes);
	return maker_block(maker, WEIR_BLOCK_CONTROL, payload,
			   (uint32_t)(sizeof(record) + ((bytes + 7u) & ~7u)), 1);
}

static inline void maker_epoch(struct maker *maker, uint32_t epoch, uint32_t lanes)
{
	struct weir_control_epoch data = {.epoch = epoch, .lanes = lanes, .interval_ms = 10000};
	maker->epoch = epoch;
	maker_control(maker, WEIR_CONTROL_EPOCH, 0, 0, &data, sizeof(data));
}

static inline void maker_source(struct maker *maker, uint32_t number, const char *name)
{
	struct weir_control_source data = {.number = number};
	strcpy(data.name, name);
	maker_control(maker, WEIR_CONTROL_SOURCE, number, 0, &data, sizeof(data));
}

static inline uint64_t maker_close(struct maker *maker, uint32_t source, int64_t from,
				   int64_t through, uint32_t lanes, uint64_t lsn0, uint64_t lsn1)
{
	uint64_t data[4] = {maker->epoch, (uint64_t)from, lsn0, lsn1};
	return maker_control(maker, WEIR_CONTROL_CLOSE, source, through, data,
			     (uint32_t)sizeof(uint64_t) * (2 + lanes));
}

static inline void maker_end(struct maker *maker)
{
	if (maker->fd >= 0)
		close(maker->fd);
	maker->fd = -1;
}

#endif
