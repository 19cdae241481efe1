/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of methods as an OpenRPC document. */
#include "rpc/call.h"

#include "type/help.h"

static void set(json_t *object, const char *name, json_t *value)
{
	json_object_set_new(object, name, value);
}

static void set_text(json_t *object, const char *name, const char *text)
{
	if (text)
		set(object, name, json_string(text));
}

static json_t *describe_param(const struct pt_param *row)
{
	json_t *param = json_object();
	set_text(param, "name", row->name);
	set_text(param, "description", row->doc);
	set(param, "required", json_boolean(row->flags & PT_REQUIRED));
	set(param, "schema", schema_param(row));
	return param;
}

static void add_params(json_t *list, const struct pt_param *rows, unsigned required)
{
	for (const struct pt_param *row = rows; row && row->name; row++)
		if ((row->flags & PT_REQUIRED) == required)
			json_array_append_new(list, describe_param(row));
}

static json_t *describe_result(const struct rpc_method *m)
{
	json_t *result = json_object(), *schema = json_object();
	set_text(schema, "type", "object");
	set_text(schema, "description", m->result);
	set_text(result, "name", "result");
	set(result, "schema", schema);
	return result;
}

static json_t *describe_method(const struct rpc_method *m)
{
	json_t *method = json_object(), *params = json_array();
	add_params(params, m->params, PT_REQUIRED);
	add_params(params, m->params, 0);
	set_text(method, "name", m->name);
	set_text(method, "summary", m->summary);
	set_text(method, "description", m->help);
	set_text(method, "paramStructure", "by-name");
	set(method, "params", params);
	set(method, "result", describe_result(m));
	set_text(method, "x-role", m->role);
	return method;
}

json_t *rpc_discover(rpc_tables tables, const char *title, const char *version)
{
	json_t *document = json_object(), *info = json_object(), *methods = json_array();
	set_text(info, "title", title);
	set_text(info, "version", version);
	for (; *tables; tables++)
		for (const struct rpc_method *m = *tables; m->name; m++)
			json_array_append_new(methods, describe_method(m));
	set_text(document, "openrpc", "1.2.6");
	set(document, "info", info);
	set(document, "methods", methods);
	return document;
}
