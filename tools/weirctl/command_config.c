/*
 * config: is a configuration right? Says what is wrong with it, where, and what to do.
 */
#include <getopt.h>
#include <stdbool.h>
#include <string.h>

#include "command.h"
#include "config.h"
#include "options.h"
#include "text.h"

#define WHY_BYTES 1024

enum { OPTION_JSON = OPTIONS_LONG };

static const struct option_row rows[] = {
	{OPTION_JSON, "json", NULL, "one JSON object"},
};

static const struct options options = {
	.program = "weirctl config",
	.usage = "check [options] FILE",
	.about = "Is this configuration right? Exit code 1 if not.",
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
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

int command_config(int argc, char **argv)
{
	bool json = false;
	const char *argument;
	int id;
	while ((id = options_next(&options, argc, argv, &argument)) > 0) {
		if (id == OPTIONS_HELP)
			return TOOL_OK;
		json = true;
	}
	if (id < 0)
		return TOOL_USAGE;
	if (optind + 2 != argc || strcmp(argv[optind], "check") != 0)
		return options_wrong(&options, "what to do is `check FILE`");
	return check_file(argv[optind + 1], json);
}
