/*
 * engine_private: the engine's struct, shared by engine.c (life), assemble.c (building) and
 * status.c (numbers). Nobody else includes this.
 */
#ifndef ENGINE_ENGINE_PRIVATE_H
#define ENGINE_ENGINE_PRIVATE_H

#include <pthread.h>

#include "base/agent.h"
#include "base/question.h"
#include "base/queue.h"
#include "closing.h"
#include "datadir.h"
#include "deliver/control.h"
#include "deliver/metrics.h"
#include "deliver/publisher.h"
#include "deliver/store.h"
#include "engine.h"
#include "intake/attach.h"
#include "keeping.h"
#include "lane.h"
#include "rebase.h"
#include "replay.h"
#include "shard.h"
#include "storing.h"

#define ENGINE_AGENTS_MAX (WEIR_LANES_MAX + WEIR_SHARDS_MAX + 8)

/* Of a start, in order. */
enum engine_phase {
	ENGINE_PHASE_STORES,   /* the directory is ours, the databases are open */
	ENGINE_PHASE_RECOVERY, /* the log has been read */
	ENGINE_PHASE_WRITERS,  /* the new epoch's segments have begun */
	ENGINE_PHASE_REST,     /* sockets */
	ENGINE_PHASES,
};

/* A lane's buffers, touched by a thread of its own. */
struct lane_memory {
	pthread_t thread;
	void *data;
	size_t bytes;
	bool busy; /* there is a thread to join */
};

struct engine {
	struct engine_options options;
	const struct config *config;
	struct datadir datadir;
	struct replay recovered; /* registry, sources, closer, scorers: used on from here */
	char recovery_text[256];
	char store_path[4096];
	char history_path[4096];
	uint32_t epoch;
	uint64_t started_ms; /* unix */
	uint64_t opened_ns;  /* monotonic */
	uint64_t phases_ns[ENGINE_PHASES]; /* when each had ended, since then */
	const char *backend; /* of the log's io */
	bool unkept;         /* log.io is none */

	struct io *read_io, *control_io, *checkpoint_io;
	struct io *lane_io[WEIR_LANES_MAX];
	struct lane_memory lane_memory[WEIR_LANES_MAX];
	struct lane_source_start starts[WEIR_SOURCES_MAX];
	uint64_t keep_lsn[WEIR_LANES_MAX];
	uint64_t partial_bytes_freed[WEIR_LANES_MAX];
	uint32_t hold_marks;
	struct weir_ring_record *orphans;
	uint32_t orphans_count;

	struct queue *ring_queues[WEIR_LANES_MAX];
	struct queue *mark_queues[WEIR_LANES_MAX];
	struct queue *job_queues[WEIR_SHARDS_MAX];
	struct queue *result_queues[WEIR_SHARDS_MAX];
	struct queue *record_queue;          /* from the control agent to the closing agent */
	uint32_t lane_rings[WEIR_LANES_MAX]; /* offered so far; the intake agent's */

	struct intake *intake;
	struct question_box intake_questions; /* from the control agent */
	struct lane *lanes[WEIR_LANES_MAX];
	struct closing *closing;
	struct shard shards[WEIR_SHARDS_MAX];
	struct storing storing;
	struct keeping keeping;
	struct history *history;
	struct store *store;
	int store_error;             /* the first of the recovery's transaction */
	struct publisher *publisher; /* NULL: no Redis configured */
	struct control *control;
	struct io *rebase_io;
	struct rebase *rebase;
	struct metrics *metrics; /* NULL: Prometheus asks at the control socket only */

	/* request.c; the control agent's, but for the flag. */
	struct config *running;     /* in force since a reload; NULL: `config` */
	struct config *begun;       /* `config` at the start, where that has overrides */
	char *file_text;            /* of the configuration file as last read */
	void *overrides;            /* json_t, overrides.h: those that are not undone */
	uint64_t records_submitted; /* to the closing agent, since the start */
	uint64_t inputs_submitted;  /* number of the last input, in the store's life */
	struct told *told;          /* what was said under a key; NULL: no key was seen yet */
	uint64_t lateness_ms[2];    /* by enum weir_clock_kind, of new sources; relaxed */
	uint32_t reload_asked;      /* by a signal: set by any thread */

	struct agent agents[ENGINE_AGENTS_MAX];
	char agent_names[ENGINE_AGENTS_MAX][16];
	struct agent_watch watches[ENGINE_AGENTS_MAX]; /* the main thread's */
	uint32_t agents_count;
};

static inline void phase_ended(struct engine *engine, enum engine_phase phase)
{
	engine->phases_ns[phase] = clock_monotonic_ns(engine->options.clock) - engine->opened_ns;
}

/* assemble.c: what the lanes write with. Memory for their buffers, which takes a machine its time
 * to find, is found while the log is read. */
int engine_prepare(struct engine *engine, char *why, size_t why_bytes);
/* A lane's memory is there, or nobody is at work at it. */
void engine_prepared(struct engine *engine, uint32_t lane);
/* Everything that engine_open() makes after recovery. */
int engine_assemble(struct engine *engine, char *why, size_t why_bytes);
/* Another io, one operation at a time, for whoever reads or writes files beside the log. */
int engine_make_file_io(struct engine *engine, struct io **ret_io, char *why, size_t why_bytes);
int engine_intake_step(void *engine, uint64_t now_ns);
/* status.c */
/* producers.c: the answer to "producers", a json_t. Control agent. */
void *producers_json(struct engine *engine);
/* detectors.c: the answer to "detectors", a json_t; name: NULL for all. Control agent. */
void *detectors_json(struct engine *engine, const char *name);
/* The running configuration, which a reload changes. Of the control agent. */
const struct config *engine_running(const struct engine *engine);
/* said.c: what a record of feedback (json_t) says of its anomaly: its last and its strongest
 * revision. */
void said_describe(void *record, const struct anomaly *last, const struct anomaly *strongest);
/* What a record of feedback must say, into it; false: why. And the answer to
 * "feedback_list", a json_t. Control agent. */
bool said_complete(const struct engine *engine, void *record, char *why, size_t why_bytes);
void *said_json(struct engine *engine);
char *engine_answer(void *engine, const char *command, const void *request);
/* request.c: what changes something. */
int engine_control_step(void *engine, uint64_t now_ns);
/* request_overrides.c: the configuration's; paths in it are relative to where it lies. */
const char *engine_file_name(const struct engine *engine);
/* Before anything looks at the detectors of `config`. 0, or a negative errno with why. */
int engine_overrides_begin(struct engine *engine, char *why, size_t why_bytes);
/* The configuration of a file as it comes into force: *config is replaced where overrides apply. 0,
 * or a negative errno with why: then it is freed, since it cannot come into force with them. */
int engine_overridden(struct engine *engine, struct config **config, char *why, size_t why_bytes);
/* What an override, or its undoing, comes to: the overrides (json_t) and the configuration from
 * then on. 0, or a negative errno with why. */
int engine_override_plan(struct engine *engine, const struct operator_input *input,
			 void **ret_overrides, struct config **ret_config, char *why,
			 size_t why_bytes);
char *engine_answer_overrides(struct engine *engine);
void engine_use_lateness(struct engine *engine, const struct config *config);
/* NULL: no such command, or the answer comes later (*ret_later). */
char *engine_request(struct engine *engine, const char *command, const void *request,
		     bool *ret_later);

#endif
