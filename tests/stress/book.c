/*
 * book: the console's anomalies under everything at once: one thread writes revisions and what
 * operators say, forgets the old ones and begins anew, while others ask for lists and make JSON of
 * them behind its back.
 *
 * Idea:  each answer has to add up by itself, whatever it met: as many of the histogram as are
 *        shown, rows that pass, texts that belong together. Under ThreadSanitizer, also without a
 *        race.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/console/made.h"
#include "base/check.h"
#include "book.h"
#include "sieve.h"
#include "weir/order.h"

enum { READERS = 3, KEPT = 300, WRITTEN = 12000, ANEW_EVERY = 5000 };

struct stress {
	struct book *book;
	uint32_t quit;
};

static void write_one(struct book *book, uint64_t number)
{
	struct anomaly made;
	char metric[16], slice[48];

	snprintf(metric, sizeof(metric), "m%u", (unsigned)(number % 7));
	snprintf(slice, sizeof(slice), "metric=%s,number=%llu", metric, (unsigned long long)number);
	made = made_anomaly(number, metric, number % 3 ? slice : "");
	made.severity = made.severity_peak = (double)(number % 101);
	book_write(book);
	check(book_revision(book, &made) == 0);
	if (number % 50) {
		made_next(&made, ANOMALY_RESOLVED, 3);
		check(book_revision(book, &made) == 0);
	}
	if (number % 11 == 0) {
		struct operator_input said = {
			.kind = OPERATOR_FEEDBACK, .number = number, .has_id = true};
		memcpy(said.id, made.id, sizeof(said.id));
		strcpy(said.detail, "{\"verdict\":\"yes\"}");
		check(book_input(book, &said, 0) == 0);
	}
	check(book_settle(book) == 0);
	if (number % ANEW_EVERY == 0)
		check(book_reset(book) == 0);
	book_done(book);
}

/* What a change is told as is whole too. */
static void take_some(struct book *book)
{
	static struct book_entry entry[16];

	book_write(book);
	uint32_t count = book_take_changes(book, entry, 16);
	for (uint32_t i = 0; i < count; i++)
		check(book_find(book, entry[i].id) != NULL);
	book_done(book);
}

static void *write_run(void *argument)
{
	struct stress *stress = argument;

	for (uint64_t number = 1; number <= WRITTEN; number++) {
		write_one(stress->book, number);
		take_some(stress->book);
	}
	/* Relaxed: it only ends loops; the joins behind it order the rest. */
	weir_store_relaxed_32(&stress->quit, 1);
	return NULL;
}

static const char *get(const void *self, const char *name)
{
	return strcmp(name, self) == 0 ? strcmp(name, "q") == 0 ? "m3" : "each" : NULL;
}

/* The slice says which metric it is of. */
static void check_row(const struct book_row *row)
{
	json_t *json = row_json(row);
	const char *of = json_string_value(
		json_object_get(json_object_get(json, "dimensions"), "metric"));
	const char *metric = json_string_value(json_object_get(json, "metric"));

	check(json && metric && (!of || strcmp(of, metric) == 0));
	json_decref(json);
}

static void *read_run(void *argument)
{
	static const char *const asked[] = {"", "by", "q"};
	struct stress *stress = argument;
	uint64_t answers = 0;

	/* Relaxed: see write_run(). */
	while (!weir_load_relaxed_32(&stress->quit)) {
		struct sieve_answer answer;
		struct sieve *sieve;
		char why[128];
		uint32_t binned = 0;
		check(sieve_create(get, asked[answers % 3], &sieve, why, sizeof(why)) == 0);
		check(sieve_run(sieve, stress->book, &answer) == 0);
		for (int i = 0; i < SIEVE_BINS; i++)
			binned += answer.histogram[i];
		check(binned == answer.shown && answer.shown <= answer.total);
		check(answer.rows == (answer.shown < 100 ? answer.shown : 100));
		for (uint32_t i = 0; i < answer.rows; i++)
			check_row(&answer.row[i]);
		sieve_answer_fini(&answer);
		sieve_free(sieve);
		answers++;
	}
	printf("%llu answers\n", (unsigned long long)answers);
	return NULL;
}

int main(void)
{
	struct stress stress = {0};
	pthread_t readers[READERS], writer;

	check(book_create(KEPT, &stress.book) == 0);
	for (int i = 0; i < READERS; i++)
		check(pthread_create(&readers[i], NULL, read_run, &stress) == 0);
	check(pthread_create(&writer, NULL, write_run, &stress) == 0);
	pthread_join(writer, NULL);
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	check(stress.book->count <= KEPT + KEPT / 8 + WRITTEN / 50);
	book_destroy(stress.book);
	return 0;
}
