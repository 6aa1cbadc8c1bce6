/*
 * sieve: filters, facets, histogram, order and pages, against a model that asks each anomaly each
 * question by its texts.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "../deliver/sample.h"
#include "book.h"
#include "made.h"
#include "sieve_private.h"

#define ANOMALIES 400
#define ROUNDS 400

static const char *const metrics[] = {"orders", "revenue", "visits", "orders by hand"};
static const char *const countries[] = {"IT", "DE", "FR, south", "DE=EU"};
static const char *const devices[] = {"app", "web"};

struct model {
	struct anomaly last;
	char country[16], device[16]; /* "": none */
	enum book_status status;
	bool listed;
};

struct query {
	char severity[8], metric[64], slice[96], status[64], detector[64], direction[8];
	char from_ms[24], to_ms[24], q[32], by[8], sort[16], limit[8];
	char cursor[SIEVE_CURSOR_BYTES];
};

static const char *get(const void *self, const char *name)
{
	const struct query *query = self;
	const struct {
		const char *name, *value;
	} all[] = {
		{"severity", query->severity},
		{"metric", query->metric},
		{"slice", query->slice},
		{"status", query->status},
		{"detector", query->detector},
		{"direction", query->direction},
		{"from_ms", query->from_ms},
		{"to_ms", query->to_ms},
		{"q", query->q},
		{"by", query->by},
		{"sort", query->sort},
		{"limit", query->limit},
		{"cursor", query->cursor},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i].name, name) == 0)
			return all[i].value[0] ? all[i].value : NULL;
	return NULL;
}

static uint64_t seed = 20261122;

static unsigned draw(unsigned below)
{
	return (unsigned)(sample_random(&seed) % below);
}

static void draw_slice(struct model *model, char *slice, size_t bytes)
{
	if (draw(3))
		snprintf(model->country, sizeof(model->country), "%s", countries[draw(4)]);
	if (draw(2))
		snprintf(model->device, sizeof(model->device), "%s", devices[draw(2)]);
	snprintf(slice, bytes, "%s%s%s%s%s", model->country[0] ? "country=" : "", model->country,
		 model->country[0] && model->device[0] ? "," : "",
		 model->device[0] ? "device=" : "", model->device);
}

static enum book_status draw_verdict(struct book *book, const struct model *model, uint64_t number)
{
	struct operator_input input = {.kind = OPERATOR_FEEDBACK, .number = number, .has_id = true};
	bool yes = draw(2), over = model->last.state == ANOMALY_RESOLVED;

	memcpy(input.id, model->last.id, sizeof(input.id));
	strcpy(input.detail, yes ? "{\"verdict\":\"yes\"}" : "{\"verdict\":\"no\"}");
	cr_assert_eq(book_input(book, &input, 0), 0);
	return !yes ? BOOK_DISMISSED : over ? BOOK_CONFIRMED : BOOK_OPEN;
}

static void draw_model(struct book *book, struct model *model, uint64_t number)
{
	char slice[64] = "";

	memset(model, 0, sizeof(*model));
	draw_slice(model, slice, sizeof(slice));
	struct anomaly made = made_anomaly(number, metrics[draw(4)], slice);
	made.severity = made.severity_peak = draw(8) ? draw(1010) / 10.0 : NAN;
	made.direction = draw(2) ? 1 : -1;
	made.fired = draw(6) != 0;
	made.observed = draw(200);
	cr_assert_eq(book_revision(book, &made), 0);
	if (draw(2)) {
		made_next(&made, ANOMALY_RESOLVED, 1 + draw(20));
		cr_assert_eq(book_revision(book, &made), 0);
	}
	bool over = made.state == ANOMALY_RESOLVED;
	model->last = made;
	model->listed = made.fired || !over;
	model->status = over ? BOOK_RESOLVED : BOOK_OPEN;
	if (draw(3) == 0)
		model->status = draw_verdict(book, model, number);
}

