/*
 * closing: see closing.h.
 *
 * A close goes through three places: appended to the block being filled (`block`), written and
 * waiting for the disk (`jobs`), handed to the shards. A checkpoint is asked for with the last
 * close of a block, so that the position in the control log says exactly what it contains.
 */
#include "closing.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/log.h"
#include "base/monotonic.h"
#include "checkpoint.h"
#include "rebuild.h"

/* Between two tries to read cells back from a log that does not give them. */
#define REBUILD_EVERY_NS UINT64_C(1000000000)
/* So often a mark is waited for that was kept, and that the log does not give. */
#define REBUILD_TRIES 10u

enum rebase_state { REBASE_NONE, REBASE_GIVEN, REBASE_LOGGED, REBASE_KEPT, REBASE_REFUSED };

struct job_entry {
	struct job_entry *next;
	struct close_job *job;
	uint64_t lsn; /* of its block; 0: not written yet */
	bool told;    /* that it is kept; of records that were submitted */
};

struct closing {
	struct closing_options options;
	struct writer *writer;
	struct bytes block; /* records not yet given to the writer */
	uint32_t block_records;
	uint64_t block_sources; /* bit per source whose SOURCE record is in it */
	struct job_entry *first, **last;
	struct job_entry *unwritten; /* first one whose record is in `block` */
	uint64_t unready;            /* sources written and not yet kept */
	uint64_t unready_lsn;
	uint32_t sources_logged;
	int64_t down_through[WEIR_SOURCES_MAX]; /* wall intervals up to here had downtime */
	uint64_t sequence;
	uint64_t intervals;               /* since the last checkpoint */
	bool checkpoint;                  /* asked for with the last job of `block` */
	int64_t closed[WEIR_SOURCES_MAX]; /* for people: kept, and handed to the shards */
	uint64_t sequence_shown;
	int32_t failing;
	char *config_text; /* in force behind the last record; NULL: options.config_text */
	struct closing_record *held; /* taken, and no room for it yet */
	/* A rebase: what its agent wants, and what was given. */
	uint32_t hold_wanted; /* 1 + source; 0: none. Stored by the rebase agent, then by us */
	uint32_t hold_given;  /* the same, when the source stands */
	uint64_t hold_sequence;
	int64_t hold_closed;
	struct closing_record *rebase; /* the agent's until rebase_state says that it is given */
	uint32_t rebase_state;         /* enum rebase_state */
	uint64_t records_untold;
	uint64_t records_kept;  /* stored release */
	uint64_t rebuild_ns;    /* when cells could not be read back from the log; 0: they could */
	uint32_t rebuild_tries; /* in vain, for want of a mark */
	uint32_t lacking;       /* of what was read back for the next close */
};

static void append(struct closing *closing, enum weir_control_kind kind, uint32_t source,
		   int64_t interval, const void *data, size_t bytes)
{
	struct weir_control_record record = {
		.kind = kind,
		.source = source,
		.interval = interval,
		.bytes = (uint32_t)bytes,
	};
	static const uint8_t zeros[8];

	bytes_put(&closing->block, &record, sizeof(record));
	bytes_put(&closing->block, data, bytes);
	bytes_put(&closing->block, zeros, (8 - bytes % 8) % 8);
	closing->block_records++;
	check(!closing->block.failed);
}

static bool room(const struct closing *closing, size_t bytes)
{
	return closing->block.used + sizeof(struct weir_control_record) + bytes + 8 <=
	       closing->options.writer.block_bytes - sizeof(struct weir_block_header);
}

static void begin_sources(struct closing *closing)
{
	const struct closing_options *options = &closing->options;

	closing->sources_logged = options->sources_lost ? 0 : options->sources->count;
	for (uint32_t s = 0; s < options->sources->count; s++) {
		const struct close_source *source = &options->closer->sources[s];
		struct lane_source_start *start = &options->starts[s];
		struct source *shared = &options->sources->sources[s];
		bool wall = shared->clock == WEIR_CLOCK_WALL;
		int64_t now = interval_of_ms((int64_t)options->started_ms, options->interval_ms);
		closing->closed[s] = source->opened ? source->closed : INT64_MIN;
		closing->down_through[s] = wall && options->resumed ? now : INT64_MIN;
		if (source->opened || wall) {
			start->frontier = source->opened ? source->closed : now - 1;
			start->claimed = 1;
			/* Orders: frontier before the flag; partner: open_sources() in lane.c. The
			 * agents start later, but tests turn cranks in any order. */
			weir_store_release_32(&start->started, 1);
			weir_max_64(&shared->clock_ms,
				    (uint64_t)((start->frontier + 1) * options->interval_ms));
		}
		weir_store_release_32(&start->ready, 1); /* as above */
	}
}

