/*
 * ground: see ground.h.
 */
#include "power/ground.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/process.h"

#define SHUTDOWN _IOR('X', 125, uint32_t) /* EXT4_IOC_SHUTDOWN */
#define LYING GROUND "/lying"
#define EXT4_MAGIC 0xef53
/* Another process may take the loop device that we were told is free. */
#define LOOP_TRIES 100
#define UNMOUNT_TRIES 60000

static _Noreturn void skip(const char *what)
{
	printf("skipped: %s: %s\n", what, strerror(errno));
	exit(77);
}

static _Noreturn void die(const char *what)
{
	printf("FAILED: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* What could be mounted once and cannot now is a finding. */
static bool mounted_once;

static _Noreturn void no_mount(const char *what)
{
	if (mounted_once)
		die(what);
	skip(what);
}

/* A device for the image; gone with its last user. Negative: none, see errno. */
static int attach(int image, char path[32])
{
	struct loop_config config = {
		.fd = (uint32_t)image,
		.info = {.lo_flags = LO_FLAGS_AUTOCLEAR},
	};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int loop = -1;

	for (int i = 0; control >= 0 && loop < 0 && i < LOOP_TRIES; i++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);
		if (number < 0)
			break;
		snprintf(path, 32, "/dev/loop%d", number);
		loop = open(path, O_RDWR | O_CLOEXEC);
		if (loop >= 0 && ioctl(loop, LOOP_CONFIGURE, &config) == 0)
			break;
		int error = errno;
		if (loop >= 0)
			close(loop);
		loop = -1;
		errno = error;
		if (error != EBUSY)
			break;
		pause_us(1000);
	}
	int error = errno;
	if (control >= 0)
		close(control);
	errno = error;
	return loop;
}

static void make(int image)
{
	char path[32];
	int status;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", image);
	pid_t pid = fork();
	if (pid == 0) {
		/* Everything of the file system's own is written now, so that a lying disk has
		 * room for it. */
		execlp("mkfs.ext4", "mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", "-J",
		       "size=4", "-N", "1024", "-E",
		       "lazy_itable_init=0,lazy_journal_init=0,nodiscard", path, NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || status) {
		printf("skipped: mkfs.ext4 is not installed, or cannot format %s\n", path);
		exit(77);
	}
}

void ground_enter(struct ground *ground)
{
	struct statfs fs;

	*ground = (struct ground){.image = -1, .root = -1};
	if (geteuid() != 0) {
		printf("skipped: mounting a file system of our own needs root\n");
		exit(77);
	}
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", GROUND, "tmpfs", 0, "mode=0755") < 0 || chdir(GROUND) < 0)
		skip("no mount namespace of our own");
	mkdir(GROUND_DISK, 0755);
	/* Once all of it, to see whether this machine can. */
	ground_format(ground, 16u << 20);
	ground_mount(ground, NULL);
	if (fstatfs(ground->root, &fs) < 0 || fs.f_type != EXT4_MAGIC)
		skip("no ext4");
	if (ground_cut(ground, GROUND_CUT_NOW) < 0)
		skip("this kernel's ext4 cannot be switched off");
	ground_unmount(ground);
}

static void forget(struct ground *ground)
{
	if (ground->image >= 0)
		close(ground->image);
	ground->image = -1;
}

void ground_format(struct ground *ground, uint64_t bytes)
{
	forget(ground);
	ground->pieces = false;
	ground->image = memfd_create("image", 0);
	if (ground->image < 0 || ftruncate(ground->image, (off_t)bytes) < 0)
		skip("no memory for a file system");
	make(ground->image);
	fcntl(ground->image, F_SETFD, FD_CLOEXEC);
}

static void resize(bool fresh, uint64_t bytes)
{
	char text[64];

	snprintf(text, sizeof(text), "size=%llu", (unsigned long long)bytes);
	if (mount("none", LYING, "tmpfs", fresh ? 0 : MS_REMOUNT, text) < 0)
		die("no tmpfs of that size");
}

void ground_grow(uint64_t bytes)
{
	resize(false, bytes + (bytes >> 3));
}

void ground_format_lying(struct ground *ground, uint64_t bytes)
{
	struct fstrim_range all = {.len = UINT64_MAX};

	forget(ground);
	ground->pieces = true;
	umount2(LYING, MNT_DETACH);
	mkdir(LYING, 0755);
	resize(true, bytes + (bytes >> 3));
	ground->image = open(LYING "/image", O_RDWR | O_CREAT | O_EXCL, 0600);
	if (ground->image < 0 || ftruncate(ground->image, (off_t)bytes) < 0)
		die("no image");
	make(ground->image);
	fcntl(ground->image, F_SETFD, FD_CLOEXEC);
	/* What belongs to ext4 itself gets its room, its journal above all. */
	if (fallocate(ground->image, 0, 0, (off_t)bytes) < 0)
		die("no room for an image");
	ground_mount(ground, NULL);
	if (ioctl(ground->root, FITRIM, &all) < 0)
		skip("no discards on a loop device");
	ground_unmount(ground);
}

void ground_lie(const struct ground *ground, uint64_t room)
{
	struct statfs fs;

	syncfs(ground->root);
	if (fstatfs(ground->image, &fs) < 0)
		die("no statfs");
	resize(false, (fs.f_blocks - fs.f_bfree) * (uint64_t)fs.f_bsize + room);
}

/* A write that finds room for its first pages only is a success to the loop device: that would be a
 * disk that loses data and never says so, from which nobody can save anything. */
static void write_in_pages(const char *device)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/block/%s/queue/max_sectors_kb", device + 5);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "4", 1) != 1)
		skip("writes to a loop device cannot be cut into pages");
	close(fd);
}

void ground_mount(struct ground *ground, const char *options)
{
	char path[32];
	int loop = attach(ground->image, path);

	if (loop < 0)
		no_mount("no loop device");
	if (ground->pieces)
		write_in_pages(path);
	if (mount(path, GROUND_DISK, "ext4", MS_NOATIME, options) < 0)
		no_mount("ext4 cannot be mounted on a loop device");
	close(loop);
	ground->root = open(GROUND_DISK, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ground->root < 0)
		die("no root directory");
	mounted_once = true;
}

int ground_cut(const struct ground *ground, enum ground_cut how)
{
	uint32_t flag = how;

	return ioctl(ground->root, SHUTDOWN, &flag) < 0 ? -errno : 0;
}

void ground_unmount(struct ground *ground)
{
	close(ground->root);
	ground->root = -1;
	/* An io_uring outlives its process by a moment, with the files that it has. */
	for (int i = 0; i < UNMOUNT_TRIES; i++) {
		if (umount2(GROUND_DISK, 0) == 0)
			return;
		if (errno != EBUSY)
			break;
		pause_us(1000);
	}
	die("the file system cannot be unmounted");
}
