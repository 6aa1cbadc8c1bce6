/*
 * process: who is at the other end, and is it still alive?
 *
 * Runs on:  the intake agent. Private to intake.
 */
#ifndef INTAKE_PROCESS_H
#define INTAKE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
	uid_t uid;
	pid_t pid;                 /* as we see it; 0: in a namespace that we do not see into */
	uint64_t start_time_ticks; /* field 22 of /proc/pid/stat; 0: unknown */
	int pidfd;                 /* readable once it is dead; -1: none */
	bool gone;                 /* it is dead already, */
	bool unsure;               /* ... or the kernel would not say */
};

/* The process that connected `socket`. 0 (also when it is gone), or a negative errno: the kernel
 * cannot say. The caller closes pidfd. */
int process_of_peer(int socket, struct process *ret_process);
/* A process by what was noted of it; one that has the pid by now is told by its start time. */
void process_of_pid(pid_t pid, uint64_t start_time_ticks, struct process *ret_process);
/* 0: no such process, or /proc does not show it. */
uint64_t process_start_time(pid_t pid);

#endif
