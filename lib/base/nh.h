/* SPDX-License-Identifier: BSD-2-Clause */
/* NH: a hash for tables, of bytes that are all as many. */
#ifndef BASE_NH_H
#define BASE_NH_H

#include <stddef.h>
#include <stdint.h>

/* Black et al., "UMAC: Fast and Secure Message Authentication", 1999: two inputs of the same length
   meet by a chance of one in 2^32, whoever chose them, as long as nobody knows the secret. It is
   not even over its bits: multiply it before some of them are taken. */
enum { NH_MOST = 128 };
struct nh {
	uint32_t secrets[NH_MOST / 4];
};

void nh_init(struct nh *, uint64_t secret);
uint64_t nh_hash(const struct nh *, const void *bytes, size_t length); /* at most NH_MOST */

#endif
