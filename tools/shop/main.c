/*
 * main: weir-shop, a storefront's traffic through libweir: made up from a seed, or recorded.
 */
#include <errno.h>
#include <getopt.h>
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
#define START_MS UINT64_C(1780272000000)       /* Monday, 1 June 2026, 00:00 UTC */
#define SHEET_START_MS UINT64_C(1748822400000) /* 52 weeks earlier */

enum option_id {
	OPTION_SEED = OPTIONS_LONG,
	OPTION_PROCESSES,
	OPTION_THREADS,
	OPTION_DAYS,
	OPTION_START,
	OPTION_RATE,
	OPTION_INTERVAL,
	OPTION_SPEED,
	OPTION_INCIDENT,
	OPTION_NO_INCIDENT,
	OPTION_LEAD,
	OPTION_LENGTH,
	OPTION_TAIL,
	OPTION_FOREVER,
	OPTION_CLOCK,
	OPTION_SOURCE,
	OPTION_SOCKET,
	OPTION_TRUTH,
	OPTION_PLAN,
	OPTION_REPLAY,
	OPTION_SHEET,
	OPTION_PATIENCE,
	OPTION_JSON,
	OPTION_VERSION,
};

static const struct option_row rows[] = {
	{.id = OPTION_SOCKET,
	 .name = "socket",
	 .argument = "PATH",
	 .help = "of the engine; default $WEIR_SOCKET, /run/weir/weir.sock"},
	{.id = OPTION_SOURCE,
	 .name = "source",
	 .argument = "NAME",
	 .help = "stream of the events; default shop, or orders with --replay"},
	{.id = OPTION_SEED,
	 .name = "seed",
	 .argument = "N",
	 .help = "everything follows from it; default 1"},
	{.id = OPTION_PROCESSES,
	 .name = "processes",
	 .argument = "P",
	 .help = "producing processes; default 2"},
	{.id = OPTION_THREADS,
	 .name = "threads",
	 .argument = "T",
	 .help = "threads in each; default 1"},
	{.id = OPTION_RATE,
	 .name = "rate",
	 .argument = "N",
	 .help = "page views per minute, mean of a week; default 2400"},
	{.id = OPTION_DAYS,
	 .name = "days",
	 .argument = "D",
	 .help = "days of history before the incident's day; default 15"},
	{.id = OPTION_START,
	 .name = "start",
	 .argument = "UNIX",
	 .help = "history begins here, unix seconds; default 2026-06-01, or 2025-06-02 with "
		 "--sheet"},
	{.id = OPTION_INTERVAL,
	 .name = "interval",
	 .argument = "TIME",
	 .help = "the engine's interval; default 60s"},
	{.id = OPTION_SPEED,
	 .name = "speed",
	 .argument = "X",
	 .help = "simulated seconds per second once history is over; default 60, "
		 "0 is flat out"},
	{.id = OPTION_INCIDENT, .name = "incident", .help = "plant an incident (default)"},
	{.id = OPTION_NO_INCIDENT, .name = "no-incident", .help = "the same traffic without it"},
	{.id = OPTION_LEAD,
	 .name = "lead",
	 .argument = "N",
	 .help = "intervals as lived before the incident; default 15"},
	{.id = OPTION_LENGTH,
	 .name = "length",
	 .argument = "N",
	 .help = "intervals that it lasts; default 20"},
	{.id = OPTION_TAIL,
	 .name = "tail",
	 .argument = "N",
	 .help = "intervals after it; default 10"},
	{.id = OPTION_FOREVER, .name = "forever", .help = "go on after that until stopped"},
	{.id = OPTION_CLOCK,
	 .name = "clock",
	 .argument = "event|wall",
	 .help = "event: history and simulated time (default); wall: now"},
	{.id = OPTION_TRUTH,
	 .name = "truth",
	 .argument = "FILE",
	 .help = "write what is planted there, before anything is emitted"},
	{.id = OPTION_PLAN,
	 .name = "plan",
	 .help = "print what is planted and leave; needs no engine"},
	{.id = OPTION_REPLAY,
	 .name = "replay",
	 .argument = "FILE",
	 .help = "recorded order lines instead: CSV, .gz, or - for stdin"},
	{.id = OPTION_SHEET,
	 .name = "sheet",
	 .help = "400 days instead, in which each of the marketing rules is broken once"},
	{.id = OPTION_PATIENCE,
	 .name = "patience",
	 .argument = "SECONDS",
	 .help = "wait so long for an engine; default 60"},
	{.id = OPTION_JSON, .name = "json", .help = "one line of JSON at the end"},
	{.id = OPTION_VERSION, .name = "version", .help = "print the version"},
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
	.environment = "WEIR_SOCKET",
};

