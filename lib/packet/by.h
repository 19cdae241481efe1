/* SPDX-License-Identifier: BSD-2-Clause */
/* What packets are told apart by: a flow, a host, a field, or several of these together. */
#ifndef PACKET_BY_H
#define PACKET_BY_H

#include "base/recent.h"
#include "packet/flow.h"

/* For the help of parameters that are read by packet_by_read. */
#define PACKET_BY_WORDS                                                          \
	"\"flow\" (both directions are one), \"host\" (the source address), or " \
	"fields such as \"ip.src\""

enum { PACKET_BY_MOST = 8, PACKET_BY_SIZE = RECENT_KEY_MAX, PACKET_BY_VECTOR = 64 };

struct packet_by_part {
	enum { PACKET_BY_FLOW, PACKET_BY_HOST, PACKET_BY_FIELD } kind;
	const struct packet_field *field;
	size_t size;
};

struct packet_by {
	struct packet_by_part parts[PACKET_BY_MOST];
	unsigned count;
	size_t size;                 /* of a key */
	bool dissects, looks_behind; /* the view is needed; more of it than two headers */
	struct packet_parts *fragments;
};

/* Words as users give them; a fault stands under `param`. */
int packet_by_read(struct packet_by *, char *const *words, const char *param, struct pt_error *);
void packet_by_free(struct packet_by *); /* also one that is all zero */

bool packet_by_is(const struct packet_by *, const struct packet_by *); /* of the same words */
/* Puts what one has seen of fragments in the other's place, which is of the same words. */
void packet_by_swap(struct packet_by *, struct packet_by *);

/* Every packet has a key, of `size` bytes: what it lacks is part of it, as a value of its own. */
void packet_by_key(struct packet_by *, const struct pt_msg *, uint8_t *key);
uint64_t packet_by_hash(const struct packet_by *, const uint8_t *key); /* the same everywhere */

/* The keys of a vector, one behind the other; the table, of such keys, is asked for them next. */
struct packet_keys {
	uint64_t hashes[PACKET_BY_VECTOR]; /* the table's */
	uint8_t bytes[PACKET_BY_VECTOR * PACKET_BY_SIZE];
};
void packet_by_keys(struct packet_by *, const struct recent *, struct pt_msg *const *,
                    unsigned count, struct packet_keys *);

/* A part of a key as text: "10.0.0.1", "443", a flow's; "none". `out` has room for
   PACKET_FLOW_TEXT. */
void packet_by_text(const struct packet_by *, unsigned part, const uint8_t *key, char *out);

#endif
