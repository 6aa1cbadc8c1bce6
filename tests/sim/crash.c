/*
 * crash: kill -9 and power cuts at random moments, on a disk that forgets what was not synced.
 *
 *   crash [CRASHES [SEED [slow]]]
 *
 * A whole engine is turned by hand while producers with small rings write; every so often it is
 * killed (what was in flight lands page by page, or does not) or the machine loses power (unsynced
 * pages too are kept, lost or torn, and the applications are gone). The value of an event is its
 * number in the story and its time follows from that, so a hole, a double, a torn event or one that
 * nobody wrote shows as what it is. After each crash, before anything repairs it, the log must have
 *
 *   - after a kill, what producers had been told is persisted; after a power cut, what they had
 *     been told is durable; of each ring a prefix, each event once;
 *   - no event behind the mark that closes its interval on its lane: nobody here is late.
 *
 * At the end: the ledger is exact, and the stored revisions are those of a replay.
 *
 * slow: each write and each sync takes up to seconds of the story, and nobody waits for room in a
 * ring. The engine goes on; events are refused where a ring is full, and only there, and counted.
 * Some of the ends are a stop then, which may not outlast the disk: what it leaves in the rings the
 * next engine takes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log/reader.h"
#include "support/proof.h"
#include "support/simdisk.h"
#include "support/story.h"

#define LANES 2u
#define SHARDS 2u
#define RING_EVENTS 4096u
#define INTERVAL_MS 60000u /* the story's */
#define SLOT_MS 150u
#define LIVES_MAX 4096u
#define TURNS_MAX 200000
#define STORY_CRASHES 200u
/* A slow disk: reaps, of a millisecond each, that a write or a sync takes at most. */
#define SLOW_REAPS 10000u
/* A start and a stop wait for the disk for seconds of our own time: a start comes to its end; of
 * two stops one does and the other does not. */
#define START_REAPS 4u
#define STOPS_MAX 2u
static const uint32_t stop_reaps[STOPS_MAX] = {100, 2000};

static const char detectors[] =
	"  - {name: views-window, metric: page_views, kind: window, window: 30, k: 3, severity: 5}\n"
	"  - {name: orders-window, metric: orders, kind: window, window: 40, k: 3, severity: 5, for: 2}\n"
	"  - {name: orders-stopped, metric: orders, kind: absence, absent: 3, severity: 3}\n";

/* One ring, from its first event to its end. */
struct life {
	uint64_t emitted, dropped;
	uint32_t ring_events;
	uint64_t promised; /* the first so many must be in the log, from now on for good */
	uint64_t present;  /* this and the next of one look at the log */
	uint64_t behind_hole;
	bool hole;
};

struct world {
	struct story story;
	uint64_t random;
	uint16_t *life_of; /* [slots]: the life that emitted it; 0: a hole in the traffic */
	uint8_t *seen;     /* [slots] */
	uint64_t slots, capacity;
	struct life lives[LIVES_MAX]; /* from 1 */
	uint32_t lives_count;
	uint32_t now[STORY_PRODUCERS]; /* their present lives */
	bool slow;
	uint32_t kills, cuts, stops, in_flight;
	uint64_t dropped; /* events that were refused */
	uint64_t doubles, strangers, late, gaps; /* of one look at the log */
};

static int failed;

static void expect(bool condition, const char *what)
{
	if (!condition) {
		printf("FAILED: %s\n", what);
		failed++;
	}
}

static uint64_t draw(struct world *world, uint64_t bound)
{
	uint64_t z = world->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % bound;
}

static uint64_t slot_time_ms(uint64_t slot)
{
	return STORY_START_MS + slot * SLOT_MS;
}

static void new_lives(struct world *world)
{
	for (int p = 0; p < STORY_PRODUCERS; p++) {
		if (++world->lives_count == LIVES_MAX)
			abort();
		world->now[p] = world->lives_count;
		world->lives[world->lives_count].ring_events = RING_EVENTS >> p;
	}
}

static void grow(struct world *world)
{
	if (world->slots < world->capacity)
		return;
	world->capacity = world->capacity ? world->capacity * 2 : 1u << 16;
	world->life_of = realloc(world->life_of, world->capacity * sizeof(*world->life_of));
	world->seen = realloc(world->seen, world->capacity);
	if (!world->life_of || !world->seen)
		abort();
}

