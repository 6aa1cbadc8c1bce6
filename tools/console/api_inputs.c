/*
 * api_inputs: what people say and do: feedback, acknowledgements, notes, mutes, and their undoing.
 *
 * Idea:  the engine is told, and its answer waited for: it has kept what was said when it says so.
 *        Then the book is brought up to date, so that who asks next sees it. What the engine
 *        refuses is refused in its words (409); what is no such thing at all, before it is asked
 *        (422). Looking goes without an engine.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "api.h"
#include "console.h"
#include "deliver/payload.h"
#include "engine_link.h"
#include "follow.h"
#include "listing.h"
#include "row.h"

#define LISTED_MAX 1000

enum member_type { MEMBER_TEXT, MEMBER_WHOLE, MEMBER_NUMBER };

struct member {
	const char *name;
	enum member_type type;
};

static bool is_type(const json_t *value, enum member_type type)
{
	switch (type) {
	case MEMBER_TEXT:
		return json_is_string(value);
	case MEMBER_WHOLE:
		return json_is_integer(value);
	default:
		return json_is_number(value);
	}
}

static const char *type_words(enum member_type type)
{
	if (type == MEMBER_TEXT)
		return "a text";
	return type == MEMBER_WHOLE ? "a whole number" : "a number";
}

static const struct member *member_of(const struct member *members, const char *name)
{
	while (members->name && strcmp(members->name, name) != 0)
		members++;
	return members->name ? members : NULL;
}

/* The body's members into what the engine is told. NULL, or the error's answer. */
static json_t *take_members(const struct api_request *request, const struct member *members,
			    json_t *tell, unsigned *status)
{
	const char *name;
	json_t *value;

	json_object_foreach(request->body, name, value)
	{
		const struct member *member = member_of(members, name);
		if (strcmp(name, "author") == 0 || json_is_null(value))
			continue;
		if (!member)
			return api_error(status, 422, "\"%.64s\" is not known here", name);
		if (!is_type(value, member->type))
			return api_error(status, 422, "\"%s\" has to be %s", name,
					 type_words(member->type));
		/* "" is what is not said. */
		if (member->type != MEMBER_TEXT || json_string_length(value) > 0)
			json_object_set(tell, name, value);
	}
	return NULL;
}

/* The caller's, or one of our own: so that it can be said again, and is kept once. */
static void make_key(const struct api_request *request, char key[OPERATOR_KEY_BYTES])
{
	uint64_t number[2] = {0};

	snprintf(key, OPERATOR_KEY_BYTES, "%s", request->key);
	if (!key[0] && getrandom(number, sizeof(number), 0) == sizeof(number))
		snprintf(key, OPERATOR_KEY_BYTES, "%016" PRIx64 "%016" PRIx64, number[0],
			 number[1]);
}

/* Nobody has said whether it is kept. */
static json_t *unknown_outcome(const char *key, const char *why, unsigned *status)
{
	json_t *answer = api_error(status, 503,
				   "%s. It may have been kept: said again with the header "
				   "Idempotency-Key: %s it is kept once",
				   why, key);

	json_object_set_new(answer, "outcome", json_string("unknown"));
	json_object_set_new(answer, "key", json_string(key));
	return answer;
}

/* Tell the engine; steals `tell`. Its answer. */
static json_t *tell_engine(struct console *console, const struct api_request *request, json_t *tell,
			   unsigned *status)
{
	char why[ENGINE_WHY_BYTES] = "", key[OPERATOR_KEY_BYTES];
	bool unknown;

	make_key(request, key);
	json_object_set_new(tell, "author", json_string(request->author));
	if (key[0])
		json_object_set_new(tell, "key", json_string(key));
	json_t *answer = engine_tell(console->link, tell, &unknown, status, why);
	if (!answer && unknown)
		return unknown_outcome(key, why, status);
	if (!answer)
		return api_error(status, *status == 400 ? 409 : *status, "%s", why);
	*status = 200;
	follow_catch_up(console->follow);
	json_object_del(answer, "ok");
	return answer;
}

/* The id of the path, whole, as the store has it. 0, or the error's answer. */
static json_t *find_id(struct console *console, const char *digits, char text[33], unsigned *status)
{
	char why[ENGINE_WHY_BYTES] = "";
	char *path = engine_link_path(console->link, "weir.db", why);
	struct store_reader *reader;
	uint64_t id[2];

	if (!path)
		return api_error(status, 503, "%s", why);
	int found = store_reader_open(path, &reader);
	free(path);
	if (found == 0) {
		found = store_match(reader, digits, id);
		store_reader_close(reader);
	}
	if (found < 0)
		return api_error(status, 503, "the data directory's weir.db cannot be read: %s",
				 strerror(-found));
	if (found != 1)
		return api_error(status, 404,
				 found ? "more than one anomaly has an id that begins so: give "
					 "more of its digits"
				       : "there is no anomaly with this id");
	anomaly_id_text(id, text);
	return NULL;
}

