/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes blocks of pcapng, in the byte order of this machine. */
#include "capture/pcapng_block.h"

#include "msg/link_type.h"

#define TEXT_MAX    1024 /* of names and applications; what is longer is cut */
#define TSRESOL_NS  9
#define BEFORE_S    INT64_C(-9223372037) /* no message is before that */
#define FIXED_BYTES 8                    /* of an interface's body, before its options */

const struct pcapng_clock pcapng_ns = {.unit_ns = 1};
const struct pcapng_clock pcapng_before = {.unit_ns = 1, .offset_s = BEFORE_S};

static void add16(struct buf *b, uint16_t v)
{
	buf_add(b, &v, sizeof v);
}

static void add32(struct buf *b, uint32_t v)
{
	buf_add(b, &v, sizeof v);
}

static void add_option(struct buf *b, uint16_t code, const void *value, size_t length)
{
	static const uint8_t zeros[4];
	add16(b, code);
	add16(b, (uint16_t)length);
	buf_add(b, value, length);
	buf_add(b, zeros, pcapng_pad(length) - length);
}

static void add_text(struct buf *b, uint16_t code, const char *text)
{
	if (text)
		add_option(b, code, text, strnlen(text, TEXT_MAX));
}

void pcapng_put_block(struct buf *b, uint32_t type, const void *body, uint32_t length)
{
	uint32_t size = (uint32_t)pcapng_pad(length) + PCAPNG_BLOCK;
	static const uint8_t zeros[4];
	add32(b, type);
	add32(b, size);
	buf_add(b, body, length);
	buf_add(b, zeros, pcapng_pad(length) - length);
	add32(b, size);
}

static void put(struct buf *b, uint32_t type, struct buf *body)
{
	pcapng_put_block(b, type, body->data, (uint32_t)body->length);
	buf_free(body);
}

void pcapng_put_section(struct buf *b, const char *application)
{
	struct buf body = BUF_INIT;
	add32(&body, PCAPNG_MAGIC);
	add16(&body, 1);
	add16(&body, 0);
	add32(&body, UINT32_MAX); /* the section's length is not told */
	add32(&body, UINT32_MAX);
	add_text(&body, PCAPNG_USERAPPL, application);
	if (application)
		add_option(&body, PCAPNG_END, NULL, 0);
	put(b, PCAPNG_SECTION, &body);
}

static void add_others(struct buf *b, const uint8_t *at, const uint8_t *end)
{
	while (end - at >= PCAPNG_OPTION) {
		uint16_t code = pcapng_load16(false, at), size = pcapng_load16(false, at + 2);
		if (code == PCAPNG_END)
			break;
		if (code != PCAPNG_TSRESOL && code != PCAPNG_TSOFFSET)
			add_option(b, code, at + PCAPNG_OPTION, size);
		at += PCAPNG_OPTION + pcapng_pad(size);
	}
}

uint8_t *pcapng_interface_body(const struct pcapng_facts *f, uint8_t tsresol, uint32_t *length)
{
	struct buf body = BUF_INIT;
	add16(&body, f->link_type);
	add16(&body, 0);
	add32(&body, f->snaplen);
	add_option(&body, PCAPNG_TSRESOL, &tsresol, 1);
	if (f->checked)
		add_option(&body, PCAPNG_FCSLEN, &f->check_size, 1);
	add_option(&body, PCAPNG_END, NULL, 0);
	*length = (uint32_t)body.length;
	return (uint8_t *)buf_steal(&body);
}

void pcapng_put_interface(struct buf *b, uint16_t link_type, const char *name, bool before,
                          const uint8_t *known, uint32_t length)
{
	static const uint8_t tsresol = TSRESOL_NS;
	static const int64_t before_s = BEFORE_S;
	struct buf body = BUF_INIT;
	add16(&body, link_type);
	add16(&body, 0);
	add32(&body, link_type_packet_max(link_type));
	add_text(&body, PCAPNG_NAME, name);
	if (known)
		add_others(&body, known + FIXED_BYTES, known + length);
	add_option(&body, PCAPNG_TSRESOL, &tsresol, 1);
	if (before)
		add_option(&body, PCAPNG_TSOFFSET, &before_s, sizeof before_s);
	add_option(&body, PCAPNG_END, NULL, 0);
	put(b, PCAPNG_INTERFACE, &body);
}

void pcapng_put_statistics(struct buf *b, uint32_t interface, uint64_t units, uint64_t received,
                           uint64_t dropped)
{
	struct buf body = BUF_INIT;
	add32(&body, interface);
	add32(&body, (uint32_t)(units >> 32));
	add32(&body, (uint32_t)units);
	add_option(&body, PCAPNG_IFRECV, &received, sizeof received);
	add_option(&body, PCAPNG_IFDROP, &dropped, sizeof dropped);
	add_option(&body, PCAPNG_END, NULL, 0);
	put(b, PCAPNG_STATISTICS, &body);
}

void pcapng_put_comment(struct buf *b, const char *text)
{
	add_text(b, PCAPNG_COMMENT, text);
}

uint8_t *pcapng_put_told(uint8_t *at, const struct pt_origin *origin)
{
	memcpy(at, origin->options, origin->size);
	return pcapng_put32(at + origin->size, PCAPNG_END);
}
