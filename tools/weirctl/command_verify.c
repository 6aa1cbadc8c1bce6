/*
 * verify: the face of verify.h: options, progress, and the report as text or JSON.
 */
#include <getopt.h>
#include <inttypes.h>
#include <unistd.h>

#include "command.h"
#include "options.h"
#include "text.h"
#include "verify.h"

#define WHY_BYTES 512

enum { OPTION_ALLOW_LOST = OPTIONS_LONG, OPTION_REFUSE_LATE, OPTION_JSON };

static const struct option_row rows[] = {
	{OPTION_ALLOW_LOST, "allow-lost", NULL,
	 "events that the log admits to have lost are no fault"},
	{OPTION_REFUSE_LATE, "refuse-late", NULL,
	 "events behind their interval's mark are a fault"},
	{OPTION_JSON, "json", NULL, "one JSON object"},
};

static const struct options options = {
	.program = "weirctl verify",
	.usage = "[options] DIR",
	.about = "Is the log in a data directory whole, is its ledger exact? Best with the engine "
		 "stopped.\nExit code 0 only if all is well.",
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
};

static void show_progress(void *self, uint64_t bytes, uint64_t bytes_all)
{
	(void)self;
	fprintf(stderr, "\r%5.1f %% of %.1f MB  ",
		bytes_all ? 100.0 * (double)bytes / (double)bytes_all : 100.0,
		(double)bytes_all / 1e6);
}

static void print_lines(const char *name, const struct verify_lines *lines)
{
	printf(",\"%s\":[", name);
	for (uint32_t i = 0; i < lines->count; i++) {
		if (i)
			putchar(',');
		text_json(stdout, lines->line[i]);
	}
	printf("],\"%s_more\":%" PRIu64, name, lines->more);
}

static void print_json(const struct verify_report *report)
{
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{"blocks", report->blocks},
		{"blocks_bad", report->blocks_bad},
		{"blocks_torn", report->blocks_torn},
		{"events", report->events},
		{"gaps", report->gaps},
		{"gap_blocks", report->gap_blocks},
		{"segments", report->segments},
		{"lanes", report->lanes},
		{"epochs", report->epochs},
		{"sources", report->sources},
		{"series", report->series},
		{"rings", report->rings},
		{"marks", report->marks},
		{"closes", report->closes},
		{"persisted", report->persisted},
		{"rejected", report->rejected},
		{"lost", report->lost},
		{"dropped", report->dropped},
		{"late", report->late},
	};
	printf("{\"ok\":%s,\"ledger_ok\":%s", report->ok ? "true" : "false",
	       report->ledger_ok ? "true" : "false");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		printf(",\"%s\":%" PRIu64, numbers[i].name, numbers[i].value);
	print_lines("findings", &report->findings);
	print_lines("notes", &report->notes);
	puts("}");
}

static void print_people(const struct verify_report *report)
{
	for (uint32_t i = 0; i < report->findings.count; i++)
		printf("WRONG: %s\n", report->findings.line[i]);
	if (report->findings.more)
		printf("WRONG: and %" PRIu64 " more\n", report->findings.more);
	for (uint32_t i = 0; i < report->notes.count; i++)
		printf("note: %s\n", report->notes.line[i]);
	if (report->notes.more)
		printf("note: and %" PRIu64 " more\n", report->notes.more);
	printf("%" PRIu64 " events in %" PRIu64 " blocks of %" PRIu64 " segments; %" PRIu64
	       " blocks bad, %" PRIu64 " torn, %" PRIu64 " gaps\n",
	       report->events, report->blocks, report->segments, report->blocks_bad,
	       report->blocks_torn, report->gaps);
	printf("ledger of %" PRIu64 " rings: %" PRIu64 " persisted, %" PRIu64 " rejected, %" PRIu64
	       " lost, %" PRIu64 " dropped: %s\n",
	       report->rings, report->persisted, report->rejected, report->lost, report->dropped,
	       report->ledger_ok ? "exact" : "NOT EXACT");
	puts(report->ok ? "ok" : "NOT OK");
}

int command_verify(int argc, char **argv)
{
	struct verify_options verify = {0};
	struct verify_report report;
	char why[WHY_BYTES] = "";
	bool json = false;
	const char *argument;
	int id;
	while ((id = options_next(&options, argc, argv, &argument)) > 0) {
		if (id == OPTIONS_HELP)
			return TOOL_OK;
		verify.allow_lost |= id == OPTION_ALLOW_LOST;
		verify.refuse_late |= id == OPTION_REFUSE_LATE;
		json |= id == OPTION_JSON;
	}
	if (id < 0)
		return TOOL_USAGE;
	if (optind + 1 != argc)
		return options_wrong(&options, "which data directory?");
	bool shows = !json && isatty(STDERR_FILENO);
	if (shows)
		verify.progress = show_progress;
	int error = verify_directory(argv[optind], &verify, &report, why, sizeof(why));
	if (shows)
		fputs("\r                              \r", stderr);
	if (error < 0) {
		fprintf(stderr, "weirctl: %s\n", why);
		return TOOL_IO;
	}
	if (json)
		print_json(&report);
	else
		print_people(&report);
	int code = report.ok ? TOOL_OK : TOOL_NO;
	verify_report_free(&report);
	return code;
}
