/*
 * main: weir-shop, a storefront's traffic through libweir: made up from a seed, or recorded.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "options.h"
#include "plan.h"
#include "replay.h"
#include "sheet_play.h"
#include "storefront.h"
#include "weir/weir.h"

#define WORKERS_MAX 256 /* threads of all processes */
#define WHY_BYTES 320
#define START_MS UINT64_C(1780272000000) /* Monday, 1 June 2026, 00:00 UTC */
#define START_DEFAULT UINT64_MAX
#define SHEET_START_MS UINT64_C(1748822400000) /* 52 weeks earlier */

enum shop_clock { CLOCK_EVENT, CLOCK_WALL }; /* as --clock names them */

struct shop {
	struct plan_options plan;
	struct worker_options worker;
	const char *source, *truth, *replay;
	uint64_t start_s;         /* START_DEFAULT: what is played decides */
	unsigned clock, incident; /* of the choices; a truth */
	bool only_plan, sheet, json, version;
};

static const struct option_row rows[] = {
	{.name = "socket",
	 .argument = "PATH",
	 .help = "of the engine; default $WEIR_SOCKET, /run/weir/weir.sock",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct shop, worker.socket_path)},
	{.name = "source",
	 .argument = "NAME",
	 .help = "stream of the events; default shop, or orders with --replay",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct shop, source)},
	{.name = "seed",
	 .argument = "N",
	 .help = "everything follows from it; default 1",
	 .kind = OPTION_U64,
	 .at = offsetof(struct shop, plan.seed)},
	{.name = "processes",
	 .argument = "P",
	 .help = "producing processes; default 2",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = WORKERS_MAX,
	 .at = offsetof(struct shop, worker.processes)},
	{.name = "threads",
	 .argument = "T",
	 .help = "threads in each; default 1",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = WORKERS_MAX,
	 .at = offsetof(struct shop, worker.threads)},
	{.name = "rate",
	 .argument = "N",
	 .help = "page views per minute, mean of a week; default 2400",
	 .kind = OPTION_F64,
	 .min = 0.001,
	 .max = 1e9,
	 .at = offsetof(struct shop, plan.page_views_min)},
	{.name = "days",
	 .argument = "D",
	 .help = "days of history before the incident's day; default 15",
	 .kind = OPTION_U64,
	 .min = 0,
	 .max = 3660,
	 .at = offsetof(struct shop, plan.days)},
	{.name = "start",
	 .argument = "UNIX",
	 .help = "history begins here, unix seconds; default 2026-06-01, or 2025-06-02 with "
		 "--sheet",
	 .kind = OPTION_U64,
	 .min = 0,
	 .max = 4e9,
	 .at = offsetof(struct shop, start_s)},
	{.name = "interval",
	 .argument = "TIME",
	 .help = "the engine's interval; default 60s",
	 .kind = OPTION_DURATION,
	 .min = 1000,
	 .max = 86400000,
	 .at = offsetof(struct shop, plan.interval_ms)},
	{.name = "speed",
	 .argument = "X",
	 .help = "simulated seconds per second once history is over; default 60, "
		 "0 is flat out",
	 .kind = OPTION_F64,
	 .min = 0,
	 .max = 1e6,
	 .at = offsetof(struct shop, worker.speed)},
	{.name = "incident",
	 .help = "plant an incident (default)",
	 .kind = OPTION_VALUE,
	 .min = 1,
	 .at = offsetof(struct shop, incident)},
	{.name = "no-incident",
	 .help = "the same traffic without it",
	 .kind = OPTION_VALUE,
	 .min = 0,
	 .at = offsetof(struct shop, incident)},
	{.name = "lead",
	 .argument = "N",
	 .help = "intervals as lived before the incident; default 15",
	 .kind = OPTION_U64,
	 .min = 0,
	 .max = 100000,
	 .at = offsetof(struct shop, plan.lead)},
	{.name = "length",
	 .argument = "N",
	 .help = "intervals that it lasts; default 20",
	 .kind = OPTION_U64,
	 .min = 1,
	 .max = 100000,
	 .at = offsetof(struct shop, plan.length)},
	{.name = "tail",
	 .argument = "N",
	 .help = "intervals after it; default 10",
	 .kind = OPTION_U64,
	 .min = 0,
	 .max = 100000,
	 .at = offsetof(struct shop, plan.tail)},
	{.name = "forever",
	 .help = "go on after that until stopped",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct shop, plan.forever)},
	{.name = "clock",
	 .argument = "event|wall",
	 .help = "event: history and simulated time (default); wall: now",
	 .kind = OPTION_CHOICE,
	 .at = offsetof(struct shop, clock)},
	{.name = "truth",
	 .argument = "FILE",
	 .help = "write what is planted there, before anything is emitted",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct shop, truth)},
	{.name = "plan",
	 .help = "print what is planted and leave; needs no engine",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct shop, only_plan)},
	{.name = "replay",
	 .argument = "FILE",
	 .help = "recorded order lines instead: CSV, .gz, or - for stdin",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct shop, replay)},
	{.name = "sheet",
	 .help = "400 days instead, in which each of the marketing rules is broken once",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct shop, sheet)},
	{.name = "patience",
	 .argument = "SECONDS",
	 .help = "wait so long for an engine; default 60",
	 .kind = OPTION_U32,
	 .min = 1,
	 .max = 86400,
	 .at = offsetof(struct shop, worker.patience_s)},
	{.name = "json",
	 .help = "one line of JSON at the end",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct shop, json)},
	{.name = "version",
	 .help = "print the version",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct shop, version)},
};

