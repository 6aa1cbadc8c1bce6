/*
 * season: how traffic breathes over a day and a week; a smooth factor around 1.
 */
#include "season.h"

#include <math.h>

#include "random.h"

#define WEEK_MS UINT64_C(604800000)
#define MONDAY_MS UINT64_C(345600000) /* 5 January 1970, 00:00 UTC */
#define BLEND_HOURS 4.0               /* 22:00 to 02:00 */

struct shape {
	double floor, noon_hour, evening_hour, evening;
	double weekday[7]; /* from Monday */
};

static double between(struct random *random, double low, double high)
{
	return low + (high - low) * random_unit(random);
}

/* A bell around an hour of the day, over midnight too. */
static double bump(double hour, double centre, double width)
{
	double distance = fabs(hour - centre);
	if (distance > 12.0)
		distance = 24.0 - distance;
	return exp(-0.5 * (distance / width) * (distance / width));
}

/* hour: of the day, 0..24. day: from Monday, 0..6. */
static double day_factor(const struct shape *shape, int day, double hour)
{
	if (day >= 5) {
		hour -= 0.75;
		if (hour < 0.0)
			hour += 24.0;
	}
	return shape->weekday[day] * (shape->floor + bump(hour, shape->noon_hour, 3.0) +
				      shape->evening * bump(hour, shape->evening_hour, 2.0));
}

static double week_factor(const struct shape *shape, double hours)
{
	int day = (int)(hours / 24.0) % 7;
	double hour = fmod(hours, 24.0);
	/* Position in the blend of the nearest midnight: 0 at 22:00, 1 at 02:00. */
	double blend = hour >= 12.0 ? (hour - 22.0) / BLEND_HOURS : (hour + 2.0) / BLEND_HOURS;
	if (blend <= 0.0 || blend >= 1.0)
		return day_factor(shape, day, hour);
	double weight = blend * blend * (3.0 - 2.0 * blend);
	int before = hour >= 12.0 ? day : (day + 6) % 7;
	return (1.0 - weight) * day_factor(shape, before, hour) +
	       weight * day_factor(shape, (before + 1) % 7, hour);
}

void season_init(struct season *season, uint64_t seed)
{
	struct random random = random_keyed(seed, 1, 0);
	struct shape shape = {
		.floor = between(&random, 0.08, 0.15),
		.noon_hour = between(&random, 12.5, 14.0),
		.evening_hour = between(&random, 20.0, 21.5),
		.evening = between(&random, 0.8, 1.4),
	};
	for (int day = 0; day < 7; day++)
		shape.weekday[day] = 1.0 + 0.1 * normal_quantile(between(&random, 0.05, 0.95));
	shape.weekday[4] *= 0.93; /* fewer on Fridays */

	double sum = 0.0;
	for (int i = 0; i < SEASON_MINUTES; i++)
		sum += week_factor(&shape, i / 60.0);
	for (int i = 0; i <= SEASON_MINUTES; i++)
		season->factor[i] = (float)(week_factor(&shape, i % SEASON_MINUTES / 60.0) *
					    SEASON_MINUTES / sum);
}

double season_factor(const struct season *season, uint64_t time_ms)
{
	double minutes = (double)((time_ms + WEEK_MS - MONDAY_MS) % WEEK_MS) / 60000.0;
	int index = (int)minutes;
	double part = minutes - index;
	return (1.0 - part) * season->factor[index] + part * season->factor[index + 1];
}
