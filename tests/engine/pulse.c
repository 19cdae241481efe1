/* SPDX-License-Identifier: BSD-2-Clause */
/* The sign of life of an engine's thread. */
#include "rig.h"
#include "unit.h"
#include <sched.h>
#include <uv.h>

static uv_sem_t entered, may_leave;

static struct pt_engine *make(void)
{
	struct pt_engine *e;
	ck_assert_int_eq(pt_engine_new("e", NULL, NULL, &e, NULL), 0);
	return e;
}

static void await_pulse(struct pt_engine *e)
{
	uint64_t before = pt_engine_pulse(e);
	while (pt_engine_pulse(e) == before)
		sched_yield();
}

/* [engine's thread] */
static void linger(struct pt_request *r)
{
	rig_request_clear(r);
	uv_sem_post(&entered);
	uv_sem_wait(&may_leave);
}

static void hang(struct pt_engine *e)
{
	uv_sem_init(&entered, 0);
	uv_sem_init(&may_leave, 0);
	static struct pt_request question;
	rig_request(&question, "close", "{\"block\": \"none\"}");
	question.done = linger;
	pt_engine_ask(e, &question);
	uv_sem_wait(&entered);
}

START_TEST(who_sleeps_lives)
{
	struct pt_engine *e = make();
	await_pulse(e);
	await_pulse(e);
	pt_engine_free(e);
}
END_TEST

/* While the pulse of another goes on. */
static void expect_none(struct pt_engine *stuck)
{
	struct pt_engine *other = make();
	uint64_t pulse = pt_engine_pulse(stuck);
	for (int i = 0; i < 1000; i++) {
		await_pulse(other);
		ck_assert_uint_eq(pt_engine_pulse(stuck), pulse);
	}
	pt_engine_free(other);
}

START_TEST(who_is_stuck_has_no_pulse_until_it_goes_on)
{
	struct pt_engine *e = make();
	hang(e);
	expect_none(e);
	uv_sem_post(&may_leave);
	await_pulse(e);
	pt_engine_free(e);
}
END_TEST

START_TEST(one_that_is_to_end_can_be_watched_until_it_has)
{
	struct pt_engine *e = make();
	hang(e);
	pt_engine_end(e);
	expect_none(e);
	uv_sem_post(&may_leave);
	pt_engine_free(e);
}
END_TEST

UNIT_TESTS("engine/pulse", who_sleeps_lives, who_is_stuck_has_no_pulse_until_it_goes_on,
           one_that_is_to_end_can_be_watched_until_it_has)