int closing_create(const struct closing_options *options, struct closing **ret_closing)
{
	struct closing *closing = calloc(1, sizeof(*closing));
	struct weir_control_epoch epoch = {
		.epoch = options->epoch,
		.lanes = options->lanes,
		.started_ms = options->started_ms,
		.interval_ms = options->interval_ms,
	};

	if (!closing)
		return -ENOMEM;
	closing->options = *options;
	closing->last = &closing->first;
	closing->sequence = closing->sequence_shown = options->sequence;
	/* Who never lives long would else leave ever more to read to the next. */
	closing->intervals = options->intervals;
	for (uint32_t s = 0; s < WEIR_SOURCES_MAX; s++)
		closing->closed[s] = INT64_MIN;
	append(closing, WEIR_CONTROL_EPOCH, 0, 0, &epoch, sizeof(epoch));
	if (options->config_changed && !room(closing, strlen(options->config_text))) {
		bytes_fini(&closing->block);
		free(closing);
		return -E2BIG;
	}
	if (options->config_changed)
		append(closing, WEIR_CONTROL_CONFIG, 0, 0, options->config_text,
		       strlen(options->config_text));
	closer_epoch(options->closer, options->epoch, options->lanes);
	begin_sources(closing);
	int error = writer_open(&options->writer, &closing->writer);
	if (error < 0) {
		bytes_fini(&closing->block);
		free(closing);
		return error;
	}
	*ret_closing = closing;
	return 0;
}

int closing_new_source(struct closing *closing, const char *name, enum weir_clock_kind clock,
		       int64_t lateness_ms, uint64_t now_ms)
{
	struct source_table *table = closing->options.sources;
	uint32_t number = 0;

	while (number < table->count && strcmp(table->sources[number].name, name) != 0)
		number++;
	if (number < table->count)
		return table->sources[number].clock == (uint32_t)clock ? (int)number : -EEXIST;
	if (number == WEIR_SOURCES_MAX)
		return -ENOSPC;
	struct source *source = &table->sources[number];
	snprintf(source->name, sizeof(source->name), "%s", name);
	source->clock = clock;
	source->lateness_ms = lateness_ms;
	source->clock_ms = clock == WEIR_CLOCK_WALL ? now_ms : 0;
	/* Orders: the entry before the count; partners: log_sources() below, lanes. Lanes leave it
	 * alone until it is `ready`. */
	weir_store_release_32(&table->count, number + 1);
	return (int)number;
}

/* Sources that the intake agent has added since the last look. False: some have no room yet. */
static bool log_sources(struct closing *closing)
{
	struct source_table *table = closing->options.sources;
	/* Orders: the entries before their count; partner: closing_new_source(). */
	uint32_t count = weir_load_acquire_32(&table->count);

	for (; closing->sources_logged < count; closing->sources_logged++) {
		uint32_t number = closing->sources_logged;
		struct weir_control_source source = {
			.number = number,
			.clock = table->sources[number].clock,
		};
		if (!room(closing, sizeof(source)))
			return false;
		memcpy(source.name, table->sources[number].name, sizeof(source.name));
		append(closing, WEIR_CONTROL_SOURCE, number, 0, &source, sizeof(source));
		closing->block_sources |= UINT64_C(1) << number;
	}
	return true;
}

static void put_definition(const struct closing *closing, uint32_t id, uint8_t *put,
			   struct bytes *out)
{
	const struct weir_definition *definition = series_get(closing->options.registry, id);

	if (!definition || (put[id / 8] >> (id % 8) & 1))
		return;
	put[id / 8] |= (uint8_t)(1u << (id % 8));
	bytes_put_u32(out, id);
	bytes_put_u32(out, 0);
	bytes_put(out, definition, definition->bytes);
}

