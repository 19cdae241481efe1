/* SPDX-License-Identifier: BSD-2-Clause */
/* Making engines, all of each or nothing: anew, and as the journal has them. */
#include "daemon/engine.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/name.h"
#include "daemon/catalog.h"
#include "daemon/keep.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void ready(struct engine *engine)
{
	engine->phase = READY;
	engine->past.quiet = false;
	commit_arm(engine);
	engine_tell(engine, "engine.created", history_last(&engine->past.history)->about,
	            engine_state(engine));
	engine_tell_waiters(engine, 0, NULL);
}

static void made(struct engine *engine, int code, struct pt_error *err)
{
	struct pt_engine_glance glance;
	if (!code && engine->doomed)
		code = pt_fail(err, -PT_ESTATE, NULL, "the daemon or the engine's owner is ending");
	if (code) {
		engine->code = code;
		error_move(&engine->err, err);
		engine_unmake(engine);
	} else if (engine->restored || !engine->past.file) {
		ready(engine);
	} else {
		pt_engine_look(engine->engine, &glance);
		engine->past.running = glance.state != PT_STOPPED;
		revisions_write(&engine->past);
	}
}

/* The journal has the new engine, or cannot have it. */
void engine_made_settled(struct engine *engine)
{
	struct pt_error err = PT_ERROR_INIT;
	int why = journal_failed(engine->past.file);
	if (!why && !engine->doomed) {
		ready(engine);
		return;
	}
	if (why)
		pt_fail(&err, -PT_EIO, NULL,
		        "engine '%s' cannot be kept in %s: %s; mend that, or make it ephemeral",
		        engine->name, journal_folder(engine->engines->journal), error_words(why));
	else
		pt_fail(&err, -PT_ESTATE, NULL, "the daemon is ending");
	engine->code = err.faults[0].code;
	error_move(&engine->err, &err);
	journal_remove(engine->past.file);
	engine_unmake(engine);
}

static void started(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct engine *engine = arg;
	if (code && engine->restored) {
		const struct log_about about = {.engine = engine->name,
		                                .event = CATALOG_ENGINE_MISSING};
		log_about(&about, LOG_LEVEL_ERROR, "engine %s is kept, but cannot be started: %s",
		          engine->name, pt_error_text(err, error_words(code)));
		engine->failed = true;
		code = 0;
	}
	made(engine, code, err);
}

/* An engine that was made empty has a revision, too: where undo leads in the end. */
static void record_empty(struct engine *engine, const struct author *author)
{
	json_t *result = json_pack("{s:i, s:[], s:{s:[], s:[]}}", "revision", 0, "plan", "graph",
	                           "blocks", "links");
	if (!engine->past.history.count)
		revisions_add(&engine->past, author, result);
	json_decref(result);
}

static void filled(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct engine *engine = arg;
	if (!code && engine->start && !engine->doomed)
		engines_ask(engine, "start", NULL, NULL, 0, started, engine);
	else
		made(engine, code, err);
}

/* [engine's thread] */
struct state_post {
	struct post post;
	struct engine *engine;
	enum pt_engine_state state;
};

static void state_changed(struct post *post)
{
	struct state_post *news = (struct state_post *)post;
	struct engine *engine = news->engine;
	engine->state = news->state;
	engine->failed &= news->state == PT_STOPPED;
	if (engine->phase == READY)
		engine_tell(engine, "engine.state", NULL,
		            json_pack("{s:s}", "state", engine_states[news->state]));
	if (engine->phase == READY && news->state != PT_DRAINING)
		revisions_set_running(&engine->past, news->state == PT_RUNNING);
	free(news);
}

static void on_state(void *arg, enum pt_engine_state state)
{
	struct output *output = arg;
	struct state_post *news = must_calloc(1, sizeof *news);
	news->post.run = state_changed;
	news->engine = (struct engine *)((char *)output - offsetof(struct engine, output));
	news->state = state;
	inbox_post(news->engine->engines->inbox, &news->post);
}

/* [engine's thread] */
static void on_left(void *arg, const char *block, const char *type, struct pt_estate *estate)
{
	struct output *output = arg;
	const struct engine *engine =
		(struct engine *)((char *)output - offsetof(struct engine, output));
	keep_left(engine->engines->keep, engine->name, block, type, estate);
}

/* [worker thread] */
static void on_left_settle(void *arg)
{
	struct output *output = arg;
	const struct engine *engine =
		(struct engine *)((char *)output - offsetof(struct engine, output));
	keep_settle(engine->engines->keep);
}

