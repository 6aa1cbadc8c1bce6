/*
 * verify_lane: the lanes' blocks, epoch by epoch, because a ring may come back on another lane.
 *
 * Idea:  within an epoch a ring belongs to one lane, so epoch after epoch, and within it lane after
 *        lane, is an order in which each ring's sequences must follow each other. Series must be
 *        defined, and rings named, since the snapshot that their segment begins with; marks never
 *        go back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verify_private.h"

#define SAY(kind, log, place, ...) say(verify, kind, log, place, __VA_ARGS__)

static void __attribute__((format(printf, 5, 6)))
say(struct verify *verify, enum verify_kind kind, const struct verify_log *log,
    const struct verify_place *place, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	verify_say(verify, kind, "%s: block %llu: %s", log->directory,
		   (unsigned long long)place->lsn, text);
}

static void bad_block(struct verify *verify, const struct verify_log *log,
		      const struct verify_place *place, const char *what)
{
	verify->report->blocks_bad++;
	SAY(VERIFY_FINDING, log, place, "%s", what);
}

/* FNV-1a over the whole record: equal definitions are equal bytes. */
static uint64_t hash_of(const uint8_t *at, uint32_t bytes)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	while (bytes--)
		hash = (hash ^ *at++) * UINT64_C(1099511628211);
	return hash ? hash : 1;
}

/* A text of a definition: there, and without NULs. */
static bool text_good(const uint8_t **at, const uint8_t *end, uint32_t bytes, uint32_t most)
{
	const uint8_t *text = *at;

	if (bytes > most || bytes > (size_t)(end - text) || memchr(text, 0, bytes))
		return false;
	*at += bytes;
	return true;
}

/* Does a definition hold together: lengths, order of the dimensions, zeros behind it? */
static bool definition_good(const uint8_t *from, uint32_t left)
{
	struct weir_definition head;
	const uint8_t *at = from + sizeof(head), *last = NULL;
	uint16_t name_bytes, value_bytes, last_bytes = 0;

	memcpy(&head, from, sizeof(head));
	if (head.bytes < sizeof(head) || head.bytes % 8 || head.bytes > left ||
	    head.bytes > WEIR_DEFINITION_BYTES_MAX || head.kind > WEIR_HASH ||
	    head.dimensions > WEIR_DIMENSIONS_MAX || head.event_bytes == 0)
		return false;
	const uint8_t *end = from + head.bytes;
	if (!text_good(&at, end, head.event_bytes, WEIR_NAME_BYTES_MAX) ||
	    !text_good(&at, end, head.field_bytes, WEIR_NAME_BYTES_MAX))
		return false;
	for (int i = 0; i < head.dimensions; i++) {
		if (end - at < 4)
			return false;
		memcpy(&name_bytes, at, 2);
		memcpy(&value_bytes, at + 2, 2);
		at += 4;
		const uint8_t *name = at;
		if (name_bytes == 0 || !text_good(&at, end, name_bytes, WEIR_NAME_BYTES_MAX) ||
		    !text_good(&at, end, value_bytes, WEIR_LABEL_BYTES_MAX))
			return false;
		if (last) {
			int order = memcmp(last, name,
					   last_bytes < name_bytes ? last_bytes : name_bytes);
			if (order > 0 || (order == 0 && last_bytes >= name_bytes))
				return false;
		}
		last = name;
		last_bytes = name_bytes;
	}
	if (end - at >= 8)
		return false;
	while (at < end)
		if (*at++)
			return false;
	return true;
}

/* What a record says of its series' sketch: hashes have one of different values, numbers one of
 * quantiles or none. Files of minor version 0 say nothing. */
static bool sketch_good(const uint8_t *record)
{
	const uint32_t none = 0, distinct = 1, quantile = 2;
	const struct weir_definition *definition = (const void *)(record + 8);
	uint32_t sketch;

	memcpy(&sketch, record + 4, sizeof(sketch));
	return sketch == none || sketch == (definition->kind == WEIR_HASH ? distinct : quantile);
}

static void take_series(struct verify *verify, struct verify_log *log,
			const struct verify_place *place, const uint8_t *payload)
{
	uint32_t at = 0, count = 0;

	while (place->payload_bytes - at >= 8 + sizeof(struct weir_definition)) {
		uint32_t id, bytes;
		const uint8_t *definition = payload + at + 8;
		memcpy(&id, payload + at, sizeof(id));
		if (!definition_good(definition, place->payload_bytes - at - 8) || id == 0 ||
		    id > WEIR_SERIES_MAX) {
			bad_block(verify, log, place, "a series definition does not hold together");
			return;
		}
		if (!sketch_good(payload + at))
			SAY(VERIFY_FINDING, log, place,
			    "series %u is to be sketched as its kind cannot be", id);
		memcpy(&bytes, definition, sizeof(bytes));
		uint64_t hash = hash_of(definition, bytes);
		if (verify->definitions[id] && verify->definitions[id] != hash)
			SAY(VERIFY_FINDING, log, place, "series %u has a second definition", id);
		verify->report->series += !verify->definitions[id];
		verify->definitions[id] = hash;
		log->series[id / 8] |= (uint8_t)(1u << (id % 8));
		if (id > log->series_last)
			log->series_last = id;
		at += 8 + bytes;
		count++;
	}
	if (at != place->payload_bytes || count != place->count)
		bad_block(verify, log, place, "its series are not as many as it says");
}

