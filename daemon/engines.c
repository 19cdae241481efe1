/* SPDX-License-Identifier: BSD-2-Clause */
/* Making, asking, and unmaking engines without waiting for any of them. */
#include "daemon/engines.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/name.h"
#include "base/near.h"
#include "daemon/catalog.h"
#include "daemon/conf.h"
#include "daemon/engine.h"
#include "daemon/keep.h"
#include <assert.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STACK = 256 * 1024 };

/* ---- the list ---- */

static size_t place_of(const struct engines *all, const char *name)
{
	size_t low = 0, high = all->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (strcmp(all->items[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct engine *at(const struct engines *all, const char *name)
{
	size_t place = place_of(all, name);
	bool there = place < all->count && !strcmp(all->items[place]->name, name);
	return there ? all->items[place] : NULL;
}

static void insert(struct engines *all, struct engine *engine)
{
	size_t place = place_of(all, engine->name);
	all->items = must_realloc(all->items, all->count + 1, sizeof *all->items);
	memmove(all->items + place + 1, all->items + place,
	        (all->count - place) * sizeof *all->items);
	all->items[place] = engine;
	all->count++;
}

static void take_out(struct engines *all, const struct engine *engine)
{
	size_t place = place_of(all, engine->name);
	assert(all->items[place] == engine);
	all->count--;
	memmove(all->items + place, all->items + place + 1,
	        (all->count - place) * sizeof *all->items);
}

size_t engines_count(const struct engines *all)
{
	return all->count;
}

const char *engine_name(const struct engine *engine)
{
	return engine->name;
}

struct engine *engines_find(struct engines *all, const char *name, struct pt_error *err)
{
	struct engine *found = at(all, name);
	if (found && found->phase == READY)
		return found;
	if (found) {
		pt_fail(err, -PT_ESTATE, "$.engine", "engine '%s' is being %s", name,
		        found->phase == MAKING ? "made" : "destroyed");
		return NULL;
	}
	struct near near = near_init(name);
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i]->phase == READY)
			near_try(&near, all->items[i]->name);
	const char *best = near_best(&near);
	pt_fail(err, -PT_ENOENGINE, "$.engine", "no engine '%s'%s%s%s", name,
	        best ? "; did you mean '" : "", best ? best : "", best ? "'?" : "");
	return NULL;
}

static const char *const state_words[] = {
	[PT_STOPPED] = "stopped", [PT_RUNNING] = "running", [PT_DRAINING] = "draining"};

void engines_pulses(struct engines *all, void (*each)(void *arg, const char *name, uint64_t pulse),
                    void *arg)
{
	for (size_t i = 0; i < all->count; i++) {
		struct engine *engine = all->items[i];
		uv_mutex_lock(&all->lock);
		bool is_over = engine->is_over;
		uint64_t pulse = is_over ? 0 : pt_engine_pulse(engine->engine);
		uv_mutex_unlock(&all->lock);
		if (!is_over)
			each(arg, engine->name, pulse);
	}
}

void engines_count_all(const struct engines *all, struct engines_tally *tally)
{
	struct pt_engine_glance glance;
	*tally = (struct engines_tally){0};
	for (size_t i = 0; i < all->count; i++) {
		if (all->items[i]->phase != READY)
			continue;
		pt_engine_look(all->items[i]->engine, &glance);
		tally->engines++;
		tally->running += glance.state != PT_STOPPED;
		tally->blocks += glance.blocks;
		tally->failed += all->items[i]->failed;
	}
}

uint64_t engines_revision(const struct engines *all, const char *name)
{
	struct pt_engine_glance glance = {0};
	const struct engine *engine = at(all, name);
	if (engine && engine->phase != ENDING)
		pt_engine_look(engine->engine, &glance);
	return glance.revision;
}

static json_t *row(const struct engine *engine)
{
	struct pt_engine_glance glance;
	pt_engine_look(engine->engine, &glance);
	json_t *row = json_object();
	json_object_set_new(row, "engine", json_string(engine->name));
	json_object_set_new(row, "state", json_string(state_words[glance.state]));
	json_object_set_new(row, "revision", json_integer((json_int_t)glance.revision));
	json_object_set_new(row, "blocks", json_integer((json_int_t)glance.blocks));
	json_object_set_new(row, "links", json_integer((json_int_t)glance.links));
	json_object_set_new(row, "messages", json_integer((json_int_t)glance.messages));
	json_object_set_new(row, "kept", json_boolean(engine->past.file));
	if (engine->confirm_due_ms)
		json_object_set_new(row, "unconfirmed", json_true());
	return row;
}

static json_t *state_row(const struct engine *engine)
{
	const struct revision *last = history_last(&engine->past.history);
	json_t *row = json_object();
	json_object_set_new(row, "engine", json_string(engine->name));
	json_object_set_new(row, "state", json_string(state_words[engine->state]));
	json_object_set_new(row, "revision", json_integer((json_int_t)last->number));
	json_object_set(row, "blocks", last->blocks);
	json_object_set(row, "links", last->links);
	return row;
}

json_t *engines_state(struct engines *all, const char *name)
{
	json_t *rows = json_array(), *state = json_object();
	for (size_t i = 0; i < all->count; i++) {
		const struct engine *engine = all->items[i];
		if (engine->phase == READY && (!name || !strcmp(engine->name, name)))
			json_array_append_new(rows, state_row(engine));
	}
	json_object_set_new(state, "engines", rows);
	return state;
}

void engines_each(struct engines *all, void (*each)(void *arg, struct engine *), void *arg)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i]->phase == READY)
			each(arg, all->items[i]);
}

