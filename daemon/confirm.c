/* SPDX-License-Identifier: BSD-2-Clause */
/* What waits to be confirmed: a change, which goes back else; a new engine, which is destroyed
   else; one that is destroyed, and is there again else. */
#include "daemon/engine.h"

#include "base/buf.h"
#include "base/error.h"
#include <inttypes.h>
#include <stdlib.h>

enum { AGAIN_MS = 5000 };

/* ---- what was not confirmed in time ---- */

static void try_again(struct engine *engine)
{
	engine->confirm_due_ms = uv_now(engine->engines->loop) + AGAIN_MS;
	confirm_arm(engine);
}

static void gone_back(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct engine *engine = arg;
	engine->going_back = false;
	if (!code)
		return;
	const struct log_about about = engine_about(engine);
	log_about(&about, LOG_LEVEL_ERROR,
	          "engine %s: what was not confirmed cannot be taken back: %s", engine->name,
	          pt_error_text(err, error_words(code)));
	if (revisions_waits(&engine->past, NULL))
		try_again(engine);
}

static void go_back(struct engine *engine, uint64_t back, const char *why)
{
	struct pt_error err = PT_ERROR_INIT;
	if (engine->hollow) {
		try_again(engine);
		return;
	}
	struct ask *ask = ask_new(PT_VERB_CHANGE);
	ask_set_author(ask, &(struct author){.uid = -1, .pid = -1, .comment = why});
	const struct log_about about = engine_about(engine);
	log_about(&about, LOG_LEVEL_WARNING, "engine %s: %s: back to revision %" PRIu64,
	          engine->name, why, back);
	if (!engines_undo(engine, &back, ask, &err)) {
		engine->going_back = true;
		ask_put(ask, engine, gone_back, engine);
	} else {
		log_about(&about, LOG_LEVEL_ERROR, "engine %s: %s", engine->name,
		          pt_error_text(&err, ""));
		ask_free(ask);
	}
	pt_error_clear(&err);
}

static void return_there(struct engine *engine)
{
	const struct log_about about = engine_about(engine);
	log_about(&about, LOG_LEVEL_WARNING,
	          "engine %s is there again: that it was destroyed was not confirmed in time",
	          engine->name);
	revisions_return(&engine->past);
	engine_returns(engine);
}

static void is_due(struct engine *engine)
{
	struct revisions_wait wait;
	engine->confirm_due_ms = 0;
	if (!revisions_waits(&engine->past, &wait))
		return;
	if (wait.else_ == WAIT_THERE) {
		return_there(engine);
		return;
	}
	char *why = must_printf("revision %" PRIu64 " was not confirmed in time",
	                        history_last(&engine->past.history)->number);
	if (wait.else_ == WAIT_BACK)
		go_back(engine, wait.back, why);
	else
		engines_destroy(engine, why, gone_back, engine);
	free(why);
}

/* ---- the time ---- */

static void on_timer(uv_timer_t *timer)
{
	struct engines *all = timer->data;
	uint64_t now = uv_now(all->loop), next = UINT64_MAX;
	for (size_t i = 0; i < all->count; i++) {
		struct engine *engine = all->items[i];
		bool there = engine->phase == READY || engine->phase == LEAVING;
		if (!there || !engine->confirm_due_ms)
			continue;
		if (engine->confirm_due_ms <= now)
			is_due(engine);
		if (engine->confirm_due_ms > now && engine->confirm_due_ms < next)
			next = engine->confirm_due_ms;
	}
	if (next != UINT64_MAX)
		uv_timer_start(timer, on_timer, next - now, 0);
}

void confirm_timer_init(struct engines *all)
{
	uv_timer_init(all->loop, &all->confirm_timer);
	all->confirm_timer.data = all;
}

