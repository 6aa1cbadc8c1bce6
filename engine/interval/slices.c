/*
 * slices: finds and numbers the slices of one metric; see slices.h.
 *
 * Runs on: the shard that owns the metric.
 * Never:   changes or frees a slice once it has a number, but for slices_reset(). Where memory
 *          ends it stops the engine: without the slice the numbers of all later ones would differ
 *          from those of a replay.
 */
#include "interval/slices.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/fnv.h"

#define EMPTY UINT32_MAX
#define CAPACITY_MIN 16u

static uint64_t key_hash(const struct slices *slices, uint32_t rollup,
			 const struct slices_text *values)
{
	uint64_t hash = fnv(FNV_BEGIN, &rollup, sizeof(rollup));
	for (uint32_t i = 0; i < slices->by[rollup].dimensions; i++) {
		hash = fnv(hash, &values[i].count, sizeof(values[i].count));
		hash = fnv(hash, values[i].bytes, values[i].count);
	}
	/* The table is indexed by the low bits, which FNV mixes least. */
	return hash ^ hash >> 32;
}

static bool slice_equals(const struct slice *slice, uint32_t rollup,
			 const struct slices_text *values)
{
	if (slice->rollup != rollup + 1)
		return false;
	for (uint32_t i = 0; i < slice->dimensions; i++)
		if (strlen(slice->values[i]) != values[i].count ||
		    memcmp(slice->values[i], values[i].bytes, values[i].count))
			return false;
	return true;
}

/* The place of a key: of its slice, or the empty one where it would stand. */
static uint32_t *table_place(const struct slices *slices, uint32_t rollup,
			     const struct slices_text *values)
{
	uint32_t at = (uint32_t)key_hash(slices, rollup, values) & (slices->table_size - 1);
	while (slices->table[at] != EMPTY &&
	       !slice_equals(&slices->slice[slices->table[at]], rollup, values))
		at = (at + 1) & (slices->table_size - 1);
	return &slices->table[at];
}

static void slice_values(const struct slice *slice, struct slices_text *ret_values)
{
	for (uint32_t i = 0; i < slice->dimensions; i++) {
		ret_values[i].bytes = slice->values[i];
		ret_values[i].count = (uint32_t)strlen(slice->values[i]);
	}
}

static int grow(struct slices *slices)
{
	uint32_t capacity = slices->capacity ? slices->capacity * 2 : CAPACITY_MIN;
	struct slice *slice = realloc(slices->slice, capacity * sizeof(*slice));
	if (!slice)
		return -ENOMEM;
	slices->slice = slice;
	uint32_t *table = malloc(2 * sizeof(*table) * capacity);
	if (!table)
		return -ENOMEM;
	free(slices->table);
	slices->table = table;
	slices->table_size = 2 * capacity;
	slices->capacity = capacity;
	memset(table, 0xff, 2 * sizeof(*table) * capacity);
	for (uint32_t i = 1; i < slices->count; i++) {
		struct slices_text values[WEIR_DIMENSIONS_MAX];
		slice_values(&slices->slice[i], values);
		*table_place(slices, slices->slice[i].rollup - 1, values) = i;
	}
	return 0;
}

int slices_init(struct slices *slices, uint32_t rollups, uint32_t slices_max)
{
	check(rollups <= SLICES_ROLLUPS_MAX);
	*slices = (struct slices){.rollups = rollups};
	slices->ordinary_max = slices_max > rollups ? slices_max - rollups : 1;
	int r = grow(slices);
	if (r < 0)
		return r;
	slices->slice[0] = (struct slice){.label = ""};
	slices->count = 1;
	slices->ordinary = 1;
	return 0;
}

int slices_name(struct slices *slices, uint32_t rollup, const char *name)
{
	struct slices_rollup *by = &slices->by[rollup];
	check(rollup < slices->rollups && by->dimensions < WEIR_DIMENSIONS_MAX);
	by->names[by->dimensions] = strdup(name);
	if (!by->names[by->dimensions])
		return -ENOMEM;
	by->dimensions++;
	return 0;
}

