/*
 * api_anomaly: everything about one anomaly: its row, its revisions, where it comes from, what
 * moved with it, what was said and done.
 *
 * Idea:  the row and its group are in the book; the rest is read from the store for this one
 *        answer. One that the book has forgotten gets a book of its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "came_about.h"
#include "console.h"
#include "deliver/payload.h"
#include "detail.h"
#include "engine_link.h"
#include "input.h"
#include "listing.h"
#include "row.h"

#define MEMBERS_MAX 40u

struct reading {
	struct console *console;
	struct store_reader *reader;
	uint64_t id[2];
	struct anomaly last, strongest;
	struct book_row row;
	struct names *names; /* the row's, held */
	int64_t through_ms;  /* event time that its source has come to */
	json_t *revisions, *timeline, *mutes;
	bool said; /* there is feedback that holds */
};

/* 0, or the error's answer. */
static json_t *open_store(struct reading *reading, unsigned *status)
{
	char why[ENGINE_WHY_BYTES] = "";
	char *path = engine_link_path(reading->console->link, "weir.db", why);

	if (!path)
		return api_error(status, 503, "%s", why);
	int error = store_reader_open(path, &reading->reader);
	free(path);
	if (error)
		return api_error(status, 503, "the data directory's weir.db cannot be read: %s",
				 strerror(-error));
	return NULL;
}

static json_t *find(struct reading *reading, const char *digits, unsigned *status)
{
	int found = store_match(reading->reader, digits, reading->id);

	if (found == 1)
		found = store_find(reading->reader, reading->id, &reading->last);
	else if (found > 1)
		return api_error(status, 404,
				 "more than one anomaly has an id that begins so: "
				 "give more of its digits");
	if (found == 1)
		found = store_find_strongest(reading->reader, reading->id, &reading->strongest);
	if (found < 0)
		return api_error(status, 503, "the anomaly cannot be read: %s", strerror(-found));
	if (found == 0)
		return api_error(status, 404, "there is no anomaly with this id");
	return NULL;
}

static int each_revision(void *self, const struct anomaly *revision)
{
	struct reading *reading = self;

	json_array_append_new(reading->revisions, detail_revision(revision));
	detail_add_revision(reading->timeline, revision);
	return 0;
}

static int each_input(void *self, const struct operator_input *input, uint64_t ended)
{
	struct reading *reading = self;

	reading->said |= input->kind == OPERATOR_FEEDBACK && !ended;
	detail_add_input(reading->timeline, input, ended);
	return 0;
}

/* Those that hold for it; what mutes more than this one is said in the timeline too. */
static int each_mute(void *self, const struct operator_input *input, uint64_t ended)
{
	struct reading *reading = self;
	const struct input_target target = {
		.id = reading->id,
		.source = reading->last.source,
		.metric = reading->last.metric,
		.detector = reading->last.detector,
		.slice = reading->last.slice,
		.severity_peak = reading->last.severity_peak,
	};

	if (ended || !input_mute_holds(input, &target, reading->through_ms))
		return 0;
	json_array_append_new(reading->mutes,
			      json_pack("{sI ss sI ss sb}", "number", (json_int_t)input->number,
					"author", input->author, "until_ms",
					(json_int_t)input->until_ms, "text", input->text, "only",
					(int)input->has_id));
	if (!input->has_id)
		detail_add_input(reading->timeline, input, 0);
	return 0;
}

static int each_alone(void *self, const struct anomaly *revision)
{
	return book_revision(self, revision);
}

/* Newest first: what was taken back counts for nothing, the first that holds is all that counts. */
static int each_said_alone(void *self, const struct operator_input *input, uint64_t ended)
{
	if (ended)
		return 0;
	(void)book_input(self, input, ended); /* without memory it stays unsaid */
	return 1;
}

/* What is known of its metric. */
static int take_metric(struct reading *reading, struct book *book)
{
	struct book *from = reading->console->book;
	int error = 0;

	book_read(from);
	for (uint32_t i = 0; i < from->metrics && !error; i++)
		if (strcmp(from->metric[i].name->text, reading->last.metric) == 0)
			error = book_metric(book, reading->last.metric, from->metric[i].aggregation,
					    from->metric[i].unit);
	book_done(from);
	return error;
}

