/*
 * route: which handler answers a method and a path. The table in route.c is the list of all.
 */
#ifndef CONSOLE_ROUTE_H
#define CONSOLE_ROUTE_H

#include <stdbool.h>

#include "api.h"

#define ROUTE_ID_BYTES 256

/* Where its handler runs. */
enum route_pace {
	ROUTE_AT_ONCE, /* from memory: on the server's own threads */
	ROUTE_LOOKS,   /* may wait for the disk, or for the engine's answer */
	ROUTE_TELLS,   /* waits until the engine has kept it */
};

struct route_match {
	api_handler *handler; /* NULL: there is no such path, or not with that method */
	enum route_pace pace;
	const char *allow;    /* then: the methods that it has; NULL: there is no such path */
	char id[ROUTE_ID_BYTES];
};

/* `path` is decoded. A HEAD is asked for as GET. */
void route_find(const char *method, const char *path, struct route_match *ret_match);
/* Is it a page of the console, whose address only the browser takes apart? */
bool route_is_page(const char *path);

#endif