/* Takes `data`. */
void engine_tell(const struct engine *engine, const char *event, const json_t *about, json_t *data)
{
	const struct engines_events *events = &engine->engines->events;
	if (events->event)
		events->event(events->arg, event, engine->name, about, data);
	else
		json_decref(data);
}

json_t *engines_list(struct engines *all)
{
	json_t *rows = json_array();
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i]->phase == READY)
			json_array_append_new(rows, row(all->items[i]));
	return rows;
}

/* ---- unmaking ---- */

static void add_waiter(struct engine *engine, engines_done *done, void *arg)
{
	struct waiter *waiter = must_calloc(1, sizeof *waiter);
	*waiter = (struct waiter){engine->waiters, done, arg};
	engine->waiters = waiter;
}

/* Those who are told may at once wait for something else. */
static void tell_waiters(struct engine *engine, int code, struct pt_error *err)
{
	struct waiter *waiters = engine->waiters;
	engine->waiters = NULL;
	for (struct waiter *waiter; (waiter = waiters);) {
		waiters = waiter->next;
		waiter->done(waiter->arg, code, NULL, err);
		free(waiter);
	}
}

static void look_for_end(struct engines *all)
{
	if (!all->ending || all->count || !all->end.done)
		return;
	engines_done *done = all->end.done;
	all->end.done = NULL;
	done(all->end.arg, 0, NULL, NULL);
}

static bool is_settled(const struct journal_file *file)
{
	return !file || journal_settled_until(file) == journal_asked(file);
}

void engine_gone(struct engine *engine)
{
	struct engines *all = engine->engines;
	if (!engine->is_freed || !is_settled(engine->past.file) || engine->held || engine->lost)
		return;
	take_out(all, engine);
	if (engine->past.history.count && !engine->code)
		engine_tell(engine, "engine.destroyed", NULL, NULL);
	tell_waiters(engine, engine->code, &engine->err);
	pt_error_clear(&engine->err);
	output_fini(&engine->output);
	revisions_fini(&engine->past);
	free(engine->name);
	free(engine);
	look_for_end(all);
}

/* Everything that its thread has posted has been run before. */
static void freed(struct post *post)
{
	struct engine *engine = (struct engine *)((char *)post - offsetof(struct engine, freed));
	uv_thread_join(&engine->thread);
	if (!engine->suspended)
		keep_forget(engine->engines->keep, engine->name);
	engine->is_freed = true;
	engine_gone(engine);
}

/* Queues may have held much, in small pieces, which libc would keep. Sanitizers bring a heap of
   their own. */
static void give_back_memory(void)
{
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#if !defined(__has_feature)
	malloc_trim(0);
#elif !__has_feature(thread_sanitizer) && !__has_feature(address_sanitizer)
	malloc_trim(0);
#endif
#endif
}

static void free_on_thread(void *arg)
{
	struct engine *engine = arg;
	if (engine->suspended)
		pt_engine_suspend(engine->engine);
	pt_engine_end(engine->engine);
	uv_mutex_lock(&engine->engines->lock);
	engine->is_over = true;
	uv_mutex_unlock(&engine->engines->lock);
	pt_engine_free(engine->engine);
	give_back_memory();
	inbox_post(engine->engines->inbox, &engine->freed);
}

