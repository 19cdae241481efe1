/* SPDX-License-Identifier: BSD-2-Clause */
/* Which checksums packets have, what those cover, and how they are computed. */
#include "packet/checksum.h"

uint64_t sum_bytes(const void *bytes, size_t length)
{
	const uint8_t *at = bytes;
	uint64_t sum = 0;

	for (; length >= 4; at += 4, length -= 4)
		sum += load32(at);
	if (length >= 2)
		sum += load16(at);
	if (length & 1) {
		const uint8_t last[2] = {at[length & 2], 0};
		sum += load16(last);
	}
	return sum;
}

uint32_t checksum_crc32c(uint32_t crc, const uint8_t *bytes, uint32_t size)
{
	static const uint32_t table[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
		0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};
	for (uint32_t i = 0; i < size; i++) {
		crc ^= bytes ? bytes[i] : 0;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}

/* ---- the table ---- */

/* RFC 3828: 0 is all */
static uint32_t udp_lite_covered(const uint8_t *message, uint32_t length)
{
	uint32_t covered = be16(message + 4);

	return !covered ? length : covered < UDP_SIZE || covered > length ? 0 : covered;
}

/* RFC 4340: 0 is all, 1 the header, more so many words behind it, less one */
static uint32_t dccp_covered(const uint8_t *message, uint32_t length)
{
	uint32_t words = message[5] & 15, covered = message[4] * 4u + (words - 1) * 4;

	return !words || covered > length ? length : covered;
}

/* RFC 7761: of what a register carries nothing is. */
static uint32_t pim_covered(const uint8_t *message, uint32_t length)
{
	enum { VERSION = 2, REGISTER = 1, REGISTER_SIZE = 8 };

	if (message[0] >> 4 != VERSION)
		return 0;
	return (message[0] & 15) == REGISTER && length > REGISTER_SIZE ? REGISTER_SIZE : length;
}

/* RFC 5340 and 2328, which covers IPv4's by itself */
static uint32_t ospf_covered(const uint8_t *message, uint32_t length)
{
	return message[0] == 3 ? length : 0;
}

/* clang-format off */
static const struct checksum_kind kinds[] = {
	{PROTO_TCP,      16, CHECKSUM_PSEUDO, CHECKSUM_PSEUDO},
	{PROTO_UDP,      6,  CHECKSUM_PSEUDO, CHECKSUM_PSEUDO, true},
	{PROTO_ICMP,     2,  CHECKSUM_PLAIN,  CHECKSUM_NONE},
	{PROTO_ICMP6,    2,  CHECKSUM_NONE,   CHECKSUM_PSEUDO},
	{PROTO_UDPLITE,  6,  CHECKSUM_PSEUDO, CHECKSUM_PSEUDO, true, udp_lite_covered},
	{PROTO_DCCP,     6,  CHECKSUM_PSEUDO, CHECKSUM_PSEUDO, false, dccp_covered},
	{PROTO_IGMP,     2,  CHECKSUM_PLAIN,  CHECKSUM_NONE},
	{PROTO_OSPF,     12, CHECKSUM_NONE,   CHECKSUM_PSEUDO, false, ospf_covered},
	{PROTO_PIM,      2,  CHECKSUM_PLAIN,  CHECKSUM_PSEUDO, false, pim_covered},
	{PROTO_VRRP,     6,  CHECKSUM_EITHER, CHECKSUM_PSEUDO},
	{PROTO_MOBILITY, 4,  CHECKSUM_NONE,   CHECKSUM_PSEUDO},
	{PROTO_HIP,      4,  CHECKSUM_PSEUDO, CHECKSUM_PSEUDO},
};
/* clang-format on */

const struct checksum_kind *checksum_kind(uint8_t proto, bool ip6)
{
	for (const struct checksum_kind *k = kinds; k < kinds + sizeof kinds / sizeof *kinds; k++)
		if (k->proto == proto)
			return (ip6 ? k->ip6 : k->ip) ? k : NULL;
	return NULL;
}

/* ---- where it is ---- */

struct checksum_ends checksum_ends_of_route(const uint8_t *bytes, const struct packet_view *view,
                                            struct checksum_ends ends)
{
	uint32_t end = view->offset[PACKET_PAYLOAD] + view->payload_length;
	struct route route = {0};

	while (route_next(bytes, view, &route)) {
		ends.source = route.home ? route.home : ends.source;
		ends.destination = route.final ? route.final : ends.destination;
		ends.there = ends.there && ends.source + (uint64_t)route.size <= end &&
		             ends.destination + (uint64_t)route.size <= end;
	}
	return ends;
}

uint32_t checksum_length(const uint8_t *bytes, const struct packet_view *view, uint32_t start,
                         uint32_t left)
{
	bool six = packet_has(view, PACKET_IP6);
	uint32_t ip = view->offset[six ? PACKET_IP6 : PACKET_IP], before = start - ip;
	uint32_t told = be16(bytes + ip + (six ? 4 : 2));

	if (view->ip_proto == PROTO_UDP && left >= UDP_SIZE && be16(bytes + start + 4) >= UDP_SIZE)
		return be16(bytes + start + 4);
	if (six && told)
		told += IP6_SIZE;
	return told > before ? told - before : left;
}

bool checksum_find(const uint8_t *bytes, const struct packet_view *view, struct checksum *sum)
{
	bool six = packet_has(view, PACKET_IP6);
	const struct checksum_kind *kind = checksum_kind(view->ip_proto, six);
	if (!view->checksum || !kind)
		return false;

	uint32_t start = view->checksum - kind->at;
	uint32_t left = view->offset[PACKET_PAYLOAD] + view->payload_length - start;
	*sum = (struct checksum){.kind = kind,
	                         .over = six ? kind->ip6 : kind->ip,
	                         .at = view->checksum,
	                         .start = start};
	sum->length = checksum_length(bytes, view, start, left);
	sum->covered = kind->covered ? kind->covered(bytes + start, sum->length) : sum->length;
	sum->whole = !view->part && sum->covered <= left;
	return sum->covered;
}

uint64_t checksum_message(const uint8_t *bytes, const struct checksum *sum)
{
	return sum->whole ? sum_bytes(bytes + sum->start, sum->covered) : 0;
}

uint64_t checksum_pseudo(const uint8_t *bytes, const struct packet_view *view,
                         const struct checksum_ends *ends, const struct checksum *sum)
{
	size_t size = packet_has(view, PACKET_IP6) ? 16 : 4;
	bool pim_register = sum->kind->proto == PROTO_PIM && sum->covered < sum->length;

	if (!ends->there)
		return 0;
	return sum_bytes(bytes + ends->source, size) + sum_bytes(bytes + ends->destination, size) +
	       sum_number(pim_register ? sum->covered : sum->length) + sum_number(sum->kind->proto);
}

/* VRRP's third version has one over IPv4, too, the second has none; not all heed that. */
bool checksum_has_pseudo(const uint8_t *bytes, const struct checksum *sum, uint64_t message,
                         uint64_t pseudo)
{
	enum { VERSION = 3 };

	if (sum->over != CHECKSUM_EITHER)
		return sum->over == CHECKSUM_PSEUDO;
	bool with = sum->whole && sum_is_zero(message + pseudo);
	bool without = sum->whole && sum_is_zero(message);
	return with == without ? bytes[sum->start] >> 4 == VERSION : with;
}
