/* SPDX-License-Identifier: BSD-2-Clause */
/* An engine starts and stops. */
#include "engine/change.h"

#include "base/buf.h"
#include "base/error.h"
#include "engine/carry.h"
#include "engine/request.h"
#include "engine/revive.h"
#include "engine/step.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

struct transition {
	struct step step;
	unsigned stopping; /* blocks whose handles are being closed, and 1 until all are told */
	bool suspending;
	char **faults; /* of each block that could not be closed well; NULL otherwise */
};

static struct transition *begin(struct pt_engine *e, struct pt_request *r)
{
	struct transition *t = must_calloc(1, sizeof *t);
	step_begin(&t->step, e, r);
	t->faults = must_calloc(e->graph->count, sizeof(char *));
	return t;
}

static void finish(struct transition *t, json_t *result)
{
	for (unsigned i = 0; i < t->step.engine->graph->count; i++)
		free(t->faults[i]);
	free(t->faults);
	step_end(&t->step);
	step_answer(&t->step, result);
	free(t);
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
	struct transition *t = (struct transition *)job;
	const struct graph *g = t->step.engine->graph;
	for (unsigned i = 0; i < g->count; i++) {
		struct pt_block *b = g->blocks[i]->alive;
		size_t before = t->step.err.count;
		int rc = block_open(b, &t->step.err);
		if (rc)
			step_block_failed(&t->step, rc, before, b->name, NULL);
	}
	for (unsigned i = 0; t->step.code && i < g->count; i++)
		block_close(g->blocks[i]->alive, NULL);
}

static void settle_work(struct job *job)
{
	carry_settle(job->engine);
}

static void settle_done(struct job *job)
{
	finish((struct transition *)job, NULL);
}

/* What an earlier daemon has left is there for the next start; but what no block takes up may be
   what is in the way. */
static void start_fail(struct transition *t)
{
	struct pt_engine *e = t->step.engine;
	for (unsigned i = 0; i < e->graph->count; i++) {
		struct pt_block *b = e->graph->blocks[i]->alive;
		bool closed = t->step.code == -EADDRINUSE && carry_close(b->carried, false);
		if (carry_waits(b))
			carry_ask_anew(b);
		if (closed || !carry_waits(b))
			carry_tell(b);
	}
	job_run(e, &t->step.job, settle_work, settle_done);
}

static void start_done(struct job *job)
{
	struct transition *t = (struct transition *)job;
	struct pt_engine *e = t->step.engine;
	set_away(e, false);
	e->comes_back = false;
	if (step_is_refused(&t->step)) {
		finish(t, NULL);
		return;
	}
	if (t->step.code) {
		start_fail(t);
		return;
	}
	e->since_ns = engine_now(e);
	resume_start(e);
	engine_set_state(e, PT_RUNNING);
	const unsigned *order = graph_sorted(e->graph);
	for (int sources = 0; sources < 2; sources++)
		for (unsigned i = e->graph->count; i-- > 0;) {
			struct pt_block *b = e->graph->blocks[order[i]]->alive;
			if (block_is_source(b) == sources)
				block_start(b);
		}
	resume_started(e);
	cut_turn(e);
	finish(t, state_result(e));
}

void change_start(struct pt_request *r)
{
	struct pt_engine *e = r->engine;
	if (e->state != PT_STOPPED) {
		if (e->state == PT_DRAINING)
			engine_set_state(e, PT_RUNNING);
		revive_all(r);
		return;
	}
	struct transition *t = begin(e, r);
	if (getrandom(e->secret, sizeof e->secret, 0) != sizeof e->secret)
		abort(); /* cannot be, of so few bytes */
	e->comes_back = r->comes_back;
	set_away(e, true);
	job_try(e, &t->step.job, start_work, start_done);
}

/* ---- stop ---- */

static void stop_work(struct job *job)
{
	struct transition *t = (struct transition *)job;
	const struct graph *g = job->engine->graph;
	for (unsigned i = 0; i < g->count; i++) {
		struct pt_error err = PT_ERROR_INIT;
		int rc = block_close(g->blocks[i]->alive, &err);
		t->faults[i] = rc ? must_strdup(pt_error_text(&err, error_words(rc))) : NULL;
		pt_error_clear(&err);
	}
	if (!t->suspending)
		carry_settle(job->engine);
}

/* {failed: [{block, message}]}, beside the state. */
static json_t *tell_faults(const struct transition *t, const struct graph *g)
{
	json_t *failed = json_array(), *result = state_result(t->step.engine);
	for (unsigned i = 0; i < g->count; i++) {
		struct pt_block *b = g->blocks[i]->alive;
		if (!t->faults[i])
			continue;
		json_array_append_new(
			failed, json_pack("{s:s, s:s}", "block", b->name, "message", t->faults[i]));
		pt_report(b, -EIO, "%s", t->faults[i]);
		b->failed = true; /* behind its reason, which stays then */
		flow_note(b);
	}
	if (json_array_size(failed))
		json_object_set(result, "failed", failed);
	json_decref(failed);
	return result;
}

static void stop_done(struct job *job)
{
	struct transition *t = (struct transition *)job;
	struct pt_engine *e = job->engine;
	set_away(e, false);
	cut_commit_last(e);
	engine_set_state(e, PT_STOPPED);
	json_t *result = tell_faults(t, e->graph);
	request_answer_stopped(e, result);
	finish(t, result);
}

static void one_less(struct transition *t)
{
	if (--t->stopping)
		return;
	set_away(t->step.engine, true);
	job_run(t->step.engine, &t->step.job, stop_work, stop_done);
}

static void stopped(struct pt_block *b, void *arg)
{
	one_less(arg);
}

void change_stop(struct pt_engine *e, struct pt_request *r)
{
	if (e->state == PT_STOPPED) {
		resume_failed(e);
		for (unsigned i = 0; i < e->graph->count; i++)
			carry_let_go(e->graph->blocks[i]->alive);
		request_answer(r, 0, state_result(e), NULL);
		return;
	}
	struct transition *t = begin(e, r);
	const unsigned *order = graph_sorted(e->graph);
	t->stopping = e->graph->count + 1;
	if (e->suspending)
		cut_last(e);
	else
		cut_end(e);
	for (unsigned i = 0; i < e->graph->count; i++) {
		struct pt_block *b = e->graph->blocks[order[i]]->alive;
		if (e->suspending)
			carry_tell_last(b);
		block_stop(b, stopped, t);
		if (!e->suspending)
			carry_tell(b);
	}
	cut_tell_last(e);
	t->suspending = e->suspending;
	e->suspending = false;
	one_less(t);
}
