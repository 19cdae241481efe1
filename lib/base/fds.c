/* SPDX-License-Identifier: BSD-2-Clause */
/* SCM_RIGHTS. */
#include "base/fds.h"

#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

union control {
	char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	struct cmsghdr aligned;
};

ssize_t fds_send(int socket, const void *bytes, size_t length, const int *fds, int count)
{
	union control control;
	size_t size = (size_t)count * sizeof *fds;
	struct iovec vector = {(void *)(uintptr_t)bytes, length};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
	if (count) {
		memset(&control, 0, CMSG_SPACE(size));
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(size);
		struct cmsghdr *h = CMSG_FIRSTHDR(&message);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(size);
		memcpy(CMSG_DATA(h), fds, size);
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

ssize_t fds_receive(int socket, void *bytes, size_t size, int fds[FDS_MAX], int *count)
{
	union control control;
	struct iovec vector = {bytes, size};
	struct msghdr message = {.msg_iov = &vector,
	                         .msg_iovlen = 1,
	                         .msg_control = control.bytes,
	                         .msg_controllen = sizeof control.bytes};
	ssize_t n = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	*count = 0;
	if (n < 0)
		return n;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&message); h; h = CMSG_NXTHDR(&message, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		size_t length = h->cmsg_len - CMSG_LEN(0);
		memcpy(fds + *count, CMSG_DATA(h), length);
		*count += (int)(length / sizeof *fds);
	}
	return n;
}

void fds_raise_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}
