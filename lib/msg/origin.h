/* SPDX-License-Identifier: BSD-2-Clause */
/* Where messages came from: an interface of a section of a capture file, or a name alone. */
#ifndef MSG_ORIGIN_H
#define MSG_ORIGIN_H

#include <pipetool/msg.h>
#include <pthread.h>
#include <stdatomic.h>

/*
 * A section is what a pcapng file says beside its packets, in the order in which it says it: the
 * section's header, interfaces, names, secrets, statistics. Who reads adds to it; who writes
 * packets of it finds there what has to stand before them. It is counted over threads, and outlives
 * the reading for as long as a message or a writer knows it. Bodies are of pcapng blocks without
 * head and trailer, in this machine's byte order; so this header knows nothing of their contents.
 */
struct section_block {
	uint32_t type, length;
	uint8_t *body;
};

struct section {
	atomic_uint refs;
	uint64_t file;    /* the same for all sections of one reading of a file … */
	uint32_t ordinal; /* … in which it is this one */
	pthread_mutex_t lock;
	struct section_block *blocks; /* under the lock, but for who adds */
	uint32_t room;
	_Atomic uint32_t count;
	size_t bytes; /* of all bodies */
};
#define SECTION_BYTES ((size_t)16 * 1024 * 1024) /* more is not kept */

struct section *section_new(uint64_t file, uint32_t ordinal);
struct section *section_ref(struct section *);
void section_unref(struct section *); /* NULL does nothing */
uint64_t section_new_file(void);
/* Adds a block, whose body it takes. False: it is too much, and gone. */
bool section_add(struct section *, uint32_t type, uint8_t *body, uint32_t length);

/*
 * An origin is an interface, or an interface and what a file says of one packet of it: options of
 * its block. It is its engine's, as messages are.
 */
struct pt_origin {
	uint32_t refs;
	uint32_t number;         /* of the interface in the section */
	struct section *section; /* NULL: there is only a name */
	struct pt_origin *of;    /* the interface, of what is told of a packet */
	const char *name;        /* the interface's; NULL: it has none */
	struct pt_origin *alone; /* see origin_alone; NULL: nobody has asked yet */
	struct pt_pool *pool;    /* that `size` is charged to; NULL: none */
	bool untimed;            /* the file says no times */
	bool checked;            /* it says that its frames end with a check sequence … */
	uint8_t check_size;      /* … of so many bytes */
	bool tunnelled;          /* what it is of came out of a tunnel, with the id */
	uint32_t tunnel;
	uint32_t size;
	uint8_t options[]; /* `size` bytes, as in a pcapng packet's block, without their end */
};

/* Whether it tells an interface. */
static inline bool origin_is_known(const struct pt_origin *o)
{
	return o && (o->section || o->name);
}

/* The interface; the name is copied, and may be NULL. */
struct pt_origin *origin_new(struct section *, uint32_t number, const char *name);
/* A packet of it; NULL: the pool's memory limit is reached. */
struct pt_origin *origin_of_packet(struct pt_origin *interface, struct pt_pool *,
                                   const uint8_t *options, uint32_t size);
/* Like one (NULL: a message of unknown origin), with other options, out of a tunnel with that id
   (NULL: it has none). The id of a tunnel further out stays. */
struct pt_origin *origin_tunnelled(struct pt_origin *, struct pt_pool *, const uint8_t *options,
                                   uint32_t size, const uint32_t *tunnel);
/* Without all that a file says beside its packets, but for the interface's name: for packets that
   are to tell no more of anybody. The origin's; NULL of NULL. */
struct pt_origin *origin_alone(struct pt_origin *);
/* The same for who has no pool: may be released on any thread, if nobody else holds it. */
struct pt_origin *origin_copy(const struct pt_origin *); /* NULL of NULL */
void origin_end(struct pt_origin *);                     /* with its last reference */

#endif
