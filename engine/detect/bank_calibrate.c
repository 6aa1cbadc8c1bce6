/*
 * bank_calibrate: episodes of the slices' scores, counted for what scores are worth.
 *
 * Idea:  an episode is what an alarm would be: it begins with a score of CALIBRATION_FROM, and is
 *        over after `recover` steps in which the score is a decade below its peak, or where an
 *        anomaly that fires would not go on. It counts by its peak when that is a decade behind,
 *        unless something was pending or fired since it began: then it is rather part of that. It
 *        is not waited for its end: of many slices something fires so often that few would see it,
 *        episodes would seem to be seldom, and more would fire. One that has been counted and
 *        passes its peak later counts for what it has grown by.
 *
 * Of kind seasonal, and slices that belong together; from a fortnight on, when day and week have
 * been seen.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include <math.h>
#include <string.h>

#include "detect/life.h"
#include "detect/math.h"
#include "detect/resolutions.h"
#include "detect/values.h"

/* An episode goes on with a score that is so much less than its peak. */
#define GOES_ON 1.0
/* No score of less is part of one. */
#define GOES_ON_MIN 0.3

bool bank_calibrates(const struct bank *bank)
{
	return bank->spec.kind == DETECTOR_SEASONAL && !bank->spec.apart;
}

/* Is an anomaly of any slice pending, or does it fire, at whatever resolution? */
static bool any_running(const struct bank *bank)
{
	const struct resolutions *all = bank->whole ? bank->whole : bank->resolutions;
	bool running = bank->running;

	for (uint32_t rank = 0; all && rank < all->ranks; rank++)
		running |= all->banks[rank]->running;
	return running;
}

void bank_calibrate_begin(struct bank *bank, int64_t step, double goes_on)
{
	struct bank_episodes *episodes = &bank->episodes;

	memset(episodes->reached, 0, sizeof(episodes->reached));
	episodes->step = (double)step;
	episodes->goes_on = bank->log10_intervals + goes_on;
	if (any_running(bank))
		bank->calibration.ran = episodes->step;
}

void bank_episode(struct bank *bank, uint32_t i, double score)
{
	struct bank_episodes *episodes = &bank->episodes;
	double peak = math_max(episodes->peak[i], score);

	if (episodes->peak[i] == 0) {
		episodes->start[i] = episodes->step;
		episodes->faint[i] = 0;
		episodes->counted[i] = 0;
	}
	double least = math_max(math_min(episodes->goes_on, peak - GOES_ON), GOES_ON_MIN);
	episodes->faint[i] = score < least ? episodes->faint[i] + 1 : 0;
	bool over = episodes->faint[i] >= bank->spec.recover_intervals;
	episodes->peak[i] = over ? 0 : peak;
	double counted = episodes->counted[i];
	if ((!over && score >= peak - GOES_ON) || peak <= counted ||
	    episodes->start[i] <= bank->calibration.ran)
		return;
	episodes->counted[i] = peak;
	double level = CALIBRATION_FROM;
	for (uint32_t k = 0; k < CALIBRATION_LEVELS && peak >= level; k++) {
		episodes->reached[k] += level > counted;
		level += CALIBRATION_STEP;
	}
}

void bank_calibrate_end(struct bank *bank, const struct observations *observations,
			uint32_t watched, uint32_t busy, double fires)
{
	struct calibration *calibration = &bank->calibration;
	bool adds = value_adds(observations->aggregation);

	/* What began behind what fired is not over before the next step. */
	if ((observations->flags & OBSERVATION_INCOMPLETE) || watched < CALIBRATION_SLICES ||
	    calibration->ran >= bank->episodes.step - 1 ||
	    bank->seen <= bank_wanted(&bank->spec, bank->step_ms))
		return;
	calibration_add(calibration, watched, bank->episodes.reached);
	calibration_step(calibration, bank->step_ms, bank->seen,
			 adds ? (double)busy / CALIBRATION_BUSIEST / watched : 0, fires);
}

bool bank_episode_possible(const struct bank *bank, uint32_t i)
{
	const struct bank_episodes *episodes = &bank->episodes;

	return episodes->peak[i] >= 0 && episodes->peak[i] < 1e300 &&
	       fabs(episodes->start[i]) <= 1e18 && episodes->faint[i] >= 0 &&
	       episodes->faint[i] < 1e18 && episodes->counted[i] >= 0 &&
	       episodes->counted[i] < 1e300;
}
