/*
 * exposed: who else could change what lies at a path, before it is trusted.
 *
 * A file or directory is taken as our own if it belongs to the engine's user and neither its group
 * nor everybody may write to it; a symbolic link on the way to it belongs to that user or to root.
 * Runs on: the thread that starts the engine.
 */
#ifndef ENGINE_EXPOSED_H
#define ENGINE_EXPOSED_H

/* What is wrong with it, as it follows its name in a sentence; NULL: nothing, or not there. */
const char *exposed_place(int at, const char *path);
/* The same of the directory that a socket's file lies in: also root's, and also one like /tmp,
 * where everybody may make files and nobody remove another's. */
const char *exposed_socket(const char *path);
/* And of a configuration: also root's, and also one that a group of operators may write. */
const char *exposed_config(const char *path);

#endif
