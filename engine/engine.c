/*
 * engine: see engine.h. The life of an engine: recover, build, run, stop.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/monotonic.h"
#include "ended.h"
#include "engine_private.h"
#include "exposed.h"
#include "log/segments.h"
#include "named.h"
#include "told.h"

/* A lane looks away after work, so that it does not chase the producers' tails; a few events are
 * not worth a core that looks for them, and a ring of the default size takes ten times as many in a
 * nap. Idle agents sleep in the kernel, longer each time: all of them together wake less than 500
 * times a second, for 1 to 2 percent of a core. */
static const struct agent_idle lane_idle = {
	.busy_pause_ns = 2000,
	.idle_min_ns = 50000,
	.idle_max_ns = 4000000,
	.calm_work = 4096,
	.nap_ns = 60000,
	.waits = lane_waits,
};
static const struct agent_idle stage_idle = {
	.busy_pause_ns = 1000, .idle_min_ns = 200000, .idle_max_ns = 32000000};
static const struct agent_idle slow_idle = {
	.busy_pause_ns = 1000, .idle_min_ns = 1000000, .idle_max_ns = 50000000};

/* The control socket's step waits in poll itself: its agent need not. */
static const struct agent_idle poll_idle = {
	.busy_pause_ns = 1000, .idle_min_ns = 1000, .idle_max_ns = 1000};

/* A stopping engine finishes what is under way for at most this long. */
#define STOP_MS 4000u

/* What a crash kept from the store although its close is in the log. The store itself ignores what
 * it has. */
static void store_missed(void *self, uint64_t sequence, const struct anomaly *anomaly)
{
	struct engine *engine = self;

	if (sequence <= store_scored_through(engine->store))
		return;
	if (!engine->store_error)
		engine->store_error = store_add(engine->store, sequence, anomaly);
}

static void store_missed_input(void *self, const struct operator_input *input)
{
	struct engine *engine = self;

	if (!engine->store_error)
		engine->store_error = store_input(engine->store, input);
}

static void store_missed_release(void *self, uint64_t sequence, uint64_t number,
				 const uint64_t id[2])
{
	struct engine *engine = self;

	if (!engine->store_error)
		engine->store_error = store_release(engine->store, sequence, number, id);
}

/* The same for the history, which ignores what it has, too. */
static void keep_missed(void *self, const struct close_job *job, const struct history_rows *rows)
{
	struct engine *engine = self;
	struct history_close close = {
		.sequence = job->sequence,
		.source = job->source_name,
		.through = job->through,
		.rows = rows,
		.shards = engine->config->shards,
	};

	/* A commit that fails is tried again by the agent. */
	if (history_pending_bytes(engine->history) >= KEEPING_COMMIT_BYTES)
		history_commit(engine->history);
	history_add(engine->history, &close);
}

static int open_history(struct engine *engine, char *why, size_t why_bytes)
{
	const struct config *config = engine->config;
	char store[33];
	bool moved;
	struct history_options options = {
		.path = engine->history_path,
		.store = store,
		.interval_ms = config->interval_ms,
		.keep = keeping_keep(config),
		.pending_bytes_max = KEEPING_PENDING_BYTES,
	};

	for (int i = 0; i < 16; i++)
		snprintf(store + 2 * i, 3, "%02x", engine->datadir.uuid[i]);
	snprintf(engine->history_path, sizeof(engine->history_path), "%s/%s",
		 config->data_directory, HISTORY_FILE);
	int error = history_open(&options, &engine->history, &moved, why, why_bytes);
	if (!error && moved)
		log_warning("history",
			    "%s was damaged, or of another store; rebuilding it from as "
			    "much of the log as there is",
			    engine->history_path);
	return error;
}

/* A log that has lost its end gives numbers to other closes: the history goes on from there. */
static void settle_history(struct engine *engine)
{
	uint64_t sequence = engine->recovered.sequence;

	if (history_commit(engine->history) < 0)
		return;
	if (history_through(engine->history) > sequence) {
		log_warning("recovery",
			    "history.db knows closes up to %" PRIu64 ", the log up to %" PRIu64
			    " only: it has lost its end; going on from the log",
			    history_through(engine->history), sequence);
		history_rewind(engine->history, sequence);
	}
}

