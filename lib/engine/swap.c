/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of pointers, laid out beside the graph that is alive. */
#include "engine/swap.h"

#include "base/buf.h"
#include "engine/carry.h"
#include "engine/counts.h"
#include "engine/engine.h"
#include "engine/tap.h"
#include "engine/trace.h"
#include "graph/order.h"
#include "graph/ways.h"
#include "type/param.h"
#include <stdlib.h>
#include <string.h>

/* Between the places of two blocks, for such as come between them. */
enum { PLACE_GAP = 1024 };

/* For one more. */
static void *room_for(void *list, unsigned count, size_t size)
{
	return count & (count - 1) ? list : must_realloc(list, count ? 2 * count : 1, size);
}

static void add_setting(struct swap *s, const struct graph_block *b)
{
	s->settings = room_for(s->settings, s->setting_count, sizeof *s->settings);
	s->settings[s->setting_count++] = (struct setting){
		b->alive, b->type, must_calloc(1, b->type->size), json_incref(b->params)};
}

void swap_begin(struct swap *s, struct pt_engine *e, struct graph *wanted,
                const enum plan_action *actions)
{
	s->engine = e;
	s->now = e->graph;
	s->wanted = wanted;
	s->fresh = must_calloc(wanted->count, sizeof(struct pt_block *));
	for (unsigned i = 0; i < wanted->count; i++) {
		const struct graph_block *b = wanted->blocks[i];
		if (actions[i] == PLAN_SET)
			add_setting(s, b);
		else if (actions[i] != PLAN_KEEP)
			s->fresh[i] = block_new(e, b->name, b->type, b->params);
	}
}

/* ---- laying out: [worker] ---- */

static void touch(struct swap *s, unsigned wanted)
{
	if (!s->touched[wanted])
		s->touched[wanted] = ++s->touched_count;
}

/* The graph's blocks are those that will live. */
static void lay_blocks(struct swap *s)
{
	s->became = must_calloc(s->now->count, sizeof *s->became);
	s->touched = must_calloc(s->wanted->count, sizeof *s->touched);
	for (unsigned i = 0; i < s->wanted->count; i++) {
		struct graph_block *w = s->wanted->blocks[i];
		if (w->was)
			s->became[w->was - 1] = i + 1;
		if (s->fresh[i])
			w->alive = s->fresh[i];
		if (s->fresh[i])
			touch(s, i);
	}
}

/* Who takes the place of a block that is alive: itself, if it stays. */
static struct pt_block *heir_of(const struct swap *s, const struct graph_block *now)
{
	unsigned became = s->became[now->index];
	return became ? s->wanted->blocks[became - 1]->alive : NULL;
}

static void touch_heir(struct swap *s, const struct graph_block *now)
{
	if (s->became[now->index])
		touch(s, s->became[now->index] - 1);
}

static struct link *link_new(const struct graph_link *l)
{
	struct link *link = must_calloc(1, sizeof *link);
	link->canal = l->canal;
	link->from = l->from->alive;
	link->to = l->to->alive;
	return link;
}

static void lay_link(struct swap *s, struct graph_link *l)
{
	if (!l->was) {
		s->born = room_for(s->born, s->born_count, sizeof *s->born);
		s->born[s->born_count++] = l->alive = link_new(l);
		touch(s, l->from->index);
		touch(s, l->to->index);
	} else if (s->fresh[l->from->index] || s->fresh[l->to->index]) {
		s->relinkings = room_for(s->relinkings, s->relinking_count, sizeof *s->relinkings);
		s->relinkings[s->relinking_count++] =
			(struct relinking){l->alive, l->from->alive, l->to->alive};
	}
}

static void lose_link(struct swap *s, const struct graph_link *l)
{
	s->lost = room_for(s->lost, s->lost_count, sizeof *s->lost);
	s->lost[s->lost_count++] = (struct lost_link){l->alive, heir_of(s, l->to)};
	touch_heir(s, l->from);
	touch_heir(s, l->to);
}

