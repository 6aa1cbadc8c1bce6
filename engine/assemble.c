/*
 * assemble: the parts of an engine, made and joined. Sinks first, sources last, so that whatever
 * flows finds its way.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/check.h"
#include "base/log.h"
#include "checkpoint.h"
#include "config_address.h"
#include "engine_private.h"
#include "stat.h"
#include "wishes.h"

/* Blocks of one lane in flight or unsynced: 96 of 256 KiB are 24 MiB, what a disk of 2 GB/s takes
 * in the 10 ms that a busy host may let a sync wait. The control log writes little. */
#define LANE_BUFFERS 96u
#define CONTROL_BUFFERS 16u
#define LANE_DEPTH 32u
/* Of the control log's files at most. A start reads the last one to its end, zeros written ahead
 * and all; and as the log is never deleted, it opens each: at 4 KiB a close this is a day of
 * intervals of 10 s. */
#define CONTROL_SEGMENT_BYTES (UINT64_C(32) << 20)
/* Of a log that keeps nothing. */
#define UNKEPT_SEGMENT_BYTES (UINT64_C(1) << 60)
#define UNKEPT_BLOCK_BYTES (128u << 10)
/* Cells handed over and not yet scored, per lane; beyond that they are rebuilt from the log. */
#define PARTIAL_BYTES_MAX (256u << 20)
/* Closing waits this long for producers that were attached before a restart. */
#define HOLD_MARKS_NS UINT64_C(5000000000)
/* Rings that never came back are carried along from segment to segment, the newest of them. */
#define ORPHANS_MAX 4096u
#define SETTLE_MS 10000u
/* Operators' records on their way to the control log; beyond that they are asked to wait. */
#define RECORDS_MAX 256u

static int make_io(struct engine *engine, uint32_t depth, struct io **ret_io, char *why,
		   size_t why_bytes)
{
	const char *wanted = engine->config->io;
	int fd = engine->datadir.fd;
	int error;

	if (engine->unkept) {
		error = io_nowhere_create(depth, ret_io);
	} else if (engine->options.make_io) {
		error = engine->options.make_io(engine->options.self, fd, depth, ret_io);
	} else if (strcmp(wanted, "pwrite") == 0) {
		error = io_pwrite_create(fd, depth, ret_io);
	} else {
		error = io_uring_create(fd, depth, ret_io);
		if (error < 0 && strcmp(wanted, "auto") == 0) {
			log_info("io", "no io_uring here (%s): writing with pwrite",
				 strerror(-error));
			error = io_pwrite_create(fd, depth, ret_io);
		}
	}
	if (error < 0)
		snprintf(why, why_bytes,
			 "log.io is %s, but this machine says: %s; set it to auto or pwrite",
			 wanted, strerror(-error));
	if (error < 0)
		return error;
	engine->backend = (*ret_io)->ops->name;
	return 0;
}

int engine_make_file_io(struct engine *engine, struct io **ret_io, char *why, size_t why_bytes)
{
	const struct engine_options *options = &engine->options;
	int error;

	if (engine->unkept)
		error = io_nowhere_create(1, ret_io);
	else if (options->make_io)
		error = options->make_io(options->self, engine->datadir.fd, 1, ret_io);
	else
		error = io_pwrite_create(engine->datadir.fd, 1, ret_io);
	if (error < 0)
		snprintf(why, why_bytes, "cannot read files: %s", strerror(-error));
	return error;
}

static uint64_t seed(const struct engine *engine, uint64_t salt)
{
	uint64_t value = engine->options.random_seed;

	if (value)
		return value * UINT64_C(0x9e3779b97f4a7c15) + salt;
	if (getrandom(&value, sizeof(value), 0) != sizeof(value))
		value = engine->started_ms;
	return value + salt;
}

static const struct reader_report *lane_report(const struct engine *engine, uint32_t lane)
{
	for (uint32_t i = 0; i < engine->recovered.lanes_count; i++)
		if (engine->recovered.lanes[i].lane == lane)
			return &engine->recovered.lanes[i].report;
	return NULL;
}

