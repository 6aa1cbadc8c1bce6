/*
 * weir-bench: measures, one question at a time. Exit status: see status.h.
 */
#include "coarse.h"
#include "question.h"
#include "weir/weir.h"

#define QUESTION_ROW(name) {#name, &bench_##name},

static const struct command_entry questions[] = {QUESTIONS(QUESTION_ROW)};

int main(int argc, char **argv)
{
	const struct program program = {
		.name = "weir-bench",
		.word = "question",
		.summary = "measure, one question at a time",
		.description = "Each question measures one thing and says what it was measured "
			       "with. Everything that is measured is checked too.\n\nThe questions "
			       "are:",
		.footer = "Exit codes: 0 measured and right, 1 something was missing, 2 usage, 3 "
			  "could not measure.\n",
		.commands = questions,
		.count = OPTIONS_COUNT(questions),
		QUESTION_EXITS,
		.version = weir_version(),
		.see_also = "weir-shop(1) weirctl(1) weird(8)",
	};
	coarse_find();
	return program_main(&program, argc, argv);
}
