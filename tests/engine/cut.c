/* SPDX-License-Identifier: BSD-2-Clause */
/* Checkpoints of a graph. */
#include "engine/cut.h"

#include "base/json.h"
#include "engine/carry.h"
#include "engine/ring.h"
#include "rig.h"
#include "type/type.h"
#include "unit.h"
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* ---- a sink that is not where it is until it is told to be ---- */

struct slow {
	int64_t seen, noted;
	bool is_settled;
	unsigned committed;
	uint64_t takes_ns; /* to tell what it carries */
};

static void see(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	struct slow *s = pt_state(b);
	s->seen++;
	pt_came_on(b);
	pt_done(b, m);
}

static bool settle(struct pt_block *b, bool begin)
{
	struct slow *s = pt_state(b);
	if (begin)
		s->noted = s->seen;
	return s->is_settled;
}

static void carry(struct pt_block *b, struct pt_carry *carry)
{
	const struct slow *s = pt_state(b);
	b->engine->fake_now_ns += s->takes_ns;
	if (pt_carry_exact(carry))
		pt_carry_bytes(carry, "seen", &s->noted, sizeof s->noted);
}

static void end_unsettled(struct pt_block *b)
{
	if (!((struct slow *)pt_state(b))->is_settled)
		pt_unsettled(b);
}

static void count_committed(struct pt_block *b)
{
	((struct slow *)pt_state(b))->committed++;
}

static const struct pt_type slow = {
	.api = PT_API,
	.name = "Slow",
	.role = PT_SINK,
	.ports = PT_LOW_ENTRY,
	.size = sizeof(struct slow),
	.push = see,
	.settle = settle,
	.carry = carry,
	.committed = count_committed,
	.stop = end_unsettled,
};

/* ---- who would store it ---- */

static struct stored {
	uint64_t cut, committed;
	int64_t seen;
	bool late;
	unsigned tries;
	json_t *resumed;
} stored;

static void hear(void *arg, const char *block, const char *type, struct pt_carry *carry)
{
	size_t count;
	const struct carry_item *items = carry ? carry_items(carry, &count) : NULL;
	for (size_t i = 0; items && i < count; i++)
		if (!strcmp(items[i].key, "seen"))
			memcpy(&stored.seen, items[i].bytes, sizeof stored.seen);
	if (carry && !strcmp(type, "Slow"))
		stored.cut = carry_cut(carry);
	carry_free(carry);
}

static bool hear_commit(void *arg, uint64_t cut, bool must)
{
	if (stored.late && !must)
		return false;
	stored.committed = cut;
	return true;
}

static struct rig *bench(void)
{
	if (!type_find("Slow"))
		ck_assert_int_eq(type_add(&slow, NULL), 0);
	struct rig *r = rig_graph("f = CLIFeeder(); it = Slow(); q = QueueSink(); f > it; f > q");
	stored = (struct stored){0};
	ck_assert(ask(r, "stop", "{}"));
	rig_engine(r)->hooks.carry = hear;
	rig_engine(r)->hooks.commit = hear_commit;
	((struct slow *)pt_state(rig_block(r, "it")))->is_settled = true;
	ck_assert(ask(r, "start", "{}"));
	turn(r);
	pass_time(r, 0.2);
	ck_assert(stored.committed);
	return r;
}

static struct slow *slow_of(struct rig *r)
{
	return pt_state(rig_block(r, "it"));
}

static void answered(struct pt_request *r)
{
	*(bool *)r->tap.arg = true;
}

static void send_one(struct rig *r, struct pt_request *request, bool *done)
{
	rig_request(request, "send", "{\"block\": \"f\", \"message\": {\"message\": \"m\"}}");
	request->done = answered;
	request->tap.arg = done;
	pt_engine_ask(rig_engine(r), request);
	turn(r);
	turn(r);
}

START_TEST(what_is_sent_is_answered_when_it_is_behind_a_checkpoint)
{
	struct rig *r = bench();
	struct pt_request request;
	bool done = false;
	uint64_t before = stored.committed;
	unsigned told = slow_of(r)->committed;
	slow_of(r)->is_settled = false;
	send_one(r, &request, &done);
	ck_assert(!done && slow_of(r)->seen == 1 && stored.committed == before);
	ck_assert_int_eq(stored.seen, 0);
	slow_of(r)->seen = 7; /* it goes on, and what was noted stays */
	pt_came_on(rig_block(r, "it"));
	slow_of(r)->is_settled = true;
	turn(r);
	pt_wake(rig_block(r, "it"));
	turn(r);
	ck_assert(done && stored.committed > before && stored.cut == stored.committed);
	ck_assert_int_eq(stored.seen, 1);
	ck_assert_uint_eq(slow_of(r)->committed, told + 1);
	pass_time(r, 0.2);
	ck_assert_int_eq(stored.seen, 7);
	rig_request_clear(&request);
	rig_end(r);
}
END_TEST

