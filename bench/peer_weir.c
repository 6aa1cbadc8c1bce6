/*
 * peer_weir: weir itself, by the code of `weir-bench ingest`: a producer that calls weir_emit, a
 * real engine with detectors on and every promise kept, from the first emit until the last event is
 * durable; then the log is read back, and `weirctl verify` has its say.
 */
#include "peer.h"

#include <errno.h>
#include <stdio.h>

#include "ingest_run.h"

#define RING_EVENTS (256u << 10)

static int weir_available(const struct peer_task *task, char *why, size_t why_bytes)
{
	struct ingest_place place = {0};
	return ingest_place_init(&place, task->directory, task->weird, task->weirctl, why,
				 why_bytes);
}

static int weir_run(const struct peer *peer, const struct peer_task *task,
		    struct peer_result *ret_result)
{
	struct ingest_place place = {0};
	struct ingest_outcome outcome = {0};
	const struct ingest_case with = {.interval = "1s",
					 .durability = "interval",
					 .io = "auto",
					 .run_ms = (uint32_t)(task->run_ns / 1000000),
					 .producers = 1,
					 .series = task->series,
					 .ring_events = RING_EVENTS,
					 .lanes = 1,
					 .shards = 1,
					 .recycled = true,
					 .pinned = true};
	(void)peer;
	int r = ingest_place_init(&place, task->directory, task->weird, task->weirctl,
				  ret_result->why, sizeof(ret_result->why));
	place.keep = task->keep;
	if (r == 0)
		r = ingest_measure(&place, &with, &outcome, ret_result->why,
				   sizeof(ret_result->why));
	if (r < 0)
		return r;
	ret_result->sent = ret_result->kept = outcome.events;
	ret_result->bytes = outcome.log_bytes;
	ret_result->seconds = outcome.seconds;
	if (!outcome.lossless) {
		ret_result->wrong = 1;
		snprintf(ret_result->why, sizeof(ret_result->why), "%s", outcome.missing);
	}
	return 0;
}

const struct peer peer_weir = {
	.name = "weir",
	.title = "weir",
	.driven =
		"weir_emit; validated, checksummed, in cells by series, detectors on; to disk, synced "
		"every 100 ms and at the end",
	.on_disk = true,
	.available = weir_available,
	.run = weir_run,
};