/* Partials that wait are scored after a restart before any lane is read: their series must be known
 * from the checkpoint alone. */
static void put_definitions(const struct closing *closing, struct bytes *out)
{
	const struct closing_options *options = &closing->options;
	uint8_t *put = calloc(options->series_max / 8 + 1, 1);

	out->failed |= !put;
	for (uint32_t s = 0; s < WEIR_SOURCES_MAX && put; s++) {
		const struct partial *partial = options->closer->sources[s].pending;
		for (; partial; partial = partial->next) {
			for (uint32_t i = 0; i < partial->cell_count; i++)
				put_definition(closing, partial->cells[i].series, put, out);
			for (uint32_t i = 0; i < partial->late_count; i++)
				put_definition(closing, partial->late[i].cell.series, put, out);
		}
	}
	free(put);
}

/* Cells that memory had no room for are still to be read from the log. */
static void keep_dropped(const struct closing_options *options, struct checkpoint_request *request)
{
	for (uint32_t s = 0; s < WEIR_SOURCES_MAX; s++) {
		const struct partial *partial = options->closer->sources[s].pending;
		for (; partial; partial = partial->next) {
			if (!partial->dropped)
				continue;
			if (partial->lane >= options->lanes) {
				request->needs_dropped = true;
				continue;
			}
			uint64_t *keep = &request->resume_lsn[partial->lane];
			if (*keep == 0 || partial->first_lsn < *keep)
				*keep = partial->first_lsn;
		}
	}
}

static void take_positions(struct closing *closing, struct close_job *job, uint64_t lsn)
{
	const struct closing_options *options = &closing->options;
	struct checkpoint_request *request = calloc(1, sizeof(*request));
	struct checkpoint *checkpoint = calloc(1, sizeof(*checkpoint));

	if (request && checkpoint) {
		checkpoint->sequence = job->sequence;
		checkpoint->control_lsn = lsn;
		checkpoint->control_records = closing->block_records;
		checkpoint->interval_ms = options->interval_ms;
		checkpoint->sources = closing->sources_logged;
		for (uint32_t s = 0; s < checkpoint->sources; s++) {
			memcpy(checkpoint->source[s].name, options->sources->sources[s].name,
			       WEIR_SOURCE_NAME_BYTES);
			checkpoint->source[s].clock = options->sources->sources[s].clock;
		}
		checkpoint->config_text = closing->config_text
						  ? closing->config_text
						  : (char *)(uintptr_t)options->config_text;
		checkpoint->closer = *options->closer;
		put_definitions(closing, &checkpoint->definitions);
		request->positions.failed |= checkpoint->definitions.failed;
		checkpoint_put_positions(checkpoint, &request->positions);
		bytes_fini(&checkpoint->definitions);
		for (uint32_t lane = 0; lane < options->lanes; lane++)
			for (uint32_t s = 0; s < WEIR_SOURCES_MAX; s++) {
				const struct close_lane *mark =
					&options->closer->sources[s].lanes[lane];
				uint64_t *keep = &request->resume_lsn[lane];
				if (mark->marked && (*keep == 0 || mark->resume_lsn < *keep))
					*keep = mark->resume_lsn;
			}
		keep_dropped(options, request);
		job->checkpoint = request;
		request = NULL;
	}
	free(request);
	free(checkpoint);
}

/* Give the block to the writer. false: no room there now. */
static bool write_block(struct closing *closing)
{
	if (closing->block_records == 0)
		return true;
	int64_t lsn = writer_records(closing->writer, WEIR_BLOCK_CONTROL, closing->block.data,
				     (uint32_t)closing->block.used, closing->block_records);
	if (lsn < 0)
		return false;
	for (struct job_entry *entry = closing->unwritten; entry; entry = entry->next) {
		entry->lsn = (uint64_t)lsn;
		entry->job->control_lsn = (uint64_t)lsn;
		if (!entry->next && closing->checkpoint)
			take_positions(closing, entry->job, (uint64_t)lsn);
	}
	if (closing->block_sources) {
		closing->unready |= closing->block_sources;
		closing->unready_lsn = (uint64_t)lsn;
		closing->block_sources = 0;
	}
	closing->unwritten = NULL;
	closing->checkpoint = false;
	closing->block_records = 0;
	bytes_clear(&closing->block);
	writer_sync_soon(closing->writer);
	return true;
}

