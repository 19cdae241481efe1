/* SPDX-License-Identifier: BSD-2-Clause */
/* A file's bytes as they were before compression, read piece by piece. */
#ifndef CAPTURE_INPUT_H
#define CAPTURE_INPUT_H

#include <pipetool/error.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct input;

/* A descriptor of the file, or a negative code with words and the nearest name in its folder. */
int input_path(const char *path, struct pt_error *);

/* Reads from a descriptor, which it owns, also on failure. A regular file may be compressed or not
   and can be read again; FIFOs, sockets and terminals are made non-blocking. Refuses folders. */
int input_open(int fd, const char *name, struct input **, struct pt_error *);
void input_close(struct input *); /* NULL does nothing */

/* What unpacking may take from now on. Until then it is what it takes at most. */
void input_bound(struct input *, size_t memory);

/* Somebody writes on at the end of a regular file: that is -EAGAIN, and not 0, until it is said
   otherwise. He is not locked out. input_at_end: the last read came there. */
void input_grow(struct input *, bool growing);
bool input_at_end(const struct input *);

/* Fills `room` with up to `length` bytes, by one system call where the file is not compressed.
   Returns how many came; 0 at the end; -EAGAIN if there is nothing now (or nothing yet, after much
   compressed input); another negative code with words. The compression is told by the first
   bytes. */
ssize_t input_read(struct input *, uint8_t *room, size_t length, struct pt_error *);

/* False: it is known to end before so many more bytes. */
bool input_has(const struct input *, size_t length);

/* Leaves out the next bytes without reading them, if the file has so many and allows it. */
bool input_skip(struct input *, uint32_t length);

/* A FIFO, socket or terminal is open no longer, but its number stays taken: nobody else writes to
   somebody who does not read. */
void input_leave(struct input *);

int input_rewind(struct input *, struct pt_error *);
/* While a regular file is read, from the opening or a rewind on until this, it is locked (fcntl, of
   the open file), so that a writer does not overwrite it. */
void input_unlock(struct input *);
const char *input_name(const struct input *);
int input_fd(const struct input *);
bool input_may_wait(const struct input *);
bool input_is_regular(const struct input *);
const char *input_packing(const struct input *); /* known after the first read: "none", "gzip" */
/* Bytes of the file itself read so far, and its size or 0. */
void input_progress(const struct input *, uint64_t *done, uint64_t *size);

#endif
