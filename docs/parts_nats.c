/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of the plugin nats.so. */
#include "docs/page.h"
#include "nats/types.h"
#include "type/man.h"

static void types(struct buf *b)
{
	for (const struct pt_type *const *type = pt_types_nats; *type; type++)
		man_type(b, *type);
}

const struct page_part page_parts[] = {{"types", types}, {NULL}};
