/*
 * names: each text once, with a number: what anomalies are called by, compared by address and
 * counted by number.
 *
 * Idea:  texts are only ever added, and stay where they are until the last who holds the table is
 *        gone. So a reader takes hold of it, copies what points into it, and goes on without a
 *        lock. What is no UTF-8 becomes U+FFFD: all of it can be shown.
 * Runs on: one thread adds, with the lock of the book; any thread reads.
 */
#ifndef CONSOLE_NAMES_H
#define CONSOLE_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct name {
	uint32_t number; /* from 0 on */
	uint32_t bytes;
	struct name *next;
	uint64_t hash;
	char text[]; /* with a NUL */
};

struct names;

struct names *names_create(void); /* NULL: no memory */
struct names *names_hold(struct names *names);
void names_release(struct names *names);
/* The name of a text, added if it is new; NULL: no memory. */
const struct name *names_take(struct names *names, const char *text, size_t bytes);
/* NULL: nobody is called so. */
const struct name *names_find(const struct names *names, const char *text, size_t bytes);
uint32_t names_count(const struct names *names);

#endif
