/* SPDX-License-Identifier: BSD-2-Clause */
/* Making engines, all of each or nothing: anew, and as the journal has them. */
#include "daemon/engine.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/name.h"
#include "daemon/store.h"
#include <stdlib.h>
#include <string.h>

static void ready(struct engine *engine)
{
	engine->phase = engine->past.leaving ? LEAVING : READY;
	engine->past.quiet = false;
	if (engine->lodgers_forgotten)
		revisions_write(&engine->past);
	engine->lodgers_forgotten = false;
	confirm_arm(engine);
	if (engine->phase == LEAVING)
		return;
	failing_ready(engine);
	engine->told = true;
	engine_tell(engine, "engine.created", history_last(&engine->past.history)->about,
	            engine_state(engine));
	lodgers_go(engine);
}

/* What is kept, and what is in a file, is there also where it does not run. */
static bool stays(const struct engine *engine)
{
	return (engine->restored || engine->from_file) && !engine->doomed;
}

/* An engine that was made empty has a revision, too: where undo leads in the end. */
static void record_empty(struct engine *engine, const struct author *author)
{
	struct pt_made empty = {0, json_array(), json_array(), json_array()};
	if (!engine->past.history.count)
		revisions_add(&engine->past, author, &empty);
	json_decref(empty.plan);
	json_decref(empty.blocks);
	json_decref(empty.links);
}

/* Who reads files has better words for the log. */
static void fail(struct engine *engine, int code, struct pt_error *err)
{
	const char *why = pt_error_text(err, error_words(code));
	engine_fail(engine, why);
	if (engine->restored)
		engine_log_failure(engine, why);
}

static void stay(struct engine *engine, int code, struct pt_error *err)
{
	static const struct author daemon = {.uid = -1, .pid = -1};
	record_empty(engine, &daemon);
	fail(engine, code, err);
	ready(engine);
	engine_tell_waiters(engine, engine->restored ? 0 : code, err);
}

/* It may have been destroyed meanwhile: then its waiters hear of that. */
static void booted(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct engine *engine = arg;
	engine->boots = false;
	if (engine->phase > LEAVING)
		return;
	if (code && engine->phase == READY)
		fail(engine, code, err);
	engine_tell_waiters(engine, engine->restored ? 0 : code, err);
}

/* It is there, and may be asked while it is being started, which may take long. */
static void boot(struct engine *engine)
{
	engine->boots = true;
	ready(engine);
	ask_put(ask_new(PT_VERB_START), engine, booted, engine);
}

void engine_returns(struct engine *engine)
{
	engine->restored = true;
	if (engine->past.running && !engine->hollow)
		boot(engine);
	else
		ready(engine);
}

static void be_there(struct engine *engine)
{
	ready(engine);
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
	} else if (engine->restored) {
		be_there(engine);
	} else {
		pt_engine_look(engine->engine, &glance);
		engine->past.quiet = true;
		revisions_set_running(&engine->past, glance.state != PT_STOPPED, NULL);
		engine->past.quiet = false;
		revisions_write(&engine->past);
		if (!engine->past.file)
			be_there(engine);
	}
}

