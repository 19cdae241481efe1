/* SPDX-License-Identifier: BSD-2-Clause */
/* One change, on an engine's thread, while the caller waits for it. */
#include "daemon/trial.h"

#include "base/memory.h"
#include "base/error.h"
#include <stdlib.h>
#include <uv.h>

struct trial {
	uv_sem_t over;
	int code;
	struct pt_error *err;
};

static void on_made(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct trial *trial = arg;
	trial->code = code;
	if (code)
		error_move(trial->err, err);
	json_decref(result);
	uv_sem_post(&trial->over);
}

int trial_make(const char *name, json_t *ops, const struct pt_engine_limits *limits,
               struct pt_error *err)
{
	struct trial trial = {.err = err};
	struct pt_engine *engine;
	int code = pt_engine_new(name, NULL, limits, &engine, err);
	if (code)
		return code;
	if (uv_sem_init(&trial.over, 0))
		out_of_memory();
	json_t *params = json_pack("{s:O}", "ops", ops);
	pt_engine_ask(engine, "change", params, NULL, 0, on_made, &trial);
	json_decref(params);
	uv_sem_wait(&trial.over);
	pt_engine_free(engine);
	uv_sem_destroy(&trial.over);
	return trial.code;
}
