/*
 * verify_control: the control log tells the engines' lives, the sources and the closes.
 *
 * Idea:  its records are checked against each other as they come; the closes are kept, and checked
 *        against the lanes' marks once those have been read. A close that names a mark which is
 *        not in its lane would make a replay differ from what was alerted.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "verify_private.h"

const struct verify_epoch *verify_epoch_find(const struct verify *verify, uint32_t epoch)
{
	for (uint32_t i = verify->epochs_count; i > 0; i--)
		if (verify->epochs[i - 1].epoch == epoch)
			return &verify->epochs[i - 1];
	return NULL;
}

static const struct verify_epoch *current(const struct verify *verify)
{
	return verify->epochs_count ? &verify->epochs[verify->epochs_count - 1] : NULL;
}

#define SAY(place, ...) say(verify, (place)->lsn, __VA_ARGS__)

static void __attribute__((format(printf, 3, 4)))
say(struct verify *verify, uint64_t lsn, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	verify_say(verify, VERIFY_FINDING, "control: block %llu: %s", (unsigned long long)lsn,
		   text);
}

static int take_epoch(struct verify *verify, const struct verify_place *place,
		      const struct weir_control_record *record, const void *data)
{
	struct weir_control_epoch epoch;
	const struct verify_epoch *last = current(verify);

	if (record->bytes < sizeof(epoch)) {
		SAY(place, "an epoch of %u bytes", record->bytes);
		return 0;
	}
	memcpy(&epoch, data, sizeof(epoch));
	if (epoch.epoch != place->epoch || (last && epoch.epoch <= last->epoch))
		SAY(place, "epoch %u begins behind epoch %u, in a block of epoch %u", epoch.epoch,
		    last ? last->epoch : 0, place->epoch);
	if (epoch.lanes < 1 || epoch.lanes > WEIR_LANES_MAX || epoch.interval_ms < 1) {
		SAY(place, "epoch %u has %u lanes and intervals of %lld ms", epoch.epoch,
		    epoch.lanes, (long long)epoch.interval_ms);
		return 0;
	}
	if (!verify_grow(&verify->epochs, verify->epochs_count, sizeof(*verify->epochs)))
		return -1;
	verify->epochs[verify->epochs_count++] = (struct verify_epoch){
		.epoch = epoch.epoch,
		.lanes = epoch.lanes,
		.interval_ms = epoch.interval_ms,
	};
	return 0;
}

static void take_source(struct verify *verify, const struct verify_place *place,
			const struct weir_control_record *record, const void *data)
{
	struct weir_control_source source;

	if (record->bytes < sizeof(source)) {
		SAY(place, "a source of %u bytes", record->bytes);
		return;
	}
	memcpy(&source, data, sizeof(source));
	if (source.number >= WEIR_SOURCES_MAX || verify->source_known[source.number] ||
	    source.clock > WEIR_CLOCK_EVENT || !memchr(source.name, 0, sizeof(source.name)) ||
	    (source.number > 0 && !verify->source_known[source.number - 1])) {
		SAY(place, "source %u, with clock %u, does not follow the one before",
		    source.number, source.clock);
		return;
	}
	verify->source_known[source.number] = true;
	verify->report->sources++;
}

static int take_close(struct verify *verify, const struct verify_place *place,
		      const struct weir_control_record *record, const void *data)
{
	struct weir_control_close close;
	const struct verify_epoch *epoch = current(verify);
	uint32_t source = record->source;

	if (record->bytes < sizeof(close) || !epoch ||
	    record->bytes != sizeof(close) + epoch->lanes * sizeof(uint64_t)) {
		SAY(place, "a close of %u bytes", record->bytes);
		return 0;
	}
	memcpy(&close, data, sizeof(close));
	if (source >= WEIR_SOURCES_MAX || !verify->source_known[source]) {
		SAY(place, "a close of source %u, which has no record", source);
		return 0;
	}
	if (close.epoch != epoch->epoch || place->epoch != epoch->epoch)
		SAY(place, "a close of epoch %u in epoch %u", close.epoch, epoch->epoch);
	if (close.from > record->interval ||
	    (verify->source_closed[source] && close.from != verify->closed_through[source] + 1))
		SAY(place,
		    "source %u is closed from %lld to %lld, after having been closed to %lld",
		    source, (long long)close.from, (long long)record->interval,
		    (long long)verify->closed_through[source]);
	verify->source_closed[source] = true;
	verify->closed_through[source] = record->interval;
	verify->report->closes++;
	if (!verify_grow(&verify->closes, verify->closes_count, sizeof(*verify->closes)))
		return -1;
	struct verify_close *kept = &verify->closes[verify->closes_count++];
	*kept = (struct verify_close){
		.lsn = place->lsn,
		.epoch = close.epoch,
		.source = source,
		.lanes = epoch->lanes,
		.through = record->interval,
	};
	memcpy(kept->mark_lsn, (const uint8_t *)data + sizeof(close),
	       epoch->lanes * sizeof(uint64_t));
	return 0;
}

/* The file that a rebase names: 64 bytes, then sections. NULL, or what is wrong with it. */
static const char *check_file(int fd, const struct weir_control_rebase *rebase)
{
	const size_t head = 64;
	struct stat status;
	const char *wrong = NULL;
	uint8_t *data = NULL;
	uint64_t sequence = 0;

	if (fstat(fd, &status) < 0 || (uint64_t)status.st_size < head ||
	    rebase->bytes > (uint64_t)status.st_size - head)
		return "is too short";
	data = malloc(head + rebase->bytes);
	if (!data || pread(fd, data, head + rebase->bytes, 0) != (ssize_t)(head + rebase->bytes))
		wrong = "cannot be read";
	if (!wrong)
		memcpy(&sequence, data + 24, sizeof(sequence));
	if (!wrong && (memcmp(data, "WEIREBSE", 8) != 0 || sequence != rebase->sequence ||
		       verify_crc32c(0, data + head, rebase->bytes) != rebase->crc))
		wrong = "is not the one that the record speaks of";
	free(data);
	return wrong;
}

