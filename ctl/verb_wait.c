/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl wait, ptctl health: states, for scripts. */
#include "base/buf.h"
#include "base/error.h"
#include "ctl/ctl.h"
#include "ctl/out.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int wait_for(struct ctl *);
static int health(struct ctl *);

/* No event tells that a block holds nothing any more. */
#define LOOK_S 1.0

static const char *const states[] = {"running", "stopped", "exhausted", "failed",
                                     "drained", "gone",    NULL};

static const struct pt_param wait_rows[] = {
	{.name = "engine[.block]",
         .doc = "What is waited for.",
         .kind = PT_KIND_STRING,
         .flags = PT_REQUIRED},
	{.name = "state",
         .doc = "One of running, stopped, exhausted, failed, drained, gone; of several, any.",
         .kind = PT_KIND_STRING,
         .flags = PT_REQUIRED | PT_MANY},
	{.name = "timeout",
         .doc = "For how long; then the exit status is 4.",
         .kind = PT_KIND_SECONDS,
         .flags = PT_OPTION,
         .fallback = "10"},
	{NULL},
};

const struct verb verb_wait = {
	.name = "wait",
	.summary = "wait until an engine or a block is in a state",
	.help = "Prints the state that came. An engine has failed if it could not be started, or "
		"if "
		"a block has; it is exhausted when every block that nothing leads to is, and "
		"drained "
		"when moreover no block holds a message. 'gone' is what is not there.\n"
		"\n"
		"  ptctl wait lab running\n"
		"  ptctl wait p stopped failed --timeout 60",
	.params = wait_rows,
	.run = wait_for,
};

static const struct pt_param health_rows[] = {
	{.name = "engine", .doc = "Its name; without it, every engine.", .kind = PT_KIND_STRING},
	{NULL},
};

const struct verb verb_health = {
	.name = "health",
	.summary = "tell what does not run as it should",
	.help = "Prints a line for each fault: an engine that should run and does not, one that is "
		"not as its file says, a block that has failed. The exit status is 1 if there is "
		"any, else 0.",
	.params = health_rows,
	.run = health,
};

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

static double clock_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static json_t *engine_params(const char *engine)
{
	json_t *params = json_object();
	json_object_set_new(params, "engine", json_string(engine));
	return params;
}

/* ---- how it is ---- */

struct waiting {
	struct ctl *ctl;
	char *engine, *block; /* block: NULL, the engine as a whole */
	struct pt_client *client;
	json_t *stats; /* NULL: there is no such engine */
};

static const json_t *find_block(const json_t *stats, const char *name)
{
	size_t i;
	json_t *block;
	json_array_foreach (json_object_get(stats, "blocks"), i, block)
		if (!strcmp(text_of(block, "name"), name))
			return block;
	return NULL;
}

static bool is_led_to(const json_t *stats, const char *name)
{
	size_t i;
	json_t *link;
	json_array_foreach (json_object_get(stats, "links"), i, link)
		if (!strcmp(text_of(link, "to"), name))
			return true;
	return false;
}

static bool any_failed(const json_t *stats)
{
	size_t i;
	json_t *block;
	json_array_foreach (json_object_get(stats, "blocks"), i, block)
		if (!strcmp(text_of(block, "state"), "failed"))
			return true;
	return false;
}

static bool all_exhausted(const json_t *stats, bool empty)
{
	size_t i;
	json_t *block;
	json_array_foreach (json_object_get(stats, "blocks"), i, block) {
		const char *state = text_of(block, "state"), *name = text_of(block, "name");
		bool over = !strcmp(state, "exhausted") || !strcmp(state, "failed");
		if (!over && !is_led_to(stats, name))
			return false;
		if (empty && json_number_value(json_object_get(block, "held")) > 0)
			return false;
	}
	return true;
}

static bool engine_is(const struct waiting *w, const char *state)
{
	if (!strcmp(state, "failed") && any_failed(w->stats))
		return true;
	if (!strcmp(state, "exhausted") || !strcmp(state, "drained"))
		return all_exhausted(w->stats, *state == 'd');
	return !strcmp(text_of(w->stats, "state"), state);
}