static int take_rings(struct verify *verify, struct verify_log *log,
		      const struct verify_place *place, const uint8_t *payload)
{
	struct weir_ring_record record;
	int error = 0;

	if (place->payload_bytes != place->count * (uint64_t)sizeof(record)) {
		bad_block(verify, log, place, "its rings are not as many as it says");
		return 0;
	}
	for (uint32_t i = 0; i < place->count && !error; i++) {
		memcpy(&record, payload + i * sizeof(record), sizeof(record));
		error = verify_ring_record(verify, log, place, &record);
	}
	return error;
}

/* What a run's events have in common, and what is wrong with them. */
struct tally {
	uint32_t undefined, infinite, late;
	uint64_t time_min_s, time_max_s;
};

static void take_events(const struct verify_log *log, const struct weir_event *events,
			uint32_t count, int64_t late_before_ms, struct tally *tally)
{
	for (uint32_t i = 0; i < count; i++) {
		uint64_t time_ms = weir_event_time_ms(events[i].word);
		uint32_t id = weir_event_series(events[i].word);
		tally->undefined += !(log->series[id / 8] >> (id % 8) & 1);
		tally->infinite += !weir_bits_finite(events[i].value);
		tally->late += (int64_t)time_ms < late_before_ms;
		if (time_ms / 1000 < tally->time_min_s)
			tally->time_min_s = time_ms / 1000;
		if (time_ms / 1000 > tally->time_max_s)
			tally->time_max_s = time_ms / 1000;
	}
}

static int take_mark(struct verify *verify, struct verify_log *log,
		     const struct verify_place *place, const struct weir_run *run)
{
	uint32_t source = run->source;

	if (!verify->source_known[source])
		SAY(VERIFY_FINDING, log, place,
		    "a mark of source %u, which the control log does not know", source);
	if (run->count || run->rejected)
		SAY(VERIFY_FINDING, log, place, "a mark with events");
	if (log->marked[source] && run->interval < log->frontier[source])
		SAY(VERIFY_FINDING, log, place, "source %u is marked through %lld, after %lld",
		    source, (long long)run->interval, (long long)log->frontier[source]);
	log->marked[source] = true;
	log->frontier[source] = run->interval;
	if (!verify_grow(&log->marks, log->marks_count, sizeof(*log->marks)))
		return -1;
	log->marks[log->marks_count++] = (struct verify_mark){
		.lsn = place->lsn,
		.interval = run->interval,
		.epoch = place->epoch,
		.source = source,
	};
	verify->report->marks++;
	return 0;
}

/* Events before this time belong to intervals that the lane has marked; INT64_MIN: none are. */
static int64_t late_before(const struct verify *verify, const struct verify_log *log,
			   const struct verify_place *place, uint32_t source)
{
	const struct verify_epoch *epoch = verify_epoch_find(verify, place->epoch);
	int64_t ms;

	if (!epoch || !log->marked[source] || log->frontier[source] == INT64_MAX ||
	    __builtin_mul_overflow(log->frontier[source] + 1, epoch->interval_ms, &ms))
		return INT64_MIN;
	return ms;
}

static void judge_tally(struct verify *verify, const struct verify_log *log,
			const struct verify_place *place, const struct weir_block_header *header,
			struct tally *tally)
{
	struct verify_report *report = verify->report;

	report->events += place->count;
	report->late += tally->late;
	if (tally->undefined)
		SAY(VERIFY_FINDING, log, place, "%u events of series that were not defined before",
		    tally->undefined);
	if (tally->infinite)
		SAY(VERIFY_FINDING, log, place, "%u values that are no finite numbers",
		    tally->infinite);
	if (tally->late && verify->options.refuse_late)
		SAY(VERIFY_FINDING, log, place, "%u events behind the mark of their interval",
		    tally->late);
	if (!place->count)
		tally->time_min_s = tally->time_max_s = 0;
	if (tally->time_max_s > UINT32_MAX)
		tally->time_max_s = UINT32_MAX;
	if (tally->time_min_s > UINT32_MAX)
		tally->time_min_s = UINT32_MAX;
	if (tally->time_min_s != header->time_min_s || tally->time_max_s != header->time_max_s)
		SAY(VERIFY_FINDING, log, place,
		    "its events are of %llu to %llu s, its header says %u to %u",
		    (unsigned long long)tally->time_min_s, (unsigned long long)tally->time_max_s,
		    header->time_min_s, header->time_max_s);
}

