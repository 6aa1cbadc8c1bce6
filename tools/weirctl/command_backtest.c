/*
 * backtest: what a draft of a detector would have found, beside what the live one has found.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "backtest.h"
#include "command.h"
#include "deliver/payload.h"
#include "log/io.h"
#include "options.h"
#include "since.h"
#include "text.h"

#define WHY_BYTES 1024
#define DRAFT_BYTES_MAX (1u << 20)
#define IO_DEPTH 1 /* nothing is written */
#define LISTED_MAX 50

struct command_given {
	const char *socket, *draft, *since, *source;
	bool all, json;
};

static const struct option_row rows[] = {
	{.name = "detector",
	 .argument = "FILE",
	 .help = "the draft, YAML: one detector or several, as in the configuration; default those "
		 "that were in force",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct command_given, draft)},
	{.name = "since",
	 .argument = "TIME",
	 .help = "count what began so long before the end, as 7d; or from a time on, as "
		 "2011-01-04; default 30d",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct command_given, since)},
	{.name = "source",
	 .argument = "NAME",
	 .help = "of this source; default all",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct command_given, source)},
	{.name = "all",
	 .help = "list all anomalies of both sides, not only those that differ",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct command_given, all)},
	ROW_CONTROL(struct command_given),
	ROW_JSON(struct command_given, "one JSON object"),
};

/* Severities from the most severe band on. */
static const double bands[BACKTEST_BANDS] = {SEVERITY_WARNING, SEVERITY_MINOR, SEVERITY_MAJOR,
					     SEVERITY_CRITICAL};

static const char *verdict_of(const struct backtest_found *found)
{
	return found->verdict == FEEDBACK_YES      ? "confirmed"
	       : found->verdict == FEEDBACK_NO     ? "dismissed"
	       : found->verdict == FEEDBACK_UNSURE ? "unsure"
						   : "";
}

static void print_source(const struct backtest_source *source)
{
	char first[TEXT_TIME_BYTES], last[TEXT_TIME_BYTES];

	text_time(first, source->first_ms);
	text_time(last, source->last_ms);
	printf("%s: %.16sZ to %.16sZ, %" PRIu64 " %s of %g s", source->name, first, last,
	       source->intervals, source->tier == HISTORY_BASE ? "intervals" : "points",
	       (double)source->step_ms / 1000);
	if (source->tier != HISTORY_BASE)
		printf(" (the tier \"%s\": its intervals are not kept for so long)",
		       history_tier_name(source->tier));
	puts(source->whole && source->tier == HISTORY_BASE ? ", from its first one on" : "");
	if (!source->whole || source->tier != HISTORY_BASE)
		printf("  what was before is not kept so finely: there the detectors begin anew, "
		       "and are warm %.16sZ plus what they have to learn\n",
		       first);
	if (source->hours || source->days)
		printf("  before that %" PRIu64 " hours and %" PRIu64
		       " days as sums, for detectors whose periods are made of them\n",
		       source->hours, source->days);
	if (source->damaged)
		printf("  %u pieces of the history are damaged: holes\n", source->damaged);
}

static void print_counts(const struct backtest_comparison *comparison, const char *other)
{
	printf("\n%-24s %9s %9s\n", "", "live", other);
	for (int i = BACKTEST_BANDS - 1; i >= 0; i--)
		printf("%-8s from %-10g %9u %9u\n", severity_band_name(bands[i]), bands[i],
		       comparison->live[i], comparison->found[i]);
	printf("%-24s %9u %9u\n", "all", comparison->live_all, comparison->found_all);
	for (uint32_t i = 0; i < comparison->weeks_count; i++) {
		const struct backtest_week *week = &comparison->weeks[i];
		char time[TEXT_TIME_BYTES];
		text_time(time, week->week_ms);
		printf("week of %.10s       %9u %9u\n", time, week->live, week->found);
	}
	if (comparison->confirmed)
		printf("confirmed incidents: %u of %u caught\n", comparison->caught,
		       comparison->confirmed);
	if (comparison->dismissed)
		printf("dismissed alarms: %u of %u dropped\n", comparison->dropped,
		       comparison->dismissed);
}

static void print_found(const struct backtest_found *found)
{
	char id[33], start[TEXT_TIME_BYTES], end[TEXT_TIME_BYTES] = "goes on";
	char observed[TEXT_NUMBER_BYTES], expected[TEXT_NUMBER_BYTES];

	anomaly_id_text(found->id, id);
	text_time(start, found->start_ms);
	if (found->end_ms != INT64_MAX)
		text_time(end, found->end_ms);
	text_brief(observed, found->observed);
	text_brief(expected, found->expected);
	printf("  %.8s  %.16sZ to %.16s%s  %5.1f %-4s  %s/%s%s%s%s  %s instead of %s%s%s\n", id,
	       start, end, found->end_ms == INT64_MAX ? "" : "Z", found->severity,
	       found->direction < 0   ? "down"
	       : found->direction > 0 ? "up"
				      : "",
	       found->source, found->metric, found->slice[0] ? "[" : "", found->slice,
	       found->slice[0] ? "]" : "", observed, expected, found->verdict ? ", " : "",
	       verdict_of(found));
}

