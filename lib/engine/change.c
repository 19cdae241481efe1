/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes of the graph and of the engine's state: prepared on a worker thread, where they may fail,
   and taken at once between two messages, where they may not. */
#include "engine/change.h"

#include "base/buf.h"
#include "base/error.h"
#include "engine/engine.h"
#include "engine/carry.h"
#include "graph/order.h"
#include "graph/plan.h"
#include "engine/request.h"
#include "engine/retire.h"
#include "engine/revive.h"
#include "engine/tap.h"
#include "type/param.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct change {
	struct job job;
	struct pt_engine *engine;
	struct pt_request *request;
	struct pt_error err;
	int code;

	/* of the graph */
	struct graph *wanted;
	enum plan_action *actions;
	json_t *plan;
	bool dry_run;
	uint64_t pause_ns;       /* the longest time for which it held up the messages */
	struct pt_block **fresh; /* of each wanted block: the new one, or NULL */
	void **scratch;          /* of each wanted block: PT_LIVE values to be set, or NULL */
	struct wires **wires;    /* of each exit, index * 3 + canal */
	struct wires **entries;  /* of each wanted block */
	bool *single;
	struct param_env env;
	struct take_over {
		struct pt_block *old, *fresh; /* fresh is NULL for a block that is removed */
	} * ends;                             /* of blocks, in the order of graph_sort */
	unsigned end_count;
	unsigned *starts; /* all of the wanted graph, in that order */
	struct retired *retired;
	bool committed;

	/* of the state */
	unsigned stopping;
	bool suspending;
	json_t *failed;
};

/* ---- parameters ---- */

static int compile(void *arg, enum pt_kind kind, const char *text, struct pt_func **func,
                   struct pt_error *err)
{
	const struct pt_request *r = arg;
	return func_compile(kind, text, &r->engine->script_limits, func, err);
}

static int descriptor(void *arg, int n)
{
	const struct pt_request *r = arg;
	if (r->revision >= 0)
		return -ESTALE;
	return n >= 0 && n < r->fd_count ? fcntl(r->fds[n], F_DUPFD_CLOEXEC, 0) : -1;
}

/* ---- the block a fault is about ---- */

static void name_block(struct pt_error *err, size_t from, const char *name, const char *path)
{
	char *words = must_printf("block '%s'", name);
	error_introduce(err, from, words);
	free(words);
	if (path)
		error_prefix(err, from, path);
}

/* What may give a block its parameters. */
static const json_t *items(const struct pt_request *r)
{
	return r->blocks ? r->blocks : r->ops;
}

/* "ops[3].params" of the operation that gave the block its parameters; NULL if there is none. */
static char *params_path(const struct change *c, const char *name)
{
	const json_t *ops = items(c->request);
	for (size_t i = json_array_size(ops); i-- > 0;) {
		const json_t *op = json_array_get(ops, i);
		const char *of = json_string_value(json_object_get(op, "name"));
		if (of && !strcmp(of, name))
			return must_printf("%s[%zu].params", c->request->blocks ? "blocks" : "ops",
			                   i);
	}
	return NULL;
}

/* Nothing was done: every worker is busy, and there is no thread for another. */
static bool is_refused(struct change *c)
{
	if (c->job.refused && c->engine->ending)
		c->code = request_fail_ending(c->engine, &c->err);
	else if (c->job.refused)
		c->code = pt_fail(&c->err, -PT_ELIMIT, NULL,
		                  "no thread is free for it: others wait for files or devices that "
		                  "do not answer, or the limit of processes is reached (ulimit -u, "
		                  "TasksMax= of the unit); try again");
	return c->job.refused;
}

/* ---- the end of a change ---- */

static void change_free(struct change *c)
{
	unsigned count = c->wanted ? c->wanted->count : 0;
	for (unsigned i = 0; i < count; i++) {
		if (c->scratch && c->scratch[i]) {
			param_release(c->wanted->blocks[i]->type->params, c->scratch[i], &c->env);
			free(c->scratch[i]);
		}
	}
	free(c->scratch);
	free(c->fresh);
	free(c->actions);
	free(c->wires);
	free(c->entries);
	free(c->single);
	free(c->ends);
	free(c->starts);
	json_decref(c->plan);
	json_decref(c->failed);
	if (!c->committed)
		graph_free(c->wanted);
	pt_error_clear(&c->err);
	free(c);
}

