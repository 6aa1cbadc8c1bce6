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

#include "engine_private.h"

#define PATIENCE_MS 2000u

/* What a producer calls itself may be any bytes. */
static json_t *plain_text(const char *text)
{
	char plain[64];
	size_t i = 0;

	for (; text[i] && i < sizeof(plain) - 1; i++)
		plain[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	plain[i] = '\0';
	return json_string(plain);
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
