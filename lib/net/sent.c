/* SPDX-License-Identifier: BSD-2-Clause */
/* What was acknowledged, and what waits for that. */
#include "net/sent.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static bool count_acknowledged(int fd, uint64_t *count)
{
	struct tcp_info info;
	socklen_t length = sizeof info;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) ||
	    length < offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked)
		return false;
	*count = info.tcpi_bytes_acked;
	return true;
}

/* The two are asked for one after the other: until nothing was acknowledged in between. */
bool sent_count(int fd, uint64_t *count)
{
	uint64_t before, after;
	int waiting;
	do
		if (!count_acknowledged(fd, &before) || ioctl(fd, SIOCOUTQ, &waiting) ||
		    !count_acknowledged(fd, &after))
			return false;
	while (before != after);
	*count = after + (uint64_t)waiting;
	return true;
}
