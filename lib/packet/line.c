/* SPDX-License-Identifier: BSD-2-Clause */
/* A message as consoles show it. */
#include "packet/packet.h"

#include "base/buf.h"
#include "base/quote.h"

void packet_line(struct buf *line, bool high, const struct pt_msg *m)
{
	char summary[512];
	buf_adds(line, high ? ">>" : ">");
	if (pt_msg_is_packet(m)) {
		packet_summary(m, summary, sizeof summary);
		buf_adds(line, summary);
	} else {
		quote_text(line, (const char *)m->bytes, m->length);
	}
}
