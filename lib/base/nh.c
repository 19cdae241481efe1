/* SPDX-License-Identifier: BSD-2-Clause */
/* Two halves of a word, each with a secret added, are multiplied; the products are added up. */
#include "base/nh.h"

#include <string.h>

/* SplitMix64 (Steele et al., 2014). */
void nh_init(struct nh *nh, uint64_t secret)
{
	for (size_t i = 0; i < sizeof nh->secrets / sizeof *nh->secrets; i++) {
		uint64_t mixed = secret += UINT64_C(0x9e3779b97f4a7c15);
		mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
		nh->secrets[i] = (uint32_t)(mixed >> 32);
	}
}

static uint32_t half_word(const uint8_t *at)
{
	uint32_t half;
	memcpy(&half, at, sizeof half);
	return half;
}

/* Of 1 to 7 bytes; where they are more than one half, the halves overlap. */
static uint64_t hash_rest(const uint8_t *at, size_t size, const uint32_t *secrets)
{
	uint32_t first = 0, last = 0;
	if (size >= 4) {
		first = half_word(at);
		last = half_word(at + size - 4);
	} else {
		for (size_t i = 0; i < size; i++)
			first = first << 8 | at[i];
	}
	return (uint64_t)(first + secrets[0]) * (last + secrets[1]);
}

uint64_t nh_hash(const struct nh *nh, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;
	const uint32_t *secrets = nh->secrets;
	uint64_t hash = 0;
	for (; length >= 8; length -= 8, at += 8, secrets += 2)
		hash += (uint64_t)(half_word(at) + secrets[0]) * (half_word(at + 4) + secrets[1]);
	return length ? hash + hash_rest(at, length, secrets) : hash;
}
