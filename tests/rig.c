/* SPDX-License-Identifier: BSD-2-Clause */
/* The test bench. */
#include "rig.h"

#include "base/buf.h"
#include "base/error.h"
#include "engine/deliver.h"
#include "engine/ledger.h"
#include "lang/lang.h"
#include "msg/json.h"
#include "type/param.h"
#include "type/type.h"
#include <check.h>
#include <pipetool/queue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rig {
	struct pt_engine *engine;
	json_t *recorded, *printed, *reports; /* texts, oldest first */
	json_t *result;
	char *words, *kind;
	bool answered;
};

/* ---- types for tests ---- */

static struct rig *current; /* recorders have no other way to find it */

static void record(const char *where, const char *text, size_t length)
{
	json_array_append_new(current->recorded, json_sprintf("%s %.*s", where, (int)length, text));
}

static void sink_push(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	char where[80];
	snprintf(where, sizeof where, "%s%s", strcmp(pt_name(b), "recorder") ? pt_name(b) : "",
	         canal == PT_HIGH ? ">>" : ">");
	record(where, (const char *)m->bytes, m->length);
	pt_done(b, m);
}

static void sink_trigger(struct pt_block *b)
{
	record("^", "", 0);
}

static const struct pt_type rig_sink = {
	.api = PT_API,
	.name = "RigSink",
	.role = PT_SINK,
	.ports = PT_LOW_ENTRY | PT_HIGH_ENTRY | PT_TRIGGER_ENTRY,
	.outside = "rig",
	.push = sink_push,
	.trigger = sink_trigger,
};

static void no_produce(struct pt_block *b, unsigned max)
{
	pt_ready(b, false);
}

static const struct pt_type rig_source = {
	.api = PT_API,
	.name = "RigSource",
	.role = PT_SOURCE,
	.ports = PT_LOW_EXIT | PT_HIGH_EXIT | PT_TRIGGER_EXIT,
	.produce = no_produce,
};

static void add_types(void)
{
	if (!type_find(rig_sink.name)) {
		ck_assert_int_eq(type_add(&rig_sink, NULL), 0);
		ck_assert_int_eq(type_add(&rig_source, NULL), 0);
	}
}

/* ---- hooks ---- */

static void on_output(void *arg, const char *block, enum pt_canal canal, const char *text,
                      size_t length)
{
	struct rig *r = arg;
	json_array_append_new(r->printed, json_stringn(text, length));
}

static void on_report(void *arg, const char *block, int error, const char *words)
{
	struct rig *r = arg;
	json_array_append_new(r->reports, json_sprintf("%s: %s", block, words));
}

static const struct pt_param *params_of(void *arg, const char *type)
{
	static const struct pt_param none[] = {{NULL}};
	const struct pt_type *found = type_find(type);
	return !found ? NULL : found->params ? found->params : none;
}

/* ---- asking ---- */

/* The members of a request, as clients give them. */
static const char *const canals[] = {"low", "high", "trigger", NULL}, *const formats[] = {"json",
                                                                                          "pcapng",
                                                                                          NULL};
static const struct pt_param rows[] = {
	{"ops", "", PT_JSON(struct pt_request, ops)},
	{"dry_run", "", PT_BOOL(struct pt_request, dry_run), .fallback = "false"},
	{"exact", "", PT_BOOL(struct pt_request, exact), .fallback = "false"},
	{"if_revision", "", PT_INT(struct pt_request, if_revision), .fallback = "None"},
	{"revision", "", PT_INT(struct pt_request, revision), .fallback = "None"},
	{"comes_back", "", PT_BOOL(struct pt_request, comes_back), .fallback = "false"},
	{"wait", "", PT_BOOL(struct pt_request, wait), .fallback = "false"},
	{"timeout_s", "", PT_SECONDS(struct pt_request, timeout_s), .fallback = "None"},
	{"stats", "", PT_BOOL(struct pt_request, stats), .fallback = "false"},
	{"block", "", PT_STRING(struct pt_request, block), .fallback = "None"},
	{"canal", "", PT_CHOICE(struct pt_request, canal), .fallback = "None", .choices = canals},
	{"message", "", PT_JSON(struct pt_request, message), .fallback = "None"},
	{"messages", "", PT_LIST(struct pt_request, messages), .fallback = "None"},
	{"max", "", PT_INT(struct pt_request, max), .fallback = "1"},
	{"hold", "", PT_BOOL(struct pt_request, hold), .fallback = "false"},
	{"follow", "", PT_BOOL(struct pt_request, follow), .fallback = "false"},
	{"filter", "", PT_STRING(struct pt_request, filter), .fallback = "None"},
	{"format", "", PT_CHOICE(struct pt_request, format), .fallback = "json",
         .choices = formats},
	{0}};

