/* SPDX-License-Identifier: BSD-2-Clause */
/* A descriptor as source and sink of a block: bytes in as messages, messages out as bytes. */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "base/buf.h"
#include "net/address.h"
#include "net/frames.h"
#include "net/kept.h"
#include <pipetool/outside.h>
#include <pipetool/queue.h>
#include <uv.h>

/*
 * Lies in the state of a block, which hands its calls on: start to stream_start, push to
 * stream_push, produce to stream_produce, stop to stream_stop, close to stream_close, fini to
 * stream_fini; or has those of streams.h do so. Everything but stream_close is for the engine's
 * thread.
 *
 * What cannot be written at once is held, and the block is full beyond `limit` bytes: sources that
 * can wait are held back, so that nothing is lost. The two directions end by themselves: after the
 * other side's last byte it can still be written to, and after a failed write what it has sent is
 * still read. At the stop what is left is written by the worker thread, as long as the other side
 * reads; what it does not read then counts as dropped (unsent).
 *
 * Where messages have borders (datagram sockets, devices), one message is one write; elsewhere a
 * vector is.
 */
struct stream {
	struct pt_block *block;
	int fd;                           /* -1: not connected, and what is pushed waits */
	const uint64_t *limit;            /* bytes that may wait before the block is full */
	void (*ended)(struct pt_block *); /* nothing more can be read */
	const char
		*gone; /* not NULL: a viewer is fed, which its user may close at any time. That is
	                     no error: `ended` is called, and messages are dropped with this word */
	const struct framing *framing; /* or NULL */
	bool writes_only;              /* nothing is read, though it could be */
	bool tells_peer;          /* what is read came from the peer's address, as its interface */
	struct pt_origin *origin; /* then, while there is a peer, of this name */
	char peer[ADDRESS_TEXT];
	bool keeps; /* what cannot be written waits for the next descriptor; else it is dropped */
	/* What is read can be read again after a crash, where that can be: not NULL. It hands on to
	   stream_late, of each of several. */
	void (*late)(struct pt_block *);
	/* Of TCP, for blocks that set both: after so long without a word of the peer's, though it
	   has something to acknowledge, the connection is cut. `check` hands on to stream_check. */
	const double *keepalive_s;
	void (*check)(struct pt_block *);
	struct pt_timer timer;
	bool suspect; /* at the last check */

	/* Where a block has several, all of them, in an array: it is full while one of them is, and
	   has them produce that are ready. What waits in one is not carried while it is connected.
	   */
	struct stream *fellows;
	unsigned fellow_count; /* 0: it is alone */
	bool ready, full;

	uv_poll_t poll;
	int slot; /* the descriptor that poll watches: every later one takes its number */
	bool always_ready, is_socket, has_borders, may_be_empty;
	bool reading, writing;
	bool input_ended, output_failed, read_only, finishing, stopped;
	bool ending;              /* its output, when what waits is written, … */
	bool end_waits, end_told; /* … and a checkpoint has it; one that was begun has it */
	bool taken_over;          /* since then not started */
	bool carried;             /* to the next daemon: it is closed, and not ended */
	struct frames frames;
	struct kept *kept; /* of all fellows, in the first; or NULL */
	uint32_t who;      /* in it; 0: what is read cannot be read again */
	unsigned poison;   /* messages to leave out at most; in the first, too */
	bool damaged;      /* what it had kept */
	bool slow;         /* there was no checkpoint for long; in the first */
	bool held, told;   /* not read until a checkpoint has it; one that was begun has it */
	bool brims;        /* there is no room until one is committed */
	struct pt_timer waits;
	struct pt_queue queue;
	size_t written;      /* of the first message in the queue */
	uint64_t stalled_ns; /* pt_now since when nothing of what waits was taken; 0: it flows */
	bool counts; /* the kernel does what is written, so that after a crash it is known what
	                was: all goes by the queue, which outlives the daemon */
	/* The kernel's count where place 0 of the queue was, or would have been, next. */
	uint64_t sent_before;
	struct buf rest;      /* what is left for stream_close */
	struct buf rest_ends; /* size_t: where each message ends in it */
};

/* To be called first, in init. */
void stream_init(struct stream *, struct pt_block *, const uint64_t *limit,
                 void (*ended)(struct pt_block *));
