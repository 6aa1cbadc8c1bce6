/*
 * import_csv: one row of RFC 4180, as fast as memory is read.
 *
 * Idea:  the byte behind the buffer's end is a newline that nobody wrote, so the loop over a plain
 *        field asks two questions per byte and no third. Quotes that stand for one quote are only
 *        taken out when the row is whole, so that a row can be read again when more of it has come.
 *
 * Taken beyond the RFC: lines may end in LF alone; a quote inside a field that does not begin with
 * one is an ordinary byte; lines without anything are passed over.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "import_input.h"

/* A field that has been found; `quotes`: doubled quotes are still in it. */
struct found {
	char *at;
	uint32_t bytes;
	bool quotes;
};

/* "a ""quoted"" field": `at` is behind the opening quote. The byte behind the closing one, or NULL:
 * it does not end here. */
static char *quoted_end(char *at, char *end, struct found *found, uint32_t *lines)
{
	found->at = at;
	found->quotes = false;
	for (;;) {
		char *quote = memchr(at, '"', (size_t)(end - at));
		if (!quote)
			return NULL;
		for (char *c = at; (c = memchr(c, '\n', (size_t)(quote - c))); c++)
			++*lines;
		/* The last byte that has been read may be the first of two quotes. */
		if (quote + 1 < end && quote[1] == '"') {
			found->quotes = true;
			at = quote + 2;
			continue;
		}
		found->bytes = (uint32_t)(quote - found->at);
		return quote + 1;
	}
}

static uint32_t without_doubled(char *text, uint32_t bytes)
{
	uint32_t used = 0;
	for (uint32_t i = 0; i < bytes; i++) {
		text[used++] = text[i];
		if (text[i] == '"')
			i++;
	}
	return used;
}

static ssize_t broken(char *why, size_t why_bytes, const char *what)
{
	snprintf(why, why_bytes, "%s", what);
	return -EBADMSG;
}

/* One field at `at`; where it ended in *ret_end: at its delimiter, its newline, or the end. */
static int field_at(const struct import_input *input, char *at, struct found *found, char **ret_end,
		    uint32_t *lines)
{
	char *end = input->buffer + input->end;
	if (at < end && *at == '"') {
		at = quoted_end(at + 1, end, found, lines);
		if (!at)
			return 0;
		/* "..."\r\n */
		if (at < end && *at == '\r' && (at + 1 == end || at[1] == '\n'))
			at++;
		*ret_end = at;
		return at < end && *at != input->delimiter && *at != '\n' ? -EBADMSG : 1;
	}
	char delimiter = input->delimiter;
	char *from = at;
	while (*at != delimiter && *at != '\n')
		at++;
	uint32_t bytes = (uint32_t)(at - from);
	if (bytes && *at == '\n' && at[-1] == '\r')
		bytes--;
	*found = (struct found){from, bytes, false};
	*ret_end = at;
	return 1;
}

ssize_t import_csv_row(struct import_input *input, struct import_row *row, uint32_t *ret_lines,
		       char *why, size_t why_bytes)
{
	char *begin = input->buffer + input->begin;
	char *end = input->buffer + input->end;
	char *at = begin;
	bool quotes = false;

	*end = '\n'; /* the sentinel */
	row->count = 0;
	*ret_lines = 1;
	for (;;) {
		struct found found;
		int ret = field_at(input, at, &found, &at, ret_lines);
		if (ret == 0 && input->ended)
			return broken(why, why_bytes, "a quote opens here and is never closed");
		if (ret == 0 || (at == end && !input->ended))
			return 0;
		if (ret < 0)
			return broken(why, why_bytes,
				      "text behind a closing quote (a quote in a quoted field is "
				      "written twice)");
		if (row->count == IMPORT_COLUMNS_MAX)
			return broken(why, why_bytes, "more than 4096 columns");
		/* The mark of doubled quotes rides in `is_number` until the row is whole. */
		input->fields[row->count++] = (struct import_field){
			.text = found.at, .bytes = found.bytes, .is_number = found.quotes};
		quotes |= found.quotes;
		if (at == end || *at == '\n')
			break;
		at++;
	}
	for (uint32_t i = 0; quotes && i < row->count; i++) {
		struct import_field *field = &input->fields[i];
		if (field->is_number)
			field->bytes = without_doubled(
				input->buffer + (field->text - input->buffer), field->bytes);
		field->is_number = false;
	}
	row->fields = input->fields;
	return at - begin + (at < end);
}
