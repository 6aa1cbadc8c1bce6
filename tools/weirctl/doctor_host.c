/*
 * doctor_host: what the machine gives an engine: kernel, io_uring, limits, clock.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "config.h"
#include "doctor.h"

/* The first kernel with all that is needed: pidfd, io_uring with fixed files, sealed memfds. */
#define KERNEL_MAJOR 5
#define KERNEL_MINOR 10
/* Writes of a lane that are under way at once, each with a buffer (engine/assemble.c). */
#define LANE_BUFFERS 32u
#define CAPABILITY_IPC_LOCK 14
/* For each producer: its connection, its pidfd, its control page, and one on the way; and what the
 * engine needs itself. */
#define FILES_PER_PRODUCER 4u
#define FILES_OWN 256u

/* The first line of a file; false: it cannot be read. */
static bool read_text(const char *path, char *text, size_t bytes)
{
	FILE *file = fopen(path, "re");
	bool ok = file && fgets(text, (int)bytes, file);
	if (ok)
		text[strcspn(text, "\n")] = '\0';
	if (file)
		fclose(file);
	return ok;
}

void doctor_kernel(struct doctor *doctor)
{
	struct utsname name;
	unsigned major = 0, minor = 0;
	uname(&name);
	sscanf(name.release, "%u.%u", &major, &minor);
	bool old = major < KERNEL_MAJOR || (major == KERNEL_MAJOR && minor < KERNEL_MINOR);
	doctor_say(doctor, old ? DOCTOR_WRONG : DOCTOR_OK, "kernel",
		   old ? "use Linux 5.10 or newer" : NULL, "%s %s", name.sysname, name.release);
	int fd = memfd_create("weir-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE) < 0)
		doctor_say(doctor, DOCTOR_WRONG, "kernel",
			   "allow memfd_create and its seals in the container's seccomp profile",
			   "no sealed shared memory: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

void doctor_uring(struct doctor *doctor)
{
	struct io_uring_params parameters = {0};
	char disabled[16] = "0";
	read_text("/proc/sys/kernel/io_uring_disabled", disabled, sizeof(disabled));
	long fd = syscall(SYS_io_uring_setup, 4, &parameters);
	if (fd >= 0) {
		close((int)fd);
		if (disabled[0] == '0')
			doctor_say(doctor, DOCTOR_OK, "io_uring", NULL, "works");
		else
			doctor_say(doctor, DOCTOR_WRONG, "io_uring",
				   "sysctl -w kernel.io_uring_disabled=0",
				   "works for this user, but kernel.io_uring_disabled is %s: an "
				   "engine without privileges writes with pwrite, slower",
				   disabled);
		return;
	}
	const char *mend = "allow io_uring_setup, io_uring_enter and io_uring_register in the "
			   "container's seccomp profile";
	if (disabled[0] != '0')
		mend = "sysctl -w kernel.io_uring_disabled=0";
	doctor_say(doctor, DOCTOR_WRONG, "io_uring", mend,
		   "refused (%s): the engine writes with pwrite, slower", strerror(errno));
}

/* "Max locked memory  8388608  8388608  bytes" of a process: the soft limit, or the hard one. */
static uint64_t limit_of(pid_t pid, const char *name, bool hard)
{
	char path[64], line[256];
	uint64_t limit = UINT64_MAX;
	snprintf(path, sizeof(path), "/proc/%d/limits", pid ? pid : getpid());
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			/* "unlimited" is no number, and leaves the limit as it is. */
			sscanf(line + strlen(name), hard ? "%*s %" SCNu64 : "%" SCNu64, &limit);
	if (file)
		fclose(file);
	return limit;
}

static bool has_capability(pid_t pid, int number)
{
	char path[64], line[256];
	unsigned long long effective = 0;
	snprintf(path, sizeof(path), "/proc/%d/status", pid ? pid : getpid());
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "CapEff:", 7) == 0)
			effective = strtoull(line + 7, NULL, 16);
	if (file)
		fclose(file);
	return effective >> number & 1;
}

void doctor_limits(struct doctor *doctor)
{
	const struct config *config = doctor->config;
	const char *whose = doctor->pid ? "of the engine" : "of this shell; no engine runs";
	uint32_t lanes = config ? config->lanes : 1;
	uint64_t block = config ? config->block_bytes : 256u << 10;
	uint64_t needed = lanes * (LANE_BUFFERS * block + (1u << 20));
	uint64_t locked = limit_of(doctor->pid, "Max locked memory", false);
	uint64_t files_needed = FILES_OWN +
				FILES_PER_PRODUCER * (config ? config->producers_max : 256);
	/* An engine takes what it may: its soft limit becomes its hard one. */
	uint64_t files = limit_of(doctor->pid, "Max open files", true);

	if (locked >= needed || has_capability(doctor->pid, CAPABILITY_IPC_LOCK))
		doctor_say(doctor, DOCTOR_OK, "memlock", NULL, "enough for registered buffers (%s)",
			   whose);
	else
		doctor_say(doctor, DOCTOR_WRONG, "memlock",
			   "systemctl edit weird: [Service] LimitMEMLOCK=512M; in a shell: ulimit "
			   "-l unlimited",
			   "%" PRIu64 " KiB may be locked (%s), registered buffers want %" PRIu64
			   " KiB: without them writes are slower",
			   locked >> 10, whose, needed >> 10);
	if (files >= files_needed)
		doctor_say(doctor, DOCTOR_OK, "files", NULL, "enough for all producers (%s)",
			   whose);
	else
		doctor_say(doctor, DOCTOR_WRONG, "files",
			   "systemctl edit weird: [Service] LimitNOFILE=65536; in a shell: ulimit "
			   "-n 65536",
			   "%" PRIu64
			   " files may be open (%s), limits.producers_max wants %" PRIu64,
			   files, whose, files_needed);
}

void doctor_clock(struct doctor *doctor)
{
	struct timex state = {0};
	char source[32] = "";
	int kept = adjtimex(&state);
	if (kept == TIME_ERROR || (state.status & STA_UNSYNC))
		doctor_say(doctor, DOCTOR_WRONG, "clock", "timedatectl set-ntp true",
			   "not synchronised: events of several machines do not agree on when");
	else
		doctor_say(doctor, DOCTOR_OK, "clock", NULL, "synchronised, within %ld ms",
			   state.maxerror / 1000);
	if (!read_text("/sys/devices/system/clocksource/clocksource0/current_clocksource", source,
		       sizeof(source)))
		return;
	if (strcmp(source, "hpet") == 0 || strcmp(source, "acpi_pm") == 0)
		doctor_say(doctor, DOCTOR_NOTE, "clock",
			   "boot with clocksource=tsc if the machine's is stable",
			   "read from %s: slow, each emit with a precise time pays for it", source);
}