static int check_name(const struct engines *all, const char *name, struct pt_error *err)
{
	if (!name_is_engine(name))
		return pt_fail(
			err, -PT_EPARAM, "$.engine",
			"'%s' cannot be an engine's name: letters, digits, '_', '-' and '.', the "
			"first a letter or '_', at most %d",
			name, NAME_MAX_LENGTH);
	if (engines_at(all, name))
		return pt_fail(err, -PT_EEXISTS, "$.engine", "there is an engine '%s' already",
		               name);
	if (all->ending)
		return pt_fail(err, -PT_ESTATE, NULL, "the daemon is ending");
	if (all->count >= all->count_max)
		return pt_fail(err, -PT_ELIMIT, NULL,
		               "there are %zu engines, which is the limit of [limits] engines",
		               all->count);
	return 0;
}

/* One that `lasts` goes on with what the one of its name has left. */
static int add(struct engines *all, const char *name, bool lasts, struct engine **out,
               struct pt_error *err)
{
	int code = check_name(all, name, err);
	if (code)
		return code;
	struct engine *engine = must_calloc(1, sizeof *engine);
	engine->engines = all;
	engine->name = must_strdup(name);
	engine->held_last = &engine->held;
	engine->unkept_last = &engine->unkept;
	output_init(&engine->output, engine->name, all->inbox, &all->events);
	bool leaves = lasts && all->keep;
	const struct pt_engine_hooks hooks = {.left = leaves ? on_left : NULL,
	                                      .left_settle = leaves ? on_left_settle : NULL,
	                                      .output = output_text,
	                                      .report = output_report,
	                                      .state = on_state,
	                                      .changed = commit_changed,
	                                      .ended = engine_ended,
	                                      .arg = &engine->output};
	code = pt_engine_new(name, &hooks, &all->limits, &engine->engine, err);
	if (code) {
		output_fini(&engine->output);
		free(engine->name);
		free(engine);
		return code;
	}
	engine->lasts = lasts;
	if (lasts)
		keep_give(all->keep, name, engine->engine);
	engines_insert(all, engine);
	*out = engine;
	return 0;
}

void engines_make(struct engines *all, const struct engine_wish *wish, engines_done *done,
                  void *arg)
{
	struct engine *engine;
	struct pt_error err = PT_ERROR_INIT;
	bool kept = all->journal && !wish->ephemeral && !wish->owner && !wish->from_file;
	int code = add(all, wish->name, kept || wish->from_file, &engine, &err);
	if (code) {
		for (int i = 0; i < wish->fd_count; i++)
			close(wish->fds[i]);
		done(arg, code, NULL, &err);
		pt_error_clear(&err);
		return;
	}
	engine->start = wish->start;
	engine->from_file = wish->from_file;
	engine->owner = wish->owner;
	revisions_init(&engine->past,
	               kept ? journal_file_new(all->journal, wish->name, false, ask_settled, engine)
	                    : NULL);
	engine->past.quiet = true;
	engine_wait(engine, done, arg);
	json_t *params = json_object();
	json_object_set(params, "ops", wish->ops);
	const struct change_wish change = {.verb = "change",
	                                   .params = params,
	                                   .author = wish->author,
	                                   .fds = wish->fds,
	                                   .fd_count = wish->fd_count};
	if (json_array_size(wish->ops) == 0)
		record_empty(engine, &wish->author);
	engines_change(engine, &change, filled, engine);
	json_decref(params);
}

/* ---- what was kept ---- */

static void look_for_restored(struct engines *all)
{
	engines_done *done = all->restored.done;
	if (all->restoring || !done)
		return;
	all->restored.done = NULL;
	done(all->restored.arg, 0, NULL, NULL);
}

static void restored(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct engine *engine = arg;
	if (code)
		log_error("engine %s cannot be made as it was: %s; its journal stays as it is",
		          engine->name, pt_error_text(err, error_words(code)));
	engine->engines->restoring--;
	look_for_restored(engine->engines);
}

int engines_restore(void *arg, const char *name, const json_t *records, struct pt_error *err)
{
	struct engines *all = arg;
	struct engine *engine;
	struct revisions past;
	revisions_init(&past, NULL);
	int code = revisions_restore(&past, records, err);
	if (!code)
		code = add(all, name, true, &engine, err);
	if (code) {
		revisions_fini(&past);
		return code;
	}
	const struct revision *last = history_last(&past.history);
	json_t *params = json_object();
	json_object_set_new(params, "ops", history_ops(last));
	json_object_set_new(params, "revision", json_integer((json_int_t)last->number));
	past.file = journal_file_new(all->journal, name, true, ask_settled, engine);
	past.quiet = true;
	engine->past = past;
	engine->restored = true;
	engine->start = past.running;
	all->restoring++;
	engine_wait(engine, restored, engine);
	engines_ask(engine, "change", params, NULL, 0, filled, engine);
	json_decref(params);
	return 0;
}

void engines_when_restored(struct engines *all, engines_done *done, void *arg)
{
	all->restored = (struct waiter){NULL, done, arg};
	look_for_restored(all);
}
