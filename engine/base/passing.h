/*
 * passing: a descriptor that goes along with a message over a UNIX socket (SCM_RIGHTS).
 */
#ifndef BASE_PASSING_H
#define BASE_PASSING_H

#include <string.h>
#include <sys/socket.h>

/* Room for one. */
struct passing {
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
};

/* `passing` lives until the message is sent. */
static inline void passing_put(struct msghdr *header, struct passing *passing, int fd)
{
	memset(passing, 0, sizeof(*passing));
	header->msg_control = passing->control;
	header->msg_controllen = sizeof(passing->control);
	struct cmsghdr *c = CMSG_FIRSTHDR(header);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
}

#endif
