/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines to be sent, and errors there and back. */
#include "base/error.h"
#include "rpc/call.h"
#include "unit.h"
#include <errno.h>
#include <string.h>

static void expect_line(struct buf *b, const char *want)
{
	ck_assert_str_eq(b->data, want);
	buf_free(b);
}

START_TEST(each_answer_is_one_line)
{
	struct buf b = BUF_INIT;
	json_t *id = json_integer(3), *result = json_pack("{s[i]ss}", "a", 1, "text", "x\ny");
	rpc_write_result(&b, id, NULL);
	expect_line(&b, "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}\n");
	rpc_write_result(&b, id, result);
	expect_line(&b,
	            "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"a\":[1],\"text\":\"x\\ny\"}}\n");
	rpc_write_notification(&b, "event", result);
	expect_line(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":"
	                "{\"a\":[1],\"text\":\"x\\ny\"}}\n");
	rpc_write_request(&b, 1, "block.recv", NULL, 0);
	rpc_write_request(&b, 2, "block.recv", result, 2);
	expect_line(&b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"block.recv\"}\n"
	                "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"block.recv\",\"params\":"
	                "{\"a\":[1],\"text\":\"x\\ny\"},\"fds\":2}\n");
	json_decref(id);
	json_decref(result);
}
END_TEST

START_TEST(an_error_tells_its_kind_and_code)
{
	struct buf b = BUF_INIT;
	struct pt_error err = PT_ERROR_INIT;
	pt_fail(&err, -PT_EPARAM, "$.max", "too many");
	pt_hint(&err, "fewer");
	error_value(&err, "10");
	error_allowed(&err, "[1,9]");
	rpc_write_error(&b, json_null(), &err);
	expect_line(&b, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32602,\"message\":"
	                "\"too many\",\"data\":{\"kind\":\"bad-parameter\",\"path\":\"$.max\","
	                "\"value\":10,\"allowed\":[1,9],\"hint\":\"fewer\"}}}\n");
	pt_error_clear(&err);
}
END_TEST

static void expect_same(const struct pt_error *a, const struct pt_error *b)
{
	ck_assert_uint_eq(a->count, b->count);
	for (size_t i = 0; i < a->count; i++) {
		ck_assert_int_eq(a->faults[i].code, b->faults[i].code);
		ck_assert_str_eq(a->faults[i].message, b->faults[i].message);
		ck_assert_pstr_eq(a->faults[i].path, b->faults[i].path);
		ck_assert_pstr_eq(a->faults[i].hint, b->faults[i].hint);
		ck_assert_pstr_eq(a->faults[i].value, b->faults[i].value);
		ck_assert_pstr_eq(a->faults[i].allowed, b->faults[i].allowed);
	}
}

START_TEST(errors_of_every_kind_come_back_the_same)
{
	for (const struct error_kind *kind = error_kinds; kind->name; kind++)
		for (int count = 1; count < 4; count++) {
			struct pt_error err = PT_ERROR_INIT, again = PT_ERROR_INIT;
			for (int i = 0; i < count; i++) {
				pt_fail(&err, i == 1 ? -PT_EIO : -kind->code, i ? "$.a[1]" : NULL,
				        "fault %d", i);
				if (i != 1)
					pt_hint(&err, "hint %d", i);
				if (i == 1)
					error_value(&err, "{\"a\":[\"é\",null]}");
			}
			json_t *error = rpc_error_to_json(&err);
			ck_assert_int_eq(json_integer_value(json_object_get(error, "code")),
			                 kind->rpc);
			rpc_error_from_json(error, &again);
			expect_same(&err, &again);
			json_decref(error);
			pt_error_clear(&err);
			pt_error_clear(&again);
		}
}
END_TEST

START_TEST(a_plain_errno_is_of_kind_io)
{
	struct pt_error err = PT_ERROR_INIT, again = PT_ERROR_INIT;
	pt_fail(&err, -ENOSPC, NULL, "the disk is full");
	json_t *error = rpc_error_to_json(&err);
	rpc_error_from_json(error, &again);
	ck_assert_int_eq(again.faults[0].code, -PT_EIO);
	json_decref(error);
	pt_error_clear(&err);
	pt_error_clear(&again);
}
END_TEST

START_TEST(text_that_is_not_utf8_is_escaped)
{
	struct buf b = BUF_INIT;
	struct pt_error err = PT_ERROR_INIT;
	pt_fail(&err, -PT_EIO, "\xff", "no file 'a\xe9'");
	rpc_write_error(&b, json_null(), &err);
	ck_assert_ptr_nonnull(strstr(b.data, "no file 'a\\\\xe9'"));
	ck_assert_ptr_nonnull(strstr(b.data, "\"path\":\"\\\\xff\""));
	buf_free(&b);
	pt_error_clear(&err);
}
END_TEST

START_TEST(foreign_errors_become_some_fault)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"5",
		"{\"code\":\"x\",\"message\":7,\"data\":[]}",
		"{\"code\":99999999999,\"data\":{\"kind\":\"odd\",\"errors\":[1,{},null]}}",
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct pt_error err = PT_ERROR_INIT;
		json_t *error = json_loads(texts[i], JSON_DECODE_ANY, NULL);
		rpc_error_from_json(error, &err);
		ck_assert_uint_gt(err.count, 0);
		ck_assert_int_eq(err.faults[0].code, -PT_EINTERNAL);
		json_decref(error);
		pt_error_clear(&err);
	}
	struct pt_error err = PT_ERROR_INIT;
	json_t *error = json_pack("{siss}", "code", -32601, "message", "no");
	rpc_error_from_json(error, &err);
	ck_assert_int_eq(err.faults[0].code, -PT_EMETHOD);
	ck_assert_str_eq(err.faults[0].message, "no");
	json_decref(error);
	pt_error_clear(&err);
}
END_TEST

UNIT_TESTS("rpc/answer", each_answer_is_one_line, an_error_tells_its_kind_and_code,
           errors_of_every_kind_come_back_the_same, a_plain_errno_is_of_kind_io,
           text_that_is_not_utf8_is_escaped, foreign_errors_become_some_fault)
