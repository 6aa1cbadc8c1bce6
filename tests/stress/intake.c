/*
 * intake: producers come, define series, emit and go, while the agent maps and a lane drains.
 *
 * Idea:  three kinds of thread, as in the engine: applications with the real library, the intake
 *        agent, one lane that checks instead of keeping. An event's value says which series it was
 *        emitted to; the lane looks the series up in the registry, so a map that is read before it
 *        is filled, a definition that is read before it is copied, a ring that is unmapped before
 *        the lane has let go, shows as a wrong number, a fault, or a report of ThreadSanitizer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/agent.h"
#include "base/log.h"
#include "base/queue.h"
#include "intake/attach.h"
#include "support/proof.h"
#include "weir/weir.h"

#define APPLICATIONS 3
#define ROUNDS 12
#define EVENTS 4000
#define EVENTS_PER_SERIES 40
#define RINGS_MAX 64
#define TIMEOUT_S 120

struct stage {
	char directory[64], socket[80];
	struct series_registry *registry;
	struct source_table sources;
	struct clock clock;
	struct intake *intake;
	struct queue *offered;
	struct intake_ring *rings[RINGS_MAX]; /* the lane's */
	uint32_t rings_count;
	uint64_t drained, wrong; /* the lane writes, main reads at the end */
	uint64_t unfinished;     /* applications, atomic */
	uint64_t failed;         /* of them, atomic */
};

struct application {
	struct stage *stage;
	uint32_t number;
	pthread_t thread;
};

static bool offer(void *self, struct intake_ring *ring)
{
	struct stage *stage = self;
	return queue_push(stage->offered, ring);
}

static int new_source(void *self, const char *name, enum weir_clock_kind clock)
{
	struct stage *stage = self;
	(void)name;
	(void)clock;
	return (int)stage->sources.count;
}

/* Is this event in the series that its value says? The value: application, round, series. */
static bool is_right(const struct stage *stage, const struct weir_event *event)
{
	char expected[64];
	const struct weir_definition *definition = series_get(stage->registry,
							      weir_event_series(event->word));
	uint64_t value = (uint64_t)weir_bits_value(event->value);

	if (!definition)
		return false;
	struct series_text name = series_event(definition);
	int bytes = snprintf(expected, sizeof(expected), "a%lu r%lu s%lu", value / 1000000,
			     value / 1000 % 1000, value % 1000);
	return name.count == (uint32_t)bytes && !memcmp(name.bytes, expected, name.count);
}

static int drain(struct stage *stage, struct intake_ring *ring)
{
	static struct weir_event out[512]; /* there is one lane */
	struct drain_ring *drain = &ring->drain;
	uint64_t low = UINT64_MAX, high = 0;
	struct batch batch;
	int work = 0;

	/* Orders: the ids below before the look-ups; partner: the agent's publish(). */
	drain->mapped = weir_load_acquire_32(&drain->map->mapped);
	if (drain_snapshot(drain) < 0)
		stage->wrong++;
	while (drain->next < drain->tail) {
		uint64_t next = drain->next;
		uint32_t slots = drain_take(drain, out, 512, UINT64_MAX, &batch, &low, &high);
		if (!slots)
			break;
		stage->wrong += batch.rejected + (batch.first_sequence != next);
		for (uint32_t i = 0; i < batch.count; i++)
			stage->wrong += !is_right(stage, &out[i]);
		stage->drained += batch.count;
		work++;
	}
	drain->released = drain->next;
	weir_store_relaxed_64(&ring->control->durable, drain->next);
	/* Orders: the copies before the word that frees the slots; seen by weir_ring_room(). */
	weir_store_release_64(&ring->control->released, drain->next);
	return work;
}

static int lane_step(void *self, uint64_t now_ns)
{
	struct stage *stage = self;
	int work = 0;

	(void)now_ns;
	while (stage->rings_count < RINGS_MAX) {
		struct intake_ring *ring = queue_pop(stage->offered);
		if (!ring)
			break;
		stage->rings[stage->rings_count++] = ring;
		work++;
	}
	for (uint32_t i = 0; i < stage->rings_count; i++) {
		struct intake_ring *ring = stage->rings[i];
		/* Orders: the agent's sight of the end before our last look at the tail. */
		uint32_t dead = weir_load_acquire_32(&ring->drain.over);
		work += drain(stage, ring);
		if (!dead || ring->drain.waiting || ring->drain.next != ring->drain.tail)
			continue;
		stage->rings[i--] = stage->rings[--stage->rings_count];
		/* Orders: our last touch of the ring before the agent unmaps it. */
		weir_store_release_32(&ring->detached, 1);
	}
	return work;
}

