/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of pcap files. */
#include "capture/parse.h"

#include "capture/capture.h"
#include <byteswap.h>
#include <errno.h>
#include <string.h>

#define MAGIC         0xa1b2c3d4u
#define MAGIC_NANO    0xa1b23c4du
#define FILE_HEADER   24
#define RECORD_HEADER 16
#define LINK_TYPE_BITS \
	0x03ffffffu /* above: the frame check sequence's length, and that it is known */

/* Files that begin nearly as pcap and have other records. */
static const struct variant {
	uint32_t magic;
	const char *words;
} variants[] = {
	{0xa1b2cd34u,
         "the 'modified' format of a patched libpcap (editcap -F pcap turns it into pcap)"},
	{0x1c0001acu, "IXIA's hardware format (editcap -F pcap turns it into pcap)"},
	{0x1c0001abu, "IXIA's software format (editcap -F pcap turns it into pcap)"},
	{0xa1b234cdu, "the 'modified' format of a patched tcpdump of 2001"},
	{0xa12b3c4du, "the format of Navtel's tools"},
};

bool pcap_begins(uint32_t magic)
{
	uint32_t other = bswap_32(magic);
	if (magic == MAGIC || other == MAGIC || magic == MAGIC_NANO || other == MAGIC_NANO)
		return true;
	for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
		if (variants[i].magic == magic || variants[i].magic == other)
			return true;
	return false;
}

static inline uint32_t load(const uint8_t *at, bool swapped)
{
	uint32_t v;
	memcpy(&v, at, sizeof v);
	return swapped ? bswap_32(v) : v;
}

static int refuse_variant(const struct window *w, uint32_t magic, struct pt_error *err)
{
	const char *words = "no format known here";
	for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
		if (variants[i].magic == magic || variants[i].magic == bswap_32(magic))
			words = variants[i].words;
	return pt_fail(err, -EBADMSG, "fname", "'%s' is not plain pcap but in %s", w->name, words);
}

static int parse_header(struct pcap *p, struct window *w, struct pt_error *err)
{
	if (window_left(w) < FILE_HEADER) {
		w->want = FILE_HEADER;
		return 0;
	}
	uint32_t magic = load(w->at, false);
	p->swapped = magic == bswap_32(MAGIC) || magic == bswap_32(MAGIC_NANO);
	magic = load(w->at, p->swapped);
	if (magic != MAGIC && magic != MAGIC_NANO)
		return refuse_variant(w, magic, err);
	p->nano = magic == MAGIC_NANO;
	uint16_t version;
	memcpy(&version, w->at + 4, sizeof version);
	version = p->swapped ? bswap_16(version) : version;
	if (version != 2)
		return window_damaged(w, 4, err, "version %u of pcap, of which only 2 is known",
		                      version);
	uint32_t link_type = load(w->at + 20, p->swapped) & LINK_TYPE_BITS;
	if (link_type >= PT_NO_LINK_TYPE)
		return window_damaged(w, 20, err, "there is no link type %u", link_type);
	p->link_type = (uint16_t)link_type;
	window_use(w, FILE_HEADER);
	p->begun = true;
	return 1;
}

static int too_long(const struct window *w, uint32_t length, struct pt_error *err)
{
	return window_damaged(w, w->offset, err, "a packet that claims %u bytes, more than %u",
	                      length, CAPTURE_PACKET_MAX);
}

int pcap_parse(struct pcap *p, struct window *w, struct record *records, unsigned max,
               struct pt_error *err)
{
	if (!p->begun) {
		int rc = parse_header(p, w, err);
		if (rc <= 0)
			return rc;
	}
	const bool swapped = p->swapped;
	const uint32_t unit_ns = p->nano ? 1 : 1000;
	unsigned n = 0;
	for (; n < max; n++) {
		const uint8_t *at = w->at;
		size_t left = window_left(w);
		w->want = RECORD_HEADER;
		if (left < RECORD_HEADER)
			break;
		uint32_t length = load(at + 8, swapped), wire = load(at + 12, swapped);
		if (length > CAPTURE_PACKET_MAX)
			return n ? (int)n : too_long(w, length, err);
		w->want = RECORD_HEADER + (size_t)length;
		if (left < w->want)
			break;
		records[n] = (struct record){
			.bytes = at + RECORD_HEADER,
			.time_ns = load(at, swapped) * UINT64_C(1000000000) +
		                   load(at + 4, swapped) * (uint64_t)unit_ns,
			.length = length,
			.wire_length = wire < length ? length : wire,
			.link_type = p->link_type,
		};
		window_use(w, w->want);
	}
	return (int)n;
}
