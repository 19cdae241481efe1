/* SPDX-License-Identifier: BSD-2-Clause */
/* Engines by name: made all or nothing, asked, unmade; and what they print comes before answers. */
#include "daemon/engines.h"

#include "daemon/conf.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>

static uv_loop_t loop;
static struct mailbox mailbox;
static struct engines *engines;
static char told[256]; /* what happened, a word each, in order */

static void tell(const char *word)
{
	size_t length = strlen(told);
	snprintf(told + length, sizeof told - length, "%s%s", length ? " " : "", word);
}

static void expect(const char *words)
{
	ck_assert_str_eq(told, words);
	told[0] = '\0';
}

static void on_output(void *arg, const char *engine, const char *block, enum pt_canal canal,
                      const char *text, size_t length)
{
	char word[64];
	snprintf(word, sizeof word, "%s.%s:%.*s", engine, block, (int)length - 1, text);
	tell(word);
}

static void on_output_ended(void *arg)
{
}

static void on_output_lost(void *arg, const char *engine, uint64_t texts)
{
	tell("lost");
}

static void on_report(void *arg, const char *engine, const char *block, int error,
                      const char *words)
{
	tell("report");
}

static void begin(void)
{
	static const struct engines_events events = {.output = on_output,
	                                             .output_ended = on_output_ended,
	                                             .output_lost = on_output_lost,
	                                             .report = on_report};
	struct conf conf = {0};
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	ck_assert_int_eq(mailbox_init(&mailbox, &loop, 0), 0);
	engines = engines_new(&loop, &mailbox, &events);
	conf_default(&conf);
	engines_configure(engines, &conf);
	conf_clear(&conf);
	told[0] = '\0';
}

static void await(int *awaited)
{
	while (*awaited)
		uv_run(&loop, UV_RUN_ONCE);
}

/* Tells how it went, and counts down. */
static void done(void *arg, int code, json_t *result, struct pt_error *err)
{
	int *awaited = arg;
	tell(code ? "refused" : "done");
	--*awaited;
}

static void end(void)
{
	int awaited = 1;
	engines_end(engines, done, &awaited);
	await(&awaited);
	engines_free(engines);
	mailbox_close(&mailbox);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	mailbox_fini(&mailbox);
}

static void make(const char *name, const char *ops, engines_done *then, int *awaited)
{
	json_t *list = json_loads(ops, 0, NULL);
	ck_assert_ptr_nonnull(list);
	const struct pt_request graph = {.ops = list};
	const struct engine_wish wish = {.name = name, .graph = &graph, .start = true};
	engines_make(engines, &wish, then, awaited);
	json_decref(list);
}

#define CONSOLE                                                     \
	"[{\"op\":\"add\",\"name\":\"s\",\"type\":\"CLIFeeder\"},"  \
	"{\"op\":\"add\",\"name\":\"o\",\"type\":\"ConsoleSink\"}," \
	"{\"op\":\"link\",\"from\":\"s\",\"to\":\"o\"}]"

START_TEST(an_engine_is_found_once_it_is_made)
{
	struct pt_error err = PT_ERROR_INIT;
	int awaited = 1;
	begin();
	make("p", CONSOLE, done, &awaited);
	ck_assert_ptr_null(engines_find(engines, "p", &err));
	ck_assert_int_eq(err.faults[0].code, -PT_ESTATE);
	await(&awaited);
	ck_assert_ptr_nonnull(engines_find(engines, "p", NULL));
	pt_error_clear(&err);
	ck_assert_ptr_null(engines_find(engines, "q", &err));
	ck_assert_int_eq(err.faults[0].code, -PT_ENOENGINE);
	pt_error_clear(&err);
	expect("done");
	end();
}
END_TEST

START_TEST(a_name_that_is_being_made_is_taken)
{
	int awaited = 2;
	begin();
	make("p", CONSOLE, done, &awaited);
	make("p", CONSOLE, done, &awaited);
	expect("refused");
	await(&awaited);
	expect("done");
	end();
}
END_TEST

START_TEST(what_cannot_be_made_leaves_no_trace)
{
	int awaited = 1;
	begin();
	make("p", "[{\"op\":\"add\",\"name\":\"x\",\"type\":\"Nothing\"}]", done, &awaited);
	await(&awaited);
	expect("refused");
	ck_assert_uint_eq(engines_count(engines), 0);
	awaited = 1;
	make("p", CONSOLE, done, &awaited);
	await(&awaited);
	expect("done");
	end();
}
END_TEST

START_TEST(what_is_printed_comes_before_the_answer)
{
	int awaited = 1;
	begin();
	make("p", CONSOLE, done, &awaited);
	await(&awaited);
	struct ask *ask = ask_new(PT_VERB_SEND);
	ask->request.block = strdup("s");
	ask->request.message = json_string("hello");
	awaited = 1;
	ask_put(ask, engines_find(engines, "p", NULL), done, &awaited);
	await(&awaited);
	expect("done p.o:>'hello' done");
	end();
}
END_TEST

START_TEST(one_that_waits_can_be_given_up)
{
	int awaited = 1;
	begin();
	make("p", "[{\"op\":\"add\",\"name\":\"q\",\"type\":\"QueueSink\"}]", done, &awaited);
	await(&awaited);
	struct ask *ask = ask_new(PT_VERB_RECV);
	ask->request.block = strdup("q");
	ask->request.timeout_s = 3600;
	awaited = 1;
	ask_put(ask, engines_find(engines, "p", NULL), done, &awaited);
	ask_cancel(ask);
	await(&awaited);
	expect("done refused");
	end();
}
END_TEST

static void destroy_at_once(void *arg, int code, json_t *result, struct pt_error *err)
{
	tell("made");
	engines_destroy(engines_find(engines, "p", NULL), NULL, done, arg);
	tell("not yet");
}

START_TEST(who_is_told_may_destroy)
{
	int awaited = 1;
	begin();
	make("p", CONSOLE, destroy_at_once, &awaited);
	await(&awaited);
	expect("made not yet done");
	ck_assert_uint_eq(engines_count(engines), 0);
	end();
}
END_TEST

static void expect_going(void *arg, int code, json_t *result, struct pt_error *err)
{
	ck_assert_int_eq(code, -PT_ESTATE);
	ck_assert_ptr_nonnull(strstr(err->faults[0].message, "is being destroyed"));
}

START_TEST(a_name_is_free_when_its_engine_is_gone)
{
	int awaited = 1;
	begin();
	make("p", CONSOLE, done, &awaited);
	await(&awaited);
	awaited = 1;
	engines_destroy(engines_find(engines, "p", NULL), NULL, done, &awaited);
	make("p", CONSOLE, expect_going, NULL);
	await(&awaited);
	awaited = 1;
	make("p", CONSOLE, done, &awaited);
	await(&awaited);
	expect("done done done");
	end();
}
END_TEST

START_TEST(the_end_comes_also_while_an_engine_is_being_made)
{
	int awaited = 2;
	begin();
	make("p", CONSOLE, done, &awaited);
	engines_end(engines, done, &awaited);
	await(&awaited);
	expect("refused done");
	end();
}
END_TEST

UNIT_TESTS("daemon/engines", an_engine_is_found_once_it_is_made, a_name_that_is_being_made_is_taken,
           what_cannot_be_made_leaves_no_trace, what_is_printed_comes_before_the_answer,
           one_that_waits_can_be_given_up, who_is_told_may_destroy,
           a_name_is_free_when_its_engine_is_gone, the_end_comes_also_while_an_engine_is_being_made)