void slices_reset(struct slices *slices)
{
	for (uint32_t i = 1; i < slices->count; i++)
		free((void *)slices->slice[i].values);
	for (uint32_t i = 0; i < slices->rollups; i++)
		slices->by[i].overflow = 0;
	slices->count = 1;
	slices->ordinary = 1;
	slices->slice[0].born = 0;
	memset(slices->table, 0xff, slices->table_size * sizeof(*slices->table));
}

void slices_fini(struct slices *slices)
{
	for (uint32_t i = 1; i < slices->count; i++)
		free((void *)slices->slice[i].values);
	for (uint32_t i = 0; i < slices->rollups; i++)
		for (uint32_t j = 0; j < slices->by[i].dimensions; j++)
			free(slices->by[i].names[j]);
	free(slices->slice);
	free(slices->table);
}

static char *put_escaped(char *at, const char *text)
{
	for (; *text; text++) {
		if (*text == ',' || *text == '=' || *text == '\\')
			*at++ = '\\';
		*at++ = *text;
	}
	return at;
}

/* Fill in values and label; they lie in one allocation: | values[] | "DE" "mobile" | label |. */
static void slice_texts(struct slice *slice, const struct slices_text *values)
{
	size_t bytes = slice->dimensions * sizeof(char *) + 1;
	for (uint32_t i = 0; i < slice->dimensions; i++)
		bytes += values[i].count + 1 + 2 * (strlen(slice->names[i]) + values[i].count) + 2;
	const char **pointers = malloc(bytes);
	check(pointers);
	char *at = (char *)(pointers + slice->dimensions);
	for (uint32_t i = 0; i < slice->dimensions; i++) {
		pointers[i] = at;
		memcpy(at, values[i].bytes, values[i].count);
		at += values[i].count;
		*at++ = '\0';
	}
	slice->values = pointers;
	slice->label = at;
	for (uint32_t i = 0; i < slice->dimensions; i++) {
		if (i > 0)
			*at++ = ',';
		at = put_escaped(at, slice->names[i]);
		*at++ = '=';
		at = put_escaped(at, slice->values[i]);
	}
	*at = '\0';
}

static bool is_overflow(const struct slices_text *values, uint32_t dimensions)
{
	for (uint32_t i = 0; i < dimensions; i++)
		if (values[i].count != strlen(SLICES_OVERFLOW) ||
		    memcmp(values[i].bytes, SLICES_OVERFLOW, values[i].count))
			return false;
	return true;
}

/* The next number for these values, which no slice has yet. */
static uint32_t slice_add(struct slices *slices, uint32_t rollup, const struct slices_text *values,
			  int64_t interval)
{
	struct slices_rollup *by = &slices->by[rollup];
	if (slices->count == slices->capacity)
		check(grow(slices) == 0);
	uint32_t number = slices->count;
	struct slice *slice = &slices->slice[number];
	*slice = (struct slice){
		.rollup = rollup + 1,
		.dimensions = by->dimensions,
		.names = (const char *const *)by->names,
		.born = interval,
	};
	slice_texts(slice, values);
	*table_place(slices, rollup, values) = number;
	slices->count++;
	if (is_overflow(values, by->dimensions))
		by->overflow = number;
	else
		slices->ordinary++;
	return number;
}

uint32_t slices_find(struct slices *slices, uint32_t rollup, const struct slices_text *values,
		     int64_t interval)
{
	struct slices_text overflow[WEIR_DIMENSIONS_MAX];
	const struct slices_rollup *by = &slices->by[rollup];
	check(rollup < slices->rollups && by->dimensions > 0);

	if (values) {
		uint32_t number = *table_place(slices, rollup, values);
		if (number != EMPTY)
			return number;
		if (slices->ordinary < slices->ordinary_max)
			return slice_add(slices, rollup, values, interval);
	}
	if (by->overflow)
		return by->overflow;
	for (uint32_t i = 0; i < by->dimensions; i++)
		overflow[i] = (struct slices_text){SLICES_OVERFLOW, strlen(SLICES_OVERFLOW)};
	return slice_add(slices, rollup, overflow, interval);
}

/* One escaped text up to `end` or the label's end, into `to`; what is behind it, or NULL. */
static const char *take_escaped(const char *at, char end, char **to, struct slices_text *ret_text)
{
	ret_text->bytes = *to;
	for (; *at && *at != end; at++) {
		if (*at == '\\' && *++at == '\0')
			return NULL;
		*(*to)++ = *at;
	}
	ret_text->count = (uint32_t)(*to - ret_text->bytes);
	*(*to)++ = '\0';
	return at;
}