/* The journal has the new engine, or cannot have it. */
void engine_made_settled(struct engine *engine)
{
	struct pt_error err = PT_ERROR_INIT;
	int why = journal_failed(engine->past.file);
	if (!why && !engine->doomed) {
		be_there(engine);
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
	made(arg, code, err);
}

static void filled(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct engine *engine = arg;
	if (!code && engine->from_file)
		engine_follow_file(engine, 0);
	if (!code && engine->dry_run) {
		engine_unmake(engine);
	} else if (code && stays(engine)) {
		engine->hollow = true;
		stay(engine, code, err);
	} else if (!code && engine->start && stays(engine)) {
		boot(engine);
	} else if (!code && engine->start && !engine->doomed) {
		ask_put(ask_new(PT_VERB_START), engine, started, engine);
	} else {
		made(engine, code, err);
	}
}

/* [engine's thread] */
struct state_news {
	struct pt_letter letter;
	struct engine *engine;
	enum pt_engine_state state;
};

static void state_changed(struct pt_letter *letter)
{
	struct state_news *news = (struct state_news *)letter;
	struct engine *engine = news->engine;
	engine->state = news->state;
	failing_state(engine);
	engine_tell_state(engine);
	if (engine->phase == READY && news->state != PT_DRAINING)
		revisions_set_running(&engine->past, news->state == PT_RUNNING, NULL);
	free(news);
}

static void on_state(void *arg, enum pt_engine_state state)
{
	struct output *output = arg;
	struct state_news *news = must_calloc(1, sizeof *news);
	news->letter.read = state_changed;
	news->engine = (struct engine *)((char *)output - offsetof(struct engine, output));
	news->state = state;
	mailbox_post(news->engine->engines->mailbox, &news->letter);
}

/* [engine's thread] */
static void on_carry(void *arg, const char *block, const char *type, struct pt_carry *carry)
{
	struct output *output = arg;
	const struct engine *engine =
		(struct engine *)((char *)output - offsetof(struct engine, output));
	store_carry(engine->engines->store, engine->name, block, type, carry);
}

/* [engine's thread] */
static bool on_commit(void *arg, uint64_t cut, bool must)
{
	struct output *output = arg;
	const struct engine *engine =
		(struct engine *)((char *)output - offsetof(struct engine, output));
	return store_commit(engine->engines->store, engine->name, cut, must);
}

/* [engine's thread] */
static void on_tries(void *arg, unsigned tries)
{
	struct output *output = arg;
	const struct engine *engine =
		(struct engine *)((char *)output - offsetof(struct engine, output));
	store_tries(engine->engines->store, engine->name, tries);
}

/* [engine's thread] */
struct resumed_news {
	struct pt_letter letter;
	struct engine *engine;
	json_t *data;
};

static void has_resumed(struct pt_letter *letter)
{
	struct resumed_news *news = (struct resumed_news *)letter;
	log_info("engine %s went on at its checkpoint of %.3f s before (%s); waited: %lld",
	         news->engine->name, number_of(news->data, "gap_s"), text_of(news->data, "why"),
	         integer_of(news->data, "waited"));
	engine_tell(news->engine, "engine.resumed", NULL, news->data);
	free(news);
}

static void on_resumed(void *arg, json_t *data)
{
	struct output *output = arg;
	struct resumed_news *news = must_calloc(1, sizeof *news);
	news->letter.read = has_resumed;
	news->engine = (struct engine *)((char *)output - offsetof(struct engine, output));
	news->data = data;
	mailbox_post(news->engine->engines->mailbox, &news->letter);
}

/* [worker thread] */
static void on_carry_settle(void *arg)
{
	struct output *output = arg;
	const struct engine *engine =
		(struct engine *)((char *)output - offsetof(struct engine, output));
	store_settle(engine->engines->store);
}

static int check_room(const struct engines *all, const char *name, struct pt_error *err)
{
	const struct engine *there = engines_at(all, name);
	if (there && there->phase == LEAVING)
		return pt_fail(err, -PT_EEXISTS, "$.engine",
		               "engine '%s' was destroyed, and its name is free when that is "
		               "confirmed (ptctl confirm %s); else it is there again",
		               name, name);
	if (there && there->phase >= REMOVING)
		return pt_fail(err, -PT_ESTATE, "$.engine",
		               "engine '%s' is being destroyed: its name is free when it is gone",
		               name);
	if (there)
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

int engine_thread(struct engine *engine, struct pt_error *err)
{
	const struct engines *all = engine->engines;
	bool carries = engine->lasts && all->store;
	const struct pt_engine_hooks hooks = {.carry = carries ? on_carry : NULL,
	                                      .commit = carries ? on_commit : NULL,
	                                      .tries = carries ? on_tries : NULL,
	                                      .resumed = carries ? on_resumed : NULL,
	                                      .carry_settle = carries ? on_carry_settle : NULL,
	                                      .output = output_text,
	                                      .report = output_report,
	                                      .state = on_state,
	                                      .block_state = output_state,
	                                      .ended = engine_ended,
	                                      .place = all->place,
	                                      .arg = &engine->output};
	int code = pt_engine_new(engine->name, &hooks, &all->limits, &engine->engine, err);
	engine->is_over = code != 0;
	if (!code && engine->lasts)
		store_give(all->store, engine->name, engine->engine);
	return code;
}

/* One that `lasts` goes on with what the one of its name has left. One that is to be there is there
   without a thread, too, and gets one when it is asked. */
static int add(struct engines *all, const char *name, bool lasts, bool must, struct engine **out,
               struct pt_error *err)
{
	int code = check_room(all, name, err);
	if (code)
		return code;
	struct engine *engine = must_calloc(1, sizeof *engine);
	engine->engines = all;
	engine->name = must_strdup(name);
	engine->lasts = lasts;
	TAILQ_INIT(&engine->held);
	TAILQ_INIT(&engine->unkept);
	TAILQ_INIT(&engine->behind);
	output_init(&engine->output, engine->name, all->mailbox, &all->events);
	code = engine_thread(engine, must ? NULL : err);
	if (code && !must) {
		output_fini(&engine->output);
		engine_free(engine);
		return code;
	}
	engines_insert(all, engine);
	*out = engine;
	return 0;
}

static int check_name(const char *name, struct pt_error *err)
{
	if (name_is_engine(name))
		return 0;
	return pt_fail(err, -PT_EPARAM, "$.engine",
	               "'%s' cannot be an engine's name: letters, digits, '_' and '-', at most "
	               "%d%s",
	               name, NAME_MAX_LENGTH,
	               strchr(name, '.') ? " ('.' parts an engine from its block)" : "");
}

static int add_wished(struct engines *all, const struct engine_wish *wish, struct engine **out,
                      struct pt_error *err)
{
	struct engine *engine;
	bool kept =
		all->journal && !wish->ephemeral && !wish->owner && !wish->file && !wish->dry_run;
	int code = wish->why ? 0 : check_name(wish->name, err);
	if (!code && wish->if_revision > 0 && !engines_at(all, wish->name))
		code = pt_fail(err, -PT_ECONFLICT, "$.if_revision",
		               "engine '%s' is not at revision %lld: it is not there", wish->name,
		               (long long)wish->if_revision);
	if (!code)
		code = add(all, wish->name, kept || wish->file, wish->file, &engine, err);
	if (code)
		return code;
	engine->start = wish->start && !wish->dry_run;
	engine->dry_run = wish->dry_run;
	engine->from_file = wish->file != NULL;
	engine->file = wish->file ? must_strdup(wish->file) : NULL;
	engine->owner = wish->owner;
	engine->owned = wish->owner;
	revisions_init(&engine->past,
	               kept ? journal_file_new(all->journal, wish->name, false, ask_settled, engine)
	                    : NULL);
	engine->past.quiet = true;
	*out = engine;
	return 0;
}

static void make_hollow(struct engine *engine, const char *why)
{
	struct pt_error err = PT_ERROR_INIT;
	pt_fail(&err, -PT_EPARAM, NULL, "%s", why);
	engine->hollow = true;
	stay(engine, -PT_EPARAM, &err);
	pt_error_clear(&err);
}

void engines_make(struct engines *all, const struct engine_wish *wish, engines_done *done,
                  void *arg)
{
	struct engine *engine;
	struct pt_error err = PT_ERROR_INIT;
	int code = add_wished(all, wish, &engine, &err);
	if (code) {
		done(arg, code, NULL, &err);
		pt_error_clear(&err);
		return;
	}
	engine_wait(engine, done, arg);
	if (wish->why) {
		make_hollow(engine, wish->why);
		return;
	}
	const struct pt_request *graph = wish->graph;
	if (json_array_size(graph->ops) + json_array_size(graph->blocks) == 0)
		record_empty(engine, &wish->author);
	struct ask *ask = ask_new(PT_VERB_CHANGE);
	ask_set_author(ask, &wish->author);
	ask->request.ops = json_incref(graph->ops);
	ask->request.blocks = json_incref(graph->blocks);
	ask->request.links = json_incref(graph->links);
	ask->request.fds = graph->fds;
	ask->request.fd_count = graph->fd_count;
	ask_put(ask, engine, filled, engine);
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
	engine->engines->restoring--;
	look_for_restored(engine->engines);
}

struct ask *engine_last_graph(const struct engine *engine)
{
	const struct revision *last = history_last(&engine->past.history);
	struct ask *ask = ask_new(PT_VERB_CHANGE);
	ask_set_graph(ask, &engine->past.history, last);
	ask->request.revision = (int64_t)last->number;
	return ask;
}

static void stay_lost(struct engine *engine)
{
	struct pt_error err = PT_ERROR_INIT;
	pt_fail(&err, -PT_EIO, NULL, "%s", engine->past.lost);
	stay(engine, -PT_EIO, &err);
	pt_error_clear(&err);
}

int engines_restore(void *arg, const char *name, const json_t *records, struct pt_error *err)
{
	struct engines *all = arg;
	struct engine *engine;
	struct revisions past;
	revisions_init(&past, NULL);
	int code = name_is_engine(name) || name_was_engine(name)
	                   ? revisions_restore(&past, records, err)
	                   : pt_fail(err, -PT_EPARAM, NULL, "its name is no engine's");
	if (!code)
		code = add(all, name, true, true, &engine, err);
	if (code) {
		revisions_fini(&past);
		return code;
	}
	if (!name_is_engine(name))
		log_warning("engine %s goes on, although %s", name, ENGINE_NAME_HAS_DOT);
	past.quiet = true;
	engine->lodgers_forgotten = lodgers_forget(&past);
	past.file = journal_file_new(all->journal, name, true, ask_settled, engine);
	engine->past = past;
	engine->restored = true;
	engine->start = past.running && !past.leaving;
	all->restoring++;
	engine_wait(engine, restored, engine);
	if (past.lost) {
		stay_lost(engine);
		return 0;
	}
	ask_put(engine_last_graph(engine), engine, filled, engine);
	return 0;
}

void engines_lost(struct engines *all, const char *name, const char *why, bool aside)
{
	struct engine *engine;
	struct pt_error err = PT_ERROR_INIT;
	const struct author daemon = {.uid = -1, .pid = -1, .comment = "what was kept is lost"};
	bool named = name_is_engine(name) || name_was_engine(name);
	if (!named || add(all, name, true, true, &engine, &err)) {
		log_error("engine %s: %s", name, pt_error_text(&err, why));
		pt_error_clear(&err);
		return;
	}
	revisions_init(&engine->past,
	               aside ? journal_file_new(all->journal, name, false, ask_settled, engine)
	                     : NULL);
	engine->past.quiet = true;
	engine->restored = true;
	engine->unread = engine->hollow = !aside;
	record_empty(engine, &daemon);
	revisions_lose(&engine->past, why);
	revisions_write(&engine->past);
	stay_lost(engine);
}

void engines_when_restored(struct engines *all, engines_done *done, void *arg)
{
	all->restored = (struct waiter){NULL, done, arg};
	look_for_restored(all);
}
