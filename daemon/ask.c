/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions to engines, and their answers, which wait until what they tell of is kept. */
#include "daemon/engine.h"

#include "base/buf.h"
#include "base/error.h"
#include <stdlib.h>
#include <string.h>

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
	int why = failed(ask->engine);
	if (!ask->code && ask->keeps && why)
		ask->code =
			pt_fail(&ask->err, -PT_EIO, NULL,
		                "done, but after a restart of the daemon it will not be so: the "
		                "journal of engine '%s' cannot be written: %s",
		                ask->engine->name, error_words(why));
	if (!ask->code && ask->lost)
		ask->code = lost(ask, why);
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

void ask_settled(void *owner)
{
	struct engine *engine = owner;
	commit_settled(engine);
	ask_release(engine);
	if (engine->phase == MAKING && engine->past.file && asked(engine) == settled(engine))
		engine_made_settled(engine);
	engine_gone(engine);
}

static void answered(struct post *post)
{
	struct ask *ask = (struct ask *)post;
	struct engine *engine = ask->engine;
	commit_answered(ask);
	failing_answered(ask);
	if (ask->keeps && !ask->code && engine->phase == READY)
		revisions_set_running(&engine->past, ask->starts);
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
	ask->post.run = answered;
	if (code && err)
		error_move(&ask->err, err);
	inbox_post(ask->engine->engines->inbox, &ask->post);
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
	pt_engine_ask(engine->engine, verb, params, fds, fd_count, ask_done, ask);
	return ask;
}

void engines_cancel(struct ask *ask)
{
	if (ask->engine->phase != ENDING) /* else it is answered anyway */
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
