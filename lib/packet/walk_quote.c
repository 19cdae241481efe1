/* SPDX-License-Identifier: BSD-2-Clause */
/* What ICMP's errors quote, and the objects that some have behind it (RFC 4884). */
#include "packet/checksum.h"
#include "packet/walk.h"

enum { OBJECTS_SIZE = 4, QUOTE_LEAST = 128 };

/* RFC 5837: of an interface, what the bits of its type say, in this order. */
static void interface_info(struct walk *w, uint32_t at, uint32_t end, uint8_t type)
{
	enum { INDEX = 8, ADDRESS = 4, AFI_IP = 1 };

	if (type & INDEX)
		at += 4;
	if (!(type & ADDRESS) || walk_left(at, end) < 4)
		return;
	if (be16(w->bytes + at) == AFI_IP)
		walk_address(w, at + 4, end);
	else
		walk_address6(w, at + 4, end);
}

/* RFC 8335: an interface by its name, its number, or its address. */
static void interface_id(struct walk *w, uint32_t at, uint32_t end, uint8_t type)
{
	enum { BY_ADDRESS = 3, AFI_IP = 1, AFI_IP6 = 2 };

	if (type != BY_ADDRESS || walk_left(at, end) < 4)
		return;
	switch (be16(w->bytes + at)) {
	case AFI_IP: walk_address(w, at + 4, end); break;
	case AFI_IP6: walk_address6(w, at + 4, end); break;
	default: walk_mac(w, at + 4, end);
	}
}

static void object(struct walk *w, uint32_t at, uint32_t end)
{
	enum { MPLS = 1, INTERFACE_INFO = 2, INTERFACE_ID = 3 };
	const uint8_t *header = w->bytes + at;

	switch (header[2]) {
	case MPLS: break;
	case INTERFACE_INFO: interface_info(w, at + 4, end, header[3]); break;
	case INTERFACE_ID: interface_id(w, at + 4, end, header[3]); break;
	default: walk_opaque(w, end, end);
	}
}

void walk_objects(struct walk *w, uint32_t at, uint32_t end)
{
	int64_t before = w->delta;
	uint32_t place = at + OBJECTS_SIZE;

	if (walk_left(at, end) < 2)
		return;
	while (walk_left(place, end) >= 4) {
		uint32_t size = be16(w->bytes + place);
		if (size < 4)
			break;
		object(w, place, size < end - place ? place + size : end);
		place += size;
	}
	if (place < end)
		walk_broken(w, place, end);
	if (walk_left(at, end) >= 4 && be16(w->bytes + at + 2))
		walk_amend(w, at + 2, at, end, w->delta - before);
}

/* Objects of senders from before the RFC, which do not say where they begin: behind padding, or
   with a right checksum. */
static bool has_old_objects(const struct walk *w, uint32_t at, uint32_t end)
{
	if (walk_left(at, end) < QUOTE_LEAST + 8 || w->bytes[at] >> 4 != 4 ||
	    be16(w->bytes + at + QUOTE_LEAST) != 0x2000)
		return false;
	const uint8_t *objects = w->bytes + at + QUOTE_LEAST;
	return be16(w->bytes + at + 2) <= QUOTE_LEAST ||
	       sum_is_zero(sum_bytes(objects, end - at - QUOTE_LEAST));
}

void walk_quote(struct walk *w, uint32_t at, uint32_t end, uint32_t size)
{
	const struct packet_view *link = w->link;
	uint32_t before = w->quoted;

	if (!size && has_old_objects(w, at, end))
		size = QUOTE_LEAST;
	uint32_t stop = size && size < walk_left(at, end) ? at + size : end;
	w->quoted = stop;
	w->link = NULL;
	walk_version(w, at, stop);
	w->quoted = before;
	w->link = link;
	if (stop < end)
		walk_objects(w, stop, end);
}
