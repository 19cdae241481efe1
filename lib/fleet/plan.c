/* SPDX-License-Identifier: BSD-2-Clause */
/* What has to be done with the engines of one host, and how they do afterwards. */
#include "fleet/plan.h"

#include "base/error.h"
#include "base/json.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>

bool plan_is_unanswered(int code)
{
	return code && (code > -PT_CODES || code == -PT_ETIMEOUT);
}

bool plan_failed(const struct plan *p)
{
	return p->err.count;
}

const char *plan_word(const struct plan_step *s)
{
	static const char *const words[] = {"destroy", "change", "create"};
	return words[s->what];
}

json_t *plan_json(const struct plan *p)
{
	static const char *const fates[] = {"planned", "unconfirmed", "unknown", "confirmed",
	                                    "taken back"};
	json_t *list = json_array();
	for (size_t i = 0; i < p->count; i++) {
		const struct plan_step *s = &p->steps[i];
		json_t *item = json_pack("{s:s, s:s, s:s, s:O*}", "engine", s->engine, "did",
		                         plan_word(s), "state", fates[s->fate], "plan", s->plan);
		if (s->fate == PLAN_KEPT && s->what != PLAN_DESTROY)
			json_object_set_new(item, "revision", json_integer(s->made));
		json_array_append_new(list, item);
	}
	return list;
}

static int ask(struct plan *p, const char *method, json_t *params, json_t **result)
{
	return p->ask(p, method, params, result, &p->err);
}

static const json_t *row_of(const struct plan *p, const char *engine)
{
	return item_of(json_object_get(p->list, "engines"), "engine", engine);
}

/* ---- the plan ---- */

struct plan_step *plan_add(struct plan *p, enum plan_what what, const char *engine)
{
	p->steps = must_realloc(p->steps, p->count + 1, sizeof *p->steps);
	struct plan_step *s = &p->steps[p->count++];
	*s = (struct plan_step){.what = what, .engine = must_strdup(engine)};
	return s;
}

void plan_fini(struct plan *p)
{
	for (size_t i = 0; i < p->count; i++) {
		free(p->steps[i].engine);
		json_decref(p->steps[i].plan);
	}
	free(p->steps);
	json_decref(p->info);
	json_decref(p->list);
	pt_error_clear(&p->err);
	p->steps = NULL;
	p->info = p->list = NULL;
	p->count = 0;
}

int plan_look(struct plan *p)
{
	json_decref(p->list);
	p->list = NULL;
	int code = p->info ? 0 : ask(p, "daemon.info", NULL, &p->info);
	return code ? code : ask(p, "engine.list", NULL, &p->list);
}

static json_t *graph_params(const char *engine, const char *text)
{
	return json_pack("{s:s, s:s}", "engine", engine, "text", text);
}

/* Faults of a text have the place in the file. */
static int try_text(struct plan *p, const struct folder_file *f, bool there, json_t **plan)
{
	json_t *params = graph_params(f->engine, f->text), *result = NULL;
	size_t before = p->err.count;
	json_object_set_new(params, "dry_run", json_true());
	int code = ask(p, there ? "engine.apply" : "engine.create", params, &result);
	if (code && !p->missing)
		error_introduce(&p->err, before, f->name);
	if (!code)
		*plan = json_incref(json_object_get(result, "plan"));
	json_decref(result);
	return code;
}

/* What waits to be confirmed is in the way of a change, but may be looked at. */
static int check_row(const struct plan *p, const struct folder_file *f, const json_t *row,
                     struct pt_error *err)
{
	if (json_object_get(row, "file"))
		return pt_fail(err, -PT_ESTATE, NULL,
		               "%s: engine '%s' is that of the host's own file '%s'", f->name,
		               f->engine, text_of(row, "file"));
	if (json_object_get(row, "unconfirmed") && p->change)
		return pt_fail(err, -PT_ESTATE, NULL,
		               "%s: revision %lld of engine '%s' waits to be confirmed", f->name,
		               integer_of(row, "revision"), f->engine);
	return 0;
}

