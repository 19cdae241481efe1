/* SPDX-License-Identifier: BSD-2-Clause */
/* What a format of capture files is: how it is told, read, written and found torn. Readers and
   writers know formats by these rows alone; a new one is a file with its row, and a line in
   formats.def. */
#ifndef CAPTURE_FORMAT_H
#define CAPTURE_FORMAT_H

#include "base/moment.h"
#include "capture/capture.h"
#include "capture/pcapng_block.h"

#include <pipetool/error.h>
#include <pipetool/msg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What of the file is in memory. A parser moves `at` and `offset` forward as it uses bytes up. */
struct window {
	const char *name;       /* the file's, for words */
	struct pt_chunk *chunk; /* that it lies in */
	const uint8_t *at, *end;
	uint64_t offset; /* of `at` in the (unpacked) file */
	/* When a parser returns 0: so many bytes from `at` on it must see to go on … */
	size_t want;
	uint32_t skip; /* … after so many that nobody need see, if this is not 0 */
};

/* A file that is being read, and what is known of it: `own` is the format's, and begins as zeros.
   */
struct parser {
	const struct format *format; /* NULL: not told yet */
	void *own;
	bool begun;                 /* its header has been read */
	struct capture_facts facts; /* from then on, but for `packed` */
	uint32_t closing;  /* 0, or how long what is being skipped says at its end to be … */
	uint64_t block_at; /* … and where it began */
	uint64_t misdated; /* packets so far whose time no message can have: it has the nearest */
	size_t limit;      /* of bytes in a record that is no packet … */
	uint64_t left_out; /* … and how many had more, or are of a kind that is unknown */
	uint64_t damaged;  /* options, or names, so far, that reach past what they are in */
};

/* Packets that are written together: of one link type; `size` bytes in all, of each the first
   `packet_max` at the most. */
#define RUN_MESSAGES 64
struct run {
	struct pt_msg *const *messages;
	unsigned count;
	size_t size;
	uint32_t packet_max;
	struct pcapng_place places[RUN_MESSAGES]; /* where the format is mixed */
};

struct format {
	const char *const *endings; /* of its files' names, in small letters; ends with NULL; may be
	                              NULL */

	/* ---- reading ---- */

	bool (*begins)(uint32_t magic); /* the file's first four bytes, in either order; NULL: one
	                                   that another row reads, too */
	/* Fills in up to `max` blank messages, all but their references on the chunk; 0 with
	   window->want when more bytes are needed (or max is 0); a negative code with words at the
	   first thing wrong, once all messages before it were given: -ENODATA, without words, where
	   another file begins at window->at. */
	int (*parse)(struct parser *, struct window *, struct pt_msg **, unsigned max,
	             struct pt_error *);
	/* At the end of the file: what is left there is a message. NULL: it would be a fault. */
	bool (*rest)(struct parser *, struct window *, struct pt_msg *);
	bool seeks; /* what comes needs nothing of what came, but a header at the beginning */
	size_t own_size;
	void (*reset)(void *own); /* gives up what it holds, and can do so twice; may be NULL */

	/* ---- writing ---- */

	bool mixed; /* packets of several interfaces, as mapping.h has it; else there is a header */
	/* How many bytes it takes; writes nothing to NULL. For packets of that origin; or NULL. */
	size_t (*header)(const struct format *, uint8_t *at, uint16_t link_type,
	                 const struct pt_origin *);
	uint32_t packet_head; /* before a packet */
	void (*packets)(const struct format *, uint8_t *at, const struct run *,
	                struct capture_misfits *);

	/* ---- what is there already, in this machine's byte order ---- */

	uint32_t head;       /* bytes before the first packet; 0: parts like all others */
	uint32_t snaplen_at; /* where in them the snapshot length stands, if `head` */
	/* The size of the packet, header or block that begins with these FORMAT_PART bytes; 0: it
	   is none. */
	size_t (*part)(const uint8_t *at, bool *is_packet);
};

#define FORMAT_PART     16
#define FORMAT_PART_MAX (129 * 1024 * 1024) /* more than any part of ours */

/* By the numbers of enum capture_format, and ends with NULL. */
extern const struct format *const formats[];
#define FORMAT(number, name, row) extern const struct format row;
#include "capture/formats.def"
#undef FORMAT

/* What is no capture: lines, and bytes as they come. */
extern const struct format format_lines, format_block;
/* The same as it is put into a buffer, with heads that tell how long each is: raw_strip takes them
   out again, and `to` is as long as `from`. */
extern const struct format format_bytes, format_newlines;
size_t raw_strip(const uint8_t *from, size_t length, uint8_t *to);

/* Whether another capture file begins where a record or block would, of which 12 bytes are there;
   below 0: 24 are needed to tell. */
int pcap_follows(const uint8_t *at, size_t left);

/* What a packet may claim: the most of its link type, or what the file itself says. */
static inline uint32_t packet_max(uint16_t link_type, uint32_t snaplen)
{
	uint32_t most = link_type_packet_max(link_type);
	return snaplen > most && snaplen <= INT32_MAX ? snaplen : most;
}

static inline uint32_t run_captured(const struct run *run, const struct pt_msg *m)
{
	return m->length < run->packet_max ? m->length : run->packet_max;
}

/* Its own, or else now. */
static inline int64_t run_time_ns(const struct pt_msg *m)
{
	return m->time_ns || pt_msg_is_packet(m) ? m->time_ns : moment_now();
}

static inline size_t window_left(const struct window *w)
{
	return (size_t)(w->end - w->at);
}

static inline void window_use(struct window *w, size_t length)
{
	w->at += length;
	w->offset += length;
}

/* A message's bytes, which lie in the window, and how many there were. */
static inline void window_fill(const struct window *w, struct pt_msg *m, const uint8_t *bytes,
                               uint32_t length, uint32_t wire_length)
{
	m->bytes = bytes;
	m->length = length;
	m->wire_length = wire_length < length ? length : wire_length;
	m->chunk = w->chunk;
}

/* "'x.pcap' is damaged at byte 24: …" */
int window_damaged(const struct window *, uint64_t offset, struct pt_error *, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
