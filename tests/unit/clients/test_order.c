/* Both variants of weir/order.h: the same results, and nothing lost between threads. */
#include <criterion/criterion.h>
#include <pthread.h>

#include "order_twin.h"
#include "weir/order.h"

#ifdef WEIR_ORDER_BUILTIN
#define HERE "built-in again"
#else
#define HERE "ck"
#endif

static const struct order_twin order_here = ORDER_TWIN(HERE);
static const struct order_twin *const twins[] = {&order_here, &order_builtin};

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* What the operations mean, in plain C. */
static uint64_t oracle_64(int operation, uint64_t *p, uint64_t was, uint64_t v)
{
	switch (operation) {
	case 0:
	case 1:
		return *p;
	case 2:
	case 3:
		*p = v;
		return 0;
	case 4:
		*p += v;
		return 0;
	case 5:
		if (*p != was)
			return 0;
		*p = v;
		return 1;
	default:
		*p = *p > v ? *p : v;
		return 0;
	}
}

static uint64_t twin_64(const struct order_twin *twin, int operation, uint64_t *p, uint64_t was,
			uint64_t v)
{
	switch (operation) {
	case 0:
		return twin->load_relaxed_64(p);
	case 1:
		return twin->load_acquire_64(p);
	case 2:
		twin->store_relaxed_64(p, v);
		return 0;
	case 3:
		twin->store_release_64(p, v);
		return 0;
	case 4:
		twin->add_64(p, v);
		return 0;
	case 5:
		return (uint64_t)twin->cas_64(p, was, v);
	default:
		twin->max_64(p, v);
		return 0;
	}
}

static uint32_t twin_32(const struct order_twin *twin, int operation, uint32_t *p, uint32_t was,
			uint32_t v)
{
	switch (operation) {
	case 0:
		return twin->load_relaxed_32(p);
	case 1:
		return twin->load_acquire_32(p);
	case 2:
		twin->store_relaxed_32(p, v);
		return 0;
	case 3:
		twin->store_release_32(p, v);
		return 0;
	case 4:
		twin->add_32(p, v);
		return 0;
	default:
		return (uint32_t)twin->cas_32(p, was, v);
	}
}

Test(order, both_variants_do_what_plain_c_says)
{
	uint64_t state = 88172645463325252u, words[2] = {1, 1}, plain = 1;

	for (int i = 0; i < 200000; i++) {
		const int operation = (int)(random_next(&state) % 7);
		const uint64_t was = random_next(&state) % 2 ? plain : random_next(&state);
		const uint64_t v = random_next(&state) >> random_next(&state) % 64;
		const uint64_t expected = oracle_64(operation, &plain, was, v);
		for (int k = 0; k < 2; k++) {
			cr_assert_eq(twin_64(twins[k], operation, &words[k], was, v), expected,
				     "%s, operation %d", twins[k]->name, operation);
			cr_assert_eq(words[k], plain, "%s, operation %d", twins[k]->name,
				     operation);
		}
	}
}

Test(order, words_of_32_bits_leave_their_neighbours_alone)
{
	uint64_t state = 2463534242u;
	uint32_t words[2][3] = {{7, 1, 9}, {7, 1, 9}};

	for (int i = 0; i < 100000; i++) {
		const int operation = (int)(random_next(&state) % 6);
		const uint32_t was = random_next(&state) % 2 ? words[0][1]
							     : (uint32_t)random_next(&state);
		const uint32_t v = (uint32_t)random_next(&state);
		cr_assert_eq(twin_32(twins[0], operation, &words[0][1], was, v),
			     twin_32(twins[1], operation, &words[1][1], was, v));
		for (int k = 0; k < 2; k++) {
			cr_assert_eq(words[k][0], 7);
			cr_assert_eq(words[k][1], words[0][1]);
			cr_assert_eq(words[k][2], 9);
		}
	}
}

struct race_words {
	uint64_t sum, swaps, greatest;
};

struct race {
	const struct order_twin *twin;
	struct race_words *words;
};

enum { RACE_ROUNDS = 50000 };

static void *race_run(void *argument)
{
	const struct race *race = argument;
	struct race_words *words = race->words;

	for (uint64_t i = 1; i <= RACE_ROUNDS; i++) {
		uint64_t was;
		race->twin->add_64(&words->sum, i);
		do {
			was = race->twin->load_relaxed_64(&words->swaps);
		} while (!race->twin->cas_64(&words->swaps, was, was + 1));
		race->twin->max_64(&words->greatest, i * 2);
	}
	return NULL;
}

/* An engine and a producer may be built apart, so the variants meet in one word. */
Test(order, nothing_is_lost_between_threads_of_either_variant_or_of_both)
{
	for (int pair = 0; pair < 3; pair++) {
		struct race_words words = {0};
		struct race race[2] = {{twins[pair == 2], &words}, {twins[pair > 0], &words}};
		pthread_t thread;
		pthread_create(&thread, NULL, race_run, &race[0]);
		race_run(&race[1]);
		pthread_join(thread, NULL);
		cr_assert_eq(words.sum, (uint64_t)RACE_ROUNDS * (RACE_ROUNDS + 1));
		cr_assert_eq(words.swaps, (uint64_t)2 * RACE_ROUNDS);
		cr_assert_eq(words.greatest, (uint64_t)2 * RACE_ROUNDS);
	}
}

struct message {
	const struct order_twin *writer, *reader;
	uint64_t data[2];
	uint64_t sequence;
	uint32_t taken;
};

static void *message_write(void *argument)
{
	struct message *m = argument;

	for (uint64_t i = 1; i <= RACE_ROUNDS / 10; i++) {
		/* Acquire: the reader's loads of the data before our stores into it. */
		while (m->writer->load_acquire_32(&m->taken) != (uint32_t)(i - 1))
			sched_yield();
		m->data[0] = i;
		m->data[1] = ~i;
		m->writer->store_release_64(&m->sequence, i);
	}
	return NULL;
}

Test(order, release_and_acquire_pair_up_across_the_variants)
{
	for (int pair = 0; pair < 4; pair++) {
		struct message m = {.writer = twins[pair & 1], .reader = twins[pair >> 1]};
		pthread_t thread;
		pthread_create(&thread, NULL, message_write, &m);
		for (uint64_t i = 1; i <= RACE_ROUNDS / 10; i++) {
			while (m.reader->load_acquire_64(&m.sequence) != i)
				sched_yield();
			cr_assert_eq(m.data[0], i);
			cr_assert_eq(m.data[1], ~i);
			m.reader->store_release_32(&m.taken, (uint32_t)i);
		}
		pthread_join(thread, NULL);
	}
}
