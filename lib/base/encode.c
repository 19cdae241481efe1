/* SPDX-License-Identifier: BSD-2-Clause */
/* Base64 and hex. */
#include "base/encode.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char digits16[] = "0123456789abcdef";

void encode_base64(struct buf *out, const void *bytes, size_t length)
{
	const uint8_t *in = bytes;
	char *to = buf_reserve(out, (length + 2) / 3 * 4);
	for (size_t i = 0; i < length; i += 3) {
		size_t left = length - i;
		uint32_t bits = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
		                (left > 2 ? in[i + 2] : 0);
		*to++ = digits64[bits >> 18];
		*to++ = digits64[bits >> 12 & 63];
		*to++ = left > 1 ? digits64[bits >> 6 & 63] : '=';
		*to++ = left > 2 ? digits64[bits & 63] : '=';
	}
	*to = 0;
	out->length += (length + 2) / 3 * 4;
}

void encode_hex(struct buf *out, const void *bytes, size_t length)
{
	const uint8_t *in = bytes;
	char *to = buf_reserve(out, length * 2);
	for (size_t i = 0; i < length; i++) {
		*to++ = digits16[in[i] >> 4];
		*to++ = digits16[in[i] & 15];
	}
	*to = 0;
	out->length += length * 2;
}

static int digit64(char c)
{
	const char *at = c ? strchr(digits64, c) : NULL;
	return at ? (int)(at - digits64) : -1;
}

static int quad64(struct buf *out, const char *in, size_t padding)
{
	uint32_t bits = 0;
	for (size_t i = 0; i < 4; i++) {
		int value = i < 4 - padding ? digit64(in[i]) : 0;
		if (value < 0)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)value;
	}
	const char bytes[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
	if ((padding == 1 && bytes[2]) || (padding == 2 && (bytes[1] || bytes[2])))
		return -EINVAL;
	buf_add(out, bytes, 3 - padding);
	return 0;
}

int decode_base64(struct buf *out, const char *text, size_t length)
{
	size_t before = out->length;
	if (length % 4)
		return -EINVAL;
	for (size_t i = 0; i < length; i += 4) {
		size_t padding = 0;
		if (i + 4 == length)
			padding = text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
		if (quad64(out, text + i, padding)) {
			out->length = before;
			return -EINVAL;
		}
	}
	return 0;
}

static int digit16(char c)
{
	const char *at = c ? strchr(digits16, tolower((unsigned char)c)) : NULL;
	return at ? (int)(at - digits16) : -1;
}

int decode_hex(struct buf *out, const char *text, size_t length)
{
	size_t before = out->length;
	for (size_t i = 0; i < length;) {
		if (isspace((unsigned char)text[i]) || text[i] == ':') {
			i++;
			continue;
		}
		int high = digit16(text[i]), low = i + 1 < length ? digit16(text[i + 1]) : -1;
		if (high < 0 || low < 0) {
			out->length = before;
			return -EINVAL;
		}
		buf_addc(out, (char)(high << 4 | low));
		i += 2;
	}
	return 0;
}
