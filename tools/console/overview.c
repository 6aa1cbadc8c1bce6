/*
 * overview: see overview.h. This file says when it is worked out; overview_metric.c works out one
 * metric.
 */
#include "overview.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/monotonic.h"
#include "chart.h"
#include "console.h"
#include "looking.h"
#include "marks.h"
#include "overview_metric.h"

#define METRICS_MAX 12
#define CANDIDATES_MAX 256
/* Who has not asked for so long does not look any more. */
#define LOOKED_AT_MS 120000u
/* As old as it gets where no close comes: corrections do, and configurations. */
#define OLD_MS 30000u

struct overview {
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool working;
	json_t *answer; /* NULL: never worked out */
	int64_t progress;
	uint64_t begun_ms, made_ms; /* the answer */
	uint64_t asked_ms;
};

struct overview *overview_open(void)
{
	struct overview *overview = calloc(1, sizeof(*overview));

	if (!overview)
		return NULL;
	pthread_mutex_init(&overview->lock, NULL);
	pthread_cond_init(&overview->done, NULL);
	overview->asked_ms = monotonic_ms(); /* somebody is about to */
	return overview;
}

void overview_close(struct overview *overview)
{
	if (!overview)
		return;
	json_decref(overview->answer);
	pthread_mutex_destroy(&overview->lock);
	pthread_cond_destroy(&overview->done);
	free(overview);
}

struct candidates {
	const struct looking *looking;
	struct overview_metric metric[CANDIDATES_MAX];
	uint32_t count;
};

/* A metric of several sources is that of the one that is furthest. */
static int each_metric(void *self, const struct history_metric_name *name)
{
	struct candidates *all = self;
	struct overview_metric *metric = NULL;
	int rank = overview_rank(all->looking->config, name->metric);

	if (rank < 0)
		return 0;
	for (uint32_t i = 0; i < all->count; i++)
		if (strcmp(all->metric[i].name, name->metric) == 0)
			metric = &all->metric[i];
	if (metric && metric->through_ms >= name->through_ms)
		return 0;
	if (!metric && all->count == CANDIDATES_MAX)
		return 1;
	if (!metric)
		metric = &all->metric[all->count++];
	*metric = (struct overview_metric){.rank = rank, .through_ms = name->through_ms};
	snprintf(metric->name, sizeof(metric->name), "%s", name->metric);
	snprintf(metric->source, sizeof(metric->source), "%s", name->source);
	return 0;
}

static int by_rank(const void *a, const void *b)
{
	const struct overview_metric *x = a, *y = b;

	return (x->rank > y->rank) - (x->rank < y->rank);
}

/* The most telling ones of the history's metrics, in order. */
static int find_metrics(struct history_reader *reader, const struct looking *looking,
			struct candidates **ret_all)
{
	struct candidates *all = calloc(1, sizeof(*all));

	*ret_all = all;
	if (!all)
		return -ENOMEM;
	all->looking = looking;
	int error = history_metrics(reader, each_metric, all);
	if (!error)
		qsort(all->metric, all->count, sizeof(all->metric[0]), by_rank);
	if (all->count > METRICS_MAX)
		all->count = METRICS_MAX;
	return error;
}

static json_t *metric_json(const struct looking *looking, struct overview_metric *metric)
{
	if (overview_metric_look(looking, metric) < 0)
		return NULL;
	return json_pack("{ss ss ss ss sI sI so so so so}", "metric", metric->name, "source",
			 metric->source, "aggregation", chart_aggregation_name(metric->aggregation),
			 "unit", looking_unit(looking, metric->name), "from_ms",
			 (json_int_t)metric->from_ms, "through_ms", (json_int_t)metric->through_ms,
			 "observed", looking_number(metric->observed), "expected",
			 looking_rough(metric->expected), "change", looking_rough(metric->change),
			 "spark", metric->spark ? metric->spark : json_null());
}

/* What is open changes between closes too: it is as of now. */
static void add_open(struct book *book, json_t *answer)
{
	json_t *metric;
	size_t i;

	json_array_foreach(json_object_get(answer, "metrics"), i, metric)
	{
		const char *source = json_string_value(json_object_get(metric, "source"));
		const char *name = json_string_value(json_object_get(metric, "metric"));
		struct marks_open open = marks_of_metric(book, source, name);
		json_object_set_new(metric, "severity",
				    open.count ? looking_rough(open.worst) : json_null());
		json_object_set_new(metric, "open", json_integer(open.count));
	}
}

