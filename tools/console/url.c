/*
 * url: see url.h.
 */
#include "url.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "deliver/payload.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool is_utf8(const char *text, bool controls)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t left = strlen(text);

	while (left > 0) {
		size_t one = utf8_bytes(at, left);
		if (one == 0 || (!controls && is_control((char)*at)))
			return false;
		at += one;
		left -= one;
	}
	return true;
}

bool url_is_text(const char *text)
{
	return is_utf8(text, false);
}

/* In place. `plus`: what a '+' is. `controls`: control characters may be there, encoded. NULL, or
 * what is wrong. */
static const char *decode(char *text, char plus, bool controls)
{
	static const char wrong[] = "the address is not UTF-8, or has control characters";
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (is_control(*from))
			return wrong;
		if (*from != '%') {
			*to++ = *from == '+' ? plus : *from;
			continue;
		}
		int high = hex(from[1]), low = high < 0 ? -1 : hex(from[2]);
		if (low < 0)
			return "a % in the address is not followed by two hexadecimal digits";
		if (high == 0 && low == 0)
			return "the address has a %00";
		*to++ = (char)(high << 4 | low);
		from += 2;
	}
	*to = '\0';
	return is_utf8(text, controls) ? NULL : wrong;
}

static const char *parse_path(char *path)
{
	if (path[0] != '/')
		return "the address does not begin with a slash";
	for (const char *at = path; *at; at++)
		if (strncasecmp(at, "%2f", 3) == 0 || strncasecmp(at, "%5c", 3) == 0 || *at == '\\')
			return "the path has an encoded slash, or a backslash";
	const char *why = decode(path, '+', false);
	if (why)
		return why;
	for (const char *at = path; *at == '/'; at += strcspn(at, "/")) {
		size_t bytes = strcspn(++at, "/");
		bool last = at[bytes] == '\0';
		if ((bytes == 0 && !(last && at == path + 1)) || (bytes == 1 && at[0] == '.') ||
		    (bytes == 2 && at[0] == '.' && at[1] == '.'))
			return "the path has a segment that is empty, . or ..";
	}
	return NULL;
}

/* A dimension value is whatever was sent: what asks for it, or looks for a part of it, can too. */
static bool is_free(const char *name)
{
	return strcmp(name, "slice") == 0 || strcmp(name, "q") == 0;
}

static const char *parse_query(char *query, struct url *url)
{
	char *next;

	for (char *pair = query; pair; pair = next) {
		next = strchr(pair, '&');
		if (next)
			*next++ = '\0';
		if (!*pair)
			continue;
		if (url->query_count == URL_QUERY_MAX)
			return "the query has too many members";
		char *value = strchr(pair, '=');
		if (value)
			*value++ = '\0';
		const char *why = decode(pair, ' ', false);
		if (!why && value)
			why = decode(value, ' ', is_free(pair));
		if (why)
			return why;
		if (url_query(url, pair))
			return "a member of the query is there twice";
		url->query[url->query_count++] = (struct url_pair){pair, value ? value : ""};
	}
	return NULL;
}

int url_parse(const char *target, struct url *ret_url, const char **ret_why)
{
	struct url url = {.bytes = strdup(target)};

	if (!url.bytes)
		return -ENOMEM;
	url.path = url.bytes;
	char *query = strchr(url.bytes, '?');
	if (query)
		*query++ = '\0';
	*ret_why = strchr(target, '#') ? "the address has a #" : parse_path(url.bytes);
	if (!*ret_why)
		*ret_why = parse_query(query, &url);
	int error = *ret_why ? -EINVAL : 0;
	if (error)
		url_fini(&url);
	*ret_url = url;
	return error;
}

void url_fini(struct url *url)
{
	free(url->bytes);
	*url = (struct url){0};
}

const char *url_query(const struct url *url, const char *name)
{
	for (unsigned i = 0; i < url->query_count; i++)
		if (strcmp(url->query[i].name, name) == 0)
			return url->query[i].value;
	return NULL;
}

bool url_host(const char *text, char ret_name[URL_HOST_BYTES])
{
	bool six = text[0] == '[';
	size_t bytes = six ? strcspn(++text, "]") : strcspn(text, ":");
	const char *rest = text + bytes;

	if (bytes == 0 || bytes >= URL_HOST_BYTES || (six && *rest++ != ']'))
		return false;
	for (size_t i = 0; i < bytes; i++) {
		unsigned char c = (unsigned char)text[i];
		if (!isascii(c) ||
		    !(isalnum(c) || c == '.' || (six ? c == ':' : c == '-' || c == '_')))
			return false;
		ret_name[i] = (char)tolower(c);
	}
	ret_name[bytes] = '\0';
	if (*rest == '\0')
		return true;
	size_t digits = *rest == ':' ? strspn(rest + 1, "0123456789") : 0;
	return digits > 0 && digits <= 5 && rest[1 + digits] == '\0';
}