/* A remark on the anomaly of the path. */
static json_t *tell_of(struct console *console, const struct api_request *request,
		       const char *command, const struct member *members, unsigned *status)
{
	char id[33];
	json_t *wrong = find_id(console, request->id, id, status);

	if (wrong)
		return wrong;
	json_t *tell = json_pack("{ss ss}", "command", command, "id", id);
	wrong = take_members(request, members, tell, status);
	if (!wrong)
		return tell_engine(console, request, tell, status);
	json_decref(tell);
	return wrong;
}

json_t *api_feedback(struct console *console, const struct api_request *request, unsigned *status)
{
	static const struct member members[] = {
		{"verdict", MEMBER_TEXT}, {"text", MEMBER_TEXT}, {NULL, 0}};

	return tell_of(console, request, "feedback", members, status);
}

json_t *api_ack(struct console *console, const struct api_request *request, unsigned *status)
{
	static const struct member members[] = {{"text", MEMBER_TEXT}, {NULL, 0}};

	return tell_of(console, request, "ack", members, status);
}

json_t *api_note(struct console *console, const struct api_request *request, unsigned *status)
{
	static const struct member members[] = {{"text", MEMBER_TEXT}, {NULL, 0}};

	return tell_of(console, request, "annotate", members, status);
}

json_t *api_note_span(struct console *console, const struct api_request *request, unsigned *status)
{
	static const struct member members[] = {{"metric", MEMBER_TEXT},
						{"slice", MEMBER_TEXT},
						{"source", MEMBER_TEXT},
						{"from_ms", MEMBER_WHOLE},
						{"until_ms", MEMBER_WHOLE},
						{"text", MEMBER_TEXT},
						{NULL, 0}};
	json_t *tell = json_pack("{ss}", "command", "annotate");
	json_t *wrong = take_members(request, members, tell, status);

	if (!wrong)
		return tell_engine(console, request, tell, status);
	json_decref(tell);
	return wrong;
}

/* A number of the path; 0: it is none. */
static uint64_t number_of(const char *text)
{
	char *end;

	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	return *end || errno || text[0] == '-' || text[0] == '+' ? 0 : number;
}

struct sought {
	uint64_t number;
	bool found, ended;
	uint64_t id[2];
	uint64_t last; /* the number of the newest that holds of the same anomaly */
};

static int each_sought(void *self, const struct operator_input *input, uint64_t ended)
{
	struct sought *sought = self;

	if (input->number != sought->number)
		return 0;
	sought->found = true;
	sought->ended = ended != 0;
	memcpy(sought->id, input->id, sizeof(sought->id));
	return 1;
}

static int each_of_it(void *self, const struct operator_input *input, uint64_t ended)
{
	struct sought *sought = self;

	if (!ended)
		sought->last = input->number;
	return sought->last != 0;
}

/* The feedback of this number. 0 or negative errno. */
static int seek(struct console *console, struct sought *sought, char why[ENGINE_WHY_BYTES])
{
	char *path = engine_link_path(console->link, "weir.db", why);
	struct store_reader *reader;
	int error = path ? store_reader_open(path, &reader) : -ENOENT;

	free(path);
	if (error)
		return error;
	error = store_inputs(reader, OPERATOR_FEEDBACK, NULL, 0, each_sought, sought);
	if (!error && sought->found)
		error = store_inputs(reader, OPERATOR_FEEDBACK, sought->id, 0, each_of_it, sought);
	store_reader_close(reader);
	return error;
}

json_t *api_feedback_undo(struct console *console, const struct api_request *request,
			  unsigned *status)
{
	struct sought sought = {.number = number_of(request->id)};
	char why[ENGINE_WHY_BYTES] = "", id[33];
	int error = sought.number ? seek(console, &sought, why) : 0;

	if (error)
		return api_error(status, 503, "%s", why[0] ? why : strerror(-error));
	if (!sought.found)
		return api_error(status, 404, "there is no feedback with this number");
	if (sought.ended)
		return api_error(status, 409, "it was taken back already");
	/* The engine takes back what was said last. */
	if (sought.last != sought.number)
		return api_error(status, 409,
				 "something was said of this anomaly since (number %" PRIu64
				 "): take that back first",
				 sought.last);
	anomaly_id_text(sought.id, id);
	return tell_engine(console, request,
			   json_pack("{ss ss}", "command", "feedback_undo", "id", id), status);
}

