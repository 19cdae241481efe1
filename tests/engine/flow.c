/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is held back by a full sink, and until when. */
#include "engine/deliver.h"
#include "rig.h"
#include "type/type.h"
#include "unit.h"
#include <errno.h>
#include <string.h>

/* A queue that is full with its first message. */
#define FULL "q = QueueSink(limit=1, overflow='block'); "

static void send_to(struct rig *r, const char *block)
{
	json_t *params = json_pack("{s:s, s:s}", "block", block, "message", "m");
	char *text = json_dumps(params, 0);
	ck_assert_msg(ask(r, "send", text) != NULL, "%s", rig_words(r));
	json_decref(params);
	free(text);
}

static void expect_held(struct rig *r, const char *block, bool held)
{
	turn(r);
	ck_assert_msg(rig_block(r, block)->paused == held, "%s", block);
}

static void receive(struct rig *r)
{
	ck_assert(ask(r, "recv", "{\"block\": \"q\", \"max\": 9}"));
}

START_TEST(the_sources_that_reach_a_full_sink_wait)
{
	struct rig *r = rig_graph("a = CLIFeeder(); b = CLIFeeder(); d = Drain(); s = Sink()\n" FULL
	                          "a > d > q; b > s");
	send_to(r, "a");
	expect_held(r, "a", true);
	expect_held(r, "b", false);
	receive(r);
	expect_held(r, "a", false);
	rig_end(r);
}
END_TEST

START_TEST(each_canal_for_itself)
{
	struct rig *r =
		rig_graph("a = CLIFeeder(); b = CLIHighFeeder(); d = Drain(); s = Sink()\n" FULL
	                  "a > d > s; b >> d >> q");
	send_to(r, "b");
	expect_held(r, "b", true);
	expect_held(r, "a", false);
	rig_end(r);
}
END_TEST

START_TEST(a_way_may_change_the_canal)
{
	struct rig *r =
		rig_graph("a = CLIFeeder(); b = CLIHighFeeder(); u = UpDrain(); w = Drain()\n"
	                  "s = Sink()\n" FULL "a > u >> w >> q; w > s; b >> s");
	send_to(r, "a");
	expect_held(r, "a", true);
	expect_held(r, "b", false);
	rig_end(r);
}
END_TEST

START_TEST(a_trigger_is_a_way_too)
{
	struct rig *r = rig_graph("a = CLIFeeder(); b = CLIFeeder(); t = TriggerDrain('always')\n"
	                          "m = TriggeredMessage('x'); s = Sink()\n" FULL
	                          "a > t > s; t ^ m > q; b > m");
	send_to(r, "a");
	expect_held(r, "a", true);
	expect_held(r, "b", true);
	receive(r);
	expect_held(r, "a", false);
	rig_end(r);
}
END_TEST

START_TEST(but_not_to_a_full_block_that_it_may_open)
{
	struct rig *r = rig_graph(
		"a = CLIFeeder(); b = CLIFeeder(); t = TriggerDrain('always'); s = Sink()\n"
		"v = TriggeredQueueingValve(False, limit=1, overflow='block')\n"
		"a > v > s; b > t > s; t ^ v");
	send_to(r, "a");
	expect_held(r, "a", true);
	expect_held(r, "b", false);
	send_to(r, "b");
	expect_held(r, "a", false);
	rig_end(r);
}
END_TEST

START_TEST(a_full_sink_that_goes_lets_the_sources_go)
{
	static const char *const ways[] = {
		"{\"op\": \"remove\", \"name\": \"q\"}",
		"{\"op\": \"unlink\", \"from\": \"a\", \"to\": \"q\"}",
		"{\"op\": \"replace\", \"name\": \"q\", \"type\": \"Sink\"}",
		"{\"op\": \"set\", \"name\": \"q\", \"params\": {\"overflow\": \"drop-oldest\"}}",
		"{\"op\": \"set\", \"name\": \"q\", \"params\": {\"limit\": 1000}}",
	};
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		struct rig *r = rig_graph("a = CLIFeeder(); " FULL "a > q");
		json_t *ops = json_pack("{s:[o]}", "ops", json_loads(ways[i], 0, NULL));
		char *text = json_dumps(ops, 0);
		send_to(r, "a");
		expect_held(r, "a", true);
		ck_assert_msg(ask(r, "change", text) != NULL, "%s", rig_words(r));
		expect_held(r, "a", false);
		rig_end(r);
		json_decref(ops);
		free(text);
	}
}
END_TEST

/* ---- by whom ---- */

