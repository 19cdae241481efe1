/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions to engines, and their answers, which wait until what they tell of is kept. */
#include "daemon/engine.h"

#include "base/buf.h"
#include "base/error.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ask *ask_new(enum pt_verb verb)
{
	struct ask *ask = must_calloc(1, sizeof *ask);
	ask->request = (struct pt_request)PT_REQUEST_INIT(verb);
	ask->alone = true;
	return ask;
}

void ask_set_author(struct ask *ask, const struct author *author)
{
	free((char *)(uintptr_t)ask->author.comment);
	ask->author = *author;
	ask->author.comment = author->comment ? must_strdup(author->comment) : NULL;
	ask->authored = true;
}

void ask_set_graph(struct ask *ask, const struct history *h, const struct revision *revision)
{
	history_graph(h, revision, &ask->request.blocks, &ask->request.links);
}

static void clear_answer(struct pt_request *r)
{
	json_decref(r->result);
	pt_error_clear(&r->err);
	json_decref(r->made.plan);
	json_decref(r->made.blocks);
	json_decref(r->made.links);
	r->result = NULL;
	r->made = (struct pt_made){0};
	r->code = 0;
}

void ask_clear(struct ask *ask)
{
	struct pt_request *r = &ask->request;
	clear_answer(r);
	free(r->block);
	json_decref(r->ops);
	json_decref(r->blocks);
	json_decref(r->links);
	json_decref(r->message);
	json_decref(r->messages);
	free((char *)(uintptr_t)ask->author.comment);
}

void ask_free(struct ask *ask)
{
	ask_clear(ask);
	free(ask);
}

/* ---- answers ---- */

static uint64_t asked(const struct engine *engine)
{
	return engine->past.file ? journal_asked(engine->past.file) : 0;
}

static uint64_t settled(const struct engine *engine)
{
	return engine->past.file ? journal_settled_until(engine->past.file) : 0;
}

static int failed(const struct engine *engine)
{
	return engine->past.file ? journal_failed(engine->past.file) : 0;
}

static int lost(struct ask *ask, int why)
{
	return pt_fail(&ask->request.err, -PT_EIO, NULL,
	               "the change %s: the journal of engine '%s' cannot be written%s%s",
	               ask->lost == TAKEN_BACK ? "could not be kept, and was taken back"
	                                       : "was made, but will not outlast the daemon",
	               ask->engine->name, why ? ": " : "", why ? error_words(why) : "");
}

/* `done` may free it, if it is a call's, or ask anew. */
static void deliver(struct ask *ask)
{
	struct pt_request *r = &ask->request;
	bool alone = ask->alone;
	if (!r->code && ask->lost)
		r->code = lost(ask, failed(ask->engine));
	int code = r->code;
	json_t *result = r->result;
	struct pt_error err = r->err;
	r->result = NULL;
	r->err = (struct pt_error)PT_ERROR_INIT;
	ask->engine = NULL;
	ask->done(ask->arg, code, result, &err);
	json_decref(result);
	pt_error_clear(&err);
	if (alone)
		ask_free(ask);
}

static void hold(struct ask *ask)
{
	ask->ticket = asked(ask->engine);
	TAILQ_INSERT_TAIL(&ask->engine->held, ask, entry);
}

void ask_release(struct engine *engine)
{
	for (struct ask *ask; (ask = TAILQ_FIRST(&engine->held)) &&
	                      ask->ticket <= settled(engine) && !ask->unkept;) {
		TAILQ_REMOVE(&engine->held, ask, entry);
		deliver(ask);
	}
}

/* ---- a start, a stop, and that it leaves, is recorded before it is asked for ---- */

/* It has not come to the engine. */
static void refuse(struct ask *ask, int code)
{
	ask->request.code = code;
	commit_answered(ask);
	failing_answered(ask);
	hold(ask);
}

static int refuse_ending(struct ask *ask)
{
	return pt_fail(&ask->request.err, -PT_ESTATE, NULL,
	               "engine '%s' ends: it is destroyed, or the daemon stops", ask->engine->name);
}

static int refuse_unrecorded(struct ask *ask, int why)
{
	return pt_fail(&ask->request.err, -PT_EIO, NULL,
	               "engine '%s' is not %s: that could not be recorded, for its journal cannot "
	               "be written: %s",
	               ask->engine->name,
	               ask->leaves   ? "destroyed"
	               : ask->starts ? "started"
	                             : "stopped",
	               error_words(why));
}

/* [control loop] */
static void changed(struct pt_letter *letter)
{
	commit_changed((struct ask *)((char *)letter - offsetof(struct ask, news)));
}

/* [engine's thread] */
static void on_changed(struct pt_request *r)
{
	struct ask *ask = (struct ask *)r;
	ask->news.read = changed;
	mailbox_leave(ask->engine->engines->mailbox, &ask->news);
}

/* [worker] Messages were held up meanwhile: it was no time to wake anybody. */
static void on_changed_soon(struct pt_request *r)
{
	const struct ask *ask = (const struct ask *)r;
	mailbox_wake(ask->engine->engines->mailbox);
}

/* It starts or stops, or cannot. */
static void tell_past(struct ask *ask)
{
	struct revisions *past = &ask->engine->past;
	int code = ask->request.code;
	if (!code)
		revisions_set_running(past, ask->starts, NULL);
	else if (ask->recorded || ask->starts)
		revisions_set_running(
			past, ask->recorded ? ask->was : past->running,
			ask->starts ? pt_error_text(&ask->request.err, error_words(code)) : NULL);
}

