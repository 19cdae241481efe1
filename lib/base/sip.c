/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of the input are read little-endian, whatever the machine is. */
#include "base/sip.h"

#include <endian.h>
#include <string.h>

struct sip {
	uint64_t a, b, c, d;
};

static inline uint64_t turn(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static inline struct sip sip_round(struct sip s)
{
	s.a += s.b;
	s.c += s.d;
	s.b = turn(s.b, 13) ^ s.a;
	s.d = turn(s.d, 16) ^ s.c;
	s.a = turn(s.a, 32);
	s.c += s.b;
	s.a += s.d;
	s.b = turn(s.b, 17) ^ s.c;
	s.d = turn(s.d, 21) ^ s.a;
	s.c = turn(s.c, 32);
	return s;
}

static inline struct sip take(struct sip s, uint64_t word)
{
	s.d ^= word;
	s = sip_round(s);
	s.a ^= word;
	return s;
}

static inline uint64_t word_at(const uint8_t *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof word);
	return le64toh(word);
}

/* What is left behind the last whole word, below the length: by a word that ends with it, where
   there is one. */
static inline uint64_t last_word(const uint8_t *at, size_t length)
{
	size_t rest = length % 8;
	uint64_t word = 0;
	if (rest && length > 8)
		return word_at(at + rest - 8) >> (8 * (8 - rest)) | (uint64_t)length << 56;
	for (size_t i = 0; i < rest; i++)
		word |= (uint64_t)at[i] << (8 * i);
	return word | (uint64_t)length << 56;
}

uint64_t sip_hash(const uint64_t key[2], const void *bytes, size_t length)
{
	const uint8_t *at = bytes;
	struct sip s = {
		key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
		key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
	for (size_t n = length / 8; n; n--, at += 8)
		s = take(s, word_at(at));
	s = take(s, last_word(at, length));
	s.c ^= 0xff;
	s = sip_round(sip_round(sip_round(s)));
	return s.a ^ s.b ^ s.c ^ s.d;
}
