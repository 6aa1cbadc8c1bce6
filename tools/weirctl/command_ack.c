/*
 * ack: somebody looks after an anomaly.
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
	int code;
	json_t *request = json_pack("{ss ss}", "command", "ack", "id", operands[0]);
	if (count > 1)
		operate_set(request, "text", operands[1]);
	json_t *answer = operate(&given->by, request, &code);
	if (answer)
		printf("acknowledged\n");
	json_decref(answer);
	return code;
}

static const struct option_example examples[] = {
	{"weirctl ack 9f31c0 'calling the provider'", "The anomaly whose id begins with 9f31c0"},
};

const struct command command_ack = {
	.options = {.program = "weirctl ack",
		    .operands = "ID [TEXT]",
		    .summary = "say that you look after an anomaly",
		    .description = "Acknowledges an open anomaly: weirctl anomalies shows who and "
				   "why, and its later revisions say `acknowledged`. The first "
				   "digits of the id will do.",
		    OPERATE_ENDS},
	.bytes = sizeof(struct given),
	.run = run,
};
