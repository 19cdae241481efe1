/* SPDX-License-Identifier: BSD-2-Clause */
/* A block that acts on one message at a time, and what is seen of it where vectors come. */
#include "engine/block.h"

#include "msg/pool.h"
#include "rig.h"
#include "type/type.h"
#include "unit.h"
#include <string.h>

/* By the first letter: triggers before, sends another before, drops, changes; else passes. */
static struct pt_msg *act(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	switch (m->length ? m->bytes[0] : 0) {
	case 't': pt_trigger(b); return m;
	case 's':
		pt_made(b, 1);
		pt_send(b, canal, pt_msg_new(pt_pool(b), "sent", 4));
		return m;
	case 'd': pt_drop(b, m, "filtered"); return NULL;
	case 'c': ((uint8_t *)pt_msg_edit(&m))[0] = 'C'; return m;
	default: return m;
	}
}

static const struct pt_type acts = {
	.api = PT_API,
	.name = "Acts",
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_TRIGGER_EXIT,
	.routes = PT_ROUTE(PT_LOW, PT_LOW) | PT_ROUTE(PT_LOW, PT_TRIGGER),
	.act = act,
};

static const struct pt_type ends = {
	.api = PT_API,
	.name = "ActsAtTheEnd",
	.role = PT_SINK,
	.ports = PT_LOW_ENTRY,
	.act = act,
};

static struct rig *bench(const char *text)
{
	if (!type_find("Acts")) {
		ck_assert_int_eq(type_add(&acts, NULL), 0);
		ck_assert_int_eq(type_add(&ends, NULL), 0);
	}
	return rig_graph(text);
}

/* One vector of these words. */
static void come(struct rig *r, const char *const *words)
{
	struct pt_block *f = rig_block(r, "f");
	struct pt_msg *messages[8];
	unsigned count = 0;
	for (; words[count]; count++)
		messages[count] = pt_msg_new(pt_pool(f), words[count], strlen(words[count]));
	pt_made(f, count);
	pt_send_many(f, PT_LOW, messages, count);
}

static void expect_all(struct rig *r, const char *const *words)
{
	for (; *words; words++)
		expect_at(r, "s>", *words);
}

START_TEST(what_is_returned_goes_on_in_its_place)
{
	struct rig *r = bench("f = CLIFeeder(); it = Acts(); s = RigSink(); f > it > s");
	come(r, (const char *const[]){"one", "drop", "change", "same", "end", "drop", NULL});
	expect_all(r, (const char *const[]){"one", "Change", "sent", "same", "end", NULL});
	const struct counters *c = &rig_block(r, "it")->count;
	ck_assert(c->entered == 6 && c->made == 1 && c->out == 5 && c->gone[0].count == 2);
	rig_end(r);
}
END_TEST

/* The switch turns between what came before the message that triggers and that. */
START_TEST(a_trigger_comes_behind_what_was_returned_before)
{
	struct rig *r = bench("f = CLIFeeder(); it = Acts(); w = TriggeredSwitch(); s = RigSink()\n"
	                      "f > it > w > s; w >> s; it ^ w");
	come(r, (const char *const[]){"one", "turn", "and", "turn", "over", NULL});
	expect_at(r, "s>", "one");
	expect_at(r, "s>>", "turn");
	expect_at(r, "s>>", "and");
	expect_at(r, "s>", "turn");
	expect_at(r, "s>", "over");
	rig_end(r);
}
END_TEST

START_TEST(where_there_is_no_route_it_is_delivered)
{
	struct rig *r = bench("f = CLIFeeder(); it = ActsAtTheEnd(); f > it");
	come(r, (const char *const[]){"one", "drop", "end", NULL});
	const struct counters *c = &rig_block(r, "it")->count;
	ck_assert(c->entered == 3 && c->out == 2 && c->gone[0].count == 1 && !c->held);
	rig_end(r);
}
END_TEST

UNIT_TESTS("engine/act", what_is_returned_goes_on_in_its_place,
           a_trigger_comes_behind_what_was_returned_before, where_there_is_no_route_it_is_delivered)
