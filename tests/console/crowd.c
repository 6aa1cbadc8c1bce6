/* crowd: producers that call themselves so: a handle of libweir's for each name, which emits a page
 * view each tenth of a second until this is stopped.
 *
 *	console_crowd SOCKET NAME... */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/weir.h>

enum { PATIENCE_S = 900 };

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

int main(int argc, char **argv)
{
	const struct timespec tenth = {.tv_nsec = 100 * 1000 * 1000};
	int count = argc - 2;

	if (count < 1) {
		fprintf(stderr, "Usage: console_crowd SOCKET NAME...\n");
		return 2;
	}
	signal(SIGTERM, stop);
	weir **producers = calloc((size_t)count, sizeof(weir *));
	int *series = calloc((size_t)count, sizeof(int));
	if (!producers || !series)
		return 1;
	for (int i = 0; i < count; i++) {
		struct weir_options options = {
			.size = sizeof(options),
			.socket_path = argv[1],
			.program = argv[i + 2],
			.ring_events = 64,
			.series_max = 8,
			.table_bytes = 4096,
		};
		int error = weir_open(&options, &producers[i]);
		if (error < 0) {
			fprintf(stderr, "%s: %s\n", argv[i + 2], strerror(-error));
			return 1;
		}
		series[i] = weir_series(producers[i], WEIR_PAGE_VIEW, WEIR_VALUE, WEIR_KIND_NUMBER,
					NULL, 0);
	}
	for (int round = 0; round < PATIENCE_S * 10 && !stopped; round++) {
		for (int i = 0; i < count; i++)
			weir_emit(producers[i], series[i], 1);
		nanosleep(&tenth, NULL);
	}
	for (int i = 0; i < count; i++)
		weir_close(producers[i], 0);
	free(series);
	free(producers);
	return 0;
}
