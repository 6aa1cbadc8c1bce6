/*
 * datadir: see datadir.h.
 */
#include "datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

/* Bytes that SQLite needs to open the store and the history: 32 KiB of index each, a few pages of 4
 * and of 16 KiB, and their journals. */
#define ROOM_BYTES (256u << 10)

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
	if (st.st_uid != geteuid() || (st.st_mode & S_IWOTH)) {
		snprintf(why, why_bytes,
			 "the data directory %s belongs to another user or is writable by all; "
			 "give it to the engine's user alone (chown, chmod 0750)",
			 path);
		return -EPERM;
	}
	return 0;
}

static int lock(const char *path, uint32_t wait_ms, struct datadir *datadir, char *why,
		size_t why_bytes)
{
	struct timespec pause = {.tv_nsec = 20000000};

	datadir->lock_fd = openat(datadir->fd, "LOCK", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
				  0640);
	if (datadir->lock_fd < 0) {
		int error = errno;
		snprintf(why, why_bytes,
			 "cannot write in the data directory %s: %s; make it writable for "
			 "the engine's user",
			 path, strerror(error));
		return -error;
	}
	for (uint32_t ms = 0;; ms += 20) {
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
		close(fd);
		for (int i = 0; got == 32 && i < 16; i++)
			if (sscanf(text + 2 * i, "%2hhx", &datadir->uuid[i]) != 1)
				got = 0;
		if (got == 32)
			return 0;
		snprintf(why, why_bytes,
			 "%s/store.id is damaged; 32 hexadecimal digits belong there", path);
		return -EBADMSG;
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

int datadir_open(const char *path, uint32_t wait_ms, struct datadir *datadir, char *why,
		 size_t why_bytes)
{
	*datadir = (struct datadir){.fd = -1, .lock_fd = -1};
	int error = directory(path, datadir, why, why_bytes);
	if (!error)
		error = lock(path, wait_ms, datadir, why, why_bytes);
	if (!error)
		error = room(path, datadir, why, why_bytes);
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
