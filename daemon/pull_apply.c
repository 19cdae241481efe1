/* SPDX-License-Identifier: BSD-2-Clause */
/* What `ptctl fleet apply` does with a wave, of one host, from within. */
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/moment.h"
#include "daemon/catalog.h"
#include "daemon/pull_inside.h"
#include "fleet/wave.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANSWER_S (WAVE_CONFIRM_S / 2) /* so long an answer is waited for */

struct applying {
	struct plan plan;
	struct pull *pull;
	const char *from;
	struct gate *gate;
	struct plan_change change;
};

static int ask(struct plan *plan, const char *method, json_t *params, json_t **result,
               struct pt_error *err)
{
	struct pull *p = ((struct applying *)plan)->pull;
	int code = pull_connect(p, err);
	if (!code)
		code = pt_client_call(p->client, method, params, NULL, 0, ANSWER_S, result, err);
	json_decref(params);
	plan->missing = plan_is_unanswered(code);
	if (plan->missing)
		pull_hang_up(p);
	return code;
}

static void each(void *arg, struct plan **plans, size_t count, plan_act *act)
{
	for (size_t i = 0; i < count; i++)
		act(plans[i]);
}

static void fini(struct applying *a)
{
	gate_free(a->gate);
	plan_fini(&a->plan);
}

/* No other has it: what is found with it was made now. */
static char *comment_of(const char *from, const char *hash)
{
	char when[32];
	int64_t now_ns = moment_now();
	time_t now = now_ns / MOMENT_S;
	struct tm tm;
	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now, &tm));
	return must_printf(FLEET_PULLS "%s@%.12s at %s.%06dZ", from, hash, when,
	                   (int)(now_ns % MOMENT_S / 1000));
}

/* ---- the ends ---- */

static void be_applied(struct applying *a)
{
	const char *hash = a->plan.folder->hash;
	pull_set(a->pull, json_pack("{s:s, s:n}", "applied", hash, "open"));
	if (pull_set_state(a->pull, "applied", hash, NULL))
		log_info("fleet: %s is applied: %.12s", a->from, hash);
}

/* Where it was done and watched, the folder is at fault, and is not tried again. */
static void go_back(struct applying *a, struct wave *wave, bool watched)
{
	static const struct log_about about = {.event = CATALOG_FLEET};
	struct pt_error why = PT_ERROR_INIT;
	error_move(&why, &a->plan.err);
	const char *text = pt_error_text(&why, "not confirmed"), *hash = a->plan.folder->hash;
	char *comment = must_printf("%s, taken back: %s", a->change.comment, text);
	a->change.taken_back = comment;
	wave_take_back(wave);
	for (size_t i = 0; i < a->plan.err.count; i++)
		log_error("fleet: %s: %s", a->from, a->plan.err.faults[i].message);
	if (watched && pull_set_state(a->pull, "taken back", hash, text))
		log_about(&about, LOG_LEVEL_ERROR,
		          "fleet: %s (%.12s) was taken back, and is not tried again before it "
		          "changes, or the daemon reloads: %s",
		          a->from, hash, text);
	else if (!watched)
		pull_refuse(a->pull, a->from, hash, &why);
	pull_set(a->pull, json_pack("{s:n}", "open"));
	free(comment);
	pt_error_clear(&why);
}

/* What is left open then is the next daemon's to take back, before it begins anew. */
static bool has_ended(struct applying *a)
{
	if (pull_ends(a->pull))
		pull_set_state(a->pull, "reading", NULL, NULL);
	return pull_ends(a->pull);
}

/* ---- doing ---- */

static bool run(struct applying *a, double soak_s)
{
	struct plan *plans[] = {&a->plan};
	struct wave wave = {.plans = plans,
	                    .count = 1,
	                    .piece = 1,
	                    .soak_s = soak_s,
	                    .confirm_s = WAVE_CONFIRM_S,
	                    .each = each,
	                    .rest = pull_rest,
	                    .arg = a->pull};
	wave_do(&wave);
	bool watched = !plan_failed(&a->plan);
	if (wave_soak(&wave) && wave_confirm(&wave)) {
		be_applied(a);
		return false;
	}
	if (has_ended(a))
		return false;
	go_back(a, &wave, watched);
	return !watched;
}

