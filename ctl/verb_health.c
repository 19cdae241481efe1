/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl health: what does not run as it should, for scripts and probes. */
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "ctl/look.h"
#include "ctl/out.h"
#include <string.h>

/* What took nothing for so long, while somebody waited for it, is stuck. */
#define STUCK_S 0.5

static void add(json_t *list, const char *engine, const char *block, const char *what,
                const char *why)
{
	struct buf line = BUF_INIT;
	out_first_line(&line, why);
	json_t *item = json_pack("{s:s, s:s}", "engine", engine, "message", what);
	if (*block)
		json_object_set_new(item, "block", json_string(block));
	if (line.length)
		json_object_set_new(item, "why", json_string(line.data));
	json_array_append_new(list, item);
	buf_free(&line);
}

/* ---- faults ---- */

static void add_faults(json_t *faults, const char *name, const json_t *engine)
{
	const char *why = text_of(engine, "why");
	if (!strcmp(text_of(engine, "state"), LOOK_NO_ANSWER))
		add(faults, name, "", "does not answer", "");
	else if (look_is_failed(engine))
		add(faults, name, "", "should run, and does not", why);
	else if (json_is_true(json_object_get(engine, "differs")))
		add(faults, name, "", "is not as its file says", why);
	json_each (block, json_object_get(engine, "blocks"))
		if (look_is_failed(block))
			add(faults, name, text_of(block, "name"), "has failed",
			    text_of(block, "last_error"));
}

/* ---- warnings ---- */

static void add_losses(json_t *warnings, const char *engine, const json_t *block)
{
	double errors = number_of(block, "errors");
	bool loses = json_object_size(json_object_get(block, "dropped"));
	struct buf words = BUF_INIT;
	buf_adds(&words, loses ? "dropped " : "has errors: ");
	look_losses(&words, block);
	if (!loses)
		out_count(&words, errors);
	if (loses || errors > 0)
		add(warnings, engine, text_of(block, "name"), words.data,
		    errors > 0 ? text_of(block, "last_error") : "");
	buf_free(&words);
}

static const json_t *block_of(const json_t *engine, const char *name)
{
	return item_of(json_object_get(engine, "blocks"), "name", name);
}

static double took_of(const json_t *engine, const char *block)
{
	return number_of(block_of(engine, block), "in");
}

/* A source waited, and waits, for a block that took nothing between two looks. */
static void add_stuck(json_t *warnings, const char *name, const json_t *before, const json_t *now)
{
	json_each (source, json_object_get(now, "blocks")) {
		const char *waits = text_of(source, "name");
		const json_t *waited = json_object_get(block_of(before, waits), "waits_for");
		json_each (full, json_object_get(source, "waits_for")) {
			const char *block = json_string_value(full);
			if (!json_has(waited, full) ||
			    took_of(before, block) != took_of(now, block))
				continue;
			struct buf words = BUF_INIT;
			buf_addf(&words, "takes nothing, and %s waits for it", waits);
			add(warnings, name, block, words.data, "");
			buf_free(&words);
		}
	}
}

static bool has_waiting(const json_t *engine)
{
	json_each (block, json_object_get(engine, "blocks"))
		if (json_array_size(json_object_get(block, "waits_for")))
			return true;
	return false;
}

/* Looks once more where somebody waits, which alone is no fault. */
static int add_warnings(struct ctl *ctl, json_t *engines, json_t *warnings, struct pt_error *err)
{
	const char *name;
	json_t *engine, *later = json_object();
	bool waits = false;
	int code = 0;
	json_object_foreach (engines, name, engine) {
		json_each (block, json_object_get(engine, "blocks"))
			if (!look_is_failed(block))
				add_losses(warnings, name, block);
		waits |= has_waiting(engine);
	}
	if (waits) {
		clock_rest(STUCK_S);
		code = look_ask(ctl, ctl->engine, ctl->timeout_s, later, err);
	}
	json_object_foreach (later, name, engine)
		add_stuck(warnings, name, json_object_get(engines, name), engine);
	json_decref(later);
	return code;
}

/* ---- the verb ---- */

static void print(struct buf *b, const char *before, const json_t *list)
{
	json_each (item, list) {
		const char *block = text_of(item, "block"), *why = text_of(item, "why");
		buf_addf(b, "%s%s%s%s %s%s%s\n", before, text_of(item, "engine"), *block ? "." : "",
		         block, text_of(item, "message"), *why ? ": " : "", why);
	}
}

void print_health(struct ctl *ctl, struct buf *b, json_t *result)
{
	print(b, "", json_object_get(result, "faults"));
	print(b, "warning: ", json_object_get(result, "warnings"));
}

int verb_health(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *engines = json_object(), *faults = json_array(), *warnings = json_array();
	const char *name;
	json_t *engine;
	int code = look_ask(ctl, ctl->engine, ctl->timeout_s, engines, &err);
	json_object_foreach (engines, name, engine)
		add_faults(faults, name, engine);
	if (!code)
		code = add_warnings(ctl, engines, warnings, &err);
	bool ill =
		json_array_size(faults) || (ctl_flag(ctl, "strict") && json_array_size(warnings));
	json_t *result = json_pack("{s:o, s:o}", "faults", faults, "warnings", warnings);
	json_decref(engines);
	int status = ctl_end(ctl, code, result, &err);
	return !code && ill ? EXIT_REFUSED : status;
}
