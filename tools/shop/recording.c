/*
 * recording: a source with clock `event` from one thread: open, emit all of it, settle, close.
 */
#include "recording.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "options.h"

#define CLOSE_MS 10000

/* What the handlers reach: a handler has no argument of its own. */
static struct lockstep *stopping;

static void on_signal(int signal)
{
	(void)signal;
	lockstep_stop(stopping);
}

static int flush(struct recording *recording)
{
	int ret = sender_send(&recording->sender, recording->batch, recording->used);
	recording->used = 0;
	return ret;
}

int recording_emit(struct recording *recording, const struct weir_sample *sample)
{
	recording->batch[recording->used++] = *sample;
	return recording->used == RECORDING_BATCH ? flush(recording) : 0;
}

static int play(struct recording *recording)
{
	struct weir_options open = {
		.size = sizeof(open),
		.socket_path = recording->socket_path,
		.source = recording->source,
		.event_clock = 1,
		.full_wait_us = SENDER_FULL_WAIT_US,
		.program = "weir-shop",
	};
	struct weir *handle;
	int ret = weir_open(&open, &handle);
	if (ret < 0) {
		snprintf(recording->why, sizeof(recording->why), "cannot open weir: %s",
			 strerror(-ret));
		return ret;
	}
	recording->sender = (struct sender){.weir = handle,
					    .stop = &recording->stop,
					    .socket_path = recording->socket_path,
					    .patience_s = recording->patience_s,
					    .waits = true,
					    .speaks = true};
	ret = recording->emit(recording, recording->self);
	if (ret == 0)
		ret = flush(recording);
	if (ret == 0)
		ret = sender_settle(&recording->sender);
	if (ret == -ETIMEDOUT)
		snprintf(recording->why, sizeof(recording->why),
			 "no engine took an event for %u s; is weird running?",
			 recording->patience_s);
	weir_ledger(handle, &recording->ledger);
	weir_close(handle, ret == 0 ? CLOSE_MS : 0);
	if (ret == 0 && recording->ledger.rejected + recording->ledger.lost > 0) {
		snprintf(recording->why, sizeof(recording->why),
			 "the engine refused %llu events and lost %llu",
			 (unsigned long long)recording->ledger.rejected,
			 (unsigned long long)recording->ledger.lost);
		ret = -EPROTO;
	}
	return ret;
}

int recording_play(struct recording *recording)
{
	struct sigaction action = {.sa_handler = on_signal};
	lockstep_init(&recording->stop, 1);
	stopping = &recording->stop;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	int ret = play(recording);
	if (recording->why[0])
		fprintf(stderr, "weir-shop: %s\n", recording->why);
	if (ret == -EPROTO || ret == -ECANCELED)
		return TOOL_NO;
	return ret < 0 ? TOOL_IO : TOOL_OK;
}

void recording_say(const struct recording *recording)
{
	const struct weir_ledger *ledger = &recording->ledger;
	printf("%llu events attempted, %llu published, %llu dropped, %llu persisted\n",
	       (unsigned long long)ledger->attempted, (unsigned long long)ledger->published,
	       (unsigned long long)ledger->dropped, (unsigned long long)ledger->persisted);
}

void recording_print(const struct recording *recording)
{
	const struct weir_ledger *ledger = &recording->ledger;
	printf(",\"events_attempted\":%llu,\"events_published\":%llu,\"events_dropped\":%llu,"
	       "\"events_persisted\":%llu,\"events_rejected\":%llu,\"events_lost\":%llu,"
	       "\"stopped\":%s",
	       (unsigned long long)ledger->attempted, (unsigned long long)ledger->published,
	       (unsigned long long)ledger->dropped, (unsigned long long)ledger->persisted,
	       (unsigned long long)ledger->rejected, (unsigned long long)ledger->lost,
	       lockstep_stopped(&recording->stop) ? "true" : "false");
}
