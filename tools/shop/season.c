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
	double noon_width, evening_width, weekend_hours; /* hours; how much later weekends come */
	double weekday[7];                               /* from Monday */
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
		hour -= shape->weekend_hours;
		if (hour < 0.0)
			hour += 24.0;
	}
	return shape->weekday[day] *
	       (shape->floor + bump(hour, shape->noon_hour, shape->noon_width) +
		shape->evening * bump(hour, shape->evening_hour, shape->evening_width));
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

/* spread: of the weekdays, one standard deviation. */
static void set_weekdays(struct shape *shape, struct random *random, double spread)
{
	for (int day = 0; day < 7; day++)
		shape->weekday[day] =
			1.0 + spread * normal_quantile(between(random, 0.05, 0.95));
	shape->weekday[4] *= 0.93; /* fewer on Fridays */
}

static void fill(struct season *season, const struct shape *shape)
{
	double sum = 0.0;
	for (int i = 0; i < SEASON_MINUTES; i++)
		sum += week_factor(shape, i / 60.0);
	for (int i = 0; i <= SEASON_MINUTES; i++)
		season->factor[i] = (float)(week_factor(shape, i % SEASON_MINUTES / 60.0) *
					    SEASON_MINUTES / sum);
}

void season_init(struct season *season, uint64_t seed)
{
	struct random random = random_keyed(seed, 1, 0);
	struct shape shape = {
		.floor = between(&random, 0.08, 0.15),
		.noon_hour = between(&random, 12.5, 14.0),
		.evening_hour = between(&random, 20.0, 21.5),
		.evening = between(&random, 0.8, 1.4),
		.noon_width = 3.0,
		.evening_width = 2.0,
		.weekend_hours = 0.75,
	};
	set_weekdays(&shape, &random, 0.1);
	fill(season, &shape);
}

void season_init_other(struct season *season, uint64_t seed)
{
	struct random random = random_keyed(seed, 1, 1);
	struct shape shape = {
		.floor = between(&random, 0.04, 0.4),
		.noon_hour = between(&random, 10.5, 15.0),
		.evening_hour = between(&random, 19.0, 22.5),
		.evening = between(&random, 0.3, 2.0),
		.noon_width = between(&random, 1.5, 4.0),
		.evening_width = between(&random, 1.2, 3.0),
		.weekend_hours = 1.5,
	};
	set_weekdays(&shape, &random, 0.2);
	fill(season, &shape);
}

double season_factor(const struct season *season, uint64_t time_ms)
{
	double minutes = (double)((time_ms + WEEK_MS - MONDAY_MS) % WEEK_MS) / 60000.0;
	int index = (int)minutes;
	double part = minutes - index;
	return (1.0 - part) * season->factor[index] + part * season->factor[index + 1];
}
