/* SPDX-License-Identifier: BSD-2-Clause */
/* A route socket that hears of links and addresses. */
#include "net/watch.h"

#include "base/buf.h"
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct net_watch {
	uv_poll_t poll;
	int fd;
	net_watch_told *tell;
	void *arg;
};

static bool has_come(const char *bytes, size_t length)
{
	struct nlmsghdr h = {.nlmsg_len = sizeof h};
	for (size_t at = 0; at + sizeof h <= length && h.nlmsg_len >= sizeof h;
	     at += NLMSG_ALIGN(h.nlmsg_len)) {
		memcpy(&h, bytes + at, sizeof h);
		if (h.nlmsg_type == RTM_NEWLINK || h.nlmsg_type == RTM_NEWADDR)
			return true;
	}
	return false;
}

static void readable(uv_poll_t *poll, int status, int events)
{
	struct net_watch *w = poll->data;
	bool news = false;
	ssize_t n = 1;
	while (n > 0 || (n < 0 && errno == ENOBUFS)) {
		char bytes[16384];
		n = recv(w->fd, bytes, sizeof bytes, MSG_DONTWAIT);
		news |= n < 0 ? errno == ENOBUFS : has_come(bytes, (size_t)n);
	}
	if (news)
		w->tell(w->arg);
}

static int open_socket(void)
{
	const struct sockaddr_nl address = {.nl_family = AF_NETLINK,
	                                    .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
	                                                 RTMGRP_IPV6_IFADDR};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

struct net_watch *net_watch_new(uv_loop_t *loop, net_watch_told *tell, void *arg)
{
	int fd = open_socket();
	if (fd < 0)
		return NULL;
	struct net_watch *w = must_calloc(1, sizeof *w);
	*w = (struct net_watch){.fd = fd, .tell = tell, .arg = arg};
	if (uv_poll_init(loop, &w->poll, fd)) {
		close(fd);
		free(w);
		return NULL;
	}
	w->poll.data = w;
	uv_poll_start(&w->poll, UV_READABLE, readable);
	uv_unref((uv_handle_t *)&w->poll);
	return w;
}

static void closed(uv_handle_t *poll)
{
	free(poll->data);
}

void net_watch_free(struct net_watch *w)
{
	if (!w)
		return;
	uv_poll_stop(&w->poll);
	close(w->fd);
	uv_close((uv_handle_t *)&w->poll, closed);
}
