/*
 * listing: see listing.h.
 */
#include "listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "deliver/payload.h"
#include "input.h"

/* In one answer at most: a page, not a dump. */
#define ANOMALIES_MAX 1000
#define INPUTS_MAX 1000
/* Remarks shown with one anomaly: the newest. */
#define NOTES_MAX 50

static json_t *remark(const struct operator_input *input)
{
	return json_pack("{sI ss sI ss}", "number", (json_int_t)input->number, "author",
			 input->author, "time_ms", (json_int_t)input->time_ms, "text", input->text);
}

struct remarks {
	json_t *ack, *feedback, *notes;
};

/* The members that only a kind has. */
static void add_detail(json_t *object, const struct operator_input *input)
{
	json_t *detail = input->detail[0] ? json_loads(input->detail, 0, NULL) : NULL;

	if (detail)
		json_object_update_missing(object, detail);
	json_decref(detail);
}

static json_t *judgement(const struct operator_input *input)
{
	json_t *object = remark(input), *all = json_object();

	add_detail(all, input);
	json_object_set(object, "verdict", json_object_get(all, "verdict"));
	json_decref(all);
	return object;
}

/* Newest first. */
static int each_remark(void *self, const struct operator_input *input, uint64_t ended)
{
	struct remarks *remarks = self;

	if (input->kind == OPERATOR_ACK && !remarks->ack)
		remarks->ack = remark(input);
	else if (input->kind == OPERATOR_FEEDBACK && !ended && !remarks->feedback)
		remarks->feedback = judgement(input);
	else if (input->kind == OPERATOR_ANNOTATE)
		json_array_insert_new(remarks->notes, 0, remark(input));
	return 0;
}

static json_t *payload(const struct anomaly *anomaly, const char *environment)
{
	char *text = payload_json(anomaly, environment);
	json_t *event = text ? json_loads(text, 0, NULL) : NULL;

	free(text);
	return event;
}

/* The figures by which one that is over is remembered: its last revision's are nearly normal. */
static void add_strongest(struct store_reader *reader, const struct anomaly *anomaly, json_t *event)
{
	static const char *const shown[] = {"interval_start", "severity",    "observed",
					    "expected",       "explanation", "top_contribution"};
	struct anomaly *strongest = malloc(sizeof(*strongest));

	if (strongest && store_find_strongest(reader, anomaly->id, strongest) > 0) {
		json_t *whole = payload(strongest, "-"), *member = json_object();
		const json_t *data = json_object_get(whole, "data");
		for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
			json_object_set(member, shown[i], json_object_get(data, shown[i]));
		json_object_set_new(event, "strongest", member);
		json_decref(whole);
	}
	free(strongest);
}

json_t *listing_event(struct store_reader *reader, const struct anomaly *anomaly,
		      const char *environment)
{
	struct remarks remarks = {.notes = json_array()};
	json_t *event = payload(anomaly, environment);

	if (event && anomaly->state == ANOMALY_RESOLVED)
		add_strongest(reader, anomaly, event);
	/* Without remarks an anomaly is still worth showing. */
	(void)store_inputs(reader, -1, anomaly->id, NOTES_MAX, each_remark, &remarks);
	if (event && (remarks.ack || remarks.feedback || json_array_size(remarks.notes) > 0)) {
		json_t *said = json_object();
		if (remarks.ack)
			json_object_set(said, "ack", remarks.ack);
		if (remarks.feedback)
			json_object_set(said, "feedback", remarks.feedback);
		if (json_array_size(remarks.notes) > 0)
			json_object_set(said, "notes", remarks.notes);
		json_object_set_new(event, "operator", said);
	}
	json_decref(remarks.ack);
	json_decref(remarks.feedback);
	json_decref(remarks.notes);
	return event;
}

static void set_text(json_t *object, const char *name, const char *text)
{
	if (text[0])
		json_object_set_new(object, name, json_string(text));
}

json_t *listing_input(const struct operator_input *input, uint64_t ended)
{
	json_t *object = remark(input);
	char id[33];

	json_object_set_new(object, "kind", json_string(input_kind_name(input->kind)));
	if (input->has_id) {
		anomaly_id_text(input->id, id);
		json_object_set_new(object, "id", json_string(id));
	}
	set_text(object, "source", input->source);
	set_text(object, "metric", input->metric);
	set_text(object, "detector", input->detector);
	set_text(object, "slice", input->slice);
	if (input->severity_below > 0)
		json_object_set_new(object, "severity_below", json_real(input->severity_below));
	if (input->from_ms)
		json_object_set_new(object, "from_ms", json_integer(input->from_ms));
	if (input->until_ms)
		json_object_set_new(object, "until_ms", json_integer(input->until_ms));
	if (input->ends)
		json_object_set_new(object, input->kind == OPERATOR_UNMUTE ? "mute" : "of",
				    json_integer((json_int_t)input->ends));
	if (ended)
		json_object_set_new(object, "ended", json_integer((json_int_t)ended));
	add_detail(object, input);
	json_object_del(object, "zone_rules"); /* long, and its name says it */
	return object;
}

