/*
 * api_series: what there is to chart: the metrics that the history knows; the slices of one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "chart.h"
#include "looking.h"

#define WHY_BYTES 640
#define METRICS_MAX 4096u
#define LIMIT_DEFAULT 200
#define LIMIT_MAX 2000

struct listing {
	json_t *list;
	const char *wanted; /* a part of the slice's label; NULL: any */
	size_t limit;
	bool more, any;
};

static int each_metric(void *self, const struct history_metric_name *name)
{
	struct listing *listing = self;

	json_array_append_new(listing->list,
			      json_pack("{ss ss ss sI}", "metric", name->metric, "aggregation",
					chart_aggregation_name(name->aggregation), "source",
					name->source, "slices", (json_int_t)name->slices));
	return json_array_size(listing->list) >= METRICS_MAX;
}

static int each_slice(void *self, const struct history_name *name)
{
	struct listing *listing = self;

	listing->any = true;
	if (listing->wanted && !strcasestr(name->slice, listing->wanted))
		return 0;
	if (json_array_size(listing->list) == listing->limit) {
		listing->more = true;
		return 1;
	}
	json_array_append_new(listing->list, json_pack("{ss ss}", "source", name->source, "slice",
						       name->slice));
	return 0;
}

static json_t *list(struct history_reader *reader, const struct api_request *request,
		    unsigned *status)
{
	const char *metric = api_query(request, "metric"), *q = api_query(request, "q");
	struct listing listing = {.list = json_array(), .wanted = q && q[0] ? q : NULL};
	json_t *answer = NULL;
	int64_t limit;
	int error = 0;

	if (api_query_i64(request, "limit", 1, LIMIT_MAX, LIMIT_DEFAULT, &limit, &answer) < 0) {
		*status = 400;
	} else if (metric && metric[0]) {
		listing.limit = (size_t)limit;
		error = history_slices(reader, metric, each_slice, &listing);
		answer = listing.any ? json_pack("{sO sb}", "slices", listing.list, "more",
						 (int)listing.more)
				     : api_error(status, 404,
						 "nothing is known of %s: /api/v1/series lists "
						 "what there is",
						 metric);
	} else {
		error = history_metrics(reader, each_metric, &listing);
		answer = json_pack("{sO}", "metrics", listing.list);
	}
	if (error < 0) {
		json_decref(answer);
		answer = looking_failed(error, "the history cannot be read: try again", status);
	}
	json_decref(listing.list);
	return answer;
}

json_t *api_series(struct console *console, const struct api_request *request, unsigned *status)
{
	struct looking looking;
	struct history_reader *reader;
	json_t *answer = looking_begin(console, &looking, status);

	if (!answer) {
		int error = history_reader_open_or_say(looking.history, &reader, looking.why,
						       sizeof(looking.why));
		if (error == -ENOENT) {
			/* Nothing was closed yet. */
			answer = json_pack("{s[]}", api_query(request, "metric") ? "slices"
										 : "metrics");
		} else if (error < 0) {
			answer = api_error(status, 503, "%s", looking.why);
		} else {
			answer = list(reader, request, status);
			history_reader_close(reader);
		}
	}
	looking_end(&looking);
	return answer;
}
