/* SPDX-License-Identifier: BSD-2-Clause */
/* What has to be done with one engine on one host, and how it does afterwards. */
#include "ctl/fleet_step.h"

#include "base/error.h"
#include "base/json.h"
#include "ctl/fleet_comment.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>

bool fleet_failed(const struct fleet_host *h)
{
	return h->err.count;
}

const char *fleet_step_word(const struct fleet_step *s)
{
	static const char *const words[] = {"destroy", "change", "create"};
	return words[s->what];
}

json_t *fleet_steps_json(const struct fleet_host *h)
{
	static const char *const fates[] = {"planned", "unconfirmed", "unknown", "confirmed",
	                                    "taken back"};
	json_t *list = json_array();
	for (size_t i = 0; i < h->count; i++) {
		const struct fleet_step *s = &h->steps[i];
		json_t *item =
			json_pack("{s:s, s:s, s:s, s:O*}", "engine", s->engine, "did",
		                  fleet_step_word(s), "state", fates[s->fate], "plan", s->plan);
		if (s->fate == FLEET_KEPT && s->what != FLEET_DESTROY)
			json_object_set_new(item, "revision", json_integer(s->made));
		json_array_append_new(list, item);
	}
	return list;
}

static int ask(struct fleet_host *h, const char *method, json_t *params, json_t **result)
{
	return fleet_ask(h, method, params, result, &h->err);
}

static const json_t *row_of(const struct fleet_host *h, const char *engine)
{
	return item_of(json_object_get(h->list, "engines"), "engine", engine);
}

/* ---- the plan ---- */

struct fleet_step *fleet_step_add(struct fleet_host *h, enum fleet_do what, const char *engine)
{
	h->steps = must_realloc(h->steps, h->count + 1, sizeof *h->steps);
	struct fleet_step *s = &h->steps[h->count++];
	*s = (struct fleet_step){.what = what, .engine = must_strdup(engine)};
	return s;
}

static void free_steps(struct fleet_host *h)
{
	for (size_t i = 0; i < h->count; i++) {
		free(h->steps[i].engine);
		json_decref(h->steps[i].plan);
	}
	free(h->steps);
	h->steps = NULL;
	h->count = 0;
}

void fleet_steps_free(struct fleet *f)
{
	for (size_t i = 0; i < f->count; i++)
		free_steps(&f->hosts[i]);
}

static json_t *graph_params(const char *engine, const char *text)
{
	return json_pack("{s:s, s:s}", "engine", engine, "text", text);
}

/* Faults of a text have the place in the file. */
static int try_text(struct fleet_host *h, const struct folder_file *f, bool there, json_t **plan)
{
	json_t *params = graph_params(f->engine, f->text), *result = NULL;
	size_t before = h->err.count;
	json_object_set_new(params, "dry_run", json_true());
	int code = ask(h, there ? "engine.apply" : "engine.create", params, &result);
	if (code && !h->missing)
		error_introduce(&h->err, before, f->name);
	if (!code)
		*plan = json_incref(json_object_get(result, "plan"));
	json_decref(result);
	return code;
}

/* What waits to be confirmed is in the way of a change, but may be looked at. */
static int check_row(const struct fleet_host *h, const struct folder_file *f, const json_t *row,
                     struct pt_error *err)
{
	if (json_object_get(row, "file"))
		return pt_fail(err, -PT_ESTATE, NULL,
		               "%s: engine '%s' is that of the host's own file '%s'", f->name,
		               f->engine, text_of(row, "file"));
	if (json_object_get(row, "unconfirmed") && h->fleet->change)
		return pt_fail(err, -PT_ESTATE, NULL,
		               "%s: revision %lld of engine '%s' waits to be confirmed", f->name,
		               integer_of(row, "revision"), f->engine);
	return 0;
}

static int plan_file(struct fleet_host *h, const struct folder_file *f)
{
	const json_t *row = row_of(h, f->engine);
	json_t *plan = NULL;
	int code = row ? check_row(h, f, row, &h->err) : 0;
	if (!code)
		code = try_text(h, f, row, &plan);
	if (!code && (!row || json_array_size(plan))) {
		struct fleet_step *s =
			fleet_step_add(h, row ? FLEET_CHANGE : FLEET_CREATE, f->engine);
		s->text = f->text;
		s->revision = integer_of(row, "revision");
		s->stopped = row && !strcmp(text_of(row, "state"), "stopped");
		s->plan = json_incref(plan);
	}
	json_decref(plan);
	return code;
}

/* Where its beginning is forgotten, it is not known who has made it. */
static bool is_of_fleet(const json_t *log)
{
	const json_t *first = json_array_get(json_object_get(log, "revisions"), 0);
	return integer_of(first, "revision") <= 1 &&
	       !strncmp(text_of(first, "comment"), FLEET_COMMENT, strlen(FLEET_COMMENT));
}

