/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl start, ptctl stop. */
#include "ctl/ctl.h"
#include "ctl/out.h"
#include <stdbool.h>

static int start(struct ctl *);
static int stop(struct ctl *);

static const struct pt_param start_rows[] = {
	{.name = "engine", .doc = "Its name.", .kind = PT_KIND_STRING, .flags = PT_REQUIRED},
	{NULL},
};

const struct verb verb_start = {
	.name = "start",
	.summary = "start an engine, or what has failed in one that runs",
	.params = start_rows,
	.run = start,
};

static const struct pt_param stop_rows[] = {
	{.name = "engine", .doc = "Its name.", .kind = PT_KIND_STRING, .flags = PT_REQUIRED},
	{.name = "wait",
         .doc = "Wait until every source is exhausted and every sink is flushed.",
         .kind = PT_KIND_BOOL,
         .flags = PT_OPTION},
	{.name = "timeout",
         .doc = "With --wait: for how long. When the time is out (exit status 4), the engine goes "
                "on draining.",
         .kind = PT_KIND_SECONDS,
         .flags = PT_OPTION,
         .fallback = "10"},
	{NULL},
};

const struct verb verb_stop = {
	.name = "stop",
	.summary = "stop an engine: sources first, then sinks are flushed",
	.params = stop_rows,
	.run = stop,
};

static int start(struct ctl *ctl)
{
	return ctl_simple_engine(ctl, "engine.start");
}

static int stop(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *result, *params = json_object();
	double patience_s = ctl->timeout_s;
	json_object_set_new(params, "engine", json_string(ctl_text(ctl, "engine")));
	if (ctl_flag(ctl, "wait")) {
		patience_s += CTL_TIMEOUT_S;
		json_object_set_new(params, "wait", json_true());
		json_object_set_new(params, "timeout_s", json_real(ctl->timeout_s));
	}
	if (ctl_call_within(ctl, "engine.stop", params, patience_s, &result, &err))
		return ctl_refused(ctl, &err);
	if (ctl->json)
		out_json(result);
	bool lost = ctl_tell_losses(result);
	json_decref(result);
	return lost ? EXIT_REFUSED : EXIT_DONE;
}
