/*
 * dropped: lanes that an earlier engine had and this one does not.
 *
 * Nobody writes their logs any more, so nobody's writer retains them. Once no kept checkpoint needs
 * them they go as others do: by age, and by what the lanes that there are leave of the bound in
 * bytes; the last segment too. Spares that wait there go at once.
 */
#ifndef ENGINE_DROPPED_H
#define ENGINE_DROPPED_H

#include <stdint.h>

#include "log/io.h"

struct dropped {
	struct io *io;
	uint32_t lanes;         /* of this engine: directories of higher numbers are meant */
	uint64_t started_s;     /* unix: all that they have is older */
};

/* Free what retention does not keep (0: no such bound) as of unix time now_s. The storing agent, or
 * who has the store to itself; blocks. Segments freed, or a negative errno. */
int dropped_retain(const struct dropped *dropped, uint64_t bytes_max, uint64_t age_s,
		   uint64_t now_s);

#endif
