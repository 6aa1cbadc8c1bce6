/*
 * replay: find a log's anomalies again, by the engine's own replay, and compare them with those
 * that the live run has stored.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "deliver/payload.h"
#include "deliver/store.h"
#include "log/io.h"
#include "options.h"
#include "replay.h"
#include "revisions.h"
#include "score_line.h"
#include "text.h"
#include "weir/limits.h"

#define IO_DEPTH 1 /* nothing is written */

struct run {
	const char *directory;
	uint64_t shards;
	bool compare, json;
	const char *scores, *slice, *source; /* a detector's name, or NULL */
	char scored_source[WEIR_SOURCE_NAME_BYTES]; /* the first that has it, if none is given */
	bool firing;
	struct revisions replayed, stored;
	bool out_of_memory;
};

static const struct option_row rows[] = {
	{.name = "shards",
	 .argument = "N",
	 .help = "as so many shards would; default 1",
	 .kind = OPTION_U64,
	 .min = 1,
	 .max = WEIR_SHARDS_MAX,
	 .at = offsetof(struct run, shards)},
	{.name = "compare",
	 .help = "with what the live run has stored; exit code 1 if it differs",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct run, compare)},
	{.name = "scores",
	 .argument = "DETECTOR",
	 .help = "what this detector said of each interval instead, as CSV: the columns of weirctl "
		 "score, weight and squares",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct run, scores)},
	{.name = "slice",
	 .argument = "SLICE",
	 .help = "with --scores, of this slice, as country=DE; default the total",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct run, slice)},
	{.name = "source",
	 .argument = "NAME",
	 .help = "with --scores, of this source; default the first that the detector works on",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct run, source)},
	ROW_JSON(struct run, "one JSON object per line"),
};

static void print_double(const char *name, double value)
{
	char text[TEXT_NUMBER_BYTES];
	text_double(text, value);
	printf(",\"%s\":%s", name, text);
}

static void print_text(const char *name, const char *value)
{
	printf(",\"%s\":", name);
	text_json(stdout, value);
}

static void print_top(const struct anomaly *anomaly)
{
	char top[2 + sizeof(anomaly->contribution[0])];
	if (anomaly->contributions == 0) {
		printf(",\"top_contribution\":null");
		return;
	}
	snprintf(top, sizeof(top), "%s=%s", anomaly->contribution[0].dimension,
		 anomaly->contribution[0].value);
	print_text("top_contribution", top);
}

static void print_json(uint64_t sequence, const struct anomaly *anomaly)
{
	char id[33];
	anomaly_id_text(anomaly->id, id);
	printf("{\"id\":\"%s\",\"revision\":%u,\"state\":\"%s\",\"close\":%" PRIu64, id,
	       anomaly->revision, anomaly_state_name(anomaly->state), sequence);
	print_double("severity", anomaly->severity);
	print_double("peak", anomaly->severity_peak);
	print_text("source", anomaly->source);
	print_text("metric", anomaly->metric);
	print_text("slice", anomaly->slice);
	print_text("detector", anomaly->detector);
	print_text("direction", anomaly->direction < 0   ? "down"
				: anomaly->direction > 0 ? "up"
							 : "none");
	printf(",\"start_ms\":%" PRId64 ",\"interval_start_ms\":%" PRId64
	       ",\"interval_ms\":%" PRId64,
	       anomaly_time_ms(anomaly, anomaly->start, false),
	       anomaly_time_ms(anomaly, anomaly->interval, false), anomaly->interval_ms);
	print_double("observed", anomaly->observed);
	print_double("expected", anomaly->expected);
	print_top(anomaly);
	puts("}");
}

static void print_people(const struct anomaly *anomaly)
{
	char id[33], time[TEXT_TIME_BYTES];
	char observed[TEXT_NUMBER_BYTES], expected[TEXT_NUMBER_BYTES];
	anomaly_id_text(anomaly->id, id);
	text_time(time, anomaly_time_ms(anomaly, anomaly->interval, false));
	text_brief(observed, anomaly->observed);
	text_brief(expected, anomaly->expected);
	printf("%s  %.8s-%-3u %-8s %9.5f  %s%s%s%s  %s instead of %s\n", time, id,
	       anomaly->revision, anomaly_state_name(anomaly->state), anomaly->severity,
	       anomaly->metric, anomaly->slice[0] ? "[" : "", anomaly->slice,
	       anomaly->slice[0] ? "]" : "", observed, expected);
}

static void each_replayed(void *self, uint64_t sequence, const struct anomaly *anomaly)
{
	struct run *run = self;
	if (run->scores)
		return;
	if (run->compare)
		run->out_of_memory |= revisions_add(&run->replayed, anomaly) < 0;
	else if (run->json)
		print_json(sequence, anomaly);
	else
		print_people(anomaly);
}

/* Is it the detector and the source that are asked for? */
static bool is_wanted(struct run *run, const struct scorer_detail *detail)
{
	const char *source = run->source ? run->source : run->scored_source;

	if (strcmp(detail->detector->name, run->scores) != 0)
		return false;
	if (!run->source && !run->scored_source[0])
		snprintf(run->scored_source, sizeof(run->scored_source), "%s", detail->source);
	return strcmp(detail->source, source) == 0;
}

