/* SPDX-License-Identifier: BSD-2-Clause */
/* Engines with their own threads: many askers at once. */
#include "rig.h"
#include "type/type.h"
#include "unit.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

struct asker {
	struct pt_engine *engine;
	_Atomic int answers, refused; /* refused: asked of an engine that is being freed */
	uv_sem_t done;
	int wanted;
};

struct question {
	struct pt_request request;
	struct asker *asker;
};

static void on_answer(struct pt_request *r)
{
	struct asker *a = ((struct question *)r)->asker;
	ck_assert_msg(r->code == 0 || r->code == -PT_ESTATE, "%s", pt_error_text(&r->err, ""));
	if (r->code)
		atomic_fetch_add(&a->refused, 1);
	rig_request_clear(r);
	free(r);
	if (atomic_fetch_add(&a->answers, 1) + 1 == a->wanted)
		uv_sem_post(&a->done);
}

static void ask_json(struct asker *a, const char *verb, const char *json)
{
	struct question *question = malloc(sizeof *question);
	rig_request(&question->request, verb, json);
	question->request.done = on_answer;
	question->asker = a;
	pt_engine_ask(a->engine, &question->request);
}

static void ask_many(void *arg)
{
	struct asker *a = arg;
	for (int i = 0; i < 200; i++)
		ask_json(a, "send", "{\"block\": \"f\", \"messages\": [\"a\", \"b\", \"c\"]}");
}

/* An engine that is to be changed so, and started. */
static void begin(struct asker *a, const char *change)
{
	*a = (struct asker){.wanted = 2};
	ck_assert_int_eq(uv_sem_init(&a->done, 0), 0);
	ck_assert_int_eq(pt_engine_new("e", NULL, NULL, &a->engine, NULL), 0);
	ask_json(a, "change", change);
	ask_json(a, "start", "{}");
}

static void end(struct asker *a)
{
	pt_engine_free(a->engine);
	uv_sem_destroy(&a->done);
}

START_TEST(many_threads_ask_one_engine)
{
	struct asker a;
	begin(&a, "{\"ops\": [{\"op\": \"add\", \"name\": \"f\", \"type\": \"CLIFeeder\"},"
	          "{\"op\": \"add\", \"name\": \"q\", \"type\": \"QueueSink\"},"
	          "{\"op\": \"link\", \"from\": \"f\", \"to\": \"q\"}]}");
	uv_sem_wait(&a.done);
	a.answers = 0;
	a.wanted = 4 * 200;
	uv_thread_t threads[4];
	for (int i = 0; i < 4; i++)
		uv_thread_create(&threads[i], ask_many, &a);
	for (int i = 0; i < 4; i++)
		uv_thread_join(&threads[i]);
	uv_sem_wait(&a.done);
	a.answers = 0;
	a.wanted = 1;
	ask_json(&a, "stats", "{}");
	uv_sem_wait(&a.done);
	struct pt_engine_glance glance;
	ck_assert_int_eq(a.refused, 0);
	pt_engine_look(a.engine, &glance);
	ck_assert_uint_eq(glance.messages, 4 * 200 * 3);
	end(&a);
}
END_TEST

START_TEST(engines_come_and_go)
{
	for (int i = 0; i < 50; i++) {
		struct asker a;
		begin(&a, "{\"ops\": [{\"op\": \"add\", \"name\": \"p\", \"type\": "
		          "\"PeriodicSource\","
		          "\"params\": {\"msg\": \"x\", \"period\": 0}},"
		          "{\"op\": \"add\", \"name\": \"s\", \"type\": \"Sink\"},"
		          "{\"op\": \"link\", \"from\": \"p\", \"to\": \"s\"}]}");
		if (i % 2)
			uv_sem_wait(&a.done);
		pt_engine_free(a.engine);
		ck_assert_int_eq(a.answers, 2);
		uv_sem_destroy(&a.done);
	}
}
END_TEST

/* As a pipe whose other end is gone already. */
static void swallow(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	pt_done(b, m);
}

static const struct pt_type ends = {
	.api = PT_API,
	.name = "Ends",
	.role = PT_SOURCE,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT,
	.push = swallow,
	.no_more = pt_exhausted,
};

START_TEST(who_ends_when_no_more_comes_lets_those_end_that_it_leads_to)
{
	struct asker a;
	ck_assert_int_eq(type_add(&ends, NULL), 0);
	begin(&a, "{\"ops\": [{\"op\": \"add\", \"name\": \"c\", \"type\": \"Ends\"},"
	          "{\"op\": \"add\", \"name\": \"b\", \"type\": \"Ends\"},"
	          "{\"op\": \"add\", \"name\": \"a\", \"type\": \"CLIFeeder\"},"
	          "{\"op\": \"link\", \"from\": \"a\", \"to\": \"b\"},"
	          "{\"op\": \"link\", \"from\": \"b\", \"to\": \"c\"}]}");
	uv_sem_wait(&a.done);
	a.answers = 0;
	ask_json(&a, "stop", "{\"wait\": true, \"timeout_s\": 30}");
	ask_json(&a, "close", "{\"block\": \"a\"}");
	uv_sem_wait(&a.done);
	ck_assert_int_eq(a.refused, 0);
	end(&a);
}
END_TEST

UNIT_TESTS("engine/asking", many_threads_ask_one_engine, engines_come_and_go,
           who_ends_when_no_more_comes_lets_those_end_that_it_leads_to)
