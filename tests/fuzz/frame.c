/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes on the control socket: in pieces, as lines, as requests; every answer is one line. */
#include "rpc/call.h"
#include "rpc/frame.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const ops[] = {"add", "link", NULL};

static const struct pt_param op_rows[] = {
	{.name = "op",
         .doc = "What.",
         .kind = PT_KIND_CHOICE,
         .choices = ops,
         .flags = PT_REQUIRED},
	{.name = "name", .doc = "Which.", .kind = PT_KIND_STRING, .fallback = "None"},
	{.name = NULL},
};

static const struct pt_param rows[] = {
	{.name = "engine", .doc = "Which.", .kind = PT_KIND_STRING, .flags = PT_REQUIRED},
	{.name = "wait", .doc = "Whether.", .kind = PT_KIND_BOOL, .fallback = "false"},
	{.name = "timeout_s", .doc = "How long.", .kind = PT_KIND_SECONDS, .fallback = "0"},
	{.name = "max",
         .doc = "At most.",
         .kind = PT_KIND_INT,
         .fallback = "1",
         .min = 1,
         .max = 9},
	{.name = "limit", .doc = "Bytes.", .kind = PT_KIND_SIZE, .fallback = "1MiB"},
	{.name = "messages", .doc = "Bytes.", .kind = PT_KIND_MESSAGES, .fallback = "[]"},
	{.name = "ops",
         .doc = "Parts.",
         .kind = PT_KIND_LIST,
         .fallback = "[]",
         .members = op_rows},
	{.name = NULL},
};

static const struct rpc_method methods[] = {
	{.name = "engine.change",
         .summary = "for the test",
         .result = "{}",
         .role = "admin",
         .params = rows},
	{.name = "daemon.info", .summary = "for the test", .result = "{}", .role = "viewer"},
	{.name = NULL},
};
static const struct rpc_method *const tables[] = {methods, NULL};

static void one_line(const char *line, size_t length)
{
	struct rpc_request request = {0};
	struct pt_error err = PT_ERROR_INIT;
	struct buf answer = BUF_INIT;
	json_t *document = NULL;

	if (rpc_read(line, length, tables, &request, &err) == 0) {
		assert(request.method && json_is_object(request.params));
		rpc_write_result(&answer, request.id, request.params);
	} else {
		assert(err.count > 0);
		rpc_write_error(&answer, request.id, &err);
	}
	if (answer.length > 0) {
		assert(memchr(answer.data, '\n', answer.length) == answer.data + answer.length - 1);
		assert(rpc_json_parse(answer.data, answer.length, &document, NULL) == 0);
		json_decref(document);
	}
	buf_free(&answer);
	rpc_request_clear(&request);
	pt_error_clear(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame frame;
	size_t piece = size ? data[0] + 1u : 1, length;
	const char *line;
	enum frame_result got;

	frame_init(&frame, 4096, NULL);
	for (size_t at = 0; at <= size; at += piece) {
		size_t part = size - at < piece ? size - at : piece;

		memcpy(frame_room(&frame, part ? part : 1), data + at, part);
		frame_filled(&frame, part);
		while ((got = frame_next(&frame, at + part == size, &line, &length)) !=
		       FRAME_NONE) {
			if (got == FRAME_LINE) {
				assert(length > 0 && length <= 4096);
				one_line(line, length);
			}
		}
	}
	frame_fini(&frame);
	return 0;
}
