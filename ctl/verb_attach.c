/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl attach. */
#include "base/buf.h"
#include "ctl/attach.h"
#include "ctl/out.h"
#include "ctl/out.h"
#include <errno.h>
#include <stdlib.h>

static int attach(struct ctl *);

static const struct pt_param rows[] = {
	{.name = "engine[.block]",
         .doc = "An engine, or the one block to listen to.",
         .kind = PT_KIND_STRING,
         .flags = PT_REQUIRED},
	{.name = "names",
         .doc = "Put the block's name before each line.",
         .kind = PT_KIND_BOOL,
         .flags = PT_OPTION},
	CTL_READY,
	{NULL},
};

const struct verb verb_attach = {
	.name = "attach",
	.summary = "show what the console sinks of an engine print, until Ctrl-C",
	.help = "With -j each piece is a JSON object on a line.",
	.params = rows,
	.run = attach,
};

static int attach(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	struct attachment a = {.names = ctl_flag(ctl, "names"), .json = ctl->json};
	char *engine, *block;
	int code = ctl_split_any(ctl, ctl_text(ctl, "engine[.block]"), &engine, &block, &err);
	if (code)
		return ctl_refused(ctl, &err);
	code = attach_open(&a, ctl, engine, block, &err);
	if (!code) {
		out_end_with_reader();
		ctl_tell_ready(ctl);
	}
	while (!code)
		code = attach_wait(&a, 3600, &err);
	free(engine);
	free(block);
	attach_close(&a);
	return ctl_refused(ctl, &err);
}
