/*
 * looking: see looking.h.
 */
#include "looking.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "console.h"
#include "in_force.h"
#include "watched.h"

json_t *looking_begin(struct console *console, struct looking *ret_looking, unsigned *status)
{
	char why[ENGINE_WHY_BYTES] = "";

	*ret_looking = (struct looking){.console = console};
	/* Whoever has just started has not heard yet where the data is. */
	char *path = engine_link_path(console->link, HISTORY_FILE, why);
	if (!path) {
		json_decref(engine_link_status(console->link, why));
		path = engine_link_path(console->link, HISTORY_FILE, why);
	}
	ret_looking->history = path;
	ret_looking->store = path ? engine_link_path(console->link, "weir.db", why) : NULL;
	if (!ret_looking->history || !ret_looking->store)
		return api_error(status, 503, "%s", why);
	ret_looking->config = in_force_take(console->in_force, ret_looking->why);
	return NULL;
}

void looking_end(struct looking *looking)
{
	in_force_give(looking->console->in_force, looking->config);
	free(looking->history);
	free(looking->store);
}

struct outlook_query looking_query(const struct looking *looking, const char *metric)
{
	return (struct outlook_query){
		.history_path = looking->history,
		.store_path = looking->store,
		.config = looking->config,
		.metric = metric,
		.to_ms = HISTORY_NEWEST,
	};
}

json_t *looking_failed(int error, const char *why, unsigned *status)
{
	unsigned code = error == -ENOENT                        ? 404
			: error == -EINVAL || error == -E2BIG ? 400
							      : 503;

	return api_error(status, code, "%s", why);
}

static const struct config_metric *find(const struct config *config, const char *metric)
{
	for (unsigned i = 0; config && i < config->metrics_count; i++)
		if (strcmp(config->metrics[i].name, metric) == 0)
			return &config->metrics[i];
	return NULL;
}

const char *looking_unit(const struct looking *looking, const char *metric)
{
	const struct config_metric *found = find(looking->config, metric);

	return found ? watched_unit(looking->config, found) : "";
}

json_t *looking_number(double value)
{
	if (!isfinite(value))
		return json_null();
	if (value == floor(value) && fabs(value) < 9e15)
		return json_integer((json_int_t)value);
	return json_real(value);
}

json_t *looking_rough(double value)
{
	char text[32];

	if (!isfinite(value))
		return json_null();
	snprintf(text, sizeof(text), "%.6g", value);
	return looking_number(strtod(text, NULL));
}