static const char *const verbs[] = {[PT_VERB_CHANGE] = "change",
                                    [PT_VERB_START] = "start",
                                    [PT_VERB_STOP] = "stop",
                                    [PT_VERB_REOPEN] = "reopen",
                                    [PT_VERB_SHOW] = "show",
                                    [PT_VERB_STATS] = "stats",
                                    [PT_VERB_DRAW] = "graph",
                                    [PT_VERB_SEND] = "send",
                                    [PT_VERB_RECV] = "recv",
                                    [PT_VERB_CLOSE] = "close",
                                    [PT_VERB_GIVE_BACK] = "give_back",
                                    [PT_VERB_TRIGGER] = "trigger",
                                    [PT_VERB_TAP] = "tap",
                                    [PT_VERB_TRACE] = "trace"};

void rig_request(struct pt_request *q, const char *verb, const char *json)
{
	json_error_t error;
	json_t *params = json_loads(json, 0, &error);
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_msg(params != NULL, "%s: %s", json, error.text);
	*q = (struct pt_request)PT_REQUEST_INIT(PT_VERB_CHANGE);
	q->anew = !strcmp(verb, "apply");
	if (!strcmp(verb, "recv"))
		q->timeout_s = 0;
	while (!q->anew && strcmp(verbs[q->verb], verb))
		ck_assert_int_lt(++q->verb, sizeof verbs / sizeof *verbs);
	ck_assert_msg(param_check(rows, params, &err) == 0, "%s: %s", json,
	              pt_error_text(&err, ""));
	ck_assert_int_eq(param_read(rows, params, q, NULL, NULL), 0);
	json_decref(params);
}

void rig_request_clear(struct pt_request *q)
{
	param_release(rows, q, NULL);
	json_decref(q->result);
	pt_error_clear(&q->err);
}

struct question {
	struct pt_request request;
	struct rig *rig;
};

static void on_answer(struct pt_request *q)
{
	struct rig *r = ((struct question *)q)->rig;
	json_decref(r->result);
	free(r->words);
	free(r->kind);
	r->result = json_incref(q->result);
	r->words = must_strdup(pt_error_text(&q->err, ""));
	r->kind = must_strdup(q->code ? error_kind(q->code)->name : "");
	r->answered = true;
}

static const json_t *ask_question(struct rig *r, struct question *question)
{
	r->answered = false;
	question->rig = r;
	question->request.done = on_answer;
	pt_engine_ask(r->engine, &question->request);
	for (int i = 0; !r->answered; i++) {
		uv_run(&r->engine->loop, r->engine->jobs ? UV_RUN_ONCE : UV_RUN_NOWAIT);
		ck_assert_int_lt(i, 100000);
	}
	rig_request_clear(&question->request);
	return r->result;
}

const json_t *ask(struct rig *r, const char *verb, const char *json)
{
	struct question question;
	rig_request(&question.request, verb, json);
	return ask_question(r, &question);
}

const json_t *ask_change(struct rig *r, const char *text)
{
	const struct lang_env env = {.params = params_of};
	struct lang_program program = {0};
	struct pt_error err = PT_ERROR_INIT;
	int rc = lang_parse(text, strlen(text), &env, &program, &err);
	ck_assert_msg(rc == 0, "%s: %s", text, pt_error_text(&err, ""));
	struct question question = {.request = PT_REQUEST_INIT(PT_VERB_CHANGE)};
	question.request.ops = json_incref(program.ops);
	const json_t *result = ask_question(r, &question);
	lang_program_free(&program);
	return result;
}