static void finish(struct change *c, json_t *result)
{
	c->engine->current = NULL;
	request_answer(c->request, c->code, result, &c->err);
	change_free(c);
}

static struct change *begin(struct pt_engine *e, struct pt_request *r)
{
	assert(!e->current);
	struct change *c = must_calloc(1, sizeof *c);
	c->engine = e;
	c->request = r;
	c->env = (struct param_env){.compile = compile,
	                            .release = func_free,
	                            .hand = func_hand,
	                            .descriptor = descriptor,
	                            .folders = e->limits.folders,
	                            .arg = r};
	e->current = &c->job;
	return c;
}

/* ---- preparing a change of the graph: [worker] ---- */

static int prepare_block(struct change *c, unsigned i)
{
	const struct graph_block *wanted = c->wanted->blocks[i];
	size_t before = c->err.count;
	int rc = 0;
	if (c->fresh[i]) {
		rc = block_init(c->fresh[i], &c->env, &c->err);
		if (rc == 0 && c->engine->state != PT_STOPPED && !c->dry_run)
			rc = block_open(c->fresh[i], &c->err);
	} else if (c->scratch[i]) {
		rc = param_read(wanted->type->params, wanted->params, c->scratch[i], &c->env,
		                &c->err);
		if (rc == 0 && c->engine->state != PT_STOPPED && !c->dry_run)
			rc = block_open_functions(wanted->alive, c->scratch[i], &c->err);
	}
	if (rc) {
		char *path = params_path(c, wanted->name);
		if (c->err.count == before)
			pt_fail(&c->err, rc, NULL, "%s", error_words(rc));
		name_block(&c->err, before, wanted->name, path);
		free(path);
	}
	return rc;
}

static struct link *prepare_link(const struct graph_link *l)
{
	if (l->alive)
		return l->alive;
	struct link *link = must_calloc(1, sizeof *link);
	link->canal = l->canal;
	return link;
}

static struct wires *new_wires(unsigned count, bool split)
{
	if (!count)
		return NULL;
	struct wires *w = must_calloc(1, sizeof(struct wires) + count * sizeof(struct link *));
	w->split = split;
	return w;
}

static void add_wire(struct wires *w, struct link *link)
{
	w->links[w->count++] = link;
	w->data |= link->canal != PT_TRIGGER;
}

static void prepare_wires(struct change *c)
{
	struct graph *g = c->wanted;
	struct order order;
	order_find(g, &order);
	c->single = order.single;
	unsigned *leave = must_calloc(g->count * 3 + 1, sizeof *leave);
	unsigned *enter = must_calloc(g->count + 1, sizeof *enter);
	for (unsigned i = 0; i < g->link_count; i++) {
		leave[g->links[i].from->index * 3 + (unsigned)g->links[i].canal]++;
		enter[g->links[i].to->index]++;
	}
	c->wires = must_calloc(g->count * 3 + 1, sizeof(struct wires *));
	c->entries = must_calloc(g->count + 1, sizeof(struct wires *));
	for (unsigned e = 0; e < g->count * 3; e++)
		c->wires[e] = new_wires(leave[e], order.split[e]);
	for (unsigned i = 0; i < g->count; i++)
		c->entries[i] = new_wires(enter[i], false);
	const struct graph *now = c->engine->graph;
	for (unsigned i = 0; i < now->link_count; i++)
		now->links[i].alive->stays = false;
	for (unsigned i = 0; i < g->link_count; i++) {
		struct graph_link *l = &g->links[i];
		l->alive = prepare_link(l);
		l->alive->stays = true;
		add_wire(c->wires[l->from->index * 3 + (unsigned)l->canal], l->alive);
		add_wire(c->entries[l->to->index], l->alive);
	}
	free(leave);
	free(enter);
	free(order.split);
}

static unsigned *sorted(const struct graph *g)
{
	unsigned *out = must_calloc(g->count, sizeof *out);
	graph_sort(g, out);
	return out;
}

/* Old blocks will stop in the order in which data flows, over the old links: they may still
   send. */
