/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl tap. */
#include "base/error.h"
#include "base/json.h"
#include "base/moment.h"
#include "ctl/follow.h"
#include "ctl/out.h"
#include "ctl/tapped.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int64_t count_of(const struct ctl *ctl)
{
	const json_t *count = json_object_get(ctl->values, "count");
	return count ? json_integer_value(count) : -1;
}

static int ended_early(struct ctl *ctl, int64_t left, struct pt_error *err)
{
	int code = left ? tapped_check_gone(ctl, err) : 0;
	if (code || left <= 0)
		return code;
	return pt_fail(err, -PT_ESTATE, NULL,
	               "'%s' is gone; %lld of %lld messages had not come yet",
	               ctl_text(ctl, "engine.block"), (long long)left, (long long)count_of(ctl));
}

/* ---- lines ---- */

struct listening {
	struct ctl *ctl;
	struct pt_client *client;
	int64_t left; /* messages still to come; below 0: any number */
	bool over;    /* they have come, or no more will */
};

/* What is no packet has the time at which it came here. */
static void add_time(struct buf *line, const json_t *item)
{
	char now[MOMENT_MAX];
	moment_print(moment_now(), now);
	const char *time = text_of(item, "time");
	out_clock(line, *time ? time : now, 6);
	buf_addc(line, ' ');
}

static void print_message(const json_t *item, bool time)
{
	struct buf line = BUF_INIT;
	if (time)
		add_time(&line, item);
	tapped_line(&line, item);
	out_buf(&line);
}

static void told(void *arg, const char *method, json_t *params)
{
	struct listening *l = arg;
	long long dropped = integer_of(params, "dropped");
	if (dropped)
		fprintf(stderr, "ptctl: %lld messages were lost here\n", dropped);
	json_each (item, json_object_get(params, "messages")) {
		if (!l->left)
			break;
		if (l->ctl->json)
			out_json(item);
		else
			print_message(item, ctl_flag(l->ctl, "time"));
		l->left -= l->left > 0;
	}
	l->over = !l->left || json_is_true(json_object_get(params, "ended"));
}

static int print_lines(struct ctl *ctl, struct pt_error *err)
{
	struct listening l = {.ctl = ctl, .left = count_of(ctl)};
	int code = ctl_connect(ctl, err); /* for tapped_check_gone */
	if (!code)
		code = follow_open(ctl, "block.tap", ctl_params(ctl), told, &l, &l.client, NULL,
		                   err);
	if (!code)
		code = follow_messages(ctl, l.client, &l.over, err);
	pt_client_close(l.client);
	if (code && code != -EPIPE)
		return code;
	pt_error_clear(err);
	return ended_early(ctl, l.left, err);
}

/* ---- a file ---- */

static int write_file(struct ctl *ctl, const char *path, struct pt_error *err)
{
	int64_t left = count_of(ctl);
	int code = tapped_write(ctl, "block.tap", ctl_params(ctl), path, &left, err);
	return code || tapped_interrupted() ? code : ended_early(ctl, left, err);
}

int verb_tap(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	const char *path = ctl_text(ctl, "write");
	int code = path ? write_file(ctl, path, &err) : print_lines(ctl, &err);
	if (code)
		return ctl_refused(ctl, &err);
	return tapped_interrupted() ? EXIT_INTERRUPTED : EXIT_DONE;
}
