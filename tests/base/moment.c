/* SPDX-License-Identifier: BSD-2-Clause */
/* Moments as numbers and as text. */
#include "unit.h"

#include "base/moment.h"
#include <errno.h>
#include <math.h>

START_TEST(whole_microseconds_survive_being_a_double)
{
	for (int64_t us = INT64_C(1700000000000000); us < INT64_C(1700000000000000) + 100000;
	     us++) {
		int64_t ns, later;
		ck_assert_int_eq(moment_from_seconds(moment_seconds(us * 1000), &ns), 0);
		ck_assert_int_eq(ns, us * 1000);
		ck_assert_int_eq(moment_from_seconds(moment_seconds(us * 1000) + 3600, &later), 0);
		ck_assert_int_eq(later, us * 1000 + 3600 * MOMENT_S);
	}
}
END_TEST

START_TEST(a_double_is_the_nearest_nanosecond)
{
	static const struct {
		double seconds;
		int64_t ns;
	} rows[] = {{0, 0},
	            {1.5, 1500000000},
	            {-0.25, -250000000},
	            {1e-9, 1},
	            {5e-7, 500},
	            {0.999999999, 999999999},
	            {0.9999999996, 1000000000},
	            {-1e-9, -1},
	            {1700000000.123456789, 1700000000123456717},
	            {1700000000.654321, 1700000000654321000},
	            {-9223372036, -9223372036000000000},
	            {9223372035.5, 9223372035500000000}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t ns;
		ck_assert_int_eq(moment_from_seconds(rows[i].seconds, &ns), 0);
		ck_assert_int_eq(ns, rows[i].ns);
	}
	static const double far[] = {9223372036, -9223372037, 1e300, -INFINITY, NAN};
	for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
		int64_t ns = 7;
		ck_assert_int_eq(moment_from_seconds(far[i], &ns), -ERANGE);
		ck_assert_int_eq(ns, 7);
	}
}
END_TEST

START_TEST(a_moment_is_printed_and_read_without_loss)
{
	static const struct {
		int64_t ns;
		const char *text;
	} rows[] = {{0, "0.000000000"},
	            {1, "0.000000001"},
	            {-1, "-0.000000001"},
	            {-1500000000, "-1.500000000"},
	            {1700000000123456789, "1700000000.123456789"},
	            {INT64_MAX, "9223372036.854775807"},
	            {INT64_MIN, "-9223372036.854775808"}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[MOMENT_MAX];
		int64_t ns;
		moment_print(rows[i].ns, text);
		ck_assert_str_eq(text, rows[i].text);
		ck_assert_int_eq(moment_parse(text, &ns), 0);
		ck_assert_int_eq(ns, rows[i].ns);
	}
}
END_TEST

static void expect_code(int (*parse)(const char *, int64_t *), const char *text, int code)
{
	int64_t ns = 7;
	ck_assert_msg(parse(text, &ns) == code, "%s", text);
	ck_assert_int_eq(ns, 7);
}

START_TEST(what_is_no_moment_is_none)
{
	static const char *const wrong[] = {
		"",    "-",   "--1",          "+1",    ".5",   "1.5s",  "1 ",           " 1",
		"1e3", "0x1", "1.0000000001", "1.2.3", "nope", "1,500", "1.00000000001"};
	int64_t ns;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		expect_code(moment_parse, wrong[i], -EINVAL);
	expect_code(moment_parse, "9223372036.854775808", -ERANGE);
	expect_code(moment_parse, "-9223372036.854775809", -ERANGE);
	expect_code(moment_parse, "99999999999999999999", -ERANGE);
	ck_assert_int_eq(moment_parse("1.5000000000000", &ns), 0);
	ck_assert_int_eq(ns, 1500000000);
	ck_assert_int_eq(moment_parse("1.", &ns), 0);
	ck_assert_int_eq(ns, 1000000000);
}
END_TEST

START_TEST(a_span_is_a_sum_of_units)
{
	static const struct {
		const char *text;
		int64_t ns;
	} rows[] = {{"1h", 3600 * MOMENT_S},
	            {"-1h", -3600 * MOMENT_S},
	            {"+1h30m", 5400 * MOMENT_S},
	            {"-1d1h1m1s1ms1us1ns", -90061001001001},
	            {"250us", 250000},
	            {"1.5s", 1500000000},
	            {"-0.000000001s", -1},
	            {"0.5h", 1800 * MOMENT_S},
	            {"1ns", 1},
	            {"1.0ns", 1},
	            {"0s", 0},
	            {"106751d", 106751 * (86400 * MOMENT_S)},
	            {"-9223372036854775808ns", INT64_MIN}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t ns;
		ck_assert_msg(moment_parse_span(rows[i].text, &ns) == 0, "%s", rows[i].text);
		ck_assert_int_eq(ns, rows[i].ns);
	}
	static const char *const wrong[] = {
		"",    "-",    "1",    "h",     "1x",   "1h-30m", "1 h",
		"1hh", "--1h", "1.h.", "0.5ns", "1h30", "1s ",    "0.0000000001s"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		expect_code(moment_parse_span, wrong[i], -EINVAL);
	expect_code(moment_parse_span, "106752d", -ERANGE);
	expect_code(moment_parse_span, "100000d100000d", -ERANGE);
}
END_TEST

UNIT_TESTS("base/moment", whole_microseconds_survive_being_a_double,
           a_double_is_the_nearest_nanosecond, a_moment_is_printed_and_read_without_loss,
           what_is_no_moment_is_none, a_span_is_a_sum_of_units)
