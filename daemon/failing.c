/* SPDX-License-Identifier: BSD-2-Clause */
/* Engines that should run and do not: why, and when they are tried again. */
#include "daemon/engine.h"

#include "base/buf.h"
#include "base/error.h"
#include "daemon/catalog.h"
#include <stdlib.h>
#include <string.h>

enum { RETRY_MAX_MS = 60000, SOON_MS = 50 };

static bool is_due(const struct engine *engine)
{
	return engine->phase == READY && engine->retry_due_ms && !engine->stops;
}

static void on_timer(uv_timer_t *timer);

static void arm(struct engines *all)
{
	uint64_t now = uv_now(all->loop), next = UINT64_MAX;
	for (size_t i = 0; i < all->count; i++)
		if (is_due(all->items[i]) && all->items[i]->retry_due_ms < next)
			next = all->items[i]->retry_due_ms;
	if (next != UINT64_MAX && !all->ending)
		uv_timer_start(&all->retry_timer, on_timer, next > now ? next - now : 0, 0);
}

static void retry_in(struct engine *engine, uint64_t ms)
{
	engine->retry_due_ms = uv_now(engine->engines->loop) + ms;
	arm(engine->engines);
}

static void retry_soon(struct engine *engine)
{
	engine->retry_ms = engine->engines->retry_ms;
	if (!engine->retrying)
		retry_in(engine, SOON_MS);
}

/* ---- why ---- */

static bool set_why(struct engine *engine, const char *why)
{
	char *before = engine->why;
	engine->why = why ? must_strdup(why) : NULL;
	bool is_new = strcmp(before ? before : "", why ? why : "");
	free(before);
	return is_new;
}

bool engine_fail(struct engine *engine, const char *why)
{
	bool is_new = set_why(engine, why) || !engine->failed;
	if (!engine->failed)
		engine->retry_ms = engine->engines->retry_ms;
	engine->failed = true;
	revisions_note_failure(&engine->past, why);
	if (is_new)
		engine_tell_state(engine);
	if (!engine->past.lost && !engine->retrying)
		retry_in(engine, engine->retry_ms);
	return is_new;
}

bool engines_fail(struct engine *engine, const char *why, bool hollow)
{
	engine->hollow = hollow;
	return engine_fail(engine, why);
}

static void clear(struct engine *engine)
{
	set_why(engine, NULL);
	engine->failed = false;
	engine->retry_due_ms = 0;
}

void engine_log_failure(const struct engine *engine, const char *words)
{
	struct log_about about = engine_about(engine);
	about.event = CATALOG_ENGINE_MISSING;
	log_about(&about, LOG_LEVEL_ERROR, "engine %s does not run, and is tried again: %s",
	          engine->name, words);
}

void engines_log_failure(const struct engine *engine, const char *words)
{
	engine_log_failure(engine, words);
}

void failing_ready(struct engine *engine)
{
	if (is_due(engine))
		arm(engine->engines);
}

void failing_state(struct engine *engine)
{
	if (engine->state != PT_STOPPED)
		clear(engine);
}

static void start_refused(struct engine *engine, const char *why)
{
	if (engine->boots)
		return; /* its maker tells */
	if (engine->failed && engine_fail(engine, why) && engine->retrying)
		engine_log_failure(engine, why);
	else if (!engine->failed && set_why(engine, why))
		engine_tell_state(engine);
}

void failing_answered(struct ask *ask)
{
	struct engine *engine = ask->engine;
	engine->starts -= ask->counted;
	engine->stops -= ask->keeps && !ask->starts;
	failing_ready(engine);
	if (!ask->keeps || engine->phase != READY)
		return;
	bool told = engine->why != NULL;
	if (ask->starts && ask->request.code) {
		start_refused(engine,
		              pt_error_text(&ask->request.err, error_words(ask->request.code)));
	} else if (!ask->request.code) {
		clear(engine);
		if (told && !ask->starts)
			engine_tell_state(engine);
	}
}

/* Who gives a graph to an engine whose own was lost decides when it starts. */
void failing_changed(struct engine *engine)
{
	if (engine->phase != READY || !engine->failed || engine->hollow)
		return;
	if (!engine->past.lost) {
		retry_soon(engine);
		return;
	}
	revisions_set_running(&engine->past, false, NULL);
	clear(engine);
	engine_tell_state(engine);
}

