/* SPDX-License-Identifier: BSD-2-Clause */
/* What the verbs that change a graph have in common. */
#include "ctl/change.h"

#include "ctl/out.h"
#include "lang/lang.h"
#include <string.h>

json_t *change_op(const char *op, const char *name)
{
	json_t *json = json_object();
	json_object_set_new(json, "op", json_string(op));
	if (name)
		json_object_set_new(json, "name", json_string(name));
	return json;
}

static void pass(const struct ctl *ctl, const char *option, json_t *params, const char *member)
{
	json_t *value = json_object_get(ctl->values, option);
	if (value)
		json_object_set(params, member, value);
}

int change_call(struct ctl *ctl, const char *method, const char *engine, json_t *params,
                json_t **result, struct pt_error *err)
{
	json_object_set_new(params, "engine", json_string(engine));
	pass(ctl, "if_revision", params, "if_revision");
	pass(ctl, "dry_run", params, "dry_run");
	pass(ctl, "comment", params, "comment");
	pass(ctl, "confirm", params, "confirm_s");
	return ctl_call_with_fds(ctl, method, params, result, err);
}

int change_send(struct ctl *ctl, const char *engine, json_t *ops, json_t **result,
                struct pt_error *err)
{
	json_t *params = json_object();
	json_object_set_new(params, "ops", ops);
	return change_call(ctl, "engine.change", engine, params, result, err);
}

int change_apply(struct ctl *ctl, const char *engine, json_t *graph, json_t **result,
                 struct pt_error *err)
{
	return change_call(ctl, "engine.apply", engine, graph, result, err);
}

/* ---- the plan, one operation a line ---- */

static const char *text_of(const json_t *op, const char *name)
{
	const char *text = json_string_value(json_object_get(op, name));
	return text ? text : "?";
}

static void show_block(struct buf *b, const json_t *op)
{
	json_t *graph = json_pack("{s:[O], s:[]}", "blocks", op, "links");
	struct buf text = BUF_INIT;
	lang_print(&text, graph);
	while (text.length && text.data[text.length - 1] == '\n')
		text.length--;
	buf_add(b, text.data ? text.data : "", text.length);
	buf_free(&text);
	json_decref(graph);
}

static void show_set(struct buf *b, const json_t *op)
{
	const char *key, *comma = "";
	json_t *value;
	buf_addf(b, "%s(", text_of(op, "name"));
	json_object_foreach (json_object_get(op, "params"), key, value) {
		buf_addf(b, "%s%s=", comma, key);
		lang_print_value(b, value);
		comma = ", ";
	}
	buf_addc(b, ')');
}

static void show_op(struct buf *b, const json_t *op)
{
	const char *word = text_of(op, "op");
	buf_addf(b, "%-8s", word);
	if (!strcmp(word, "add") || !strcmp(word, "replace"))
		show_block(b, op);
	else if (!strcmp(word, "set"))
		show_set(b, op);
	else if (!strcmp(word, "link") || !strcmp(word, "unlink"))
		buf_addf(b, "%s %s %s", text_of(op, "from"), out_canal_sign(text_of(op, "canal")),
		         text_of(op, "to"));
	else if (!strcmp(word, "order"))
		buf_adds(b, "only how it is written differs");
	else
		buf_adds(b, text_of(op, "name"));
	buf_addc(b, '\n');
}

void change_show_ops(struct buf *b, const json_t *ops, const char *indent)
{
	size_t i;
	json_t *op;
	json_array_foreach ((json_t *)(uintptr_t)ops, i, op) {
		buf_adds(b, indent);
		show_op(b, op);
	}
}

int change_done(struct ctl *ctl, json_t *result)
{
	if (ctl->json) {
		out_json(result);
	} else if (ctl_flag(ctl, "dry_run")) {
		struct buf b = BUF_INIT;
		change_show_ops(&b, json_object_get(result, "plan"), "");
		out_buf(&b);
	}
	ctl_tell_losses(result); /* the change is made all the same */
	json_decref(result);
	return EXIT_DONE;
}

int change_run(struct ctl *ctl, const char *engine, json_t *ops)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *result;
	if (change_send(ctl, engine, ops, &result, &err))
		return ctl_refused(ctl, &err);
	return change_done(ctl, result);
}
