/* SPDX-License-Identifier: BSD-2-Clause */
/* What may be asked of an engine: one function a verb, and those who wait. */
#include "engine/picture.h"
#include "engine/request.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/near.h"
#include "engine/change.h"
#include "engine/carry.h"
#include "engine/deliver.h"
#include "engine/engine.h"
#include "engine/hand.h"
#include "engine/ledger.h"
#include "engine/revive.h"
#include "engine/tap.h"
#include "engine/through.h"
#include "engine/trace.h"
#include "msg/json.h"
#include "msg/pool.h"
#include "type/param.h"
#include "type/type.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- answers ---- */

void request_answer(struct pt_request *r, int code, json_t *result, struct pt_error *err)
{
	if (!r) {
		json_decref(result);
		return;
	}
	timers_stop(&r->engine->timers, &r->deadline);
	r->code = code;
	r->result = code ? NULL : result ? result : json_object();
	if (code)
		json_decref(result);
	if (code && err)
		error_move(&r->err, err);
	r->done(r);
}

void request_refuse(struct pt_request *r, int code, const char *path, const char *fmt, ...)
{
	struct pt_error err = PT_ERROR_INIT;
	va_list args;
	va_start(args, fmt);
	error_vfail(&err, code, path, fmt, args);
	va_end(args);
	request_answer(r, code, NULL, &err);
	pt_error_clear(&err);
}

static void answer_new(struct pt_request *r, json_t *result)
{
	assert(result);
	request_answer(r, 0, result, NULL);
}

/* ---- the block a request is about ---- */

static void no_block(struct pt_request *r)
{
	const char *name = r->block ? r->block : "";
	struct near near = near_init(name);
	for (unsigned i = 0; i < r->engine->graph->count; i++)
		near_try(&near, r->engine->graph->blocks[i]->name);
	request_refuse(r, -PT_ENOBLOCK, "block", "no block '%s' in engine '%s'%s", name,
	               r->engine->name, near_say(&near, ""));
}

/* NULL: the request was answered. */
static const struct graph_block *find_block(struct pt_request *r)
{
	const struct graph_block *found = graph_find(r->engine->graph, r->block ? r->block : "");
	if (!found)
		no_block(r);
	return found;
}

struct pt_block *request_block(struct pt_request *r)
{
	const struct graph_block *found = find_block(r);
	if (found && found->alive->away)
		TAILQ_INSERT_TAIL(&r->engine->queue, r, entry);
	return found && !found->alive->away ? found->alive : NULL;
}

/* ---- show, stats, graph ---- */

/* Of what users wrote. */
static void add_coming(json_t *row, const struct pt_type *type)
{
	struct type_coming coming;
	if (!type_coming(type, &coming) || !coming.origin)
		return;
	json_t *code = json_pack("{s:s, s:o}", "file", coming.origin, "loaded",
	                         json_sprintf("%lld.%09lld", (long long)coming.time_ns / 1000000000,
	                                      (long long)coming.time_ns % 1000000000));
	if (coming.replaced)
		json_object_set_new(code, "replaced", json_true());
	json_object_set_new(row, "code", code);
}

static void run_show(struct pt_request *r)
{
	struct pt_engine *e = r->engine;
	json_t *result = graph_to_json(e->graph);
	for (unsigned i = 0; i < e->graph->count; i++) {
		struct pt_block *b = e->graph->blocks[i]->alive;
		json_t *row = json_copy(e->graph->blocks[i]->row);
		json_array_set_new(json_object_get(result, "blocks"), i, row);
		json_object_set_new(row, "state", json_string(block_state_word(b)));
		if (block_is_source(b))
			cut_show(b, row);
		add_coming(row, b->type);
		if (b->last_error)
			json_object_set_new(row, "last_error", json_string(b->last_error));
		if (b->note)
			json_object_set_new(row, "note", json_string(b->note));
		json_t *shown = b->started && !b->away ? carry_show(b) : NULL;
		if (shown)
			json_object_set_new(row, "now", shown);
		uint64_t done, size;
		if (b->type->progress && !b->away && b->type->progress(b, &done, &size))
			json_object_set_new(row, "progress",
			                    json_pack("{s:I, s:I}", "done", (json_int_t)done,
			                              "size", (json_int_t)size));
	}
	json_object_set_new(result, "engine", json_string(e->name));
	json_object_set_new(result, "state", json_string(engine_state_word(e)));
	json_object_set_new(result, "revision", json_integer((json_int_t)e->revision));
	if (e->resume.shown)
		json_object_set(result, "resumed", e->resume.shown);
	answer_new(r, result);
}

