/*
 * input: what operators said, as state: which revisions are muted, which are acknowledged.
 *
 * Idea:  an INPUT record of the control log is JSON text; this takes it apart and keeps what is in
 *        force. Live (storing.c) and replay (replay.c) hand it the same records and the same
 *        revisions in the same order, so both mark the same revisions.
 *
 *   a mute     holds for revisions whose time lies before its end, by the clock of their source
 *   withheld   an anomaly with a muted revision; when no mute holds any more and it still fires,
 *              its last revision is released: published after all
 *   resolved   is published if anything of that anomaly was, mute or no mute: nobody is left with
 *              an open alarm; what began and ended within a mute is never heard of
 *
 * Runs on: the storing agent; the thread of a replay. Pure: no clock, no I/O.
 */
#ifndef ENGINE_INPUT_H
#define ENGINE_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "deliver/operator.h"
#include "weir/limits.h"

/* Of each at most. Beyond: the mute that ends first is forgotten, and the oldest acknowledgement;
 * what cannot be withheld is published. Fuzz targets have fewer: what is beyond is met sooner. */
#ifndef INPUT_MUTES_MAX
#define INPUT_MUTES_MAX 1024u
#define INPUT_ACKS_MAX 4096u
#define INPUT_WITHHELD_MAX 4096u
#endif

/* The data of an INPUT record. 0, -EINVAL with what is wrong, -ENOMEM. `number` is the caller's. */
int input_parse(const char *text, size_t bytes, struct operator_input *ret_input, char *why,
		size_t why_bytes);
const char *input_kind_name(enum operator_kind kind);

/* What a mute may name of an anomaly. */
struct input_target {
	const uint64_t *id;
	const char *source, *metric, *detector, *slice;
	double severity_peak;
};
/* Is the anomaly one of those that the mute is about, at this event time? */
bool input_mute_holds(const struct operator_input *mute, const struct input_target *of,
		      int64_t time_ms);

struct withheld;
struct ack;

struct inputs {
	uint64_t count; /* records applied: the number of the last one */
	struct operator_input *mutes;
	struct ack *acks;
	struct withheld *withheld;
	uint32_t mutes_count, acks_count, withheld_count;
	int64_t closed_ms[WEIR_SOURCES_MAX]; /* event time up to which a source is closed */
};

/* 0 or -ENOMEM; all memory that is ever used. */
int inputs_init(struct inputs *inputs);
void inputs_fini(struct inputs *inputs);
void inputs_reset(struct inputs *inputs); /* as new */
void inputs_apply(struct inputs *inputs, const struct operator_input *input);
/* The next revision of a source, in order: sets `muted` and `acknowledged`. */
void inputs_mark(struct inputs *inputs, uint32_t source, struct anomaly *anomaly);
/* The source is closed up to this time; all revisions of the close have been marked. */
void inputs_close(struct inputs *inputs, uint32_t source, int64_t closed_ms);
/* After an apply or a close: whose last revision is published after all. `each` may be NULL. */
void inputs_release(struct inputs *inputs, void (*each)(void *self, const uint64_t id[2]),
		    void *self);
/* A section of a checkpoint, header and all. load finds it among the others; 0 or -EPROTO. */
void inputs_save(const struct inputs *inputs, struct bytes *out);
int inputs_load(struct inputs *inputs, struct bytes_reader sections);

#endif
