/*
 * message: one attach message in or out, with at most one descriptor.
 *
 * Idea:  SOCK_SEQPACKET keeps messages whole, so there is no buffer and no state: a datagram is
 *        one struct or it is refused. Every descriptor that the kernel puts into our table is
 *        either handed to the caller or closed here, whatever else is wrong with the message.
 *
 * Runs on:  the intake agent.
 * Never:    blocks; raises SIGPIPE; keeps a descriptor of a refused message.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/passing.h"
#include "intake/message.h"

/* Descriptors that one message could bring: the kernel's SCM_MAX_FD. With less room it would
 * cut the list off, which is as well, but then we would not see how many there were. */
#define DESCRIPTORS_MAX 253

/* Closes all descriptors of the message but the first; returns how many there were. */
static int take_descriptors(struct msghdr *header, int *ret_fd)
{
	int count = 0;

	*ret_fd = -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < fds; i++, count++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (*ret_fd < 0)
				*ret_fd = fd;
			else
				close(fd);
		}
	}
	return count;
}

int message_receive(int socket, struct weir_message *ret_message, int *ret_fd)
{
	struct weir_message message;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
	struct iovec data = {.iov_base = &message, .iov_len = sizeof(message)};
	struct msghdr header = {.msg_iov = &data,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof(control)};

	*ret_fd = -1;
	ssize_t bytes = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	/* A peer that closed without reading our answers is reported once, ahead of the messages
	 * that it sent before; those still count. */
	if (bytes < 0 && errno == ECONNRESET)
		bytes = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (bytes < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	int fd, fds = take_descriptors(&header, &fd);
	if (bytes == 0 && fds == 0)
		return -EPIPE;
	if (fds > 1 || bytes != sizeof(message) || header.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ||
	    message.magic != WEIR_MESSAGE_MAGIC) {
		if (fd >= 0)
			close(fd);
		return -EBADMSG;
	}
	*ret_message = message;
	*ret_fd = fd;
	return 1;
}

int message_send(int socket, const struct weir_message *message, int fd, const char *text)
{
	struct weir_message copy = *message;
	struct passing passing;
	struct iovec data = {.iov_base = &copy, .iov_len = sizeof(copy)};
	struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1};

	copy.magic = WEIR_MESSAGE_MAGIC;
	copy.version = WEIR_LAYOUT_VERSION;
	memset(copy.text, 0, sizeof(copy.text));
	if (text)
		memcpy(copy.text, text, strnlen(text, sizeof(copy.text) - 1));
	if (fd >= 0)
		passing_put(&header, &passing, fd);
	ssize_t bytes = sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (bytes < 0)
		return -errno;
	return bytes == sizeof(copy) ? 0 : -EIO;
}
