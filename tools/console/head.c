/*
 * head: see head.h.
 */
#include "head.h"

#include <string.h>
#include <strings.h>

static bool is_token(const char *name, size_t bytes)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < bytes; i++) {
		char c = name[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c && strchr(marks, c))))
			return false;
	}
	return bytes > 0;
}

static bool is_value(const char *value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (((unsigned char)value[i] < ' ' && value[i] != '\t') || value[i] == 0x7f)
			return false;
	return true;
}

struct reading {
	struct guard_head *head;
	const char *at; /* where the next header has to begin: behind the one before and CR LF */
};

static enum MHD_Result on_header(void *self, enum MHD_ValueKind kind, const char *name,
				 size_t name_bytes, const char *value, size_t value_bytes)
{
	struct reading *reading = self;
	struct guard_head *head = reading->head;
	const struct {
		const char *name;
		const char **field;
	} wanted[] = {{"Host", &head->host},
		      {"Origin", &head->origin},
		      {"Sec-Fetch-Site", &head->fetch_site},
		      {"Authorization", &head->authorization},
		      {"Content-Type", &head->content_type},
		      {"Content-Length", &head->content_length},
		      {"Transfer-Encoding", &head->transfer_encoding}};

	(void)kind;
	if (!value)
		value = "";
	head->malformed |= !is_token(name, name_bytes) || !is_value(value, value_bytes);
	head->malformed |= name != reading->at;
	reading->at = value + value_bytes + 2;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (strcasecmp(name, wanted[i].name) != 0)
			continue;
		head->repeated |= *wanted[i].field != NULL;
		*wanted[i].field = value;
	}
	return MHD_YES;
}

void head_read(struct MHD_Connection *connection, const struct head_lines *line,
	       struct guard_head *ret_head)
{
	const union MHD_ConnectionInfo *size =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	struct reading reading = {.head = ret_head};
	size_t target_bytes = strlen(line->target);

	*ret_head = (struct guard_head){.method = line->method, .path = ""};
	ret_head->bytes = size ? size->header_size : 0;
	ret_head->malformed = line->target_at != line->method + strlen(line->method) + 1 ||
			      line->version != line->target_at + target_bytes + 1 ||
			      memchr(line->target, ' ', target_bytes);
	reading.at = line->version + strlen(line->version) + 2;
	MHD_get_connection_values_n(connection, MHD_HEADER_KIND, on_header, &reading);
	ret_head->malformed |= reading.at + 2 != line->method + ret_head->bytes;
}
