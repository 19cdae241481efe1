/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads a line as a request, and checks it against the method's table. */
#include "rpc/call.h"

#include "base/error.h"
#include "base/near.h"
#include "rpc/frame.h"
#include "type/param_fault.h"
#include <stdlib.h>
#include <string.h>

#define TEXT(x)    #x
#define TEXT_OF(x) TEXT(x)

#define MEMBERS_MAX 32 /* unknown members that are told of */

static const char *const members[] = {"jsonrpc", "id", "method", "params", "fds", NULL};

const struct rpc_method *rpc_find(rpc_tables tables, const char *name)
{
	for (; *tables; tables++)
		for (const struct rpc_method *m = *tables; m->name; m++)
			if (!strcmp(m->name, name))
				return m;
	return NULL;
}

static int refuse(struct pt_error *err, int code, const char *path, const json_t *value,
                  const char *what)
{
	pt_fail(err, code, path, "%s", what);
	fault_value(err, value);
	return code;
}

static void check_members(const json_t *object, struct pt_error *err)
{
	const char *key;
	json_t *value;
	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		struct near near = near_init(key);
		size_t i = 0;
		while (members[i] && strcmp(members[i], key) != 0)
			near_try(&near, members[i++]);
		if (members[i])
			continue;
		if (err->count >= MEMBERS_MAX)
			return;
		pt_fail(err, -PT_EREQUEST, key, "a request has no member '%.64s'%s", key,
		        near_say(&near, ""));
		error_allowed(err, "[\"jsonrpc\",\"id\",\"method\",\"params\",\"fds\"]");
	}
}

static void read_id(const json_t *object, struct rpc_request *request, struct pt_error *err)
{
	json_t *id = json_object_get(object, "id");
	if (!id)
		return;
	if (json_is_string(id) || json_is_number(id) || json_is_null(id)) {
		request->id = json_incref(id);
		return;
	}
	request->id = json_null();
	refuse(err, -PT_EREQUEST, "id", id, "an id is a string, a number or null");
}

static void read_fds(const json_t *object, struct rpc_request *request, struct pt_error *err)
{
	const json_t *fds = json_object_get(object, "fds");
	json_int_t count = json_integer_value(fds);
	if (fds && (!json_is_integer(fds) || count < 0 || count > FRAME_FDS_MAX))
		refuse(err, -PT_EREQUEST, "fds", fds,
		       "\"fds\" is the number of descriptors passed, from 0 to " TEXT_OF(
			       FRAME_FDS_MAX));
	else
		request->fds = (int)count;
}

static void check_version(const json_t *object, struct pt_error *err)
{
	const json_t *version = json_object_get(object, "jsonrpc");
	const char *text = json_string_value(version);
	if (!version || (text && !strcmp(text, "2.0")))
		return;
	refuse(err, -PT_EREQUEST, "jsonrpc", version, "\"jsonrpc\" is \"2.0\"");
	error_allowed(err, "[\"2.0\"]");
}

static void refuse_method(rpc_tables tables, const json_t *name, struct pt_error *err)
{
	struct near near = near_init(json_string_value(name));
	for (; *tables; tables++)
		for (const struct rpc_method *m = *tables; m->name; m++)
			near_try(&near, m->name);
	pt_fail(err, -PT_EMETHOD, "method", "no method '%.64s'%s", json_string_value(name),
	        near_say(&near, ""));
	fault_value(err, name);
	pt_hint(err, "rpc.discover lists the methods");
}

static const struct rpc_method *find_method(const json_t *object, rpc_tables tables,
                                            struct pt_error *err)
{
	const json_t *name = json_object_get(object, "method");
	if (!name) {
		pt_fail(err, -PT_EREQUEST, "method", "a request has a \"method\"");
		pt_hint(err, "{\"id\": 1, \"method\": \"daemon.info\"}");
		return NULL;
	}
	if (!json_is_string(name)) {
		refuse(err, -PT_EREQUEST, "method", name, "\"method\" is a string");
		return NULL;
	}
	const struct rpc_method *method = rpc_find(tables, json_string_value(name));
	if (!method)
		refuse_method(tables, name, err);
	return method;
}

static void check_params(const struct rpc_method *method, const json_t *params,
                         struct pt_error *err)
{
	size_t from = err->count;
	if (params && !json_is_object(params)) {
		refuse(err, -PT_EPARAM, "$", params,
		       "params are named: an object, {\"engine\": \"p\"}");
		return;
	}
	if (method) {
		param_check(method->params, params, err);
		error_prefix(err, from, "$");
	}
}

static int read_object(const json_t *object, rpc_tables tables, struct rpc_request *request,
                       struct pt_error *err)
{
	read_id(object, request, err);
	check_version(object, err);
	read_fds(object, request, err);
	check_members(object, err);
	const struct rpc_method *method = find_method(object, tables, err);
	bool is_request = true;
	for (size_t i = 0; i < err->count; i++)
		is_request &= err->faults[i].code != -PT_EREQUEST;
	if (!is_request && !request->id)
		request->id = json_null();
	json_t *params = json_object_get(object, "params");
	check_params(method, params, err);
	if (err->count)
		return err->faults[0].code;
	request->method = method;
	request->params = params ? json_incref(params) : json_object();
	return 0;
}

static int read_value(const json_t *value, rpc_tables tables, struct rpc_request *request,
                      struct pt_error *err)
{
	if (json_is_object(value))
		return read_object(value, tables, request, err);
	request->id = json_null();
	if (!json_is_array(value))
		return refuse(err, -PT_EREQUEST, NULL, value, "a request is an object");
	pt_fail(err, -PT_EREQUEST, NULL,
	        "a batch is refused: it reads as all or nothing, and is not");
	pt_hint(err, "engine.change carries out several operations, all of them or none");
	return -PT_EREQUEST;
}

int rpc_read(const char *line, size_t length, rpc_tables tables, struct rpc_request *request,
             struct pt_error *err)
{
	struct pt_error faults = PT_ERROR_INIT;
	json_t *value;
	*request = (struct rpc_request){0};
	int code = rpc_json_parse(line, length, &value, &faults);
	if (code) {
		request->id = json_null();
	} else {
		code = read_value(value, tables, request, &faults);
		json_decref(value);
	}
	error_move(err, &faults);
	return code;
}

void rpc_request_clear(struct rpc_request *request)
{
	json_decref(request->id);
	json_decref(request->params);
	*request = (struct rpc_request){0};
}
