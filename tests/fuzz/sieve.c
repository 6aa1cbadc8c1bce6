/*
 * sieve: bytes as what somebody asks the console's list for: parameters, each a name, a value and a
 * NUL between.
 *
 * Holds: it is refused with a reason, or answered: as many of the histogram as are shown, rows in
 * their order, and the page behind a cursor is what was left.
 */
#include "sieve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/console/made.h"
#include "base/check.h"
#include "target.h"

#define ASKED_MAX 16

struct asked {
	const char *name[ASKED_MAX], *value[ASKED_MAX];
	unsigned count;
	const char *cursor; /* instead of what was asked */
};

static struct book *book;

static const char *get(const void *self, const char *name)
{
	const struct asked *asked = self;

	if (asked->cursor && strcmp(name, "cursor") == 0)
		return asked->cursor;
	for (unsigned i = 0; i < asked->count; i++)
		if (strcmp(asked->name[i], name) == 0)
			return asked->value[i];
	return NULL;
}

static void make_book(void)
{
	static const char *const slices[] = {"", "country=IT", "country=IT,device=app",
					     "country=a,b=c"};

	check(book_create(0, &book) == 0);
	check(book_metric(book, "orders", "count", "count") == 0);
	for (uint64_t i = 1; i < 40; i++) {
		struct anomaly made = made_anomaly(i, i % 3 ? "orders" : "share", slices[i % 4]);
		made.severity = made.severity_peak = (double)(i * 7 % 101);
		check(book_revision(book, &made) == 0);
	}
	check(book_settle(book) == 0);
}

/* The text is cut in place. */
static void take_apart(char *text, size_t size, struct asked *asked)
{
	size_t at = 0;

	while (at < size && asked->count < ASKED_MAX) {
		const char *name = text + at;
		at += strlen(name) + 1;
		if (at >= size)
			return;
		asked->name[asked->count] = name;
		asked->value[asked->count++] = text + at;
		at += strlen(text + at) + 1;
	}
}

/* How many rows there are from here on. */
static uint32_t ask(const struct asked *asked, struct sieve_answer *answer)
{
	struct sieve *sieve;
	char why[256] = "";
	uint32_t binned = 0;

	if (sieve_create(get, asked, &sieve, why, sizeof(why)) < 0) {
		check(why[0]);
		return BOOK_NONE;
	}
	check(sieve_run(sieve, book, answer) == 0);
	for (int i = 0; i < SIEVE_BINS; i++)
		binned += answer->histogram[i];
	check(answer->shown <= binned && binned <= answer->total && answer->rows <= answer->shown);
	for (uint32_t i = 0; i < answer->rows; i++) {
		json_t *json = row_json(&answer->row[i]);
		check(json);
		json_decref(json);
	}
	sieve_free(sieve);
	return answer->rows;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct asked asked = {0};
	struct sieve_answer answer, next;
	char *text = calloc(1, size + 1);

	if (!book)
		make_book();
	check(text);
	memcpy(text, data, size);
	take_apart(text, size, &asked);
	uint32_t rows = ask(&asked, &answer);
	if (rows != BOOK_NONE) {
		asked.cursor = answer.cursor;
		if (answer.cursor[0] && ask(&asked, &next) != BOOK_NONE) {
			check(next.shown == answer.shown && rows + next.rows <= answer.shown);
			sieve_answer_fini(&next);
		}
		sieve_answer_fini(&answer);
	}
	free(text);
	return 0;
}
