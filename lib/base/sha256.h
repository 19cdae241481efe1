/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-256 (FIPS 180-4) of what is in memory. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>

enum { SHA256_HEX = 65 };

/* As sha256sum(1) prints it. */
void sha256_hex(const void *bytes, size_t length, char hex[SHA256_HEX]);

#endif
