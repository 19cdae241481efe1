/* SPDX-License-Identifier: BSD-2-Clause */
/* Crypto-PAn: a bit of an address is flipped or not by what the cipher makes of the bits before
   it. */
#include "packet/pseudonym.h"
#include "packet/inside.h"
#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

/*
 * Addresses are taken 32 bits at a time. The flips of a word depend on it and on the words before
 * it, which are what the caches are asked for: so IPv4's addresses are remembered whole, and of
 * IPv6's also each /32, /64 and /96; of both the flips of each /16. They are as large as they are,
 * and the newer takes the place.
 */
enum { CACHE_BITS = 16, CACHE_SIZE = 1 << CACHE_BITS, WORDS_MAX = 4 };
enum { IP_BITS = 15, IP_SETS = 1 << IP_BITS, IP_WAYS = 4 }; /* of IPv4's addresses */
enum { HEADS = 1 << 16, HEAD_KNOWN = 1 << 16 };

#define RARE __attribute__((noinline)) /* out of the way of what is usual */

enum family { IP, MAC, FAMILIES }; /* those of one share their flips where they share a prefix */

struct cached {
	uint32_t words[WORDS_MAX]; /* behind the last known: 0 */
	uint32_t count;            /* of words known, and 16 * family; 0: the place is free */
	uint32_t flips;            /* of the last of them */
};

/* The newest first. What is there of 0 is not looked for. */
struct ip_set {
	uint32_t ip[IP_WAYS], flips[IP_WAYS];
};

struct pseudonyms {
	struct cipher *cipher;
	uint32_t pad[FAMILIES][WORDS_MAX];
	struct packet_prefix *keep;
	size_t keep_count;
	uint32_t heads[HEADS]; /* IP's flips by the first 16 bits, and HEAD_KNOWN; 0: not yet */
	struct ip_set ips[IP_SETS];
	struct cached cache[CACHE_SIZE];
};

static void set_pad(struct pseudonyms *p, enum family family, const uint8_t of[16])
{
	uint8_t pad[16];
	cipher_encrypt(p->cipher, of, pad, 1);
	for (unsigned i = 0; i < WORDS_MAX; i++)
		p->pad[family][i] = be32(pad + 4 * i);
}

int pseudonyms_new(const uint8_t key[32], const struct packet_prefix *keep, size_t keep_count,
                   struct pseudonyms **result, struct pt_error *err)
{
	struct cipher *cipher;
	uint8_t other[16];
	int code = cipher_new(key, &cipher, err);
	if (code)
		return code;

	struct pseudonyms *p = must_calloc(1, sizeof *p);
	p->cipher = cipher;
	set_pad(p, IP, key + 16);
	memcpy(other, key + 16, sizeof other);
	other[0] ^= 0x80;
	set_pad(p, MAC, other);
	if (keep_count) {
		p->keep = must_calloc(keep_count, sizeof *keep);
		memcpy(p->keep, keep, keep_count * sizeof *keep);
		p->keep_count = keep_count;
	}
	*result = p;
	return 0;
}

void pseudonyms_free(struct pseudonyms *p)
{
	if (!p)
		return;
	cipher_free(p->cipher);
	free(p->keep);
	free(p);
}

/* For each of these bits of the last word: the bits before it, the pad's behind them, through the
   cipher. */
static uint32_t flips_of(struct pseudonyms *p, const uint32_t *pad, const uint32_t words[],
                         unsigned last, unsigned first_bit, unsigned bits)
{
	uint8_t in[32][16], out[32][16], block[16];
	uint32_t flips = 0, word = words[last] ^ pad[last];

	for (unsigned i = 0; i < WORDS_MAX; i++)
		put_be32(block + 4 * i, i < last ? words[i] : pad[i]);
	for (unsigned bit = 0; bit < bits; bit++) {
		uint32_t from_pad = 0xffffffff >> (first_bit + bit);
		memcpy(in[bit], block, sizeof block);
		put_be32(in[bit] + 4 * last, pad[last] ^ (word & ~from_pad));
	}
	cipher_encrypt(p->cipher, in[0], out[0], bits);
	for (unsigned bit = 0; bit < bits; bit++)
		flips = flips << 1 | out[bit][0] >> 7;
	return flips;
}

