/*
 * replay: see replay.h. This file follows the control log; replay_lane.c reads a lane.
 */
#include "replay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "checkpoint.h"
#include "control_records.h"
#include "definitions.h"
#include "log/block.h"
#include "rebase_file.h"
#include "rebuild.h"
#include "replay_lane.h"

/* No log comes so far: there is room behind. */
#define LSN_MAX (BLOCK_LSN_END - (UINT64_C(1) << 40))
/* The longest interval that a configuration may have. */
#define INTERVAL_MAX_MS 86400000

struct replay_state {
	struct replay_lane *lanes[WEIR_LANES_MAX];
	struct checkpoint checkpoint;
	bool resumed;                              /* at `checkpoint` */
	bool truncated;                            /* retention took the beginning of a lane */
	uint64_t kept[WEIR_LANES_MAX];             /* blocks that each lane of this epoch had */
	uint64_t told;                             /* inputs of before `checkpoint` */
	struct history_rows rows[WEIR_SHARDS_MAX]; /* of a close, where they are wanted */
	/* A block of the control log that a checkpoint knows of which was passed by. */
	uint64_t control_kept;
};

static int fail(struct replay *replay, int error, const char *what)
{
	if (!replay->why[0])
		snprintf(replay->why, sizeof(replay->why), "%s: %s", what, strerror(-error));
	return error;
}

static int apply_config(struct replay *replay, const char *text, size_t bytes)
{
	struct config *config;
	int error = config_restore(text, bytes, "the logged configuration", &config, replay->why,
				   sizeof(replay->why));

	if (error < 0)
		return error;
	for (uint32_t i = 0; i < replay->options.shards && !error; i++)
		error = scorer_configure(replay->scorers[i], config);
	config_free(replay->config);
	replay->config = config;
	return error < 0 ? fail(replay, error, "configuring the detectors") : 0;
}

static int apply_source(struct replay *replay, uint32_t number, const char *name, uint32_t clock)
{
	struct source_table *table = &replay->sources;

	if (number >= WEIR_SOURCES_MAX || number > table->count || clock > WEIR_CLOCK_EVENT)
		return fail(replay, -EPROTO, "a source of the control log");
	struct source *source = &table->sources[number];
	snprintf(source->name, sizeof(source->name), "%.*s", WEIR_SOURCE_NAME_BYTES - 1, name);
	source->clock = clock;
	if (number == table->count)
		table->count++;
	for (uint32_t i = 0; i < replay->options.shards; i++)
		if (scorer_source(replay->scorers[i], number, source->name) < 0)
			return fail(replay, -ENOMEM, "a source of the control log");
	return 0;
}

/* Lane directories are found once; a lane that later epochs dropped is still read. */
static int each_lane(void *self, const char *name)
{
	struct replay *replay = self;
	unsigned number;
	int end = 0;

	if (sscanf(name, "lane-%2u%n", &number, &end) != 1 || name[end] || number >= WEIR_LANES_MAX)
		return 0;
	struct replay_lane_options options = {
		.io = replay->options.io,
		.lane = number,
		.replay = replay,
	};
	if (replay->state->resumed)
		options.resume = &replay->state->checkpoint.closer;
	int error = replay_lane_open(&options, &replay->state->lanes[number]);
	if (!error)
		replay_lane_kept(replay->state->lanes[number], replay->state->kept[number]);
	return error;
}

/* Every lane reads on to the first block of `epoch` (0: to the end); what it had open before that
 * is handed over as partials without a mark. */
static int finish_epochs(struct replay *replay, uint32_t epoch)
{
	for (uint32_t i = 0; i < WEIR_LANES_MAX; i++) {
		struct replay_lane *lane = replay->state->lanes[i];
		int error = lane ? replay_lane_finish(lane, epoch) : 0;
		if (error < 0)
			return fail(replay, error, "reading a lane");
	}
	return 0;
}

