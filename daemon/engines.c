/* SPDX-License-Identifier: BSD-2-Clause */
/* Making, asking, and unmaking engines without waiting for any of them. */
#include "daemon/engines.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/name.h"
#include "base/near.h"
#include "daemon/conf.h"
#include "daemon/output.h"
#include <assert.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STACK = 256 * 1024 };

enum phase { MAKING, READY, ENDING };

struct waiter {
	struct waiter *next;
	engines_done *done;
	void *arg;
};

struct engine {
	struct engines *engines;
	char *name;
	struct pt_engine *engine;
	enum phase phase;
	bool start, ephemeral;
	bool doomed; /* the daemon ends while it is being made */
	struct output output;
	int code; /* why it could not be made */
	struct pt_error err;
	struct waiter *waiters; /* for its making, then for its end */
	uv_thread_t thread;     /* that frees it */
	struct post freed;
};

struct engines {
	struct inbox *inbox;
	struct engines_events events;
	struct pt_engine_limits limits;
	char **folders, **programs; /* what the limits point to */
	size_t count_max;
	struct engine **items; /* in the order of their names */
	size_t count;
	bool ending;
	struct waiter end;
};

struct ask {
	struct post post; /* first: what is posted back is the ask */
	struct engine *engine;
	engines_done *done;
	void *arg;
	int code;
	json_t *result;
	struct pt_error err;
};

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

static json_t *row(const struct engine *engine)
{
	static const char *const states[] = {
		[PT_STOPPED] = "stopped", [PT_RUNNING] = "running", [PT_DRAINING] = "draining"};
	struct pt_engine_glance glance;
	pt_engine_look(engine->engine, &glance);
	json_t *row = json_object();
	json_object_set_new(row, "engine", json_string(engine->name));
	json_object_set_new(row, "state", json_string(states[glance.state]));
	json_object_set_new(row, "revision", json_integer((json_int_t)glance.revision));
	json_object_set_new(row, "blocks", json_integer((json_int_t)glance.blocks));
	json_object_set_new(row, "links", json_integer((json_int_t)glance.links));
	json_object_set_new(row, "messages", json_integer((json_int_t)glance.messages));
	if (engine->ephemeral)
		json_object_set_new(row, "ephemeral", json_true());
	return row;
}

json_t *engines_list(struct engines *all)
{
	json_t *rows = json_array();
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i]->phase == READY)
			json_array_append_new(rows, row(all->items[i]));
	return rows;
}

/* ---- asking ---- */

static void answered(struct post *post)
{
	struct ask *ask = (struct ask *)post;
	ask->done(ask->arg, ask->code, ask->result, &ask->err);
	json_decref(ask->result);
	pt_error_clear(&ask->err);
	free(ask);
}

/* [engine's thread] */
static void on_done(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct ask *ask = arg;
	ask->code = code;
	ask->result = result;
	if (code && err)
		error_move(&ask->err, err);
	inbox_post(ask->engine->engines->inbox, &ask->post);
}

static struct ask *ask_new(struct engine *engine, engines_done *done, void *arg)
{
	struct ask *ask = must_calloc(1, sizeof *ask);
	ask->post.run = answered;
	ask->engine = engine;
	ask->done = done;
	ask->arg = arg;
	return ask;
}

struct ask *engines_ask(struct engine *engine, const char *verb, json_t *params, const int *fds,
                        int fd_count, engines_done *done, void *arg)
{
	struct ask *ask = ask_new(engine, done, arg);
	pt_engine_ask(engine->engine, verb, params, fds, fd_count, on_done, ask);
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
	pt_engine_tap(engine->engine, params, hooks, on_done, ask);
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

/* Everything that its thread has posted has been run before. */
static void freed(struct post *post)
{
	struct engine *engine = (struct engine *)((char *)post - offsetof(struct engine, freed));
	struct engines *all = engine->engines;
	uv_thread_join(&engine->thread);
	take_out(all, engine);
	tell_waiters(engine, engine->code, &engine->err);
	pt_error_clear(&engine->err);
	output_fini(&engine->output);
	free(engine->name);
	free(engine);
	look_for_end(all);
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
	pt_engine_free(engine->engine);
	give_back_memory();
	inbox_post(engine->engines->inbox, &engine->freed);
}

static void unmake(struct engine *engine)
{
	const uv_thread_options_t options = {UV_THREAD_HAS_STACK_SIZE, STACK};
	engine->phase = ENDING;
	engine->freed.run = freed;
	if (uv_thread_create_ex(&engine->thread, &options, free_on_thread, engine))
		abort(); /* out of threads: nothing can be ended cleanly any more */
}

void engines_destroy(struct engine *engine, engines_done *done, void *arg)
{
	assert(engine->phase == READY);
	add_waiter(engine, done, arg);
	unmake(engine);
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

static void made(struct engine *engine, int code, struct pt_error *err)
{
	if (!code && engine->doomed)
		code = pt_fail(err, -PT_ESTATE, NULL, "the daemon is ending");
	if (code) {
		engine->code = code;
		error_move(&engine->err, err);
		unmake(engine);
	} else {
		engine->phase = READY;
		tell_waiters(engine, 0, NULL);
	}
}

static void started(void *arg, int code, json_t *result, struct pt_error *err)
{
	made(arg, code, err);
}

static void filled(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct engine *engine = arg;
	if (!code && engine->start && !engine->doomed)
		engines_ask(engine, "start", NULL, NULL, 0, started, engine);
	else
		made(engine, code, err);
}

static int check_wish(const struct engines *all, const char *name, struct pt_error *err)
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

static int add(struct engines *all, const struct engine_wish *wish, struct engine **out,
               struct pt_error *err)
{
	int code = check_wish(all, wish->name, err);
	if (code)
		return code;
	struct engine *engine = must_calloc(1, sizeof *engine);
	engine->engines = all;
	engine->start = wish->start;
	engine->ephemeral = wish->ephemeral;
	engine->name = must_strdup(wish->name);
	output_init(&engine->output, engine->name, all->inbox, &all->events);
	const struct pt_engine_hooks hooks = {
		.output = output_text, .report = output_report, .arg = &engine->output};
	code = pt_engine_new(wish->name, &hooks, &all->limits, &engine->engine, err);
	if (code) {
		output_fini(&engine->output);
		free(engine->name);
		free(engine);
		return code;
	}
	insert(all, engine);
	*out = engine;
	return 0;
}

void engines_make(struct engines *all, const struct engine_wish *wish, engines_done *done,
                  void *arg)
{
	struct engine *engine;
	struct pt_error err = PT_ERROR_INIT;
	int code = add(all, wish, &engine, &err);
	if (code) {
		for (int i = 0; i < wish->fd_count; i++)
			close(wish->fds[i]);
		done(arg, code, NULL, &err);
		pt_error_clear(&err);
		return;
	}
	add_waiter(engine, done, arg);
	json_t *params = json_object();
	json_object_set(params, "ops", wish->ops);
	engines_ask(engine, "change", params, wish->fds, wish->fd_count, filled, engine);
	json_decref(params);
}

/* ---- life ---- */

struct engines *engines_new(struct inbox *inbox, const struct engines_events *events)
{
	struct engines *all = must_calloc(1, sizeof *all);
	all->inbox = inbox;
	all->events = *events;
	return all;
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

void engines_free(struct engines *all)
{
	assert(!all->count);
	texts_free(all->folders);
	texts_free(all->programs);
	free(all->items);
	free(all);
}
