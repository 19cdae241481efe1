/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl fleet list, status, diff: what hosts there are, how they do, and what differs. */
#include "ctl/fleet_show.h"

#include "base/error.h"
#include "base/json.h"
#include "base/sip.h"
#include "ctl/change.h"
#include "ctl/out.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- list ---- */

static json_t *files_for(const struct fleet *f, const struct fleet_host *h)
{
	json_t *names = json_array();
	for (size_t i = 0; i < f->folder.count; i++)
		if (folder_is_for(&f->folder.files[i], h->host->labels))
			json_array_append_new(names, json_string(f->folder.files[i].engine));
	return names;
}

static char *joined(const json_t *names)
{
	struct buf b = BUF_INIT;
	json_each (name, names)
		buf_addf(&b, "%s%s", b.length ? " " : "", json_string_value(name));
	return buf_steal(&b);
}

static char *labels_text(const json_t *labels)
{
	struct buf b = BUF_INIT;
	const char *name;
	json_t *value;
	json_object_foreach (json_of(labels), name, value)
		buf_addf(&b, "%s%s%s%s", b.length ? " " : "", name,
		         *json_string_value(value) ? "=" : "", json_string_value(value));
	return buf_steal(&b);
}

static char *way_of(const struct host *host)
{
	return host->target ? must_strdup(host->target) : must_printf("unix:%s", host->socket);
}

static void add_host(const struct fleet *f, struct fleet_host *h, struct table *t)
{
	json_t *engines = files_for(f, h);
	char *names = joined(engines), *labels = labels_text(h->host->labels),
	     *way = way_of(h->host);
	h->result = json_pack("{s:s, s:O}", "at", way, "labels", h->host->labels);
	if (f->path)
		json_object_set(h->result, "engines", engines);
	table_add(t, h->host->name);
	table_add(t, way);
	table_add(t, labels);
	if (f->path)
		table_add(t, names);
	json_decref(engines);
	free(names);
	free(labels);
	free(way);
}

static void print_table(const struct fleet *f, struct table *t)
{
	struct buf b = BUF_INIT;
	table_print(t, &b);
	if (f->ctl->json)
		buf_free(&b);
	else
		out_buf(&b);
}

int fleet_list(struct fleet *f)
{
	static const char *const heads[] = {"HOST", "AT", "LABELS", NULL};
	struct table t = table_init(f->path ? 4 : 3, 0);
	t.wide = true;
	table_heads(&t, heads);
	if (f->path)
		table_add(&t, "ENGINES");
	for (size_t i = 0; i < f->count; i++) {
		add_host(f, &f->hosts[i], &t);
		if (f->ctl->json)
			fleet_print(&f->hosts[i]);
	}
	print_table(f, &t);
	return f->status;
}

/* ---- status ---- */

static void set_hash(json_t *item, const json_t *shown)
{
	const uint64_t key[2] = {0, 0};
	char hash[17];
	json_t *blocks = json_array();
	json_each (block, json_object_get(shown, "blocks"))
		json_array_append_new(blocks, json_pack("{s:O*, s:O*, s:O*}", "name",
		                                        json_object_get(block, "name"), "type",
		                                        json_object_get(block, "type"), "params",
		                                        json_object_get(block, "params")));
	json_t *graph = json_pack("{s:o, s:O*}", "blocks", blocks, "links",
	                          json_object_get(shown, "links"));
	char *text = json_dumps(graph, JSON_COMPACT | JSON_SORT_KEYS);
	snprintf(hash, sizeof hash, "%016" PRIx64, sip_hash(key, text, strlen(text)));
	json_object_set_new(item, "hash", json_string(hash));
	json_decref(graph);
	free(text);
}

static void set_last(json_t *item, const json_t *log)
{
	const json_t *all = json_object_get(log, "revisions");
	json_t *last = json_array_get(all, json_array_size(all) - (json_array_size(all) > 0));
	json_t *about = last ? json_copy(last) : NULL;
	json_object_del(about, "ops");
	json_object_del(about, "was");
	if (about)
		json_object_set_new(item, "last", about);
}

