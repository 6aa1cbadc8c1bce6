/*
 * request: what an operator asks the engine to do: another configuration, mute, acknowledge.
 *
 * Idea:  each becomes a record of the control log; the operator is answered when that is durable,
 *        and not before. Everything is checked here, so that what stands in the log can be applied.
 *
 *   control socket ──> checked ──> record queue ──> closing agent ──> control log
 *         ^                                                               │ kept
 *         └────────────── answer, when that many records are kept <───────┘
 *
 * Runs on: the control agent (or the thread of a test). Reads the store over a connection of its
 *          own. Never waits: an answer that takes time is polled for (deliver/control.h).
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "config_diff.h"
#include "deliver/payload.h"
#include "engine_private.h"
#include "input_calendar.h"
#include "told.h"
#include "wishes.h"

/* A disk that has not taken a record after this long: the operator is told so. */
#define KEEP_NS UINT64_C(8000000000)
/* A durable one is answered for after this long, whether it can be listed already or not. */
#define SHOW_NS UINT64_C(2000000000)
#define WHY_BYTES 1024

struct pending {
	struct control_later later;
	struct engine *engine;
	uint64_t ticket; /* records that must be kept */
	uint64_t number; /* of an input: it should be in the store too, so that who asks sees it */
	uint64_t shown_ns, deadline_ns; /* that is not waited for beyond; neither is the disk */
	char *answer;
};

