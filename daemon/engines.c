/* SPDX-License-Identifier: BSD-2-Clause */
/* Making, asking, and unmaking engines without waiting for any of them. */
#include "daemon/engines.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/near.h"
#include "daemon/conf.h"
#include "daemon/engine.h"
#include "daemon/store.h"
#include <assert.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

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

struct engine *engines_at(const struct engines *all, const char *name)
{
	size_t place = place_of(all, name);
	bool there = place < all->count && !strcmp(all->items[place]->name, name);
	return there ? all->items[place] : NULL;
}

void engines_insert(struct engines *all, struct engine *engine)
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

static void fail_left(const struct engine *engine, struct pt_error *err)
{
	pt_fail(err, -PT_ENOENGINE, "$.engine",
	        "engine '%s' was destroyed, and is there again if that is not confirmed in time",
	        engine->name);
	pt_hint(err, "ptctl confirm %s", engine->name);
}

struct engine *engines_find(struct engines *all, const char *name, struct pt_error *err)
{
	struct engine *found = engines_at(all, name);
	if (found && found->phase == READY)
		return found;
	if (found && found->phase == LEAVING) {
		fail_left(found, err);
		return NULL;
	}
	if (found) {
		pt_fail(err, -PT_ESTATE, "$.engine", "engine '%s' is being %s", name,
		        found->phase >= REMOVING ? "destroyed"
		        : found->start           ? "started"
		                                 : "made");
		return NULL;
	}
	struct near near = near_init(name);
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i]->phase == READY)
			near_try(&near, all->items[i]->name);
	pt_fail(err, -PT_ENOENGINE, "$.engine", "no engine '%s'%s", name, near_say(&near, ""));
	return NULL;
}

struct engine *engines_find_waiting(struct engines *all, const char *name, struct pt_error *err)
{
	struct engine *found = engines_at(all, name);
	return found && found->phase == LEAVING ? found : engines_find(all, name, err);
}

void engines_pulses(struct engines *all, void (*each)(void *arg, const char *name, uint64_t pulse),
                    void *arg)
{
	for (size_t i = 0; i < all->count; i++) {
		struct engine *engine = all->items[i];
		if (!engine->is_over)
			each(arg, engine->name, pt_engine_pulse(engine->engine));
	}
}

struct pt_engine_glance engine_glance(const struct engine *engine)
{
	struct pt_engine_glance glance = {.state = engine->state};
	if (!engine->is_over)
		pt_engine_look(engine->engine, &glance);
	return glance;
}

void engines_count_all(const struct engines *all, struct engines_tally *tally)
{
	*tally = (struct engines_tally){0};
	for (size_t i = 0; i < all->count; i++) {
		if (all->items[i]->phase != READY)
			continue;
		const struct pt_engine_glance glance = engine_glance(all->items[i]);
		tally->engines++;
		tally->running += glance.state != PT_STOPPED;
		tally->blocks += glance.blocks;
		tally->failed += all->items[i]->failed;
		tally->files_wrong += !all->items[i]->failed && all->items[i]->file_why;
		tally->failed_blocks += glance.failed;
		if (glance.failed && !tally->failed_in)
			tally->failed_in = all->items[i]->name;
		tally->others_failed |= glance.failed && tally->failed_in != all->items[i]->name;
	}
}

struct log_about engine_about(const struct engine *engine)
{
	return (struct log_about){.engine = engine->name,
	                          .revision = engine_glance(engine).revision};
}

uint64_t engines_revision(const struct engines *all, const char *name)
{
	const struct engine *engine = engines_at(all, name);
	return engine ? engine_about(engine).revision : 0;
}