static const struct plan_step *step_of(const struct fleet_host *h, const char *engine)
{
	for (size_t i = 0; i < h->plan.count; i++)
		if (!strcmp(h->plan.steps[i].engine, engine))
			return &h->plan.steps[i];
	return NULL;
}

/* "no", "yes", "extra": fleet made it, and it is not in the folder; "unknown": something of the
   folder was refused; NULL: it is none of fleet's. */
static const char *differs(const struct fleet_host *h, const char *engine, bool planned)
{
	const struct plan_step *s = step_of(h, engine);
	if (s)
		return s->what == PLAN_DESTROY ? "extra" : "yes";
	if (!folder_find(&h->fleet->folder, engine, h->host->labels))
		return NULL;
	return planned ? "no" : "unknown";
}

static json_t *status_of(struct fleet_host *h, const json_t *row, bool planned)
{
	static const char *const methods[] = {"engine.show", "engine.stats", "engine.log"};
	enum { SHOW, STATS, LOG, METHODS };
	const char *engine = text_of(row, "engine"), *differing = differs(h, engine, planned);
	json_t *answers[METHODS] = {NULL};
	json_t *item = json_pack("{s:s, s:s, s:I}", "engine", engine, "state",
	                         text_of(row, "state"), "revision", integer_of(row, "revision"));
	if (json_object_get(row, "unconfirmed"))
		json_object_set_new(item, "unconfirmed", json_true());
	for (size_t i = 0; i < METHODS && !h->plan.missing; i++)
		h->plan.ask(&h->plan, methods[i], json_pack("{s:s}", "engine", engine), &answers[i],
		            &h->plan.err);
	if (answers[SHOW])
		set_hash(item, answers[SHOW]);
	if (answers[STATS])
		json_object_set(
			item, "lost",
			json_object_get(json_object_get(answers[STATS], "total"), "dropped"));
	set_last(item, answers[LOG]);
	if (h->fleet->path && differing)
		json_object_set_new(item, "differs", json_string(differing));
	for (size_t i = 0; i < METHODS; i++)
		json_decref(answers[i]);
	return item;
}

/* [thread of jobs] */
static void look_at(struct plan *plan)
{
	struct fleet_host *h = fleet_host_of(plan);
	json_t *engines = json_array();
	if (h->fleet->path)
		plan_make(plan);
	else
		plan_look(plan);
	bool planned = !plan_failed(&h->plan);
	json_each (row, json_object_get(h->plan.list, "engines"))
		json_array_append_new(engines, status_of(h, row, planned));
	for (size_t i = 0; i < h->plan.count; i++)
		if (h->plan.steps[i].what == PLAN_CREATE)
			json_array_append_new(engines, json_pack("{s:s, s:s}", "engine",
			                                         h->plan.steps[i].engine, "differs",
			                                         "missing"));
	h->result = json_pack("{s:s, s:o, s:O*}", "version", text_of(h->plan.info, "version"),
	                      "engines", engines, "pull", json_object_get(h->plan.info, "fleet"));
}

static void add_time(struct table *t, const json_t *last)
{
	struct buf b = BUF_INIT;
	if (last) {
		out_time(&b, text_of(last, "time"));
		if (json_is_integer(json_object_get(last, "uid")))
			buf_addf(&b, " by uid %lld", integer_of(last, "uid"));
		else
			buf_adds(&b, " by the daemon");
		if (*text_of(last, "comment"))
			buf_addf(&b, ": %s", text_of(last, "comment"));
	}
	table_take(t, &b);
}

static void add_engine(const struct fleet_host *h, const json_t *item, struct table *t)
{
	const json_t *revision = json_object_get(item, "revision");
	const char *state = text_of(item, "state"), *hash = text_of(item, "hash");
	const char *differing = text_of(item, "differs");
	table_add(t, h->host->name);
	table_add(t, text_of(h->result, "version"));
	table_add(t, text_of(item, "engine"));
	table_addf(t, "%s%s", state, json_object_get(item, "unconfirmed") ? ", unconfirmed" : "");
	table_redden(t, !strcmp(state, "failed"));
	table_count(t, revision);
	table_addf(t, "%.8s", hash);
	if (h->fleet->path) {
		table_add(t, differing);
		table_redden(t, *differing && strcmp(differing, "no"));
	}
	table_count(t, json_object_get(item, "lost"));
	table_redden(t, number_of(item, "lost") > 0);
	add_time(t, json_object_get(item, "last"));
}

