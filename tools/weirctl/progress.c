/*
 * progress: one line on a terminal that says how far long work is.
 */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/monotonic.h"

#define EVERY_NS UINT64_C(100000000)
#define BAR 24

/* 1,234,567 */
static const char *grouped(char text[32], uint64_t number)
{
	char digits[24];
	int count = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
	char *to = text;
	for (int i = 0; i < count; i++) {
		if (i && (count - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return text;
}

void progress_begin(struct progress *progress, const char *what, const char *units, bool quiet)
{
	memset(progress, 0, sizeof(*progress));
	progress->what = what;
	progress->units = units;
	progress->wanted = !quiet && isatty(STDERR_FILENO);
	progress->began_ns = progress->shown_ns = monotonic_ns();
}

void progress_show(struct progress *progress, double part, uint64_t count)
{
	char bar[BAR + 1];
	char numbers[2][32];

	if (!progress->wanted)
		return;
	uint64_t now_ns = monotonic_ns();
	if (now_ns - progress->shown_ns < EVERY_NS)
		return;
	progress->shown_ns = now_ns;
	progress->shown = true;
	double seconds = (double)(now_ns - progress->began_ns) / 1e9;
	grouped(numbers[0], count);
	grouped(numbers[1], (uint64_t)((double)count / seconds));
	if (part < 0.0) {
		fprintf(stderr, "\r%s  %s %s  %s/s\033[K", progress->what, numbers[0],
			progress->units, numbers[1]);
		return;
	}
	part = part < 1.0 ? part : 1.0;
	int filled = (int)(part * BAR);
	memset(bar, '#', (size_t)filled);
	memset(bar + filled, ' ', (size_t)(BAR - filled));
	bar[BAR] = '\0';
	fprintf(stderr, "\r%s  [%s] %3d %%  %s %s  %s/s", progress->what, bar, (int)(part * 100.0),
		numbers[0], progress->units, numbers[1]);
	if (part > 0.0)
		fprintf(stderr, "  %.0f s left", seconds * (1.0 - part) / part);
	fputs("\033[K", stderr);
}

void progress_end(struct progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
	progress->shown = false;
}