START_TEST(a_change_in_between_takes_another)
{
	struct rig *r = bench();
	struct pt_request request;
	bool done = false;
	slow_of(r)->is_settled = false;
	send_one(r, &request, &done);
	uint64_t number = rig_engine(r)->cuts.number;
	ck_assert(ask_change(r, "other = QueueSink(); f > other"));
	ck_assert(!done);
	ck_assert_uint_eq(rig_engine(r)->cuts.number, number + 1);
	slow_of(r)->is_settled = true;
	pt_wake(rig_block(r, "it"));
	turn(r);
	ck_assert(done && stored.committed == number + 1);
	rig_request_clear(&request);
	rig_end(r);
}
END_TEST

START_TEST(what_takes_long_to_tell_is_told_the_less_often)
{
	struct rig *r = bench();
	const struct cuts *cuts = &rig_engine(r)->cuts;
	uint64_t number = cuts->number;
	slow_of(r)->takes_ns = 50000000;
	pt_came_on(rig_block(r, "it"));
	pass_time(r, 0.2);
	ck_assert_uint_eq(cuts->number, number + 1);
	pt_carry_changed(rig_block(r, "it"));
	pass_time(r, 0.2);
	ck_assert_uint_eq(cuts->number, number + 1);
	pass_time(r, 0.2);
	ck_assert_uint_eq(cuts->number, number + 2);
	rig_end(r);
}
END_TEST

START_TEST(what_changes_once_is_told_soon_and_what_always_does_in_its_time)
{
	struct rig *r = bench();
	const struct cuts *cuts = &rig_engine(r)->cuts;
	uint64_t number = cuts->number;
	pt_carry_changed(rig_block(r, "it"));
	pass_time(r, 0.01);
	ck_assert_uint_eq(cuts->number, number + 1);
	for (unsigned i = 0; i < 95; i++) {
		pt_carry_changed(rig_block(r, "it"));
		pass_time(r, 0.01);
	}
	ck_assert_uint_eq(cuts->number, number + 10);
	pass_time(r, 0.2);
	number = cuts->number;
	pt_came_on(rig_block(r, "it"));
	pass_time(r, 0.2);
	pt_carry_changed(rig_block(r, "it"));
	pass_time(r, 0.01);
	ck_assert_uint_eq(cuts->number, number + 2);
	pt_brims(rig_block(r, "it"));
	pass_time(r, 0.001);
	ck_assert_uint_eq(cuts->number, number + 3);
	rig_end(r);
}
END_TEST

START_TEST(nothing_flows_and_nothing_is_done)
{
	struct rig *r = bench();
	uint64_t number = rig_engine(r)->cuts.number;
	pass_time(r, 10);
	ck_assert_uint_eq(rig_engine(r)->cuts.number, number);
	rig_end(r);
}
END_TEST

START_TEST(without_a_source_that_goes_back_there_is_none)
{
	struct rig *r = bench();
	struct pt_request request;
	bool done = false;
	slow_of(r)->is_settled = false;
	send_one(r, &request, &done);
	ck_assert(ask(r, "stop", "{}"));
	ck_assert(done && !rig_engine(r)->cuts.on && !rig_engine(r)->cuts.exact);
	rig_request_clear(&request);
	rig_end(r);
}
END_TEST

START_TEST(what_cannot_be_committed_yet_is_tried_again)
{
	struct rig *r = bench();
	struct pt_request request;
	bool done = false;
	stored.late = true;
	send_one(r, &request, &done);
	pass_time(r, 0.01);
	ck_assert(!done && rig_engine(r)->cuts.pending);
	stored.late = false;
	pass_time(r, 0.01);
	ck_assert(done && stored.committed == rig_engine(r)->cuts.number);
	rig_request_clear(&request);
	rig_end(r);
}
END_TEST

START_TEST(a_sink_may_wait_where_sources_can_and_nobody_asks)
{
	struct rig *r = bench();
	struct pt_request request;
	bool done = false;
	ck_assert(!pt_may_wait(rig_block(r, "it")));
	pt_keeps(rig_block(r, "f"));
	ck_assert(pt_may_wait(rig_block(r, "it")));
	slow_of(r)->is_settled = false;
	send_one(r, &request, &done);
	ck_assert(!done && !pt_may_wait(rig_block(r, "it")));
	slow_of(r)->is_settled = true;
	turn(r);
	ck_assert(done && pt_may_wait(rig_block(r, "it")));
	rig_request_clear(&request);
	ck_assert(ask(r, "stop", "{}"));
	ck_assert(!rig_engine(r)->cuts.keeps && !pt_may_wait(rig_block(r, "it")));
	rig_end(r);
}
END_TEST

static void expect_end(bool keeps, bool is_settled, bool commits)
{
	struct rig *r = bench();
	if (keeps)
		pt_keeps(rig_block(r, "f"));
	slow_of(r)->is_settled = is_settled;
	uint64_t before = stored.committed;
	rig_engine(r)->suspending = true;
	ck_assert(ask(r, "stop", "{}"));
	ck_assert_uint_eq(stored.committed, before + commits);
	rig_end(r);
}

