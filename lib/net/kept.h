/* SPDX-License-Identifier: BSD-2-Clause */
/* What was read from descriptors, to be read again where a checkpoint does not have it. */
#ifndef NET_KEPT_H
#define NET_KEPT_H

#include <pipetool/outside.h>
#include <sys/types.h>

/*
 * Bytes that were read are gone from a descriptor, whatever becomes of the process. So they go from
 * it into a pipe, which the kernel does whole or not at all (splice), and out of that into memory,
 * both of which the next daemon has; where they will lie in it is noted there before. The next
 * daemon sees by what is left in the pipe how far that had come. Nothing goes on to the graph
 * before it lies there, and it stays until it is behind a checkpoint.
 *
 * One of a block, for all its descriptors: what came from each is known by a number (`who`), which
 * no other has, also not in the next daemon. On the engine's thread, but where it says otherwise.
 */
struct kept;

#define KEPT_READ (64 * 1024) /* at most, at once */

struct kept *kept_new(void);   /* [any thread] NULL: no memory, or no descriptors, as errno says */
void kept_free(struct kept *); /* [any thread] NULL does nothing */

/* Whether there is a pipe's way out of the descriptor: not out of devices and sockets that have
   messages. */
bool kept_takes(int fd);
uint32_t kept_number(struct kept *); /* of one more descriptor */

/* What comes next, from the descriptor or from before: its bytes, which last until the next call,
   and stay what comes next until kept_took. 0: the end; -EAGAIN: nothing for now; -ENOBUFS: no
   room until more is behind a checkpoint; or another negative errno. Not to be called while
   something else is left. */
ssize_t kept_read(struct kept *, int fd, uint32_t who, const uint8_t **bytes);
void kept_took(struct kept *);
/* Whether something that was read earlier comes next, and of whom. */
bool kept_is_left(const struct kept *, uint32_t *who);
bool kept_brims(const struct kept *); /* a good part of its room waits for a checkpoint */
void kept_forget(struct kept *);      /* does not wait: what was read is not kept */

/* Whether a message may be out in part: the next daemon finds it as it was at the end. Kept for
   numbers that differ modulo KEPT_PLACES. */
#define KEPT_PLACES 1024
void kept_set_torn(struct kept *, uint32_t who, bool torn);
bool kept_is_torn(const struct kept *, uint32_t who);

/* In `carry`, `committed`, and [any thread] in `open`: that of the daemon before, or NULL;
   *damaged: there was one. */
void kept_carry(struct kept *, struct pt_carry *);
void kept_committed(struct kept *);
struct kept *kept_carried(struct pt_block *, bool *damaged);

#endif
