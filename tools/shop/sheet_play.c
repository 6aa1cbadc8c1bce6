/*
 * sheet_play: the 400 days of sheet.h through libweir.
 */
#include "sheet_play.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "market.h"
#include "options.h"
#include "recording.h"
#include "season.h"
#include "sheet.h"
#include "weir/weir.h"

#define HOUR_MS UINT64_C(3600000)
#define PAGE_VIEWS_DAY 18000.0 /* some 4000 visits */
#define CHANNELS 7
#define GOLDEN 0.61803398874989485 /* steps of it spread evenly over 0..1 */

static const enum market_event events[] = {MARKET_SESSION_START, MARKET_BOUNCE, MARKET_PAGE_VIEW,
					   MARKET_SEARCH, MARKET_PURCHASE};
#define EVENTS (sizeof(events) / sizeof(events[0]))

struct series {
	enum market_event event;
	const char *channel;
	double day_mean; /* events a day, at season factor 1 */
	double due;      /* events, below 1, carried to the next hour */
	double worth;    /* 0..1, the quantile of the next price */
	int id;          /* weir's */
};

struct sheet {
	uint64_t first_ms;
	struct series series[EVENTS * CHANNELS];
	struct season season;
	struct market_prices prices;
	struct recording recording;
};

/* All that is planted for an event. */
static double event_factor(const struct series *series, uint32_t day)
{
	switch (series->event) {
	case MARKET_SEARCH:
		return sheet_factor(SHEET_SEARCHES, series->channel, day);
	case MARKET_PURCHASE:
		return sheet_factor(SHEET_ORDERS, series->channel, day);
	case MARKET_BOUNCE:
		return sheet_factor(SHEET_VISITS, series->channel, day) *
		       sheet_factor(SHEET_BOUNCES, series->channel, day);
	case MARKET_PAGE_VIEW:
		return sheet_factor(SHEET_VISITS, series->channel, day) *
		       sheet_factor(SHEET_PAGES, series->channel, day);
	default:
		return sheet_factor(SHEET_VISITS, series->channel, day);
	}
}

/* What the market says of an event in a channel, whatever country and device. */
static double channel_ratio(enum market_event event, uint32_t channel)
{
	double ratio = 0.0;
	for (uint32_t i = event * MARKET_CELLS; i < (event + 1) * MARKET_CELLS; i++)
		if (market_series_value(i, 2) == channel)
			ratio += market_series_ratio(i);
	return ratio;
}

static int define_series(struct sheet *sheet)
{
	for (uint32_t i = 0; i < EVENTS * CHANNELS; i++) {
		struct series *series = &sheet->series[i];
		series->event = events[i / CHANNELS];
		series->channel = market_dimensions[2].values[i % CHANNELS].name;
		series->day_mean = PAGE_VIEWS_DAY * channel_ratio(series->event, i % CHANNELS);
		series->due = series->worth = fmod(i * GOLDEN, 1.0);
		struct weir_dimension by = {WEIR_CHANNEL, series->channel};
		series->id = weir_series(sheet->recording.sender.weir,
					 market_event_name(series->event), WEIR_VALUE,
					 WEIR_KIND_NUMBER, &by, 1);
		if (series->id < 0) {
			snprintf(sheet->recording.why, sizeof(sheet->recording.why),
				 "cannot define a series: %s", strerror(-series->id));
			return series->id;
		}
	}
	return 0;
}

/* The events of a series in an hour. */
static int play_hour(struct sheet *sheet, struct series *series, uint64_t hour)
{
	const int32_t *cents = sheet->prices.cents[series->event];
	const uint64_t start_ms = sheet->first_ms + hour * HOUR_MS;
	const uint32_t day = (uint32_t)(hour / 24);
	double worth = series->event == MARKET_PURCHASE
			       ? sheet_factor(SHEET_WORTH, series->channel, day)
			       : 1.0;
	series->due += series->day_mean / 24.0 * event_factor(series, day) *
		       season_factor(&sheet->season, start_ms + HOUR_MS / 2);
	uint64_t count = (uint64_t)series->due;
	series->due -= (double)count;
	for (uint64_t i = 0; i < count; i++) {
		series->worth += GOLDEN;
		series->worth -= floor(series->worth);
		double price = cents[(int)(series->worth * MARKET_PRICES)];
		struct weir_sample sample = {
			.time_ms = start_ms + (2 * i + 1) * HOUR_MS / (2 * count),
			.value = round(price * worth) / 100.0,
			.series = series->id,
		};
		int ret = recording_emit(&sheet->recording, &sample);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int emit_days(struct recording *recording, void *self)
{
	struct sheet *sheet = self;
	(void)recording;
	int ret = define_series(sheet);
	for (uint64_t hour = 0; hour < SHEET_DAYS * 24 && ret == 0; hour++)
		for (size_t i = 0; i < EVENTS * CHANNELS && ret == 0; i++)
			ret = play_hour(sheet, &sheet->series[i], hour);
	return ret;
}

static int write_truth(const char *path, uint64_t first_ms)
{
	FILE *file = fopen(path, "we");
	bool bad = !file;
	if (file) {
		fputc('{', file);
		sheet_print(first_ms, file);
		fputs("}\n", file);
		bad = ferror(file) != 0;
		bad |= fclose(file) != 0;
	}
	if (bad)
		fprintf(stderr, "weir-shop: cannot write %s: %s\n", path, strerror(errno));
	return bad ? TOOL_IO : TOOL_OK;
}

static void print_result(const struct sheet *sheet, bool json)
{
	if (!json) {
		printf("%u days: ", SHEET_DAYS);
		recording_say(&sheet->recording);
		return;
	}
	putchar('{');
	sheet_print(sheet->first_ms, stdout);
	recording_print(&sheet->recording);
	puts("}");
}

int sheet_run(const struct sheet_options *options)
{
	uint64_t first_ms = sheet_first_ms(options->start_ms);
	if (options->truth && write_truth(options->truth, first_ms) != TOOL_OK)
		return TOOL_IO;
	if (options->only_plan) {
		putchar('{');
		sheet_print(first_ms, stdout);
		puts("}");
		return TOOL_OK;
	}
	struct sheet *sheet = calloc(1, sizeof(*sheet));
	if (!sheet) {
		fprintf(stderr, "weir-shop: no memory\n");
		return TOOL_IO;
	}
	sheet->first_ms = first_ms;
	season_init(&sheet->season, options->seed);
	market_prices_init(&sheet->prices);
	sheet->recording = (struct recording){.socket_path = options->socket_path,
					      .source = options->source,
					      .patience_s = options->patience_s,
					      .emit = emit_days,
					      .self = sheet};
	int code = recording_play(&sheet->recording);
	print_result(sheet, options->json);
	free(sheet);
	return code;
}