/* Sources whose records are kept may be used by lanes. */
static void ready_sources(struct closing *closing)
{
	const struct closing_options *options = &closing->options;

	if (!closing->unready || closing->unready_lsn > writer_durable(closing->writer))
		return;
	for (uint32_t s = 0; s < WEIR_SOURCES_MAX; s++) {
		if (!(closing->unready >> s & 1))
			continue;
		struct lane_source_start *start = &options->starts[s];
		const struct source *source = &options->sources->sources[s];
		/* Orders: nothing; whoever wins alone writes `frontier`, and the flag shows it. */
		if (source->clock == WEIR_CLOCK_WALL && weir_cas_32(&start->claimed, 0, 1)) {
			start->frontier =
				interval_of_ms((int64_t)weir_load_relaxed_64(&source->clock_ms),
					       options->interval_ms) -
				1;
			/* Orders: frontier before the flag; partner: open_sources(). */
			weir_store_release_32(&start->started, 1);
		}
		/* Orders: the kept record before the word that lets lanes write of the source. */
		weir_store_release_32(&start->ready, 1);
	}
	closing->unready = 0;
}

static int take_marks(struct closing *closing)
{
	int work = 0;

	for (uint32_t lane = 0; lane < closing->options.lanes; lane++) {
		struct lane_mark *mark;
		for (int i = 0; i < 256 && (mark = queue_pop(closing->options.marks[lane])); i++) {
			closer_feed(closing->options.closer, &mark->mark);
			free(mark);
			work++;
		}
	}
	return work;
}

/* A job at the end of those that wait, to be filled by the caller. */
static struct close_job *add_job(struct closing *closing)
{
	struct job_entry *entry = calloc(1, sizeof(*entry));
	struct close_job *job = calloc(1, sizeof(*job));

	check(entry && job);
	entry->job = job;
	*closing->last = entry;
	closing->last = &entry->next;
	if (!closing->unwritten)
		closing->unwritten = entry;
	return job;
}

bool closing_takes(const struct closing *closing, size_t bytes)
{
	return sizeof(struct weir_control_record) + bytes + 8 <=
	       closing->options.writer.block_bytes - sizeof(struct weir_block_header);
}

/* What was submitted goes into the block, and its job behind the closes before it. Not behind a
 * close that asks for a checkpoint: that ends its block, and contains all that stands in it. */
static int log_records(struct closing *closing)
{
	int work = 0;

	while (closing->options.records && !closing->checkpoint) {
		if (!closing->held)
			closing->held = queue_pop(closing->options.records);
		struct closing_record *record = closing->held;
		if (!record || !room(closing, record->bytes))
			return work;
		struct close_job *job = add_job(closing);
		append(closing, record->kind, 0, closing->options.closer->sources[0].closed,
		       record->text, record->bytes);
		*job = (struct close_job){
			.kind = record->kind,
			.sequence = closing->sequence,
			.config = record->config,
			.input = record->input,
		};
		if (record->kind == WEIR_CONTROL_CONFIG) {
			free(closing->config_text);
			closing->config_text = record->text;
			record->text = NULL;
		}
		record->config = NULL;
		record->input = NULL;
		closing_record_free(record);
		closing->held = NULL;
		closing->records_untold++;
		work++;
	}
	return work;
}

/* The source that is to be held stands where it is now. */
static void give_hold(struct closing *closing)
{
	/* Orders: nothing before it; partner: closing_hold(), closing_let_go(). */
	uint32_t wanted = weir_load_acquire_32(&closing->hold_wanted);

	if (wanted == weir_load_relaxed_32(&closing->hold_given))
		return;
	closing->hold_sequence = closing->sequence;
	if (wanted)
		closing->hold_closed = closing->options.closer->sources[wanted - 1].closed;
	/* Orders: where it stands before the word that it stands; partner: closing_held(). */
	weir_store_release_32(&closing->hold_given, wanted);
}

