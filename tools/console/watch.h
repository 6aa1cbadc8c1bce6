/*
 * watch: what goes on beside requests, each on a thread of its own: the table in watch.c. A step
 * may wait for the engine; the others do not wait with it.
 */
#ifndef CONSOLE_WATCH_H
#define CONSOLE_WATCH_H

struct console;
struct server;
struct watch;

/* 0, or a negative errno: then the engine's link has ended, as it does before watch_stop(). */
int watch_start(struct console *console, struct server *server, struct watch **ret_watch);
void watch_stop(struct watch *watch);

#endif
