/*
 * config_values: how one text of the configuration becomes one value.
 *
 * A table of settings has a row for each key: where its text lies, where its value goes, what kind
 * of value it is, its bounds and its default, itself written as text. config_interpret() turns rows
 * into values. For config.c and config_*.c alone.
 */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

#define MIB (1024.0 * 1024)
#define DAY_MS (24 * 3600 * 1000.0)
#define CONFIG_MONTH (-1) /* detect/detector.h: DETECTOR_MONTH */
#define DAY_S (24 * 3600.0)

enum kind {
	TEXT,      /* char *, as written */
	PATH,      /* char *, relative to the file's directory */
	SOCKET,    /* the same, short enough for a socket address */
	NAME,      /* char *, [a-z0-9_.-]{1,64} */
	LABEL,     /* char *, 0-64 bytes without control characters */
	CHOICE,    /* char *, one of `choices` */
	COUNT,     /* uint32_t or uint64_t */
	BYTES,     /* uint32_t or uint64_t, "64MiB" */
	MS,        /* uint32_t or int64_t, "10s" */
	SECONDS,   /* uint64_t, "7d" */
	INTERVALS, /* uint32_t: a number of intervals, or a duration */
	PERIOD,    /* int64_t: as MS, or "1mo": CONFIG_MONTH */
	NUMBER,    /* double; with a sign where `min` is below 0 */
	PERCENT,   /* double, "25%" or 25 */
};

struct setting {
	const char *key;
	enum kind kind;
	size_t group;    /* of the pointer to the group in the texts, + 1; 0: no group */
	size_t from, to; /* offsets of the text and of the value */
	size_t bytes;    /* of the value */
	double min, max;
	const char *standard; /* what an absent key means; NULL: the value stays 0 */
	const char *const *choices;
};

#define VALUE(structure, member)                                                                   \
	.to = offsetof(struct structure, member), .bytes = sizeof(((struct structure *)0)->member)
#define END                                                                                        \
	{                                                                                          \
		.key = NULL                                                                        \
	}

/* The job in hand. Memory that runs out, or the first error, ends it. */
struct config_job {
	struct config *config;
	const char *name; /* of the file */
	char *why;
	size_t why_bytes;
	bool logged;    /* it comes from the log, not from a file: the machine is not asked */
	double step_ms; /* what INTERVALS counts: intervals, or a detector's periods */
};

/* -EINVAL, and why: "name: what is wrong". */
int config_refuse(struct config_job *job, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

struct unit {
	const char *name;
	double size;
};

extern const struct unit config_duration_units[]; /* in milliseconds */
extern const struct unit config_byte_units[];

/* The way back, for messages: in the largest unit that leaves no fraction. */
const char *config_quantity_text(double value, const struct unit *units, char text[32]);
bool config_is_name(const char *text);

/* Row by row: the text at `from`, or the default, becomes the value at `to`. 0, or a negative errno
 * with what is wrong in the job. */
int config_interpret(struct config_job *job, const struct setting *settings, const char *prefix,
		     const void *from, void *to);
/* What a table filled in: every kind before COUNT is a text of its own. */
void config_free_texts(const struct setting *settings, void *values);

#endif
