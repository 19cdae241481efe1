/* SPDX-License-Identifier: BSD-2-Clause */
/* What may be asked of an engine: one function a verb, and those who wait. */
#include "engine/request.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/near.h"
#include "engine/change.h"
#include "engine/carry.h"
#include "engine/deliver.h"
#include "engine/dot.h"
#include "engine/engine.h"
#include "engine/hand.h"
#include "engine/ledger.h"
#include "engine/revive.h"
#include "engine/tap.h"
#include "msg/json.h"
#include "msg/pool.h"
#include "type/param.h"
#include "type/type.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct verb {
	const char *name;
	bool serial; /* waits for changes, starts and stops before it */
	void (*run)(struct request *);
};

/* ---- answers ---- */

void request_answer(struct request *r, int code, json_t *result, struct pt_error *err)
{
	if (!r) {
		json_decref(result);
		return;
	}
	struct pt_error none = PT_ERROR_INIT;
	timers_stop(&r->engine->timers, &r->deadline);
	if (r->done)
		r->done(r->arg, code,
		        code     ? NULL
		        : result ? result
		                 : json_object(),
		        err ? err : &none);
	if (code || !r->done)
		json_decref(result);
	json_decref(r->params);
	for (int i = 0; i < r->fd_count; i++)
		close(r->fds[i]);
	free(r->fds);
	free(r);
}

void request_refuse(struct request *r, int code, const char *path, const char *fmt, ...)
{
	struct pt_error err = PT_ERROR_INIT;
	va_list args;
	va_start(args, fmt);
	error_vfail(&err, code, path, fmt, args);
	va_end(args);
	request_answer(r, code, NULL, &err);
	pt_error_clear(&err);
}

static void answer_new(struct request *r, json_t *result)
{
	assert(result);
	request_answer(r, 0, result, NULL);
}

/* ---- the block a request is about ---- */

static void queue(struct request *r)
{
	struct pt_engine *e = r->engine;
	r->next = NULL;
	*e->queue_last = r;
	e->queue_last = &r->next;
}

static void no_block(struct request *r, const char *name)
{
	struct near near = near_init(name);
	for (unsigned i = 0; i < r->engine->graph->count; i++)
		near_try(&near, r->engine->graph->blocks[i]->name);
	request_refuse(r, -PT_ENOBLOCK, "block", "no block '%s' in engine '%s'%s", name,
	               r->engine->name, near_say(&near, ""));
}

