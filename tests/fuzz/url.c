/*
 * url: bytes as the target of a request to the console, and as its Host.
 *
 * Holds: it is refused with a reason, or is a path and a query of plain text, in which no segment
 * leads elsewhere; a name stands once, and is found; a host is of a name's characters.
 */
#include "url.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "target.h"

static void check_path(const char *path)
{
	check(path[0] == '/' && url_is_text(path));
	check(!strstr(path, "/../") && !strstr(path, "/./") && !strstr(path, "//"));
	size_t bytes = strlen(path);
	check(bytes < 3 || strcmp(path + bytes - 3, "/..") != 0);
	check(strcmp(path + bytes - 2 * (bytes > 1), "/.") != 0);
}

static void check_query(const struct url *url)
{
	check(url->query_count <= URL_QUERY_MAX);
	for (unsigned i = 0; i < url->query_count; i++) {
		const struct url_pair *pair = &url->query[i];
		bool is_free = strcmp(pair->name, "slice") == 0 || strcmp(pair->name, "q") == 0;
		check(url_is_text(pair->name) && (is_free || url_is_text(pair->value)));
		check(url_query(url, pair->name) == pair->value);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), name[URL_HOST_BYTES];
	const char *why = NULL;
	struct url url;

	check(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (url_parse(text, &url, &why) == 0) {
		check_path(url.path);
		check_query(&url);
		url_fini(&url);
	} else {
		check(why && why[0] && !url.bytes);
	}
	if (url_host(text, name))
		check(name[0] && strlen(name) < URL_HOST_BYTES && !strpbrk(name, "/@[] ,%\\?#"));
	free(text);
	return 0;
}
