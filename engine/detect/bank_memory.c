/*
 * bank_memory: a bank's memory, its checkpoint, and ids.
 *
 * A checkpoint holds everything that a later revision depends on, as it is in memory, so that a
 * bank that was saved and loaded goes on bit for bit like one that was not.
 *
 * Runs on: the shard that owns the metric. Allocates when slices are added and nowhere else.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/fnv.h"
#include "base/zone.h"
#include "detect/life.h"
#include "detect/math.h"
#include "detect/resolutions.h"
#include "detect/seasonal_build.h"
#include "detect/severity.h"

#define FORTNIGHT_MS (14 * 86400000.0)
#define BANK_MAGIC UINT32_C(0x394b4e42) /* "BNK9" */

struct hash {
	uint64_t low, high;
};

static struct hash hash_begin(void)
{
	return (struct hash){FNV_BEGIN, UINT64_C(0x9ae16a3b2f90404f)};
}

/* FNV-1a, and the same with another multiplier: two hashes that are not each other's function. */
static void hash_add(struct hash *hash, const void *data, size_t count)
{
	const uint8_t *bytes = data;
	hash->low = fnv(hash->low, data, count);
	for (size_t i = 0; i < count; i++) {
		hash->high = (hash->high ^ bytes[i]) * UINT64_C(0x9fb21c651e98df25);
		hash->high ^= hash->high >> 29;
	}
}

/* With the NUL, so that the parts cannot run into each other. */
static void hash_text(struct hash *hash, const char *text)
{
	hash_add(hash, text, strlen(text) + 1);
}