/* Replay the logs, and store what they hold and the store does not: one transaction. */
static int recover_into_store(struct engine *engine, struct replay_options *options)
{
	options->each = store_missed;
	options->each_input = store_missed_input;
	options->each_release = store_missed_release;
	options->each_close = keep_missed;
	options->self = engine;
	engine->store_error = store_begin(engine->store);
	int error = replay_run(options, &engine->recovered);
	if (error < 0 && error != -ENOENT) /* no control log: a new store */
		return error;
	uint64_t sequence = engine->recovered.sequence;
	if (!engine->store_error)
		engine->store_error = store_commit(engine->store, sequence);
	if (!engine->store_error && store_scored_through(engine->store) > sequence) {
		log_warning("recovery",
			    "weir.db knows closes up to %" PRIu64 ", the log up to %" PRIu64
			    " only: it is another log, or has lost its end; going on from the log",
			    store_scored_through(engine->store), sequence);
		engine->store_error = store_rewind(engine->store, sequence);
	}
	if (!engine->store_error)
		engine->store_error = store_rewind_inputs(engine->store,
							  engine->recovered.inputs.count);
	if (engine->store_error)
		snprintf(engine->recovered.why, sizeof(engine->recovered.why),
			 "storing anomalies in weir.db: %s", strerror(-engine->store_error));
	return engine->store_error;
}

/* What to do where a file is a directory, or a directory a file. */
static const char *put_back(int error)
{
	return error == -ENOTDIR || error == -EISDIR ? "; put back what the engine left there, or "
						       "begin with an empty data directory"
						     : "";
}

static void say_ends(const struct engine *engine)
{
	const struct replay *replay = &engine->recovered;
	const bool soft = strcmp(engine->config->durability, "none") == 0;
	char directory[16];

	ended_say(engine->read_io, "control", WEIR_LANE_CONTROL, &replay->control, soft);
	for (uint32_t i = 0; i < replay->lanes_count; i++) {
		const struct replay_lane_end *end = &replay->lanes[i];
		snprintf(directory, sizeof(directory), "lane-%02u", end->lane % 100);
		ended_say(engine->read_io, directory, (uint16_t)end->lane, end, soft);
	}
	if (replay->lacking)
		log_error("recovery",
			  "the cells of %u intervals were to be read back from the log, and go "
			  "without what damaged blocks held",
			  replay->lacking);
}

