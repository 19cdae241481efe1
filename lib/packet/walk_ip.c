/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 and IPv6: headers, options, extension headers. */
#include "packet/walk.h"

#include <string.h>

static uint32_t sum_of(const uint8_t *at, unsigned size)
{
	uint32_t sum = 0;
	for (unsigned i = 0; i < size; i += 2)
		sum += be16(at + i);
	return sum;
}

/* ---- IPv4 ---- */

static void source_route(struct walk *w, uint32_t at, uint32_t end, struct walk_net *net)
{
	bool used_up = w->bytes[at + 2] > end - at; /* the pointer counts from 1 */

	for (uint32_t slot = at + 3; slot + 4 <= end; slot += 4) {
		uint32_t sum = sum_of(w->bytes + slot, 4);
		int64_t delta = walk_address(w, slot, end);
		if (!used_up && slot + 8 > end)
			net->to = delta, net->to_sum = sum;
	}
}

static void timestamps(struct walk *w, uint32_t at, uint32_t end)
{
	if (end - at < 4 || !(w->bytes[at + 3] & 15)) /* without addresses */
		return;
	for (uint32_t slot = at + 4; slot + 4 <= end; slot += 8)
		walk_address(w, slot, end);
}

/* RFC 791, 1393. Those that nobody knows may hold anything. */
static void option(struct walk *w, uint32_t at, uint32_t end, struct walk_net *net)
{
	switch (w->bytes[at]) {
	case 7: /* record route */
		for (uint32_t slot = at + 3; slot + 4 <= end; slot += 4)
			walk_address(w, slot, end);
		break;
	case 131:
	case 137:
		if (end - at >= 3)
			source_route(w, at, end, net);
		break;
	case 68: timestamps(w, at, end); break;
	case 82: /* traceroute */
		if (end - at >= 12)
			walk_address(w, at + 8, end);
		break;
	case 10: /* ZSU, MTU probe and reply, quick start, security, commercial security, stream
	            id, router alert; experiments of RFC 4727 */
	case 11:
	case 12:
	case 25:
	case 130:
	case 133:
	case 134:
	case 136:
	case 148:
	case 30:
	case 94:
	case 158:
	case 222: break;
	default: walk_opaque(w, end, end);
	}
}

static void options(struct walk *w, uint32_t at, uint32_t end, struct walk_net *net)
{
	enum { END = 0, NOP = 1 };

	while (at < end && w->bytes[at] != END) {
		if (w->bytes[at] == NOP) {
			at++;
			continue;
		}
		uint32_t size = end - at < 2 ? 0 : w->bytes[at + 1];
		if (size < 2 || size > end - at) {
			walk_opaque(w, end, end); /* what follows nobody knows */
			return;
		}
		option(w, at, at + size, net);
		at += size;
	}
}

/* The capture ends in the header: its checksum would tell of what is missing. */
static void ip_cut(struct walk *w, uint32_t at, uint32_t end)
{
	static const uint8_t none[2];

	walk_address(w, at + 12, end);
	walk_address(w, at + 16, end);
	if (walk_left(at, end) >= 12)
		walk_put(w, at + 10, none, 2);
	walk_broken(w, end, end);
}

static inline void ip_header(struct walk *w, uint32_t at, uint32_t end, struct walk_net *net)
{
	int64_t before = w->delta;

	net->from_sum = sum_of(w->bytes + at + 12, 4);
	net->to_sum = sum_of(w->bytes + at + 16, 4);
	net->from = walk_address(w, at + 12, end);
	net->to = walk_address(w, at + 16, end);
	if (end > at + IP_SIZE)
		options(w, at + IP_SIZE, end, net);
	walk_amend(w, at + 10, at, end, w->delta - before);
}

static void ip_fragment(struct walk *w, uint32_t at, uint32_t end, struct walk_net *net)
{
	const uint8_t *header = w->bytes + at;
	struct fragment fragment = {.offset = (be16(header + 6) & 0x1fffu) * 8,
	                            .id = be16(header + 4),
	                            .proto = net->proto,
	                            .cut = at + be16(header + 2) > end};
	uint32_t size = (header[0] & 15) * 4u;

	memcpy(fragment.addresses, header + 12, 8);
	ip_header(w, at, at + size, net);
	walk_fragment(w, at + size, end, net, &fragment);
}

