/* SPDX-License-Identifier: BSD-2-Clause */
/* UTF-8, strictly. */
#include "base/utf8.h"

#include <assert.h>

static size_t length_of(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first < 0xe0)
		return 2;
	if (first >= 0xe0 && first < 0xf0)
		return 3;
	return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

size_t utf8_read(const char *bytes, size_t left, uint32_t *point)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *b = (const unsigned char *)bytes;
	size_t length = left ? length_of(*b) : 0;
	if (!length || length > left)
		return 0;
	uint32_t p = length == 1 ? *b : *b & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
		p = p << 6 | (b[i] & 0x3f);
	}
	if (p < least[length] || p > 0x10ffff || (p >= 0xd800 && p < 0xe000))
		return 0;
	*point = p;
	return length;
}

void utf8_add(struct buf *b, uint32_t p)
{
	assert(p <= 0x10ffff && (p < 0xd800 || p >= 0xe000));
	if (p < 0x80) {
		buf_addc(b, (char)p);
		return;
	}
	size_t more = p < 0x800 ? 1 : p < 0x10000 ? 2 : 3;
	buf_addc(b, (char)((0xf0 << (3 - more)) | (p >> (6 * more))));
	while (more--)
		buf_addc(b, (char)(0x80 | (p >> (6 * more) & 0x3f)));
}

size_t utf8_valid(const char *bytes, size_t length)
{
	size_t at = 0;
	uint32_t point;
	for (size_t n; at < length && (n = utf8_read(bytes + at, length - at, &point)); at += n)
		;
	return at;
}

bool utf8_is_printable(uint32_t point)
{
	/* clang-format off */
	static const struct {
		uint32_t first, last;
	} unseen[] = {
		{0x0000, 0x001f}, {0x007f, 0x00a0}, {0x00ad, 0x00ad}, {0x0600, 0x0605},
		{0x061c, 0x061c}, {0x06dd, 0x06dd}, {0x070f, 0x070f}, {0x0890, 0x0891},
		{0x08e2, 0x08e2}, {0x1680, 0x1680}, {0x180e, 0x180e}, {0x2000, 0x200f},
		{0x2028, 0x202f}, {0x205f, 0x206f}, {0x3000, 0x3000}, {0xd800, 0xf8ff},
		{0xfdd0, 0xfdef}, {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0x110bd, 0x110bd},
		{0x110cd, 0x110cd}, {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
		{0xe0000, 0xe00ff}, {0xe01f0, 0x10ffff},
	};
	/* clang-format on */
	if ((point & 0xfffe) == 0xfffe)
		return false;
	for (size_t i = 0; i < sizeof unseen / sizeof *unseen; i++)
		if (point >= unseen[i].first && point <= unseen[i].last)
			return false;
	return true;
}
