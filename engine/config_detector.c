/*
 * config_detector: the detectors of a configuration.
 *
 * Idea:  which keys a detector has depends on its kind, and what a number of intervals counts on
 *        its period: so name and kind are read first, then what the kind has, then the period, then
 *        the numbers. A key that the kind does not read is a misunderstanding and is refused.
 * Runs on: the main thread, at start; weirctl.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/defaults.h"
#include "config_detector.h"
#include "config_zones.h"

/* Periods before this one that a detector may keep of each slice: a year of hours, a week of
 * minutes. */
#define PERIODS_MAX 10080
/* A month, where a duration is to be turned into a number of them. */
#define MONTH_MS (365.2425 / 12 * DAY_MS)
#define WEEK_MS (7 * DAY_MS)
#define YEAR_MS (364 * DAY_MS)

#define TEXT_OF(number) TEXT_AS_IS(number)
#define TEXT_AS_IS(number) #number

#define DETECTOR(member, value)                                                                    \
	.from = offsetof(struct yaml_detector, member), VALUE(config_detector, value)

static const char *const detector_kinds[] = {"seasonal", "window", "rule", "absence", NULL};
static const char *const directions[] = {"both", "up", "down", NULL};
static const char *const baselines[] = {"recent", "last_year", NULL};
static const char *const versus[] = {"previous", "last_week", "last_year", NULL};

/* clang-format off */
static const struct setting detector_settings[] = {
	{"name", NAME, DETECTOR(name, name)},
	{"metric", NAME, DETECTOR(metric, metric)},
	{"kind", CHOICE, DETECTOR(kind, kind), .standard = "seasonal", .choices = detector_kinds},
	{"direction", CHOICE, DETECTOR(direction, direction),
		.standard = "both", .choices = directions},
	{"severity", NUMBER, DETECTOR(severity, severity), 0, 100},
	{"min_volume", NUMBER, DETECTOR(min_volume, min_volume), 0, 1e15, "10"},
	{"min_delta", NUMBER, DETECTOR(min_delta, min_delta), 0, 1e15, "0"},
	{"k", NUMBER, DETECTOR(k, k), 0.5, 50, "4"},
	{"frequency", PERIOD, DETECTOR(frequency, frequency_ms), 1000, WEEK_MS},
	{"timezone", TEXT, DETECTOR(timezone, timezone)},
	END,
};

/* What the baseline may be, by kind. */
static const struct setting window_settings[] = {
	{"baseline", CHOICE, DETECTOR(baseline, baseline),
		.standard = "recent", .choices = baselines},
	END,
};

static const struct setting rule_settings[] = {
	{"versus", CHOICE, DETECTOR(versus, baseline), .standard = "previous", .choices = versus},
	{"up", PERCENT, DETECTOR(up, up_percent), 0.001, 1e6},
	{"down", PERCENT, DETECTOR(down, down_percent), 0.001, 100},
	{"above", NUMBER, DETECTOR(above, above), -1e15, 1e15},
	{"below", NUMBER, DETECTOR(below, below), -1e15, 1e15},
	{"growth_drop", PERCENT, DETECTOR(growth_drop, growth_drop), 0.001, 1e6},
	END,
};

/* Numbers only, counted in the detector's periods. */
static const struct setting count_settings[] = {
	{"for", INTERVALS, DETECTOR(consecutive, for_intervals), 1, 10000, "1"},
	{"recover", INTERVALS, DETECTOR(recover, recover_intervals), 1, 10000, "2"},
	{"cooldown", INTERVALS, DETECTOR(cooldown, cooldown_intervals), 0, 10000000, "0"},
	{"window", INTERVALS, DETECTOR(window, window_intervals), 2, 100000, "60"},
	{"learn", INTERVALS, DETECTOR(learn, learn_intervals), 1, 10000000,
		TEXT_OF(DEFAULT_LEARN)},
	{"absent", INTERVALS, DETECTOR(absent, absent_intervals), 1, 10000, "3"},
	END,
};
/* clang-format on */

static const char *duration(double ms, char text[32])
{
	return config_quantity_text(ms, config_duration_units, text);
}

static const struct config_metric *find_metric(const struct config *config, const char *name)
{
	for (unsigned i = 0; i < config->metrics_count; i++)
		if (strcmp(config->metrics[i].name, name) == 0)
			return &config->metrics[i];
	return NULL;
}

static int refuse_metric(struct config_job *job, const char *prefix, const char *name)
{
	char list[256] = "";

	for (unsigned i = 0; i < job->config->metrics_count; i++) {
		size_t used = strlen(list);

		snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "",
			 job->config->metrics[i].name);
	}
	return config_refuse(job, "%smetric: there is no metric \"%s\"; %s%s", prefix, name,
			     list[0] ? "use one of " : "define it under metrics", list);
}

