/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes as text: base64 (RFC 4648, section 4) and hex. */
#ifndef BASE_ENCODE_H
#define BASE_ENCODE_H

#include "base/buf.h"

void encode_base64(struct buf *, const void *bytes, size_t length);
void encode_hex(struct buf *, const void *bytes, size_t length); /* lower case */

/* The reverse, strict: 0, or -EINVAL and nothing is added. Base64 needs its padding and takes no
   white space; hex takes either case, and white space or ':' between bytes. */
int decode_base64(struct buf *, const char *text, size_t length);
int decode_hex(struct buf *, const char *text, size_t length);

#endif