/* Links that stay in the order that they had are wired as they were. */
static void lay_links(struct swap *s)
{
	bool *stays = must_calloc(s->now->link_count, sizeof *stays), in_order = true;
	unsigned last = 0;
	for (unsigned i = 0; i < s->wanted->link_count; i++) {
		struct graph_link *l = &s->wanted->links[i];
		lay_link(s, l);
		if (!l->was)
			continue;
		stays[l->was - 1] = true;
		in_order &= l->was > last;
		last = l->was;
	}
	for (unsigned i = 0; i < s->now->link_count; i++)
		if (!stays[i])
			lose_link(s, &s->now->links[i]);
	for (unsigned i = 0; i < s->wanted->count && !in_order; i++)
		touch(s, i);
	free(stays);
}

static void touch_split(struct swap *s)
{
	const struct graph *now = s->now, *wanted = s->wanted;
	for (unsigned i = 0; i < wanted->count && (now->split || wanted->split); i++) {
		unsigned was = wanted->blocks[i]->was;
		for (unsigned canal = 0; was && canal < 3; canal++)
			if (order_is_split(now, (was - 1) * 3 + canal) !=
			    order_is_split(wanted, i * 3 + canal))
				touch(s, i);
	}
}

/* The links of the ports from first to last - 1. */
static bool is_wired(const struct wires *w, const struct graph *g, const struct ways *ways,
                     unsigned first, unsigned last, bool split)
{
	unsigned from = ways->first[first], count = ways->first[last] - from;
	if (!w || w->count != count || w->split != split)
		return !w && !count;
	for (unsigned i = 0; i < count; i++)
		if (w->links[i] != g->links[ways->links[from + i]].alive)
			return false;
	return true;
}

static struct wires *wires_new(const struct graph *g, const struct ways *ways, unsigned first,
                               unsigned last, bool split)
{
	unsigned from = ways->first[first], count = ways->first[last] - from;
	if (!count)
		return NULL;
	struct wires *w = must_calloc(1, sizeof *w + count * sizeof(struct link *));
	w->split = split;
	w->count = count;
	for (unsigned i = 0; i < count; i++) {
		w->links[i] = g->links[ways->links[from + i]].alive;
		w->data |= w->links[i]->canal != PT_TRIGGER;
	}
	return w;
}

static void lay_wires(struct swap *s, unsigned block, struct wires **place, const struct ways *ways,
                      unsigned first, unsigned last, bool split)
{
	const struct graph *g = s->wanted;
	if (is_wired(*place, g, ways, first, last, split))
		return;
	struct wires *w = wires_new(g, ways, first, last, split);
	if (s->fresh[block]) {
		*place = w;
	} else {
		s->rewirings = room_for(s->rewirings, s->rewiring_count, sizeof *s->rewirings);
		s->rewirings[s->rewiring_count++] =
			(struct rewiring){g->blocks[block]->alive, place, w};
	}
}

static void lay_all_wires(struct swap *s)
{
	const struct graph *g = s->wanted;
	struct ways out = ways_of_some(g, false, s->touched, s->touched_count);
	struct ways in = ways_of_some(g, true, s->touched, s->touched_count);
	for (unsigned i = 0; i < g->count; i++) {
		struct pt_block *b = g->blocks[i]->alive;
		if (!s->touched[i])
			continue;
		unsigned port = (s->touched[i] - 1) * 3;
		for (unsigned canal = 0; canal < 3; canal++)
			lay_wires(s, i, &b->exits[canal], &out, port + canal, port + canal + 1,
			          order_is_split(g, i * 3 + canal));
		lay_wires(s, i, &b->entries, &in, port, port + 3, false);
	}
	ways_free(&out);
	ways_free(&in);
}

/* What a block's place is now, as far as it may go on to be. */
static uint32_t place_now(const struct swap *s, unsigned i, uint32_t highest)
{
	return s->fresh[i] || highest > UINT32_MAX / 2 ? 0 : s->wanted->blocks[i]->place;
}

static void lay_place(struct swap *s, unsigned i, uint32_t place)
{
	struct graph_block *w = s->wanted->blocks[i];
	bool single = order_is_single(s->wanted, i), in_turn = order_has_turns(s->wanted, i),
	     moves = w->place != place;
	w->place = place;
	if (s->fresh[i]) {
		w->alive->place = place;
		w->alive->single = single;
		w->alive->in_turn = in_turn;
	} else if (moves || order_is_single(s->now, w->was - 1) != single ||
	           order_has_turns(s->now, w->was - 1) != in_turn) {
		s->places = room_for(s->places, s->place_count, sizeof *s->places);
		s->places[s->place_count++] = (struct place){w->alive, place, single, in_turn};
	}
}