static int take_runs(struct verify *verify, struct verify_log *log,
		     const struct verify_place *place, const uint8_t *payload)
{
	const struct weir_event *events = (const struct weir_event *)payload;
	const uint8_t *runs = payload + place->count * sizeof(*events);
	struct tally tally = {.time_min_s = UINT64_MAX};
	struct weir_block_header header;
	struct weir_run run;
	uint32_t at = 0;
	int error = 0;

	memcpy(&header, payload - sizeof(header), sizeof(header));
	if (place->runs > WEIR_BLOCK_RUNS_MAX ||
	    place->payload_bytes !=
		    place->count * (uint64_t)sizeof(*events) + place->runs * sizeof(run)) {
		bad_block(verify, log, place, "its events and runs are not as many as it says");
		return 0;
	}
	for (uint32_t i = 0; i < place->runs && !error; i++) {
		memcpy(&run, runs + i * sizeof(run), sizeof(run));
		if (run.source >= WEIR_SOURCES_MAX ||
		    (run.ring != WEIR_RUN_MARK && run.count > place->count - at)) {
			bad_block(verify, log, place, "a run goes beyond its block");
			return 0;
		}
		if (run.ring == WEIR_RUN_MARK) {
			error = take_mark(verify, log, place, &run);
			continue;
		}
		take_events(log, events + at, run.count,
			    late_before(verify, log, place, run.source), &tally);
		at += run.count;
		error = verify_ring_run(verify, log, place, &run);
	}
	if (!error && at != place->count)
		bad_block(verify, log, place, "its runs do not cover its events");
	if (!error)
		judge_tally(verify, log, place, &header, &tally);
	return error;
}

/* The segment's snapshot begins anew what is defined and named; a continued one goes on. */
static void enter_file(struct verify_log *log, const struct verify_place *place)
{
	struct verify_file *file = &log->files[place->file];

	if (file->serial)
		return;
	file->serial = 1;
	if (file->continues && log->serial)
		return;
	log->serial++;
	memset(log->series, 0, log->series_last / 8 + 1);
	log->series_last = 0;
}

static int take_place(struct verify *verify, struct verify_log *log,
		      const struct verify_place *place)
{
	const struct verify_epoch *epoch = verify_epoch_find(verify, place->epoch);
	const uint8_t *payload = verify_log_read(verify, log, place);

	verify->report->blocks++;
	enter_file(log, place);
	if (place->epoch != log->epoch) {
		memset(log->marked, 0, sizeof(log->marked));
		log->epoch = place->epoch;
		if (!epoch)
			SAY(VERIFY_NOTE, log, place,
			    "epoch %u is not in the control log: it crashed as it began",
			    place->epoch);
		else if (log->lane >= epoch->lanes)
			SAY(VERIFY_FINDING, log, place, "epoch %u had only %u lanes", place->epoch,
			    epoch->lanes);
	}
	if (!payload || place->type & WEIR_BLOCK_SKIPPABLE)
		return 0;
	switch (place->type) {
	case WEIR_BLOCK_EVENTS:
		return take_runs(verify, log, place, payload);
	case WEIR_BLOCK_SERIES:
		take_series(verify, log, place, payload);
		return 0;
	case WEIR_BLOCK_RINGS:
	case WEIR_BLOCK_LEDGER:
		return take_rings(verify, log, place, payload);
	default:
		SAY(VERIFY_FINDING, log, place, "is of type %u", place->type);
		return 0;
	}
}

static bool is_lane(const struct verify_log *log)
{
	return log->lane != WEIR_LANE_CONTROL;
}

int verify_lanes(struct verify *verify)
{
	for (;;) {
		uint32_t epoch = UINT32_MAX;
		bool more = false;
		for (uint32_t i = 0; i < verify->logs_count; i++) {
			const struct verify_log *log = &verify->logs[i];
			if (!is_lane(log) || log->next == log->places_count)
				continue;
			more = true;
			if (log->places[log->next].epoch < epoch)
				epoch = log->places[log->next].epoch;
		}
		if (!more)
			return 0;
		for (uint32_t i = 0; i < verify->logs_count; i++) {
			struct verify_log *log = &verify->logs[i];
			while (is_lane(log) && log->next < log->places_count &&
			       log->places[log->next].epoch <= epoch)
				if (take_place(verify, log, &log->places[log->next++]) < 0)
					return -1;
		}
	}
}
