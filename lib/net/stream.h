/* SPDX-License-Identifier: BSD-2-Clause */
/* A descriptor as source and sink of a block: bytes in as messages, messages out as bytes. */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <pipetool/queue.h>
#include <uv.h>

/*
 * Lies in the state of a block, which hands its calls on: push to stream_push, produce to
 * stream_produce, stop to stream_stop, close to stream_close, fini to stream_fini. Everything but
 * stream_close is for the engine's thread.
 *
 * What cannot be written at once is kept, and the block is full beyond `limit` bytes: sources that
 * can wait are held back, so that nothing is lost. At the stop what is left is written by the
 * worker thread, within five seconds.
 */
struct stream {
	struct pt_block *block;
	int fd; /* non-blocking; -1: not connected, and what is pushed waits */
	uint64_t
		limit; /* bytes that may wait before the block is full; to be set before the rest */
	void (*ended)(struct pt_block *); /* the other side has closed, or the descriptor failed */

	uv_poll_t poll;
	int slot; /* the descriptor that poll watches: every later one takes its number */
	bool has_poll, always_ready, reading, writing;
	bool input_ended, output_failed;
	struct pt_queue queue;
	size_t written; /* of the first message in the queue */
	uint8_t *rest;  /* for stream_close */
	size_t rest_length;
};

/* To be called first, in init. */
void stream_init(struct stream *, struct pt_block *, uint64_t limit,
                 void (*ended)(struct pt_block *));

/* Begins with a descriptor, which the stream owns from now on; in `start` or later. What waits is
   written. */
void stream_begin(struct stream *, int fd);
/* The descriptor begun with cannot be read: the stream is a sink alone. */
void stream_write_only(struct stream *);
/* Closes the descriptor, but what waits stays, and another one can be begun with. */
void stream_detach(struct stream *);

void stream_push(struct stream *, struct pt_msg **messages, unsigned count);
void stream_produce(struct stream *, unsigned max);
void stream_stop(struct stream *);
int stream_close(struct stream *, struct pt_error *); /* [worker] */
void stream_fini(struct stream *);

#endif