static void draw_query(struct query *query)
{
	memset(query, 0, sizeof(*query));
	if (draw(2))
		snprintf(query->severity, sizeof(query->severity), "%u", draw(100));
	if (draw(3) == 0)
		snprintf(query->metric, sizeof(query->metric), "%s,%s", metrics[draw(4)],
			 draw(2) ? "nothing" : metrics[draw(4)]);
	if (draw(4) == 0)
		snprintf(query->detector, sizeof(query->detector), "%s-seasonal", metrics[draw(4)]);
	if (draw(3) == 0)
		snprintf(query->slice, sizeof(query->slice), "country=%s%s", countries[draw(4)],
			 draw(2) ? ",device=web" : ",country=IT");
	if (draw(3) == 0)
		snprintf(query->status, sizeof(query->status), "%s,%s",
			 book_status_name(draw(BOOK_STATUSES)),
			 book_status_name(draw(BOOK_STATUSES)));
	if (draw(4) == 0)
		strcpy(query->direction, draw(2) ? "up" : "down");
	if (draw(4) == 0)
		snprintf(query->from_ms, sizeof(query->from_ms), "%lld",
			 (long long)(1000 + draw(ANOMALIES)) * MADE_INTERVAL_MS);
	if (draw(4) == 0)
		snprintf(query->to_ms, sizeof(query->to_ms), "%lld",
			 (long long)(1000 + draw(ANOMALIES)) * MADE_INTERVAL_MS);
	if (draw(5) == 0)
		strcpy(query->q, draw(2) ? "HAND app" : "de");
	if (draw(2))
		strcpy(query->by, draw(2) ? "each" : "group");
	strcpy(query->sort, draw(3) == 0 ? "severity" : draw(2) ? "newest" : "impact");
	snprintf(query->limit, sizeof(query->limit), "%u", 1 + draw(150));
}

/* The names of filters, as the model knows them. */
enum { SEVERITY, METRIC, COUNTRY, DEVICE, STATUS, DETECTOR, DIRECTION, TIME, WORDS, FILTERS };

static bool in_list(const char *list, const char *text)
{
	char padded[128], sought[80];

	snprintf(padded, sizeof(padded), ",%s,", list);
	snprintf(sought, sizeof(sought), ",%s,", text);
	return strstr(padded, sought) != NULL;
}

static bool has_value(const char *slice, const char *dimension, const char *value)
{
	char sought[64];

	if (!strstr(slice, dimension))
		return true;
	snprintf(sought, sizeof(sought), "%s=%s", dimension, value);
	return value[0] && in_list(slice, sought);
}

static bool has_word(const struct model *model, const char *word)
{
	return strcasestr(model->last.metric, word) || strcasestr(model->last.slice, word) ||
	       strcasestr(model->last.detector, word) || strcasestr("shop seasonal", word);
}

static void ask_model(const struct model *model, const struct query *query, bool passes[FILTERS])
{
	const struct anomaly *last = &model->last;
	int64_t start_ms = last->start * MADE_INTERVAL_MS;
	int64_t end_ms = (last->interval + 1) * MADE_INTERVAL_MS;
	bool over = last->state == ANOMALY_RESOLVED;

	passes[SEVERITY] = atof(query->severity) <= 0 ||
			   last->severity_peak >= atof(query->severity);
	passes[METRIC] = !query->metric[0] || in_list(query->metric, last->metric);
	passes[DETECTOR] = !query->detector[0] || in_list(query->detector, last->detector);
	passes[STATUS] = !query->status[0] ||
			 in_list(query->status, book_status_name(model->status));
	passes[DIRECTION] = !query->direction[0] ||
			    (last->direction < 0) == (query->direction[0] == 'd');
	passes[COUNTRY] = has_value(query->slice, "country", model->country);
	passes[DEVICE] = has_value(query->slice, "device", model->device);
	passes[TIME] = !(query->to_ms[0] && start_ms >= atoll(query->to_ms)) &&
		       !(query->from_ms[0] && over && end_ms <= atoll(query->from_ms));
	if (query->q[0] == 'H')
		passes[WORDS] = has_word(model, "hand") && has_word(model, "app");
	else
		passes[WORDS] = !query->q[0] || has_word(model, "de");
}

