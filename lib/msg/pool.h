/* SPDX-License-Identifier: BSD-2-Clause */
/* Where an engine's messages and chunks come from: free lists, a limit in bytes, and counts. */
#ifndef MSG_POOL_H
#define MSG_POOL_H

#include <pipetool/msg.h>

/* A pool belongs to one thread at a time. */
struct pt_pool;

struct pt_pool *pool_new(size_t limit); /* bytes of chunks alive at once; 0: no limit */
void pool_free(struct pt_pool *);       /* asserts that no message and no chunk is alive */

size_t pool_bytes(const struct pt_pool *);    /* of chunks alive */
size_t pool_messages(const struct pt_pool *); /* descriptors alive */
void pool_set_limit(struct pt_pool *, size_t limit);
size_t pool_limit(const struct pt_pool *);
/* Memory of somebody else that counts as bytes of chunks; false: the limit is reached. */
bool pool_charge(struct pt_pool *, size_t size);
void pool_discharge(struct pt_pool *, size_t size);

/*
 * Chunks, for sources that read much at once: reserve one, read into it, cut messages out of it.
 * A chunk is a counted reference on memory; each message cut from it holds one.
 */
struct pt_chunk *chunk_new(struct pt_pool *, size_t size); /* NULL: the limit is reached */
/* One on memory of the caller's, such as the kernel shares, which the limit is not for; `gone` is
   called when nothing refers to it any more. Its messages' bytes are never edited in place. */
struct pt_chunk *chunk_lent(struct pt_pool *, uint8_t *bytes, size_t size,
                            void (*gone)(void *lender), void *lender);
uint8_t *chunk_bytes(struct pt_chunk *);
size_t chunk_size(const struct pt_chunk *);
void chunk_ref(struct pt_chunk *, unsigned refs); /* so many */
void chunk_unref(struct pt_chunk *);              /* NULL does nothing */
bool chunk_is_sole(const struct pt_chunk *);      /* one reference, never shared, not lent */
struct pt_pool *chunk_pool(const struct pt_chunk *);

/* One that is sole leaves its pool, and is nobody's until it joins one, of whatever thread. That
   pool takes it also beyond its limit. */
void chunk_leave(struct pt_chunk *);
void chunk_join(struct pt_pool *, struct pt_chunk *);

/* Memory for one message's bytes, with a reference: part of a chunk for small ones, else a chunk
   of its own. NULL: the limit is reached. */
struct pt_chunk *chunk_cut(struct pt_pool *, size_t length, uint8_t **bytes);
/* All that is cut of the chunk is kept and let go together, or one soon behind the other: to keep a
   message of it, no copy is made. */
void chunk_goes_together(struct pt_chunk *);
bool chunk_is_together(const struct pt_chunk *);
/* Two descriptors show bytes of the chunk from now on: edits copy. */
void chunk_share(struct pt_chunk *);
bool chunk_is_shared(const struct pt_chunk *);

/* A descriptor on part of a chunk, with a reference on the chunk of its own; plain, no time.
   The bytes of two messages cut this way must not overlap (pt_msg_slice is for that). Never NULL:
   descriptors are not limited by themselves. */
struct pt_msg *msg_cut(struct pt_pool *, struct pt_chunk *, const uint8_t *bytes, size_t length);
/* Many at once, for hot sources: descriptors without bytes, to be filled in by the caller (bytes,
   length, wire_length, time_ns, link_type, chunk with its reference). */
void msg_blanks(struct pt_pool *, struct pt_msg **messages, unsigned count);
/* Those that were not filled in go back. */
void msg_unblank(struct pt_pool *, struct pt_msg **messages, unsigned count);

enum msg_flag {
	MSG_HELD =
		1, /* a block keeps it: counted in the ledger until it is sent, dropped or done */
	MSG_HIGH = 2,   /* in a queue: it came on the high canal */
	MSG_TRACED = 4, /* somebody traces it, or has; see engine/trace.h */
	MSG_LET_GO = 8, /* where somebody traces: it was held, and is just leaving */
	MSG_TEXT = 16,  /* see pt_msg_is_text */
};

/* The message on its own: one reference, a descriptor and bytes that pin no larger chunk.
   Takes the reference; NULL (and the message gone) if the limit is reached. */
struct pt_msg *msg_settle(struct pt_msg *);

void msg_ref_many(struct pt_msg **messages, unsigned count, unsigned refs); /* so many to each */
void msg_unref_many(struct pt_msg **messages, unsigned count);

#endif
