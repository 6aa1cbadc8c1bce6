/*
 * rogue: a producer without the library, that does what the library never would. It makes the
 * shared memory itself, says any bytes on the attach socket, and writes wherever it can.
 */
#ifndef HOSTILE_ROGUE_H
#define HOSTILE_ROGUE_H

#include <stdbool.h>
#include <stdint.h>

#include "weir/event.h"
#include "weir/order.h"
#include "weir/region.h"

#define ROGUE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define ROGUE_RINGS_MAX 4u

struct rogue_options {
	uint32_t rings;       /* 0: 1 */
	uint64_t capacity;    /* events of a ring; 0: 64 */
	uint64_t table_bytes; /* 0: 16 KiB */
	uint32_t series_max;  /* 0: 64 */
	const char *source;   /* NULL: "live" */
	bool event_clock;
	bool unsealed; /* the region */
};

struct rogue {
	int socket;    /* -1: none */
	int region_fd, control_fd;
	struct weir_region_header *region;
	uint64_t region_bytes, ring_bytes, capacity;
	const void *control; /* NULL: not attached */
	uint64_t table_used; /* by our own count: the header may say anything by now */
	uint32_t defined;
	uint32_t rings;
	int ring_fd[ROGUE_RINGS_MAX];
	struct weir_ring_header *ring[ROGUE_RINGS_MAX];
	struct weir_message answer; /* the last one */
};

/* A memfd, mapped for writing, then sealed. Ends the process where there is no memory. */
int rogue_memory(uint64_t bytes, int seals, void **ret_at);
void rogue_open(struct rogue *rogue, const struct rogue_options *options);
/* A definition of event{dimension=value}, whatever the bytes. Its local id. */
uint32_t rogue_define(struct rogue *rogue, const char *event, const void *value,
		      uint16_t value_bytes);
/* Events that are what they should be: series `local`, now. They are published. */
void rogue_emit(struct rogue *rogue, uint32_t ring, uint32_t local, uint32_t count, double value);

/* A connection to the engine; -1 and errno. Its reads wait for HOST_PATIENCE_S at most. */
int rogue_connect(const char *path);
/* Any bytes with any descriptors. 0 or a negative errno. */
int rogue_send(int socket, const void *bytes, uint64_t count, const int *fds, uint32_t fds_count);
int rogue_say(int socket, enum weir_message_type type, uint32_t index, int fd);
/* The next answer's type, and its descriptor if ret_fd is not NULL; -1: the end. */
int rogue_hear(int socket, struct weir_message *ret_message, int *ret_fd);
/* HELLO and all rings. false: refused, or hung up on; rogue->answer says why. */
bool rogue_attach(struct rogue *rogue, const char *path);
bool rogue_attach_ring(struct rogue *rogue, uint32_t index);
/* What the engine says of a ring. */
const struct weir_control_slot *rogue_slot(const struct rogue *rogue, uint32_t index);
/* Wait until the engine has taken all that ring `index` says it has, or has had enough of it. */
bool rogue_taken(const struct rogue *rogue, uint32_t index);
/* Say CLOSED, or leave without a word. */
void rogue_close(struct rogue *rogue, bool say_so);

#endif