/* The book has it no more. */
static int fill_alone(struct reading *reading)
{
	struct book *book;
	int error = book_create(0, &book);

	if (!error)
		error = take_metric(reading, book);
	if (!error)
		error = store_life(reading->reader, reading->id, 0, each_alone, book);
	if (!error)
		error = store_inputs(reading->reader, OPERATOR_FEEDBACK, reading->id, 0,
				     each_said_alone, book);
	const struct book_entry *entry = error ? NULL : book_find(book, reading->id);
	if (entry) {
		row_fill(book, entry, 1, &reading->row);
		reading->names = names_hold(book->names);
		reading->through_ms = entry->through_ms;
	}
	book_destroy(book);
	return error ? error : entry ? 0 : -ENOENT;
}

static int fill_row(struct reading *reading)
{
	struct book *book = reading->console->book;

	book_read(book);
	const struct book_entry *entry = book_find(book, reading->id);
	if (entry) {
		row_fill(book, entry, book_group_of(book, entry)->members, &reading->row);
		reading->names = names_hold(book->names);
		reading->through_ms = book_through(book, entry);
	}
	book_done(book);
	return entry ? 0 : fill_alone(reading);
}

static int compare_rows(const void *left, const void *right)
{
	const struct book_row *l = left, *r = right;
	bool l_total = !l->entry.slice->bytes, r_total = !r->entry.slice->bytes;

	if (l_total != r_total)
		return l_total ? -1 : 1;
	if (l->entry.peak != r->entry.peak)
		return l->entry.peak < r->entry.peak ? 1 : -1;
	return memcmp(l->entry.id, r->entry.id, sizeof(l->entry.id));
}

/* Of its group the total first, then the most severe. */
static json_t *members_json(struct reading *reading)
{
	struct book *book = reading->console->book;
	json_t *list = json_array();
	struct book_row *row = NULL;
	uint32_t count = 0;

	book_read(book);
	const struct book_entry *entry = book_find(book, reading->id);
	const struct book_group *group = entry ? book_group_of(book, entry) : NULL;
	if (group)
		row = calloc(group->members + 1, sizeof(*row));
	for (uint32_t i = row ? group->first : BOOK_NONE; i != BOOK_NONE; i = book->entry[i].next)
		if (book_is_listed(&book->entry[i]) && count < group->members)
			row_fill(book, &book->entry[i], group->members, &row[count++]);
	struct names *names = names_hold(book->names);
	book_done(book);
	if (count)
		qsort(row, count, sizeof(*row), compare_rows);
	for (uint32_t i = 0; i < count && i < MEMBERS_MAX; i++)
		json_array_append_new(list, row_json(&row[i]));
	names_release(names);
	free(row);
	return list;
}

/* How well an anomaly answers to what a related metric says: 0: not at all. */
static int fit(const struct book_entry *entry, const struct related *related)
{
	bool alive = entry->start_ms <= related->start_ms &&
		     (!book_is_over(entry) || entry->through_ms > related->start_ms);
	int down = related->direction < 0;

	if (!book_is_listed(entry) || !alive || strcmp(entry->metric->text, related->metric) != 0)
		return 0;
	return 1 + 4 * (entry->start_ms == related->start_ms) + 2 * !entry->slice->bytes +
	       ((entry->direction < 0) == down);
}

/* The anomaly that a related metric had then; false: the book has none. */
static bool find_related(const struct book *book, const struct anomaly *of,
			 const struct related *related, uint64_t ret_id[2])
{
	int best = 0;

	for (uint32_t i = 0; i < book->count; i++) {
		const struct book_entry *entry = &book->entry[i];
		int fits = fit(entry, related);
		if (fits <= best || strcmp(entry->source->text, of->source) != 0)
			continue;
		best = fits;
		memcpy(ret_id, entry->id, sizeof(entry->id));
	}
	return best > 0;
}

static json_t *related_json(struct reading *reading)
{
	const struct anomaly *of = &reading->last;
	struct book *book = reading->console->book;
	json_t *list = json_array();
	uint64_t id[ANOMALY_RELATED_MAX][2];
	bool found[ANOMALY_RELATED_MAX];

	book_read(book);
	for (uint32_t i = 0; i < of->relateds; i++)
		found[i] = find_related(book, of, &of->related[i], id[i]);
	book_done(book);
	for (uint32_t i = 0; i < of->relateds; i++) {
		const struct related *from = &of->related[i];
		char text[33];
		if (found[i])
			anomaly_id_text(id[i], text);
		json_array_append_new(list, json_pack("{ss ss sI sI ss?}", "metric", from->metric,
						      "direction", row_direction(from->direction),
						      "start_ms", (json_int_t)from->start_ms,
						      "lead_ms", (json_int_t)from->lead_ms, "id",
						      found[i] ? text : NULL));
	}
	return list;
}