static int make_scorers(struct replay *replay, int64_t interval_ms)
{
	if (interval_ms <= 0 || interval_ms > INTERVAL_MAX_MS)
		return fail(replay, -EPROTO, "the length of intervals in the log");
	replay->interval_ms = interval_ms;
	for (uint32_t i = 0; i < replay->options.shards; i++) {
		if (!replay->scorers[i])
			replay->scorers[i] = scorer_create(i, replay->options.shards, interval_ms,
							   replay->registry);
		if (!replay->scorers[i])
			return fail(replay, -ENOMEM, "a shard");
		scorer_watch(replay->scorers[i], replay->options.each_scored, replay->options.self);
	}
	return 0;
}

static int apply_epoch(struct replay *replay, const void *data, uint32_t bytes)
{
	struct weir_control_epoch epoch;

	if (bytes < sizeof(epoch))
		return fail(replay, -EPROTO, "an epoch of the control log");
	memcpy(&epoch, data, sizeof(epoch));
	if (epoch.epoch <= replay->epoch || epoch.lanes == 0 || epoch.lanes > WEIR_LANES_MAX ||
	    (replay->interval_ms && replay->interval_ms != epoch.interval_ms))
		return fail(replay, -EPROTO, "an epoch of the control log");
	int error = make_scorers(replay, epoch.interval_ms);
	if (!error)
		error = finish_epochs(replay, epoch.epoch);
	if (error < 0)
		return error;
	replay->epoch = epoch.epoch;
	closer_epoch(&replay->closer, epoch.epoch, epoch.lanes);
	/* Of a lane that is dropped, retention may take everything. */
	for (uint32_t i = epoch.lanes; i < WEIR_LANES_MAX; i++)
		replay->state->kept[i] = 0;
	return 0;
}

/* A mark is heeded once its block is kept. */
static int note_kept(struct replay *replay, uint32_t lane, uint64_t lsn)
{
	if (lsn > LSN_MAX)
		return fail(replay, -EPROTO, "the blocks of marks");
	if (lsn <= replay->state->kept[lane])
		return 0;
	replay->state->kept[lane] = lsn;
	if (replay->state->lanes[lane])
		replay_lane_kept(replay->state->lanes[lane], lsn);
	return 0;
}

static int note_marks(struct replay *replay, const struct weir_control_record *record,
		      const void *data)
{
	const size_t head = sizeof(struct weir_control_close);
	int error = 0;

	for (uint32_t i = 0; i < replay->closer.lanes && !error; i++) {
		uint64_t lsn;
		if (record->bytes < head + (i + 1) * sizeof(lsn))
			break;
		memcpy(&lsn, (const char *)data + head + i * sizeof(lsn), sizeof(lsn));
		error = note_kept(replay, i, lsn);
	}
	return error;
}

static int note_checkpoint(struct replay *replay)
{
	const struct closer *closer = &replay->closer;
	int error = 0;

	for (uint32_t s = 0; s < WEIR_SOURCES_MAX; s++)
		for (uint32_t i = 0; i < closer->lanes && !error; i++)
			if (closer->sources[s].lanes[i].marked)
				error = note_kept(replay, i, closer->sources[s].lanes[i].lsn);
	return error;
}

static void release(void *self, const uint64_t id[2])
{
	const struct replay *replay = self;

	if (replay->options.each_release)
		replay->options.each_release(replay->options.self, replay->sequence,
					     replay->inputs.count, id);
}