/* A key that this kind of detector does not read is a misunderstanding: say so. */
static int check_kind(struct config_job *job, const char *prefix, const char *kind,
		      const struct yaml_detector *yaml)
{
	const struct {
		const char *key, *text, *kind, *or_kind;
	} owned[] = {{"k", yaml->k, "window", NULL},
		     {"window", yaml->window, "window", NULL},
		     {"baseline", yaml->baseline, "window", NULL},
		     {"learn", yaml->learn, "seasonal", NULL},
		     {"absent", yaml->absent, "absence", NULL},
		     {"resolutions", yaml->resolutions_given ? "" : NULL, "seasonal", NULL},
		     {"up", yaml->up, "rule", NULL},
		     {"down", yaml->down, "rule", NULL},
		     {"above", yaml->above, "rule", NULL},
		     {"below", yaml->below, "rule", NULL},
		     {"growth_drop", yaml->growth_drop, "rule", NULL},
		     {"versus", yaml->versus, "rule", NULL},
		     {"frequency", yaml->frequency, "rule", "window"}};

	for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) {
		const char *other = owned[i].or_kind;

		if (!owned[i].text || strcmp(owned[i].kind, kind) == 0 ||
		    (other && strcmp(other, kind) == 0))
			continue;
		return config_refuse(job, "%s%s: only kind %s%s%s has it, this is %s; remove it",
				     prefix, owned[i].key, owned[i].kind, other ? " or " : "",
				     other ? other : "", kind);
	}
	return 0;
}

/* What is said depends on the kind: a window's k says what is too far, so that 50, once a week by
 * chance, leaves that to it; a rule's 50 is its threshold; 75 is once in two years by chance. */
static void set_defaults(struct config_detector *detector, const struct yaml_detector *yaml)
{
	bool seasonal = strcmp(detector->kind, "seasonal") == 0;
	bool absence = strcmp(detector->kind, "absence") == 0;

	if (!yaml->min_volume && seasonal)
		detector->min_volume = DEFAULT_MIN_VOLUME;
	if (!yaml->severity)
		detector->severity = seasonal ? DEFAULT_SEVERITY : absence ? 75 : 50;
	/* An absolute limit holds however little comes. */
	if (!yaml->min_volume && (yaml->above || yaml->below))
		detector->min_volume = 0;
}

/* A period is made of whole intervals, and days, weeks and months of whole periods. */
static int check_frequency(struct config_job *job, const char *prefix,
			   struct config_detector *detector)
{
	double interval = (double)job->config->interval_ms;
	double period = (double)detector->frequency_ms;
	bool long_one = period == WEEK_MS || period == CONFIG_MONTH;
	char text[32];

	if (period == 0 || period == interval) {
		detector->frequency_ms = 0;
		job->step_ms = interval;
		return 0;
	}
	job->step_ms = period == CONFIG_MONTH ? MONTH_MS : period;
	if (!long_one && fmod(period, interval) != 0)
		return config_refuse(job,
				     "%sfrequency: not a multiple of the interval, %s; make "
				     "it one",
				     prefix, duration(interval, text));
	if (!long_one && fmod(DAY_MS, period) != 0)
		return config_refuse(job,
				     "%sfrequency: %s does not divide a day; write a part of "
				     "it as 10m, 1h or 6h, or 1d, 7d or 1mo",
				     prefix, duration(period, text));
	if (long_one && fmod(DAY_MS, interval) != 0)
		return config_refuse(job,
				     "%sfrequency: a day is not a multiple of the interval, "
				     "%s; change one of them",
				     prefix, duration(interval, text));
	return 0;
}

/* Hours of the day are known to kinds that learn them, days to long periods; to all others a time
 * is a time. */
static int find_zone(struct config_job *job, const char *prefix, struct config_detector *detector)
{
	bool plain = strcmp(detector->kind, "window") == 0 || strcmp(detector->kind, "rule") == 0;
	bool days = detector->frequency_ms == CONFIG_MONTH || detector->frequency_ms >= DAY_MS;
	char path[80];

	if (plain && !days)
		return detector->timezone
			       ? config_refuse(job,
					       "%stimezone: of kind %s only a frequency of 1d, 7d "
					       "or 1mo goes by a clock on the wall; remove it",
					       prefix, detector->kind)
			       : 0;
	if (!detector->timezone)
		detector->timezone = strdup(job->config->timezone);
	if (!detector->timezone)
		return -ENOMEM;
	snprintf(path, sizeof(path), "%stimezone", prefix);
	return config_zones_find(job, path, detector->timezone, &detector->zone);
}

