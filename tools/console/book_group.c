/*
 * book_group: the groups that entries form, and the book kept bounded.
 *
 * Idea:  a group is a list through its entries. When there are too many entries the oldest that are
 *        over go, an eighth at a time, and the texts that nobody is called by any more with them.
 */
#include "book_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t place_of(const struct book *book, const uint64_t id[2])
{
	uint32_t at = (uint32_t)(id[0] ^ id[1] >> 7) & (book->places - 1);

	while (book->group_place[at] &&
	       memcmp(book->group[book->group_place[at] - 1].id, id, sizeof(uint64_t[2])) != 0)
		at = (at + 1) & (book->places - 1);
	return at;
}

int book_join(struct book *book, struct book_entry *entry)
{
	uint32_t at = place_of(book, entry->group);

	if (!book->group_place[at]) {
		if (book->groups == book->groups_capacity) {
			uint32_t capacity = book->groups_capacity ? 2 * book->groups_capacity : 256;
			struct book_group *grown = realloc(book->group,
							   capacity * sizeof(grown[0]));
			if (!grown)
				return -ENOMEM;
			book->group = grown;
			book->groups_capacity = capacity;
		}
		struct book_group *group = &book->group[book->groups];
		*group = (struct book_group){.first = BOOK_NONE};
		memcpy(group->id, entry->group, sizeof(group->id));
		book->group_place[at] = ++book->groups;
	}
	struct book_group *group = &book->group[book->group_place[at] - 1];
	entry->in_group = book->group_place[at] - 1;
	entry->next = group->first;
	group->first = (uint32_t)(entry - book->entry);
	group->members += book_is_listed(entry);
	return 0;
}

int book_regroup(struct book *book)
{
	int error = 0;

	book->groups = 0;
	book->loose = false;
	memset(book->group_place, 0, book->places * sizeof(book->group_place[0]));
	for (uint32_t i = 0; i < book->count && !error; i++)
		error = book_join(book, &book->entry[i]);
	return error;
}

const struct book_group *book_group_of(const struct book *book, const struct book_entry *entry)
{
	return &book->group[entry->in_group];
}

static int again(struct names *names, const struct name **name)
{
	if (*name)
		*name = names_take(names, (*name)->text, (*name)->bytes);
	return *name ? 0 : -ENOMEM;
}

static int rename_entry(struct names *names, struct book_entry *entry)
{
	int error = again(names, &entry->source) | again(names, &entry->metric) |
		    again(names, &entry->detector) | again(names, &entry->kind) |
		    again(names, &entry->slice);

	if (entry->first_mover)
		error |= again(names, &entry->first_mover);
	for (unsigned i = 0; i < entry->pairs; i++)
		error |= again(names, &entry->pair[i]);
	for (unsigned i = 0; i < entry->explanations; i++)
		error |= again(names, &entry->explained[i]);
	return error ? -ENOMEM : 0;
}

/* The texts that are still of use, in a table of their own. Without memory half of the entries have
 * texts of a table that is gone, and must not be looked at any more. */
static int rename_all(struct book *book)
{
	struct names *names = names_create();
	int error = names ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < book->count && !error; i++)
		error = rename_entry(names, &book->entry[i]);
	for (uint32_t i = 0; i < book->sources && !error; i++)
		error = again(names, &book->source[i].name);
	if (!error)
		book_take_names(book, names);
	else
		names_release(names);
	return error;
}

/* What went before it fired goes first. */
static uint32_t superfluous(const struct book *book)
{
	uint32_t listed = 0;

	for (uint32_t i = 0; i < book->count; i++)
		listed += book_is_listed(&book->entry[i]);
	return listed > book->kept_max ? listed - book->kept_max : 0;
}

static void forget(struct book *book)
{
	uint32_t too_many = superfluous(book), kept = 0;

	for (uint32_t i = 0; i < book->count; i++) {
		const struct book_entry *entry = &book->entry[i];
		if (!book_is_listed(entry))
			continue;
		if (too_many > 0 && book_is_over(entry)) {
			too_many--;
			continue;
		}
		if (kept != i)
			book->entry[kept] = *entry;
		kept++;
	}
	book->count = kept;
	book->changes = 0;
	for (uint32_t i = 0; i < kept; i++)
		if (book->entry[i].changed)
			book->changed[book->changes++] = i;
}

static int make_bounded(struct book *book)
{
	forget(book);
	book_index(book);
	int error = rename_all(book);
	return error ? error : book_regroup(book);
}

int book_settle(struct book *book)
{
	int error = 0;

	if (book->count > book->kept_max + book->kept_max / 8 && book->count > book->too_open) {
		error = make_bounded(book);
		/* What is open cannot go: try again when there is more to be had. */
		book->too_open = book->count > book->kept_max ? book->count + book->kept_max / 8
							      : 0;
	}
	if (!error && book->loose)
		error = book_regroup(book);
	/* Half made it is of no use to anybody who gets the lock next; follow begins anew. */
	if (error)
		book_empty(book);
	else if (book->mutes_turned)
		book_mutes_settle(book);
	return error;
}