/* What the host takes from a folder of its own would be changed back by that. */
static int check_pulled(const struct plan *p, const struct folder_file *f, struct pt_error *err)
{
	const json_t *fleet = json_object_get(p->info, "fleet");
	bool pulled = false;
	json_each (engine, json_object_get(fleet, "engines"))
		pulled |= !strcmp(json_string_value(engine), f->engine);
	if (p->pulls || !pulled || !p->change)
		return 0;
	pt_fail(err, -PT_ESTATE, NULL,
	        "%s: the host itself makes engine '%s' what its folder '%s' says", f->name,
	        f->engine, text_of(fleet, "from"));
	pt_hint(err, "change it there, or leave the host out (--on)");
	return -PT_ESTATE;
}

static int plan_file(struct plan *p, const struct folder_file *f)
{
	const json_t *row = row_of(p, f->engine);
	json_t *plan = NULL;
	int code = row ? check_row(p, f, row, &p->err) : 0;
	if (!code)
		code = try_text(p, f, row, &plan);
	bool differs = !code && (!row || json_array_size(plan));
	if (differs && !(code = check_pulled(p, f, &p->err))) {
		struct plan_step *s = plan_add(p, row ? PLAN_CHANGE : PLAN_CREATE, f->engine);
		s->text = f->text;
		s->revision = integer_of(row, "revision");
		s->stopped = row && !strcmp(text_of(row, "state"), "stopped");
		s->plan = json_incref(plan);
	}
	json_decref(plan);
	return code;
}

/* Where its beginning is forgotten, it is not known who has made it. */
static bool is_own(const struct plan *p, const json_t *log)
{
	const json_t *first = json_array_get(json_object_get(log, "revisions"), 0);
	const char *comment = text_of(first, "comment");
	bool pulled = !strncmp(comment, FLEET_PULLS, strlen(FLEET_PULLS));
	return integer_of(first, "revision") <= 1 && pulled == p->pulls &&
	       !strncmp(comment, FLEET_COMMENT, strlen(FLEET_COMMENT));
}

static int plan_end(struct plan *p, const json_t *row)
{
	const char *engine = text_of(row, "engine");
	json_t *log = NULL;
	if (json_object_get(row, "file") || folder_find(p->folder, engine, p->labels))
		return 0;
	int code = ask(p, "engine.log", json_pack("{s:s}", "engine", engine), &log);
	if (!code && is_own(p, log))
		plan_add(p, PLAN_DESTROY, engine)->revision = integer_of(row, "revision");
	json_decref(log);
	return code;
}

static void count_now(struct plan *p, struct plan_step *s, struct gate_counts *counts);

/* What goes makes room for what is changed, and that for what is new. */
void plan_make(struct plan *p)
{
	const struct folder *folder = p->folder;
	int code = plan_look(p);
	if (!code && p->prune)
		json_each (row, json_object_get(p->list, "engines"))
			code = code ? code : plan_end(p, row);
	for (int there = 1; there >= 0; there--)
		for (size_t i = 0; i < folder->count && !p->missing; i++) {
			const struct folder_file *f = &folder->files[i];
			if (folder_is_for(f, p->labels) && !row_of(p, f->engine) == !there)
				plan_file(p, f);
		}
	for (size_t i = 0; i < p->count && !plan_failed(p); i++)
		if (p->steps[i].what == PLAN_CHANGE)
			count_now(p, &p->steps[i], &p->steps[i].planned);
}

/* ---- doing ---- */

static void count_now(struct plan *p, struct plan_step *s, struct gate_counts *counts)
{
	json_t *stats = NULL;
	if (!ask(p, "engine.stats", json_pack("{s:s}", "engine", s->engine), &stats))
		*counts = gate_counts_of(stats);
	json_decref(stats);
}

static void measure(struct plan *p)
{
	for (size_t i = 0; i < p->count && !plan_failed(p); i++)
		if (p->steps[i].what == PLAN_CHANGE)
			count_now(p, &p->steps[i], &p->steps[i].before);
}

