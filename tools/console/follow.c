/*
 * follow: see follow.h.
 */
#include "follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/monotonic.h"
#include "base/still.h"
#include "deliver/store.h"
#include "row.h"
#include "weir/order.h"

/* Read at once: other threads get at the book in between. */
#define CHUNK 500u
#define TOLD_AT_ONCE 64u
#define STEPS_AT_ONCE 200u /* the rest is the follower's own */
#define LOOK_MS 100
#define RETRY_LOOKS 10u

struct follow {
	struct follow_options options;
	pthread_mutex_t lock; /* of all that follows: one looks at a time */
	char *path;
	struct store_reader *reader; /* NULL: there is no store */
	dev_t device;                /* of the file that it reads */
	ino_t inode;
	bool still; /* it was opened while nobody wrote there */
	struct store_position position;
	bool more;       /* not all of what was there is read */
	uint32_t loaded; /* once everything was, of this store; written with the lock */
	bool failed;     /* the book has no memory for what was read: it has a part of it */
	uint32_t rest;   /* looks to let pass after an error */
	pthread_t thread;
	pthread_mutex_t stop_lock;
	pthread_cond_t stop_turned;
	bool started, stop;
};

int follow_create(const struct follow_options *options, struct follow **ret_follow)
{
	struct follow *follow = calloc(1, sizeof(*follow));
	pthread_condattr_t attributes;

	if (!follow)
		return -ENOMEM;
	follow->options = *options;
	pthread_mutex_init(&follow->lock, NULL);
	pthread_mutex_init(&follow->stop_lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&follow->stop_turned, &attributes);
	pthread_condattr_destroy(&attributes);
	*ret_follow = follow;
	return 0;
}

static void let_go(struct follow *follow)
{
	store_reader_close(follow->reader);
	follow->reader = NULL;
}

int follow_path(struct follow *follow, const char *path)
{
	char *copy = path ? strdup(path) : NULL;

	if (path && !copy)
		return -ENOMEM;
	pthread_mutex_lock(&follow->lock);
	if (follow->path && copy && strcmp(follow->path, copy) == 0) {
		free(copy);
	} else {
		free(follow->path);
		follow->path = copy;
		follow->rest = 0;
		let_go(follow);
	}
	pthread_mutex_unlock(&follow->lock);
	return 0;
}

static int each_revision(void *self, const struct anomaly *anomaly)
{
	struct follow *follow = self;
	struct book *book = follow->options.book;

	book_write(book);
	follow->failed |= book_revision(book, anomaly) < 0;
	book_done(book);
	return follow->failed;
}

/* One that began before what is followed: all of its life. */
static int fetch_life(struct follow *follow, const struct anomaly *anomaly)
{
	return store_life(follow->reader, anomaly->id, 0, each_revision, follow);
}

static int each_followed(void *self, const struct anomaly *anomaly)
{
	struct follow *follow = self;
	struct book *book = follow->options.book;

	book_read(book);
	bool known = anomaly->revision <= 1 || book_find(book, anomaly->id);
	book_done(book);
	return known ? each_revision(follow, anomaly) : fetch_life(follow, anomaly);
}

static int each_input(void *self, const struct operator_input *input, uint64_t ended)
{
	struct follow *follow = self;

	book_write(follow->options.book);
	follow->failed |= book_input(follow->options.book, input, ended) < 0;
	book_done(follow->options.book);
	return follow->failed;
}

static int each_open(void *self, const struct anomaly *anomaly)
{
	return fetch_life(self, anomaly);
}

/* From the beginning; of a long history only the newest, and what is open still. */
static int begin(struct follow *follow)
{
	struct book *book = follow->options.book;
	const struct store_query open = {
		.states = 1u << ANOMALY_FIRING | 1u << ANOMALY_UPDATED | 1u << ANOMALY_PENDING,
	};

	follow->position = (struct store_position){0};
	follow->failed = false;
	/* Relaxed: nothing is read for it. */
	weir_store_relaxed_32(&follow->loaded, 0);
	follow->more = true;
	book_write(book);
	int error = book_reset(book);
	book_done(book);
	if (!error)
		error = store_row_before(follow->reader, book->kept_max, &follow->position.row);
	if (!error && follow->position.row > 0)
		error = store_anomalies(follow->reader, &open, each_open, follow);
	return error;
}

static int open_store(struct follow *follow)
{
	struct stat found;

	if (!follow->path || stat(follow->path, &found) < 0) {
		let_go(follow);
		return -ENOENT;
	}
	/* One that was opened while nobody wrote there may see nothing of who does now. */
	bool still = still_is(follow->path);
	if (follow->reader && found.st_dev == follow->device && found.st_ino == follow->inode &&
	    (!follow->still || still))
		return 0;
	let_go(follow);
	follow->still = still;
	int error = store_reader_open(follow->path, &follow->reader);
	if (error)
		return error;
	/* The file that was left, as when an engine starts again, is gone on with; store_follow()
	 * says if it only has the same number. */
	bool same = follow->position.print && found.st_dev == follow->device &&
		    found.st_ino == follow->inode;
	follow->device = found.st_dev;
	follow->inode = found.st_ino;
	error = same ? 0 : begin(follow);
	if (error)
		let_go(follow);
	return error;
}

