/* SPDX-License-Identifier: BSD-2-Clause */
/* type.list and type.show: the block types. */
#include "daemon/call.h"
#include "type/help.h"
#include "type/type.h"

static int add_row(void *arg, const struct pt_type *type)
{
	static const char *const roles[] = {
		[PT_SOURCE] = "source", [PT_DRAIN] = "drain", [PT_SINK] = "sink"};
	json_t *row = json_object();
	json_object_set_new(row, "name", json_string(type->name));
	json_object_set_new(row, "role", json_string(roles[type->role]));
	json_object_set_new(row, "summary", json_string(type->summary));
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
	const struct pt_type *type = type_get(call_text(call, "type"), "$.type", &err);
	if (type)
		call_answer(call, schema_type(type));
	else
		call_refuse(call, -PT_ENOTYPE, &err);
}

/* clang-format off */
static const struct pt_param show_params[] = {
	{"type", "The type's name, as 'TriggeredValve'.", PT_KIND_STRING, .flags = PT_REQUIRED},
	{0}
};

const struct rpc_method type_methods[] = {
	{
		.name = "type.list",
		.summary = "The block types that engines can be made of",
		.result = "{types: [{name, role, summary}]}",
		.role = "viewer",
		.run = type_list,
	}, {
		.name = "type.show",
		.summary = "All about one block type",
		.result = "{name, summary, help?, role, picture, ports, params, examples}",
		.role = "viewer",
		.params = show_params,
		.run = type_show,
	},
	{0}
};
/* clang-format on */
