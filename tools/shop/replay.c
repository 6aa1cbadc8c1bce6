/*
 * replay: recorded orders through libweir, as `purchase` and `refund` events with clock `event`.
 */
#include "replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "options.h"
#include "orders.h"
#include "recording.h"
#include "weir/weir.h"

#define WHY_BYTES 256

struct replay {
	const struct replay_options *options;
	struct orders orders;
	struct recording recording;
	int ids[2][ORDERS_COUNTRIES_MAX]; /* weir's, by refund and country; 0: not defined yet */
	uint64_t counts[2];
};

/* weir's id of the order's series, defined at its first use. */
static int series_of(struct replay *replay, const struct order *order)
{
	int *id = &replay->ids[order->refund][order->country];
	if (*id == 0) {
		struct weir_dimension by = {"country", replay->orders.countries[order->country]};
		*id = weir_series(replay->recording.sender.weir,
				  order->refund ? WEIR_REFUND : WEIR_PURCHASE, WEIR_VALUE,
				  WEIR_KIND_NUMBER, &by, 1);
	}
	return *id;
}

static int emit_orders(struct recording *recording, void *self)
{
	struct replay *replay = self;
	int ret = 0;
	for (size_t i = 0; i < replay->orders.count && ret == 0; i++) {
		const struct order *order = &replay->orders.orders[i];
		struct weir_sample sample = {.time_ms = order->time_ms,
					     .value = order_value(order),
					     .series = series_of(replay, order)};
		if (sample.series < 0) {
			snprintf(recording->why, sizeof(recording->why),
				 "cannot define a series for country \"%s\": %s",
				 replay->orders.countries[order->country],
				 strerror(-sample.series));
			return sample.series;
		}
		replay->counts[order->refund]++;
		ret = recording_emit(recording, &sample);
	}
	return ret;
}

static void print_result(const struct replay *replay)
{
	const struct orders *orders = &replay->orders;
	uint64_t first = orders->count ? orders->orders[0].time_ms : 0;
	uint64_t last = orders->count ? orders->orders[orders->count - 1].time_ms : 0;
	if (!replay->options->json) {
		printf("%llu lines: %llu purchases and %llu refunds of %u countries\n",
		       (unsigned long long)orders->lines, (unsigned long long)replay->counts[0],
		       (unsigned long long)replay->counts[1], orders->countries_count);
		recording_say(&replay->recording);
		return;
	}
	printf("{\"lines\":%llu,\"purchases\":%llu,\"refunds\":%llu,\"countries\":%u,"
	       "\"first_ms\":%llu,\"last_ms\":%llu",
	       (unsigned long long)orders->lines, (unsigned long long)replay->counts[0],
	       (unsigned long long)replay->counts[1], orders->countries_count,
	       (unsigned long long)first, (unsigned long long)last);
	recording_print(&replay->recording);
	puts("}");
}

int replay_run(const struct replay_options *options)
{
	char why[WHY_BYTES] = "";
	struct replay *replay = calloc(1, sizeof(*replay));
	if (!replay) {
		fprintf(stderr, "weir-shop: no memory\n");
		return TOOL_IO;
	}
	replay->options = options;
	replay->recording = (struct recording){.socket_path = options->socket_path,
					       .source = options->source,
					       .patience_s = options->patience_s,
					       .emit = emit_orders,
					       .self = replay};
	int ret = orders_load(replay->options->path, &replay->orders, why, sizeof(why));
	int code = ret == -EIO ? TOOL_IO : TOOL_NO;
	if (ret < 0) {
		fprintf(stderr, "weir-shop: %s\n", why);
	} else {
		code = recording_play(&replay->recording);
		print_result(replay);
	}
	orders_fini(&replay->orders);
	free(replay);
	return code;
}
