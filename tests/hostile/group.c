/*
 * group: see group.h.
 */
#include "group.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/process.h"

#define MEMORY "/sys/fs/cgroup/memory"

/* One write, as such files want it. */
static bool say(const struct group *group, const char *name, uint64_t number)
{
	char path[192], text[32];

	snprintf(path, sizeof(path), "%s/%s", group->path, name);
	int count = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)number);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool said = fd >= 0 && write(fd, text, (size_t)count) == count;
	if (fd >= 0)
		close(fd);
	return said;
}

const char *group_make(struct group *group, uint64_t bytes)
{
	static unsigned made;
	static char why[160];

	snprintf(group->path, sizeof(group->path), MEMORY "/weir-hostile-%d-%u", (int)getpid(),
		 made++);
	if (access(MEMORY "/memory.limit_in_bytes", F_OK) < 0)
		return "there are no control groups of memory at " MEMORY;
	if (mkdir(group->path, 0755) < 0) {
		snprintf(why, sizeof(why), "no group can be made in " MEMORY ": %s",
			 strerror(errno));
		return why;
	}
	if (say(group, "memory.limit_in_bytes", bytes))
		return NULL;
	rmdir(group->path);
	return "a group's memory cannot be bounded";
}

void group_enter(const struct group *group)
{
	if (!say(group, "cgroup.procs", (uint64_t)getpid()))
		_exit(126);
}

/* The first number in a file that stands so in its line. */
static uint64_t hear(const struct group *group, const char *name, const char *format)
{
	unsigned long long number = 0;
	char path[192], line[128];

	snprintf(path, sizeof(path), "%s/%s", group->path, name);
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, format, &number) == 1)
			break;
	if (file)
		fclose(file);
	return number;
}

uint64_t group_kills(const struct group *group)
{
	return hear(group, "memory.oom_control", "oom_kill %llu");
}

bool group_close_up(const struct group *group, uint64_t slack_bytes)
{
	const uint64_t bytes = hear(group, "memory.usage_in_bytes", "%llu");

	return bytes && say(group, "memory.limit_in_bytes", bytes + slack_bytes);
}

void group_remove(const struct group *group)
{
	/* What has ended may not have left yet. */
	for (int i = 0; i < 1000 && rmdir(group->path) < 0 && errno == EBUSY; i++)
		pause_us(1000);
}