/* Of the first word of an IP address, of either version. */
static uint32_t flips_of_first(struct pseudonyms *p, uint32_t word)
{
	uint32_t *head = &p->heads[word >> 16];

	if (!*head)
		*head = HEAD_KNOWN | flips_of(p, p->pad[IP], &word, 0, 0, 16);
	return *head << 16 | flips_of(p, p->pad[IP], &word, 0, 16, 16);
}

static struct cached *place(struct pseudonyms *p, const struct cached *key)
{
	uint64_t hash = key->count;
	for (unsigned i = 0; i < key->count % 16; i++)
		hash = (hash ^ key->words[i]) * 0x9e3779b97f4a7c15;
	return &p->cache[hash >> (64 - CACHE_BITS)];
}

static uint32_t flips_cached(struct pseudonyms *p, struct cached *key)
{
	struct cached *known = place(p, key);

	if (known->count == key->count && !memcmp(known->words, key->words, sizeof key->words))
		return known->flips;
	enum family family = key->count / 16;
	unsigned last = key->count % 16 - 1;
	key->flips = family == IP && !last ? flips_of_first(p, key->words[0])
	                                   : flips_of(p, p->pad[family], key->words, last, 0, 32);
	*known = *key;
	return key->flips;
}

static void encrypt(struct pseudonyms *p, enum family family, uint8_t *address, unsigned words)
{
	struct cached key = {{0}, 16u * family, 0};

	for (unsigned i = 0; i < words; i++) {
		key.words[i] = be32(address + 4 * i);
		key.count++;
		put_be32(address + 4 * i, key.words[i] ^ flips_cached(p, &key));
	}
}

static bool is_within(const uint8_t *address, unsigned size, const struct packet_prefix *prefix)
{
	unsigned bytes = prefix->bits / 8, rest = prefix->bits % 8;

	if (prefix->size != size || memcmp(address, prefix->address, bytes))
		return false;
	return !rest || !((address[bytes] ^ prefix->address[bytes]) >> (8 - rest));
}

static bool is_kept(const struct pseudonyms *p, const uint8_t *address, unsigned size)
{
	for (size_t i = 0; i < p->keep_count; i++)
		if (is_within(address, size, &p->keep[i]))
			return true;
	return false;
}

RARE static uint32_t remember_ip(struct pseudonyms *p, struct ip_set *set, uint32_t ip)
{
	uint32_t flips = flips_of_first(p, ip);

	memmove(set->ip + 1, set->ip, sizeof set->ip - sizeof *set->ip);
	memmove(set->flips + 1, set->flips, sizeof set->flips - sizeof *set->flips);
	set->ip[0] = ip;
	return set->flips[0] = flips;
}

/* The same of an IPv4 address, which is most of what is asked for. */
static inline uint32_t encrypt_ip(struct pseudonyms *p, uint32_t ip)
{
	struct ip_set *set = &p->ips[ip * 0x9e3779b1u >> (32 - IP_BITS)];

	for (unsigned i = 0; ip && i < IP_WAYS; i++)
		if (set->ip[i] == ip)
			return ip ^ set->flips[i];
	return ip ^ remember_ip(p, set, ip);
}

RARE static bool is_kept_ip(const struct pseudonyms *p, uint32_t ip)
{
	uint8_t address[4];

	put_be32(address, ip);
	return is_kept(p, address, 4);
}

/*
 * An address whose pseudonym is kept for itself gets the pseudonym of that, and so on: there still
 * are no two with the same. This ends, since who is not kept is nobody's twice.
 */
static uint32_t encrypt_apart(struct pseudonyms *p, uint32_t ip)
{
	do
		ip = encrypt_ip(p, ip);
	while (!ip || !~ip || (p->keep_count && is_kept_ip(p, ip)));
	return ip;
}

static void encrypt_apart6(struct pseudonyms *p, uint8_t address[16])
{
	static const uint8_t none[15];
	do
		encrypt(p, IP, address, 4);
	while (is_kept(p, address, 16) || (!memcmp(address, none, 15) && address[15] < 2));
}

static inline bool is_special(uint32_t ip)
{
	uint8_t first = (uint8_t)(ip >> 24);
	return first == 127 || first >> 4 == 14 || ip == 0 || ip == 0xffffffff ||
	       ip >> 16 == 0xa9fe;
}