static void take_rebase(struct verify *verify, const struct verify_place *place,
			const struct weir_control_record *record, const void *data)
{
	struct weir_control_rebase rebase;
	uint32_t source = record->source;
	char name[64];

	if (record->bytes < sizeof(rebase)) {
		SAY(place, "a rebase of %u bytes", record->bytes);
		return;
	}
	memcpy(&rebase, data, sizeof(rebase));
	if (source >= WEIR_SOURCES_MAX || !verify->source_closed[source] ||
	    verify->closed_through[source] != record->interval) {
		SAY(place, "a rebase of source %u behind %lld, where it is not closed", source,
		    (long long)record->interval);
		return;
	}
	if (rebase.sequence != verify->report->closes)
		SAY(place, "a rebase behind close %llu, which is close %llu",
		    (unsigned long long)rebase.sequence,
		    (unsigned long long)verify->report->closes);
	snprintf(name, sizeof(name), "checkpoint/rebase-%016llx-%08x.wreb",
		 (unsigned long long)rebase.sequence, rebase.crc);
	int fd = openat(verify->fd, name, O_RDONLY | O_CLOEXEC);
	const char *wrong = fd < 0 ? NULL : check_file(fd, &rebase);
	if (fd < 0)
		verify_say(verify, VERIFY_NOTE,
			   "control: %s is gone; a replay must begin behind close %llu", name,
			   (unsigned long long)rebase.sequence);
	else
		close(fd);
	if (wrong)
		SAY(place, "%s %s", name, wrong);
}

static void take_config(struct verify *verify, const struct verify_place *place,
			const struct weir_control_record *record, const void *data)
{
	const char *wrong = verify_zones(data, record->bytes);

	if (record->bytes == 0)
		SAY(place, "an empty configuration");
	else if (wrong)
		SAY(place, "a configuration that %s", wrong);
}

static int take_record(struct verify *verify, const struct verify_place *place,
		       const struct weir_control_record *record, const void *data)
{
	if (record->kind != WEIR_CONTROL_EPOCH && !verify->epochs_count)
		SAY(place, "a record of kind %u before the first epoch", record->kind);
	switch (record->kind) {
	case WEIR_CONTROL_EPOCH:
		return take_epoch(verify, place, record, data);
	case WEIR_CONTROL_SOURCE:
		take_source(verify, place, record, data);
		return 0;
	case WEIR_CONTROL_CONFIG:
		take_config(verify, place, record, data);
		return 0;
	case WEIR_CONTROL_INPUT:
		if (record->bytes < 2 || ((const char *)data)[0] != '{' ||
		    ((const char *)data)[record->bytes - 1] != '}')
			SAY(place, "an input that is no JSON object");
		return 0;
	case WEIR_CONTROL_REBASE:
		take_rebase(verify, place, record, data);
		return 0;
	case WEIR_CONTROL_CLOSE:
		return take_close(verify, place, record, data);
	default:
		verify_say(verify, VERIFY_NOTE,
			   "control: block %llu: a record of kind %u, which this version does not "
			   "know",
			   (unsigned long long)place->lsn, record->kind);
		return 0;
	}
}

