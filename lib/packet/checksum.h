/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Internet checksum (RFC 1071), for whoever needs one: a sum of 16-bit words in one's
 * complement, whose complement the packet has.
 *
 * Sums are taken in the machine's byte order and over words of 16 or 32 bits alike, which one's
 * complement allows, and are not folded before the end: 2^31 additions fit. They are equal if they
 * are so modulo 0xffff.
 */
#ifndef PACKET_CHECKSUM_H
#define PACKET_CHECKSUM_H

#include "packet/inside.h"

#include <arpa/inet.h>
#include <string.h>

static inline uint16_t load16(const void *at)
{
	uint16_t word;
	memcpy(&word, at, sizeof word);
	return word;
}

static inline uint32_t load32(const void *at)
{
	uint32_t word;
	memcpy(&word, at, sizeof word);
	return word;
}

/* Halves are added in the upper one, where the lower ones' carry comes around. */
static inline uint16_t sum_fold(uint64_t sum)
{
	sum += sum << 32 | sum >> 32;
	uint32_t half = (uint32_t)(sum >> 32);
	half += half << 16 | half >> 16;
	return (uint16_t)(half >> 16);
}

/* Of the bytes, the first of which is the first of a word; a last one alone has 0 behind it. */
uint64_t sum_bytes(const void *bytes, size_t length);

/* As if it were a word in network order. */
static inline uint64_t sum_number(uint32_t number)
{
	return htonl(number);
}

/* Of the same bytes where the first is the second of a word. */
static inline uint64_t sum_odd(uint64_t sum)
{
	return __builtin_bswap16(sum_fold(sum));
}

/* What makes another sum of it that has not this one in it. */
static inline uint64_t sum_minus(uint64_t sum)
{
	return (uint16_t)~sum_fold(sum);
}

static inline bool sum_is_zero(uint64_t sum)
{
	return sum_fold(sum) % 0xffff == 0;
}

/* What a sum becomes more by when bytes that it covers become others; `size` is a multiple of 4. */
static inline uint64_t sum_difference(const uint8_t *before, const uint8_t *after, unsigned size)
{
	uint64_t delta = 0;

	for (unsigned i = 0; i < size; i += 4)
		delta += (uint64_t)(uint32_t)~load32(before + i) + load32(after + i);
	return delta;
}

/* The checksum makes up for what its sum became more by (RFC 1624). */
static inline void sum_amend(uint8_t *checksum, uint64_t delta)
{
	uint16_t word = (uint16_t)~sum_fold((uint16_t)~load16(checksum) + delta);
	memcpy(checksum, &word, sizeof word);
}

/* Which protocols have one, where in their header, and with what in front. */
struct checksum_kind {
	uint8_t proto, at;
	uint8_t ip, ip6;   /* over these: enum checksum_over */
	bool zero_is_none; /* one that becomes 0 is written as 0xffff */
	/* How many bytes of so many are covered; 0: no checksum after all. NULL: all. The message
	   is there as far as the checksum. */
	uint32_t (*covered)(const uint8_t *message, uint32_t length);
};

/* Whether the addresses, the length and the protocol are covered, too. */
enum checksum_over { CHECKSUM_NONE, CHECKSUM_PLAIN, CHECKSUM_PSEUDO, CHECKSUM_EITHER };

const struct checksum_kind *checksum_kind(uint8_t proto, bool ip6); /* NULL: none */

/* Where the addresses of the pseudo-header are: those of IP's header, or of what stands behind it,
   a route that is not used up or a home address. */
struct checksum_ends {
	uint32_t source, destination;
	bool there; /* not behind the end of what was captured */
};

struct checksum_ends checksum_ends_of_route(const uint8_t *bytes, const struct packet_view *,
                                            struct checksum_ends);

static inline struct checksum_ends checksum_ends(const uint8_t *bytes, const struct packet_view *v)
{
	bool six = packet_has(v, PACKET_IP6);
	uint32_t ip = v->offset[six ? PACKET_IP6 : PACKET_IP];
	struct checksum_ends ends = {ip + (six ? 8 : 12), ip + (six ? 24 : 16), true};

	return route_possible(bytes, v) ? checksum_ends_of_route(bytes, v, ends) : ends;
}

/* That of a packet's transport layer. */
struct checksum {
	const struct checksum_kind *kind;
	enum checksum_over over;
	uint32_t at;             /* of the field */
	uint32_t start, covered; /* bytes that it is of */
	uint32_t length;         /* in the pseudo-header */
	bool whole;              /* all that is covered is there */
};

/* What the headers say of the length of the message that begins there; where they say nothing, what
   is left of it. */
uint32_t checksum_length(const uint8_t *bytes, const struct packet_view *, uint32_t start,
                         uint32_t left);
/* SCTP's: CRC-32C, by halves of bytes. Or of what is different, if `crc` was that of both before;
   NULL: nothing is. */
uint32_t checksum_crc32c(uint32_t crc, const uint8_t *bytes, uint32_t size);

bool checksum_find(const uint8_t *bytes, const struct packet_view *, struct checksum *);

/* Sums: of the message with the field, and of the pseudo-header. A checksum is right if both are
   zero together, or the former alone. 0 if not all of it is there. */
uint64_t checksum_message(const uint8_t *bytes, const struct checksum *);
uint64_t checksum_pseudo(const uint8_t *bytes, const struct packet_view *,
                         const struct checksum_ends *, const struct checksum *);

/* Whether this one covers the pseudo-header, the sum of which, as it was when the message had
   `message`, is given. */
bool checksum_has_pseudo(const uint8_t *bytes, const struct checksum *, uint64_t message,
                         uint64_t pseudo);

#endif
