/* SPDX-License-Identifier: BSD-2-Clause */
/* The heap of timers. */
#include "engine/timer.h"
#include "unit.h"

START_TEST(timers_come_out_in_order)
{
	struct timers t = {0};
	struct pt_timer timers[200] = {0};
	unsigned seed = 7;
	for (int i = 0; i < 200; i++)
		timers_set(&t, &timers[i], (uint64_t)(rand_r(&seed) % 1000));
	for (int i = 0; i < 200; i += 3)
		timers_stop(&t, &timers[i]);
	for (int i = 1; i < 200; i += 3)
		timers_set(&t, &timers[i], (uint64_t)(rand_r(&seed) % 1000));
	uint64_t before = 0;
	int count = 0;
	for (struct pt_timer *due; (due = timers_due(&t, UINT64_MAX - 1)); count++) {
		ck_assert_uint_ge(due->due_ns, before);
		ck_assert_uint_eq(due->place, 0);
		before = due->due_ns;
	}
	ck_assert_int_eq(count, 133);
	ck_assert_uint_eq(timers_next(&t), UINT64_MAX);
	timers_fini(&t);
}
END_TEST

START_TEST(what_is_not_due_stays)
{
	struct timers t = {0};
	struct pt_timer timer = {0};
	timers_set(&t, &timer, 100);
	ck_assert_ptr_null(timers_due(&t, 99));
	ck_assert_ptr_eq(timers_due(&t, 100), &timer);
	timers_stop(&t, &timer);
	timers_fini(&t);
}
END_TEST

UNIT_TESTS("engine/timer", timers_come_out_in_order, what_is_not_due_stays)
