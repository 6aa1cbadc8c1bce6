/* The keys of detectors: what they mean, by kind, and what is said where they mean nothing. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "config.h"

#define DAY_MS 86400000

static char why[512];

/* One detector of a metric `orders`, in a file with intervals of ten seconds. */
static int try(const char *detector, struct config **ret_config)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "metrics:\n  - {name: orders, event: purchase}\n"
		 "detectors:\n  - {metric: orders, %s}\n",
		 detector);
	why[0] = '\0';
	*ret_config = NULL;
	return config_parse(text, strlen(text), "w.yaml", ret_config, why, sizeof(why));
}

static struct config *parse(const char *detector)
{
	struct config *config;

	cr_assert_eq(try(detector, &config), 0, "%s: %s", detector, why);
	return config;
}

static void refused(const char *detector, const char *expected)
{
	struct config *config;

	cr_assert_eq(try(detector, &config), -EINVAL, "%s", detector);
	cr_assert_str_eq(why, expected);
}

Test(config_detector, a_rule_has_thresholds_in_per_cent_and_limits)
{
	struct config *c = parse("kind: rule, up: 50%, down: 25, above: 1000, below: -2.5, "
				 "frequency: 1d, versus: last_week");
	const struct config_detector *d = &c->detectors[0];

	cr_assert_str_eq(d->name, "orders-rule");
	cr_assert(d->up_percent == 50 && d->down_percent == 25);
	cr_assert(d->above == 1000 && d->below == -2.5);
	cr_assert(isnan(d->growth_drop));
	cr_assert_str_eq(d->baseline, "last_week");
	cr_assert_eq(d->frequency_ms, DAY_MS);
	cr_assert_eq(d->severity, 50, "50 is at the threshold");
	cr_assert_eq(d->min_volume, 0, "an absolute limit holds however little comes");
	config_free(c);
	c = parse("kind: rule, down: 33%, min_delta: 4.5, cooldown: 1h");
	d = &c->detectors[0];
	cr_assert_str_eq(d->baseline, "previous");
	cr_assert(d->frequency_ms == 0 && d->min_volume == 10);
	cr_assert(isnan(d->up_percent) && isnan(d->above) && isnan(d->below));
	cr_assert(d->min_delta == 4.5 && d->cooldown_intervals == 360);
	config_free(c);
	c = parse("kind: rule, frequency: 1mo, growth_drop: 15");
	cr_assert(c->detectors[0].growth_drop == 15 && c->detectors[0].frequency_ms == -1);
	config_free(c);
}

Test(config_detector, numbers_count_the_periods_of_the_detector)
{
	struct config *c = parse("kind: window, frequency: 1d, window: 28d, for: 2, recover: 3d");
	const struct config_detector *d = &c->detectors[0];

	cr_assert(d->window_intervals == 28 && d->for_intervals == 2);
	cr_assert_eq(d->recover_intervals, 3);
	config_free(c);
	c = parse("kind: window, frequency: 10s, window: 28h");
	cr_assert_eq(c->detectors[0].window_intervals, 28 * 360);
	cr_assert_eq(c->detectors[0].frequency_ms, 0, "the interval's own");
	config_free(c);
	c = parse("kind: window, frequency: 1mo, window: 365d");
	cr_assert_eq(c->detectors[0].window_intervals, 12);
	config_free(c);
}

Test(config_detector, resolutions_are_periods_that_are_watched_beside_the_interval)
{
	struct config *c = parse("kind: seasonal");
	const int64_t *all = c->detectors[0].resolutions_ms;

	cr_assert(all[0] == 300000 && all[1] == 3600000 && all[2] == DAY_MS && all[3] == 0);
	config_free(c);
	c = parse("kind: seasonal, resolutions: []");
	cr_assert_eq(c->detectors[0].resolutions_ms[0], 0);
	config_free(c);
	c = parse("kind: seasonal, resolutions: [1d, 10m, 6h]");
	all = c->detectors[0].resolutions_ms;
	cr_assert(all[0] == 600000 && all[1] == 6 * 3600000 && all[2] == DAY_MS && all[3] == 0);
	config_free(c);
	c = parse("kind: window");
	cr_assert_eq(c->detectors[0].resolutions_ms[0], 0);
	config_free(c);
	refused("kind: rule, up: 5%, resolutions: []",
		"w.yaml: detectors[0].resolutions: only kind seasonal has it, this is rule; remove "
		"it");
	refused("kind: seasonal, resolutions: [1h, 10s]",
		"w.yaml: detectors[0].resolutions[1]: no multiple of the interval, 10s, which is "
		"watched anyway; make it one or leave it out");
	refused("kind: seasonal, resolutions: [25s]",
		"w.yaml: detectors[0].resolutions[0]: no multiple of the interval, 10s, which is "
		"watched anyway; make it one or leave it out");
	refused("kind: seasonal, resolutions: [7h]",
		"w.yaml: detectors[0].resolutions[0]: 7h does not divide a day; write a part of it "
		"as 5m, 1h or 6h, or 1d");
	refused("kind: seasonal, resolutions: [7d]",
		"w.yaml: detectors[0].resolutions[0]: 7d is out of bounds; write 1s to 1d");
	refused("kind: seasonal, resolutions: [1h, 60m]",
		"w.yaml: detectors[0].resolutions[1]: stands there twice; remove one");
	refused("kind: seasonal, resolutions: [20s, 30s, 1m, 5m, 1h]",
		"w.yaml: detectors[0].resolutions[4]: a detector has 4 at most; leave some out");
}

