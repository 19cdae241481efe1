/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of top: rates of two looks, order, filter, and the last minute. */
#include "ctl/top.h"

#include "base/buf.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

static json_t *parsed(const char *text)
{
	json_error_t fault;
	json_t *json = json_loads(text, 0, &fault);
	ck_assert_msg(json, "%s", fault.text);
	return json;
}

/* Two seconds between the looks. */
static const char before[] =
	"{\"web\": {\"engine\": \"web\", \"state\": \"running\", \"cpu_ns\": 0, \"total\": "
	"{\"in\": 100, \"out\": 50}, \"blocks\": [{\"name\": \"s\", \"in\": 100, \"out\": 100, "
	"\"waits_for\": []}], \"links\": [{\"from\": \"s\", \"to\": \"k\", \"canal\": \"low\", "
	"\"bytes\": 1000}]}}";
static const char now[] =
	"{\"web\": {\"engine\": \"web\", \"state\": \"running\", \"uptime_s\": 3700, \"cpu_ns\": "
	"1000000000, \"total\": {\"in\": 300, \"out\": 60, \"filtered\": 5, \"dropped\": 0}, "
	"\"blocks\": [{\"name\": \"s\", \"state\": \"running\", \"in\": 300, \"out\": 300, "
	"\"cpu_ns\": 0, \"waits_for\": [\"k\", \"l\"]}, {\"name\": \"k\", \"state\": \"failed\", "
	"\"in\": 300, \"out\": 290, \"held\": 3, \"dropped\": {\"overflow\": 4, \"own\": 3}, "
	"\"errors\": 2, \"last_error\": \"it is full\\ntrace\"}], \"links\": [{\"from\": \"s\", "
	"\"to\": \"k\", \"canal\": \"low\", "
	"\"bytes\": 2000}, {\"from\": \"s\", \"to\": \"k\", \"canal\": \"low\", \"bytes\": 900}, "
	"{\"from\": \"s\", \"to\": \"k\", \"canal\": \"trigger\", \"bytes\": 5}]}, "
	"\"off\": {\"engine\": \"off\", \"state\": \"failed\", \"why\": \"no interface\"}}";

static void begin(struct top *t, const char *engine)
{
	*t = (struct top){.before = parsed(before), .now = parsed(now), .before_s = 1, .now_s = 3};
	top_enter(t, engine);
}

static void expect_cell(const struct top *t, size_t row, enum top_column c, const char *wanted)
{
	struct buf cell = BUF_INIT;
	top_cell(&cell, t, &t->rows[row], c);
	ck_assert_str_eq(cell.data ? cell.data : "", wanted);
	buf_free(&cell);
}

START_TEST(engines_have_rates_of_what_their_sources_send)
{
	static const char *const web[] = {"web", "running", "1:01:40", "100",  "5",   "4,000",
	                                  "5",   "0",       "3",       "50.0", "k, l"};
	struct top t;
	begin(&t, NULL);
	ck_assert_uint_eq(t.count, 2);
	for (enum top_column c = 0; c < TOP_COLUMNS; c++)
		expect_cell(&t, 0, c, web[c]);
	expect_cell(&t, 1, TOP_C_STATE, "failed");
	expect_cell(&t, 1, TOP_C_IN, "-");
	ck_assert(top_is_red(&t.rows[0], TOP_C_NAME)); /* a block has met errors */
	ck_assert_str_eq(t.rows[0].trouble, "k has failed, dropped 4 overflow, 3 own: it is full");
	ck_assert_str_eq(t.rows[1].trouble, "no interface");
	ck_assert(top_is_red(&t.rows[1], TOP_C_STATE));
	ck_assert(!top_is_red(&t.rows[0], TOP_C_DROPPED));
	ck_assert_uint_eq(t.running, 1);
	ck_assert_uint_eq(t.failed, 1);
	top_fini(&t);
}
END_TEST

START_TEST(blocks_of_an_engine)
{
	struct top t;
	begin(&t, "web");
	ck_assert_uint_eq(t.count, 2);
	expect_cell(&t, 0, TOP_C_NAME, "s");
	expect_cell(&t, 0, TOP_C_BITS, "4,000");
	expect_cell(&t, 0, TOP_C_WAITS, "k, l");
	expect_cell(&t, 1, TOP_C_NAME, "k");
	expect_cell(&t, 1, TOP_C_IN, "-"); /* it was not there before */
	expect_cell(&t, 1, TOP_C_DROPPED, "7");
	ck_assert(top_is_red(&t.rows[1], TOP_C_DROPPED));
	top_enter(&t, NULL);
	ck_assert_str_eq(t.rows[0].name, "web");
	top_fini(&t);
}
END_TEST

START_TEST(a_key_sorts_and_turns_round)
{
	struct top t;
	begin(&t, "web");
	top_sort_by(&t, TOP_DROPS);
	ck_assert_str_eq(t.rows[0].name, "k");
	top_sort_by(&t, TOP_DROPS);
	ck_assert_str_eq(t.rows[0].name, "s");
	top_sort_by(&t, TOP_HELD);
	ck_assert_str_eq(t.rows[0].name, "k");
	top_sort_by(&t, TOP_NAME);
	ck_assert_str_eq(t.rows[0].name, "k");
	top_sort_by(&t, TOP_NAME);
	ck_assert_str_eq(t.rows[0].name, "s");
	top_sort_by(&t, TOP_BYTES);
	ck_assert_str_eq(t.rows[0].name, "s");
	top_fini(&t);
}
END_TEST

START_TEST(a_filter_leaves_names_out)
{
	struct top t;
	begin(&t, NULL);
	strcpy(t.filter, "O");
	top_arrange(&t);
	ck_assert_uint_eq(t.count, 1);
	ck_assert_uint_eq(t.all, 2);
	ck_assert_str_eq(t.rows[0].name, "off");
	top_fini(&t);
}
END_TEST

START_TEST(large_numbers_are_short)
{
	static const struct {
		double n;
		const char *text;
	} cases[] = {{0, "0"},           {99999, "99,999"},   {123456, "123k"},   {999499, "999k"},
	             {1234567, "1.23M"}, {12345678, "12.3M"}, {999.6e6, "1.00G"}, {-1, "-"}};
	struct top t;
	begin(&t, NULL);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		t.rows[0].bits = cases[i].n;
		expect_cell(&t, 0, TOP_C_BITS, cases[i].text);
	}
	top_fini(&t);
}
END_TEST

START_TEST(the_minute_has_the_newest_last)
{
	struct top t;
	double rates[4];
	begin(&t, "web");
	struct top_past *past = must_calloc(1, sizeof *past);
	*past = (struct top_past){.name = must_strdup("web"),
	                          .at_s = {20, 100, 101, 119.9},
	                          .rate = {9, 1, 3, 7},
	                          .count = 4};
	map_set(&t.past, past->name, past);
	t.now_s = 120;
	top_minute(&t, rates, 4);
	ck_assert_double_eq(rates[0], -1); /* of 60 to 75 nothing is known */
	ck_assert_double_eq(rates[1], -1);
	ck_assert_double_eq(rates[2], 2);
	ck_assert_double_eq(rates[3], 7);
	top_fini(&t);
}
END_TEST

UNIT_TESTS("ctl/top", engines_have_rates_of_what_their_sources_send, blocks_of_an_engine,
           a_key_sorts_and_turns_round, a_filter_leaves_names_out, large_numbers_are_short,
           the_minute_has_the_newest_last)