static void ip_whole(struct walk *w, uint32_t at, uint32_t end, uint32_t total)
{
	const uint8_t *header = w->bytes + at;
	uint32_t size = (header[0] & 15) * 4u;
	struct walk_net net = {.version = 4, .proto = header[9], .length = total - size};

	if (size > walk_left(at, end)) {
		ip_header(w, at, end, &net);
		walk_broken(w, end, end);
	} else if (be16(header + 6) & 0x3fff) {
		ip_fragment(w, at, end, &net);
	} else {
		ip_header(w, at, at + size, &net);
		walk_transport(w, at + size, end, &net);
	}
}

void walk_ip(struct walk *w, uint32_t at, uint32_t end)
{
	uint32_t left = walk_left(at, end), total = left < 4 ? 0 : be16(w->bytes + at + 2);
	uint32_t size = left ? (w->bytes[at] & 15) * 4u : 0;
	bool whole = w->whole;

	if (!left)
		return;
	if (w->bytes[at] >> 4 != 4 || size < IP_SIZE) {
		walk_opaque(w, at, end);
	} else if (left < IP_SIZE) {
		ip_cut(w, at, end);
	} else {
		bool ends = total >= size && total <= left;
		w->whole |= ends;
		ip_whole(w, at, ends ? at + total : end, total);
		w->whole = whole;
		walk_padding(w, ends ? at + total : end, end);
	}
}

/* ---- IPv6 ---- */

/* RFC 8754: padding and a digest are known, behind the segments. */
static void segment_objects(struct walk *w, uint32_t at, uint32_t end)
{
	enum { PAD1 = 0, PADN = 4, DIGEST = 5 };

	while (at < end && (w->bytes[at] == PAD1 || w->bytes[at] == PADN || w->bytes[at] == DIGEST))
		at += w->bytes[at] == PAD1 || end - at < 2 ? 1 : w->bytes[at + 1] + 2u;
	if (at < end)
		walk_opaque(w, end, end);
}

/* RFC 8200 and 2460 (type 0), 6275 (2), 6554 (3), 8754 (4, whose list runs backwards). */
static void routing(struct walk *w, uint32_t at, uint32_t end, struct walk_net *net)
{
	enum { SOURCE = 0, HOME = 2, RPL = 3, SEGMENTS = 4 };
	const uint8_t *header = w->bytes + at;
	uint8_t type = header[2], left = header[3];
	uint32_t count = header[1] / 2u, list = at + 8;

	if ((type == RPL && header[4]) ||
	    (type != SOURCE && type != HOME && type != RPL && type != SEGMENTS)) {
		walk_opaque(w, end, end); /* compressed, or unknown */
		return;
	}
	if (type == SEGMENTS && count > header[4] + 1u)
		count = header[4] + 1u;
	for (uint32_t i = 0; i < count && list + 16 * i < end; i++) {
		uint32_t place = list + 16 * i;
		uint32_t sum = end - place < 16 ? 0 : sum_of(w->bytes + place, 16);
		int64_t delta = walk_address6(w, place, end);
		if (left && i == (type == SEGMENTS ? 0 : count - 1))
			net->to = delta, net->to_sum = sum;
	}
	if (type == SEGMENTS)
		segment_objects(w, list + 16 * count, end);
}

/* Of hop-by-hop and destination headers: those that hold no address. */
static bool is_harmless6(uint8_t type)
{
	switch (type) {
	case 0x00: /* padding */
	case 0x01:
	case 0x04: /* tunnel encapsulation limit */
	case 0x05: /* router alert */
	case 0x07: /* CALIPSO */
	case 0x0f: /* PDM */
	case 0x12: /* alternate marking */
	case 0x23: /* RPL */
	case 0x26: /* quick start */
	case 0x30: /* path MTU */
	case 0x63: /* RPL */
	case 0xc2: /* jumbo payload */
	case 0x1e: /* experiments of RFC 4727 */
	case 0x3e:
	case 0x5e:
	case 0x7e:
	case 0x9e:
	case 0xbe:
	case 0xde:
	case 0xfe: return true;
	default: return false;
	}
}

/* The home address (RFC 6275) is the source of the pseudo-header. */
static void options6(struct walk *w, uint32_t at, uint32_t end, struct walk_net *net)
{
	enum { PAD1 = 0, HOME = 0xc9 };

	while (at < end) {
		uint8_t type = w->bytes[at];
		uint32_t size = type == PAD1 || end - at < 2 ? 1 : w->bytes[at + 1] + 2u;
		if (type == HOME && size > 1) {
			net->from_sum = end - at < 18 ? 0 : sum_of(w->bytes + at + 2, 16);
			net->from = walk_address6(w, at + 2, end);
		} else if (!is_harmless6(type)) {
			walk_opaque(w, end, end);
		}
		at += size;
	}
}