/* Places grow in the order of the graph; a block that stays keeps its own, if it can. */
static void lay_places(struct swap *s)
{
	const struct graph *g = s->wanted;
	uint32_t highest = 0, last = 0;
	for (unsigned i = 0; i < g->count; i++)
		if (!s->fresh[i] && g->blocks[i]->place > highest)
			highest = g->blocks[i]->place;
	for (unsigned i = 0; i < g->count; i++) {
		uint32_t has = place_now(s, i, highest);
		last = has > last ? has : last >= highest ? last + PLACE_GAP : last + 1;
		lay_place(s, i, last);
	}
}

/* Indices in the order in which data flows; one alone has no order. NULL: as they stand. */
static const unsigned *order_of(struct graph *g, unsigned count)
{
	return count > 1 ? graph_sorted(g) : NULL;
}

static bool ends(const struct swap *s, const struct graph_block *now)
{
	return heir_of(s, now) != now->alive;
}

/* Old blocks stop over the old links: they may still send. */
static void lay_ends(struct swap *s)
{
	const struct graph *now = s->now;
	unsigned count = 0;
	for (unsigned i = 0; i < now->count; i++)
		count += ends(s, now->blocks[i]);
	const unsigned *order = order_of(s->now, count);
	s->ends = must_calloc(count, sizeof *s->ends);
	for (unsigned i = 0; i < now->count && s->end_count < count; i++) {
		const struct graph_block *old = now->blocks[order ? order[i] : i];
		if (ends(s, old))
			s->ends[s->end_count++] = (struct succession){old->alive, heir_of(s, old)};
	}
}

static void lay_starts(struct swap *s)
{
	unsigned count = 0;
	for (unsigned i = 0; i < s->wanted->count; i++)
		count += s->fresh[i] != NULL;
	const unsigned *order = order_of(s->wanted, count);
	s->starts = must_calloc(count, sizeof(struct pt_block *));
	for (int sources = 0; sources < 2; sources++)
		for (unsigned i = s->wanted->count; i-- > 0;) {
			struct pt_block *b = s->fresh[order ? order[i] : i];
			if (!b || block_is_source(b) != sources)
				continue;
			s->starts[s->start_count++] = b;
			s->source_count += (unsigned)sources;
		}
}

void swap_lay_out(struct swap *s)
{
	if (!s->now->ordered)
		order_find(s->now);
	order_find(s->wanted);
	graph_take_over(s->wanted, s->now);
	lay_blocks(s);
	lay_links(s);
	touch_split(s);
	lay_all_wires(s);
	lay_places(s);
	lay_ends(s);
	lay_starts(s);
	free(s->became);
	free(s->touched);
	ways_forget(s->wanted);
}

/* ---- taking it: nothing here fails ---- */

static void stop_old(struct swap *s, void (*stopped)(struct pt_block *, void *arg), void *arg)
{
	for (unsigned i = 0; i < s->end_count; i++)
		if (s->ends[i].fresh)
			block_take_over(s->ends[i].fresh, s->ends[i].old, stopped, arg);
		else
			block_stop(s->ends[i].old, stopped, arg);
}

static void rewire(struct swap *s)
{
	for (unsigned i = 0; i < s->lost_count; i++)
		if (s->lost[i].to && s->lost[i].link->canal != PT_TRIGGER)
			s->lost[i].to->count.entered_before += s->lost[i].link->messages;
	for (unsigned i = 0; i < s->rewiring_count; i++) {
		struct rewiring *r = &s->rewirings[i];
		struct wires *was = *r->place;
		*r->place = r->wires;
		r->wires = was;
	}
	for (unsigned i = 0; i < s->relinking_count; i++) {
		s->relinkings[i].link->from = s->relinkings[i].from;
		s->relinkings[i].link->to = s->relinkings[i].to;
	}
	for (unsigned i = 0; i < s->born_count; i++)
		s->born[i]->before = s->born[i]->from->count.sent[s->born[i]->canal];
}

