/*
 * lived: see lived.h.
 */
#include "lived.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "control_records.h"
#include "log/reader.h"

static int add_event(struct lived *lived, const struct weir_control_record *record,
		     const char *text, size_t bytes)
{
	struct lived_event *event = calloc(1, sizeof(*event));
	char *copy = malloc(bytes + 1);

	if (!event || !copy) {
		free(event);
		free(copy);
		return -ENOMEM;
	}
	memcpy(copy, text, bytes);
	copy[bytes] = '\0';
	*event = (struct lived_event){
		.kind = (enum weir_control_kind)record->kind,
		.source = record->source,
		.number = record->kind == WEIR_CONTROL_INPUT ? ++lived->inputs : 0,
		.text = copy,
		.bytes = bytes,
	};
	memcpy(event->behind, lived->closed, sizeof(event->behind));
	*lived->last = event;
	lived->last = &event->next;
	return 0;
}

static int add_source(struct lived *lived, const void *data, uint32_t bytes)
{
	struct weir_control_source source;

	if (bytes < sizeof(source))
		return -EPROTO;
	memcpy(&source, data, sizeof(source));
	if (source.number >= WEIR_SOURCES_MAX || source.number > lived->sources)
		return -EPROTO;
	if (source.number == lived->sources)
		lived->sources++;
	snprintf(lived->names[source.number], WEIR_SOURCE_NAME_BYTES, "%.*s",
		 WEIR_SOURCE_NAME_BYTES - 1, source.name);
	return 0;
}

static int add_record(struct lived *lived, const struct weir_control_record *record,
		      const void *data)
{
	struct weir_control_epoch epoch;

	switch (record->kind) {
	case WEIR_CONTROL_EPOCH:
		if (record->bytes < sizeof(epoch))
			return -EPROTO;
		memcpy(&epoch, data, sizeof(epoch));
		lived->interval_ms = epoch.interval_ms;
		return 0;
	case WEIR_CONTROL_SOURCE:
		return add_source(lived, data, record->bytes);
	case WEIR_CONTROL_CLOSE:
		if (record->source >= WEIR_SOURCES_MAX)
			return -EPROTO;
		lived->closed[record->source] = record->interval;
		return 0;
	case WEIR_CONTROL_CONFIG:
	case WEIR_CONTROL_INPUT:
	case WEIR_CONTROL_REBASE:
		return add_event(lived, record, data, record->bytes);
	default:
		return 0;
	}
}

/* What the newest checkpoint knows: reading goes on at its block. */
static int begin_at_checkpoint(struct io *io, struct lived *lived, uint64_t *ret_lsn)
{
	static const struct weir_control_record config = {.kind = WEIR_CONTROL_CONFIG};
	struct checkpoint checkpoint;
	uint64_t sequences[CHECKPOINTS_KEPT + 2];
	int count = checkpoint_list(io, sequences, CHECKPOINTS_KEPT + 2);
	int error = 0;

	for (int i = 0; i < count; i++) {
		if (checkpoint_read(io, sequences[i], &checkpoint) < 0)
			continue;
		for (uint32_t s = 0; s < checkpoint.sources; s++) {
			memcpy(lived->names[s], checkpoint.source[s].name, WEIR_SOURCE_NAME_BYTES);
			lived->closed[s] = checkpoint.closer.sources[s].closed;
		}
		lived->sources = checkpoint.sources;
		lived->interval_ms = checkpoint.interval_ms;
		*ret_lsn = checkpoint.control_lsn;
		error = add_event(lived, &config, checkpoint.config_text,
				  strlen(checkpoint.config_text));
		checkpoint_fini(&checkpoint);
		return error;
	}
	return 0;
}

int lived_read(struct io *io, bool whole, struct lived *lived, char *why, size_t why_bytes)
{
	const struct weir_control_record *record;
	struct reader *reader;
	struct reader_block block;
	const void *data;
	uint64_t lsn = 0;
	int more = 0;

	*lived = (struct lived){.last = &lived->first};
	for (uint32_t s = 0; s < WEIR_SOURCES_MAX; s++)
		lived->closed[s] = INT64_MIN;
	int error = whole ? 0 : begin_at_checkpoint(io, lived, &lsn);
	if (!error)
		error = reader_open_kept(io, "control", WEIR_LANE_CONTROL, lsn, &reader, why,
					 why_bytes);
	if (error < 0)
		return error;
	if (whole)
		reader_kept(reader, checkpoint_control_lsn(io));
	while (!error && (more = reader_next(reader, &block)) > 0) {
		uint32_t offset = 0;
		if (block.header.type != WEIR_BLOCK_CONTROL)
			continue;
		while (!error && (more = control_record_next(&block, &offset, &record, &data)) > 0)
			error = add_record(lived, record, data);
		if (more < 0)
			break;
	}
	error = error ? error : more < 0 ? more : 0;
	if (error < 0)
		snprintf(why, why_bytes, "reading the control log: %s", strerror(-error));
	reader_close(reader);
	return error;
}

void lived_fini(struct lived *lived)
{
	while (lived->first) {
		struct lived_event *next = lived->first->next;
		free(lived->first->text);
		free(lived->first);
		lived->first = next;
	}
	lived->last = &lived->first;
}

const char *lived_config(const struct lived *lived)
{
	const char *text = NULL;

	for (const struct lived_event *at = lived->first; at; at = at->next)
		if (at->kind == WEIR_CONTROL_CONFIG)
			text = at->text;
	return text;
}

uint32_t lived_source(const struct lived *lived, const char *name)
{
	for (uint32_t s = 0; s < lived->sources; s++)
		if (strcmp(lived->names[s], name) == 0)
			return s;
	return UINT32_MAX;
}
