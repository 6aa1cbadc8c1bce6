/*
 * stat: every number of the engine, in one table: name, unit, type, what it means.
 *
 * Idea:  a row says which snapshot the number lies in, and where. What asks walks the table:
 *        `weirctl stat`, `weirctl top`, Prometheus. A new number is a field of a snapshot and a
 * row. Names are those of Prometheus without its "weir_": base units, _total for what only grows.
 *
 * Runs on: the control agent and the metrics agent. Reads what other agents store relaxed.
 */
#ifndef ENGINE_STAT_H
#define ENGINE_STAT_H

#include <stddef.h>
#include <stdint.h>

#include "engine.h"

enum stat_type {
	STAT_GAUGE,   /* goes up and down */
	STAT_COUNTER, /* only grows; from the engine's start */
};

/* Where a number lies, and what it is told apart by (the label in brackets). */
enum stat_group {
	STAT_PROCESS,
	STAT_LANE, /* {lane} */
	STAT_INTAKE,
	STAT_SHARD,  /* {shard} */
	STAT_SOURCE, /* {source} */
	STAT_STORE,
	STAT_REDIS,
	STAT_AGENT, /* {agent} */
	STAT_GROUPS,
};

struct stat_row {
	const char *name;
	const char *unit; /* "events", "bytes", "seconds", ...; "1": a truth */
	enum stat_type type;
	const char *description; /* a sentence */
	enum stat_group group;
	size_t at;    /* of a 64-bit word in the group's snapshot, a signed number */
	double scale; /* a word of 1 means this much of the unit */
};

/* label: "lane"; of: "3". Both NULL where a group has one member only. */
typedef void stat_each(void *self, const struct stat_row *row, const char *label, const char *of,
		       double value);

/* The table itself: for tests and documentation. */
const struct stat_row *stat_rows(size_t *ret_count);
/* Bytes of a group's snapshot. */
size_t stat_group_bytes(enum stat_group group);

/* Every number, row by row. Negative errno: no memory. */
int stat_walk(struct engine *engine, stat_each *each, void *self);
/* {"stats":[{"name":...,"labels":{...},"value":...,"unit":...,"type":...,"description":...},...]};
 * a json_t (void * so that this header needs no jansson), NULL: no memory. */
void *stat_json(struct engine *engine);
/* Prometheus' text format, to be freed; NULL: no memory. */
char *stat_prometheus(struct engine *engine);
/* The shortest digits that read back to the value. */
#define STAT_NUMBER_BYTES 32
void stat_number(char text[STAT_NUMBER_BYTES], double value);

#endif