/* With a slow disk: counted, and there was no room. */
static void drop(struct world *world, int producer)
{
	struct life *life = &world->lives[world->now[producer]];
	struct weir_ledger ledger;

	weir_ledger(world->story.producers[producer], &ledger);
	expect(ledger.published - ledger.persisted == life->ring_events,
	       "an event is refused only where a ring is full");
	life->dropped++;
	world->dropped++;
	expect(ledger.dropped == life->dropped, "each event that is refused is counted");
}

/* The next number of the story. Without an engine a full ring ends it: false. */
static bool emit_from(struct world *world, int producer)
{
	struct story *story = &world->story;
	uint64_t slot = world->slots;
	uint64_t interval = slot_time_ms(slot) / INTERVAL_MS;
	int series = (int)draw(world, 6);
	int error = 0;

	grow(world);
	/* Purchases stop now and then, so that there is something to say. */
	bool hole = series >= 3 && interval % 47 >= 42;
	for (int turns = 0; !hole; turns++) {
		error = weir_emit_at(story->producers[producer], story->series[producer][series],
				     (double)slot, slot_time_ms(slot));
		if (error == 0)
			break;
		if (world->slow) {
			drop(world, producer);
			break;
		}
		if (!story->engine)
			return false;
		if (turns == TURNS_MAX) {
			expect(false, "a full ring has room again");
			return false;
		}
		story_crank(story);
	}
	hole = hole || error;
	world->life_of[slot] = hole ? 0 : (uint16_t)world->now[producer];
	world->lives[world->now[producer]].emitted += !hole;
	world->slots++;
	return true;
}

static bool emit(struct world *world)
{
	return emit_from(world, (int)draw(world, STORY_PRODUCERS));
}

/* One event as the log has it. */
static void note_event(struct world *world, const struct weir_event *event)
{
	double value = weir_bits_value(event->value);
	uint64_t time_ms = weir_event_time_ms(event->word);
	uint64_t slot = value >= 0 && value < (double)world->slots ? (uint64_t)value : UINT64_MAX;

	if (slot == UINT64_MAX || (double)slot != value || time_ms != slot_time_ms(slot) ||
	    weir_event_series(event->word) == 0 || !world->life_of[slot])
		world->strangers++;
	else if (world->seen[slot]++)
		world->doubles++;
}

/* Marks and events in the order in which the log has them. The first mark of an epoch says where
 * its intervals begin. */
static void walk_block(struct world *world, const struct reader_block *block,
		       int64_t through[WEIR_SOURCES_MAX])
{
	const struct weir_event *event = block->events;

	for (uint32_t r = 0; r < block->header.runs; r++) {
		const struct weir_run *run = &block->runs[r];
		uint32_t source = run->source % WEIR_SOURCES_MAX;
		if (run->ring == WEIR_RUN_MARK)
			through[source] = run->interval;
		for (uint32_t e = 0; e < run->count; e++, event++) {
			note_event(world, event);
			uint64_t time_ms = weir_event_time_ms(event->word);
			world->late += (int64_t)(time_ms / INTERVAL_MS) <= through[source];
		}
	}
}

static void walk_lane(struct world *world, struct io *io, uint32_t lane)
{
	int64_t through[WEIR_SOURCES_MAX];
	struct reader_report report;
	struct reader_block block;
	struct reader *reader;
	uint32_t epoch = 0;
	char name[16], why[256];
	int more;

	snprintf(name, sizeof(name), "lane-%02u", lane);
	if (reader_open(io, name, (uint16_t)lane, 0, false, &reader, why, sizeof(why)) < 0)
		return;
	while ((more = reader_next(reader, &block)) > 0) {
		if (block.header.epoch != epoch)
			for (int s = 0; s < WEIR_SOURCES_MAX; s++)
				through[s] = INT64_MIN;
		epoch = block.header.epoch;
		if (block.header.type == WEIR_BLOCK_EVENTS)
			walk_block(world, &block, through);
	}
	if (more < 0)
		printf("%s: %s: %s\n", name, strerror(-more), reader_why(reader));
	expect(more == 0, "the log can be read to its end");
	reader_report(reader, &report);
	world->gaps += report.gaps;
	reader_close(reader);
}

/* What is in the log now, by life. */
static void walk_log(struct world *world)
{
	struct io *io = simdisk_io(world->story.disk, 1);

	world->doubles = world->strangers = world->late = world->gaps = 0;
	if (world->slots)
		memset(world->seen, 0, world->slots);
	for (uint32_t lane = 0; lane < LANES; lane++)
		walk_lane(world, io, lane);
	io->ops->destroy(io);
	for (uint32_t l = 1; l <= world->lives_count; l++) {
		world->lives[l].present = world->lives[l].behind_hole = 0;
		world->lives[l].hole = false;
	}
	for (uint64_t slot = 0; slot < world->slots; slot++) {
		struct life *life = &world->lives[world->life_of[slot]];
		if (!world->life_of[slot])
			continue;
		if (!world->seen[slot])
			life->hole = true;
		else if (life->hole)
			life->behind_hole++;
		else
			life->present++;
	}
}

