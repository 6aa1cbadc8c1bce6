/*
 * engine_link: see engine_link.h.
 */
#include "engine_link.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "ask.h"
#include "base/monotonic.h"

#define PATIENCE_MS 2000u
#define TELL_MS 12000u /* the engine itself gives a disk eight seconds */
#define AWAY_MS 1000u
#define ASKS_MAX 4u /* at once; fewer than server.c has threads for them */
#define TELLS_MAX 2u
#define PLACE_MS 200u /* a place is waited for, while the engine is known to answer */
#define STATUS_MS 1000u

/* What somebody wants of it. */
enum want { WANT_STATUS, WANT_ANSWER, WANT_CHANGE };

/* Somebody who asks now. */
struct visit {
	struct engine_link *link;
	struct visit *next;
	enum want want;
	int fd;    /* -1: none */
	bool sent; /* it may act on what it was asked */
};

struct engine_link {
	pthread_mutex_t lock;
	pthread_cond_t left; /* somebody has had an answer, or none */
	struct visit *visits;
	unsigned asks, tells; /* of them */
	bool ended;
	const char *control, *data;
	uint64_t away_until_ms; /* do not ask before this; 0: it answers */
	uint64_t status_ms;     /* when the status came */
	json_t *status;
	json_t *watched;            /* its answer to `metrics` */
	char *directory;            /* of its data, as it was found while it ran */
	char why[ENGINE_WHY_BYTES]; /* it is away; "": it is up */
};

struct engine_link *engine_link_open(const char *control, const char *data)
{
	struct engine_link *link = calloc(1, sizeof(*link));

	if (!link)
		return NULL;
	pthread_mutex_init(&link->lock, NULL);
	pthread_cond_init(&link->left, NULL);
	link->control = control;
	link->data = data;
	snprintf(link->why, sizeof(link->why), "the engine has not been asked yet");
	return link;
}

void engine_link_close(struct engine_link *link)
{
	json_decref(link->status);
	json_decref(link->watched);
	free(link->directory);
	pthread_cond_destroy(&link->left);
	pthread_mutex_destroy(&link->lock);
	free(link);
}

static void copy_why(char *why, const char *text)
{
	snprintf(why, ENGINE_WHY_BYTES, "%s", text);
}

/* With the lock: is it known to be away? Then its status is asked for after a while, by one, and
 * nothing else until it has come. */
static bool is_away(const struct engine_link *link, enum want want)
{
	return link->away_until_ms &&
	       (want != WANT_STATUS || link->asks || monotonic_ms() < link->away_until_ms);
}

/* With the lock. Whether it is up is asked beside all others: busy is not away. */
static bool has_place(const struct engine_link *link, enum want want)
{
	if (want == WANT_CHANGE)
		return link->tells < TELLS_MAX;
	return link->asks < ASKS_MAX + (want == WANT_STATUS);
}

/* So many may wait for the engine and no more. False: `why`. */
static bool enter(struct engine_link *link, struct visit *visit, char *why)
{
	enum want want = visit->want;
	struct timespec until;

	until = monotonic_in_ms(PLACE_MS);
	pthread_mutex_lock(&link->lock);
	while (!link->ended && !is_away(link, want) && !has_place(link, want) &&
	       pthread_cond_clockwait(&link->left, &link->lock, CLOCK_MONOTONIC, &until) == 0)
		;
	bool away = is_away(link, want);
	bool enters = !link->ended && !away && has_place(link, want);
	if (link->ended)
		copy_why(why, "this console is being stopped");
	else if (away)
		copy_why(why, link->why);
	else if (!enters)
		copy_why(why, "the engine is slow, and others wait for it already: try again");
	if (enters) {
		*(want == WANT_CHANGE ? &link->tells : &link->asks) += 1;
		visit->next = link->visits;
		link->visits = visit;
	}
	pthread_mutex_unlock(&link->lock);
	return enters;
}

/* As ask_with() wants it. Whoever ends the link cuts what is known here, under the lock. */
static bool hold(void *by, int fd)
{
	struct visit *visit = by;

	pthread_mutex_lock(&visit->link->lock);
	visit->fd = fd;
	bool goes_on = !visit->link->ended;
	pthread_mutex_unlock(&visit->link->lock);
	return goes_on;
}

void engine_link_end(struct engine_link *link)
{
	pthread_mutex_lock(&link->lock);
	link->ended = true;
	for (const struct visit *visit = link->visits; visit; visit = visit->next)
		if (visit->fd >= 0)
			shutdown(visit->fd, SHUT_RDWR);
	pthread_cond_broadcast(&link->left);
	pthread_mutex_unlock(&link->lock);
}

/* `why`: it is away, or this console ends; NULL: it has answered. */
static void leave(struct engine_link *link, const struct visit *visit, char *why)
{
	struct visit **at = &link->visits;

	pthread_mutex_lock(&link->lock);
	while (*at != visit)
		at = &(*at)->next;
	*at = visit->next;
	*(visit->want == WANT_CHANGE ? &link->tells : &link->asks) -= 1;
	if (why && link->ended)
		copy_why(why, "this console is being stopped");
	link->away_until_ms = why ? monotonic_ms() + AWAY_MS : 0;
	copy_why(link->why, why ? why : "");
	pthread_cond_broadcast(&link->left);
	pthread_mutex_unlock(&link->lock);
}

/* What an answer that says no is to a client. */
static unsigned refused_status(const json_t *answer)
{
	if (json_is_true(json_object_get(answer, "pending")))
		return 503;
	return json_is_true(json_object_get(answer, "unknown")) ? 404 : 400;
}

