/*
 * keeping: see keeping.h.
 *
 * A commit writes the open chunks of every series that had rows, however few: so the next one
 * waits the longer the more the last one wrote.
 */
#include "keeping.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "weir/order.h"

/* Of rows between the agents: more than a second's closes of a million slices. */
#define QUEUE_BYTES (UINT64_C(128) << 20)
#define COMMIT_AFTER_NS UINT64_C(1000000000)
#define RETRY_AFTER_NS UINT64_C(1000000000)
/* What commits may write on the average, in bytes a second. */
#define WRITE_RATE UINT64_C(8000000)

struct history_keep keeping_keep(const struct config *config)
{
	return (struct history_keep){{config->history_base_s, config->history_minute_s,
				      config->history_hour_s, config->history_day_s}};
}

struct kept_close *kept_close_make(uint64_t sequence, const char *source, int64_t through,
				   uint32_t shards)
{
	struct kept_close *kept = calloc(1, sizeof(*kept) + shards * sizeof(kept->rows[0]));

	if (!kept)
		return NULL;
	kept->close = (struct history_close){
		.sequence = sequence,
		.source = source,
		.through = through,
		.rows = kept->rows,
		.shards = shards,
	};
	return kept;
}

void kept_close_free(struct kept_close *kept)
{
	for (uint32_t i = 0; i < kept->close.shards; i++)
		history_rows_fini(&kept->rows[i]);
	free(kept);
}

void keeping_config(struct keeping *keeping, const struct config *config)
{
	struct history_keep keep = keeping_keep(config);

	history_keep(keeping->history, &keep);
}

bool keeping_room(const struct keeping *keeping)
{
	/* Relaxed: a bound of memory, not an order. */
	uint64_t taken = weir_load_relaxed_64(&keeping->taken_bytes);

	/* Whoever asks fills the queue itself: what has room keeps it. */
	return keeping->given_bytes - taken < QUEUE_BYTES &&
	       queue_count(keeping->closes) < KEEPING_QUEUE / 2;
}

void keeping_give(struct keeping *keeping, struct kept_close *kept)
{
	for (uint32_t i = 0; i < kept->close.shards; i++)
		kept->bytes += history_rows_bytes(&kept->rows[i]);
	keeping->given_bytes += kept->bytes;
	check(queue_push(keeping->closes, kept));
}

bool keeping_through(struct keeping *keeping, uint64_t sequence)
{
	if (history_through(keeping->history) >= sequence || history_gave_up(keeping->history))
		return true;
	/* Relaxed: a wish; what is answered is the history's own word. */
	weir_store_relaxed_64(&keeping->wanted, sequence);
	return false;
}

static int take(struct keeping *keeping)
{
	struct kept_close *kept;
	int work = 0;

	while (history_pending_bytes(keeping->history) < KEEPING_COMMIT_BYTES || keeping->failing) {
		kept = queue_pop(keeping->closes);
		if (!kept)
			break;
		history_add(keeping->history, &kept->close);
		/* Relaxed: see keeping_room(). */
		weir_store_relaxed_64(&keeping->taken_bytes, keeping->taken_bytes + kept->bytes);
		kept_close_free(kept);
		work++;
	}
	return work;
}

static bool due(const struct keeping *keeping, uint64_t now_ns)
{
	uint64_t through = history_through(keeping->history);

	if (history_added(keeping->history) == through)
		return false;
	if (keeping->failing)
		return now_ns - keeping->committed_ns >= RETRY_AFTER_NS;
	/* Relaxed: a wish. */
	return keeping->hurry || weir_load_relaxed_64(&keeping->wanted) > through ||
	       history_pending_bytes(keeping->history) >= KEEPING_COMMIT_BYTES ||
	       now_ns - keeping->committed_ns >= keeping->wait_ns;
}

static void commit(struct keeping *keeping, uint64_t now_ns)
{
	struct history_counters before, after;

	history_counters(keeping->history, &before);
	int error = history_commit(keeping->history);
	history_counters(keeping->history, &after);
	keeping->committed_ns = now_ns;
	uint64_t bytes = after.written_bytes - before.written_bytes;
	keeping->wait_ns = COMMIT_AFTER_NS + bytes * UINT64_C(1000000000) / WRITE_RATE;
	if (error < 0 && !keeping->failing)
		log_error("history",
			  "cannot write the history: %s; it is kept in memory and tried again; "
			  "look at the data directory's disk",
			  strerror(-error));
	if (!error && keeping->failing)
		log_info("history", "writing the history again");
	/* Relaxed: for people. */
	weir_store_relaxed_32((uint32_t *)&keeping->failing, (uint32_t)error);
}

int keeping_step(void *self, uint64_t now_ns)
{
	struct keeping *keeping = self;
	int work = take(keeping);

	if (due(keeping, now_ns)) {
		commit(keeping, now_ns);
		work += !keeping->failing;
	}
	return work;
}

void keeping_fini(struct keeping *keeping)
{
	struct kept_close *kept;

	while (keeping->closes && (kept = queue_pop(keeping->closes)))
		kept_close_free(kept);
	queue_destroy(keeping->closes);
	keeping->closes = NULL;
}