static bool is(const struct waiting *w, const char *state)
{
	const json_t *block = w->block ? find_block(w->stats, w->block) : NULL;
	if (!w->stats || (w->block && !block))
		return !strcmp(state, "gone");
	if (!w->block)
		return engine_is(w, state);
	if (!strcmp(state, "drained"))
		return json_number_value(json_object_get(block, "held")) == 0;
	return !strcmp(text_of(block, "state"), state);
}

static const char *which(const struct waiting *w)
{
	size_t i;
	json_t *state;
	json_array_foreach (ctl_many(w->ctl, "state"), i, state)
		if (is(w, json_string_value(state)))
			return json_string_value(state);
	return NULL;
}

static int look(struct waiting *w, struct pt_error *err)
{
	json_decref(w->stats);
	w->stats = NULL;
	json_t *shown = NULL;
	int code = ctl_call(w->ctl, "engine.stats", engine_params(w->engine), &w->stats, err);
	if (!code)
		code = ctl_call(w->ctl, "engine.show", engine_params(w->engine), &shown, err);
	if (shown) /* which knows of what could not be started, too */
		json_object_set(w->stats, "state", json_object_get(shown, "state"));
	json_decref(shown);
	if (code != -PT_ENOENGINE)
		return code;
	json_decref(w->stats);
	w->stats = NULL;
	pt_error_clear(err);
	return 0;
}

/* ---- waiting ---- */

static int check_states(struct ctl *ctl, struct pt_error *err)
{
	size_t i, k;
	json_t *state;
	json_array_foreach (ctl_many(ctl, "state"), i, state) {
		for (k = 0; states[k]; k++)
			if (!strcmp(states[k], json_string_value(state)))
				break;
		if (!states[k])
			return pt_fail(err, -PT_EREQUEST, "state",
			               "'%s' is no state; there are running, stopped, exhausted, "
			               "failed, drained and gone",
			               json_string_value(state));
	}
	return 0;
}

static void heard(void *arg, const char *method, json_t *params)
{
}

/* To all of it: what is waited for may not be there yet. */
static int subscribe(struct waiting *w, struct pt_error *err)
{
	int code = ctl_open(w->ctl, &w->client, err);
	if (code)
		return code;
	pt_client_on_notification(w->client, heard, w);
	return pt_client_call(w->client, "events.subscribe", NULL, NULL, 0, CTL_TIMEOUT_S, NULL,
	                      err);
}

static int lost(int code, struct pt_error *err)
{
	if (code == -EPIPE)
		return pt_fail(err, code, NULL, "the daemon has closed the connection");
	return pt_fail(err, code, NULL, "the connection to the daemon failed: %s",
	               error_words(code));
}

static int wait_until(struct waiting *w, double limit_s, struct pt_error *err)
{
	double end_s = clock_s() + limit_s;
	const char *came = NULL;
	int code = 0;
	while (!code && !(code = look(w, err)) && !(came = which(w))) {
		double left_s = end_s - clock_s();
		if (left_s <= 0)
			return pt_fail(err, -PT_ETIMEOUT, NULL,
			               "'%s%s%s' is not so after %g s: it is %s", w->engine,
			               w->block ? "." : "", w->block ? w->block : "", limit_s,
			               !w->stats ? "not there"
			                         : text_of(w->block ? find_block(w->stats, w->block)
			                                            : w->stats,
			                                   "state"));
		int rc = pt_client_wait(w->client, left_s < LOOK_S ? left_s : LOOK_S);
		code = rc < 0 ? lost(rc, err) : 0;
	}
	if (came && w->ctl->json) {
		json_t *result = json_pack("{s:s}", "state", came);
		out_json(result);
		json_decref(result);
	} else if (came) {
		out_print(came, strlen(came));
		out_print("\n", 1);
	}
	return code;
}

