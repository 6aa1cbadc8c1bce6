/*
 * late: see late.h.
 */
#include "interval/late.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define INDEX_MAX (WEIR_LATE_CELLS_MAX * 2u) /* at most half full */
#define INDEX_MIN 256u
#define CELLS_BYTES (WEIR_LATE_CELLS_MAX * sizeof(struct late_cell))
#define MEMORY_BYTES (CELLS_BYTES + INDEX_MAX * sizeof(uint32_t))

_Static_assert(sizeof(struct late_cell) == 56, "no padding: checkpoints take it as it is");

int late_init(struct late *late)
{
	void *memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return -ENOMEM;
	*late = (struct late){
		.cells = memory,
		.index = (uint32_t *)((char *)memory + CELLS_BYTES),
		.index_mask = INDEX_MIN - 1,
	};
	return 0;
}

void late_fini(struct late *late)
{
	if (late->cells)
		munmap(late->cells, MEMORY_BYTES);
	sketch_list_fini(&late->sketches);
	*late = (struct late){0};
}

/* The place of a cell in the index, or the free one where it would go. The seed is where the system
 * has put the memory: a producer that chooses times and series cannot aim for one place. */
static uint32_t *find(const struct late *late, int64_t interval, uint32_t series)
{
	uint64_t seed = (uintptr_t)late->cells;
	unsigned __int128 product = (unsigned __int128)((uint64_t)interval ^ seed) *
				    (UINT64_C(0xa0761d6478bd642f) ^ (uint64_t)series << 20);
	uint64_t at = (uint64_t)product ^ (uint64_t)(product >> 64);

	/* Ends: the index is at most half full. */
	for (at ^= at >> 32;; at++) {
		uint32_t *place = &late->index[at & late->index_mask];
		if (!*place)
			return place;
		const struct late_cell *cell = &late->cells[*place - 1];
		if (cell->interval == interval && cell->cell.series == series)
			return place;
	}
}

static void grow_index(struct late *late)
{
	late->index_mask = late->index_mask * 2 + 1;
	memset(late->index, 0, (late->index_mask + 1) * sizeof(*late->index));
	for (uint32_t i = 0; i < late->count; i++)
		*find(late, late->cells[i].interval, late->cells[i].cell.series) = i + 1;
}

static void begin(struct late *late, struct sketch_pool *pool, int64_t interval, uint32_t series,
		  double value, enum sketch_kind kind, uint64_t *unsketched)
{
	if ((late->count + 1) * 2 > late->index_mask + 1)
		grow_index(late);
	struct late_cell *cell = &late->cells[late->count];
	*cell = (struct late_cell){
		.interval = interval,
		.cell = {.series = series,
			 .count = 1,
			 .sum = value,
			 .sum_squares = value * value,
			 .min = value,
			 .max = value},
	};
	*find(late, interval, series) = ++late->count;
	if (!kind)
		return;
	cell->cell.sketch = pool_open(pool, &late->sketches, kind, WEIR_LATE_SKETCHES_MAX);
	if (cell->cell.sketch)
		set_add(&late->sketches, cell->cell.sketch, value);
	else
		++*unsketched;
}

bool late_add(struct late *late, struct sketch_pool *pool, int64_t interval, uint32_t series,
	      double value, enum sketch_kind kind, uint64_t *unsketched)
{
	uint32_t place = *find(late, interval, series);

	if (!place) {
		if (late->count == WEIR_LATE_CELLS_MAX)
			return false;
		begin(late, pool, interval, series, value, kind, unsketched);
		return true;
	}
	struct partial_cell *cell = &late->cells[place - 1].cell;
	cell->count++;
	cell->sum += value;
	cell->sum_squares += value * value;
	cell->min = value < cell->min ? value : cell->min;
	cell->max = value > cell->max ? value : cell->max;
	if (cell->sketch)
		set_add(&late->sketches, cell->sketch, value);
	return true;
}

static int compare(const void *left, const void *right)
{
	const struct late_cell *a = left, *b = right;

	if (a->interval != b->interval)
		return a->interval < b->interval ? -1 : 1;
	return (a->cell.series > b->cell.series) - (a->cell.series < b->cell.series);
}

void late_drain(struct late *late, struct sketch_pool *pool, struct late_cell *cells,
		struct bytes *sketches)
{
	if (cells) {
		memcpy(cells, late->cells, late->count * sizeof(*cells));
		qsort(cells, late->count, sizeof(*cells), compare);
		for (uint32_t i = 0; i < late->count; i++)
			cells[i].cell.sketch = set_save(&late->sketches, cells[i].cell.sketch,
							sketches);
	}
	pool_close(pool, &late->sketches);
	memset(late->index, 0, (late->index_mask + 1) * sizeof(*late->index));
	late->index_mask = INDEX_MIN - 1;
	late->count = 0;
}