const char *rig_words(const struct rig *r)
{
	return r->words;
}

const char *rig_kind(const struct rig *r)
{
	return r->kind;
}

char *rig_export(struct rig *r)
{
	struct buf text = BUF_INIT;
	lang_print(&text, ask(r, "show", "{}"));
	return buf_steal(&text);
}

/* ---- making and ending ---- */

struct pt_engine_limits rig_limits = {.script_time_ns = UINT64_C(60000000000)};

static struct rig *rig_new(void)
{
	struct rig *r = must_calloc(1, sizeof *r);
	const struct pt_engine_hooks hooks = {.output = on_output, .report = on_report, .arg = r};
	add_types();
	current = r;
	r->recorded = json_array();
	r->printed = json_array();
	r->reports = json_array();
	ck_assert_int_eq(engine_new("rig", &hooks, &rig_limits, false, &r->engine, NULL), 0);
	r->engine->fake_now_ns = 1000000000;
	return r;
}

struct rig *rig_graph(const char *text)
{
	struct rig *r = rig_new();
	ck_assert_msg(ask_change(r, text) != NULL, "%s", rig_words(r));
	ck_assert_msg(ask(r, "start", "{}") != NULL, "%s", rig_words(r));
	turn(r);
	return r;
}

struct rig *rig(const char *type, const char *arguments)
{
	const struct pt_type *found = type_find(type);
	ck_assert_msg(found != NULL, "no type %s", type);
	char *text = must_printf("it = %s(%s); recorder = RigSink()\n%s%s%s", type, arguments,
	                         found->ports & PT_LOW_EXIT ? "it > recorder\n" : "",
	                         found->ports & PT_HIGH_EXIT ? "it >> recorder\n" : "",
	                         found->ports & PT_TRIGGER_EXIT ? "it ^ recorder\n" : "");
	add_types();
	struct rig *r = rig_graph(text);
	free(text);
	return r;
}

/* What is counted as it comes is what one who looks at all blocks finds. */
static void expect_counts(const struct pt_engine *e)
{
	unsigned failed = 0, waiting = 0, ready = 0, full = 0;
	uint64_t messages = 0;
	for (unsigned i = 0; i < e->graph->count; i++) {
		const struct pt_block *b = e->graph->blocks[i]->alive;
		failed += b->failed;
		waiting += b->failed && b->retry_s > 0;
		full += b->full;
		messages += b->type->role == PT_SOURCE ? b->count.out : 0;
		ready += b->type->produce && b->started && b->ready && !b->exhausted && !b->paused;
	}
	const struct pt_block *b;
	TAILQ_FOREACH (b, &e->flow.full, full_links)
		full--;
	ck_assert_uint_eq(e->flow.counts[FLOW_FAILED], failed);
	ck_assert_uint_eq(e->flow.counts[FLOW_WAITING], waiting);
	ck_assert_uint_eq(e->flow.turns.count, ready);
	ck_assert_uint_eq(e->flow.messages, messages);
	ck_assert_uint_eq(full, 0);
}

void rig_end(struct rig *r)
{
	expect_counts(r->engine);
	ck_assert_uint_eq(ledger_unexplained(r->engine), 0);
	ck_assert(ask(r, "stop", "{}") != NULL);
	ck_assert_uint_eq(ledger_unexplained(r->engine), 0);
	pt_engine_free(r->engine); /* asserts: no message alive, no handle open */
	json_decref(r->recorded);
	json_decref(r->printed);
	json_decref(r->reports);
	json_decref(r->result);
	free(r->words);
	free(r->kind);
	free(r);
}

/* ---- acting ---- */

struct pt_engine *rig_engine(struct rig *r)
{
	return r->engine;
}

struct pt_block *rig_block(struct rig *r, const char *name)
{
	const struct graph_block *b = graph_find(r->engine->graph, name);
	ck_assert_msg(b != NULL, "no block %s", name);
	return b->alive;
}