static json_t *ask_within(struct engine_link *link, struct visit *visit, json_t *request,
			  unsigned *status, char why[ENGINE_WHY_BYTES])
{
	const struct ask_how how = {.socket_path = link->control,
				    .option = "--control",
				    .patience_ms = visit->want == WANT_CHANGE ? TELL_MS
									      : PATIENCE_MS,
				    .holds = hold,
				    .by = visit,
				    .ret_sent = &visit->sent};

	*status = 503;
	visit->link = link;
	visit->fd = -1;
	if (!enter(link, visit, why)) {
		json_decref(request);
		return NULL;
	}
	json_t *answer = ask_with(&how, request, why, ENGINE_WHY_BYTES);
	leave(link, visit, answer ? NULL : why);
	if (!answer)
		return NULL;
	if (json_is_true(json_object_get(answer, "ok")))
		return answer;
	const char *said = json_string_value(json_object_get(answer, "error"));
	*status = refused_status(answer);
	copy_why(why, said ? said : "the engine says no");
	json_decref(answer);
	return NULL;
}

json_t *engine_ask(struct engine_link *link, json_t *request, unsigned *status,
		   char why[ENGINE_WHY_BYTES])
{
	struct visit visit = {.want = WANT_ANSWER};

	return ask_within(link, &visit, request, status, why);
}

json_t *engine_tell(struct engine_link *link, json_t *request, bool *ret_unknown, unsigned *status,
		    char why[ENGINE_WHY_BYTES])
{
	struct visit visit = {.want = WANT_CHANGE};
	json_t *answer = ask_within(link, &visit, request, status, why);

	*ret_unknown = !answer && *status == 503 && visit.sent;
	return answer;
}

static json_t *known(struct engine_link *link, json_t *const *what)
{
	pthread_mutex_lock(&link->lock);
	json_t *copy = *what ? json_deep_copy(*what) : NULL;
	pthread_mutex_unlock(&link->lock);
	return copy;
}

static void keep(struct engine_link *link, json_t **place, json_t *value)
{
	pthread_mutex_lock(&link->lock);
	json_decref(*place);
	*place = value;
	pthread_mutex_unlock(&link->lock);
}

/* A configuration changes with an engine's start or a reload, and is asked for with the status. */
static void learn_metrics(struct engine_link *link)
{
	char why[ENGINE_WHY_BYTES];
	unsigned status;
	json_t *answer = engine_ask(link, json_pack("{ss}", "command", "metrics"), &status, why);

	if (answer)
		keep(link, &link->watched, answer);
}

/* A relative one is known by the process that runs there, and by nothing once it is gone. */
static void learn_directory(struct engine_link *link, const json_t *status)
{
	char *directory = ask_status_path(status, "data_directory");
	char *real = directory ? realpath(directory, NULL) : NULL;
	char *kept = real ? real : directory;

	pthread_mutex_lock(&link->lock);
	if (real || !link->directory) {
		char *before = link->directory;
		link->directory = kept;
		kept = before;
	}
	pthread_mutex_unlock(&link->lock);
	free(kept);
	if (real)
		free(directory);
}

json_t *engine_link_status(struct engine_link *link, char why[ENGINE_WHY_BYTES])
{
	struct visit visit = {.want = WANT_STATUS};
	unsigned code;

	pthread_mutex_lock(&link->lock);
	bool fresh = link->status && !link->why[0] && monotonic_ms() - link->status_ms < STATUS_MS;
	pthread_mutex_unlock(&link->lock);
	if (fresh)
		return known(link, &link->status);
	json_t *answer = ask_within(link, &visit, json_pack("{ss}", "command", "status"), &code,
				    why);
	json_t *status = json_incref(json_object_get(answer, "status"));
	json_decref(answer);
	if (!status)
		return NULL;
	keep(link, &link->status, json_deep_copy(status));
	pthread_mutex_lock(&link->lock);
	link->status_ms = monotonic_ms();
	pthread_mutex_unlock(&link->lock);
	learn_directory(link, status);
	learn_metrics(link);
	return status;
}

json_t *engine_link_known(struct engine_link *link)
{
	return known(link, &link->status);
}

json_t *engine_link_watched(struct engine_link *link)
{
	return known(link, &link->watched);
}

bool engine_link_elsewhere(struct engine_link *link)
{
	struct stat given, own;

	pthread_mutex_lock(&link->lock);
	bool elsewhere = link->data && link->directory && stat(link->data, &given) == 0 &&
			 stat(link->directory, &own) == 0 &&
			 (given.st_dev != own.st_dev || given.st_ino != own.st_ino);
	pthread_mutex_unlock(&link->lock);
	return elsewhere;
}

bool engine_link_up(struct engine_link *link, char why[ENGINE_WHY_BYTES])
{
	pthread_mutex_lock(&link->lock);
	copy_why(why, link->why);
	pthread_mutex_unlock(&link->lock);
	return why[0] == '\0';
}

char *engine_link_path(struct engine_link *link, const char *file, char why[ENGINE_WHY_BYTES])
{
	char *path = NULL;
	int bytes = 0;

	pthread_mutex_lock(&link->lock);
	const char *directory = link->data ? link->data : link->directory;
	if (directory)
		bytes = asprintf(&path, "%s/%s", directory, file);
	pthread_mutex_unlock(&link->lock);
	if (!directory)
		copy_why(why, "the engine has not answered since this console was started, so "
			      "nothing says where its data is; start it, or give --data DIR");
	return bytes < 0 ? NULL : path;
}