static void run_stats(struct pt_request *r)
{
	json_t *result = ledger_to_json(r->engine);
	json_object_set_new(result, "engine", json_string(r->engine->name));
	json_object_set_new(result, "state", json_string(engine_state_word(r->engine)));
	answer_new(r, result);
}

static void run_look(struct pt_request *r)
{
	ledger_settle(r->engine);
	r->look(r->engine, r->look_arg);
	request_answer(r, 0, NULL, NULL);
}

static void run_draw(struct pt_request *r)
{
	static const char *const words[] = {"dot", "mermaid"};
	struct buf picture = BUF_INIT;
	picture_print(&picture, r->engine, r);
	answer_new(r, json_pack("{s:s%}", words[r->picture], picture.data, picture.length));
	buf_free(&picture);
}

/* ---- files that have lost their names ---- */

static void run_reopen(struct pt_request *r)
{
	for (unsigned i = 0; i < r->engine->graph->count; i++)
		block_reopen(r->engine->graph->blocks[i]->alive);
	request_answer(r, 0, NULL, NULL);
}

/* ---- change, start, stop ---- */

static void run_change(struct pt_request *r)
{
	const struct pt_engine *e = r->engine;
	if (r->if_revision >= 0 && (uint64_t)r->if_revision != e->revision)
		request_refuse(r, -PT_ECONFLICT, "if_revision",
		               "engine '%s' is at revision %llu, not %lld: look at it again",
		               e->name, (unsigned long long)e->revision, (long long)r->if_revision);
	else
		change_graph(r);
}

/* ---- those who wait ---- */

static bool is_given_up(const struct pt_request *r)
{
	return __atomic_load_n(&r->given_up, __ATOMIC_ACQUIRE);
}

static void give_up(struct pt_request *r)
{
	request_refuse(r, -ECANCELED, NULL, "given up");
}

void request_wait(struct pt_request *r)
{
	struct pt_engine *e = r->engine;
	if (is_given_up(r)) {
		give_up(r);
		return;
	}
	TAILQ_INSERT_TAIL(&e->waiting, r, entry);
	if (r->timeout_s >= 0 && r->timeout_s < 1e9)
		timers_set(&e->timers, &r->deadline,
		           engine_now(e) + (uint64_t)(r->timeout_s * 1e9));
}

static void run_stop(struct pt_request *r)
{
	struct pt_engine *e = r->engine;
	if (!r->wait || e->state == PT_STOPPED) {
		change_stop(e, r);
		return;
	}
	if (e->state == PT_RUNNING)
		engine_set_state(e, PT_DRAINING);
	request_wait(r);
}

/* {messages} of what there is, up to max; NULL if there is nothing and `late` is not yet. */
static json_t *receive(const struct pt_request *r, struct pt_block *b, bool late)
{
	json_t *messages = json_array();
	enum pt_canal canal;
	for (struct pt_msg *m;
	     (int64_t)json_array_size(messages) < r->max && (m = b->type->take(b, &canal));) {
		json_array_append_new(messages, msg_to_json(m, canal));
		pt_done(b, m);
	}
	if (!json_array_size(messages) && !late) {
		json_decref(messages);
		return NULL;
	}
	uint64_t dropped = block_sum(b, false);
	json_t *result = json_pack("{s:o}", "messages", messages);
	if (dropped)
		json_object_set_new(result, "dropped", json_integer((json_int_t)dropped));
	return result;
}

