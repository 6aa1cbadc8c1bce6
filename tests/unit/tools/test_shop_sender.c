/* sender: over a libweir of this file's own that takes as much as the test says. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "sender.h"

/* The whole of a pretended libweir: takes `room` events, then none until a poll brings more. */
struct weir {
	size_t room, room_by_poll, polls_before_room;
	uint64_t taken, dropped, persisted;
	unsigned polls, waits_until_done;
	double next_value; /* values must come in order, each once */
	bool wrong;
	bool stuck; /* persists nothing */
};

size_t weir_emit_many(weir *w, const struct weir_sample *samples, size_t count)
{
	size_t taken = count < w->room ? count : w->room;
	for (size_t i = 0; i < taken; i++)
		w->wrong |= samples[i].value != w->next_value++;
	w->room -= taken;
	w->taken += taken;
	w->dropped += count - taken;
	return taken;
}

int weir_poll(weir *w)
{
	if (++w->polls >= w->polls_before_room)
		w->room += w->room_by_poll;
	return 1;
}

int weir_wait(weir *w, enum weir_level level, uint32_t timeout_ms)
{
	(void)level;
	(void)timeout_ms;
	if (w->waits_until_done == 0)
		return 0;
	w->waits_until_done--;
	w->persisted += !w->stuck;
	return -ETIMEDOUT;
}

void weir_ledger(weir *w, struct weir_ledger *ret_ledger)
{
	memset(ret_ledger, 0, sizeof(*ret_ledger));
	ret_ledger->persisted = w->persisted;
}

const char *weir_refusal(weir *w)
{
	(void)w;
	return "";
}

enum { SAMPLES = 1000 };
static struct weir_sample samples[SAMPLES];
static struct lockstep stop;

static struct sender sender_of(weir *w, bool waits)
{
	lockstep_init(&stop, 1);
	for (int i = 0; i < SAMPLES; i++)
		samples[i] = (struct weir_sample){.value = i, .series = 1};
	return (struct sender){.weir = w, .stop = &stop, .patience_s = 30, .waits = waits};
}

Test(shop_sender, what_a_full_ring_refuses_is_offered_again_once_and_in_order)
{
	struct weir w = {.room = 300, .room_by_poll = 17, .polls_before_room = 3};
	struct sender sender = sender_of(&w, true);
	cr_expect_eq(sender_send(&sender, samples, SAMPLES), 0);
	cr_expect_eq(w.taken, SAMPLES);
	cr_expect_not(w.wrong);
	cr_expect_gt(w.polls, 3);
}

Test(shop_sender, waiting_for_an_engine_counts_one_drop_a_try_not_a_batch)
{
	struct weir w = {.room_by_poll = SAMPLES, .polls_before_room = 5};
	struct sender sender = sender_of(&w, true);
	cr_expect_eq(sender_send(&sender, samples, SAMPLES), 0);
	cr_expect_leq(w.dropped, 256 + 5);
	cr_expect_not(w.wrong);
}

Test(shop_sender, a_live_shop_drops_and_goes_on)
{
	struct weir w = {.room = 300};
	struct sender sender = sender_of(&w, false);
	cr_expect_eq(sender_send(&sender, samples, SAMPLES), 0);
	cr_expect_eq(w.taken, 300);
	cr_expect_eq(w.dropped, SAMPLES - 300);
	cr_expect_eq(w.polls, 0);
}

Test(shop_sender, patience_ends)
{
	struct weir w = {.stuck = true};
	struct sender sender = sender_of(&w, true);
	sender.patience_s = 0;
	cr_expect_eq(sender_send(&sender, samples, SAMPLES), -ETIMEDOUT);
	w.waits_until_done = 1000000;
	cr_expect_eq(sender_settle(&sender), -ETIMEDOUT);
}

Test(shop_sender, a_stop_is_heard_while_waiting)
{
	struct weir w = {.stuck = true};
	struct sender sender = sender_of(&w, true);
	lockstep_stop(&stop);
	cr_expect_eq(sender_send(&sender, samples, SAMPLES), -ECANCELED);
	w.waits_until_done = 1000000;
	cr_expect_eq(sender_settle(&sender), -ECANCELED);
}

Test(shop_sender, settling_waits_as_long_as_the_engine_gets_on)
{
	struct weir w = {.waits_until_done = 20};
	struct sender sender = sender_of(&w, true);
	cr_expect_eq(sender_settle(&sender), 0);
	cr_expect_eq(w.waits_until_done, 0);
}
