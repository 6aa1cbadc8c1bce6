/*
 * scorer_feedback: what people said of anomalies, and the banks that heed it; see scorer.h.
 *
 * Idea:  kept by the names of source, metric and detector, not in the bank: it outlives another
 *        configuration of the detector, and a rebase.
 *
 * Runs on: as the scorer. Deterministic, no I/O, no clock.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "scorer_private.h"

static int order(const struct scorer_feedback *a, uint32_t source, const char *metric,
		 const char *detector)
{
	if (a->source != source)
		return a->source < source ? -1 : 1;
	int metrics = strcmp(a->metric, metric);
	return metrics ? metrics : strcmp(a->detector, detector);
}

static struct feedback_list *find_list(const struct scorer *scorer, uint32_t source,
				       const char *metric, const char *detector)
{
	for (const struct scorer_feedback *at = scorer->feedback; at; at = at->next)
		if (order(at, source, metric, detector) == 0)
			return at->list;
	return NULL;
}

/* The list of these names, perhaps a new one. NULL: no memory. */
static struct feedback_list *make_list(struct scorer *scorer, uint32_t source, const char *metric,
				       const char *detector)
{
	struct scorer_feedback **at = &scorer->feedback;
	struct feedback_list *list = find_list(scorer, source, metric, detector);

	if (list)
		return list;
	while (*at && order(*at, source, metric, detector) < 0)
		at = &(*at)->next;
	struct scorer_feedback *made = calloc(1, sizeof(*made));
	list = made ? feedback_create() : NULL;
	if (!list) {
		free(made);
		return NULL;
	}
	*made = (struct scorer_feedback){.next = *at, .source = source, .list = list};
	strncpy(made->metric, metric, sizeof(made->metric) - 1);
	strncpy(made->detector, detector, sizeof(made->detector) - 1);
	*at = made;
	return list;
}

void scorer_hand_out(struct scorer *scorer)
{
	if (!scorer->feedback)
		return;
	for (struct metric_state *m = scorer->metrics; m; m = m->next) {
		const char *metric = scorer->config->metrics[m->index].name;
		for (uint32_t i = 0; i < m->banks_count; i++) {
			struct bank *bank = m->banks[i].bank;
			bank_feedback(bank,
				      find_list(scorer, m->source, metric, bank_detector(bank)));
		}
	}
}

int scorer_hear(struct scorer *scorer, const struct operator_input *input)
{
	uint32_t source = 0;

	while (source < WEIR_SOURCES_MAX && (!scorer->sources[source].known ||
					     strcmp(scorer->sources[source].name, input->source)))
		source++;
	if (source == WEIR_SOURCES_MAX || !scorer_owns(scorer, input->metric))
		return 0;
	struct feedback_list *list = make_list(scorer, source, input->metric, input->detector);
	int error = list ? feedback_add(list, input->number, input->id, input->slice,
					&input->feedback)
			 : -ENOMEM;
	if (!error)
		scorer_hand_out(scorer);
	return error;
}

void scorer_take_back(struct scorer *scorer, uint64_t number)
{
	bool found = false;

	for (struct scorer_feedback *at = scorer->feedback; at && !found; at = at->next)
		found = feedback_undo(at->list, number);
	if (found)
		scorer_hand_out(scorer);
}

void scorer_forget_feedback(struct scorer *scorer)
{
	while (scorer->feedback) {
		struct scorer_feedback *next = scorer->feedback->next;
		feedback_destroy(scorer->feedback->list);
		free(scorer->feedback);
		scorer->feedback = next;
	}
}

void scorer_save_feedback(const struct scorer *scorer, struct bytes *out)
{
	for (const struct scorer_feedback *at = scorer->feedback; at; at = at->next) {
		struct bytes body = {0};
		bytes_put_text(&body, at->metric);
		bytes_put_text(&body, at->detector);
		feedback_save(at->list, &body);
		bytes_put_u32(out, at->source);
		bytes_put_u32(out, FEEDBACK_SECTION);
		bytes_put_u64(out, body.used);
		bytes_put(out, body.data, body.used);
		out->failed |= body.failed;
		bytes_fini(&body);
	}
}

int scorer_load_feedback(struct scorer *scorer, uint32_t source, struct bytes_reader *in)
{
	char metric[65], detector[65];

	bytes_get_text(in, metric, sizeof(metric));
	bytes_get_text(in, detector, sizeof(detector));
	if (in->failed || source >= WEIR_SOURCES_MAX)
		return -EPROTO;
	if (!scorer_owns(scorer, metric))
		return 0;
	if (find_list(scorer, source, metric, detector))
		return -EPROTO;
	struct feedback_list *list = make_list(scorer, source, metric, detector);
	int error = list ? feedback_load(list, in) : -ENOMEM;
	return error ? error : in->left ? -EPROTO : 0;
}

void scorer_said(const struct scorer *scorer, scorer_each_said *each, void *self)
{
	for (const struct scorer_feedback *at = scorer->feedback; at; at = at->next) {
		struct scorer_said said = {
			.source = scorer->sources[at->source].name,
			.metric = at->metric,
			.detector = at->detector,
			.list = at->list,
		};
		for (const struct metric_state *m = scorer->metrics; m; m = m->next)
			if (m->source == at->source && m->scored &&
			    strcmp(scorer->config->metrics[m->index].name, at->metric) == 0)
				said.through_ms = (m->last + 1) * scorer->interval_ms;
		each(self, &said);
	}
}
