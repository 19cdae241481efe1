/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl destroy, stop, list; what types and export print. */
#include "base/json.h"
#include "ctl/change.h"
#include "ctl/ctl.h"
#include "ctl/out.h"
#include "ctl/watch.h"
#include "lang/lang.h"
#include <string.h>

static int destroy_one(struct ctl *ctl, json_t *engine, json_t **result, struct pt_error *err)
{
	json_t *params = ctl_params(ctl);
	json_object_set(params, "engine", engine);
	int code = ctl_call(ctl, "engine.destroy", params, result, err);
	if (code != -PT_ENOENGINE || !ctl_flag(ctl, "if_exists"))
		return code;
	pt_error_clear(err);
	*result = json_object();
	return 0;
}

static void tell_until(const char *engine, double confirm_s)
{
	struct buf b = BUF_INIT;
	change_tell_until(&b, engine, "is there again", confirm_s);
	out_buf(&b);
}

/* One that cannot be destroyed does not keep the others. */
int verb_destroy(struct ctl *ctl)
{
	int status = EXIT_DONE;
	double confirm_s = number_of(ctl->values, "confirm");
	json_each (engine, ctl_many(ctl, "engine")) {
		struct pt_error err = PT_ERROR_INIT;
		json_t *result = NULL;
		int code = destroy_one(ctl, engine, &result, &err);
		if (!code && confirm_s > 0 && !ctl->json)
			tell_until(json_string_value(engine), confirm_s);
		int one = ctl_end(ctl, code, result, &err);
		status = status ? status : one;
	}
	return status;
}

int verb_stop(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *result = NULL, *params = ctl_params(ctl);
	double patience_s = ctl->timeout_s;
	if (ctl_flag(ctl, "wait")) {
		patience_s += ctl->patience_s;
		json_object_set_new(params, "timeout_s", json_real(ctl->timeout_s));
	}
	int code = ctl_call_within(ctl, "engine.stop", params, patience_s, &result, &err);
	bool lost = !code && ctl_tell_losses(result);
	int status = ctl_end(ctl, code, result, &err);
	return lost ? EXIT_REFUSED : status;
}

/* ---- tables ---- */

static void add_why(struct buf *b, const json_t *engine)
{
	const char *why = text_of(engine, "why");
	if (!*why)
		return;
	buf_addf(b, "%s%s: ", out_colour(OUT_RED), text_of(engine, "engine"));
	out_first_line(b, why);
	buf_addf(b, "%s\n", out_colour(OUT_PLAIN));
}

static void add_list(struct buf *b, const json_t *result)
{
	static const char *const heads[] = {"ENGINE", "STATE",    "REVISION", "BLOCKS",
	                                    "LINKS",  "MESSAGES", "KEPT",     NULL};
	static const char *const counts[] = {"revision", "blocks", "links", "messages"};
	struct table t = table_init(7, 0x3c);
	table_heads(&t, heads);
	json_each (engine, json_object_get(result, "engines")) {
		const json_t *failed = json_object_get(engine, "failed_blocks");
		table_add(&t, text_of(engine, "engine"));
		bool wrong = failed || *text_of(engine, "why");
		table_addf(&t, failed ? "%s, %lld failed%s" : "%s%.0lld%s",
		           text_of(engine, "state"), json_integer_value(failed),
		           json_object_get(engine, "unconfirmed") ? ", unconfirmed" : "");
		table_redden(&t, wrong);
		for (size_t c = 0; c < 4; c++)
			table_count(&t, json_object_get(engine, counts[c]));
		table_addf(&t, "%s%s", text_of(engine, "kept"),
		           json_is_true(json_object_get(engine, "differs")) ? ", differs" : "");
	}
	table_print(&t, b);
	json_each (engine, json_object_get(result, "engines"))
		add_why(b, engine);
	json_each (left, json_object_get(result, "destroyed"))
		buf_addf(b,
		         "%s was destroyed, and is there again in %.0f s, unless: ptctl "
		         "confirm %s\n",
		         text_of(left, "engine"), number_of(left, "left_s"),
		         text_of(left, "engine"));
}

static int look(struct ctl *ctl, void *arg, double since_s, struct buf *b, struct pt_error *err)
{
	json_t *list = NULL;
	int code = ctl_call(ctl, "engine.list", NULL, &list, err);
	if (!code && ctl->json)
		out_json(list);
	else if (!code)
		add_list(b, list);
	json_decref(list);
	return code;
}

int verb_list(struct ctl *ctl)
{
	return watch(ctl, look, NULL);
}

void print_types(struct ctl *ctl, struct buf *b, json_t *result)
{
	static const char *const heads[] = {"TYPE", "ROLE", "SUMMARY", NULL};
	struct table t = table_init(3, 0);
	table_heads(&t, heads);
	json_each (type, json_object_get(result, "types")) {
		table_add(&t, text_of(type, "name"));
		table_add(&t, text_of(type, "role"));
		table_add(&t, text_of(type, "summary"));
	}
	table_print(&t, b);
}

void print_export(struct ctl *ctl, struct buf *b, json_t *result)
{
	lang_print(b, result);
	if (!b->length && strcmp(text_of(result, "state"), "failed")) /* else it is only lost */
		buf_adds(b, LANG_EMPTY "\n");
}