static int split(struct waiting *w, struct pt_error *err)
{
	const char *target = ctl_text(w->ctl, "engine[.block]");
	if (strchr(target, '.'))
		return ctl_split(target, &w->engine, &w->block, err);
	w->engine = must_strdup(target);
	return 0;
}

static int wait_for(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	struct waiting w = {.ctl = ctl};
	double limit_s = ctl->timeout_s;
	ctl->timeout_s = CTL_TIMEOUT_S;
	int code = check_states(ctl, &err);
	if (!code)
		code = split(&w, &err);
	if (!code)
		code = subscribe(&w, &err);
	if (!code)
		code = wait_until(&w, limit_s, &err);
	pt_client_close(w.client);
	json_decref(w.stats);
	free(w.engine);
	free(w.block);
	return code ? ctl_refused(ctl, &err) : EXIT_DONE;
}

/* ---- health ---- */

static void add_fault(json_t *faults, const char *engine, const char *block, const char *what,
                      const char *why)
{
	struct buf line = BUF_INIT;
	out_first_line(&line, why);
	json_t *fault = json_pack("{s:s, s:s}", "engine", engine, "message", what);
	if (*block)
		json_object_set_new(fault, "block", json_string(block));
	if (line.length)
		json_object_set_new(fault, "why", json_string(line.data));
	json_array_append_new(faults, fault);
	buf_free(&line);
}

static int check_blocks(struct ctl *ctl, const char *engine, json_t *faults, struct pt_error *err)
{
	size_t i;
	json_t *stats, *block;
	int code = ctl_call(ctl, "engine.stats", engine_params(engine), &stats, err);
	if (code == -PT_ENOENGINE) { /* gone meanwhile */
		pt_error_clear(err);
		return 0;
	}
	if (code)
		return code;
	json_array_foreach (json_object_get(stats, "blocks"), i, block)
		if (!strcmp(text_of(block, "state"), "failed"))
			add_fault(faults, engine, text_of(block, "name"), "has failed",
			          text_of(block, "last_error"));
	json_decref(stats);
	return 0;
}

static int check_engine(struct ctl *ctl, const json_t *row, json_t *faults, struct pt_error *err)
{
	const char *engine = text_of(row, "engine"), *state = text_of(row, "state");
	if (!strcmp(state, "failed"))
		add_fault(faults, engine, "", "should run, and does not", text_of(row, "why"));
	else if (json_is_true(json_object_get(row, "differs")))
		add_fault(faults, engine, "", "is not as its file says", text_of(row, "why"));
	return check_blocks(ctl, engine, faults, err);
}

static void show_faults(const struct ctl *ctl, json_t *faults)
{
	struct buf b = BUF_INIT;
	size_t i;
	json_t *fault;
	if (ctl->json) {
		json_t *result = json_pack("{s:O}", "faults", faults);
		out_json(result);
		json_decref(result);
		return;
	}
	json_array_foreach (faults, i, fault) {
		const char *block = text_of(fault, "block"), *why = text_of(fault, "why");
		buf_addf(&b, "%s%s%s %s%s%s\n", text_of(fault, "engine"), *block ? "." : "", block,
		         text_of(fault, "message"), *why ? ": " : "", why);
	}
	out_buf(&b);
}

static int health(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	const char *wanted = ctl_text(ctl, "engine");
	json_t *list = NULL, *row, *faults = json_array();
	bool found = !wanted;
	size_t i;
	int code = ctl_call(ctl, "engine.list", NULL, &list, &err);
	json_array_foreach (json_object_get(list, "engines"), i, row) {
		if (code || (wanted && strcmp(wanted, text_of(row, "engine")) != 0))
			continue;
		found = true;
		code = check_engine(ctl, row, faults, &err);
	}
	if (!code && !found)
		code = pt_fail(&err, -PT_ENOENGINE, NULL, "no engine '%s'", wanted);
	bool ill = json_array_size(faults);
	if (!code)
		show_faults(ctl, faults);
	json_decref(list);
	json_decref(faults);
	return code ? ctl_refused(ctl, &err) : ill ? EXIT_REFUSED : EXIT_DONE;
}