/* It is what the folder says that it applies by itself, if there is one. */
static bool is_as_pulled(const struct fleet_host *h)
{
	const json_t *pull = json_object_get(h->plan.info, "fleet");
	return !pull || !strcmp(text_of(pull, "state"), "applied");
}

static void add_pull(const struct fleet_host *h, struct buf *b)
{
	const json_t *pull = json_object_get(h->plan.info, "fleet");
	const char *hash = text_of(pull, "hash"), *why = text_of(pull, "why");
	if (!pull)
		return;
	buf_addf(b, "%s: applies ", h->host->name);
	out_clean(b, text_of(pull, "from"));
	buf_addf(b, " by itself: %s%s%s", out_colour(is_as_pulled(h) ? OUT_GREEN : OUT_RED),
	         text_of(pull, "state"), out_colour(OUT_PLAIN));
	if (*hash)
		buf_addf(b, ", %.8s", hash);
	if (*hash && h->fleet->path && strcmp(hash, h->fleet->folder.hash))
		buf_addf(b, ", and not what lies in DIR, %.8s", h->fleet->folder.hash);
	buf_adds(b, *why ? ": " : "");
	out_clean(b, why);
	buf_addc(b, '\n');
}

static void print_pulls(const struct fleet *f)
{
	struct buf b = BUF_INIT;
	for (size_t i = 0; i < f->count && !f->ctl->json; i++)
		add_pull(&f->hosts[i], &b);
	out_buf(&b);
}

static void add_status(struct fleet_host *h, struct table *t)
{
	if (plan_failed(&h->plan))
		fleet_tell_refused(h);
	if (h->plan.missing)
		return;
	if (h->fleet->ctl->json && !h->told)
		fleet_print(h);
	json_each (item, json_object_get(h->result, "engines"))
		add_engine(h, item, t);
}

/* Drift is a status of its own, where nothing worse is. */
static int checked(struct fleet *f)
{
	bool differs = false;
	for (size_t i = 0; i < f->count; i++)
		differs |= f->hosts[i].plan.count > 0 || !is_as_pulled(&f->hosts[i]);
	if (differs && !f->status && ctl_flag(f->ctl, "check"))
		fleet_raise(f, EXIT_DIFFERS);
	return f->status;
}

int fleet_status(struct fleet *f)
{
	static const char *const heads[] = {"HOST",  "VERSION", "ENGINE", "STATE",      "REVISION",
	                                    "GRAPH", "DIFFERS", "LOST",   "LAST CHANGE"};
	enum { HEADS = sizeof heads / sizeof *heads, DIFFERS = 6 };
	struct table t = table_init(f->path ? HEADS : HEADS - 1, f->path ? 0x90 : 0x50);
	for (size_t i = 0; i < HEADS; i++)
		if (f->path || i != DIFFERS)
			table_add(&t, heads[i]);
	fleet_each_host(f, look_at);
	for (size_t i = 0; i < f->count; i++)
		add_status(&f->hosts[i], &t);
	print_table(f, &t);
	print_pulls(f);
	return checked(f);
}

/* ---- diff ---- */

void fleet_show_plan(struct fleet_host *h)
{
	for (size_t i = 0; i < h->plan.count; i++) {
		const struct plan_step *s = &h->plan.steps[i];
		buf_addf(&h->text, "%s: %s\n", s->engine, plan_word(s));
		change_show_ops(&h->text, s->plan, NULL, "    ");
	}
	h->result = json_pack("{s:o}", "engines", plan_json(&h->plan));
	fleet_print(h);
}

int fleet_diff(struct fleet *f)
{
	fleet_each_host(f, plan_make);
	for (size_t i = 0; i < f->count; i++)
		if (plan_failed(&f->hosts[i].plan))
			fleet_tell_refused(&f->hosts[i]);
		else
			fleet_show_plan(&f->hosts[i]);
	return checked(f);
}