static const struct option_example examples[] = {
	{"weir-shop --seed 7 --truth truth.json",
	 "Weeks of history, then as lived, with an incident"},
	{"weir-shop --clock wall --days 0 --forever", "Traffic now, until stopped"},
	{"weir-shop --sheet --plan", "What the 400 days of the marketing rules hold"},
};

static const struct options options = {
	.program = "weir-shop",
	.operands = "",
	.summary = "a storefront's traffic through libweir, made up or recorded",
	.description = "Play a storefront's traffic through libweir: weeks of history flat out, "
		       "then as lived, with one planted incident. Seed, rate, days, start and "
		       "interval decide every event.",
	.rows = rows,
	.rows_count = OPTIONS_COUNT(rows),
	.examples = examples,
	.examples_count = OPTIONS_COUNT(examples),
	.environment = "WEIR_SOCKET",
	.see_also = "weirctl(1) weird(8)",
};

static int play(struct shop *shop)
{
	static struct plan plan; /* large: tables of traffic */
	char why[WHY_BYTES];
	struct timespec now;

	shop->plan.source = shop->source ? shop->source : "shop";
	shop->plan.start_ms = shop->start_s == START_DEFAULT ? START_MS : shop->start_s * 1000;
	shop->plan.wall = shop->clock == CLOCK_WALL;
	shop->plan.incident = shop->incident != 0;
	if (shop->plan.wall) {
		/* The wall clock runs as it runs. */
		shop->worker.speed = 1.0;
		clock_gettime(CLOCK_REALTIME, &now);
		shop->plan.now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	}
	if (shop->worker.processes * shop->worker.threads > WORKERS_MAX)
		return options_wrong(&options, "more than %d threads in all", WORKERS_MAX);
	if (plan_init(&plan, &shop->plan, why, sizeof(why)) < 0)
		return options_wrong(&options, "%s", why);
	int ret = shop->truth ? plan_write(&plan, shop->truth) : 0;
	if (ret < 0) {
		fprintf(stderr, "weir-shop: cannot write %s: %s\n", shop->truth, strerror(-ret));
		return TOOL_IO;
	}
	if (shop->only_plan) {
		putchar('{');
		plan_print(&plan, stdout);
		if (plan.options.forever)
			puts("}");
		else
			printf(",\"events_expected\":%.0f}\n", plan_expected(&plan));
		return TOOL_OK;
	}
	return storefront_run(&plan, &shop->worker, shop->json);
}

static int play_sheet(const struct shop *shop)
{
	struct sheet_options sheet = {
		.socket_path = shop->worker.socket_path,
		.source = shop->source ? shop->source : "shop",
		.truth = shop->truth,
		.seed = shop->plan.seed,
		.start_ms = shop->start_s == START_DEFAULT ? SHEET_START_MS : shop->start_s * 1000,
		.patience_s = shop->worker.patience_s,
		.only_plan = shop->only_plan,
		.json = shop->json};
	if (shop->replay)
		return options_wrong(&options, "--sheet and --replay are two things; choose one");
	return sheet_run(&sheet);
}

int main(int argc, char **argv)
{
	struct shop shop = {
		.plan = {.seed = 1,
			 .days = 15,
			 .interval_ms = 60000,
			 .lead = 15,
			 .length = 20,
			 .tail = 10,
			 .page_views_min = 2400.0},
		.worker = {.processes = 2, .threads = 1, .patience_s = 60, .speed = 60.0},
		.start_s = START_DEFAULT,
		.incident = 1,
	};
	char **operands;
	int count, code;
	if (options_parse(&options, argc, argv, &shop, &operands, &count, &code))
		return code;
	if (shop.source && !shop.source[0])
		return options_wrong(&options, "--source cannot be \"\"");
	if (shop.version) {
		printf("weir-shop %s\n", weir_version());
		return TOOL_OK;
	}
	if (shop.sheet)
		return play_sheet(&shop);
	if (!shop.replay)
		return play(&shop);
	struct replay_options replay = {.path = shop.replay,
					.socket_path = shop.worker.socket_path,
					.source = shop.source ? shop.source : "orders",
					.patience_s = shop.worker.patience_s,
					.json = shop.json};
	return replay_run(&replay);
}
