/*
 * quality_share: jobs that have nothing to do with each other, shared by a few threads.
 */
#include "quality_share.h"

#include <pthread.h>
#include <stdbool.h>

struct share {
	pthread_mutex_t lock;
	uint32_t next, jobs; /* under the lock: the first that nobody has taken */
	int failed;          /* under the lock */
	int (*job)(void *self, uint32_t index);
	void *self;
};

static void *work(void *self)
{
	struct share *share = self;
	int ret = 0;

	for (;;) {
		pthread_mutex_lock(&share->lock);
		share->failed = ret < 0 ? ret : share->failed;
		bool over = share->failed < 0 || share->next >= share->jobs;
		uint32_t index = over ? 0 : share->next++;
		pthread_mutex_unlock(&share->lock);
		if (over)
			return NULL;
		ret = share->job(share->self, index);
	}
}

int quality_share(uint32_t threads, uint32_t jobs, int (*job)(void *self, uint32_t index),
		  void *self)
{
	struct share share = {.jobs = jobs, .job = job, .self = self};
	pthread_t others[SHARE_THREADS_MAX];
	uint32_t started = 0;

	pthread_mutex_init(&share.lock, NULL);
	while (started + 1 < threads && started < SHARE_THREADS_MAX &&
	       pthread_create(&others[started], NULL, work, &share) == 0)
		started++;
	work(&share);
	while (started > 0)
		pthread_join(others[--started], NULL);
	pthread_mutex_destroy(&share.lock);
	return share.failed;
}
