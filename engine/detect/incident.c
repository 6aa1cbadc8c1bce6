/*
 * incident: what the resolutions of a detector say of a slice becomes one anomaly for each
 * incident.
 *
 * Idea:  the first to fire tells the anomaly, under a name of its own. What fires in the same
 *        direction while it is open joins it: it raises the severity, and nothing fires twice.
 *        Over is what the one that tells and all finer ones see no more; or, if a coarser one saw
 *        it by far the best (small and long), that one. What a coarser one finds of an anomaly
 *        that is over, or shortly after it, is that once more: it is not told, unless it grows ten
 *        times as unlikely as what was told.
 *
 *            NONE --fires, nobody tells--> TELLS --over for all--> NONE
 *             |---fires, another tells---> JOINED --that one ends--> SILENT --stronger--> TELLS
 *             '---fires, was told--------> SILENT
 *
 *        A sharp fall within a long decline is no part of it: what a finer one sees with ten times
 *        the evidence and twice the depth is an anomaly of its own.
 *
 * Runs on: the shard that owns the metric. Never allocates.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/fnv.h"
#include "detect/math.h"
#include "detect/resolutions.h"
#include "detect/severity.h"

/* Raw severity: ten times as unlikely. */
#define CLEARLY 12.5
/* A deviation so many times as deep is another one. */
#define DEEPER 2.0
/* Shortly after: as long as windows reach back that it still lies in, and a night in which too
 * little comes to see a slow decline. */
#define SHORTLY_MS INT64_C(86400000)

void incident_clear(struct incident *incident)
{
	memset(incident, 0, sizeof(*incident));
	incident->ended[0] = incident->ended[1] = INT64_MIN;
}

static struct voice *voice_of(const struct resolutions *resolutions, uint32_t rank, uint32_t slice)
{
	return &resolutions->incidents[slice].voices[rank];
}

static struct life *life_of(const struct resolutions *resolutions, uint32_t rank, uint32_t slice)
{
	return &resolutions->banks[rank]->lives[slice];
}

bool incident_fires(const struct resolutions *resolutions, uint32_t slice)
{
	for (uint32_t rank = 0; rank < resolutions->ranks; rank++)
		if (voice_of(resolutions, rank, slice)->status == VOICE_TELLS)
			return true;
	return false;
}

/* Anomalies of two resolutions that begin at the same time are two. */
static void told_id(const struct resolutions *resolutions, uint32_t rank, uint32_t slice,
		    uint64_t ret_id[2])
{
	const struct bank *bank = resolutions->banks[rank];
	int64_t frequency_ms = bank->spec.frequency_ms;

	anomaly_id(bank->spec.name, bank->source, bank->metric, bank->labels[slice],
		   voice_of(resolutions, rank, slice)->start, ret_id);
	for (uint32_t i = 0; i < 2 && rank > 0; i++)
		ret_id[i] = fnv(ret_id[i], &frequency_ms, sizeof(frequency_ms));
}

void incident_id(const struct resolutions *resolutions, uint32_t rank, uint32_t slice,
		 uint64_t ret_id[2])
{
	/* Slices are counted before a rank hears of them. */
	const struct voice *voice = slice < resolutions->slices ? voice_of(resolutions, rank, slice)
								: NULL;

	ret_id[0] = ret_id[1] = 0;
	if (voice && voice->status == VOICE_JOINED)
		told_id(resolutions, voice->host, slice, ret_id);
	else if (voice && (voice->status == VOICE_TELLS || voice->status == VOICE_PENDING))
		told_id(resolutions, rank, slice, ret_id);
}

/* The highest of all that are part of an anomaly. */
static void note_peaks(const struct resolutions *resolutions, uint32_t host, uint32_t slice)
{
	struct voice *voice = voice_of(resolutions, host, slice);

	for (uint32_t rank = 0; rank < resolutions->ranks; rank++) {
		const struct voice *other = voice_of(resolutions, rank, slice);
		const struct life *life = slice < resolutions->banks[rank]->slices
						  ? life_of(resolutions, rank, slice)
						  : NULL;
		bool part = rank == host ? !other->over
					 : other->status == VOICE_JOINED && other->host == host;

		if (!part || !life)
			continue;
		if (rank == host)
			voice->own = math_max(voice->own, life->peak);
		if (life->peak > voice->peak) {
			voice->peak = life->peak;
			voice->peak_interval = bank_last_of(resolutions->banks[rank],
							    life->peak_interval);
		}
	}
}

