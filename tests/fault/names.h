/*
 * names: what function an address of this program lies in, statics too.
 */
#ifndef TESTS_FAULT_NAMES_H
#define TESTS_FAULT_NAMES_H

/* Reads the symbols of the running program. Once. */
void names_read(void);
/* NULL: none of this program's functions. */
const char *name_of(const void *address);

#endif
