/*
 * sample: anomalies to test with, and a temporary directory of one's own.
 */
#ifndef TEST_SAMPLE_H
#define TEST_SAMPLE_H

#include <dirent.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "detect/anomaly.h"
#include "weir/event.h"

static inline char *sample_directory(void)
{
	static char path[64];
	snprintf(path, sizeof(path), "/tmp/weir-test-XXXXXX");
	if (!mkdtemp(path))
		abort();
	return path;
}

static inline void sample_remove(const char *directory)
{
	DIR *listing = opendir(directory);
	struct dirent *entry;
	char path[512];
	while (listing && (entry = readdir(listing))) {
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(path);
	}
	if (listing)
		closedir(listing);
	rmdir(directory);
}

static inline uint64_t sample_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Bits of any kind: now and then one of the doubles that get lost on the way. */
static inline double sample_double(uint64_t *state)
{
	static const uint64_t odd[] = {
		0x0000000000000000, 0x8000000000000000, /* zeros */
		0x7ff0000000000000, 0xfff0000000000000, /* infinities */
		0x7ff8000000000000, 0xfff8000000000123, /* NaNs with a payload */
		0x0000000000000001, 0x800fffffffffffff, /* subnormal */
		0x7fefffffffffffff, 0x4340000000000001, /* largest, above 2^53 */
		0x3ff0000000000000, 0x4059000000000000, /* 1, 100: SQLite packs integers */
	};
	uint64_t random = sample_random(state);
	if (random % 3 == 0)
		return weir_bits_value(odd[random / 3 % (sizeof(odd) / sizeof(odd[0]))]);
	return weir_bits_value(sample_random(state));
}

/* An alert as the engine would raise it. */
static inline void sample_anomaly(struct anomaly *anomaly)
{
	memset(anomaly, 0, sizeof(*anomaly));
	anomaly->id[0] = 0x0123456789abcdef;
	anomaly->id[1] = 0xfedcba9876543210;
	anomaly->group[0] = 0x1111111122222222;
	anomaly->group[1] = 0x3333333344444444;
	anomaly->revision = 1;
	anomaly->state = ANOMALY_FIRING;
	anomaly->severity = 81.25;
	anomaly->severity_peak = 81.25;
	strcpy(anomaly->source, "live");
	strcpy(anomaly->metric, "orders");
	strcpy(anomaly->detector, "orders by country");
	strcpy(anomaly->kind, "seasonal");
	strcpy(anomaly->slice, "country=DE,device=mobile");
	anomaly->direction = -1;
	anomaly->interval_ms = 10000;
	anomaly->start = 178530047;
	anomaly->interval = 178530048;
	anomaly->peak_interval = 178530048;
	anomaly->observed = 41;
	anomaly->expected = 99.7;
	anomaly->lower = 72.30000000000001;
	anomaly->upper = 127.1;
	anomaly->log10_p = -8.125;
	anomaly->fired = true;
	anomaly->contributions = 2;
	strcpy(anomaly->contribution[0].dimension, "channel");
	strcpy(anomaly->contribution[0].value, "paid search");
	anomaly->contribution[0].share = 0.875;
	anomaly->contribution[0].observed = 3;
	anomaly->contribution[0].expected = 54.3625;
	strcpy(anomaly->contribution[1].dimension, "channel");
	strcpy(anomaly->contribution[1].value, "email");
	anomaly->contribution[1].share = 0.125;
	anomaly->contribution[1].observed = 38;
	anomaly->contribution[1].expected = 45.3375;
	anomaly->explanations = 1;
	strcpy(anomaly->explanation[0].slice, "channel=paid search,device=mobile");
	anomaly->explanation[0].share = 0.8125;
	anomaly->explanation[0].observed = 2;
	anomaly->explanation[0].expected = 49.6953125;
	anomaly->explanation[0].evidence = 12.25;
	anomaly->explanation[0].since = 178530047;
	anomaly->relateds = 2;
	strcpy(anomaly->related[0].metric, "page views");
	anomaly->related[0].direction = -1;
	anomaly->related[0].start_ms = 1785300460000;
	anomaly->related[0].lead_ms = 10000;
	strcpy(anomaly->related[1].metric, "refunds");
	anomaly->related[1].direction = 1;
	anomaly->related[1].start_ms = 1785300480000;
	anomaly->related[1].lead_ms = -10000;
}