static void print_scores(struct run *run, const struct observations *observations, uint32_t i,
			 const struct bank_slice *slice)
{
	bool ratio = observations->aggregation == AGGREGATE_RATIO;
	bool sum = observations->aggregation == AGGREGATE_SUM;
	const struct score_line line = {
		.timed = true,
		.time_ms = observations->interval * observations->interval_ms,
		.value = observations->value[i],
		.expected = slice->expected,
		.lower = slice->lower,
		.upper = slice->upper,
		.score = slice->score,
		.onset = slice->onset,
		.severity = slice->severity,
		.alarm = slice->firing && !run->firing,
	};
	run->firing = slice->firing;
	score_line_put(stdout, &line);
	score_line_number(stdout, ratio ? observations->weight[i] : observations->events[i]);
	score_line_number(stdout, sum ? observations->sum_squares[i] : (double)NAN);
	putchar('\n');
}

static void each_scored(void *self, const struct scorer_detail *detail)
{
	struct run *run = self;
	uint32_t count = bank_slices(detail->bank);

	if (!is_wanted(run, detail))
		return;
	for (uint32_t i = 0; i < count; i++) {
		struct bank_slice slice;
		bank_slice(detail->bank, i, &slice);
		if (strcmp(slice.label, run->slice ? run->slice : "") == 0)
			print_scores(run, detail->observations, i, &slice);
	}
}

static int each_stored(void *self, const struct anomaly *anomaly)
{
	struct run *run = self;
	run->out_of_memory |= revisions_add(&run->stored, anomaly) < 0;
	return run->out_of_memory;
}

static int compare(struct run *run, const struct replay *replay)
{
	struct store_query query = {.after_sequence = replay->started_at, .revisions = true};
	struct store_reader *reader;
	char *path;
	if (asprintf(&path, "%s/weir.db", run->directory) < 0)
		return TOOL_IO;
	int error = store_reader_open(path, &reader);
	if (!error) {
		error = store_anomalies(reader, &query, each_stored, run);
		store_reader_close(reader);
	}
	if (error < 0 || run->out_of_memory) {
		fprintf(stderr, "weirctl: %s: %s\n", path, strerror(error ? -error : ENOMEM));
		free(path);
		return TOOL_IO;
	}
	free(path);
	struct revisions_difference difference = revisions_compare(&run->replayed, "replay",
								   &run->stored, "store", stderr);
	bool same = difference.changed + difference.only_left + difference.only_right == 0;
	printf(run->json ? "{\"ok\":%s,\"same\":%" PRIu64 ",\"changed\":%" PRIu64
			   ",\"only_replayed\":%" PRIu64 ",\"only_stored\":%" PRIu64
			   ",\"closes\":%" PRIu64 ",\"started_at\":%" PRIu64 "}\n"
			 : "the same: %s; %" PRIu64 " revisions alike, %" PRIu64
			   " changed, %" PRIu64 " only replayed, %" PRIu64 " only stored (%" PRIu64
			   " closes after close %" PRIu64 ")\n",
	       same ? (run->json ? "true" : "yes") : (run->json ? "false" : "NO"), difference.same,
	       difference.changed, difference.only_left, difference.only_right, replay->closes,
	       replay->started_at);
	return same ? TOOL_OK : TOOL_NO;
}

static int replay_directory(struct run *run)
{
	struct io *io = NULL;
	struct replay replay = {0};
	int fd = open(run->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = fd < 0 ? -errno : io_pwrite_create(fd, IO_DEPTH, &io);
	if (error < 0) {
		fprintf(stderr, "weirctl: %s: %s\n", run->directory, strerror(-error));
		if (fd >= 0)
			close(fd);
		return TOOL_IO;
	}
	struct replay_options replay_options = {.io = io,
						.shards = (uint32_t)run->shards,
						.series_max = WEIR_SERIES_MAX,
						.start = REPLAY_OLDEST,
						.each = each_replayed,
						.each_scored = run->scores ? each_scored : NULL,
						.self = run};
	int code = TOOL_OK;
	error = replay_run(&replay_options, &replay);
	if (error < 0) {
		fprintf(stderr, "weirctl: %s: %s\n", run->directory,
			replay.why[0]      ? replay.why
			: error == -ENOENT ? "there is no log here: the folder `control` is missing"
					   : strerror(-error));
		code = TOOL_IO;
	} else if (run->compare) {
		code = compare(run, &replay);
	}
	replay_fini(&replay);
	io->ops->destroy(io);
	close(fd);
	return code;
}

static int run(void *self, int count, char **operands)
{
	struct run *run = self;
	(void)count;
	run->directory = operands[0];
	if (run->scores && (run->compare || run->json))
		return options_wrong(&command_replay.options,
				     "--scores writes CSV and nothing else: leave out --%s",
				     run->compare ? "compare" : "json");
	if (run->scores)
		puts(SCORE_LINE_COLUMNS ",weight,squares");
	int code = replay_directory(run);
	revisions_fini(&run->replayed);
	revisions_fini(&run->stored);
	return code;
}

static const struct run defaults = {.shards = 1};

static const struct option_example examples[] = {
	{"weirctl replay /var/lib/weir --compare",
	 "Does the log give what the live engine found, bit for bit"},
	{"weirctl replay /var/lib/weir --scores orders-seasonal >orders.csv",
	 "What a detector expected, and how it judged, interval by interval"},
};

const struct command command_replay = {
	.options = {.program = "weirctl replay",
		    .operands = "DIR",
		    .summary = "find a log's anomalies again, and compare",
		    .description =
			    "Find the anomalies of a log again: every revision, in order. It "
			    "begins at the first event, or where retention has taken that, at the "
			    "oldest checkpoint. With the engine stopped.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    .exits = {[TOOL_NO] = "what was replayed is not what was stored"}},
	.bytes = sizeof(struct run),
	.defaults = &defaults,
	.run = run,
};
