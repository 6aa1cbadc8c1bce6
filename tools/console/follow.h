/*
 * follow: keeps the book as the store is.
 *
 * Idea:  a connection of its own, and a look ten times a second whether anybody has committed,
 *        which costs next to nothing; then only what has come since is read. Another store under
 *        the same name, or one whose log was lost, is read anew, and who listens is told so.
 * Runs on: a thread of its own; follow_catch_up() on any.
 */
#ifndef CONSOLE_FOLLOW_H
#define CONSOLE_FOLLOW_H

#include "book.h"

struct follow;
struct book_row;

struct follow_options {
	struct book *book;
	/* One anomaly has changed; or everything has, as when all has been read for the first
	 * time: before that nothing is told. */
	void (*changed)(void *self, const struct book_row *row);
	void (*reset)(void *self);
	void *self;
};

/* 0 or negative errno. */
int follow_create(const struct follow_options *options, struct follow **ret_follow);
/* The store's file; NULL: it is not known yet. */
int follow_path(struct follow *follow, const char *path);
/* One look. 1: there is more to read; 0: all is read; negative errno: not now. */
int follow_step(struct follow *follow);
/* Everything that is stored by now is in the book when this comes back, or there is no store. */
void follow_catch_up(struct follow *follow);
/* Has everything that there was been read once? */
bool follow_is_ready(struct follow *follow);
int follow_start(struct follow *follow); /* the thread; 0 or negative errno */
void follow_destroy(struct follow *follow);

#endif