struct shop {
	struct plan_options plan;
	struct worker_options worker;
	const char *source, *truth, *replay;
	bool started, only_plan, sheet, json, version;
};

static int take_number(struct shop *shop, int id, const char *argument)
{
	uint64_t value = 0;
	int ret;
	switch (id) {
	case OPTION_SEED:
		return options_u64(argument, 0, UINT64_MAX, &shop->plan.seed);
	case OPTION_DAYS:
		return options_u64(argument, 0, 3660, &shop->plan.days);
	case OPTION_LEAD:
		return options_u64(argument, 0, 100000, &shop->plan.lead);
	case OPTION_LENGTH:
		return options_u64(argument, 1, 100000, &shop->plan.length);
	case OPTION_TAIL:
		return options_u64(argument, 0, 100000, &shop->plan.tail);
	case OPTION_RATE:
		return options_f64(argument, 0.001, 1e9, &shop->plan.page_views_min);
	case OPTION_SPEED:
		return options_f64(argument, 0.0, 1e6, &shop->worker.speed);
	case OPTION_INTERVAL:
		return options_duration_ms(argument, 1000, 86400000, &shop->plan.interval_ms);
	case OPTION_START:
		ret = options_u64(argument, 0, UINT64_C(4000000000), &value);
		shop->plan.start_ms = value * 1000;
		shop->started = true;
		return ret;
	case OPTION_PROCESSES:
		ret = options_u64(argument, 1, WORKERS_MAX, &value);
		shop->worker.processes = (uint32_t)value;
		return ret;
	case OPTION_THREADS:
		ret = options_u64(argument, 1, WORKERS_MAX, &value);
		shop->worker.threads = (uint32_t)value;
		return ret;
	case OPTION_PATIENCE:
		ret = options_u64(argument, 1, 86400, &value);
		shop->worker.patience_s = (uint32_t)value;
		return ret;
	default:
		return -ENOENT;
	}
}

static int take_option(struct shop *shop, int id, const char *argument)
{
	switch (id) {
	case OPTION_SOCKET:
		shop->worker.socket_path = argument;
		return 0;
	case OPTION_SOURCE:
		shop->source = argument;
		return argument[0] ? 0 : -EINVAL;
	case OPTION_TRUTH:
		shop->truth = argument;
		return 0;
	case OPTION_REPLAY:
		shop->replay = argument;
		return 0;
	case OPTION_CLOCK:
		shop->plan.wall = strcmp(argument, "wall") == 0;
		return shop->plan.wall || strcmp(argument, "event") == 0 ? 0 : -EINVAL;
	case OPTION_INCIDENT:
	case OPTION_NO_INCIDENT:
		shop->plan.incident = id == OPTION_INCIDENT;
		return 0;
	case OPTION_FOREVER:
		shop->plan.forever = true;
		return 0;
	case OPTION_PLAN:
		shop->only_plan = true;
		return 0;
	case OPTION_SHEET:
		shop->sheet = true;
		return 0;
	case OPTION_JSON:
		shop->json = true;
		return 0;
	case OPTION_VERSION:
		shop->version = true;
		return 0;
	default:
		return take_number(shop, id, argument);
	}
}

static int play(struct shop *shop)
{
	static struct plan plan; /* large: tables of traffic */
	char why[WHY_BYTES];
	struct timespec now;

	shop->plan.source = shop->source ? shop->source : "shop";
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
	struct sheet_options sheet = {.socket_path = shop->worker.socket_path,
				      .source = shop->source ? shop->source : "shop",
				      .truth = shop->truth,
				      .seed = shop->plan.seed,
				      .start_ms = shop->started ? shop->plan.start_ms
								: SHEET_START_MS,
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
			 .start_ms = START_MS,
			 .interval_ms = 60000,
			 .lead = 15,
			 .length = 20,
			 .tail = 10,
			 .page_views_min = 2400.0,
			 .incident = true},
		.worker = {.processes = 2, .threads = 1, .patience_s = 60, .speed = 60.0},
	};
	const char *argument = NULL;
	int id;
	while ((id = options_next(&options, argc, argv, &argument)) > 0) {
		if (id == OPTIONS_HELP)
			return TOOL_OK;
		if (take_option(&shop, id, argument) < 0)
			return options_wrong(&options, "--%s cannot be \"%s\"",
					     options_name(&options, id), argument);
	}
	if (id < 0)
		return TOOL_USAGE;
	if (optind < argc)
		return options_wrong(&options, "what is \"%s\"?", argv[optind]);
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
