/* SPDX-License-Identifier: BSD-2-Clause */
/* Failed blocks are closed and opened on a worker thread, while the others go on. */
#include "engine/revive.h"

#include "base/buf.h"
#include "engine/request.h"
#include "engine/step.h"
#include "net/watch.h"
#include <stdlib.h>

struct revival {
	struct step step;
	unsigned stopping, count;
	struct revived {
		struct pt_block *block;
		int code; /* of its open */
	} blocks[];       /* in the order in which data flows */
};

static void finish(struct revival *r)
{
	step_end(&r->step);
	step_answer(&r->step,
	            r->step.code ? NULL
	                         : json_pack("{s:s}", "state", engine_state_word(r->step.engine)));
	free(r);
}

static void start(struct pt_block *b)
{
	free(b->last_error);
	b->last_error = NULL;
	block_start(b);
	b->revived_ns = pt_now(b);
	if (!b->failed && !b->note)
		pt_note(b, "it had failed, and was started again");
}

static void on_due(struct pt_block *b)
{
	b->retry_due = b->engine->revival_due = true;
	if (b->retry_by_ns <= pt_now(b))
		b->retry_by_ns = 0;
}

static void wait_since(struct pt_block *b, uint64_t ns)
{
	uint64_t due_ns = ns + (uint64_t)(b->retry_s * 1e9);
	bool sooner = b->retry_by_ns && b->retry_by_ns < due_ns;
	pt_timer_at(b, &b->retry, sooner ? b->retry_by_ns : due_ns, on_due);
}

static void reopen_done(struct job *job)
{
	struct revival *r = (struct revival *)job;
	step_is_refused(&r->step);
	for (unsigned i = r->count; i-- > 0;)
		r->blocks[i].block->away = false;
	for (int sources = 0; sources < 2; sources++)
		for (unsigned i = r->count; i-- > 0;) {
			struct revived *one = &r->blocks[i];
			if (block_is_source(one->block) != sources)
				continue;
			if (!job->refused && !one->code)
				start(one->block);
			else if (one->block->retry_s > 0 && !one->block->retry_due)
				wait_since(one->block, pt_now(one->block));
		}
	cut_turn(r->step.engine);
	finish(r);
}

static void reopen_work(struct job *job)
{
	struct revival *r = (struct revival *)job;
	for (unsigned i = 0; i < r->count; i++) {
		struct revived *one = &r->blocks[i];
		size_t before = r->step.err.count;
		block_close(one->block, NULL);
		one->block->comes_back = true;
		one->code = block_open(one->block, &r->step.err);
		one->block->comes_back = false;
		if (!one->code)
			continue;
		block_close(one->block, NULL);
		step_block_failed(&r->step, one->code, before, one->block->name, NULL);
	}
}

static void one_stopped(struct pt_block *b, void *arg)
{
	struct revival *r = arg;
	if (--r->stopping == 0)
		job_try(r->step.engine, &r->step.job, reopen_work, reopen_done);
}

static void begin(struct pt_engine *e, struct pt_request *request, bool (*takes)(struct pt_block *))
{
	struct revival *r = must_calloc(1, sizeof *r + e->graph->count * sizeof *r->blocks);
	const unsigned *order = graph_sorted(e->graph);
	step_begin(&r->step, e, request);
	for (unsigned i = 0; i < e->graph->count; i++) {
		struct pt_block *b = e->graph->blocks[order[i]]->alive;
		if (!takes(b))
			continue;
		b->retry_due = false;
		r->blocks[r->count++].block = b;
	}
	r->stopping = r->count;
	for (unsigned i = 0; i < r->count; i++)
		r->blocks[i].block->away = true;
	for (unsigned i = 0, count = r->count; i < count; i++)
		block_stop(r->blocks[i].block, one_stopped, r);
	if (!r->count)
		finish(r);
}

static bool has_failed(struct pt_block *b)
{
	return b->failed;
}

void revive_all(struct pt_request *request)
{
	begin(request->engine, request, has_failed);
}

/* ---- by themselves ---- */

static bool is_due(struct pt_block *b)
{
	return b->failed && b->retry_due;
}

static bool waits(const struct pt_block *b)
{
	return b->failed && b->retry_s > 0;
}

/* What came may be what any of them waits for, also what is being opened now. */
static void on_news(void *arg)
{
	struct pt_engine *e = arg;
	for (unsigned i = 0; i < e->graph->count; i++)
		if (waits(e->graph->blocks[i]->alive))
			on_due(e->graph->blocks[i]->alive);
}

/* What it needs may be back already, and then there will be no news. One that has been started for
   that and has failed again does not do so all the time. */
void revive_wait(struct pt_block *b)
{
	struct pt_engine *e = b->engine;
	if (!e->watch && !e->ending)
		e->watch = net_watch_new(&e->loop, on_news, e);
	if (b->revived_ns)
		wait_since(b, b->revived_ns);
	else
		on_due(b);
}

void revive_due(struct pt_engine *e)
{
	bool due = e->revival_due && e->state != PT_STOPPED;
	e->revival_due = false;
	if (due)
		begin(e, NULL, is_due);
	if (e->watch && (e->state == PT_STOPPED || !e->flow.counts[FLOW_WAITING]))
		revive_forget(e);
}

void revive_forget(struct pt_engine *e)
{
	net_watch_free(e->watch);
	e->watch = NULL;
}
