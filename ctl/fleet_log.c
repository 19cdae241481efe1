/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl fleet log, undo: what was changed on all hosts, and how it is taken back. */
#include "ctl/fleet_log.h"

#include "base/json.h"
#include "base/moment.h"
#include "ctl/fleet_comment.h"
#include "ctl/out.h"
#include <stdlib.h>
#include <string.h>

/* [thread of jobs] */
static void ask_log(struct plan *p)
{
	p->ask(p, "engine.log", NULL, &fleet_host_of(p)->result, &p->err);
}

static void ask_logs(struct fleet *f)
{
	fleet_each_host(f, ask_log);
	for (size_t i = 0; i < f->count; i++)
		if (plan_failed(&f->hosts[i].plan))
			fleet_tell_refused(&f->hosts[i]);
}

/* ---- log ---- */

/* Of one host, as if each engine had its name before its own. */
static void add_log(json_t *all, const struct fleet_host *h)
{
	static const char *const members[] = {"revisions", "states"};
	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		json_each (item, json_object_get(h->result, members[i])) {
			json_t *copy = json_copy(item);
			char *name = must_printf("%s: %s", h->host->name, text_of(item, "engine"));
			json_object_set_new(copy, "engine", json_string(name));
			json_array_append_new(json_object_get(all, members[i]), copy);
			free(name);
		}
}

int fleet_log(struct fleet *f)
{
	struct buf b = BUF_INIT;
	struct ctl ctl = *f->ctl;
	json_t *all = json_pack("{s:[], s:[]}", "revisions", "states");
	ask_logs(f);
	for (size_t i = 0; i < f->count; i++) {
		struct fleet_host *h = &f->hosts[i];
		add_log(all, h);
		if (h->host->target)
			ctl.host = h->host->target; /* names of users are others there */
		if (ctl.json && h->result)
			fleet_print(h);
	}
	if (!ctl.json)
		print_log(&ctl, &b, all);
	out_buf(&b);
	json_decref(all);
	return f->status;
}

/* ---- which apply ---- */

/* Which revision's graph the engine has, where its last ones went back; NULL: none is known. */
static const json_t *graph_of(const json_t *log, const char *engine)
{
	const json_t *last = NULL;
	json_each (item, json_object_get(log, "revisions"))
		if (!strcmp(text_of(item, "engine"), engine))
			last = item;
	while (last && json_object_get(last, "undoes")) {
		long long number = integer_of(last, "undoes");
		const json_t *found = NULL;
		json_each (item, json_object_get(log, "revisions"))
			if (!strcmp(text_of(item, "engine"), engine) &&
			    integer_of(item, "revision") == number)
				found = item;
		last = found;
	}
	return last;
}

static bool is_graph(const json_t *log, const json_t *revision)
{
	return graph_of(log, text_of(revision, "engine")) == revision;
}

/* {comment: time of its last revision}: of applies that are still there, or, where one is named, of
   those that are meant. */
static void add_applies(json_t *applies, const json_t *log, const char *wanted)
{
	json_each (item, json_object_get(log, "revisions")) {
		char *comment = fleet_comment_of(text_of(item, "comment"));
		bool fits =
			comment && (wanted ? strstr(comment, wanted) != NULL : is_graph(log, item));
		int64_t ns = 0;
		if (fits && !moment_parse(text_of(item, "time"), &ns) &&
		    ns > json_integer_value(json_object_get(applies, comment)))
			json_object_set_new(applies, comment, json_integer(ns));
		free(comment);
	}
}

static const char *last_of(const json_t *applies)
{
	const char *comment, *last = NULL;
	json_t *time;
	json_int_t last_ns = 0;
	json_object_foreach (json_of(applies), comment, time)
		if (json_integer_value(time) > last_ns) {
			last_ns = json_integer_value(time);
			last = comment;
		}
	return last;
}

static int not_one(const json_t *applies, const char *wanted, struct pt_error *err)
{
	if (!json_object_size(applies))
		return pt_fail(err, -PT_ESTATE, NULL,
		               wanted ? "no host knows of an apply with '%s' in its comment"
		                      : "no host has what an apply has made",
		               wanted);
	pt_fail(err, -PT_EREQUEST, NULL, "'%s' is in the comments of %zu applies", wanted,
	        json_object_size(applies));
	pt_hint(err, "the last is '%s'", last_of(applies));
	return -PT_EREQUEST;
}

