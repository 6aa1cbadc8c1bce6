/*
 * revisions: are two lists of anomalies' revisions the same, bit for bit?
 */
#include "revisions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fnv.h"
#include "deliver/payload.h"

#define MIX(hash, field) fnv(hash, &(field), sizeof(field))

/* A text up to its NUL, and the NUL: what lies behind it says nothing. */
static uint64_t mix_text(uint64_t hash, const char *text, size_t size)
{
	size_t bytes = strnlen(text, size);
	return fnv(fnv(hash, text, bytes), "", 1);
}

#define MIX_TEXT(hash, field) mix_text(hash, field, sizeof(field))

static uint64_t fingerprint(const struct anomaly *anomaly)
{
	uint64_t hash = FNV_BEGIN;
	hash = MIX(hash, anomaly->group);
	hash = MIX(hash, anomaly->severity);
	hash = MIX(hash, anomaly->severity_peak);
	hash = MIX_TEXT(hash, anomaly->source);
	hash = MIX_TEXT(hash, anomaly->metric);
	hash = MIX_TEXT(hash, anomaly->detector);
	hash = MIX_TEXT(hash, anomaly->kind);
	hash = MIX_TEXT(hash, anomaly->slice);
	hash = MIX(hash, anomaly->direction);
	hash = MIX(hash, anomaly->interval_ms);
	hash = MIX(hash, anomaly->frequency_ms);
	hash = MIX(hash, anomaly->start);
	hash = MIX(hash, anomaly->interval);
	hash = MIX(hash, anomaly->peak_interval);
	hash = MIX(hash, anomaly->observed);
	hash = MIX(hash, anomaly->expected);
	hash = MIX(hash, anomaly->lower);
	hash = MIX(hash, anomaly->upper);
	hash = MIX(hash, anomaly->log10_p);
	hash = MIX(hash, anomaly->usual);
	hash = MIX(hash, anomaly->fall);
	hash = MIX(hash, anomaly->rise);
	hash = MIX(hash, anomaly->incomplete);
	hash = MIX(hash, anomaly->fired);
	hash = MIX(hash, anomaly->muted);
	hash = MIX(hash, anomaly->acknowledged);
	for (uint32_t i = 0; i < anomaly->contributions && i < ANOMALY_CONTRIBUTIONS_MAX; i++) {
		const struct contribution *one = &anomaly->contribution[i];
		hash = MIX_TEXT(hash, one->dimension);
		hash = MIX_TEXT(hash, one->value);
		hash = MIX(hash, one->share);
		hash = MIX(hash, one->observed);
		hash = MIX(hash, one->expected);
	}
	for (uint32_t i = 0; i < anomaly->explanations && i < ANOMALY_EXPLANATIONS_MAX; i++) {
		const struct explanation *one = &anomaly->explanation[i];
		hash = MIX_TEXT(hash, one->slice);
		hash = MIX(hash, one->share);
		hash = MIX(hash, one->observed);
		hash = MIX(hash, one->expected);
		hash = MIX(hash, one->evidence);
		hash = MIX(hash, one->since);
	}
	for (uint32_t i = 0; i < anomaly->relateds && i < ANOMALY_RELATED_MAX; i++) {
		const struct related *one = &anomaly->related[i];
		hash = MIX_TEXT(hash, one->metric);
		hash = MIX(hash, one->direction);
		hash = MIX(hash, one->start_ms);
		hash = MIX(hash, one->lead_ms);
	}
	return hash;
}

int revisions_add(struct revisions *revisions, const struct anomaly *anomaly)
{
	if (revisions->count == revisions->capacity) {
		size_t capacity = revisions->capacity ? 2 * revisions->capacity : 256;
		struct revision *grown = realloc(revisions->list, capacity * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		revisions->list = grown;
		revisions->capacity = capacity;
	}
	revisions->list[revisions->count++] = (struct revision){
		.id = {anomaly->id[0], anomaly->id[1]},
		.revision = anomaly->revision,
		.state = (uint32_t)anomaly->state,
		.severity = anomaly->severity,
		.fingerprint = fingerprint(anomaly),
	};
	return 0;
}

void revisions_fini(struct revisions *revisions)
{
	free(revisions->list);
	*revisions = (struct revisions){0};
}

/* By id and revision. */
static int compare_identity(const void *left, const void *right)
{
	const struct revision *a = left, *b = right;
	for (int i = 0; i < 2; i++)
		if (a->id[i] != b->id[i])
			return a->id[i] < b->id[i] ? -1 : 1;
	return (a->revision > b->revision) - (a->revision < b->revision);
}

static void say(FILE *to, const struct revision *revision, const char *what)
{
	char id[33];
	if (!to)
		return;
	anomaly_id_text(revision->id, id);
	fprintf(to, "%s-%u (%s, severity %.17g): %s\n", id, revision->revision,
		anomaly_state_name((enum anomaly_state)revision->state), revision->severity, what);
}

struct revisions_difference revisions_compare(struct revisions *left, const char *left_name,
					      struct revisions *right, const char *right_name,
					      FILE *to)
{
	struct revisions_difference difference = {0};
	char only_left[64], only_right[64];
	size_t i = 0, j = 0;
	snprintf(only_left, sizeof(only_left), "only in the %s", left_name);
	snprintf(only_right, sizeof(only_right), "only in the %s", right_name);
	if (left->count)
		qsort(left->list, left->count, sizeof(*left->list), compare_identity);
	if (right->count)
		qsort(right->list, right->count, sizeof(*right->list), compare_identity);
	while (i < left->count || j < right->count) {
		int order = i == left->count    ? 1
			    : j == right->count ? -1
						: compare_identity(&left->list[i], &right->list[j]);
		if (order < 0) {
			difference.only_left++;
			say(to, &left->list[i++], only_left);
			continue;
		}
		if (order > 0) {
			difference.only_right++;
			say(to, &right->list[j++], only_right);
			continue;
		}
		const struct revision *a = &left->list[i++], *b = &right->list[j++];
		if (a->state == b->state && a->fingerprint == b->fingerprint) {
			difference.same++;
			continue;
		}
		difference.changed++;
		say(to, a, left_name);
		say(to, b, right_name);
	}
	return difference;
}
