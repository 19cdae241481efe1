/* SPDX-License-Identifier: BSD-2-Clause */
/* Sums over the counters of blocks and links. */
#include "engine/ledger.h"

#include "base/buf.h"
#include "base/clock.h"
#include "msg/json.h"
#include "msg/pool.h"
#include <stdlib.h>
#include <string.h>

/* Of an engine as a whole: see add_to_total. */
struct ledger_total {
	uint64_t in, out, filtered, dropped;
};

static uint64_t difference(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

uint64_t ledger_in(const struct pt_block *b)
{
	return b->count.entered + b->count.made;
}

uint64_t ledger_block_unexplained(const struct pt_block *b)
{
	return difference(ledger_in(b),
	                  b->count.out + b->count.held + block_sum(b, true) + block_sum(b, false));
}

uint64_t ledger_unexplained(const struct pt_engine *e)
{
	const struct graph *g = e->graph;
	uint64_t unexplained = 0, *entered = must_calloc(g->count, sizeof *entered);
	for (unsigned i = 0; i < g->link_count; i++) {
		const struct graph_link *l = &g->links[i];
		uint64_t sent = l->from->alive->count.sent[l->canal] - l->alive->before;
		unexplained += difference(l->alive->messages, sent);
		if (l->canal != PT_TRIGGER)
			entered[l->to->index] += l->alive->messages;
	}
	for (unsigned i = 0; i < g->count; i++) {
		const struct counters *count = &g->blocks[i]->alive->count;
		unexplained += ledger_block_unexplained(g->blocks[i]->alive);
		unexplained += difference(count->entered, entered[i] + count->entered_before);
	}
	free(entered);
	return unexplained;
}

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

/* One word may stand in two places: once by the table, once as the block said. */
static json_t *leavings_to_json(const struct pt_block *b, bool filtered)
{
	json_t *object = json_object();
	for (unsigned i = 0; i < GONE_MAX; i++) {
		const struct gone *l = &b->count.gone[i];
		if (!l->count || l->filtered != filtered)
			continue;
		json_int_t before = json_integer_value(json_object_get(object, l->why));
		json_object_set_new(object, l->why, number((uint64_t)before + l->count));
	}
	return object;
}

static void add_name(void *names, const struct pt_block *b)
{
	json_array_append_new(names, json_string(b->name));
}

static json_t *block_to_json(struct pt_block *b)
{
	json_t *object = json_object();
	json_object_set_new(object, "name", json_string(b->name));
	json_object_set_new(object, "state", json_string(block_state_word(b)));
	json_object_set_new(object, "in", number(ledger_in(b)));
	json_object_set_new(object, "made", number(b->count.made));
	json_object_set_new(object, "out", number(b->count.out));
	json_object_set_new(object, "held", number(b->count.held));
	json_object_set_new(object, "filtered", leavings_to_json(b, true));
	json_object_set_new(object, "dropped", leavings_to_json(b, false));
	if (b->type->ports & (PT_TRIGGER_ENTRY | PT_TRIGGER_EXIT)) {
		json_object_set_new(object, "triggers", number(b->count.triggers));
		json_object_set_new(object, "triggers_dropped", number(b->count.triggers_too_deep));
	}
	json_object_set_new(object, "errors", number(b->count.errors));
	json_object_set_new(object, "last_error",
	                    b->last_error ? json_string(b->last_error) : json_null());
	json_object_set_new(object, "cpu_ns", number(b->count.cpu_ns));
	if (block_is_source(b)) {
		json_t *names = json_array();
		flow_each_obstacle(b, add_name, names);
		json_object_set_new(object, "waits_for", names);
	}
	return object;
}

static json_t *link_to_json(const struct link *link)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:o}", "from", link->from->name, "to",
	                 link->to->name, "canal", canal_name(link->canal), "messages",
	                 number(link->messages), "bytes", number(link->bytes));
}

static uint64_t count_of(const struct pt_block *b, const char *why)
{
	uint64_t count = 0;
	for (unsigned i = 0; i < GONE_MAX; i++)
		if (b->count.gone[i].count && !strcmp(b->count.gone[i].why, why))
			count += b->count.gone[i].count;
	return count;
}

/* What sources sent, whether or not there was a link; what somebody outside has got, or may
   take. */
static void add_to_total(struct ledger_total *total, const struct pt_block *b)
{
	uint64_t sent = b->count.sent[PT_LOW] + b->count.sent[PT_HIGH];
	if (block_is_source(b))
		total->in += sent + count_of(b, "unlinked");
	total->out += b->count.out - sent + (b->type->take ? b->count.held : 0);
	total->filtered += block_sum(b, true);
	total->dropped += block_sum(b, false) + b->count.triggers_too_deep;
}

static json_t *total_to_json(const struct pt_engine *e)
{
	struct ledger_total total = {0};
	for (unsigned i = 0; i < e->graph->count; i++)
		add_to_total(&total, e->graph->blocks[i]->alive);
	return json_pack("{s:o, s:o, s:o, s:o}", "in", number(total.in), "out", number(total.out),
	                 "filtered", number(total.filtered), "dropped", number(total.dropped));
}

void ledger_settle(struct pt_engine *e)
{
	for (unsigned i = 0; i < e->graph->count; i++) {
		struct pt_block *b = e->graph->blocks[i]->alive;
		if (b->type->refresh && b->started && !b->away)
			b->type->refresh(b);
		block_settle_counts(b);
	}
}

uint64_t ledger_uptime_ns(const struct pt_engine *e)
{
	return e->state == PT_STOPPED ? 0 : engine_now(e) - e->since_ns;
}

json_t *ledger_to_json(struct pt_engine *e)
{
	json_t *blocks = json_array(), *links = json_array();
	ledger_settle(e);
	for (unsigned i = 0; i < e->graph->count; i++)
		json_array_append_new(blocks, block_to_json(e->graph->blocks[i]->alive));
	for (unsigned i = 0; i < e->graph->link_count; i++)
		json_array_append_new(links, link_to_json(e->graph->links[i].alive));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:f, s:o}", "blocks", blocks, "links", links,
	                 "total", total_to_json(e), "unexplained", number(ledger_unexplained(e)),
	                 "cpu_ns", number(clock_of_ns(CLOCK_THREAD_CPUTIME_ID)), "uptime_s",
	                 (double)ledger_uptime_ns(e) / 1e9, "memory", number(pool_bytes(e->pool)));
}
