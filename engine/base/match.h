/*
 * match: does a text fit a pattern, does a slice have these dimension values?
 *
 * Runs on: any thread. Pure; what they say depends on no locale.
 */
#ifndef BASE_MATCH_H
#define BASE_MATCH_H

#include <stdbool.h>
#include <stddef.h>

/* `*` in the pattern stands for any text. */
bool match_glob(const char *pattern, const char *text);
/* Does the label have every piece of the pattern? Both are "country=DE,device=mobile"; "" is a
 * pattern that all labels fit. */
bool match_slice(const char *pattern, const char *label);

/* The bytes of the first piece of a label, "country=DE": up to a comma that no backslash makes a
 * part of its value. */
size_t match_piece(const char *label);

#endif
