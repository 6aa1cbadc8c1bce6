/*
 * moved: see moved.h. The list is short and in the order in which metrics began to move, so that
 * equal histories are equal bytes in a checkpoint.
 */
#include "moved.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "deliver/payload.h"

/* A metric's run: something of it fires, or has lately. */
struct mover {
	char source[32];
	char metric[65];
	int32_t direction; /* of what began first */
	uint32_t firing;   /* anomalies, of any detector and slice */
	int64_t start_ms;  /* of the first of them */
	int64_t end_ms;    /* of the last one, once none fires */
	int64_t period_ms; /* the longest of theirs */
};

int moved_init(struct moved *moved)
{
	moved->count = 0;
	moved->movers = calloc(MOVED_MAX, sizeof(moved->movers[0]));
	return moved->movers ? 0 : -ENOMEM;
}

void moved_fini(struct moved *moved)
{
	free(moved->movers);
	moved->movers = NULL;
	moved->count = 0;
}

void moved_reset(struct moved *moved)
{
	moved->count = 0;
}

static struct mover *find(struct moved *moved, const struct anomaly *anomaly)
{
	for (uint32_t i = 0; i < moved->count; i++) {
		struct mover *mover = &moved->movers[i];
		if (strcmp(mover->metric, anomaly->metric) == 0 &&
		    strcmp(mover->source, anomaly->source) == 0)
			return mover;
	}
	return NULL;
}

static void take_out(struct moved *moved, uint32_t at)
{
	moved->count--;
	memmove(&moved->movers[at], &moved->movers[at + 1],
		(moved->count - at) * sizeof(moved->movers[0]));
}

static int64_t period_ms(const struct anomaly *anomaly)
{
	if (anomaly->frequency_ms < 0)
		return 31 * INT64_C(86400000);
	return anomaly->frequency_ms > 0 ? anomaly->frequency_ms : anomaly->interval_ms;
}

/* Room for one more; false: all that there are go on. */
static bool make_room(struct moved *moved)
{
	uint32_t oldest = MOVED_MAX;

	if (moved->count < MOVED_MAX)
		return true;
	for (uint32_t i = 0; i < moved->count; i++) {
		const struct mover *mover = &moved->movers[i];
		if (mover->firing == 0 &&
		    (oldest == MOVED_MAX || mover->end_ms < moved->movers[oldest].end_ms))
			oldest = i;
	}
	if (oldest == MOVED_MAX)
		return false;
	take_out(moved, oldest);
	return true;
}

/* An anomaly fires. A metric whose last run is over begins another one. */
static void note(struct moved *moved, const struct anomaly *anomaly)
{
	int64_t start_ms = anomaly_time_ms(anomaly, anomaly->start, false);
	struct mover *mover = find(moved, anomaly);

	if (mover && mover->firing == 0) {
		take_out(moved, (uint32_t)(mover - moved->movers));
		mover = NULL;
	}
	if (!mover) {
		if (!make_room(moved))
			return;
		mover = &moved->movers[moved->count++];
		memset(mover, 0, sizeof(*mover));
		memcpy(mover->source, anomaly->source, sizeof(mover->source));
		memcpy(mover->metric, anomaly->metric, sizeof(mover->metric));
		mover->start_ms = INT64_MAX;
	}
	mover->firing++;
	if (period_ms(anomaly) > mover->period_ms)
		mover->period_ms = period_ms(anomaly);
	/* One that was pending, or whose periods are longer, may have begun before it was known. */
	if (start_ms < mover->start_ms) {
		mover->start_ms = start_ms;
		mover->direction = anomaly->direction;
	}
}

static void end(struct moved *moved, const struct anomaly *anomaly)
{
	struct mover *mover = find(moved, anomaly);

	if (!mover || mover->firing == 0)
		return;
	/* Whoever fired while there was no room for its metric is none of those counted. */
	if (anomaly_time_ms(anomaly, anomaly->start, false) < mover->start_ms)
		return;
	mover->firing--;
	mover->end_ms = anomaly_time_ms(anomaly, anomaly->interval, true);
}

/* What has been over for long. */
static void forget(struct moved *moved, const struct anomaly *now)
{
	int64_t now_ms = anomaly_time_ms(now, now->interval, true);
	uint32_t kept = 0;

	for (uint32_t i = 0; i < moved->count; i++) {
		const struct mover *mover = &moved->movers[i];
		bool old = mover->firing == 0 && now_ms - mover->end_ms > MOVED_KEPT_MS &&
			   strcmp(mover->source, now->source) == 0;
		if (!old && kept++ != i)
			moved->movers[kept - 1] = *mover;
	}
	moved->count = kept;
}

/* Did it move with a metric that began to at start_ms? */
static bool goes_along(const struct mover *mover, int64_t start_ms, int64_t period_ms)
{
	int64_t longest = mover->period_ms > period_ms ? mover->period_ms : period_ms;
	int64_t reach = MOVED_REACH_PERIODS * longest;
	int64_t lead = start_ms - mover->start_ms;

	if (reach < MOVED_REACH_MS)
		reach = MOVED_REACH_MS;
	if (lead > reach || lead < -reach)
		return false;
	return mover->firing > 0 || mover->end_ms >= start_ms - MOVED_BEFORE_MS;
}

