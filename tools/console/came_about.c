/*
 * came_about: see came_about.h. The formulas are those of detect/severity.h and of the bank that
 * weighs (detect/bank.c): a slice of n fires at its detector's threshold + 12.5 log10 n, and what
 * is one of several resolutions has a part of that budget only. A rule's threshold is where it is.
 * What a score is worth among many slices (detect/calibration.h) is in the revision's log10_p; the
 * threshold, the slices and their budget are as the engine said last: nobody has kept what they
 * were.
 */
#include "came_about.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/monotonic.h"
#include "console.h"
#include "deliver/payload.h"
#include "detect/resolutions.h"
#include "detect/severity.h"
#include "engine_link.h"
#include "row.h"

#define KEPT_S 30

static struct {
	pthread_mutex_t lock;
	json_t *detectors;
	double at_s;
	bool asking;
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* What the engine says of its detectors, or said last; NULL: it never did. While one asks, others
 * have what is known. */
static json_t *detectors(struct console *console)
{
	char why[ENGINE_WHY_BYTES];
	unsigned status;

	pthread_mutex_lock(&kept.lock);
	if (!kept.detectors || (!kept.asking && monotonic_s() - kept.at_s >= KEPT_S)) {
		kept.asking = true;
		pthread_mutex_unlock(&kept.lock);
		json_t *ask = json_pack("{ss}", "command", "detectors");
		json_t *answer = engine_ask(console->link, ask, &status, why);
		pthread_mutex_lock(&kept.lock);
		kept.asking = false;
		if (answer) {
			json_decref(kept.detectors);
			kept.detectors = json_incref(json_object_get(answer, "detectors"));
			kept.at_s = monotonic_s();
		}
		json_decref(answer);
	}
	json_t *copy = kept.detectors ? json_deep_copy(kept.detectors) : NULL;
	pthread_mutex_unlock(&kept.lock);
	return copy;
}

static bool is_text(const json_t *object, const char *name, const char *text)
{
	const char *found = json_string_value(json_object_get(object, name));

	return found && strcmp(found, text) == 0;
}

static const json_t *detector_of(const json_t *list, const struct anomaly *anomaly)
{
	const json_t *detector;
	size_t i;

	json_array_foreach(list, i, detector)
	{
		if (is_text(detector, "name", anomaly->detector) &&
		    is_text(detector, "source", anomaly->source))
			return detector;
	}
	return NULL;
}

/* Its part of the budget, where it watches longer periods beside the interval. */
static double handicap_of(const json_t *spec, const struct anomaly *anomaly)
{
	const json_t *list = json_object_get(spec, "resolutions_ms"), *resolution;
	uint32_t ranks = 1, rank = 0;
	size_t i;

	json_array_foreach(list, i, resolution)
	{
		int64_t ms = json_integer_value(resolution);
		if (anomaly->interval_ms <= 0 || ms <= anomaly->interval_ms ||
		    ms % anomaly->interval_ms != 0)
			continue;
		if (ms == anomaly->frequency_ms)
			rank = ranks;
		ranks++;
	}
	return ranks > 1 ? resolutions_handicap(rank, ranks) : 0;
}

static void add_chance(json_t *to, const struct anomaly *anomaly)
{
	double severity = anomaly->severity, raw = NAN;

	if (anomaly->log10_p < 0)
		raw = severity_raw(anomaly->log10_p,
				   severity_log10_intervals(anomaly_period_ms(anomaly)));
	json_object_set_new(to, "log10_p",
			    anomaly->log10_p < 0 ? row_number(anomaly->log10_p) : json_null());
	json_object_set_new(to, "severity", row_number(severity));
	json_object_set_new(to, "raw", row_number(raw));
	json_object_set_new(to, "return_weeks", row_number(pow(10, (raw - 50) / 12.5)));
}

json_t *came_about_json(struct console *console, const struct anomaly *strongest, double peak)
{
	json_t *list = detectors(console), *object = json_object();
	const json_t *detector = detector_of(list, strongest);
	const json_t *spec = json_object_get(detector, "spec");
	const json_t *said = json_object_get(spec, "severity");
	double threshold = json_is_number(said) ? json_number_value(said) : NAN, budget = NAN;
	/* Behind a restart nothing has been said yet. */
	const json_t *watched = json_object_get(detector, "watched");
	if (json_integer_value(watched) == 0)
		watched = json_object_get(detector, "slices");
	double slices = (double)json_integer_value(watched);
	bool rated = strcmp(strongest->kind, "rule") == 0;

	if (rated)
		budget = 0;
	else if (detector)
		budget = handicap_of(spec, strongest) + severity_budget(0, slices);
	add_chance(object, strongest);
	json_object_set_new(object, "peak", row_number(peak));
	json_object_set_new(object, "threshold", row_number(threshold));
	json_object_set_new(object, "slices",
			    detector ? json_integer((json_int_t)slices) : json_null());
	json_object_set_new(object, "budget", row_number(budget));
	json_object_set_new(object, "fires_at", row_number(threshold + budget));
	json_decref(list);
	return object;
}