/* The same as shards and the storing agent do; see take_job() in storing.c. */
static int score(struct replay *replay, struct close_job *job)
{
	struct scored_list all, one;

	scored_list_init(&all);
	scored_list_init(&one);
	for (uint32_t i = 0; i < replay->options.shards; i++) {
		struct history_rows *rows = &replay->state->rows[i];
		scorer_record(replay->scorers[i], replay->options.each_close ? rows : NULL);
		int error = scorer_close(replay->scorers[i], job, &one);
		scorer_record(replay->scorers[i], NULL);
		if (error >= 0 && history_rows_failed(rows))
			error = -ENOMEM;
		if (error < 0)
			return fail(replay, error, "scoring a close");
		scored_list_merge(&all, &one);
	}
	moved_relate(&replay->moved, &all);
	for (struct scored *scored = all.first; scored; scored = scored->next) {
		inputs_mark(&replay->inputs, job->source, &scored->anomaly);
		if (replay->options.each)
			replay->options.each(replay->options.self, job->sequence, &scored->anomaly);
	}
	scored_list_free(&all);
	inputs_close(&replay->inputs, job->source, job->closed_ms);
	inputs_release(&replay->inputs, release, replay);
	if (replay->options.each_close)
		replay->options.each_close(replay->options.self, job, replay->state->rows);
	for (uint32_t i = 0; i < replay->options.shards; i++)
		history_rows_clear(&replay->state->rows[i]);
	return 0;
}

static int apply_input(struct replay *replay, const char *text, size_t bytes)
{
	struct operator_input input;
	int error = input_parse(text, bytes, &input, replay->why, sizeof(replay->why));

	if (error < 0)
		return fail(replay, error, "an input of the control log");
	input.number = replay->inputs.count + 1;
	for (uint32_t i = 0; i < replay->options.shards && !error; i++)
		error = scorer_input(replay->scorers[i], &input);
	if (error < 0)
		return fail(replay, error, "an input of the control log");
	inputs_apply(&replay->inputs, &input);
	if (replay->options.each_input)
		replay->options.each_input(replay->options.self, &input);
	inputs_release(&replay->inputs, release, replay);
	return 0;
}

static int apply_close(struct replay *replay, const struct weir_control_record *record,
		       const void *data)
{
	struct weir_control_close close;

	if (record->bytes < sizeof(close))
		return fail(replay, -EPROTO, "a close of the control log");
	memcpy(&close, data, sizeof(close));
	/* The closed intervals follow each other; times have 42 bits, in milliseconds. */
	const int64_t most = ((int64_t)1 << 42) / replay->interval_ms;
	if (close.epoch != replay->epoch || record->source >= replay->sources.count ||
	    close.from > record->interval || close.from < -most || record->interval > most)
		return fail(replay, -EPROTO, "a close of the control log");
	int error = note_marks(replay, record, data);
	for (uint32_t i = 0; i < replay->closer.lanes && !error; i++) {
		struct replay_lane *lane = replay->state->lanes[i];
		error = lane ? replay_lane_until(lane, record->source, record->interval) : 0;
	}
	if (error < 0)
		return fail(replay, error, "reading a lane");
	struct close_job job = {
		.kind = WEIR_CONTROL_CLOSE,
		.sequence = ++replay->sequence,
		.source = record->source,
		.source_name = replay->sources.sources[record->source].name,
		.flags = close.flags,
		.from = close.from,
		.through = record->interval,
		.closed_ms = (record->interval + 1) * replay->interval_ms,
		.partials = closer_take(&replay->closer, record->source, record->interval),
	};
	replay->closes++;
	replay->intervals += (uint64_t)(record->interval - close.from) + 1;
	/* From a checkpoint that was written while memory was short. */
	error = rebuild_partials(replay->options.io, replay->options.series_max,
				 replay->interval_ms, true, &job.partials, &replay->lacking);
	error = error < 0 ? fail(replay, error, "rebuilding cells from the log")
			  : score(replay, &job);
	partials_free(job.partials);
	return error;
}

static int apply_rebase(struct replay *replay, const struct weir_control_record *record,
			const void *data)
{
	struct weir_control_rebase rebase;
	struct bytes sections = {0};

	if (record->bytes < sizeof(rebase) || record->source >= replay->sources.count)
		return fail(replay, -EPROTO, "a rebase of the control log");
	memcpy(&rebase, data, sizeof(rebase));
	int error = rebase_file_read(replay->options.io, &rebase, record->source, &sections);
	if (error < 0)
		snprintf(replay->why, sizeof(replay->why),
			 "the state that the rebase behind close %" PRIu64
			 " put in force (a file " CHECKPOINT_DIRECTORY
			 "/rebase-*.wreb) cannot be read: %s",
			 rebase.sequence, strerror(-error));
	for (uint32_t i = 0; i < replay->options.shards && !error; i++)
		error = scorer_rebase(replay->scorers[i], record->source, &sections);
	bytes_fini(&sections);
	return error < 0 ? fail(replay, error, "a rebase of the control log") : 0;
}