static void unmake(struct engine *engine)
{
	const uv_thread_options_t options = {UV_THREAD_HAS_STACK_SIZE, STACK};
	engine->suspended = engine->phase == READY && engine->lasts && engine->engines->ending &&
	                    engine->engines->keep;
	engine->phase = ENDING;
	engine->freed.run = freed;
	if (uv_thread_create_ex(&engine->thread, &options, free_on_thread, engine))
		abort(); /* out of threads: nothing can be ended cleanly any more */
}

void engines_destroy(struct engine *engine, engines_done *done, void *arg)
{
	assert(engine->phase == READY);
	add_waiter(engine, done, arg);
	if (engine->past.file)
		journal_remove(engine->past.file);
	unmake(engine);
}

static void ignore(void *arg, int code, json_t *result, struct pt_error *err)
{
}

void engines_disown(struct engines *all, const void *owner)
{
	for (size_t i = 0; i < all->count; i++) {
		struct engine *engine = all->items[i];
		if (engine->owner != owner)
			continue;
		engine->owner = NULL;
		if (engine->phase == READY)
			engines_destroy(engine, ignore, NULL);
		else
			engine->doomed = true;
	}
}

void engines_end(struct engines *all, engines_done *done, void *arg)
{
	all->ending = true;
	all->end = (struct waiter){NULL, done, arg};
	for (size_t i = 0; i < all->count; i++) {
		if (all->items[i]->phase == READY)
			unmake(all->items[i]);
		else if (all->items[i]->phase == MAKING)
			all->items[i]->doomed = true;
	}
	look_for_end(all);
}

/* ---- making ---- */

static void ready(struct engine *engine)
{
	engine->phase = READY;
	engine->past.quiet = false;
	commit_arm(engine);
	engine_tell(engine, "engine.created", history_last(&engine->past.history)->about,
	            state_row(engine));
	tell_waiters(engine, 0, NULL);
}

static void made(struct engine *engine, int code, struct pt_error *err)
{
	struct pt_engine_glance glance;
	if (!code && engine->doomed)
		code = pt_fail(err, -PT_ESTATE, NULL, "the daemon or the engine's owner is ending");
	if (code) {
		engine->code = code;
		error_move(&engine->err, err);
		unmake(engine);
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
	unmake(engine);
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
		            json_pack("{s:s}", "state", state_words[news->state]));
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
	if (at(all, name))
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
	output_init(&engine->output, engine->name, all->inbox, &all->events);
	bool leaves = lasts && all->keep;
	const struct pt_engine_hooks hooks = {.left = leaves ? on_left : NULL,
	                                      .left_settle = leaves ? on_left_settle : NULL,
	                                      .output = output_text,
	                                      .report = output_report,
	                                      .state = on_state,
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
	insert(all, engine);
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
	add_waiter(engine, done, arg);
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
	add_waiter(engine, restored, engine);
	engines_ask(engine, "change", params, NULL, 0, filled, engine);
	json_decref(params);
	return 0;
}

void engines_when_restored(struct engines *all, engines_done *done, void *arg)
{
	all->restored = (struct waiter){NULL, done, arg};
	look_for_restored(all);
}

/* ---- life ---- */

struct engines *engines_new(uv_loop_t *loop, struct inbox *inbox,
                            const struct engines_events *events)
{
	struct engines *all = must_calloc(1, sizeof *all);
	all->loop = loop;
	all->inbox = inbox;
	all->events = *events;
	if (uv_mutex_init(&all->lock))
		abort();
	commit_timer_init(all);
	return all;
}

void engines_leave_to(struct engines *all, struct keep *keep)
{
	all->keep = keep;
}

void engines_keep(struct engines *all, struct journal *journal)
{
	all->journal = journal;
}

void engines_configure(struct engines *all, const struct conf *conf)
{
	texts_free(all->folders);
	texts_free(all->programs);
	all->folders = texts_copy((const char *const *)conf->files);
	all->programs = texts_copy((const char *const *)conf->programs);
	all->count_max = (size_t)conf->engines_max;
	all->limits = (struct pt_engine_limits){
		.memory = conf->memory,
		.blocks = (unsigned)conf->blocks_max,
		.script_time_ns = (uint64_t)(conf->script_time_s * 1e9),
		.script_memory = conf->script_memory,
		.folders = (const char *const *)all->folders,
		.programs = (const char *const *)all->programs,
	};
}

static void timer_closed(uv_handle_t *timer)
{
	free(timer->data);
}

void engines_free(struct engines *all)
{
	assert(!all->count);
	texts_free(all->folders);
	texts_free(all->programs);
	free(all->items);
	uv_mutex_destroy(&all->lock);
	uv_close((uv_handle_t *)&all->confirm_timer, timer_closed);
}
