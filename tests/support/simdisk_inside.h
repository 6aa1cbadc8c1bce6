/*
 * simdisk_inside: what simdisk.c and simdisk_ends.c share, and nobody else looks at.
 */
#ifndef SUPPORT_SIMDISK_INSIDE_H
#define SUPPORT_SIMDISK_INSIDE_H

#include "support/simdisk.h"

#define PAGE 4096u
#define SECTOR 512u
#define PATH_MAX_BYTES 128u
#define FILES_MAX 4096u
#define NAMES_MAX 4096u
#define IOS_MAX 16u
#define LATE_MAX 64u

struct sim_file {
	char path[PATH_MAX_BYTES];
	bool there; /* has its name; without, a descriptor or an undo may still hold it */
	bool directory;
	int bad; /* what each write to it says; 0: nothing is wrong with it */
	uint64_t bytes;
	uint64_t room; /* that it takes; less than its bytes once it was trimmed */
	uint8_t *now;
	uint8_t *safe;
	uint64_t *dirty;  /* per page: number of the write that made it so; 0: clean */
	uint8_t *written; /* per page: WRITTEN_NOW, WRITTEN_SAFE; neither: a hole */
};

enum { WRITTEN_NOW = 1, WRITTEN_SAFE = 2 };

/* A write of a process that was killed. */
struct late {
	struct sim_file *file;
	uint64_t offset;
	size_t bytes;
	uint8_t *data;
};

/* A change of names that no directory sync has covered yet. */
struct name_op {
	struct sim_file *file;
	enum { NAME_MADE, NAME_MOVED, NAME_GONE } kind;
	char before[PATH_MAX_BYTES];
	struct sim_file *displaced; /* by a move */
};

struct pending {
	bool sync;
	struct sim_file *file;
	uint64_t offset;
	const uint8_t *data;
	size_t bytes;
	uint64_t cookie;
	uint64_t due;
	uint64_t covers;  /* sync: writes up to this number */
	uint32_t names;   /* sync of a directory: name operations up to this one */
	int error;
	bool fails, cut_short;
};

struct sim_io {
	struct io io; /* first */
	struct simdisk *disk;
	struct sim_file *files[IO_FILES_MAX];
	struct pending *pending;
	uint32_t pending_count, depth;
	uint64_t ticks;
	void *regions[IO_REGIONS_MAX];
	uint32_t regions_count;
	bool dead;
};

struct fault {
	uint64_t countdown; /* 0: off */
	bool firing;
	bool persistent;
	int error;
};

struct simdisk {
	uint64_t random;
	struct sim_file *files[FILES_MAX];
	uint32_t files_count;
	struct name_op names[NAMES_MAX];
	uint32_t names_count;
	uint64_t names_done; /* operations that were synced or undone before names[0] */
	struct sim_io *ios[IOS_MAX];
	uint32_t ios_count;
	uint32_t delay;
	uint64_t capacity;
	uint64_t writes; /* numbers them */
	struct fault faults[SIMDISK_OPS];
	uint64_t counts[SIMDISK_OPS];
	uint64_t failed;
	bool spoils; /* a refused write leaves its file bad */
	struct late late[LATE_MAX];
	uint32_t late_count;
	simdisk_choice *choice; /* NULL: the seed */
	void *chooser;
};

uint64_t simdisk_random(struct simdisk *disk);
uint64_t simdisk_below(struct simdisk *disk, uint64_t bound);
/* A write has come to its file: readers see it, and it is not safe. */
void simdisk_land(struct simdisk *disk, struct sim_file *file, uint64_t offset, const uint8_t *data,
		  size_t bytes);
/* The oldest so many changes of names survive a power cut. */
void simdisk_names_safe(struct simdisk *disk, uint32_t count);

#endif
