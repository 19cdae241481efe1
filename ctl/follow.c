/* SPDX-License-Identifier: BSD-2-Clause */
/* Verbs that go on. */
#include "ctl/follow.h"

#include "base/error.h"
#include "ctl/out.h"
#include <errno.h>
#include <stdio.h>

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

int follow_wait(struct pt_client *client, double timeout_s, struct pt_error *err)
{
	int code = pt_client_wait(client, timeout_s);
	if (code >= 0)
		return 0;
	if (code == -EPIPE)
		return pt_fail(err, code, NULL, "the daemon has closed the connection");
	return pt_fail(err, code, NULL, "the connection to the daemon failed: %s",
	               error_words(code));
}

int follow(const struct ctl *ctl, struct pt_client *client, const bool *over, struct pt_error *err)
{
	int code = 0;
	follow_begin(ctl, true);
	while (!code && !*over)
		code = follow_wait(client, 3600, err);
	return code;
}
