/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions to engines, and their answers, which wait until what they tell of is kept. */
#include "daemon/engine.h"

#include "base/buf.h"
#include "base/error.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ask *ask_new(struct engine *engine, engines_done *done, void *arg)
{
	struct ask *ask = must_calloc(1, sizeof *ask);
	ask->engine = engine;
	ask->done = done;
	ask->arg = arg;
	return ask;
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
	return pt_fail(&ask->err, -PT_EIO, NULL,
	               "the change %s: the journal of engine '%s' cannot be written%s%s",
	               ask->lost == TAKEN_BACK ? "could not be kept, and was taken back"
	                                       : "was made, but will not outlast the daemon",
	               ask->engine->name, why ? ": " : "", why ? error_words(why) : "");
}

void ask_deliver(struct ask *ask)
{
	if (!ask->code && ask->lost)
		ask->code = lost(ask, failed(ask->engine));
	ask->done(ask->arg, ask->code, ask->result, &ask->err);
	json_decref(ask->result);
	pt_error_clear(&ask->err);
	free(ask->comment);
	free(ask->author);
	free(ask);
}

void ask_hold(struct ask *ask)
{
	struct engine *engine = ask->engine;
	ask->ticket = asked(engine);
	ask->next = NULL;
	*engine->held_last = ask;
	engine->held_last = &ask->next;
}

void ask_release(struct engine *engine)
{
	while (engine->held && engine->held->ticket <= settled(engine) && !engine->held->unkept) {
		struct ask *ask = engine->held;
		if (!(engine->held = ask->next))
			engine->held_last = &engine->held;
		ask_deliver(ask);
	}
}

/* ---- a start or stop is recorded before it is asked for ---- */

static void clear_question(struct ask *ask)
{
	json_decref(ask->question.params);
	free(ask->question.fds);
	ask->question = (struct question){NULL, NULL, NULL, 0, false};
}

/* It has not come to the engine. */
static void refuse(struct ask *ask, int code)
{
	for (int i = 0; i < ask->question.fd_count; i++)
		close(ask->question.fds[i]);
	clear_question(ask);
	ask->code = code;
	commit_answered(ask);
	failing_answered(ask);
	ask_hold(ask);
}

static int refuse_ending(struct ask *ask)
{
	return pt_fail(&ask->err, -PT_ESTATE, NULL,
	               "engine '%s' ends: it is destroyed, or the daemon stops", ask->engine->name);
}

static int refuse_unrecorded(struct ask *ask, int why)
{
	return pt_fail(&ask->err, -PT_EIO, NULL,
	               "engine '%s' is not %s: that could not be recorded, for its journal cannot "
	               "be written: %s",
	               ask->engine->name, ask->starts ? "started" : "stopped", error_words(why));
}

static void put(struct ask *ask)
{
	struct pt_engine *engine = ask->engine->engine;
	const struct question *q = &ask->question;
	bool given_up = q->given_up;
	pt_engine_ask(engine, q->verb, q->params, q->fds, q->fd_count, ask_done, ask);
	clear_question(ask);
	if (given_up)
		pt_engine_cancel(engine, ask);
}

static bool is_to_be_recorded(const struct ask *ask)
{
	const struct revisions *past = &ask->engine->past;
	return ask->keeps && ask->engine->phase == READY && past->file &&
	       (past->running != ask->starts || journal_failed(past->file));
}

static void begin(struct ask *ask)
{
	struct engine *engine = ask->engine;
	struct revisions *past = &engine->past;
	if (!is_to_be_recorded(ask)) {
		put(ask);
		return;
	}
	ask->recorded = true;
	ask->was = past->running;
	engine->recording = ask;
	if (past->running == ask->starts)
		revisions_write(past);
	else
		revisions_set_running(past, ask->starts);
	ask->ticket = asked(engine);
}

