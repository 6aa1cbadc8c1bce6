/*
 * config_text: the detectors of a configuration as they are written, and its text with others.
 *
 * Idea:  what an operator tries or changes is a few keys of a detector. They are put into the text
 *        itself, in the place of its list, so that the result is a configuration like any other:
 *        read by the same code, with the same messages, and whole in the log.
 *
 *   detectors:                            detectors: [
 *     - name: orders          ──>            {name: "orders", metric: "orders", severity: "60"},
 *       metric: orders                       ...]
 *
 * A detector here is a JSON object of its keys, each a text or a list of texts.
 *
 * Runs on: the control agent; weirctl.
 */
#ifndef ENGINE_CONFIG_TEXT_H
#define ENGINE_CONFIG_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Those of a configuration, of a list under `detectors:`, of a list alone, or of one detector
 * alone. Of a configuration that lists none: one for each metric. NULL: `why` says what is wrong,
 * with line and column. */
json_t *config_text_detectors(const char *text, size_t bytes, const char *name, char *why,
			      size_t why_bytes);
/* What it is called, be it after its metric and kind. false: it cannot be. */
bool config_text_name(const json_t *detector, char *ret_name, size_t size);
/* The text with these as its detectors; with intervals of this length (0: its own). Malloc'd;
 * NULL: it cannot be written, and `why` says why, with the text's name. */
char *config_text_with(const char *text, size_t bytes, const json_t *detectors, int64_t interval_ms,
		       const char *name, char *why, size_t why_bytes);

#endif