struct pt_block *request_block(struct request *r)
{
	const char *name = json_string_value(json_object_get(r->params, "block"));
	const struct graph_block *found = name ? graph_find(r->engine->graph, name) : NULL;
	if (!found) {
		no_block(r, name ? name : "");
		return NULL;
	}
	if (found->alive->away) {
		queue(r);
		return NULL;
	}
	return found->alive;
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

static void run_show(struct request *r)
{
	struct pt_engine *e = r->engine;
	json_t *result = graph_to_json(e->graph);
	for (unsigned i = 0; i < e->graph->count; i++) {
		struct pt_block *b = e->graph->blocks[i]->alive;
		json_t *row = json_array_get(json_object_get(result, "blocks"), i);
		json_object_set_new(row, "state", json_string(block_state_word(b)));
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
	answer_new(r, result);
}

static void run_stats(struct request *r)
{
	json_t *result = ledger_to_json(r->engine);
	json_object_set_new(result, "engine", json_string(r->engine->name));
	json_object_set_new(result, "state", json_string(engine_state_word(r->engine)));
	answer_new(r, result);
}

static void run_graph(struct request *r)
{
	struct buf dot = BUF_INIT;
	dot_print(&dot, r->engine, json_is_true(json_object_get(r->params, "stats")));
	answer_new(r, json_pack("{s:s%}", "dot", dot.data, dot.length));
	buf_free(&dot);
}

/* ---- files that have lost their names ---- */

static void run_reopen(struct request *r)
{
	for (unsigned i = 0; i < r->engine->graph->count; i++)
		block_reopen(r->engine->graph->blocks[i]->alive);
	request_answer(r, 0, NULL, NULL);
}

/* ---- change, start, stop ---- */

static void change_if(struct request *r, bool anew)
{
	const struct pt_engine *e = r->engine;
	const json_t *revision = json_object_get(r->params, "if_revision");
	if (json_is_integer(revision) && (uint64_t)json_integer_value(revision) != e->revision)
		request_refuse(r, -PT_ECONFLICT, "if_revision",
		               "engine '%s' is at revision %llu, not %lld: look at it again",
		               e->name, (unsigned long long)e->revision,
		               json_integer_value(revision));
	else
		change_graph(r, anew);
}

static void run_change(struct request *r)
{
	change_if(r, false);
}

static void run_apply(struct request *r)
{
	change_if(r, true);
}

/* ---- those who wait ---- */

static void give_up(struct request *r)
{
	request_refuse(r, -ECANCELED, NULL, "given up");
}

static void wait_until(struct request *r, double seconds)
{
	struct pt_engine *e = r->engine;
	if (r->given_up) {
		give_up(r);
		return;
	}
	r->next = e->waiting;
	e->waiting = r;
	if (seconds >= 0 && seconds < 1e9)
		timers_set(&e->timers, &r->deadline, engine_now(e) + (uint64_t)(seconds * 1e9));
}

static double seconds_of(const struct request *r, const char *member, double otherwise)
{
	const json_t *given = json_object_get(r->params, member);
	double seconds;
	return given && param_seconds_from_json(given, &seconds) == 0 ? seconds : otherwise;
}

static void run_stop(struct request *r)
{
	struct pt_engine *e = r->engine;
	if (!json_is_true(json_object_get(r->params, "wait")) || e->state == PT_STOPPED) {
		change_stop(e, r);
		return;
	}
	if (e->state == PT_RUNNING)
		engine_set_state(e, PT_DRAINING);
	wait_until(r, seconds_of(r, "timeout_s", -1));
}

/* {messages} of what there is, up to max; NULL if there is nothing and `late` is not yet. */
static json_t *receive(const struct request *r, struct pt_block *b, bool late)
{
	json_t *messages = json_array();
	const json_t *given = json_object_get(r->params, "max");
	json_int_t max = given ? json_integer_value(given) : 1;
	enum pt_canal canal;
	for (struct pt_msg *m;
	     (json_int_t)json_array_size(messages) < max && (m = b->type->take(b, &canal));) {
		json_array_append_new(messages, msg_to_json(m, canal));
		pt_done(b, m);
	}
	if (json_array_size(messages) || late)
		return json_pack("{s:o}", "messages", messages);
	json_decref(messages);
	return NULL;
}

static void run_recv(struct request *r)
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
	if (json_is_true(json_object_get(r->params, "hold")) && !b->type->give_back) {
		request_refuse(r, -PT_ESTATE, "hold", "'%s' is a %s, which takes nothing back",
		               b->name, b->type->name);
		return;
	}
	if (r->given_up) { /* nobody would hear of what is taken */
		give_up(r);
		return;
	}
	double timeout_s = seconds_of(r, "timeout_s", 0);
	json_t *result = receive(r, b, timeout_s <= 0);
	if (result)
		answer_new(r, result);
	else
		wait_until(r, timeout_s);
}

static void waiting_remove(struct pt_engine *e, struct request *r)
{
	struct request **at = &e->waiting;
	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
}

static bool is_stop(const struct request *r)
{
	return r->verb->run == run_stop;
}

static void settle_stop(struct request *r, bool late)
{
	if (!late)
		return;
	waiting_remove(r->engine, r);
	request_refuse(r, -PT_ETIMEOUT, "timeout_s",
	               "engine '%s' still drains: some source is not exhausted", r->engine->name);
}

static void settle_receiver(struct request *r, bool late)
{
	struct pt_engine *e = r->engine;
	const char *name = json_string_value(json_object_get(r->params, "block"));
	const struct graph_block *found = graph_find(e->graph, name);
	if (!found || !found->alive->type->take) {
		waiting_remove(e, r);
		no_block(r, name);
		return;
	}
	if (found->alive->away || (!found->alive->available && !late))
		return;
	json_t *result = receive(r, found->alive, late);
	if (result) {
		waiting_remove(e, r);
		answer_new(r, result);
	}
}

static void settle_waiting(struct pt_engine *e)
{
	/* The oldest is at the end: it is served first. */
	unsigned count = 0;
	for (struct request *r = e->waiting; r; r = r->next)
		count++;
	struct request **all = must_calloc(count, sizeof(struct request *));
	unsigned i = count;
	for (struct request *r = e->waiting; r; r = r->next)
		all[--i] = r;
	for (i = 0; i < count; i++) {
		bool late = all[i]->deadline.place == 0 && all[i]->deadline.due_ns;
		if (is_stop(all[i]))
			settle_stop(all[i], late);
		else
			settle_receiver(all[i], late);
	}
	free(all);
	for (struct pt_block *b = TAILQ_FIRST(&e->available), *next; b; b = next) {
		next = TAILQ_NEXT(b, available_links);
		if (b->away)
			continue; /* nobody has looked */
		TAILQ_REMOVE(&e->available, b, available_links);
		b->available = false;
	}
}

void request_answer_stopped(struct pt_engine *e, const json_t *result)
{
	struct request *next;
	for (struct request *r = e->waiting; r; r = next) {
		next = r->next;
		if (!is_stop(r))
			continue;
		waiting_remove(e, r);
		answer_new(r, json_deep_copy(result));
	}
}

void request_settle(struct pt_engine *e)
{
	if (e->waiting)
		settle_waiting(e);
	while (e->queue && !e->current) {
		struct request *r = e->queue;
		e->queue = r->next;
		if (!e->queue)
			e->queue_last = &e->queue;
		r->verb->run(r);
	}
	if (!e->current)
		revive_due(e);
	if (e->state == PT_DRAINING && !e->current && flow_is_exhausted(e))
		change_stop(e, NULL);
}

/* ---- taps ---- */

static void run_tap(struct request *r)
{
	const char *name = json_string_value(json_object_get(r->params, "block"));
	const struct graph_block *found = name ? graph_find(r->engine->graph, name) : NULL;
	if (!found) {
		no_block(r, name ? name : "");
		return;
	}
	struct pt_error err = PT_ERROR_INIT;
	int rc = tap_add(r->engine, found, r->params, &r->tap, &err);
	request_answer(r, rc, NULL, &err);
	pt_error_clear(&err);
}

/* ---- the door ---- */

static const struct verb verbs[] = {
	{"apply", true, run_apply},
	{"change", true, run_change},
	{"start", true, change_start},
	{"stop", true, run_stop},
	{"show", false, run_show},
	{"stats", false, run_stats},
	{"graph", false, run_graph},
	{"send", false, hand_send},
	{"recv", false, run_recv},
	{"close", false, hand_close},
	{"give_back", false, hand_give_back},
	{"trigger", false, hand_trigger},
	{"reopen", true, run_reopen},
};
static const struct verb tap_verb = {"tap", false, run_tap};

/* Why it ends only the daemon knows. */
int request_fail_ending(const struct pt_engine *e, struct pt_error *err)
{
	return pt_fail(err, -PT_ESTATE, NULL,
	               "engine '%s' ends: it is destroyed, or the daemon stops", e->name);
}

static void refuse_ending(struct request *r)
{
	struct pt_error err = PT_ERROR_INIT;
	request_answer(r, request_fail_ending(r->engine, &err), NULL, &err);
	pt_error_clear(&err);
}

static void read_request(struct pt_letter *letter)
{
	struct request *r = (struct request *)letter;
	struct pt_engine *e = r->engine;
	if (!r->verb)
		request_refuse(r, -PT_EMETHOD, NULL, "an engine knows no such verb");
	else if (e->ending)
		refuse_ending(r);
	else if (r->verb->serial)
		queue(r);
	else
		r->verb->run(r);
}

static struct request *request_new(struct pt_engine *e, json_t *params, pt_engine_done *done,
                                   void *arg)
{
	struct request *r = must_calloc(1, sizeof *r);
	r->letter.read = read_request;
	r->engine = e;
	r->params = params ? json_deep_copy(params)
	                   : json_object(); /* counts are not for two threads */
	r->done = done;
	r->arg = arg;
	return r;
}

void pt_engine_ask(struct pt_engine *e, const char *verb, json_t *params, const int *fds,
                   int fd_count, pt_engine_done *done, void *arg)
{
	struct request *r = request_new(e, params, done, arg);
	r->fd_count = fd_count;
	r->fds = must_calloc((size_t)fd_count, sizeof *fds);
	if (fd_count)
		memcpy(r->fds, fds, (size_t)fd_count * sizeof *fds);
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (!strcmp(verbs[i].name, verb))
			r->verb = &verbs[i];
	mailbox_post(&e->mailbox, &r->letter);
}

void pt_engine_tap(struct pt_engine *e, json_t *params, const struct pt_tap_hooks *hooks,
                   pt_engine_done *done, void *arg)
{
	struct request *r = request_new(e, params, done, arg);
	r->verb = &tap_verb;
	r->tap = *hooks;
	mailbox_post(&e->mailbox, &r->letter);
}

/* NULL: it is not in the list. */
static struct request *find(struct request *list, const void *arg)
{
	while (list && !(list->arg == arg && list->done))
		list = list->next;
	return list;
}

/* What is in the queue is still carried out, but does not wait then. */
static void read_cancel(struct pt_letter *letter)
{
	struct request *cancel = (struct request *)letter;
	struct pt_engine *e = cancel->engine;
	struct request *waits = find(e->waiting, cancel->arg);
	struct request *queued = find(e->queue, cancel->arg);
	if (waits) {
		waiting_remove(e, waits);
		give_up(waits);
	}
	if (queued)
		queued->given_up = true;
	free(cancel);
}

void pt_engine_cancel(struct pt_engine *e, void *arg)
{
	struct request *cancel = must_calloc(1, sizeof *cancel);
	cancel->letter.read = read_cancel;
	cancel->engine = e;
	cancel->arg = arg;
	mailbox_post(&e->mailbox, &cancel->letter);
}

void request_refuse_all(struct pt_engine *e)
{
	while (e->waiting) {
		struct request *r = e->waiting;
		e->waiting = r->next;
		refuse_ending(r);
	}
	while (e->queue) {
		struct request *r = e->queue;
		e->queue = r->next;
		refuse_ending(r);
	}
	e->queue_last = &e->queue;
}
