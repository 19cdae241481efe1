/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests kinds in words, and sizes and times as people write them. */
#include "type/param.h"

#include "base/buf.h"
#include "unit.h"
#include <errno.h>
#include <math.h>

static uint64_t size(const char *text)
{
	uint64_t bytes = 12345;
	return param_parse_size(text, &bytes) ? UINT64_MAX : bytes;
}

static double seconds(const char *text)
{
	double s = 12345;
	return param_parse_seconds(text, &s) ? -1 : s;
}

START_TEST(sizes_are_read_as_people_write_them)
{
	ck_assert_uint_eq(size("0"), 0);
	ck_assert_uint_eq(size("4096"), 4096);
	ck_assert_uint_eq(size("10k"), 10000);
	ck_assert_uint_eq(size("10K"), 10000);
	ck_assert_uint_eq(size("10kB"), 10000);
	ck_assert_uint_eq(size("10KiB"), 10240);
	ck_assert_uint_eq(size("64MiB"), 67108864);
	ck_assert_uint_eq(size("64 Mi"), 67108864);
	ck_assert_uint_eq(size("1.5GB"), 1500000000);
	ck_assert_uint_eq(size("0.5Ki"), 512);
	ck_assert_uint_eq(size("2T"), 2000000000000);
	ck_assert_uint_eq(size("7B"), 7);
	ck_assert_uint_eq(size("18446744073709551614"), UINT64_MAX - 1);
}
END_TEST

START_TEST(what_is_no_size_is_refused)
{
	static const char *const bad[] = {"",
	                                  "k",
	                                  "-1",
	                                  "1.5",
	                                  "1,5k",
	                                  "10q",
	                                  "10kk",
	                                  "0x10",
	                                  "1e3",
	                                  "10 ",
	                                  ".5k",
	                                  "5.k",
	                                  "nan",
	                                  " 10",
	                                  "10kib",
	                                  "18446744073709551616",
	                                  "99999999999T"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(size(bad[i]) == UINT64_MAX, "'%s' was taken", bad[i]);
}
END_TEST

START_TEST(times_are_read_as_people_write_them)
{
	ck_assert_double_eq(seconds("0"), 0);
	ck_assert_double_eq_tol(seconds("0.5"), 0.5, 1e-12);
	ck_assert_double_eq_tol(seconds("100ms"), 0.1, 1e-12);
	ck_assert_double_eq_tol(seconds("20us"), 2e-5, 1e-15);
	ck_assert_double_eq_tol(seconds("5 ns"), 5e-9, 1e-18);
	ck_assert_double_eq(seconds("5m"), 300);
	ck_assert_double_eq(seconds("1.5h"), 5400);
	ck_assert_double_eq(seconds("2d"), 172800);
	ck_assert_double_eq(seconds("3s"), 3);
	static const char *const bad[] = {"", "s", "-1s", "1e3", "inf", "nan", "1 week", "1mss"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(seconds(bad[i]) == -1, "'%s' was taken", bad[i]);
}
END_TEST

START_TEST(every_kind_has_a_name_that_leads_back)
{
	for (int k = PT_KIND_BOOL; k <= PT_KIND_JSON; k++) {
		enum pt_kind back;
		ck_assert_int_eq(param_kind_parse(param_kind_name((enum pt_kind)k), &back), 0);
		ck_assert_int_eq(back, k);
	}
	enum pt_kind untouched = PT_KIND_FD;
	ck_assert_int_eq(param_kind_parse("colour", &untouched), -EINVAL);
	ck_assert_int_eq(untouched, PT_KIND_FD);
	ck_assert_str_eq(param_kind_name((enum pt_kind)99), "unknown");
}
END_TEST

static void expect_words(const struct pt_param *row, const char *expected)
{
	char *words = param_kind_words(row);
	ck_assert_str_eq(words, expected);
	free(words);
}

START_TEST(words_tell_range_and_choices)
{
	static const char *const colours[] = {"blue", "red", NULL};
	expect_words(&(struct pt_param){.kind = PT_KIND_INT}, "an integer");
	expect_words(&(struct pt_param){.kind = PT_KIND_INT, .min = 1, .max = 9},
	             "an integer from 1 to 9");
	expect_words(&(struct pt_param){.kind = PT_KIND_NUMBER, .min = 0.5},
	             "a number of at least 0.5");
	expect_words(&(struct pt_param){.kind = PT_KIND_CHOICE, .choices = colours},
	             "one of 'blue', 'red'");
}
END_TEST

static void expect_range(double min, double max, const char *expected)
{
	struct buf b = BUF_INIT;
	buf_adds(&b, "");
	param_range_doc(&b, min, max);
	ck_assert_str_eq(b.data ? b.data : "", expected);
	buf_free(&b);
}

START_TEST(help_tells_the_bounds_that_somebody_might_meet)
{
	expect_range(0, 0, "");
	expect_range(1, 9, " From 1 to 9.");
	expect_range(0, 0.5, " From 0 to 0.5.");
	expect_range(1, 1e15, " At least 1.");
	expect_range(0, 1e9, "");
	expect_range(-3, 0, " From -3 to 0.");
}
END_TEST

UNIT_TESTS("type/words", sizes_are_read_as_people_write_them, what_is_no_size_is_refused,
           times_are_read_as_people_write_them, every_kind_has_a_name_that_leads_back,
           words_tell_range_and_choices, help_tells_the_bounds_that_somebody_might_meet)
