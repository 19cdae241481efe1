/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes of a running engine: all or nothing, and nothing is lost. */
#include "rig.h"
#include "type/type.h"
#include "unit.h"
#include <string.h>

/* ---- a type whose opening can be made to fail ---- */

static int fail_at, opened, closed; /* the fail_at-th open fails; 0: none does */

static int open_it(struct pt_block *b, struct pt_error *err)
{
	opened++;
	if (fail_at && opened == fail_at)
		return pt_fail(err, -ENODEV, NULL, "the bench says no");
	return 0;
}

static int close_it(struct pt_block *b, struct pt_error *err)
{
	closed++;
	return 0;
}

static const struct pt_type fragile = {
	.api = PT_API,
	.name = "Fragile",
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT,
	.routes = PT_ROUTE(PT_LOW, PT_LOW),
	.open = open_it,
	.close = close_it,
};

/* ---- a type that bears nothing while it does not run ---- */

static bool runs;
static unsigned came;

static void start_strict(struct pt_block *b)
{
	runs = true;
}

static void stop_strict(struct pt_block *b)
{
	runs = false;
}

static void push_strict(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	ck_assert(runs);
	came++;
	pt_done(b, m);
}

static void trigger_strict(struct pt_block *b)
{
	ck_assert(runs);
}

static const struct pt_type strict = {
	.api = PT_API,
	.name = "Strict",
	.role = PT_SINK,
	.ports = PT_LOW_ENTRY | PT_TRIGGER_ENTRY,
	.start = start_strict,
	.stop = stop_strict,
	.push = push_strict,
	.trigger = trigger_strict,
};

static struct rig *bench(const char *text)
{
	if (!type_find("Fragile")) {
		ck_assert_int_eq(type_add(&fragile, NULL), 0);
		ck_assert_int_eq(type_add(&strict, NULL), 0);
	}
	came = 0;
	fail_at = opened = closed = 0;
	return rig_graph(text);
}

START_TEST(a_block_added_while_running_runs_at_once)
{
	struct rig *r = bench("it = Drain(); s = RigSink(); it > s");
	ck_assert_msg(ask_change(r, "f = Fragile(); t = RigSink(); it > f > t"), "%s",
	              rig_words(r));
	ck_assert_int_eq(opened, 1);
	push(r, LOW, "a");
	expect_at(r, "s>", "a");
	expect_at(r, "t>", "a");
	rig_end(r);
	ck_assert_int_eq(closed, 1);
}
END_TEST

START_TEST(unlinking_loses_nothing_that_was_delivered)
{
	struct rig *r = bench("it = Drain(); q = QueueSink(); it > q");
	push(r, LOW, "a");
	ck_assert(ask(r, "change",
	              "{\"ops\": [{\"op\": \"unlink\", \"from\": \"it\", \"to\": \"q\", \"canal\": "
	              "\"low\"}]}"));
	push(r, LOW, "b");
	const json_t *got =
		json_object_get(ask(r, "recv", "{\"block\": \"q\", \"max\": 9}"), "messages");
	ck_assert_uint_eq(json_array_size(got), 1);
	rig_end(r);
}
END_TEST

/* The n-th open fails, for every n: what was there before is there after, byte for byte. */
START_TEST(a_failed_open_changes_nothing)
{
	for (int n = 1; n <= 4; n++) {
		struct rig *r =
			bench("it = Drain(); s = RigSink(); it > s; f0 = Fragile(); it > f0 > s");
		char *before = rig_export(r);
		opened = closed = 0;
		fail_at = n;
		ck_assert(!ask_change(
			r, "f1 = Fragile(); f2 = Fragile(); f3 = Fragile(); f4 = Fragile()\n"
			   "it > f1 > f2 > f3 > f4 > s"));
		ck_assert_str_eq(rig_kind(r), "io");
		ck_assert_ptr_nonnull(strstr(rig_words(r), "the bench says no"));
		ck_assert_int_eq(opened, closed);
		char *after = rig_export(r);
		ck_assert_str_eq(before, after);
		free(before);
		free(after);
		fail_at = 0;
		push(r, LOW, "still");
		expect_at(r, "s>", "still");
		expect_at(r, "s>", "still");
		expect_nothing(r);
		rig_end(r);
	}
}
END_TEST

