/* SPDX-License-Identifier: BSD-2-Clause */
/* block.*: messages into and out of single blocks. */
#include "base/near.h"
#include "base/json.h"
#include "daemon/call.h"
#include "daemon/connection.h"
#include "daemon/daemon.h"
#include "daemon/held.h"
#include "daemon/listener.h"
#include <string.h>

static const char *const canals[] = {"low", "high", NULL};
static const char *const formats[] = {"json", "pcapng", NULL};

/* With `hold` what is received comes back unless its receiver asks for more. */
static void received(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct call *call = arg;
	const struct pt_request *r = &call->ask.request;
	json_t *messages = json_object_get(result, "messages");
	if (!code && r->hold && json_array_size(messages)) {
		struct held *held =
			held_new(call->daemon->engines, call->params.engine, r->block, messages);
		if (call_is_heard(call))
			connection_hold(call->connection, held);
		else
			held_give_back(held);
	}
	call_done(call, code, result, err);
}

static void block_recv(void *arg)
{
	struct call *call = arg;
	struct pt_error err = PT_ERROR_INIT;
	if (call_is_heard(call) && call->request.id) {
		call_ask(call, PT_VERB_RECV, received);
		return;
	}
	/* Messages must not be taken for nobody. */
	int code = pt_fail(&err, -PT_EREQUEST, NULL, "nobody would hear the messages");
	call_refuse(call, code, &err);
}

/* ---- attach ---- */

static int check_block(const json_t *shown, const char *engine, const char *name,
                       struct pt_error *err)
{
	struct near near = near_init(name);
	json_each (block, json_object_get(shown, "blocks")) {
		const char *known = json_string_value(json_object_get(block, "name"));
		if (known && !strcmp(known, name))
			return 0;
		if (known)
			near_try(&near, known);
	}
	return pt_fail(err, -PT_ENOBLOCK, "$.block", "engine '%s' has no block '%s'%s", engine,
	               name, near_say(&near, ""));
}

static void attach(struct call *call, int code, const json_t *shown, struct pt_error *err)
{
	const char *engine = call->params.engine, *block = call->params.block;
	if (!code && block)
		code = check_block(shown, engine, block, err);
	if (!code && call->connection)
		code = connection_attach(call->connection, engine, block, err);
	call_finish(call, code, NULL, err);
}

static void shown(void *arg, int code, json_t *result, struct pt_error *err)
{
	attach(arg, code, result, err);
}

static void block_attach(void *arg)
{
	struct call *call = arg;
	struct pt_error err = PT_ERROR_INIT;
	if (call->params.block)
		call_ask(call, PT_VERB_SHOW, shown);
	else if (call_engine(call))
		attach(call, 0, NULL, &err);
}

/* ---- tap, trace ---- */

static void tapped(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct call *call = arg;
	struct listener *listener = call->state;
	if (code)
		listener_free(listener);
	else if (call_is_heard(call))
		connection_tap(call->connection, listener);
	else
		listener_end(listener);
	call_root_paths(err);
	call_finish(call, code, NULL, err);
}

static void look(struct call *call, enum pt_verb verb)
{
	struct pt_error err = PT_ERROR_INIT;
	struct pt_request *r = &call->ask.request;
	struct engine *engine = call_engine(call);
	if (!engine)
		return;
	if (!connection_may_tap(call->connection, r->format == PT_TAP_PCAPNG, &err)) {
		call_refuse(call, err.faults[0].code, &err);
		return;
	}
	r->verb = verb;
	struct gate *gate = connection_gate(call->connection);
	struct listener *listener = call->state =
		listener_new(engine, r, &call->daemon->mailbox, gate);
	listener_begin(listener, &call->ask, tapped, call);
}

static void block_tap(void *call)
{
	look(call, PT_VERB_TAP);
}

static void block_trace(void *call)
{
	look(call, PT_VERB_TRACE);
}

/* clang-format off */
#define BLOCK                                                                                      \
	CALL_ENGINE, \
	{"block", "The block's name.", PT_STRING(struct call, ask.request.block), \
	 .flags = PT_REQUIRED}

static const struct pt_param send_params[] = {
	BLOCK,
	{"message", "What to send: text, {\"hex\": …}, {\"base64\": …}, or what block.recv gave.",
	 PT_JSON(struct call, ask.request.message), .fallback = "None"},
	{"messages", "A list of the same, sent in order.",
	 PT_LIST(struct call, ask.request.messages), .fallback = "None"},
	{"canal", "The exit that it leaves by.",
	 PT_CHOICE(struct call, ask.request.canal), .fallback = "None", .choices = canals},
	{"wait", "Answer only when the programs that speak frames are done with it, too.",
	 PT_BOOL(struct call, ask.request.wait), .fallback = "false"},
	{"timeout_s", "How long to wait for that at most.",
	 PT_SECONDS(struct call, ask.request.timeout_s), .fallback = "None"},
	{0}
};

static const struct pt_param recv_params[] = {
	BLOCK,
	{"max", "At most so many messages.",
	 PT_INT(struct call, ask.request.max), .fallback = "1", .min = 1, .max = 1000000},
	{"timeout_s", "How long to wait for the first.",
	 PT_SECONDS(struct call, ask.request.timeout_s), .fallback = "0"},
	{"hold", "They go back to the queue if the connection ends before its next request.",
	 PT_BOOL(struct call, ask.request.hold), .fallback = "false"},
	{0}
};

