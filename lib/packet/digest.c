/* SPDX-License-Identifier: BSD-2-Clause */
/* The headers of which a part does not count are copied without it; the rest is hashed where it
   lies. */
#include "packet/digest.h"

#include "base/sip.h"
#include "packet/cursor.h"
#include <string.h>

const char *const packet_ignore_names[] = {"eth", "vlan", "ttl", "ip.id", NULL};

/* The packet without padding: its end, and what is hashed first. */
struct digest {
	const struct pt_msg *m;
	struct packet_view view;
	uint32_t network; /* where what is behind the link begins */
	uint32_t end;
	uint32_t length; /* on the wire; 0: a header tells */
	uint8_t head[256];
	uint32_t size, from; /* of the head; where what is hashed where it lies begins */
};

static void put(struct digest *d, const void *bytes, uint32_t size)
{
	memcpy(d->head + d->size, bytes, size);
	d->size += size;
}

/* The length that the packet has by its header; 0: that tells none. */
static uint32_t length_of(const struct digest *d)
{
	const uint8_t *at = d->m->bytes + d->network;
	if (packet_has(&d->view, PACKET_IP))
		return be16(at + 2) >= IP_SIZE ? be16(at + 2) : 0;
	if (packet_has(&d->view, PACKET_IP6))
		return be16(at + 4) ? IP6_SIZE + be16(at + 4) : 0;
	return packet_has(&d->view, PACKET_ARP) ? ARP_SIZE : 0;
}

static void find_end(struct digest *d)
{
	const struct packet_view *v = &d->view;
	uint32_t length = length_of(d), left = d->m->length - d->network;
	bool framed = !v->ether_type && packet_has(v, PACKET_ETH); /* IEEE 802.3 */

	d->end = d->m->length;
	d->length = d->m->wire_length;
	if (framed && v->offset[PACKET_PAYLOAD] + v->payload_length < d->end) {
		d->end = v->offset[PACKET_PAYLOAD] + v->payload_length;
		d->length = 0;
	} else if (length && length <= d->m->wire_length - d->network) {
		d->end = d->network + (length < left ? length : left);
		d->length = 0;
	}
}

/* ---- what counts of the headers ---- */

/* Ethernet's addresses, tags and types; whichever of them do. */
static void put_frame(struct digest *d, unsigned ignore)
{
	const uint8_t *bytes = d->m->bytes;
	uint32_t at = ETH_SIZE - 2, room = sizeof d->head / 2;

	if (!(ignore & PACKET_IGNORE_ETH))
		put(d, bytes, at);
	while (ignore & PACKET_IGNORE_VLAN && at + 4 < d->network && link_is_tag(be16(bytes + at)))
		at += 4;
	room = d->network - at < room ? d->network - at : room;
	put(d, bytes + at, room);
	d->from = at + room;
}

static void put_link(struct digest *d, unsigned ignore)
{
	bool frame = d->m->link_type == PACKET_LINK_EN10MB && d->network >= ETH_SIZE;
	uint16_t type = d->view.ether_type;

	if (!(ignore & (PACKET_IGNORE_ETH | PACKET_IGNORE_VLAN)))
		return;
	d->from = d->network;
	if (frame)
		put_frame(d, ignore);
	else if (ignore & PACKET_IGNORE_ETH)
		put(d, (const uint8_t[]){(uint8_t)(type >> 8), (uint8_t)type}, 2);
	else
		d->from = 0;
}

static void clear(uint8_t *at, uint32_t size)
{
	memset(at, 0, size);
}

static void put_network(struct digest *d, unsigned ignore)
{
	bool four = packet_has(&d->view, PACKET_IP);
	uint32_t size = four ? IP_SIZE : IP6_SIZE;
	if (!(ignore & (PACKET_IGNORE_TTL | PACKET_IGNORE_ID)) ||
	    (!four && !packet_has(&d->view, PACKET_IP6)))
		return;
	if (d->network - d->from > sizeof d->head - IP6_SIZE - d->size)
		return; /* behind so many headers everything counts */
	put(d, d->m->bytes + d->from, d->network - d->from);
	uint8_t *header = d->head + d->size;
	put(d, d->m->bytes + d->network, size);
	d->from = d->network + size;
	if (ignore & PACKET_IGNORE_TTL)
		clear(header + (four ? 8 : 7), 1);
	if (four && ignore & PACKET_IGNORE_ID)
		clear(header + 4, 2);
	if (four)
		clear(header + 10, 2);
}

uint64_t packet_digest(const struct pt_msg *m, const uint64_t key[2], unsigned ignore)
{
	struct digest d;
	d.m = m;
	d.size = d.from = d.network = 0;
	d.length = 0;
	d.end = m->length;
	if (pt_msg_is_packet(m)) {
		packet_dissect(m, &d.view);
		d.network = network_at(&d.view);
		find_end(&d);
		put_link(&d, ignore);
		put_network(&d, ignore);
	}
	bool bare = ignore & PACKET_IGNORE_ETH && pt_msg_is_packet(m);
	uint16_t link_type = bare ? PACKET_LINK_RAW : m->link_type;
	uint64_t first[2] = {key[0] ^ link_type, key[1] ^ d.length};
	if (d.size)
		first[0] ^= sip_hash(first, d.head, d.size);
	return sip_hash(first, m->bytes + d.from, d.end > d.from ? d.end - d.from : 0);
}
