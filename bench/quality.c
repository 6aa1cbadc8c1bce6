/*
 * quality: how well does the default detector detect? The questions of quality.h, each a command
 * with a table of its own; all score through detect/scoring.h, with the detector as it ships.
 */
#include "quality.h"
#include "question.h"
#include "weir/weir.h"

#define QUALITY_SUMMARY "how well the default detector detects, beside its rivals"
#define QUALITY_ROW(name) {#name, &quality_##name},

static const struct command_entry questions[] = {QUALITY_QUESTIONS(QUALITY_ROW)};

static const struct program program = {
	.name = "weir-bench quality",
	.word = "question",
	.summary = QUALITY_SUMMARY,
	.description = "Each question scores known data with the default detector, as it ships and "
		       "as it runs live, and with simpler rivals in the same run.\n\nThe questions "
		       "are:",
	.footer = "Exit codes: 0 measured, 2 usage, 3 could not measure.\n",
	.commands = questions,
	.count = OPTIONS_COUNT(questions),
	QUESTION_EXITS,
	.version = WEIR_VERSION,
	.see_also = "weir-bench(1) weirctl(1)",
};

const struct command bench_quality = {
	.options = {.program = "weir-bench quality", .summary = QUALITY_SUMMARY},
	.program = &program,
};
