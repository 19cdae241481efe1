/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests tables, numbers and text that came from elsewhere. */
#include "ctl/out.h"

#include "unit.h"

static void expect(struct buf *b, const char *expected)
{
	ck_assert_str_eq(b->data ? b->data : "", expected);
	buf_free(b);
}

START_TEST(columns_are_as_wide_as_their_widest_cell)
{
	struct table t = table_init(3, 2);
	struct buf b = BUF_INIT;
	json_t *number = json_integer(1234567);
	table_add(&t, "NAME");
	table_add(&t, "COUNT");
	table_add(&t, "NOTE");
	table_add(&t, "größer");
	table_count(&t, number);
	table_add(&t, "x");
	table_add(&t, "b");
	table_addf(&t, "%d", 7);
	table_add(&t, NULL);
	table_print(&t, &b);
	expect(&b, "NAME        COUNT  NOTE\n"
	           "größer  1,234,567  x\n"
	           "b               7\n");
	json_decref(number);
}
END_TEST

START_TEST(a_column_without_contents_is_left_out)
{
	struct table t = table_init(3, 0);
	struct buf b = BUF_INIT;
	t.headless = true;
	table_add(&t, "a");
	table_add(&t, "");
	table_add(&t, "b");
	table_print(&t, &b);
	expect(&b, "a  b\n");
	t = table_init(2, 0);
	table_print(&t, &b);
	expect(&b, "");
}
END_TEST

START_TEST(control_characters_become_visible)
{
	struct buf b = BUF_INIT;
	out_clean(&b, "a\033[2Jb\nc\td\x7f\xc2\x9b"
	              "é");
	expect(&b, "a\\x1b[2Jb\\nc d\\x7f\\x9bé");
}
END_TEST

static void expect_count(double n, const char *expected)
{
	struct buf b = BUF_INIT;
	out_count(&b, n);
	expect(&b, expected);
}

static void expect_bytes(double n, const char *expected)
{
	struct buf b = BUF_INIT;
	out_bytes(&b, n);
	expect(&b, expected);
}

static void expect_duration(double s, const char *expected)
{
	struct buf b = BUF_INIT;
	out_duration(&b, s);
	expect(&b, expected);
}

START_TEST(numbers_are_easy_to_read)
{
	expect_count(0, "0");
	expect_count(999, "999");
	expect_count(1000, "1,000");
	expect_count(-123456, "-123,456");
	expect_bytes(0, "0 B");
	expect_bytes(999, "999 B");
	expect_bytes(1000, "1.0 kB");
	expect_bytes(999999, "1.0 MB");
	expect_bytes(1.55e12, "1.6 TB");
	expect_duration(0.2, "0:00");
	expect_duration(61, "1:01");
	expect_duration(3725, "1:02:05");
	expect_duration(1.0 / 0.0, "0:00");
}
END_TEST

UNIT_TESTS("ctl/out", columns_are_as_wide_as_their_widest_cell,
           a_column_without_contents_is_left_out, control_characters_become_visible,
           numbers_are_easy_to_read)
