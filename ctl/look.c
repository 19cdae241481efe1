/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/look.h"

#include "base/error.h"
#include "base/json.h"
#include "ctl/out.h"
#include <string.h>

#define LEAST_S 0.1 /* is given to each, however many have not answered before it */

static int ask(struct ctl *ctl, const json_t *listed, double *left_s, json_t *all,
               struct pt_error *err)
{
	double within_s = *left_s > LEAST_S ? *left_s : LEAST_S;
	json_t *stats = NULL, *row = json_copy(json_of(listed));
	const char *engine = text_of(listed, "engine");
	int code = ctl_call_within(ctl, "engine.stats", json_pack("{s:s}", "engine", engine),
	                           within_s, &stats, err);
	json_object_del(row, "blocks"); /* numbers, in the list */
	json_object_del(row, "links");
	if (!code)
		json_object_update_missing(row, stats);
	if (code == -PT_ETIMEOUT) {
		json_object_set_new(row, "state", json_string(LOOK_NO_ANSWER));
		*left_s -= within_s;
		ctl_hang_up(ctl);
	}
	if (code != -PT_ENOENGINE) /* it has gone meanwhile */
		json_object_set(all, engine, row);
	json_decref(row);
	json_decref(stats);
	if (code > -PT_EPARSE) /* no answer of the daemon's */
		return code;
	pt_error_clear(err);
	return 0;
}

int look_ask(struct ctl *ctl, const char *engine, double patience_s, json_t *all,
             struct pt_error *err)
{
	json_t *list = NULL;
	int code = ctl_call(ctl, "engine.list", NULL, &list, err);
	json_each (row, json_object_get(list, "engines"))
		if (!code && (!engine || !strcmp(engine, text_of(row, "engine"))))
			code = ask(ctl, row, &patience_s, all, err);
	json_decref(list);
	if (!code && engine && !json_object_size(all))
		return pt_fail(err, -PT_ENOENGINE, NULL, "no engine '%s'", engine);
	return code;
}

bool look_is_failed(const json_t *block_or_engine)
{
	return !strcmp(text_of(block_or_engine, "state"), "failed");
}

void look_losses(struct buf *b, const json_t *block)
{
	const char *why, *between = "";
	json_t *n;
	json_object_foreach (json_object_get(block, "dropped"), why, n) {
		buf_adds(b, between);
		out_count(b, json_number_value(n));
		buf_addf(b, " %s", why);
		between = ", ";
	}
}

void look_trouble(struct buf *b, const json_t *block)
{
	const char *error = text_of(block, "last_error");
	bool failed = look_is_failed(block), bad = failed || number_of(block, "errors") > 0;
	bool loses = json_object_size(json_object_get(block, "dropped"));
	if (!bad && !loses)
		return;
	buf_addf(b, "%s%s", text_of(block, "name"), failed ? " has failed" : "");
	if (loses)
		buf_adds(b, failed ? ", dropped " : " dropped ");
	look_losses(b, block);
	if (!bad || !*error)
		return;
	buf_adds(b, ": ");
	out_first_line(b, error);
}

/* "s waits for q, r" of the first source that does. */
static void add_waiting(struct buf *b, const json_t *blocks)
{
	json_each (source, blocks) {
		const char *between = " waits for ";
		json_each (full, json_object_get(source, "waits_for")) {
			buf_addf(b, "%s%s%s", b->length ? "" : text_of(source, "name"), between,
			         json_string_value(full));
			between = ", ";
		}
		if (b->length)
			return;
	}
}

static bool are_over(const json_t *blocks)
{
	json_each (source, blocks) {
		const char *state = text_of(source, "state");
		if (json_object_get(source, "waits_for") && strcmp(state, "exhausted") != 0 &&
		    strcmp(state, "failed") != 0)
			return false;
	}
	return true;
}

void look_silence(struct buf *b, const char *name, const json_t *engine, const char *block)
{
	const char *state = text_of(engine, "state"), *why = text_of(engine, "why");
	const json_t *blocks = json_object_get(engine, "blocks");
	const json_t *tapped = item_of(blocks, "name", block ? block : "");
	if (strcmp(state, "running") != 0) {
		buf_addf(b, "engine '%s' is %s%s", name, state, *why ? ": " : "");
		out_first_line(b, why);
	} else if (tapped && look_is_failed(tapped)) {
		buf_addf(b, "%s has failed: ", block);
		out_first_line(b, text_of(tapped, "last_error"));
	} else if (are_over(blocks)) {
		buf_adds(b, "all sources are exhausted");
	} else {
		add_waiting(b, blocks);
	}
}
