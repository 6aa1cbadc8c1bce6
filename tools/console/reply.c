/*
 * reply: see reply.h.
 */
#include "reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "asset.h"

#define GZIP_FROM_BYTES 1024u

static const char policy[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
	"connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
	"frame-ancestors 'none'; report-uri /api/v1/csp";

static const char *const always[][2] = {
	{"Content-Security-Policy", policy},
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
	{"Referrer-Policy", "no-referrer"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Permissions-Policy", "camera=(), geolocation=(), microphone=()"},
};

void reply_protect(struct MHD_Response *response)
{
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		MHD_add_response_header(response, always[i][0], always[i][1]);
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* Of "gzip;q=0.5": is it refused, by a quality of 0? */
static bool refuses(const char *from, size_t bytes)
{
	const char *quality = memmem(from, bytes, "q=", 2);
	size_t left = quality ? bytes - (size_t)(quality + 2 - from) : 0;

	return quality && strspn(quality + 2, "0.") >= left;
}

/* Is it in Accept-Encoding, and not with q=0? */
static bool takes(struct MHD_Connection *connection, const char *encoding)
{
	const char *at = header(connection, MHD_HTTP_HEADER_ACCEPT_ENCODING);

	while (at && *at) {
		at += strspn(at, " \t,");
		size_t bytes = strcspn(at, ",");
		size_t name = strcspn(at, " \t,;");
		if (name == strlen(encoding) && strncasecmp(at, encoding, name) == 0)
			return !refuses(at, bytes);
		at += bytes;
	}
	return false;
}

static enum MHD_Result send_response(struct MHD_Connection *connection, unsigned status,
				     struct MHD_Response *response)
{
	reply_protect(response);
	enum MHD_Result result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

/* Owns `text`. */
static enum MHD_Result send_text(struct MHD_Connection *connection, const struct reply_how *how,
				 char *text, size_t bytes, const char *type, const char *encoding)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(bytes, text,
									MHD_RESPMEM_MUST_FREE);

	if (!response) {
		free(text);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept-Encoding");
	if (encoding)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, encoding);
	if (how->allow)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, how->allow);
	if (how->status == MHD_HTTP_SERVICE_UNAVAILABLE)
		MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
	if (how->status == MHD_HTTP_UNAUTHORIZED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
	if (how->close)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	return send_response(connection, how->status, response);
}

enum MHD_Result reply_json(struct MHD_Connection *connection, const struct reply_how *how,
			   json_t *body)
{
	/* 15 digits: 0.1 is 0.1, and what is lost lies below what anybody measures. */
	char *text = body ? json_dumps(body, JSON_COMPACT | JSON_PRESERVE_ORDER |
						     JSON_REAL_PRECISION(15))
			  : NULL;
	struct reply_how failed = {.status = MHD_HTTP_INTERNAL_SERVER_ERROR};
	size_t bytes, packed_bytes;

	json_decref(body);
	if (!text) {
		how = &failed;
		text = strdup("{\"error\":\"the console has no memory left, or a text of the "
			      "engine's is not UTF-8\"}");
		if (!text)
			return MHD_NO;
	}
	bytes = strlen(text);
	char *packed = bytes > GZIP_FROM_BYTES && takes(connection, "gzip")
			       ? asset_compress(text, bytes, &packed_bytes)
			       : NULL;
	if (!packed)
		return send_text(connection, how, text, bytes, "application/json", NULL);
	free(text);
	return send_text(connection, how, packed, packed_bytes, "application/json", "gzip");
}

enum MHD_Result reply_error(struct MHD_Connection *connection, const struct reply_how *how,
			    const char *why)
{
	return reply_json(connection, how, json_pack("{ss}", "error", why));
}

enum MHD_Result reply_text(struct MHD_Connection *connection, const char *text)
{
	const struct reply_how how = {.status = MHD_HTTP_OK};
	char *copy = strdup(text);

	return copy ? send_text(connection, &how, copy, strlen(copy), "text/plain; charset=utf-8",
				NULL)
		    : MHD_NO;
}

enum MHD_Result reply_nothing(struct MHD_Connection *connection)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL,
									MHD_RESPMEM_PERSISTENT);

	return response ? send_response(connection, MHD_HTTP_NO_CONTENT, response) : MHD_NO;
}

/* Does the client have it already, in any form? If-None-Match: "tag", W/"tag-br", *. */
static bool has_it(struct MHD_Connection *connection, const struct asset *asset)
{
	const char *given = header(connection, MHD_HTTP_HEADER_IF_NONE_MATCH);

	return given && (strcmp(given, "*") == 0 || strstr(given, asset->tag));
}

/* The bytes as they are sent: in the program, or unpacked for a client that takes neither form. */
static struct MHD_Response *asset_response(const struct asset *asset, const struct asset_form *form)
{
	if (form)
		return MHD_create_response_from_buffer(
			form->bytes, (void *)(uintptr_t)form->data, MHD_RESPMEM_PERSISTENT);
	char *plain = asset_plain(asset);
	struct MHD_Response *response =
		plain ? MHD_create_response_from_buffer(asset->plain_bytes, plain,
							MHD_RESPMEM_MUST_FREE)
		      : NULL;
	if (!response)
		free(plain);
	return response;
}

enum MHD_Result reply_asset(struct MHD_Connection *connection, const struct asset *asset)
{
	const char *encoding = takes(connection, "br")     ? "br"
			       : takes(connection, "gzip") ? "gzip"
							   : NULL;
	const struct asset_form *form = !encoding             ? NULL
					: encoding[0] == 'b' ? &asset->brotli
							     : &asset->gzip;
	bool known = has_it(connection, asset);
	char tag[40];
	struct MHD_Response *response =
		known ? MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT)
		      : asset_response(asset, form);

	if (!response)
		return MHD_NO;
	snprintf(tag, sizeof(tag), "\"%s%s%s\"", asset->tag, encoding ? "-" : "",
		 encoding ? encoding : "");
	MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, tag);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
	MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept-Encoding");
	if (!known) {
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, asset->type);
		if (encoding)
			MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING,
						encoding);
	}
	return send_response(connection, known ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, response);
}
