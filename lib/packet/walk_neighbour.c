/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMPv6: errors, neighbours, routers, groups. */
#include "packet/walk.h"

/* RFC 4861 and others; sizes are in units of 8 bytes. */
static void option(struct walk *w, uint32_t at, uint32_t end)
{
	const uint8_t *header = w->bytes + at;

	switch (header[0]) {
	case 1: /* source's and target's hardware address */
	case 2: walk_mac(w, at + 2, end); break;
	case 3: walk_prefix(w, at + 16, end, 16, header[2]); break;
	case 4: walk_quote(w, at + 8, end, 0); break;
	case 9: /* lists of a source's and a target's addresses */
	case 10: walk_addresses(w, at + 8, end, 16); break;
	case 25: walk_addresses(w, at + 8, end, 16); break;
	case 24: /* a route's prefix, and a context's */
	case 34: walk_prefix(w, at + 8, end, 16, header[2]); break;
	case 35: walk_address6(w, at + 8, end); break;
	case 38: walk_prefix(w, at + 4, end, 16, 96); break;
	case 33: /* a registration, with its owner's identifier */
		if (w->options->mac)
			walk_opaque(w, end, end);
		break;
	case 5: /* MTU, intervals, home agent, signature, time, nonce, trust, flags, names */
	case 7:
	case 8:
	case 12:
	case 13:
	case 14:
	case 15:
	case 26:
	case 31:
	case 36:
	case 37: break;
	default: walk_opaque(w, end, end);
	}
}

static void options(struct walk *w, uint32_t at, uint32_t end)
{
	while (at < end) {
		uint32_t size = walk_left(at, end) < 3 ? 0 : w->bytes[at + 1] * 8u;
		if (!size) {
			walk_broken(w, at, end);
			return;
		}
		option(w, at, size < end - at ? at + size : end);
		at += size;
	}
}

/* RFC 3810 */
static void listener_query(struct walk *w, uint32_t at, uint32_t end)
{
	walk_address6(w, at + 8, end);
	if (walk_left(at, end) < 28) /* version 1 */
		return;
	uint32_t stop = at + 28 + be16(w->bytes + at + 26) * 16u;
	walk_addresses(w, at + 28, stop < end ? stop : end, 16);
	if (stop < end)
		walk_payload(w, stop, end);
}

static void listener_report(struct walk *w, uint32_t at, uint32_t end)
{
	uint32_t count = walk_left(at, end) < 8 ? 0 : be16(w->bytes + at + 6);

	for (at += 8; count-- && walk_left(at, end) >= 4;) {
		const uint8_t *record = w->bytes + at;
		uint32_t stop = at + 20 + be16(record + 2) * 16u;
		walk_addresses(w, at + 4, stop < end ? stop : end, 16);
		if (record[1])
			walk_opaque(w, end, end); /* auxiliary data, of which there are none yet */
		at = stop + record[1] * 4u;
	}
	if (at < end)
		walk_payload(w, at, end);
}

/* Behind a header of `size` bytes, in which addresses are at 8 and, if there are two, at 24. */
static void with_options(struct walk *w, uint32_t at, uint32_t end, uint32_t size)
{
	for (uint32_t address = 8; address + 16 <= size; address += 16)
		walk_address6(w, at + address, end);
	if (walk_left(at, end) > size)
		options(w, at + size, end);
}

static void body(struct walk *w, uint32_t at, uint32_t end, uint32_t left)
{
	enum { UNREACHABLE = 1, TOO_BIG = 2, EXCEEDED = 3, PARAMETER = 4 };
	uint32_t behind = left < ICMP_SIZE ? end : at + ICMP_SIZE;

	switch (w->bytes[at]) {
	case UNREACHABLE:
	case EXCEEDED: walk_quote(w, behind, end, behind < end ? w->bytes[at + 4] * 8u : 0); break;
	case TOO_BIG:
	case PARAMETER: walk_quote(w, behind, end, 0); break;
	case 128: /* echo; multicast routers; answers to probes; experiments */
	case 129:
	case 151:
	case 152:
	case 153:
	case 161:
	case 100:
	case 101:
	case 200:
	case 201: walk_payload(w, behind, end); break;
	case 130: listener_query(w, at, end); break;
	case 131:
	case 132: walk_address6(w, at + 8, end); break;
	case 143: listener_report(w, at, end); break;
	case 133: with_options(w, at, end, 8); break; /* solicitation of routers */
	case 134: with_options(w, at, end, 16); break;
	case 135:
	case 136: with_options(w, at, end, 24); break;
	case 137: with_options(w, at, end, 40); break; /* redirect */
	case 141:                                      /* inverse neighbour discovery */
	case 142: with_options(w, at, end, 8); break;
	case 144: walk_payload(w, behind, end); break; /* home agents, mobile prefixes */
	case 145: walk_addresses(w, behind, end, 16); break;
	case 146: walk_payload(w, behind, end); break;
	case 147: with_options(w, at, end, 8); break;
	case 160: walk_objects(w, behind, end); break;
	default: walk_opaque(w, behind, end);
	}
}

void walk_icmp6(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	int64_t before = w->delta;
	uint32_t left = walk_left(at, end);

	if (!left) {
		walk_payload(w, end, end);
		return;
	}
	body(w, at, end, left);
	walk_amend_transport(w, at + 2, at, end, net, w->delta - before);
}
