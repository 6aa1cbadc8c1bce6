/*
 * attach: the engine's side of the socket. Takes regions and rings, checks them, notices deaths,
 * maps series, hands rings to lanes.
 *
 * Runs on:  the intake agent. Lanes get a `struct intake_ring` once and give it back by storing
 *           `detached`; what they share is said at each field.
 */
#ifndef INTAKE_ATTACH_H
#define INTAKE_ATTACH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "intake/drain.h"
#include "intake/series.h"
#include "intake/source.h"
#include "weir/segment.h"

/* One attached ring, from attach to the lane's last word. */
struct intake_ring {
	struct drain_ring drain;           /* the lane's, once offered */
	struct weir_control_slot *control; /* the lane writes, the producer reads */
	struct weir_ring_record record;    /* identity; the lane keeps the numbers up to date */
	/* lane -> intake, release: drained, logged, never touched again */
	_Alignas(64) uint32_t detached;
	void *owner; /* private to attach.c */
};

struct intake_options {
	const char *socket_path; /* made with mode 0660; its directory must exist */
	struct series_registry *registry;
	struct source_table *sources;
	struct clock *clock;
	uint32_t epoch;
	bool unkept; /* events go into no log: producers are told so */
	uint32_t producers_max;
	uint64_t user_bytes_max;        /* shared memory one user's producers may take together */
	uint32_t producer_series_max;   /* definitions of one producer that are taken */
	int64_t lateness_wall_ms, lateness_event_ms;
	/* Hand a ring to a lane. false: no room now, asked again on the next step. */
	bool (*offer)(void *self, struct intake_ring *ring);
	/* A source is seen for the first time: give it a number that is logged before its first
	 * event is drained. Negative errno: refuse the producer. */
	int (*new_source)(void *self, const char *name, enum weir_clock_kind clock);
	/* Keep, or stop keeping, a descriptor in the service manager's store (NULL: no store).
	 * The descriptor is closed here right after keep_fd: send or copy it in the call. */
	void (*keep_fd)(void *self, const char *name, int fd);
	void (*drop_fd)(void *self, const char *name);
	void *self;
};

struct intake_counters {
	uint64_t producers, rings;      /* attached now */
	uint64_t attached, refused, quarantined, deaths; /* since start */
	uint64_t refused_definitions;
};

struct intake;

/* Listen. Negative errno with a text in `why` (what is wrong, what to do). */
int intake_open(const struct intake_options *options, struct intake **ret_intake, char *why,
		size_t why_bytes);
/* Recovery, before the first step: where a ring stands in the log; numbers are never reused. */
int intake_restore(struct intake *intake, const struct weir_ring_record *record);
/* Take back descriptors that outlived an engine: name as given to keep_fd. The region must come
 * before its rings; after intake_restore, before the first step. 0: taken, and closed when it is of
 * no use any more. Negative errno: refused, and dropped from the store; the caller closes it. */
int intake_adopt(struct intake *intake, const char *name, int fd);
/* agent_step: accepts, reads messages, maps new series, notices deaths, frees what is detached,
 * stores `ended` of event sources. */
int intake_step(void *intake, uint64_t now_ns);
/* Any thread. */
void intake_counters(const struct intake *intake, struct intake_counters *ret_counters);
/* A producer as its shared memory says of itself, for people; of an intake whose agent looks. */
struct intake_producer {
	const char *program, *source;
	pid_t pid; /* 0: in a namespace that we do not see into */
	uid_t uid;
	uint32_t rings, series;
	uint64_t emitted, in_ring; /* events of its rings; in_ring: not yet in the log's files */
	uint64_t capacity;         /* events that its rings hold */
	double fullest;            /* of its rings the one with the least room: 0 to 1 */
	uint64_t dropped[WEIR_DROP_REASONS];
	bool connected, quarantined;
};
typedef void intake_each(void *self, const struct intake_producer *producer);
void intake_producers(const struct intake *intake, intake_each *each, void *self);
/* Known producers that were attached in the last epoch and have not come back; before the first
 * step, at least as many. Any thread. */
uint32_t intake_awaited(const struct intake *intake);
/* Stop listening and close all sockets; rings stay mapped until intake_close. */
void intake_stop(struct intake *intake);
void intake_close(struct intake *intake);

#endif
