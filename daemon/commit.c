/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes that leave a trace: recorded, undone, confirmed, and taken back. */
#include "daemon/engine.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include <inttypes.h>
#include <stdlib.h>

enum { AGAIN_MS = 5000 };

/* ---- asking for a change ---- */

int engines_may_change(const struct engine *engine, struct pt_error *err)
{
	uint64_t back;
	int64_t until_ns;
	bool waits = revisions_waits(&engine->past, &back, &until_ns);
	if (!waits && !engine->confirming)
		return 0;
	if (waits)
		pt_fail(err, -PT_ESTATE, "$.engine",
		        "revision %" PRIu64 " of engine '%s' waits to be confirmed, and would take "
		        "this change with it",
		        history_last(&engine->past.history)->number, engine->name);
	else
		pt_fail(err, -PT_ESTATE, "$.engine",
		        "a change of engine '%s' that is to be confirmed is being made",
		        engine->name);
	pt_hint(err, "confirm it (ptctl confirm %s) or take it back (ptctl undo %s) first",
	        engine->name, engine->name);
	return -PT_ESTATE;
}

struct ask *engines_change(struct engine *engine, const struct change_wish *wish,
                           engines_done *done, void *arg)
{
	struct ask *ask = ask_new(engine, done, arg);
	json_t *params = json_copy(wish->params);
	ask->author = must_calloc(1, sizeof *ask->author);
	*ask->author = wish->author;
	if (wish->author.comment)
		ask->author->comment = ask->comment = must_strdup(wish->author.comment);
	if (wish->author.confirm_s > 0)
		engine->confirming = true;
	json_object_set_new(params, "snapshot", json_true());
	pt_engine_ask(engine->engine, wish->verb, params, wish->fds, wish->fd_count, ask_done, ask);
	json_decref(params);
	return ask;
}

static void tell_changed(const struct engine *engine)
{
	static const char *const members[] = {"comment", "undoes", "confirm", "ops"};
	const json_t *about = history_last(&engine->past.history)->about;
	json_t *data = json_object();
	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		json_object_set(data, members[i], json_object_get(about, members[i]));
	if (engine->phase == READY)
		engine_tell(engine, "engine.changed", about, data);
	else
		json_decref(data);
}

void commit_record(struct ask *ask)
{
	struct engine *engine = ask->engine;
	if (ask->author->confirm_s > 0)
		engine->confirming = false;
	if (ask->code || !json_object_get(ask->result, "graph"))
		return;
	revisions_add(&engine->past, ask->author, ask->result);
	/* what was made before the engine goes back goes with it */
	ask->doomed = engine->past.quiet && engine->phase == READY;
	ask->recorded = engine->past.file && (ask->doomed || !engine->past.quiet);
	json_object_del(ask->result, "graph");
	commit_arm(engine);
	tell_changed(engine);
}

/* ---- what could not be kept ---- */

static void refuse_lost(struct engine *engine, int code)
{
	struct ask *ask;
	int why = journal_failed(engine->past.file);
	while ((ask = engine->lost)) {
		engine->lost = ask->next;
		ask->code =
			pt_fail(&ask->err, -PT_EIO, NULL,
		                "the change %s: the journal of engine '%s' cannot be written%s%s",
		                code ? "was made, but will not outlast the daemon"
		                     : "could not be kept, and was taken back",
		                engine->name, why ? ": " : "", why ? error_words(why) : "");
		ask_deliver(ask);
	}
}

static void taken_back(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct engine *engine = arg;
	if (code)
		log_error("engine %s: what could not be kept cannot be taken back: %s",
		          engine->name, pt_error_text(err, error_words(code)));
	refuse_lost(engine, code);
}

static uint64_t before(const struct history *h, uint64_t number)
{
	uint64_t found = 0;
	for (size_t i = 0; i < h->count && h->items[i].number < number; i++)
		found = h->items[i].number;
	return found;
}

void commit_take_back(struct engine *engine, struct ask *ask)
{
	bool first = !engine->lost;
	if (first)
		engine->lost_last = &engine->lost;
	ask->next = NULL;
	*engine->lost_last = ask;
	engine->lost_last = &ask->next;
	if (!first)
		return;
	if (engine->phase == ENDING) {
		refuse_lost(engine, -PT_ESTATE);
		return;
	}
	json_t *number = json_object_get(ask->result, "revision");
	uint64_t target = before(&engine->past.history, (uint64_t)json_integer_value(number));
	const struct revision *revision = history_find(&engine->past.history, target);
	struct ask *back = ask_new(engine, taken_back, engine);
	json_t *params = json_object();
	back->takes_back = true;
	engine->past.quiet = true;
	json_object_set_new(params, "ops", revision ? history_ops(revision) : json_array());
	json_object_set_new(params, "revision", json_integer((json_int_t)target));
	pt_engine_ask(engine->engine, "apply", params, NULL, 0, ask_done, back);
	json_decref(params);
}

/* All changes that were made until now, and have not been answered, went with it. */
void commit_taken_back(struct ask *back)
{
	struct engine *engine = back->engine;
	for (struct ask *ask = engine->held; ask; ask = ask->next)
		ask->doomed |= ask->recorded;
	if (!back->code)
		revisions_go_back(&engine->past, (uint64_t)json_integer_value(json_object_get(
							 back->result, "revision")));
	engine->past.quiet = false;
	if (engine->phase == READY)
		revisions_write(&engine->past);
	commit_arm(engine);
	if (!back->code && engine->phase == READY)
		engine_tell(engine, "engine.taken_back", history_last(&engine->past.history)->about,
		            NULL);
}

