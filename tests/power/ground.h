/*
 * ground: a file system of our own that can lose its power, and that nobody has to clean up.
 *
 * Idea:  the program moves into a mount namespace of its own, with a tmpfs at GROUND. There an
 *        ext4 lies on a loop device (which lets go of itself with its last user) over a file in
 *        memory. Whatever ends the program ends all of it: no mount, device or file stays.
 *        EXT4_IOC_SHUTDOWN is the power cut: what the file system has not yet handed to its device
 *        never gets there, calls fail from then on, and the next mount finds what a machine finds
 *        that was switched off.
 *
 *          /mnt (tmpfs)  image --loop--> ext4 at /mnt/disk
 *                        sockets, configuration, what programs say
 *
 * Not shown here: a device that loses what it said yes to before it was asked to flush. The
 * simulated disk (support/simdisk.h) does.
 */
#ifndef TESTS_POWER_GROUND_H
#define TESTS_POWER_GROUND_H

#include <stdbool.h>
#include <stdint.h>

#define GROUND "/mnt"
#define GROUND_DISK GROUND "/disk"
#define GROUND_DATA GROUND_DISK "/data"

/* What is lost: GROUND_CUT_NOW, all that has not reached the device; GROUND_CUT_BEHIND_JOURNAL, the
 * journal is written first, so names and sizes may be newer than what files hold. */
enum ground_cut { GROUND_CUT_NOW = 2, GROUND_CUT_BEHIND_JOURNAL = 1 };

struct ground {
	int image;   /* descriptor of the file under the loop device, -1: none */
	bool pieces; /* the device is written in single pages */
	int root;    /* of the mounted file system, -1: not mounted */
};

/* Once, before any thread. Where it cannot be done the program ends with 77 and says why. */
void ground_enter(struct ground *ground);
/* A new empty file system of so many bytes, in memory that is used as it is written. */
void ground_format(struct ground *ground, uint64_t bytes);
/* The same on a disk that has all its room until ground_lie(): from then on it has `room` beside
 * what is in use, in the order in which it is written. What is written beyond comes back as an
 * error once, and as zeros for ever; until ground_grow(). */
void ground_format_lying(struct ground *ground, uint64_t bytes);
void ground_lie(const struct ground *ground, uint64_t room);
void ground_grow(uint64_t bytes);
/* options: of ext4, or NULL. */
void ground_mount(struct ground *ground, const char *options);
/* By any process that has the root; 0 or a negative errno (-EIO: it has been cut already). */
int ground_cut(const struct ground *ground, enum ground_cut how);
/* Waits for dead processes to let go of it. */
void ground_unmount(struct ground *ground);

#endif