/* Of a history whose reader is open. */
static json_t *work_out(const struct looking *looking, struct history_reader *reader,
			unsigned *status)
{
	struct candidates *all;
	json_t *list = json_array();
	int64_t from_ms = 0, through_ms = 0;
	int error = find_metrics(reader, looking, &all);

	for (uint32_t i = 0; !error && i < all->count; i++) {
		struct overview_metric *metric = &all->metric[i];
		json_t *json = metric_json(looking, metric);
		/* One that cannot be read is left out: the chart says why. */
		if (!json)
			continue;
		json_array_append_new(list, json);
		if (metric->through_ms > through_ms) {
			through_ms = metric->through_ms;
			from_ms = metric->from_ms;
		}
	}
	free(all);
	if (error < 0) {
		json_decref(list);
		return looking_failed(-EIO, "the history cannot be read: try again", status);
	}
	return json_pack("{so so so}", "from_ms", through_ms ? json_integer(from_ms) : json_null(),
			 "through_ms", through_ms ? json_integer(through_ms) : json_null(),
			 "metrics", list);
}

static json_t *nothing_yet(void)
{
	return json_pack("{sn sn s[]}", "from_ms", "through_ms", "metrics");
}

/* How far the history was when somebody came. */
struct arrival {
	uint64_t at_ms;
	int64_t progress;
};

/* With the lock: is there an answer that is good still? What was begun since is, however much
 * further the history was by then. */
static bool is_good(const struct overview *overview, const struct arrival *arrival)
{
	return overview->answer &&
	       (overview->progress == arrival->progress || overview->begun_ms >= arrival->at_ms) &&
	       monotonic_ms() - overview->made_ms < OLD_MS;
}

/* Work it out, or wait for who does. NULL: it is in overview->answer. With the lock. */
static json_t *refresh(struct console *console, const struct looking *looking,
		       struct history_reader *reader, const struct arrival *arrival,
		       unsigned *status)
{
	struct overview *overview = console->overview;

	while (overview->working && !is_good(overview, arrival))
		pthread_cond_wait(&overview->done, &overview->lock);
	if (is_good(overview, arrival))
		return NULL;
	uint64_t begun_ms = monotonic_ms();
	overview->working = true;
	pthread_mutex_unlock(&overview->lock);
	unsigned code = 200;
	json_t *answer = work_out(looking, reader, &code);
	pthread_mutex_lock(&overview->lock);
	overview->working = false;
	pthread_cond_broadcast(&overview->done);
	if (!answer || code != 200) {
		*status = code;
		return answer;
	}
	json_decref(overview->answer);
	overview->answer = answer;
	overview->progress = arrival->progress;
	overview->begun_ms = begun_ms;
	overview->made_ms = monotonic_ms();
	return NULL;
}

static json_t *answer_of(struct console *console, const struct looking *looking, unsigned *status)
{
	struct overview *overview = console->overview;
	struct history_reader *reader;
	char why[ENGINE_WHY_BYTES];
	struct arrival arrival = {.at_ms = monotonic_ms()};
	int error = history_reader_open_or_say(looking->history, &reader, why, sizeof(why));

	if (error == -ENOENT)
		return nothing_yet();
	if (error < 0)
		return api_error(status, 503, "%s", why);
	if (history_progress(reader, &arrival.progress) < 0)
		arrival.progress = -1;
	pthread_mutex_lock(&overview->lock);
	json_t *answer = refresh(console, looking, reader, &arrival, status);
	if (!answer && *status == 200)
		answer = json_deep_copy(overview->answer);
	pthread_mutex_unlock(&overview->lock);
	if (*status == 200)
		add_open(console->book, answer);
	history_reader_close(reader);
	return answer;
}

static json_t *look(struct console *console, unsigned *status)
{
	struct looking looking;
	json_t *answer = looking_begin(console, &looking, status);

	if (!answer)
		answer = answer_of(console, &looking, status);
	looking_end(&looking);
	return answer;
}

json_t *overview_get(struct console *console, unsigned *status)
{
	struct overview *overview = console->overview;

	pthread_mutex_lock(&overview->lock);
	overview->asked_ms = monotonic_ms();
	pthread_mutex_unlock(&overview->lock);
	return look(console, status);
}

void overview_step(struct console *console)
{
	struct overview *overview = console->overview;
	unsigned status = 200;

	pthread_mutex_lock(&overview->lock);
	bool looked_at = monotonic_ms() - overview->asked_ms < LOOKED_AT_MS;
	pthread_mutex_unlock(&overview->lock);
	if (looked_at)
		json_decref(look(console, &status));
}
