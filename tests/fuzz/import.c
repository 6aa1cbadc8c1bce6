/*
 * import: bytes as a file to import. The first one says how: JSON lines or CSV, which delimiter,
 * which kind of time.
 *
 * Holds: every row is read, or counted as bad with a reason; numbers are finite.
 */
#include "import.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "target.h"

static void on_bad(void *self, uint64_t line, const char *what)
{
	(void)self;
	check(line > 0 && what[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char delimiters[] = ",;\t|";
	static const char *const times[] = {"auto", "iso8601", "unix", "unix_ms"};
	static struct import import;
	static int fd = -1;
	uint8_t first = size ? data[0] : 0;
	struct import_map map = {
		.format = first & 1 ? IMPORT_JSON : IMPORT_CSV,
		.delimiter = delimiters[first >> 1 & 3],
		.time_column = "time",
		.time_format = times[first >> 3 & 3],
		.dimensions = {{.name = "country", .column = "country"}},
		.dimensions_count = 1,
		.measures = {{.event = "purchase", .field = "value", .column = "value"}},
		.measures_count = 1,
	};
	struct import_listener listener = {.bad_row = on_bad};
	char path[32], why[512] = "";

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	check(fd >= 0);
	/* The old page is written over: a new one would be most of a run. */
	if (size > 1)
		check(pwrite(fd, data + 1, size - 1, 0) == (ssize_t)size - 1);
	check(ftruncate(fd, size > 1 ? (off_t)size - 1 : 0) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int error = import_read(&import, &map, path, &listener, why, sizeof(why));
	check(error == 0 || why[0]);
	import_fini(&import);
	return 0;
}
