/* SPDX-License-Identifier: BSD-2-Clause */
/* A capture that comes through a pipe or a connection, as it comes. */
#ifndef CAPTURE_INCOMING_H
#define CAPTURE_INCOMING_H

#include "capture/capture.h"
#include <pipetool/outside.h>
#include <uv.h>

/* Lies, zeroed but for `block`, `ended`, `ready` and `slot` (-1), in the state of a block. */
struct incoming {
	struct pt_block *block;
	/* Nothing more comes: `why` are the words of the fault, or NULL. */
	void (*ended)(struct incoming *, const char *why);
	struct capture_reader *reader; /* NULL: there is none */
	struct pt_origin *origin;      /* of packets that tell of none; may be NULL */
	uv_poll_t poll;
	bool may_be_empty; /* where nothing came, that is no fault */
	int slot;          /* the descriptor that poll watches: every later one takes its number */
	bool *ready;       /* whether there is something to read */
	uv_timer_t again;  /* where there was no memory for it */
};

/* Begins to read from the descriptor, which it owns; in `start` or later. */
int incoming_begin(struct incoming *, int fd, const char *name, struct pt_error *);
/* Sends up to `max` packets out of the block: how many. While nothing is there it is not `ready`.
   */
unsigned incoming_produce(struct incoming *, unsigned max);
/* Of another block, while both run; then, in `start`, it goes on. */
void incoming_take_over(struct incoming *, struct incoming *old);
void incoming_go_on(struct incoming *);
void incoming_end(struct incoming *);   /* on the engine's thread: no more of this */
void incoming_close(struct incoming *); /* when handles are gone */

#endif