static int apply(struct replay *replay, const struct weir_control_record *record, const void *data)
{
	struct weir_control_source source;

	if (record->kind != WEIR_CONTROL_EPOCH && replay->epoch == 0)
		return fail(replay, -EPROTO, "a record of the control log before its first epoch");
	switch (record->kind) {
	case WEIR_CONTROL_EPOCH:
		return apply_epoch(replay, data, record->bytes);
	case WEIR_CONTROL_SOURCE:
		if (record->bytes < sizeof(source))
			return fail(replay, -EPROTO, "a source of the control log");
		memcpy(&source, data, sizeof(source));
		return apply_source(replay, source.number, source.name, source.clock);
	case WEIR_CONTROL_CONFIG:
		return apply_config(replay, data, record->bytes);
	case WEIR_CONTROL_CLOSE:
		return apply_close(replay, record, data);
	case WEIR_CONTROL_INPUT:
		return apply_input(replay, data, record->bytes);
	case WEIR_CONTROL_REBASE:
		return apply_rebase(replay, record, data);
	default:
		if (record->kind >= 128)
			return 0;
		return fail(replay, -EPROTO,
			    "the control log has a record that only a newer weir understands");
	}
}

/* Is the record of a block of the control log in the checkpoint that the replay goes on from? */
static bool contained(const struct replay *replay, uint64_t lsn, uint32_t index)
{
	const struct checkpoint *from = &replay->state->checkpoint;

	return replay->state->resumed &&
	       (lsn < from->control_lsn ||
		(lsn == from->control_lsn && index < from->control_records));
}

/* Those of a block's records that the checkpoint contains, or those that it does not, in order. */
static int each_record(struct replay *replay, const struct reader_block *block, bool in_checkpoint,
		       int (*each)(struct replay *replay, const struct weir_control_record *record,
				   const void *data))
{
	const struct weir_control_record *record;
	const void *data;
	uint32_t offset = 0;
	uint32_t index = 0;
	int more;

	if (block->header.type != WEIR_BLOCK_CONTROL)
		return 0;
	while ((more = control_record_next(block, &offset, &record, &data)) > 0) {
		int error = contained(replay, block->header.lsn, index++) == in_checkpoint
				    ? each(replay, record, data)
				    : 0;
		if (error < 0)
			return error;
	}
	return more < 0 ? fail(replay, more, "a block of the control log") : 0;
}

struct restoring {
	struct replay *replay;
	uint8_t *kinds;
};

static int restore(void *self, uint32_t id, enum weir_sketch sketch,
		   const struct weir_definition *definition)
{
	const struct restoring *restoring = self;
	int error = series_restore(restoring->replay->registry, id, definition);

	if (!error && restoring->kinds)
		restoring->kinds[id] = (uint8_t)sketch;
	return error;
}

int replay_definitions(struct replay *replay, const void *data, uint32_t bytes, uint8_t *kinds)
{
	struct restoring restoring = {.replay = replay, .kinds = kinds};

	return definitions_each(data, bytes, restore, &restoring);
}

