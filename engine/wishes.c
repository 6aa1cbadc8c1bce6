/*
 * wishes: see wishes.h.
 */
#include "wishes.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* "p50", "p99.9"; no other aggregation begins so. */
static bool is_percentile(const char *aggregation)
{
	return aggregation && aggregation[0] == 'p' && isdigit((unsigned char)aggregation[1]);
}

int wishes_apply(struct series_registry *registry, const struct config *config)
{
	struct series_wish *wishes = calloc(config->metrics_count + 1, sizeof(*wishes));
	uint32_t count = 0;

	if (!wishes)
		return -ENOMEM;
	for (unsigned i = 0; i < config->metrics_count; i++) {
		const struct config_metric *metric = &config->metrics[i];
		struct series_wish *wish = &wishes[count];
		if (!metric->event || !is_percentile(metric->agg))
			continue;
		snprintf(wish->event, sizeof(wish->event), "%s", metric->event);
		snprintf(wish->field, sizeof(wish->field), "%s",
			 metric->field ? metric->field : "");
		count++;
	}
	int error = series_want(registry, wishes, count);
	free(wishes);
	return error;
}
