/*
 * datadir: see datadir.h.
 */
#include "datadir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "exposed.h"
#include "weir/limits.h"

/* Bytes that SQLite needs to open the store and the history: 32 KiB of index each, a few pages of 4
 * and of 16 KiB, and their journals. */
#define ROOM_BYTES (256u << 10)
/* What to do about a store whose name cannot be read: a new one costs it no event. */
#define NAMELESS                                                                                   \
	"; put it back, or move it away: the store gets another name, and its history is made "    \
	"anew from the log"
#define NOT_KEPT "NOT-KEPT"

static int directory(const char *path, struct datadir *datadir, char *why, size_t why_bytes)
{
	struct stat st;

	if (mkdir(path, 0750) < 0 && errno != EEXIST) {
		int error = errno;
		snprintf(why, why_bytes, "cannot make the data directory %s: %s%s", path,
			 strerror(error),
			 error == ENOENT ? "; make its parent directory first" : "");
		return -error;
	}
	datadir->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (datadir->fd < 0 || fstat(datadir->fd, &st) < 0) {
		int error = errno;
		snprintf(why, why_bytes, "cannot open the data directory %s: %s", path,
			 strerror(error));
		return -error;
	}
	const char *wrong = exposed_place(AT_FDCWD, path);
	if (wrong) {
		snprintf(why, why_bytes,
			 "the data directory %s %s; give it to the engine's user alone (chown, "
			 "chmod 0750)",
			 path, wrong);
		return -EPERM;
	}
	return 0;
}

