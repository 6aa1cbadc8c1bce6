/*
 * history_dump: what a history holds, as text, so that two of them can be compared.
 */
#ifndef TESTS_SUPPORT_HISTORY_DUMP_H
#define TESTS_SUPPORT_HISTORY_DUMP_H

/* Every chunk of the history.db in a data directory, by names and in order: a line each. To be
 * freed. Without the source of that name (NULL: with all): a live one goes on while it is looked
 * at. A file that cannot be read ends the test. */
char *history_dump(const char *data, const char *without);
/* Take it away, with what SQLite keeps beside it. */
void history_remove(const char *data);
/* The first difference of two, for people. */
void history_show_difference(const char *live, const char *rebuilt);

#endif