/* "q, v": what engine.stats says of a source. */
static char *obstacles(struct rig *r, const char *source)
{
	size_t i, k;
	json_t *block, *name;
	static char words[100];
	words[0] = '\0';
	json_array_foreach (json_object_get(ask(r, "stats", "{}"), "blocks"), i, block) {
		if (strcmp(json_string_value(json_object_get(block, "name")), source))
			continue;
		json_array_foreach (json_object_get(block, "waits_for"), k, name) {
			strcat(words, k ? ", " : "");
			strcat(words, json_string_value(name));
		}
	}
	return words;
}

START_TEST(a_source_tells_what_it_waits_for)
{
	struct rig *r = rig_graph(
		"a = CLIFeeder(); b = CLIFeeder(); c = CLIFeeder(); h = CLIHighFeeder()\n"
		"d = Drain(); p = QueueSink(limit=1, overflow='block')\n" FULL
		"v = TriggeredQueueingValve(False, limit=1, overflow='block'); s = Sink()\n"
		"a > q; b > d > v > q; b > UpDrain() >> p; c > s; h >> d >> s");
	ck_assert_str_eq(obstacles(r, "a"), "");
	send_to(r, "a");
	ck_assert_str_eq(obstacles(r, "a"), "q");
	ck_assert_str_eq(obstacles(r, "b"), "q");
	send_to(r, "c");
	ck_assert_str_eq(obstacles(r, "c"), "");
	receive(r);
	turn(r);
	ck_assert_str_eq(obstacles(r, "a"), "");
	send_to(r, "b");
	ck_assert_str_eq(obstacles(r, "b"), "v, p");
	ck_assert_str_eq(obstacles(r, "h"), "");
	ck_assert_str_eq(obstacles(r, "a"), "");
	rig_end(r);
}
END_TEST

START_TEST(what_a_source_triggers_holds_it_back_too)
{
	struct rig *r = rig_graph("a = CLIFeeder(); b = CLIFeeder(); t = TriggerDrain('always')\n"
	                          "m = TriggeredMessage('x'); s = Sink()\n" FULL
	                          "a > t > s; t ^ m > q; b > m");
	send_to(r, "a");
	ck_assert_str_eq(obstacles(r, "a"), "q");
	ck_assert_str_eq(obstacles(r, "b"), "q");
	rig_end(r);
}
END_TEST

/* ---- turns ---- */

/* Says its name so many times, a turn each, and triggers; a trigger lets it say it once more. */
struct talker {
	int64_t times;
};

static void talk(struct pt_block *b, unsigned max)
{
	struct talker *t = pt_state(b);
	pt_ready(b, --t->times > 0);
	pt_made(b, 1);
	pt_send(b, PT_LOW, pt_msg_new(pt_pool(b), pt_name(b), strlen(pt_name(b))));
	pt_trigger(b);
}

static void talker_trigger(struct pt_block *b)
{
	struct talker *t = pt_state(b);
	t->times++;
	pt_ready(b, true);
}

static void talker_start(struct pt_block *b)
{
	struct talker *t = pt_state(b);
	pt_ready(b, t->times > 0);
}

static const struct pt_param talker_params[] = {
	{"times", "", PT_INT(struct talker, times), .fallback = "0"}, {0}};
static const struct pt_type talker = {
	.api = PT_API,
	.name = "Talker",
	.role = PT_SOURCE,
	.ports = PT_LOW_EXIT | PT_TRIGGER_ENTRY | PT_TRIGGER_EXIT,
	.params = talker_params,
	.size = sizeof(struct talker),
	.start = talker_start,
	.produce = talk,
	.trigger = talker_trigger,
};

static struct rig *talkers(const char *text)
{
	if (!type_find(talker.name))
		ck_assert_int_eq(type_add(&talker, NULL), 0);
	return rig_graph(text);
}

static void expect_said(struct rig *r, const char *names)
{
	for (const char *c = names; *c; c++)
		expect_at(r, "s>", (const char[]){*c, '\0'});
	expect_nothing(r);
}

START_TEST(each_that_is_ready_has_a_turn_in_each_round)
{
	struct rig *r = talkers("s = RigSink(); a = Talker(3); b = Talker(2); c = Talker(4)\n"
	                        "a > s; b > s; c > s");
	expect_said(r, "abcabcacc");
	rig_end(r);
}
END_TEST

START_TEST(who_is_woken_comes_in_this_round_only_behind_the_waker)
{
	struct rig *r = talkers("s = RigSink(); a = Talker(); b = Talker(2); c = Talker()\n"
	                        "a > s; b > s; c > s; b ^ a; b ^ c");
	expect_said(r, "bcabca");
	rig_end(r);
}
END_TEST