static int recover(struct engine *engine, char *why, size_t why_bytes)
{
	const struct config *config = engine->config;
	struct replay_options options = {
		.io = engine->read_io,
		.shards = config->shards,
		.series_max = config->series_max,
		.start = REPLAY_STORED,
		.stored_through = store_scored_through(engine->store),
	};
	struct replay *replay = &engine->recovered;
	/* A store or a history that is behind is caught up with. */
	if (history_through(engine->history) < options.stored_through)
		options.stored_through = history_through(engine->history);
	int error = recover_into_store(engine, &options);

	if (error < 0) {
		snprintf(why, why_bytes, "cannot recover from %s: %s%s", config->data_directory,
			 replay->why, put_back(error));
		return error;
	}
	if (replay->passed_over)
		log_warning("recovery", "%s; going on from close %" PRIu64 " instead",
			    replay->passed_why, replay->started_at);
	error = named_restore(engine->read_io, replay->registry);
	if (error < 0) {
		snprintf(why, why_bytes, "cannot read the series of old segments in %s: %s",
			 config->data_directory, strerror(-error));
		return error;
	}
	if (replay->interval_ms && replay->interval_ms != config->interval_ms) {
		snprintf(why, why_bytes,
			 "the data directory %s was made with an interval of %" PRId64
			 " ms, the configuration says %" PRId64
			 " ms; keep the interval, or begin a new data directory",
			 config->data_directory, replay->interval_ms, config->interval_ms);
		return -EINVAL;
	}
	settle_history(engine);
	/* A power cut can take the control log's last records, at level none, and leave the lanes'
	 * blocks: their epoch is used up all the same. */
	uint32_t last = replay->epoch > replay->epoch_seen ? replay->epoch : replay->epoch_seen;
	if (last == UINT32_MAX) {
		snprintf(why, why_bytes, "the log in %s says that no epoch is left; it is damaged",
			 config->data_directory);
		return -EPROTO;
	}
	engine->epoch = last + 1;
	say_ends(engine);
	uint64_t torn = replay->control.report.torn_bytes;
	uint64_t gaps = replay->control.report.gaps;
	for (uint32_t i = 0; i < replay->lanes_count; i++) {
		torn += replay->lanes[i].report.torn_bytes;
		gaps += replay->lanes[i].report.gaps;
	}
	snprintf(engine->recovery_text, sizeof(engine->recovery_text),
		 "epoch %u: read %" PRIu64 " blocks, %" PRIu64 " events, %" PRIu64
		 " closes since close %" PRIu64 "; %" PRIu64 " torn bytes, %" PRIu64 " gaps",
		 engine->epoch, replay->blocks, replay->events, replay->closes, replay->started_at,
		 torn, gaps);
	if (engine->unkept)
		snprintf(engine->recovery_text, sizeof(engine->recovery_text),
			 "log.io is none: no event is kept, nothing is durable, and this engine "
			 "starts empty%s",
			 engine->datadir.emptied ? "; what the last one knew is gone" : "");
	else if (engine->datadir.emptied)
		log_warning("recovery", "the last engine here kept no log (log.io was none): what "
					"it knew is gone");
	return 0;
}

/* Marks that no closing agent will take. */
static void free_marks(struct queue *marks)
{
	struct lane_mark *mark;

	while (marks && (mark = queue_pop(marks))) {
		partials_free(mark->mark.partials);
		free(mark);
	}
}

static void release(struct engine *engine)
{
	for (uint32_t i = 0; i < WEIR_LANES_MAX; i++) {
		engine_prepared(engine, i);
		free_marks(engine->mark_queues[i]);
		queue_destroy(engine->ring_queues[i]);
		queue_destroy(engine->mark_queues[i]);
		if (engine->lane_io[i])
			engine->lane_io[i]->ops->destroy(engine->lane_io[i]);
	}
	for (uint32_t i = 0; i < WEIR_SHARDS_MAX; i++) {
		queue_destroy(engine->job_queues[i]);
		queue_destroy(engine->result_queues[i]);
	}
	queue_destroy(engine->record_queue);
	config_free(engine->running);
	config_free(engine->begun);
	json_decref(engine->overrides);
	told_free(engine->told);
	free(engine->file_text);
	struct io *ios[] = {engine->read_io, engine->control_io, engine->checkpoint_io,
			    engine->rebase_io};
	replay_fini(&engine->recovered);
	for (size_t i = 0; i < sizeof(ios) / sizeof(ios[0]); i++)
		if (ios[i])
			ios[i]->ops->destroy(ios[i]);
	free(engine->orphans);
	datadir_close(&engine->datadir);
	free(engine);
}

/* Whoever may write where a socket lies can put one of his own in its place. */
static int check_sockets(const struct config *config, char *why, size_t why_bytes)
{
	const char *const paths[] = {config->socket, config->control_socket};

	for (int i = 0; i < 2; i++) {
		const char *wrong = exposed_socket(paths[i]);
		if (!wrong)
			continue;
		snprintf(why, why_bytes,
			 "the directory of %s %s: others could take the socket's place; use one "
			 "that only the engine's user may write (chown, chmod go-w), or set %s",
			 paths[i], wrong, i ? "control_socket" : "socket");
		return -EPERM;
	}
	return 0;
}