static void prepare_ends(struct change *c)
{
	const struct graph *now = c->engine->graph;
	unsigned *order = sorted(now);
	c->ends = must_calloc(now->count, sizeof *c->ends);
	for (unsigned i = 0; i < now->count; i++) {
		const struct graph_block *old = now->blocks[order[i]];
		const struct graph_block *wanted = graph_find(c->wanted, old->name);
		if (!wanted || c->fresh[wanted->index])
			c->ends[c->end_count++] = (struct take_over){
				old->alive, wanted ? c->fresh[wanted->index] : NULL};
	}
	free(order);
}

static void make_told(struct change *c)
{
	struct pt_request *r = c->request;
	json_t *graph = graph_to_json(c->wanted);
	r->made.plan = json_incref(c->plan);
	r->made.blocks = json_incref(json_object_get(graph, "blocks"));
	r->made.links = json_incref(json_object_get(graph, "links"));
	json_decref(graph);
}

static void prepare_work(struct job *job)
{
	struct change *c = (struct change *)job;
	for (unsigned i = 0; i < c->wanted->count; i++) {
		int rc = prepare_block(c, i);
		if (rc && !c->code)
			c->code = rc;
	}
	if (c->code || c->dry_run) {
		for (unsigned i = 0; i < c->wanted->count; i++)
			if (c->fresh[i])
				block_close(c->fresh[i], NULL);
	} else {
		prepare_wires(c);
		prepare_ends(c);
		c->starts = sorted(c->wanted);
		if (c->request->changed)
			make_told(c);
	}
}

/* ---- taking it: nothing here fails ---- */

static void commit_ends(struct change *c)
{
	for (unsigned i = 0; i < c->end_count; i++)
		retired_add_block(c->retired, c->ends[i].old, c->ends[i].fresh);
}

static void commit_wires(struct change *c)
{
	const struct graph *now = c->engine->graph, *wanted = c->wanted;
	for (unsigned i = 0; i < now->link_count; i++) {
		struct link *link = now->links[i].alive;
		if (link->stays)
			continue;
		retired_add_link(c->retired, link);
		const struct graph_block *to = graph_find(wanted, link->to->name);
		if (to && link->canal != PT_TRIGGER) {
			struct pt_block *b = c->fresh[to->index] ? c->fresh[to->index] : to->alive;
			b->count.entered_before += link->messages;
		}
	}
	for (unsigned i = 0; i < wanted->count; i++) {
		struct graph_block *w = wanted->blocks[i];
		struct pt_block *b = c->fresh[i] ? c->fresh[i] : w->alive;
		b->single = c->single[i];
		for (int canal = 0; canal < 3; canal++) {
			if (b->exits[canal])
				retired_add_wires(c->retired, b->exits[canal]);
			b->exits[canal] = c->wires[i * 3 + (unsigned)canal];
		}
		if (b->entries)
			retired_add_wires(c->retired, b->entries);
		b->entries = c->entries[i];
		w->alive = b;
	}
	for (unsigned i = 0; i < wanted->link_count; i++) {
		const struct graph_link *l = &wanted->links[i];
		if (!l->alive->from)
			l->alive->before = l->from->alive->count.sent[l->canal];
		l->alive->from = l->from->alive;
		l->alive->to = l->to->alive;
	}
}

static void commit_flow(struct change *c)
{
	for (unsigned i = 0; i < c->end_count; i++)
		flow_leave(c->ends[i].old);
	for (unsigned i = 0; i < c->wanted->count; i++) {
		struct pt_block *b = c->wanted->blocks[i]->alive;
		flow_move(b, i + 1);
		if (b->listed)
			flow_note(b);
		else
			flow_enter(b);
	}
	c->engine->flow.stale = true;
}

static void swap_bytes(uint8_t *a, uint8_t *b, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		uint8_t byte = a[i];
		a[i] = b[i];
		b[i] = byte;
	}
}

static void commit_set(struct pt_block *b, uint8_t *scratch, json_t *params)
{
	for (const struct pt_param *row = b->type->params; row && row->name; row++)
		if (row->flags & PT_LIVE)
			swap_bytes((uint8_t *)b->state + row->offset, scratch + row->offset,
			           param_size(row));
	json_decref(b->params);
	b->params = json_incref(params);
}

static void commit_sets(struct change *c)
{
	for (unsigned i = 0; i < c->wanted->count; i++)
		if (c->scratch[i])
			commit_set(c->wanted->blocks[i]->alive, c->scratch[i],
			           c->wanted->blocks[i]->params);
}

