/*
 * since: where a span begins: "7d" counts back from its end, anything else is a time.
 */
#ifndef WEIRCTL_SINCE_H
#define WEIRCTL_SINCE_H

#include <stdint.h>

/* One of both is set, the other 0. 0 or -EINVAL. */
int since_parse(const char *text, int64_t *ret_from_ms, int64_t *ret_back_ms);

#define SINCE_WORDS                                                                                \
	"it is a time, as 2011-01-04T10:00, or so long before the end; " OPTIONS_DURATION_WORDS

#endif
