/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers and shares of hosts. */
#include "ctl/fleet_wave.h"

#include "unit.h"
#include <string.h>

static void expect(const char *text, size_t hosts, size_t count, const size_t *wanted)
{
	size_t *totals, got;
	ck_assert_int_eq(waves_read(text, hosts, &totals, &got, NULL), 0);
	ck_assert_uint_eq(got, count);
	for (size_t i = 0; i < count; i++)
		ck_assert_uint_eq(totals[i], wanted[i]);
	free(totals);
}

START_TEST(waves_are_running_totals_rounded_up)
{
	expect(WAVES_USUAL, 1000, 3, (const size_t[]){1, 100, 1000});
	expect(WAVES_USUAL, 11, 3, (const size_t[]){1, 2, 11});
	expect(WAVES_USUAL, 20, 3, (const size_t[]){1, 2, 20});
	expect(WAVES_USUAL, 3, 2, (const size_t[]){1, 3});
	expect(WAVES_USUAL, 1, 1, (const size_t[]){1});
	expect(WAVES_USUAL, 0, 0, NULL);
	expect("5,3,7", 6, 2, (const size_t[]){5, 6});
	expect("0.1%,50%", 10, 2, (const size_t[]){1, 5});
	expect("0,100%", 4, 1, (const size_t[]){4});
}
END_TEST

START_TEST(other_words_are_no_waves)
{
	static const char *const texts[] = {"",    "1,,2", "x",   "1x",  "101%", "-1",
	                                    "1.5", "50%%", "1 %", "0x5", "1e1"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		size_t *totals, count;
		ck_assert_msg(waves_read(texts[i], 9, &totals, &count, NULL) == -PT_EREQUEST, "%s",
		              texts[i]);
		ck_assert_ptr_null(totals);
	}
}
END_TEST

START_TEST(a_share_is_rounded_down)
{
	size_t number;
	ck_assert_int_eq(waves_share("x", "5%", 39, &number, NULL), 0);
	ck_assert_uint_eq(number, 1);
	ck_assert_int_eq(waves_share("x", "0%", 39, &number, NULL), 0);
	ck_assert_uint_eq(number, 0);
	ck_assert_int_eq(waves_share("x", "5", 39, &number, NULL), -PT_EREQUEST);
}
END_TEST

UNIT_TESTS("ctl/fleet_wave", waves_are_running_totals_rounded_up, other_words_are_no_waves,
           a_share_is_rounded_down)
