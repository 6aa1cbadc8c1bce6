/*
 * sketch: distinct values and quantiles, in bounded memory; see sketch.h.
 *
 * Distinct: a hash (mixed again, since a producer may have sent a counter) names a register by its
 *        first SKETCH_DISTINCT_BITS bits; a register holds the greatest rank, the place of the
 *        first one among the other bits, that it was shown. Up to LIST_MAX registers in use are a
 *        sorted list of index << 6 | rank, more are an array of bytes.
 *
 * Quantile: buckets are numbered so that they ascend with the value, 64 to a page:
 *
 *        -8192 ........... -1 | 0 | 64 .......................... 8255
 *        -2^64 ..... -2^-64   zero  2^-64 ................... 2^64
 *         page -128 .. -1     page 0   page 1 .. 128, one for each power of two
 *
 *        A page of counts is made when its first value comes; `places` says where it lies.
 *
 * Runs on: lanes and shards, each with sketches of their own.
 * Never:   depends on the order of what is added, so that merging is exact and bytes are canonical.
 */
#include "interval/sketch.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "weir/event.h"

#define REGISTERS (1u << SKETCH_DISTINCT_BITS)
#define RANK_MAX (64 - SKETCH_DISTINCT_BITS + 1)
/* A list of more than this is not much smaller than the registers themselves. */
#define LIST_MAX 256u
#define DENSE_BYTES (REGISTERS / 4 * 3) /* saved: six bits each */

#define PAGE_BUCKETS 64
#define PAGE_MAX 128 /* of one sign */
#define PAGES_MAX (2 * PAGE_MAX + 1)
#define BUCKETS_MAX (PAGES_MAX * PAGE_BUCKETS)
#define BUCKET_MIN (-PAGE_MAX * PAGE_BUCKETS)
#define EXPONENT_MIN (-64) /* of the smallest value that is not zero */
#define EXPONENT_BIAS 1023

struct page {
	uint64_t counts[PAGE_BUCKETS];
};

struct sketch {
	enum sketch_kind kind;
	/* distinct */
	uint32_t list_count, list_capacity;
	uint32_t *list;
	uint8_t *registers; /* NULL until first needed */
	bool dense;         /* registers hold it, not the list */
	/* quantile */
	uint32_t pages_count, pages_capacity;
	uint64_t count;
	double least, greatest; /* of count > 0 */
	struct page *pages;
	uint16_t places[PAGES_MAX]; /* of page number + PAGE_MAX: 1 + index into pages; 0: none */
	uint16_t first, end;        /* of the places in use; what is outside is 0 */
};

_Static_assert(SKETCH_DISTINCT_BITS == 12, "four registers of six bits are three bytes");

#define PAGES_BYTES_MAX (PAGES_MAX * sizeof(struct page))
_Static_assert(PAGES_BYTES_MAX + sizeof(struct sketch) <= SKETCH_BYTES_MAX,
	       "no sketch is greater than it says");

struct sketch *sketch_create(enum sketch_kind kind)
{
	check(kind == SKETCH_DISTINCT || kind == SKETCH_QUANTILE);
	struct sketch *sketch = calloc(1, sizeof(*sketch));
	if (sketch)
		sketch->kind = kind;
	return sketch;
}

void sketch_destroy(struct sketch *sketch)
{
	if (!sketch)
		return;
	free(sketch->list);
	free(sketch->registers);
	free(sketch->pages);
	free(sketch);
}

enum sketch_kind sketch_kind(const struct sketch *sketch)
{
	return sketch->kind;
}

uint64_t sketch_bytes(const struct sketch *sketch)
{
	return sizeof(*sketch) + sketch->list_capacity * sizeof(uint32_t) +
	       (sketch->registers ? REGISTERS : 0) + sketch->pages_capacity * sizeof(struct page);
}

