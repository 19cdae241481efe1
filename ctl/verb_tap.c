/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl tap. */
#include "base/error.h"
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

static int tap(struct ctl *);

static const char *const canals[] = {"low", "high", NULL};

static const struct pt_param rows[] = {
	{.name = "engine.block",
         .doc = "The block to look at.",
         .kind = PT_KIND_STRING,
         .flags = PT_REQUIRED},
	{.name = "write",
         .doc = "Write pcapng to this file instead; - is standard output.",
         .kind = PT_KIND_PATH,
         .flags = PT_OPTION,
         .letter = 'w'},
	{.name = "canal",
         .doc = "One canal alone.",
         .kind = PT_KIND_CHOICE,
         .flags = PT_OPTION,
         .choices = canals},
	{.name = "count",
         .doc = "End after so many messages.",
         .kind = PT_KIND_INT,
         .flags = PT_OPTION,
         .min = 1,
         .letter = 'n'},
	CTL_READY,
	{NULL},
};

const struct verb verb_tap = {
	.name = "tap",
	.summary = "show what leaves a block, live, until Ctrl-C",
	.help = "Shows what leaves the block by its exits, or enters it if it has none, and "
		"changes "
		"nothing. Prints as ConsoleSink does, one message a line; with -j each is a JSON "
		"object on a line, with its bytes, time and link type. The tap goes with the "
		"block's name, and ends when the block is removed; where the daemon ends first, "
		"the "
		"exit status is 3. Who reads too slowly misses "
		"messages, never holds up the engine, and is told how many: on standard error, or "
		"in the file's interface statistics.\n"
		"\n"
		"  ptctl tap lab.d1 -w - | tcpdump -nr -",
	.params = rows,
	.run = tap,
};

static int64_t count_of(const struct ctl *ctl)
{
	const json_t *count = json_object_get(ctl->values, "count");
	return count ? json_integer_value(count) : -1;
}

static int ended_early(struct ctl *ctl, int64_t left, struct pt_error *err)
{
	const char *target = ctl_text(ctl, "engine.block");
	int code = left ? tapped_check_gone(ctl, target, err) : 0;
	if (code || left <= 0)
		return code;
	return pt_fail(err, -PT_ESTATE, NULL,
	               "'%s' is gone; %lld of %lld messages had not come yet", target,
	               (long long)left, (long long)count_of(ctl));
}

/* ---- lines ---- */

struct listening {
	struct ctl *ctl;
	struct pt_client *client;
	int64_t left; /* messages still to come; below 0: any number */
	bool ended;
};

static void print_message(const json_t *item)
{
	struct pt_bytes bytes;
	struct buf line = BUF_INIT;
	const char *canal = json_string_value(json_object_get(item, "canal"));
	const json_t *link_type = json_object_get(item, "link_type");
	const json_t *wire_length = json_object_get(item, "wire_length");
	if (param_bytes_from_json(json_object_get(item, "message"), &bytes, NULL))
		return;
	const struct pt_msg m = {
		.bytes = bytes.data,
		.length = (uint32_t)bytes.length,
		.wire_length = (uint32_t)json_integer_value(wire_length),
		.link_type = link_type ? (uint16_t)json_integer_value(link_type) : PT_NO_LINK_TYPE,
	};
	packet_line(&line, canal && !strcmp(canal, "high"), &m);
	buf_addc(&line, '\n');
	out_buf(&line);
	free(bytes.data);
}

static void told(void *arg, const char *method, json_t *params)
{
	struct listening *l = arg;
	size_t i;
	json_t *item;
	json_int_t dropped = json_integer_value(json_object_get(params, "dropped"));
	if (dropped)
		fprintf(stderr, "ptctl: %" JSON_INTEGER_FORMAT " messages were lost here\n",
		        dropped);
	json_array_foreach (json_object_get(params, "messages"), i, item) {
		if (!l->left)
			return;
		if (l->ctl->json)
			out_json(item);
		else
			print_message(item);
		l->left -= l->left > 0;
	}
	l->ended |= json_is_true(json_object_get(params, "ended"));
}

