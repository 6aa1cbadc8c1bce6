/*
 * server: a real `weird` with a configuration of its own, watched from outside.
 */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct server_options {
	const char *program;   /* weird */
	const char *directory; /* of this run; the data lie in directory/data */
	uint32_t lanes, shards;
	uint32_t series_max;
	uint32_t ring_events, producers;
	const char *interval, *durability, *io; /* as the configuration says them */
	const char *more;                       /* behind the list of metrics; NULL: nothing */
	uint32_t spares;                        /* the same: files of a lane written ahead */
	uint32_t written;                       /* of these, made before the start, for each lane */
};

struct server {
	pid_t pid;
	char data[3000], socket[3000], control[3000], output[3000];
};

struct server_usage {
	double cpu_s;        /* of all threads since the start */
	uint64_t peak_bytes; /* most memory resident so far */
	uint64_t own_bytes;  /* resident now, without what it maps of producers */
};

#define SERVER_SEGMENT_BYTES (UINT64_C(128) << 20)

/* Start it and wait until it answers. 0, or a negative errno with `why`. */
int server_start(struct server *server, const struct server_options *options, char *why,
		 size_t why_bytes);
/* Each lane's thread to a processor of its own, from the first one up. 0 or a negative errno. */
int server_pin_lanes(const struct server *server);
/* Files that a lane has put to use so far. */
uint32_t server_segments(const struct server *server, uint32_t lane);
int server_usage(const struct server *server, struct server_usage *ret_usage);
/* Ask it to end and wait; after timeout_ms it is killed. 0, or -EIO with `why`: it did not end by
 * itself or not well. */
int server_stop(struct server *server, uint32_t timeout_ms, char *why, size_t why_bytes);

/* Where is a program: `given`, or beside this one, or in this build tree, or in PATH. 0, or
 * -ENOENT. */
int program_find(const char *given, const char *name, char *path, size_t path_bytes);
/* The same for the engine, and `why`. */
int program_find_weird(const char *given, char *path, size_t path_bytes, char *why,
		       size_t why_bytes);
/* Run `program verify data --json`. Its exit status (0: all is well), or a negative errno; what it
 * prints, without the newline, in `text`. */
int program_verify(const char *program, const char *data, char *text, size_t text_bytes);
/* The same with what `program status --json` says of a running engine. */
int program_status(const char *program, const struct server *server, char *text,
		   size_t text_bytes);

#endif