void sketch_reset(struct sketch *sketch)
{
	if (sketch->dense)
		memset(sketch->registers, 0, REGISTERS);
	if (sketch->pages_count)
		memset(sketch->pages, 0, sketch->pages_count * sizeof(struct page));
	memset(&sketch->places[sketch->first], 0,
	       (uint32_t)(sketch->end - sketch->first) * sizeof(sketch->places[0]));
	sketch->dense = false;
	sketch->list_count = 0;
	sketch->pages_count = 0;
	sketch->count = 0;
	sketch->first = sketch->end = 0;
}

uint64_t sketch_count(const struct sketch *sketch)
{
	return sketch->count;
}

/* --- distinct ---------------------------------------------------------------------------------
 * The mixer is MurmurHash3's finalizer (Appleby): a bijection, so that no two hashes meet. */
static uint64_t mix(uint64_t hash)
{
	hash ^= hash >> 33;
	hash *= UINT64_C(0xff51afd7ed558ccd);
	hash ^= hash >> 33;
	hash *= UINT64_C(0xc4ceb9fe1a85ec53);
	return hash ^ hash >> 33;
}

/* The place of the first entry of the list that is at least `entry`. */
static uint32_t list_place(const struct sketch *sketch, uint32_t entry)
{
	uint32_t from = 0, to = sketch->list_count;
	while (from < to) {
		uint32_t middle = (from + to) / 2;
		if (sketch->list[middle] < entry)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* The list becomes registers. */
static int become_dense(struct sketch *sketch)
{
	if (!sketch->registers)
		sketch->registers = calloc(1, REGISTERS);
	if (!sketch->registers)
		return -ENOMEM;
	for (uint32_t i = 0; i < sketch->list_count; i++)
		sketch->registers[sketch->list[i] >> 6] = sketch->list[i] & 63;
	sketch->list_count = 0;
	sketch->dense = true;
	return 0;
}

static int list_grow(struct sketch *sketch)
{
	uint32_t capacity = sketch->list_capacity ? 2 * sketch->list_capacity : 8;
	uint32_t *list = realloc(sketch->list, capacity * sizeof(*list));
	if (!list)
		return -ENOMEM;
	sketch->list = list;
	sketch->list_capacity = capacity;
	return 0;
}

/* A register was shown a rank, 1 .. RANK_MAX. */
static int show(struct sketch *sketch, uint32_t index, uint32_t rank)
{
	if (!sketch->dense) {
		uint32_t place = list_place(sketch, index << 6);
		if (place < sketch->list_count && sketch->list[place] >> 6 == index) {
			if ((sketch->list[place] & 63) < rank)
				sketch->list[place] = index << 6 | rank;
			return 0;
		}
		if (sketch->list_count < LIST_MAX) {
			if (sketch->list_count == sketch->list_capacity && list_grow(sketch) < 0)
				return -ENOMEM;
			memmove(&sketch->list[place + 1], &sketch->list[place],
				(sketch->list_count - place) * sizeof(*sketch->list));
			sketch->list[place] = index << 6 | rank;
			sketch->list_count++;
			return 0;
		}
		if (become_dense(sketch) < 0)
			return -ENOMEM;
	}
	if (sketch->registers[index] < rank)
		sketch->registers[index] = (uint8_t)rank;
	return 0;
}

static int distinct_add(struct sketch *sketch, double value)
{
	uint64_t hash = mix(weir_value_bits(value));
	uint64_t rest = hash << SKETCH_DISTINCT_BITS;
	uint32_t rank = rest ? (uint32_t)__builtin_clzll(rest) + 1 : RANK_MAX;
	return show(sketch, (uint32_t)(hash >> (64 - SKETCH_DISTINCT_BITS)), rank);
}

static int distinct_merge(struct sketch *into, const struct sketch *from)
{
	if (from->dense && !into->dense && become_dense(into) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; from->dense && i < REGISTERS; i++)
		if (into->registers[i] < from->registers[i])
			into->registers[i] = from->registers[i];
	/* Nothing is undone when memory ends on the way: a register shown twice is as shown once,
	 * so the caller may merge again. */
	for (uint32_t i = 0; !from->dense && i < from->list_count; i++)
		if (show(into, from->list[i] >> 6, from->list[i] & 63) < 0)
			return -ENOMEM;
	return 0;
}

/* The two series of Ertl's improved estimator: "New cardinality estimation algorithms for
 * HyperLogLog sketches", 2017, algorithm 6. Both converge within some 60 steps. */
static double sigma(double x)
{
	double y = 1, z = x, before;
	if (x >= 1)
		return INFINITY;
	do {
		x *= x;
		before = z;
		z += x * y;
		y += y;
	} while (z != before);
	return z;
}

static double tau(double x)
{
	double y = 1, z = 1 - x, before;
	if (x <= 0 || x >= 1)
		return 0;
	do {
		x = sqrt(x);
		before = z;
		y *= 0.5;
		z -= (1 - x) * (1 - x) * y;
	} while (z != before);
	return z / 3;
}

double sketch_distinct(const struct sketch *sketch)
{
	const double alpha = 0.72134752044448170368; /* 1 / (2 ln 2) */
	uint32_t histogram[RANK_MAX + 1] = {0};
	for (uint32_t i = 0; sketch->dense && i < REGISTERS; i++)
		histogram[sketch->registers[i]]++;
	for (uint32_t i = 0; !sketch->dense && i < sketch->list_count; i++)
		histogram[sketch->list[i] & 63]++;
	if (!sketch->dense)
		histogram[0] = REGISTERS - sketch->list_count;
	if (histogram[0] == REGISTERS)
		return 0;
	double z = REGISTERS * tau(1 - histogram[RANK_MAX] / (double)REGISTERS);
	for (uint32_t k = RANK_MAX - 1; k >= 1; k--)
		z = 0.5 * (z + histogram[k]);
	z += REGISTERS * sigma(histogram[0] / (double)REGISTERS);
	return alpha * REGISTERS * (REGISTERS / z);
}

/* --- quantile --------------------------------------------------------------------------------- */

/* The bucket of a value: see the picture above. */
static int32_t bucket_of(double value)
{
	uint64_t bits = weir_value_bits(value);
	int32_t exponent = (int32_t)(bits >> 52 & 0x7ff) - EXPONENT_BIAS - EXPONENT_MIN;
	int32_t part = (int32_t)(bits >> 46 & (PAGE_BUCKETS - 1));
	if (exponent < 0)
		return 0;
	if (exponent >= PAGE_MAX) {
		exponent = PAGE_MAX - 1;
		part = PAGE_BUCKETS - 1;
	}
	int32_t bucket = (1 + exponent) * PAGE_BUCKETS + part;
	return bits >> 63 ? PAGE_BUCKETS - 1 - bucket : bucket;
}

/* The middle of a bucket. */
static double bucket_value(int32_t bucket)
{
	if (bucket == 0)
		return 0;
	uint32_t place = (uint32_t)(bucket < 0 ? PAGE_BUCKETS - 1 - bucket : bucket) - PAGE_BUCKETS;
	uint64_t bits = (uint64_t)(place / PAGE_BUCKETS + EXPONENT_BIAS + EXPONENT_MIN) << 52 |
			(uint64_t)(place % PAGE_BUCKETS) << 46 | UINT64_C(1) << 45;
	double value = weir_bits_value(bits);
	return bucket < 0 ? -value : value;
}

static int32_t floor_page(int32_t bucket)
{
	return (bucket - (bucket < 0 ? PAGE_BUCKETS - 1 : 0)) / PAGE_BUCKETS;
}

/* Room for so many pages more, all zero. */
static int pages_reserve(struct sketch *sketch, uint32_t more)
{
	uint32_t had = sketch->pages_capacity, capacity = had ? had : 2;
	if (sketch->pages_count + more <= had)
		return 0;
	while (capacity < sketch->pages_count + more)
		capacity *= 2;
	capacity = capacity < PAGES_MAX ? capacity : PAGES_MAX;
	struct page *pages = realloc(sketch->pages, capacity * sizeof(*pages));
	if (!pages)
		return -ENOMEM;
	sketch->pages = pages;
	memset(&pages[had], 0, (capacity - had) * sizeof(*pages));
	sketch->pages_capacity = capacity;
	return 0;
}

/* Memory for it there must be: pages_reserve(). */
static void page_make(struct sketch *sketch, uint32_t place)
{
	bool none = sketch->first == sketch->end;
	sketch->places[place] = (uint16_t)++sketch->pages_count;
	sketch->first = (uint16_t)(none || place < sketch->first ? place : sketch->first);
	sketch->end = (uint16_t)(none || place >= sketch->end ? place + 1 : sketch->end);
}

/* The counts of a page, made if it is new; NULL: no memory. */
static inline uint64_t *page_of(struct sketch *sketch, int32_t number)
{
	uint32_t place = (uint32_t)(number + PAGE_MAX);
	if (__builtin_expect(!sketch->places[place], 0)) {
		if (pages_reserve(sketch, 1) < 0)
			return NULL;
		page_make(sketch, place);
	}
	return sketch->pages[sketch->places[place] - 1].counts;
}

static void stretch(struct sketch *sketch, double least, double greatest)
{
	bool first = sketch->count == 0;
	sketch->least = first || least < sketch->least ? least : sketch->least;
	sketch->greatest = first || greatest > sketch->greatest ? greatest : sketch->greatest;
}

static int quantile_add(struct sketch *sketch, double value)
{
	int32_t bucket = bucket_of(value), number = floor_page(bucket);
	uint64_t *counts = page_of(sketch, number);
	if (!counts)
		return -ENOMEM;
	value += 0.0; /* of the two zeros the positive one */
	stretch(sketch, value, value);
	counts[bucket - number * PAGE_BUCKETS]++;
	sketch->count++;
	return 0;
}

static int quantile_merge(struct sketch *into, const struct sketch *from)
{
	/* All memory first, so that a failure leaves `into` as it was. */
	uint32_t more = 0;
	for (uint32_t i = from->first; i < from->end; i++)
		more += from->places[i] && !into->places[i];
	if (pages_reserve(into, more) < 0)
		return -ENOMEM;
	for (uint32_t i = from->first; i < from->end; i++) {
		if (!from->places[i])
			continue;
		if (!into->places[i])
			page_make(into, i);
		const uint64_t *counts = from->pages[from->places[i] - 1].counts;
		uint64_t *to = into->pages[into->places[i] - 1].counts;
		for (uint32_t j = 0; j < PAGE_BUCKETS; j++)
			to[j] += counts[j];
	}
	if (from->count)
		stretch(into, from->least, from->greatest);
	into->count += from->count;
	return 0;
}

/* The middle of the bucket, but no less than the least value and no more than the greatest: of
 * equal values that is the value. */
static double bucket_answer(const struct sketch *sketch, int32_t bucket)
{
	double value = bucket_value(bucket);
	return value < sketch->least      ? sketch->least
	       : value > sketch->greatest ? sketch->greatest
					  : value;
}

double sketch_quantile(const struct sketch *sketch, double q)
{
	if (sketch->count == 0)
		return NAN;
	double rank = ceil(q * (double)sketch->count), seen = 0;
	if (rank <= 1)
		return sketch->least;
	for (int32_t i = sketch->first; i < sketch->end; i++) {
		if (!sketch->places[i])
			continue;
		const uint64_t *counts = sketch->pages[sketch->places[i] - 1].counts;
		for (int32_t j = 0; j < PAGE_BUCKETS; j++) {
			seen += (double)counts[j];
			if (counts[j] && seen >= rank && rank < (double)sketch->count)
				return bucket_answer(sketch, (i - PAGE_MAX) * PAGE_BUCKETS + j);
		}
	}
	return sketch->greatest;
}

/* --- both ------------------------------------------------------------------------------------- */

int sketch_add(struct sketch *sketch, double value)
{
	if (sketch->kind == SKETCH_DISTINCT)
		return distinct_add(sketch, value);
	return quantile_add(sketch, value);
}

int sketch_merge(struct sketch *into, const struct sketch *from)
{
	check(into->kind == from->kind);
	if (into->kind == SKETCH_DISTINCT)
		return distinct_merge(into, from);
	return quantile_merge(into, from);
}

static void put_varint(struct bytes *out, uint64_t value)
{
	uint8_t text[10];
	uint32_t used = 0;
	do {
		text[used++] = (uint8_t)((value & 127) | (value > 127 ? 128 : 0));
		value >>= 7;
	} while (value);
	bytes_put(out, text, used);
}

/* Only the shortest form is one: equal content, equal bytes. */
static uint64_t get_varint(struct bytes_reader *in)
{
	uint64_t value = 0;
	for (uint32_t shift = 0; shift < 64; shift += 7) {
		const uint8_t *byte = bytes_get(in, 1);
		if (!byte)
			return 0;
		value |= (uint64_t)(*byte & 127) << shift;
		if (*byte < 128) {
			in->failed |= (*byte == 0 && shift) || (shift == 63 && *byte > 1);
			return value;
		}
	}
	in->failed = true;
	return 0;
}

static void save_registers(const struct sketch *sketch, struct bytes *out)
{
	uint8_t packed[DENSE_BYTES];
	for (uint32_t i = 0; i < REGISTERS / 4; i++) {
		const uint8_t *r = &sketch->registers[4 * i];
		uint32_t four = r[0] | (uint32_t)r[1] << 6 | (uint32_t)r[2] << 12 |
				(uint32_t)r[3] << 18;
		packed[3 * i] = (uint8_t)four;
		packed[3 * i + 1] = (uint8_t)(four >> 8);
		packed[3 * i + 2] = (uint8_t)(four >> 16);
	}
	bytes_put(out, packed, sizeof(packed));
}

static void save_buckets(const struct sketch *sketch, struct bytes *out)
{
	int32_t before = BUCKET_MIN - 1;
	if (sketch->count == 0)
		return;
	bytes_put_f64(out, sketch->least);
	bytes_put_f64(out, sketch->greatest);
	for (int32_t i = sketch->first; i < sketch->end; i++) {
		if (!sketch->places[i])
			continue;
		const uint64_t *counts = sketch->pages[sketch->places[i] - 1].counts;
		for (int32_t j = 0; j < PAGE_BUCKETS; j++) {
			if (!counts[j])
				continue;
			int32_t bucket = (i - PAGE_MAX) * PAGE_BUCKETS + j;
			put_varint(out, (uint64_t)(bucket - before - 1));
			put_varint(out, counts[j]);
			before = bucket;
		}
	}
}

void sketch_save(const struct sketch *sketch, struct bytes *out)
{
	static const uint8_t zeros[8];
	bytes_put_u32(out, sketch->kind);
	size_t at = out->used;
	bytes_put_u32(out, 0);
	size_t from = out->used;
	if (sketch->kind == SKETCH_QUANTILE)
		save_buckets(sketch, out);
	else if (sketch->dense)
		save_registers(sketch, out);
	else if (sketch->list_count)
		bytes_put(out, sketch->list, sketch->list_count * sizeof(uint32_t));
	uint32_t used = (uint32_t)(out->used - from);
	bytes_put(out, zeros, -used & 7);
	if (!out->failed)
		memcpy(out->data + at, &used, sizeof(used));
}

/* Registers as saved. Twice: at first only looked at, so that nothing bad is merged by halves. */
static int merge_registers(struct sketch *into, const uint8_t *data, uint32_t bytes, bool look)
{
	uint32_t before = 0;
	if (bytes == DENSE_BYTES) {
		for (uint32_t i = 0; i < REGISTERS; i++) {
			const uint8_t *at = &data[i / 4 * 3];
			uint32_t four = at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
			uint32_t rank = four >> i % 4 * 6 & 63;
			if (rank > RANK_MAX)
				return -EPROTO;
			if (!look && rank && show(into, i, rank) < 0)
				return -ENOMEM;
		}
		return 0;
	}
	if (bytes % 4 || bytes / 4 > LIST_MAX)
		return -EPROTO;
	for (uint32_t i = 0; i < bytes / 4; i++) {
		uint32_t entry;
		memcpy(&entry, &data[4 * i], sizeof(entry));
		if (entry >> 6 >= REGISTERS || (i && entry >> 6 <= before >> 6) ||
		    (entry & 63) == 0 || (entry & 63) > RANK_MAX)
			return -EPROTO;
		if (!look && show(into, entry >> 6, entry & 63) < 0)
			return -ENOMEM;
		before = entry;
	}
	return 0;
}

/* The next bucket as saved. 1; 0: there is none left; -EPROTO. */
static int next_bucket(struct bytes_reader *in, int32_t *bucket, uint64_t *ret_count)
{
	if (!in->left)
		return 0;
	uint64_t skip = get_varint(in);
	*ret_count = get_varint(in);
	if (in->failed || skip >= BUCKETS_MAX || *ret_count == 0)
		return -EPROTO;
	*bucket += (int32_t)skip + 1;
	bool between = *bucket > 0 && *bucket < PAGE_BUCKETS;
	return *bucket >= BUCKET_MIN + BUCKETS_MAX || between ? -EPROTO : 1;
}

/* Buckets as saved: looked at, then their pages are made, then they are added. */
static int merge_buckets(struct sketch *into, const uint8_t *data, uint32_t bytes)
{
	struct bytes_reader in = {.data = data, .left = bytes};
	if (bytes == 0)
		return 0;
	double least = bytes_get_f64(&in), greatest = bytes_get_f64(&in);
	const struct bytes_reader buckets = in;
	if (in.failed || !isfinite(least) || !isfinite(greatest) || least > greatest)
		return -EPROTO;
	for (int pass = 0; pass < 3; pass++) {
		int32_t bucket = BUCKET_MIN - 1, first = bucket;
		uint64_t count;
		int r;
		if (pass == 2)
			stretch(into, least + 0.0, greatest + 0.0);
		in = buckets;
		while ((r = next_bucket(&in, &bucket, &count)) > 0) {
			int32_t number = floor_page(bucket);
			first = first < BUCKET_MIN ? bucket : first;
			if (pass == 1 && !page_of(into, number))
				return -ENOMEM;
			if (pass < 2)
				continue;
			page_of(into, number)[bucket - number * PAGE_BUCKETS] += count;
			into->count += count;
		}
		if (r < 0 || first != bucket_of(least) || bucket != bucket_of(greatest))
			return -EPROTO;
	}
	return 0;
}

int sketch_merge_saved(struct sketch *into, struct bytes_reader *in)
{
	uint32_t kind = bytes_get_u32(in), used = bytes_get_u32(in);
	const uint8_t *data = bytes_get(in, used);
	const uint8_t *pad = bytes_get(in, -used & 7);
	if (in->failed || kind != (uint32_t)into->kind)
		return -EPROTO;
	for (uint32_t i = 0; i < (-used & 7); i++)
		if (pad[i])
			return -EPROTO;
	if (into->kind == SKETCH_QUANTILE)
		return merge_buckets(into, data, used);
	int r = merge_registers(into, data, used, true);
	return r < 0 ? r : merge_registers(into, data, used, false);
}
