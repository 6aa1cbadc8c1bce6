/*
 * event: one observation, 16 bytes, four to a cache line; the same in a ring and in the log.
 *
 *   63                    22 21        0   63                                 0
 *   +-----------------------+-----------+  +----------------------------------+
 *   |  unix time, ms (42)   | series(22)|  |  value, IEEE double              |
 *   +-----------------------+-----------+  +----------------------------------+
 *
 * In a ring the series id is the producer's own (from 1, in the order of definition); in the log
 * it is the engine's. Series 0 is never valid, so a zeroed slot is never an event. Little-endian.
 */
#ifndef WEIR_EVENT_H
#define WEIR_EVENT_H

#include <stdint.h>

#define WEIR_SERIES_BITS 22
#define WEIR_SERIES_MASK ((UINT64_C(1) << WEIR_SERIES_BITS) - 1)
#define WEIR_TIME_MS_MAX ((UINT64_C(1) << 42) - 1)

struct weir_event {
	uint64_t word;  /* time and series */
	uint64_t value; /* the bits of a double; an integer, so that copies never touch the FPU */
};

_Static_assert(sizeof(struct weir_event) == 16, "an event is 16 bytes");

static inline uint64_t weir_event_word(uint64_t time_ms, uint32_t series)
{
	return time_ms << WEIR_SERIES_BITS | series;
}

static inline uint64_t weir_event_time_ms(uint64_t word)
{
	return word >> WEIR_SERIES_BITS;
}

static inline uint32_t weir_event_series(uint64_t word)
{
	return (uint32_t)(word & WEIR_SERIES_MASK);
}

static inline double weir_bits_value(uint64_t bits)
{
	union {
		uint64_t bits;
		double value;
	} u = {.bits = bits};
	return u.value;
}

static inline uint64_t weir_value_bits(double value)
{
	union {
		double value;
		uint64_t bits;
	} u = {.value = value};
	return u.bits;
}

/* NaN and the infinities have all exponent bits set; they never enter weir. */
static inline int weir_bits_finite(uint64_t bits)
{
	return (bits & UINT64_C(0x7ff0000000000000)) != UINT64_C(0x7ff0000000000000);
}

#endif
