/*
 * disk: what of the files below a directory would be there after a power cut.
 *
 * Idea:  the files are real and what a reader sees is theirs; beside them it is kept what the disk
 *        has. A page (4 KiB) that is written is not on the disk until its file is synced. A sync
 *        that fails forgets, as kernels do: its pages count as clean, the next sync says yes and
 *        means nothing for them, until they are written again. A name that is made, changed or
 *        taken away is on the disk when a directory is synced that it, or one after it, belongs
 *        to: names are kept in order, as journals keep them; syncing a file keeps no name.
 *        A cut takes back everything else (or all but some of it, by a seed).
 *
 * Whoever writes says so before, with these. Without disk_begin() they do nothing.
 * Runs on: any thread; begin, off and cut on the test's, with nobody else at work.
 */
#ifndef TESTS_FAULT_DISK_H
#define TESTS_FAULT_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum disk_change { DISK_MADE, DISK_MADE_DIRECTORY, DISK_RENAMED, DISK_UNLINKED };

/* root: an absolute path; what lies below it is on the disk. seed 0: what is not synced is not
 * there after a cut; else that is chance. */
void disk_begin(const char *root, uint64_t seed);
/* No power: nothing is written, synced, made any more; disk_is_off() says so to who would. */
void disk_off(void);
bool disk_is_off(void);
/* The machine is back, with what the disk had; this is over. */
void disk_cut(void);
/* Pages and names that the last cut took back. */
uint64_t disk_taken_back(void);

/* Before a write, a change of size. */
void disk_write(int fd, uint64_t offset, size_t bytes);
void disk_resize(int fd, uint64_t bytes);
/* A sync of a file or directory that is answered so. */
void disk_sync(int fd, bool good);
/* Before a change of a name: a number for disk_changed(), which says how it went. to: of a
 * rename, else ignored. */
int disk_change(enum disk_change change, int directory, const char *path, int to_directory,
		const char *to);
void disk_changed(int number, bool good);

#endif
