/*
 * said: see said.h.
 */
#include "detect/said.h"

const char *feedback_verdict_name(enum feedback_verdict verdict)
{
	static const char *const names[] = {
		[FEEDBACK_NO] = "no",
		[FEEDBACK_YES] = "yes",
		[FEEDBACK_UNSURE] = "unsure",
	};

	return names[verdict];
}