static int load_checkpoint(struct replay *replay, struct checkpoint *checkpoint)
{
	struct bytes_reader sections = {.data = checkpoint->sections.data,
					.left = checkpoint->sections.used};

	if (checkpoint->control_lsn > LSN_MAX)
		return fail(replay, -EPROTO, "its place in the control log");
	replay->epoch = checkpoint->closer.epoch;
	replay->sequence = replay->started_at = checkpoint->sequence;
	int error = make_scorers(replay, checkpoint->interval_ms);
	if (!error)
		error = apply_config(replay, checkpoint->config_text,
				     strlen(checkpoint->config_text));
	if (!error)
		error = replay_definitions(replay, checkpoint->definitions.data,
					   (uint32_t)checkpoint->definitions.used, NULL);
	for (uint32_t i = 0; i < checkpoint->sources && !error; i++)
		error = apply_source(replay, i, checkpoint->source[i].name,
				     checkpoint->source[i].clock);
	for (uint32_t i = 0; i < replay->options.shards && !error; i++) {
		struct bytes_reader in = sections;
		error = scorer_load(replay->scorers[i], &in);
	}
	if (!error)
		error = inputs_load(&replay->inputs, sections);
	if (!error)
		error = moved_load(&replay->moved, sections);
	/* The closer moves over; lanes take their resume points from a copy of its marks. */
	replay->closer = checkpoint->closer;
	for (uint32_t s = 0; s < WEIR_SOURCES_MAX; s++)
		checkpoint->closer.sources[s].pending = NULL;
	return error ? error : note_checkpoint(replay);
}

static void forget_state(struct replay *replay)
{
	inputs_reset(&replay->inputs);
	moved_reset(&replay->moved);
	for (uint32_t i = 0; i < replay->options.shards; i++) {
		scorer_destroy(replay->scorers[i]);
		replay->scorers[i] = NULL;
	}
	config_free(replay->config);
	replay->config = NULL;
	closer_fini(&replay->closer);
	memset(replay->state->kept, 0, sizeof(replay->state->kept));
	memset(&replay->sources, 0, sizeof(replay->sources));
	replay->sequence = replay->started_at = 0;
	replay->epoch = 0;
	replay->interval_ms = 0;
	replay->why[0] = '\0';
}

/* Lanes lost their first segments to retention when any begins after LSN 1, or has none. */
static int each_truncated(void *self, const char *name)
{
	struct replay *replay = self;
	unsigned number;
	int end = 0;
	struct reader *reader;
	struct reader_report report;

	if (sscanf(name, "lane-%2u%n", &number, &end) != 1 || name[end] || number >= WEIR_LANES_MAX)
		return 0;
	int error = reader_open(replay->options.io, name, (uint16_t)number, 0, false, &reader,
				replay->why, sizeof(replay->why));
	if (error < 0)
		return error;
	reader_report(reader, &report);
	reader_close(reader);
	replay->state->truncated |= report.first_lsn != 1;
	return 0;
}

/* Go on at a checkpoint. false: it is not whole. */
static bool resume(struct replay *replay, uint64_t sequence)
{
	struct checkpoint *checkpoint = &replay->state->checkpoint;

	int error = checkpoint_read(replay->options.io, sequence, checkpoint);

	if (!error)
		error = load_checkpoint(replay, checkpoint);
	if (!error) {
		replay->state->resumed = true;
		return true;
	}
	if (!replay->passed_over)
		snprintf(replay->passed_why, sizeof(replay->passed_why),
			 "checkpoint %" PRIu64 ": %s%s%s", sequence, strerror(-error),
			 replay->why[0] ? ": " : "", replay->why);
	replay->passed_over++;
	forget_state(replay);
	checkpoint_fini(checkpoint);
	return false;
}

/* Can every rebase that the block tells of be put in force? */
static bool block_rebases(const struct replay *replay, const struct reader_block *block)
{
	const struct weir_control_record *record;
	struct weir_control_rebase rebase;
	uint32_t offset = 0;
	const void *data;
	bool there = true;

	while (block->header.type == WEIR_BLOCK_CONTROL && there &&
	       control_record_next(block, &offset, &record, &data) > 0) {
		struct bytes sections = {0};
		if (record->kind != WEIR_CONTROL_REBASE || record->bytes < sizeof(rebase))
			continue;
		memcpy(&rebase, data, sizeof(rebase));
		there = rebase_file_read(replay->options.io, &rebase, record->source, &sections) ==
			0;
		bytes_fini(&sections);
	}
	return there;
}

/* The states of old rebases are not kept for ever: without one of them the log cannot be replayed
 * from its first event. */
