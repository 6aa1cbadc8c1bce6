/*
 * import_send: the events of an import through libweir, none dropped.
 *
 * Idea:  never more in the ring than fits: what is free is told by the ledger (published less what
 *        the engine has taken), so no emit is ever refused, and attempted = published = events.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/monotonic.h"
#include "import.h"
#include "weir/region.h"
#include "weir/weir.h"

#define RING_EVENTS (256u << 10)
#define BATCH 4096
#define PAUSE_NS 500000L
#define CLOSE_MS 10000

struct sending {
	const struct import *import;
	const struct import_target *target;
	const struct import_listener *listener;
	weir *weir;
	int *ids; /* weir's, by series; 0: not used */
	struct weir_ledger ledger;
	uint64_t waiting_since_ms; /* 0: it gets on */
	char *why;
	size_t why_bytes;
};

static uint64_t taken(const struct weir_ledger *ledger)
{
	return ledger->taken + ledger->rejected + ledger->lost;
}

/* Bytes of a definition, rounded up: what the region's table must hold. */
static uint64_t definition_bytes(const struct import *import, uint32_t series)
{
	const char *values[WEIR_DIMENSIONS_MAX];
	const char *event, *field;
	import_series(import, series, &event, &field, values);
	uint64_t bytes = sizeof(struct weir_definition) + strlen(event) + strlen(field) + 8;
	for (uint32_t i = 0; i < import->map->dimensions_count; i++)
		bytes += 4 + strlen(import->map->dimensions[i].name) + strlen(values[i]);
	return bytes;
}

static int open_weir(struct sending *sending)
{
	const struct import *import = sending->import;
	uint64_t table_bytes = 1u << 20;
	uint32_t used = 1;

	for (uint32_t s = 0; s < import_series_count(import); s++) {
		used += import->used[s];
		table_bytes += import->used[s] ? definition_bytes(import, s) : 0;
	}
	if (table_bytes > WEIR_TABLE_BYTES_MAX) {
		snprintf(sending->why, sending->why_bytes,
			 "%u series take %llu MiB of definitions; a producer may have %u: leave "
			 "dimensions out, or cut the file",
			 used - 1, (unsigned long long)(table_bytes >> 20),
			 WEIR_TABLE_BYTES_MAX >> 20);
		return -ENOSPC;
	}
	struct weir_options open = {
		.size = sizeof(open),
		.socket_path = sending->target->socket_path,
		.source = sending->target->source,
		.event_clock = !sending->target->wall,
		.ring_events = RING_EVENTS,
		.series_max = used,
		.table_bytes = (uint32_t)table_bytes,
		.program = "weirctl import",
	};
	int ret = weir_open(&open, &sending->weir);
	if (ret < 0)
		snprintf(sending->why, sending->why_bytes, "cannot open weir: %s%s", strerror(-ret),
			 ret == -EINVAL ? "; is the source's name too long?" : "");
	return ret;
}

static int define(struct sending *sending)
{
	const struct import *import = sending->import;
	const struct import_map *map = import->map;
	const char *values[WEIR_DIMENSIONS_MAX];
	struct weir_dimension by[WEIR_DIMENSIONS_MAX];
	const char *event, *field;

	for (uint32_t s = 0; s < import_series_count(import); s++) {
		if (!import->used[s])
			continue;
		import_series(import, s, &event, &field, values);
		for (uint32_t i = 0; i < map->dimensions_count; i++)
			by[i] = (struct weir_dimension){map->dimensions[i].name, values[i]};
		bool distinct = map->measures[s % map->measures_count].distinct;
		int id = weir_series(sending->weir, event, field,
				     distinct ? WEIR_KIND_HASH : WEIR_KIND_NUMBER, by,
				     map->dimensions_count);
		if (id < 0) {
			snprintf(sending->why, sending->why_bytes,
				 "\"%s\" and \"%s\" cannot be a series (%s): names are 1 to %d "
				 "bytes of UTF-8, each dimension comes once",
				 event, field, strerror(-id), WEIR_NAME_BYTES_MAX);
			return id;
		}
		sending->ids[s] = id;
	}
	return 0;
}