static int plan_end(struct fleet_host *h, const json_t *row)
{
	const char *engine = text_of(row, "engine");
	json_t *log = NULL;
	if (json_object_get(row, "file") || folder_find(&h->fleet->folder, engine, h->host->labels))
		return 0;
	int code = ask(h, "engine.log", json_pack("{s:s}", "engine", engine), &log);
	if (!code && is_of_fleet(log))
		fleet_step_add(h, FLEET_DESTROY, engine)->revision = integer_of(row, "revision");
	json_decref(log);
	return code;
}

static void count_now(struct fleet_host *h, struct fleet_step *s, struct gate_counts *counts);

/* What goes makes room for what is changed, and that for what is new. */
void fleet_plan(struct fleet_host *h)
{
	const struct folder *folder = &h->fleet->folder;
	int code = fleet_look(h);
	if (!code && h->fleet->prune)
		json_each (row, json_object_get(h->list, "engines"))
			code = code ? code : plan_end(h, row);
	for (int there = 1; there >= 0; there--)
		for (size_t i = 0; i < folder->count && !h->missing; i++) {
			const struct folder_file *f = &folder->files[i];
			if (folder_is_for(f, h->host->labels) && !row_of(h, f->engine) == !there)
				plan_file(h, f);
		}
	for (size_t i = 0; i < h->count && !fleet_failed(h); i++)
		if (h->steps[i].what == FLEET_CHANGE)
			count_now(h, &h->steps[i], &h->steps[i].planned);
}

/* ---- doing ---- */

static void count_now(struct fleet_host *h, struct fleet_step *s, struct gate_counts *counts)
{
	json_t *stats = NULL;
	if (!ask(h, "engine.stats", json_pack("{s:s}", "engine", s->engine), &stats))
		*counts = gate_counts_of(stats);
	json_decref(stats);
}

static void measure(struct fleet_host *h)
{
	for (size_t i = 0; i < h->count && !fleet_failed(h); i++)
		if (h->steps[i].what == FLEET_CHANGE)
			count_now(h, &h->steps[i], &h->steps[i].before);
}

static void do_step(struct fleet_host *h, struct fleet_step *s)
{
	const struct fleet_change *change = h->fleet->change;
	static const char *const methods[] = {"engine.destroy", "engine.apply", "engine.create"};
	json_t *result = NULL, *params = s->text ? graph_params(s->engine, s->text)
	                                         : json_pack("{s:s}", "engine", s->engine);
	json_object_set_new(params, "if_revision", json_integer(s->revision));
	json_object_set_new(params, "confirm_s", json_real(change->confirm_s));
	if (s->text)
		json_object_set_new(params, "comment", json_string(change->comment));
	if (s->what == FLEET_CREATE)
		json_object_set_new(params, "start", json_true());
	int code = ask(h, methods[s->what], params, &result);
	s->fate = !code ? FLEET_OPEN : h->missing ? FLEET_UNSURE : FLEET_PLANNED;
	s->made = s->what == FLEET_CHANGE ? integer_of(result, "revision") : s->revision;
	json_decref(result);
}

/* What was made has got its revision. */
static void take_made(struct fleet_host *h)
{
	if (fleet_failed(h) || fleet_look(h))
		return;
	for (size_t i = 0; i < h->count; i++) {
		struct fleet_step *s = &h->steps[i];
		if (s->what == FLEET_CREATE)
			s->made = integer_of(row_of(h, s->engine), "revision");
		if (s->what != FLEET_DESTROY && !fleet_failed(h))
			count_now(h, s, &s->after);
	}
}

void fleet_do(struct fleet_host *h)
{
	measure(h);
	for (size_t i = 0; i < h->count && !fleet_failed(h); i++)
		do_step(h, &h->steps[i]);
	take_made(h);
}

/* ---- watching ---- */

static json_t *confirm_params(const struct fleet_step *s, double extend_s)
{
	json_t *params = json_pack("{s:s, s:I}", "engine", s->engine, "revision", s->made);
	if (extend_s > 0)
		json_object_set_new(params, "extend_s", json_real(extend_s));
	return params;
}

void fleet_renew(struct fleet_host *h)
{
	double confirm_s = h->fleet->change->confirm_s;
	for (size_t i = 0; i < h->count && !fleet_failed(h); i++)
		if (h->steps[i].fate == FLEET_OPEN)
			ask(h, "engine.confirm", confirm_params(&h->steps[i], confirm_s), NULL);
}

static int check_state(struct fleet_host *h, const struct fleet_step *s)
{
	const json_t *row = row_of(h, s->engine);
	const char *state = text_of(row, "state"), *why = text_of(row, "why");
	long long failed = integer_of(row, "failed_blocks");
	if (integer_of(row, "revision") != s->made || !row)
		return pt_fail(&h->err, -PT_ECONFLICT, NULL,
		               "engine '%s' was changed, or destroyed, by somebody else",
		               s->engine);
	if (strcmp(state, "running") != 0 && !s->stopped)
		return pt_fail(&h->err, -PT_ESTATE, NULL, "engine '%s' is %s%s%s", s->engine, state,
		               *why ? ": " : "", why);
	if (failed)
		return pt_fail(&h->err, -PT_ESTATE, NULL, "engine '%s': %lld of its blocks %s",
		               s->engine, failed, failed == 1 ? "has failed" : "have failed");
	return 0;
}