Test(config_detector, a_rule_without_a_threshold_is_none)
{
	refused("kind: rule", "w.yaml: detectors[0].up: missing; a rule has one of up, down, "
			      "above, below and growth_drop");
	refused("kind: rule, above: 5, versus: last_week",
		"w.yaml: detectors[0].versus: only up and down compare with it; remove it");
	refused("kind: rule, down: 120%",
		"w.yaml: detectors[0].down: 120% is out of bounds; write 0.001% to 100%");
	refused("kind: rule, up: much",
		"w.yaml: detectors[0].up: \"much\" is not a percentage, as 25%; correct it");
	refused("kind: rule, below: 1-2",
		"w.yaml: detectors[0].below: \"1-2\" is not a number; correct it");
}

Test(config_detector, a_key_of_another_kind_is_refused)
{
	refused("up: 5%",
		"w.yaml: detectors[0].up: only kind rule has it, this is seasonal; remove it");
	refused("kind: absence, frequency: 1d", "w.yaml: detectors[0].frequency: only kind rule or "
						"window has it, this is absence; remove it");
	refused("kind: rule, up: 5%, baseline: recent",
		"w.yaml: detectors[0].baseline: only kind window has it, this is rule; remove it");
	refused("kind: window, versus: previous",
		"w.yaml: detectors[0].versus: only kind rule has it, this is window; remove it");
}

Test(config_detector, a_period_is_made_of_intervals_and_makes_up_days)
{
	refused("kind: rule, up: 5%, frequency: 15s",
		"w.yaml: detectors[0].frequency: not a multiple of the interval, 10s; make it one");
	refused("kind: rule, up: 5%, frequency: 7h",
		"w.yaml: detectors[0].frequency: 7h does not divide a day; write a part of it as "
		"10m, 1h or 6h, or 1d, 7d or 1mo");
	refused("kind: rule, up: 5%, frequency: 2d",
		"w.yaml: detectors[0].frequency: 2d does not divide a day; write a part of it as "
		"10m, 1h or 6h, or 1d, 7d or 1mo");
	refused("kind: rule, up: 5%, frequency: 30d",
		"w.yaml: detectors[0].frequency: 30d is out of bounds; write 1s to 7d");
	refused("kind: rule, up: 5%, frequency: monthly",
		"w.yaml: detectors[0].frequency: \"monthly\" is not a period, as 1h, 1d, 7d or 1mo; "
		"correct it");
}

Test(config_detector, the_past_that_a_rule_keeps_is_bounded)
{
	refused("kind: rule, up: 5%, versus: last_week",
		"w.yaml: detectors[0].versus: last_week is 60480 periods back, of which a detector "
		"keeps 10080 at most; make the frequency longer");
	refused("kind: rule, growth_drop: 5, frequency: 10m",
		"w.yaml: detectors[0].growth_drop: last_year is 52416 periods back, of which a "
		"detector keeps 10080 at most; make the frequency longer");
	refused("kind: rule, up: 5%, versus: last_week, frequency: 1mo",
		"w.yaml: detectors[0].versus: last_week has no whole number of periods; choose "
		"another frequency");
	config_free(parse("kind: rule, up: 5%, versus: last_week, frequency: 1m"));
	config_free(parse("kind: rule, up: 5%, versus: last_year, frequency: 1h"));
	config_free(parse("kind: window, baseline: last_year, frequency: 1h, window: 7d"));
	refused("kind: window, baseline: last_year, frequency: 1d, window: 800",
		"w.yaml: detectors[0].window: as long as the year that it looks back; make it "
		"shorter");
}