int engine_open(const struct engine_options *options, struct engine **ret_engine, char *why,
		size_t why_bytes)
{
	struct engine *engine = calloc(1, sizeof(*engine));

	if (!engine)
		return -ENOMEM;
	struct segments_known *known = segments_know();
	engine->options = *options;
	engine->config = options->config;
	engine->datadir = (struct datadir){.fd = -1, .lock_fd = -1};
	engine->started_ms = clock_wall_ms(options->clock);
	engine->opened_ns = clock_monotonic_ns(options->clock);
	snprintf(engine->store_path, sizeof(engine->store_path), "%s/weir.db",
		 engine->config->data_directory);
	engine->unkept = strcmp(engine->config->io, "none") == 0;
	int error = datadir_open(engine->config->data_directory, options->lock_wait_ms,
				 !engine->unkept, &engine->datadir, why, why_bytes);
	if (!error)
		error = check_sockets(engine->config, why, why_bytes);
	if (!error)
		error = engine_make_file_io(engine, &engine->read_io, why, why_bytes);
	if (!error)
		engine->read_io->known = known;
	if (!error)
		error = store_open(engine->store_path, &engine->store, why, why_bytes);
	if (!error)
		error = open_history(engine, why, why_bytes);
	if (!error)
		error = engine_prepare(engine, why, why_bytes);
	phase_ended(engine, ENGINE_PHASE_STORES);
	if (!error)
		error = recover(engine, why, why_bytes);
	phase_ended(engine, ENGINE_PHASE_RECOVERY);
	if (!error)
		error = engine_overrides_begin(engine, why, why_bytes);
	if (!error)
		error = engine_assemble(engine, why, why_bytes);
	/* From here on files change, and what is read is what there is. */
	if (engine->read_io)
		engine->read_io->known = NULL;
	segments_forget(known);
	phase_ended(engine, ENGINE_PHASE_REST);
	if (error < 0) {
		engine_abandon(engine);
		return error;
	}
	*ret_engine = engine;
	return 0;
}

static int start(struct engine *engine, const char *name, agent_step *step, void *self,
		 struct agent_idle idle)
{
	check(engine->agents_count < ENGINE_AGENTS_MAX);
	char *kept = engine->agent_names[engine->agents_count];
	snprintf(kept, sizeof(engine->agent_names[0]), "%s", name);
	int error = agent_start(&engine->agents[engine->agents_count], kept, step, self, idle);
	/* Release: its name and agent are whole for who counts it (stat.c, on an agent that was
	 * started before). */
	if (error >= 0)
		weir_store_release_32(&engine->agents_count, engine->agents_count + 1);
	return error;
}

int engine_start(struct engine *engine)
{
	char name[16];
	int error = 0;

	if (engine->publisher)
		error = start(engine, "publisher", publisher_step, engine->publisher, slow_idle);
	if (!error)
		error = start(engine, "history", keeping_step, &engine->keeping, slow_idle);
	if (!error)
		error = start(engine, "storing", storing_step, &engine->storing, stage_idle);
	for (uint32_t i = 0; i < engine->config->shards && !error; i++) {
		snprintf(name, sizeof(name), "shard-%02u", i % 100);
		shard_show(&engine->shards[i]);
		error = start(engine, name, shard_step, &engine->shards[i], stage_idle);
	}
	if (!error)
		error = start(engine, "closing", closing_step, engine->closing, stage_idle);
	for (uint32_t i = 0; i < engine->config->lanes && !error; i++) {
		snprintf(name, sizeof(name), "lane-%02u", i % 100);
		error = start(engine, name, lane_step, engine->lanes[i], lane_idle);
	}
	if (!error)
		error = start(engine, "rebase", rebase_step, engine->rebase, slow_idle);
	if (!error)
		error = start(engine, "intake", engine_intake_step, engine, stage_idle);
	if (!error && engine->metrics)
		error = start(engine, "metrics", metrics_step, engine->metrics, poll_idle);
	if (!error && engine->control)
		error = start(engine, "control", engine_control_step, engine, poll_idle);
	return error;
}

int engine_crank(struct engine *engine, uint64_t now_ns)
{
	int work = engine_intake_step(engine, now_ns);

	for (uint32_t i = 0; i < engine->config->lanes; i++)
		work += lane_step(engine->lanes[i], now_ns);
	work += closing_step(engine->closing, now_ns);
	for (uint32_t i = 0; i < engine->config->shards; i++)
		work += shard_step(&engine->shards[i], now_ns);
	work += storing_step(&engine->storing, now_ns);
	work += keeping_step(&engine->keeping, now_ns);
	return work + rebase_step(engine->rebase, now_ns);
}