static struct writer_options writer_options(struct engine *engine, struct io *io,
					    const char *directory, uint16_t lane,
					    const struct reader_report *report)
{
	const struct config *config = engine->config;
	struct writer_options options = {
		.io = io,
		.directory = directory,
		.lane = lane,
		.epoch = engine->epoch,
		.next_lsn = report && report->next_lsn ? report->next_lsn : 1,
		.previous_id = report ? report->last_id : 0,
		.segment_bytes = config->segment_bytes,
		.block_bytes = (uint32_t)config->block_bytes,
		.buffers = lane == WEIR_LANE_CONTROL ? CONTROL_BUFFERS : LANE_BUFFERS,
		.durability = strcmp(config->durability, "none") == 0    ? DURABILITY_NONE
			      : strcmp(config->durability, "block") == 0 ? DURABILITY_BLOCK
									 : DURABILITY_INTERVAL,
		.sync_ms = config->sync_ms,
		.sync_bytes = config->sync_bytes,
		.spares = lane == WEIR_LANE_CONTROL ? 1 : config->spares,
		.random_seed = seed(engine, lane),
	};

	memcpy(options.store_uuid, engine->datadir.uuid, sizeof(options.store_uuid));
	if (lane == WEIR_LANE_CONTROL && options.segment_bytes > CONTROL_SEGMENT_BYTES)
		options.segment_bytes = CONTROL_SEGMENT_BYTES;
	if (engine->unkept) {
		/* One segment for good, and blocks that stay in the caches. */
		options.segment_bytes = UNKEPT_SEGMENT_BYTES;
		if (options.block_bytes > UNKEPT_BLOCK_BYTES && lane != WEIR_LANE_CONTROL)
			options.block_bytes = UNKEPT_BLOCK_BYTES;
		options.durability = DURABILITY_NONE;
		options.spares = 0;
	}
	return options;
}

static int make_queues(struct engine *engine)
{
	for (uint32_t i = 0; i < engine->config->lanes; i++) {
		engine->ring_queues[i] = queue_create(1024);
		engine->mark_queues[i] = queue_create(4096);
		if (!engine->ring_queues[i] || !engine->mark_queues[i])
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < engine->config->shards; i++) {
		engine->job_queues[i] = queue_create(2 * CLOSING_JOBS_MAX);
		engine->result_queues[i] = queue_create(2 * CLOSING_JOBS_MAX);
		if (!engine->job_queues[i] || !engine->result_queues[i])
			return -ENOMEM;
	}
	engine->record_queue = queue_create(RECORDS_MAX);
	return engine->record_queue ? 0 : -ENOMEM;
}

static int make_delivery(struct engine *engine, char *why, size_t why_bytes)
{
	const struct config *config = engine->config;
	struct publisher_options options = {
		.store_path = engine->store_path,
		.url = config->redis_url,
		.user = config->redis_user,
		.password_file = config->redis_password_file,
		.environment = config->environment,
		.stream_max = config->redis_stream_max,
		.random_seed = seed(engine, 1u << 20),
	};
	int error = 0;

	if (config->redis_url)
		error = publisher_create(&options, &engine->publisher, why, why_bytes);
	if (error < 0)
		return error;
	struct storing *storing = &engine->storing;
	engine->keeping.history = engine->history;
	engine->keeping.closes = queue_create(KEEPING_QUEUE);
	storing->keeping = &engine->keeping;
	storing->store = engine->store;
	storing->publisher = engine->publisher;
	storing->io = engine->checkpoint_io;
	storing->buffer = engine->checkpoint_io->ops->buffers(engine->checkpoint_io, 1,
							      CHECKPOINT_BUFFER_BYTES);
	if (!storing->buffer || !engine->keeping.closes) {
		snprintf(why, why_bytes, "not enough memory to start");
		return -ENOMEM;
	}
	storing->shards = config->shards;
	storing->lanes = config->lanes;
	storing->epoch = engine->epoch;
	storing->keep_lsn = engine->keep_lsn;
	storing->dropped = (struct dropped){
		.io = engine->checkpoint_io,
		.lanes = config->lanes,
		.started_s = engine->started_ms / 1000,
	};
	storing->live_ms = &engine->recovered.sources.sources[0].clock_ms;
	storing->retain_bytes = config->retain_bytes;
	storing->retain_s = config->retain_s;
	storing->partial_bytes_freed = engine->partial_bytes_freed;
	storing->outbox = store_outbox_rows(engine->store);
	storing->stored_through = store_scored_through(engine->store);
	memcpy(storing->results, engine->result_queues, sizeof(storing->results));
	storing->inputs = engine->recovered.inputs;
	engine->inputs_submitted = storing->inputs_stored = storing->inputs.count;
	memset(&engine->recovered.inputs, 0, sizeof(engine->recovered.inputs));
	storing->moved = engine->recovered.moved;
	engine->recovered.moved = (struct moved){0};
	storing_init(storing);
	return 0;
}

