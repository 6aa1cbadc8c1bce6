/*
 * processor: which of its processors a thread runs on; see processor.h.
 */
#include "processor.h"

#include <errno.h>
#include <sched.h>

static const cpu_set_t *allowed(void)
{
	static cpu_set_t set;
	if (CPU_COUNT(&set) == 0 && sched_getaffinity(0, sizeof(set), &set) < 0)
		CPU_SET(0, &set);
	return &set;
}

uint32_t processor_count(void)
{
	return (uint32_t)CPU_COUNT(allowed());
}

int processor_of_two(int which)
{
	return processor_count() > 1 ? which : -1;
}

int processor_pin(pid_t thread, int number)
{
	cpu_set_t one;
	if (number < 0)
		return 0;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, allowed()) || number-- > 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		return sched_setaffinity(thread, sizeof(one), &one) < 0 ? -errno : 0;
	}
	return -EINVAL;
}

void processor_unpin(void)
{
	sched_setaffinity(0, sizeof(cpu_set_t), allowed());
}