static int take_block(struct verify *verify, const struct verify_place *place,
		      const uint8_t *payload)
{
	uint64_t at = 0;
	uint32_t records = 0;
	int error = 0;

	while (!error && at + sizeof(struct weir_control_record) <= place->payload_bytes) {
		struct weir_control_record record;
		memcpy(&record, payload + at, sizeof(record));
		at += sizeof(record);
		if (record.bytes > place->payload_bytes - at) {
			SAY(place, "a record of %u bytes goes beyond its block", record.bytes);
			verify->report->blocks_bad++;
			return 0;
		}
		error = take_record(verify, place, &record, payload + at);
		at += ((uint64_t)record.bytes + 7) & ~UINT64_C(7);
		records++;
	}
	/* The padding of the last record may be left out. */
	if (!error && (at < place->payload_bytes || records != place->count)) {
		SAY(place, "holds %u records in %llu bytes, its header says %u in %u", records,
		    (unsigned long long)at, place->count, place->payload_bytes);
		verify->report->blocks_bad++;
	}
	return error;
}

int verify_control(struct verify *verify, struct verify_log *log)
{
	if (log->first_lsn != 1)
		verify_say(verify, VERIFY_FINDING,
			   "control: begins at block %llu: its first files are gone",
			   (unsigned long long)log->first_lsn);
	for (uint64_t i = 0; i < log->places_count; i++) {
		const struct verify_place *place = &log->places[i];
		const uint8_t *payload = verify_log_read(verify, log, place);
		verify->report->blocks++;
		if (!payload || place->type & WEIR_BLOCK_SKIPPABLE)
			continue;
		if (place->type != WEIR_BLOCK_CONTROL)
			SAY(place, "is of type %u", place->type);
		else if (take_block(verify, place, payload) < 0)
			return -1;
	}
	verify->report->epochs = verify->epochs_count;
	return 0;
}

/* Is there, in the lane's block, a mark that closes the source through the interval? */
static bool marked(const struct verify_log *log, const struct verify_close *close, uint64_t lsn)
{
	uint64_t low = 0, high = log->marks_count;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if (log->marks[middle].lsn < lsn)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < log->marks_count && log->marks[low].lsn == lsn; low++)
		if (log->marks[low].source == close->source &&
		    log->marks[low].epoch == close->epoch &&
		    log->marks[low].interval >= close->through)
			return true;
	return false;
}

static const struct verify_log *find_lane(const struct verify *verify, uint32_t lane)
{
	for (uint32_t i = 0; i < verify->logs_count; i++)
		if (verify->logs[i].lane == lane)
			return &verify->logs[i];
	return NULL;
}

bool verify_lane_dropped(const struct verify *verify, const struct verify_log *log)
{
	uint32_t first = log->places_count ? log->places[0].epoch : UINT32_MAX;
	bool there = false;

	for (uint32_t i = 0; i < verify->epochs_count; i++) {
		const struct verify_epoch *epoch = &verify->epochs[i];
		if (epoch->epoch < first && epoch->lanes <= log->lane && there)
			return true;
		there |= epoch->lanes > log->lane;
	}
	return false;
}

uint64_t verify_kept(const struct verify *verify, const struct verify_log *log)
{
	uint32_t dropped = 0; /* the last epoch without the lane: its LSNs may have begun anew */
	uint64_t kept = 0;

	for (uint32_t i = 0; i < verify->epochs_count; i++)
		if (verify->epochs[i].lanes <= log->lane)
			dropped = verify->epochs[i].epoch;
	for (uint64_t i = 0; i < verify->closes_count; i++) {
		const struct verify_close *close = &verify->closes[i];
		if (close->epoch > dropped && close->lanes > log->lane &&
		    close->mark_lsn[log->lane] > kept)
			kept = close->mark_lsn[log->lane];
	}
	return kept;
}

/* Has retention taken the block? */
static bool removed(const struct verify *verify, const struct verify_log *log, uint64_t lsn,
		    uint32_t epoch)
{
	if (lsn && lsn < log->first_lsn)
		return true;
	return verify_lane_dropped(verify, log) &&
	       (!log->places_count || epoch < log->places[0].epoch);
}

void verify_closes(struct verify *verify)
{
	for (uint64_t i = 0; i < verify->closes_count; i++) {
		const struct verify_close *close = &verify->closes[i];
		for (uint32_t lane = 0; lane < close->lanes; lane++) {
			const struct verify_log *log = find_lane(verify, lane);
			/* What retention has deleted cannot be looked at. */
			if (log && removed(verify, log, close->mark_lsn[lane], close->epoch))
				continue;
			if (!log || !marked(log, close, close->mark_lsn[lane]))
				SAY(close,
				    "source %u is closed through %lld, but block %llu of lane-%02u "
				    "has no such mark",
				    close->source, (long long)close->through,
				    (unsigned long long)close->mark_lsn[lane], lane);
		}
	}
}
