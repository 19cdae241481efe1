/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks in requests and files against the tables of their types; and graphs, by making them. */
#include "daemon/check.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/memory.h"
#include "rpc/call.h"
#include "type/param.h"
#include "type/type.h"
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static void check_block(const json_t *block, struct pt_error *err)
{
	const char *name = json_string_value(json_object_get(block, "type"));
	const json_t *params = json_object_get(block, "params");
	const struct pt_type *type = name ? type_get(name, "type", err) : NULL;
	size_t from = err->count;
	if (!type || (params && !json_is_object(params) && !json_is_null(params)))
		return;
	param_check(type->params, json_is_object(params) ? params : NULL, err);
	error_prefix(err, from, "params");
}

int check_blocks(const json_t *list, const char *place, struct pt_error *err)
{
	size_t i, all = err->count;
	json_t *item;
	json_array_foreach (list, i, item) {
		if (err->count >= ERROR_FAULTS_MAX)
			break;
		char *at = must_printf("%s[%zu]", place, i);
		size_t from = err->count;
		check_block(item, err);
		error_prefix(err, from, at);
		free(at);
	}
	return err->count > all ? err->faults[all].code : 0;
}

void check_refused(const char *line, size_t length, struct pt_error *err)
{
	json_t *request;
	if (!err->count || err->faults[0].code != -PT_EPARAM ||
	    rpc_json_parse(line, length, &request, NULL))
		return;
	const char *method = json_string_value(json_object_get(request, "method"));
	const json_t *params = json_object_get(request, "params");
	if (method && !strcmp(method, "engine.create"))
		check_blocks(json_object_get(params, "blocks"), "$.blocks", err);
	else if (method && !strcmp(method, "engine.change"))
		check_blocks(json_object_get(params, "ops"), "$.ops", err);
	json_decref(request);
}

/* ---- one change, on an engine's thread, while the caller waits for it ---- */

struct trial {
	struct pt_request request; /* first */
	uv_sem_t over;
};

static void on_made(struct pt_request *r)
{
	uv_sem_post(&((struct trial *)r)->over);
}

int check_graph(const char *name, json_t *ops, const struct pt_engine_limits *limits,
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
