/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults and their kinds. */
#include "base/error.h"

#include "unit.h"
#include <errno.h>

START_TEST(faults_add_up_and_keep_their_order)
{
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_int_eq(pt_fail(&err, -ENODEV, "iface", "no %s", "eth9"), -ENODEV);
	pt_hint(&err, "take %s", "eth0");
	pt_fail(&err, -PT_ENOBLOCK, NULL, "second");
	ck_assert_uint_eq(err.count, 2);
	ck_assert_str_eq(pt_error_text(&err, ""), "no eth9");
	ck_assert_str_eq(err.faults[0].hint, "take eth0");
	error_prefix(&err, 0, "$.blocks[2].params");
	ck_assert_str_eq(err.faults[0].path, "$.blocks[2].params.iface");
	ck_assert_str_eq(err.faults[1].path, "$.blocks[2].params");
	struct pt_error more = PT_ERROR_INIT;
	pt_fail(&more, -PT_ESTATE, "[3]", "third");
	error_prefix(&more, 0, "$.ops");
	ck_assert_str_eq(more.faults[0].path, "$.ops[3]");
	error_move(&err, &more);
	ck_assert_uint_eq(err.count, 3);
	ck_assert_uint_eq(more.count, 0);
	pt_error_clear(&err);
	ck_assert_str_eq(pt_error_text(&err, "otherwise"), "otherwise");
}
END_TEST

START_TEST(no_error_is_fine_too)
{
	ck_assert_int_eq(pt_fail(NULL, -EINVAL, "x", "%d", 1), -EINVAL);
	pt_hint(NULL, "x");
	error_value(NULL, "1");
	pt_error_clear(NULL);
}
END_TEST

START_TEST(every_code_has_a_kind)
{
	ck_assert_str_eq(error_kind(-PT_ECYCLE)->name, "cycle");
	ck_assert_str_eq(error_kind(-ENOENT)->name, "io");
	ck_assert_str_eq(error_kind(-EINVAL)->name, "bad-parameter");
	ck_assert_str_eq(error_kind(-ENOMEM)->name, "limit");
	ck_assert_str_eq(error_kind(-ETIMEDOUT)->name, "timeout");
	ck_assert_int_eq(error_kind_by_name("conflict")->exit, 5);
	ck_assert_int_eq(error_kind_by_name("no-such-engine")->exit, 6);
	ck_assert_int_eq(error_kind_by_name("parse")->rpc, -32700);
	ck_assert_ptr_null(error_kind_by_name("nonsense"));
}
END_TEST

START_TEST(kinds_differ_in_name_code_and_rpc)
{
	for (const struct error_kind *a = error_kinds; a->name; a++) {
		ck_assert_ptr_eq(error_kind_by_name(a->name), a);
		ck_assert_ptr_eq(error_kind_by_rpc(a->rpc), a);
		ck_assert_ptr_eq(error_kind(-a->code), a);
	}
}
END_TEST

UNIT_TESTS("base/error", faults_add_up_and_keep_their_order, no_error_is_fine_too,
           every_code_has_a_kind, kinds_differ_in_name_code_and_rpc)
