/*
 * still: the name of a database that nobody has open, for who may read it and not write beside it.
 *
 * SQLite's write-ahead log goes with the last connection that closes well, and with it what a
 * reader without the right to make files needs. Behind such an end the database's own file is all
 * there is, and holds still: it may be read as a file that does not change.
 */
#ifndef BASE_STILL_H
#define BASE_STILL_H

#include <stdbool.h>
#include <stddef.h>

#define STILL_BYTES 12400 /* each byte of the longest path as three */

/* Is there no write-ahead log beside it? */
bool still_is(const char *path);
/* Then its name for SQLITE_OPEN_URI: read from then on without a look at who else is there, so
 * that it has to be closed when still_is() says no. False: somebody has it open, or had. */
bool still_name(const char *path, char ret_name[STILL_BYTES]);

#endif
