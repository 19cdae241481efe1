/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests, read and refused. */
#include "rpc/call.h"

#include "methods.h"
#include "unit.h"
#include <string.h>

/* What a line is answered with if it is refused: "id kind path: message", "no answer" if nothing.
   "ok id method params fds" if it is a request. Yours to free. */
static char *reading(const char *line, size_t length)
{
	struct rpc_request request;
	struct pt_error err = PT_ERROR_INIT;
	struct buf b = BUF_INIT;
	int code = rpc_read(line, length, methods, &request, &err);
	char *id = request.id ? json_dumps(request.id, JSON_ENCODE_ANY) : must_strdup("none");
	if (!code) {
		char *params = json_dumps(request.params, JSON_COMPACT);
		ck_assert_uint_eq(err.count, 0);
		buf_addf(&b, "ok %s %s %s %d", id, request.method->name, params, request.fds);
		free(params);
	} else {
		ck_assert_ptr_null(request.method);
		ck_assert_uint_gt(err.count, 0);
		ck_assert_int_eq(err.faults[0].code, code);
		json_t *error = rpc_error_to_json(&err);
		json_t *data = json_object_get(error, "data");
		const char *path = json_string_value(json_object_get(data, "path"));
		buf_addf(&b, "%s %s %s: %s", id, json_string_value(json_object_get(data, "kind")),
		         path ? path : "-", json_string_value(json_object_get(error, "message")));
		json_decref(error);
	}
	free(id);
	rpc_request_clear(&request);
	pt_error_clear(&err);
	return buf_steal(&b);
}

static void expect(const char *line, const char *want)
{
	char *got = reading(line, strlen(line));
	ck_assert_msg(!strcmp(got, want), "%s\n is %s\n not %s", line, got, want);
	free(got);
}

START_TEST(requests_are_read)
{
	expect("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.info\"}",
	       "ok 1 daemon.info {} 0");
	expect(" {\"id\":\"a\",\"method\":\"daemon.info\",\"params\":{}} ",
	       "ok \"a\" daemon.info {} 0");
	expect("{\"id\":null,\"method\":\"daemon.info\",\"fds\":16}", "ok null daemon.info {} 16");
	expect("{\"method\":\"daemon.info\"}", "ok none daemon.info {} 0");
	expect("{\"id\":1,\"method\":\"block.recv\",\"params\":{\"engine\":\"p\",\"block\":\"q\"}}",
	       "ok 1 block.recv {\"engine\":\"p\",\"block\":\"q\"} 0");
}
END_TEST

START_TEST(what_is_no_request_is_told_with_id_null)
{
	expect("{}", "null invalid-request method: a request has a \"method\"");
	expect("5", "null invalid-request -: a request is an object");
	expect("{\"method\":5}", "null invalid-request method: \"method\" is a string");
	expect("{\"id\":7,\"method\":null}", "7 invalid-request method: \"method\" is a string");
	expect("{\"id\":7}", "7 invalid-request method: a request has a \"method\"");
	expect("{\"id\":[1],\"method\":\"daemon.info\"}",
	       "null invalid-request id: an id is a string, a number or null");
	expect("{\"id\":true,\"method\":\"daemon.info\"}",
	       "null invalid-request id: an id is a string, a number or null");
	expect("{\"id\":1,\"jsonrpc\":\"1.0\",\"method\":\"daemon.info\"}",
	       "1 invalid-request jsonrpc: \"jsonrpc\" is \"2.0\"");
	expect("{\"jsonrpc\":2.0,\"method\":\"daemon.info\"}",
	       "null invalid-request jsonrpc: \"jsonrpc\" is \"2.0\"");
	expect("{\"id\":1,\"method\":\"daemon.info\",\"fds\":65}",
	       "1 invalid-request fds: \"fds\" is the number of descriptors passed, from 0 to 64");
	expect("{\"id\":1,\"method\":\"daemon.info\",\"fds\":1.0}",
	       "1 invalid-request fds: \"fds\" is the number of descriptors passed, from 0 to 64");
	expect("{\"id\":1,\"method\":\"daemon.info\",\"param\":{}}",
	       "1 invalid-request param: a request has no member 'param'; did you mean 'params'?");
}
END_TEST

START_TEST(a_batch_is_refused_with_a_hint)
{
	struct rpc_request request;
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_int_eq(rpc_read("[{}]", 4, methods, &request, &err), -PT_EREQUEST);
	ck_assert(json_is_null(request.id));
	ck_assert_ptr_nonnull(strstr(err.faults[0].hint, "engine.change"));
	rpc_request_clear(&request);
	pt_error_clear(&err);
}
END_TEST

START_TEST(methods_and_params_are_checked)
{
	expect("{\"id\":1,\"method\":\"daemon.inof\"}",
	       "1 no-such-method method: no method 'daemon.inof'; did you mean 'daemon.info'?");
	expect("{\"method\":\"nothing\"}", "none no-such-method method: no method 'nothing'");
	expect("{\"id\":1,\"method\":\"daemon.info\",\"params\":[]}",
	       "1 bad-parameter $: params are named: an object, {\"engine\": \"p\"}");
	expect("{\"id\":1,\"method\":\"daemon.info\",\"params\":null}",
	       "1 bad-parameter $: params are named: an object, {\"engine\": \"p\"}");
	const char *line = "{\"method\":\"block.recv\",\"params\":{\"engine\":\"p\"}}";
	char *got = reading(line, strlen(line));
	ck_assert_msg(!strncmp(got, "none bad-parameter $", 20), "%s", got);
	free(got);
}
END_TEST

START_TEST(all_faults_of_a_request_are_listed)
{
	const char *line = "{\"id\":1,\"x\":1,\"y\":2,\"method\":\"block.recv\",\"params\":"
			   "{\"engine\":1,\"block\":\"b\",\"max\":10,\"blok\":3}}";
	struct rpc_request request;
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_int_eq(rpc_read(line, strlen(line), methods, &request, &err), -PT_EREQUEST);
	json_t *error = rpc_error_to_json(&err);
	json_t *all = json_object_get(json_object_get(error, "data"), "errors");
	ck_assert_uint_eq(json_array_size(all), 5);
	ck_assert_int_eq(json_integer_value(json_object_get(error, "code")), -32600);
	json_decref(error);
	rpc_request_clear(&request);
	pt_error_clear(&err);
}
END_TEST

START_TEST(a_flood_of_unknown_members_is_told_in_part)
{
	struct buf line = BUF_INIT;
	struct rpc_request request;
	struct pt_error err = PT_ERROR_INIT;
	for (int i = 0; i < 10000; i++)
		buf_addf(&line, "%c\"m%d\":0", i ? ',' : '{', i);
	buf_addc(&line, '}');
	ck_assert_int_eq(rpc_read(line.data, line.length, methods, &request, &err), -PT_EREQUEST);
	ck_assert_uint_le(err.count, 64);
	rpc_request_clear(&request);
	pt_error_clear(&err);
	buf_free(&line);
}
END_TEST

UNIT_TESTS("rpc/call", requests_are_read, what_is_no_request_is_told_with_id_null,
           a_batch_is_refused_with_a_hint, methods_and_params_are_checked,
           all_faults_of_a_request_are_listed, a_flood_of_unknown_members_is_told_in_part)