void stream_start(struct stream *); /* goes on with what it has taken over, or was carried */

/* Takes over descriptor, state and what waits, before both stream_start and the other's stop. Of a
   stream that is not connected it is what waits alone. */
void stream_take_over(struct stream *, struct stream *old);
/* Lists the descriptor under that key, and at the end of the daemon what waits; false: not the
   descriptor. */
bool stream_carry(struct stream *, struct pt_carry *, const char *key);
/* Nothing will ever come or go through it, until it is begun with another descriptor. */
bool stream_is_over(const struct stream *);

/* Begins with a descriptor, which the stream owns from now on; in `start`, behind stream_start, or
   later. What waits is written. */
void stream_begin(struct stream *, int fd);
/* The same in `start` with one that an earlier daemon's block had, which has carried it under that
   key. */
void stream_goes_on(struct stream *, int fd, const char *key);

/* Of one that has `late`, or of the first of several: in `open`, what an earlier daemon has read
   ([worker]), and, of each of several, in `committed`. */
void stream_open(struct stream *);
void stream_committed(struct stream *);
void stream_late(struct stream *);
/* Closes the descriptor, but what waits stays, and another one can be begun with. */
void stream_detach(struct stream *);
/* The same as soon as what waits is written. */
void stream_finish(struct stream *);

/* Nothing more will be pushed: when what waits is written, a connection's other side is told that
   this was the end, and can still send. */
void stream_end(struct stream *);

/* Cuts the connection: its other side is told, and what it sends any more is not read. */
void stream_cut(struct stream *);
void stream_check(struct stream *);

void stream_push(struct stream *, struct pt_msg **messages, unsigned count);
void stream_produce(struct stream *, unsigned max);
void stream_limit_changed(struct stream *);
/* For how long the other side has read nothing, although something waits; 0: it reads. */
double stream_unread_s(const struct stream *);
void stream_stop(struct stream *);
int stream_close(struct stream *, struct pt_error *); /* [worker] */

/* For a descriptor that comes only after the stop: keeps what waits, before stream_stop, and writes
   it, before stream_close. */
void stream_keep_rest(struct stream *);
int stream_write_rest(struct stream *, int fd, struct pt_error *); /* [worker] */
void stream_fini(struct stream *);

/* ---- between stream.c, stream_exact.c, stream_read.c, stream_write.c and stream_peer.c ---- */

void stream_watch(struct stream *); /* for what it is `reading` and `writing` */
void stream_set_ready(struct stream *, bool ready);
void stream_flush(struct stream *); /* writes what waits as far as it goes */
void stream_fail_output(struct stream *, int error);
void stream_say_end(struct stream *);   /* of what is written, unless something waits */
bool stream_end_waits(struct stream *); /* for a checkpoint: what went out comes no more then */
void stream_drop_queue(struct stream *, const char *why);
void stream_watch_peer(struct stream *);

void stream_name_peer(struct stream *, const char *name, size_t length);
bool stream_has_left(const struct stream *); /* it, or a fellow, has what was read earlier */
void stream_read_on(struct stream *);        /* from where it is, unless it is held */
void stream_start_exact(struct stream *);
void stream_keep(struct stream *); /* what is read from now on, of a new descriptor */
void stream_take_over_kept(struct stream *, struct stream *old);
void stream_carry_kept(struct stream *, struct pt_carry *, const char *key);
/* It is an earlier daemon's. False: a message may be torn, so it was cut. */
bool stream_carried_kept(struct stream *, const char *key);
ssize_t stream_receive_kept(struct stream *, uint8_t *bytes);
struct stream *stream_left(struct stream *); /* whose turn it is by what was read earlier */
void stream_send(struct stream *, struct pt_msg **messages, unsigned count);
void stream_set_torn(struct stream *,
                     bool torn);      /* of several, where a message may be out in part */
void stream_wait(struct stream *);    /* for a checkpoint */
void stream_came_on(struct stream *); /* since it was asked what it carries */
void stream_wrote(struct stream *, size_t length); /* of what is in the queue */
void stream_count_sent(struct stream *);           /* from now on, of a new descriptor */
void stream_carry_sent(const struct stream *, struct pt_carry *, const char *key);
/* Leaves out what was written. False: that cannot be told, so it was cut. */
bool stream_carried_sent(struct stream *, const char *key);

#endif
