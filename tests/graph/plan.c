/* SPDX-License-Identifier: BSD-2-Clause */
/* Graphs as data, and the difference between two of them. */
#include "graph/plan.h"

#include "graph/ops.h"
#include "graph/ways.h"
#include "unit.h"
#include <pipetool/error.h>
#include <stdio.h>
#include <string.h>

static unsigned seed;

static unsigned any(unsigned limit)
{
	return (unsigned)rand_r(&seed) % limit;
}

static void add_op(json_t *ops)
{
	static const char *const types[] = {"Drain", "TransformDrain", "QueueSink",
	                                    "TriggeredValve"};
	static const char *const canals[] = {"low", "high", "trigger"};
	char a[16], b[16];
	unsigned type = any(4);
	snprintf(a, sizeof a, "b%u", any(8));
	snprintf(b, sizeof b, "b%u", any(8));
	json_t *params = type == 1   ? json_pack("{s:s}", "f", any(2) ? "reverse" : "upper")
	                 : type == 2 ? json_pack("{s:i}", "limit", 100 + (int)any(3))
	                             : json_object();
	json_t *op;
	switch (any(6)) {
	case 0:
	case 1:
		op = json_pack("{s:s, s:s, s:s, s:O}", "op", "add", "name", a, "type", types[type],
		               "params", params);
		break;
	case 2: op = json_pack("{s:s, s:s}", "op", "remove", "name", a); break;
	case 3:
		op = json_pack("{s:s, s:s, s:s, s:O}", "op", "replace", "name", a, "type",
		               types[type], "params", params);
		break;
	case 4:
		op = json_pack("{s:s, s:s, s:s, s:s}", "op", "unlink", "from", a, "to", b, "canal",
		               canals[any(3)]);
		break;
	default:
		op = json_pack("{s:s, s:s, s:s, s:s}", "op", "link", "from", a, "to", b, "canal",
		               canals[any(3)]);
		break;
	}
	json_decref(params);
	json_array_append_new(ops, op);
}

/* A graph made by random operations, of which those that are refused are left out. */
static struct graph *any_graph(unsigned operations)
{
	struct graph *g = graph_new();
	for (unsigned i = 0; i < operations; i++) {
		json_t *ops = json_array();
		struct graph *next = graph_copy(g);
		struct pt_error err = PT_ERROR_INIT;
		add_op(ops);
		if (graph_change(next, ops, 100, &err) == 0 &&
		    graph_check_cycles(next, &err) == 0) {
			graph_take_over(next, g);
			graph_free(g);
			g = next;
		} else {
			graph_free(next);
		}
		pt_error_clear(&err);
		json_decref(ops);
	}
	return g;
}

static json_t *plan_so(struct graph *now, struct graph *wanted, bool exact)
{
	enum plan_action actions[100];
	graph_adopt(wanted, now);
	plan_blocks(now, wanted, actions);
	return plan_to_json(now, wanted, actions, exact);
}

static json_t *plan_of(struct graph *now, struct graph *wanted)
{
	return plan_so(now, wanted, false);
}

/* Blocks may stand in another order; links of one exit may not. */
static void expect_same(struct graph *a, struct graph *b, unsigned number)
{
	json_t *left = plan_of(a, b);
	char *text = json_dumps(left, 0);
	ck_assert_msg(!strcmp(text, "[]") || !strcmp(text, "[{\"op\": \"order\"}]"), "seed %u: %s",
	              number, text);
	ck_assert_uint_eq(a->count, b->count);
	ck_assert_uint_eq(a->link_count, b->link_count);
	free(text);
	json_decref(left);
}

START_TEST(a_plan_leads_from_any_graph_to_any_other)
{
	for (unsigned i = 1; i <= 500; i++) {
		seed = i;
		struct graph *now = any_graph(30), *wanted = any_graph(30);
		json_t *ops = plan_of(now, wanted);
		struct graph *reached = graph_copy(now);
		struct pt_error err = PT_ERROR_INIT;
		int rc = graph_change(reached, ops, 100, &err);
		ck_assert_msg(rc == 0, "seed %u: %s", i, pt_error_text(&err, ""));
		expect_same(reached, wanted, i);
		pt_error_clear(&err);
		graph_free(reached);
		graph_free(now);
		graph_free(wanted);
		json_decref(ops);
	}
}
END_TEST

static size_t change(struct graph *g, const json_t *ops)
{
	struct pt_error err = PT_ERROR_INIT;
	graph_change(g, ops, 100, &err);
	size_t faults = err.count;
	pt_error_clear(&err);
	return faults;
}