/* On a source that brings its own time (a replay, an import) a duration is of that time. */
static void take_duration(struct console *console, json_t *tell)
{
	const json_t *for_ms = json_object_get(tell, "for_ms"), *source;
	const char *named = json_string_value(json_object_get(tell, "source"));
	const char *digits = json_string_value(json_object_get(tell, "id"));
	char of_id[64] = "";
	uint64_t id[2];
	size_t i;

	if (digits && sscanf(digits, "%16" SCNx64 "%16" SCNx64, &id[0], &id[1]) == 2) {
		book_read(console->book);
		const struct book_entry *entry = book_find(console->book, id);
		snprintf(of_id, sizeof(of_id), "%s", entry ? entry->source->text : "");
		book_done(console->book);
		named = of_id;
	}
	json_t *status = engine_link_known(console->link);
	json_array_foreach(json_object_get(status, "sources"), i, source)
	{
		const char *name = json_string_value(json_object_get(source, "name"));
		const char *clock = json_string_value(json_object_get(source, "clock"));
		json_int_t now_ms = json_integer_value(json_object_get(source, "clock_ms"));
		if (!for_ms || !named || !name || strcmp(named, name) != 0 || !clock ||
		    strcmp(clock, "event") != 0 || now_ms <= 0)
			continue;
		json_object_set_new(tell, "until_ms",
				    json_integer(now_ms + json_integer_value(for_ms)));
		json_object_del(tell, "for_ms");
		break;
	}
	json_decref(status);
}

json_t *api_mute(struct console *console, const struct api_request *request, unsigned *status)
{
	static const struct member members[] = {
		{"metric", MEMBER_TEXT},  {"detector", MEMBER_TEXT},
		{"slice", MEMBER_TEXT},   {"source", MEMBER_TEXT},
		{"id", MEMBER_TEXT},      {"severity_below", MEMBER_NUMBER},
		{"for_ms", MEMBER_WHOLE}, {"until_ms", MEMBER_WHOLE},
		{"text", MEMBER_TEXT},    {NULL, 0}};
	json_t *tell = json_pack("{ss}", "command", "mute");
	json_t *wrong = take_members(request, members, tell, status);
	const json_t *for_ms = json_object_get(tell, "for_ms");
	const char *digits = json_string_value(json_object_get(tell, "id"));
	char id[33];

	if (!wrong && digits && !(wrong = find_id(console, digits, id, status)))
		json_object_set_new(tell, "id", json_string(id));
	if (!wrong && for_ms &&
	    (json_integer_value(for_ms) <= 0 || json_integer_value(for_ms) >= (json_int_t)1 << 42))
		wrong = api_error(status, 422, "\"for_ms\" has to be a duration from 1 on");
	if (wrong) {
		json_decref(tell);
		return wrong;
	}
	take_duration(console, tell);
	return tell_engine(console, request, tell, status);
}

json_t *api_unmute(struct console *console, const struct api_request *request, unsigned *status)
{
	uint64_t number = number_of(request->id);

	if (!number || number > INT64_MAX)
		return api_error(status, 404, "there is no mute with this number");
	return tell_engine(console, request,
			   json_pack("{ss sI}", "command", "unmute", "mute", (json_int_t)number),
			   status);
}

struct listing {
	json_t *list;
	struct book *book; /* of mutes: only what counts by it; NULL: all */
	int64_t now_ms;
};

static bool counts(const struct listing *listing, const struct operator_input *mute)
{
	book_read(listing->book);
	bool does = book_mute_counts(listing->book, mute, listing->now_ms);
	book_done(listing->book);
	return does;
}

static int each_listed(void *self, const struct operator_input *input, uint64_t ended)
{
	struct listing *listing = self;

	if (listing->book && (ended || !counts(listing, input)))
		return 0;
	json_array_append_new(listing->list, listing_input(input, ended));
	return json_array_size(listing->list) >= LISTED_MAX;
}

/* From the store: {name: [...]}, newest first; of mutes those that count. */
static json_t *list_inputs(struct console *console, enum operator_kind kind, const char *name,
			   unsigned *status)
{
	struct listing listing = {.list = json_array(), .now_ms = (int64_t)time(NULL) * 1000};
	char why[ENGINE_WHY_BYTES] = "";
	char *path = engine_link_path(console->link, "weir.db", why);
	struct store_reader *reader;
	int error = path ? store_reader_open(path, &reader) : -ENOENT;

	free(path);
	if (kind == OPERATOR_MUTE)
		listing.book = console->book;
	if (!error) {
		error = store_inputs(reader, (int)kind, NULL, 0, each_listed, &listing);
		store_reader_close(reader);
	}
	if (!error)
		return json_pack("{so}", name, listing.list);
	json_decref(listing.list);
	return api_error(status, 503, "%s", why[0] ? why : strerror(-error));
}

json_t *api_mutes(struct console *console, const struct api_request *request, unsigned *status)
{
	(void)request;
	return list_inputs(console, OPERATOR_MUTE, "mutes", status);
}

json_t *api_feedback_said(struct console *console, const struct api_request *request,
			  unsigned *status)
{
	char why[ENGINE_WHY_BYTES];

	(void)request;
	json_t *answer = engine_ask(console->link, json_pack("{ss}", "command", "feedback_list"),
				    status, why);
	if (answer) {
		*status = 200;
		json_object_del(answer, "ok");
		return answer;
	}
	*status = 200;
	return list_inputs(console, OPERATOR_FEEDBACK, "feedback", status);
}
