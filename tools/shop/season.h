/*
 * season: how traffic breathes over a day and a week; a smooth factor around 1.
 *
 *   factor(t) = weekday(t) * (floor + noon bump + evening bump)(hour of day), mean 1 over the week
 *
 * Saturday and Sunday come 45 minutes later. Neighbouring days are blended between 22:00 and
 * 02:00, because a jump at midnight is an artefact that every detector would see. The parameters
 * come from the seed; night to evening is about 1 to 10. All in UTC.
 */
#ifndef SHOP_SEASON_H
#define SHOP_SEASON_H

#include <stdint.h>

#define SEASON_MINUTES (7 * 24 * 60)

struct season {
	float factor[SEASON_MINUTES + 1]; /* at each minute of the week from Monday 00:00 */
};

void season_init(struct season *season, uint64_t seed);
/* A shop of other habits: deeper nights or none, a steeper noon, an evening that is later or hardly
 * there, weekends that come 90 minutes later, weekdays that differ more. For checking what was
 * chosen with the usual ones. */
void season_init_other(struct season *season, uint64_t seed);
/* At a unix time. */
double season_factor(const struct season *season, uint64_t time_ms);

#endif
