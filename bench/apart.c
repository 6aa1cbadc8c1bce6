/*
 * apart: see apart.h. Two threads, pinned, answer each other through two lines.
 */
#include "apart.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "processor.h"
#include "producer.h"
#include "weir/order.h"

#define LOOKS 3u
#define TRIPS 2000u
/* An answer that takes longer is from a thread that does not run. */
#define PATIENCE_NS UINT64_C(50000000)

struct pair {
	_Alignas(128) uint64_t call;
	_Alignas(128) uint64_t answer;
	double best_ns; /* 0: no look came to its end */
};

static bool await(const uint64_t *word, uint64_t value, uint64_t end_ns)
{
	for (uint32_t spins = 1;; spins++) {
		/* Orders: nothing; the time of the way is what is measured. */
		if (weir_load_acquire_64(word) == value)
			return true;
		if (spins % 4096 == 0 && monotonic_ns() > end_ns)
			return false;
	}
}

static void *answer(void *self)
{
	struct pair *pair = self;
	uint64_t end_ns = monotonic_ns() + PATIENCE_NS;
	processor_pin(0, 1);
	for (uint64_t trip = 1; trip <= LOOKS * TRIPS; trip++) {
		if (!await(&pair->call, trip, end_ns))
			break;
		/* Orders: nothing, as above; partner: await() in call(). */
		weir_store_release_64(&pair->answer, trip);
	}
	return NULL;
}

static void *call(void *self)
{
	struct pair *pair = self;
	uint64_t end_ns = monotonic_ns() + PATIENCE_NS;
	processor_pin(0, 0);
	for (uint64_t trip = 1; trip <= LOOKS * TRIPS;) {
		uint64_t start_ns = monotonic_ns();
		for (uint32_t i = 0; i < TRIPS; i++, trip++) {
			/* Orders: nothing, as above; partner: await() in answer(). */
			weir_store_release_64(&pair->call, trip);
			if (!await(&pair->answer, trip, end_ns))
				return NULL;
		}
		double each = (double)(monotonic_ns() - start_ns) / TRIPS;
		if (pair->best_ns == 0 || each < pair->best_ns)
			pair->best_ns = each;
	}
	return NULL;
}

double apart_ns(void)
{
	struct pair pair = {0};
	pthread_t threads[2];

	if (processor_count() < 2 || pthread_create(&threads[0], NULL, answer, &pair))
		return 0;
	bool both = pthread_create(&threads[1], NULL, call, &pair) == 0;
	pthread_join(threads[0], NULL);
	if (both)
		pthread_join(threads[1], NULL);
	return pair.best_ns;
}