/* Told when what they may send to has started. */
static void tell_sets(const struct change *c)
{
	for (unsigned i = 0; i < c->wanted->count; i++) {
		struct pt_block *b = c->wanted->blocks[i]->alive;
		if (c->scratch[i] && b->type->changed)
			b->type->changed(b);
	}
}

/* Against the order: who starts may send at once. */
static void commit_starts(struct change *c, bool sources)
{
	bool runs = c->engine->state != PT_STOPPED;
	for (unsigned i = c->wanted->count; i-- > 0;) {
		struct pt_block *b = c->fresh[c->starts[i]];
		if (b && block_is_source(b) == sources)
			runs ? block_start(b) : carry_begin(b);
	}
}

/* What is restored has the number that it had, and where it is empty, too. */
static uint64_t next_revision(const struct change *c, uint64_t otherwise)
{
	int64_t said = c->request->revision;
	return said >= 0 ? (uint64_t)said : otherwise;
}

/* The plan goes with it. */
static json_t *changed_result(struct change *c)
{
	json_t *result = json_object();
	json_object_set_new(result, "revision", json_integer((json_int_t)c->engine->revision));
	json_object_set_new(result, "plan", c->plan);
	c->plan = NULL;
	if (c->pause_ns)
		json_object_set_new(result, "pause_ns", json_integer((json_int_t)c->pause_ns));
	return result;
}

static void note_pause(struct change *c, uint64_t since_ns)
{
	uint64_t pause_ns = uv_hrtime() - since_ns;
	if (pause_ns > c->pause_ns)
		c->pause_ns = pause_ns;
}

/* What started tells of itself before what it replaces is closed. */
static void tell_carried(const struct change *c)
{
	for (unsigned i = 0; i < c->end_count; i++) {
		const struct pt_block *old = c->ends[i].old, *fresh = c->ends[i].fresh;
		if (carry_is_of(old->type) && (!fresh || fresh->type != old->type))
			carry_tell_gone(c->engine, old->name, old->type->name);
	}
	carry_forget(c->engine);
	carry_tell_stale(c->engine);
}

static void tell_changed(struct change *c)
{
	struct pt_request *r = c->request;
	r->made.revision = c->engine->revision;
	if (r->changed)
		r->changed(r);
}

static void commit(struct change *c)
{
	struct pt_engine *e = c->engine;
	struct graph *now = e->graph;
	uint64_t since_ns = uv_hrtime();
	commit_ends(c);
	commit_wires(c);
	commit_flow(c);
	e->graph = c->wanted;
	tap_bind(e, now);
	e->revision = next_revision(c, e->revision + 1);
	commit_sets(c);
	commit_starts(c, false);
	tell_sets(c);
	commit_starts(c, true);
	tell_carried(c);

	struct retired *retired = c->retired;
	struct pt_request *request = c->request;
	tell_changed(c);
	note_pause(c, since_ns);
	json_t *result = changed_result(c);
	c->request = NULL;
	c->committed = true;
	finish(c, NULL);
	retired_end(e, retired, now, request, result);
}

/* It has not been opened: the next change may have it. */
static void carry_again(struct pt_block *b)
{
	if (b->carried && pt_carry_to(b->carried) != PT_TO_SUCCESSOR) {
		pt_engine_carry(b->engine, b->name, b->type->name, b->carried);
		b->carried = NULL;
	}
}

static void prepare_done(struct job *job)
{
	struct change *c = (struct change *)job;
	if (!is_refused(c) && c->code == 0 && !c->dry_run) {
		commit(c);
		return;
	}
	for (unsigned i = 0; i < c->wanted->count; i++) {
		if (job->refused && c->fresh[i])
			carry_again(c->fresh[i]);
		block_free(c->fresh[i], &c->env);
	}
	retired_free(c->retired);
	finish(c, changed_result(c));
}

static void prepare(struct change *c)
{
	struct pt_engine *e = c->engine;
	const struct graph *w = c->wanted;
	uint64_t since_ns = uv_hrtime();
	c->fresh = must_calloc(w->count, sizeof(struct pt_block *));
	c->scratch = must_calloc(w->count, sizeof(void *));
	for (unsigned i = 0; i < w->count; i++) {
		const struct graph_block *b = w->blocks[i];
		if (c->actions[i] == PLAN_SET)
			c->scratch[i] = must_calloc(1, b->type->size);
		else if (c->actions[i] != PLAN_KEEP)
			c->fresh[i] = block_new(e, b->name, b->type, b->params);
		if (c->fresh[i] && !c->dry_run)
			c->fresh[i]->carried = b->alive ? carry_for(c->fresh[i], b->alive)
			                                : carry_take(e, b->name, b->type->name);
	}
	c->retired = retired_new(e->graph);
	job_try(e, &c->job, prepare_work, prepare_done);
	note_pause(c, since_ns);
}