/* Do all filters hold but this one? FILTERS: all. */
static bool all_but(const bool passes[FILTERS], int but)
{
	bool all = true;

	for (int i = 0; i < FILTERS; i++)
		all &= passes[i] || i == but;
	return all;
}

/* Groups, or single ones, of which at least one is such. */
struct counter {
	uint64_t seen[ANOMALIES];
	unsigned count;
};

static void count(struct counter *counter, uint64_t unit)
{
	for (unsigned i = 0; i < counter->count; i++)
		if (counter->seen[i] == unit)
			return;
	counter->seen[counter->count++] = unit;
}

static unsigned facet_of(const struct sieve_facet *list, uint32_t many, const char *name)
{
	for (uint32_t i = 0; i < many; i++)
		if (strcmp(list[i].name->text, name) == 0)
			return list[i].count;
	return 0;
}

struct asked {
	const struct model *model;
	const struct query *query;
	const struct sieve_answer *answer;
	bool passes[ANOMALIES][FILTERS];
	bool each;
};

static uint64_t unit_of(const struct asked *asked, unsigned i)
{
	return asked->each ? i + 1 : asked->model[i].last.group[1];
}

/* How many units have one that passes all but `but`, and of which `is` says yes. */
static unsigned model_count(const struct asked *asked, int but,
			    bool (*is)(const struct model *model, const void *what),
			    const void *what)
{
	static struct counter counter;

	counter.count = 0;
	for (unsigned i = 0; i < ANOMALIES; i++)
		if (asked->model[i].listed && (but < 0 || all_but(asked->passes[i], but)) &&
		    is(&asked->model[i], what))
			count(&counter, unit_of(asked, i));
	return counter.count;
}

static bool is_any(const struct model *model, const void *what)
{
	(void)model;
	(void)what;
	return true;
}

static bool is_metric(const struct model *model, const void *what)
{
	return strcmp(model->last.metric, what) == 0;
}

static bool is_country(const struct model *model, const void *what)
{
	return strcmp(model->country, what) == 0;
}

static bool is_device(const struct model *model, const void *what)
{
	return strcmp(model->device, what) == 0;
}

static bool is_status(const struct model *model, const void *what)
{
	return model->status == *(const enum book_status *)what;
}

static bool is_up(const struct model *model, const void *what)
{
	return (model->last.direction > 0) == *(const bool *)what;
}

static void compare_facets(const struct asked *asked)
{
	const struct sieve_answer *answer = asked->answer;

	for (size_t i = 0; i < 4; i++) {
		char text[80];
		cr_assert_eq(facet_of(answer->metric, answer->metrics, metrics[i]),
			     model_count(asked, METRIC, is_metric, metrics[i]));
		snprintf(text, sizeof(text), "%s-seasonal", metrics[i]);
		cr_assert_eq(facet_of(answer->detector, answer->detectors, text),
			     model_count(asked, DETECTOR, is_metric, metrics[i]));
		snprintf(text, sizeof(text), "country=%s", countries[i]);
		cr_assert_eq(facet_of(answer->pair, answer->pairs, text),
			     model_count(asked, COUNTRY, is_country, countries[i]), "%s of %s",
			     text, asked->query->slice);
	}
	for (size_t i = 0; i < 2; i++) {
		char text[80];
		bool up = i == 1;
		snprintf(text, sizeof(text), "device=%s", devices[i]);
		cr_assert_eq(facet_of(answer->pair, answer->pairs, text),
			     model_count(asked, DEVICE, is_device, devices[i]));
		cr_assert_eq(answer->direction[i], model_count(asked, DIRECTION, is_up, &up));
	}
	for (enum book_status i = 0; i < BOOK_STATUSES; i++)
		cr_assert_eq(answer->status[i], model_count(asked, STATUS, is_status, &i));
}

