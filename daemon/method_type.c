/* SPDX-License-Identifier: BSD-2-Clause */
/* type.list, type.show and type.load: the block types. */
#include "base/error.h"
#include "base/workers.h"
#include "daemon/blocks.h"
#include "daemon/call.h"
#include "daemon/daemon.h"
#include "daemon/loaded.h"
#include "custom/type.h"
#include "type/help.h"
#include "type/type.h"
#include <stdlib.h>
#include <string.h>

static json_t *origin(const struct pt_type *type)
{
	const char *path = type_origin(type->name);
	return json_string(path ? path : "built-in");
}

static int add_row(void *arg, const struct pt_type *type)
{
	static const char *const roles[] = {
		[PT_SOURCE] = "source", [PT_DRAIN] = "drain", [PT_SINK] = "sink"};
	json_t *row = json_object();
	json_object_set_new(row, "name", json_string(type->name));
	json_object_set_new(row, "role", json_string(roles[type->role]));
	json_object_set_new(row, "summary", json_string(type->summary ? type->summary : ""));
	json_object_set_new(row, "origin", origin(type));
	json_array_append_new(arg, row);
	return 0;
}

static void type_list(void *arg)
{
	json_t *types = json_array(), *result = json_object();
	type_each(add_row, types);
	json_object_set_new(result, "types", types);
	call_answer(arg, result);
}

static void type_show(void *arg)
{
	struct call *call = arg;
	struct pt_error err = PT_ERROR_INIT;
	const struct pt_type *type = type_get(call->params.type, "$.type", &err);
	if (!type) {
		call_refuse(call, -PT_ENOTYPE, &err);
		return;
	}
	json_t *shown = schema_type(type);
	json_object_set_new(shown, "origin", origin(type));
	call_answer(call, shown);
}

/* A script may use all of its time: on a worker thread. */
struct load {
	struct work work;
	struct load *next;
	struct pt_letter done;
	struct call *call;
	struct func_limits limits;
	const struct pt_type *const *types;
	struct pt_error err;
	int code;
};

/* [worker] */
static void load_work(struct work *work)
{
	struct load *load = (struct load *)((char *)work - offsetof(struct load, work));
	const char *text = load->call->params.text;
	load->code = custom_type_load(load->call->params.name, text, strlen(text), &load->limits,
	                              &load->types, &load->err);
	mailbox_post(&load->call->daemon->mailbox, &load->done);
}

static void load_kept(void *arg, int code)
{
	struct load *load = arg;
	struct daemon *d = load->call->daemon;
	json_t *types = json_array(), *result = json_object();
	d->loads--;
	if (code) {
		type_take_back(load->types);
		load->code = pt_fail(&load->err, -PT_EIO, NULL,
		                     "%s is not loaded, since it cannot be kept: the state folder "
		                     "cannot be written: %s",
		                     load->call->params.name, error_words(code));
	}
	for (size_t i = 0; !load->code && load->types && load->types[i]; i++)
		add_row(types, load->types[i]);
	json_object_set_new(result, "types", types);
	call_finish(load->call, load->code, result, &load->err);
	if ((d->loading = load->next))
		workers_add(&d->loading->work);
	free(load);
}

static void load_done(struct pt_letter *letter)
{
	struct load *load = (struct load *)((char *)letter - offsetof(struct load, done));
	if (load->code || !load->types)
		load_kept(load, 0);
	else
		loaded_add(load->call->daemon->loaded, load->call->params.name,
		           load->call->params.text, load->types, load_kept, load);
}

/* One after the other: what cannot be kept gives way to what was there before. */
static void type_load(void *arg)
{
	struct call *call = arg;
	struct daemon *d = call->daemon;
	struct load *load = must_calloc(1, sizeof *load), **last = &d->loading;
	load->call = call;
	load->work = (struct work){.run = load_work, .must = true};
	load->done.read = load_done;
	load->limits = blocks_limits(&d->conf);
	d->loads++;
	while (*last)
		last = &(*last)->next;
	*last = load;
	if (d->loading == load)
		workers_add(&load->work);
}

/* clang-format off */
static const struct pt_param show_params[] = {
	{"type", "The type's name, as 'TriggeredValve'.",
	 PT_STRING(struct call, params.type), .flags = PT_REQUIRED},
	{0}
};

static const struct pt_param load_params[] = {
	{"name", "The file's name, for errors and as the types' origin.",
	 PT_STRING(struct call, params.name), .flags = PT_REQUIRED},
	{"text", "What the file says.", PT_STRING(struct call, params.text), .flags = PT_REQUIRED},
	{0}
};

const struct rpc_method type_methods[] = {
	{
		.name = "type.list",
		.summary = "The block types that engines can be made of",
		.result = "{types: [{name, role, summary, origin}]}",
		.role = "viewer",
		.run = type_list,
	}, {
		.name = "type.show",
		.summary = "All about one block type",
		.result = "{name, summary, help?, role, picture, ports, params, examples, origin}",
		.role = "viewer",
		.params = show_params,
		.run = type_show,
	}, {
		.name = "type.load",
		.summary = "Adds block types that are written in Lua",
		.help = "All types of the text, or none. They replace those of the same names that "
			"came from Lua, too, for blocks that are made from now on; engine.change "
			"with replace gives them to those that are there.",
		.result = "{types: [{name, role, summary, origin}]}",
		.role = "admin",
		.params = load_params,
		.run = type_load,
	},
	{0}
};
/* clang-format on */
