/*
 * verify: the face of verify.h: options, progress, and the report as text or JSON.
 */
#include <inttypes.h>
#include <unistd.h>

#include "command.h"
#include "options.h"
#include "text.h"
#include "verify.h"

#define WHY_BYTES 512

struct given {
	struct verify_options verify;
	bool json;
};

static const struct option_row rows[] = {
	{.name = "allow-lost",
	 .help = "events that the log admits to have lost are no fault",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct given, verify.allow_lost)},
	{.name = "refuse-late",
	 .help = "events behind their interval's mark are a fault",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct given, verify.refuse_late)},
	ROW_JSON(struct given, "one JSON object"),
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

static int run(void *self, int count, char **operands)
{
	struct given *given = self;
	struct verify_report report;
	char why[WHY_BYTES] = "";
	(void)count;
	bool shows = !given->json && isatty(STDERR_FILENO);
	if (shows)
		given->verify.progress = show_progress;
	int error = verify_directory(operands[0], &given->verify, &report, why, sizeof(why));
	if (shows)
		fputs("\r                              \r", stderr);
	if (error < 0) {
		fprintf(stderr, "weirctl: %s\n", why);
		return TOOL_IO;
	}
	if (given->json)
		print_json(&report);
	else
		print_people(&report);
	int code = report.ok ? TOOL_OK : TOOL_NO;
	verify_report_free(&report);
	return code;
}

static const struct option_example examples[] = {
	{"weirctl verify /var/lib/weir", "Check every block and every ring's ledger"},
};

const struct command command_verify = {
	.options = {.program = "weirctl verify",
		    .operands = "DIR",
		    .summary = "is a log whole, is its ledger exact",
		    .description = "Is the log in a data directory whole, is its ledger exact? "
				   "Best with the engine stopped.",
		    COMMAND_ROWS(rows),
		    COMMAND_EXAMPLES(examples),
		    .exits = {[TOOL_OK] = "all is well", [TOOL_NO] = "something is wrong with it"}},
	.bytes = sizeof(struct given),
	.run = run,
};