/* Yours to free; NULL with the fault. */
static char *find_apply(const struct fleet *f, const char *text, struct pt_error *err)
{
	char *whole = text ? fleet_comment_of(text) : NULL;
	const char *wanted = whole ? whole : text;
	json_t *applies = json_object();
	for (size_t i = 0; i < f->count; i++)
		add_applies(applies, f->hosts[i].result, wanted);
	bool one = wanted ? json_object_size(applies) == 1 : json_object_size(applies) > 0;
	char *found = one ? must_strdup(last_of(applies)) : NULL;
	if (!one)
		not_one(applies, wanted, err);
	json_decref(applies);
	free(whole);
	return found;
}

/* ---- undo ---- */

static const json_t *before(const json_t *log, const json_t *revision)
{
	const json_t *found = NULL;
	json_each (item, json_object_get(log, "revisions"))
		if (!strcmp(text_of(item, "engine"), text_of(revision, "engine")) &&
		    integer_of(item, "revision") < integer_of(revision, "revision"))
			found = item;
	return found;
}

static long long last_number(const json_t *log, const char *engine)
{
	long long number = 0;
	json_each (item, json_object_get(log, "revisions"))
		if (!strcmp(text_of(item, "engine"), engine))
			number = integer_of(item, "revision");
	return number;
}

static void plan_undo(struct fleet_host *h, const json_t *revision)
{
	const char *engine = text_of(revision, "engine");
	const json_t *was = before(h->result, revision);
	long long last = last_number(h->result, engine);
	if (!is_graph(h->result, revision)) {
		const json_t *now = graph_of(h->result, engine);
		bool gone_back =
			now && integer_of(now, "revision") < integer_of(revision, "revision");
		if (!gone_back)
			pt_fail(&h->plan.err, -PT_ECONFLICT, NULL,
			        "engine '%s' was changed since, to revision %lld, and stays so",
			        engine, last);
		return;
	}
	if (!was && integer_of(revision, "revision") > 1) {
		pt_fail(&h->plan.err, -PT_ESTATE, NULL,
		        "what engine '%s' was before revision %lld is not known any more", engine,
		        integer_of(revision, "revision"));
		return;
	}
	struct plan_step *s = plan_add(&h->plan, was ? PLAN_CHANGE : PLAN_CREATE, engine);
	s->fate = PLAN_KEPT;
	s->made = last;
	s->revision = integer_of(was, "revision");
}

static void plan_undos(struct fleet_host *h, const char *apply)
{
	json_each (item, json_object_get(h->result, "revisions")) {
		char *comment = fleet_comment_of(text_of(item, "comment"));
		if (comment && !strcmp(comment, apply))
			plan_undo(h, item);
		free(comment);
	}
	json_decref(h->result);
	h->result = NULL;
}

static void show_undone(struct fleet_host *h)
{
	for (size_t i = 0; i < h->plan.count; i++) {
		const struct plan_step *s = &h->plan.steps[i];
		if (s->fate != PLAN_BACK && !ctl_flag(&h->ctl, "dry_run"))
			continue;
		if (s->what == PLAN_CREATE)
			buf_addf(&h->text, "%s: destroyed\n", s->engine);
		else
			buf_addf(&h->text, "%s: back to revision %lld\n", s->engine,
			         (long long)s->revision);
	}
	h->result = json_pack("{s:o}", "engines", plan_json(&h->plan));
	if (!plan_failed(&h->plan) || !h->ctl.json)
		fleet_print(h);
	if (plan_failed(&h->plan))
		fleet_tell_refused(h);
}

static void undo(struct fleet *f, const char *apply)
{
	char *comment = fleet_comment_undo(apply);
	const struct plan_change change = {.taken_back = comment};
	fleet_set_change(f, &change);
	for (size_t i = 0; i < f->count; i++)
		if (!f->hosts[i].told)
			plan_undos(&f->hosts[i], apply);
	if (!ctl_flag(f->ctl, "dry_run"))
		fleet_each_host(f, plan_take_back);
	for (size_t i = 0; i < f->count; i++)
		if (!f->hosts[i].told)
			show_undone(&f->hosts[i]);
	fleet_set_change(f, NULL);
	free(comment);
}

int fleet_undo(struct fleet *f, const char *comment)
{
	struct pt_error err = PT_ERROR_INIT;
	ask_logs(f);
	char *apply = find_apply(f, comment, &err);
	if (apply)
		undo(f, apply);
	else
		fleet_raise(f, ctl_refused(f->ctl, &err));
	free(apply);
	return f->status;
}
