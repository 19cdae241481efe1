/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl wait: states, for scripts. */
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/near.h"
#include "ctl/follow.h"
#include "ctl/out.h"
#include <string.h>

/* No event tells that a block holds nothing any more. */
#define LOOK_S 1.0

static const char *const states[] = {"running", "stopped", "exhausted", "failed",
                                     "drained", "gone",    NULL};

/* ---- how it is ---- */

struct waiting {
	struct ctl *ctl; /* without a block: the engine as a whole */
	struct pt_client *client;
	json_t *stats; /* NULL: there is no such engine */
	bool between;  /* it is just being made or destroyed: neither there nor gone */
};

static const json_t *block_of(const struct waiting *w)
{
	return item_of(json_object_get(w->stats, "blocks"), "name", w->ctl->block);
}

static bool all_exhausted(const json_t *stats, bool empty)
{
	const json_t *links = json_object_get(stats, "links");
	json_each (block, json_object_get(stats, "blocks")) {
		const char *state = text_of(block, "state");
		bool over = !strcmp(state, "exhausted") || !strcmp(state, "failed");
		if (!over && !item_of(links, "to", text_of(block, "name")))
			return false;
		if (empty && number_of(block, "held") > 0)
			return false;
	}
	return true;
}

static bool engine_is(const struct waiting *w, const char *state)
{
	if (!strcmp(state, "failed") &&
	    item_of(json_object_get(w->stats, "blocks"), "state", "failed"))
		return true;
	if (!strcmp(state, "exhausted") || !strcmp(state, "drained"))
		return all_exhausted(w->stats, *state == 'd');
	return !strcmp(text_of(w->stats, "state"), state);
}

static bool is(const struct waiting *w, const char *state)
{
	const json_t *block = w->ctl->block ? block_of(w) : NULL;
	if (w->between)
		return false;
	if (!w->stats || (w->ctl->block && !block))
		return !strcmp(state, "gone");
	if (!w->ctl->block)
		return engine_is(w, state);
	if (!strcmp(state, "drained"))
		return number_of(block, "held") == 0;
	return !strcmp(text_of(block, "state"), state);
}

static const char *which(const struct waiting *w)
{
	json_each (state, ctl_many(w->ctl, "state"))
		if (is(w, json_string_value(state)))
			return json_string_value(state);
	return NULL;
}

static int look(struct waiting *w, struct pt_error *err)
{
	json_decref(w->stats);
	w->stats = NULL;
	json_t *shown = NULL;
	int code = ctl_call(w->ctl, "engine.stats", ctl_engine(w->ctl), &w->stats, err);
	if (!code)
		code = ctl_call(w->ctl, "engine.show", ctl_engine(w->ctl), &shown, err);
	if (shown) /* which knows of what could not be started, too */
		json_object_set(w->stats, "state", json_object_get(shown, "state"));
	json_decref(shown);
	w->between = code == -PT_ESTATE;
	if (code != -PT_ENOENGINE && !w->between)
		return code;
	json_decref(w->stats);
	w->stats = NULL;
	pt_error_clear(err);
	return 0;
}

/* ---- waiting ---- */

static int check_states(struct ctl *ctl, struct pt_error *err)
{
	json_each (state, ctl_many(ctl, "state")) {
		struct near near = near_init(json_string_value(state));
		bool known = false;
		for (const char *const *other = states; *other; other++) {
			known |= !strcmp(near.wanted, *other);
			near_try(&near, *other);
		}
		if (!known)
			return pt_fail(err, -PT_EREQUEST, "state", "'%s' is no state%s",
			               near.wanted,
			               near_say(&near, "; there are running, stopped, exhausted, "
			                               "failed, drained and gone"));
	}
	return 0;
}

static void heard(void *arg, const char *method, json_t *params)
{
}

static const char *state_of(const struct waiting *w)
{
	return text_of(w->ctl->block ? block_of(w) : w->stats, "state");
}

static int time_is_up(const struct waiting *w, double limit_s, struct pt_error *err)
{
	size_t i;
	json_t *state;
	struct buf wanted = BUF_INIT;
	json_array_foreach (ctl_many(w->ctl, "state"), i, state)
		buf_addf(&wanted, "%s%s", i ? " or " : "", json_string_value(state));
	int code = pt_fail(err, -PT_ETIMEOUT, NULL, "'%s' is not %s after %g s: it is %s",
	                   ctl_text(w->ctl, "engine[.block]"), wanted.data, limit_s,
	                   w->stats ? state_of(w) : "not there");
	buf_free(&wanted);
	return code;
}

static int wait_until(struct waiting *w, double limit_s, json_t **result, struct pt_error *err)
{
	double end_s = clock_s() + limit_s;
	const char *came = NULL;
	int code = 0;
	while (!code && !(code = look(w, err)) && !(came = which(w))) {
		double left_s = end_s - clock_s();
		if (left_s <= 0)
			return time_is_up(w, limit_s, err);
		code = follow_wait(w->client, left_s < LOOK_S ? left_s : LOOK_S, err);
	}
	if (!code)
		*result = json_pack("{s:s}", "state", came);
	return code;
}

void print_wait(struct ctl *ctl, struct buf *b, json_t *result)
{
	buf_addf(b, "%s\n", text_of(result, "state"));
}

/* It listens to all of it: what is waited for may not be there yet. */
int verb_wait(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	struct waiting w = {.ctl = ctl};
	json_t *result = NULL;
	double limit_s = ctl->timeout_s;
	ctl->timeout_s = ctl->patience_s;
	int code = check_states(ctl, &err);
	if (!code)
		code = ctl_split(ctl, !strchr(ctl_text(ctl, "engine[.block]"), '.'), &err);
	if (!code)
		code = follow_open(ctl, "events.subscribe", NULL, heard, &w, &w.client, NULL, &err);
	if (!code)
		code = wait_until(&w, limit_s, &result, &err);
	pt_client_close(w.client);
	json_decref(w.stats);
	return ctl_end(ctl, code, result, &err);
}
