/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks that go with the connection that has added them: taken out by a change like any other. */
#include "daemon/engine.h"

#include "base/buf.h"
#include "base/json.h"
#include <stdint.h>
#include <string.h>

static const struct author daemon_itself = {
	.uid = -1, .pid = -1, .comment = "the connection that they went with has ended"};

static json_t *owner_json(const void *owner)
{
	return json_integer((json_int_t)(uintptr_t)owner);
}

void lodgers_changed(struct revisions *past, const struct author *author,
                     const struct pt_made *made)
{
	json_each (op, made->plan) {
		const char *what = text_of(op, "op"), *name = text_of(op, "name");
		if (author->owned && !strcmp(what, "add"))
			json_object_set_new(past->lodgers, name, owner_json(author->owner));
		else if (!strcmp(what, "remove") || !strcmp(what, "replace"))
			json_object_del(past->lodgers, name);
	}
}

/* ---- when their connection has ended ---- */

static json_t *remove_op(const char *name)
{
	return json_pack("{s:s, s:s}", "op", "remove", "name", name);
}

static json_t *gone_ones(const struct revisions *past)
{
	json_t *ops = json_array();
	json_each (block, history_last(&past->history)->blocks) {
		const char *name = text_of(block, "name");
		const json_t *owner = json_object_get(past->lodgers, name);
		if (owner && !json_integer_value(owner))
			json_array_append_new(ops, remove_op(name));
	}
	return ops;
}

/* Somebody may have taken some of them out meanwhile, and others may have come to it. */
static void gone(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct engine *engine = arg;
	engine->lodgers_go = false;
	if (!code || code == -PT_ENOBLOCK)
		lodgers_go(engine);
}

/* A change that waits to be confirmed is not to be overtaken. */
void lodgers_go(struct engine *engine)
{
	struct revisions *past = &engine->past;
	if (engine->phase != READY || engine->lodgers_go || engine->confirming ||
	    revisions_waits(past, NULL) || !json_object_size(past->lodgers))
		return;
	json_t *ops = gone_ones(past);
	if (json_array_size(ops)) {
		struct ask *ask = ask_new(PT_VERB_CHANGE);
		ask_set_author(ask, &daemon_itself);
		ask->request.ops = json_incref(ops);
		engine->lodgers_go = true;
		ask_put(ask, engine, gone, engine);
	}
	json_decref(ops);
}

void lodgers_disown(struct engine *engine, const void *owner)
{
	const char *name;
	json_t *whose;
	json_object_foreach (engine->past.lodgers, name, whose)
		if ((uintptr_t)json_integer_value(whose) == (uintptr_t)owner)
			json_integer_set(whose, 0);
	lodgers_go(engine);
}

/* ---- when the daemon has ---- */

/* A delta to the items of which no member names one of them. */
static json_t *without(const json_t *items, const json_t *names, const char *member,
                       const char *other)
{
	json_t *left = json_array();
	json_each (item, items)
		if (!json_has(names, json_object_get(item, member)) &&
		    !json_has(names, json_object_get(item, other)))
			json_array_append(left, item);
	json_t *delta = history_delta(items, left);
	json_decref(left);
	return delta;
}

bool lodgers_forget(struct revisions *past)
{
	const struct revision *last = history_last(&past->history);
	const json_t *names = last ? json_object_get(last->about, "owned") : NULL;
	if (!json_array_size(names))
		return false;
	struct pt_made made = {.revision = last->number + 1,
	                       .plan = json_array(),
	                       .blocks = without(last->blocks, names, "name", "name"),
	                       .links = without(last->links, names, "from", "to")};
	json_each (name, names)
		json_array_append_new(made.plan, remove_op(json_string_value(name)));
	revisions_add(past, &daemon_itself, &made);
	json_decref(made.plan);
	json_decref(made.blocks);
	json_decref(made.links);
	return true;
}
