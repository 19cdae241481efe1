/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl create, apply, add: what takes pipe text. */
#include "base/json.h"
#include "ctl/change.h"
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

/* ---- add --may-exist ---- */

/* What is missing, and the blocks that are there, as if they were to be put in their own place. */
static void sort_ops(const json_t *shown, const json_t *ops, json_t *missing, json_t *same)
{
	json_each (op, json_of(ops)) {
		if (!change_same(shown, op)) {
			json_array_append(missing, op);
		} else if (!json_object_get(op, "from")) {
			json_t *replace = json_copy(op);
			json_object_set_new(replace, "op", json_string("replace"));
			json_array_append_new(same, replace);
		}
	}
}

/* The daemon knows what is the same: then it would do nothing. */
static int check_same(struct ctl *ctl, json_t *ops, struct pt_error *err)
{
	json_t *result, *params = ctl_engine(ctl);
	if (!json_array_size(ops)) {
		json_decref(params);
		return 0;
	}
	json_object_set(params, "ops", ops);
	json_object_set_new(params, "dry_run", json_true());
	int code = ctl_call_with_fds(ctl, "engine.change", params, &result, err);
	if (code)
		return code;
	const char *name = text_of(json_array_get(json_object_get(result, "plan"), 0), "name");
	if (*name) {
		code = pt_fail(err, -PT_EEXISTS, NULL, "block '%s' is there, and is another", name);
		pt_hint(err, "'ptctl replace %s.%s' puts this one in its place", ctl->engine, name);
	}
	json_decref(result);
	return code;
}

static int add_missing(struct ctl *ctl, const struct pipe_text *pipe, json_t **result,
                       struct pt_error *err)
{
	const json_t *shown = pipe->world.engine;
	json_t *missing = json_array(), *same = json_array();
	sort_ops(shown, pipe->program.ops, missing, same);
	int code = check_same(ctl, same, err);
	if (!code && json_array_size(missing))
		code = change_send(ctl, json_incref(missing), result, err);
	else if (!code)
		*result = change_none(json_object_get(shown, "revision"));
	json_decref(same);
	json_decref(missing);
	return code;
}

/* ---- add ---- */

/* One try. */
static int try_add(struct ctl *ctl, struct pipe_text *pipe, json_t **result, struct pt_error *err)
{
	int code = pipe_parse(pipe, ctl, ctl->engine, "give what is to be added", err);
	if (code)
		return code;
	if (pipe->lenient)
		return add_missing(ctl, pipe, result, err);
	code = change_send(ctl, json_incref(pipe->program.ops), result, err);
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
	pipe.lenient = ctl_flag(ctl, "may_exist");
	if (!code)
		code = try_add(ctl, &pipe, &result, &err);
	for (int tries = 1; tries < TRIES && raced(ctl, code, &pipe); tries++) {
		pt_error_clear(&err);
		code = try_add(ctl, &pipe, &result, &err);
	}
	pipe_fini(&pipe);
	return ctl_end(ctl, code, result, &err);
}
