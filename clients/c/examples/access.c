/* An access log into weir: each line of stdin is "unix-ms visitor milliseconds".
 * cc access.c $(pkg-config --cflags --libs weir) -o access && ./access <log */
#include <stdio.h>
#include <weir/weir.h>

int main(void)
{
	/* Recorded: the events' own times close intervals. Live events need no options. */
	struct weir_options options = {
		.size = sizeof(options), .source = "access", .event_clock = 1};
	unsigned long long time_ms;
	char visitor[65];
	double took_ms;
	weir *w;

	options.full_wait_us = 1000000; /* a recording can wait for room */
	if (weir_open(&options, &w) < 0)
		return 1;
	int pages = weir_series(w, WEIR_PAGE_VIEW, "ms", WEIR_KIND_NUMBER, NULL, 0);
	int visitors = weir_series(w, WEIR_PAGE_VIEW, "visitor", WEIR_KIND_HASH, NULL, 0);
	while (scanf("%llu %64s %lf", &time_ms, visitor, &took_ms) == 3) {
		weir_emit_at(w, pages, took_ms, time_ms);
		weir_emit_at(w, visitors, weir_hash_text(visitor), time_ms);
	}
	return weir_close(w, 5000) < 0;
}
