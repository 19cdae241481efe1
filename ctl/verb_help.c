/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl help. */
#include "base/json.h"
#include "base/near.h"
#include "base/quote.h"
#include "ctl/ctl.h"
#include "ctl/help.h"
#include "ctl/manual.h"
#include "ctl/verb_hint.h"
#include "ctl/out.h"
#include "type/help.h"
#include <string.h>

/* Prints and frees what others wrote, which may hold anything. */
static void print(struct buf *b)
{
	struct buf harmless = BUF_INIT;
	quote_harmless(&harmless, b->data, b->length);
	buf_free(b);
	out_buf(&harmless);
}

/* ---- methods, out of rpc.discover ---- */

static void add_param(struct table *t, const json_t *param)
{
	const json_t *schema = json_object_get(param, "schema");
	const char *doc = text_of(param, "description");
	table_add(t, "");
	table_add(t, text_of(param, "name"));
	table_add(t, json_is_true(json_object_get(param, "required")) ? "required" : "");
	table_add(t, *doc ? doc : text_of(schema, "description"));
}

static void add_method(struct buf *b, const json_t *method)
{
	const json_t *params = json_object_get(method, "params");
	struct table t = table_init(4, 0);
	struct buf line = BUF_INIT;
	buf_addf(&line, "%s — %s", text_of(method, "name"), text_of(method, "summary"));
	help_paragraph(b, line.data, 0);
	if (*text_of(method, "description")) {
		buf_addc(b, '\n');
		help_prose(b, text_of(method, "description"));
	}
	if (json_array_size(params))
		buf_adds(b, "\nParameters:\n");
	t.headless = true;
	json_each (param, params)
		add_param(&t, param);
	table_print(&t, b);
	buf_clear(&line);
	buf_addf(&line, "Result: %s", text_of(json_object_get(method, "result"), "description"));
	buf_addc(b, '\n');
	help_paragraph(b, line.data, 0);
	buf_free(&line);
}

static int help_method(struct ctl *ctl, const char *name, struct pt_error *err)
{
	json_t *document, *found = NULL;
	struct near near = near_init(name);
	int code = ctl_call(ctl, "rpc.discover", NULL, &document, err);
	if (code)
		return code;
	json_each (method, json_object_get(document, "methods")) {
		near_try(&near, text_of(method, "name"));
		if (!strcmp(text_of(method, "name"), name))
			found = method;
	}
	if (found && ctl->json) {
		out_json(found);
	} else if (found) {
		struct buf b = BUF_INIT;
		add_method(&b, found);
		print(&b);
	} else {
		code = pt_fail(err, -PT_EMETHOD, NULL, "no method '%s'%s", name,
		               near_say(&near, ""));
	}
	json_decref(document);
	return code;
}

/* ---- types ---- */

static int no_such(const json_t *list, const char *name, struct pt_error *err)
{
	struct near near = near_init(name);
	for (const struct verb *v = verbs; v->name; v++)
		near_try(&near, v->name);
	for (const struct manual_topic *t = manual_topics; t->name; t++)
		near_try(&near, t->name);
	for (const struct native_op *op = native_ops; op->name; op++)
		near_try(&near, op->name);
	json_each (type, json_object_get(list, "types"))
		near_try(&near, text_of(type, "name"));
	const char *meant = verb_meant(name);
	if (meant)
		return pt_fail(err, -PT_ENOTYPE, NULL, "no verb '%s'; it is %s", name, meant);
	return pt_fail(err, -PT_ENOTYPE, NULL, "no verb and no block type '%s'%s", name,
	               near_say(&near, "; see 'ptctl help' and 'ptctl types'"));
}

static int help_type_of(struct ctl *ctl, const char *name, struct pt_error *err)
{
	json_t *type, *list, *params = json_object();
	json_object_set_new(params, "type", json_string(name));
	int code = ctl_call(ctl, "type.show", params, &type, err);
	if (code == -PT_ENOTYPE) {
		pt_error_clear(err);
		code = ctl_call(ctl, "type.list", NULL, &list, err);
		if (code)
			return code;
		code = no_such(list, name, err);
		json_decref(list);
		return code;
	}
	if (code)
		return code;
	if (ctl->json) {
		out_json(type);
	} else {
		struct buf b = BUF_INIT;
		help_type_json(&b, type);
		print(&b);
	}
	json_decref(type);
	return 0;
}

/* Everything of that name that needs no daemon; false: there is nothing. */
static bool tell_own(struct buf *b, const char *name)
{
	const struct verb *verb = verb_find(name);
	const struct native_op *op = native_find(name, strlen(name));
	if (verb)
		help_verb(b, verb);
	if (op) {
		buf_adds(b, verb ? "\n" : "");
		help_operation(b, op);
	}
	buf_adds(b, verb ? "\n" : "");
	bool topic = manual_show(b, name);
	if (verb && !topic)
		b->length--;
	if (!strcmp(name, "reasons"))
		help_reasons(b);
	return b->length;
}

int verb_help(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	const char *name = ctl_text(ctl, "verb|type|method");
	struct buf b = BUF_INIT;
	if (!name)
		help_overview(&b);
	if (!name || tell_own(&b, name)) {
		out_buf(&b);
		return EXIT_DONE;
	}
	buf_free(&b);
	int code = strchr(name, '.') ? help_method(ctl, name, &err) : help_type_of(ctl, name, &err);
	return code ? ctl_refused(ctl, &err) : EXIT_DONE;
}
