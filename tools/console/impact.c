/*
 * impact: see impact.h.
 */
#include "impact.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "book.h"
#include "console.h"
#include "follow.h"
#include "in_force.h"
#include "looking.h"

#define WHY_BYTES 640
#define WANTED_MAX 16u
#define ANEW_MAX 2u     /* of those */
#define STEP_MS 150     /* of each second at most, and one anomaly more */
#define AGAIN_MS 10000  /* of what goes on */
#define LATER_MS 600000 /* of what cannot be read */
#define AGAIN_PART 8    /* of the time since it ended, until that is summed again */
#define NICE 19

struct impact {
	const struct config *config; /* by which all that is known was reckoned */
};

struct impact *impact_open(void)
{
	return calloc(1, sizeof(struct impact));
}

void impact_close(struct console *console, struct impact *impact)
{
	if (impact)
		in_force_give(console->in_force, impact->config);
	free(impact);
}

/* Under another configuration something else was expected, of the copies in hand too. False: nobody
 * knows it. */
static bool take_config(struct console *console, struct book_entry *wanted, uint32_t count)
{
	struct impact *impact = console->impact;
	char why[ENGINE_WHY_BYTES];
	const struct config *config = in_force_take(console->in_force, why);

	if (!config || config == impact->config) {
		in_force_give(console->in_force, config);
		return config != NULL;
	}
	book_write(console->book);
	book_forget_exact(console->book);
	book_done(console->book);
	for (uint32_t i = 0; i < count; i++)
		wanted[i].exact = (struct book_exact){0};
	in_force_give(console->in_force, impact->config);
	impact->config = config;
	return true;
}

/* Values less what was expected, and how far they go; NaN: of one of them nobody can say. */
static double sum_of(const struct outlook *outlook, int64_t from_ms, int64_t *ret_through_ms)
{
	uint32_t count = outlook->count - outlook->open;
	double sum = 0;

	*ret_through_ms = 0;
	for (uint32_t i = 0; i < count; i++) {
		const struct outlook_point *point = &outlook->points[i];
		if (point->time_ms < from_ms || isnan(point->value))
			continue;
		sum += point->value - point->expected;
		*ret_through_ms = point->time_ms + outlook->step_ms;
	}
	return *ret_through_ms ? sum : NAN;
}

/* What is found; through_ms 0: nothing yet. */
static struct book_exact reckon(const struct looking *looking, const struct book_entry *entry)
{
	struct outlook_query query = looking_query(looking, entry->metric->text);
	struct book_exact exact = {.sum = NAN, .due_ms = monotonic_ms() + LATER_MS};
	bool over = book_is_over(entry);
	struct outlook outlook;
	char why[WHY_BYTES];

	query.source = entry->source->text;
	query.slice = entry->slice->text;
	query.from_ms = entry->start_ms;
	query.step_ms = entry->interval_ms;
	if (over)
		query.to_ms = entry->through_ms;
	if (outlook_read(&query, &outlook, why, sizeof(why)) < 0)
		return exact;
	exact.due_ms = monotonic_ms() + AGAIN_MS;
	if (outlook.step_ms == entry->interval_ms)
		exact.sum = sum_of(&outlook, entry->start_ms, &exact.through_ms);
	int64_t since_ms = outlook.through_ms - entry->through_ms;
	/* What has ended is known once the history is as far; only what comes late changes it. */
	if (over)
		exact.through_ms = since_ms >= 0 ? entry->through_ms : 0;
	if (over && since_ms / AGAIN_PART > AGAIN_MS)
		exact.due_ms = monotonic_ms() + since_ms / AGAIN_PART;
	outlook_fini(&outlook);
	return exact;
}

/* What was known of it stays where its intervals cannot be read any more. */
static struct book_exact reckon_again(const struct looking *looking, const struct book_entry *entry)
{
	struct book_exact exact = reckon(looking, entry);

	if (isnan(exact.sum) && book_is_over(entry) && book_is_exact(entry)) {
		exact.sum = entry->exact.sum;
		exact.through_ms = entry->exact.through_ms;
	}
	return exact;
}

void impact_step(struct console *console)
{
	struct book_entry wanted[WANTED_MAX];
	struct looking looking;
	unsigned status = 200;
	uint64_t begun_ms = monotonic_ms();

	if (!follow_is_ready(console->follow))
		return;
	setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
	book_read(console->book);
	uint32_t count = book_inexact(console->book, begun_ms, BOOK_GOES_ON, wanted, ANEW_MAX);
	count += book_inexact(console->book, begun_ms, BOOK_FIRST, wanted + count,
			      WANTED_MAX - count);
	count += book_inexact(console->book, begun_ms, BOOK_CORRECTED, wanted + count,
			      WANTED_MAX - count);
	struct names *names = names_hold(console->book->names);
	book_done(console->book);
	if (count && take_config(console, wanted, count)) {
		json_t *failed = looking_begin(console, &looking, &status);
		for (uint32_t i = 0; i < count && !failed && looking.config &&
				     monotonic_ms() - begun_ms < STEP_MS;
		     i++) {
			struct book_exact exact = reckon_again(&looking, &wanted[i]);
			book_write(console->book);
			book_take_exact(console->book, &wanted[i], &exact);
			book_done(console->book);
		}
		json_decref(failed);
		looking_end(&looking);
	}
	names_release(names);
}