static int check_stats(struct fleet_host *h, struct fleet_step *s)
{
	json_t *stats = NULL;
	int code = ask(h, "engine.stats", json_pack("{s:s}", "engine", s->engine), &stats);
	long long unexplained = integer_of(stats, "unexplained");
	if (!code)
		s->now = gate_counts_of(stats);
	json_decref(stats);
	if (unexplained)
		code = pt_fail(&h->err, -PT_ESTATE, NULL,
		               "engine '%s': what became of %lld messages is unexplained",
		               s->engine, unexplained);
	return code;
}

void fleet_watch(struct fleet_host *h)
{
	if (fleet_failed(h) || fleet_look(h))
		return;
	for (size_t i = 0; i < h->count && !fleet_failed(h); i++)
		if (h->steps[i].what != FLEET_DESTROY && !check_state(h, &h->steps[i]))
			check_stats(h, &h->steps[i]);
}

static int judge(struct fleet_host *h, struct fleet_step *s, const struct gate *gate)
{
	struct gate_counts before, now;
	struct buf why = BUF_INIT;
	gate_since(&s->planned, &s->before, &before);
	if (!gate_since(&s->after, &s->now, &now))
		return pt_fail(&h->err, -PT_ESTATE, NULL, "engine '%s' was started anew meanwhile",
		               s->engine);
	if (before.messages > 0 && now.messages <= 0)
		return pt_fail(&h->err, -PT_ESTATE, NULL,
		               "engine '%s': no message came any more, and %.0f before", s->engine,
		               before.messages);
	int code = 0;
	if (!gate_holds(gate, &before, &now, &why))
		code = pt_fail(&h->err, -PT_ESTATE, NULL, "engine '%s': %s", s->engine, why.data);
	buf_free(&why);
	return code;
}

void fleet_judge(struct fleet_host *h)
{
	fleet_watch(h);
	for (size_t i = 0; i < h->count && !fleet_failed(h); i++)
		if (h->steps[i].what != FLEET_DESTROY && !h->steps[i].stopped)
			judge(h, &h->steps[i], h->fleet->change->gate);
}

/* ---- the end ---- */

void fleet_confirm(struct fleet_host *h)
{
	for (size_t i = 0; i < h->count && !fleet_failed(h); i++) {
		struct fleet_step *s = &h->steps[i];
		if (s->fate == FLEET_OPEN && !ask(h, "engine.confirm", confirm_params(s, 0), NULL))
			s->fate = FLEET_KEPT;
	}
}

/* It is there again at once, but the daemon does that by itself. */
static int bring_back(struct fleet_host *h, const struct fleet_step *s, struct pt_error *err)
{
	enum { PAUSE_MS = 20, TRIES = 250 };
	json_t *list = NULL;
	int code = fleet_ask(h, "engine.confirm", confirm_params(s, 0.001), NULL, err);
	for (int tries = 0; !code && tries < TRIES; tries++) {
		poll(NULL, 0, PAUSE_MS);
		code = fleet_ask(h, "engine.list", NULL, &list, err);
		bool there = item_of(json_object_get(list, "engines"), "engine", s->engine);
		json_decref(list);
		list = NULL;
		if (there)
			break;
	}
	return code;
}

static int undo(struct fleet_host *h, const struct fleet_step *s, const char *comment,
                struct pt_error *err)
{
	json_t *params = json_pack("{s:s, s:I}", "engine", s->engine, "if_revision", s->made);
	if (s->what == FLEET_CREATE)
		return fleet_ask(h, "engine.destroy", params, NULL, err);
	json_object_set_new(params, "revision", json_integer(s->revision));
	json_object_set_new(params, "comment", json_string(comment));
	return fleet_ask(h, "engine.undo", params, NULL, err);
}

static void take_back(struct fleet_host *h, struct fleet_step *s)
{
	const struct fleet_change *change = h->fleet->change;
	struct pt_error err = PT_ERROR_INIT;
	int code = -PT_ESTATE;
	if (s->fate == FLEET_UNSURE)
		pt_fail(&err, code, NULL, "whether engine '%s' was changed is not known",
		        s->engine);
	else if (s->what == FLEET_DESTROY && s->fate == FLEET_KEPT)
		pt_fail(&err, code, NULL, "engine '%s' was destroyed, and cannot be brought back",
		        s->engine);
	else
		code = s->what == FLEET_DESTROY ? bring_back(h, s, &err)
		                                : undo(h, s, change->taken_back, &err);
	if (code && s->fate != FLEET_KEPT)
		pt_hint(&err, "what was changed goes back by itself within %g s",
		        change->confirm_s);
	s->fate = code ? s->fate : FLEET_BACK;
	error_move(&h->err, &err);
}

void fleet_take_back(struct fleet_host *h)
{
	for (size_t i = h->count; i-- > 0;)
		if (h->steps[i].fate != FLEET_PLANNED && h->steps[i].fate != FLEET_BACK)
			take_back(h, &h->steps[i]);
}
