/*
 * in_force: see in_force.h.
 */
#include "in_force.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "lived.h"
#include "log/io.h"

#define FRESH_MS 2000u
#define STALE_MS 5000u
#define IO_DEPTH 4

/* One configuration, for all who have taken it. */
struct held {
	struct held *next;
	struct config *config;
	char *record;
	unsigned takers; /* and one for being the newest */
};

struct in_force {
	struct engine_link *link;
	pthread_mutex_t lock;
	pthread_cond_t asked;
	bool asking; /* somebody does */
	bool taken;  /* since it was asked for last */
	uint64_t until_ms;
	struct held *newest, *all;
	char why[ENGINE_WHY_BYTES];
};

struct in_force *in_force_open(struct engine_link *link)
{
	struct in_force *in_force = calloc(1, sizeof(*in_force));

	if (!in_force)
		return NULL;
	in_force->link = link;
	pthread_mutex_init(&in_force->lock, NULL);
	pthread_cond_init(&in_force->asked, NULL);
	return in_force;
}

/* With the lock. */
static void let_go(struct in_force *in_force, struct held *held)
{
	struct held **at = &in_force->all;

	if (!held || --held->takers > 0)
		return;
	while (*at != held)
		at = &(*at)->next;
	*at = held->next;
	config_free(held->config);
	free(held->record);
	free(held);
}

void in_force_close(struct in_force *in_force)
{
	if (!in_force)
		return;
	let_go(in_force, in_force->newest);
	pthread_mutex_destroy(&in_force->lock);
	pthread_cond_destroy(&in_force->asked);
	free(in_force);
}

static char *ask_engine(struct in_force *in_force, char *why)
{
	unsigned status;
	json_t *answer = engine_ask(in_force->link, json_pack("{ss}", "command", "config"), &status,
				    why);
	const char *record = json_string_value(json_object_get(answer, "record"));
	char *copy = record ? strdup(record) : NULL;

	json_decref(answer);
	return copy;
}

static char *read_log(struct in_force *in_force, char *why)
{
	char *path = engine_link_path(in_force->link, ".", why);
	struct lived lived = {0};
	struct io *io = NULL;
	char *record = NULL;

	if (!path)
		return NULL;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = fd < 0 ? -errno : io_pwrite_create(fd, IO_DEPTH, &io);
	why[0] = '\0';
	if (!error) {
		error = lived_read(io, false, &lived, why, ENGINE_WHY_BYTES);
		if (!error && lived_config(&lived))
			record = strdup(lived_config(&lived));
		lived_fini(&lived);
	}
	if (!record && !why[0])
		snprintf(why, ENGINE_WHY_BYTES, "no configuration can be read from %s: %s", path,
			 strerror(error ? -error : ENOENT));
	if (io)
		io->ops->destroy(io);
	if (fd >= 0)
		close(fd);
	free(path);
	return record;
}

/* Takes the record. NULL: it cannot be read. */
static struct held *hold(char *record, char *why)
{
	struct held *held = calloc(1, sizeof(*held));

	if (held && config_restore(record, strlen(record), "the configuration in force",
				   &held->config, why, ENGINE_WHY_BYTES) == 0) {
		held->record = record;
		held->takers = 1;
		return held;
	}
	free(held);
	free(record);
	return NULL;
}

/* Ask, without the lock; then it is the newest one. */
static void learn(struct in_force *in_force)
{
	char why[ENGINE_WHY_BYTES] = "", other[ENGINE_WHY_BYTES];
	const struct held *newest = in_force->newest; /* nobody else changes it */
	char *record = ask_engine(in_force, why);
	struct held *held = NULL;

	if (!record && !newest) {
		record = read_log(in_force, other);
		if (!record)
			snprintf(why, sizeof(why), "%s", other);
	}
	if (record && newest && strcmp(record, newest->record) == 0)
		free(record);
	else if (record)
		held = hold(record, why);
	pthread_mutex_lock(&in_force->lock);
	in_force->until_ms = monotonic_ms() + FRESH_MS;
	snprintf(in_force->why, sizeof(in_force->why), "%s", why);
	if (held) {
		let_go(in_force, in_force->newest);
		held->next = in_force->all;
		in_force->all = in_force->newest = held;
	}
}

/* With the lock, which it gives up meanwhile. */
static void refresh(struct in_force *in_force)
{
	if (in_force->asking || monotonic_ms() < in_force->until_ms)
		return;
	in_force->asking = true;
	in_force->taken = false;
	pthread_mutex_unlock(&in_force->lock);
	learn(in_force); /* with the lock from here on */
	in_force->asking = false;
	pthread_cond_broadcast(&in_force->asked);
}

void in_force_step(struct in_force *in_force)
{
	pthread_mutex_lock(&in_force->lock);
	if (in_force->taken)
		refresh(in_force);
	pthread_mutex_unlock(&in_force->lock);
}

const struct config *in_force_take(struct in_force *in_force, char why[ENGINE_WHY_BYTES])
{
	pthread_mutex_lock(&in_force->lock);
	while (in_force->asking && !in_force->newest)
		pthread_cond_wait(&in_force->asked, &in_force->lock);
	/* Nobody has looked for a while, so that nobody has asked. */
	if (!in_force->newest || monotonic_ms() >= in_force->until_ms + STALE_MS)
		refresh(in_force);
	in_force->taken = true;
	struct held *held = in_force->newest;
	if (held)
		held->takers++;
	else
		snprintf(why, ENGINE_WHY_BYTES, "%s", in_force->why);
	pthread_mutex_unlock(&in_force->lock);
	return held ? held->config : NULL;
}

void in_force_give(struct in_force *in_force, const struct config *config)
{
	if (!config)
		return;
	pthread_mutex_lock(&in_force->lock);
	struct held *held = in_force->all;
	while (held && held->config != config)
		held = held->next;
	let_go(in_force, held);
	pthread_mutex_unlock(&in_force->lock);
}