/* Before anything is done it is written down that it will be. */
static bool begin(struct applying *a, double soak_s, double planned_s)
{
	double before_s = soak_s < WAVE_BEFORE_S ? soak_s : WAVE_BEFORE_S;
	char *comment = comment_of(a->from, a->plan.folder->hash);
	struct pt_error err = PT_ERROR_INIT;
	a->change.comment = comment;
	log_info("fleet: %s is taken, and watched for %g s: %.12s", a->from, soak_s,
	         a->plan.folder->hash);
	pull_set_state(a->pull, "watching", a->plan.folder->hash, NULL);
	if (plan_changes_what_runs(&a->plan))
		pull_rest(a->pull, planned_s + before_s);
	int code = has_ended(a) ? 0 : pull_set(a->pull, json_pack("{s:s}", "open", comment));
	if (code) {
		pt_fail(&err, code, NULL, "what is begun cannot be kept in the state folder: %s",
		        error_words(code));
		pull_refuse(a->pull, a->from, a->plan.folder->hash, &err);
		pt_error_clear(&err);
	}
	bool again = code || (!pull_ends(a->pull) && run(a, soak_s));
	free(comment);
	return again;
}

static json_t *engines_of(const struct folder *folder, const json_t *labels)
{
	json_t *names = json_array();
	for (size_t i = 0; i < folder->count; i++)
		if (folder_is_for(&folder->files[i], labels))
			json_array_append_new(names, json_string(folder->files[i].engine));
	return names;
}

bool pull_apply(struct pull *p, const json_t *settings, const struct folder *folder, bool called)
{
	const json_t *labels = json_object_get(settings, "labels");
	json_t *status = pull_status(p);
	struct applying a = {.pull = p, .from = text_of(settings, "from")};
	bool was_back = !strcmp(text_of(status, "state"), "taken back") &&
	                !strcmp(text_of(status, "hash"), folder->hash);
	bool again = false;
	gate_read(text_of(settings, "gate"), &a.gate, NULL);
	a.change = (struct plan_change){.gate = a.gate, .confirm_s = WAVE_CONFIRM_S};
	a.plan = (struct plan){.ask = ask,
	                       .host = "this host",
	                       .labels = labels,
	                       .folder = folder,
	                       .prune = json_is_true(json_object_get(settings, "prune")),
	                       .pulls = true,
	                       .change = &a.change};
	pull_set(p, json_pack("{s:o}", "engines", engines_of(folder, labels)));
	double planned_s = clock_s();
	plan_make(&a.plan);
	if (plan_failed(&a.plan)) {
		again = !pull_ends(p);
		if (again)
			pull_refuse(p, a.from, folder->hash, &a.plan.err);
	} else if (!a.plan.count) {
		be_applied(&a);
	} else if (!was_back || called) {
		again = begin(&a, number_of(settings, "soak_s"), planned_s);
	}
	json_decref(status);
	fini(&a);
	return again;
}

/* ---- what was left open ---- */

/* The one before the last; 0: there is none, so it was made. */
static json_int_t before(const json_t *revisions)
{
	size_t count = json_array_size(revisions);
	return count > 1 ? integer_of(json_array_get(revisions, count - 2), "revision") : 0;
}

static void find_open(struct plan *plan, const char *engine, const char *comment)
{
	json_t *log = NULL;
	if (plan->ask(plan, "engine.log", json_pack("{s:s}", "engine", engine), &log, &plan->err))
		return;
	const json_t *revisions = json_object_get(log, "revisions");
	const json_t *last = json_array_get(revisions, json_array_size(revisions) - 1);
	if (!strcmp(text_of(last, "comment"), comment)) {
		json_int_t was = before(revisions);
		struct plan_step *s = plan_add(plan, was ? PLAN_CHANGE : PLAN_CREATE, engine);
		s->fate = PLAN_OPEN;
		s->made = integer_of(last, "revision");
		s->revision = was;
	}
	json_decref(log);
}

void pull_recover(struct pull *p, const char *comment)
{
	char *back =
		must_printf("%s, taken back: the daemon ended before it was confirmed", comment);
	const struct plan_change change = {.confirm_s = WAVE_CONFIRM_S, .taken_back = back};
	struct applying a = {.pull = p, .plan = {.ask = ask, .change = &change}};
	plan_look(&a.plan);
	json_each (row, json_object_get(a.plan.list, "engines"))
		find_open(&a.plan, text_of(row, "engine"), comment);
	json_each (row, json_object_get(a.plan.list, "destroyed"))
		if (!strcmp(text_of(row, "comment"), comment))
			plan_add(&a.plan, PLAN_DESTROY, text_of(row, "engine"))->fate = PLAN_OPEN;
	plan_take_back(&a.plan);
	for (size_t i = 0; i < a.plan.err.count; i++)
		log_error("fleet: %s: %s", comment, a.plan.err.faults[i].message);
	fini(&a);
	free(back);
}
