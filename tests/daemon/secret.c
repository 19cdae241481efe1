/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys are masked, and nothing else is. */
#include "unit.h"
#include "daemon/secret.h"

#include <string.h>

static void becomes(const char *json, const char *wanted)
{
	struct buf line = BUF_INIT, masked = BUF_INIT;
	buf_adds(&line, json);
	bool any = secret_mask(&line, &masked);
	ck_assert_str_eq(any ? masked.data : line.data, wanted);
	buf_free(&line);
	buf_free(&masked);
}

START_TEST(keys_are_masked)
{
	becomes("{\"f\": \"anonymize{key='abcdef'}\"}", "{\"f\": \"anonymize{key='***'}\"}");
	becomes("[\"anonymize{mac=true, passphrase = \\\"a\\\\\\\"b\\\", keep={'10.0.0.0/8'}}\"]",
	        "[\"anonymize{mac=true, passphrase = \\\"***\\\", keep={'10.0.0.0/8'}}\"]");
	becomes("\"anonymize{['key']='ab'}\"", "\"anonymize{['key']='***'}\"");
	becomes("\"anonymize{\\n\\tkey =\\n'ab'\\n}\"", "\"anonymize{\\n\\tkey =\\n'***'\\n}\"");
	becomes("\"a > T(f=\\\"anonymize{key='ab'}\\\") > b\", \"key='x'\"",
	        "\"a > T(f=\\\"anonymize{key='***'}\\\") > b\", \"key='x'\"");
	becomes("\"anonymize{key='1'};anonymize{passphrase='2'}\"",
	        "\"anonymize{key='***'};anonymize{passphrase='***'}\"");
}
END_TEST

START_TEST(what_is_not_plain_is_masked_whole)
{
	becomes("\"anonymize{key=('ab'):rep(32)}\"", "\"***\"");
	becomes("\"(function() local k='ab' return anonymize{key=k} end)()\"", "\"***\"");
	becomes("\"local key='ab' return anonymize{key=key}\"", "\"***\"");
	becomes("\"anonymize{key=[[ab]]}\"", "\"***\"");
	becomes("\"anonymize{key='a'..b}\"", "\"***\"");
	becomes("\"anonymize{key='ab\"", "\"***\"");
	becomes("\"anonymize{passphrase='ab\\\\\\\\'}\"", "\"***\"");
}
END_TEST

START_TEST(all_else_stays)
{
	static const char *const same[] = {
		"{\"f\": \"set{['ip.src']='1.1.1.1'}\", \"key\": \"key='x'\"}",
		"\"anonymize\"",
		"\"anonymize{key_file='/etc/key', mac=true}\"",
		"\"anonymize{key='…'}\"",
		"\"anonymize takes a key == none, or a passphrase\"",
		"\"anonymize, \\\\\", \"key='x'\"",
		"\"monkey='x', anonymize\"",
		"",
		"\"anonymize",
		"\"anonymize\\",
	};
	for (size_t i = 0; i < sizeof same / sizeof *same; i++)
		becomes(same[i], same[i]);
}
END_TEST

UNIT_TESTS("daemon/secret", keys_are_masked, what_is_not_plain_is_masked_whole, all_else_stays)
