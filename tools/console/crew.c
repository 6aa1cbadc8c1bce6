/*
 * crew: see crew.h.
 */
#include "crew.h"

#include <pthread.h>
#include <stdlib.h>

struct crew {
	pthread_mutex_t lock;
	pthread_cond_t brought; /* or it ends */
	struct crew_job *first, **last;
	unsigned waiting, waiting_max;
	bool ends;
	unsigned count;
	pthread_t thread[];
};

/* The job that has waited longest; NULL: it ends, and nothing waits. */
static struct crew_job *take(struct crew *crew, bool *ret_ends)
{
	pthread_mutex_lock(&crew->lock);
	while (!crew->first && !crew->ends)
		pthread_cond_wait(&crew->brought, &crew->lock);
	struct crew_job *job = crew->first;
	if (job) {
		crew->first = job->next;
		crew->waiting--;
	}
	if (!crew->first)
		crew->last = &crew->first;
	*ret_ends = crew->ends;
	pthread_mutex_unlock(&crew->lock);
	return job;
}

static void *work(void *self)
{
	struct crew_job *job;
	bool ends;

	while ((job = take(self, &ends)))
		job->run(job->self, ends);
	return NULL;
}

struct crew *crew_open(const char *name, unsigned threads, unsigned waiting_max)
{
	struct crew *crew = calloc(1, sizeof(*crew) + threads * sizeof(crew->thread[0]));

	if (!crew)
		return NULL;
	pthread_mutex_init(&crew->lock, NULL);
	pthread_cond_init(&crew->brought, NULL);
	crew->last = &crew->first;
	crew->waiting_max = waiting_max;
	while (crew->count < threads &&
	       pthread_create(&crew->thread[crew->count], NULL, work, crew) == 0)
		pthread_setname_np(crew->thread[crew->count++], name);
	if (crew->count == threads)
		return crew;
	crew_end(crew);
	crew_close(crew);
	return NULL;
}

bool crew_bring(struct crew *crew, struct crew_job *job)
{
	pthread_mutex_lock(&crew->lock);
	bool fits = !crew->ends && crew->waiting < crew->waiting_max;
	if (fits) {
		job->next = NULL;
		*crew->last = job;
		crew->last = &job->next;
		crew->waiting++;
		pthread_cond_signal(&crew->brought);
	}
	pthread_mutex_unlock(&crew->lock);
	return fits;
}

void crew_end(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	crew->ends = true;
	pthread_cond_broadcast(&crew->brought);
	pthread_mutex_unlock(&crew->lock);
	for (unsigned i = 0; i < crew->count; i++)
		pthread_join(crew->thread[i], NULL);
	crew->count = 0;
}

void crew_close(struct crew *crew)
{
	if (!crew)
		return;
	pthread_cond_destroy(&crew->brought);
	pthread_mutex_destroy(&crew->lock);
	free(crew);
}