static void check_log(struct world *world, const char *promise)
{
	uint64_t missing = 0, holes = 0;

	walk_log(world);
	for (uint32_t l = 1; l <= world->lives_count; l++) {
		const struct life *life = &world->lives[l];
		missing += life->present < life->promised ? life->promised - life->present : 0;
		holes += life->behind_hole;
	}
	if (missing)
		printf("%llu events missing\n", (unsigned long long)missing);
	expect(missing == 0, promise);
	expect(holes == 0, "the log has a prefix of each ring, without holes");
	expect(world->doubles == 0, "no event is in the log twice");
	expect(world->strangers == 0, "the log has no event that nobody wrote");
	expect(world->late == 0, "no event lies behind the mark that closes its interval");
	expect(world->gaps == 0, "no crash looks like corruption");
}

/* What the producers have been told so far. */
static void note_promises(struct world *world, bool durable)
{
	for (int p = 0; p < STORY_PRODUCERS; p++) {
		struct life *life = &world->lives[world->now[p]];
		struct weir_ledger ledger;
		weir_ledger(world->story.producers[p], &ledger);
		expect(ledger.lost == 0 && ledger.rejected == 0, "the engine loses no event");
		life->promised = durable ? ledger.durable : ledger.persisted;
	}
}

/* SIGTERM, the disk as slow as before. It has a few seconds, of ours. */
static void stop(struct world *world)
{
	note_promises(world, true);
	simdisk_delay(world->story.disk, stop_reaps[world->stops++]);
	story_stop(&world->story);
	check_log(world, "what was called durable is in the log after a stop");
}

static void crash(struct world *world)
{
	struct story *story = &world->story;
	bool power = draw(world, 2);

	if (world->slow && world->stops < STOPS_MAX && draw(world, 4) == 0) {
		stop(world);
		return;
	}

	world->in_flight += simdisk_in_flight(story->disk) > 0;
	note_promises(world, power);
	if (power) {
		world->cuts++;
		story_power_cut(story);
		check_log(world, "what was called durable is in the log after a power cut");
		story_renew_producers(story, RING_EVENTS);
		new_lives(world);
		return;
	}
	world->kills++;
	story_crash(story);
	check_log(world, "what was called persisted is in the log after a kill");
	/* The applications go on without an engine. */
	for (uint64_t left = draw(world, 3000); left && emit(world); left--)
		;
}

/* Some traffic, dense or thin, a quick disk or a slow one, up to a moment that nobody chose. */
static void episode(struct world *world)
{
	uint64_t turns = draw(world, 4) ? draw(world, 60) : draw(world, 300);
	uint64_t density = draw(world, 2) ? 1200 : 60;

	if (world->slow) {
		turns *= 40;
		density = density > 60 ? 30 : 6;
	}
	simdisk_delay(world->story.disk, (uint32_t)draw(world, world->slow ? SLOW_REAPS : 12));
	for (; turns; turns--) {
		for (uint64_t left = draw(world, density); left && emit(world); left--)
			;
		story_crank(&world->story);
	}
}

/* Rings are made at the first event, and a ring that comes later than others is late with reason:
 * all are there before time goes on. */
static void join(struct world *world)
{
	struct story *story = &world->story;
	struct weir_ledger ledger;

	for (int p = 0; p < STORY_PRODUCERS; p++)
		emit_from(world, p);
	for (int p = 0; p < STORY_PRODUCERS; p++)
		for (int turns = 0; turns < TURNS_MAX; turns++) {
			weir_ledger(story->producers[p], &ledger);
			if (ledger.persisted == ledger.published)
				break;
			story_crank(story);
		}
}