static void do_step(struct plan *p, struct plan_step *s)
{
	const struct plan_change *change = p->change;
	static const char *const methods[] = {"engine.destroy", "engine.apply", "engine.create"};
	json_t *result = NULL, *params = s->text ? graph_params(s->engine, s->text)
	                                         : json_pack("{s:s}", "engine", s->engine);
	json_object_set_new(params, "if_revision", json_integer(s->revision));
	json_object_set_new(params, "confirm_s", json_real(change->confirm_s));
	json_object_set_new(params, "comment", json_string(change->comment));
	if (s->what == PLAN_CREATE)
		json_object_set_new(params, "start", json_true());
	int code = ask(p, methods[s->what], params, &result);
	s->fate = !code ? PLAN_OPEN : p->missing ? PLAN_UNSURE : PLAN_PLANNED;
	s->made = s->what == PLAN_CHANGE ? integer_of(result, "revision") : s->revision;
	json_decref(result);
}

/* What was made has got its revision. */
static void take_made(struct plan *p)
{
	if (plan_failed(p) || plan_look(p))
		return;
	for (size_t i = 0; i < p->count; i++) {
		struct plan_step *s = &p->steps[i];
		if (s->what == PLAN_CREATE)
			s->made = integer_of(row_of(p, s->engine), "revision");
		if (s->what != PLAN_DESTROY && !plan_failed(p))
			count_now(p, s, &s->after);
	}
}

void plan_do(struct plan *p)
{
	measure(p);
	for (size_t i = 0; i < p->count && !plan_failed(p); i++)
		do_step(p, &p->steps[i]);
	take_made(p);
}

/* ---- watching ---- */

static json_t *confirm_params(const struct plan_step *s, double extend_s)
{
	json_t *params = json_pack("{s:s}", "engine", s->engine);
	if (s->made)
		json_object_set_new(params, "revision", json_integer(s->made));
	if (extend_s > 0)
		json_object_set_new(params, "extend_s", json_real(extend_s));
	return params;
}

void plan_renew(struct plan *p)
{
	double confirm_s = p->change->confirm_s;
	for (size_t i = 0; i < p->count && !plan_failed(p); i++)
		if (p->steps[i].fate == PLAN_OPEN)
			ask(p, "engine.confirm", confirm_params(&p->steps[i], confirm_s), NULL);
}

static int check_state(struct plan *p, const struct plan_step *s)
{
	const json_t *row = row_of(p, s->engine);
	const char *state = text_of(row, "state"), *why = text_of(row, "why");
	long long failed = integer_of(row, "failed_blocks");
	if (integer_of(row, "revision") != s->made || !row)
		return pt_fail(&p->err, -PT_ECONFLICT, NULL,
		               "engine '%s' was changed, or destroyed, by somebody else",
		               s->engine);
	if (strcmp(state, "running") != 0 && !s->stopped)
		return pt_fail(&p->err, -PT_ESTATE, NULL, "engine '%s' is %s%s%s", s->engine, state,
		               *why ? ": " : "", why);
	if (failed)
		return pt_fail(&p->err, -PT_ESTATE, NULL, "engine '%s': %lld of its blocks %s",
		               s->engine, failed, failed == 1 ? "has failed" : "have failed");
	return 0;
}

static int check_stats(struct plan *p, struct plan_step *s)
{
	json_t *stats = NULL;
	int code = ask(p, "engine.stats", json_pack("{s:s}", "engine", s->engine), &stats);
	long long unexplained = integer_of(stats, "unexplained");
	if (!code)
		s->now = gate_counts_of(stats);
	json_decref(stats);
	if (unexplained)
		code = pt_fail(&p->err, -PT_ESTATE, NULL,
		               "engine '%s': what became of %lld messages is unexplained",
		               s->engine, unexplained);
	return code;
}

void plan_watch(struct plan *p)
{
	if (plan_failed(p) || plan_look(p))
		return;
	for (size_t i = 0; i < p->count && !plan_failed(p); i++)
		if (p->steps[i].what != PLAN_DESTROY && !check_state(p, &p->steps[i]))
			check_stats(p, &p->steps[i]);
}

