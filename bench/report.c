/*
 * report: see report.h. Each line is written out at once: a run takes long, and who waits wants to
 * see it.
 */
#include "report.h"

#include <stdarg.h>

#include "machine.h"
#include "status.h"

void report_begin(struct report *report, bool json, const char *directory)
{
	*report = (struct report){.out = stdout, .json = json};
	machine_head(json, directory);
}

void report_figure(struct report *report, const struct figure *figure)
{
	char why[160];
	bool kept = !figure->keeps_nothing && !figure->absent;
	report->figures++;
	report->kept += kept;
	report->lossy |= kept && !figure->lossless;
	report->voided += figure_void(figure, why);
	if (report->json)
		figure_print_json(figure, report->out);
	else
		figure_print(figure, report->out);
	fflush(report->out);
}

void report_note(struct report *report, const char *format, ...)
{
	char text[1000];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (report->json) {
		fputs("{\"name\":\"note\",\"text\":", report->out);
		figure_json_text(text, report->out);
		fputs("}\n", report->out);
	} else {
		fprintf(report->out, "%s\n", text);
	}
	fflush(report->out);
}

int report_end(struct report *report)
{
	if (!report->json && report->voided)
		fprintf(report->out,
			"%u ratio%s void: a limit was not what its program is known for; run it "
			"again when the machine is quiet\n",
			report->voided, report->voided == 1 ? " is" : "s are");
	if (!report->json && report->kept)
		fprintf(report->out, "%s\n",
			report->lossy ? "NOT LOSSLESS: believe no figure"
				      : "lossless: every event was found again");
	fflush(report->out);
	return report->lossy ? STATUS_LOSSY : STATUS_GOOD;
}
