/* SPDX-License-Identifier: BSD-2-Clause */
/* IEEE 802.11: frames that were joined to one, and what is no data. */
#include "packet/walk.h"

#include <string.h>

enum { TYPE = 0x0c, MANAGEMENT = 0x00, DATA = 0x08, EMPTY = 0x40, QUALITY = 0x80 };
enum { TO_AND_FROM = 3, PROTECTED = 0x40, ORDER = 0x80, JOINED = 0x80 };
enum { MAC_SIZE = 6, CHECK_SIZE = 4, REST_MAX = 8 };

/* ---- joined frames: of each, addresses, a length, and padding to four bytes ---- */

static uint32_t joined_size(const struct walk *w, uint32_t at)
{
	return ETH_SIZE + (uint32_t)be16(w->bytes + at + ETH_SIZE - 2);
}

uint32_t walk_joined_first(const struct walk *w, uint32_t at, uint32_t end,
                           const struct packet_view *v)
{
	uint32_t frame = at + v->offset[PACKET_ETH];
	if (!v->mac_count || v->mac[0] < 4 || !packet_has(v, PACKET_ETH))
		return end;
	const uint8_t *header = w->bytes + at + v->mac[0] - 4;
	uint32_t control = at + v->mac[0] - 4;
	control += (header[1] & TO_AND_FROM) == TO_AND_FROM ? 30 : 24;
	bool joined = (header[0] & (TYPE | EMPTY | QUALITY)) == (DATA | QUALITY) &&
	              control < frame && w->bytes[control] & JOINED;
	uint32_t stop = frame + joined_size(w, frame);
	return joined && stop < end ? stop : end;
}

void walk_joined_others(struct walk *w, uint32_t at, uint32_t end, uint32_t frame)
{
	for (uint32_t stop = at; stop < end;) {
		at = frame + ((stop - frame + 3) & ~3u);
		if (walk_left(at, end) <=
		    REST_MAX) { /* padding, and the whole one's check sequence */
			walk_padding(w, stop, end);
			return;
		}
		if (walk_left(at, end) < ETH_SIZE) {
			walk_broken(w, at, end);
			return;
		}
		frame = at;
		stop = at + joined_size(w, at);
		if (stop > end && !walk_is_cut(w, end))
			walk_opaque(w, end, end);
		walk_link(w, at, stop < end ? stop : end, PACKET_LINK_EN10MB);
	}
}

/* ---- management: fields at fixed places, then elements ---- */

/* Those that tell of no station and no access point. */
static bool is_harmless(const uint8_t *element, uint32_t size)
{
	static const uint8_t known[] = {0,  1,  2,  3,  4,   5,   6,   7,   10,  11,  12, 13,
	                                14, 15, 16, 32, 33,  34,  35,  36,  37,  40,  42, 43,
	                                44, 45, 46, 48, 50,  54,  56,  59,  60,  61,  62, 66,
	                                70, 72, 73, 74, 113, 114, 127, 191, 192, 195, 199};
	static const uint8_t extended[] = {35, 36, 38, 39, 59, 106, 108};
	static const uint8_t microsoft[] = {0x00, 0x50, 0xf2};
	enum { VENDOR = 221, EXTENDED = 255, WPA = 1, WMM = 2 };

	if (element[0] == VENDOR)
		return size > 5 && !memcmp(element + 2, microsoft, sizeof microsoft) &&
		       (element[5] == WPA || element[5] == WMM);
	if (element[0] == EXTENDED)
		return size > 2 && memchr(extended, element[2], sizeof extended);
	return memchr(known, element[0], sizeof known);
}

static void element(struct walk *w, uint32_t at, uint32_t end)
{
	enum { NEIGHBOUR = 52, LINK = 101, INTERWORKING = 107 };
	uint32_t size = end - at, length = w->bytes[at + 1];

	switch (w->bytes[at]) {
	case NEIGHBOUR: walk_mac(w, at + 2, end); break;
	case LINK:
		for (uint32_t i = 2; i < size; i += MAC_SIZE)
			walk_mac(w, at + i, end);
		break;
	case INTERWORKING: /* an access network's own address is the last, if there is one */
		if (length > MAC_SIZE)
			walk_mac(w, at + 2 + length - MAC_SIZE, end);
		break;
	default:
		if (!is_harmless(w->bytes + at, size))
			walk_opaque(w, end, end);
	}
}

static void elements(struct walk *w, uint32_t at, uint32_t end)
{
	while (walk_left(at, end) > CHECK_SIZE) {
		uint32_t stop = at + 2 + w->bytes[at + 1];
		element(w, at, stop < end ? stop : end);
		if (stop > end && !walk_is_cut(w, end))
			walk_opaque(w, end, end);
		at = stop < end ? stop : end;
	}
	walk_payload(w, at, end);
}

/* What its kind has before the elements; UINT32_MAX: that is not looked into. */
static uint32_t fixed_size(const uint8_t *body, uint32_t left, uint8_t kind)
{
	static const uint8_t sizes[] = {4, 6, 10, 6, 0, 12, 0, 0, 12, 0, 2, 6, 2};
	enum { TIMING = 6, RESERVED = 7, AUTHENTICATION = 11, SHARED_KEY = 1 };

	if (kind >= sizeof sizes || kind == TIMING || kind == RESERVED)
		return UINT32_MAX;
	if (kind == AUTHENTICATION && left > 1 && (body[0] > SHARED_KEY || body[1]))
		return UINT32_MAX;
	return sizes[kind];
}

/* Actions that tell of no station: block acknowledgement, HT's, queries, VHT's. Equals' exchange of
   keys is numbers alone. */
static bool is_harmless_body(const uint8_t *body, uint32_t left, uint8_t kind)
{
	static const uint8_t categories[] = {3, 7, 8, 21};
	enum { AUTHENTICATION = 11, ACTION = 13, ACTION_NO_ACK = 14, EQUALS = 3 };

	if (kind == ACTION || kind == ACTION_NO_ACK)
		return left && memchr(categories, body[0], sizeof categories);
	return kind == AUTHENTICATION && left > 1 && body[0] == EQUALS && !body[1];
}

static void management(struct walk *w, uint32_t at, uint32_t end)
{
	enum { REASSOCIATION = 2, OLD_ACCESS_POINT = 4 };
	uint8_t kind = w->bytes[at] >> 4;
	uint32_t body = at + (w->bytes[at + 1] & ORDER ? 28 : 24), left = walk_left(body, end);
	uint32_t size = fixed_size(w->bytes + body, left, kind);

	if (is_harmless_body(w->bytes + body, left, kind)) {
		walk_payload(w, body, end);
	} else if (size == UINT32_MAX) {
		walk_opaque(w, body, end);
	} else {
		if (kind == REASSOCIATION)
			walk_mac(w, body + OLD_ACCESS_POINT, end);
		elements(w, body + size, end);
	}
}

void walk_wireless(struct walk *w, uint32_t at, uint32_t end)
{
	uint8_t kind = walk_left(at, end) < 2 ? EMPTY : w->bytes[at];
	bool encrypted = walk_left(at, end) >= 2 && w->bytes[at + 1] & PROTECTED;

	if (w->options->mac && !encrypted && (kind & TYPE) == MANAGEMENT && walk_left(at, end) >= 2)
		management(w, at, end);
	else if ((kind & (TYPE | EMPTY)) != DATA || encrypted)
		walk_payload(w, at, end);
	else
		walk_broken(w, at, end);
}
