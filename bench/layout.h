/*
 * layout: what an engine must have resident by the layout of its parts, to hold what is measured
 * against.
 */
#ifndef BENCH_LAYOUT_H
#define BENCH_LAYOUT_H

#include <stdint.h>

#include "ingest_run.h"

struct layout {
	uint64_t base;   /* before any producer came: programs, queues, buffers */
	uint64_t series; /* registry and cells */
	uint64_t ids;    /* of each producer's series: the engine's */
	uint64_t mapped; /* producers' rings and series tables */
};

void layout_of(const struct ingest_case *with, uint64_t base_bytes, struct layout *ret_layout);
uint64_t layout_bytes(const struct layout *layout);

#endif