/* The revision in hand of `rank` goes out as one of what `host` tells. */
static void tell(const struct resolutions *resolutions, uint32_t rank, uint32_t host,
		 uint32_t slice, enum anomaly_state state)
{
	struct anomaly *anomaly = &resolutions->banks[rank]->anomaly;
	struct voice *voice = voice_of(resolutions, host, slice);

	note_peaks(resolutions, host, slice);
	anomaly->state = state;
	anomaly->start = voice->start;
	told_id(resolutions, host, slice, anomaly->id);
	group_id(anomaly->source, anomaly->metric, voice->group, anomaly->group);
	anomaly->revision = ++voice->revision;
	anomaly->fired = voice->status == VOICE_TELLS;
	anomaly->direction = voice->direction;
	anomaly->severity_peak = severity_clamp(voice->peak);
	anomaly->peak_interval = voice->peak_interval;
	int band = severity_band(anomaly->severity);
	if (band > voice->band)
		voice->band = (uint8_t)band;
	resolutions->each(resolutions->self, anomaly);
}

/* What `rank` has begun to say, under a name of its own. */
static void begin(const struct resolutions *resolutions, uint32_t rank, uint32_t slice,
		  enum voice_status status)
{
	const struct bank *bank = resolutions->banks[rank];
	struct life *life = life_of(resolutions, rank, slice);
	struct voice *voice = voice_of(resolutions, rank, slice);

	if (voice->status != VOICE_PENDING)
		*voice = (struct voice){
			.start = bank_first_of(bank, life->start),
			.group = bank_first_of(bank, life->group),
			.peak_interval = bank_last_of(bank, life->peak_interval),
		};
	voice->status = (uint8_t)status;
	voice->direction = life->direction;
	life->tell_at = 0;
	tell(resolutions, rank, rank, slice,
	     status == VOICE_PENDING ? ANOMALY_PENDING : ANOMALY_FIRING);
}

static void hush(const struct resolutions *resolutions, uint32_t rank, uint32_t slice)
{
	struct life *life = life_of(resolutions, rank, slice);
	struct voice *voice = voice_of(resolutions, rank, slice);
	double told = resolutions->incidents[slice].peak[life->direction > 0];

	*voice = (struct voice){.status = VOICE_SILENT, .direction = life->direction};
	life->tell_at = math_max(life->peak, told) + CLEARLY;
}

/* Those that have joined it, and see it still, say nothing more. */
static void leave_alone(const struct resolutions *resolutions, uint32_t host, uint32_t slice)
{
	for (uint32_t rank = 0; rank < resolutions->ranks; rank++) {
		const struct voice *voice = voice_of(resolutions, rank, slice);
		if (voice->status == VOICE_JOINED && voice->host == host)
			hush(resolutions, rank, slice);
	}
}

/* Does one that has joined keep it open, although the one that tells sees it no more? */
static bool is_held(const struct resolutions *resolutions, uint32_t host, uint32_t slice)
{
	double own = voice_of(resolutions, host, slice)->own;

	for (uint32_t rank = 0; rank < resolutions->ranks; rank++) {
		const struct voice *voice = voice_of(resolutions, rank, slice);
		if (voice->status == VOICE_JOINED && voice->host == host &&
		    (rank < host || life_of(resolutions, rank, slice)->peak >= own + CLEARLY))
			return true;
	}
	return false;
}

/* `rank` has the last word about what `host` tells. */
static void end(const struct resolutions *resolutions, uint32_t rank, uint32_t host, uint32_t slice)
{
	struct voice *voice = voice_of(resolutions, host, slice);

	tell(resolutions, rank, host, slice, ANOMALY_RESOLVED);
	if (voice->status == VOICE_TELLS) {
		struct incident *incident = &resolutions->incidents[slice];
		incident->ended[voice->direction > 0] = resolutions->banks[rank]->anomaly.interval;
		incident->peak[voice->direction > 0] = voice->peak;
	}
	leave_alone(resolutions, host, slice);
	*voice = (struct voice){.status = VOICE_NONE};
}

