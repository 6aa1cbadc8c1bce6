/*
 * history: what is read back is what was added, whatever commits, crashes and tiers were between.
 *
 * A round makes closes of random metrics, some rows late, some closes again after a crash that
 * forgot what was not committed. A plain array is the model: every interval's counts and sums. Two
 * files get the same closes, committed in different groups: their chunks must be the same bytes.
 */
#include <inttypes.h>
#include <math.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "interval/history.h"
#include "support/proof.h"
#include "support/random.h"

#define INTERVALS 400
#define SLICES 5
#define METRICS 6
#define CLOSES 60

static const enum history_kind kinds[METRICS] = {HISTORY_COUNT, HISTORY_SUM,   HISTORY_MIN,
						 HISTORY_MAX,   HISTORY_SHARE, HISTORY_DISTINCT};
static const enum aggregation aggregations[METRICS] = {AGGREGATE_COUNT, AGGREGATE_SUM,
						       AGGREGATE_MIN,   AGGREGATE_MAX,
						       AGGREGATE_RATIO, AGGREGATE_DISTINCT};

struct model_point {
	uint64_t count, below;
	double sum, least, greatest;
	uint64_t values; /* bits: the different ones, 0 .. 63 */
};

struct made_close {
	int64_t through;
	struct history_rows rows;
};

struct round {
	int64_t interval_ms, start;
	struct model_point points[METRICS][SLICES][INTERVALS];
	bool closed[INTERVALS], incomplete[INTERVALS];
	struct made_close closes[CLOSES];
	uint32_t closes_count;
	uint32_t named[METRICS];
	char paths[2][64];
	bool failed;
};

static void hold(struct round *round, bool condition, const char *what, int64_t number)
{
	if (condition || round->failed)
		return;
	round->failed = true;
	printf("FAILED %s (%" PRId64 "), seed %" PRIu64 "\n", what, number, random_seed);
}

static void name_all(struct round *round, struct history_rows *rows)
{
	char name[16], label[32];

	for (uint32_t m = 0; m < METRICS; m++) {
		snprintf(name, sizeof(name), "metric-%u", m);
		struct history_metric metric = {
			.name = name,
			.spec = 7 + m,
			.kind = kinds[m],
			.aggregation = aggregations[m],
		};
		for (; round->named[m] < SLICES; round->named[m]++) {
			snprintf(label, sizeof(label), "country=%u", round->named[m]);
			if (!round->named[m])
				label[0] = '\0';
			history_rows_name(rows, m, &metric, round->named[m], label);
		}
	}
}

static void add_row(struct round *round, struct history_rows *rows, uint32_t m, uint32_t slice,
		    int64_t at, bool late)
{
	struct model_point *point = &round->points[m][slice][at];
	double value = (double)random_below(64);
	struct history_row row = {
		.metric = m,
		.late = late,
		.slice = slice,
		.interval = round->start + at,
		.words = {1 + random_below(5)},
	};
	struct sketch *sketch = NULL;
	bool first = point->count == 0 && point->below == 0;

	switch (kinds[m]) {
	case HISTORY_SUM:
		row.words[1] = weir_value_bits(value);
		row.words[2] = weir_value_bits(value * value);
		break;
	case HISTORY_MIN:
	case HISTORY_MAX:
		row.words[1] = weir_value_bits(value);
		break;
	case HISTORY_SHARE:
		row.words[1] = random_below(9);
		point->below += row.words[1];
		break;
	case HISTORY_DISTINCT:
		sketch = sketch_create(SKETCH_DISTINCT);
		uint64_t hash = ((uint64_t)value + 1) * UINT64_C(0x9e3779b97f4a7c15);
		sketch_add(sketch, weir_bits_value(hash & ~(UINT64_C(1) << 62)));
		point->values |= UINT64_C(1) << (int)value;
		break;
	default:
		break;
	}
	point->count += row.words[0];
	point->sum += value;
	point->least = first || value < point->least ? value : point->least;
	point->greatest = first || value > point->greatest ? value : point->greatest;
	history_rows_add(rows, &row, sketch);
	sketch_destroy(sketch);
}

/* Each close covers some intervals, in order; a few of them are never closed. */
static void make_closes(struct round *round)
{
	int64_t at = 0;

	while (at < INTERVALS && round->closes_count < CLOSES) {
		struct made_close *close = &round->closes[round->closes_count++];
		int64_t first = at;
		int64_t count = 1 + (int64_t)random_below(12);
		if (round->closes_count == 1)
			name_all(round, &close->rows);
		for (; count > 0 && at < INTERVALS; count--, at++) {
			round->closed[at] = true;
			round->incomplete[at] = random_one_in(9);
			history_rows_interval(&close->rows, round->start + at,
					      round->incomplete[at]);
			for (uint32_t m = 0; m < METRICS; m++)
				for (uint32_t s = 0; s < SLICES; s++)
					if (!random_one_in(3))
						add_row(round, &close->rows, m, s, at, false);
		}
		close->through = round->start + at - 1;
		for (uint64_t late = first ? random_below(4) : 0; late > 0; late--) {
			int64_t when = (int64_t)random_below((uint64_t)first);
			if (round->closed[when])
				add_row(round, &close->rows, (uint32_t)random_below(METRICS),
					(uint32_t)random_below(SLICES), when, true);
		}
		at += random_one_in(8) ? 3 : 0; /* a break in the record */
	}
}

