/* SPDX-License-Identifier: BSD-2-Clause */
/* A change of the graph: planned and prepared on a worker's thread, where it may fail, taken
   between two messages, where it may not, and tidied up after, on a worker's thread again. */
#include "engine/change.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/lent.h"
#include "engine/carry.h"
#include "engine/request.h"
#include "engine/step.h"
#include "engine/swap.h"
#include "graph/ops.h"
#include "type/param.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

struct change {
	struct step step;
	bool waits; /* the engine's blocks must be asked what they carry over */
	struct graph *wanted;
	enum plan_action *actions;
	json_t *plan;   /* of the answer, as is the rest */
	json_t *failed; /* blocks that could not be closed well */
	json_t *result;
	uint64_t revision;
	uint64_t pause_ns; /* the longest time for which it held up the messages */
	struct swap swap;
	unsigned stopping; /* old blocks whose handles are being closed, and 1 until it is taken */
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

static const char *const *lend(void *arg, int fd, const char *folder)
{
	const struct pt_request *r = arg;
	return lent_add(&r->engine->lent, fd, folder);
}

static struct param_env param_env(const struct change *c)
{
	return (struct param_env){.compile = compile,
	                          .release = func_free,
	                          .hand = func_hand,
	                          .descriptor = descriptor,
	                          .lend = lend,
	                          .folders = c->step.engine->limits.folders,
	                          .arg = c->step.request};
}

/* What may give a block its parameters. */
static const json_t *items(const struct pt_request *r)
{
	return r->blocks ? r->blocks : r->ops;
}

/* "ops[3].params" of the operation that gave the block its parameters; NULL if there is none. */
static char *params_path(const struct change *c, const char *name)
{
	const json_t *ops = items(c->step.request);
	for (size_t i = json_array_size(ops); i-- > 0;) {
		const json_t *op = json_array_get(ops, i);
		const char *of = json_string_value(json_object_get(op, "name"));
		if (of && !strcmp(of, name))
			return must_printf("%s[%zu].params",
			                   c->step.request->blocks ? "blocks" : "ops", i);
	}
	return NULL;
}

/* ---- the answer ---- */

static void note_pause(struct change *c, uint64_t since_ns)
{
	uint64_t pause_ns = uv_hrtime() - since_ns;
	if (pause_ns > c->pause_ns)
		c->pause_ns = pause_ns;
}

static json_t *make_result(struct change *c)
{
	json_t *result = json_object();
	json_object_set_new(result, "revision", json_integer((json_int_t)c->revision));
	json_object_set_new(result, "plan", c->plan);
	if (c->pause_ns)
		json_object_set_new(result, "pause_ns", json_integer((json_int_t)c->pause_ns));
	if (c->failed)
		json_object_set_new(result, "failed", c->failed);
	c->plan = c->failed = NULL;
	return result;
}

/* Whoever asked need not wait until all is freed. */
static void answer(struct change *c, json_t *result)
{
	step_answer(&c->step, result);
	swap_end(&c->swap);
	free(c->actions);
	json_decref(c->plan);
	free(c);
}

/* It was not taken. */
static void give_up(struct change *c)
{
	step_end(&c->step);
	json_t *result = c->step.code ? NULL : make_result(c);
	struct graph *wanted = c->wanted;
	answer(c, result);
	graph_free(wanted);
}

/* ---- after it was taken ---- */

/* [worker] */
static void close_block(struct change *c, struct pt_block *b)
{
	struct pt_error err = PT_ERROR_INIT;
	if (block_close(b, &err)) {
		c->failed = c->failed ? c->failed : json_array();
		json_array_append_new(c->failed,
		                      json_pack("{s:s, s:s}", "block", b->name, "message",
		                                pt_error_text(&err, "could not be closed")));
	}
	pt_error_clear(&err);
}

static void tidy_work(struct job *job)
{
	struct change *c = (struct change *)job;
	struct pt_request *r = c->step.request;
	if (r->changed_soon)
		r->changed_soon(r);
	for (unsigned i = 0; i < c->swap.end_count; i++)
		close_block(c, c->swap.ends[i].old);
	carry_settle(job->engine);
	swap_free_old(&c->swap);
	c->result = make_result(c);
}

static void tidy_done(struct job *job)
{
	struct change *c = (struct change *)job;
	answer(c, c->result);
}

static void one_less(struct change *c)
{
	if (--c->stopping)
		return;
	for (unsigned i = 0; i < c->swap.end_count; i++)
		engine_forget(c->swap.ends[i].old);
	job_run(c->step.engine, &c->step.job, tidy_work, tidy_done);
}

static void stopped(struct pt_block *b, void *arg)
{
	one_less(arg);
}

/* ---- taking it ---- */

static void tell_changed(struct pt_request *r)
{
	if (r->changed)
		r->changed(r);
}

static void commit(struct change *c)
{
	uint64_t since_ns = uv_hrtime();
	c->stopping = c->swap.end_count + 1;
	swap_commit(&c->swap, stopped, c);
	c->step.engine->revision = c->revision;
	tell_changed(c->step.request);
	note_pause(c, since_ns);
	step_end(&c->step);
	one_less(c);
}

/* ---- preparing it: [worker] ---- */

static int prepare_block(struct change *c, struct pt_block *b)
{
	const struct param_env env = param_env(c);
	int rc = block_init(b, &env, &c->step.err);
	if (rc == 0 && c->step.engine->state != PT_STOPPED && !c->step.request->dry_run)
		rc = block_open(b, &c->step.err);
	return rc;
}

static int prepare_setting(struct change *c, const struct setting *s)
{
	const struct param_env env = param_env(c);
	int rc = param_read(s->type->params, s->params, s->values, &env, &c->step.err);
	if (rc == 0 && c->step.engine->state != PT_STOPPED && !c->step.request->dry_run)
		rc = block_open_functions(s->block, s->values, &c->step.err);
	return rc;
}

static void prepare_blocks(struct change *c)
{
	const struct setting *setting = c->swap.settings;
	for (unsigned i = 0; i < c->wanted->count; i++) {
		size_t before = c->step.err.count;
		int rc = 0;
		if (c->swap.fresh[i])
			rc = prepare_block(c, c->swap.fresh[i]);
		else if (c->actions[i] == PLAN_SET)
			rc = prepare_setting(c, setting++);
		if (!rc)
			continue;
		char *path = params_path(c, c->wanted->blocks[i]->name);
		step_block_failed(&c->step, rc, before, c->wanted->blocks[i]->name, path);
		free(path);
	}
}

static void make_told(struct change *c)
{
	struct pt_request *r = c->step.request;
	r->made.revision = c->revision;
	if (!r->changed)
		return;
	r->made.plan = json_incref(c->plan);
	r->made.blocks = plan_blocks_delta(c->swap.now, c->wanted);
	r->made.links = plan_links_delta(c->swap.now, c->wanted);
}

static void prepare(struct change *c)
{
	prepare_blocks(c);
	if (c->step.code || c->step.request->dry_run) {
		for (unsigned i = 0; i < c->wanted->count; i++)
			if (c->swap.fresh[i])
				block_close(c->swap.fresh[i], NULL);
		return;
	}
	swap_lay_out(&c->swap);
	make_told(c);
}

static void prepare_work(struct job *job)
{
	prepare((struct change *)job);
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
	if (!step_is_refused(&c->step) && c->step.code == 0 && !c->step.request->dry_run) {
		commit(c);
		return;
	}
	for (unsigned i = 0; job->refused && c->swap.fresh && i < c->wanted->count; i++)
		if (c->swap.fresh[i])
			carry_again(c->swap.fresh[i]);
	give_up(c);
}

static void ask_blocks(struct change *c)
{
	uint64_t since_ns = uv_hrtime();
	for (unsigned i = 0; i < c->wanted->count; i++) {
		struct pt_block *old = c->wanted->blocks[i]->alive, *b = c->swap.fresh[i];
		if (b)
			b->carried = old ? carry_for(b, old)
			                 : carry_take(b->engine, b->name, b->type->name);
	}
	note_pause(c, since_ns);
	job_try(c->step.engine, &c->step.job, prepare_work, prepare_done);
}

/* ---- planning, on a copy: [worker] ---- */

/* Blocks, their parameters and what is told of them are many small things, none of which is
   refused: some 5 KiB a block and its link while they are made, beside what the types keep. */
static int check_memory(const struct graph *g, struct pt_error *err)
{
	enum { SMALL = 256, PER_BLOCK = 6 * 1024 };
	if (g->count <= SMALL || memory_is_there((size_t)g->count * PER_BLOCK))
		return 0;
	return pt_fail(err, -PT_ELIMIT, NULL, "there is no memory for a graph of %u blocks",
	               g->count);
}

static int plan(struct change *c)
{
	struct graph *now = c->step.engine->graph;
	const struct pt_request *r = c->step.request;
	unsigned limit = c->step.engine->limits.blocks;
	int rc = r->blocks ? graph_build(c->wanted, r->blocks, r->links, limit, &c->step.err)
	                   : graph_change(c->wanted, r->ops, limit, &c->step.err);
	if (rc == 0)
		rc = check_memory(c->wanted, &c->step.err);
	if (rc == 0)
		rc = graph_check_cycles(c->wanted, &c->step.err);
	if (rc)
		return rc;
	if (r->fd_count)
		graph_mark_handed(c->wanted, items(r));
	graph_adopt(c->wanted, now);
	c->actions = must_calloc(c->wanted->count, sizeof *c->actions);
	plan_blocks(now, c->wanted, c->actions);
	c->plan = plan_to_json(now, c->wanted, c->actions, c->step.request->exact);
	return 0;
}

/* What is restored has the number that it had, and where it is empty, too. */
static uint64_t next_revision(const struct change *c)
{
	const struct pt_request *r = c->step.request;
	return r->revision >= 0 ? (uint64_t)r->revision
	                        : r->engine->revision + (json_array_size(c->plan) && !r->dry_run);
}

/* Whether a new block may be carried something over to. */
static bool must_ask(const struct change *c)
{
	const struct pt_engine *e = c->step.engine;
	bool some = e->carried;
	for (unsigned i = 0; i < c->wanted->count && !some; i++) {
		const struct graph_block *w = c->wanted->blocks[i];
		some = c->swap.fresh[i] && w->alive && w->alive->type == w->type &&
		       carry_is_of(w->type);
	}
	return some && !c->step.request->dry_run;
}

static void plan_work(struct job *job)
{
	struct change *c = (struct change *)job;
	c->wanted = c->step.request->anew ? graph_new() : graph_copy(job->engine->graph);
	c->step.code = plan(c);
	c->revision = next_revision(c);
	if (c->step.code || !json_array_size(c->plan))
		return;
	swap_begin(&c->swap, job->engine, c->wanted, c->actions);
	c->waits = must_ask(c);
	if (!c->waits)
		prepare(c);
}

/* What is set to what it is may have become another file of that name. */
static void reopen_set(const struct change *c)
{
	const json_t *ops = c->step.request->ops;
	for (size_t i = 0; i < json_array_size(ops); i++) {
		const json_t *op = json_array_get(ops, i);
		const char *word = json_string_value(json_object_get(op, "op"));
		const char *name = json_string_value(json_object_get(op, "name"));
		if (!word || !name || strcmp(word, "set") || c->step.request->dry_run)
			continue;
		const struct graph_block *found = graph_find(c->step.engine->graph, name);
		if (found)
			block_reopen(found->alive);
	}
}

static void plan_done(struct job *job)
{
	struct change *c = (struct change *)job;
	if (job->refused || c->step.code || json_array_size(c->plan)) {
		if (c->waits && !c->step.code)
			ask_blocks(c);
		else
			prepare_done(job);
		return;
	}
	c->step.engine->revision = c->revision;
	reopen_set(c);
	give_up(c);
}

void change_graph(struct pt_request *r)
{
	struct change *c = must_calloc(1, sizeof *c);
	step_begin(&c->step, r->engine, r);
	job_try(r->engine, &c->step.job, plan_work, plan_done);
}
