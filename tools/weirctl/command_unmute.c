/*
 * unmute: the end of a mute, now.
 */
#include <stdbool.h>
#include <stdio.h>

#include "command.h"
#include "operate.h"
#include "options.h"

struct given {
	struct operate_by by;
};

static const struct option_row rows[] = {
	ROWS_OPERATE(struct given),
};

static int run(void *self, int count, char **operands)
{
	const struct given *given = self;
	uint64_t number;
	int code;
	(void)count;
	if (options_u64(operands[0], 1, UINT32_MAX, &number) < 0)
		return options_wrong(&command_unmute.options,
				     "\"%s\" is not the number of a mute: weirctl mute --list",
				     operands[0]);
	json_t *request = json_pack("{ss sI}", "command", "unmute", "mute", (json_int_t)number);
	json_t *answer = operate(&given->by, request, &code);
	if (answer)
		printf("mute %llu is over\n", (unsigned long long)number);
	json_decref(answer);
	return code;
}

static const struct option_example examples[] = {
	{"weirctl unmute 4", "What mute 4 withheld and still fires is published"},
};

const struct command command_unmute = {
	.options = {.program = "weirctl unmute",
		    .operands = "NUMBER",
		    .summary = "end a mute",
		    .description = "Ends the mute of this number (weirctl mute --list). What it "
				   "withheld and still fires is published.",
		    OPERATE_ENDS},
	.bytes = sizeof(struct given),
	.run = run,
};
