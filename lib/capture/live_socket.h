/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets from an AF_PACKET socket that somebody else has opened. */
#ifndef CAPTURE_LIVE_SOCKET_H
#define CAPTURE_LIVE_SOCKET_H

#include "capture/live.h"
#include <pcap/pcap.h>

struct live_packet {
	const uint8_t *bytes;
	uint32_t length, wire_length;
	uint64_t time_ns;
	uint16_t link_type;
};

struct live_socket;

int live_socket_open(const struct live_config *, struct live_socket **, struct pt_error *);
void live_socket_close(struct live_socket *); /* NULL does nothing */
int live_socket_fd(const struct live_socket *);
/* Up to `max` packets, valid until the next call; 0: none now, or the interface went down; a
   negative errno, also when the interface is gone. */
int live_socket_read(struct live_socket *, struct live_packet *, unsigned max);
bool live_socket_is_down(const struct live_socket *); /* and has been since the last packet */
uint64_t live_socket_drops(struct live_socket *);     /* since the last call */

/* A filter, as the socket's packets pass it. The kernel has taken the outer VLAN tag off what it
   filters, and a datagram socket's packets have no header: where that matters, it is done here. */
struct live_program {
	struct bpf_program bpf;
	bool whole; /* on frames as they are sent on; else as the kernel sees them */
};
/* Whatever would keep the socket from being used is told; the filter is compiled for it. */
int live_socket_compile(const struct live_config *, struct live_program *, struct pt_error *);
int live_socket_change(struct live_socket *, const struct live_program *);

void live_socket_set_direction(struct live_socket *, enum live_direction);

/* From one packet to the next; 0 or a negative errno. */
int live_attach(int fd, const struct bpf_program *);

/* Joins a fanout group. */
int live_fanout(int fd, const struct live_config *, struct pt_error *);

#endif
