/* SPDX-License-Identifier: BSD-2-Clause */
/* What all layers need: places of addresses, checksums that make up for them, and ends. */
#include "packet/checksum.h"
#include "packet/walk.h"

#include <string.h>

/* A change of bytes as one of a sum of words, of which the first begins at an even offset. */
static int64_t difference(const uint8_t *before, const uint8_t *after, uint32_t size)
{
	int64_t delta = 0;
	for (uint32_t i = 0; i < size; i++)
		delta += (int64_t)(after[i] - before[i]) * (i % 2 ? 1 : 256);
	return delta;
}

/* To turn the bytes of each word is to multiply by 256, in one's complement. */
static inline int64_t shifted(int64_t delta, uint32_t at)
{
	return at % 2 ? delta % 0xffff * 256 : delta;
}

static inline void add(struct walk *w, uint32_t at, int64_t delta)
{
	w->delta += shifted(delta, at);
	w->changed = true;
}

int64_t walk_put(struct walk *w, uint32_t at, const uint8_t *with, uint32_t size)
{
	if (!memcmp(w->bytes + at, with, size))
		return 0;
	int64_t delta = difference(w->bytes + at, with, size);
	memcpy(w->bytes + at, with, size);
	add(w, at, delta);
	return delta;
}

static int64_t cut_address(struct walk *w, uint32_t at, uint32_t end)
{
	uint8_t address[4] = {0};
	uint32_t there = walk_left(at, end);

	if (!walk_is_cut(w, end))
		return 0;
	memcpy(address, w->bytes + at, there);
	pseudonym_ip(w->pseudonyms, address);
	return walk_put(w, at, address, there);
}

int64_t walk_address(struct walk *w, uint32_t at, uint32_t end)
{
	if (walk_left(at, end) < 4)
		return cut_address(w, at, end);
	uint32_t ip = be32(w->bytes + at), new = pseudonym_of_ip(w->pseudonyms, ip);
	int64_t delta = (int64_t)(new >> 16) - (ip >> 16) + (new & 0xffff) - (ip & 0xffff);
	if (new == ip)
		return 0;
	put_be32(w->bytes + at, new);
	add(w, at, delta);
	return delta;
}

void walk_address_turned(struct walk *w, uint32_t at, uint32_t end)
{
	uint8_t address[4] = {255, 255, 255, 255};
	uint32_t there = walk_left(at, end) < 4 ? walk_left(at, end) : 4;

	memcpy(address, w->bytes + at, there);
	put_be32(address, ~be32(address));
	pseudonym_ip(w->pseudonyms, address);
	put_be32(address, ~be32(address));
	walk_put(w, at, address, there);
}

static void replace6(struct walk *w, uint8_t address[16])
{
	bool mac = w->options->mac;
	const uint8_t *of = NULL;

	if (!pseudonym_is_solicited(address)) {
		pseudonym_ip6(w->pseudonyms, address, mac);
		return;
	}
	for (unsigned i = 0; !of && i < w->nearby_count; i++)
		if (!memcmp(w->nearby + 16 * i + 13, address + 13, 3))
			of = w->nearby + 16 * i;
	pseudonym_solicited(w->pseudonyms, address, of, mac);
}

int64_t walk_address6(struct walk *w, uint32_t at, uint32_t end)
{
	uint8_t address[16] = {0};
	uint32_t there = walk_left(at, end) < 16 ? walk_left(at, end) : 16;

	if (there < 16 && !walk_is_cut(w, end))
		return 0;
	memcpy(address, w->bytes + at, there);
	replace6(w, address);
	return walk_put(w, at, address, there);
}

void walk_addresses(struct walk *w, uint32_t at, uint32_t end, unsigned size)
{
	for (; at < end; at += size)
		size == 4 ? walk_address(w, at, end) : walk_address6(w, at, end);
}

