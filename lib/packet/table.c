/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables as bytes, by name. */
#include "packet/table.h"

#include "base/buf.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EACH_TIME ((size_t)64 * 1024)

/* What is carried in place of a table. */
struct forgotten {
	uint64_t keys, evicted;
};

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
	struct buf bytes = BUF_INIT;
	const struct forgotten forgotten = {table->used, table->evicted};
	bool end = pt_carry_to(carry) == PT_AT_END;
	bool small = pt_carry_exact(carry) && table->used * table->entry_size <= EACH_TIME;
	if (pt_carry_to(carry) == PT_TO_SUCCESSOR || !(table->used + table->evicted))
		return false;
	if (end || small)
		recent_pack(table, &bytes);
	else
		buf_add(&bytes, &forgotten, sizeof forgotten);
	pt_carry_bytes(carry, name, bytes.data, bytes.length);
	buf_free(&bytes);
	return end;
}

bool packet_table_carried(struct pt_block *b, const char *name, struct recent *table)
{
	size_t length;
	struct forgotten forgotten;
	const void *bytes = pt_carried_bytes(b, name, &length);
	if (!bytes || recent_unpack(table, bytes, length))
		return bytes;
	if (length != sizeof forgotten) {
		pt_lost(b, 1, "restart");
		pt_report(b, -EIO,
		          "what it had of each key before the restart is damaged: it begins anew");
		return false;
	}
	memcpy(&forgotten, bytes, sizeof forgotten);
	table->evicted += forgotten.keys + forgotten.evicted;
	pt_note(b,
	        "what it had of %llu keys before the restart is forgotten: that is kept by a clean "
	        "end, or a checkpoint of up to 64 KiB",
	        (unsigned long long)forgotten.keys);
	return true;
}
