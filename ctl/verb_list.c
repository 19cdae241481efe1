/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl list, ptctl types. */
#include "ctl/ctl.h"
#include "ctl/out.h"

static int list(struct ctl *);
static int types(struct ctl *);

const struct verb verb_list = {
	.name = "list",
	.summary = "list the engines with their states",
	.help = "STATE: 'failed' should run and could not be started: 'ptctl show' tells why, and "
		"it "
		"is tried again. KEPT: whether it is there again after a restart of the daemon; "
		"'file' is one of engines.d, 'file, differs' one that is not as its file has it.",
	.run = list,
};

const struct verb verb_types = {
	.name = "types",
	.summary = "list the block types",
	.help = "'ptctl help TYPE' tells all about one.",
	.run = types,
};

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static void show_engines(const json_t *engines)
{
	enum { COLUMNS = 7 };
	static const char *const counts[] = {"revision", "blocks", "links", "messages"};
	struct table t = table_init(COLUMNS, 0x3c);
	struct buf b = BUF_INIT;
	size_t i;
	json_t *engine;
	static const char *const heads[] = {"ENGINE", "STATE",    "REVISION", "BLOCKS",
	                                    "LINKS",  "MESSAGES", "KEPT"};
	for (size_t h = 0; h < COLUMNS; h++)
		table_add(&t, heads[h]);
	json_array_foreach (engines, i, engine) {
		table_add(&t, text_of(engine, "engine"));
		const json_t *failed = json_object_get(engine, "failed_blocks");
		table_addf(&t, failed ? "%s, %lld failed%s" : "%s%.0lld%s",
		           text_of(engine, "state"), json_integer_value(failed),
		           json_object_get(engine, "unconfirmed") ? ", unconfirmed" : "");
		for (size_t c = 0; c < 4; c++)
			table_count(&t, json_object_get(engine, counts[c]));
		table_addf(&t, "%s%s", text_of(engine, "kept"),
		           json_is_true(json_object_get(engine, "differs")) ? ", differs" : "");
	}
	table_print(&t, &b);
	out_buf(&b);
}

static int list(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *result;
	if (ctl_call(ctl, "engine.list", NULL, &result, &err))
		return ctl_refused(ctl, &err);
	if (ctl->json)
		out_json(result);
	else
		show_engines(json_object_get(result, "engines"));
	json_decref(result);
	return EXIT_DONE;
}

static void show_types(const json_t *list)
{
	struct table t = table_init(3, 0);
	struct buf b = BUF_INIT;
	size_t i;
	json_t *type;
	table_add(&t, "TYPE");
	table_add(&t, "ROLE");
	table_add(&t, "SUMMARY");
	json_array_foreach (list, i, type) {
		table_add(&t, text_of(type, "name"));
		table_add(&t, text_of(type, "role"));
		table_add(&t, text_of(type, "summary"));
	}
	table_print(&t, &b);
	out_buf(&b);
}

static int types(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *result;
	if (ctl_call(ctl, "type.list", NULL, &result, &err))
		return ctl_refused(ctl, &err);
	if (ctl->json)
		out_json(result);
	else
		show_types(json_object_get(result, "types"));
	json_decref(result);
	return EXIT_DONE;
}
