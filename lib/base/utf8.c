/* SPDX-License-Identifier: BSD-2-Clause */
/* UTF-8, strictly. */
#include "base/utf8.h"

#include <assert.h>
#include <string.h>

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

size_t utf8_mark(const char *bytes, size_t length)
{
	return length >= 3 && !memcmp(bytes, "\xef\xbb\xbf", 3) ? 3 : 0;
}

size_t utf8_valid(const char *bytes, size_t length)
{
	size_t at = 0;
	uint32_t point;
	for (size_t n; at < length && (n = utf8_read(bytes + at, length - at, &point)); at += n)
		;
	return at;
}

bool utf8_is_text(const char *bytes, size_t length)
{
	return !length || (utf8_valid(bytes, length) == length && !memchr(bytes, 0, length));
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

struct range {
	uint32_t first, last;
};

static bool is_in(const struct range *ranges, size_t count, uint32_t point)
{
	for (size_t i = 0; i < count; i++)
		if (point >= ranges[i].first && point <= ranges[i].last)
			return true;
	return false;
}

unsigned utf8_columns(uint32_t point)
{
	static const struct range over[] = {
		{0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},    {0x610, 0x61a},
		{0x64b, 0x65f},   {0x900, 0x902},   {0x93c, 0x93c},    {0x941, 0x948},
		{0xe31, 0xe31},   {0xe34, 0xe3a},   {0xe47, 0xe4e},    {0x1ab0, 0x1aff},
		{0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x20d0, 0x20ff},  {0xfe00, 0xfe0f},
		{0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0xe0100, 0xe01ef}};
	static const struct range wide[] = {
		{0x1100, 0x115f},   {0x231a, 0x231b},   {0x23e9, 0x23ec},   {0x2614, 0x2615},
		{0x26a1, 0x26a1},   {0x2705, 0x2705},   {0x274c, 0x274c},   {0x2e80, 0x303e},
		{0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0xa4cf},   {0xa960, 0xa97f},
		{0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},
		{0xffe0, 0xffe6},   {0x16fe0, 0x18aff}, {0x1b000, 0x1b2ff}, {0x1f300, 0x1f64f},
		{0x1f680, 0x1f6ff}, {0x1f900, 0x1faff}, {0x20000, 0x3fffd}};
	if (point < 0x300)
		return 1;
	if (is_in(over, sizeof over / sizeof *over, point))
		return 0;
	return is_in(wide, sizeof wide / sizeof *wide, point) ? 2 : 1;
}

size_t utf8_width(const char *text, size_t length)
{
	size_t width = 0;
	uint32_t point;
	for (size_t i = 0, n; i < length; i += n ? n : 1) {
		n = utf8_read(text + i, length - i, &point);
		width += n ? utf8_columns(point) : 1;
	}
	return width;
}
