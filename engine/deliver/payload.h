/*
 * payload: an anomaly as CloudEvents 1.0 JSON. payload.schema.json beside this file describes it.
 */
#ifndef DELIVER_PAYLOAD_H
#define DELIVER_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detect/anomaly.h"

/* A NUL-terminated string to free(), or NULL without memory. environment: "prod". The same anomaly
 * gives the same bytes. */
char *payload_json(const struct anomaly *anomaly, const char *environment);
/* "critical", "major", "minor", "warning", "none". */
const char *severity_band_name(double severity);
/* With one decimal, cut and not rounded: what is shown lies in the band that is named. */
double severity_shown(double severity);
const char *anomaly_state_name(enum anomaly_state state);
/* 32 hex digits and a NUL. */
void anomaly_id_text(const uint64_t id[2], char text[33]);
/* Unix time in ms at which an interval of this anomaly begins, or ends. Never overflows. */
int64_t anomaly_time_ms(const struct anomaly *anomaly, int64_t interval, bool end);
/* How long what its `observed` and `expected` speak of is, about: a month is 30 days. From 1 on. */
int64_t anomaly_period_ms(const struct anomaly *anomaly);
/* Of the metrics that moved together the one that did first; of two at once the first by name, so
 * that both name the same. NULL: it moved alone. */
const char *anomaly_first_mover(const struct anomaly *anomaly);
/* Bytes of the well-formed UTF-8 sequence at `text`, 0 if there is none (Unicode, table 3-7). */
size_t utf8_bytes(const unsigned char *text, size_t left);

struct label_pair {
	const char *name, *value;
	size_t name_bytes, value_bytes;
};
/* "country=DE,device=mobile" into at most `max` pairs; how many. A piece without `=`, and one whose
 * name came before, belongs to the value before it: a value may hold a comma. */
unsigned split_label(const char *label, size_t size, struct label_pair *pairs, unsigned max);
/* Of its names and values one as it is, without what sets it apart in a label, into room for
 * `bytes`. How many it has. */
size_t label_plain(const char *text, size_t bytes, char *to);

#endif
