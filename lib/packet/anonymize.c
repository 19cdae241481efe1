/* SPDX-License-Identifier: BSD-2-Clause */
/* Crypto-PAn: a bit of an address is flipped or not by what the cipher makes of the bits before it. */
#include "packet/packet.h"
#include "packet/inside.h"
#include "base/buf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/*
 * Addresses are taken 32 bits at a time. The flips of a word depend on it and on the words before
 * it, which are what the cache is asked for: so IPv4's addresses are remembered whole, and of
 * IPv6's also each /32, /64 and /96. It is as large as it is, and the newer takes the place.
 */
enum { CACHE_BITS = 16, CACHE_SIZE = 1 << CACHE_BITS, WORDS_MAX = 4 };

struct cached {
	uint32_t words[WORDS_MAX]; /* behind the last known: 0 */
	uint32_t count;            /* of words known; 0: the place is free */
	uint32_t flips;            /* of the last of them */
};

struct packet_anonymizer {
	struct cipher *cipher;
	uint32_t pad[WORDS_MAX];
	const struct packet_field *fields[6];
	struct cached cache[CACHE_SIZE];
};

enum { FIELDS = sizeof((struct packet_anonymizer *)NULL)->fields / sizeof(struct packet_field *) };

int packet_anonymizer_new(const uint8_t key[32], struct packet_anonymizer **anonymizer,
                          struct pt_error *err)
{
	struct cipher *cipher;
	uint8_t pad[16];
	int code = cipher_new(key, &cipher, err);
	if (code)
		return code;

	struct packet_anonymizer *a = must_calloc(1, sizeof *a);
	a->cipher = cipher;
	cipher_encrypt(cipher, key + 16, pad, 1);
	for (unsigned i = 0; i < WORDS_MAX; i++)
		a->pad[i] = be32(pad + 4 * i);
	a->fields[0] = packet_field("ip", "src");
	a->fields[1] = packet_field("ip", "dst");
	a->fields[2] = packet_field("ip6", "src");
	a->fields[3] = packet_field("ip6", "dst");
	a->fields[4] = packet_field("arp", "psrc");
	a->fields[5] = packet_field("arp", "pdst");
	*anonymizer = a;
	return 0;
}

void packet_anonymizer_free(struct packet_anonymizer *a)
{
	if (!a)
		return;
	cipher_free(a->cipher);
	free(a);
}

/* For each bit of the last word: the bits before it, the pad's behind them, through the cipher. */
static uint32_t flips(struct packet_anonymizer *a, const uint32_t words[], unsigned last)
{
	uint8_t in[32][16], out[32][16];
	uint32_t flips = 0;

	for (unsigned bit = 0; bit < 32; bit++) {
		uint32_t from_pad = 0xffffffff >> bit;
		for (unsigned i = 0; i < WORDS_MAX; i++)
			put_be32(in[bit] + 4 * i, i < last ? words[i] : a->pad[i]);
		put_be32(in[bit] + 4 * last, (words[last] & ~from_pad) | (a->pad[last] & from_pad));
	}
	cipher_encrypt(a->cipher, in[0], out[0], 32);
	for (unsigned bit = 0; bit < 32; bit++)
		flips = flips << 1 | out[bit][0] >> 7;
	return flips;
}

static struct cached *place(struct packet_anonymizer *a, const struct cached *key)
{
	uint64_t hash = key->count;
	for (unsigned i = 0; i < key->count; i++)
		hash = (hash ^ key->words[i]) * 0x9e3779b97f4a7c15;
	return &a->cache[hash >> (64 - CACHE_BITS)];
}

static uint32_t flips_cached(struct packet_anonymizer *a, struct cached *key)
{
	struct cached *known = place(a, key);

	if (known->count == key->count && !memcmp(known->words, key->words, sizeof key->words))
		return known->flips;
	key->flips = flips(a, key->words, key->count - 1);
	*known = *key;
	return key->flips;
}

void packet_anonymize_address(struct packet_anonymizer *a, uint8_t *address, size_t length)
{
	struct cached key = {{0}, 0, 0};
	assert(length == 4 || length == 16);

	for (uint8_t *word = address; key.count < length / 4; word += 4) {
		key.words[key.count++] = be32(word);
		put_be32(word, key.words[key.count - 1] ^ flips_cached(a, &key));
	}
}

static void change(void *a, uint8_t *address, size_t size)
{
	packet_anonymize_address(a, address, size);
}

/* The first bytes of an address alone give the first bytes of what the whole would. */
static bool anonymize_part(struct packet_anonymizer *a, uint8_t *bytes, size_t length, size_t at,
                           size_t size)
{
	uint8_t address[16] = {0};
	size_t there = at >= length ? 0 : length - at < size ? length - at : size;

	if (!there)
		return false;
	memcpy(address, bytes + at, there);
	packet_anonymize_address(a, address, size);
	if (!memcmp(bytes + at, address, there))
		return false;
	memcpy(bytes + at, address, there);
	return true;
}

/* A header that the capture cut, or ARP of other hardware than Ethernet: no layer of the view. */
static bool anonymize_rest(struct packet_anonymizer *a, uint8_t *bytes, size_t length,
                           const struct packet_view *view)
{
	size_t at = view->offset[PACKET_PAYLOAD], left = view->payload_length;
	const uint8_t *header = bytes + at;
	size_t first, second, size = 4;

	if (at + left > length || left < 8)
		return false;
	if (view->ether_type == ETHER_TYPE_IP && header[0] >> 4 == 4 && left < IP_SIZE)
		first = at + 12, second = at + 16;
	else if (view->ether_type == ETHER_TYPE_IP6 && header[0] >> 4 == 6 && left < IP6_SIZE)
		first = at + 8, second = at + 24, size = 16;
	else if (view->ether_type == ETHER_TYPE_ARP && be16(header + 2) == ETHER_TYPE_IP &&
	         header[5] == 4)
		first = at + 8 + header[4], second = first + 4 + header[4];
	else
		return false;
	bool changed = anonymize_part(a, bytes, at + left, first, size);
	return anonymize_part(a, bytes, at + left, second, size) || changed;
}

bool packet_anonymize(struct packet_anonymizer *a, uint8_t *bytes, size_t length,
                      const struct packet_view *view)
{
	struct packet_set sets[FIELDS];
	size_t count = 0;

	for (unsigned i = 0; i < FIELDS; i++) {
		struct packet_set *set = &sets[count];
		if (!packet_read(bytes, view, a->fields[i], &set->value))
			continue;
		set->field = a->fields[i];
		packet_anonymize_address(a, set->value.bytes, set->field->size);
		count++;
	}
	if (!count)
		return anonymize_rest(a, bytes, length, view);
	bool changed = packet_rewrite(bytes, length, view, sets, count);
	return rewrite_routes(bytes, length, view, change, a) || changed;
}
