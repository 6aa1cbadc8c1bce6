/*
 * disk: see disk.h.
 */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wrap.h"

#define PAGE 4096u
#define INODES_MAX 4096
#define CHANGES_MAX 4096
#define NAME_BYTES 192
/* A kept-back name lies here, beside the root: what was unlinked may have to come back. */
#define GRAVES ".graves"

enum { CLEAN, DIRTY, FORGOTTEN };

/* A file. Pages that are not on the disk have what the disk has in their place. */
struct inode {
	ino_t number; /* 0: free */
	uint64_t bytes; /* its size on the disk */
	uint32_t pages_count;
	struct page {
		uint8_t *before; /* NULL: the page is on the disk as it is read */
		uint8_t state;
	} *pages;
};

struct change {
	enum disk_change change;
	int grave; /* of the file that the change took a name from; 0: none */
	char path[NAME_BYTES], to[NAME_BYTES];
};

static struct {
	bool on, off;
	char root[NAME_BYTES];
	size_t root_bytes;
	struct inode inodes[INODES_MAX];
	struct change changes[CHANGES_MAX]; /* not on the disk yet, in order */
	int changes_count, graves;
	uint64_t taken_back, random;
} disk;
static pthread_mutex_t disk_lock = PTHREAD_MUTEX_INITIALIZER;

/* Not the wrapped one: it waits for helpers. */
static void unlock(void)
{
	__real_pthread_mutex_unlock(&disk_lock);
}

static bool one_in_two(void)
{
	disk.random = disk.random * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return disk.random >> 63;
}

/* Files. */

static struct inode *find(ino_t number, bool make)
{
	uint32_t i = (uint32_t)number % INODES_MAX;

	for (int tries = 0; disk.inodes[i].number; i = (i + 1) % INODES_MAX) {
		if (disk.inodes[i].number == number)
			return &disk.inodes[i];
		if (++tries == INODES_MAX)
			abort();
	}
	if (!make)
		return NULL;
	disk.inodes[i].number = number;
	return &disk.inodes[i];
}

static void forget_pages(struct inode *inode)
{
	for (uint32_t p = 0; p < inode->pages_count; p++)
		__real_free(inode->pages[p].before);
	__real_free(inode->pages);
	inode->pages = NULL;
	inode->pages_count = 0;
}

/* The file behind a descriptor, and its size; NULL: none of ours. */
static struct inode *inode_of(int fd, uint64_t *ret_bytes)
{
	char link[64], path[PATH_MAX];
	struct stat stat;

	if (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode))
		return NULL;
	*ret_bytes = (uint64_t)stat.st_size;
	struct inode *inode = find(stat.st_ino, false);
	if (inode)
		return inode;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t bytes = readlink(link, path, sizeof(path) - 1);
	if (bytes < (ssize_t)disk.root_bytes || memcmp(path, disk.root, disk.root_bytes) != 0)
		return NULL;
	inode = find(stat.st_ino, true);
	inode->bytes = (uint64_t)stat.st_size;
	return inode;
}

/* A descriptor to read with: who writes may not. */
static int reading(int fd)
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return __real_open64(link, O_RDONLY | O_CLOEXEC);
}

/* Keep what the disk has of these pages. */
static void keep(struct inode *inode, int fd, uint64_t from, uint64_t until)
{
	uint32_t first = (uint32_t)(from / PAGE), last = (uint32_t)((until + PAGE - 1) / PAGE);
	int reader = -1;

	if (last > inode->pages_count) {
		inode->pages = __real_realloc(inode->pages, last * sizeof(*inode->pages));
		memset(inode->pages + inode->pages_count, 0,
		       (last - inode->pages_count) * sizeof(*inode->pages));
		inode->pages_count = last;
	}
	for (uint32_t p = first; p < last; p++) {
		struct page *page = &inode->pages[p];
		page->state = DIRTY;
		if (page->before)
			continue;
		if (reader < 0 && (reader = reading(fd)) < 0)
			abort();
		page->before = __real_calloc(1, PAGE);
		if (!page->before ||
		    __real_pread64(reader, page->before, PAGE, (off_t)p * PAGE) < 0)
			abort();
	}
	if (reader >= 0)
		close(reader);
}

void disk_write(int fd, uint64_t offset, size_t bytes)
{
	uint64_t size;

	if (!disk.on || !bytes)
		return;
	pthread_mutex_lock(&disk_lock);
	struct inode *inode = inode_of(fd, &size);
	if (inode)
		keep(inode, fd, offset, offset + bytes);
	unlock();
}

