/*
 * api: what handlers share; see api.h.
 */
#include "api.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "url.h"

#define ERROR_BYTES 512

const char *api_query(const struct api_request *request, const char *name)
{
	return url_query(request->url, name);
}

int api_query_i64(const struct api_request *request, const char *name, int64_t min, int64_t max,
		  int64_t missing, int64_t *ret_value, json_t **ret_error)
{
	const char *text = api_query(request, name);
	unsigned ignored;
	char *end;

	*ret_value = missing;
	if (!text || !text[0])
		return 0;
	errno = 0;
	long long value = strtoll(text, &end, 10);
	if (*end || errno || value < min || value > max) {
		*ret_error = api_error(&ignored, 400,
				       "%s has to be a whole number from %" PRId64 " to %" PRId64,
				       name, min, max);
		return -EINVAL;
	}
	*ret_value = value;
	return 0;
}

json_t *api_error(unsigned *status, unsigned code, const char *format, ...)
{
	char text[ERROR_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	*status = code;
	/* A cut may have gone through a character. */
	json_t *error = json_pack("{ss}", "error", text);
	return error ? error : json_pack("{ss}", "error", "that cannot be");
}
