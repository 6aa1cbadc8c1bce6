/*
 * machine: what a report was measured with: processor, memory, kernel, file system of the data, and
 * the version of weir. A figure without it is worth nothing.
 */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct machine {
	char cpu[128];    /* "AMD EPYC, family 26 model 2" */
	char caches[96];  /* "L1d 48 KiB, L2 1 MiB, L3 32 MiB", as the first processor has them */
	char virtual[32]; /* the hypervisor by its own name; "": none is seen */
	char kernel[128]; /* "Linux 6.1.0-18-amd64" */
	char clock[32];   /* clock source: tsc, kvm-clock, ... */
	char pages[64];   /* transparent large pages: always, madvise or never; and for shmem */
	char directory[256]; /* of the data; "": nothing is written */
	char file_system[64];
	char device[64]; /* that holds it; "": not known */
	char version[64], commit[64];
	char compiler[64];
	uint32_t cores;        /* that this process may use */
	uint32_t cores_online; /* of the machine */
	double apart_ns;       /* a line from one core to another and back; 0: one core */
	uint64_t memory_bytes;
	double load; /* of the last minute, before the first run */
};

/* `directory`: where the data lie; NULL: nothing is written. What cannot be found out is empty or
 * 0. */
void machine_read(struct machine *machine, const char *directory);
/* {"name":"machine","cpu":...} */
void machine_print_json(const struct machine *machine, FILE *out);
void machine_print(const struct machine *machine, FILE *out);
/* The head of a report to standard output: read, and print in one form or the other. */
void machine_head(bool json, const char *directory);

#endif
