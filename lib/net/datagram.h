/* SPDX-License-Identifier: BSD-2-Clause */
/* A datagram socket as source and sink of a block: one message, one datagram. */
#ifndef NET_DATAGRAM_H
#define NET_DATAGRAM_H

#include <pipetool/outside.h>
#include <pipetool/queue.h>
#include <sys/socket.h>
#include <uv.h>

#define DATAGRAM_MAX 65535

/* Lies in a block's state; for the engine's thread but for datagram_close. Up to 64 datagrams are
   read and sent with one system call. */
struct datagram {
	struct pt_block *block;
	int fd;
	const uint64_t *limit; /* bytes that may wait for the socket before the block is full */
	/* A datagram came: takes the message. */
	void (*received)(struct pt_block *, struct pt_msg *, const struct sockaddr_storage *from,
	                 socklen_t from_length);
	/* The socket is of no use any more, or not for this peer: to be opened anew; or NULL. */
	void (*failed)(struct pt_block *, int code, const char *what);
	struct sockaddr_storage peer; /* where to; peer_length 0: connected, or not known yet */
	socklen_t peer_length;
	bool has_peer; /* else what is pushed waits */

	uv_poll_t poll;
	bool reading, writing, stopped;
	struct pt_queue queue;
	uint8_t *buffers; /* what datagrams are read into, made in start */
	uint32_t lost;    /* by the kernel, as far as it is counted */
};

void datagram_init(struct datagram *, struct pt_block *, const uint64_t *limit,
                   void (*received)(struct pt_block *, struct pt_msg *,
                                    const struct sockaddr_storage *, socklen_t));
void datagram_start(struct datagram *); /* fd is set */
/* Takes over socket, peer and what waits, before both datagram_start and the other's stop. */
void datagram_take_over(struct datagram *, struct datagram *old);
/* Beside the socket: who the peer is, and what is lost; at the end of the daemon what waits. */
void datagram_carry(struct datagram *, struct pt_carry *);
/* In `open`, when the socket was carried: who the peer was, and what had been lost. */
void datagram_carried(struct datagram *);
void datagram_has_peer(struct datagram *); /* what waits is sent */
void datagram_push(struct datagram *, struct pt_msg **messages, unsigned count);
void datagram_produce(struct datagram *, unsigned max);
/* Counts what came while the socket's buffer was full. */
void datagram_refresh(struct datagram *);
void datagram_stop(struct datagram *);
void datagram_close(struct datagram *); /* [worker] */
void datagram_fini(struct datagram *);

#endif