/* ---- planning, on a copy: [worker] ---- */

/* Blocks, their parameters and what is told of them are many small things, none of which is
   refused. */
static int check_memory(const struct graph *g, struct pt_error *err)
{
	enum { SMALL = 256, PER_BLOCK = 16 * 1024 };
	if (g->count <= SMALL || memory_is_there((size_t)g->count * PER_BLOCK))
		return 0;
	return pt_fail(err, -PT_ELIMIT, NULL, "there is no memory for a graph of %u blocks",
	               g->count);
}

static int plan(struct change *c)
{
	const struct graph *now = c->engine->graph;
	const struct pt_request *r = c->request;
	unsigned limit = c->engine->limits.blocks;
	int rc = r->blocks ? graph_build(c->wanted, r->blocks, r->links, limit, &c->err)
	                   : graph_change(c->wanted, r->ops, limit, &c->err);
	if (rc == 0)
		rc = check_memory(c->wanted, &c->err);
	if (rc == 0)
		rc = graph_check_cycles(c->wanted, &c->err);
	if (rc)
		return rc;
	if (r->fd_count)
		graph_mark_handed(c->wanted, items(r));
	graph_adopt(c->wanted, now);
	c->actions = must_calloc(c->wanted->count, sizeof *c->actions);
	plan_blocks(now, c->wanted, c->actions);
	c->plan = plan_to_json(now, c->wanted, c->actions, c->request->exact);
	return 0;
}

static void plan_work(struct job *job)
{
	struct change *c = (struct change *)job;
	c->wanted = c->request->anew ? graph_new() : graph_copy(c->engine->graph);
	c->code = plan(c);
}

/* What is set to what it is may have become another file of that name. */
static void reopen_set(const struct change *c)
{
	const json_t *ops = c->request->ops;
	for (size_t i = 0; i < json_array_size(ops); i++) {
		const json_t *op = json_array_get(ops, i);
		const char *word = json_string_value(json_object_get(op, "op"));
		const char *name = json_string_value(json_object_get(op, "name"));
		if (!word || !name || strcmp(word, "set") || c->dry_run)
			continue;
		const struct graph_block *found = graph_find(c->engine->graph, name);
		if (found)
			block_reopen(found->alive);
	}
}

static void plan_done(struct job *job)
{
	struct change *c = (struct change *)job;
	struct pt_engine *e = c->engine;
	if (is_refused(c) || c->code) {
		finish(c, NULL);
	} else if (json_array_size(c->plan)) {
		prepare(c);
	} else {
		e->revision = next_revision(c, e->revision);
		reopen_set(c);
		finish(c, changed_result(c));
	}
}

void change_graph(struct pt_request *r)
{
	struct change *c = begin(r->engine, r);
	c->dry_run = r->dry_run;
	job_try(r->engine, &c->job, plan_work, plan_done);
}

/* ---- start ---- */

static void set_away(struct pt_engine *e, bool away)
{
	for (unsigned i = 0; i < e->graph->count; i++)
		e->graph->blocks[i]->alive->away = away;
}

static json_t *state_result(const struct pt_engine *e)
{
	return json_pack("{s:s}", "state", engine_state_word(e));
}

static void start_work(struct job *job)
{
	struct change *c = (struct change *)job;
	const struct graph *g = c->engine->graph;
	for (unsigned i = 0; i < g->count; i++) {
		struct pt_block *b = g->blocks[i]->alive;
		size_t before = c->err.count;
		int rc = block_open(b, &c->err);
		if (!rc)
			continue;
		if (c->err.count == before)
			pt_fail(&c->err, rc, NULL, "%s", error_words(rc));
		name_block(&c->err, before, b->name, NULL);
		if (!c->code)
			c->code = rc;
	}
	for (unsigned i = 0; c->code && i < g->count; i++)
		block_close(g->blocks[i]->alive, NULL);
}