bool engines_is_owned(const struct engines *all, const char *name)
{
	const struct engine *engine = engines_at(all, name);
	return engine && engine->owned;
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

void engine_tell_gone(struct engine *engine, json_t *data)
{
	if (engine->told)
		engine_tell(engine, "engine.destroyed", NULL, data);
	else
		json_decref(data);
	engine->told = false;
}

/* ---- unmaking ---- */

void engine_wait(struct engine *engine, engines_done *done, void *arg)
{
	struct waiter *waiter = must_calloc(1, sizeof *waiter);
	*waiter = (struct waiter){engine->waiters, done, arg};
	engine->waiters = waiter;
}

/* Those who are told may at once wait for something else. */
void engine_tell_waiters(struct engine *engine, int code, struct pt_error *err)
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

void engine_free(struct engine *engine)
{
	revisions_fini(&engine->past);
	json_decref(engine->file_blocks);
	json_decref(engine->file_links);
	free(engine->file);
	free(engine->file_next);
	free(engine->file_why);
	free(engine->end_why);
	free(engine->why);
	free(engine->name);
	free(engine);
}

void engine_gone(struct engine *engine)
{
	struct engines *all = engine->engines;
	if (!engine->is_freed || !is_settled(engine->past.file) || !TAILQ_EMPTY(&engine->held) ||
	    engine->recording || !TAILQ_EMPTY(&engine->behind))
		return;
	take_out(all, engine);
	engine_tell_gone(engine,
	                 engine->end_why ? json_pack("{s:s}", "why", engine->end_why) : NULL);
	engine_tell_waiters(engine, engine->code, &engine->err);
	pt_error_clear(&engine->err);
	output_fini(&engine->output);
	engine_free(engine);
	look_for_end(all);
}

/* Everything that its thread has posted has been run before. */
static void freed(struct pt_letter *letter)
{
	struct engine *engine = (struct engine *)((char *)letter - offsetof(struct engine, freed));
	if (!engine->suspended)
		store_forget(engine->engines->store, engine->name);
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

/* [worker] */
static void free_aside(struct work *work)
{
	struct engine *engine = (struct engine *)((char *)work - offsetof(struct engine, freeing));
	pt_engine_free(engine->engine);
	give_back_memory();
	mailbox_post(engine->engines->mailbox, &engine->freed);
}

static void over(struct pt_letter *letter)
{
	struct engine *engine = (struct engine *)((char *)letter - offsetof(struct engine, over));
	engine->is_over = true;
	engine->freeing = (struct work){.run = free_aside, .must = true};
	workers_add(&engine->freeing);
}

/* [engine's thread] */
void engine_ended(void *output)
{
	struct engine *engine = (struct engine *)((char *)output - offsetof(struct engine, output));
	mailbox_post(engine->engines->mailbox, &engine->over);
}

void engine_unmake(struct engine *engine)
{
	bool goes_on = !engine->removed && (engine->phase == READY || engine->phase == LEAVING ||
	                                    engine->restored || engine->from_file);
	engine->suspended =
		goes_on && engine->lasts && engine->engines->ending && engine->engines->store;
	engine->phase = ENDING;
	engine->over.read = over;
	engine->freed.read = freed;
	if (engine->is_over) {
		mailbox_post(engine->engines->mailbox, &engine->freed);
		return;
	}
	if (engine->suspended)
		pt_engine_suspend(engine->engine);
	pt_engine_end(engine->engine);
}

void engines_destroy(struct engine *engine, const char *why, engines_done *done, void *arg)
{
	assert(engine->phase == READY || engine->phase == LEAVING);
	engine->end_why = why ? must_strdup(why) : NULL;
	engine_wait(engine, done, arg);
	engine->past.quiet = true;
	if (!engine->past.file) {
		engine_unmake(engine);
		return;
	}
	engine->phase = REMOVING;
	engine->removing = journal_remove(engine->past.file);
}

void engine_removed(struct engine *engine)
{
	struct pt_error err = PT_ERROR_INIT;
	if (engine->phase != REMOVING ||
	    journal_settled_until(engine->past.file) < engine->removing)
		return;
	int why = journal_failed(engine->past.file);
	if (!why || engine->engines->ending) {
		engine->removed = !why;
		engine_unmake(engine);
		return;
	}
	engine->phase = engine->past.leaving ? LEAVING : READY;
	engine->past.quiet = false;
	free(engine->end_why);
	engine->end_why = NULL;
	revisions_write(&engine->past);
	confirm_arm(engine);
	int code = pt_fail(&err, -PT_EIO, NULL,
	                   "engine '%s' is not destroyed: its journal cannot be removed: %s",
	                   engine->name, error_words(why));
	engine_tell_waiters(engine, code, &err);
	pt_error_clear(&err);
}

static void ignore(void *arg, int code, json_t *result, struct pt_error *err)
{
}

void engines_disown(struct engines *all, const void *owner)
{
	for (size_t i = 0; i < all->count; i++) {
		struct engine *engine = all->items[i];
		lodgers_disown(engine, owner);
		if (engine->owner != owner)
			continue;
		engine->owner = NULL;
		if (engine->phase == READY || engine->phase == LEAVING)
			engines_destroy(engine, NULL, ignore, NULL);
		else
			engine->doomed = true;
	}
}

void engines_end(struct engines *all, engines_done *done, void *arg)
{
	all->ending = true;
	all->end = (struct waiter){NULL, done, arg};
	for (size_t i = 0; i < all->count; i++) {
		if (all->items[i]->phase == READY || all->items[i]->phase == LEAVING)
			engine_unmake(all->items[i]);
		else if (all->items[i]->phase == MAKING)
			all->items[i]->doomed = true;
	}
	look_for_end(all);
}

/* ---- life ---- */

struct engines *engines_new(uv_loop_t *loop, struct mailbox *mailbox,
                            const struct engines_events *events)
{
	struct engines *all = must_calloc(1, sizeof *all);
	all->loop = loop;
	all->mailbox = mailbox;
	all->events = *events;
	all->retry_ms = 2000;
	all->handles = 2;
	confirm_timer_init(all);
	failing_timer_init(all);
	return all;
}

void engines_store_in(struct engines *all, struct store *store)
{
	all->store = store;
}

void engines_place(struct engines *all, const char *state)
{
	all->place = must_strdup(state);
}

void engines_keep(struct engines *all, struct journal *journal)
{
	all->journal = journal;
}

struct pt_engine_limits engines_limits(const struct conf *conf)
{
	return (struct pt_engine_limits){
		.memory = conf->memory,
		.blocks = (unsigned)conf->blocks_max,
		.script_time_ns = (uint64_t)(conf->script_time_s * 1e9),
		.script_memory = conf->script_memory,
		.folders = (const char *const *)conf->files,
		.programs = (const char *const *)conf->programs,
	};
}

void engines_configure(struct engines *all, const struct conf *conf)
{
	texts_free(all->folders);
	texts_free(all->programs);
	all->folders = texts_copy((const char *const *)conf->files);
	all->programs = texts_copy((const char *const *)conf->programs);
	all->count_max = (size_t)conf->engines_max;
	all->retry_ms = (uint64_t)(conf->retry_s * 1e3);
	all->limits = engines_limits(conf);
	all->limits.folders = (const char *const *)all->folders;
	all->limits.programs = (const char *const *)all->programs;
}

void engines_reopen(struct engines *all)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i]->phase == READY)
			ask_put(ask_new(PT_VERB_REOPEN), all->items[i], ignore, NULL);
}

static void timer_closed(uv_handle_t *timer)
{
	struct engines *all = timer->data;
	if (!--all->handles)
		free(all);
}

void engines_free(struct engines *all)
{
	assert(!all->count);
	texts_free(all->folders);
	texts_free(all->programs);
	free(all->items);
	free(all->place);
	uv_close((uv_handle_t *)&all->confirm_timer, timer_closed);
	uv_close((uv_handle_t *)&all->retry_timer, timer_closed);
}
