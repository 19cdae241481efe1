/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks of pcapng as they were, in this machine's byte order; and their clocks. */
#include "capture/pcapng_block.h"

#include "capture/byte_order.h"
#include <stdlib.h>

#define FINEST 28 /* 10^-28 s: 10^19 parts of a nanosecond still fit 64 bits */

/* ---- clocks ---- */

static void set_clock(struct pcapng_clock *c, uint8_t tsresol)
{
	unsigned exponent = tsresol & 0x7f;
	c->unit_ns = c->parts_ns = c->shift = 0;
	if (tsresol & 0x80) {
		c->shift = (uint8_t)exponent;
	} else if (exponent <= 9) {
		c->unit_ns = 1;
		for (unsigned e = exponent; e < 9; e++)
			c->unit_ns *= 10;
	} else if (exponent <= FINEST) {
		c->parts_ns = 1;
		for (unsigned e = 9; e < exponent; e++)
			c->parts_ns *= 10;
	} else {
		c->shift = 127; /* 64 bits of such units are less than a nanosecond */
	}
}

bool pcapng_far_ns(const struct pcapng_clock *c, uint64_t units, int64_t *result)
{
	__int128 ns = (__int128)c->offset_s * MOMENT_S;
	if (c->unit_ns)
		ns += (__int128)units * (__int128)c->unit_ns;
	else if (c->parts_ns)
		ns += units / c->parts_ns;
	else
		ns += (__int128)((unsigned __int128)units * MOMENT_S >> c->shift);
	bool fits = ns >= INT64_MIN && ns <= INT64_MAX;
	*result = fits ? (int64_t)ns : ns < 0 ? INT64_MIN : INT64_MAX;
	return fits;
}

/* What comes out of it when it is read must be the same. */
bool pcapng_far_units(const struct pcapng_clock *c, int64_t ns, uint64_t *units)
{
	__int128 since = (__int128)ns - (__int128)c->offset_s * MOMENT_S, all;
	int64_t again;
	if (since < 0 || c->shift > 60)
		return false;
	if (c->unit_ns)
		all = since / (__int128)c->unit_ns;
	else if (since >> 64)
		return false;
	else if (c->parts_ns)
		all = c->parts_ns >> 62 ? -1 : since * (__int128)c->parts_ns;
	else
		all = ((since << c->shift) + MOMENT_S - 1) / MOMENT_S;
	*units = (uint64_t)all;
	return all >= 0 && all <= UINT64_MAX && pcapng_far_ns(c, *units, &again) && again == ns;
}

/* ---- options ---- */

/* Of how many bytes the numbers are that a value consists of; 1: it is bytes. */
static unsigned width(uint32_t type, uint16_t code)
{
	static const struct {
		uint32_t type;
		uint16_t code, last, width;
	} numbers[] = {
		{PCAPNG_INTERFACE, 8, 8, 8},   {PCAPNG_INTERFACE, 10, 10, 4},
		{PCAPNG_INTERFACE, 14, 14, 8}, {PCAPNG_INTERFACE, 16, 17, 8},
		{PCAPNG_STATISTICS, 2, 3, 4},  {PCAPNG_STATISTICS, 4, 8, 8},
		{PCAPNG_PACKET, 2, 2, 4},      {PCAPNG_PACKET, 4, 5, 8},
		{PCAPNG_PACKET, 6, 6, 4},      {PCAPNG_PACKET, 8, 8, 4},
	};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (numbers[i].type == type && code >= numbers[i].code && code <= numbers[i].last)
			return numbers[i].width;
	return 1;
}

static bool is_custom(uint16_t code)
{
	return (code & 0x7fff) == 2988 || (code & 0x7fff) == 2989;
}

static void add_value(struct buf *out, uint16_t code, uint16_t length, const uint8_t *value)
{
	const uint16_t head[] = {code, length};
	static const uint8_t zeros[4];
	buf_add(out, head, sizeof head);
	buf_add(out, value, length);
	buf_add(out, zeros, pcapng_pad(length) - length);
}

void pcapng_native_options(uint32_t type, bool swapped, const uint8_t *at, size_t length,
                           struct buf *out, bool *damaged)
{
	const uint8_t *end = at + length;
	while (end - at >= PCAPNG_OPTION) {
		uint16_t code = pcapng_load16(swapped, at), size = pcapng_load16(swapped, at + 2);
		at += PCAPNG_OPTION;
		if (code == PCAPNG_END)
			return;
		if (pcapng_pad(size) > (size_t)(end - at)) {
			*damaged = true;
			return;
		}
		add_value(out, code, size, at);
		uint8_t *value = (uint8_t *)out->data + out->length - pcapng_pad(size);
		if (swapped && is_custom(code))
			byte_order_turn(value, size < 4 ? 0 : 4, 4);
		else if (swapped)
			byte_order_turn(value, size, width(type, code));
		at += pcapng_pad(size);
	}
}