/* With the lock of the follower, without that of the book. */
static void tell(struct follow *follow)
{
	struct book *book = follow->options.book;
	struct book_entry *entry = malloc(TOLD_AT_ONCE * sizeof(*entry));
	struct book_row *row = malloc(TOLD_AT_ONCE * sizeof(*row));
	uint32_t count = TOLD_AT_ONCE;

	while (entry && row && count == TOLD_AT_ONCE) {
		book_write(book);
		count = book_take_changes(book, entry, TOLD_AT_ONCE);
		for (uint32_t i = 0; i < count; i++)
			row_fill(book, &entry[i], book_group_of(book, &entry[i])->members, &row[i]);
		struct names *names = names_hold(book->names);
		book_done(book);
		for (uint32_t i = 0; i < count && follow->loaded; i++)
			if (follow->options.changed)
				follow->options.changed(follow->options.self, &row[i]);
		names_release(names);
	}
	free(entry);
	free(row);
}

/* All is read. */
static void settle(struct follow *follow)
{
	struct book *book = follow->options.book;

	book_write(book);
	int error = book_settle(book);
	bool changed = book->changes > 0;
	book_done(book);
	if (error) {
		follow->failed = true;
		return;
	}
	if (changed)
		tell(follow);
	if (follow->loaded)
		return;
	/* Release: whoever sees it finds in the book what was read. */
	weir_store_release_32(&follow->loaded, 1);
	/* Who has asked meanwhile has seen a part of it, or another store's. */
	if (follow->options.reset)
		follow->options.reset(follow->options.self);
}

/* With the lock. */
static int look(struct follow *follow)
{
	int error = open_store(follow);

	if (error)
		return error;
	int changed = store_changed(follow->reader);
	if (changed > 0 || follow->more)
		changed = store_follow(follow->reader, &follow->position, CHUNK, each_followed,
				       each_input, follow);
	if (changed == -ESTALE)
		changed = begin(follow) ? -EIO : 1;
	if (changed < 0 && changed != -EBUSY) {
		let_go(follow);
		return changed;
	}
	/* Its turn comes at the next look, which would not be told of it again. */
	follow->more = changed != 0;
	if (changed == -EBUSY)
		return 0;
	if (!follow->more && !follow->failed)
		settle(follow);
	if (!follow->failed)
		return follow->more;
	/* A part is worse than nothing: all of it anew, later. */
	follow->position.print = 0;
	let_go(follow);
	return -ENOMEM;
}

int follow_step(struct follow *follow)
{
	pthread_mutex_lock(&follow->lock);
	int answer = look(follow);
	pthread_mutex_unlock(&follow->lock);
	return answer;
}

void follow_catch_up(struct follow *follow)
{
	for (unsigned i = 0; i < STEPS_AT_ONCE && follow_step(follow) > 0; i++)
		;
}

bool follow_is_ready(struct follow *follow)
{
	/* Acquire: what was read is in the book. Without the lock, which is held over the disk. */
	return weir_load_acquire_32(&follow->loaded);
}

/* false: it is to stop. */
static bool wait_a_little(struct follow *follow, int milliseconds)
{
	struct timespec until;

	until = monotonic_in_ms(milliseconds);
	pthread_mutex_lock(&follow->stop_lock);
	while (!follow->stop &&
	       pthread_cond_timedwait(&follow->stop_turned, &follow->stop_lock, &until) == 0)
		;
	bool goes_on = !follow->stop;
	pthread_mutex_unlock(&follow->stop_lock);
	return goes_on;
}

/* What failed is not tried at every look. */
static int look_patiently(struct follow *follow)
{
	pthread_mutex_lock(&follow->lock);
	int answer = follow->rest ? 0 : look(follow);
	if (follow->rest)
		follow->rest--;
	else if (answer < 0)
		follow->rest = RETRY_LOOKS;
	pthread_mutex_unlock(&follow->lock);
	return answer;
}

static void *run(void *self)
{
	struct follow *follow = self;

	for (;;) {
		int answer = look_patiently(follow);
		if (!wait_a_little(follow, answer > 0 ? 0 : LOOK_MS))
			return NULL;
	}
}

int follow_start(struct follow *follow)
{
	int error = pthread_create(&follow->thread, NULL, run, follow);

	follow->started = error == 0;
	return -error;
}

void follow_destroy(struct follow *follow)
{
	if (!follow)
		return;
	if (follow->started) {
		pthread_mutex_lock(&follow->stop_lock);
		follow->stop = true;
		pthread_cond_signal(&follow->stop_turned);
		pthread_mutex_unlock(&follow->stop_lock);
		pthread_join(follow->thread, NULL);
	}
	let_go(follow);
	pthread_mutex_destroy(&follow->lock);
	pthread_mutex_destroy(&follow->stop_lock);
	pthread_cond_destroy(&follow->stop_turned);
	free(follow->path);
	free(follow);
}
