/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages: what travels through a graph. */
#ifndef PIPETOOL_MSG_H
#define PIPETOOL_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A message is bytes and, if it is a packet, a link type, a time and the length that it had on the
 * wire. It is a small descriptor plus a reference on the chunk of memory that its bytes lie in, so
 * that a source can read a quarter of a megabyte at once and cut messages out of it.
 *
 * Ownership, told by the type of an argument:
 *     const struct pt_msg *   looks
 *     struct pt_msg *         takes your reference, also on failure
 *     struct pt_msg **        may put another message in its place (an edit)
 *
 * Threads: a message belongs to its engine, and only that engine's thread may touch it; the counts
 * are plain integers. The members are for reading; write through the functions below.
 */

struct pt_pool;   /* where an engine's messages and chunks come from */
struct pt_chunk;  /* the memory that the bytes of one or many messages lie in */
struct pt_origin; /* the interface that messages came from */

#define PT_NO_LINK_TYPE   0xffff /* not a packet */
#define PT_OWN_LINK_TYPES 0x8000 /* from here on a program's own: no capture has these */

struct pt_msg {
	const uint8_t *bytes;
	uint32_t length;      /* of bytes */
	uint32_t wire_length; /* of the packet as it was on the wire; length for anything else */
	int64_t time_ns;    /* since 1970, UTC, from 1677 to 2262; 0 if it is no packet: unknown */
	uint16_t link_type; /* a LINKTYPE_ number, or PT_NO_LINK_TYPE */
	uint16_t flags;     /* the engine's */
	uint32_t refs;
	struct pt_chunk *chunk;
	struct pt_pool *pool;
	struct pt_msg *next;      /* for whoever holds the only reference */
	struct pt_origin *origin; /* NULL: unknown */
};

/* A plain message with a copy of the bytes; NULL if the pool's memory limit is reached. */
struct pt_msg *pt_msg_new(struct pt_pool *, const void *bytes, size_t length);

/* The same with room for `length` bytes, to be written through *bytes before it is sent. */
struct pt_msg *pt_msg_room(struct pt_pool *, size_t length, uint8_t **bytes);

/* A message as a user gave it; NULL as above. */
struct pt_given;
struct pt_msg *pt_msg_given(struct pt_pool *, const struct pt_given *);

/* Part of another message, sharing its bytes; a plain message of the same time.
   The range must lie within. NULL if the memory limit is reached. */
struct pt_msg *pt_msg_slice(const struct pt_msg *, size_t offset, size_t length);

/* A packet with a copy of the bytes. */
struct pt_msg *pt_msg_packet(struct pt_pool *, const void *bytes, size_t length, size_t wire_length,
                             uint16_t link_type, int64_t time_ns);

static inline bool pt_msg_is_packet(const struct pt_msg *m)
{
	return m->link_type != PT_NO_LINK_TYPE;
}

/* Whether it is text to programs that tell text from bytes; to be set where the descriptor is
   yours. Copies are what the message was, and whatever is made of its bytes is not. */
bool pt_msg_is_text(const struct pt_msg *);
void pt_msg_set_text(struct pt_msg *, bool is_text);

struct pt_msg *pt_msg_ref(struct pt_msg *);
void pt_msg_unref(struct pt_msg *); /* NULL does nothing */

/* Makes the message's bytes yours to write and returns them. Copies only if somebody else holds
   them. NULL, and *m untouched, if the memory limit is reached. */
uint8_t *pt_msg_edit(struct pt_msg **m);

/* Makes the message shorter: wire_length stays for a packet, as with a capture's snap length. */
int pt_msg_truncate(struct pt_msg **m, size_t length);

/* Makes the descriptor (not the bytes) yours, so that time and link type can be set. */
int pt_msg_own(struct pt_msg **m);

/* The name of the interface that it came from; NULL: unknown. What is made of a message by the
   functions above came from where it did. */
const char *pt_msg_iface(const struct pt_msg *);

/* For sources: an interface of that name, which is copied; then each message, whose descriptor is
   yours, gets a reference of its own (NULL: from nowhere). Like messages it is its engine's. */
struct pt_origin *pt_origin_new(const char *name);
void pt_origin_unref(struct pt_origin *); /* NULL does nothing */
void pt_msg_set_origin(struct pt_msg *, struct pt_origin *);

#ifdef __cplusplus
}
#endif
#endif
