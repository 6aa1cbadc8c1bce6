/*
 * table: a producer's series table, read as it grows; fills the map that lanes look up.
 *
 * Runs on:  the intake agent. Private to intake.
 */
#ifndef INTAKE_TABLE_H
#define INTAKE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "intake/drain.h"
#include "intake/series.h"

struct table {
	const struct weir_region_header *header; /* shared: the two cursors */
	const uint8_t *records;                  /* shared */
	uint64_t records_bytes;                  /* checked at attach */
	uint64_t offset;                         /* of the first record not read yet */
	uint32_t defined;                        /* records read: local ids 1 .. defined */
	uint32_t own_max;                        /* records that get a series of their own */
	bool broken;                             /* it lied; what is not mapped never will be */
	uint64_t refused;                        /* records that are no definition */
	const char *refused_why;                 /* the last of them, NULL: no room for it */
	struct series_map map;
};

/* 0, or -ENOMEM. */
int table_init(struct table *table, const void *region, uint64_t table_bytes, uint32_t series_max,
	       uint32_t own_max);
void table_fini(struct table *table);
/* Map up to `budget` new definitions. How many; -EPROTO once, when the table is found to lie. */
int table_step(struct table *table, struct series_registry *registry, uint32_t budget);

#endif
