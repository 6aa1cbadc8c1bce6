/*
 * named: whatever moment an engine dies at, the next one learns every series id that its segments
 * name.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log/segments.h"
#include "log/writer.h"
#include "support/definition.h"
#include "support/simdisk.h"
#include "weir/limits.h"

#define IDS_MAX 1024u
#define STEPS_MAX 100000

/* A lane that defines a series in every other block; its snapshots go as far as they are let. */
struct namer {
	struct writer *writer;
	struct weir_definition *definition;
	uint32_t ids;       /* defined so far: 1 .. ids */
	uint32_t snapshots; /* whole */
	uint32_t at;        /* of the snapshot under way */
	uint32_t most;      /* so many whole ones; of the next one the rings only */
	uint64_t now_ns;
	bool named[IDS_MAX];
};

static int64_t put_series(struct namer *namer, struct writer *writer, uint32_t id)
{
	uint8_t record[256] = {0};

	memcpy(record, &id, sizeof(id));
	memcpy(record + 8, namer->definition, namer->definition->bytes);
	return writer_records(writer, WEIR_BLOCK_SERIES, record, 8 + namer->definition->bytes, 1);
}

static int snapshot(void *self, struct writer *writer)
{
	struct namer *namer = self;
	struct weir_ring_record ring = {.number = 1};

	if (namer->at == 0) {
		int64_t lsn = writer_records(writer, WEIR_BLOCK_RINGS, &ring, sizeof(ring), 1);
		if (lsn < 0)
			return (int)lsn;
		namer->at = 1;
	}
	if (namer->snapshots == namer->most)
		return -EAGAIN;
	for (; namer->at <= namer->ids; namer->at++)
		if (put_series(namer, writer, namer->at) < 0)
			return -EAGAIN;
	namer->at = 0;
	namer->snapshots++;
	return 0;
}

static void step(struct namer *namer)
{
	namer->now_ns += 1000000;
	writer_step(namer->writer, namer->now_ns);
}

static int name(void *self, const void *payload, uint32_t bytes)
{
	struct namer *namer = self;
	const uint8_t *at = payload;

	for (uint32_t used = 0; used < bytes; used += 8 + namer->definition->bytes) {
		uint32_t id;
		memcpy(&id, at + used, sizeof(id));
		cr_assert(id && id < IDS_MAX);
		namer->named[id] = true;
	}
	return 0;
}

static void check_named(struct namer *namer, struct simdisk *disk)
{
	struct io *io = simdisk_io(disk, 4);

	memset(namer->named, 0, sizeof(namer->named));
	cr_assert_eq(segments_series(io, "lane-00", 0, name, namer), 0);
	for (uint32_t id = 1; id <= namer->ids; id++)
		cr_assert(namer->named[id], "series %u of %u is forgotten", id, namer->ids);
	io->ops->destroy(io);
}

/* Dies where the snapshot behind so many whole ones has its rings on the disk, and no series. */
static void die_in_snapshot(uint32_t snapshots)
{
	struct namer namer = {.most = snapshots};
	struct simdisk *disk = simdisk_create(3);
	struct weir_ring_record ring = {.number = 1};
	struct writer_options options = {
		.io = simdisk_io(disk, 8),
		.directory = "lane-00",
		.epoch = 1,
		.next_lsn = 1,
		.segment_bytes = WEIR_SEGMENT_BYTES_MIN,
		.block_bytes = 32 << 10,
		.buffers = 16,
		.durability = DURABILITY_BLOCK,
		.sync_ms = 1,
		.sync_bytes = 64 << 10,
		.random_seed = 5,
		.snapshot = snapshot,
		.self = &namer,
	};

	simdisk_delay(disk, 0);
	namer.definition = definition_make(WEIR_NUMBER, "purchase", "value", 0, NULL);
	cr_assert_eq(writer_open(&options, &namer.writer), 0);
	for (int i = 0; i < STEPS_MAX && !(namer.snapshots == namer.most && namer.at); i++) {
		/* What is no snapshot's stands between. */
		if (writer_records(namer.writer, WEIR_BLOCK_LEDGER, &ring, sizeof(ring), 1) > 0 &&
		    put_series(&namer, namer.writer, namer.ids + 1) > 0)
			namer.ids++;
		cr_assert_lt(namer.ids + 1, IDS_MAX);
		step(&namer);
	}
	cr_assert(namer.ids > 10 && namer.at, "it got as far as the snapshot");
	for (int i = 0; i < 100; i++)
		step(&namer);
	writer_abandon(namer.writer);
	options.io->ops->destroy(options.io);
	simdisk_power_cut(disk);
	check_named(&namer, disk);
	free(namer.definition);
	simdisk_destroy(disk);
}

/* What an instance reads is counted. */
static const struct io_ops *beneath;
static uint64_t bytes_read;

static int64_t counted_read(struct io *io, int file, uint64_t offset, void *data, size_t bytes)
{
	bytes_read += bytes;
	return beneath->read(io, file, offset, data, bytes);
}

/* A life: an epoch that defines a series and dies. Returns the LSN that the next begins with. */
static uint64_t live(struct namer *namer, struct simdisk *disk, uint32_t epoch, uint64_t lsn)
{
	int64_t put = 0;
	struct writer_options options = {
		.io = simdisk_io(disk, 8),
		.directory = "lane-00",
		.epoch = epoch,
		.next_lsn = lsn,
		.segment_bytes = 64 << 20,
		.block_bytes = 32 << 10,
		.buffers = 16,
		.durability = DURABILITY_BLOCK,
		.sync_ms = 1,
		.sync_bytes = 64 << 10,
		.random_seed = epoch,
		.snapshot = snapshot,
		.self = namer,
	};

	cr_assert_eq(writer_open(&options, &namer->writer), 0);
	namer->ids++;
	for (int i = 0; i < STEPS_MAX && put <= 0; i++) {
		put = put_series(namer, namer->writer, namer->ids);
		step(namer);
	}
	cr_assert_gt(put, 0);
	for (int i = 0; i < 100; i++)
		step(namer);
	lsn = writer_lsn(namer->writer);
	writer_abandon(namer->writer);
	options.io->ops->destroy(options.io);
	return lsn;
}

Test(named, the_end_of_an_epoch_that_another_goes_on_from_is_not_searched)
{
	struct namer namer = {.most = 1000};
	struct simdisk *disk = simdisk_create(4);
	struct io_ops ops;
	uint64_t lsn = 1;

	simdisk_delay(disk, 0);
	namer.definition = definition_make(WEIR_NUMBER, "purchase", "value", 0, NULL);
	for (uint32_t epoch = 1; epoch <= 20; epoch++)
		lsn = live(&namer, disk, epoch, lsn);
	check_named(&namer, disk);
	struct io *io = simdisk_io(disk, 4);
	beneath = io->ops;
	ops = *beneath;
	ops.read = counted_read;
	io->ops = &ops;
	cr_assert_eq(segments_series(io, "lane-00", 0, name, &namer), 0);
	cr_expect_lt(bytes_read, 4u << 20, "%zu bytes of 20 files of a few blocks",
		     (size_t)bytes_read);
	io->ops = beneath;
	io->ops->destroy(io);
	free(namer.definition);
	simdisk_destroy(disk);
}

Test(named, a_snapshot_that_the_crash_left_unfinished_stands_for_nothing)
{
	die_in_snapshot(1);
	die_in_snapshot(2);
}
