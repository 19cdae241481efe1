/* SPDX-License-Identifier: BSD-2-Clause */
/* Fragments: what later ones are, the first has shown. */
#include "packet/walk.h"
#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM_BITS = 10, ROOM = 1 << ROOM_BITS };

enum shown {
	UNKNOWN,
	ALL,
	NOT_ALL
}; /* whether what may hold addresses was in the first fragment */

/* The newer takes the place: a datagram that is not known is taken for what its protocol may be. */
struct fragments {
	struct {
		struct fragment of;
		enum shown shown;
	} seen[ROOM];
};

struct fragments *fragments_new(void)
{
	return must_calloc(1, sizeof(struct fragments));
}

void fragments_free(struct fragments *f)
{
	free(f);
}

static unsigned place(const struct fragment *of)
{
	uint64_t hash = of->id ^ (uint64_t)of->proto << 32;
	for (unsigned i = 0; i < sizeof of->addresses; i += 8) {
		uint64_t word;
		memcpy(&word, of->addresses + i, sizeof word);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15;
	}
	return (unsigned)(hash >> (64 - ROOM_BITS));
}

static bool is_same(const struct fragment *a, const struct fragment *b)
{
	return a->id == b->id && a->proto == b->proto &&
	       !memcmp(a->addresses, b->addresses, sizeof a->addresses);
}

static enum shown ask(const struct fragments *f, const struct fragment *of)
{
	unsigned at = place(of);
	return is_same(&f->seen[at].of, of) ? f->seen[at].shown : UNKNOWN;
}

/* Of one whose first fragment was not seen: whether headers cannot reach as far. An error quotes no
   more than 576 bytes, or 1280 of IPv6. */
static bool is_behind_headers(uint8_t proto, uint32_t offset)
{
	switch (proto) {
	case PROTO_UDP:
	case PROTO_UDPLITE: return offset >= 128;
	case PROTO_ICMP: return offset >= 576;
	case PROTO_ICMP6: return offset >= 1232;
	default: return false;
	}
}

static bool is_never_more(uint8_t proto)
{
	return proto == PROTO_TCP || proto == PROTO_DCCP || proto == PROTO_ESP;
}

static void first(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net,
                  const struct fragment *fragment)
{
	bool opaque = w->opaque, ended = w->ended;
	unsigned slot = place(fragment);

	w->opaque = w->ended = false;
	walk_transport(w, at, end, net);
	if (!fragment->cut) {
		w->fragments->seen[slot].of = *fragment;
		w->fragments->seen[slot].shown = w->ended && !w->opaque ? ALL : NOT_ALL;
	}
	w->opaque |= opaque;
	w->ended |= ended;
}

void walk_fragment(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net,
                   const struct fragment *fragment)
{
	if (!fragment->offset) {
		first(w, at, end, net, fragment);
		return;
	}
	enum shown shown = ask(w->fragments, fragment);
	if (is_never_more(fragment->proto) || shown == ALL ||
	    (shown == UNKNOWN && is_behind_headers(fragment->proto, fragment->offset)))
		walk_payload(w, at, end);
	else
		walk_opaque(w, at, end);
}