static int listen_to(struct listening *l, struct pt_error *err)
{
	char *engine, *block;
	struct ctl *ctl = l->ctl;
	int code = ctl_split(ctl_text(ctl, "engine.block"), &engine, &block, err);
	if (code)
		return code;
	json_t *params = json_pack("{s:s, s:s}", "engine", engine, "block", block);
	if (ctl_text(ctl, "canal"))
		json_object_set_new(params, "canal", json_string(ctl_text(ctl, "canal")));
	free(engine);
	free(block);
	code = ctl_connect(ctl, err);
	if (!code)
		code = ctl_open(ctl, &l->client, err);
	if (!code) {
		pt_client_on_notification(l->client, told, l);
		code = pt_client_call(l->client, "block.tap", params, NULL, 0, ctl->timeout_s, NULL,
		                      err);
	}
	json_decref(params);
	if (!code) {
		out_end_with_reader();
		ctl_tell_ready(ctl);
	}
	while (!code && l->left && !l->ended) {
		code = pt_client_wait(l->client, 3600);
		if (code == -EPIPE)
			break;
		if (code < 0)
			return pt_fail(err, code, NULL, "the connection to the daemon failed: %s",
			               error_words(code));
		code = 0;
	}
	return code && code != -EPIPE ? code : ended_early(ctl, l->left, err);
}

static int print_lines(struct ctl *ctl, struct pt_error *err)
{
	struct listening l = {.ctl = ctl, .left = count_of(ctl)};
	int code = listen_to(&l, err);
	pt_client_close(l.client);
	return code;
}

/* ---- a file ---- */

static int open_file(const char *path, struct pt_error *err)
{
	if (strcmp(path, "-"))
		return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (!out_is_terminal())
		return STDOUT_FILENO;
	pt_fail(err, -PT_ESTATE, NULL, "pcapng is not for a terminal");
	pt_hint(err, "write it to a file, or leave -w out");
	return -1;
}

static int write_all(int fd, const char *path, const char *bytes, size_t length,
                     struct pt_error *err)
{
	while (length) {
		ssize_t n = write(fd, bytes, length);
		if (n < 0 && errno == EPIPE)
			_exit(EXIT_DONE);
		if (n < 0 && errno == EAGAIN) {
			struct pollfd wait = {fd, POLLOUT, 0};
			poll(&wait, 1, -1);
		} else if (n < 0 && errno != EINTR) {
			return pt_fail(err, -PT_EIO, NULL, "cannot write to '%s': %s", path,
			               error_words(errno));
		}
		bytes += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int copy(struct tapped *s, int fd, const char *path, int64_t *left, struct pt_error *err)
{
	struct pollfd wait = {tapped_fd(s), POLLIN, 0};
	int code = 0;
	while (!code) {
		size_t length;
		code = tapped_whole(s, left, &length, err);
		if (!code)
			code = write_all(fd, path, s->bytes.data, length, err);
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
	int fd = -1;
	if (!strcmp(path, "-")) {
		fd = open_file(path, err);
		if (fd < 0)
			return -PT_ESTATE;
	}
	tapped_catch_signals();
	int code = ctl_connect(ctl, err);
	if (!code)
		code = tapped_open(&s, ctl, ctl_text(ctl, "engine.block"), ctl_text(ctl, "canal"),
		                   err);
	if (!code && fd < 0 && (fd = open_file(path, err)) < 0)
		code = pt_fail(err, -PT_EIO, NULL, "cannot write to '%s': %s", path,
		               error_words(errno));
	if (fd == STDOUT_FILENO)
		out_end_with_reader();
	if (!code)
		ctl_tell_ready(ctl);
	if (!code)
		code = copy(&s, fd, path, &left, err);
	if (!code && !tapped_interrupted())
		code = ended_early(ctl, left, err);
	if (fd > STDOUT_FILENO && close(fd) && !code)
		code = pt_fail(err, -PT_EIO, NULL, "cannot write to '%s': %s", path,
		               error_words(errno));
	tapped_close(&s);
	return code;
}

static int tap(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	const char *path = ctl_text(ctl, "write");
	int code = path ? write_file(ctl, path, &err) : print_lines(ctl, &err);
	if (code)
		return ctl_refused(ctl, &err);
	return tapped_interrupted() ? EXIT_INTERRUPTED : EXIT_DONE;
}