void disk_resize(int fd, uint64_t bytes)
{
	uint64_t size;

	if (!disk.on)
		return;
	pthread_mutex_lock(&disk_lock);
	struct inode *inode = inode_of(fd, &size);
	if (inode && bytes < size)
		keep(inode, fd, bytes, size);
	unlock();
}

static void sync_file(struct inode *inode, uint64_t size, bool good)
{
	for (uint32_t p = 0; p < inode->pages_count; p++) {
		struct page *page = &inode->pages[p];
		if (!page->before || page->state != DIRTY)
			continue;
		/* By chance some pages get there before the error. */
		if (good || (disk.random && one_in_two())) {
			__real_free(page->before);
			page->before = NULL;
		} else {
			page->state = FORGOTTEN;
		}
	}
	if (good)
		inode->bytes = size;
}

/* Names. */

/* The canonical path, if it is below the root. */
static bool path_of(int directory, const char *path, char name[NAME_BYTES])
{
	char whole[PATH_MAX], parent[PATH_MAX];

	if (path[0] == '/' || directory == AT_FDCWD) {
		snprintf(whole, sizeof(whole), "%s", path);
	} else {
		char link[64];
		snprintf(link, sizeof(link), "/proc/self/fd/%d", directory);
		ssize_t bytes = readlink(link, whole, sizeof(whole) - 1);
		if (bytes < 0)
			return false;
		snprintf(whole + bytes, sizeof(whole) - (size_t)bytes, "/%s", path);
	}
	char *slash = strrchr(whole, '/');
	if (!slash)
		return false;
	*slash = '\0';
	if (!realpath(whole[0] ? whole : "/", parent))
		return false;
	int bytes = snprintf(name, NAME_BYTES, "%.150s/%.40s", parent, slash + 1);
	return bytes < NAME_BYTES && strncmp(name, disk.root, disk.root_bytes) == 0;
}

static void grave_path(int grave, char path[NAME_BYTES + 32])
{
	snprintf(path, NAME_BYTES + 32, "%s" GRAVES "/%d", disk.root, grave);
}

/* Another name for what is about to lose this one; 0: there is nothing. */
static int bury(const char *path)
{
	char grave[NAME_BYTES + 32];

	grave_path(disk.graves + 1, grave);
	return link(path, grave) == 0 ? ++disk.graves : 0;
}

static bool below(const char *path, const char *directory)
{
	size_t bytes = strlen(directory);

	return strncmp(path, directory, bytes) == 0 && path[bytes] == '/' &&
	       !strchr(path + bytes + 1, '/');
}

/* The first of the changes are on the disk. */
static void keep_changes(int count)
{
	char grave[NAME_BYTES + 32];

	for (int i = 0; i < count; i++)
		if (disk.changes[i].grave) {
			grave_path(disk.changes[i].grave, grave);
			__real_unlink(grave);
		}
	disk.changes_count -= count;
	memmove(disk.changes, disk.changes + count,
		(size_t)disk.changes_count * sizeof(*disk.changes));
}

static void sync_directory(int fd)
{
	char link[64], path[PATH_MAX];
	int count = 0;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t bytes = readlink(link, path, sizeof(path) - 1);
	if (bytes < 0)
		return;
	path[bytes] = '\0';
	for (int i = 0; i < disk.changes_count; i++)
		if (below(disk.changes[i].path, path) ||
		    (disk.changes[i].to[0] && below(disk.changes[i].to, path)))
			count = i + 1;
	keep_changes(count);
}

void disk_sync(int fd, bool good)
{
	struct stat stat;
	uint64_t size;

	if (!disk.on || fstat(fd, &stat) < 0)
		return;
	pthread_mutex_lock(&disk_lock);
	struct inode *inode = S_ISDIR(stat.st_mode) ? NULL : inode_of(fd, &size);
	if (inode)
		sync_file(inode, size, good);
	else if (S_ISDIR(stat.st_mode) && good)
		sync_directory(fd);
	unlock();
}

