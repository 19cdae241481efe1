/* SPDX-License-Identifier: BSD-2-Clause */
/* The two formats' parsers: from bytes that lie in memory to records that point into them. */
#ifndef CAPTURE_PARSE_H
#define CAPTURE_PARSE_H

#include "capture/capture.h"

#include <pipetool/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What of the file is in memory. A parser moves `at` and `offset` forward as it uses bytes up. */
struct window {
	const char *name; /* the file's, for words */
	const uint8_t *at, *end;
	uint64_t offset; /* of `at` in the (unpacked) file */
	/* When a parser returns 0: so many bytes from `at` on it must see to go on … */
	size_t want;
	uint32_t skip; /* … after so many that nobody need see, if this is not 0 */
};

/* A packet; its bytes lie in the window. */
struct record {
	const uint8_t *bytes;
	int64_t time_ns;
	uint32_t length, wire_length;
	uint16_t link_type;
};

struct pcap {
	bool begun, swapped, nano, patched;
	bool wire_first, wire_greater; /* of the two lengths in a record: see pcap.c */
	bool over;                     /* another file begins at window->at */
	uint16_t link_type;
	uint32_t snaplen, packet_max;
};

struct pcapng_interface;

struct pcapng {
	bool begun, swapped;
	bool over;        /* a pcap file begins at window->at */
	uint32_t closing; /* 0, or the length that the block which is being skipped must end with */
	uint64_t block_at;                   /* where that block began */
	struct pcapng_interface *interfaces; /* of this section */
	size_t count, room;
	uint64_t misdated; /* packets so far whose time no message can have: it has the nearest */
};

bool pcap_begins(uint32_t magic); /* the file's first four bytes, in either order */
bool pcapng_begins(uint32_t magic);

/* Whether another capture file begins where a record or block would, of which 12 bytes are there;
   below 0: 24 are needed to tell. */
int pcap_follows(const uint8_t *at, size_t left);

/* What a packet may claim: the most of its link type, or what the file itself says. */
static inline uint32_t packet_max(uint16_t link_type, uint32_t snaplen)
{
	uint32_t most = capture_packet_max(link_type);
	return snaplen > most && snaplen <= INT32_MAX ? snaplen : most;
}

/* Finds up to `max` records; 0 with window->want when more bytes are needed (or max is 0); a
   negative code with words at the first thing wrong, once all records before it were given. */
int pcap_parse(struct pcap *, struct window *, struct record *, unsigned max, struct pt_error *);
int pcapng_parse(struct pcapng *, struct window *, struct record *, unsigned max,
                 struct pt_error *);

/* Whether the file may end at window->at. */
bool pcapng_whole(const struct pcapng *);
void pcapng_reset(struct pcapng *); /* as at the beginning; frees what it holds */

static inline size_t window_left(const struct window *w)
{
	return (size_t)(w->end - w->at);
}

static inline void window_use(struct window *w, size_t length)
{
	w->at += length;
	w->offset += length;
}

/* "'x.pcap' is damaged at byte 24: …" */
int window_damaged(const struct window *, uint64_t offset, struct pt_error *, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