/* What the slider shows: so many of this severity and above. */
static void compare_histogram(const struct asked *asked)
{
	static struct counter counter;
	unsigned above = 0;

	for (int bin = SIEVE_BINS - 1; bin >= 0; bin--) {
		above += asked->answer->histogram[bin];
		counter.count = 0;
		for (unsigned i = 0; i < ANOMALIES; i++) {
			double peak = asked->model[i].last.severity_peak;
			if (asked->model[i].listed && all_but(asked->passes[i], SEVERITY) &&
			    (isnan(peak) ? 0 : floor(peak)) >= bin)
				count(&counter, unit_of(asked, i));
		}
		cr_assert_eq(above, counter.count, "from %d on: %u, not %u", bin, above,
			     counter.count);
		if (bin > 0 && bin == atoi(asked->query->severity))
			cr_assert_eq(above, asked->answer->shown);
	}
}

static double key_of(const struct asked *asked, const struct book_row *row)
{
	double key = asked->query->sort[0] == 's'   ? row->entry.peak
		     : asked->query->sort[0] == 'i' ? fabs(row->impact)
						    : (double)row->entry.start_ms;
	return isnan(key) ? -1 : key;
}

/* The row of a group: its total where that has fired and passes, else the most severe. */
static void compare_row(const struct asked *asked, const struct book_row *row)
{
	unsigned members = 0, passing = 0;
	double most = -1;
	bool total = false, found = false;

	for (unsigned i = 0; i < ANOMALIES; i++) {
		const struct model *model = &asked->model[i];
		bool self = model->last.id[1] == row->entry.id[1];
		if (model->last.group[1] != row->entry.group[1] || !model->listed)
			continue;
		members++;
		if (!all_but(asked->passes[i], FILTERS))
			continue;
		passing++;
		found |= self;
		total |= model->last.fired && !model->last.slice[0];
		most = fmax(most, model->last.severity_peak);
	}
	cr_assert(found, "it passes");
	cr_assert_eq(row->members, asked->each ? members : passing);
	if (asked->each)
		return;
	cr_assert_eq(total, row->entry.fired && !row->entry.slice->bytes);
	if (!total && most >= 0 && !isnan(row->entry.peak))
		cr_assert_eq(row->entry.peak, most);
}

static unsigned compare_pages(struct asked *asked, struct book *book, struct query *query)
{
	unsigned rows = 0, pages = 0;
	double last = INFINITY;
	char why[256];

	do {
		struct sieve_answer answer;
		struct sieve *sieve;
		cr_assert_eq(sieve_create(get, query, &sieve, why, sizeof(why)), 0, "%s", why);
		cr_assert_eq(sieve_run(sieve, book, &answer), 0);
		sieve_free(sieve);
		asked->answer = &answer;
		cr_assert_eq(answer.shown, model_count(asked, FILTERS, is_any, NULL));
		cr_assert_eq(answer.total, model_count(asked, -1, is_any, NULL));
		cr_assert_leq((int)answer.rows, atoi(query->limit));
		for (uint32_t i = 0; i < answer.rows; i++) {
			cr_assert_leq(key_of(asked, &answer.row[i]), last);
			last = key_of(asked, &answer.row[i]);
			compare_row(asked, &answer.row[i]);
		}
		if (pages == 0) {
			compare_facets(asked);
			compare_histogram(asked);
		}
		rows += answer.rows;
		strcpy(query->cursor, answer.cursor);
		sieve_answer_fini(&answer);
	} while (query->cursor[0] && ++pages < ANOMALIES);
	return rows;
}

Test(sieve, answers_what_a_model_answers)
{
	static struct model model[ANOMALIES];
	static struct asked asked;
	struct book *book;
	struct query query;

	cr_assert_eq(book_create(0, &book), 0);
	for (size_t i = 0; i < 3; i++)
		cr_assert_eq(book_metric(book, metrics[i], i == 1 ? "sum" : "count",
					 i == 1 ? "value" : "count"),
			     0);
	for (unsigned i = 0; i < ANOMALIES; i++)
		draw_model(book, &model[i], i + 1);
	cr_assert_eq(book_settle(book), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		draw_query(&query);
		asked.model = model;
		asked.query = &query;
		asked.each = query.by[0] == 'e';
		for (unsigned i = 0; i < ANOMALIES; i++)
			ask_model(&model[i], &query, asked.passes[i]);
		unsigned rows = compare_pages(&asked, book, &query);
		cr_assert_eq(rows, model_count(&asked, FILTERS, is_any, NULL),
			     "all pages together, each row once");
	}
	book_destroy(book);
}