int disk_change(enum disk_change kind, int directory, const char *path, int to_directory,
		const char *to)
{
	struct change change = {.change = kind};
	int number = -1;

	if (!disk.on)
		return -1;
	pthread_mutex_lock(&disk_lock);
	if (path_of(directory, path, change.path) &&
	    (kind != DISK_RENAMED || path_of(to_directory, to, change.to))) {
		if (disk.changes_count == CHANGES_MAX)
			abort();
		if (kind == DISK_RENAMED || kind == DISK_UNLINKED)
			change.grave = bury(kind == DISK_RENAMED ? change.to : change.path);
		number = disk.changes_count++;
		disk.changes[number] = change;
	}
	unlock();
	return number;
}

void disk_changed(int number, bool good)
{
	char grave[NAME_BYTES + 32];
	struct stat stat;

	if (number < 0)
		return;
	pthread_mutex_lock(&disk_lock);
	struct change *change = &disk.changes[number];
	if (!good && change->grave) {
		grave_path(change->grave, grave);
		__real_unlink(grave);
	}
	/* Names are changed by one thread at a time: it is still the last. */
	if (!good)
		disk.changes_count--;
	if (good && change->change == DISK_MADE && lstat(change->path, &stat) == 0) {
		struct inode *inode = find(stat.st_ino, true);
		forget_pages(inode);
		inode->bytes = 0;
	}
	unlock();
}

/* The cut. */

static void undo(const struct change *change)
{
	char grave[NAME_BYTES + 32];
	int failed = 0;

	grave_path(change->grave, grave);
	switch (change->change) {
	case DISK_MADE:
		failed = __real_unlink(change->path);
		break;
	case DISK_MADE_DIRECTORY:
		failed = rmdir(change->path);
		break;
	case DISK_RENAMED:
		failed = __real_rename(change->to, change->path);
		if (change->grave)
			failed |= __real_rename(grave, change->to);
		break;
	case DISK_UNLINKED:
		failed = change->grave ? __real_rename(grave, change->path) : 0;
		break;
	}
	if (failed) {
		printf("disk: cannot undo %d of %s, %s\n", change->change, change->path,
		       change->to);
		abort();
	}
}

/* Indexes into a log of SQLite's lie in memory only; without them it reads its files. */
static bool is_memory(const char *path)
{
	size_t bytes = strlen(path);

	return bytes > 4 && strcmp(path + bytes - 4, "-shm") == 0;
}

static int restore(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
	struct inode *inode = find(stat->st_ino, false);

	(void)walk;
	if (kind != FTW_F || !inode || !S_ISREG(stat->st_mode))
		return 0;
	if (is_memory(path))
		return __real_unlink(path);
	int fd = __real_open64(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		abort();
	for (uint32_t p = 0; p < inode->pages_count; p++) {
		const struct page *page = &inode->pages[p];
		if (!page->before || (disk.random && page->state == DIRTY && one_in_two()))
			continue;
		if (__real_pwrite64(fd, page->before, PAGE, (off_t)p * PAGE) != PAGE)
			abort();
		disk.taken_back++;
	}
	if (__real_ftruncate64(fd, (off_t)inode->bytes) < 0)
		abort();
	close(fd);
	return 0;
}

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
	(void)stat;
	(void)kind;
	(void)walk;
	return remove(path);
}

void disk_begin(const char *root, uint64_t seed)
{
	char graves[NAME_BYTES + 32];

	for (int i = 0; i < INODES_MAX; i++)
		forget_pages(&disk.inodes[i]);
	memset(&disk, 0, sizeof(disk));
	disk.random = seed;
	disk.root_bytes = (size_t)snprintf(disk.root, sizeof(disk.root), "%s", root);
	snprintf(graves, sizeof(graves), "%s" GRAVES, root);
	if (__real_mkdir(graves, 0700) < 0)
		abort();
	disk.on = true;
}

void disk_off(void)
{
	disk.off = disk.on;
}

bool disk_is_off(void)
{
	return disk.off;
}

void disk_cut(void)
{
	char graves[NAME_BYTES + 32];

	int kept = 0;
	while (disk.random && kept < disk.changes_count && one_in_two())
		kept++;
	keep_changes(kept);
	disk.taken_back += (uint64_t)disk.changes_count;
	while (disk.changes_count)
		undo(&disk.changes[--disk.changes_count]);
	if (nftw(disk.root, restore, 16, FTW_PHYS))
		abort();
	snprintf(graves, sizeof(graves), "%s" GRAVES, disk.root);
	nftw(graves, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	disk.on = false;
	disk.off = false;
}

uint64_t disk_taken_back(void)
{
	return disk.taken_back;
}
