/*
 * doctor: is all as an engine needs it? What is wrong is said with the command that mends it.
 */
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "command.h"
#include "config.h"
#include "doctor.h"
#include "text.h"

#define WHY_BYTES 1024

struct given {
	const char *socket, *config;
	bool json;
};

static const struct option_row rows[] = {
	{.letter = 'c',
	 .name = "config",
	 .argument = "FILE",
	 .help = "the engine's configuration; default $WEIR_CONFIG, that of the engine "
		 "that runs, /etc/weir/weir.yaml",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, config)},
	{.name = "socket",
	 .argument = "PATH",
	 .help = "control socket; default is the configuration's",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct given, socket)},
	ROW_JSON(struct given, "one JSON object per line"),
};

void doctor_say(struct doctor *doctor, enum doctor_level level, const char *check, const char *mend,
		const char *format, ...)
{
	static const char *const people[] = {"ok", "note", "WRONG"};
	static const char *const names[] = {"ok", "note", "wrong"};
	char text[1024];
	va_list list;
	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	doctor->wrong += level == DOCTOR_WRONG;
	if (!doctor->json) {
		printf("%-6s %-9s %s\n", people[level], check, text);
		if (mend)
			printf("%16s-> %s\n", "", mend);
		return;
	}
	printf("{\"check\":\"%s\",\"level\":\"%s\",\"text\":", check, names[level]);
	text_json(stdout, text);
	fputs(",\"mend\":", stdout);
	if (mend)
		text_json(stdout, mend);
	else
		fputs("null", stdout);
	puts("}");
}

/* The file that a running engine was started on, as this process can open it; NULL: none answers,
 * or it was started without. */
static char *file_of_engine(const char *socket)
{
	char why[WHY_BYTES], path[PATH_MAX];
	json_t *status = ask(socket, json_pack("{ss}", "command", "status"), why, sizeof(why));
	json_t *config = ask(socket, json_pack("{ss}", "command", "config"), why, sizeof(why));
	const char *said = json_string_value(json_object_get(config, "path"));
	json_int_t pid = json_integer_value(
		json_object_get(json_object_get(status, "status"), "pid"));
	char *file = NULL;

	if (said && said[0] == '/')
		file = strdup(said);
	else if (said && snprintf(path, sizeof(path), "/proc/%lld/cwd/%s", (long long)pid, said) <
				 (int)sizeof(path))
		file = realpath(path, NULL);
	json_decref(config);
	json_decref(status);
	return file;
}

static int run(void *self, int count, char **operands)
{
	/* The configuration first, then the engine: what follows asks both. */
	static void (*const checks[])(struct doctor *) = {
		doctor_config, doctor_engine, doctor_service, doctor_socket, doctor_kernel,
		doctor_uring,  doctor_limits, doctor_clock,   doctor_disk,   doctor_redis};
	const struct given *given = self;
	const char *environment = getenv("WEIR_CONFIG");
	const char *wanted = given->config                   ? given->config
			     : environment && environment[0] ? environment
							     : NULL;
	char *found = wanted ? NULL : file_of_engine(ask_socket(given->socket));
	struct doctor doctor = {.config_path = wanted  ? wanted
					       : found ? found
						       : "/etc/weir/weir.yaml",
				.socket = given->socket,
				.json = given->json};
	(void)count;
	(void)operands;
	for (size_t i = 0; i < OPTIONS_COUNT(checks); i++)
		checks[i](&doctor);
	if (!given->json && doctor.wrong)
		printf("%u finding%s\n", doctor.wrong, text_s(doctor.wrong));
	json_decref(doctor.answer);
	if (doctor.config)
		config_free(doctor.config);
	free(found);
	return doctor.wrong ? TOOL_NO : TOOL_OK;
}

static const struct option_example examples[] = {
	{"weirctl doctor", "What is wrong, and what to type"},
	{"weirctl doctor --config weir.yaml --json | jq 'select(.level == \"wrong\")'",
	 "Findings only"},
};

const struct command command_doctor = {
	.options = {.program = "weirctl doctor",
		    .operands = "",
		    .summary = "what is wrong, and the command that mends it",
		    .description =
			    "Is all as an engine needs it? Looked at are its configuration, the "
			    "engine itself, its service, the producers' socket, the kernel, "
			    "io_uring, the limits on locked memory and open files, the clock, the "
			    "disk and Redis. Each finding is said with the command that mends it; "
			    "a note is what could be better. Nothing is changed.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    .exits = {[TOOL_OK] = "nothing is wrong", [TOOL_NO] = "something is wrong"},
		    .environment = "WEIR_CONTROL WEIR_CONFIG"},
	.bytes = sizeof(struct given),
	.run = run,
};
