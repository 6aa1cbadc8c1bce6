/*
 * scorer_input: what operators say of detectors' work, on its way to them; see scorer.h.
 *
 * Runs on: as the scorer. Deterministic, no I/O, no clock.
 */
#include "scorer_private.h"

int scorer_input(struct scorer *scorer, const struct operator_input *input)
{
	(void)scorer;
	switch (input->kind) {
	case OPERATOR_FEEDBACK:
	case OPERATOR_FEEDBACK_UNDO:
		return 0;
	case OPERATOR_CALENDAR_ADD:
	case OPERATOR_CALENDAR_REMOVE:
		return 0;
	default:
		return 0;
	}
}