static struct history *open_file(const struct round *round, int file)
{
	struct history_options options = {
		.path = round->paths[file],
		.store = "0123456789abcdef0123456789abcdef",
		.interval_ms = round->interval_ms,
		.keep = {{UINT64_C(1) << 30, UINT64_C(1) << 30, UINT64_C(1) << 30,
			  UINT64_C(1) << 30}},
		.pending_bytes_max = UINT64_C(1) << 30,
	};
	struct history *history;
	char why[256];

	if (history_open(&options, &history, NULL, why, sizeof(why)) < 0) {
		printf("FAILED to open: %s\n", why);
		exit(1);
	}
	return history;
}

/* Give a file all closes; commit and crash where the dice say. After a crash everything comes
 * again from the first close, as from an old checkpoint. */
static void write_file(struct round *round, int file, uint64_t commit_one_in, uint64_t crash_one_in)
{
	struct history *history = open_file(round, file);
	uint32_t crashes = 0;

	for (uint32_t i = 0; i < round->closes_count; i++) {
		struct made_close *made = &round->closes[i];
		struct history_close close = {
			.sequence = i + 1,
			.source = "live",
			.through = made->through,
			.rows = &made->rows,
			.shards = 1,
		};
		bool fresh = close.sequence > history_added(history);
		hold(round, history_add(history, &close) == fresh, "a close is taken once", i);
		if (random_one_in(commit_one_in))
			hold(round, history_commit(history) == 0, "a commit", i);
		if (crash_one_in && crashes < 3 && random_one_in(crash_one_in)) {
			crashes++;
			history_close(history);
			history = open_file(round, file);
			i = UINT32_MAX; /* from the first */
		}
	}
	hold(round, history_commit(history) == 0, "the last commit", 0);
	hold(round, history_through(history) == round->closes_count, "the watermark",
	     (int64_t)history_through(history));
	history_close(history);
}

struct total {
	struct model_point point;
	uint32_t closed, incomplete;
};

static struct total total_of(const struct round *round, uint32_t m, uint32_t s, int64_t from_ms,
			     int64_t until_ms)
{
	struct total total = {0};

	for (int64_t i = 0; i < INTERVALS; i++) {
		int64_t ms = (round->start + i) * round->interval_ms;
		const struct model_point *from = &round->points[m][s][i];
		struct model_point *to = &total.point;
		if (ms < from_ms || ms >= until_ms)
			continue;
		total.closed += round->closed[i];
		total.incomplete += round->incomplete[i];
		if (from->count == 0)
			continue;
		to->least = to->count == 0 || from->least < to->least ? from->least : to->least;
		to->greatest = to->count == 0 || from->greatest > to->greatest ? from->greatest
									       : to->greatest;
		to->count += from->count;
		to->below += from->below;
		to->sum += from->sum;
		to->values |= from->values;
	}
	return total;
}

static bool same(double found, double wanted)
{
	return isnan(wanted) ? isnan(found) : found == wanted;
}

static double wanted_value(const struct total *total, uint32_t m)
{
	const struct model_point *point = &total->point;

	switch (kinds[m]) {
	case HISTORY_COUNT:
		return point->count || total->closed ? (double)point->count : NAN;
	case HISTORY_SUM:
		return point->count || total->closed ? point->sum : NAN;
	case HISTORY_MIN:
		return point->count ? point->least : NAN;
	case HISTORY_MAX:
		return point->count ? point->greatest : NAN;
	case HISTORY_SHARE:
		return point->below ? (double)point->count / (double)point->below : NAN;
	default:
		return NAN;
	}
}

static void compare(struct round *round, const struct history_answer *answer, uint32_t m,
		    uint32_t s)
{
	for (uint32_t i = 0; i < answer->count; i++) {
		const struct history_point *point = &answer->points[i];
		struct total total = total_of(round, m, s, point->time_ms,
					      point->time_ms + answer->step_ms);
		hold(round, point->closed == total.closed, "intervals that are closed", i);
		hold(round, point->incomplete == total.incomplete, "incomplete ones", i);
		if (kinds[m] == HISTORY_DISTINCT) {
			double values = __builtin_popcountll(total.point.values);
			bool close = fabs(point->value - values) <= 0.05 * values + 0.5;
			hold(round, total.point.count == 0 || close, "different values", i);
			continue;
		}
		double wanted = wanted_value(&total, m);
		hold(round, same(point->value, wanted), "a value", i);
		if (kinds[m] == HISTORY_SHARE)
			hold(round, point->numerator == (double)total.point.count, "a numerator",
			     i);
		else
			hold(round, point->events == (double)total.point.count, "events", i);
	}
}