/* RFC 6034: a group of the network whose first 24 bits it has. */
RARE static uint32_t group_of_network(struct pseudonyms *p, uint32_t group)
{
	return (group & 0xff000000) | pseudonym_of_ip(p, group << 8) >> 8;
}

uint32_t pseudonym_of_ip(struct pseudonyms *p, uint32_t ip)
{
	if (p->keep_count && is_kept_ip(p, ip))
		return ip;
	if (is_special(ip))
		return ip >> 24 == 234 ? group_of_network(p, ip) : ip;
	return encrypt_apart(p, ip);
}

void pseudonym_ip(struct pseudonyms *p, uint8_t address[4])
{
	put_be32(address, pseudonym_of_ip(p, be32(address)));
}

/* RFC 3306, 3956: a group of the network, or at the rendezvous point, whose prefix it has. */
static void group_of_network6(struct pseudonyms *p, uint8_t *group)
{
	uint8_t network[16] = {0}, bits = group[3] > 64 ? 64 : group[3];

	if (!(group[1] & 0x20) || !bits)
		return;
	memcpy(network, group + 4, 8);
	pseudonym_ip6(p, network, false);
	for (unsigned bit = 0; bit < bits; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8), *at = group + 4 + bit / 8;
		*at = (uint8_t)((*at & ~mask) | (network[bit / 8] & mask));
	}
}

/* What interface identifiers are made of: a MAC address (RFC 4291), an IPv4 address (ISATAP, RFC
   5214), a Teredo server's (RFC 4380), whose bits are turned. */
static void interface_id(struct pseudonyms *p, uint8_t id[8], bool mac)
{
	static const uint8_t isatap[4] = {0, 0, 0x5e, 0xfe}, teredo[4] = {0, 0, 0xf2, 0x27};
	uint8_t first = id[0];
	uint8_t eui[6] = {(uint8_t)(first ^ 2), id[1], id[2], id[5], id[6], id[7]};

	if (id[3] == 0xff && id[4] == 0xfe && mac) {
		pseudonym_mac(p, eui);
		id[0] = eui[0] ^ 2, id[1] = eui[1], id[2] = eui[2];
		memcpy(id + 5, eui + 3, 3);
	} else if (!memcmp(id + 1, isatap + 1, 3) && !(first & ~2)) {
		pseudonym_ip(p, id + 4);
	} else if (!memcmp(id + 1, teredo + 1, 3) && !(first & 0x7f)) {
		put_be32(id + 4, ~be32(id + 4));
		pseudonym_ip(p, id + 4);
		put_be32(id + 4, ~be32(id + 4));
	}
}

bool pseudonym_is_solicited(const uint8_t address[16])
{
	static const uint8_t prefix[13] = {0xff, 2, [11] = 1, 0xff};
	return !memcmp(address, prefix, sizeof prefix);
}

void pseudonym_solicited(struct pseudonyms *p, uint8_t group[16], const uint8_t *of, bool mac)
{
	uint8_t address[16];

	if (is_kept(p, group, 16))
		return;
	memcpy(address, of ? of : group, sizeof address);
	if (of)
		pseudonym_ip6(p, address, mac);
	else
		encrypt(p, IP, address, 4);
	memcpy(group + 13, address + 13, 3);
}

void pseudonym_ip6(struct pseudonyms *p, uint8_t address[16], bool mac)
{
	static const uint8_t none[15];

	if ((!memcmp(address, none, 15) && address[15] < 2) || is_kept(p, address, 16))
		return;
	if (address[0] == 0xff)
		group_of_network6(p, address);
	else if (address[0] == 0xfe && address[1] >> 6 == 2)
		interface_id(p, address + 8, mac);
	else
		encrypt_apart6(p, address);
}

void pseudonym_mac(struct pseudonyms *p, uint8_t address[6])
{
	static const uint8_t none[6];
	uint8_t words[8] = {0}, first = address[0];

	if (first & 1 || !memcmp(address, none, 6))
		return;
	memcpy(words, address, 6);
	words[0] &= (uint8_t)~3;
	encrypt(p, MAC, words, 2);
	memcpy(address, words, 6);
	address[0] = (uint8_t)((address[0] & ~3) | (first & 3));
}
