/*
 * since: see since.h.
 */
#include "since.h"

#include <errno.h>
#include <string.h>

#include "options.h"
#include "text.h"

#define DAY_MS UINT64_C(86400000)

int since_parse(const char *text, int64_t *ret_from_ms, int64_t *ret_back_ms)
{
	size_t length = strlen(text);
	uint64_t back_ms;

	*ret_from_ms = *ret_back_ms = 0;
	if (!length || !strchr("smhd", text[length - 1]))
		return length ? text_parse_time(text, ret_from_ms) : -EINVAL;
	if (options_duration_ms(text, 1, 36600 * DAY_MS, &back_ms) < 0)
		return -EINVAL;
	*ret_back_ms = (int64_t)back_ms;
	return 0;
}