START_TEST(an_end_that_leaves_something_unsettled_is_none_to_go_on_from)
{
	expect_end(false, false, true);
	expect_end(true, true, true);
	expect_end(true, false, false);
}
END_TEST

/* No source has work, and no timer is due: nothing else would turn the loop. */
static void expect_stop_behind_commit(struct rig *r)
{
	struct pt_engine *e = rig_engine(r);
	struct pollfd awake = {.fd = uv_backend_fd(&e->loop), .events = POLLIN};
	struct pt_request request;
	bool done = false;
	rig_request(&request, "stop", "{}");
	request.done = answered;
	request.tap.arg = &done;
	pt_engine_ask(e, &request);
	turn(r);
	turn(r);
	ck_assert(!done && cut_holds(e));
	ck_assert_int_eq(poll(&awake, 1, 0), 0);
	stored.late = false;
	engine_settle(e);
	ck_assert(!cut_holds(e));
	ck_assert_int_eq(poll(&awake, 1, 0), 1);
	while (!done) /* a worker stops it */
		uv_run(&e->loop, UV_RUN_ONCE);
	rig_request_clear(&request);
}

START_TEST(what_waits_for_the_first_one_goes_on_behind_it)
{
	struct rig *r = bench();
	ck_assert(ask(r, "stop", "{}"));
	stored.late = true;
	ck_assert(ask(r, "start", "{}"));
	expect_stop_behind_commit(r);
	rig_end(r);
}
END_TEST

/* ---- going on ---- */

static void hear_tries(void *arg, unsigned tries)
{
	stored.tries = tries;
}

static void hear_resumed(void *arg, json_t *resumed)
{
	json_decref(stored.resumed);
	stored.resumed = resumed;
}

static struct rig *again(unsigned tries)
{
	struct rig *r = bench();
	struct pt_engine *e = rig_engine(r);
	ck_assert(ask(r, "stop", "{}"));
	e->hooks.tries = hear_tries;
	e->hooks.resumed = hear_resumed;
	stored.tries = tries;
	pt_engine_resume(e, &(struct pt_resumed){7, 1, tries, "crash"});
	ck_assert(ask(r, "start", "{}"));
	ck_assert_str_eq(text_of(stored.resumed, "why"), "crash");
	ck_assert(number_of(stored.resumed, "gap_s") > 1e9);
	return r;
}

static void end_again(struct rig *r)
{
	json_decref(stored.resumed);
	rig_end(r);
}

START_TEST(each_try_of_a_checkpoint_is_told_until_it_went_well)
{
	struct rig *r = again(2);
	struct pt_engine *e = rig_engine(r);
	ck_assert(e->resume.careful && !e->resume.poisoned);
	ck_assert_uint_eq(stored.tries, 2);
	resume_try(e);
	resume_try(e);
	ck_assert_uint_eq(stored.tries, 3);
	turn(r);
	ck_assert_uint_eq(stored.tries, 3); /* nothing has come out: it is the same place */
	struct pt_request request;
	bool done = false;
	send_one(r, &request, &done);
	turn(r);
	ck_assert(done);
	ck_assert_uint_eq(stored.tries, 0);
	resume_try(e);
	ck_assert_uint_eq(stored.tries, 1);
	pass_time(r, 1.1);
	ck_assert(stored.tries == 0 && !e->resume.careful && !e->resume.watches);
	rig_request_clear(&request);
	end_again(r);
}
END_TEST

START_TEST(what_waits_for_one_of_a_careful_daemon_goes_on_behind_it)
{
	struct rig *r = again(2);
	turn(r);
	ck_assert(!cut_holds(rig_engine(r)));
	stored.late = true;
	pt_came_on(rig_block(r, "it"));
	expect_stop_behind_commit(r);
	end_again(r);
}
END_TEST

START_TEST(after_three_tries_what_comes_next_is_left_out)
{
	struct rig *r = again(3);
	ck_assert(!rig_engine(r)->resume.poisoned && rig_engine(r)->resume.careful);
	ck_assert_uint_eq(stored.tries, 0);
	end_again(r);
}
END_TEST

UNIT_TESTS("engine/cut", what_is_sent_is_answered_when_it_is_behind_a_checkpoint,
           a_change_in_between_takes_another, what_takes_long_to_tell_is_told_the_less_often,
           what_changes_once_is_told_soon_and_what_always_does_in_its_time,
           nothing_flows_and_nothing_is_done, without_a_source_that_goes_back_there_is_none,
           what_cannot_be_committed_yet_is_tried_again,
           a_sink_may_wait_where_sources_can_and_nobody_asks,
           an_end_that_leaves_something_unsettled_is_none_to_go_on_from,
           what_waits_for_the_first_one_goes_on_behind_it,
           each_try_of_a_checkpoint_is_told_until_it_went_well,
           what_waits_for_one_of_a_careful_daemon_goes_on_behind_it,
           after_three_tries_what_comes_next_is_left_out)
