/*
 * replay: recorded orders through libweir, as `purchase` and `refund` events with clock `event`.
 */
#include "replay.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "options.h"
#include "orders.h"
#include "sender.h"
#include "weir/weir.h"

#define BATCH 256
#define CLOSE_MS 10000
#define WHY_BYTES 256

struct replay {
	const struct replay_options *options;
	struct orders orders;
	struct lockstep stop; /* of one party: only the word that ends it */
	struct sender sender;
	int ids[2][ORDERS_COUNTRIES_MAX]; /* weir's, by refund and country; 0: not defined yet */
	uint64_t counts[2];
};

/* What the handlers reach: a handler has no argument of its own. */
static struct lockstep *stopping;

static void on_signal(int signal)
{
	(void)signal;
	lockstep_stop(stopping);
}

/* Start gzip on the file; its output is the stream. */
static FILE *open_gzip(const char *path, pid_t *ret_pid)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return NULL;
	pid_t pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		execlp("gzip", "gzip", "-dc", "--", path, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	FILE *file = pid > 0 ? fdopen(ends[0], "r") : NULL;
	if (!file)
		close(ends[0]);
	*ret_pid = pid;
	return file;
}

/* Read all orders before anything is emitted. */
static int read_orders(struct replay *replay, char *why, size_t why_bytes)
{
	const char *path = replay->options->path;
	size_t length = strlen(path);
	pid_t gzip = 0;
	FILE *file;

	if (strcmp(path, "-") == 0)
		file = stdin;
	else if (access(path, R_OK) < 0)
		file = NULL;
	else if (length > 3 && strcmp(path + length - 3, ".gz") == 0)
		file = open_gzip(path, &gzip);
	else
		file = fopen(path, "re");
	if (!file) {
		snprintf(why, why_bytes, "cannot open %s: %s", path, strerror(errno));
		return -EIO;
	}
	int ret = orders_read(file, path, &replay->orders, why, why_bytes);
	if (file != stdin)
		fclose(file);
	int status = 0;
	if (gzip > 0 && waitpid(gzip, &status, 0) == gzip && status != 0 && ret == 0) {
		orders_fini(&replay->orders);
		snprintf(why, why_bytes, "gzip could not read %s to its end", path);
		return -EIO;
	}
	return ret;
}

/* weir's id of the order's series, defined at its first use. */
static int series_of(struct replay *replay, const struct order *order)
{
	int *id = &replay->ids[order->refund][order->country];
	if (*id == 0) {
		struct weir_dimension by = {"country", replay->orders.countries[order->country]};
		*id = weir_series(replay->sender.weir, order->refund ? WEIR_REFUND : WEIR_PURCHASE,
				  WEIR_VALUE, WEIR_KIND_NUMBER, &by, 1);
	}
	return *id;
}

static int emit_orders(struct replay *replay, char *why, size_t why_bytes)
{
	struct weir_sample batch[BATCH];
	size_t used = 0;
	for (size_t i = 0; i < replay->orders.count; i++) {
		const struct order *order = &replay->orders.orders[i];
		int id = series_of(replay, order);
		if (id < 0) {
			snprintf(why, why_bytes, "cannot define a series for country \"%s\": %s",
				 replay->orders.countries[order->country], strerror(-id));
			return id;
		}
		batch[used++] = (struct weir_sample){
			.time_ms = order->time_ms, .value = order_value(order), .series = id};
		replay->counts[order->refund]++;
		if (used < BATCH && i + 1 < replay->orders.count)
			continue;
		int ret = sender_send(&replay->sender, batch, used);
		if (ret < 0)
			return ret;
		used = 0;
	}
	return sender_settle(&replay->sender);
}

