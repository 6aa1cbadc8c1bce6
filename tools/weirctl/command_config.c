/*
 * config: is a configuration right? Says what is wrong with it, where, and what to do.
 */
#include <stdbool.h>

#include "command.h"
#include "config.h"
#include "options.h"
#include "text.h"

#define WHY_BYTES 1024

struct given {
	bool json;
};

static const struct option_row rows[] = {
	ROW_JSON(struct given, "one JSON object"),
};

static int check_file(const char *path, bool json)
{
	char why[WHY_BYTES] = "";
	struct config *config;
	bool ok = config_load(path, &config, why, sizeof(why)) == 0;
	if (json) {
		printf("{\"ok\":%s,\"file\":", ok ? "true" : "false");
		text_json(stdout, path);
		if (ok) {
			printf(",\"metrics\":%u,\"detectors\":%u}\n", config->metrics_count,
			       config->detectors_count);
		} else {
			fputs(",\"error\":", stdout);
			text_json(stdout, why);
			puts("}");
		}
	} else if (ok) {
		printf("%s: ok, %u metrics, %u detectors\n", path, config->metrics_count,
		       config->detectors_count);
	} else {
		fprintf(stderr, "weirctl: %s\n", why);
	}
	if (ok)
		config_free(config);
	return ok ? TOOL_OK : TOOL_NO;
}

static int run(void *self, int count, char **operands)
{
	const struct given *given = self;
	(void)count;
	return check_file(operands[1], given->json);
}

static const struct option_action actions[] = {
	{"check", "FILE", "is this configuration right? What is wrong is named with its place"},
};

static const struct option_example examples[] = {
	{"weirctl config check /etc/weir/weir.yaml", "Before an engine is started on it"},
};

const struct command command_config = {
	.options = {.program = "weirctl config",
		    .operands = "",
		    .summary = "check a configuration",
		    .description = "What a configuration says, and whether it is right.",
		    COMMAND_ROWS(rows),
		    COMMAND_ACTIONS(actions),
		    COMMAND_EXAMPLES(examples),
		    .exits = {[TOOL_NO] = "the configuration is wrong"}},
	.bytes = sizeof(struct given),
	.run = run,
};
