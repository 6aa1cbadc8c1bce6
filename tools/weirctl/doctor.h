/*
 * doctor: what is wrong around an engine, and the command that mends it.
 *
 * Each check says one line or more: ok, a note (could be better), or a finding (WRONG), with what
 * to type. Checks of the machine are in doctor_host.c, those of the engine and what it talks to in
 * doctor_engine.c; the order is command_doctor.c's.
 */
#ifndef WEIRCTL_DOCTOR_H
#define WEIRCTL_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct config;

enum doctor_level { DOCTOR_OK, DOCTOR_NOTE, DOCTOR_WRONG };

struct doctor {
	const char *config_path;
	const char *socket; /* NULL: the configuration's */
	bool json;
	struct config *config; /* NULL: none, or wrong */
	json_t *answer;        /* of a running engine; NULL: none answers */
	const json_t *status;  /* in it */
	pid_t pid;             /* 0: none runs */
	unsigned wrong;
};

/* `mend`: what to type or to change; NULL where there is nothing to do. */
void doctor_say(struct doctor *doctor, enum doctor_level level, const char *check, const char *mend,
		const char *format, ...) __attribute__((format(printf, 5, 6)));

void doctor_kernel(struct doctor *doctor);
void doctor_uring(struct doctor *doctor);
void doctor_limits(struct doctor *doctor); /* memlock, descriptors */
void doctor_clock(struct doctor *doctor);

void doctor_config(struct doctor *doctor); /* fills config */
void doctor_engine(struct doctor *doctor); /* fills status and pid */
void doctor_service(struct doctor *doctor);
void doctor_socket(struct doctor *doctor);
void doctor_disk(struct doctor *doctor);
void doctor_redis(struct doctor *doctor);

#endif
