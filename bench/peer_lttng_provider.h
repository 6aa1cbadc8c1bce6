/*
 * peer_lttng_provider: the event as LTTng-UST knows it. It has no time of its own: LTTng stamps
 * each. Read several times by LTTng's headers, so no plain include guard.
 */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER weir_bench
#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "./peer_lttng_provider.h"

#if !defined(BENCH_PEER_LTTNG_PROVIDER_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define BENCH_PEER_LTTNG_PROVIDER_H

#include <lttng/tracepoint.h>

/* clang-format off */
LTTNG_UST_TRACEPOINT_EVENT(
	weir_bench,
	event,
	LTTNG_UST_TP_ARGS(uint32_t, series, double, value),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(uint32_t, series, series)
		lttng_ust_field_float(double, value, value)
	)
)
/* clang-format on */

#endif

#include <lttng/tracepoint-event.h>