static bool rollup_has(const struct slices_rollup *by, const struct slices_text *names,
		       uint32_t count)
{
	if (by->dimensions != count)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(by->names[i], names[i].bytes) != 0)
			return false;
	return true;
}

uint32_t slices_labelled(struct slices *slices, const char *label, int64_t interval)
{
	struct slices_text names[WEIR_DIMENSIONS_MAX], values[WEIR_DIMENSIONS_MAX];
	uint32_t count = 0, found = UINT32_MAX;

	if (!label[0])
		return 0;
	/* Each text loses a separator or more, and gains a NUL. */
	char *texts = malloc(strlen(label) + 2);
	check(texts);
	char *to = texts;
	const char *at = label;
	while (at && count < WEIR_DIMENSIONS_MAX) {
		at = take_escaped(at, '=', &to, &names[count]);
		at = at && *at ? take_escaped(at + 1, ',', &to, &values[count]) : NULL;
		count++;
		if (!at || !*at)
			break;
		at++;
	}
	for (uint32_t i = 0; at && !*at && i < slices->rollups && found == UINT32_MAX; i++)
		if (rollup_has(&slices->by[i], names, count))
			found = slices_find(slices, i, values, interval);
	free(texts);
	return found;
}

void slices_save(const struct slices *slices, struct bytes *out)
{
	bytes_put_u32(out, slices->rollups);
	for (uint32_t i = 0; i < slices->rollups; i++) {
		bytes_put_u32(out, slices->by[i].dimensions);
		for (uint32_t j = 0; j < slices->by[i].dimensions; j++)
			bytes_put_text(out, slices->by[i].names[j]);
	}
	bytes_put_u32(out, slices->count);
	for (uint32_t i = 1; i < slices->count; i++) {
		const struct slice *slice = &slices->slice[i];
		bytes_put_u32(out, slice->rollup);
		bytes_put_u64(out, (uint64_t)slice->born);
		for (uint32_t j = 0; j < slice->dimensions; j++)
			bytes_put_text(out, slice->values[j]);
	}
}

/* Are the roll-ups that were saved these here? */
static bool load_rollups(const struct slices *slices, struct bytes_reader *in)
{
	char name[WEIR_NAME_BYTES_MAX + 1];
	if (bytes_get_u32(in) != slices->rollups)
		return false;
	for (uint32_t i = 0; i < slices->rollups; i++) {
		if (bytes_get_u32(in) != slices->by[i].dimensions)
			return false;
		for (uint32_t j = 0; j < slices->by[i].dimensions; j++) {
			bytes_get_text(in, name, sizeof(name));
			if (in->failed || strcmp(name, slices->by[i].names[j]))
				return false;
		}
	}
	return true;
}

static bool load_slice(struct slices *slices, struct bytes_reader *in)
{
	char texts[WEIR_DIMENSIONS_MAX][WEIR_LABEL_BYTES_MAX + 1];
	struct slices_text values[WEIR_DIMENSIONS_MAX];
	uint32_t rollup = bytes_get_u32(in) - 1;
	int64_t born = (int64_t)bytes_get_u64(in);
	if (in->failed || rollup >= slices->rollups)
		return false;
	for (uint32_t i = 0; i < slices->by[rollup].dimensions; i++) {
		bytes_get_text(in, texts[i], sizeof(texts[i]));
		values[i] = (struct slices_text){texts[i], (uint32_t)strlen(texts[i])};
	}
	if (in->failed || *table_place(slices, rollup, values) != EMPTY)
		return false;
	/* Also over a bound that has been lowered since: a number is for ever. */
	slice_add(slices, rollup, values, born);
	return true;
}

int slices_load(struct slices *slices, struct bytes_reader *in)
{
	slices_reset(slices);
	if (!load_rollups(slices, in))
		return -EPROTO;
	uint32_t count = bytes_get_u32(in);
	bool good = !in->failed && count > 0;
	for (uint32_t i = 1; good && i < count; i++)
		good = load_slice(slices, in);
	if (!good) {
		slices_reset(slices);
		return -EPROTO;
	}
	return 0;
}
