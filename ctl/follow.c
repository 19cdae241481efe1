/* SPDX-License-Identifier: BSD-2-Clause */
/* Verbs that go on. */
#include "ctl/follow.h"

#include "base/clock.h"
#include "base/error.h"
#include "ctl/look.h"
#include "ctl/out.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define QUIET_S 3.0 /* a person begins to wonder */

int follow_open(struct ctl *ctl, const char *method, json_t *params, follow_told *told, void *arg,
                struct pt_client **client, json_t **result, struct pt_error *err)
{
	int code = ctl_open(ctl, client, err);
	if (!code) {
		pt_client_on_notification(*client, told, arg);
		code = pt_client_call(*client, method, params, NULL, 0, ctl->timeout_s, result,
		                      err);
	}
	json_decref(params);
	return code;
}

void follow_begin(const struct ctl *ctl, bool prints)
{
	if (prints)
		out_end_with_reader();
	if (ctl_flag(ctl, "ready"))
		fprintf(stderr, "attached\n");
}

/* 1 when something has come. */
static int wait_for(struct pt_client *client, double timeout_s, struct pt_error *err)
{
	int code = pt_client_wait(client, timeout_s);
	if (code >= 0)
		return code;
	if (code == -EPIPE)
		return pt_fail(err, code, NULL, "the daemon has closed the connection");
	return pt_fail(err, code, NULL, "the connection to the daemon failed: %s",
	               error_words(code));
}

int follow_wait(struct pt_client *client, double timeout_s, struct pt_error *err)
{
	int code = wait_for(client, timeout_s, err);
	return code > 0 ? 0 : code;
}

static int go_on(struct pt_client *client, const bool *over, struct pt_error *err)
{
	int code = 0;
	while (!code && !*over)
		code = follow_wait(client, 3600, err);
	return code;
}

int follow(const struct ctl *ctl, struct pt_client *client, const bool *over, struct pt_error *err)
{
	follow_begin(ctl, true);
	return go_on(client, over, err);
}

static void tell_silence(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	struct buf why = BUF_INIT;
	json_t *engines = json_object();
	if (!look_ask(ctl, ctl->engine, QUIET_S, engines, &err)) {
		look_silence(&why, ctl->engine, json_object_get(engines, ctl->engine), ctl->block);
		fprintf(stderr, "ptctl: nothing has come yet%s%s; Ctrl-C ends\n",
		        why.length ? ": " : "", why.length ? why.data : "");
	}
	pt_error_clear(&err);
	json_decref(engines);
	buf_free(&why);
}

int follow_messages(struct ctl *ctl, struct pt_client *client, const bool *over,
                    struct pt_error *err)
{
	int came = !isatty(STDERR_FILENO);
	double left_s, end_s = clock_s() + QUIET_S;
	follow_begin(ctl, true);
	while (!came && (left_s = end_s - clock_s()) > 0)
		came = wait_for(client, left_s, err);
	if (came < 0)
		return came;
	if (!came)
		tell_silence(ctl);
	return go_on(client, over, err);
}
