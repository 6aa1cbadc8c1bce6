/*
 * message: one attach message in or out, with at most one descriptor.
 *
 * Runs on:  the intake agent. Private to intake. Never blocks.
 */
#ifndef INTAKE_MESSAGE_H
#define INTAKE_MESSAGE_H

#include "weir/region.h"

/* 1: a message, its descriptor (or -1) in *ret_fd, the caller's to close. 0: none there.
 * -EPIPE: the other end is closed. -EBADMSG: not a message of ours, or more than one descriptor
 * (all of them closed). Other negative errnos: the socket is of no use any more. */
int message_receive(int socket, struct weir_message *ret_message, int *ret_fd);

/* `fd` (or -1) goes along and stays open here. 0, or a negative errno: close the socket; -EAGAIN
 * is an end too: who does not read 100 answers is not waiting for one. `text` may be NULL. */
int message_send(int socket, const struct weir_message *message, int fd, const char *text);

#endif