/* The first to move in front; then by name. */
static bool precedes(const struct related *a, const struct related *b)
{
	if (a->start_ms != b->start_ms)
		return a->start_ms < b->start_ms;
	return strcmp(a->metric, b->metric) < 0;
}

static void insert(struct anomaly *anomaly, const struct related *related)
{
	uint32_t at = anomaly->relateds;

	while (at > 0 && precedes(related, &anomaly->related[at - 1]))
		at--;
	if (at == ANOMALY_RELATED_MAX)
		return;
	uint32_t last = anomaly->relateds;
	if (last == ANOMALY_RELATED_MAX)
		last--;
	memmove(&anomaly->related[at + 1], &anomaly->related[at],
		(last - at) * sizeof(anomaly->related[0]));
	anomaly->related[at] = *related;
	anomaly->relateds = last + 1;
}

static void relate(struct moved *moved, struct anomaly *anomaly)
{
	const struct mover *own = find(moved, anomaly);
	/* One that has not fired is no part of its metric's run. */
	int64_t start_ms = own && anomaly->fired ? own->start_ms
						 : anomaly_time_ms(anomaly, anomaly->start, false);

	anomaly->relateds = 0;
	memset(anomaly->related, 0, sizeof(anomaly->related));
	for (uint32_t i = 0; i < moved->count; i++) {
		const struct mover *mover = &moved->movers[i];
		struct related related = {.direction = mover->direction,
					  .start_ms = mover->start_ms,
					  .lead_ms = start_ms - mover->start_ms};
		if (strcmp(mover->source, anomaly->source) != 0 ||
		    strcmp(mover->metric, anomaly->metric) == 0 ||
		    !goes_along(mover, start_ms, period_ms(anomaly)))
			continue;
		memcpy(related.metric, mover->metric, sizeof(related.metric));
		insert(anomaly, &related);
	}
}

void moved_relate(struct moved *moved, struct scored_list *revisions)
{
	struct scored *first = revisions->first;

	while (first) {
		struct scored *until = first;
		for (; until && until->interval == first->interval; until = until->next) {
			if (until->anomaly.state == ANOMALY_FIRING)
				note(moved, &until->anomaly);
		}
		for (struct scored *at = first; at != until; at = at->next)
			relate(moved, &at->anomaly);
		for (struct scored *at = first; at != until; at = at->next) {
			if (at->anomaly.state == ANOMALY_RESOLVED && at->anomaly.fired)
				end(moved, &at->anomaly);
		}
		forget(moved, &first->anomaly);
		first = until;
	}
}

void moved_save(const struct moved *moved, struct bytes *out)
{
	struct bytes body = {0};

	bytes_put_u32(&body, moved->count);
	for (uint32_t i = 0; i < moved->count; i++) {
		const struct mover *mover = &moved->movers[i];
		bytes_put_text(&body, mover->source);
		bytes_put_text(&body, mover->metric);
		bytes_put_u32(&body, (uint32_t)mover->direction);
		bytes_put_u32(&body, mover->firing);
		bytes_put_u64(&body, (uint64_t)mover->start_ms);
		bytes_put_u64(&body, (uint64_t)mover->end_ms);
		bytes_put_u64(&body, (uint64_t)mover->period_ms);
	}
	checkpoint_put_section(out, SECTION_MOVED, &body);
}

static void get_mover(struct bytes_reader *in, struct mover *mover)
{
	/* Times have 42 bits, in milliseconds; the longest period is a month. */
	const int64_t most = INT64_C(1) << 43;

	memset(mover, 0, sizeof(*mover));
	bytes_get_text(in, mover->source, sizeof(mover->source));
	bytes_get_text(in, mover->metric, sizeof(mover->metric));
	mover->direction = (int32_t)bytes_get_u32(in);
	mover->firing = bytes_get_u32(in);
	mover->start_ms = (int64_t)bytes_get_u64(in);
	mover->end_ms = (int64_t)bytes_get_u64(in);
	mover->period_ms = (int64_t)bytes_get_u64(in);
	in->failed |= mover->direction < -1 || mover->direction > 1 || mover->start_ms < -most ||
		      mover->start_ms > most || mover->end_ms < -most || mover->end_ms > most ||
		      mover->period_ms < 0 || mover->period_ms > most;
}

static int load(struct moved *moved, struct bytes_reader *in)
{
	uint32_t count = bytes_get_u32(in);

	if (in->failed || count > MOVED_MAX)
		return -EPROTO;
	for (uint32_t i = 0; i < count; i++)
		get_mover(in, &moved->movers[i]);
	moved->count = count;
	return in->failed || in->left ? -EPROTO : 0;
}

int moved_load(struct moved *moved, struct bytes_reader sections)
{
	struct bytes_reader body;
	int error = checkpoint_get_section(sections, SECTION_MOVED, &body);

	return error < 0 ? error : load(moved, &body);
}