static int judge(struct plan *p, struct plan_step *s, const struct gate *gate)
{
	struct gate_counts before, now;
	struct buf why = BUF_INIT;
	gate_since(&s->planned, &s->before, &before);
	if (!gate_since(&s->after, &s->now, &now))
		return pt_fail(&p->err, -PT_ESTATE, NULL, "engine '%s' was started anew meanwhile",
		               s->engine);
	if (!gate_flows(&before, &now))
		return pt_fail(&p->err, -PT_ESTATE, NULL,
		               "engine '%s': no message came any more, and %.0f before", s->engine,
		               before.messages);
	int code = 0;
	if (!gate_holds(gate, &before, &now, &why))
		code = pt_fail(&p->err, -PT_ESTATE, NULL, "engine '%s': %s", s->engine, why.data);
	buf_free(&why);
	return code;
}

void plan_judge(struct plan *p)
{
	plan_watch(p);
	for (size_t i = 0; i < p->count && !plan_failed(p); i++)
		if (p->steps[i].what != PLAN_DESTROY && !p->steps[i].stopped)
			judge(p, &p->steps[i], p->change->gate);
}

/* ---- the end ---- */

void plan_confirm(struct plan *p)
{
	for (size_t i = 0; i < p->count && !plan_failed(p); i++) {
		struct plan_step *s = &p->steps[i];
		if (s->fate == PLAN_OPEN && !ask(p, "engine.confirm", confirm_params(s, 0), NULL))
			s->fate = PLAN_KEPT;
	}
}

/* It is there again at once, but the daemon does that by itself. */
static int bring_back(struct plan *p, const struct plan_step *s, struct pt_error *err)
{
	enum { PAUSE_MS = 20, TRIES = 250 };
	json_t *list = NULL;
	int code = p->ask(p, "engine.confirm", confirm_params(s, 0.001), NULL, err);
	for (int tries = 0; !code && tries < TRIES; tries++) {
		poll(NULL, 0, PAUSE_MS);
		code = p->ask(p, "engine.list", NULL, &list, err);
		bool there = item_of(json_object_get(list, "engines"), "engine", s->engine);
		json_decref(list);
		list = NULL;
		if (there)
			break;
	}
	return code;
}

static int undo(struct plan *p, const struct plan_step *s, const char *comment,
                struct pt_error *err)
{
	json_t *params = json_pack("{s:s, s:I}", "engine", s->engine, "if_revision", s->made);
	json_object_set_new(params, "comment", json_string(comment));
	if (s->what == PLAN_CREATE)
		return p->ask(p, "engine.destroy", params, NULL, err);
	json_object_set_new(params, "revision", json_integer(s->revision));
	return p->ask(p, "engine.undo", params, NULL, err);
}

static void take_back(struct plan *p, struct plan_step *s)
{
	const struct plan_change *change = p->change;
	struct pt_error err = PT_ERROR_INIT;
	int code = -PT_ESTATE;
	if (s->fate == PLAN_UNSURE)
		pt_fail(&err, code, NULL, "whether engine '%s' was changed is not known",
		        s->engine);
	else if (s->what == PLAN_DESTROY && s->fate == PLAN_KEPT)
		pt_fail(&err, code, NULL, "engine '%s' was destroyed, and cannot be brought back",
		        s->engine);
	else
		code = s->what == PLAN_DESTROY ? bring_back(p, s, &err)
		                               : undo(p, s, change->taken_back, &err);
	if (code && s->fate != PLAN_KEPT)
		pt_hint(&err, "what was changed goes back by itself within %g s",
		        change->confirm_s);
	s->fate = code ? s->fate : PLAN_BACK;
	error_move(&p->err, &err);
}

void plan_take_back(struct plan *p)
{
	for (size_t i = p->count; i-- > 0;)
		if (p->steps[i].fate != PLAN_PLANNED && p->steps[i].fate != PLAN_BACK)
			take_back(p, &p->steps[i]);
}

bool plan_changes_what_runs(const struct plan *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->steps[i].what == PLAN_CHANGE && !p->steps[i].stopped)
			return true;
	return false;
}
