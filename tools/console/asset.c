/*
 * asset: see asset.h.
 */
#include "asset.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define GZIP_WINDOW (15 + 16)
#define LEVEL 4 /* of answers; the pages' files were compressed by the build, with 9 */

static int by_path(const void *path, const void *asset)
{
	return strcmp(path, ((const struct asset *)asset)->path);
}

const struct asset *asset_find(const char *path)
{
	return bsearch(path, assets, assets_count, sizeof(assets[0]), by_path);
}

char *asset_plain(const struct asset *asset)
{
	z_stream stream = {.next_in = (unsigned char *)(uintptr_t)asset->gzip.data,
			   .avail_in = (unsigned)asset->gzip.bytes};
	char *plain = malloc(asset->plain_bytes + 1);

	if (!plain || inflateInit2(&stream, GZIP_WINDOW) != Z_OK) {
		free(plain);
		return NULL;
	}
	stream.next_out = (unsigned char *)plain;
	stream.avail_out = (unsigned)asset->plain_bytes + 1;
	int result = inflate(&stream, Z_FINISH);
	inflateEnd(&stream);
	if (result == Z_STREAM_END && stream.total_out == asset->plain_bytes)
		return plain;
	free(plain);
	return NULL;
}

char *asset_compress(const char *data, size_t bytes, size_t *ret_bytes)
{
	z_stream stream = {.next_in = (unsigned char *)(uintptr_t)data,
			   .avail_in = (unsigned)bytes};
	char *to = malloc(bytes);

	if (!to ||
	    deflateInit2(&stream, LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(to);
		return NULL;
	}
	stream.next_out = (unsigned char *)to;
	stream.avail_out = (unsigned)bytes;
	int result = deflate(&stream, Z_FINISH);
	*ret_bytes = stream.total_out;
	deflateEnd(&stream);
	if (result == Z_STREAM_END)
		return to;
	free(to);
	return NULL;
}
