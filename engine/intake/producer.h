/*
 * producer: a process that writes events, from its HELLO until its rings are drained and gone.
 *
 * Runs on:  the intake agent. Private to intake: what attach.c and producer.c share.
 */
#ifndef INTAKE_PRODUCER_H
#define INTAKE_PRODUCER_H

#include "intake/attach.h"
#include "intake/known.h"
#include "intake/listen.h"
#include "intake/memory.h"
#include "intake/process.h"
#include "intake/table.h"

/* Connections that have not said HELLO: enough for a storm of restarts, few enough that a flood
 * of them costs nothing. When there are more, the oldest goes. */
#define PENDING_MAX 64u

/* A ring that a producer offered. */
struct held_ring {
	struct intake_ring ring; /* the lane's, once offered; must come first */
	struct memory memory;
	bool offered;
	bool done; /* the lane has detached it */
	bool lied; /* it is in quarantine, and that was said */
};

struct connection {
	int fd; /* -1: free */
	uint32_t slot;
	uint32_t serial;           /* tells this use of the slot from the one before */
	uint32_t refusals;         /* answers of REFUSED so far */
	uint64_t deadline_ns;      /* for HELLO */
	struct producer *producer; /* NULL: no HELLO yet */
};

struct producer {
	uint32_t slot;
	uint32_t serial;
	struct process process;
	struct region_identity identity;
	struct memory memory;
	struct table table;
	void *control;
	int control_fd;
	uint32_t source;
	uint64_t bytes;                /* that count against the user's quota */
	struct connection *connection; /* NULL: none now; it may come back */
	struct held_ring **rings;      /* [identity.rings_max] */
	uint32_t rings_count, rings_done;
	uint32_t last_words; /* steps since it was seen leaving */
	bool leaving;        /* it has died or closed: take what its socket still holds, then */
	bool final;          /* say so to the lanes; the tails do not move any more */
	bool doubtful; /* taken for dead, but on thin evidence: remember where its rings stood */
	bool lied;     /* its table or one of its rings has */
};

struct intake {
	struct intake_options options;
	struct listener listener;
	int epoll_fd;
	uint64_t now_ns; /* of this step */
	uint32_t serial;
	struct connection *connections; /* [connections_max] */
	uint32_t connections_max;
	uint32_t *free_connections; /* a stack of slots */
	uint32_t free_count;
	uint32_t pending[PENDING_MAX]; /* slots, oldest first */
	uint32_t pending_count;
	struct producer **producers; /* [options.producers_max]; NULL: free */
	uint32_t producers_count;
	uint32_t first_producer; /* where the next step begins, so that all have their turn */
	struct known known;
	bool known_changed;
	bool stepped;
	uint32_t awaited;                /* any thread reads; relaxed */
	struct intake_counters counters; /* any thread reads; relaxed */
	uint32_t live[WEIR_SOURCES_MAX]; /* producers of the source that are not gone yet */
	bool seen[WEIR_SOURCES_MAX];     /* there was one */
};

/* attach.c */

void connection_close(struct intake *intake, struct connection *connection);
/* Read what is there, up to a bound. true: there may be more. The connection may be closed after
 * (then its fd is -1). */
bool connection_read(struct intake *intake, struct connection *connection);
/* Let epoll report a producer's death. 0, or a negative errno. */
int watch_producer(struct intake *intake, struct producer *producer);

static inline void count_add(uint64_t *counter, int64_t by)
{
	/* Relaxed: one writer, and people read it. */
	weir_store_relaxed_64(counter, *counter + (uint64_t)by);
}

/* producer.c */

struct producer *producer_find(struct intake *intake, uint32_t uid, const uint8_t uuid[16]);
/* Take a region. `fd` stays the caller's, process.pidfd becomes the producer's on success. `fresh`:
 * within the quotas, and kept in the store; else it comes from there. 0, or a negative errno with a
 * refusal. */
int producer_attach(struct intake *intake, int fd, const struct process *process, bool fresh,
		    struct producer **ret_producer, struct refusal *refusal);
/* Take a ring; also answers for one that is held already. *ret_sequence: where reading goes on. */
int producer_attach_ring(struct intake *intake, struct producer *producer, uint32_t index, int fd,
			 bool fresh, uint64_t *ret_sequence, struct refusal *refusal);
/* Map new series, notice the end, offer rings, free what is detached. How much work it was; the
 * producer may be gone after. */
int producer_step(struct intake *intake, struct producer *producer, uint32_t series_budget);
void producer_died(struct intake *intake, struct producer *producer);
/* Unmap and free; no lane may hold a ring of it. */
void producer_free(struct intake *intake, struct producer *producer);

/* The names of descriptors in the service manager's store. */
#define STORE_NAME_BYTES 96
void store_name_region(char name[STORE_NAME_BYTES], uint32_t uid, const uint8_t uuid[16],
		       pid_t pid);
void store_name_ring(char name[STORE_NAME_BYTES], uint32_t uid, const uint8_t uuid[16],
		     uint32_t index);
struct store_name {
	uint32_t uid;
	uint8_t uuid[16];
	bool region;
	uint32_t number; /* a region's pid, a ring's index */
};
/* 0, or -EINVAL: not a name of ours. */
int store_name_parse(const char *name, struct store_name *ret_name);

#endif