/* How far off it is, as a part of what was expected; of a run's last intervals. */
static double depth(const struct resolutions *resolutions, uint32_t rank, uint32_t slice)
{
	const struct diagnosis *diagnosis = &resolutions->banks[rank]->diagnosis;
	double expected = fabs(diagnosis->expected[slice]);

	return fabs(diagnosis->observed[slice] - diagnosis->expected[slice]) /
	       math_max(expected, 1e-9);
}

/* Is what a finer one sees more than its part in what a coarser one tells? */
static bool is_another(const struct resolutions *resolutions, uint32_t rank, uint32_t host,
		       uint32_t slice)
{
	const struct voice *voice = voice_of(resolutions, host, slice);
	double raw = resolutions->banks[rank]->raw[slice];

	return rank < host && raw >= voice->own + CLEARLY &&
	       depth(resolutions, rank, slice) >= DEEPER * depth(resolutions, host, slice);
}

/* Who tells what `rank` sees; RANKS_MAX: nobody. */
static uint32_t find_host(const struct resolutions *resolutions, uint32_t rank, uint32_t slice)
{
	int direction = life_of(resolutions, rank, slice)->direction;

	for (uint32_t host = 0; host < resolutions->ranks; host++) {
		const struct voice *voice = voice_of(resolutions, host, slice);
		if (host == rank || voice->status != VOICE_TELLS || voice->direction != direction)
			continue;
		note_peaks(resolutions, host, slice);
		if (!is_another(resolutions, rank, host, slice))
			return host;
	}
	return RANKS_MAX;
}

/* Has what a coarser one sees been told, in a period that it looks at or shortly before? */
static bool was_told(const struct resolutions *resolutions, uint32_t rank, uint32_t slice)
{
	const struct bank *bank = resolutions->banks[rank];
	const struct life *life = life_of(resolutions, rank, slice);
	int64_t ended = resolutions->incidents[slice].ended[life->direction > 0];

	return rank > 0 &&
	       ended >= bank_first_of(bank, life->start) - SHORTLY_MS / bank->interval_ms;
}

static void join(const struct resolutions *resolutions, uint32_t rank, uint32_t host,
		 uint32_t slice)
{
	struct voice *voice = voice_of(resolutions, rank, slice);
	struct life *life = life_of(resolutions, rank, slice);
	const struct voice *told = voice_of(resolutions, host, slice);

	*voice = (struct voice){
		.status = VOICE_JOINED,
		.host = (uint8_t)host,
		.direction = life->direction,
	};
	/* When it is to be asked again whether it is another one. */
	life->tell_at = rank < host ? math_max(told->own, life->peak) + CLEARLY : 0;
	if (severity_band(resolutions->banks[rank]->anomaly.severity) > told->band)
		tell(resolutions, rank, host, slice, ANOMALY_UPDATED);
}

/* It has joined, and goes its own way; what it has joined may be over by that. */
static void leave(const struct resolutions *resolutions, uint32_t rank, uint32_t slice)
{
	struct voice *voice = voice_of(resolutions, rank, slice);
	uint32_t host = voice->host;
	bool joined = voice->status == VOICE_JOINED;

	if (joined)
		note_peaks(resolutions, host, slice);
	*voice = (struct voice){.status = VOICE_NONE};
	if (!joined || !voice_of(resolutions, host, slice)->over ||
	    is_held(resolutions, host, slice))
		return;
	end(resolutions, rank, host, slice);
}

static void hear_pending(const struct resolutions *resolutions, uint32_t rank, uint32_t slice)
{
	if (voice_of(resolutions, rank, slice)->status == VOICE_NONE &&
	    find_host(resolutions, rank, slice) == RANKS_MAX)
		begin(resolutions, rank, slice, VOICE_PENDING);
}

