/* SPDX-License-Identifier: BSD-2-Clause */
/* Section, interface and enhanced packet blocks. */
#include "capture/pcapng_write.h"

#include "base/buf.h"
#include "base/moment.h"
#include "capture/capture.h"
#include <string.h>

#define OPTION_HEAD     4
#define OPTION_NAME     2
#define OPTION_USERAPPL 4
#define OPTION_TSRESOL  9
#define SECTION_FIXED   28
#define INTERFACE_FIXED 20
#define PACKET_FIXED    32
#define OPTION_TSOFFSET 14
#define TSRESOL_NS      9
#define BEFORE_S        INT64_C(-9223372037)
#define OPTION_IFRECV   4
#define OPTION_IFDROP   5
#define STATISTICS_SIZE 52

static size_t pad4(size_t length)
{
	return (length + 3) & ~(size_t)3;
}

static size_t text_length(const char *text)
{
	return text ? strnlen(text, PCAPNG_TEXT_MAX) : 0;
}

static size_t text_size(const char *text)
{
	return text ? OPTION_HEAD + pad4(text_length(text)) : 0;
}

static uint8_t *put16(uint8_t *at, uint16_t v)
{
	memcpy(at, &v, sizeof v);
	return at + sizeof v;
}

static uint8_t *put32(uint8_t *at, uint32_t v)
{
	memcpy(at, &v, sizeof v);
	return at + sizeof v;
}

static uint8_t *put_time(uint8_t *at, int64_t time_ns, bool before)
{
	uint64_t ticks = (uint64_t)time_ns;
	if (before)
		ticks -= (uint64_t)BEFORE_S * (uint64_t)MOMENT_S;
	at = put32(at, (uint32_t)(ticks >> 32));
	return put32(at, (uint32_t)ticks);
}

static uint8_t *put_padded(uint8_t *at, const void *bytes, size_t length)
{
	size_t padded = pad4(length);
	if (padded != length)
		memset(at + padded - 4, 0, 4);
	if (length)
		memcpy(at, bytes, length);
	return at + padded;
}

static uint8_t *put_option(uint8_t *at, uint16_t code, const void *value, size_t length)
{
	at = put16(at, code);
	at = put16(at, (uint16_t)length);
	return put_padded(at, value, length);
}

size_t pcapng_section_size(const char *application)
{
	return SECTION_FIXED + text_size(application) + (application ? OPTION_HEAD : 0);
}

void pcapng_section_write(uint8_t *at, const char *application)
{
	uint32_t size = (uint32_t)pcapng_section_size(application);
	at = put32(at, 0x0a0d0d0a);
	at = put32(at, size);
	at = put32(at, 0x1a2b3c4d);
	at = put16(at, 1);
	at = put16(at, 0);
	at = put32(at, UINT32_MAX); /* the section's length is not told */
	at = put32(at, UINT32_MAX);
	if (application) {
		at = put_option(at, OPTION_USERAPPL, application, text_length(application));
		at = put_option(at, 0, NULL, 0);
	}
	put32(at, size);
}

size_t pcapng_interface_size(const char *name, bool before)
{
	return INTERFACE_FIXED + text_size(name) + OPTION_HEAD + 4 +
	       (before ? OPTION_HEAD + sizeof(int64_t) : 0) + OPTION_HEAD;
}

void pcapng_interface_write(uint8_t *at, uint16_t link_type, uint32_t snaplen, const char *name,
                            bool before)
{
	static const uint8_t tsresol = TSRESOL_NS;
	static const int64_t before_s = BEFORE_S;
	uint32_t size = (uint32_t)pcapng_interface_size(name, before);
	at = put32(at, 1);
	at = put32(at, size);
	at = put16(at, link_type);
	at = put16(at, 0);
	at = put32(at, snaplen);
	if (name)
		at = put_option(at, OPTION_NAME, name, text_length(name));
	at = put_option(at, OPTION_TSRESOL, &tsresol, 1);
	if (before)
		at = put_option(at, OPTION_TSOFFSET, &before_s, sizeof before_s);
	at = put_option(at, 0, NULL, 0);
	put32(at, size);
}

size_t pcapng_packet_size(uint32_t captured)
{
	return PACKET_FIXED + pad4(captured);
}

void pcapng_packet_write(uint8_t *at, uint32_t interface, const struct pt_msg *m, int64_t time_ns,
                         uint32_t captured)
{
	uint32_t size = (uint32_t)pcapng_packet_size(captured);
	at = put32(at, 6);
	at = put32(at, size);
	at = put32(at, interface);
	at = put_time(at, time_ns, time_ns < 0);
	at = put32(at, captured);
	at = put32(at, m->wire_length);
	at = put_padded(at, m->bytes, captured);
	put32(at, size);
}

/* ---- for live streams ---- */

static uint8_t *grow(struct buf *b, size_t size)
{
	uint8_t *at = (uint8_t *)buf_reserve(b, size);
	b->length += size;
	b->data[b->length] = 0;
	return at;
}

void capture_pcapng_header(struct buf *b, const char *application)
{
	pcapng_section_write(grow(b, pcapng_section_size(application)), application);
}

void capture_pcapng_interface(struct buf *b, uint16_t link_type, const char *name, bool before)
{
	pcapng_interface_write(grow(b, pcapng_interface_size(name, before)), link_type,
	                       capture_packet_max(link_type), name, before);
}

void capture_pcapng_packet(struct buf *b, uint32_t interface, const struct pt_msg *m,
                           int64_t time_ns, uint32_t captured)
{
	pcapng_packet_write(grow(b, pcapng_packet_size(captured)), interface, m, time_ns, captured);
}

void capture_pcapng_statistics(struct buf *b, uint32_t interface, bool before, int64_t time_ns,
                               uint64_t received, uint64_t dropped)
{
	uint8_t *at = grow(b, STATISTICS_SIZE);
	at = put32(at, 5);
	at = put32(at, STATISTICS_SIZE);
	at = put32(at, interface);
	at = put_time(at, time_ns, before);
	at = put_option(at, OPTION_IFRECV, &received, sizeof received);
	at = put_option(at, OPTION_IFDROP, &dropped, sizeof dropped);
	at = put_option(at, 0, NULL, 0);
	put32(at, STATISTICS_SIZE);
}