static void read_back(struct round *round, int64_t step_ms)
{
	struct history_reader *reader;
	struct history_answer answer;
	char why[256], metric[16], slice[32];
	uint32_t m = (uint32_t)random_below(METRICS), s = (uint32_t)random_below(SLICES);
	int64_t first_ms = round->start * round->interval_ms;
	int64_t span_ms = INTERVALS * round->interval_ms;
	struct history_query query = {
		.metric = metric,
		.slice = slice,
		.from_ms = first_ms + (int64_t)random_below((uint64_t)span_ms),
		.step_ms = step_ms,
	};

	snprintf(metric, sizeof(metric), "metric-%u", m);
	snprintf(slice, sizeof(slice), "country=%u", s);
	if (!s)
		slice[0] = '\0';
	query.to_ms = query.from_ms + 1 + (int64_t)random_below((uint64_t)span_ms);
	hold(round, history_reader_open(round->paths[0], &reader) == 0, "a reader", 0);
	if (round->failed)
		return;
	int error = history_read(reader, &query, &answer, why, sizeof(why));
	history_reader_close(reader);
	hold(round, error == 0, why, error);
	if (error < 0)
		return;
	hold(round, answer.damaged == 0, "no chunk is damaged", answer.damaged);
	hold(round, answer.step_ms >= step_ms, "the step", answer.step_ms);
	compare(round, &answer, m, s);
	history_answer_fini(&answer);
}

/* Every table's rows, as one text of hexadecimal digits: a digest would tell less. */
static char *dump(const char *path)
{
	static const char *const tiers[] = {"base", "minute", "hour", "day"};
	sqlite3 *db;
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
	for (int t = 0; t < 4; t++) {
		sqlite3_stmt *statement;
		char sql[80];
		snprintf(sql, sizeof(sql), "SELECT key, hex(data) FROM chunk_1_%s ORDER BY key",
			 tiers[t]);
		if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
			continue; /* a tier that this interval does without */
		while (sqlite3_step(statement) == SQLITE_ROW)
			fprintf(out, "%s %s %s\n", tiers[t], sqlite3_column_text(statement, 0),
				sqlite3_column_text(statement, 1));
		sqlite3_finalize(statement);
	}
	sqlite3_close(db);
	fclose(out);
	return text;
}

static void compare_files(struct round *round)
{
	char *first = dump(round->paths[0]);
	char *second = dump(round->paths[1]);

	hold(round, strlen(first) > 1000, "there are chunks", (int64_t)strlen(first));
	hold(round, strcmp(first, second) == 0, "both files have the same chunks", 0);
	free(first);
	free(second);
}

static bool play(uint64_t seed, const char *directory)
{
	static const int64_t intervals_ms[] = {1000, 7000, 10000, 60000, 3600000};
	static const char *const endings[] = {"", "-wal", "-shm"};
	struct round *round = calloc(1, sizeof(*round));
	char path[96];

	random_start(seed);
	round->interval_ms = intervals_ms[random_below(5)];
	round->start = INT64_C(1600000000000) / round->interval_ms + (int64_t)random_below(5000);
	if (random_one_in(8))
		round->start = -(int64_t)random_below(INTERVALS); /* around 1970 */
	for (int file = 0; file < 2; file++)
		snprintf(round->paths[file], sizeof(round->paths[file]), "%s/%d.db", directory,
			 file);
	make_closes(round);
	write_file(round, 0, 1 + random_below(6), 40);
	write_file(round, 1, 1 + random_below(30), 0);
	compare_files(round);
	read_back(round, round->interval_ms);
	read_back(round, 60000);
	read_back(round, 3600000);
	read_back(round, 86400000);
	read_back(round, round->interval_ms * (1 + (int64_t)random_below(9)));
	read_back(round, 0);
	for (uint32_t i = 0; i < round->closes_count; i++)
		history_rows_fini(&round->closes[i].rows);
	for (int i = 0; i < 6; i++) {
		snprintf(path, sizeof(path), "%s%s", round->paths[i / 3], endings[i % 3]);
		unlink(path);
	}
	bool failed = round->failed;
	free(round);
	return !failed;
}

int main(int argc, char **argv)
{
	uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : 12;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	char directory[] = "/tmp/weir-history-XXXXXX";
	uint64_t failed = 0;

	if (!mkdtemp(directory))
		return 1;
	for (uint64_t i = 0; i < rounds; i++)
		failed += !play(seed + i, directory);
	rmdir(directory);
	proof_say("property-history", rounds, failed);
	return failed > 0;
}
