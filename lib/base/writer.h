/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread that writes bytes to a descriptor, so that nobody else waits for a disk or a pipe. */
#ifndef BASE_WRITER_H
#define BASE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One owner thread fills buffers, the writer's own thread writes them out in order, each by as
 * few write(2) calls as it takes. Owner's calls never block but writer_flush and writer_free.
 * After a failed write everything that follows is discarded; writer_error tells. SIGPIPE never
 * comes of it. Pipes and sockets are made non-blocking, until the writer is done with them, and
 * while the owner waits for one whose reader takes nothing for 5 s, that is a failed write too
 * (-ETIMEDOUT).
 */
struct writer;
struct crew;

/* What a filter is told with bytes, or without any. */
enum writer_end {
	WRITER_MORE,  /* it may keep some back */
	WRITER_PAUSE, /* nothing more for now: all that came is to be written */
	WRITER_LAST   /* the end of the file */
};

struct writer_config {
	int fd; /* the writer does not own it, unless close_fd */
	bool close_fd;
	size_t buffer_size; /* bytes in one buffer: 0 for 1 MiB */
	unsigned buffers;   /* how many may be in flight; 0 for 4 */
	unsigned extra;     /* how many more writer_room gives while writer_has_room says no, so
	                       that what comes before the sources have paused is not lost */
	/* Called on the writer's thread after a buffer was written or a write failed; may be
	   NULL. */
	void (*progress)(void *arg);
	void *arg;
	/* Turns a full buffer into what is written (compression); NULL: as it is. On the writer's
	   thread. Returns 0, or a negative errno. */
	int (*filter)(void *arg, const void *bytes, size_t length, enum writer_end,
	              int (*put)(void *put_arg, const void *bytes, size_t length), void *put_arg);
	void *filter_arg;
	/* How many messages end in the first `length` bytes of a buffer, and where the last one
	   does; and so many were lost: those whose bytes a failed write kept from the descriptor,
	   or, with a filter, maybe did. Called for what fails and what is discarded after it, on
	   the writer's thread or in writer_free; `arg` as above. Both or neither. What a failed
	   write leaves of a message at the end of a regular file is cut off, but with a filter. */
	uint64_t (*count)(void *arg, const void *bytes, size_t length, size_t *end);
	void (*lost)(void *arg, uint64_t messages);
	/* Instead of a thread of its own: one that works for many (base/crew.h), whose owner is the
	   same. A regular file may be closed then, until more is to be written: `reopen` gives a
	   descriptor that appends, or a negative errno. On the crew's thread; `arg` as above. */
	struct crew *crew;
	int (*reopen)(void *arg);
};

struct writer *writer_new(const struct writer_config *); /* starts the thread lazily, at the first
                                                            full buffer or flush */

/* Room for `length` bytes in the current buffer, which is handed over first if they do not fit, or
   in one of their own if they are more than buffer_size, which counts as so many as it is large;
   NULL if all buffers, the extra ones too, are in flight: wait for `progress`. */
uint8_t *writer_room(struct writer *, size_t length);
void writer_advance(struct writer *, size_t length); /* so many were written there */

void writer_fetch(const struct writer *, size_t length); /* there will be so many */
bool writer_has_room(const struct writer *); /* a free buffer, or half of the current one */
bool writer_has_much_room(
	const struct writer *); /* half of the buffers: time to go on; [any thread] */
/* Hands over what there is, and has the filter keep nothing back. Without it a full buffer may wait
   for the next one. */
void writer_push(struct writer *);

/* What comes from now on goes to another descriptor. Once all before is written (and the filter's
   last part), and if `sync` is on the disk, the old one is closed if close_fd says so; then `open`
   is called on the writer's thread and returns the new one, or a negative errno, which counts as a
   failed write; after one it is not called. With fd -1 in the configuration it may open the first
   one. `arg` is the writer's from now on: it frees it afterwards, in any case. */
void writer_next(struct writer *, int (*open)(void *arg), void *arg, bool sync);

/* Hands over what there is, with `pause` also what the filter keeps back. When all that is written,
   and `progress` was called, writer_marked is true: how long the file was at the last mark (-1: it
   is none), and a copy of its descriptor, the writer's until the next mark; `bare`: no copy. Also
   after a failed write, without a length where the mark was not reached before. */
struct writer_at {
	int64_t length;
	uint64_t device, inode;
	int fd; /* -1: there is no copy */
};
void writer_mark(struct writer *, bool pause, bool bare);
bool writer_marked(struct writer *, struct writer_at *);

size_t writer_pending(const struct writer *); /* bytes not yet written; [any thread] */
bool writer_is_shut(struct writer *);    /* one of a crew: closed for now, and all is written */
int writer_error(const struct writer *); /* 0, or the negative errno of the first failed write */

/* Waits until everything is written; with `sync` also until it is on the disk (fdatasync; a
   descriptor that cannot be synced is fine). Returns writer_error. */
int writer_flush(struct writer *, bool sync);
/* Flushes (with the filter's last part), ends the thread, frees. NULL does nothing. */
int writer_free(struct writer *, bool sync);

#endif