/* Shards go on with the scorers of the recovery, after the configuration of today. */
static int make_shards(struct engine *engine)
{
	struct replay *recovered = &engine->recovered;

	if (wishes_apply(recovered->registry, engine->config) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < engine->config->shards; i++) {
		struct shard *shard = &engine->shards[i];
		if (!recovered->scorers[i])
			recovered->scorers[i] = scorer_create(i, engine->config->shards,
							      engine->config->interval_ms,
							      recovered->registry);
		shard->scorer = recovered->scorers[i];
		shard->jobs = engine->job_queues[i];
		shard->results = engine->result_queues[i];
		if (!shard->scorer || scorer_configure(shard->scorer, engine->config) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int make_closing(struct engine *engine, char *why, size_t why_bytes)
{
	const struct config *config = engine->config;
	struct replay *recovered = &engine->recovered;
	/* The checkpoint knows what was in it; who reads the log from now on knows only the log. */
	const bool lost = recovered->control.short_from != 0;
	struct closing_options options = {
		.writer = writer_options(engine, engine->control_io, "control", WEIR_LANE_CONTROL,
					 &recovered->control.report),
		.read_io = engine->read_io,
		.closer = &recovered->closer,
		.sequence = recovered->sequence,
		.sources = &recovered->sources,
		.starts = engine->starts,
		.lanes = config->lanes,
		.shards = config->shards,
		.marks = engine->mark_queues,
		.jobs = engine->job_queues,
		.records = engine->record_queue,
		.epoch = engine->epoch,
		.interval_ms = config->interval_ms,
		.started_ms = engine->started_ms,
		.config_text = config->record,
		.config_changed = lost || !recovered->config ||
				  strcmp(recovered->config->record, config->record) != 0,
		.sources_lost = lost,
		.series_max = config->series_max,
		.registry = recovered->registry,
		/* Without a log there is nothing to go on from. */
		.checkpoint_intervals = engine->unkept ? UINT32_MAX : config->checkpoint_intervals,
		.intervals = recovered->intervals,
		.resumed = recovered->epoch > 0,
	};

	engine_use_lateness(engine, config);
	io_know_ends(engine->control_io, engine->read_io);
	int error = closing_create(&options, &engine->closing);
	if (!error && closing_new_source(engine->closing, "live", WEIR_CLOCK_WALL,
					 config->lateness_wall_ms, engine->started_ms) < 0)
		error = -EPROTO;
	if (!error)
		error = closing_settle(engine->closing, SETTLE_MS);
	if (error < 0)
		snprintf(why, why_bytes, "cannot write the control log in %s: %s%s",
			 config->data_directory, strerror(-error),
			 error == -ENOSPC || error == -ETIMEDOUT
				 ? "; free some space on its disk, or see why it does not "
				   "answer, and start again"
				 : "");
	return error;
}

static int make_orphans(struct engine *engine)
{
	const struct replay *recovered = &engine->recovered;

	engine->orphans = calloc(ORPHANS_MAX, sizeof(engine->orphans[0]));
	if (!engine->orphans)
		return -ENOMEM;
	for (uint32_t i = recovered->rings_count; i > 0; i--)
		if (!recovered->rings[i - 1].final && engine->orphans_count < ORPHANS_MAX)
			engine->orphans[engine->orphans_count++] = recovered->rings[i - 1];
	return 0;
}

static int make_lanes(struct engine *engine, char *why, size_t why_bytes)
{
	const struct config *config = engine->config;
	char directory[16];

	for (uint32_t i = 0; i < config->lanes; i++) {
		snprintf(directory, sizeof(directory), "lane-%02u", i % 100);
		struct lane_options options = {
			.number = i,
			.epoch = engine->epoch,
			.interval_ms = config->interval_ms,
			.series_max = config->series_max,
			.unkept = engine->unkept,
			.partial_bytes_max = PARTIAL_BYTES_MAX,
			.partial_bytes_freed = &engine->partial_bytes_freed[i],
			.registry = engine->recovered.registry,
			.sources = &engine->recovered.sources,
			.starts = engine->starts,
			.rings = engine->ring_queues[i],
			.marks = engine->mark_queues[i],
			.hold_marks = &engine->hold_marks,
			.keep_lsn = &engine->keep_lsn[i],
			.retain_bytes = config->retain_bytes / config->lanes,
			.retain_s = config->retain_s,
			.orphans = engine->orphans,
			.orphans_count = i == 0 ? engine->orphans_count : 0,
			.writer = writer_options(engine, engine->lane_io[i], directory, (uint16_t)i,
						 lane_report(engine, i)),
		};
		engine_prepared(engine, i);
		io_know_ends(engine->lane_io[i], engine->read_io);
		int error = lane_create(&options, &engine->lanes[i]);
		if (error < 0) {
			snprintf(why, why_bytes, "cannot begin a segment in %s/%s: %s",
				 config->data_directory, directory, strerror(-error));
			return error;
		}
	}
	return 0;
}

/* A new ring goes to the lane that has been given the fewest. */
static bool offer(void *self, struct intake_ring *ring)
{
	struct engine *engine = self;
	uint32_t best = 0;

	for (uint32_t i = 1; i < engine->config->lanes; i++)
		if (engine->lane_rings[i] < engine->lane_rings[best])
			best = i;
	if (!queue_push(engine->ring_queues[best], ring))
		return false;
	engine->lane_rings[best]++;
	return true;
}

static int new_source(void *self, const char *name, enum weir_clock_kind clock)
{
	struct engine *engine = self;
	int64_t lateness_ms = (int64_t)weir_load_relaxed_64(&engine->lateness_ms[clock]);

	return closing_new_source(engine->closing, name, clock, lateness_ms,
				  clock_wall_ms(engine->options.clock));
}

static void keep_fd(void *self, const char *name, int fd)
{
	struct engine *engine = self;
	fdstore_keep(engine->options.fdstore, name, fd);
}

static void drop_fd(void *self, const char *name)
{
	struct engine *engine = self;
	fdstore_drop(engine->options.fdstore, name);
}

static int adopt_fd(void *self, const char *name, int fd)
{
	struct engine *engine = self;
	return intake_adopt(engine->intake, name, fd);
}

static int make_intake(struct engine *engine, char *why, size_t why_bytes)
{
	const struct config *config = engine->config;
	struct intake_options options = {
		.socket_path = config->socket,
		.registry = engine->recovered.registry,
		.sources = &engine->recovered.sources,
		.clock = engine->options.clock,
		.epoch = engine->epoch,
		.unkept = engine->unkept,
		.producers_max = config->producers_max,
		.user_bytes_max = config->user_bytes_max,
		.producer_series_max = config->producer_series_max,
		.lateness_wall_ms = config->lateness_wall_ms,
		.lateness_event_ms = config->lateness_event_ms,
		.offer = offer,
		.new_source = new_source,
		.keep_fd = engine->options.fdstore ? keep_fd : NULL,
		.drop_fd = engine->options.fdstore ? drop_fd : NULL,
		.self = engine,
	};
	int error = intake_open(&options, &engine->intake, why, why_bytes);

	for (uint32_t i = 0; i < engine->recovered.rings_count && !error; i++)
		error = intake_restore(engine->intake, &engine->recovered.rings[i]);
	if (!error && engine->options.fdstore)
		fdstore_take(engine->options.fdstore, adopt_fd, engine);
	if (!error)
		weir_store_relaxed_32(&engine->hold_marks, intake_awaited(engine->intake) > 0);
	return error;
}

int engine_intake_step(void *self, uint64_t now_ns)
{
	struct engine *engine = self;
	int work = intake_step(engine->intake, now_ns);

	work += question_answer(&engine->intake_questions, engine->intake);

	/* Relaxed: the flag only delays marks; what they cover follows from the tails. */
	if (weir_load_relaxed_32(&engine->hold_marks) &&
	    (intake_awaited(engine->intake) == 0 ||
	     clock_monotonic_ns(engine->options.clock) - engine->opened_ns > HOLD_MARKS_NS))
		weir_store_relaxed_32(&engine->hold_marks, 0);
	return work;
}

static int make_rebase(struct engine *engine, char *why, size_t why_bytes)
{
	struct rebase_options options = {
		.closing = engine->closing,
		.keeping = &engine->keeping,
		.history_path = engine->history_path,
		.store_path = engine->store_path,
		.inputs_stored = &engine->storing.inputs_stored,
		.io = engine->rebase_io,
		.buffer = engine->rebase_io->ops->buffers(engine->rebase_io, 1,
							  CHECKPOINT_BUFFER_BYTES),
		.registry = engine->recovered.registry,
		.sources = &engine->recovered.sources,
		.interval_ms = engine->config->interval_ms,
	};
	int error = options.buffer ? rebase_create(&options, &engine->rebase) : -ENOMEM;

	if (error < 0)
		snprintf(why, why_bytes, "not enough memory to start");
	return error;
}

static int make_ios(struct engine *engine, char *why, size_t why_bytes)
{
	int error = make_io(engine, 4, &engine->control_io, why, why_bytes);

	if (!error)
		error = engine_make_file_io(engine, &engine->checkpoint_io, why, why_bytes);
	if (!error)
		error = engine_make_file_io(engine, &engine->rebase_io, why, why_bytes);
	for (uint32_t i = 0; i < engine->config->lanes && !error; i++)
		error = make_io(engine, LANE_DEPTH, &engine->lane_io[i], why, why_bytes);
	if (error < 0 && !why[0])
		snprintf(why, why_bytes, "cannot write files: %s", strerror(-error));
	return error;
}

static void *touch(void *self)
{
	struct lane_memory *memory = self;

	memset(memory->data, 0, memory->bytes);
	return NULL;
}

static void touch_ahead(struct engine *engine, uint32_t lane)
{
	struct lane_memory *memory = &engine->lane_memory[lane];
	struct io *io = engine->lane_io[lane];
	pthread_attr_t attributes;
	sigset_t all;

	memory->bytes = LANE_BUFFERS * engine->config->block_bytes;
	memory->data = io->ops->prepare ? io->ops->prepare(io, memory->bytes) : NULL;
	if (!memory->data)
		return;
	sigfillset(&all);
	if (pthread_attr_init(&attributes) == 0) {
		memory->busy = pthread_attr_setsigmask_np(&attributes, &all) == 0 &&
			       pthread_create(&memory->thread, &attributes, touch, memory) == 0;
		pthread_attr_destroy(&attributes);
	}
	if (!memory->busy)
		touch(memory);
}

int engine_prepare(struct engine *engine, char *why, size_t why_bytes)
{
	int error = make_ios(engine, why, why_bytes);

	for (uint32_t i = 0; i < engine->config->lanes && !error; i++)
		touch_ahead(engine, i);
	return error;
}

void engine_prepared(struct engine *engine, uint32_t lane)
{
	struct lane_memory *memory = &engine->lane_memory[lane];

	if (memory->busy)
		pthread_join(memory->thread, NULL);
	memory->busy = false;
}

static char *metrics_text(void *self)
{
	return stat_prometheus(self);
}

static int make_metrics(struct engine *engine, char *why, size_t why_bytes)
{
	const char *listen = engine->config->prometheus_listen;
	struct sockaddr_storage address;
	socklen_t bytes;
	int error = config_address(listen, &address, &bytes);

	check(!error); /* the configuration has been checked */
	return metrics_open(listen, (const struct sockaddr *)&address, bytes, metrics_text, engine,
			    &engine->metrics, why, why_bytes);
}

int engine_assemble(struct engine *engine, char *why, size_t why_bytes)
{
	int error = 0;

	if (make_queues(engine) < 0 || make_shards(engine) < 0 || make_orphans(engine) < 0) {
		snprintf(why, why_bytes, "not enough memory to start");
		error = -ENOMEM;
	}
	if (!error)
		error = make_delivery(engine, why, why_bytes);
	if (!error)
		error = make_closing(engine, why, why_bytes);
	if (!error)
		error = make_rebase(engine, why, why_bytes);
	if (!error)
		error = make_lanes(engine, why, why_bytes);
	phase_ended(engine, ENGINE_PHASE_WRITERS);
	if (!error)
		error = make_intake(engine, why, why_bytes);
	if (!error && engine->config->control_socket)
		error = control_open(engine->config->control_socket, engine_answer, engine,
				     &engine->control, why, why_bytes);
	if (!error && engine->config->prometheus_listen)
		error = make_metrics(engine, why, why_bytes);
	return error;
}
