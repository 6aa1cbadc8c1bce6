/* queue: against counting, and against a second thread. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "base/queue.h"

static void *item(uintptr_t i)
{
	return (void *)i;
}

Test(queue, holds_exactly_its_capacity_and_says_full)
{
	struct queue *queue = queue_create(4);

	for (uintptr_t i = 1; i <= 4; i++)
		cr_assert(queue_push(queue, item(i)));
	cr_assert_not(queue_push(queue, item(5)));
	cr_assert_eq(queue_count(queue), 4);
	cr_assert_eq(queue_pop(queue), item(1));
	cr_assert(queue_push(queue, item(5)));
	cr_assert_not(queue_push(queue, item(6)));
	queue_destroy(queue);
}

Test(queue, gives_items_back_in_order_over_many_turns)
{
	struct queue *queue = queue_create(8);
	uintptr_t in = 1, out = 1;

	srandom(7);
	for (int i = 0; i < 100000; i++) {
		for (long n = random() % 10; n > 0; n--)
			in += queue_push(queue, item(in));
		for (long n = random() % 10; n > 0; n--) {
			void *got = queue_pop(queue);

			if (!got) {
				cr_assert_eq(in, out);
				break;
			}
			cr_assert_eq(got, item(out));
			out++;
		}
		cr_assert_eq(queue_count(queue), in - out);
	}
	cr_assert_gt(out, 100000);
	queue_destroy(queue);
}

Test(queue, is_empty_at_first_and_after_the_last)
{
	struct queue *queue = queue_create(4);

	cr_assert_null(queue_pop(queue));
	queue_push(queue, item(1));
	cr_assert_eq(queue_pop(queue), item(1));
	cr_assert_null(queue_pop(queue));
	queue_destroy(queue);
	queue_destroy(NULL);
}

#define PASSED 300000

struct message {
	uint64_t number;
	uint64_t twice;
};

static void *producer(void *queue)
{
	for (uint64_t i = 1; i <= PASSED; i++) {
		struct message *message = malloc(sizeof(*message));

		message->number = i;
		message->twice = 2 * i;
		while (!queue_push(queue, message))
			sched_yield();
	}
	return NULL;
}

Test(queue, hands_over_what_the_pointer_points_to, .timeout = 30)
{
	struct queue *queue = queue_create(64);
	pthread_t thread;

	pthread_create(&thread, NULL, producer, queue);
	for (uint64_t i = 1; i <= PASSED; i++) {
		struct message *message;

		while (!(message = queue_pop(queue)))
			sched_yield();
		cr_assert(message->number == i && message->twice == 2 * i);
		free(message);
	}
	pthread_join(thread, NULL);
	cr_assert_null(queue_pop(queue));
	queue_destroy(queue);
}
