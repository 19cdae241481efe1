/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that shows a sink's messages: started, fed through a pipe, and reaped. */
#ifndef NET_VIEWER_H
#define NET_VIEWER_H

#include "base/buf.h"
#include "net/stream.h"
#include <sys/types.h>

/*
 * Lies at the beginning of a sink's state, and is handed the sink's calls. What the program does
 * not read is held, and holds back the sources, but not for long: when it has read nothing for five
 * seconds (its user has stopped it, say), messages are dropped as "viewer-stalled" until it reads
 * on. When its user closes it, messages are dropped as "viewer-closed", and the block's state is
 * "exhausted"; "failed" if it ended with a status of its own. When the block stops, the program's
 * input ends, and what it then does is its own affair: in the end it is reaped.
 */
struct viewer {
	struct pt_block *block;
	struct stream stream;
	const char *name; /* of the program */
	pid_t pid;        /* 0: none, or reaped */
	int fd, pidfd;    /* -1: none; fd: from open to start */
	uv_poll_t exit;
	struct pt_timer patience;
	const struct pt_msg *seen; /* what waited first when the patience began */
	size_t seen_written;
	bool stalled, closed;
	bool taken_over; /* since then not started */
};

/* To be called first, in init. */
void viewer_init(struct viewer *, struct pt_block *, const uint64_t *limit);

/* [worker] Starts argv[0] (a fault stands under `param`): the pipe is its standard input, or its
   descriptor 3. */
enum viewer_input { VIEWER_STDIN, VIEWER_THREE };
int viewer_open(struct viewer *, char *const *argv, enum viewer_input, const char *param,
                struct pt_error *);
/* Some other program reads what is written to this descriptor, and it does not block. */
void viewer_open_fd(struct viewer *, int fd);
/* [worker] The first bytes, which fit into the empty pipe. */
int viewer_greet(const struct viewer *, const void *bytes, size_t length, struct pt_error *);

/* What is pushed before there is something open waits; then comes viewer_begin, or viewer_fail. */
void viewer_start(struct viewer *);
void viewer_begin(struct viewer *);
void viewer_fail(struct viewer *, int code, const char *words);
/* Carrying over: the key, which is taken, is the program and whatever it was started with. After
   viewer_carried the program need not be opened, and `take_over` calls viewer_take_over. */
void viewer_carry(struct viewer *, struct pt_carry *, char *key);
bool viewer_carried(struct viewer *, char *key);
void viewer_take_over(struct viewer *, struct viewer *old);
void viewer_push(struct viewer *, struct pt_msg **messages, unsigned count);
void viewer_stop(struct viewer *);
/* The same while it is being opened: viewer_close writes what waits to what was opened
   meanwhile. */
void viewer_stop_early(struct viewer *);
int viewer_close(struct viewer *, struct pt_error *); /* [worker] */
void viewer_fini(struct viewer *);

#endif