static int each_verdict(void *self, const struct operator_input *input, uint64_t ended)
{
	enum feedback_verdict *verdict = self;
	json_t *all = json_object();

	if (ended) {
		json_decref(all);
		return 0;
	}
	add_detail(all, input);
	const char *text = json_string_value(json_object_get(all, "verdict"));
	for (int i = FEEDBACK_NO; text && i < FEEDBACK_VERDICTS; i++)
		if (strcmp(text, feedback_verdict_name((enum feedback_verdict)i)) == 0)
			*verdict = (enum feedback_verdict)i;
	json_decref(all);
	return 1;
}

int listing_verdict(struct store_reader *reader, const uint64_t id[2])
{
	enum feedback_verdict verdict = 0;
	int error = store_inputs(reader, OPERATOR_FEEDBACK, id, 0, each_verdict, &verdict);

	return error < 0 ? error : (int)verdict;
}

uint32_t listing_states(const char *names)
{
	static const enum anomaly_state states[] = {ANOMALY_PENDING, ANOMALY_FIRING,
						    ANOMALY_UPDATED, ANOMALY_RESOLVED};
	uint32_t bits = 0;

	for (;;) {
		size_t bytes = strcspn(names, ",");
		uint32_t bit = 0;
		for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
			const char *name = anomaly_state_name(states[i]);
			if (strlen(name) == bytes && memcmp(name, names, bytes) == 0)
				bit = 1u << states[i];
		}
		if (bytes == 4 && memcmp(names, "open", 4) == 0)
			bit = 1u << ANOMALY_FIRING | 1u << ANOMALY_UPDATED;
		if (!bit)
			return 0;
		bits |= bit;
		if (!names[bytes])
			return bits;
		names += bytes + 1;
	}
}

static char *take_text(json_t *answer)
{
	char *text = answer ? json_dumps(answer, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;

	json_decref(answer);
	return text;
}

/* Steals the list. */
static char *answer(int error, const char *name, json_t *list)
{
	if (error < 0) {
		json_decref(list);
		return take_text(json_pack("{sb ss}", "ok", 0, "error", strerror(-error)));
	}
	return take_text(json_pack("{sb so}", "ok", 1, name, list));
}

struct page {
	json_t *list;
	struct store_reader *reader;
	const char *environment;
	int64_t until_after_ms; /* mutes: only those that hold after this; 0: all */
	bool standing;          /* only what nothing has ended, all of it */
};

static int each_anomaly(void *self, const struct anomaly *anomaly)
{
	struct page *page = self;
	json_t *event = listing_event(page->reader, anomaly, page->environment);

	if (!event)
		return -ENOMEM;
	json_array_append_new(page->list, event);
	return 0;
}

static uint32_t limit_of(const json_t *request, uint32_t standard, uint32_t most)
{
	const json_t *field = json_object_get(request, "limit");

	if (json_is_integer(field) && json_integer_value(field) > 0 &&
	    json_integer_value(field) <= most)
		return (uint32_t)json_integer_value(field);
	return standard;
}

char *listing_anomalies(const char *store_path, const char *environment, const json_t *request)
{
	struct store_query query = {.limit = limit_of(request, 100, ANOMALIES_MAX)};
	struct page page = {.list = json_array(), .environment = environment};
	const json_t *field;

	if (json_is_number(field = json_object_get(request, "severity")))
		query.severity_min = json_number_value(field);
	if (json_is_integer(field = json_object_get(request, "since_ms")))
		query.since_ms = json_integer_value(field);
	if (json_is_string(field = json_object_get(request, "metric")))
		query.metric = json_string_value(field);
	if (json_is_string(field = json_object_get(request, "state"))) {
		query.states = listing_states(json_string_value(field));
		if (!query.states)
			return answer(-EINVAL, "", page.list);
	}
	query.revisions = json_is_true(json_object_get(request, "revisions"));
	query.pending = json_is_true(json_object_get(request, "pending"));
	int error = store_reader_open(store_path, &page.reader);
	if (!error) {
		error = store_anomalies(page.reader, &query, each_anomaly, &page);
		store_reader_close(page.reader);
	}
	return answer(error, "anomalies", page.list);
}

static int each_input(void *self, const struct operator_input *input, uint64_t ended)
{
	struct page *page = self;

	if (page->standing && ended)
		return 0;
	if (page->until_after_ms && (ended || input->until_ms <= page->until_after_ms))
		return 0;
	json_array_append_new(page->list, listing_input(input, ended));
	return 0;
}

char *listing_inputs(const char *store_path, const json_t *request)
{
	const char *kind = json_string_value(json_object_get(request, "kind"));
	struct page page = {.list = json_array()};
	struct store_reader *reader;
	int number = -1;

	for (int i = OPERATOR_MUTE; kind && i < OPERATOR_KINDS; i++)
		if (strcmp(kind, input_kind_name((enum operator_kind)i)) == 0)
			number = i;
	if (kind && number < 0)
		return answer(-EINVAL, "", page.list);
	page.until_after_ms = json_integer_value(json_object_get(request, "active_ms"));
	page.standing = json_is_true(json_object_get(request, "standing"));
	int error = store_reader_open(store_path, &reader);
	if (!error) {
		uint32_t limit = page.standing ? 0 : limit_of(request, 100, INPUTS_MAX);
		error = store_inputs(reader, number, NULL, limit, each_input, &page);
		store_reader_close(reader);
	}
	return answer(error, "inputs", page.list);
}