static void refuse_rebase(struct closing *closing)
{
	closing_record_free(closing->rebase);
	closing->rebase = NULL;
	/* Orders: we are done with the record before its agent goes on; partner:
	 * closing_rebased(). */
	weir_store_release_32(&closing->rebase_state, REBASE_REFUSED);
}

/* The rebuilt state goes into the log between two closes of its source, which stands. */
static int log_rebase(struct closing *closing)
{
	/* Orders: the word before the record; partner: closing_rebase(). */
	if (weir_load_acquire_32(&closing->rebase_state) != REBASE_GIVEN || closing->checkpoint)
		return 0;
	struct closing_record *record = closing->rebase;
	const char *config = closing->config_text ? closing->config_text
						  : closing->options.config_text;
	if (strcmp(config, record->config_text) != 0 ||
	    weir_load_relaxed_32(&closing->hold_given) != record->source + 1) {
		refuse_rebase(closing);
		return 1;
	}
	if (!room(closing, record->bytes))
		return 0;
	struct close_job *job = add_job(closing);
	append(closing, WEIR_CONTROL_REBASE, record->source, closing->hold_closed, record->text,
	       record->bytes);
	*job = (struct close_job){
		.kind = WEIR_CONTROL_REBASE,
		.sequence = closing->sequence,
		.source = record->source,
		.source_name = closing->options.sources->sources[record->source].name,
		.sections = record->sections,
	};
	record->sections = NULL;
	closing_record_free(record);
	closing->rebase = NULL;
	/* Orders: as in refuse_rebase(). */
	weir_store_release_32(&closing->rebase_state, REBASE_LOGGED);
	weir_store_relaxed_32(&closing->hold_wanted, 0);
	give_hold(closing);
	return 1;
}

/* A record of somebody's is kept. */
static void tell_kept(struct closing *closing, struct job_entry *entry)
{
	if (entry->told || entry->job->kind == WEIR_CONTROL_CLOSE)
		return;
	entry->told = true;
	if (entry->job->kind == WEIR_CONTROL_REBASE) {
		/* Orders: the sync of its block before the word that it is kept; partner:
		 * closing_rebased(). */
		weir_store_release_32(&closing->rebase_state, REBASE_KEPT);
		return;
	}
	closing->records_untold--;
	/* Orders: the sync of its block before the word that it is kept; partner:
	 * closing_records_kept(). Without it an operator could be told too much. */
	weir_store_release_64(&closing->records_kept, closing->records_kept + 1);
}

/* Who submitted a record waits for that, whatever the shards have still to do. */
static void tell_all_kept(struct closing *closing)
{
	uint64_t durable = writer_durable(closing->writer);
	struct job_entry *entry = closing->first;

	for (; entry && closing->records_untold; entry = entry->next) {
		if (entry->lsn == 0 || entry->lsn > durable)
			return;
		tell_kept(closing, entry);
	}
}

/* One close of a source, if one is due. */
static bool close_source(struct closing *closing, uint32_t number)
{
	const struct closing_options *options = &closing->options;
	struct closer *closer = options->closer;
	union {
		struct weir_control_close close;
		uint8_t bytes[sizeof(struct weir_control_close) +
			      WEIR_LANES_MAX * sizeof(uint64_t)];
	} record = {.close = {.epoch = options->epoch}};
	size_t bytes = sizeof(record.close) + options->lanes * sizeof(uint64_t);
	int64_t from, through;
	bool drops;

	if (weir_load_relaxed_32(&closing->hold_given) == number + 1)
		return false;
	if (!closer_due(closer, number, &from, &through, &drops) || !room(closing, bytes))
		return false;
	if (from <= closing->down_through[number]) {
		if (through > closing->down_through[number])
			through = closing->down_through[number];
		record.close.flags |= WEIR_CLOSE_INCOMPLETE;
	}
	if (drops)
		record.close.flags |= WEIR_CLOSE_INCOMPLETE;
	record.close.from = from;
	for (uint32_t lane = 0; lane < options->lanes; lane++)
		record.close.mark_lsn[lane] = closer->sources[number].lanes[lane].lsn;
	struct close_job *job = add_job(closing);
	append(closing, WEIR_CONTROL_CLOSE, number, through, &record, bytes);
	*job = (struct close_job){
		.kind = WEIR_CONTROL_CLOSE,
		.sequence = ++closing->sequence,
		.source = number,
		.source_name = options->sources->sources[number].name,
		.flags = record.close.flags,
		.from = from,
		.through = through,
		.closed_ms = (through + 1) * options->interval_ms,
		.partials = closer_take(closer, number, through),
	};
	closing->intervals += (uint64_t)(through - from + 1);
	closing->checkpoint = closing->intervals >= options->checkpoint_intervals;
	if (closing->checkpoint)
		closing->intervals = 0;
	return true;
}

