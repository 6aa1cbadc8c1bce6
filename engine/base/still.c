/*
 * still: see still.h.
 */
#include "base/still.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool still_is(const char *path)
{
	char log[PATH_MAX + 8];
	int bytes = snprintf(log, sizeof(log), "%s-wal", path);

	return bytes > 0 && (size_t)bytes < sizeof(log) && access(log, F_OK) < 0;
}

bool still_name(const char *path, char ret_name[STILL_BYTES])
{
	static const char prefix[] = "file:", suffix[] = "?immutable=1";
	size_t used = strlen(prefix);

	if (!still_is(path) || 3 * strlen(path) + sizeof(prefix) + sizeof(suffix) > STILL_BYTES)
		return false;
	memcpy(ret_name, prefix, used);
	for (const char *at = path; *at; at++) {
		const char *format = strchr("%?#", *at) ? "%%%02X" : "%c";
		used += (size_t)snprintf(ret_name + used, STILL_BYTES - used, format, *at);
	}
	memcpy(ret_name + used, suffix, sizeof(suffix));
	return true;
}