static int lock(const char *path, uint32_t wait_ms, struct datadir *datadir, char *why,
		size_t why_bytes)
{
	struct timespec pause = {.tv_nsec = 2000000};

	datadir->lock_fd = openat(datadir->fd, "LOCK", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
				  0640);
	if (datadir->lock_fd < 0) {
		int error = errno;
		snprintf(why, why_bytes,
			 error == EISDIR
				 ? "%s/LOCK: %s; move it away: the engine makes a file of it"
				 : "cannot write in the data directory %s: %s; make it writable "
				   "for the engine's user",
			 path, strerror(error));
		return -error;
	}
	for (uint32_t ms = 0;; ms += 2) {
		if (flock(datadir->lock_fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK || ms >= wait_ms)
			break;
		nanosleep(&pause, NULL);
	}
	snprintf(why, why_bytes,
		 "another engine runs on %s; stop it first, or give this one a data directory of "
		 "its own",
		 path);
	return -EBUSY;
}

static int identity(const char *path, struct datadir *datadir, char *why, size_t why_bytes)
{
	char text[33] = "";
	int fd = openat(datadir->fd, "store.id", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0) {
		ssize_t got = read(fd, text, 32);
		int error = errno;
		close(fd);
		if (got < 0) {
			snprintf(why, why_bytes, "cannot read %s/store.id: %s" NAMELESS, path,
				 strerror(error));
			return -error;
		}
		for (int i = 0; got == 32 && i < 16; i++)
			if (sscanf(text + 2 * i, "%2hhx", &datadir->uuid[i]) != 1)
				got = 0;
		if (got == 32)
			return 0;
		snprintf(why, why_bytes,
			 "%s/store.id is damaged: 32 hexadecimal digits belong there" NAMELESS,
			 path);
		return -EBADMSG;
	}
	/* Only a directory without one is a new store: whoever cannot read it now must not be given
	 * another name for what the log holds. */
	if (errno != ENOENT) {
		int error = errno;
		snprintf(why, why_bytes, "cannot read %s/store.id: %s", path, strerror(error));
		return -error;
	}
	if (getrandom(datadir->uuid, sizeof(datadir->uuid), 0) != sizeof(datadir->uuid))
		return -EIO;
	for (int i = 0; i < 16; i++)
		snprintf(text + 2 * i, 3, "%02x", datadir->uuid[i]);
	fd = openat(datadir->fd, "store.id.new",
		    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	bool written = fd >= 0 && write(fd, text, 32) == 32 && fsync(fd) == 0;
	int error = written ? 0 : errno;
	if (fd >= 0)
		close(fd);
	if (written && renameat(datadir->fd, "store.id.new", datadir->fd, "store.id") == 0 &&
	    fsync(datadir->fd) == 0)
		return 0;
	error = error ? error : errno;
	snprintf(why, why_bytes, "cannot write %s/store.id: %s", path, strerror(error));
	return -error;
}

/* On a disk without the least room the store's shared index would be a file with holes, and a write
 * to its mapping the end of the process: better to say so first. */
static int room(const char *path, const struct datadir *datadir, char *why, size_t why_bytes)
{
	struct statvfs disk;

	if (fstatvfs(datadir->fd, &disk) < 0 || disk.f_blocks == 0)
		return 0; /* it does not say */
	if ((uint64_t)disk.f_bavail * disk.f_frsize >= ROOM_BYTES)
		return 0;
	snprintf(why, why_bytes,
		 "the disk of the data directory %s is full: free some space on it and start again; "
		 "producers wait, then drop and count",
		 path);
	return -ENOSPC;
}

/* What an engine without a log leaves: its store, its history and its name. */
static int empty(struct datadir *datadir)
{
	static const char *const names[] = {"weir.db",       "weir.db-wal",    "weir.db-shm",
					    "history.db",    "history.db-wal", "history.db-shm",
					    "store.id.new", "store.id"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (unlinkat(datadir->fd, names[i], 0) == 0)
			datadir->emptied = true;
		else if (errno != ENOENT)
			return -errno;
	return fsync(datadir->fd) < 0 ? -errno : 0;
}

static int put_mark(struct datadir *datadir)
{
	static const char text[] = "log.io is none: what lies here goes with the next start\n";
	int fd = openat(datadir->fd, NOT_KEPT,
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	bool written = fd >= 0 && write(fd, text, sizeof(text) - 1) == sizeof(text) - 1 &&
		       fsync(fd) == 0;
	int error = written ? 0 : errno;

	if (fd >= 0)
		close(fd);
	return error ? -error : fsync(datadir->fd) < 0 ? -errno : 0;
}

static bool of_a_log(const char *name)
{
	unsigned number;
	int end = 0;

	return strcmp(name, "control") == 0 || strcmp(name, "checkpoint") == 0 ||
	       (sscanf(name, "lane-%2u%n", &number, &end) == 1 && !name[end]);
}

static bool of_a_store(const char *name)
{
	return of_a_log(name) || strcmp(name, "store.id") == 0 || strcmp(name, "weir.db") == 0 ||
	       strcmp(name, "history.db") == 0;
}

/* What others left in the directory before it was the engine's alone is not trusted either. */
static int check_entries(const char *path, const struct datadir *datadir, char *why,
			 size_t why_bytes)
{
	static const char *const names[] = {"LOCK",       "store.id",       "store.id.new",
					    "weir.db",    "weir.db-wal",    "weir.db-shm",
					    "history.db", "history.db-wal", "history.db-shm",
					    "control",    "checkpoint",     NOT_KEPT};
	const char *wrong = NULL;
	char name[32];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) + WEIR_LANES_MAX && !wrong; i++) {
		size_t lane = i - sizeof(names) / sizeof(names[0]);
		if (i < sizeof(names) / sizeof(names[0]))
			snprintf(name, sizeof(name), "%s", names[i]);
		else
			snprintf(name, sizeof(name), "lane-%02zu", lane);
		wrong = exposed_place(datadir->fd, name);
	}
	if (!wrong)
		return 0;
	snprintf(why, why_bytes,
		 "%s/%s %s; make sure that it is what the engine left there, and give it to the "
		 "engine's user alone (chown, chmod go-w)",
		 path, name, wrong);
	return -EPERM;
}

/* What lies there of a log, or, with `whole`, of a log and its store: one name, "" if nothing does.
 * A copy or a restore may hold any part without the others. */
static int look_for(const struct datadir *datadir, bool whole, char name[NAME_MAX + 1])
{
	int fd = openat(datadir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int error = directory ? 0 : errno;

	name[0] = '\0';
	errno = 0;
	while (directory && !name[0] && (entry = readdir(directory)))
		if (whole ? of_a_store(entry->d_name) : of_a_log(entry->d_name))
			snprintf(name, NAME_MAX + 1, "%s", entry->d_name);
	if (directory) {
		error = name[0] ? 0 : errno;
		closedir(directory);
	} else if (fd >= 0) {
		close(fd);
	}
	return -error;
}

/* Nothing is removed where a log lies, whatever the directory says: the mark came there with a
 * copy, or the log did. And one that is not marked is taken only where nothing of a store lies. */
static int check_kept(const char *path, bool keep, bool marked, const struct datadir *datadir,
		      char *why, size_t why_bytes)
{
	char name[NAME_MAX + 1] = "";
	int error = marked || !keep ? look_for(datadir, !marked, name) : 0;

	if (error < 0)
		snprintf(why, why_bytes, "cannot read the data directory %s: %s", path,
			 strerror(-error));
	if (!name[0])
		return error;
	if (marked)
		snprintf(why, why_bytes,
			 "the data directory %s holds a log (%s), and NOT-KEPT, which says that "
			 "there is none: remove NOT-KEPT if the log is to be kept, the log if not",
			 path, name);
	else
		snprintf(why, why_bytes,
			 "the data directory %s holds a log (%s), and log.io is none, which keeps "
			 "none: give this engine a data directory of its own, or set log.io to "
			 "auto",
			 path, name);
	return -EEXIST;
}

/* A store without a log behind it says so in its directory, from before it is made until it is
 * gone. Nothing is ever removed from a directory that does not say so. */
static int settle_kept(const char *path, bool keep, struct datadir *datadir, char *why,
		       size_t why_bytes)
{
	bool marked = faccessat(datadir->fd, NOT_KEPT, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	int error = check_kept(path, keep, marked, datadir, why, why_bytes);

	if (error < 0)
		return error;
	if (!marked && !keep)
		error = put_mark(datadir);
	else if (marked)
		error = empty(datadir);
	if (!error && marked && keep && unlinkat(datadir->fd, NOT_KEPT, 0) < 0)
		error = -errno;
	if (error < 0)
		snprintf(why, why_bytes, "cannot write in the data directory %s: %s", path,
			 strerror(-error));
	return error;
}

int datadir_open(const char *path, uint32_t wait_ms, bool keep, struct datadir *datadir, char *why,
		 size_t why_bytes)
{
	*datadir = (struct datadir){.fd = -1, .lock_fd = -1};
	int error = directory(path, datadir, why, why_bytes);
	if (!error)
		error = check_entries(path, datadir, why, why_bytes);
	if (!error)
		error = lock(path, wait_ms, datadir, why, why_bytes);
	if (!error)
		error = room(path, datadir, why, why_bytes);
	if (!error)
		error = settle_kept(path, keep, datadir, why, why_bytes);
	if (!error)
		error = identity(path, datadir, why, why_bytes);
	if (error < 0)
		datadir_close(datadir);
	return error;
}

void datadir_close(struct datadir *datadir)
{
	if (datadir->lock_fd >= 0)
		close(datadir->lock_fd);
	if (datadir->fd >= 0)
		close(datadir->fd);
	*datadir = (struct datadir){.fd = -1, .lock_fd = -1};
}
