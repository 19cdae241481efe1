/* SPDX-License-Identifier: BSD-2-Clause */
/* What is written is read again, and nothing beyond. */
#include "engine/carry_record.h"

#include "unit.h"
#include <stdlib.h>
#include <string.h>

/* The next record as "KIND NUMBER KEY=BYTES", or "end". */
static const char *expect(const char *at, const char *end, const char *text)
{
	struct carry_record r;
	char *key, *found;
	at = carry_record_next(at, end, &r, &key);
	if (!at) {
		ck_assert_str_eq("end", text);
		return NULL;
	}
	found = must_printf("%u %u %s=%.*s", r.kind, r.number, key, (int)r.length, at);
	ck_assert_str_eq(found, text);
	free(found);
	free(key);
	return at + r.length;
}

START_TEST(what_is_added_is_found)
{
	struct buf b = BUF_INIT;
	carry_record_add(&b, CARRY_TYPE, 0, "Sink", NULL, 0);
	carry_record_add(&b, CARRY_DESCRIPTOR, 7, "a key", NULL, 0);
	carry_record_add(&b, CARRY_BYTES, 0, "", "bytes", 5);
	const char *at = b.data, *end = b.data + b.length;
	at = expect(at, end, "1 0 Sink=");
	at = expect(at, end, "2 7 a key=");
	at = expect(at, end, "3 0 =bytes");
	expect(at, end, "end");
	buf_free(&b);
}
END_TEST

START_TEST(what_is_cut_or_lies_is_the_end)
{
	struct buf b = BUF_INIT;
	carry_record_add(&b, CARRY_BYTES, 0, "key", "bytes", 5);
	for (size_t length = 0; length < b.length; length++)
		expect(b.data, b.data + length, "end");
	static const struct carry_record lies[] = {
		{.kind = CARRY_BYTES, .key_length = UINT32_MAX},
		{.kind = CARRY_BYTES, .length = UINT64_MAX},
	};
	for (int i = 0; i < 2; i++)
		expect((const char *)&lies[i], (const char *)&lies[i] + sizeof lies[i], "end");
	buf_free(&b);
}
END_TEST

UNIT_TESTS("engine/carry_record", what_is_added_is_found, what_is_cut_or_lies_is_the_end)