static const struct pt_param block_params[] = {BLOCK, {0}};

static const struct pt_param attach_params[] = {
	CALL_ENGINE,
	{"block", "The block's name; without it, every block of the engine.",
	 PT_STRING(struct call, params.block), .fallback = "None"},
	{0}
};

static const struct pt_param tap_params[] = {
	BLOCK,
	{"canal", "One canal alone.",
	 PT_CHOICE(struct call, ask.request.canal), .fallback = "None", .choices = canals},
	{"filter", "Only packets that this capture filter matches.",
	 PT_STRING(struct call, ask.request.filter), .fallback = "None"},
	{"format", "Notifications, or a raw stream.",
	 PT_CHOICE(struct call, ask.request.format), .fallback = "json", .choices = formats},
	{0}
};

static const struct pt_param trace_params[] = {
	CALL_ENGINE,
	{"block", "What leaves this block; without it, what leaves the sources.",
	 PT_STRING(struct call, ask.request.block), .fallback = "None"},
	{"count", "So many messages.",
	 PT_INT(struct call, ask.request.max), .fallback = "1", .min = 1, .max = 100000},
	{"filter", "Only packets that this capture filter matches.",
	 PT_STRING(struct call, ask.request.filter), .fallback = "None"},
	{"follow", "What is still held when all have come to rest is followed on.",
	 PT_BOOL(struct call, ask.request.follow), .fallback = "true"},
	{"format", "Notifications, or a raw stream.",
	 PT_CHOICE(struct call, ask.request.format), .fallback = "json", .choices = formats},
	{0}
};

const struct rpc_method block_methods[] = {
	{
		.name = "block.send",
		.summary = "Sends messages into the graph from a feeder",
		.help = "All of them, or none. Answered when they have gone through the graph; "
			"while the engine is stopped, or a sink is full, they wait in the block: "
			"`waiting` is how many do, `state` the engine's.",
		.result = "{waiting?, state?}",
		.role = "operator",
		.params = send_params,
		.verb = PT_VERB_SEND,
	}, {
		.name = "block.recv",
		.summary = "Takes messages out of a queue",
		.help = "`dropped` is how many have not come into the queue, or were put out of "
			"it, since it was made.",
		.result = "{messages: [{message, canal, time?, link_type?, wire_length?, text?}], "
			  "dropped?}",
		.role = "operator",
		.params = recv_params,
		.run = block_recv,
	}, {
		.name = "block.close",
		.summary = "Tells a feeder that nothing more will be sent; cuts a pipe's "
		           "connection",
		.result = "{}",
		.role = "operator",
		.params = block_params,
		.verb = PT_VERB_CLOSE,
	}, {
		.name = "block.trigger",
		.summary = "Triggers a block, as a trigger link would",
		.result = "{}",
		.role = "operator",
		.params = block_params,
		.verb = PT_VERB_TRIGGER,
	}, {
		.name = "block.attach",
		.summary = "Has what blocks print sent to this connection",
		.help = "Notifications `block.output` with {engine, block, canal, time, text} "
			"follow until the connection closes.",
		.result = "{}",
		.role = "operator",
		.params = attach_params,
		.run = block_attach,
	}, {
		.name = "block.tap",
		.summary = "Shows what leaves a block, live",
		.help = "What leaves the block by its exits, or enters it if it has none, without "
			"changing the graph; it goes with the block's name until the block is "
			"removed. With the format json, notifications `block.packets` with "
			"{engine, block, messages} follow, `dropped` in them being how many "
			"messages were left out before, since the peer did not read, and `ended` "
			"in the last one. With pcapng, the connection carries that stream from "
			"behind the answer's newline on, and nothing else: packets in nanoseconds, "
			"other messages as link type 147, what was left out in interface "
			"statistics blocks. The stream ends with the block.",
		.result = "{}",
		.role = "operator",
		.params = tap_params,
		.run = block_tap,
	}, {
		.name = "block.trace",
		.summary = "Tells what becomes of the next messages, at each block that they come "
		           "to",
		.help = "Of the next `count` messages that leave the sources, or the block, also "
			"of an engine that is yet to be started. A notification `block.traced` "
			"with {engine, id, message, steps} comes when a message and all its copies "
			"have come to rest, be it that they are held; what becomes of those later "
			"follows under the same id. `message` is as it left, as block.recv has it. "
			"The steps, {block, canal, did, why?, to?, changed?}, are in the order of "
			"delivery, depth first, one for each arrival. `did` is passed, changed, "
			"held, released, filtered, dropped, delivered, error or triggered; `to` "
			"the blocks that it went to, `changed` the fields that are others now, "
			"without checksums. Messages that a block makes by itself are not traced. "
			"The last one has `ended`. With pcapng, the connection carries that stream "
			"as block.tap does; each data link is an interface, \"a > b\" or \"a >> "
			"b\".",
		.result = "{}",
		.role = "operator",
		.params = trace_params,
		.run = block_trace,
	},
	{0}
};
/* clang-format on */
