/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP and IGMP. */
#include "packet/walk.h"

/* RFC 1256: each entry begins with an address. */
static void advertised(struct walk *w, uint32_t at, uint32_t end)
{
	uint32_t size = walk_left(at, end) < ICMP_SIZE ? 0 : w->bytes[at + 5] * 4u;

	if (!size) {
		walk_broken(w, end, end);
		return;
	}
	for (at += ICMP_SIZE; at < end; at += size)
		walk_address(w, at, end);
}

static void icmp_body(struct walk *w, uint32_t at, uint32_t end, uint32_t left)
{
	enum {
		UNREACHABLE = 3,
		QUENCH = 4,
		REDIRECT = 5,
		ADVERTISEMENT = 9,
		EXCEEDED = 11,
		PARAMETER = 12,
		MASK_REQUEST = 17,
		MASK_REPLY = 18,
		CONVERSION = 31,
		PHOTURIS = 40,
		PROBE = 42
	};
	uint32_t body = left < ICMP_SIZE ? end : at + ICMP_SIZE;

	switch (w->bytes[at]) {
	case 0: /* echo, solicitation, timestamps, information, traceroute, answers to probes */
	case 8:
	case 10:
	case 13:
	case 14:
	case 15:
	case 16:
	case 30:
	case 43: walk_payload(w, body, end); break;
	case UNREACHABLE:
	case EXCEEDED:
	case PARAMETER: walk_quote(w, body, end, body < end ? w->bytes[at + 5] * 4u : 0); break;
	case QUENCH:
	case CONVERSION:
	case PHOTURIS: walk_quote(w, body, end, 0); break;
	case REDIRECT:
		walk_address(w, at + 4, end);
		walk_quote(w, body, end, 0);
		break;
	case ADVERTISEMENT: advertised(w, at, end); break;
	case MASK_REQUEST:
	case MASK_REPLY: walk_payload(w, left < 12 ? end : at + 12, end); break;
	case PROBE: walk_objects(w, body, end); break;
	default: walk_opaque(w, body, end);
	}
}

void walk_icmp(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	int64_t before = w->delta;
	uint32_t left = walk_left(at, end);

	(void)net;
	if (!left) {
		walk_payload(w, end, end);
		return;
	}
	icmp_body(w, at, end, left);
	walk_amend(w, at + 2, at, end, w->delta - before);
}

/* ---- IGMP ---- */

static void query(struct walk *w, uint32_t at, uint32_t end)
{
	walk_address(w, at + 4, end);
	if (walk_left(at, end) <= 12) /* versions 1 and 2 */
		return;
	uint32_t stop = at + 12 + be16(w->bytes + at + 10) * 4u;
	walk_addresses(w, at + 12, stop < end ? stop : end, 4);
	if (stop < end)
		walk_payload(w, stop, end);
}

static void report(struct walk *w, uint32_t at, uint32_t end)
{
	uint32_t count = walk_left(at, end) < 8 ? 0 : be16(w->bytes + at + 6);

	for (at += 8; count-- && walk_left(at, end) >= 4;) {
		const uint8_t *record = w->bytes + at;
		uint32_t stop = at + 8 + be16(record + 2) * 4u;
		walk_addresses(w, at + 4, stop < end ? stop : end, 4);
		if (record[1])
			walk_opaque(w, end, end); /* auxiliary data, of which there are none yet */
		at = stop + record[1] * 4u;
	}
	if (at < end)
		walk_payload(w, at, end);
}

void walk_igmp(struct walk *w, uint32_t at, uint32_t end, const struct walk_net *net)
{
	enum {
		QUERY = 0x11,
		REPORT1 = 0x12,
		REPORT2 = 0x16,
		LEAVE = 0x17,
		REPORT3 = 0x22,
		ROUTERS_FIRST = 0x30,
		ROUTERS_LAST = 0x32
	};
	int64_t before = w->delta;

	(void)net;
	if (!walk_left(at, end))
		return;
	switch (w->bytes[at]) {
	case QUERY: query(w, at, end); break;
	case REPORT1:
	case REPORT2:
	case LEAVE: walk_address(w, at + 4, end); break;
	case REPORT3: report(w, at, end); break;
	case ROUTERS_FIRST:
	case ROUTERS_FIRST + 1:
	case ROUTERS_LAST: break;
	default: walk_opaque(w, at, end);
	}
	walk_amend(w, at + 2, at, end, w->delta - before);
}