const char *engine_stuck(struct engine *engine, uint64_t limit_ns)
{
	uint64_t now_ns = clock_monotonic_ns(engine->options.clock);
	const char *stuck = NULL;

	for (uint32_t i = 0; i < engine->agents_count; i++)
		if (!agent_moves(&engine->agents[i], &engine->watches[i], now_ns, limit_ns))
			stuck = engine->agent_names[i];
	return stuck;
}

static void stop_agents(struct engine *engine)
{
	for (uint32_t i = 0; i < engine->agents_count; i++)
		agent_stop(&engine->agents[i]);
	for (uint32_t i = 0; i < engine->agents_count; i++)
		agent_join(&engine->agents[i]);
	engine->agents_count = 0;
}

/* What has been marked goes its whole way, by hand, for a bounded time. */
static void finish(struct engine *engine)
{
	struct timespec pause = {.tv_nsec = 1000000};
	uint64_t end_ns = monotonic_ns() + STOP_MS * UINT64_C(1000000);
	int idle = 0;

	engine->keeping.hurry = true;
	while (idle < 20 && monotonic_ns() < end_ns) {
		uint64_t now_ns = monotonic_ns();
		int work = closing_step(engine->closing, now_ns);
		for (uint32_t i = 0; i < engine->config->shards; i++)
			work += shard_step(&engine->shards[i], now_ns);
		work += storing_step(&engine->storing, now_ns);
		work += keeping_step(&engine->keeping, now_ns);
		idle = work ? 0 : idle + 1;
		if (!work)
			nanosleep(&pause, NULL);
	}
}

static void tear_down(struct engine *engine, bool kept)
{
	if (engine->control)
		control_close(engine->control);
	if (engine->metrics)
		metrics_close(engine->metrics);
	if (engine->intake)
		intake_stop(engine->intake);
	for (uint32_t i = 0; i < engine->config->lanes; i++) {
		if (engine->lanes[i] && kept)
			lane_close(engine->lanes[i], STOP_MS);
		else if (engine->lanes[i])
			lane_abandon(engine->lanes[i]);
	}
	/* Before the last closes: it may hold some of them back. */
	rebase_destroy(engine->rebase);
	if (kept)
		finish(engine);
	if (engine->closing && kept)
		closing_close(engine->closing, STOP_MS);
	else if (engine->closing)
		closing_abandon(engine->closing);
	if (engine->intake)
		intake_close(engine->intake);
	storing_fini(&engine->storing);
	keeping_fini(&engine->keeping);
	for (uint32_t i = 0; i < engine->config->shards; i++)
		shard_fini(&engine->shards[i], i == 0);
	if (engine->publisher)
		publisher_destroy(engine->publisher);
	if (engine->store)
		store_close(engine->store);
	history_close(engine->history);
	release(engine);
}

void engine_close(struct engine *engine)
{
	stop_agents(engine);
	tear_down(engine, true);
}

void engine_abandon(struct engine *engine)
{
	stop_agents(engine);
	tear_down(engine, false);
}

const char *engine_recovery_text(const struct engine *engine)
{
	return engine->recovery_text;
}

void engine_start_text(const struct engine *engine, char *text, size_t bytes)
{
	static const char *const names[] = {"databases", "recovery", "segments", "sockets"};
	uint64_t before = 0;
	size_t used;

	used = (size_t)snprintf(text, bytes, "up after %.1f ms:",
				(double)engine->phases_ns[ENGINE_PHASE_REST] / 1e6);
	for (int i = 0; i < ENGINE_PHASES && used < bytes; i++) {
		used += (size_t)snprintf(text + used, bytes - used, "%s %s %.1f", i ? "," : "",
					 names[i], (double)(engine->phases_ns[i] - before) / 1e6);
		before = engine->phases_ns[i];
	}
}