/* ---- bodies ---- */

static size_t turned(uint8_t *at, size_t offset, size_t length, unsigned bytes)
{
	byte_order_turn(at + offset, length, bytes);
	return offset + length;
}

/* The records of names and addresses, and their end. */
static size_t names(uint8_t *body, size_t length, bool swapped, bool *damaged)
{
	for (size_t at = 0; at + 4 <= length;) {
		uint16_t type = pcapng_load16(swapped, body + at);
		size_t size = pcapng_pad(pcapng_load16(swapped, body + at + 2));
		if (size > length - at - 4)
			break;
		if (swapped)
			byte_order_turn(body + at, 4, 2);
		at += 4 + size;
		if (!type)
			return at;
	}
	*damaged = true;
	return 0;
}

static size_t secrets(uint8_t *body, size_t length, bool swapped, bool *damaged)
{
	size_t size = pcapng_load32(swapped, body + 4);
	if (size > length - 8) {
		*damaged = true;
		return 0;
	}
	if (swapped)
		byte_order_turn(body, 8, 4);
	return 8 + pcapng_pad(size) < length ? 8 + pcapng_pad(size) : length;
}

/* Turns what stands before the options; how long that is; 0: nothing can be made of it. */
static size_t fixed(uint32_t type, uint8_t *body, size_t length, bool swapped, bool *damaged)
{
	static const uint8_t least[] = {[PCAPNG_INTERFACE] = 8,
	                                [PCAPNG_STATISTICS] = 12,
	                                [PCAPNG_SECRETS] = 8,
	                                [PCAPNG_NAMES] = 4};
	if (length < (type < sizeof least ? least[type] : type == PCAPNG_SECTION ? 16 : 4))
		return 0;
	switch (type) {
	case PCAPNG_NAMES: return names(body, length, swapped, damaged);
	case PCAPNG_SECRETS: return secrets(body, length, swapped, damaged);
	case PCAPNG_CUSTOM: return swapped ? 0 : length;
	case PCAPNG_STATISTICS: return swapped ? turned(body, 0, 12, 4) : 12;
	case PCAPNG_INTERFACE: return swapped ? turned(body, turned(body, 0, 4, 2), 4, 4) : 8;
	}
	if (swapped)
		turned(body, turned(body, turned(body, 0, 4, 4), 4, 2), 8, 8);
	return 16;
}

uint8_t *pcapng_native_body(uint32_t type, bool swapped, const uint8_t *body, uint32_t length,
                            uint32_t *native_length, bool *damaged)
{
	struct buf out = BUF_INIT;
	buf_add(&out, body, length);
	size_t before = fixed(type, (uint8_t *)out.data, length, swapped, damaged);
	if (!before) {
		buf_free(&out);
		return NULL;
	}
	out.length = before;
	pcapng_native_options(type, swapped, body + before, length - before, &out, damaged);
	if (out.length > before)
		add_value(&out, PCAPNG_END, 0, NULL);
	*native_length = (uint32_t)out.length;
	return (uint8_t *)buf_steal(&out);
}

/* ---- what an interface's body says ---- */

static const uint8_t *find(const uint8_t *body, uint32_t length, uint16_t wanted, uint16_t *size)
{
	for (const uint8_t *at = body + 8, *end = body + length; end - at >= PCAPNG_OPTION;) {
		uint16_t code = pcapng_load16(false, at);
		*size = pcapng_load16(false, at + 2);
		if (code == wanted && code)
			return at + PCAPNG_OPTION;
		at += PCAPNG_OPTION + pcapng_pad(*size);
	}
	return NULL;
}

void pcapng_facts_of(const uint8_t *body, uint32_t length, struct pcapng_facts *f)
{
	uint16_t size;
	*f = (struct pcapng_facts){.clock = {.unit_ns = 1000},
	                           .link_type = pcapng_load16(false, body),
	                           .snaplen = pcapng_load32(false, body + 4)};
	const uint8_t *option = find(body, length, PCAPNG_TSRESOL, &size);
	if (option && size == 1)
		set_clock(&f->clock, *option);
	option = find(body, length, PCAPNG_TSOFFSET, &size);
	if (option && size == sizeof f->clock.offset_s)
		memcpy(&f->clock.offset_s, option, size);
	option = find(body, length, PCAPNG_FCSLEN, &size);
	f->checked = option && size == 1;
	f->check_size = f->checked ? *option : 0;
}

char *pcapng_name_of(const uint8_t *body, uint32_t length)
{
	uint16_t size;
	const uint8_t *option = find(body, length, PCAPNG_NAME, &size);
	return option ? must_printf("%.*s", (int)size, (const char *)option) : NULL;
}