static char *take_text(json_t *answer)
{
	char *text = answer ? json_dumps(answer, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;

	json_decref(answer);
	return text;
}

static char *refusal(const char *why)
{
	return take_text(json_pack("{sb ss}", "ok", 0, "error", why));
}

static char *poll_pending(struct control_later *later)
{
	struct pending *pending = (struct pending *)later;
	struct engine *engine = pending->engine;
	char *answer = pending->answer;
	uint64_t now_ns = clock_monotonic_ns(engine->options.clock);

	if (closing_records_kept(engine->closing) >= pending->ticket) {
		/* Relaxed: a commit is seen by other connections as soon as it is done. */
		if (weir_load_relaxed_64(&engine->storing.inputs_stored) < pending->number &&
		    now_ns < pending->shown_ns)
			return NULL;
		pending->answer = NULL;
		return answer;
	}
	if (now_ns < pending->deadline_ns)
		return NULL;
	return take_text(json_pack("{sb sb ss}", "ok", 0, "pending", 1, "error",
				   "the disk of the data directory does not answer; what was asked "
				   "is in force as soon as it does: see weirctl status"));
}

static void forget_pending(struct control_later *later)
{
	struct pending *pending = (struct pending *)later;

	free(pending->answer);
	free(pending);
}

/* Answer so when everything submitted up to now is kept. Steals `answer`. */
static char *answer_later(struct engine *engine, json_t *answer, bool *ret_later)
{
	struct pending *pending = calloc(1, sizeof(*pending));
	uint64_t now_ns = clock_monotonic_ns(engine->options.clock);
	char *text = take_text(answer);

	if (!pending || !text) {
		free(pending);
		free(text);
		return NULL;
	}
	*pending = (struct pending){
		.later = {.poll = poll_pending, .forget = forget_pending},
		.engine = engine,
		.ticket = engine->records_submitted,
		.number = engine->inputs_submitted,
		.shown_ns = now_ns + SHOW_NS,
		.deadline_ns = now_ns + KEEP_NS,
		.answer = text,
	};
	control_later(engine->control, &pending->later);
	*ret_later = true;
	return NULL;
}

/* Steals the record. 0, or -EINVAL with why. */
static int submit(struct engine *engine, struct closing_record *record, char *why, size_t why_bytes)
{
	const char *what = NULL;

	if (!record || !record->text)
		what = "out of memory";
	else if (!closing_takes(engine->closing, record->bytes))
		what = "it is larger than a block of the log: raise log.block_bytes";
	else if (!queue_push(engine->record_queue, record))
		what = "too much is asked at once, or the disk does not answer: try again";
	if (what) {
		snprintf(why, why_bytes, "%s", what);
		closing_record_free(record);
		return -EINVAL;
	}
	engine->records_submitted++;
	return 0;
}

bool engine_kept(const struct engine *engine)
{
	return closing_records_kept(engine->closing) >= engine->records_submitted;
}

const struct config *engine_running(const struct engine *engine)
{
	return engine->running ? engine->running : engine->config;
}

void engine_use_lateness(struct engine *engine, const struct config *config)
{
	struct source_table *table = &engine->recovered.sources;
	/* Orders: the entries before their count; partner: closing_new_source(). */
	uint32_t count = weir_load_acquire_32(&table->count);

	/* Relaxed: numbers that delay closes; nothing hangs on when they are seen. */
	weir_store_relaxed_64(&engine->lateness_ms[WEIR_CLOCK_WALL],
			      (uint64_t)config->lateness_wall_ms);
	weir_store_relaxed_64(&engine->lateness_ms[WEIR_CLOCK_EVENT],
			      (uint64_t)config->lateness_event_ms);
	for (uint32_t s = 0; s < count; s++) {
		struct source *source = &table->sources[s];
		weir_store_relaxed_64((uint64_t *)&source->lateness_ms,
				      weir_load_relaxed_64(&engine->lateness_ms[source->clock]));
	}
}

/* Differences, as an answer shows them, and those that stand in the way. */
struct changes {
	json_t *list;
	char restart[256];
};

static void add_change(void *self, const char *key, const char *from, const char *to, bool restart)
{
	struct changes *changes = self;
	size_t used = strlen(changes->restart);

	json_array_append_new(changes->list, json_pack("{ss ss? ss? sb}", "key", key, "from", from,
						       "to", to, "restart", restart));
	if (restart)
		snprintf(changes->restart + used, sizeof(changes->restart) - used, "%s%s",
			 used ? ", " : "", key);
}

/* Takes a parsed configuration over, if it can be taken; else frees it. */
static int configure(struct engine *engine, struct config *config, const char *name, json_t *list,
		     char *why, size_t why_bytes)
{
	struct changes changes = {.list = list};
	struct closing_record *record = calloc(1, sizeof(*record));
	struct config *own = NULL;

	config_diff(engine_running(engine), config, add_change, &changes);
	if (changes.restart[0]) {
		snprintf(why, why_bytes,
			 "%s: an engine takes %s only when it starts: restart it, "
			 "or put back what it was",
			 name, changes.restart);
		config_free(config);
		free(record);
		return -EINVAL;
	}
	/* A copy for this agent: the shards', which the storing agent frees, goes with the record.
	 */
	int error = config_restore(config->record, strlen(config->record), name, &own, why,
				   why_bytes);
	if (!error && record)
		*record = (struct closing_record){
			.kind = WEIR_CONTROL_CONFIG,
			.text = strdup(config->record),
			.bytes = strlen(config->record),
			.config = config,
		};
	if (error || !record) {
		config_free(config);
		config_free(own);
		free(record);
		return error ? error : -ENOMEM;
	}
	error = submit(engine, record, why, why_bytes);
	if (error < 0) {
		config_free(own);
		return error;
	}
	config_free(engine->running);
	engine->running = own;
	engine_use_lateness(engine, own);
	if (wishes_apply(engine->recovered.registry, own) < 0)
		log_warning("reload", "not enough memory to sketch what new percentiles need; they "
				      "have no values until the next start");
	for (uint32_t i = 0; i < engine->config->lanes; i++)
		lane_retain(engine->lanes[i], own->retain_bytes / engine->config->lanes,
			    own->retain_s);
	return 0;
}

int engine_configure(struct engine *engine, const char *text, size_t bytes, const char *name,
		     char *why, size_t why_bytes)
{
	struct config *config;
	json_t *list = json_array();
	int error = config_parse(text, bytes, name, &config, why, why_bytes);

	if (!error)
		error = engine_overridden(engine, &config, why, why_bytes);
	if (!error)
		error = configure(engine, config, name, list, why, why_bytes);
	json_decref(list);
	return error;
}

/* Read the file again. 0, or negative with why; the list gets what changes. */
static int reload(struct engine *engine, json_t *list, char *why, size_t why_bytes)
{
	const char *path = engine->options.config_path;
	struct config *config;
	int error;

	if (!path) {
		snprintf(why, why_bytes, "this engine was started without a configuration file");
		return -EINVAL;
	}
	error = config_load(path, &config, why, why_bytes);
	if (!error)
		error = engine_overridden(engine, &config, why, why_bytes);
	if (!error && strcmp(config->record, engine_running(engine)->record) == 0) {
		log_info("reload", "%s: nothing has changed", path);
		config_free(config);
		return 0;
	}
	if (!error)
		error = configure(engine, config, path, list, why, why_bytes);
	if (error < 0)
		log_error("reload", "the configuration stays as it was: %s", why);
	else if (closing_closed(engine->closing, 0) == INT64_MIN)
		log_info("reload", "%s: %zu changes, in force from the first interval on", path,
			 json_array_size(list));
	else
		log_info("reload", "%s: %zu changes, in force behind interval %" PRId64, path,
			 json_array_size(list), closing_closed(engine->closing, 0));
	return error;
}

void engine_reload(struct engine *engine)
{
	/* Relaxed: the file is read after the flag is seen, whatever else is. */
	weir_store_relaxed_32(&engine->reload_asked, 1);
}

static char *answer_reload(struct engine *engine, bool *ret_later)
{
	char why[WHY_BYTES] = "";
	json_t *list = json_array();
	int64_t closed = closing_closed(engine->closing, 0);

	if (reload(engine, list, why, sizeof(why)) < 0) {
		json_decref(list);
		return refusal(why);
	}
	json_t *answer = json_pack("{sb so sO}", "ok", 1, "changes", list, "overrides",
				   engine->overrides);
	if (closed != INT64_MIN)
		json_object_set_new(answer, "behind_ms",
				    json_integer((closed + 1) * engine->config->interval_ms));
	return answer_later(engine, answer, ret_later);
}

static char *answer_config(const struct engine *engine)
{
	const struct config *config = engine_running(engine);
	const char *path = engine->options.config_path;

	return take_text(json_pack("{sb ss? ss ss sb}", "ok", 1, "path", path, "text", config->text,
				   "record", config->record, "reloaded", engine->running != NULL));
}

/* An anomaly by its id, as stored. 1, 0: there is none, or negative. */
static int find_anomaly(const struct engine *engine, const uint64_t id[2], struct anomaly *anomaly)
{
	struct store_reader *reader;
	int answer = store_reader_open(engine->store_path, &reader);

	if (answer < 0)
		return answer;
	answer = store_find(reader, id, anomaly);
	store_reader_close(reader);
	return answer;
}

struct sought {
	uint64_t number;
	bool found;
};

static int each_input(void *self, const struct operator_input *input, uint64_t ended)
{
	struct sought *sought = self;

	sought->found |= input->number == sought->number && !ended;
	return sought->found;
}

/* 1: nothing has ended it yet; 0: it has, or it is none of this kind; or negative. */
static int find_input(const struct engine *engine, enum operator_kind kind, uint64_t number)
{
	struct sought sought = {.number = number};
	struct store_reader *reader;
	int error = store_reader_open(engine->store_path, &reader);

	if (error < 0)
		return error;
	error = store_inputs(reader, kind, NULL, 0, each_input, &sought);
	store_reader_close(reader);
	return error < 0 ? error : sought.found;
}

/* 1: the calendar takes another entry; 0: it is full; or negative. */
static int has_room(const struct engine *engine)
{
	struct store_reader *reader;
	int error = store_reader_open(engine->store_path, &reader);

	if (error < 0)
		return error;
	int64_t count = store_standing(reader, OPERATOR_CALENDAR_ADD);
	store_reader_close(reader);
	return count < 0 ? (int)count : count < CALENDAR_ENTRIES_MAX;
}

/* Does what it speaks of exist? 0, or -EINVAL with why. */
static int check_target(const struct engine *engine, const struct operator_input *input, char *why,
			size_t why_bytes)
{
	struct anomaly *anomaly = malloc(sizeof(*anomaly));
	int found = anomaly ? 1 : -ENOMEM;
	const char *what = NULL;

	if (found > 0 && input->has_id)
		found = find_anomaly(engine, input->id, anomaly);
	else if (found > 0 && input->kind == OPERATOR_UNMUTE)
		found = find_input(engine, OPERATOR_MUTE, input->ends);
	else if (found > 0 && input->kind == OPERATOR_CALENDAR_REMOVE)
		found = find_input(engine, OPERATOR_CALENDAR_ADD, input->ends);
	else if (found > 0 && input->kind == OPERATOR_CALENDAR_ADD)
		found = has_room(engine);
	if (found < 0)
		what = strerror(-found);
	else if (found == 0 && input->kind == OPERATOR_UNMUTE)
		what = "there is no such mute, or it is over: see weirctl mute --list";
	else if (found == 0 && input->kind == OPERATOR_CALENDAR_REMOVE)
		what = "there is no such entry, or it was removed: see weirctl calendar list";
	else if (found == 0 && input->kind == OPERATOR_CALENDAR_ADD)
		what = "the calendar is full: remove entries that are over";
	else if (found == 0)
		what = "there is no anomaly with this id";
	else if (input->kind == OPERATOR_ACK && anomaly->state == ANOMALY_RESOLVED)
		what = "this anomaly is resolved: nobody has to look after it; annotate it";
	if (what)
		snprintf(why, why_bytes, "%s", what);
	free(anomaly);
	return what ? -EINVAL : 0;
}

/* The configuration that follows from an override is in force behind its record. */
static int take_overrides(struct engine *engine, void *overrides, struct config *config, char *why,
			  size_t why_bytes)
{
	json_t *list = json_array();
	int error = 0;

	json_decref(engine->overrides);
	engine->overrides = overrides;
	if (strcmp(config->record, engine_running(engine)->record) != 0)
		error = configure(engine, config, engine_file_name(engine), list, why, why_bytes);
	else
		config_free(config);
	json_decref(list);
	return error;
}

int engine_input(struct engine *engine, const char *json, char *why, size_t why_bytes)
{
	struct closing_record *record = calloc(1, sizeof(*record));
	struct operator_input *input = calloc(1, sizeof(*input));
	struct config *config = NULL;
	void *overrides = NULL;
	struct told_entry said;
	int error = record && input ? 0 : -ENOMEM;

	if (!error)
		error = input_parse(json, strlen(json), input, why, why_bytes);
	if (!error)
		error = check_target(engine, input, why, why_bytes);
	if (!error)
		input->number = engine->inputs_submitted + 1;
	if (!error && (input->kind == OPERATOR_OVERRIDE || input->kind == OPERATOR_OVERRIDE_UNDO))
		error = engine_override_plan(engine, input, &overrides, &config, why, why_bytes);
	if (error < 0) {
		free(record);
		free(input);
		return error;
	}
	bool has_key = engine->told && told_of(input, &said);
	*record = (struct closing_record){
		.kind = WEIR_CONTROL_INPUT,
		.text = strdup(json),
		.bytes = strlen(json),
		.input = input,
	};
	error = submit(engine, record, why, why_bytes);
	if (!error) {
		engine->inputs_submitted++;
		if (has_key)
			told_add(engine->told, &said);
	}
	if (!error && config)
		return take_overrides(engine, overrides, config, why, why_bytes);
	config_free(config);
	json_decref(overrides);
	return error;
}

/* The first digits of an id stand for it. false: why. */
static bool complete_id(const struct engine *engine, json_t *record, char *why, size_t why_bytes)
{
	const char *digits = json_string_value(json_object_get(record, "id"));
	struct store_reader *reader;
	uint64_t id[2];
	char text[33];

	if (!digits || strlen(digits) >= 32)
		return true;
	int found = store_reader_open(engine->store_path, &reader);
	if (!found) {
		found = store_match(reader, digits, id);
		store_reader_close(reader);
	}
	if (found != 1) {
		snprintf(why, why_bytes, "%s",
			 found < 0    ? strerror(-found)
			 : found == 0 ? "there is no anomaly with this id: weirctl anomalies shows "
					"them"
				      : "several anomalies' ids begin so: give more of its digits");
		return false;
	}
	anomaly_id_text(id, text);
	json_object_set_new(record, "id", json_string(text));
	return true;
}

/* Unix time without clock_wall_ms(), which is the intake agent's. Relaxed: a time. */
static int64_t wall_ms(const struct engine *engine)
{
	uint64_t live_ms = weir_load_relaxed_64(&engine->recovered.sources.sources[0].clock_ms);

	return (int64_t)(live_ms > engine->started_ms ? live_ms : engine->started_ms);
}

/* The request without its command is the record; a duration from now becomes a time. */
static json_t *record_of(const struct engine *engine, const char *command, const json_t *request)
{
	json_t *record = json_copy((json_t *)(uintptr_t)request);
	const json_t *for_ms = json_object_get(request, "for_ms");
	int64_t now_ms = wall_ms(engine);

	json_object_del(record, "command");
	json_object_set_new(record, "kind", json_string(command));
	json_object_set_new(record, "time_ms", json_integer(now_ms));
	if (json_is_integer(for_ms)) {
		/* Longer than there is time: until its end. */
		int64_t most_ms = ((int64_t)1 << 42) - 1 - now_ms;
		int64_t ms = json_integer_value(for_ms);
		json_object_set_new(record, "until_ms",
				    json_integer(now_ms + (ms < most_ms ? ms : most_ms)));
		json_object_del(record, "for_ms");
	}
	return record;
}

/* 0, or negative with why. */
static int take_input(struct engine *engine, const char *command, json_t *record, char *why,
		      size_t why_bytes)
{
	bool said = strcmp(command, "feedback") == 0 || strcmp(command, "feedback_undo") == 0;

	if (strcmp(command, input_kind_name(OPERATOR_CALENDAR_ADD)) == 0 &&
	    input_calendar_complete(record, why, why_bytes) < 0)
		return -EINVAL;
	if (said && !said_complete(engine, record, why, why_bytes))
		return -EINVAL;
	char *text = json_dumps(record, JSON_COMPACT | JSON_SORT_KEYS);
	int error = text ? engine_input(engine, text, why, why_bytes) : -ENOMEM;
	free(text);
	return error;
}

static char *answer_input(struct engine *engine, const char *command, const json_t *request,
			  bool *ret_later)
{
	char why[WHY_BYTES] = "";
	json_t *record = record_of(engine, command, request);
	json_t *until_ms = json_incref(json_object_get(record, "until_ms"));
	struct told_entry before;
	int error = complete_id(engine, record, why, sizeof(why)) ? 0 : -EINVAL;
	int told = error ? error
			 : told_find(&engine->told, engine->store_path, record, &before, why,
				     sizeof(why));

	if (told == 0)
		error = take_input(engine, command, record, why, sizeof(why));
	else if (told < 0)
		error = told;
	json_decref(record);
	if (error < 0) {
		json_decref(until_ms);
		return refusal(why[0] ? why : strerror(-error));
	}
	json_t *answer = json_pack("{sb sI}", "ok", 1, "number",
				   (json_int_t)(told ? before.number : engine->inputs_submitted));
	if (told)
		json_object_set_new(answer, "repeated", json_true());
	if (told && until_ms) {
		json_decref(until_ms);
		until_ms = json_integer(before.until_ms);
	}
	if (until_ms)
		json_object_set_new(answer, "until_ms", until_ms);
	return answer_later(engine, answer, ret_later);
}

int engine_rebase(struct engine *engine, const char *source, char *why, size_t why_bytes)
{
	const struct source_table *table = &engine->recovered.sources;
	/* Orders: the entries before their count; partner: closing_new_source(). */
	uint32_t count = weir_load_acquire_32(&table->count);
	uint32_t number = 0;

	while (number < count && strcmp(table->sources[number].name, source) != 0)
		number++;
	int error = number < count
			    ? rebase_ask(engine->rebase, number, engine_running(engine)->record)
			    : -ENOENT;
	if (error < 0)
		snprintf(why, why_bytes, "%s",
			 error == -ENOENT  ? "there is no such source: see weirctl status"
			 : error == -EBUSY ? "one is under way"
					   : strerror(-error));
	return error;
}

int engine_rebased(const struct engine *engine)
{
	struct rebase_look look;

	rebase_look(engine->rebase, &look);
	return look.phase == REBASE_DONE ? 1 : look.phase == REBASE_FAILED ? -ECANCELED : 0;
}

/* With a source: begin. In any case how it goes. */
static char *answer_rebase(struct engine *engine, const void *request)
{
	const char *source = json_string_value(json_object_get(request, "source"));
	struct rebase_look look;
	char why[WHY_BYTES];

	int error = source ? engine_rebase(engine, source, why, sizeof(why)) : 0;
	if (error < 0)
		return take_text(json_pack("{sb ss sb}", "ok", 0, "error", why, "unknown",
					   error == -ENOENT));
	rebase_look(engine->rebase, &look);
	const char *name = look.phase == REBASE_IDLE
				   ? ""
				   : engine->recovered.sources.sources[look.source].name;
	json_t *rebase = json_pack("{ss ss sI sI sI sf sI ss}", "phase",
				   rebase_phase_name(look.phase), "source", name, "intervals",
				   (json_int_t)look.intervals, "hours", (json_int_t)look.hours,
				   "days", (json_int_t)look.days, "part", look.part, "damaged",
				   (json_int_t)look.damaged, "error", look.why);
	if (rebase && look.phase == REBASE_DONE) {
		json_object_set_new(rebase, "close", json_integer((json_int_t)look.sequence));
		json_object_set_new(rebase, "behind_ms",
				    json_integer((look.closed + 1) * engine->config->interval_ms));
	}
	return take_text(json_pack("{sb so}", "ok", 1, "rebase", rebase));
}

char *engine_request(struct engine *engine, const char *command, const void *request,
		     bool *ret_later)
{
	static const char *const inputs[] = {"mute",         "unmute",          "ack",
					     "annotate",     "feedback",        "feedback_undo",
					     "calendar_add", "calendar_remove", "override",
					     "override_undo"};

	*ret_later = false;
	if (strcmp(command, "reload") == 0)
		return answer_reload(engine, ret_later);
	if (strcmp(command, "config") == 0)
		return answer_config(engine);
	if (strcmp(command, "overrides") == 0)
		return engine_answer_overrides(engine);
	if (strcmp(command, "rebase") == 0)
		return answer_rebase(engine, request);
	for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++)
		if (strcmp(command, inputs[i]) == 0)
			return answer_input(engine, command, request, ret_later);
	return NULL;
}

int engine_control_step(void *self, uint64_t now_ns)
{
	struct engine *engine = self;

	/* Relaxed: see engine_reload(). */
	if (weir_load_relaxed_32(&engine->reload_asked)) {
		char why[WHY_BYTES] = "";
		json_t *list = json_array();
		weir_store_relaxed_32(&engine->reload_asked, 0);
		(void)reload(engine, list, why,
			     sizeof(why)); /* has said in the log what came of it */
		json_decref(list);
	}
	return control_step(engine->control, now_ns);
}
