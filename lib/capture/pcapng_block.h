/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks of pcapng: what those who read, map and write them share. */
#ifndef CAPTURE_PCAPNG_BLOCK_H
#define CAPTURE_PCAPNG_BLOCK_H

#include "base/buf.h"
#include "base/moment.h"
#include "msg/origin.h"
#include <byteswap.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum pcapng_block {
	PCAPNG_SECTION = 0x0a0d0d0a,
	PCAPNG_INTERFACE = 1,
	PCAPNG_OBSOLETE = 2,
	PCAPNG_SIMPLE = 3,
	PCAPNG_NAMES = 4,
	PCAPNG_STATISTICS = 5,
	PCAPNG_PACKET = 6,
	PCAPNG_SECRETS = 10,
	PCAPNG_CUSTOM = 0xbad,
};

/* Of interfaces, of sections, of packets and of statistics. */
enum pcapng_option {
	PCAPNG_END = 0,
	PCAPNG_COMMENT = 1,
	PCAPNG_NAME = 2,
	PCAPNG_TSRESOL = 9,
	PCAPNG_FCSLEN = 13,
	PCAPNG_TSOFFSET = 14,
	PCAPNG_USERAPPL = 4,
	PCAPNG_FLAGS = 2,
	PCAPNG_DROPCOUNT = 4,
	PCAPNG_IFRECV = 4,
	PCAPNG_IFDROP = 5,
};

#define PCAPNG_MAGIC       0x1a2b3c4du
#define PCAPNG_BLOCK       12 /* head and trailer */
#define PCAPNG_OPTION      4  /* the head of one; and their end */
#define PCAPNG_PACKET_HEAD 28 /* before a packet's bytes … */
#define PCAPNG_SIMPLE_HEAD 12 /* … and of a simple one */

static inline uint32_t pcapng_load32(bool swapped, const void *at)
{
	uint32_t v;
	memcpy(&v, at, sizeof v);
	return swapped ? bswap_32(v) : v;
}

static inline uint16_t pcapng_load16(bool swapped, const void *at)
{
	uint16_t v;
	memcpy(&v, at, sizeof v);
	return swapped ? bswap_16(v) : v;
}

static inline size_t pcapng_pad(size_t length)
{
	return (length + 3) & ~(size_t)3;
}

/* ---- times: in units of unit_ns, or of 1/parts_ns, or of 2^-shift seconds, from an offset on ----
   */

struct pcapng_clock {
	uint64_t unit_ns, parts_ns;
	int64_t offset_s;
	uint8_t shift;
};

/* No 64 bits of units, whatever they are, nor seconds, overflow this. False: no message can have
   that time, and it is the nearest. */
bool pcapng_far_ns(const struct pcapng_clock *, uint64_t units, int64_t *ns);
/* False: the clock cannot tell that time to the nanosecond. */
bool pcapng_far_units(const struct pcapng_clock *, int64_t ns, uint64_t *units);

static inline bool pcapng_units(const struct pcapng_clock *c, int64_t ns, uint64_t *units)
{
	uint64_t time = (uint64_t)ns;
	if (ns < 0 || c->offset_s)
		return pcapng_far_units(c, ns, units);
	if (c->unit_ns == 1) {
		*units = time;
		return true;
	}
	if (c->unit_ns == 1000) {
		*units = time / 1000;
		return *units * 1000 == time;
	}
	return pcapng_far_units(c, ns, units);
}

/* ---- what is read, in this machine's byte order ---- */

/* The body of a block, and the options of a packet, as they were but for the byte order; options
   from the first on that reaches past its end are left out, and *damaged is set. NULL: the body is
   too short for its type, or of another byte order and of a kind that nobody can turn. */
uint8_t *pcapng_native_body(uint32_t type, bool swapped, const uint8_t *body, uint32_t length,
                            uint32_t *native_length, bool *damaged);
void pcapng_native_options(uint32_t type, bool swapped, const uint8_t *at, size_t length,
                           struct buf *, bool *damaged);

/* Of the body of an interface's block. */
struct pcapng_facts {
	struct pcapng_clock clock;
	uint32_t snaplen;
	uint16_t link_type;
	bool checked; /* frames end with a check sequence … */
	uint8_t check_size;
};
void pcapng_facts_of(const uint8_t *body, uint32_t length, struct pcapng_facts *);
char *pcapng_name_of(const uint8_t *body, uint32_t length); /* NULL: it has none */

/* ---- what is written: each adds a block ---- */

void pcapng_put_block(struct buf *, uint32_t type, const void *body, uint32_t length);
void pcapng_put_section(struct buf *, const char *application);
/* The body of one for a section, as the facts are and with that resolution. */
uint8_t *pcapng_interface_body(const struct pcapng_facts *, uint8_t tsresol, uint32_t *length);
/* An interface of nanoseconds, of packets from before 1970 or of others, since times of a file have
   no sign; that is also what is known of it as the body of a block, whose own clock goes. */
void pcapng_put_interface(struct buf *, uint16_t link_type, const char *name, bool before,
                          const uint8_t *body, uint32_t length);
void pcapng_put_statistics(struct buf *, uint32_t interface, uint64_t units, uint64_t received,
                           uint64_t dropped);
extern const struct pcapng_clock pcapng_ns, pcapng_before;

/* A packet, as it stands in what is written. */
struct pcapng_place {
	uint64_t units;
	uint32_t interface;
	bool simple; /* without a time, and of the first interface */
};

static inline size_t pcapng_packet_size(const struct pt_msg *m, const struct pcapng_place *p,
                                        uint32_t captured)
{
	size_t size = pcapng_pad(captured) + 4;
	if (p->simple)
		return size + PCAPNG_SIMPLE_HEAD;
	uint32_t told = m->origin ? m->origin->size : 0;
	return size + PCAPNG_PACKET_HEAD + (told ? told + PCAPNG_OPTION : 0);
}

/* A comment among options, which has no end yet. */
void pcapng_put_comment(struct buf *, const char *text);
uint8_t *pcapng_put_told(uint8_t *at, const struct pt_origin *);

static inline uint8_t *pcapng_put32(uint8_t *at, uint32_t v)
{
	memcpy(at, &v, sizeof v);
	return at + sizeof v;
}

static inline uint8_t *pcapng_put_padded(uint8_t *at, const void *bytes, size_t length)
{
	size_t padded = pcapng_pad(length);
	if (padded != length)
		memset(at + padded - 4, 0, 4);
	if (length)
		memcpy(at, bytes, length);
	return at + padded;
}

/* Writes it there; its size. */
static inline size_t pcapng_put_packet(uint8_t *at, const struct pt_msg *m,
                                       const struct pcapng_place *p, uint32_t captured)
{
	uint32_t size = (uint32_t)pcapng_packet_size(m, p, captured);
	at = pcapng_put32(at, p->simple ? PCAPNG_SIMPLE : PCAPNG_PACKET);
	at = pcapng_put32(at, size);
	if (!p->simple) {
		at = pcapng_put32(at, p->interface);
		at = pcapng_put32(at, (uint32_t)(p->units >> 32));
		at = pcapng_put32(at, (uint32_t)p->units);
		at = pcapng_put32(at, captured);
	}
	at = pcapng_put32(at, m->wire_length);
	at = pcapng_put_padded(at, m->bytes, captured);
	if (m->origin && m->origin->size && !p->simple)
		at = pcapng_put_told(at, m->origin);
	pcapng_put32(at, size);
	return size;
}

#endif
