/* SPDX-License-Identifier: BSD-2-Clause */
/* Terms about what was counted before a change, and after it. */
#include "fleet/gate.h"

#include "unit.h"
#include <string.h>

static struct gate_counts counts(double time_s, double messages, double dropped, double errors,
                                 double filtered)
{
	return (struct gate_counts){.known = true,
	                            .messages = messages,
	                            .dropped = dropped,
	                            .errors = errors,
	                            .filtered = filtered,
	                            .time_s = time_s};
}

/* Whether it holds; why not, is looked for. */
static bool holds(const char *text, struct gate_counts before, struct gate_counts now,
                  const char *words)
{
	struct pt_error err = PT_ERROR_INIT;
	struct buf why = BUF_INIT;
	struct gate *gate;
	ck_assert_msg(!gate_read(text, &gate, &err), "%s", pt_error_text(&err, text));
	bool held = gate_holds(gate, &before, &now, &why);
	ck_assert_int_eq(held, !why.length);
	if (!held)
		ck_assert_msg(strstr(why.data, words), "'%s' not in '%s'", words, why.data);
	gate_free(gate);
	buf_free(&why);
	return held;
}

static const struct gate_counts none = {.known = false};

START_TEST(numbers_are_of_what_came_since)
{
	const struct gate_counts now = counts(1, 1000, 10, 3, 500);
	ck_assert(holds("dropped < 11", none, now, ""));
	ck_assert(!holds("dropped < 10", none, now, "10 of 1000 messages were dropped (1.00%)"));
	ck_assert(holds("dropped < 1.1%", none, now, ""));
	ck_assert(!holds("dropped<1%", none, now, "not 'dropped<1%'"));
	ck_assert(holds("messages > 999 and errors < 4 and filtered < 51%", none, now, ""));
	ck_assert(!holds("messages > 999 and errors < 3 and filtered < 51%", none, now,
	                 "3 of 1000 messages ended in errors"));
	ck_assert(!holds("messages > 1000", none, now, "1000 of 1000 messages came"));
}
END_TEST

START_TEST(before_is_the_same_share_or_as_many_in_so_long)
{
	const struct gate_counts before = counts(10, 1000, 100, 0, 0);
	ck_assert(holds(GATE_USUAL, before, counts(1, 50, 5, 0, 0), ""));
	ck_assert(!holds(GATE_USUAL, before, counts(1, 50, 6, 0, 0), "10.00% before"));
	ck_assert(holds(GATE_USUAL, none, counts(1, 50, 0, 0, 0), ""));
	ck_assert(!holds(GATE_USUAL, none, counts(1, 0, 1, 0, 0), "(100.00%)"));
	ck_assert(holds("dropped < before + 1", before, counts(1, 50, 10, 0, 0), ""));
	ck_assert(!holds("dropped < before + 1", before, counts(1, 50, 11, 0, 0), "before"));
}
END_TEST

START_TEST(what_flowed_before_has_to_flow_in_as_long_a_time)
{
	const struct gate_counts before = counts(10, 20, 0, 0, 0);
	ck_assert(gate_flows(&before, &(struct gate_counts){.time_s = 5, .messages = 1}));
	ck_assert(!gate_flows(&before, &(struct gate_counts){.time_s = 0.5}));
	ck_assert(gate_flows(&before, &(struct gate_counts){.time_s = 0.4}));
	ck_assert(gate_flows(&none, &(struct gate_counts){.time_s = 5}));
}
END_TEST

START_TEST(what_is_no_gate_is_refused)
{
	static const char *const texts[] = {
		"",
		"dropped",
		"dropped < ",
		"dropped > 1",
		"lost < 1",
		"messages<1",
		"messages > 1%",
		"messages > before+1",
		"dropped<1 and",
		"dropped < -1",
		"dropped < 1 or errors < 1",
		"dropped < before",
		"droppedx < 1",
		"dropped < 1%%",
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct pt_error err = PT_ERROR_INIT;
		struct gate *gate;
		ck_assert_msg(gate_read(texts[i], &gate, &err) == -PT_EREQUEST, "%s", texts[i]);
		ck_assert_ptr_nonnull(strstr(err.faults[0].hint, "messages > 100"));
		pt_error_clear(&err);
	}
}
END_TEST

START_TEST(what_began_anew_is_not_compared)
{
	struct gate_counts from = counts(1, 10, 1, 0, 0), to = counts(3, 30, 2, 0, 0), between;
	from.uptime_s = 100;
	to.uptime_s = 102;
	ck_assert(gate_since(&from, &to, &between));
	ck_assert_double_eq(between.messages, 20);
	ck_assert_double_eq(between.time_s, 2);
	to.uptime_s = 1;
	ck_assert(!gate_since(&from, &to, &between));
	ck_assert(!gate_since(&none, &to, &between));
	ck_assert_double_eq(between.messages, 0);
}
END_TEST

UNIT_TESTS("fleet/gate", numbers_are_of_what_came_since,
           before_is_the_same_share_or_as_many_in_so_long,
           what_flowed_before_has_to_flow_in_as_long_a_time, what_is_no_gate_is_refused,
           what_began_anew_is_not_compared)