/* Steps over an extension header. 0: nothing is to be walked behind it. */
static uint32_t extension(struct walk *w, uint32_t at, uint32_t end, struct walk_net *net)
{
	uint32_t left = walk_left(at, end);
	uint32_t size = left < 8 ? 8 : extension_size(net->proto, w->bytes + at);

	if (left >= 8 && net->proto == PROTO_ROUTING)
		routing(w, at, size < left ? at + size : end, net);
	else if (net->proto == PROTO_HOP_BY_HOP || net->proto == PROTO_DESTINATION)
		options6(w, at + 2, size < left ? at + size : end, net);
	if (size > left) {
		walk_broken(w, end, end);
		return 0;
	}
	net->proto = w->bytes[at];
	net->length -= size < net->length ? size : net->length;
	return at + size;
}

static void upper6(struct walk *w, uint32_t at, uint32_t end, struct walk_net *net,
                   struct fragment *fragment)
{
	bool fragmented = false;

	while (walk_is_extension(net->proto)) {
		const uint8_t *header = w->bytes + at;
		if (net->proto == PROTO_FRAGMENT && walk_left(at, end) >= 8) {
			fragment->offset = be16(header + 2) & 0xfff8u;
			fragment->id = be32(header + 4);
			fragment->proto = header[0];
			fragmented = be16(header + 2) & 0xfff9u;
		}
		at = extension(w, at, end, net);
		if (!at)
			return;
		if (fragmented && fragment->offset)
			break;
	}
	if (fragmented)
		walk_fragment(w, at, end, net, fragment);
	else
		walk_transport(w, at, end, net);
}

/* What solicited-node groups are likely made of: who is asked for, and who asks. */
static void look_nearby(struct walk *w, uint32_t at, uint32_t end, uint8_t nearby[32])
{
	enum { SOLICITATION = 135 };
	const uint8_t *header = w->bytes + at, *icmp = header + IP6_SIZE;

	w->nearby = nearby;
	w->nearby_count = 1;
	memcpy(nearby, header + 8, 16);
	if (header[6] == PROTO_ICMP6 && end - at >= IP6_SIZE + 24 && icmp[0] == SOLICITATION) {
		memcpy(nearby + 16, icmp + 8, 16);
		w->nearby_count = 2;
	}
}

static void ip6_whole(struct walk *w, uint32_t at, uint32_t end, bool ends)
{
	const uint8_t *header = w->bytes + at;
	struct walk_net net = {.version = 6, .proto = header[6], .length = be16(header + 4)};
	struct fragment fragment = {.cut = !ends};
	uint8_t nearby[32];

	memcpy(fragment.addresses, header + 8, 32);
	net.from_sum = sum_of(header + 8, 16);
	net.to_sum = sum_of(header + 24, 16);
	look_nearby(w, at, end, nearby);
	net.from = walk_address6(w, at + 8, end);
	net.to = walk_address6(w, at + 24, end);
	if (header[24] == 0xff && w->link)
		walk_link_group(w, fragment.addresses + 16, header + 24);
	upper6(w, at + IP6_SIZE, end, &net, &fragment);
}

void walk_ip6(struct walk *w, uint32_t at, uint32_t end)
{
	uint32_t left = walk_left(at, end);
	uint32_t length = left < IP6_SIZE ? 0 : be16(w->bytes + at + 4);
	const uint8_t *nearby = w->nearby;
	unsigned count = w->nearby_count;
	bool whole = w->whole;

	if (!left)
		return;
	if (w->bytes[at] >> 4 != 6) {
		walk_opaque(w, at, end);
	} else if (left < IP6_SIZE) {
		walk_address6(w, at + 8, end);
		walk_address6(w, at + 24, end);
		walk_link_group_alone(w);
		walk_broken(w, end, end);
	} else {
		bool ends = length && IP6_SIZE + length <= left;
		uint32_t stop = ends ? at + IP6_SIZE + length : end;
		w->whole |= ends;
		ip6_whole(w, at, stop, ends);
		w->whole = whole;
		w->nearby = nearby;
		w->nearby_count = count;
		walk_padding(w, stop, end);
	}
}

void walk_version(struct walk *w, uint32_t at, uint32_t end)
{
	if (walk_left(at, end) && w->bytes[at] >> 4 == 6)
		walk_ip6(w, at, end);
	else
		walk_ip(w, at, end);
}