static bool rebases_there(struct replay *replay)
{
	struct reader *reader;
	struct reader_block block;
	bool there = true;

	if (reader_open(replay->options.io, "control", WEIR_LANE_CONTROL, 0, false, &reader,
			replay->why, sizeof(replay->why)) < 0) {
		replay->why[0] = '\0';
		return true; /* whoever reads it next says what is wrong */
	}
	reader_kept(reader, replay->state->control_kept);
	while (there && reader_next(reader, &block) > 0)
		there = block_rebases(replay, &block);
	reader_close(reader);
	return there;
}

/* Checkpoints that are not gone on from say as well what was kept. */
static void pass_by(struct replay *replay)
{
	if (!replay->state->control_kept)
		replay->state->control_kept = checkpoint_control_lsn(replay->options.io);
}

static int choose_start(struct replay *replay)
{
	const struct replay_options *options = &replay->options;
	uint64_t sequences[8];
	int count = checkpoint_list(options->io, sequences, 8);

	if (count < 0)
		return fail(replay, count, "listing checkpoints");
	for (int i = 0; i < count && options->start != REPLAY_OLDEST; i++) {
		if (options->start == REPLAY_STORED && sequences[i] > options->stored_through) {
			pass_by(replay);
			continue;
		}
		if (resume(replay, sequences[i]))
			return 0;
	}
	if (options->start == REPLAY_NEWEST)
		return 0;
	pass_by(replay);
	int error = options->io->ops->list(options->io, ".", each_truncated, replay);
	if (error < 0)
		return error;
	bool whole = !replay->state->truncated && (count == 0 || rebases_there(replay));
	for (int i = count; i > 0 && !whole; i--)
		if (resume(replay, sequences[i - 1]))
			return 0;
	return 0;
}

static int tell(struct replay *replay, const struct weir_control_record *record, const void *data)
{
	struct operator_input input;

	if (record->kind != WEIR_CONTROL_INPUT)
		return 0;
	int error = input_parse(data, record->bytes, &input, replay->why, sizeof(replay->why));
	if (error < 0)
		return fail(replay, error, "an input of the control log");
	input.number = ++replay->state->told;
	replay->options.each_input(replay->options.self, &input);
	return 0;
}

/* A store that is behind the checkpoint has not heard what was said before it either. Retention
 * never takes the control log, so all of that is still there. */
static int tell_earlier(struct replay *replay)
{
	const struct replay_options *options = &replay->options;
	struct reader *reader;
	struct reader_block block;
	int more = 0;

	if (!replay->state->resumed || !options->each_input ||
	    options->stored_through >= replay->started_at)
		return 0;
	int error = reader_open(options->io, "control", WEIR_LANE_CONTROL, 0, false, &reader,
				replay->why, sizeof(replay->why));
	if (error == -ENOENT) {
		replay->why[0] = '\0';
		return 0; /* whoever reads it next says so */
	}
	if (error < 0)
		return fail(replay, error, "opening the control log");
	reader_kept(reader, replay->state->checkpoint.control_lsn);
	while (!error && (more = reader_next(reader, &block)) > 0 &&
	       block.header.lsn <= replay->state->checkpoint.control_lsn)
		error = each_record(replay, &block, true, tell);
	reader_close(reader);
	return !error && more < 0 ? fail(replay, more, "reading the control log") : error;
}

static void go_on_behind(struct replay_lane_end *end, uint64_t kept)
{
	struct reader_report *report = &end->report;

	if (report->next_lsn > kept)
		return;
	end->short_from = report->next_lsn;
	report->gaps++;
	report->gap_blocks += kept + 1 - report->next_lsn;
	report->next_lsn = kept + 1;
}