/* Cells that lanes let go come from the log. false: not now. A mark was kept before it came here,
 * and is read from the same files: where there is none it is damaged, and no close may wait for it
 * for ever, nor all that come behind. The head of a partial of which nothing is left stays on the
 * lane's account. */
static bool read_back(struct closing *closing, struct close_job *job, uint64_t now_ns)
{
	const struct closing_options *options = &closing->options;

	if (closing->rebuild_ns && now_ns - closing->rebuild_ns < REBUILD_EVERY_NS)
		return false;
	int error = rebuild_partials(options->read_io, options->series_max, options->interval_ms,
				     closing->rebuild_tries >= REBUILD_TRIES, &job->partials,
				     &closing->lacking);
	closing->rebuild_ns = error < 0 ? now_ns : 0;
	if (error < 0) {
		closing->rebuild_tries += error == -EAGAIN;
		log_error("closing", "cannot rebuild cells from the log: %s; trying again",
			  strerror(-error));
		return false;
	}
	if (closing->lacking)
		log_error("closing",
			  "close %" PRIu64 " of %s goes without what damaged blocks of the log "
			  "held: the cells of %u intervals were to be read back from there",
			  job->sequence, job->source_name, closing->lacking);
	closing->rebuild_tries = closing->lacking = 0;
	return true;
}

/* Jobs whose records are kept go to all shards at once. */
static int hand_over(struct closing *closing, uint64_t now_ns)
{
	const struct closing_options *options = &closing->options;
	uint64_t durable = writer_durable(closing->writer);
	int work = 0;

	while (closing->first && closing->first->lsn && closing->first->lsn <= durable) {
		struct job_entry *entry = closing->first;
		for (uint32_t i = 0; i < options->shards; i++)
			if (queue_count(options->jobs[i]) >= CLOSING_JOBS_MAX)
				return work;
		if (!read_back(closing, entry->job, now_ns))
			return work;
		/* A shard may be done with the job before the next line. */
		uint64_t sequence = entry->job->sequence;
		enum weir_control_kind kind = entry->job->kind;
		uint32_t source = entry->job->source;
		int64_t through = entry->job->through;
		tell_kept(closing, entry);
		for (uint32_t i = 0; i < options->shards; i++)
			check(queue_push(options->jobs[i], entry->job));
		weir_store_relaxed_64(&closing->sequence_shown, sequence);
		if (kind == WEIR_CONTROL_CLOSE)
			/* Orders: the count of closes before the interval; partner:
			 * closing_closed(). Who sees an interval closed and all closes stored
			 * would otherwise take it for stored before it was. */
			weir_store_release_64((uint64_t *)&closing->closed[source],
					      (uint64_t)through);
		closing->first = entry->next;
		if (!entry->next)
			closing->last = &closing->first;
		free(entry);
		work++;
	}
	return work;
}

/* A close that asks for a checkpoint ends its block; no other may follow before it is written. */
static int close_sources(struct closing *closing)
{
	int work = 0;

	if (closing->checkpoint && !write_block(closing))
		return 0;
	for (uint32_t s = 0; s < WEIR_SOURCES_MAX; s++)
		while (close_source(closing, s)) {
			work++;
			if (closing->checkpoint && !write_block(closing))
				return work;
		}
	return work;
}

int closing_step(void *self, uint64_t now_ns)
{
	struct closing *closing = self;
	struct writer_counters counters;
	int work = writer_step(closing->writer, now_ns);

	work += take_marks(closing);
	const bool sources = log_sources(closing);
	work += log_records(closing);
	give_hold(closing);
	work += log_rebase(closing);
	/* Neither a close nor a checkpoint before the records of the sources that it names. */
	work += sources ? close_sources(closing) : 0;
	write_block(closing);
	ready_sources(closing);
	tell_all_kept(closing);
	work += hand_over(closing, now_ns);
	writer_counters(closing->writer, &counters);
	weir_store_relaxed_32((uint32_t *)&closing->failing, (uint32_t)counters.failing);
	return work;
}

