/* SPDX-License-Identifier: BSD-2-Clause */
/* SipHash-1-3: a hash that is the same on every machine, and whose collisions are hard to find. */
#ifndef BASE_SIP_H
#define BASE_SIP_H

#include <stddef.h>
#include <stdint.h>

/* Aumasson, Bernstein, "SipHash: a fast short-input PRF", 2012, with one round a word and three at
   the end, as Python and Rust have it: with a key of zeros it is Python's hash(b"…"), from 3.11 on,
   under PYTHONHASHSEED=0. The key is 16 bytes, read as two little-endian words. */
uint64_t sip_hash(const uint64_t key[2], const void *bytes, size_t length);

#endif
