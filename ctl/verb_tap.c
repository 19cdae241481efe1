/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl tap. */
#include "base/error.h"
#include "base/io.h"
#include "base/json.h"
#include "base/moment.h"
#include "ctl/follow.h"
#include "ctl/out.h"
#include "ctl/tapped.h"
#include "packet/packet.h"
#include "type/param.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static int cannot_write(const char *path, int code, struct pt_error *err)
{
	return pt_fail(err, -PT_EIO, NULL, "cannot write to '%s': %s", path, error_words(code));
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
	struct pt_bytes bytes;
	struct buf line = BUF_INIT;
	const json_t *link_type = json_object_get(item, "link_type");
	if (param_bytes_from_json(json_object_get(item, "message"), &bytes, NULL))
		return;
	const struct pt_msg m = {
		.bytes = bytes.data,
		.length = (uint32_t)bytes.length,
		.wire_length = (uint32_t)integer_of(item, "wire_length"),
		.link_type = link_type ? (uint16_t)json_integer_value(link_type) : PT_NO_LINK_TYPE,
	};
	if (time)
		add_time(&line, item);
	packet_line(&line, !strcmp(text_of(item, "canal"), "high"), &m);
	buf_addc(&line, '\n');
	out_buf(&line);
	free(bytes.data);
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
		code = follow(ctl, l.client, &l.over, err);
	pt_client_close(l.client);
	if (code && code != -EPIPE)
		return code;
	pt_error_clear(err);
	return ended_early(ctl, l.left, err);
}

/* ---- a file ---- */

static int open_file(const char *path, struct pt_error *err)
{
	if (strcmp(path, "-")) {
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		return fd < 0 ? cannot_write(path, -errno, err) : fd;
	}
	if (!out_is_terminal())
		return STDOUT_FILENO;
	pt_fail(err, -PT_ESTATE, NULL, "pcapng is not for a terminal");
	pt_hint(err, "write it to a file, or leave -w out");
	return -PT_ESTATE;
}

static int copy(struct tapped *s, int fd, const char *path, int64_t *left, struct pt_error *err)
{
	struct pollfd wait = {tapped_fd(s), POLLIN, 0};
	int code = 0;
	while (!code) {
		size_t length;
		code = tapped_whole(s, left, &length, err);
		int rc = code ? 0 : io_write(fd, s->bytes.data, length);
		if (rc == -EPIPE)
			_exit(EXIT_DONE);
		if (rc)
			code = cannot_write(path, rc, err);
		if (code || !*left || s->ended || tapped_interrupted())
			break;
		buf_consume(&s->bytes, length);
		if (tapped_wait(&wait, 1) > 0)
			code = tapped_read(s, err);
	}
	return code;
}

static int write_file(struct ctl *ctl, const char *path, struct pt_error *err)
{
	struct tapped s = {0};
	int64_t left = count_of(ctl);
	int fd = strcmp(path, "-") ? -1 : open_file(path, err), code = fd < -1 ? fd : 0;
	tapped_catch_signals();
	if (!code)
		code = tapped_open(&s, ctl, err);
	if (!code && fd < 0 && (fd = open_file(path, err)) < 0)
		code = fd;
	if (!code) {
		follow_begin(ctl, fd == STDOUT_FILENO);
		code = copy(&s, fd, path, &left, err);
	}
	if (!code && !tapped_interrupted())
		code = ended_early(ctl, left, err);
	if (fd > STDOUT_FILENO && close(fd) && !code)
		code = cannot_write(path, -errno, err);
	tapped_close(&s);
	return code;
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
