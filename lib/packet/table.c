/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables as bytes, by name. */
#include "packet/table.h"

#include "base/buf.h"
#include <stdlib.h>

#define EACH_TIME ((size_t)64 * 1024)

char *packet_table_name(const char *what, char *const *words)
{
	struct buf name = BUF_INIT;
	buf_adds(&name, what);
	for (; words && *words; words++)
		buf_addf(&name, " %s", *words);
	return buf_steal(&name);
}

bool packet_table_carry(const struct recent *table, const char *name, struct pt_carry *carry)
{
	struct buf packed = BUF_INIT;
	bool end = pt_carry_to(carry) == PT_AT_END;
	bool small = pt_carry_exact(carry) && table->used * table->entry_size <= EACH_TIME;
	if (pt_carry_to(carry) == PT_TO_SUCCESSOR || (!end && !small))
		return false;
	recent_pack(table, &packed);
	pt_carry_bytes(carry, name, packed.data, packed.length);
	buf_free(&packed);
	return end;
}

bool packet_table_carried(struct pt_block *b, const char *name, struct recent *table)
{
	size_t length;
	const void *bytes = pt_carried_bytes(b, name, &length);
	return bytes && recent_unpack(table, bytes, length);
}