int closing_settle(struct closing *closing, uint32_t timeout_ms)
{
	struct timespec pause = {.tv_nsec = 1000000};

	for (uint32_t ms = 0; ms <= timeout_ms; ms++) {
		closing_step(closing, monotonic_ns());
		if (closing->block_records == 0 && !closing->unready &&
		    writer_durable(closing->writer) + 1 >= writer_lsn(closing->writer))
			return 0;
		nanosleep(&pause, NULL);
	}
	return -ETIMEDOUT;
}

uint64_t closing_sequence(const struct closing *closing)
{
	return weir_load_relaxed_64(&closing->sequence_shown);
}

int64_t closing_closed(const struct closing *closing, uint32_t source)
{
	/* Orders: see hand_over(). */
	return (int64_t)weir_load_acquire_64((const uint64_t *)&closing->closed[source]);
}

int32_t closing_failing(const struct closing *closing)
{
	return (int32_t)weir_load_relaxed_32((const uint32_t *)&closing->failing);
}

uint64_t closing_records_kept(const struct closing *closing)
{
	/* Orders: see tell_kept(). */
	return weir_load_acquire_64(&closing->records_kept);
}

void closing_hold(struct closing *closing, uint32_t source)
{
	weir_store_relaxed_32(&closing->rebase_state, REBASE_NONE);
	/* Orders: the state before the wish; partner: give_hold(). */
	weir_store_release_32(&closing->hold_wanted, source + 1);
}

bool closing_held(struct closing *closing, uint64_t *ret_sequence, int64_t *ret_closed)
{
	uint32_t wanted = weir_load_relaxed_32(&closing->hold_wanted);

	/* Orders: the word before where it stands; partner: give_hold(). */
	if (!wanted || weir_load_acquire_32(&closing->hold_given) != wanted)
		return false;
	*ret_sequence = closing->hold_sequence;
	*ret_closed = closing->hold_closed;
	return true;
}

void closing_let_go(struct closing *closing)
{
	/* Orders: nothing; partner: give_hold(). */
	weir_store_release_32(&closing->hold_wanted, 0);
}

void closing_rebase(struct closing *closing, struct closing_record *record)
{
	closing->rebase = record;
	/* Orders: the record before the word that it is there; partner: log_rebase(). */
	weir_store_release_32(&closing->rebase_state, REBASE_GIVEN);
}

enum closing_rebased closing_rebased(const struct closing *closing)
{
	/* Orders: the word before the agent makes another record; partners: refuse_rebase(),
	 * tell_kept(). */
	uint32_t state = weir_load_acquire_32(&closing->rebase_state);

	return state == REBASE_KEPT      ? REBASED_KEPT
	       : state == REBASE_REFUSED ? REBASED_REFUSED
					 : REBASED_WAITING;
}

void closing_record_free(struct closing_record *record)
{
	if (!record)
		return;
	if (record->sections)
		bytes_fini(record->sections);
	free(record->sections);
	free(record->config_text);
	config_free(record->config);
	free(record->input);
	free(record->text);
	free(record);
}

static void destroy(struct closing *closing)
{
	closing_record_free(closing->rebase);
	if (closing->options.records) {
		closing_record_free(closing->held);
		while ((closing->held = queue_pop(closing->options.records)))
			closing_record_free(closing->held);
	}
	free(closing->config_text);
	while (closing->first) {
		struct job_entry *next = closing->first->next;
		close_job_free(closing->first->job);
		free(closing->first);
		closing->first = next;
	}
	bytes_fini(&closing->block);
	free(closing);
}

int closing_close(struct closing *closing, uint32_t timeout_ms)
{
	int error = writer_close(closing->writer, timeout_ms);

	destroy(closing);
	return error;
}

void closing_abandon(struct closing *closing)
{
	writer_abandon(closing->writer);
	destroy(closing);
}
