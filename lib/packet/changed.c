/* SPDX-License-Identifier: BSD-2-Clause */
/* What two packets differ in. */
#include "packet/packet.h"

#include <string.h>

static bool is_checksum(const struct packet_field *f)
{
	return !strcmp(f->name, "chksum");
}

/* The same bits, under another name, as the one before. */
static bool is_alias(const struct packet_field *f)
{
	const struct packet_field *before = f - 1;
	return f > packet_fields && before->in == f->in && before->offset == f->offset &&
	       before->size == f->size && before->shift == f->shift && before->bits == f->bits;
}

static bool differs(const struct pt_msg *a, const struct packet_view *in_a, const struct pt_msg *b,
                    const struct packet_view *in_b, const struct packet_field *f)
{
	struct packet_value was = {0}, is = {0};
	bool has_was = packet_read(a->bytes, in_a, f, &was);
	bool has_is = packet_read(b->bytes, in_b, f, &is);
	return has_was != has_is || (has_was && (was.number != is.number ||
	                                         memcmp(was.bytes, is.bytes, sizeof is.bytes)));
}

static bool payload_differs(const struct pt_msg *a, const struct packet_view *in_a,
                            const struct pt_msg *b, const struct packet_view *in_b)
{
	uint32_t length = in_a->payload_length;
	return length != in_b->payload_length ||
	       memcmp(a->bytes + in_a->offset[PACKET_PAYLOAD],
	              b->bytes + in_b->offset[PACKET_PAYLOAD], length);
}

void packet_changed(const struct pt_msg *a, const struct pt_msg *b,
                    void (*tell)(void *, const char *layer, const char *name), void *arg)
{
	struct packet_view in_a, in_b;
	packet_dissect(a, &in_a);
	packet_dissect(b, &in_b);
	for (const struct packet_field *f = packet_fields; f->name; f++)
		if (!is_checksum(f) && !is_alias(f) && differs(a, &in_a, b, &in_b, f))
			tell(arg, f->layer, f->name);
	if (payload_differs(a, &in_a, b, &in_b))
		tell(arg, NULL, "payload");
}
