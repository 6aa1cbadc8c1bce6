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

#endif