START_TEST(operations_of_one_change_are_as_one_after_the_other)
{
	for (unsigned number = 0; number < 2000; number++) {
		seed = number;
		struct graph *first = any_graph(20);
		struct graph *at_once = graph_copy(first), *in_turn = graph_copy(first);
		json_t *ops = json_array(), *op;
		size_t i, faults = 0;
		for (unsigned n = 0; n < 30; n++)
			add_op(ops);
		json_array_foreach (ops, i, op) {
			json_t *one = json_pack("[O]", op);
			faults += change(in_turn, one);
			json_decref(one);
		}
		ck_assert_uint_eq(change(at_once, ops), faults);
		expect_same(at_once, in_turn, number);
		graph_free(at_once);
		graph_free(in_turn);
		graph_free(first);
		json_decref(ops);
	}
}
END_TEST

static struct graph *graph_of(const char *ops_json)
{
	struct graph *g = graph_new();
	struct pt_error err = PT_ERROR_INIT;
	json_t *ops = json_loads(ops_json, 0, NULL);
	ck_assert_msg(graph_change(g, ops, 100, &err) == 0, "%s", pt_error_text(&err, ""));
	json_decref(ops);
	return g;
}

#define TWO_QUEUES(first, second)                                      \
	"[{\"op\": \"add\", \"name\": \"d\", \"type\": \"Drain\"},"    \
	"{\"op\": \"add\", \"name\": \"x\", \"type\": \"QueueSink\"}," \
	"{\"op\": \"add\", \"name\": \"y\", \"type\": \"QueueSink\"}," \
	"{\"op\": \"link\", \"from\": \"d\", \"to\": \"" first "\"},"  \
	"{\"op\": \"link\", \"from\": \"d\", \"to\": \"" second "\"}]"

START_TEST(another_order_of_links_is_another_graph)
{
	struct graph *a = graph_of(TWO_QUEUES("x", "y")), *b = graph_of(TWO_QUEUES("y", "x"));
	json_t *ops = plan_of(a, b);
	ck_assert_uint_eq(json_array_size(ops), 2);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(ops, 0), "op")),
	                 "unlink");
	json_decref(ops);
	graph_free(a);
	graph_free(b);
}
END_TEST

START_TEST(another_order_of_the_list_is_told_and_touches_nothing)
{
	static const char *const texts[] = {
		"[{\"op\": \"add\", \"name\": \"x\", \"type\": \"Drain\"},"
		"{\"op\": \"add\", \"name\": \"y\", \"type\": \"Drain\"}]",
		"[{\"op\": \"add\", \"name\": \"y\", \"type\": \"Drain\"},"
		"{\"op\": \"add\", \"name\": \"x\", \"type\": \"Drain\"}]"};
	struct graph *a = graph_of(texts[0]), *b = graph_of(texts[1]);
	json_t *ops = plan_of(a, b);
	ck_assert_uint_eq(json_array_size(ops), 1);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(ops, 0), "op")), "order");
	json_decref(ops);
	graph_free(a);
	graph_free(b);
}
END_TEST

START_TEST(a_default_spelled_out_is_no_difference_but_to_the_letter)
{
	struct graph *a =
		graph_of("[{\"op\": \"add\", \"name\": \"x\", \"type\": \"TriggeredValve\"}]");
	struct graph *b =
		graph_of("[{\"op\": \"add\", \"name\": \"x\", \"type\": \"TriggeredValve\","
	                 "\"params\": {\"start_state\": true}}]");
	json_t *none = plan_of(a, b), *ops = plan_so(a, b, true);
	ck_assert_uint_eq(json_array_size(none), 0);
	ck_assert_uint_eq(json_array_size(ops), 1);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(ops, 0), "op")), "order");
	json_decref(none);
	json_decref(ops);
	graph_free(a);
	graph_free(b);
}
END_TEST

START_TEST(a_descriptor_that_comes_anew_is_another_one)
{
	static const char text[] = "[{\"op\": \"add\", \"name\": \"x\", \"type\": \"FDSourceSink\","
				   "\"params\": {\"fd\": {\"fd\": 0}}}]";
	struct graph *a = graph_of(text), *b = graph_of(text);
	expect_same(a, b, 0);
	json_t *ops = json_loads(text, 0, NULL);
	graph_mark_handed(b, ops);
	json_decref(ops);
	ops = plan_of(a, b);
	ck_assert_uint_eq(json_array_size(ops), 1);
	ck_assert(json_is_true(json_object_get(json_array_get(ops, 0), "restart")));
	json_decref(ops);
	graph_free(a);
	graph_free(b);
}
END_TEST

START_TEST(too_many_blocks_are_refused)
{
	struct graph *g = graph_new();
	struct pt_error err = PT_ERROR_INIT;
	json_t *ops = json_loads("[{\"op\": \"add\", \"name\": \"a\", \"type\": \"Drain\"},"
	                         "{\"op\": \"add\", \"name\": \"b\", \"type\": \"Drain\"}]",
	                         0, NULL);
	ck_assert_int_eq(graph_change(g, ops, 1, &err), -PT_ELIMIT);
	ck_assert_str_eq(err.faults[0].path, "ops[1]");
	pt_error_clear(&err);
	json_decref(ops);
	graph_free(g);
}
END_TEST

