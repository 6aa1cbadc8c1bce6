/*
 * sheet: 400 days of a small shop in which each rule of the marketers' sheet is broken once.
 */
#include "sheet.h"

#include <stdbool.h>
#include <string.h>

#define HOUR_MS UINT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)
#define WEEK_MS (7 * DAY_MS)
#define MONDAY_MS (4 * DAY_MS) /* 5 January 1970 */
#define EFFECTS_MAX 5

/* One factor on some channels ("" is all, "!cpc" all but one, "a|b" some), for some days. */
struct effect {
	enum sheet_what what;
	const char *channels;
	double factor;
	uint32_t after_weeks; /* counted from the change's first day */
};

struct change {
	const char *rule; /* whose change it is; NULL: nobody's, whom no rule may see */
	bool fires;       /* or stays a little below */
	uint32_t week, weekday, days;
	struct effect effects[EFFECTS_MAX];
};

#define TUESDAY 1
#define THURSDAY 3
#define SATURDAY 5
#define UNPAID "!cpc"

/* The first weeks are what the last are compared with: nothing is planted there. */
static const struct change changes[] = {
	/* Direct visits and searches have rules both ways: they come back in steps. */
	{"direct-down", true, 6, TUESDAY, 2,
	 {{SHEET_VISITS, "direct", 0.73, 0}, {SHEET_VISITS, "direct", 0.86, 1}}},
	{"direct-down", false, 10, TUESDAY, 2,
	 {{SHEET_VISITS, "direct", 0.77, 0}, {SHEET_VISITS, "direct", 0.88, 1}}},
	{"direct-up", true, 14, TUESDAY, 2,
	 {{SHEET_VISITS, "direct", 1.27, 0}, {SHEET_VISITS, "direct", 1.12, 1}}},
	{"direct-up", false, 18, TUESDAY, 2,
	 {{SHEET_VISITS, "direct", 1.23, 0}, {SHEET_VISITS, "direct", 1.10, 1}}},
	{"searches-down", true, 22, TUESDAY, 2,
	 {{SHEET_SEARCHES, "", 0.65, 0}, {SHEET_SEARCHES, "", 0.82, 1}}},
	{"searches-down", false, 26, TUESDAY, 2,
	 {{SHEET_SEARCHES, "", 0.69, 0}, {SHEET_SEARCHES, "", 0.84, 1}}},
	{"searches-up", true, 30, TUESDAY, 2,
	 {{SHEET_SEARCHES, "", 1.52, 0}, {SHEET_SEARCHES, "", 1.22, 1}}},
	{"searches-up", false, 34, TUESDAY, 2,
	 {{SHEET_SEARCHES, "", 1.48, 0}, {SHEET_SEARCHES, "", 1.20, 1}}},
	/* A flood of paid clicks that bounce: neither paid nor unpaid bounces are half as many
	 * again, but there are more of the paid, who bounce more. It ebbs in steps. */
	{"bounce-rate-up", true, 38, TUESDAY, 2,
	 {{SHEET_VISITS, "cpc", 2.2, 0},
	  {SHEET_BOUNCES, "", 1.45, 0},
	  {SHEET_VISITS, "cpc", 1.55, 1},
	  {SHEET_VISITS, "cpc", 1.1, 2}}},
	{"bounce-rate-up", false, 42, TUESDAY, 2,
	 {{SHEET_VISITS, "cpc", 2.2, 0},
	  {SHEET_BOUNCES, "", 1.40, 0},
	  {SHEET_VISITS, "cpc", 1.55, 1},
	  {SHEET_VISITS, "cpc", 1.1, 2}}},

	{"cpc-bounce-up", true, 6, THURSDAY, 2, {{SHEET_BOUNCES, "cpc", 1.52, 0}}},
	{"cpc-bounce-up", false, 8, THURSDAY, 2, {{SHEET_BOUNCES, "cpc", 1.48, 0}}},
	{"nonpaid-bounces-up", true, 10, THURSDAY, 2, {{SHEET_BOUNCES, UNPAID, 1.52, 0}}},
	{"nonpaid-bounces-up", false, 12, THURSDAY, 2, {{SHEET_BOUNCES, UNPAID, 1.48, 0}}},
	{"branded-search-down", true, 14, THURSDAY, 2,
	 {{SHEET_VISITS, "organic_branded", 0.73, 0}}},
	{"branded-search-down", false, 16, THURSDAY, 2,
	 {{SHEET_VISITS, "organic_branded", 0.77, 0}}},
	{"cpc-down", true, 18, THURSDAY, 2, {{SHEET_VISITS, "cpc", 0.65, 0}}},
	{"cpc-down", false, 20, THURSDAY, 2, {{SHEET_VISITS, "cpc", 0.69, 0}}},
	{"referral-down", true, 22, THURSDAY, 2, {{SHEET_VISITS, "referral", 0.73, 0}}},
	{"referral-down", false, 24, THURSDAY, 2, {{SHEET_VISITS, "referral", 0.77, 0}}},
	/* Channels without a rule. */
	{NULL, false, 26, THURSDAY, 2, {{SHEET_VISITS, "email", 0.30, 0}}},
	{NULL, false, 28, THURSDAY, 2, {{SHEET_VISITS, "social", 3.0, 0}}},

	/* All unpaid visits fall by so much while none of the channels with a rule does. */
	{"nonpaid-down", true, 6, SATURDAY, 2,
	 {{SHEET_VISITS, "email|social", 0.05, 0},
	  {SHEET_VISITS, "direct|referral|organic_branded|organic_nonbranded", 0.864, 0}}},
	{"nonpaid-down", false, 8, SATURDAY, 2,
	 {{SHEET_VISITS, "email|social", 0.05, 0},
	  {SHEET_VISITS, "direct|referral|organic_branded|organic_nonbranded", 0.912, 0}}},
	{"page-views-down", true, 10, SATURDAY, 2, {{SHEET_PAGES, "", 0.73, 0}}},
	{"page-views-down", false, 12, SATURDAY, 2, {{SHEET_PAGES, "", 0.77, 0}}},
	{"transactions-down", true, 14, SATURDAY, 2, {{SHEET_ORDERS, "", 0.65, 0}}},
	{"transactions-down", false, 16, SATURDAY, 2, {{SHEET_ORDERS, "", 0.69, 0}}},

	/* Whole weeks. */
	{"nonbranded-search-down", true, 47, 0, 7,
	 {{SHEET_VISITS, "organic_nonbranded", 0.73, 0}}},
	{"nonbranded-search-down", false, 49, 0, 7,
	 {{SHEET_VISITS, "organic_nonbranded", 0.77, 0}}},

	/* Against last year: a decline so slow that no week shows it, and that is not over when the
	 * days are; and cheaper orders. */
	{NULL, false, 53, 0, 7, {{SHEET_VISITS, "", 0.84, 0}}},
	{"visits-down", false, 54, 0, 7, {{SHEET_VISITS, "", 0.69, 0}}},
	{"visits-down", true, 55, 0, 15, {{SHEET_VISITS, "", 0.65, 0}}},
	{"revenue-down", false, 52, 0, 7, {{SHEET_WORTH, "", 0.77, 0}}},
	{"revenue-down", true, 54, 0, 7, {{SHEET_WORTH, "", 0.73, 0}}},
};