static void run_recv(struct pt_request *r)
{
	struct pt_block *b = request_block(r);
	if (!b)
		return;
	if (!b->type->take) {
		request_refuse(r, -PT_ESTATE, "block",
		               "'%s' is a %s, which keeps no messages; receive from a QueueSink",
		               b->name, b->type->name);
		return;
	}
	if (r->hold && !b->type->give_back) {
		request_refuse(r, -PT_ESTATE, "hold", "'%s' is a %s, which takes nothing back",
		               b->name, b->type->name);
		return;
	}
	if (is_given_up(r)) { /* nobody would hear of what is taken */
		give_up(r);
		return;
	}
	json_t *result = receive(r, b, r->timeout_s == 0);
	if (result)
		cut_answer(r, result);
	else
		request_wait(r);
}

static void settle_stop(struct pt_request *r, bool late)
{
	struct pt_engine *e = r->engine;
	bool again = e->state == PT_RUNNING;
	if (!late && !again)
		return;
	TAILQ_REMOVE(&e->waiting, r, entry);
	if (again)
		request_refuse(r, -PT_ESTATE, NULL, "engine '%s' was started again", e->name);
	else
		request_refuse(r, -PT_ETIMEOUT, "timeout_s",
		               "engine '%s' still drains: some source is not exhausted", e->name);
}

static void settle_receiver(struct pt_request *r, bool late)
{
	struct pt_engine *e = r->engine;
	const struct graph_block *found = graph_find(e->graph, r->block);
	if (!found || !found->alive->type->take) {
		TAILQ_REMOVE(&e->waiting, r, entry);
		no_block(r);
		return;
	}
	if (found->alive->away || (!found->alive->available && !late))
		return;
	json_t *result = receive(r, found->alive, late);
	if (result) {
		TAILQ_REMOVE(&e->waiting, r, entry);
		cut_answer(r, result);
	}
}

static void settle_sender(struct pt_request *r, bool late)
{
	struct pt_engine *e = r->engine;
	const struct graph_block *found = graph_find(e->graph, r->block);
	if (found && !late && !through_is_over(e, r))
		return;
	TAILQ_REMOVE(&e->waiting, r, entry);
	if (found)
		hand_sent(r, found->alive);
	else
		no_block(r);
}

static void settle_one(struct pt_request *r)
{
	bool late = r->deadline.place == 0 && r->deadline.due_ns;
	if (is_given_up(r)) {
		TAILQ_REMOVE(&r->engine->waiting, r, entry);
		give_up(r);
	} else if (r->verb == PT_VERB_STOP) {
		settle_stop(r, late);
	} else if (r->verb == PT_VERB_SEND) {
		settle_sender(r, late);
	} else {
		settle_receiver(r, late);
	}
}

/* The oldest is served first. */
static void settle_waiting(struct pt_engine *e)
{
	struct pt_request *next;
	through_settle(e);
	for (struct pt_request *r = TAILQ_FIRST(&e->waiting); r; r = next) {
		next = TAILQ_NEXT(r, entry);
		settle_one(r);
	}
	struct pt_block *next_block;
	for (struct pt_block *b = TAILQ_FIRST(&e->available); b; b = next_block) {
		next_block = TAILQ_NEXT(b, available_links);
		if (b->away)
			continue; /* nobody has looked */
		TAILQ_REMOVE(&e->available, b, available_links);
		b->available = false;
	}
}

void request_answer_stopped(struct pt_engine *e, json_t *result)
{
	struct pt_request *next;
	for (struct pt_request *r = TAILQ_FIRST(&e->waiting); r; r = next) {
		next = TAILQ_NEXT(r, entry);
		if (r->verb != PT_VERB_STOP)
			continue;
		TAILQ_REMOVE(&e->waiting, r, entry);
		answer_new(r, json_copy(result));
	}
}

static void run(struct pt_request *);

void request_settle(struct pt_engine *e)
{
	if (!TAILQ_EMPTY(&e->waiting))
		settle_waiting(e);
	for (struct pt_request *r; !e->current && !cut_holds(e) && (r = TAILQ_FIRST(&e->queue));) {
		TAILQ_REMOVE(&e->queue, r, entry);
		run(r);
	}
	if (!e->current)
		revive_due(e);
	if (e->state == PT_DRAINING && !e->current && flow_is_exhausted(e))
		change_stop(e, NULL);
}

