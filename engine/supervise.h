/*
 * supervise: the tiny parent of `weird --supervise`: starts the engine, keeps descriptors for it,
 * starts it again when it dies. For where there is no systemd.
 */
#ifndef ENGINE_SUPERVISE_H
#define ENGINE_SUPERVISE_H

/* Run this program with `argv`, less --supervise, as a child until it ends as it should, or SIGTERM
 * or SIGINT comes. Returns the exit status for main(). Call it before there are threads. */
int supervise(char *const argv[]);

#endif
