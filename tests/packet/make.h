/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets for tests, made byte by byte; and their checksums, computed from scratch. */
#ifndef TESTS_PACKET_MAKE_H
#define TESTS_PACKET_MAKE_H

#include "packet/packet.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* A packet that is being made, and where its parts are: what the code under test has to find
   out. */
struct made {
	uint8_t bytes[1024];
	size_t length;
	uint16_t link_type;
	unsigned version;           /* of IP; 0: none */
	size_t ip, transport, end;  /* end: of the IP datagram; transport: 0 if there is none */
	size_t source, destination; /* the addresses of the pseudo-header */
	uint8_t proto;
	bool checksum_off; /* UDP's is 0 */
};

static inline uint32_t random_below(uint32_t limit)
{
	return limit ? (uint32_t)random() % limit : 0;
}

static inline void put8(struct made *m, unsigned value)
{
	m->bytes[m->length++] = (uint8_t)value;
}

static inline void put16(struct made *m, unsigned value)
{
	put8(m, value >> 8);
	put8(m, value & 255);
}

static inline void put32(struct made *m, uint32_t value)
{
	put16(m, value >> 16);
	put16(m, value & 0xffff);
}

static inline void put_random(struct made *m, size_t count)
{
	while (count--)
		put8(m, random_below(256));
}

static inline void set16(struct made *m, size_t at, unsigned value)
{
	m->bytes[at] = (uint8_t)(value >> 8);
	m->bytes[at + 1] = (uint8_t)value;
}

/* Hex digits, with blanks between bytes. */
static inline void put_hex(struct made *m, const char *hex)
{
	while (*hex) {
		char digits[3] = {hex[0], hex[1], 0};
		if (*hex++ == ' ')
			continue;
		put8(m, (unsigned)strtoul(digits, NULL, 16));
		hex++;
	}
}

/* 02:00:00:00:00:02 to 02:00:00:00:00:01 */
static inline void make_ethernet(struct made *m, unsigned ether_type)
{
	m->link_type = PACKET_LINK_EN10MB;
	put16(m, 0x0200), put32(m, 1);
	put16(m, 0x0200), put32(m, 2);
	put16(m, ether_type);
}

/* 10.0.0.1 to 10.0.0.2; the length is set by make_end, the addresses can be overwritten. */
static inline void make_ip(struct made *m, unsigned proto, const uint8_t *options, size_t size)
{
	m->version = 4;
	m->ip = m->length;
	m->proto = (uint8_t)proto;
	m->source = m->ip + 12;
	m->destination = m->ip + 16;
	put8(m, 0x45 + size / 4), put8(m, 0), put16(m, 0);
	put16(m, 0x1234), put16(m, 0x4000);
	put8(m, 64), put8(m, proto), put16(m, 0);
	put32(m, 0x0a000001), put32(m, 0x0a000002);
	for (size_t i = 0; i < size; i++)
		put8(m, options[i]);
}

/* 2001:db8::1 to 2001:db8::2 */
static inline void make_ip6(struct made *m, unsigned next)
{
	m->version = 6;
	m->ip = m->length;
	m->proto = (uint8_t)next;
	m->source = m->ip + 8;
	m->destination = m->ip + 24;
	put32(m, 0x60000000), put16(m, 0), put8(m, next), put8(m, 64);
	put32(m, 0x20010db8), put32(m, 0), put32(m, 0), put32(m, 1);
	put32(m, 0x20010db8), put32(m, 0), put32(m, 0), put32(m, 2);
}

/* Ports 443 and 55312; sequence numbers 1 and 2. */
static inline void make_tcp(struct made *m, unsigned flags, size_t options)
{
	m->transport = m->length;
	put16(m, 443), put16(m, 55312), put32(m, 1), put32(m, 2);
	put8(m, (20 + options) / 4 << 4 | flags >> 8), put8(m, flags & 255), put16(m, 64);
	put16(m, 0), put16(m, 0);
	put_random(m, options);
}

/* Ports 53 and 1024. */
static inline void make_udp(struct made *m, size_t payload)
{
	m->transport = m->length;
	put16(m, 53), put16(m, 1024), put16(m, (unsigned)(8 + payload)), put16(m, 0);
}

/* Identifier 7, sequence number 9. */
static inline void make_icmp(struct made *m, unsigned type)
{
	m->transport = m->length;
	put8(m, type), put8(m, 0), put16(m, 0), put16(m, 7), put16(m, 9);
}

static inline uint32_t made_sum(const uint8_t *bytes, size_t count)
{
	uint32_t total = 0;
	for (size_t i = 0; i < count; i++)
		total += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	return total;
}

static inline unsigned checksum_of(uint32_t total)
{
	while (total > 0xffff)
		total = (total & 0xffff) + (total >> 16);
	return ~total & 0xffff;
}

/* Where the transport layer's checksum is; 0: there is none. */
static inline size_t made_checksum(const struct made *m)
{
	if (!m->transport)
		return 0;
	return m->transport + (m->proto == 6 ? 16 : m->proto == 17 ? 6 : 2);
}

/* Computes the transport layer's checksum as it must be. */
static inline unsigned made_transport_sum(const struct made *m)
{
	struct made copy = *m;
	size_t size = m->end - m->transport, address = m->version == 6 ? 16 : 4;
	uint32_t total = 0;

	set16(&copy, made_checksum(m), 0);
	total += made_sum(copy.bytes + m->transport, size);
	if (m->proto != 1)
		total += made_sum(m->bytes + m->source, address) +
		         made_sum(m->bytes + m->destination, address) + (uint32_t)size + m->proto;
	unsigned sum = checksum_of(total);
	return m->proto == 17 && sum == 0 ? 0xffff : sum;
}