static bool play_round(struct stage *stage, uint32_t number, uint32_t round)
{
	struct weir_options options = {.size = sizeof(options),
				       .socket_path = stage->socket,
				       .ring_events = 256,
				       .full_wait_us = 10000000};
	char name[64];
	int series = 0;
	bool ok = true;
	weir *w;

	if (weir_open(&options, &w) < 0)
		return false;
	for (uint32_t i = 0; ok && i < EVENTS; i++) {
		uint32_t k = i / EVENTS_PER_SERIES;
		if (i % EVENTS_PER_SERIES == 0) {
			snprintf(name, sizeof(name), "a%u r%u s%u", number, round, k);
			series = weir_series(w, name, WEIR_VALUE, WEIR_KIND_NUMBER, NULL, 0);
		}
		ok = series > 0 &&
		     weir_emit(w, series, (double)(number * 1000000 + round * 1000 + k)) == 0;
		if (i % 100 == 0)
			weir_poll(w);
	}
	return weir_close(w, 30000) == 0 && ok;
}

static void *application(void *self)
{
	struct application *application = self;
	struct stage *stage = application->stage;

	for (uint32_t round = 0; round < ROUNDS; round++)
		if (!play_round(stage, application->number, round)) {
			fprintf(stderr, "application %u failed in round %u\n", application->number,
				round);
			weir_add_64(&stage->failed, 1);
			break;
		}
	weir_add_64(&stage->unfinished, UINT64_MAX); /* one less */
	return NULL;
}

static int open_stage(struct stage *stage)
{
	char why[256];

	memset(stage, 0, sizeof(*stage));
	strcpy(stage->directory, "/tmp/weir-stress-XXXXXX");
	if (!mkdtemp(stage->directory))
		return -1;
	snprintf(stage->socket, sizeof(stage->socket), "%s/weir.sock", stage->directory);
	clock_system(&stage->clock);
	stage->registry = series_create(APPLICATIONS * ROUNDS * EVENTS / EVENTS_PER_SERIES * 2);
	stage->offered = queue_create(RINGS_MAX);
	stage->unfinished = APPLICATIONS;
	struct intake_options options = {.socket_path = stage->socket,
					 .registry = stage->registry,
					 .sources = &stage->sources,
					 .clock = &stage->clock,
					 .epoch = 1,
					 .producers_max = 16,
					 .user_bytes_max = 256u << 20,
					 .producer_series_max = 1000,
					 .offer = offer,
					 .new_source = new_source,
					 .self = stage};
	if (!stage->registry || !stage->offered ||
	    intake_open(&options, &stage->intake, why, sizeof(why)) < 0)
		return -1;
	return 0;
}

int main(void)
{
	struct stage *stage = aligned_alloc(64, (sizeof(*stage) + 63) & ~(size_t)63);
	struct application applications[APPLICATIONS];
	struct agent_idle idle = {.idle_min_ns = 50000, .idle_max_ns = 500000};
	struct agent agent = {0}, lane = {0};
	struct intake_counters counters = {.producers = 1};
	struct timespec pause = {.tv_nsec = 10000000};

	log_set_level(LOG_ERROR);
	if (!stage || open_stage(stage) < 0)
		return 1;
	agent_start(&agent, "intake", intake_step, stage->intake, idle);
	agent_start(&lane, "lane", lane_step, stage, idle);
	for (uint32_t i = 0; i < APPLICATIONS; i++) {
		applications[i] = (struct application){.stage = stage, .number = i + 1};
		pthread_create(&applications[i].thread, NULL, application, &applications[i]);
	}
	/* Until all have gone, and the agent has seen that. */
	for (int i = 0; i < TIMEOUT_S * 100; i++) {
		intake_counters(stage->intake, &counters);
		if (!weir_load_relaxed_64(&stage->unfinished) && !counters.producers)
			break;
		nanosleep(&pause, NULL);
	}
	for (uint32_t i = 0; i < APPLICATIONS; i++)
		pthread_join(applications[i].thread, NULL);
	agent_stop(&agent);
	agent_stop(&lane);
	agent_join(&agent);
	agent_join(&lane);
	uint64_t wanted = (uint64_t)APPLICATIONS * ROUNDS * EVENTS;
	printf("%lu of %lu events, %lu wrong, %lu applications failed, %lu attached, %lu left\n",
	       stage->drained, wanted, stage->wrong, stage->failed, counters.attached,
	       counters.producers);
	/* A library that closes may offer its region once more, see forget_ring(): more attach
	 * then, and no event more is drained. */
	bool ok = stage->drained == wanted && !stage->wrong && !stage->failed &&
		  counters.attached >= APPLICATIONS * ROUNDS && !counters.producers &&
		  !counters.rings && !counters.refused;
	proof_say("intake-events", stage->drained, !ok);
	intake_close(stage->intake);
	queue_destroy(stage->offered);
	series_destroy(stage->registry);
	rmdir(stage->directory);
	free(stage);
	return ok ? 0 : 1;
}
