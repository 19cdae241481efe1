/* SPDX-License-Identifier: BSD-2-Clause */
/* Eight bytes at a time: each step can be undone, so a flipped bit never gets lost. */
#include "base/sum.h"

#include <string.h>

static uint64_t mix(uint64_t sum, uint64_t word)
{
	sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return sum ^ sum >> 29;
}

uint64_t sum_add(uint64_t before, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;
	uint64_t word = 0;
	for (; length >= sizeof word; length -= sizeof word, at += sizeof word) {
		memcpy(&word, at, sizeof word);
		before = mix(before, word);
	}
	word = 0;
	if (length)
		memcpy(&word, at, length);
	return length ? mix(before, word ^ (uint64_t)length << 56) : before;
}
