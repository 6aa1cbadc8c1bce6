/*
 * producers: who is attached, and what each has emitted and dropped, for who asks at the control
 * socket.
 *
 *   {"command":"producers"} -> {"producers":[{"program":...,"pid":...,"emitted":...},...]}
 *
 * Runs on: the control agent asks; the intake agent looks its own producers up.
 */
#include <jansson.h>
#include <string.h>

#include "deliver/payload.h"
#include "engine_private.h"

#define PATIENCE_MS 2000u

/* Without a last character that was cut off. */
static size_t whole(const char *text, size_t bytes)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t last = bytes;

	while (last > 0 && (at[last - 1] & 0xc0) == 0x80)
		last--;
	bool cut = last > 0 && at[last - 1] >= 0xc2 && !utf8_bytes(at + last - 1, bytes - last + 1);
	return cut ? last - 1 : bytes;
}

/* What a producer calls itself may be any bytes: its characters, and "?" for what is none, or moves
 * a terminal's cursor. */
static json_t *plain_text(const char *text)
{
	char plain[64];
	const unsigned char *at = (const unsigned char *)text;
	size_t used = 0, left = whole(text, strnlen(text, sizeof(plain) - 1));

	while (left > 0) {
		size_t bytes = utf8_bytes(at, left);
		bool shown = bytes && at[0] >= ' ' && at[0] != 0x7f &&
			     !(at[0] == 0xc2 && at[1] < 0xa0);
		if (shown)
			memcpy(plain + used, at, bytes);
		else
			plain[used] = '?';
		used += shown ? bytes : 1;
		at += bytes ? bytes : 1;
		left -= bytes ? bytes : 1;
	}
	return json_stringn(plain, used);
}

static void each(void *self, const struct intake_producer *p)
{
	static const char *const reasons[WEIR_DROP_REASONS] = {
		[WEIR_DROP_FULL] = "full",       [WEIR_DROP_TIMEOUT] = "timeout",
		[WEIR_DROP_NO_RING] = "no_ring", [WEIR_DROP_REENTRANT] = "reentrant",
		[WEIR_DROP_INVALID] = "invalid",
	};
	json_t *dropped = json_object();

	for (int i = 0; i < WEIR_DROP_REASONS; i++)
		json_object_set_new(dropped, reasons[i], json_integer((json_int_t)p->dropped[i]));
	json_array_append_new(
		self, json_pack("{so so si sI si si sI sI sI sf so sb sb}", "program",
				plain_text(p->program), "source", plain_text(p->source), "pid",
				(int)p->pid, "uid", (json_int_t)p->uid, "rings", (int)p->rings,
				"series", (int)p->series, "emitted", (json_int_t)p->emitted,
				"in_ring", (json_int_t)p->in_ring, "capacity",
				(json_int_t)p->capacity, "fullest", p->fullest, "dropped", dropped,
				"connected", (int)p->connected, "quarantined",
				(int)p->quarantined));
}

static void look(void *self, const void *intake)
{
	intake_producers(intake, each, self);
}

void *producers_json(struct engine *engine)
{
	json_t *list = json_array();

	if (question_ask(&engine->intake_questions, look, list, PATIENCE_MS) < 0) {
		json_decref(list);
		return json_pack("{sb ss}", "ok", 0, "error", "the intake is busy; ask again");
	}
	return json_pack("{sb so}", "ok", 1, "producers", list);
}