void walk_prefix(struct walk *w, uint32_t at, uint32_t end, unsigned size, unsigned bits)
{
	uint8_t address[16] = {0};
	uint32_t there = walk_left(at, end) < size ? walk_left(at, end) : size;

	memcpy(address, w->bytes + at, there);
	for (uint32_t bit = bits; bit < there * 8; bit++)
		if (address[bit / 8] & 0x80 >> bit % 8)
			bits = there * 8;
	if (size == 4)
		pseudonym_ip(w->pseudonyms, address);
	else
		replace6(w, address);
	for (uint32_t bit = bits; bit < there * 8; bit++)
		address[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	walk_put(w, at, address, there);
}

void walk_mac(struct walk *w, uint32_t at, uint32_t end)
{
	uint8_t address[6] = {0};
	uint32_t there = walk_left(at, end) < 6 ? walk_left(at, end) : 6;

	if (!w->options->mac || !there || (there < 6 && !walk_is_cut(w, end)))
		return;
	memcpy(address, w->bytes + at, there);
	pseudonym_mac(w->pseudonyms, address);
	walk_put(w, at, address, there);
}

/* ---- checksums ---- */

static uint16_t reduced(int64_t sum)
{
	sum %= 0xffff;
	return (uint16_t)(sum < 0 ? sum + 0xffff : sum);
}

static void put_sum(struct walk *w, uint32_t at, uint16_t sum)
{
	int64_t delta = (int64_t)sum - be16(w->bytes + at);
	w->bytes[at] = (uint8_t)(sum >> 8);
	w->bytes[at + 1] = (uint8_t)sum;
	add(w, at, delta);
}

/* RFC 1624, equation 3: of a sum that is 0 without being a sum of nothing, all ones are taken. */
static uint16_t amended(uint16_t sum, int64_t delta)
{
	uint16_t after = reduced(sum + delta);
	return after ? after : 0xffff;
}

void walk_amend(struct walk *w, uint32_t at, uint32_t start, uint32_t end, int64_t delta)
{
	if (walk_left(at, end) < 2 || !delta)
		return;
	uint16_t sum = (uint16_t)~be16(w->bytes + at), after = amended(sum, shifted(delta, start));
	if (after != sum && (sum || after != 0xffff)) /* else a change of nothing */
		put_sum(w, at, (uint16_t)~after);
}

/* Whether it is the pseudo-header's sum and no more, a sending host's before its hardware: as in
   rewrite.c, some have it without the length, and one that is right may look so by chance. `inner`
   is what the message has become more by. */
static bool is_partial(const struct walk *w, uint32_t at, uint32_t start, uint32_t end,
                       const struct walk_net *net, int64_t inner)
{
	int64_t pseudo = (int64_t)net->from_sum + net->to_sum + net->proto + net->length;
	int64_t rest = be16(w->bytes + at) - pseudo;
	bool whole = end - start == net->length;

	uint64_t left = reduced(rest);

	if (left && (!whole || (left + net->length) % 0xffff))
		return false;
	int64_t message = ntohs(sum_fold(sum_bytes(w->bytes + start, end - start)));
	return !whole || reduced(message - shifted(inner, start) + pseudo);
}

void walk_amend_transport(struct walk *w, uint32_t at, uint32_t start, uint32_t end,
                          const struct walk_net *net, int64_t inner)
{
	if (walk_left(at, end) < 2)
		return;
	int64_t pseudo = net->from + net->to;
	if (!is_partial(w, at, start, end, net, inner))
		walk_amend(w, at, start, end, shifted(pseudo, start) + inner);
	else if (reduced(pseudo))
		put_sum(w, at, amended(be16(w->bytes + at), pseudo));
}

/* ---- ends ---- */

void walk_payload(struct walk *w, uint32_t at, uint32_t end)
{
	w->ended = true;
	if (w->options->payload == PACKET_CUT && at < w->kept)
		w->kept = at;
	walk_padding(w, at, end);
}

void walk_padding(struct walk *w, uint32_t at, uint32_t end)
{
	if (w->options->payload != PACKET_ZERO)
		return;
	for (; at < end; at++)
		if (w->bytes[at]) {
			add(w, at, -(int64_t)w->bytes[at] * 256);
			w->bytes[at] = 0;
		}
}

void walk_opaque(struct walk *w, uint32_t at, uint32_t end)
{
	w->opaque = true;
	walk_payload(w, at, end);
}

void walk_broken(struct walk *w, uint32_t at, uint32_t end)
{
	if (walk_is_cut(w, end))
		walk_payload(w, at, end);
	else
		walk_opaque(w, at, end);
}
