/*
 * console: what weir-console is made of, for those who answer requests.
 *
 * One for the process, made by main.c before there are threads. What it points to has locks of
 * its own; the rest does not change.
 */
#ifndef CONSOLE_H
#define CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONSOLE_HOSTS_MAX 8

struct engine_link;
struct feed;
struct book;
struct follow;
struct in_force;
struct overview;
struct impact;
struct pipeline;
struct demo;

struct console_hosts { /* --host, as given */
	const char *name[CONSOLE_HOSTS_MAX];
	unsigned count;
};

struct console_options {
	const char *listen;  /* "127.0.0.1:8474" or "unix:PATH" */
	const char *control; /* the engine's control socket */
	const char *data;    /* its data directory; NULL: as the engine says */
	const char *token_file, *author_header;
	const char *shop; /* weir-shop, for the demo's data; NULL: there is none */
	struct console_hosts hosts;
};

/* What has become of the demo's data (POST /api/v1/demo). */
enum console_demo { DEMO_ABSENT, DEMO_READY, DEMO_RUNNING, DEMO_DONE };

struct console {
	const struct console_options *options;
	struct engine_link *link; /* engine_link.h: asks the engine */
	struct feed *feed;        /* feed.h: events for browsers */
	struct book *book;        /* book.h: the anomalies in memory */
	struct follow *follow;    /* follow.h: keeps it as the store is */
	struct in_force *in_force; /* in_force.h: the engine's configuration */
	struct overview *overview; /* overview.h: today's key figures */
	struct impact *impact;     /* impact.h: what anomalies cost */
	struct pipeline *pipeline; /* pipeline.h: what the engine says of itself */
	struct demo *demo_run;     /* demo.h: the shop that was started */
	bool token_required;      /* of who writes */
	uint32_t demo;            /* enum console_demo; relaxed */
};

#endif
