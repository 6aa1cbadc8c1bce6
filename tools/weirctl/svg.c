/*
 * svg: see svg.h. Colours are in classes only, so that the viewer's preference for a dark page
 * changes all of them.
 */
#include "svg.h"

#include <math.h>

static const char light[] =
	".page{fill:#fff}.text{fill:#555;font:12px system-ui,sans-serif}.title{fill:#222;"
	"font:600 14px system-ui,sans-serif}.grid{stroke:#e4e4e4}";
static const char dark[] = ".page{fill:#15181c}.text{fill:#a8adb5}.title{fill:#eee}"
			   ".grid{stroke:#2c3138}";

void svg_text(FILE *to, const char *text)
{
	for (; *text; text++) {
		const char *escaped = *text == '<'   ? "&lt;"
				      : *text == '>' ? "&gt;"
				      : *text == '&' ? "&amp;"
						     : NULL;
		if (escaped)
			fputs(escaped, to);
		else if ((unsigned char)*text >= ' ')
			putc(*text, to);
	}
}

double svg_step(double span)
{
	double power = pow(10, floor(log10(span / 5)));
	double part = span / 5 / power;

	return power * (part > 5 ? 10 : part > 2 ? 5 : part > 1 ? 2 : 1);
}

void svg_open(const struct svg_page *page, FILE *to)
{
	fprintf(to,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
		"aria-labelledby=\"t d\">\n<title id=\"t\">",
		page->width, page->height);
	svg_text(to, page->title);
	fputs("</title>\n<desc id=\"d\">", to);
	svg_text(to, page->about);
	fprintf(to, "</desc>\n<style>\n%s%s\n@media (prefers-color-scheme:dark){%s%s}\n</style>\n",
		light, page->light, dark, page->dark);
	fprintf(to, "<rect class=\"page\" width=\"%.0f\" height=\"%.0f\" rx=\"6\"/>\n", page->width,
		page->height);
	fprintf(to, "<text class=\"title\" x=\"%.0f\" y=\"28\">", page->left);
	svg_text(to, page->title);
	fputs("</text>\n", to);
}

void svg_close(FILE *to)
{
	fputs("</svg>\n", to);
}