static void check_end(struct world *world)
{
	struct story *story = &world->story;

	/* What is on its way to a slow disk may look idle. */
	simdisk_delay(story->disk, 3);
	for (uint32_t turns = 0; world->slow && turns < 4 * SLOW_REAPS; turns++)
		story_crank(story);
	story_settle(story);
	for (int p = 0; p < STORY_PRODUCERS; p++) {
		struct life *life = &world->lives[world->now[p]];
		struct weir_ledger ledger;
		weir_ledger(story->producers[p], &ledger);
		expect(ledger.attempted == ledger.published + ledger.dropped,
		       "attempted = published + dropped");
		expect(ledger.published == life->emitted, "published = what emit said yes to");
		expect(!world->slow || ledger.dropped == life->dropped,
		       "dropped = what emit said no to");
		expect(ledger.persisted == ledger.published, "published = persisted");
		expect(ledger.durable == ledger.published, "published = durable");
		life->promised = life->emitted;
		weir_close(story->producers[p], 0);
		story->producers[p] = NULL;
	}
	story_settle(story);
	story_stop(story);
	check_log(world, "every published event is in the log");
}

static void check_alerts(struct world *world)
{
	uint32_t stored_count, count;
	char **stored = story_stored(&world->story, &stored_count);
	char **replayed = story_replayed(&world->story, 1, &count);
	bool same = stored_count == count;

	for (uint32_t i = 0; same && i < count; i++)
		same = strcmp(stored[i], replayed[i]) == 0;
	printf("%u revisions stored, %u replayed\n", stored_count, count);
	expect(stored_count > 0, "alerts were raised");
	expect(same, "the live alerts are those of a replay: none missing, none twice");
	story_free_lines(stored, stored_count);
	story_free_lines(replayed, count);
}

/* SIGTERM, with events in the rings that no lane has looked at. */
static void stop_undrained(struct world *world)
{
	for (int p = 0; p < STORY_PRODUCERS; p++) {
		struct life *life = &world->lives[world->now[p]];
		life->promised = life->emitted;
	}
	story_stop(&world->story);
	check_log(world, "what was published before a stop is in the log");
	story_start(&world->story);
	join(world);
}

/* Many events behind the last crash, and an end as it should be. */
static void come_to_an_end(struct world *world)
{
	if (world->slow)
		episode(world);
	for (uint64_t left = world->slow ? 0 : 20000; left && emit(world); left--)
		;
	if (!world->slow && failed == 0)
		stop_undrained(world);
	check_end(world);
	check_alerts(world);
	expect(!world->slow || world->dropped > 0, "a slow disk fills the rings");
}

/* One story of so many crashes. */
static void tell(struct world *world, uint32_t crashes, uint64_t seed)
{
	world->random = seed;
	story_begin(&world->story, LANES, SHARDS, seed);
	world->story.detectors = detectors;
	story_renew_producers(&world->story, RING_EVENTS);
	new_lives(world);
	story_start(&world->story);
	join(world);
	for (uint32_t c = 0; c < crashes && failed == 0; c++) {
		episode(world);
		crash(world);
		if (world->slow)
			simdisk_delay(world->story.disk, START_REAPS);
		story_start(&world->story);
		join(world);
	}
	if (failed == 0)
		come_to_an_end(world);
	printf("seed %llu: %u kills, %u power cuts, %u with I/O in flight; %u stops; %llu numbers, "
	       "%llu refused\n",
	       (unsigned long long)seed, world->kills, world->cuts, world->in_flight, world->stops,
	       (unsigned long long)world->slots, (unsigned long long)world->dropped);
	if (world->story.engine)
		story_crash(&world->story);
	story_end(&world->story);
	free(world->life_of);
	free(world->seen);
}

int main(int argc, char **argv)
{
	uint32_t crashes = argc > 1 ? (uint32_t)atoi(argv[1])
				    : getenv("WEIR_TEST_QUICK") ? 60 : 200;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	const bool slow = argc > 3 && strcmp(argv[3], "slow") == 0;
	uint32_t kills = 0, cuts = 0, stops = 0, in_flight = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	/* Each look reads the whole log: many short stories, not a long one. */
	for (uint32_t left = crashes, now; left && failed == 0; left -= now, seed++) {
		static struct world world;
		now = left < STORY_CRASHES ? left : STORY_CRASHES;
		memset(&world, 0, sizeof(world));
		world.slow = slow;
		tell(&world, now, seed);
		kills += world.kills;
		cuts += world.cuts;
		stops += world.stops;
		in_flight += world.in_flight;
	}
	if (failed == 0)
		expect(2 * in_flight >= kills + cuts,
		       "at least half the crashes found I/O in flight");
	if (slow) {
		proof_say("slow-disk-ends", kills + cuts + stops, (uint64_t)failed);
		return failed ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	proof_say("simulated-kills", kills, (uint64_t)failed);
	proof_say("simulated-power-cuts", cuts, (uint64_t)failed);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