/* ---- beginning, also where there is no graph yet ---- */

struct beginning {
	struct engine *engine;
	bool start; /* once it has its graph */
	engines_done *done;
	void *arg;
};

static void remade(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct beginning *b = arg;
	struct engine *engine = b->engine;
	if (!code && engine->phase == READY && !b->start) {
		engine->hollow = false;
		clear(engine);
		engine_tell_state(engine);
		b->done(b->arg, 0, NULL, err);
	} else if (!code && engine->phase == READY) {
		engine->hollow = false;
		ask_put(ask_new(PT_VERB_START), engine, b->done, b->arg);
	} else {
		const char *why = pt_error_text(err, error_words(code));
		if (code && engine->phase == READY && engine_fail(engine, why))
			engine_log_failure(engine, why);
		b->done(b->arg, code ? code : -PT_ESTATE, NULL, err);
	}
	free(b);
}

int engines_must_be_read(const struct engine *engine, struct pt_error *err)
{
	if (!engine->unread)
		return 0;
	pt_fail(err, -PT_EIO, "$.engine", "what is kept of engine '%s' could not be read: %s",
	        engine->name, engine->why ? engine->why : "");
	pt_hint(err, "mend that, and start the daemon anew");
	return -PT_EIO;
}

static void begin(struct engine *engine, bool start, engines_done *done, void *arg)
{
	const struct engines_events *events = &engine->engines->events;
	struct pt_error err = PT_ERROR_INIT;
	if (engines_must_be_read(engine, &err)) {
		done(arg, -PT_EIO, NULL, &err);
		pt_error_clear(&err);
	} else if (engine->hollow && engine->from_file && events->reread) {
		events->reread(events->arg, engine->name, done, arg);
	} else if (engine->hollow) {
		struct beginning *b = must_calloc(1, sizeof *b);
		*b = (struct beginning){engine, start, done, arg};
		ask_put(engine_last_graph(engine), engine, remade, b);
	} else {
		ask_put(ask_new(PT_VERB_START), engine, done, arg);
	}
}

void engines_begin(struct engine *engine, engines_done *done, void *arg)
{
	begin(engine, true, done, arg);
}

bool engines_is_hollow(const struct engine *engine)
{
	return engine->hollow;
}

void engines_filled(struct engine *engine)
{
	engine->hollow = false;
}

bool engines_has_failed(const struct engine *engine)
{
	return engine->failed;
}

/* ---- trying again ---- */

struct retry {
	struct engines *engines;
	char name[];
};

static void retried(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct retry *retry = arg;
	struct engine *engine = engines_at(retry->engines, retry->name);
	if (engine && engine->retrying) {
		engine->retrying = false;
		if (!code)
			log_info("engine %s %s", engine->name,
			         engine->past.running || engine->from_file ? "runs" : "is there");
		if (engine->failed) {
			uint64_t next = engine->retry_ms * 2;
			engine->retry_ms = next < RETRY_MAX_MS ? next : RETRY_MAX_MS;
			retry_in(engine, engine->retry_ms);
		}
	}
	free(retry);
}

static void try_again(struct engine *engine)
{
	struct retry *retry = must_calloc(1, sizeof *retry + strlen(engine->name) + 1);
	retry->engines = engine->engines;
	strcpy(retry->name, engine->name);
	engine->retry_due_ms = 0;
	engine->retrying = true;
	begin(engine, engine->from_file || engine->past.running, retried, retry);
}

static void on_timer(uv_timer_t *timer)
{
	struct engines *all = timer->data;
	for (size_t i = 0; i < all->count; i++)
		if (is_due(all->items[i]) && all->items[i]->retry_due_ms <= uv_now(all->loop))
			try_again(all->items[i]);
	arm(all);
}

void engines_retry_soon(struct engines *all)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i]->phase == READY && all->items[i]->failed &&
		    !all->items[i]->past.lost)
			retry_soon(all->items[i]);
}

void failing_timer_init(struct engines *all)
{
	uv_timer_init(all->loop, &all->retry_timer);
	all->retry_timer.data = all;
}