static void print_result(const struct replay *replay, const struct weir_ledger *ledger)
{
	const struct orders *orders = &replay->orders;
	uint64_t first = orders->count ? orders->orders[0].time_ms : 0;
	uint64_t last = orders->count ? orders->orders[orders->count - 1].time_ms : 0;
	if (!replay->options->json) {
		printf("%llu lines: %llu purchases and %llu refunds of %u countries\n"
		       "%llu events attempted, %llu published, %llu dropped, %llu persisted\n",
		       (unsigned long long)orders->lines, (unsigned long long)replay->counts[0],
		       (unsigned long long)replay->counts[1], orders->countries_count,
		       (unsigned long long)ledger->attempted, (unsigned long long)ledger->published,
		       (unsigned long long)ledger->dropped, (unsigned long long)ledger->persisted);
		return;
	}
	printf("{\"lines\":%llu,\"purchases\":%llu,\"refunds\":%llu,\"countries\":%u,"
	       "\"first_ms\":%llu,\"last_ms\":%llu,\"events_attempted\":%llu,"
	       "\"events_published\":%llu,\"events_dropped\":%llu,\"events_persisted\":%llu,"
	       "\"events_rejected\":%llu,\"events_lost\":%llu,\"stopped\":%s}\n",
	       (unsigned long long)orders->lines, (unsigned long long)replay->counts[0],
	       (unsigned long long)replay->counts[1], orders->countries_count,
	       (unsigned long long)first, (unsigned long long)last,
	       (unsigned long long)ledger->attempted, (unsigned long long)ledger->published,
	       (unsigned long long)ledger->dropped, (unsigned long long)ledger->persisted,
	       (unsigned long long)ledger->rejected, (unsigned long long)ledger->lost,
	       lockstep_stopped(&replay->stop) ? "true" : "false");
}

static int play(struct replay *replay, char *why, size_t why_bytes)
{
	struct weir_options open = {
		.size = sizeof(open),
		.socket_path = replay->options->socket_path,
		.source = replay->options->source,
		.event_clock = 1,
		.full_wait_us = SENDER_FULL_WAIT_US,
		.program = "weir-shop",
	};
	struct weir *handle;
	int ret = weir_open(&open, &handle);
	if (ret < 0) {
		snprintf(why, why_bytes, "cannot open weir: %s", strerror(-ret));
		return ret;
	}
	replay->sender = (struct sender){.weir = handle,
					 .stop = &replay->stop,
					 .socket_path = replay->options->socket_path,
					 .patience_s = replay->options->patience_s,
					 .waits = true,
					 .speaks = true};
	ret = emit_orders(replay, why, why_bytes);
	if (ret == -ETIMEDOUT)
		snprintf(why, why_bytes, "no engine took an event for %u s; is weird running?",
			 replay->options->patience_s);
	struct weir_ledger ledger;
	weir_ledger(handle, &ledger);
	weir_close(handle, ret == 0 ? CLOSE_MS : 0);
	print_result(replay, &ledger);
	if (ret == 0 && ledger.rejected + ledger.lost > 0) {
		snprintf(why, why_bytes, "the engine refused %llu events and lost %llu",
			 (unsigned long long)ledger.rejected, (unsigned long long)ledger.lost);
		return -EPROTO;
	}
	return ret;
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
	lockstep_init(&replay->stop, 1);
	int code = TOOL_OK;
	int ret = read_orders(replay, why, sizeof(why));
	if (ret < 0) {
		code = ret == -EIO ? TOOL_IO : TOOL_NO;
	} else {
		struct sigaction action = {.sa_handler = on_signal};
		stopping = &replay->stop;
		sigaction(SIGINT, &action, NULL);
		sigaction(SIGTERM, &action, NULL);
		ret = play(replay, why, sizeof(why));
		if (ret < 0)
			code = ret == -EPROTO || ret == -ECANCELED ? TOOL_NO : TOOL_IO;
	}
	if (why[0])
		fprintf(stderr, "weir-shop: %s\n", why);
	orders_fini(&replay->orders);
	free(replay);
	return code;
}