static void settle_work(struct job *job)
{
	struct change *c = (struct change *)job;
	carry_settle(c->engine);
}

static void settle_done(struct job *job)
{
	struct change *c = (struct change *)job;
	finish(c, NULL);
}

/* What an earlier daemon has left is closed by now, and would be in the way of the next start. */
static void start_fail(struct change *c)
{
	struct pt_engine *e = c->engine;
	for (unsigned i = 0; i < e->graph->count; i++)
		carry_tell(e->graph->blocks[i]->alive);
	job_run(e, &c->job, settle_work, settle_done);
}

static void start_done(struct job *job)
{
	struct change *c = (struct change *)job;
	struct pt_engine *e = c->engine;
	set_away(e, false);
	e->comes_back = false;
	if (is_refused(c)) {
		finish(c, NULL);
		return;
	}
	if (c->code) {
		start_fail(c);
		return;
	}
	engine_set_state(e, PT_RUNNING);
	unsigned *order = sorted(e->graph);
	for (int sources = 0; sources < 2; sources++)
		for (unsigned i = e->graph->count; i-- > 0;) {
			struct pt_block *b = e->graph->blocks[order[i]]->alive;
			if (block_is_source(b) == sources)
				block_start(b);
		}
	free(order);
	json_t *result = state_result(e);
	finish(c, result);
}

void change_start(struct pt_request *r)
{
	struct pt_engine *e = r->engine;
	if (e->state != PT_STOPPED) {
		revive_all(r);
		return;
	}
	struct change *c = begin(e, r);
	if (getrandom(e->secret, sizeof e->secret, 0) != sizeof e->secret)
		abort(); /* cannot be, of so few bytes */
	e->comes_back = r->comes_back;
	set_away(e, true);
	job_try(e, &c->job, start_work, start_done);
}

/* ---- stop ---- */

static void stop_work(struct job *job)
{
	struct change *c = (struct change *)job;
	const struct graph *g = c->engine->graph;
	for (unsigned i = 0; i < g->count; i++) {
		struct pt_block *b = g->blocks[i]->alive;
		struct pt_error err = PT_ERROR_INIT;
		int rc = block_close(b, &err);
		if (rc)
			json_array_append_new(c->failed,
			                      json_pack("{s:s, s:s}", "block", b->name, "message",
			                                pt_error_text(&err, error_words(rc))));
		pt_error_clear(&err);
	}
	if (!c->suspending)
		carry_settle(c->engine);
}

static void stop_done(struct job *job)
{
	struct change *c = (struct change *)job;
	struct pt_engine *e = c->engine;
	set_away(e, false);
	engine_set_state(e, PT_STOPPED);
	size_t i;
	json_t *fault;
	json_array_foreach (c->failed, i, fault) {
		struct pt_block *b =
			graph_find(e->graph, json_string_value(json_object_get(fault, "block")))
				->alive;
		b->failed = true;
		flow_note(b);
		pt_report(b, -EIO, "%s", json_string_value(json_object_get(fault, "message")));
	}
	json_t *result = state_result(e);
	if (json_array_size(c->failed))
		json_object_set_new(result, "failed", json_incref(c->failed));
	request_answer_stopped(e, result);
	finish(c, result);
}

static void one_stopped(struct pt_block *b, void *arg)
{
	struct change *c = arg;
	if (--c->stopping == 0) {
		set_away(b->engine, true);
		job_run(b->engine, &c->job, stop_work, stop_done);
	}
}

void change_stop(struct pt_engine *e, struct pt_request *r)
{
	if (e->state == PT_STOPPED) {
		json_t *result = state_result(e);
		request_answer(r, 0, result, NULL);
		return;
	}
	struct change *c = begin(e, r);
	c->failed = json_array();
	unsigned count = e->graph->count, *order = sorted(e->graph);
	c->stopping = count + 1;
	for (unsigned i = 0; i < count; i++) {
		struct pt_block *b = e->graph->blocks[order[i]]->alive;
		if (e->suspending)
			carry_tell_last(b);
		block_stop(b, one_stopped, c);
		if (!e->suspending)
			carry_tell(b);
	}
	c->suspending = e->suspending;
	e->suspending = false;
	free(order);
	if (--c->stopping == 0) {
		set_away(e, true);
		job_run(e, &c->job, stop_work, stop_done);
	}
}