static void hear_firing(const struct resolutions *resolutions, uint32_t rank, uint32_t slice)
{
	struct voice *voice = voice_of(resolutions, rank, slice);
	const struct life *life = life_of(resolutions, rank, slice);

	if (voice->status == VOICE_TELLS && voice->direction == life->direction) {
		/* A coarser one has kept it open. */
		voice->over = false;
		if (severity_band(resolutions->banks[rank]->anomaly.severity) > voice->band)
			tell(resolutions, rank, rank, slice, ANOMALY_UPDATED);
		return;
	}
	if (voice->status == VOICE_TELLS)
		end(resolutions, rank, rank, slice);
	uint32_t host = find_host(resolutions, rank, slice);
	bool told = host == RANKS_MAX && was_told(resolutions, rank, slice);
	if (voice->status == VOICE_PENDING && (host != RANKS_MAX || told))
		end(resolutions, rank, rank, slice);
	if (host != RANKS_MAX)
		join(resolutions, rank, host, slice);
	else if (told)
		hush(resolutions, rank, slice);
	else
		begin(resolutions, rank, slice, VOICE_TELLS);
}

/* What was silent has grown: is it news? */
static void hear_silent(const struct resolutions *resolutions, uint32_t rank, uint32_t slice)
{
	struct life *life = life_of(resolutions, rank, slice);
	const struct bank *bank = resolutions->banks[rank];
	int64_t ended = resolutions->incidents[slice].ended[life->direction > 0];
	int64_t now = bank->anomaly.interval;

	if (bank->raw[slice] < life->tell_at)
		return;
	life->tell_at = bank->raw[slice] + CLEARLY;
	uint32_t host = find_host(resolutions, rank, slice);
	if (host != RANKS_MAX)
		join(resolutions, rank, host, slice);
	/* As long as the period holds some of it, of course it grows. */
	else if (ended < now - bank->step_ms / bank->interval_ms + 1)
		begin(resolutions, rank, slice, VOICE_TELLS);
}

static void hear_updated(const struct resolutions *resolutions, uint32_t rank, uint32_t slice)
{
	struct voice *voice = voice_of(resolutions, rank, slice);
	struct life *life = life_of(resolutions, rank, slice);
	const struct anomaly *anomaly = &resolutions->banks[rank]->anomaly;
	bool turned = voice->direction != life->direction;

	if (voice->status == VOICE_TELLS) {
		if (turned)
			leave_alone(resolutions, rank, slice);
		voice->direction = life->direction;
		tell(resolutions, rank, rank, slice, ANOMALY_UPDATED);
	} else if (turned) {
		leave(resolutions, rank, slice);
		hear_firing(resolutions, rank, slice);
	} else if (voice->status == VOICE_SILENT) {
		hear_silent(resolutions, rank, slice);
	} else if (voice->status == VOICE_JOINED) {
		uint32_t host = voice->host;
		note_peaks(resolutions, host, slice);
		if (is_another(resolutions, rank, host, slice)) {
			leave(resolutions, rank, slice);
			begin(resolutions, rank, slice, VOICE_TELLS);
			return;
		}
		if (life->tell_at > 0)
			life->tell_at = math_max(life->tell_at, life->peak) + CLEARLY;
		if (severity_band(anomaly->severity) > voice_of(resolutions, host, slice)->band)
			tell(resolutions, rank, host, slice, ANOMALY_UPDATED);
	}
}

static void hear_resolved(const struct resolutions *resolutions, uint32_t rank, uint32_t slice)
{
	struct voice *voice = voice_of(resolutions, rank, slice);

	if (voice->status == VOICE_PENDING) {
		end(resolutions, rank, rank, slice);
	} else if (voice->status == VOICE_TELLS && !voice->over) {
		note_peaks(resolutions, rank, slice);
		voice->over = true;
		if (!is_held(resolutions, rank, slice))
			end(resolutions, rank, rank, slice);
	} else if (voice->status != VOICE_TELLS) {
		leave(resolutions, rank, slice);
	}
}

