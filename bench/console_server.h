/*
 * console_server: a real weir-console of our own on loopback, and Chromium in front of it.
 */
#ifndef BENCH_CONSOLE_SERVER_H
#define BENCH_CONSOLE_SERVER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct console_server {
	pid_t pid;
	uint16_t port;
};

/* Start `program` on a data directory and a control socket; wait until it answers. 0, or a negative
 * errno with `why`. */
int console_server_start(struct console_server *server, const char *program, const char *directory,
			 const char *data, const char *control, char *why, size_t why_bytes);
/* 0, or -EIO with `why`: it did not end well. */
int console_server_stop(struct console_server *server, char *why, size_t why_bytes);

struct console_page {
	double usable_ms;  /* from the navigation until the list and the slider were painted */
	double answers_ms; /* from a move of the slider until the list was painted anew */
	double opened_ms;  /* the first, in a window that was only just opened */
};
/* The first page in a Chromium of its own that knows nothing yet, `runs` times. 0; -ENOENT: there
 * is no node or Chromium; other negative errno: it did not work. All with `why`. */
int console_page_measure(uint16_t port, const char *directory, uint32_t runs,
			 struct console_page *ret_pages, char *why, size_t why_bytes);

#endif