static int check_aggregation(struct config_job *job, const char *prefix,
			     const struct config_detector *detector,
			     const struct config_metric *metric)
{
	bool distinct = strcmp(metric->agg, "distinct") == 0;
	bool percentile = metric->agg[0] == 'p';
	char text[32];

	if (detector->frequency_ms == 0 || (!distinct && !percentile))
		return 0;
	return config_refuse(job,
			     "%sfrequency: %s of %s cannot be added up from intervals; remove it "
			     "to watch each interval (%s), or make the interval itself longer",
			     prefix, distinct ? "distinct values" : "percentiles", metric->name,
			     duration((double)job->config->interval_ms, text));
}

/* Periods from one to the same one before, in the words of `baseline`; 0: not a whole number. */
static double periods_back(const struct config_job *job, const struct config_detector *detector)
{
	bool year = strcmp(detector->baseline, "last_year") == 0;
	bool week = strcmp(detector->baseline, "last_week") == 0;
	double period = detector->frequency_ms ? (double)detector->frequency_ms
					       : (double)job->config->interval_ms;
	double back = year ? YEAR_MS : WEEK_MS;

	if (!year && !week)
		return 1;
	if (period == CONFIG_MONTH)
		return year ? 12 : 0;
	return fmod(back, period) == 0 ? back / period : 0;
}

/* What is kept of the past is bounded, and has a period to stand for each one of now. */
static int check_past(struct config_job *job, const char *prefix,
		      const struct config_detector *detector, const struct yaml_detector *yaml)
{
	const char *key = yaml->growth_drop ? "growth_drop" : yaml->versus ? "versus" : "baseline";
	struct config_detector year = *detector;
	double back;

	if (yaml->growth_drop)
		year.baseline = (char *)(uintptr_t) "last_year";
	back = periods_back(job, &year);
	if (back == 0)
		return config_refuse(job,
				     "%s%s: %s has no whole number of periods; choose "
				     "another frequency",
				     prefix, key, year.baseline);
	if (strcmp(detector->kind, "window") == 0 && back > 1 &&
	    detector->window_intervals / 2 >= back)
		return config_refuse(job,
				     "%swindow: as long as the year that it looks back; make "
				     "it shorter",
				     prefix);
	if (back > PERIODS_MAX)
		return config_refuse(job,
				     "%s%s: %s is %.15g periods back, of which a detector "
				     "keeps %d at most; make the frequency longer",
				     prefix, key, year.baseline, back, PERIODS_MAX);
	return 0;
}

static int parse_rule(struct config_job *job, const char *prefix, struct config_detector *detector,
		      const struct yaml_detector *yaml)
{
	int r = config_interpret(job, rule_settings, prefix, yaml, detector);

	if (r < 0)
		return r;
	if (!yaml->up && !yaml->down && !yaml->above && !yaml->below && !yaml->growth_drop)
		return config_refuse(job,
				     "%sup: missing; a rule has one of up, down, above, below "
				     "and growth_drop",
				     prefix);
	if (yaml->versus && !yaml->up && !yaml->down)
		return config_refuse(job, "%sversus: only up and down compare with it; remove it",
				     prefix);
	return 0;
}

/* Those of a detector that does not say: what its interval is a part of. */
static void default_resolutions(const struct config_job *job, struct config_detector *detector)
{
	static const int64_t usual_ms[] = {300000, 3600000, 86400000};
	unsigned count = 0;

	for (unsigned i = 0; i < sizeof(usual_ms) / sizeof(usual_ms[0]); i++)
		if (usual_ms[i] > job->config->interval_ms &&
		    usual_ms[i] % job->config->interval_ms == 0)
			detector->resolutions_ms[count++] = usual_ms[i];
}

/* One more, in order. */
static int add_resolution(struct config_job *job, const char *path, int64_t period_ms,
			  struct config_detector *detector)
{
	int64_t interval_ms = job->config->interval_ms;
	int64_t *all = detector->resolutions_ms;
	unsigned at = 0;
	char text[32];

