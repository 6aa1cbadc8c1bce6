/*
 * events: all events of a data directory, decoded, lane after lane; or, following, as they come.
 *
 * A lane's SERIES blocks define ids before the EVENTS blocks that use them; names of sources are
 * in the control log, and so is what was kept of a lane, whatever its headers say. Following starts
 * in each lane's last segment, whose snapshot defines what is in use, and passes over what is there
 * already.
 */
#include "events.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control_records.h"
#include "intake/series.h"
#include "log/io.h"
#include "log/reader.h"
#include "weir/event.h"
#include "weir/limits.h"
#include "weir/segment.h"

#define IO_DEPTH 1 /* nothing is written */
#define WHY_BYTES 256

struct lane {
	struct reader *reader;
	uint32_t number;
	struct reader_block block;
	bool have;       /* `block` holds events that are not shown yet */
	bool passing;    /* following: still over what was there before */
	uint32_t run;    /* where in the block */
	uint32_t in_run; /* events of the run that are done */
	uint32_t done;   /* events of the block that are done */
};

struct events {
	int directory_fd;
	struct io *io;
	enum events_mode mode;
	struct lane lanes[WEIR_LANES_MAX];
	uint32_t lanes_count, lane;   /* lane: the one being read */
	struct event_series **series; /* by id */
	uint32_t series_count;
	struct reader *control;
	char sources[WEIR_SOURCES_MAX][WEIR_SOURCE_NAME_BYTES];
	uint64_t kept[WEIR_LANES_MAX]; /* the last block that a close names */
	char why[WHY_BYTES];
};

static int fail(struct events *events, int error, const char *what)
{
	if (!events->why[0])
		snprintf(events->why, sizeof(events->why), "%s: %s", what, strerror(-error));
	return error;
}

/* One allocation: the struct, its arrays, then the texts. */
static struct event_series *decode(const struct weir_definition *definition)
{
	size_t arrays = 2 * definition->dimensions * sizeof(char *);
	/* Each text gets a NUL; there are two for each dimension, and the event's and the field's.
	 */
	size_t texts = definition->bytes + 2 * (size_t)definition->dimensions + 2;
	struct event_series *series = malloc(sizeof(*series) + arrays + texts);
	if (!series)
		return NULL;
	const char **names = (const char **)(series + 1);
	const char **values = names + definition->dimensions;
	char *at = (char *)(values + definition->dimensions);
	struct series_text text[2] = {series_event(definition), series_field(definition)};
	const char **out[2] = {&series->event, &series->field};

	for (uint32_t i = 0; i <= definition->dimensions; i++) {
		for (int j = 0; j < 2; j++) {
			memcpy(at, text[j].bytes, text[j].count);
			at[text[j].count] = '\0';
			*out[j] = at;
			at += text[j].count + 1;
		}
		if (i == definition->dimensions)
			break;
		series_dimension(definition, i, &text[0], &text[1]);
		out[0] = &names[i];
		out[1] = &values[i];
	}
	series->names = names;
	series->values = values;
	series->dimensions = definition->dimensions;
	series->hash = definition->kind == WEIR_HASH;
	return series;
}

