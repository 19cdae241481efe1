/* SPDX-License-Identifier: BSD-2-Clause */
/* Old blocks, closed aside while the engine goes on. */
#include "engine/retire.h"

#include "base/buf.h"
#include "engine/carry.h"
#include "engine/request.h"
#include "type/param.h"
#include <stdlib.h>

struct retired {
	struct job job;
	struct pt_block **blocks;
	struct wires **wires;
	struct link **links;
	unsigned count, wire_count, link_count;
	unsigned
		stopping; /* blocks whose handles are being closed, and 1 until all is handed over */
	struct graph *graph;
	struct pt_request *request;
	json_t *result;
};

struct retired *retired_new(const struct graph *now)
{
	struct retired *r = must_calloc(1, sizeof *r);
	r->blocks = must_calloc(now->count, sizeof(struct pt_block *));
	r->wires = must_calloc(now->count * 4 + 1, sizeof(struct wires *));
	r->links = must_calloc(now->link_count, sizeof(struct link *));
	r->stopping = 1;
	return r;
}

void retired_free(struct retired *r)
{
	free(r->blocks);
	free(r->wires);
	free(r->links);
	free(r);
}

static void close_blocks(struct job *job)
{
	struct retired *r = (struct retired *)job;
	graph_free(r->graph);
	for (unsigned i = 0; i < r->count; i++) {
		struct pt_error err = PT_ERROR_INIT;
		if (block_close(r->blocks[i], &err)) {
			json_t *failed = json_object_get(r->result, "failed");
			if (!failed)
				json_object_set_new(r->result, "failed", failed = json_array());
			json_array_append_new(
				failed,
				json_pack("{s:s, s:s}", "block", r->blocks[i]->name, "message",
			                  pt_error_text(&err, "could not be closed")));
		}
		pt_error_clear(&err);
	}
	carry_settle(job->engine);
}

static void closed(struct job *job)
{
	static const struct param_env env = {.release = func_free};
	struct retired *r = (struct retired *)job;
	for (unsigned i = 0; i < r->count; i++)
		block_free(r->blocks[i], &env);
	for (unsigned i = 0; i < r->wire_count; i++)
		free(r->wires[i]);
	for (unsigned i = 0; i < r->link_count; i++)
		free(r->links[i]);
	request_answer(r->request, 0, r->result, NULL);
	retired_free(r);
}

static void one_less(struct pt_engine *e, struct retired *r)
{
	if (--r->stopping == 0)
		job_run(e, &r->job, close_blocks, closed);
}

static void stopped(struct pt_block *b, void *arg)
{
	one_less(b->engine, arg);
}

void retired_add_block(struct retired *r, struct pt_block *old, struct pt_block *successor)
{
	r->blocks[r->count++] = old;
	r->stopping++;
	if (successor)
		block_take_over(successor, old, stopped, r);
	else
		block_stop(old, stopped, r);
}

void retired_add_wires(struct retired *r, struct wires *wires)
{
	r->wires[r->wire_count++] = wires;
}

void retired_add_link(struct retired *r, struct link *link)
{
	r->links[r->link_count++] = link;
}

void retired_end(struct pt_engine *e, struct retired *r, struct graph *was,
                 struct pt_request *request, json_t *result)
{
	r->graph = was;
	r->request = request;
	r->result = result;
	one_less(e, r);
}
