/*
 * weir-bench: measures, one question at a time. Exit status: see status.h.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "detect.h"
#include "history.h"
#include "ingest.h"
#include "options.h"
#include "status.h"
#include "weir/weir.h"

static const struct question {
	const char *name, *text;
	int (*main)(int argc, char **argv);
} questions[] = {
	{"ingest", "events/s from emit to a durable file, every one checked", ingest_main},
	{"history", "bytes of a year of intervals, and how long a chart's data takes to read",
	 history_main},
	{"detect", "closing an interval: its roll-up and its detectors, series by series",
	 detect_main},
};

static void print_usage(FILE *out)
{
	fprintf(out, "usage: weir-bench QUESTION [options]; --help after a QUESTION lists them\n");
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		fprintf(out, "  %-10s %s\n", questions[i].name, questions[i].text);
}

/* The page holds what each question says of itself. */
static int print_manual(void)
{
	manual_head("weir-bench", "1", "measure, one question at a time", stdout);
	fputs(".Sh SYNOPSIS\n.Nm\n.Ar question\n.Op Ar options\n.Sh DESCRIPTION\n"
	      "Each question measures one thing and says what it was measured with.\n"
	      "Everything that is measured is checked too.\n",
	      stdout);
	for (size_t i = 0; i < OPTIONS_COUNT(questions); i++) {
		char *arguments[] = {(char *)(uintptr_t)questions[i].name, "--help", NULL};
		printf(".Ss %s\n%s.\n.Bd -literal\n", questions[i].name, questions[i].text);
		optind = 0;
		if (questions[i].main(2, arguments) != STATUS_GOOD)
			return STATUS_UNABLE;
		puts(".Ed");
	}
	manual_see_also("weir-shop(1) weirctl(1) weird(8)", stdout);
	return STATUS_GOOD;
}

int main(int argc, char **argv)
{
	if (argc >= 2 && !strcmp(argv[1], "--version")) {
		printf("weir-bench %s\n", weir_version());
		return STATUS_GOOD;
	}
	if (argc >= 2 && !strcmp(argv[1], "--help=man"))
		return print_manual();
	if (argc >= 2 && !strcmp(argv[1], "--help")) {
		print_usage(stdout);
		return STATUS_GOOD;
	}
	for (size_t i = 0; argc >= 2 && i < sizeof(questions) / sizeof(questions[0]); i++)
		if (!strcmp(argv[1], questions[i].name))
			return questions[i].main(argc - 1, argv + 1);
	print_usage(stderr);
	return STATUS_USAGE;
}
