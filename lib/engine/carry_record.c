/* SPDX-License-Identifier: BSD-2-Clause */
/* Heads, keys and bytes behind one another. */
#include "engine/carry_record.h"

#include <string.h>

void carry_record_add(struct buf *out, enum carry_record_kind kind, uint32_t number,
                      const char *key, const void *bytes, size_t length)
{
	const struct carry_record r = {kind, number, (uint32_t)strlen(key), 0, length};
	buf_add(out, &r, sizeof r);
	buf_adds(out, key);
	if (length)
		buf_add(out, bytes, length);
}

const char *carry_record_next(const char *at, const char *end, struct carry_record *r, char **key)
{
	if ((size_t)(end - at) < sizeof *r)
		return NULL;
	memcpy(r, at, sizeof *r);
	at += sizeof *r;
	if (r->key_length > (size_t)(end - at) || r->length > (size_t)(end - at) - r->key_length)
		return NULL;
	*key = must_calloc(r->key_length + 1, 1);
	memcpy(*key, at, r->key_length);
	return at + r->key_length;
}