/* ---- taps ---- */

static void run_tap(struct pt_request *r)
{
	const struct graph_block *found = find_block(r);
	if (!found)
		return;
	struct pt_error err = PT_ERROR_INIT;
	int rc = tap_add(r, found, &err);
	request_answer(r, rc, NULL, &err);
	pt_error_clear(&err);
}

static void run_trace(struct pt_request *r)
{
	const bool whole = !r->block; /* a request that find_block has refused is gone */
	const struct graph_block *found = whole ? NULL : find_block(r);
	if (!whole && !found)
		return;
	struct pt_error err = PT_ERROR_INIT;
	int rc = trace_add(r, found, &err);
	request_answer(r, rc, NULL, &err);
	pt_error_clear(&err);
}

/* ---- the door ---- */

static const struct {
	void (*run)(struct pt_request *);
	bool serial; /* waits for changes, starts and stops before it */
} verbs[] = {
	[PT_VERB_CHANGE] = {run_change, true},
	[PT_VERB_START] = {change_start, true},
	[PT_VERB_STOP] = {run_stop, true},
	[PT_VERB_REOPEN] = {run_reopen, true},
	[PT_VERB_SHOW] = {run_show},
	[PT_VERB_STATS] = {run_stats},
	[PT_VERB_LOOK] = {run_look},
	[PT_VERB_DRAW] = {run_draw},
	[PT_VERB_SEND] = {hand_send},
	[PT_VERB_RECV] = {run_recv},
	[PT_VERB_GIVE_BACK] = {hand_give_back},
	[PT_VERB_CLOSE] = {hand_close},
	[PT_VERB_TRIGGER] = {hand_trigger},
	[PT_VERB_TAP] = {run_tap},
	[PT_VERB_TRACE] = {run_trace},
};

static void run(struct pt_request *r)
{
	verbs[r->verb].run(r);
}

/* Why it ends only the daemon knows. */
int request_fail_ending(const struct pt_engine *e, struct pt_error *err)
{
	return pt_fail(err, -PT_ESTATE, NULL,
	               "engine '%s' ends: it is destroyed, or the daemon stops", e->name);
}

static void refuse_ending(struct pt_request *r)
{
	struct pt_error err = PT_ERROR_INIT;
	request_answer(r, request_fail_ending(r->engine, &err), NULL, &err);
	pt_error_clear(&err);
}

static void read_request(struct pt_letter *letter)
{
	struct pt_request *r = (struct pt_request *)letter;
	struct pt_engine *e = r->engine;
	if (r->verb == PT_VERB_START)
		atomic_store(&e->stop_asked_ns, 0);
	if (e->ending)
		refuse_ending(r);
	else if (verbs[r->verb].serial)
		TAILQ_INSERT_TAIL(&e->queue, r, entry);
	else
		run(r);
}

void pt_engine_ask(struct pt_engine *e, struct pt_request *r)
{
	assert(r->verb < sizeof verbs / sizeof *verbs);
	r->engine = e;
	r->deadline = (struct pt_timer){0};
	r->letter.read = read_request;
	if (r->verb == PT_VERB_STOP && !r->wait)
		atomic_store(&e->stop_asked_ns, clock_ns());
	mailbox_post(&e->mailbox, &r->letter);
}

void pt_request_cancel(struct pt_request *r)
{
	__atomic_store_n(&r->given_up, true, __ATOMIC_RELEASE);
	if (r->engine)
		mailbox_wake(&r->engine->mailbox);
}

static void refuse_list(struct request_list *list)
{
	for (struct pt_request *r; (r = TAILQ_FIRST(list));) {
		TAILQ_REMOVE(list, r, entry);
		refuse_ending(r);
	}
}

void request_refuse_all(struct pt_engine *e)
{
	refuse_list(&e->waiting);
	refuse_list(&e->queue);
}
