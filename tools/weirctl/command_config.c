/*
 * config: is a configuration right? Which one is in force, and how does another differ?
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "changes.h"
#include "command.h"
#include "config_diff.h"
#include "options.h"
#include "text.h"

#define WHY_BYTES 1024

struct given {
	const char *socket;
	bool json;
};

static const struct option_row rows[] = {
	ROW_CONTROL(struct given),
	ROW_JSON(struct given, "one JSON object; of diff, one for each difference"),
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

/* What the engine has in force: {"path", "text", "reloaded"}; NULL: said. */
static json_t *ask_config(const struct given *given)
{
	char why[WHY_BYTES] = "";
	json_t *answer = ask(ask_socket(given->socket), json_pack("{ss}", "command", "config"), why,
			     sizeof(why));
	if (!answer)
		fprintf(stderr, "weirctl: %s\n", why);
	return answer;
}

static int show(const struct given *given)
{
	json_t *answer = ask_config(given);
	if (!answer)
		return TOOL_IO;
	const char *text = json_string_value(json_object_get(answer, "text"));
	if (given->json) {
		json_object_del(answer, "ok");
		json_object_del(answer, "record");
		json_dumpf(answer, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
	} else if (text) {
		fputs(text, stdout);
	}
	json_decref(answer);
	return TOOL_OK;
}

static void print_change(void *self, const char *key, const char *from, const char *to,
			 bool restart)
{
	const struct given *given = self;
	json_t *change = json_pack("{ss ss? ss? sb}", "key", key, "from", from, "to", to, "restart",
				   restart);
	if (given->json) {
		json_dumpf(change, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
	} else {
		change_print(change);
	}
	json_decref(change);
}

/* The engine's with the rules of time zones that it has, and the file's with those it would get;
 * both as if they lay where the engine's does: paths in them are relative to it. 0, or an exit code
 * when all is said. */
static int parse_both(const json_t *answer, const char *path, struct config **ret_from,
		      struct config **ret_to)
{
	char why[WHY_BYTES] = "";
	const char *record = json_string_value(json_object_get(answer, "record"));
	const char *name = json_string_value(json_object_get(answer, "path"));
	struct config *file;
	if (!record || config_restore(record, strlen(record), name ? name : path, ret_from, why,
				      sizeof(why)) < 0) {
		fprintf(stderr, "weirctl: the engine's configuration: %s\n", why);
		return TOOL_IO;
	}
	int error = config_load(path, &file, why, sizeof(why));
	if (!error) {
		error = config_parse(file->text, strlen(file->text), name ? name : path, ret_to,
				     why, sizeof(why));
		config_free(file);
	}
	if (error < 0) {
		fprintf(stderr, "weirctl: %s\n", why);
		config_free(*ret_from);
		return TOOL_NO;
	}
	return 0;
}

static int diff(struct given *given, const char *path)
{
	struct config *from, *to;
	json_t *answer = ask_config(given);
	if (!answer)
		return TOOL_IO;
	int code = parse_both(answer, path, &from, &to);
	json_decref(answer);
	if (code)
		return code;
	unsigned count = config_diff(from, to, print_change, given);
	config_free(from);
	config_free(to);
	return count ? TOOL_NO : TOOL_OK;
}

static int run(void *self, int count, char **operands)
{
	struct given *given = self;
	(void)count;
	if (strcmp(operands[0], "show") == 0)
		return show(given);
	if (strcmp(operands[0], "diff") == 0)
		return diff(given, operands[1]);
	return check_file(operands[1], given->json);
}

static const struct option_action actions[] = {
	{"check", "FILE", "is this configuration right? What is wrong is named with its place"},
	{"show", "", "the configuration that the engine has in force"},
	{"diff", "FILE", "what would change with this one, and what of it needs a restart"},
};

static const struct option_example examples[] = {
	{"weirctl config check /etc/weir/weir.yaml", "Before an engine is started on it"},
	{"weirctl config diff /etc/weir/weir.yaml", "Before weirctl reload"},
};

const struct command command_config = {
	.options = {.program = "weirctl config",
		    .operands = "",
		    .summary = "check a configuration; show the one in force, and what differs",
		    .description = "What a configuration says, and whether it is right.",
		    COMMAND_ROWS(rows),
		    COMMAND_ACTIONS(actions),
		    COMMAND_EXAMPLES(examples),
		    .exits = {[TOOL_NO] = "the configuration is wrong; of diff: something differs"},
		    .environment = "WEIR_CONTROL"},
	.bytes = sizeof(struct given),
	.run = run,
};