#define CHANGES (sizeof(changes) / sizeof(changes[0]))

uint64_t sheet_first_ms(uint64_t time_ms)
{
	return time_ms - (time_ms + WEEK_MS - MONDAY_MS) % WEEK_MS;
}

static bool among(const char *channels, const char *channel)
{
	size_t length = strlen(channel);
	if (channels[0] == '!')
		return strcmp(channels + 1, channel) != 0;
	for (const char *at = channels; *at; at += *at == '|') {
		size_t word = strcspn(at, "|");
		if (word == length && strncmp(at, channel, length) == 0)
			return true;
		at += word;
	}
	return !channels[0];
}

double sheet_factor(enum sheet_what what, const char *channel, uint32_t day)
{
	double factor = 1.0;
	for (size_t c = 0; c < CHANGES; c++) {
		const struct change *change = &changes[c];
		for (size_t e = 0; e < EFFECTS_MAX && change->effects[e].channels; e++) {
			const struct effect *effect = &change->effects[e];
			uint32_t from = 7 * (change->week + effect->after_weeks) + change->weekday;
			if (effect->what == what && day >= from && day < from + change->days &&
			    among(effect->channels, channel))
				factor *= effect->factor;
		}
	}
	return factor;
}

void sheet_print(uint64_t first_ms, FILE *to)
{
	const char *comma = "";
	fprintf(to, "\"first_ms\":%llu,\"last_ms\":%llu,\"planted\":[",
		(unsigned long long)first_ms,
		(unsigned long long)(first_ms + SHEET_DAYS * DAY_MS));
	for (size_t i = 0; i < CHANGES; i++) {
		const struct change *change = &changes[i];
		uint64_t from_ms = first_ms + change->week * WEEK_MS + change->weekday * DAY_MS;
		if (!change->rule)
			continue;
		fprintf(to, "%s{\"rule\":\"%s\",\"fires\":%s,\"from_ms\":%llu,\"to_ms\":%llu}",
			comma, change->rule, change->fires ? "true" : "false",
			(unsigned long long)from_ms,
			(unsigned long long)(from_ms + change->days * DAY_MS));
		comma = ",";
	}
	fputc(']', to);
}