static void record_settled(struct engine *engine)
{
	struct ask *ask = engine->recording;
	if (ask && ask->ticket <= settled(engine)) {
		int why = failed(engine);
		engine->recording = NULL;
		if (why)
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
	return engine->behind && !engine->recording &&
	       !(engine->taking_back && engine->behind->keeps);
}

void ask_go_on(struct engine *engine)
{
	while (may_go_on(engine)) {
		struct ask *ask = engine->behind;
		if (!(engine->behind = ask->next))
			engine->behind_last = &engine->behind;
		if (engine->phase == ENDING)
			refuse(ask, refuse_ending(ask));
		else
			begin(ask);
	}
}

void ask_put(struct ask *ask, const char *verb, json_t *params, const int *fds, int fd_count)
{
	struct engine *engine = ask->engine;
	int *own = must_calloc((size_t)fd_count, sizeof *own);
	if (fd_count)
		memcpy(own, fds, (size_t)fd_count * sizeof *own);
	ask->question = (struct question){verb, json_incref(params), own, fd_count, false};
	ask->next = NULL;
	*engine->behind_last = ask;
	engine->behind_last = &ask->next;
	ask_go_on(engine);
}

void ask_settled(void *owner)
{
	struct engine *engine = owner;
	commit_settled(engine);
	record_settled(engine);
	ask_release(engine);
	engine_removed(engine);
	if (engine->phase == MAKING && engine->past.file && asked(engine) == settled(engine))
		engine_made_settled(engine);
	engine_gone(engine);
}

static void answered(struct pt_letter *letter)
{
	struct ask *ask = (struct ask *)letter;
	struct engine *engine = ask->engine;
	commit_answered(ask);
	failing_answered(ask);
	if (ask->keeps && engine->phase == READY && (!ask->code || ask->recorded))
		revisions_set_running(&engine->past, ask->code ? ask->was : ask->starts);
	if (ask->at_once) {
		ask_deliver(ask);
		return;
	}
	ask_hold(ask);
	ask_release(engine);
}

void ask_done(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct ask *ask = arg;
	ask->code = code;
	ask->result = result;
	ask->letter.read = answered;
	if (code && err)
		error_move(&ask->err, err);
	mailbox_post(ask->engine->engines->mailbox, &ask->letter);
}

/* ---- questions ---- */

struct ask *engines_ask(struct engine *engine, const char *verb, json_t *params, const int *fds,
                        int fd_count, engines_done *done, void *arg)
{
	struct ask *ask = ask_new(engine, done, arg);
	ask->starts = !strcmp(verb, "start");
	ask->keeps = ask->starts || !strcmp(verb, "stop");
	ask->counted = ask->starts && engine->phase == READY && !engine->retrying;
	engine->starts += ask->counted;
	json_t *own = NULL; /* nobody's own start */
	if (ask->starts && (engine->boots || engine->retrying))
		params = own = json_pack("{s:b}", "comes_back", true);
	ask_put(ask, verb, params, fds, fd_count);
	json_decref(own);
	return ask;
}

void engines_cancel(struct ask *ask)
{
	if (ask->question.verb)
		ask->question.given_up = true;
	else if (ask->engine->phase != ENDING) /* else it is answered anyway */
		pt_engine_cancel(ask->engine->engine, ask);
}

struct ask *engines_tap(struct engine *engine, json_t *params, const struct pt_tap_hooks *hooks,
                        engines_done *done, void *arg)
{
	struct ask *ask = ask_new(engine, done, arg);
	ask->at_once = true;
	pt_engine_tap(engine->engine, params, hooks, ask_done, ask);
	return ask;
}

/* An engine that ends ends its taps by itself. */
void engines_untap(struct engine *engine, void *tap_arg)
{
	if (engine->phase != ENDING)
		pt_engine_untap(engine->engine, tap_arg);
}

void engines_tap_ready(struct engine *engine)
{
	if (engine->phase != ENDING)
		pt_engine_tap_ready(engine->engine);
}