static inline void sample_text(uint64_t *state, char *text, size_t size)
{
	size_t bytes = sample_random(state) % size;
	for (size_t i = 0; i < bytes; i++)
		text[i] = (char)(1 + sample_random(state) % 127);
	text[bytes] = '\0';
}

/* Anything the struct can hold. */
static inline void sample_any(struct anomaly *anomaly, uint64_t *state)
{
	memset(anomaly, 0, sizeof(*anomaly));
	for (int i = 0; i < 2; i++) {
		anomaly->id[i] = sample_random(state);
		anomaly->group[i] = sample_random(state);
	}
	anomaly->revision = (uint32_t)sample_random(state);
	anomaly->state = (enum anomaly_state)(sample_random(state) % 4);
	anomaly->severity = sample_double(state);
	anomaly->severity_peak = sample_double(state);
	sample_text(state, anomaly->source, sizeof(anomaly->source));
	sample_text(state, anomaly->metric, sizeof(anomaly->metric));
	sample_text(state, anomaly->detector, sizeof(anomaly->detector));
	sample_text(state, anomaly->kind, sizeof(anomaly->kind));
	sample_text(state, anomaly->slice, sizeof(anomaly->slice));
	anomaly->direction = (int)(sample_random(state) % 3) - 1;
	anomaly->interval_ms = (int64_t)(sample_random(state) % 86400000);
	anomaly->frequency_ms = (int64_t)(sample_random(state) % 86400000) - 1;
	anomaly->start = (int64_t)sample_random(state);
	anomaly->interval = (int64_t)sample_random(state);
	anomaly->peak_interval = (int64_t)sample_random(state);
	anomaly->observed = sample_double(state);
	anomaly->expected = sample_double(state);
	anomaly->lower = sample_double(state);
	anomaly->upper = sample_double(state);
	anomaly->log10_p = sample_double(state);
	anomaly->usual = sample_double(state);
	for (int s = 0; s < FEEDBACK_SCALES; s++) {
		anomaly->fall[s] = sample_double(state);
		anomaly->rise[s] = sample_double(state);
	}
	anomaly->incomplete = sample_random(state) & 1;
	anomaly->fired = sample_random(state) & 1;
	anomaly->muted = sample_random(state) & 1;
	anomaly->acknowledged = sample_random(state) & 1;
	anomaly->contributions = (uint32_t)(sample_random(state) % (ANOMALY_CONTRIBUTIONS_MAX + 1));
	for (uint32_t i = 0; i < anomaly->contributions; i++) {
		struct contribution *contribution = &anomaly->contribution[i];
		sample_text(state, contribution->dimension, sizeof(contribution->dimension));
		sample_text(state, contribution->value, sizeof(contribution->value));
		contribution->share = sample_double(state);
		contribution->observed = sample_double(state);
		contribution->expected = sample_double(state);
	}
	anomaly->explanations = (uint32_t)(sample_random(state) % (ANOMALY_EXPLANATIONS_MAX + 1));
	for (uint32_t i = 0; i < anomaly->explanations; i++) {
		struct explanation *explanation = &anomaly->explanation[i];
		sample_text(state, explanation->slice, sizeof(explanation->slice));
		explanation->share = sample_double(state);
		explanation->observed = sample_double(state);
		explanation->expected = sample_double(state);
		explanation->evidence = sample_double(state);
		explanation->since = (int64_t)sample_random(state);
	}
	anomaly->relateds = (uint32_t)(sample_random(state) % (ANOMALY_RELATED_MAX + 1));
	for (uint32_t i = 0; i < anomaly->relateds; i++) {
		struct related *related = &anomaly->related[i];
		sample_text(state, related->metric, sizeof(related->metric));
		related->direction = (int)(sample_random(state) % 3) - 1;
		related->start_ms = (int64_t)sample_random(state);
		related->lead_ms = (int64_t)sample_random(state);
	}
}

/* Equal to the bit, NaNs and zeros included. Both are zeroed before they are filled, and texts
 * have nothing behind their NUL that differs. */
static inline int sample_equal(const struct anomaly *a, const struct anomaly *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

#endif