Test(sieve, refuses_what_it_does_not_understand)
{
	static const struct query wrong[] = {
		{.severity = "many"},
		{.severity = "101"},
		{.severity = "-1"},
		{.severity = "nan"},
		{.severity = "0x10"},
		{.severity = " 10"},
		{.severity = "+10"},
		{.severity = "1e1"},
		{.severity = "1.2.3"},
		{.severity = "."},
		{.limit = " 10"},
		{.limit = "+10"},
		{.status = "closed"},
		{.direction = "left"},
		{.by = "metric"},
		{.sort = "name"},
		{.limit = "1001"},
		{.limit = "x"},
		{.from_ms = "-5"},
		{.to_ms = "99999999999999999"},
		{.slice = "IT"},
		{.cursor = "deadbeef"},
		{.q = "a b c d e f g h i j"},
		{.status = "open," /* a comma too many is none of them */ "x"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct sieve *sieve;
		char why[256] = "";
		cr_assert_lt(sieve_create(get, &wrong[i], &sieve, why, sizeof(why)), 0, "%zu", i);
		cr_assert_gt(strlen(why), 5);
	}
}

Test(sieve, understands_a_decimal)
{
	static const struct {
		struct query query;
		double severity;
	} right[] = {
		{{.severity = "49.5"}, 49.5},
		{{.severity = ".5"}, 0.5},
		{{.severity = "100"}, 100},
	};

	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		struct sieve *sieve;
		char why[256] = "";
		cr_assert_eq(sieve_create(get, &right[i].query, &sieve, why, sizeof(why)), 0);
		cr_assert_eq(sieve->severity, right[i].severity);
		sieve_free(sieve);
	}
}

Test(sieve, a_comma_that_belongs_to_a_value_ends_nothing)
{
	static const char slice[] = "city=a\\,device\\=x,device=y";
	struct anomaly made = made_anomaly(1, "orders", slice);
	struct query query = {.slice = "city=a\\,device\\=x"};
	struct sieve_answer answer;
	struct sieve *sieve;
	struct book *book;
	char why[256];

	cr_assert_eq(book_create(0, &book), 0);
	cr_assert_eq(book_revision(book, &made), 0);
	cr_assert_eq(sieve_create(get, &query, &sieve, why, sizeof(why)), 0, "%s", why);
	cr_assert_eq(sieve_run(sieve, book, &answer), 0);
	cr_assert_eq(answer.shown, 1);
	sieve_answer_fini(&answer);
	sieve_free(sieve);
	book_destroy(book);
}

Test(sieve, finds_an_anomaly_by_the_first_digits_of_its_id)
{
	struct book *book;
	struct sieve *sieve;
	struct sieve_answer answer;
	struct query query = {.q = "ID"};
	char why[256];

	cr_assert_eq(book_create(0, &book), 0);
	for (uint64_t i = 1; i < 50; i++) {
		struct anomaly made = made_anomaly(i, "orders", "");
		cr_assert_eq(book_revision(book, &made), 0);
		if (i == 30)
			snprintf(query.q, sizeof(query.q), "%.6llx",
				 (unsigned long long)(made.id[0] >> 40));
	}
	cr_assert_eq(sieve_create(get, &query, &sieve, why, sizeof(why)), 0);
	cr_assert_eq(sieve_run(sieve, book, &answer), 0);
	cr_assert_eq(answer.shown, 1);
	cr_assert_eq(answer.row[0].entry.id[1], 30);
	sieve_answer_fini(&answer);
	sieve_free(sieve);
	book_destroy(book);
}