/* Computes all checksums from scratch. */
static inline void made_fix(struct made *m)
{
	if (m->version == 4) {
		set16(m, m->ip + 10, 0);
		size_t size = (m->bytes[m->ip] & 15) * 4u;
		set16(m, m->ip + 10, checksum_of(made_sum(m->bytes + m->ip, size)));
	}
	if (m->transport)
		set16(m, made_checksum(m), m->checksum_off ? 0 : made_transport_sum(m));
}

/* The datagram is complete: lengths and checksums. */
static inline void make_end(struct made *m)
{
	m->end = m->length;
	if (m->version == 4)
		set16(m, m->ip + 2, (unsigned)(m->end - m->ip));
	if (m->version == 6)
		set16(m, m->ip + 4, (unsigned)(m->end - m->ip - 40));
	made_fix(m);
}

static inline void make_tcp4(struct made *m, size_t payload)
{
	make_ethernet(m, 0x0800);
	make_ip(m, 6, NULL, 0);
	make_tcp(m, 0x12, 0);
	put_random(m, payload);
	make_end(m);
}

/* A copy at the very end of its memory, so that reading further is noticed. Yours to free. */
static inline uint8_t *exact(const uint8_t *bytes, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);
	if (!length)
		return copy + 1; /* see exact_free */
	return memcpy(copy, bytes, length);
}

static inline void exact_free(uint8_t *bytes, size_t length)
{
	free(length ? bytes : bytes - 1);
}

static inline struct pt_msg made_msg(const struct made *m)
{
	return (struct pt_msg){.bytes = m->bytes,
	                       .length = (uint32_t)m->length,
	                       .wire_length = (uint32_t)m->length,
	                       .link_type = m->link_type};
}

/* ---- random packets, all valid ---- */

static inline void make_routing(struct made *m, unsigned next)
{
	bool segments = random_below(2);
	unsigned count = 1 + random_below(3), left = random_below(count + 1);
	size_t list = m->length + 8;

	put8(m, next), put8(m, count * 2), put8(m, segments ? 4 : 0), put8(m, left);
	put8(m, segments ? count - 1 : 0), put8(m, 0), put16(m, 0);
	put_random(m, count * 16);
	if (left)
		m->destination = segments ? list : list + (count - 1) * 16;
}

static inline void make_random_ip6(struct made *m, unsigned proto)
{
	static const uint8_t kinds[] = {0, 60, 43, 44, 51};
	unsigned chain[4] = {0}, count = random_below(4);

	for (unsigned i = 0; i < count; i++)
		chain[i] = kinds[i == 0 ? random_below(5) : 1 + random_below(4)];
	for (unsigned i = 1; i < count; i++)
		if (chain[i] == 43)
			chain[i] = 60; /* one routing header is enough, at the front */
	make_ip6(m, count ? chain[0] : proto);
	for (unsigned i = 0; i < count; i++) {
		unsigned next = i + 1 < count ? chain[i + 1] : proto;
		if (chain[i] == 43) {
			make_routing(m, next);
		} else if (chain[i] == 44) {
			put8(m, next), put8(m, 0), put16(m, 1), put32(m, 77);
		} else if (chain[i] == 51) {
			put8(m, next), put8(m, 4), put_random(m, 22);
		} else {
			put8(m, next), put8(m, 1), put8(m, 1), put8(m, 12), put_random(m, 12);
		}
	}
	m->proto = (uint8_t)proto;
}

static inline void make_random_ip(struct made *m, unsigned proto)
{
	uint8_t options[40];
	size_t size = random_below(4) ? 0 : 4 * random_below(10), at = random_below(3);

	memset(options, 1, sizeof options);
	make_ip(m, proto, options, size);
	if (size < at + 11 || random_below(2))
		return;
	bool pending = random_below(2);
	size_t route = m->ip + 20 + at; /* two addresses, at any offset */
	m->bytes[route] = 131;
	m->bytes[route + 1] = 11;
	m->bytes[route + 2] = pending ? 8 : 12;
	for (unsigned i = 3; i < 11; i++)
		m->bytes[route + i] = (uint8_t)random();
	if (pending)
		m->destination = route + 7;
}

static inline void make_random(struct made *m)
{
	bool six = random_below(2);
	unsigned ether_type = six ? 0x86dd : 0x0800;
	static const uint8_t protos[] = {6, 17, 1};
	unsigned proto = protos[random_below(3)];
	size_t payload = random_below(64);

	memset(m, 0, sizeof *m);
	if (proto == 1 && six)
		proto = 58;
	make_ethernet(m, ether_type);
	for (unsigned tags = random_below(3); tags--;) {
		set16(m, m->length - 2, tags ? 0x88a8 : 0x8100);
		put16(m, random_below(0x10000)), put16(m, ether_type);
	}
	if (six)
		make_random_ip6(m, proto);
	else
		make_random_ip(m, proto);
	if (proto == 6)
		make_tcp(m, random_below(512), 4 * random_below(11));
	else if (proto == 17)
		make_udp(m, payload);
	else
		make_icmp(m, proto == 1 ? 8 : 128);
	m->checksum_off = proto == 17 && random_below(4) == 0;
	put_random(m, payload);
	make_end(m);
	put_random(m, random_below(2) ? 0 : random_below(20)); /* Ethernet's padding */
}

#endif
