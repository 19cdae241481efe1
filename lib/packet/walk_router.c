/* SPDX-License-Identifier: BSD-2-Clause */
/* Protocols over IP that hold addresses in simple places: VRRP, SCTP, mobility. */
#include "packet/checksum.h"
#include "packet/walk.h"

#include <string.h>

/* ---- VRRP: RFC 3768, 5798; CARP, which has its number ---- */

void walk_vrrp(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	enum { CARP_WORDS = 7, CARP_SIZE = 36 };
	uint32_t left = walk_left(at, end);
	int64_t before = w->delta;
	const uint8_t *header = w->bytes + at;

	if (left < 8) {
		walk_broken(w, at, end);
		return;
	}
	if (header[0] == 0x21 && header[3] == CARP_WORDS && left == CARP_SIZE)
		return;
	unsigned size = net->version == 6 ? 16 : 4;
	uint32_t stop = at + 8 + header[3] * size;
	bool plain = header[0] >> 4 == 2 || sum_is_zero(sum_bytes(header, left));
	walk_addresses(w, at + 8, stop < end ? stop : end, size);
	if (stop < end)
		walk_payload(w, stop, end); /* a password, of version 2 */
	if (plain)
		walk_amend(w, at + 6, at, end, w->delta - before);
	else
		walk_amend_transport(w, at + 6, at, end, net, w->delta - before);
}

/* ---- SCTP: RFC 9260, 5061 ---- */

enum { CHUNK_DATA = 0, CHUNK_INIT = 1, CHUNK_INIT_ACK = 2, CHUNK_I_DATA = 64 };

static void zero(struct walk *w, uint32_t at, uint32_t end)
{
	static const uint8_t none[64];
	for (; at < end; at += sizeof none)
		walk_put(w, at, none, end - at < sizeof none ? end - at : sizeof none);
}

/* Addresses; and cookies and what heartbeats tell, in which their makers hold some. */
static void parameters(struct walk *w, uint32_t at, uint32_t end)
{
	enum { HEARTBEAT = 1, IP = 5, IP6 = 6, COOKIE = 7, UNRECOGNIZED = 8, NAME = 11 };

	while (walk_left(at, end) >= 4) {
		uint32_t type = be16(w->bytes + at), size = be16(w->bytes + at + 2);
		uint32_t stop = size < end - at ? at + size : end;
		if (size < 4)
			break;
		switch (type) {
		case IP: walk_address(w, at + 4, stop); break;
		case IP6: walk_address6(w, at + 4, stop); break;
		case HEARTBEAT:
		case COOKIE:
		case UNRECOGNIZED:
		case NAME: zero(w, at + 4, stop); break;
		case 0xc001: /* of addresses that are added, deleted, preferred */
		case 0xc002:
		case 0xc004: parameters(w, at + 8, stop); break;
		case 0xc003: zero(w, at + 8, stop); break; /* what was wrong with them */
		}
		at += (size + 3) & ~3u;
	}
	if (at < end && end - at >= 4)
		walk_broken(w, at, end);
}

static void chunk(struct walk *w, uint32_t at, uint32_t end)
{
	switch (w->bytes[at]) {
	case CHUNK_DATA: walk_payload(w, end - at < 16 ? end : at + 16, end); break;
	case CHUNK_I_DATA: walk_payload(w, end - at < 20 ? end : at + 20, end); break;
	case CHUNK_INIT:
	case CHUNK_INIT_ACK:
		if (end - at > 20)
			parameters(w, at + 20, end);
		break;
	case 4: /* heartbeats, causes of errors, a cookie */
	case 5:
	case 6:
	case 9:
	case 10: zero(w, at + 4, end); break;
	case 0xc1: /* changes of addresses, and the answer */
	case 0x80:
		if (end - at > 8)
			parameters(w, at + 8, end);
		break;
	case 3: /* acknowledgements, the end, congestion, authentication, numbers, padding */
	case 7:
	case 8:
	case 11:
	case 12:
	case 13:
	case 14:
	case 15:
	case 0x82:
	case 0x84:
	case 0xc0:
	case 0xc2: break;
	default: walk_opaque(w, at, end);
	}
}

static void chunks(struct walk *w, uint32_t at, uint32_t end)
{
	while (walk_left(at, end) >= 4) {
		uint32_t size = be16(w->bytes + at + 2);
		if (size < 4) {
			walk_opaque(w, at, end);
			return;
		}
		chunk(w, at, size < end - at ? at + size : end);
		at += (size + 3) & ~3u;
	}
	if (at < end)
		walk_payload(w, at, end);
}

void walk_sctp(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	enum { SIZE = 12 };
	uint32_t left = walk_left(at, end);
	if (left < SIZE) {
		walk_payload(w, end, end);
		return;
	}
	uint8_t *sum = w->bytes + at + 8, sums[4];
	uint32_t before = be32(sum) ? checksum_crc32c(0, w->bytes + at, left) : 0;
	chunks(w, at + SIZE, end);
	if (!be32(sum)) /* there is none, or not yet */
		return;
	uint32_t change = before ^ checksum_crc32c(0, w->bytes + at, left);
	if (net->length > left && net->length <= 0xffff)
		change = checksum_crc32c(change, NULL, net->length - left);
	for (unsigned i = 0; i < 4; i++)
		sums[i] = sum[i] ^ (uint8_t)(change >> 8 * i);
	walk_put(w, at + 8, sums, 4);
}

/* ---- mobility: RFC 6275, 5213 ---- */

static void mobility_options(struct walk *w, uint32_t at, uint32_t end)
{
	enum { PAD1 = 0, CARE_OF = 3, NETWORK = 6, HOME_NETWORK = 22, LINK_LOCAL = 26 };

	while (at < end) {
		uint8_t type = w->bytes[at];
		uint32_t size = type == PAD1 || end - at < 2 ? 1 : w->bytes[at + 1] + 2u;
		uint32_t stop = size < end - at ? at + size : end;
		switch (type) {
		case PAD1:
		case 1: /* padding, advice, nonces, authorization, handoff, technology, time */
		case 2:
		case 4:
		case 5:
		case 23:
		case 24:
		case 27: break;
		case CARE_OF:
		case LINK_LOCAL: walk_address6(w, at + 2, stop); break;
		case NETWORK:
		case HOME_NETWORK:
			if (stop - at > 4)
				walk_prefix(w, at + 4, stop, 16, w->bytes[at + 3]);
			break;
		default: walk_opaque(w, end, end);
		}
		at += size;
	}
}

void walk_mobility(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	enum { ERROR = 7 };
	static const uint8_t sizes[] = {8, 16, 16, 24, 24, 12, 12, 24}; /* before the options */
	uint32_t left = walk_left(at, end);
	int64_t before = w->delta;
	uint8_t type = left < 8 ? 0 : w->bytes[at + 2];

	if (left < 8) {
		walk_broken(w, at, end);
		return;
	}
	uint32_t size = (w->bytes[at + 1] + 1u) * 8, stop = size < left ? at + size : end;
	if (type >= sizeof sizes)
		walk_opaque(w, at + 6, stop);
	else if (type == ERROR)
		walk_address6(w, at + 8, stop);
	if (type < sizeof sizes && walk_left(at, stop) > sizes[type])
		mobility_options(w, at + sizes[type], stop);
	walk_amend_transport(w, at + 4, at, end, net, w->delta - before);
	if (stop < end)
		walk_payload(w, stop, end);
}
