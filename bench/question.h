/*
 * question: what weir-bench can measure. Each is a command (tools/program.h) in a file of its own:
 * to add one, define `const struct command bench_NAME` in NAME.c and add NAME to
 * weir_bench_questions in meson.build, of which the build makes QUESTIONS.
 */
#ifndef BENCH_QUESTION_H
#define BENCH_QUESTION_H

#include "program.h"
#include "questions.h"
#include "status.h"

#define QUESTION_DECLARE(name) extern const struct command bench_##name;
QUESTIONS(QUESTION_DECLARE)

/* What the exit codes mean (status.h). */
#define QUESTION_EXITS                                                                             \
	.exits = {[STATUS_GOOD] = "measured, and all that was measured is right",                  \
		  [STATUS_LOSSY] = "measured, but not everything was found again: believe no "     \
				   "figure",                                                       \
		  [STATUS_UNABLE] = "it could not be measured; the message says what to do"}

/* The row of an option that names a program of ours. */
#define ROW_PROGRAM(type, program)                                                                 \
	{                                                                                          \
		.name = #program, .argument = "PATH",                                              \
		.help = "program; default beside this one, in its build tree, in PATH",            \
		.kind = OPTION_TEXT, .at = offsetof(type, program)                                 \
	}

/* The row of --json, which all have. */
#define ROW_JSON(type)                                                                             \
	{                                                                                          \
		.name = "json", .help = "one JSON object per figure", .kind = OPTION_SWITCH,       \
		.at = offsetof(type, json)                                                         \
	}

#endif