START_TEST(a_failed_start_leaves_it_stopped_and_closed)
{
	struct rig *r = bench(
		"it = Fragile(); a = Fragile(); b = Fragile(); s = RigSink(); it > a > b > s");
	ck_assert(ask(r, "stop", "{}"));
	opened = closed = 0;
	fail_at = 2;
	ck_assert(!ask(r, "start", "{}"));
	ck_assert_int_eq(r != NULL && rig_engine(r)->state, PT_STOPPED);
	ck_assert_int_eq(opened, closed);
	fail_at = 0;
	ck_assert(ask(r, "start", "{}"));
	push(r, LOW, "a");
	expect_at(r, "s>", "a");
	rig_end(r);
}
END_TEST

START_TEST(every_fault_of_a_change_is_listed)
{
	struct rig *r = bench("it = Drain()");
	char *before = rig_export(r);
	ck_assert(!ask(r, "change",
	               "{\"ops\": [{\"op\": \"add\", \"name\": \"a\", \"type\": \"Drian\"},"
	               "{\"op\": \"link\", \"from\": \"a\", \"to\": \"it\"},"
	               "{\"op\": \"remove\", \"name\": \"nobody\"},"
	               "{\"op\": \"add\", \"name\": \"it\", \"type\": \"Drain\"},"
	               "{\"op\": \"unlink\", \"from\": \"it\", \"to\": \"it\"}]}"));
	ck_assert_str_eq(rig_kind(r), "no-such-type");
	char *after = rig_export(r);
	ck_assert_str_eq(before, after);
	free(before);
	free(after);
	rig_end(r);
}
END_TEST

START_TEST(a_change_that_changes_nothing_makes_no_revision)
{
	struct rig *r = bench("it = Drain(); s = RigSink(); it > s");
	uint64_t before = rig_engine(r)->revision;
	const json_t *result = ask_change(r, "it > s");
	ck_assert_uint_eq(json_array_size(json_object_get(result, "plan")), 0);
	ck_assert_uint_eq(rig_engine(r)->revision, before);
	rig_end(r);
}
END_TEST

START_TEST(a_dry_run_tells_and_changes_nothing)
{
	struct rig *r = bench("it = Drain(); s = RigSink(); it > s");
	char *before = rig_export(r);
	const json_t *result =
		ask(r, "change",
	            "{\"dry_run\": true, \"ops\": [{\"op\": \"remove\", \"name\": \"s\"}]}");
	ck_assert_uint_eq(json_array_size(json_object_get(result, "plan")), 1);
	char *after = rig_export(r);
	ck_assert_str_eq(before, after);
	free(before);
	free(after);
	rig_end(r);
}
END_TEST

START_TEST(a_stale_revision_is_a_conflict)
{
	struct rig *r = bench("it = Drain()");
	ck_assert(!ask(r, "change",
	               "{\"if_revision\": 99, \"ops\": [{\"op\": \"remove\", \"name\": \"it\"}]}"));
	ck_assert_str_eq(rig_kind(r), "conflict");
	rig_end(r);
}
END_TEST

START_TEST(replace_keeps_links_counters_and_what_is_queued)
{
	struct rig *r = bench("it = Drain(); q = QueueSink(); it > q");
	push(r, LOW, "a");
	ck_assert(ask(r, "change",
	              "{\"ops\": [{\"op\": \"replace\", \"name\": \"q\", \"type\": \"QueueSink\","
	              "\"params\": {\"limit\": 1000}}]}"));
	push(r, LOW, "b");
	ck_assert_uint_eq(rig_block(r, "q")->count.entered, 2);
	const json_t *got =
		json_object_get(ask(r, "recv", "{\"block\": \"q\", \"max\": 9}"), "messages");
	ck_assert_uint_eq(json_array_size(got), 2);
	rig_end(r);
}
END_TEST

START_TEST(replacing_by_another_type_drops_what_it_held_and_says_so)
{
	struct rig *r = bench("it = Drain(); q = QueueSink(); it > q");
	push(r, LOW, "a");
	ck_assert(ask(r, "change",
	              "{\"ops\": [{\"op\": \"replace\", \"name\": \"q\", \"type\": \"Sink\"}]}"));
	ck_assert_str_eq(rig_block(r, "q")->count.gone[0].why, "replaced");
	rig_end(r);
}
END_TEST

START_TEST(a_replacement_must_have_the_ports_that_are_linked)
{
	struct rig *r = bench("it = Drain(); s = RigSink(); it > s; it >> s");
	ck_assert(!ask(
		r, "change",
		"{\"ops\": [{\"op\": \"replace\", \"name\": \"it\", \"type\": \"UpDrain\"}]}"));
	ck_assert_str_eq(rig_kind(r), "bad-link");
	rig_end(r);
}
END_TEST