void incident_hear(void *self, const struct anomaly *anomaly)
{
	const struct ear *ear = self;
	uint32_t slice = ear->resolutions->banks[ear->rank]->speaking;

	switch (anomaly->state) {
	case ANOMALY_PENDING:
		hear_pending(ear->resolutions, ear->rank, slice);
		break;
	case ANOMALY_FIRING:
		hear_firing(ear->resolutions, ear->rank, slice);
		break;
	case ANOMALY_UPDATED:
		hear_updated(ear->resolutions, ear->rank, slice);
		break;
	case ANOMALY_RESOLVED:
		hear_resolved(ear->resolutions, ear->rank, slice);
		break;
	}
	/* What was said is of a name, and who goes under which has changed. */
	for (uint32_t rank = 0; rank < ear->resolutions->ranks; rank++)
		bank_confirm(ear->resolutions->banks[rank], slice);
}

void incident_save(const struct resolutions *resolutions, uint32_t slice, struct bytes *out)
{
	const struct incident *incident = &resolutions->incidents[slice];

	for (uint32_t rank = 0; rank < resolutions->ranks; rank++) {
		const struct voice *voice = &incident->voices[rank];
		const uint8_t small[] = {voice->status, voice->host, (uint8_t)voice->direction,
					 voice->band, voice->over};

		bytes_put(out, small, sizeof(small));
		bytes_put_u32(out, voice->revision);
		bytes_put_u64(out, (uint64_t)voice->start);
		bytes_put_u64(out, (uint64_t)voice->group);
		bytes_put_u64(out, (uint64_t)voice->peak_interval);
		bytes_put_f64(out, voice->peak);
		bytes_put_f64(out, voice->own);
	}
	bytes_put_u64(out, (uint64_t)incident->ended[0]);
	bytes_put_u64(out, (uint64_t)incident->ended[1]);
	bytes_put_f64(out, incident->peak[0]);
	bytes_put_f64(out, incident->peak[1]);
}

static int load_voice(const struct bank *bank, struct voice *voice, struct bytes_reader *in)
{
	const uint8_t *small = bytes_get(in, 5);

	if (!small)
		return -EPROTO;
	*voice = (struct voice){
		.status = small[0],
		.host = small[1],
		.direction = (int8_t)small[2],
		.band = small[3],
		.over = small[4] != 0,
		.revision = bytes_get_u32(in),
		.start = (int64_t)bytes_get_u64(in),
		.group = (int64_t)bytes_get_u64(in),
		.peak_interval = (int64_t)bytes_get_u64(in),
		.peak = bytes_get_f64(in),
		.own = bytes_get_f64(in),
	};
	bool sane = voice->status <= VOICE_SILENT && small[4] <= 1 && voice->direction >= -1 &&
		    voice->direction <= 1 && voice->band == severity_band(voice->band) &&
		    isfinite(voice->peak) && isfinite(voice->own);
	bool times = bank_is_interval(bank, voice->start) && bank_is_interval(bank, voice->group) &&
		     bank_is_interval(bank, voice->peak_interval);
	return sane && times && !in->failed ? 0 : -EPROTO;
}

/* Nobody says anything of a slice that he does not know; whoever has joined has a host. */
static bool is_sane(const struct resolutions *resolutions, uint32_t rank, uint32_t slice)
{
	const struct voice *voice = voice_of(resolutions, rank, slice);

	if (voice->status != VOICE_NONE && slice >= resolutions->banks[rank]->slices)
		return false;
	if (voice->status != VOICE_JOINED)
		return true;
	return voice->host < resolutions->ranks && voice->host != rank &&
	       voice_of(resolutions, voice->host, slice)->status == VOICE_TELLS;
}

int incident_load(struct resolutions *resolutions, uint32_t slice, struct bytes_reader *in)
{
	struct incident *incident = &resolutions->incidents[slice];

	for (uint32_t rank = 0; rank < resolutions->ranks; rank++)
		if (load_voice(resolutions->banks[0], &incident->voices[rank], in) < 0)
			return -EPROTO;
	incident->ended[0] = (int64_t)bytes_get_u64(in);
	incident->ended[1] = (int64_t)bytes_get_u64(in);
	incident->peak[0] = bytes_get_f64(in);
	incident->peak[1] = bytes_get_f64(in);
	if (!isfinite(incident->peak[0]) || !isfinite(incident->peak[1]))
		return -EPROTO;
	for (uint32_t rank = 0; rank < resolutions->ranks; rank++)
		if (!is_sane(resolutions, rank, slice))
			return -EPROTO;
	return in->failed ? -EPROTO : 0;
}
