/* plan: the frame of what is played, and the truth about it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plan.h"

static struct plan plan;
static char why[320];

static struct plan_options usual(void)
{
	return (struct plan_options){.source = "shop",
				     .seed = 1,
				     .days = 15,
				     .start_ms = UINT64_C(1780272000000),
				     .interval_ms = 60000,
				     .lead = 15,
				     .length = 20,
				     .tail = 10,
				     .page_views_min = 2400.0,
				     .incident = true};
}

Test(shop_plan, history_ends_a_lead_before_the_onset_and_all_frames_are_intervals)
{
	for (uint64_t seed = 1; seed < 40; seed++) {
		struct plan_options options = usual();
		options.seed = seed;
		cr_assert_eq(plan_init(&plan, &options, why, sizeof(why)), 0, "%s", why);
		cr_assert_eq(plan.first_ms, options.start_ms);
		cr_assert_eq(plan.live_ms % 60000, 0);
		cr_assert_eq(plan.live_ms / 60000 + 15, plan.incident.onset_ms / 60000);
		cr_assert_geq(plan.last_ms, plan.incident.end_ms + 10 * 60000);
		cr_assert_lt(plan.last_ms, plan.incident.end_ms + 11 * 60000);
		cr_assert_eq(plan.traffic.incident, &plan.incident);
	}
}

Test(shop_plan, without_the_incident_the_frame_is_the_same)
{
	static struct plan clean;
	struct plan_options options = usual();
	cr_assert_eq(plan_init(&plan, &options, why, sizeof(why)), 0);
	options.incident = false;
	cr_assert_eq(plan_init(&clean, &options, why, sizeof(why)), 0);
	cr_expect_eq(clean.live_ms, plan.live_ms);
	cr_expect_eq(clean.last_ms, plan.last_ms);
	cr_expect_null(clean.traffic.incident);
	cr_expect_eq(plan_expected(&plan), plan_expected(&clean));
}

Test(shop_plan, intervals_that_do_not_fit_minutes_are_refused)
{
	const uint64_t bad[] = {500, 7000, 61000, 90000};
	const uint64_t good[] = {1000, 10000, 30000, 60000, 300000, 3600000};
	struct plan_options options = usual();
	options.incident = false;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		options.interval_ms = bad[i];
		cr_expect_eq(plan_init(&plan, &options, why, sizeof(why)), -EINVAL);
		cr_expect(strstr(why, "--interval"));
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		options.interval_ms = good[i];
		cr_expect_eq(plan_init(&plan, &options, why, sizeof(why)), 0, "%s", why);
		cr_expect_eq(options.interval_ms % plan.traffic.step_ms, 0);
	}
}

Test(shop_plan, the_advice_of_a_refused_rate_is_enough)
{
	struct plan_options options = usual();
	options.page_views_min = 20.0;
	cr_assert_eq(plan_init(&plan, &options, why, sizeof(why)), -ERANGE);
	const char *advice = strstr(why, "--rate to ");
	cr_assert(advice, "%s", why);
	options.page_views_min = atof(advice + strlen("--rate to "));
	cr_expect_eq(plan_init(&plan, &options, why, sizeof(why)), 0, "%s", why);
	options.page_views_min -= 2.0;
	cr_expect_eq(plan_init(&plan, &options, why, sizeof(why)), -ERANGE);
}

Test(shop_plan, a_wall_clock_shop_has_no_history)
{
	struct plan_options options = usual();
	options.wall = true;
	options.page_views_min = 100000.0;
	options.now_ms = UINT64_C(1780315215678); /* a Monday at noon */
	cr_assert_eq(plan_init(&plan, &options, why, sizeof(why)), 0, "%s", why);
	cr_expect_eq(plan.first_ms, plan.live_ms);
	cr_expect_eq(plan.live_ms + plan.opened_ms, options.now_ms);
	cr_expect_lt(plan.opened_ms, plan.traffic.step_ms);
	cr_expect_geq(plan.incident.onset_ms, options.now_ms + 15 * 60000);
}

Test(shop_plan, a_shop_that_begins_after_its_incident_is_refused)
{
	struct plan_options options = usual();
	options.days = 0;
	options.start_ms += 23 * UINT64_C(3600000);
	cr_expect_eq(plan_init(&plan, &options, why, sizeof(why)), -EINVAL);
	cr_expect(strstr(why, "--start"));
}

Test(shop_plan, the_truth_is_one_line_with_a_quoted_source)
{
	struct plan_options options = usual();
	char path[] = "/tmp/weir-plan-XXXXXX", line[1024];
	int fd = mkstemp(path);
	cr_assert_geq(fd, 0);
	close(fd);
	options.source = "a \"b\"\n";
	cr_assert_eq(plan_init(&plan, &options, why, sizeof(why)), 0);
	cr_assert_eq(plan_write(&plan, path), 0);
	FILE *file = fopen(path, "r");
	cr_assert(file && fgets(line, sizeof(line), file));
	cr_expect(strstr(line, "\"source\":\"a \\\"b\\\"\\u000a\""), "%s", line);
	cr_expect(strstr(line, "\"planted\":\"device=desktop\""), "%s", line);
	cr_expect_eq(line[strlen(line) - 2], '}');
	cr_expect_null(fgets(line, sizeof(line), file));
	fclose(file);
	unlink(path);
	cr_expect_eq(plan_write(&plan, "/nonexistent/truth"), -ENOENT);
}
