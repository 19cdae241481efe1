/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl export. */
#include "ctl/ctl.h"
#include "ctl/out.h"
#include "lang/lang.h"

static int export(struct ctl *);

static const struct pt_param rows[] = {
	{.name = "engine", .doc = "Its name.", .kind = PT_KIND_STRING, .flags = PT_REQUIRED},
	{NULL},
};

const struct verb verb_export = {
	.name = "export",
	.summary = "print an engine's graph in the pipe language",
	.help = "What it prints makes the same graph again: 'ptctl create q -f FILE'.",
	.params = rows,
	.run = export,
};

static int export(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *shown, *params = json_object();
	json_object_set_new(params, "engine", json_string(ctl_text(ctl, "engine")));
	if (ctl_call(ctl, "engine.show", params, &shown, &err))
		return ctl_refused(ctl, &err);
	if (ctl->json) {
		out_json(shown);
	} else {
		struct buf b = BUF_INIT;
		lang_print(&b, shown);
		out_buf(&b);
	}
	json_decref(shown);
	return EXIT_DONE;
}