/* Says once more that it is closed, and looks who is held back, as one does that sends much. */
static unsigned closed_times;

static void last_words(struct pt_block *b)
{
	closed_times++;
	pt_made(b, 1);
	pt_send(b, PT_LOW, pt_msg_new(pt_pool(b), "closed", strlen("closed")));
	pt_held_back(b);
}

static const struct pt_type closing = {
	.api = PT_API,
	.name = "Closing",
	.role = PT_SOURCE,
	.ports = PT_LOW_EXIT,
	.produce = talk,
	.finish = last_words,
};

START_TEST(of_whom_no_more_is_wanted_is_closed_once_whatever_it_still_sends)
{
	if (!type_find(closing.name))
		ck_assert_int_eq(type_add(&closing, NULL), 0);
	closed_times = 0;
	struct rig *r =
		rig_graph("a = CLIFeeder(); x = Closing(); y = Closing(); h = HeadDrain(1)\n"
	                  "i = HeadDrain(1); s = RigSink(); a > h; x > i > h; y > i; h > s");
	send_to(r, "a");
	turn(r);
	ck_assert_uint_eq(closed_times, 2);
	ck_assert(rig_block(r, "x")->exhausted && rig_block(r, "y")->exhausted);
	expect_at(r, "s>", "m");
	expect_nothing(r);
	rig_end(r);
}
END_TEST

/* A pipe that keeps what comes, until it is triggered: then it loses one. */
static struct pt_msg *keeps[2];

static void keep(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	keeps[keeps[0] != NULL] = pt_hold(b, m);
}

static void lose_one(struct pt_block *b)
{
	unsigned last = keeps[1] != NULL;
	pt_drop(b, keeps[last], "unsent");
	keeps[last] = NULL;
}

static const struct pt_type keeper = {
	.api = PT_API,
	.name = "Keeper",
	.role = PT_SOURCE,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_TRIGGER_ENTRY,
	.push = keep,
	.trigger = lose_one,
};

static void expect_over(struct rig *r, bool over)
{
	turn(r);
	ck_assert(flow_is_exhausted(rig_engine(r)) == over);
}

START_TEST(what_a_pipe_loses_in_the_end_is_not_waited_for)
{
	if (!type_find(keeper.name))
		ck_assert_int_eq(type_add(&keeper, NULL), 0);
	struct rig *r = rig_graph("a = CLIFeeder(); k = Keeper(); a > k");
	send_to(r, "a");
	send_to(r, "a");
	ck_assert(ask(r, "close", "{\"block\": \"a\"}"));
	expect_over(r, false);
	deliver_trigger(rig_block(r, "k"));
	expect_over(r, false);
	deliver_trigger(rig_block(r, "k"));
	expect_over(r, true);
	ck_assert(ask_change(r, "b = CLIFeeder(); b > k"));
	send_to(r, "b");
	ck_assert(ask(r, "close", "{\"block\": \"b\"}"));
	expect_over(r, false);
	deliver_trigger(rig_block(r, "k"));
	expect_over(r, true);
	rig_end(r);
}
END_TEST

START_TEST(who_goes_on_by_himself_or_is_tried_again_is_not_lost)
{
	struct rig *r = rig_graph("a = CLIFeeder(); k = Sink(); a > k");
	struct pt_block *k = rig_block(r, "k");
	ck_assert(!flow_is_exhausted(rig_engine(r)));
	pt_failed(k, -EIO, "no server");
	ck_assert(flow_is_exhausted(rig_engine(r)));
	pt_waits(k);
	ck_assert(!flow_is_exhausted(rig_engine(r)));
	pt_retry(k, 1000);
	pt_exhausted(k); /* of a pipe that nobody wants more of */
	ck_assert(!flow_is_exhausted(rig_engine(r)));
	pt_retry(k, 0);
	ck_assert(flow_is_exhausted(rig_engine(r)));
	rig_end(r);
}
END_TEST

UNIT_TESTS("engine/flow", what_a_pipe_loses_in_the_end_is_not_waited_for,
           who_goes_on_by_himself_or_is_tried_again_is_not_lost,
           of_whom_no_more_is_wanted_is_closed_once_whatever_it_still_sends,
           the_sources_that_reach_a_full_sink_wait, each_canal_for_itself,
           a_way_may_change_the_canal, a_trigger_is_a_way_too,
           but_not_to_a_full_block_that_it_may_open, a_full_sink_that_goes_lets_the_sources_go,
           a_source_tells_what_it_waits_for, what_a_source_triggers_holds_it_back_too,
           each_that_is_ready_has_a_turn_in_each_round,
           who_is_woken_comes_in_this_round_only_behind_the_waker)
