/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds the addresses of source routes and recorded routes, and those of hosts that are
   elsewhere. */
#include "packet/inside.h"

enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_RECORD = 7, OPTION_LOOSE = 131, OPTION_STRICT = 137 };

/* One of IPv4's options; RFC 791. */
static void route_of_option(const uint8_t *option, uint32_t at, struct route *r)
{
	uint32_t slots = (option[1] - 3u) / 4;
	uint32_t used = option[2] >= 4 ? (option[2] - 4u) / 4 : 0; /* the pointer counts from 1 */

	r->first = at + 3;
	r->size = 4;
	r->count = option[0] == OPTION_RECORD && used < slots ? used : slots;
	r->final = option[0] != OPTION_RECORD && used < slots ? r->first + (slots - 1) * 4 : 0;
}

static bool route_next_ip(const uint8_t *bytes, size_t limit, uint32_t ip, struct route *r)
{
	uint32_t end = ip + (bytes[ip] & 15) * 4u;
	uint32_t at = r->next ? r->next : ip + IP_SIZE;

	if (end > limit)
		return false;
	while (at < end && bytes[at] != OPTION_END) {
		const uint8_t *option = bytes + at;
		if (option[0] == OPTION_NOP) {
			at++;
			continue;
		}
		if (end - at < 2 || option[1] < 2 || option[1] > end - at)
			return false;
		r->next = at + option[1];
		if ((option[0] == OPTION_RECORD || option[0] == OPTION_LOOSE ||
		     option[0] == OPTION_STRICT) &&
		    option[1] >= 3) {
			route_of_option(option, at, r);
			return true;
		}
		at = r->next;
	}
	return false;
}

/* RFC 8200 and 2460 (type 0), 6275 (type 2), 8754 (type 4, whose list runs backwards). */
static bool route_of_header(const uint8_t *header, uint32_t at, uint32_t left, struct route *r)
{
	enum { TYPE_SOURCE = 0, TYPE_HOME = 2, TYPE_SEGMENTS = 4 };
	uint8_t type = header[2];
	bool segments = type == TYPE_SEGMENTS;
	uint32_t count = header[1] / 2u;

	if (segments && count > header[4] + 1u)
		count = header[4] + 1u;
	if (!count)
		return false;
	r->first = at + 8;
	r->size = 16;
	r->final = header[3] == 0 ? 0 : segments ? r->first : r->first + (count - 1) * 16;
	bool plain = segments || type == TYPE_SOURCE || type == TYPE_HOME;
	r->count = plain ? (left - 8) / 16 < count ? (left - 8) / 16 : count : 0;
	return true;
}

/* RFC 6275: the address under which a host that is elsewhere is known */
static bool route_of_options(const uint8_t *bytes, uint32_t at, uint32_t end, struct route *r)
{
	enum { PAD = 0, HOME_ADDRESS = 0xc9, HOME_SIZE = 16 };

	for (at += 2; end > at && end - at >= 2;) {
		uint32_t size = bytes[at] == PAD ? 1 : 2u + bytes[at + 1];
		if (size > end - at)
			return false;
		if (bytes[at] == HOME_ADDRESS && size == 2 + HOME_SIZE) {
			r->first = r->home = at + 2;
			r->size = HOME_SIZE;
			r->count = 1;
			return true;
		}
		at += size;
	}
	return false;
}

static bool route_of_extension(const uint8_t *bytes, uint8_t proto, uint32_t at, uint32_t end,
                               struct route *r)
{
	uint32_t size = extension_size(proto, bytes + at);

	if (proto == PROTO_ROUTING)
		return route_of_header(bytes + at, at, end - at, r);
	return proto == PROTO_DESTINATION &&
	       route_of_options(bytes, at, size < end - at ? at + size : end, r);
}

static bool route_next_ip6(const uint8_t *bytes, uint32_t end, uint32_t ip6, struct route *r)
{
	uint32_t at = r->next ? r->next : ip6 + IP6_SIZE;
	uint8_t proto = r->next ? r->proto : bytes[ip6 + 6];

	r->final = r->home = 0;
	for (unsigned n = 0; n < EXTENSIONS_MAX && proto_is_extension(proto); n++) {
		if (at > end || end - at < 8)
			return false;
		if (proto == PROTO_FRAGMENT && be16(bytes + at + 2) & 0xfff8)
			return false;
		r->next = at + extension_size(proto, bytes + at);
		r->proto = bytes[at];
		if (route_of_extension(bytes, proto, at, end, r))
			return true;
		at = r->next;
		proto = r->proto;
	}
	return false;
}

bool route_next(const uint8_t *bytes, const struct packet_view *view, struct route *r)
{
	uint32_t end = view->offset[PACKET_PAYLOAD] + view->payload_length;

	if (!route_possible(bytes, view))
		return false;
	return packet_has(view, PACKET_IP)
	               ? route_next_ip(bytes, end, view->offset[PACKET_IP], r)
	               : route_next_ip6(bytes, end, view->offset[PACKET_IP6], r);
}
