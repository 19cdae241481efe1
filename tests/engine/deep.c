/* SPDX-License-Identifier: BSD-2-Clause */
/* A graph that is very deep, on a thread of its own: deliveries recurse. */
#include "rig.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { DEEP = TIMES(10000) };

static uv_sem_t answered;
static struct pt_request question;

static bool is_ready(void *arg)
{
	return true;
}

static size_t steps; /* that a trace has told of */

static void hear(void *arg, const char *text, size_t length)
{
	json_t *told = json_loadb(text, length, 0, NULL);
	steps += json_array_size(json_object_get(told, "steps"));
	json_decref(told);
}

static void hear_end(void *arg)
{
}

static void on_answer(struct pt_request *r)
{
	uv_sem_post(&answered);
}

/* The answer lasts until the next question. */
static const json_t *put(struct pt_engine *e, const char *verb, const char *json)
{
	rig_request_clear(&question);
	rig_request(&question, verb, json);
	question.done = on_answer;
	question.tap = (struct pt_tap_hooks){is_ready, hear, hear_end, NULL};
	pt_engine_ask(e, &question);
	uv_sem_wait(&answered);
	ck_assert_msg(!question.code, "%s", pt_error_text(&question.err, ""));
	return question.result;
}

static void add(json_t *ops, const char *name, const char *type, json_t *params)
{
	json_array_append_new(ops, json_pack("{s:s, s:s, s:s, s:o*}", "op", "add", "name", name,
	                                     "type", type, "params", params));
}

static void join(json_t *ops, const char *from, const char *to, const char *canal)
{
	json_array_append_new(ops, json_pack("{s:s, s:s, s:s, s:s}", "op", "link", "from", from,
	                                     "to", to, "canal", canal));
}

/* f > d0 > d1 > … > t > q, t ^ m > q; and from each drain to s, so that each is a call of its
   own. */
static char *deep_graph(void)
{
	json_t *ops = json_array();
	char name[16], before[16] = "f";
	add(ops, "f", "CLIFeeder", NULL);
	add(ops, "s", "Sink", NULL);
	add(ops, "q", "QueueSink", NULL);
	add(ops, "t", "TriggerDrain", json_pack("{s:s}", "f", "always"));
	add(ops, "m", "TriggeredMessage", json_pack("{s:s}", "msg", "triggered"));
	for (int i = 0; i < DEEP; i++) {
		snprintf(name, sizeof name, "d%d", i);
		add(ops, name, "Drain", NULL);
		join(ops, before, name, "low");
		join(ops, name, "s", "low");
		memcpy(before, name, sizeof before);
	}
	join(ops, before, "t", "low");
	join(ops, "t", "q", "low");
	join(ops, "t", "m", "trigger");
	join(ops, "m", "q", "low");
	json_t *params = json_pack("{s:o}", "ops", ops);
	char *text = json_dumps(params, 0);
	json_decref(params);
	return text;
}

static void expect_message(const json_t *received, size_t i, const char *text)
{
	const json_t *m = json_array_get(json_object_get(received, "messages"), i);
	ck_assert_pstr_eq(json_string_value(json_object_get(m, "message")), text);
}

/* Where it is traced each call is deeper. */
START_TEST(at_its_end_messages_come_and_triggers_too)
{
	struct pt_engine *e;
	const struct pt_engine_limits limits = {.blocks = DEEP + 5};
	uv_sem_init(&answered, 0);
	ck_assert_int_eq(pt_engine_new("e", NULL, &limits, &e, NULL), 0);
	char *graph = deep_graph();
	put(e, "change", graph);
	free(graph);
	put(e, "start", "{}");
	put(e, "trace", "{}");
	put(e, "send", "{\"block\": \"f\", \"message\": \"sent\"}");
	const json_t *got = put(e, "recv", "{\"block\": \"q\", \"max\": 9}");
	expect_message(got, 0, "triggered");
	expect_message(got, 1, "sent");
	pt_engine_free(e);
	ck_assert_uint_eq(steps, 2 * DEEP + 3);
	rig_request_clear(&question);
	uv_sem_destroy(&answered);
}
END_TEST

UNIT_TESTS("engine/deep", at_its_end_messages_come_and_triggers_too)