static void print_list(const struct backtest *backtest, const struct backtest_set *set, bool all,
		       const char *title)
{
	uint32_t listed = 0, left = 0;

	for (uint32_t i = 0; i < set->count; i++) {
		const struct backtest_found *found = &set->found[i];
		if (!backtest_counts(backtest, found) || (found->known && !all))
			continue;
		if (listed == LISTED_MAX && !all) {
			left++;
			continue;
		}
		if (listed++ == 0)
			printf("\n%s:\n", title);
		print_found(found);
	}
	if (left)
		printf("  and %u more: --json has them all\n", left);
}

static void print_against(const struct backtest *backtest)
{
	if (backtest->as_lived) {
		puts("The detectors that were in force, as they were");
		return;
	}
	printf("The draft against the live ");
	for (uint32_t i = 0; i < backtest->against_count; i++)
		printf("%s%s", i ? ", " : "", backtest->against[i]);
	puts(backtest->against_count ? "" : "detectors: none watches the metric");
}

static void print_people(const struct command_given *given, const struct backtest *backtest,
			 const struct backtest_comparison *comparison)
{
	const char *other = backtest->as_lived ? "again" : "draft";

	print_against(backtest);
	for (uint32_t i = 0; i < backtest->sources_count; i++)
		print_source(&backtest->sources[i]);
	print_counts(comparison, other);
	print_list(backtest, &backtest->live, given->all,
		   given->all ? "the live one" : "only the live one");
	print_list(backtest, &backtest->found, given->all,
		   given->all           ? other
		   : backtest->as_lived ? "only found again"
					: "only the draft");
	if (!comparison->only_live && !comparison->only_found && !given->all)
		puts("\nno difference");
}

static json_t *time_json(int64_t time_ms)
{
	return time_ms == INT64_MAX ? json_null() : json_integer(time_ms);
}

/* null: JSON has no other numbers. */
static json_t *number_json(double number)
{
	json_t *value = json_real(number);

	return value ? value : json_null();
}

static json_t *found_json(const struct backtest_found *found)
{
	char id[33];

	anomaly_id_text(found->id, id);
	return json_pack("{ss ss ss ss ss ss sf si sI so so so sb ss}", "id", id, "source",
			 found->source, "metric", found->metric, "detector", found->detector,
			 "slice", found->slice, "state", anomaly_state_name(found->state),
			 "severity", found->severity, "direction", found->direction, "start_ms",
			 (json_int_t)found->start_ms, "end_ms", time_json(found->end_ms),
			 "observed", number_json(found->observed), "expected",
			 number_json(found->expected), "both", found->known, "feedback",
			 found->verdict ? feedback_verdict_name(found->verdict) : "");
}

static json_t *set_json(const struct backtest *backtest, const struct backtest_set *set)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < set->count; i++)
		if (backtest_counts(backtest, &set->found[i]))
			json_array_append_new(list, found_json(&set->found[i]));
	return list;
}

static json_t *bands_json(const uint32_t counts[BACKTEST_BANDS])
{
	json_t *object = json_object();

	for (int i = BACKTEST_BANDS - 1; i >= 0; i--)
		json_object_set_new(object, severity_band_name(bands[i]), json_integer(counts[i]));
	return object;
}

static json_t *sources_json(const struct backtest *backtest)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < backtest->sources_count; i++) {
		const struct backtest_source *source = &backtest->sources[i];
		json_array_append_new(
			list, json_pack("{ss ss sI sI sI sb sI sI sI sI sI}", "source",
					source->name, "tier", history_tier_name(source->tier),
					"step_ms", (json_int_t)source->step_ms, "first_ms",
					(json_int_t)source->first_ms, "last_ms",
					(json_int_t)source->last_ms, "whole",
					source->whole && source->tier == HISTORY_BASE, "intervals",
					(json_int_t)source->intervals, "series_intervals",
					(json_int_t)source->rows, "hours",
					(json_int_t)source->hours, "days", (json_int_t)source->days,
					"damaged", (json_int_t)source->damaged));
	}
	return list;
}

