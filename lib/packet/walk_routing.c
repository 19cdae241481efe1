/* SPDX-License-Identifier: BSD-2-Clause */
/* What routers and hosts greet one another with: OSPFv3, PIM, HIP. What else these say is
   opaque. */
#include "packet/walk.h"

/* ---- OSPF for IPv6: RFC 5340; that for IPv4 has no greeting that could be told from its password
   ---- */

void walk_ospf(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	enum { HELLO = 1, HEADER = 16, SIZE = 36 };
	uint32_t left = walk_left(at, end);
	int64_t before = w->delta;
	const uint8_t *header = w->bytes + at;

	if (left < HEADER || net->version != 6 || header[0] != 3) {
		walk_opaque(w, at, end);
		return;
	}
	uint32_t size = be16(header + 2), stop = size < left ? at + size : end;
	if (header[1] == HELLO && size >= SIZE) {
		walk_addresses(w, at + 4, at + 12, 4); /* the router, the area */
		if (walk_left(at, stop) > 28)
			walk_addresses(w, at + 28, stop, 4); /* routers that it knows */
	} else {
		walk_opaque(w, at + HEADER, stop);
	}
	if (stop < end)
		walk_opaque(w, stop, end);
	walk_amend_transport(w, at + 12, at, end, net, w->delta - before);
}

/* ---- PIM: RFC 7761 ---- */

/* Encoded as a family, an encoding and the address. */
static void encoded(struct walk *w, uint32_t at, uint32_t end)
{
	while (walk_left(at, end) > 2) {
		unsigned size = w->bytes[at] == 1 ? 4 : w->bytes[at] == 2 ? 16 : 0;
		uint32_t stop = at + 2 + size;
		if (!size || w->bytes[at + 1]) {
			walk_opaque(w, at, end);
			return;
		}
		walk_addresses(w, at + 2, stop < end ? stop : end, size);
		at = stop;
	}
}

static void pim_options(struct walk *w, uint32_t at, uint32_t end)
{
	enum { ADDRESSES = 24, OLD_ADDRESSES = 65001 };

	while (walk_left(at, end) >= 4) {
		uint32_t size = be16(w->bytes + at + 2);
		uint32_t stop = size < end - at - 4 ? at + 4 + size : end;
		switch (be16(w->bytes + at)) {
		case 1: /* how long it holds, delay, priority, generation, refresh, both ways */
		case 2:
		case 19:
		case 20:
		case 21:
		case 22: break;
		case ADDRESSES:
		case OLD_ADDRESSES: encoded(w, at + 4, stop); break;
		default: walk_opaque(w, end, end);
		}
		at = stop;
	}
}

void walk_pim(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	enum { HELLO = 0x20 };
	int64_t before = w->delta;

	if (walk_left(at, end) < 4) {
		walk_broken(w, at, end);
		return;
	}
	if (w->bytes[at] == HELLO)
		pim_options(w, at + 4, end);
	else
		walk_opaque(w, at + 4, end);
	if (net->version == 6)
		walk_amend_transport(w, at + 2, at, end, net, w->delta - before);
	else
		walk_amend(w, at + 2, at, end, w->delta - before);
}

/* ---- HIP: RFC 7401 ---- */

void walk_hip(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	enum { HEADER = 40, TAGS = 8 };
	uint32_t left = walk_left(at, end);
	int64_t before = w->delta;

	if (left < TAGS) {
		walk_broken(w, at, end);
		return;
	}
	walk_addresses(w, at + TAGS, left < HEADER ? end : at + HEADER, 16);
	if (left > HEADER)
		walk_opaque(w, at + HEADER, end);
	walk_amend_transport(w, at + 4, at, end, net, w->delta - before);
}