/* Nothing could be done: sleep a little, look again, and know when to give up. */
static int pause_sending(struct sending *sending)
{
	struct timespec pause = {.tv_nsec = PAUSE_NS};
	uint64_t before = taken(&sending->ledger);
	uint64_t now_ms = monotonic_ms();

	nanosleep(&pause, NULL);
	weir_poll(sending->weir);
	weir_ledger(sending->weir, &sending->ledger);
	const char *refusal = weir_refusal(sending->weir);
	if (refusal[0]) {
		snprintf(sending->why, sending->why_bytes, "the engine refuses: %s", refusal);
		return -ECONNREFUSED;
	}
	if (taken(&sending->ledger) != before || sending->waiting_since_ms == 0)
		sending->waiting_since_ms = now_ms;
	if (now_ms - sending->waiting_since_ms <= sending->target->patience_ms)
		return 0;
	snprintf(sending->why, sending->why_bytes,
		 "no engine took an event for %llu ms; is weird "
		 "running?",
		 (unsigned long long)sending->target->patience_ms);
	return -ETIMEDOUT;
}

static void show_progress(const struct sending *sending)
{
	const struct import_listener *listener = sending->listener;
	size_t count = sending->import->count;
	if (listener->progress && count)
		listener->progress(listener->self, (double)taken(&sending->ledger) / (double)count,
				   taken(&sending->ledger));
}

/* How many events fit into the ring now; 0: wait. */
static size_t room(struct sending *sending)
{
	weir_ledger(sending->weir, &sending->ledger);
	uint64_t inside = sending->ledger.published - taken(&sending->ledger);
	return inside < RING_EVENTS ? RING_EVENTS - inside : 0;
}

static int send_events(struct sending *sending)
{
	const struct import *import = sending->import;
	struct weir_sample batch[BATCH];

	for (size_t at = 0; at < import->count;) {
		size_t count = room(sending);
		if (count > BATCH)
			count = BATCH;
		if (count > import->count - at)
			count = import->count - at;
		for (size_t i = 0; i < count; i++) {
			const struct weir_event *event = &import->events[at + i];
			batch[i] = (struct weir_sample){
				.time_ms = weir_event_time_ms(event->word),
				.value = weir_bits_value(event->value),
				.series = sending->ids[weir_event_series(event->word)]};
			/* 0 would be now. */
			batch[i].time_ms += batch[i].time_ms == 0;
		}
		size_t sent = count ? weir_emit_many(sending->weir, batch, count) : 0;
		at += sent;
		if (sent) {
			sending->waiting_since_ms = 0;
			continue;
		}
		show_progress(sending);
		int ret = pause_sending(sending);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* Until the engine has taken everything. */
static int settle(struct sending *sending)
{
	for (;;) {
		weir_ledger(sending->weir, &sending->ledger);
		show_progress(sending);
		if (taken(&sending->ledger) == sending->ledger.published)
			return 0;
		int ret = pause_sending(sending);
		if (ret < 0)
			return ret;
	}
}

static int send_all(struct sending *sending)
{
	int ret = open_weir(sending);
	if (ret == 0)
		ret = define(sending);
	if (ret == 0)
		ret = send_events(sending);
	if (ret == 0)
		ret = settle(sending);
	weir_ledger(sending->weir, &sending->ledger);
	if (ret == 0 && sending->ledger.rejected + sending->ledger.lost) {
		snprintf(sending->why, sending->why_bytes,
			 "the engine refused %llu events and lost %llu",
			 (unsigned long long)sending->ledger.rejected,
			 (unsigned long long)sending->ledger.lost);
		ret = -EPROTO;
	}
	weir_close(sending->weir, ret == 0 ? CLOSE_MS : 0);
	return ret;
}

int import_send(const struct import *import, const struct import_target *target,
		const struct import_listener *listener, struct import_sent *ret_sent, char *why,
		size_t why_bytes)
{
	struct sending sending = {.import = import,
				  .target = target,
				  .listener = listener,
				  .why = why,
				  .why_bytes = why_bytes};
	int ret = -ENOMEM;

	memset(ret_sent, 0, sizeof(*ret_sent));
	snprintf(why, why_bytes, "no memory");
	sending.ids = calloc((size_t)import_series_count(import) + 1, sizeof(*sending.ids));
	if (sending.ids)
		ret = send_all(&sending);
	free(sending.ids);
	*ret_sent = (struct import_sent){.attempted = sending.ledger.attempted,
					 .published = sending.ledger.published,
					 .persisted = sending.ledger.persisted,
					 .rejected = sending.ledger.rejected,
					 .dropped = sending.ledger.dropped,
					 .lost = sending.ledger.lost};
	return ret;
}