static int read_control(struct replay *replay)
{
	const struct checkpoint *from = &replay->state->checkpoint;
	struct reader *reader;
	struct reader_block block;
	int more;
	int error = reader_open_kept(replay->options.io, "control", WEIR_LANE_CONTROL,
				     replay->state->resumed ? from->control_lsn : 0, &reader,
				     replay->why, sizeof(replay->why));

	if (error == -ENOENT && replay->state->resumed) {
		snprintf(replay->why, sizeof(replay->why), "%s", REPLAY_WITHOUT_CONTROL);
		return -EPROTO;
	}
	if (error < 0)
		return error == -ENOENT ? error : fail(replay, error, "opening the control log");
	reader_kept(reader, replay->state->control_kept);
	while ((more = reader_next(reader, &block)) > 0) {
		error = each_record(replay, &block, false, apply);
		/* That would say that there is no control log. */
		error = error == -ENOENT ? -EPROTO : error;
		if (error < 0)
			break;
	}
	if (!error && more < 0)
		error = fail(replay, more, "reading the control log");
	reader_report(reader, &replay->control.report);
	reader_close(reader);
	if (!error && replay->state->resumed)
		go_on_behind(&replay->control, from->control_lsn);
	return error;
}

/* An engine that was killed before its first record has left a segment with its epoch in the header
 * and nothing else: that epoch is used up too. */
static void note_epoch(struct replay *replay, const struct reader_report *report)
{
	if (report->epoch > replay->epoch_seen)
		replay->epoch_seen = report->epoch;
}

int replay_run(const struct replay_options *options, struct replay *replay)
{
	memset(replay, 0, sizeof(*replay));
	replay->options = *options;
	closer_init(&replay->closer);
	check(options->shards >= 1 && options->shards <= WEIR_SHARDS_MAX);
	replay->state = calloc(1, sizeof(*replay->state));
	replay->registry = series_create(options->series_max);
	replay->lanes = calloc(WEIR_LANES_MAX, sizeof(replay->lanes[0]));
	if (!replay->state || !replay->registry || !replay->lanes ||
	    inputs_init(&replay->inputs) < 0 || moved_init(&replay->moved) < 0)
		return fail(replay, -ENOMEM, "replay");
	int error = choose_start(replay);
	if (!error)
		error = options->io->ops->list(options->io, ".", each_lane, replay);
	/* Without a lane that is there its events would count as lost, for good. */
	if (error < 0)
		return fail(replay, error, "opening the lanes");
	error = tell_earlier(replay);
	if (error < 0)
		return error == -ENOENT ? -EPROTO : error;
	error = read_control(replay);
	if (error < 0 && error != -ENOENT)
		return error;
	int finished = finish_epochs(replay, 0);
	for (uint32_t i = 0; i < WEIR_LANES_MAX; i++) {
		const struct replay_lane *lane = replay->state->lanes[i];
		if (!lane && !replay->state->kept[i])
			continue;
		struct replay_lane_end *end = &replay->lanes[replay->lanes_count++];
		*end = (struct replay_lane_end){.lane = i, .report.next_lsn = 1};
		if (lane)
			replay_lane_report(lane, &end->report);
		go_on_behind(end, replay->state->kept[i]);
		note_epoch(replay, &end->report);
	}
	note_epoch(replay, &replay->control.report);
	return finished < 0 ? finished : error;
}

void replay_fini(struct replay *replay)
{
	for (uint32_t i = 0; replay->state && i < WEIR_LANES_MAX; i++)
		replay_lane_close(replay->state->lanes[i]);
	for (uint32_t i = 0; replay->state && i < WEIR_SHARDS_MAX; i++)
		history_rows_fini(&replay->state->rows[i]);
	if (replay->state)
		checkpoint_fini(&replay->state->checkpoint);
	free(replay->state);
	for (uint32_t i = 0; i < WEIR_SHARDS_MAX; i++)
		scorer_destroy(replay->scorers[i]);
	config_free(replay->config);
	inputs_fini(&replay->inputs);
	moved_fini(&replay->moved);
	closer_fini(&replay->closer);
	series_destroy(replay->registry);
	free(replay->rings);
	free(replay->rings_index);
	free(replay->lanes);
	memset(replay, 0, sizeof(*replay));
}