START_TEST(cycles_are_refused_and_named)
{
	struct rig *r = bench("it = Drain(); a = Drain(); b = Drain(); it > a > b");
	ck_assert(!ask_change(r, "b > it"));
	ck_assert_str_eq(rig_kind(r), "cycle");
	ck_assert_ptr_nonnull(strstr(rig_words(r), "b > it > a > b"));
	ck_assert_msg(ask_change(r, "b >> it") != NULL, "%s", rig_words(r)); /* the other canal */
	ck_assert(!ask_change(r, "a // b"));
	ck_assert(!ask_change(r, "a > a"));
	ck_assert(ask_change(r, "v = TriggeredValve(); w = TriggeredValve(); v ^ w"));
	ck_assert(!ask_change(r, "w ^ v"));
	ck_assert_str_eq(rig_kind(r), "cycle");
	rig_end(r);
}
END_TEST

START_TEST(a_set_that_is_not_live_restarts_the_block)
{
	struct rig *r = bench("it = PeriodicSource('x', 1); s = RigSink(); it > s");
	expect_at(r, "s>", "x");
	const json_t *result = ask(
		r, "change",
		"{\"ops\": [{\"op\": \"set\", \"name\": \"it\", \"params\": {\"msg\": \"y\"}}]}");
	const json_t *op = json_array_get(json_object_get(result, "plan"), 0);
	ck_assert(json_is_true(json_object_get(op, "restart")));
	pass_time(r, 1);
	expect_at(r, "s>", "y");
	rig_end(r);
}
END_TEST

START_TEST(a_bad_script_is_refused_before_anything_changes)
{
	struct rig *r = bench("it = TransformDrain('reverse'); s = RigSink(); it > s");
	ck_assert(!ask(r, "change",
	               "{\"ops\": [{\"op\": \"set\", \"name\": \"it\", \"params\": {\"f\": "
	               "\"revers\"}}]}"));
	ck_assert_str_eq(rig_kind(r), "script");
	push(r, LOW, "abc");
	expect_at(r, "s>", "cba");
	rig_end(r);
}
END_TEST

/* The second message waits in the valve until the stop. */
START_TEST(what_is_triggered_at_the_stop_comes_to_blocks_that_run)
{
	struct rig *r = bench("m = TriggeredMessage('x'); s = Strict(); m > s\n"
	                      "it = TriggeredQueueingValve(False); t = TriggerDrain('always')\n"
	                      "q = QueueSink(limit=1, overflow='block'); it > t > q; t ^ m");
	push_all(r, LOW, (const char *const[]){"a", "b"}, 2);
	fire(r);
	ck_assert_uint_eq(came, 1);
	ck_assert(ask(r, "stop", "{}"));
	ck_assert_uint_eq(came, 2);
	rig_end(r);
}
END_TEST

START_TEST(a_block_that_does_not_run_is_given_nothing)
{
	struct rig *r = bench("it = Strict()");
	ck_assert(ask(r, "stop", "{}"));
	push(r, LOW, "a");
	fire(r);
	ck_assert_str_eq(rig_block(r, "it")->count.gone[0].why, "stopped");
	rig_end(r);
}
END_TEST

/* A sample may come at any time, also when its memory is another's. */
START_TEST(a_block_that_ends_while_it_is_woken_runs_no_more)
{
	struct rig *r = rig("QueueSink", "");
	struct pt_block *b = rig_block(r, "it");
	pt_wake(b);
	engine_forget(b);
	ck_assert_ptr_null(atomic_load(&rig_engine(r)->runs));
	rig_end(r);
}
END_TEST

UNIT_TESTS("engine/change", a_block_added_while_running_runs_at_once,
           unlinking_loses_nothing_that_was_delivered, a_failed_open_changes_nothing,
           a_failed_start_leaves_it_stopped_and_closed, every_fault_of_a_change_is_listed,
           a_change_that_changes_nothing_makes_no_revision, a_dry_run_tells_and_changes_nothing,
           a_stale_revision_is_a_conflict, replace_keeps_links_counters_and_what_is_queued,
           replacing_by_another_type_drops_what_it_held_and_says_so,
           a_replacement_must_have_the_ports_that_are_linked, cycles_are_refused_and_named,
           a_set_that_is_not_live_restarts_the_block,
           a_bad_script_is_refused_before_anything_changes,
           what_is_triggered_at_the_stop_comes_to_blocks_that_run,
           a_block_that_does_not_run_is_given_nothing,
           a_block_that_ends_while_it_is_woken_runs_no_more)
