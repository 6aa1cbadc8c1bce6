/*
 * url: a request's target taken apart: path and query, decoded strictly; and a Host taken apart.
 *
 * Strictly: what could be read in two ways is refused. A path has no empty, "." or ".." segment,
 * no encoded slash; everything is UTF-8 without control characters, which `slice` and `q` of a
 * query alone may have, encoded (%01, never %00); a name stands once in a query. '+' in a query is
 * a blank.
 */
#ifndef CONSOLE_URL_H
#define CONSOLE_URL_H

#include <stdbool.h>
#include <stddef.h>

#define URL_QUERY_MAX 32
#define URL_HOST_BYTES 256

struct url_pair {
	const char *name, *value;
};

struct url {
	char *bytes; /* behind everything here */
	const char *path;
	struct url_pair query[URL_QUERY_MAX];
	unsigned query_count;
};

/* 0; -ENOMEM; or -EINVAL with *ret_why, a text that stays, and an empty *ret_url. */
int url_parse(const char *target, struct url *ret_url, const char **ret_why);
void url_fini(struct url *url);
const char *url_query(const struct url *url, const char *name); /* NULL: not there */

/* Is it UTF-8 without control characters? */
bool url_is_text(const char *text);

/* "Shop.example:8080" -> "shop.example", "[::1]:80" -> "::1": the name in lower case, without the
 * port. False: no such thing. */
bool url_host(const char *text, char ret_name[URL_HOST_BYTES]);

#endif
