/* SPDX-License-Identifier: BSD-2-Clause */
/* Cuts the connection of a peer that has vanished. */
#include "net/stream.h"

#include "net/address.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static void check_later(struct stream *s)
{
	uint64_t quarter_ns = (uint64_t)(*s->keepalive_s * 1e9 / 4);
	pt_timer_at(s->block, &s->timer, pt_now(s->block) + quarter_ns, s->check);
}

void stream_watch_peer(struct stream *s)
{
	s->suspect = false;
	if (!s->check || !s->is_socket)
		return;
	address_keepalive(s->fd, *s->keepalive_s);
	if (*s->keepalive_s > 0)
		check_later(s);
}

/* A peer that does not read answers each probe, and these come ever more seldom: such a one may
   take its time. */
static bool is_silent(const struct stream *s)
{
	struct tcp_info info;
	socklen_t length = sizeof info;
	return getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
	       (info.tcpi_unacked || info.tcpi_probes > 1) &&
	       info.tcpi_last_ack_recv >= *s->keepalive_s * 1e3;
}

void stream_cut(struct stream *s)
{
	if (s->fd >= 0 && s->is_socket)
		shutdown(s->fd, SHUT_RDWR);
}

void stream_check(struct stream *s)
{
	bool silent = s->fd >= 0 && is_silent(s), before = s->suspect;
	s->suspect = silent;
	if (s->fd < 0)
		return;
	if (silent && before) {
		pt_report(s->block, -ETIMEDOUT,
		          "the peer has not answered for %g s: the connection is cut",
		          *s->keepalive_s);
		stream_cut(s);
	} else {
		check_later(s);
	}
}
