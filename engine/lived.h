/*
 * lived: what stands in the control log between the closes, and where: which configuration was in
 * force when, what operators said, which state was rebuilt.
 *
 * Idea:  a backtest that is to find what the live engine found meets these where it met them.
 *
 *   close close CONFIG close INPUT close ...   ──>   CONFIG behind interval 7 of source 0, ...
 *
 * Runs on: one thread; reads through an io, beside an engine or without one, writes nothing.
 */
#ifndef ENGINE_LIVED_H
#define ENGINE_LIVED_H

#include <stddef.h>
#include <stdint.h>

#include "log/io.h"
#include "weir/limits.h"
#include "weir/region.h"
#include "weir/segment.h"

struct lived_event {
	struct lived_event *next;
	enum weir_control_kind kind; /* CONFIG, INPUT, REBASE */
	uint32_t source;             /* REBASE: its number */
	uint64_t number;             /* INPUT: among all of them, from 1; of the whole log only */
	char *text;                  /* CONFIG, INPUT: NUL-terminated */
	size_t bytes;
	int64_t behind[WEIR_SOURCES_MAX]; /* the interval closed last, INT64_MIN: none */
};

struct lived {
	struct lived_event *first, **last; /* in order */
	uint32_t sources;
	char names[WEIR_SOURCES_MAX][WEIR_SOURCE_NAME_BYTES];
	int64_t closed[WEIR_SOURCES_MAX]; /* interval closed last; INT64_MIN: none */
	int64_t interval_ms;
	uint64_t inputs; /* how many there are */
};

/* The whole log; or only its end, with the configuration that is in force: from the newest
 * checkpoint on, whose places are not known. 0; -ENOENT: there is no log; another negative errno
 * with what is wrong in `why`. To be given to lived_fini() in any case. */
int lived_read(struct io *io, bool whole, struct lived *ret_lived, char *why, size_t why_bytes);
void lived_fini(struct lived *lived);
/* The last record of a CONFIG; NULL: there is none. */
const char *lived_config(const struct lived *lived);
/* The number of a source; UINT32_MAX: the log has no such. */
uint32_t lived_source(const struct lived *lived, const char *name);

#endif