static void answered(struct pt_letter *letter)
{
	struct ask *ask = (struct ask *)letter;
	struct engine *engine = ask->engine;
	commit_answered(ask);
	failing_answered(ask);
	if (ask->leaves)
		confirm_left(engine);
	if (ask->keeps && engine->phase == READY)
		tell_past(ask);
	if (ask->request.verb == PT_VERB_TAP || ask->request.verb == PT_VERB_TRACE) {
		/* what it shows comes behind the answer */
		deliver(ask);
		return;
	}
	hold(ask);
	ask_release(engine);
}

/* [engine's thread] */
static void on_done(struct pt_request *r)
{
	struct ask *ask = (struct ask *)r;
	r->letter.read = answered;
	mailbox_post(ask->engine->engines->mailbox, &r->letter);
}

/* One without a thread has stopped. */
static void put(struct ask *ask)
{
	struct pt_request *r = &ask->request;
	r->done = on_done;
	r->changed = ask->authored || ask == ask->engine->taking_back ? on_changed : NULL;
	r->changed_soon = r->changed ? on_changed_soon : NULL;
	if (ask->engine->is_over && r->verb == PT_VERB_STOP)
		r->result = json_pack("{s:s}", "state", "stopped");
	else if (ask->engine->is_over)
		r->code = engine_thread(ask->engine, &r->err);
	if (r->code || r->result)
		on_done(r);
	else
		pt_engine_ask(ask->engine->engine, r);
}

static bool is_to_be_recorded(const struct ask *ask)
{
	const struct revisions *past = &ask->engine->past;
	if (ask->leaves)
		return past->file;
	return ask->keeps && ask->engine->phase == READY && past->file &&
	       (past->running != ask->starts || journal_failed(past->file));
}

static void begin(struct ask *ask)
{
	struct engine *engine = ask->engine;
	struct revisions *past = &engine->past;
	if (ask->leaves)
		confirm_leaves(ask);
	if (!is_to_be_recorded(ask)) {
		put(ask);
		return;
	}
	ask->recorded = true;
	ask->was = past->running;
	engine->recording = ask;
	if (ask->leaves)
		; /* it is so */
	else if (past->running == ask->starts)
		revisions_write(past);
	else
		revisions_set_running(past, ask->starts, NULL);
	ask->ticket = asked(engine);
}

static void record_settled(struct engine *engine)
{
	struct ask *ask = engine->recording;
	if (ask && ask->ticket <= settled(engine)) {
		int why = failed(engine);
		engine->recording = NULL;
		if (why && ask->leaves)
			confirm_stays(engine);
		else if (why)
			engine->past.running = ask->was;
		if (engine->phase == ENDING)
			refuse(ask, refuse_ending(ask));
		else if (why)
			refuse(ask, refuse_unrecorded(ask, why));
		else
			put(ask);
	}
	ask_go_on(engine);
}

/* What is being taken back is not written meanwhile. */
static bool may_go_on(const struct engine *engine)
{
	const struct ask *next = TAILQ_FIRST(&engine->behind);
	return next && !engine->recording && !(engine->taking_back && next->keeps);
}

void ask_go_on(struct engine *engine)
{
	while (may_go_on(engine)) {
		struct ask *ask = TAILQ_FIRST(&engine->behind);
		TAILQ_REMOVE(&engine->behind, ask, entry);
		if (engine->phase == ENDING)
			refuse(ask, refuse_ending(ask));
		else
			begin(ask);
	}
}

/* What was left of an earlier question goes. */
static void init(struct ask *ask, struct engine *engine, engines_done *done, void *arg)
{
	clear_answer(&ask->request);
	ask->request.engine = NULL;
	ask->engine = engine;
	ask->done = done;
	ask->arg = arg;
	ask->lost = NOT_LOST;
}

void ask_at_once(struct ask *ask, struct engine *engine, engines_done *done, void *arg)
{
	init(ask, engine, done, arg);
	put(ask);
}

void ask_put(struct ask *ask, struct engine *engine, engines_done *done, void *arg)
{
	struct pt_request *r = &ask->request;
	init(ask, engine, done, arg);
	ask->starts = r->verb == PT_VERB_START;
	ask->keeps = ask->starts || (r->verb == PT_VERB_STOP && !ask->leaves);
	ask->counted = ask->starts && engine->phase == READY && !engine->retrying;
	engine->starts += ask->counted;
	engine->stops += ask->keeps && !ask->starts;
	r->comes_back = engine->boots || engine->retrying; /* nobody's own start */
	ask->confirms = ask->authored && ask->author.confirm_s > 0 && !r->dry_run;
	engine->confirming |= ask->confirms;
	TAILQ_INSERT_TAIL(&engine->behind, ask, entry);
	ask_go_on(engine);
}

void ask_answer(struct ask *ask, struct engine *engine, json_t *result, engines_done *done,
                void *arg)
{
	init(ask, engine, done, arg);
	ask->request.result = result;
	hold(ask);
	ask_release(engine);
}

void ask_cancel(struct ask *ask)
{
	if (ask->engine && ask->engine->phase != ENDING) /* else it is answered anyway */
		pt_request_cancel(&ask->request);
}

void ask_settled(void *owner)
{
	struct engine *engine = owner;
	commit_settled(engine);
	record_settled(engine);
	ask_release(engine);
	adopt_settled(engine);
	engine_removed(engine);
	if (engine->phase == MAKING && engine->past.file && asked(engine) == settled(engine))
		engine_made_settled(engine);
	engine_gone(engine);
}

/* An engine that ends ends its taps by itself. */
void engines_untap(struct engine *engine, void *tap_arg)
{
	if (engine->phase != ENDING && !engine->is_over)
		pt_engine_untap(engine->engine, tap_arg);
}

void engines_tap_ready(struct engine *engine)
{
	if (engine->phase != ENDING && !engine->is_over)
		pt_engine_tap_ready(engine->engine);
}