void confirm_arm(struct engine *engine)
{
	struct revisions_wait wait;
	uv_timer_t *timer = &engine->engines->confirm_timer;
	if (!revisions_waits(&engine->past, &wait)) {
		engine->confirm_due_ms = 0;
		return;
	}
	if (!engine->confirm_due_ms)
		engine->confirm_due_ms = uv_now(timer->loop) + (uint64_t)(wait.left_ns / 1000000);
	uint64_t now = uv_now(timer->loop), due = engine->confirm_due_ms;
	uint64_t left = due > now ? due - now : 0;
	if (!uv_is_active((uv_handle_t *)timer) || uv_timer_get_due_in(timer) > left)
		uv_timer_start(timer, on_timer, left, 0);
}

/* ---- destroyed, to be confirmed ---- */

void engines_leave(struct engine *engine, struct ask *ask, engines_done *done, void *arg)
{
	engine->phase = LEAVING;
	ask->request.verb = PT_VERB_STOP;
	ask->leaves = true;
	ask_put(ask, engine, done, arg);
}

void confirm_leaves(struct ask *ask)
{
	revisions_leave(&ask->engine->past, &ask->author);
	confirm_arm(ask->engine);
}

void confirm_stays(struct engine *engine)
{
	revisions_return(&engine->past);
	engine->confirm_due_ms = 0;
	engine->phase = READY;
}

static const char *leaving_why(const struct engine *engine)
{
	return json_string_value(json_object_get(engine->past.leaving, "comment"));
}

void confirm_left(struct engine *engine)
{
	const struct log_about about = engine_about(engine);
	const char *why = leaving_why(engine);
	if (engine->phase != LEAVING)
		return;
	if (why)
		log_about(&about, LOG_LEVEL_INFO,
		          "engine %s is destroyed, unless that is not confirmed: %s", engine->name,
		          why);
	engine_tell_gone(engine,
	                 json_pack("{s:s*, s:O}", "why", why, "confirm", engine->past.leaving));
}

/* ---- confirming ---- */

static int check_waits(const struct engine *engine, const uint64_t *revision, struct pt_error *err)
{
	uint64_t last = history_last(&engine->past.history)->number;
	if (!revisions_waits(&engine->past, NULL))
		return pt_fail(err, -PT_ESTATE, "$.engine",
		               "no change of engine '%s' waits to be confirmed", engine->name);
	if (engine->going_back)
		return pt_fail(err, -PT_ESTATE, "$.engine",
		               "too late: the change of engine '%s' is being taken back",
		               engine->name);
	if (revision && *revision != last)
		return pt_fail(err, -PT_ECONFLICT, "$.revision",
		               "it is revision %" PRIu64
		               " of engine '%s' that waits to be confirmed, not %" PRIu64,
		               last, engine->name, *revision);
	return 0;
}

static json_t *answer_of(const struct engine *engine, double left_s)
{
	json_int_t last = (json_int_t)history_last(&engine->past.history)->number;
	return left_s > 0 ? json_pack("{s:I, s:f}", "revision", last, "left_s", left_s)
	                  : json_pack("{s:I}", "revision", last);
}

/* What has left is destroyed now, and then that is told. */
struct leaving {
	json_t *result;
	engines_done *done;
	void *arg;
};

static void destroyed(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct leaving *l = arg;
	l->done(l->arg, code, l->result, err);
	json_decref(l->result);
	free(l);
}

int engines_confirm(struct engine *engine, const uint64_t *revision, double extend_s,
                    struct ask *ask, engines_done *done, void *arg, struct pt_error *err)
{
	int code = check_waits(engine, revision, err);
	if (code)
		return code;
	if (extend_s > 0)
		revisions_extend(&engine->past, extend_s);
	else if (engine->phase == READY)
		revisions_confirm(&engine->past);
	engine->confirm_due_ms = 0;
	confirm_arm(engine);
	lodgers_go(engine);
	json_t *result = answer_of(engine, extend_s);
	if (extend_s <= 0)
		engine_tell(engine, "engine.confirmed", result, NULL);
	if (extend_s > 0 || engine->phase == READY) {
		ask_answer(ask, engine, result, done, arg);
	} else {
		struct leaving *l = must_calloc(1, sizeof *l);
		*l = (struct leaving){result, done, arg};
		engines_destroy(engine, leaving_why(engine), destroyed, l);
	}
	return 0;
}
