/*
 * asset: the pages' files, which the build has put into the program, compressed.
 */
#ifndef CONSOLE_ASSET_H
#define CONSOLE_ASSET_H

#include <stddef.h>

#define ASSET_PAGE "/assets/page.html" /* any other */

/* Compressed by the build. */
struct asset_form {
	const unsigned char *data;
	size_t bytes;
};

struct asset {
	const char *path; /* "/assets/app.js"; "/" is the first page */
	const char *type; /* "text/javascript; charset=utf-8" */
	const char *tag;  /* of its content, 16 hex digits */
	size_t plain_bytes;
	struct asset_form gzip, brotli;
};

/* Made by the build (embed), sorted by path. */
extern const struct asset assets[];
extern const size_t assets_count;

const struct asset *asset_find(const char *path); /* NULL: there is none */
/* Its bytes as they were before compression; malloc'd. NULL: no memory. */
char *asset_plain(const struct asset *asset);

/* `data` compressed with gzip, malloc'd; NULL: no memory, or not shorter. */
char *asset_compress(const char *data, size_t bytes, size_t *ret_bytes);

#endif