/* ---- undo ---- */

static const struct revision *undo_target(const struct engine *engine, const uint64_t *number,
                                          struct pt_error *err)
{
	const struct history *h = &engine->past.history;
	const struct revision *found = number ? history_find(h, *number) : history_before(h);
	if (!found && !number)
		pt_fail(err, -PT_ESTATE, "$.engine", "there is nothing to undo in engine '%s'",
		        engine->name);
	else if (!found)
		pt_fail(err, -PT_EPARAM, "$.revision",
		        "engine '%s' has no revision %" PRIu64 ": it has %" PRIu64 " to %" PRIu64,
		        engine->name, *number, h->items[0].number, history_last(h)->number);
	return found;
}

int engines_undo(const struct engine *engine, const uint64_t *number, struct change_wish *wish,
                 struct pt_error *err)
{
	const struct revision *target = undo_target(engine, number, err);
	if (!target)
		return err->faults[0].code;
	wish->verb = "apply";
	wish->author.undo = true;
	wish->author.undoes = target->number;
	json_object_set_new(wish->params, "ops", history_ops(target));
	if (!number && !json_object_get(wish->params, "if_revision"))
		json_object_set_new(
			wish->params, "if_revision",
			json_integer((json_int_t)history_last(&engine->past.history)->number));
	return 0;
}

json_t *engines_log(const struct engine *engine)
{
	return history_log(&engine->past.history);
}

/* ---- confirmation ---- */

static void gone_back(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct engine *engine = arg;
	engine->going_back = false;
	if (!code)
		return;
	log_error("engine %s: the change that was not confirmed cannot be taken back: %s",
	          engine->name, pt_error_text(err, error_words(code)));
	if (revisions_waits(&engine->past, &(uint64_t){0}, &(int64_t){0})) {
		engine->confirm_due_ms = uv_now(engine->engines->loop) + AGAIN_MS;
		commit_arm(engine);
	}
}

static void go_back(struct engine *engine)
{
	uint64_t back, number = history_last(&engine->past.history)->number;
	int64_t until_ns;
	struct pt_error err = PT_ERROR_INIT;
	if (!revisions_waits(&engine->past, &back, &until_ns))
		return;
	char *comment = must_printf("revision %" PRIu64 " was not confirmed in time", number);
	struct change_wish wish = {.params = json_object(),
	                           .author = {.uid = -1, .pid = -1, .comment = comment}};
	log_warning("engine %s: %s: back to revision %" PRIu64, engine->name, comment, back);
	engine->confirm_due_ms = 0;
	if (engines_undo(engine, &back, &wish, &err)) {
		log_error("engine %s: %s", engine->name, pt_error_text(&err, ""));
	} else {
		engine->going_back = true;
		engines_change(engine, &wish, gone_back, engine);
	}
	json_decref(wish.params);
	free(comment);
	pt_error_clear(&err);
}

static void on_timer(uv_timer_t *timer)
{
	struct engines *all = timer->data;
	uint64_t now = uv_now(all->loop), next = UINT64_MAX;
	for (size_t i = 0; i < all->count; i++) {
		struct engine *engine = all->items[i];
		if (engine->phase != READY || !engine->confirm_due_ms)
			continue;
		if (engine->confirm_due_ms <= now)
			go_back(engine);
		else if (engine->confirm_due_ms < next)
			next = engine->confirm_due_ms;
	}
	if (next != UINT64_MAX)
		uv_timer_start(timer, on_timer, next - now, 0);
}

void commit_timer_init(struct engines *all)
{
	uv_timer_init(all->loop, &all->confirm_timer);
	all->confirm_timer.data = all;
}

void commit_arm(struct engine *engine)
{
	uint64_t back;
	int64_t until_ns;
	uv_timer_t *timer = &engine->engines->confirm_timer;
	if (!revisions_waits(&engine->past, &back, &until_ns)) {
		engine->confirm_due_ms = 0;
		return;
	}
	if (!engine->confirm_due_ms) {
		int64_t left_ms = (until_ns - revisions_now_ns()) / 1000000;
		engine->confirm_due_ms =
			uv_now(timer->loop) + (left_ms > 0 ? (uint64_t)left_ms : 0);
	}
	uint64_t now = uv_now(timer->loop), due = engine->confirm_due_ms;
	uint64_t left = due > now ? due - now : 0;
	if (!uv_is_active((uv_handle_t *)timer) || uv_timer_get_due_in(timer) > left)
		uv_timer_start(timer, on_timer, left, 0);
}

int engines_confirm(struct engine *engine, engines_done *done, void *arg, struct pt_error *err)
{
	uint64_t back;
	int64_t until_ns;
	if (!revisions_waits(&engine->past, &back, &until_ns))
		return pt_fail(err, -PT_ESTATE, "$.engine",
		               "no change of engine '%s' waits to be confirmed", engine->name);
	if (engine->going_back)
		return pt_fail(err, -PT_ESTATE, "$.engine",
		               "too late: the change of engine '%s' is being taken back",
		               engine->name);
	struct ask *ask = ask_new(engine, done, arg);
	revisions_confirm(&engine->past);
	commit_arm(engine);
	ask->keeps = true;
	ask->result = json_pack("{s:I}", "revision",
	                        (json_int_t)history_last(&engine->past.history)->number);
	engine_tell(engine, "engine.confirmed", ask->result, NULL);
	ask_hold(ask);
	ask_release(engine);
	return 0;
}
