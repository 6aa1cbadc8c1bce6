/* sheet: what is planted for the marketing rules, where and how deep. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sheet.h"
#include "weir/weir.h"

#define DAY_MS UINT64_C(86400000)
#define MONDAY_MS UINT64_C(1748822400000) /* 2 June 2025 */

static const char *const channels[] = {
	WEIR_CHANNEL_DIRECT,	      WEIR_CHANNEL_REFERRAL,	       WEIR_CHANNEL_CPC,
	WEIR_CHANNEL_ORGANIC_BRANDED, WEIR_CHANNEL_ORGANIC_NONBRANDED, WEIR_CHANNEL_EMAIL,
	WEIR_CHANNEL_SOCIAL,
};
#define CHANNELS (sizeof(channels) / sizeof(channels[0]))

Test(shop_sheet, the_weeks_that_the_last_ones_are_compared_with_are_left_alone)
{
	for (int what = 0; what < SHEET_WHATS; what++)
		for (size_t c = 0; c < CHANNELS; c++)
			for (uint32_t day = 0; day < SHEET_DAYS - 364; day++)
				cr_assert_eq(sheet_factor((enum sheet_what)what, channels[c], day),
					     1.0);
}

Test(shop_sheet, a_change_is_in_its_channels_and_days_only)
{
	const uint32_t tuesday = 6 * 7 + 1; /* direct visits fall, and come back in steps */
	for (size_t c = 0; c < CHANNELS; c++) {
		bool direct = strcmp(channels[c], WEIR_CHANNEL_DIRECT) == 0;
		cr_expect_eq(sheet_factor(SHEET_VISITS, channels[c], tuesday), direct ? 0.73 : 1);
		cr_expect_eq(sheet_factor(SHEET_VISITS, channels[c], tuesday - 1), 1);
		cr_expect_eq(sheet_factor(SHEET_VISITS, channels[c], tuesday + 2), 1);
		cr_expect_eq(sheet_factor(SHEET_VISITS, channels[c], tuesday + 7),
			     direct ? 0.86 : 1);
		cr_expect_eq(sheet_factor(SHEET_ORDERS, channels[c], tuesday), 1);
	}
	const uint32_t thursday = 10 * 7 + 3; /* all but the paid bounce more */
	for (size_t c = 0; c < CHANNELS; c++)
		cr_expect_eq(sheet_factor(SHEET_BOUNCES, channels[c], thursday),
			     strcmp(channels[c], WEIR_CHANNEL_CPC) == 0 ? 1 : 1.52);
}

Test(shop_sheet, a_sheet_begins_on_the_monday_of_its_week)
{
	for (uint64_t hour = 0; hour < 7 * 24; hour++)
		cr_assert_eq(sheet_first_ms(MONDAY_MS + hour * 3600000 + 1), MONDAY_MS);
	cr_expect_eq(sheet_first_ms(MONDAY_MS + 7 * DAY_MS), MONDAY_MS + 7 * DAY_MS);
}

Test(shop_sheet, each_of_sixteen_rules_is_broken_once_and_nearly_broken_once)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *to = open_memstream(&text, &bytes);
	sheet_print(MONDAY_MS, to);
	fclose(to);
	int fires = 0, holds = 0;
	for (char *at = text; (at = strstr(at, "{\"rule\":\"")); at++) {
		char rule[64], answer[8], both[128];
		cr_assert_eq(sscanf(at, "{\"rule\":\"%63[a-z-]\",\"fires\":%7[a-z]", rule, answer),
			     2);
		bool breaks = strcmp(answer, "true") == 0;
		*(breaks ? &fires : &holds) += 1;
		snprintf(both, sizeof(both), "{\"rule\":\"%s\",\"fires\":%s", rule,
			 breaks ? "true" : "false");
		cr_expect_null(strstr(at + 1, both), "%s twice", both);
	}
	cr_expect_eq(fires, 16);
	cr_expect_eq(holds, 16);
	free(text);
}
