/* SPDX-License-Identifier: BSD-2-Clause */
/* One change, on an engine's thread, while the caller waits for it. */
#include "daemon/trial.h"

#include "base/memory.h"
#include "base/error.h"
#include <stdlib.h>
#include <uv.h>

struct trial {
	struct pt_request request; /* first */
	uv_sem_t over;
};

static void on_made(struct pt_request *r)
{
	uv_sem_post(&((struct trial *)r)->over);
}

int trial_make(const char *name, json_t *ops, const struct pt_engine_limits *limits,
               struct pt_error *err)
{
	struct trial trial = {.request = PT_REQUEST_INIT(PT_VERB_CHANGE)};
	struct pt_engine *engine;
	int code = pt_engine_new(name, NULL, limits, &engine, err);
	if (code)
		return code;
	if (uv_sem_init(&trial.over, 0))
		out_of_memory();
	trial.request.ops = ops;
	trial.request.done = on_made;
	pt_engine_ask(engine, &trial.request);
	uv_sem_wait(&trial.over);
	pt_engine_free(engine);
	uv_sem_destroy(&trial.over);
	json_decref(trial.request.result);
	error_move(err, &trial.request.err);
	return trial.request.code;
}
