/*
 * control: the operator's socket. One JSON request per line, one JSON answer per line.
 *
 *   {"command":"status"}                          -> {"ok":true,"status":{...}}
 *   {"command":"anomalies","severity":50,...}     -> {"ok":true,"anomalies":[...]}
 *   unknown or broken                             -> {"ok":false,"error":"..."}
 *
 * Runs on: the control agent. Knows no stage: what it can answer comes through `answer`.
 */
#ifndef DELIVER_CONTROL_H
#define DELIVER_CONTROL_H

#include <stddef.h>
#include <stdint.h>

struct control;

/* Returns a malloc'd JSON text (one line, no newline) for a request, never NULL but without memory;
 * request is a parsed jansson object owned by the caller (void* so that this header needs none). */
typedef char *control_answer(void *self, const char *command, const void *request);

/* An answer that has to wait for something. Within `answer`: control_later(), and NULL is returned.
 * `poll` is asked at every step until it has the answer; then, or when the client is gone, or the
 * socket is closed, `forget` is called once. */
struct control_later {
	char *(*poll)(struct control_later *later); /* as control_answer; NULL: not yet */
	void (*forget)(struct control_later *later);
};
void control_later(struct control *control, struct control_later *later);

int control_open(const char *socket_path, control_answer *answer, void *self,
		 struct control **ret_control, char *why, size_t why_bytes);
int control_step(void *control, uint64_t now_ns); /* agent_step; waits at most 50 ms in poll */
void control_close(struct control *control);

#endif