	if (period_ms <= interval_ms || period_ms % interval_ms != 0)
		return config_refuse(job,
				     "%s: no multiple of the interval, %s, which is watched "
				     "anyway; make it one or leave it out",
				     path, duration((double)interval_ms, text));
	if (86400000 % period_ms != 0)
		return config_refuse(job,
				     "%s: %s does not divide a day; write a part of it as 5m, 1h "
				     "or 6h, or 1d",
				     path, duration((double)period_ms, text));
	if (all[CONFIG_RESOLUTIONS_MAX - 1])
		return config_refuse(job, "%s: a detector has %d at most; leave some out", path,
				     CONFIG_RESOLUTIONS_MAX);
	while (all[at] && all[at] < period_ms)
		at++;
	if (all[at] == period_ms)
		return config_refuse(job, "%s: stands there twice; remove one", path);
	memmove(&all[at + 1], &all[at], (CONFIG_RESOLUTIONS_MAX - 1 - at) * sizeof(all[0]));
	all[at] = period_ms;
	return 0;
}

/* The longer periods that kind seasonal watches too. */
static int parse_resolutions(struct config_job *job, const char *prefix,
			     struct config_detector *detector, const struct yaml_detector *yaml,
			     const struct config_metric *metric)
{
	bool adds_up = strcmp(metric->agg, "distinct") != 0 && metric->agg[0] != 'p';
	int r = 0;

	if (!yaml->resolutions_given) {
		if (adds_up)
			default_resolutions(job, detector);
		return 0;
	}
	if (yaml->resolutions_count > 0 && !adds_up)
		return config_refuse(job,
				     "%sresolutions: %s of %s cannot be added up from intervals; "
				     "remove it",
				     prefix,
				     metric->agg[0] == 'p' ? "percentiles" : "distinct values",
				     metric->name);
	for (unsigned i = 0; r == 0 && i < yaml->resolutions_count; i++) {
		char key[96];
		int64_t period_ms = 0;

		snprintf(key, sizeof(key), "%sresolutions[%u]", prefix, i);
		const struct setting one[] = {
			{key, MS, .bytes = sizeof(period_ms), .min = 1000, .max = DAY_MS},
			END,
		};
		r = config_interpret(job, one, "", &yaml->resolutions[i], &period_ms);
		if (r == 0)
			r = add_resolution(job, key, period_ms, detector);
	}
	return r;
}

/* Keys that depend on the kind, and what they come to. */
static int parse_kind(struct config_job *job, const char *prefix, struct config_detector *detector,
		      const struct yaml_detector *yaml, const struct config_metric *metric)
{
	int r = check_kind(job, prefix, detector->kind, yaml);

	if (r == 0)
		r = check_frequency(job, prefix, detector);
	if (r == 0)
		r = find_zone(job, prefix, detector);
	if (r == 0)
		r = check_aggregation(job, prefix, detector, metric);
	if (r == 0)
		r = config_interpret(job, count_settings, prefix, yaml, detector);
	if (r == 0 && strcmp(detector->kind, "rule") == 0)
		r = parse_rule(job, prefix, detector, yaml);
	else if (r == 0 && strcmp(detector->kind, "window") == 0)
		r = config_interpret(job, window_settings, prefix, yaml, detector);
	else if (r == 0 && strcmp(detector->kind, "seasonal") == 0)
		r = parse_resolutions(job, prefix, detector, yaml, metric);
	if (r == 0 && detector->baseline)
		r = check_past(job, prefix, detector, yaml);
	return r;
}

int config_detector_parse(struct config_job *job, unsigned index, const struct yaml_detector *yaml)
{
	struct config_detector *detector = &job->config->detectors[index];
	const struct config_metric *metric;
	char prefix[64];
	int r;

	detector->up_percent = detector->down_percent = detector->growth_drop = NAN;
	detector->above = detector->below = NAN;
	snprintf(prefix, sizeof(prefix), "detectors[%u].", index);
	r = config_interpret(job, detector_settings, prefix, yaml, detector);
	if (r < 0)
		return r;
	set_defaults(detector, yaml);
	if (!detector->metric)
		return config_refuse(job, "%smetric: missing; write which metric it watches",
				     prefix);
	metric = find_metric(job->config, detector->metric);
	if (!metric)
		return refuse_metric(job, prefix, detector->metric);
	if (!detector->name &&
	    asprintf(&detector->name, "%s-%s", detector->metric, detector->kind) < 0) {
		detector->name = NULL;
		return -ENOMEM;
	}
	if (!config_is_name(detector->name))
		return config_refuse(job, "%sname: missing, and %s is too long for one", prefix,
				     detector->name);
	for (unsigned i = 0; i < index; i++)
		if (strcmp(job->config->detectors[i].name, detector->name) == 0)
			return config_refuse(job,
					     "%sname: detectors[%u] is called %s too; rename one",
					     prefix, i, detector->name);
	return parse_kind(job, prefix, detector, yaml, metric);
}

void config_detector_free(struct config_detector *detector)
{
	config_free_texts(detector_settings, detector);
	/* The same text, whichever kind. */
	config_free_texts(window_settings, detector);
}
