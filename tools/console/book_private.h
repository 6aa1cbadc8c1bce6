/*
 * book_private: what the files of the book share.
 *
 *   book.c         entries, found by id; revisions
 *   book_group.c   the groups that entries form; keeping the book bounded
 *   book_said.c    what operators said: verdicts, acknowledgements, mutes
 */
#ifndef CONSOLE_BOOK_PRIVATE_H
#define CONSOLE_BOOK_PRIVATE_H

#include "book.h"

/* A verdict that was given. */
struct book_said {
	uint64_t number;
	uint64_t id[2];
	uint8_t verdict;
	bool ended;
};

/* No anomaly, nothing said; what is known of metrics stays. */
void book_empty(struct book *book);
/* This table instead of the book's: metrics have their names of it, all others are the caller's. */
void book_take_names(struct book *book, struct names *names);
/* Find ids anew. */
void book_index(struct book *book);
/* Form all groups anew; put one more entry into its own. 0 or -ENOMEM. */
int book_regroup(struct book *book);
int book_join(struct book *book, struct book_entry *entry);
/* What is seen of the entry is another thing now. */
void book_note(struct book *book, struct book_entry *entry);
bool book_mutes_hold(const struct book *book, const struct book_entry *entry);
/* Look again at all that goes on. */
void book_mutes_settle(struct book *book);

#endif
