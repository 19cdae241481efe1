/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl create, apply, add: what takes pipe text. */
#include "base/json.h"
#include "ctl/change.h"
#include "ctl/may_exist.h"
#include "ctl/pipe.h"

/* ---- create ---- */

/* What was done, as of a change that made the first revision; an empty engine has none yet. */
static json_t *as_change(const struct pipe_text *pipe)
{
	if (json_array_size(pipe->program.ops))
		return json_pack("{s:i, s:O, s:b}", "revision", 1, "plan", pipe->program.ops,
		                 "made", true);
	return json_pack("{s:i, s:[{s:s}], s:b}", "revision", 0, "plan", "op", "empty", "made",
	                 true);
}

static int make(struct ctl *ctl, const struct pipe_text *pipe, json_t **change,
                struct pt_error *err)
{
	json_t *params = ctl_params(ctl), *result = NULL;
	if (pipe->program.ops)
		pipe_graph(pipe, params);
	int code = ctl_call_with_fds(ctl, "engine.create", params, &result, err);
	if (!code)
		*change = ctl->json ? json_incref(result) : as_change(pipe);
	json_decref(result);
	return code;
}

static int send_graph(struct ctl *ctl, const struct pipe_text *pipe, json_t **result,
                      struct pt_error *err)
{
	json_t *params = ctl_params(ctl);
	json_object_del(params, "start"); /* of create */
	json_object_del(params, "ephemeral");
	pipe_graph(pipe, params);
	return ctl_call_with_fds(ctl, "engine.apply", params, result, err);
}

/* It is there: without a graph, as it is. */
static int apply_or_none(struct ctl *ctl, const struct pipe_text *pipe, json_t **change,
                         struct pt_error *err)
{
	int code = 0;
	if (pipe->program.ops)
		code = send_graph(ctl, pipe, change, err);
	else
		*change = change_none(NULL);
	if (!code && ctl_flag(ctl, "start") && !ctl_flag(ctl, "dry_run"))
		code = ctl_call(ctl, "engine.start", ctl_engine(ctl), NULL, err);
	return code;
}

int verb_create(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	struct pipe_text pipe;
	json_t *change = NULL;
	int code = pipe_gather(&pipe, ctl, &err);
	pipe.may_be_empty = true;
	if (!code && pipe.given)
		code = pipe_parse(&pipe, ctl, NULL, "without a text an empty engine is made", &err);
	if (!code) {
		code = make(ctl, &pipe, &change, &err);
		if (code == -PT_EEXISTS && ctl_flag(ctl, "or_apply")) {
			pt_error_clear(&err);
			code = apply_or_none(ctl, &pipe, &change, &err);
		} else if (code == -PT_EEXISTS) {
			pt_hint(&err,
			        "'ptctl apply %s' changes it, '--or-apply' does what is needed",
			        ctl->engine);
		}
		pipe_locate(&pipe, &err);
	}
	pipe_fini(&pipe);
	return ctl_end(ctl, code, change, &err);
}

/* ---- apply ---- */

/* What was forgotten, or could not be made, is not to wipe a graph: --empty says so. */
int verb_apply(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	struct pipe_text pipe;
	bool empty = ctl_flag(ctl, "empty");
	json_t *result = NULL;
	int code = pipe_gather(&pipe, ctl, &err);
	pipe.may_be_empty = true;
	if (!code)
		code = pipe_parse(&pipe, ctl, NULL, empty ? NULL : "--empty takes every block out",
		                  &err);
	if (!code && empty && json_array_size(pipe.program.ops))
		code = pt_fail(&err, -PT_EREQUEST, "empty",
		               "either a graph or '--empty', not both");
	if (!code) {
		code = send_graph(ctl, &pipe, &result, &err);
		pipe_locate(&pipe, &err);
	}
	pipe_fini(&pipe);
	return ctl_end(ctl, code, result, &err);
}

/* ---- add ---- */

/* One try. */
static int try_add(struct ctl *ctl, struct pipe_text *pipe, json_t **result, struct pt_error *err)
{
	int code = pipe_parse(pipe, ctl, ctl->engine, "give what is to be added", err);
	if (code)
		return code;
	code = ctl_flag(ctl, "may_exist")
	               ? may_exist_add(ctl, pipe, result, err)
	               : change_send(ctl, json_incref(pipe->program.ops), result, err);
	pipe_locate(pipe, err);
	return code;
}

/* Somebody may have taken, meanwhile, the name that a block made in place was to get. */
static bool raced(struct ctl *ctl, int code, const struct pipe_text *pipe)
{
	json_t *shown = NULL;
	if ((code != -PT_EEXISTS && code != -PT_EBADLINK) ||
	    json_object_get(ctl->values, "if_revision"))
		return false;
	bool moved = !ctl_call(ctl, "engine.show", ctl_engine(ctl), &shown, NULL) &&
	             integer_of(shown, "revision") != integer_of(pipe->world.engine, "revision");
	json_decref(shown);
	return moved;
}

int verb_add(struct ctl *ctl)
{
	enum { TRIES = 20 };
	struct pt_error err = PT_ERROR_INIT;
	struct pipe_text pipe;
	json_t *result = NULL;
	int code = pipe_gather(&pipe, ctl, &err);
	if (!code)
		code = try_add(ctl, &pipe, &result, &err);
	for (int tries = 1; tries < TRIES && raced(ctl, code, &pipe); tries++) {
		pt_error_clear(&err);
		code = try_add(ctl, &pipe, &result, &err);
	}
	pipe_fini(&pipe);
	return ctl_end(ctl, code, result, &err);
}