static void tell_flow(struct swap *s)
{
	for (unsigned i = 0; i < s->end_count; i++)
		flow_leave(s->ends[i].old);
	for (unsigned i = 0; i < s->place_count; i++) {
		s->places[i].block->single = s->places[i].single;
		s->places[i].block->in_turn = s->places[i].in_turn;
		flow_move(s->places[i].block, s->places[i].place);
	}
	for (unsigned i = 0; i < s->start_count; i++)
		flow_enter(s->starts[i]);
	for (unsigned i = 0; i < s->rewiring_count; i++)
		flow_note(s->rewirings[i].block);
	s->engine->flow.stale = s->engine->flow.ends_stale = true;
}

static void swap_bytes(uint8_t *a, uint8_t *b, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		uint8_t byte = a[i];
		a[i] = b[i];
		b[i] = byte;
	}
}

static void set(struct setting *s)
{
	struct pt_block *b = s->block;
	json_t *was = b->params;
	for (const struct pt_param *row = b->type->params; row && row->name; row++)
		if (row->flags & PT_LIVE)
			swap_bytes((uint8_t *)b->state + row->offset,
			           (uint8_t *)s->values + row->offset, param_size(row));
	b->params = s->params;
	s->params = was;
}

static void start(struct swap *s, unsigned from, unsigned to)
{
	bool runs = s->engine->state != PT_STOPPED;
	for (unsigned i = from; i < to; i++)
		runs ? block_start(s->starts[i]) : carry_begin(s->starts[i]);
}

/* What started tells of itself before what it replaces is closed. */
static void tell_carried(const struct swap *s)
{
	for (unsigned i = 0; i < s->end_count; i++) {
		const struct pt_block *old = s->ends[i].old, *fresh = s->ends[i].fresh;
		if (carry_is_of(old->type) && (!fresh || fresh->type != old->type))
			carry_tell_gone(s->engine, old->name, old->type->name);
	}
	counts_keep(s->engine);
	carry_forget(s->engine);
	cut_now(s->engine);
}

/* What was set is told when what it may send to has started. Against the order: who starts may send
   at once. */
void swap_commit(struct swap *s, void (*stopped)(struct pt_block *, void *arg), void *arg)
{
	stop_old(s, stopped, arg);
	rewire(s);
	tell_flow(s);
	s->engine->graph = s->wanted;
	tap_bind(s->engine);
	trace_bind(s->engine);
	engine_runs(s->engine, NULL); /* it may go */
	for (unsigned i = 0; i < s->setting_count; i++)
		set(&s->settings[i]);
	start(s, 0, s->start_count - s->source_count);
	for (unsigned i = 0; i < s->setting_count; i++)
		if (s->settings[i].block->type->changed)
			s->settings[i].block->type->changed(s->settings[i].block);
	start(s, s->start_count - s->source_count, s->start_count);
	tell_carried(s);
}

/* ---- what was ---- */

static const struct param_env env = {.release = func_free};

/* Without messages, handles or functions of its own. */
static bool is_plain(const struct pt_type *type)
{
	for (const struct pt_param *row = type->params; row && row->name; row++)
		if (row->kind == PT_KIND_TRANSFORM || row->kind == PT_KIND_PREDICATE)
			return false;
	return !type->fini && !type->open && !type->close && !type->carries && !carry_is_of(type);
}

void swap_free_old(struct swap *s)
{
	graph_free(s->now);
	for (unsigned i = 0; i < s->rewiring_count; i++)
		free(s->rewirings[i].wires);
	for (unsigned i = 0; i < s->lost_count; i++)
		free(s->lost[i].link);
	for (unsigned i = 0; i < s->end_count; i++) {
		if (!is_plain(s->ends[i].old->type))
			continue;
		block_free(s->ends[i].old, &env);
		s->ends[i].old = NULL;
	}
	free(s->fresh); /* they are others' now, as is the graph */
	s->fresh = NULL;
}

void swap_end(struct swap *s)
{
	for (unsigned i = 0; i < s->end_count; i++)
		block_free(s->ends[i].old, &env);
	for (unsigned i = 0; s->fresh && i < s->wanted->count; i++)
		block_free(s->fresh[i], &env);
	for (unsigned i = 0; i < s->setting_count; i++) {
		param_release(s->settings[i].type->params, s->settings[i].values, &env);
		free(s->settings[i].values);
		json_decref(s->settings[i].params);
	}
	free(s->fresh);
	free(s->settings);
	free(s->ends);
	free(s->starts);
	free(s->rewirings);
	free(s->places);
	free(s->relinkings);
	free(s->born);
	free(s->lost);
}
