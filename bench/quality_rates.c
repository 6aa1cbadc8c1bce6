/*
 * quality_rates: see quality_rates.h.
 */
#include "quality_rates.h"

#include <errno.h>
#include <stdlib.h>

int quality_rates(const char *text, uint32_t most, double *ret_rates, uint32_t *ret_count)
{
	uint32_t count = 0;

	for (;;) {
		char *end;
		double rate = strtod(text, &end);
		if (end == text || !(rate >= 0.01 && rate <= 1e5) || count == most)
			return -EINVAL;
		ret_rates[count++] = rate;
		if (*end == '\0')
			break;
		if (*end != ',')
			return -EINVAL;
		text = end + 1;
	}
	*ret_count = count;
	return 0;
}
