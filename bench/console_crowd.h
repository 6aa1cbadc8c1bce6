/*
 * console_crowd: many clients of weir-console at once: subscribers to its events, and clients that
 * are as slow as they can be.
 */
#ifndef BENCH_CONSOLE_CROWD_H
#define BENCH_CONSOLE_CROWD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CROWD_MAX 4096u

/* Descriptors for so many, and some: 0, or a negative errno with `why`. */
int crowd_allow(uint32_t count, char *why, size_t why_bytes);

struct crowd; /* of subscribers */
/* Connect them, and wait until each has the head of its stream. NULL: `why`. */
struct crowd *crowd_subscribe(uint16_t port, uint32_t count, char *why, size_t why_bytes);
/* Until each has heard `word`, a text of one event: how long each has waited since `since_ns` in
 * delays_ms[count], ascending. How many have heard it. */
uint32_t crowd_hear(struct crowd *crowd, const char *word, uint64_t since_ns, double *delays_ms);
void crowd_end(struct crowd *crowd); /* NULL is fine */

/* A process with so many clients: a third never finishes its head, a third listens to events and
 * reads a byte a second, a third asks for a long list and reads it so. Who is thrown out comes
 * again. 0: it could not start. */
pid_t slow_start(uint16_t port, uint32_t count);
void slow_stop(pid_t pid);

#endif