static void print_json(const struct backtest *backtest,
		       const struct backtest_comparison *comparison)
{
	json_t *against = json_array(), *weeks = json_array();

	for (uint32_t i = 0; i < backtest->against_count; i++)
		json_array_append_new(against, json_string(backtest->against[i]));
	for (uint32_t i = 0; i < comparison->weeks_count; i++)
		json_array_append_new(weeks, json_pack("{sI si si}", "week_ms",
						       (json_int_t)comparison->weeks[i].week_ms,
						       "live", comparison->weeks[i].live, "found",
						       comparison->weeks[i].found));
	json_t *all = json_pack(
		"{sb so sI sI so so so so si si si si si si so so}", "draft", !backtest->as_lived,
		"against", against, "from_ms", (json_int_t)backtest->from_ms, "last_ms",
		(json_int_t)backtest->last_ms, "sources", sources_json(backtest), "bands_live",
		bands_json(comparison->live), "bands_found", bands_json(comparison->found), "weeks",
		weeks, "only_live", comparison->only_live, "only_found", comparison->only_found,
		"confirmed", comparison->confirmed, "caught", comparison->caught, "dismissed",
		comparison->dismissed, "dropped", comparison->dropped, "live",
		set_json(backtest, &backtest->live), "found", set_json(backtest, &backtest->found));
	json_dumpf(all, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(all);
}

/* The whole file; NULL: said why. */
static char *read_draft(const char *path, size_t *ret_bytes)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char *text = malloc(DRAFT_BYTES_MAX + 1);

	*ret_bytes = file && text ? fread(text, 1, DRAFT_BYTES_MAX + 1, file) : 0;
	const char *what = !file                          ? strerror(errno)
			   : !text                        ? "out of memory"
			   : ferror(file)                 ? "cannot be read"
			   : *ret_bytes > DRAFT_BYTES_MAX ? "more than 1MiB"
							  : NULL;
	if (file && file != stdin)
		fclose(file);
	if (!what)
		return text;
	fprintf(stderr, "weirctl: %s: %s\n", path, what);
	free(text);
	return NULL;
}

static int look(const struct command_given *given, struct backtest_options *options,
		const char *directory)
{
	struct backtest backtest = {0};
	struct backtest_comparison comparison = {0};
	char why[WHY_BYTES] = "", *history = NULL, *store = NULL;
	struct io *io = NULL;
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = fd < 0 ? -errno : io_pwrite_create(fd, IO_DEPTH, &io);

	if (!error && (asprintf(&history, "%s/%s", directory, HISTORY_FILE) < 0 ||
		       asprintf(&store, "%s/weir.db", directory) < 0))
		error = -ENOMEM;
	options->io = io;
	options->history_path = history;
	options->store_path = store;
	if (!error)
		error = backtest_run(options, &backtest, why, sizeof(why));
	if (!error)
		error = backtest_compare(&backtest, &comparison);
	if (error < 0)
		fprintf(stderr, "weirctl: %s%s%s\n", why[0] ? "" : directory, why[0] ? "" : ": ",
			why[0] ? why : strerror(-error));
	else if (given->json)
		print_json(&backtest, &comparison);
	else
		print_people(given, &backtest, &comparison);
	free(comparison.weeks);
	backtest_fini(&backtest);
	if (io)
		io->ops->destroy(io);
	if (fd >= 0)
		close(fd);
	free(history);
	free(store);
	return error == -EINVAL ? TOOL_NO : error < 0 ? TOOL_IO : TOOL_OK;
}

static int run(void *self, int count, char **operands)
{
	const struct command_given *given = self;
	struct backtest_options options = {.draft_name = given->draft, .source = given->source};
	char why[WHY_BYTES], *draft = NULL;

	if (since_parse(given->since, &options.from_ms, &options.back_ms) < 0)
		return options_wrong(&command_backtest.options,
				     "--since cannot be \"%s\": " SINCE_WORDS, given->since);
	if (given->draft) {
		draft = read_draft(given->draft, &options.draft_bytes);
		if (!draft)
			return TOOL_IO;
		options.draft = draft;
	}
	char *directory = ask_directory(count ? operands[0] : NULL, ask_socket(given->socket), why,
					sizeof(why));
	int code = TOOL_IO;
	if (directory)
		code = look(given, &options, directory);
	else
		fprintf(stderr, "weirctl: %s\n", why);
	free(directory);
	free(draft);
	return code;
}

static const struct command_given defaults = {.since = "30d"};

static const struct option_example examples[] = {
	{"weirctl backtest --detector draft.yaml", "What a draft would have found in 30 days"},
	{"weirctl backtest --detector - --since 7d --json <draft.yaml", "The same of a week, for a "
									"program"},
	{"weirctl backtest /var/lib/weir", "What was found, found again from the history"},
};

const struct command command_backtest = {
	.options =
		{
			.program = "weirctl backtest",
			.operands = "[DIR]",
			.summary = "what a detector would have found, before it is switched on",
			.description =
				"A draft of one detector or several lives through the history, as it "
				"would have lived, and is held against what the live one of the same "
				"name has found (or, where there is none, what those have found that "
				"watch the same metric): how many of each severity and in each week, "
				"which incidents that feedback has confirmed it catches, which alarms "
				"that were dismissed it drops, and which ones differ. Two are the "
				"same where slice and metric are and their times overlap.\n\nThe "
				"intervals themselves are looked at as long as they are kept; before "
				"that a coarser tier, and the first line says so. A detector begins "
				"to learn with the first of them.\n\nWithout --detector those that "
				"were in force live through it again, as they were changed and told "
				"then: where the history has the intervals from the beginning and "
				"nothing came late, what is found is what the store has, to the "
				"bit.\n\nWithout DIR: of the running engine, whose directory must be "
				"readable. An engine need not stop.",
			COMMAND_ROWS(rows),
			COMMAND_EXAMPLES(examples),
			.exits = {[TOOL_NO] = "the draft is no detector"},
			.environment = "WEIR_CONTROL",
		},
	.bytes = sizeof(struct command_given),
	.defaults = &defaults,
	.run = run,
};
