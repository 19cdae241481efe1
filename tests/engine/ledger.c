/* SPDX-License-Identifier: BSD-2-Clause */
/* The ledger: random graphs, messages, triggers and live changes, and never a message
   unexplained. */
#include "engine/ledger.h"

#include "base/buf.h"
#include "rig.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>

static unsigned seed;

static unsigned any(unsigned limit)
{
	return (unsigned)rand_r(&seed) % limit;
}

static const char *const texts[] = {
	"Drain()",
	"UpDrain()",
	"TransformDrain('reverse')",
	"TransformDrain('function(m) if #m > 1 then error(m:text()) end return m end')",
	"FilterDrain('function(m) return m:byte(1) % 2 == 0 end')",
	"TriggerDrain('function(m) return m:byte(1) % 5 == 0 end')",
	"TriggeredValve()",
	"TriggeredQueueingValve(False, limit=300)",
	"TriggeredSwitch()",
	"TriggeredMessage('own')",
	"QueueSink(limit=500)",
	"QueueSink(limit=500, overflow='drop-newest')",
	"ConsoleSink()",
	"Sink()",
};

#define TEXTS (sizeof texts / sizeof *texts)

static void change(struct rig *r)
{
	static const char *const links[] = {" > ", " >> ", " ^ "};
	char text[256];
	unsigned a = any(12), b = any(12);
	switch (any(5)) {
	case 0: snprintf(text, sizeof text, "b%u = %s", a, texts[any(TEXTS)]); break;
	case 1: snprintf(text, sizeof text, "it > b%u", a); break;
	case 2: snprintf(text, sizeof text, "it >> b%u", a); break;
	default: snprintf(text, sizeof text, "b%u%sb%u", a, links[any(3)], b); break;
	}
	ask_change(r, text); /* often refused, which must change nothing either */
}

static void take_away(struct rig *r)
{
	char *json = any(2) ? must_printf("{\"ops\": [{\"op\": \"remove\", \"name\": \"b%u\"}]}",
	                                  any(12))
	                    : must_printf("{\"ops\": [{\"op\": \"replace\", \"name\": \"b%u\", "
	                                  "\"type\": \"Drain\"}]}",
	                                  any(12));
	ask(r, "change", json);
	free(json);
}

static void act(struct rig *r)
{
	const char *const words[] = {"a", "bb", "k", "ppp", "uu"};
	switch (any(8)) {
	case 0:
	case 1: change(r); break;
	case 2: take_away(r); break;
	case 3: push(r, HIGH, words[any(5)]); break;
	case 4: {
		char *json = must_printf("{\"block\": \"b%u\", \"max\": 3}", any(12));
		ask(r, "recv", json);
		free(json);
		break;
	}
	case 5: {
		char *json = must_printf("{\"block\": \"b%u\"}", any(12));
		ask(r, "trigger", json);
		free(json);
		break;
	}
	default: push_all(r, LOW, words, 5); break;
	}
}

START_TEST(nothing_is_ever_unexplained)
{
	for (unsigned i = 1; i <= 40; i++) {
		seed = i;
		struct rig *r = rig_graph("it = Drain()");
		for (int step = 0; step < 150; step++) {
			act(r);
			uint64_t unexplained = ledger_unexplained(rig_engine(r));
			char *graph = unexplained ? rig_export(r) : NULL;
			ck_assert_msg(!unexplained, "seed %u, step %d: %llu unexplained in\n%s", i,
			              step, (unsigned long long)unexplained, graph);
		}
		rig_end(r);
	}
}
END_TEST

static uint64_t left_out(struct rig *r, const char *kind, const char *why)
{
	const json_t *it = json_array_get(json_object_get(ask(r, "stats", "{}"), "blocks"), 0);
	const json_t *count = json_object_get(json_object_get(it, kind), why);
	return (uint64_t)json_integer_value(count);
}

static void drop(struct rig *r, void (*how)(struct pt_block *, struct pt_msg *, const char *),
                 const char *why)
{
	struct pt_block *b = rig_block(r, "it");
	pt_made(b, 1);
	how(b, pt_msg_new(pt_pool(b), "x", 1), why);
}

START_TEST(a_word_has_a_kind_and_a_block_may_say_otherwise)
{
	struct rig *r = rig_graph("it = Drain()");
	drop(r, pt_drop, "closed");
	drop(r, pt_drop, "overflow");
	drop(r, pt_drop, "unheard-of");
	drop(r, pt_filter_out, "unheard-of");
	drop(r, pt_filter_out, "unheard-of");
	drop(r, pt_filter_out, "closed");
	ck_assert_uint_eq(left_out(r, "filtered", "closed"), 2);
	ck_assert_uint_eq(left_out(r, "dropped", "overflow"), 1);
	ck_assert_uint_eq(left_out(r, "dropped", "unheard-of"), 1);
	ck_assert_uint_eq(left_out(r, "filtered", "unheard-of"), 2);
	ck_assert_uint_eq(block_sum(rig_block(r, "it"), true), 4);
	ck_assert_uint_eq(block_sum(rig_block(r, "it"), false), 2);
	rig_end(r);
}
END_TEST

START_TEST(what_is_held_in_another_form_is_held_until_it_is_said_what_became_of_it)
{
	struct rig *r = rig_graph("it = Drain()");
	struct pt_block *b = rig_block(r, "it");
	struct pt_msg *messages[] = {pt_msg_new(pt_pool(b), "x", 1), pt_msg_new(pt_pool(b), "y", 1),
	                             pt_msg_new(pt_pool(b), "z", 1)};
	pt_made(b, 3);
	pt_held_packed(b, messages, 3);
	pt_held_found(b, 2);
	ck_assert_uint_eq(b->count.held, 5);
	ck_assert_uint_eq(ledger_block_unexplained(b), 0);
	pt_held_done(b, 4);
	pt_held_drop(b, 1, "unsent");
	ck_assert_uint_eq(b->count.held, 0);
	ck_assert_uint_eq(b->count.out, 4);
	ck_assert_uint_eq(left_out(r, "dropped", "unsent"), 1);
	b->count.entered = b->count.made = b->count.out = 0; /* no link has seen them */
	b->count.gone[0].count = 0;
	rig_end(r);
}
END_TEST

START_TEST(more_reasons_than_are_told_apart_keep_their_kind)
{
	static char words[GONE_MAX][8];
	struct rig *r = rig_graph("it = Drain()");
	for (unsigned i = 0; i < GONE_MAX; i++) {
		snprintf(words[i], sizeof words[i], "own%u", i);
		drop(r, pt_drop, words[i]);
	}
	drop(r, pt_filter_out, "late");
	drop(r, pt_drop, "closed");
	drop(r, pt_drop, "error");
	ck_assert_uint_eq(left_out(r, "dropped", "own0"), 1);
	ck_assert_uint_eq(left_out(r, "dropped", "other"), 3);
	ck_assert_uint_eq(left_out(r, "filtered", "other"), 2);
	ck_assert_uint_eq(ledger_unexplained(rig_engine(r)), 0);
	rig_end(r);
}
END_TEST

UNIT_TESTS("engine/ledger", nothing_is_ever_unexplained,
           a_word_has_a_kind_and_a_block_may_say_otherwise,
           what_is_held_in_another_form_is_held_until_it_is_said_what_became_of_it,
           more_reasons_than_are_told_apart_keep_their_kind)