/* As if a link had brought it, in the ledger too. */
static void deliver_by_hand(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                            unsigned count)
{
	uint64_t bytes = 0;
	for (unsigned i = 0; i < count; i++)
		bytes += messages[i]->length;
	b->count.entered_before += count;
	deliver(b, canal, messages, count, bytes);
}

void push_all(struct rig *r, enum pt_canal canal, const char *const *texts, unsigned count)
{
	struct pt_msg *messages[VECTOR_MAX];
	for (unsigned i = 0; i < count; i++)
		messages[i] = pt_msg_new(r->engine->pool, texts[i], strlen(texts[i]));
	deliver_by_hand(rig_block(r, "it"), canal, messages, count);
}

void push_messages(struct rig *r, enum pt_canal canal, struct pt_msg **messages, unsigned count)
{
	deliver_by_hand(rig_block(r, "it"), canal, messages, count);
}

void push(struct rig *r, enum pt_canal canal, const char *text)
{
	push_all(r, canal, &text, 1);
}

void push_packet(struct rig *r, const void *bytes, size_t length, uint16_t link_type)
{
	struct pt_msg *m = pt_msg_packet(r->engine->pool, bytes, length, length, link_type, 1);
	deliver_by_hand(rig_block(r, "it"), PT_LOW, &m, 1);
}

void fire(struct rig *r)
{
	deliver_trigger(rig_block(r, "it"));
}

void turn(struct rig *r)
{
	for (int i = 0; i < 1000; i++) {
		uv_run(&r->engine->loop, UV_RUN_NOWAIT);
		if (!r->engine->jobs && !r->engine->flow.stale && !flow_has_work(r->engine))
			break;
	}
	expect_counts(r->engine);
}

void pass_time(struct rig *r, double seconds)
{
	struct pt_engine *e = r->engine;
	uint64_t end = e->fake_now_ns + (uint64_t)(seconds * 1e9);
	for (uint64_t next; (next = timers_next(&e->timers)) <= end;) {
		if (next > e->fake_now_ns)
			e->fake_now_ns = next;
		turn(r);
	}
	e->fake_now_ns = end;
	turn(r);
}

/* ---- looking ---- */

static char *take(json_t *list)
{
	if (!json_array_size(list))
		return must_strdup("(nothing)");
	char *text = must_strdup(json_string_value(json_array_get(list, 0)));
	json_array_remove(list, 0);
	return text;
}

static void expect_recorded(struct rig *r, const char *wanted)
{
	char *seen = take(r->recorded);
	ck_assert_str_eq(seen, wanted);
	free(seen);
}

void expect_at(struct rig *r, const char *where, const char *text)
{
	char *wanted = must_printf("%s %s", where, text);
	expect_recorded(r, wanted);
	free(wanted);
}

void expect(struct rig *r, enum pt_canal canal, const char *text)
{
	expect_at(r, canal == PT_HIGH ? ">>" : ">", text);
}

void expect_trigger(struct rig *r)
{
	expect_recorded(r, "^ ");
}

void expect_nothing(struct rig *r)
{
	expect_recorded(r, "(nothing)");
}

static char *take_printed(struct rig *r)
{
	struct buf all = BUF_INIT;
	size_t i;
	json_t *text;
	json_array_foreach (r->printed, i, text)
		buf_add(&all, json_string_value(text), json_string_length(text));
	json_array_clear(r->printed);
	return buf_steal(&all);
}

void expect_printed(struct rig *r, const char *wanted)
{
	char *seen = take_printed(r);
	ck_assert_str_eq(seen, wanted);
	free(seen);
}

void expect_printed_prefix(struct rig *r, const char *wanted)
{
	char *seen = take_printed(r);
	ck_assert_msg(!strncmp(seen, wanted, strlen(wanted)), "'%s' is not '%s…'", seen, wanted);
	free(seen);
}

void expect_report(struct rig *r, const char *part)
{
	char *seen = take(r->reports);
	ck_assert_msg(strstr(seen, part) != NULL, "report '%s' has no '%s'", seen, part);
	free(seen);
}

void expect_whole_report(struct rig *r, const char *wanted)
{
	char *seen = take(r->reports);
	ck_assert_str_eq(seen, wanted);
	free(seen);
}