static int define(struct events *events, uint32_t id, const struct weir_definition *definition)
{
	if (id == 0 || id > WEIR_SERIES_MAX)
		return -EPROTO;
	if (id >= events->series_count) {
		uint32_t count = events->series_count ? events->series_count : 1024;
		while (count <= id)
			count *= 2;
		struct event_series **grown = realloc(events->series, count * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		memset(grown + events->series_count, 0,
		       (count - events->series_count) * sizeof(*grown));
		events->series = grown;
		events->series_count = count;
	}
	/* A snapshot tells again what is known; ids are not given to another definition. */
	if (!events->series[id])
		events->series[id] = decode(definition);
	return events->series[id] ? 0 : -ENOMEM;
}

static int apply_series(struct events *events, const struct reader_block *block)
{
	const uint8_t *at = block->payload;
	uint32_t left = block->header.payload_bytes;

	/* {u32 id, u32 zero, definition}: 8-byte aligned throughout. */
	while (left >= 8 + sizeof(struct weir_definition)) {
		const struct weir_definition *definition = (const void *)(at + 8);
		const char *why;
		uint32_t id;
		memcpy(&id, at, sizeof(id));
		if (series_check(definition, left - 8, &why) < 0)
			return fail(events, -EPROTO, why);
		int error = define(events, id, definition);
		if (error < 0)
			return fail(events, error, "a series of the log");
		at += 8 + definition->bytes;
		left -= 8 + definition->bytes;
	}
	return 0;
}

static void take_record(struct events *events, const struct weir_control_record *record,
			const void *data)
{
	const struct weir_control_source *source = data;
	const struct weir_control_epoch *epoch = data;
	const struct weir_control_close *close = data;

	if (record->kind == WEIR_CONTROL_SOURCE && record->bytes >= sizeof(*source) &&
	    source->number < WEIR_SOURCES_MAX)
		snprintf(events->sources[source->number], sizeof(events->sources[0]), "%.*s",
			 (int)sizeof(source->name) - 1, source->name);
	/* Of a lane that is dropped, retention may take everything. */
	if (record->kind == WEIR_CONTROL_EPOCH && record->bytes >= sizeof(*epoch))
		for (uint32_t i = epoch->lanes; i < WEIR_LANES_MAX; i++)
			events->kept[i] = 0;
	for (uint32_t i = 0; record->kind == WEIR_CONTROL_CLOSE && i < WEIR_LANES_MAX &&
			     record->bytes >= sizeof(*close) + (i + 1) * sizeof(uint64_t);
	     i++)
		if (close->mark_lsn[i] > events->kept[i])
			events->kept[i] = close->mark_lsn[i];
}

/* Take what the control log says of sources and lanes, as far as it goes now. */
static int read_control(struct events *events)
{
	struct reader_block block;
	int more;

	while (events->control && (more = reader_next(events->control, &block)) != 0) {
		const struct weir_control_record *record;
		uint32_t offset = 0;
		const void *data;
		if (more < 0)
			return fail(events, more, reader_why(events->control));
		if (block.header.type != WEIR_BLOCK_CONTROL)
			continue;
		while ((more = control_record_next(&block, &offset, &record, &data)) > 0)
			take_record(events, record, data);
		if (more < 0)
			return fail(events, more, "a record of the control log");
	}
	return 0;
}

static int open_control(struct events *events)
{
	int error = reader_open(events->io, "control", WEIR_LANE_CONTROL, 0,
				events->mode == EVENTS_FOLLOW, &events->control, events->why,
				sizeof(events->why));
	if (error == -ENOENT) {
		snprintf(events->why, sizeof(events->why),
			 "there is no log here: the folder `control` is missing");
		return error;
	}
	return error < 0 ? fail(events, error, "the control log") : read_control(events);
}

/* The lane's next block of events. 1, 0: no more or not yet, or negative errno. */
static int next_block(struct events *events, struct lane *lane)
{
	int more;
	while ((more = reader_next(lane->reader, &lane->block)) > 0) {
		if (lane->block.header.type == WEIR_BLOCK_SERIES) {
			int error = apply_series(events, &lane->block);
			if (error < 0)
				return error;
		}
		if (lane->block.header.type != WEIR_BLOCK_EVENTS || lane->passing)
			continue;
		lane->run = lane->in_run = lane->done = 0;
		return 1;
	}
	if (more < 0)
		return fail(events, more, reader_why(lane->reader));
	lane->passing = false;
	return 0;
}

static int open_lane(struct events *events, uint32_t number)
{
	struct lane *lane = &events->lanes[events->lanes_count];
	bool follow = events->mode == EVENTS_FOLLOW;
	char directory[16];
	snprintf(directory, sizeof(directory), "lane-%02u", number % 100);
	int error = reader_open(events->io, directory, (uint16_t)number, follow ? UINT64_MAX : 0,
				follow, &lane->reader, events->why, sizeof(events->why));
	if (error < 0)
		return fail(events, error, directory);
	reader_kept(lane->reader, events->kept[number]);
	lane->number = number;
	lane->passing = follow;
	events->lanes_count++;
	/* What is there now is passed over now, not when the first event is asked for. */
	return follow ? next_block(events, lane) : 0;
}

/* Lanes by number; those that an engine adds later are not followed. */
static int open_lanes(struct events *events)
{
	bool there[WEIR_LANES_MAX] = {false};
	int fd = openat(events->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	if (!directory)
		return fail(events, -errno, "the data directory");
	for (struct dirent *entry; (entry = readdir(directory));) {
		unsigned number;
		int end = 0;
		if (sscanf(entry->d_name, "lane-%2u%n", &number, &end) == 1 &&
		    !entry->d_name[end] && number < WEIR_LANES_MAX)
			there[number] = true;
	}
	closedir(directory);
	for (uint32_t i = 0; i < WEIR_LANES_MAX; i++) {
		int error = there[i] ? open_lane(events, i) : 0;
		if (error < 0)
			return error;
	}
	return 0;
}

int events_open(const char *directory, enum events_mode mode, struct events **ret_events, char *why,
		size_t why_bytes)
{
	struct events *events = calloc(1, sizeof(*events));
	if (!events)
		return -ENOMEM;
	events->mode = mode;
	events->directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = events->directory_fd < 0 ? -errno : 0;
	if (!error)
		error = io_pwrite_create(events->directory_fd, IO_DEPTH, &events->io);
	if (!error)
		error = open_control(events);
	if (!error)
		error = open_lanes(events);
	if (error < 0) {
		snprintf(why, why_bytes, "%s: %s", directory,
			 events->why[0] ? events->why : strerror(-error));
		events_close(events);
		return error;
	}
	*ret_events = events;
	return 0;
}

/* The next event of the lane's block; 0 when it is used up. */
static int next_in_block(struct events *events, struct lane *lane, struct event_view *ret_event)
{
	while (lane->run < lane->block.header.runs) {
		const struct weir_run *run = &lane->block.runs[lane->run];
		if (run->ring == WEIR_RUN_MARK || lane->in_run == run->count) {
			lane->run++;
			lane->in_run = 0;
			continue;
		}
		const struct weir_event *event = &lane->block.events[lane->done++];
		uint32_t id = weir_event_series(event->word);
		*ret_event = (struct event_view){
			.time_ms = weir_event_time_ms(event->word),
			.value_bits = event->value,
			.sequence = run->first_sequence + lane->in_run++,
			.lane = lane->number,
			.ring = run->ring,
			.source = run->source,
			.series_id = id,
			.series = id < events->series_count ? events->series[id] : NULL,
			.source_name = run->source < WEIR_SOURCES_MAX ? events->sources[run->source]
								      : "",
		};
		return 1;
	}
	lane->have = false;
	return 0;
}

int events_next(struct events *events, struct event_view *ret_event)
{
	for (uint32_t tried = 0;
	     tried < events->lanes_count && events->lane < events->lanes_count;) {
		struct lane *lane = &events->lanes[events->lane];
		if (lane->have) {
			if (next_in_block(events, lane, ret_event))
				return 1;
			continue;
		}
		int more = next_block(events, lane);
		if (more < 0)
			return more;
		lane->have = more > 0;
		if (more) {
			/* A source may be new. */
			int error = events->mode == EVENTS_FOLLOW ? read_control(events) : 0;
			if (error < 0)
				return error;
			tried = 0;
			continue;
		}
		tried++;
		events->lane++;
		if (events->mode == EVENTS_FOLLOW)
			events->lane %= events->lanes_count;
	}
	return 0;
}

const char *events_why(const struct events *events)
{
	return events->why;
}

void events_report(const struct events *events, struct events_report *ret_report)
{
	*ret_report = (struct events_report){.lanes = events->lanes_count};
	for (uint32_t i = 0; i < events->lanes_count; i++) {
		struct reader_report one;
		reader_report(events->lanes[i].reader, &one);
		ret_report->events += one.events;
		ret_report->blocks += one.blocks;
		ret_report->gaps += one.gaps;
		ret_report->gap_blocks += one.gap_blocks;
	}
}

void events_close(struct events *events)
{
	if (!events)
		return;
	for (uint32_t i = 0; i < events->lanes_count; i++)
		reader_close(events->lanes[i].reader);
	if (events->control)
		reader_close(events->control);
	for (uint32_t i = 0; i < events->series_count; i++)
		free(events->series[i]);
	free(events->series);
	if (events->io)
		events->io->ops->destroy(events->io);
	if (events->directory_fd >= 0)
		close(events->directory_fd);
	free(events);
}
