/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages whose bytes alone are written: in the buffer each has a head, for who counts them. */
#include "capture/format.h"

#include <string.h>

struct head {
	uint64_t length;
	uint64_t none;
};
_Static_assert(sizeof(struct head) == FORMAT_PART, "a part is told by its head");

static size_t header(const struct format *f, uint8_t *at, uint16_t link_type,
                     const struct pt_origin *of)
{
	return 0;
}

static void packets(const struct format *f, uint8_t *at, const struct run *run,
                    struct capture_misfits *misfits)
{
	const bool newline = f == &format_newlines;
	for (unsigned i = 0; i < run->count; i++) {
		const struct pt_msg *m = run->messages[i];
		const struct head head = {m->length + newline, 0};
		memcpy(at, &head, sizeof head);
		at += sizeof head;
		if (m->length)
			memcpy(at, m->bytes, m->length);
		if (newline)
			at[m->length] = '\n';
		at += head.length;
	}
}

static size_t part(const uint8_t *at, bool *is_packet)
{
	struct head head;
	memcpy(&head, at, sizeof head);
	*is_packet = true;
	return sizeof head + (size_t)head.length;
}

size_t raw_strip(const uint8_t *from, size_t length, uint8_t *to)
{
	uint8_t *const begin = to;
	for (const uint8_t *end = from + length; from < end;) {
		struct head head;
		memcpy(&head, from, sizeof head);
		memcpy(to, from + sizeof head, head.length);
		to += head.length;
		from += sizeof head + head.length;
	}
	return (size_t)(to - begin);
}

#define ROW .header = header, .packets = packets, .part = part

const struct format format_bytes = {ROW, .packet_head = sizeof(struct head)};
const struct format format_newlines = {ROW, .packet_head = sizeof(struct head) + 1};