START_TEST(a_flood_of_faults_is_bounded)
{
	struct graph *g = graph_new();
	struct pt_error err = PT_ERROR_INIT;
	json_t *ops = json_array();
	for (int i = 0; i < 1000; i++)
		json_array_append_new(ops, json_pack("{s:s, s:s}", "op", "remove", "name", "a"));
	for (unsigned told = 257; told < 259; told++) { /* where there are enough, no more */
		ck_assert_int_lt(graph_change(g, ops, 1, &err), 0);
		ck_assert_uint_eq(err.count, told);
		ck_assert_int_eq(err.faults[0].code, -PT_ENOBLOCK);
	}
	ck_assert_str_eq(err.faults[256].path, "ops[256]");
	ck_assert_ptr_nonnull(strstr(err.faults[256].message, "744 ops from here on"));
	pt_error_clear(&err);
	json_decref(ops);
	graph_free(g);
}
END_TEST

START_TEST(blocks_sort_in_the_order_in_which_data_flows)
{
	struct graph *g = graph_of("[{\"op\": \"add\", \"name\": \"c\", \"type\": \"Sink\"},"
	                           "{\"op\": \"add\", \"name\": \"b\", \"type\": \"Drain\"},"
	                           "{\"op\": \"add\", \"name\": \"a\", \"type\": \"CLIFeeder\"},"
	                           "{\"op\": \"link\", \"from\": \"a\", \"to\": \"b\"},"
	                           "{\"op\": \"link\", \"from\": \"b\", \"to\": \"c\"}]");
	const unsigned *sorted = graph_sorted(g);
	ck_assert_uint_eq(sorted[0], 2);
	ck_assert_uint_eq(sorted[1], 1);
	ck_assert_uint_eq(sorted[2], 0);
	graph_free(g);
}
END_TEST

static unsigned place_of(const struct graph *g, const unsigned *sorted, const char *name)
{
	unsigned place = 0;
	while (strcmp(g->blocks[sorted[place]]->name, name))
		place++;
	return place;
}

/* From v by t a trigger leads back to v, and on to m, and with it to w. */
START_TEST(and_by_way_of_triggers_that_do_not_come_back)
{
	struct graph *g = graph_of(
		"[{\"op\": \"add\", \"name\": \"w\", \"type\": \"Sink\"},"
		"{\"op\": \"add\", \"name\": \"m\", \"type\": \"TriggeredSwitch\"},"
		"{\"op\": \"add\", \"name\": \"t\", \"type\": \"TriggeredValve\"},"
		"{\"op\": \"add\", \"name\": \"v\", \"type\": \"TriggeredValve\"},"
		"{\"op\": \"link\", \"from\": \"v\", \"to\": \"t\"},"
		"{\"op\": \"link\", \"from\": \"m\", \"to\": \"w\"},"
		"{\"op\": \"link\", \"from\": \"t\", \"to\": \"v\", \"canal\": \"trigger\"},"
		"{\"op\": \"link\", \"from\": \"t\", \"to\": \"m\", \"canal\": \"trigger\"}]");
	static const char *const wanted[] = {"v", "t", "m", "w"};
	const unsigned *sorted = graph_sorted(g);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_eq(place_of(g, sorted, wanted[i]), i);
	graph_free(g);
}
END_TEST

static bool leads_to_itself(const struct graph *g)
{
	for (unsigned i = 0; i < g->link_count; i++)
		if (g->links[i].from == g->links[i].to)
			return true;
	return false;
}

/* Of a graph that many changes have made, each of which may have given other ranks. */
START_TEST(knots_are_found_whatever_the_ranks_were)
{
	struct graph *g = graph_new();
	unsigned with = 0, without = 0;
	seed = 1;
	for (unsigned number = 0; number < 20000; number++) {
		struct graph *next = graph_copy(g);
		json_t *ops = json_array();
		add_op(ops);
		change(next, ops);
		json_decref(ops);
		graph_take_over(next, g);
		graph_free(g);
		g = next;
		bool found = ways_has_knots(g);
		bool wanted = ways_knots(g)->count < g->count || leads_to_itself(g);
		ck_assert_msg(found == wanted, "after %u changes", number);
		with += wanted;
		without += !wanted && g->link_count > 2;
	}
	graph_free(g);
	ck_assert_uint_gt(with, 100);
	ck_assert_uint_gt(without, 100);
}
END_TEST

UNIT_TESTS("graph/plan", knots_are_found_whatever_the_ranks_were,
           a_plan_leads_from_any_graph_to_any_other,
           operations_of_one_change_are_as_one_after_the_other,
           another_order_of_links_is_another_graph,
           another_order_of_the_list_is_told_and_touches_nothing,
           a_default_spelled_out_is_no_difference_but_to_the_letter,
           a_descriptor_that_comes_anew_is_another_one, too_many_blocks_are_refused,
           a_flood_of_faults_is_bounded, blocks_sort_in_the_order_in_which_data_flows,
           and_by_way_of_triggers_that_do_not_come_back)
