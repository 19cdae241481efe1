/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of a mux: its loop (mux.c), and its channels (mux_channel.c). */
#ifndef CTL_MUX_INSIDE_H
#define CTL_MUX_INSIDE_H

#include "base/buf.h"
#include "rpc/frame.h"
#include <pipetool/error.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

enum kind {
	OPEN = 'o',    /* a connection, please */
	OPENED = 'O',  /* it stands */
	REFUSED = 'R', /* the errno (32 bits), and the fault as JSON */
	CARRY = 'f',   /* a descriptor goes with the next bytes of the connection (32 bits) */
	DATA = 'd',
	CREDIT = 'c', /* so many bytes (32 bits) are written */
	END = 'e',    /* no more data; a connection is half closed */
	CLOSE = 'x',  /* it is gone, once what came before is written */
};

enum mode { TO_DAEMON = 1, FROM_DAEMON = 2, BOTH_WAYS = 3, CONNECTION = 7 };

struct channel {
	TAILQ_ENTRY(channel) entry;
	uint32_t id;
	enum mode mode;
	int fd;
	bool is_socket;
	bool reads;        /* from fd, for the other side */
	bool ends, closes; /* once `in` is written: half, or altogether */
	struct buf in;     /* to be written to fd */
	uint32_t credit;   /* so much the other side takes */
	struct pollfd *seen;
	int pass[FRAME_FDS_MAX]; /* go with the byte of `in` at pass_at */
	int pass_count;
	size_t pass_at;
};

struct mux {
	int in, out;
	int user, wishes; /* [near side] who opens, drains and ends it; our end of that */
	int (*dial)(void *arg, struct pt_error *);
	void *arg;
	bool greeted, broken, draining;
	struct buf received, sending;
	TAILQ_HEAD(, channel) channels;
	unsigned count, carrying; /* carrying: descriptors that the daemon writes to */
	uint32_t last_id;
	uint32_t opening; /* the connection that somebody waits for; 0: none */
};

/* Of a frame. */
struct head {
	char kind, mode, zeros[2];
	uint32_t id, length; /* little endian */
};

/* ---- mux_channel.c ---- */

void mux_send(struct mux *, enum kind, enum mode, uint32_t id, const void *bytes, size_t length);
bool mux_failed(ssize_t n); /* whether a call failed, and not only for now */

struct channel *mux_channel_new(struct mux *, uint32_t id, enum mode, int fd);
void mux_channel_free(struct mux *, struct channel *);
struct channel *mux_channel_of(struct mux *, uint32_t id); /* or NULL */
void mux_channel_gone(struct mux *, struct channel *); /* its descriptor is of no more use here */
/* Once all is written: half, or altogether. */
void mux_channel_end(struct mux *, struct channel *, bool altogether);
void mux_channel_read(struct mux *, struct channel *);
bool mux_channel_write(struct mux *, struct channel *); /* false: it is gone */

#endif
