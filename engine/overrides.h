/*
 * overrides: what operators have changed of the configuration's detectors, beside the file.
 *
 * Idea:  an override is an input of its own (input_override.c): a number, an author, and layers of
 *        keys. Those that nothing has undone lie over the detectors of the file, the oldest first;
 *        what comes of it is the text of a whole configuration (config_text.h), and that goes into
 *        the control log like any other. So a replay needs to know of no override.
 *
 *   file ──> override 4 ──> override 9 ──> text ──> CONFIG record
 *
 * One that does not fit any more, since the file is another one, is left out and says why.
 *
 * Runs on: the control agent; the main thread at the start.
 */
#ifndef ENGINE_OVERRIDES_H
#define ENGINE_OVERRIDES_H

#include <jansson.h>
#include <stddef.h>

#include "config.h"
#include "deliver/operator.h"

/* What an input says, as an entry of a list: {"number","author","time_ms","text","layers"}. */
json_t *overrides_entry(const struct operator_input *input);
/* Those of the store that are in force, the oldest first. NULL: it cannot be read. */
json_t *overrides_read(const char *store_path);
/* The configuration of this text, of a file of this name, with them; entries that are left out get
 * "left": why, others lose it. *ret_config: NULL where none applies. 0; -EINVAL with why: the text
 * is written so that nothing can be laid over it. */
int overrides_apply(const char *text, const char *name, json_t *list, struct config **ret_config,
		    char *why, size_t why_bytes);

#endif
