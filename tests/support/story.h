/*
 * story: a shop's traffic played into a hand-cranked engine, and what came of it.
 *
 * One process, one thread: libweir's producers and every stage of the engine take turns. The disk
 * of the log is simulated: it completes late and out of order, and a crash lands what was in flight
 * page by page. SQLite has a real file. Time is the story's own. Used by tests/sim.
 */
#ifndef SUPPORT_STORY_H
#define SUPPORT_STORY_H

#include <stdbool.h>
#include <stdint.h>

#include "engine.h"
#include "replay.h"
#include "weir/weir.h"

#define STORY_PRODUCERS 3
#define STORY_START_MS UINT64_C(1767225600000) /* 2026-01-01 */

struct story {
	char directory[64]; /* temporary */
	char data[96], socket[96];
	uint32_t lanes, shards;
	uint64_t retain_bytes;
	const char *block_bytes; /* NULL: 64KiB */
	const char *durability;  /* NULL: interval */
	uint32_t checkpoint_intervals;
	const char *metrics, *detectors; /* YAML, NULL: the story's own */
	struct config *config;
	struct simdisk *disk;
	struct clock clock;
	uint64_t now_ns;       /* of the fake clock */
	struct engine *engine;
	weir *producers[STORY_PRODUCERS];
	int series[STORY_PRODUCERS][6];
	int visitors[STORY_PRODUCERS][3]; /* of kind hash, by country; used where `hashes` */
	bool hashes;                      /* page views say who came */
	uint64_t random;
	uint64_t emitted;
	double emitted_sum;
	uint64_t minute;       /* of the story */
};

/* Temporary directory, producers; no engine yet. */
void story_begin(struct story *story, uint32_t lanes, uint32_t shards, uint64_t seed);
/* Configure and open an engine on the story's directory. */
void story_start(struct story *story);
void story_stop(struct story *story);  /* as SIGTERM does */
void story_crash(struct story *story); /* as kill -9 does */
/* The machine loses power: its applications are gone too. story_renew_producers() is next. */
void story_power_cut(struct story *story);
/* Close the producers there are, waiting for nothing; open new ones, with rings of this many, of
 * half and of a quarter. */
void story_renew_producers(struct story *story, uint32_t ring_events);
/* The running engine takes the metrics and detectors of the story over, and what operators say. */
void story_reload(struct story *story);
void story_input(struct story *story, const char *json);
/* The detectors live through the history of the story's source again. */
void story_rebase(struct story *story);
/* One turn of everything; a millisecond of the story's time. How much work that was. */
int story_crank(struct story *story);
/* Turn the crank until nothing moves any more. */
void story_settle(struct story *story);
/* Play minutes of traffic; the first quarter of `broken` of Germany's purchases are missing. */
void story_play(struct story *story, uint32_t minutes, double broken);
/* Events of minutes that are long closed. */
void story_late(struct story *story, uint32_t count);
/* Unix time of the story's next minute. */
uint64_t story_time_ms(const struct story *story);
/* Producers say that it is over; everything is closed and stored. */
void story_end_producers(struct story *story);
void story_end(struct story *story); /* removes the directory */

/* The revisions as text lines, in order; malloc'd. From the store; from a replay. */
char **story_stored(struct story *story, uint32_t *ret_count);
char **story_replayed(struct story *story, uint32_t shards, uint32_t *ret_count);
/* What is for Redis, as "ID-REVISION", in order: what the store's outbox holds (nobody publishes it
 * here); what a replay says. */
char **story_outbox(struct story *story, uint32_t *ret_count);
char **story_told(struct story *story, uint32_t shards, uint32_t *ret_count);
/* Closes that a replay from the oldest start there is goes through: those behind `from`. */
struct story_span {
	uint64_t from, through;
};
struct story_span story_replay_span(struct story *story);
void story_free_lines(char **lines, uint32_t count);
/* Count and sum of all events in the log. */
void story_logged(struct story *story, uint64_t *ret_events, double *ret_sum);

#endif