/* The finalizer of MurmurHash3: every bit of the input moves every bit of the output. */
static uint64_t hash_mix(uint64_t h)
{
	h = (h ^ (h >> 33)) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ (h >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ (h >> 33);
}

static void hash_end(const struct hash *hash, uint64_t ret_id[2])
{
	ret_id[0] = hash_mix(hash->low + hash->high);
	ret_id[1] = hash_mix(hash->high ^ ret_id[0]);
}

void anomaly_id(const char *detector, const char *source, const char *metric, const char *slice,
		int64_t start, uint64_t ret_id[2])
{
	struct hash hash = hash_begin();
	hash_text(&hash, detector);
	hash_text(&hash, source);
	hash_text(&hash, metric);
	hash_text(&hash, slice);
	hash_add(&hash, &start, sizeof(start));
	hash_end(&hash, ret_id);
}

void group_id(const char *source, const char *metric, int64_t start, uint64_t ret_id[2])
{
	struct hash hash = hash_begin();
	hash_text(&hash, source);
	hash_text(&hash, metric);
	hash_add(&hash, &start, sizeof(start));
	hash_end(&hash, ret_id);
}

uint64_t contribution_hash(const struct contribution *contribution)
{
	struct hash hash = hash_begin();
	uint64_t id[2];
	hash_text(&hash, contribution->dimension);
	hash_text(&hash, contribution->value);
	hash_end(&hash, id);
	return id[0];
}

uint64_t explanation_hash(const struct explanation *explanation, uint32_t count)
{
	struct hash hash = hash_begin();
	uint64_t id[2];
	if (count == 0)
		return 0;
	for (uint32_t i = 0; i < count; i++)
		hash_text(&hash, explanation[i].slice);
	hash_end(&hash, id);
	return id[0];
}

/* Two specifications are equal: by field, since padding has no value. */
static uint64_t spec_hash(const struct detector_spec *spec)
{
	struct hash hash = hash_begin();
	uint64_t id[2];
	const uint32_t words[] = {spec->kind,
				  spec->direction,
				  spec->for_intervals,
				  spec->recover_intervals,
				  spec->window,
				  spec->learn_intervals,
				  spec->absent_intervals,
				  spec->cooldown_intervals,
				  spec->baseline};
	const double numbers[] = {spec->severity,  spec->min_volume, spec->k,
				  spec->min_delta, spec->up_percent, spec->down_percent,
				  spec->above,     spec->below,      spec->growth_drop};
	hash_text(&hash, spec->name);
	hash_text(&hash, spec->metric);
	hash_add(&hash, words, sizeof(words));
	hash_add(&hash, numbers, sizeof(numbers));
	hash_add(&hash, &spec->frequency_ms, sizeof(spec->frequency_ms));
	hash_add(&hash, spec->resolutions_ms, sizeof(spec->resolutions_ms));
	/* By its name: newer rules are no other detector. */
	if (spec->zone)
		hash_text(&hash, zone_name(spec->zone));
	hash_end(&hash, id);
	return id[0];
}

uint64_t bank_wanted(const struct detector_spec *spec, int64_t step_ms)
{
	switch (spec->kind) {
	case DETECTOR_WINDOW:
		if (spec->baseline == BASELINE_LAST_YEAR)
			return (uint64_t)spec->year_periods + 1;
		return (uint64_t)math_max(3, ceil(0.5 * spec->window));
	case DETECTOR_ABSENCE:
		return 20 + 2 * (uint64_t)spec->absent_intervals;
	case DETECTOR_RULE:
		if (!isnan(spec->growth_drop))
			return (uint64_t)spec->year_periods + 2;
		return isnan(spec->up_percent) && isnan(spec->down_percent)
			       ? 1
			       : (uint64_t)spec->back_periods + 1;
	default:
		return (uint64_t)math_max(spec->learn_intervals,
					  step_ms > 0 ? FORTNIGHT_MS / (double)step_ms : 0);
	}
}

/* Standard deviations from the expectation to the edge of the band; 0: the band knows nothing of
 * chance. */
static double edge_of(const struct bank *bank)
{
	const struct detector_spec *spec = &bank->spec;

	if (spec->kind == DETECTOR_RULE)
		return 0;
	double log10_p = severity_log10_p(spec->severity, bank->log10_intervals);
	double edge = spec->kind == DETECTOR_WINDOW ? spec->k
						    : math_tail_quantile(math_min(log10_p, -1));
	return math_max(edge, 0.5);
}

static void free_slices(struct bank *bank)
{
	for (uint32_t i = 0; i < bank->slices; i++)
		free(bank->labels[i]);
	free(bank->state);
	free(bank->verdicts.expected);
	free(bank->verdicts.direction);
	free(bank->learn);
	free(bank->lives);
	free(bank->labels);
	period_fini(&bank->period);
	occasion_forget(&bank->occasion);
	bank->state = NULL;
	bank->verdicts = (struct verdicts){0};
	bank->learn = bank->paused = NULL;
	bank->confirmed = 0;
	bank->lives = NULL;
	bank->labels = NULL;
	bank->slices = bank->capacity = bank->told = 0;
	calibration_init(&bank->calibration);
}

void bank_interval(struct bank *bank, int64_t interval_ms)
{
	struct detector_spec *spec = &bank->spec;
	int64_t frequency_ms = spec->frequency_ms;

	/* How much past there is depends on the interval: with another one it begins anew. */
	resolutions_free(bank);
	free_slices(bank);
	bank->interval_ms = interval_ms;
	bank->periodic = frequency_ms != 0 && frequency_ms != interval_ms;
	period_init(&bank->period, frequency_ms, bank->zone);
	bank->period.even = spec->kind == DETECTOR_SEASONAL;
	bank->step_ms = period_ms(interval_ms, frequency_ms);
	spec->back_periods = (uint32_t)period_back(interval_ms, frequency_ms, spec->baseline);
	spec->year_periods = (uint32_t)period_back(interval_ms, frequency_ms, BASELINE_LAST_YEAR);
	bank->log10_intervals = severity_log10_intervals(bank->step_ms);
	bank->edge = edge_of(bank);
}

int bank_zone(struct bank *bank, const struct zone *zone)
{
	struct zone *copy = zone_copy(zone);

	if (zone && !copy)
		return -ENOMEM;
	zone_free(bank->zone);
	bank->spec.zone = bank->period.zone = bank->zone = copy;
	bank->offset_from_ms = bank->offset_until_ms = 0;
	return resolutions_zone(bank);
}

void bank_calendar(struct bank *bank, const struct calendar *calendar)
{
	bank->occasion.calendar = calendar;
	bank->occasion.prepared = false;
	resolutions_calendar(bank);
}

struct bank *bank_create(const struct detector_spec *spec)
{
	const struct detector_ops *const ops[] = {
		[DETECTOR_WINDOW] = &detector_window,
		[DETECTOR_ABSENCE] = &detector_absence,
		[DETECTOR_SEASONAL] = seasonal_here(),
		[DETECTOR_RULE] = &detector_rule,
	};
	struct bank *bank = calloc(1, sizeof(*bank));
	if (!bank)
		return NULL;
	check((size_t)spec->kind < sizeof(ops) / sizeof(ops[0]));
	bank->spec = *spec;
	if (bank_zone(bank, spec->zone) < 0) {
		free(bank);
		return NULL;
	}
	bank->ops = ops[spec->kind];
	calibration_init(&bank->calibration);
	if (spec->kind == DETECTOR_WINDOW && spec->baseline == BASELINE_LAST_YEAR)
		bank->ops = &detector_window_year;
	return bank;
}

void bank_destroy(struct bank *bank)
{
	if (!bank)
		return;
	resolutions_free(bank);
	free_slices(bank);
	zone_free(bank->zone);
	free(bank->scan);
	free(bank);
}

/* Rows of doubles that a bank itself keeps. */
enum { DOUBLE_ROWS = 15 };

static void place_doubles(struct bank *bank, double *block, uint32_t capacity)
{
	double **rows[DOUBLE_ROWS] = {
		&bank->verdicts.expected,
		&bank->verdicts.lower,
		&bank->verdicts.upper,
		&bank->verdicts.onset,
		&bank->verdicts.log10_p,
		&bank->raw,
		&bank->volume,
		&bank->diagnosis.observed,
		&bank->diagnosis.expected,
		&bank->diagnosis.variance,
		&bank->diagnosis.weight,
		&bank->episodes.peak,
		&bank->episodes.start,
		&bank->episodes.faint,
		&bank->episodes.counted,
	};
	for (uint32_t row = 0; row < DOUBLE_ROWS; row++)
		*rows[row] = block + (size_t)row * capacity;
	/* A detector that rates itself writes where the bank would. */
	bank->verdicts.severity = bank->raw;
}

/* Zeroed, `old` bytes of `from` copied to its beginning. NULL: no memory. */
static void *enlarged(const void *from, size_t old, size_t size)
{
	void *to = calloc(1, size);
	if (to && old)
		memcpy(to, from, old);
	return to;
}

static size_t state_bytes(const struct bank *bank, uint32_t capacity)
{
	/* aligned_alloc() wants whole units. */
	return (bank->ops->bytes(&bank->spec, capacity) + 63) & ~(size_t)63;
}

static void grow_doubles(struct bank *bank, double *block, uint32_t capacity)
{
	double *old = bank->verdicts.expected;
	for (uint32_t row = 0; row < DOUBLE_ROWS && old; row++)
		memcpy(block + (size_t)row * capacity, old + (size_t)row * bank->capacity,
		       bank->slices * sizeof(double));
	place_doubles(bank, block, capacity);
	free(old);
}

int bank_grow(struct bank *bank, uint32_t slices)
{
	uint32_t capacity = bank->capacity ? bank->capacity : 16;
	while (capacity < slices)
		capacity *= 2;
	if (bank->periodic && period_grow(&bank->period, slices) < 0)
		return -ENOMEM;
	if (!bank->scan && !bank->whole && !bank->spec.apart)
		bank->scan = calloc(1, sizeof(*bank->scan));
	if (!bank->scan && !bank->whole && !bank->spec.apart)
		return -ENOMEM;
	if (capacity != bank->capacity) {
		uint32_t old = bank->slices;
		void *state = aligned_alloc(64, state_bytes(bank, capacity));
		double *doubles = calloc((size_t)DOUBLE_ROWS * capacity, sizeof(double));
		int8_t *direction = calloc(capacity, 1);
		uint8_t *learn = calloc(2, capacity); /* and `paused` behind it */
		struct life *lives = enlarged(bank->lives, old * sizeof(*lives),
					      capacity * sizeof(*lives));
		char **labels = enlarged(bank->labels, old * sizeof(*labels),
					 capacity * sizeof(*labels));
		if (!state || !doubles || !direction || !learn || !lives || !labels) {
			free(state), free(doubles), free(direction);
			free(learn), free(lives), free(labels);
			return -ENOMEM;
		}
		bank->ops->init(state, &bank->spec, capacity);
		if (bank->state)
			bank->ops->move(state, capacity, bank->state, bank->capacity, &bank->spec);
		grow_doubles(bank, doubles, capacity);
		free(bank->state), free(bank->verdicts.direction);
		free(bank->learn), free(bank->lives), free(bank->labels);
		bank->state = state;
		bank->verdicts.direction = direction;
		bank->learn = learn;
		bank->paused = learn + capacity;
		bank->lives = lives;
		bank->labels = labels;
		bank->capacity = capacity;
	}
	bank->slices = slices;
	return 0;
}

int bank_label(struct bank *bank, uint32_t slice, const char *label)
{
	size_t length = strnlen(label, ANOMALY_LABEL_BYTES - 1);
	char *copy = malloc(length + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, label, length);
	copy[length] = '\0';
	free(bank->labels[slice]);
	bank->labels[slice] = copy;
	return 0;
}

uint64_t bank_bytes(const struct bank *bank)
{
	if (!bank->capacity)
		return sizeof(*bank);
	return sizeof(*bank) + (bank->scan ? sizeof(*bank->scan) : 0) + resolutions_bytes(bank) +
	       state_bytes(bank, bank->capacity) + period_bytes(&bank->period) +
	       occasion_bytes(&bank->occasion) +
	       bank->capacity *
		       (DOUBLE_ROWS * sizeof(double) + 3 + sizeof(struct life) + sizeof(char *));
}

void bank_save(const struct bank *bank, struct bytes *out)
{
	bytes_put_u32(out, BANK_MAGIC);
	bytes_put_u64(out, spec_hash(&bank->spec));
	bytes_put_u32(out, bank->slices);
	bytes_put_text(out, bank->source);
	bytes_put_text(out, bank->metric);
	bytes_put_u64(out, (uint64_t)bank->interval_ms);
	bytes_put_u64(out, bank->seen);
	bytes_put_u32(out, bank->running);
	bytes_put_u64(out, (uint64_t)bank->run);
	bytes_put(out, &bank->calibration, sizeof(bank->calibration));
	for (uint32_t i = 0; i < bank->slices; i++) {
		bytes_put_text(out, bank->labels[i]);
		bytes_put(out, &bank->lives[i], sizeof(bank->lives[i]));
		bytes_put_f64(out, bank->volume[i]);
		bytes_put_f64(out, bank->diagnosis.observed[i]);
		bytes_put_f64(out, bank->diagnosis.expected[i]);
		bytes_put_f64(out, bank->diagnosis.variance[i]);
		bytes_put_f64(out, bank->diagnosis.weight[i]);
		bytes_put_f64(out, bank->episodes.peak[i]);
		bytes_put_f64(out, bank->episodes.start[i]);
		bytes_put_f64(out, bank->episodes.faint[i]);
		bytes_put_f64(out, bank->episodes.counted[i]);
	}
	if (bank->slices)
		bank->ops->save(bank->state, &bank->spec, bank->capacity, bank->slices, out);
	if (bank->slices && bank->periodic)
		period_save(&bank->period, out);
	if (bank->slices)
		occasion_save(bank, out);
	resolutions_save(bank, out);
}

/* Milliseconds since 1970 that no event's time reaches, and what an interval may last. */
#define TIME_MAX_MS (INT64_C(1) << 43)
#define INTERVAL_MIN_MS 1000
#define INTERVAL_MAX_MS INT64_C(86400000)

static bool is_number(int64_t number, int64_t ms)
{
	int64_t most = TIME_MAX_MS / ms;

	return number >= -most && number <= most;
}

bool bank_is_interval(const struct bank *bank, int64_t interval)
{
	return bank->interval_ms > 0 && is_number(interval, bank->interval_ms);
}

/* Of the detector's periods, where they are longer. */
static bool is_step(const struct bank *bank, int64_t step)
{
	return bank->step_ms > 0 && is_number(step, bank->step_ms);
}

static bool is_sane(const struct bank *bank, const struct life *life)
{
	return life->status <= LIFE_HUSHED && life->confirmed <= 1 && life->direction >= -1 &&
	       life->direction <= 1 && isfinite(life->peak) && isfinite(life->tell_at) &&
	       is_step(bank, life->start) && is_step(bank, life->fired) &&
	       is_number(life->quiet, 1) && is_step(bank, life->group) &&
	       is_step(bank, life->peak_interval) && isfinite(life->usual) &&
	       feedback_run_possible(&life->run[0]) && feedback_run_possible(&life->run[1]);
}

static int load_slice(struct bank *bank, uint32_t i, struct bytes_reader *in)
{
	char label[ANOMALY_LABEL_BYTES];
	struct life *life = &bank->lives[i];

	bytes_get_text(in, label, sizeof(label));
	const void *bytes = bytes_get(in, sizeof(*life));
	if (!bytes)
		return -EPROTO;
	memcpy(life, bytes, sizeof(*life));
	bank->volume[i] = bytes_get_f64(in);
	bank->diagnosis.observed[i] = bytes_get_f64(in);
	bank->diagnosis.expected[i] = bytes_get_f64(in);
	bank->diagnosis.variance[i] = bytes_get_f64(in);
	bank->diagnosis.weight[i] = bytes_get_f64(in);
	bank->episodes.peak[i] = bytes_get_f64(in);
	bank->episodes.start[i] = bytes_get_f64(in);
	bank->episodes.faint[i] = bytes_get_f64(in);
	bank->episodes.counted[i] = bytes_get_f64(in);
	if (in->failed || !is_sane(bank, life) || !bank_episode_possible(bank, i))
		return -EPROTO;
	bank->confirmed += (uint32_t)life->confirmed;
	return bank_label(bank, i, label);
}

static int load_slices(struct bank *bank, uint32_t slices, struct bytes_reader *in)
{
	/* A slice takes more bytes than this: a wrong number must not ask for gigabytes. */
	if (slices > in->left / sizeof(struct life))
		return -EPROTO;
	int result = slices ? bank_grow(bank, slices) : 0;
	for (uint32_t i = 0; result == 0 && i < slices; i++)
		result = load_slice(bank, i, in);
	if (result == 0 && slices)
		result = bank->ops->load(bank->state, &bank->spec, bank->capacity, slices, in);
	if (result == 0 && slices && bank->periodic)
		result = period_load(&bank->period, slices, in);
	if (result == 0 && slices)
		result = occasion_load(bank, in);
	return result;
}

static int load(struct bank *bank, struct bytes_reader *in)
{
	uint32_t magic = bytes_get_u32(in);
	uint64_t spec = bytes_get_u64(in);
	uint32_t slices = bytes_get_u32(in);

	bytes_get_text(in, bank->source, sizeof(bank->source));
	bytes_get_text(in, bank->metric, sizeof(bank->metric));
	int64_t interval_ms = (int64_t)bytes_get_u64(in);
	bank->seen = bytes_get_u64(in);
	bank->running = bytes_get_u32(in) != 0;
	bank->run = (int64_t)bytes_get_u64(in);
	const void *calibration = bytes_get(in, sizeof(bank->calibration));
	if (in->failed || magic != BANK_MAGIC || spec != spec_hash(&bank->spec))
		return -EPROTO;
	/* One that has not seen an interval yet knows of none. */
	bool known = interval_ms >= INTERVAL_MIN_MS && interval_ms <= INTERVAL_MAX_MS;
	if (!known && (interval_ms != 0 || slices > 0))
		return -EPROTO;
	if (known)
		bank_interval(bank, interval_ms);
	if (known && !is_step(bank, bank->run))
		return -EPROTO;
	memcpy(&bank->calibration, calibration, sizeof(bank->calibration));
	if (!calibration_possible(&bank->calibration))
		return -EPROTO;
	int result = load_slices(bank, slices, in);
	return result ? result : resolutions_load(bank, in);
}

int bank_load(struct bank *bank, struct bytes_reader *in)
{
	resolutions_free(bank);
	free_slices(bank);
	int result = load(bank, in);
	if (result < 0) {
		/* Nothing of what was refused stays. */
		resolutions_free(bank);
		free_slices(bank);
		bank->seen = 0;
		bank->running = false;
		bank->run = 0;
	}
	return result;
}