/* What the feedback does, as the engine says; it may be away. */
static void add_effect(struct reading *reading, json_t *feedback)
{
	char why[ENGINE_WHY_BYTES];
	unsigned status;
	json_t *answer = engine_ask(reading->console->link,
				    json_pack("{ss}", "command", "feedback_list"), &status, why);
	const json_t *said;
	size_t i;

	json_array_foreach(json_object_get(answer, "feedback"), i, said)
	{
		if (!json_equal(json_object_get(said, "number"),
				json_object_get(feedback, "number")))
			continue;
		json_t *effect = json_object_get(said, "effect");
		if (effect)
			json_object_set(feedback, "effect", effect);
	}
	json_decref(answer);
}

/* {"ack","feedback","notes"}; taken out of the event, which subscribers get without. */
static json_t *operator_json(struct reading *reading, json_t *event)
{
	json_t *said = json_incref(json_object_get(event, "operator"));
	json_t *feedback;

	json_object_del(event, "operator");
	json_object_del(event, "strongest");
	if (!said)
		said = json_object();
	feedback = json_object_get(said, "feedback");
	if (feedback && reading->said)
		add_effect(reading, feedback);
	json_object_set_new(said, "ack",
			    json_object_get(said, "ack") ? json_incref(json_object_get(said, "ack"))
							 : json_null());
	if (!feedback)
		json_object_set_new(said, "feedback", json_null());
	if (!json_object_get(said, "notes"))
		json_object_set_new(said, "notes", json_array());
	return said;
}

static json_t *event_json(struct reading *reading)
{
	json_t *status = engine_link_known(reading->console->link);
	const char *environment = json_string_value(json_object_get(status, "environment"));
	json_t *event = listing_event(reading->reader, &reading->last,
				      environment ? environment : "prod");

	json_decref(status);
	return event ? event : json_object();
}

static int read_lists(struct reading *reading)
{
	reading->revisions = json_array();
	reading->timeline = json_array();
	reading->mutes = json_array();
	int error = store_life(reading->reader, reading->id, DETAIL_REVISIONS_MAX, each_revision,
			       reading);
	if (!error)
		error = store_inputs(reading->reader, -1, reading->id, DETAIL_INPUTS_MAX,
				     each_input, reading);
	if (!error)
		error = store_inputs(reading->reader, OPERATOR_MUTE, NULL, 0, each_mute, reading);
	detail_sort(reading->timeline);
	return error;
}

static json_t *answer_json(struct reading *reading)
{
	bool sums = strcmp(reading->row.aggregation, "count") == 0 ||
		    strcmp(reading->row.aggregation, "sum") == 0;
	json_t *event = event_json(reading);
	json_t *said = operator_json(reading, event);
	json_t *body = json_object();

	json_object_set_new(body, "row", row_json(&reading->row));
	json_object_set(body, "revisions", reading->revisions);
	json_object_set_new(body, "came_about",
			    came_about_json(reading->console, &reading->strongest,
					    reading->last.severity_peak));
	json_object_set_new(body, "contributions", detail_contributions(&reading->strongest, sums));
	json_object_set_new(body, "explanation", detail_explanation(&reading->strongest));
	json_object_set_new(body, "related", related_json(reading));
	json_object_set_new(body, "members", members_json(reading));
	json_object_set_new(body, "operator", said);
	json_object_set(body, "mutes", reading->mutes);
	json_object_set(body, "timeline", reading->timeline);
	json_object_set_new(body, "event", event);
	return body;
}

static json_t *answer(struct reading *reading, const char *digits, unsigned *status)
{
	json_t *wrong = open_store(reading, status);

	if (!wrong)
		wrong = find(reading, digits, status);
	if (wrong)
		return wrong;
	int error = fill_row(reading);
	if (!error)
		error = read_lists(reading);
	if (error)
		return api_error(status, 503, "the anomaly cannot be read: %s", strerror(-error));
	return answer_json(reading);
}

json_t *api_anomaly(struct console *console, const struct api_request *request, unsigned *status)
{
	struct reading *reading = calloc(1, sizeof(*reading));

	if (!reading)
		return api_error(status, 503, "there is not enough memory to answer");
	reading->console = console;
	json_t *body = answer(reading, request->id, status);
	json_decref(reading->revisions);
	json_decref(reading->timeline);
	json_decref(reading->mutes);
	names_release(reading->names);
	store_reader_close(reading->reader);
	free(reading);
	return body;
}
