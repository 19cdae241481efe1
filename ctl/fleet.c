/* SPDX-License-Identifier: BSD-2-Clause */
/* The hosts of an inventory, asked side by side. */
#include "ctl/fleet.h"

#include "base/error.h"
#include "base/fds.h"
#include "base/json.h"
#include "ctl/out.h"
#include "ctl/remote.h"
#include "fleet/label.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- asking ---- */

struct fleet_host *fleet_host_of(struct plan *plan)
{
	return (struct fleet_host *)((char *)plan - offsetof(struct fleet_host, plan));
}

static void hang_up(struct plan *plan)
{
	struct fleet_host *h = fleet_host_of(plan);
	ctl_hang_up(&h->ctl);
	remote_end(h->ctl.remote);
	h->ctl.remote = NULL;
}

/* [thread of jobs] Where there was no answer, the next call connects anew. */
static int ask(struct plan *plan, const char *method, json_t *params, json_t **result,
               struct pt_error *err)
{
	int code = ctl_call(&fleet_host_of(plan)->ctl, method, params, result, err);
	plan->missing = plan_is_unanswered(code);
	if (plan->missing)
		hang_up(plan);
	return code;
}

/* ---- which hosts ---- */

static int read_wanted(const struct ctl *ctl, json_t **wanted, struct pt_error *err)
{
	json_each (text, ctl_many(ctl, "on"))
		if (!label_want(wanted, json_string_value(text)))
			return pt_fail(
				err, -PT_EREQUEST, "on",
				"'--on' names no label; it takes some as role=edge,site=north");
	return 0;
}

static void add_host(struct fleet *f, const struct host *host)
{
	struct fleet_host *h = &f->hosts[f->count++];
	*h = (struct fleet_host){.fleet = f, .host = host, .ctl = *f->ctl};
	h->plan = (struct plan){.ask = ask,
	                        .host = host->name,
	                        .labels = host->labels,
	                        .folder = &f->folder,
	                        .prune = ctl_flag(f->ctl, "prune")};
	h->ctl.host = host->target;
	h->ctl.socket = host->socket ? host->socket : f->ctl->socket;
	h->ctl.named = host->name;
	h->ctl.login_s = f->ctl->timeout_s;
}

static int no_hosts(const struct fleet *f, struct pt_error *err)
{
	if (f->inventory.count)
		return pt_fail(err, -PT_EREQUEST, "on",
		               "no host of the inventory has the labels of '--on'; "
		               "'ptctl fleet list' shows all");
	pt_fail(err, -PT_EREQUEST, "inventory", "there is no inventory, or no host in it");
	pt_hint(err, "-i FILE, $PIPETOOL_HOSTS, ~/.config/pipetool/hosts or /etc/pipetool/hosts "
	             "has lines of NAME [USER@]HOST LABEL=VALUE");
	return -PT_EREQUEST;
}

static int take_hosts(struct fleet *f, struct pt_error *err)
{
	json_t *wanted = NULL;
	int rc = hosts_read(ctl_text(f->ctl, "inventory"), &f->inventory, err);
	if (!rc)
		rc = read_wanted(f->ctl, &wanted, err);
	f->hosts = must_calloc(f->inventory.count + 1, sizeof *f->hosts);
	for (size_t i = 0; !rc && i < f->inventory.count; i++)
		if (label_fits(f->inventory.all[i].labels, wanted))
			add_host(f, &f->inventory.all[i]);
	json_decref(wanted);
	return rc || f->count ? rc : no_hosts(f, err);
}

static int take_folder(struct fleet *f, const char *path, struct pt_error *err)
{
	if (!path)
		return 0;
	f->path = realpath(path, NULL);
	int rc = folder_read(path, &f->folder, err);
	for (size_t i = 0; !rc && i < f->count; i++)
		rc = folder_check(&f->folder, f->hosts[i].host->name, f->hosts[i].host->labels,
		                  err);
	return rc;
}

int fleet_init(struct fleet *f, struct ctl *ctl, const char *path, struct pt_error *err)
{
	*f = (struct fleet){.ctl = ctl};
	const json_t *given = json_object_get(ctl->values, "jobs");
	size_t jobs = given ? (size_t)json_integer_value(given) : CTL_JOBS;
	int rc = take_hosts(f, err);
	if (!rc)
		rc = take_folder(f, path, err);
	fds_raise_limit(); /* each host takes a descriptor, or some */
	if (!rc)
		rc = jobs_new((unsigned)(jobs < f->count ? jobs : f->count), &f->jobs, err);
	return rc;
}

void fleet_fini(struct fleet *f)
{
	if (f->jobs)
		fleet_each_host(f, hang_up);
	jobs_free(f->jobs);
	for (size_t i = 0; i < f->count; i++) {
		struct fleet_host *h = &f->hosts[i];
		plan_fini(&h->plan);
		json_decref(h->result);
		buf_free(&h->text);
	}
	free(f->hosts);
	free(f->path);
	folder_free(&f->folder);
	hosts_free(&f->inventory);
}

/* ---- side by side ---- */

static void act(void *arg, void *plan)
{
	plan_act *const *run = arg;
	(*run)(plan);
}

void fleet_each(struct fleet *f, struct plan **plans, size_t count, plan_act *run)
{
	if (count)
		jobs_each(f->jobs, act, &run, (void **)plans, count);
}

void fleet_each_host(struct fleet *f, plan_act *run)
{
	struct plan **all = must_calloc(f->count + 1, sizeof *all);
	for (size_t i = 0; i < f->count; i++)
		all[i] = &f->hosts[i].plan;
	fleet_each(f, all, f->count, run);
	free(all);
}

void fleet_set_change(struct fleet *f, const struct plan_change *change)
{
	for (size_t i = 0; i < f->count; i++)
		f->hosts[i].plan.change = change;
}

/* ---- telling ---- */

void fleet_raise(struct fleet *f, int status)
{
	f->status = status > f->status ? status : f->status;
}

void fleet_tell_refused(struct fleet_host *h)
{
	h->told = true;
	out_set_host(h->host->name);
	int status = ctl_refused(&h->ctl, &h->plan.err);
	fleet_raise(h->fleet, h->plan.missing ? EXIT_NO_DAEMON : status);
	out_set_host(NULL);
}

static void print_lines(struct buf *b, const char *name, const char *text)
{
	for (size_t length; *text; text += length + (text[length] == '\n')) {
		length = strcspn(text, "\n");
		buf_addf(b, "%s: %.*s\n", name, (int)length, text);
	}
}

void fleet_print(struct fleet_host *h)
{
	struct buf lines = BUF_INIT;
	if (h->fleet->ctl->json) {
		out_set_host(h->host->name);
		out_json(h->result);
		out_set_host(NULL);
	} else if (h->text.length) {
		print_lines(&lines, h->host->name, h->text.data);
		out_buf(&lines);
	}
	buf_clear(&h->text);
}
