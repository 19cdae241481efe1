/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the connection itself, once the answer has come. */
#include "ctl/tapped.h"

#include "base/error.h"
#include "base/io.h"
#include "base/json.h"
#include "ctl/follow.h"
#include "ctl/out.h"
#include "packet/packet.h"
#include "type/param.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	READ_SIZE = 256 * 1024,
	SECTION = 0x0a0d0d0a,
	PACKET = 6,
	BLOCK_MIN = 12,
	BLOCK_MAX = 64 * 1024 * 1024,
};

#define MAGIC_SWAPPED 0x4d3c2b1au

static volatile sig_atomic_t signals;

/* ---- opening ---- */

int tapped_open(struct tapped *s, struct ctl *ctl, const char *method, json_t *params,
                struct pt_error *err)
{
	size_t length;
	json_object_set_new(params, "format", json_string("pcapng"));
	int code = ctl_connect(ctl, err); /* for tapped_check_gone */
	if (!code)
		code = ctl_open(ctl, &s->client, err);
	if (!code)
		code = pt_client_call(s->client, method, params, NULL, 0, ctl->timeout_s, NULL,
		                      err);
	json_decref(params);
	if (code)
		return code;
	const char *rest = pt_client_rest(s->client, &length);
	buf_add(&s->bytes, rest, length);
	return 0;
}

int tapped_fd(const struct tapped *s)
{
	return pt_client_fd(s->client);
}

void tapped_close(struct tapped *s)
{
	pt_client_close(s->client);
	buf_free(&s->bytes);
}

/* ---- its end ---- */

int tapped_check_gone(struct ctl *ctl, struct pt_error *err)
{
	json_t *shown = NULL;
	int code = ctl_call(ctl, "engine.show", ctl_engine(ctl), &shown, err);
	if (code == -PT_ENOENGINE || code == -PT_ESTATE) { /* or it is just being destroyed */
		pt_error_clear(err);
		code = 0;
	}
	if (item_of(json_object_get(shown, "blocks"), "name", ctl->block))
		code = -EPIPE;
	if (code == -EPIPE) {
		pt_error_clear(err);
		pt_fail(err, code, NULL, "cut off: the daemon has closed the connection");
	}
	json_decref(shown);
	return code;
}

/* ---- reading ---- */

int tapped_read(struct tapped *s, struct pt_error *err)
{
	ssize_t n = read(tapped_fd(s), buf_reserve(&s->bytes, READ_SIZE), READ_SIZE);
	if (n > 0)
		s->bytes.length += (size_t)n;
	s->ended = n == 0 || (n < 0 && errno == ECONNRESET);
	if (n >= 0 || s->ended || errno == EAGAIN || errno == EINTR)
		return 0;
	return pt_fail(err, -errno, NULL, "the connection to the daemon failed: %s",
	               error_words(errno));
}

static uint32_t word(const struct tapped *s, size_t at)
{
	uint32_t value;
	memcpy(&value, s->bytes.data + at, sizeof value);
	return s->swapped ? __builtin_bswap32(value) : value;
}

static size_t block_length(struct tapped *s, size_t at)
{
	if (word(s, at) == SECTION) {
		s->swapped = false;
		s->swapped = word(s, at + 8) == MAGIC_SWAPPED;
	}
	return word(s, at + 4);
}

int tapped_whole(struct tapped *s, int64_t *packets, size_t *length, struct pt_error *err)
{
	size_t at = 0;
	while (*packets && s->bytes.length - at >= BLOCK_MIN) {
		size_t block = block_length(s, at);
		if (block < BLOCK_MIN || block > BLOCK_MAX || block % 4)
			return pt_fail(err, -EPROTO, NULL, "what the daemon sends is no pcapng");
		if (block > s->bytes.length - at)
			break;
		if (*packets > 0 && word(s, at) == PACKET)
			--*packets;
		at += block;
	}
	*length = at;
	return 0;
}

/* ---- a message ---- */

void tapped_line(struct buf *line, const json_t *item)
{
	struct pt_bytes bytes;
	const json_t *link_type = json_object_get(item, "link_type");
	if (param_bytes_from_json(json_object_get(item, "message"), &bytes, NULL))
		return;
	const struct pt_msg m = {
		.bytes = bytes.data,
		.length = (uint32_t)bytes.length,
		.wire_length = (uint32_t)integer_of(item, "wire_length"),
		.link_type = link_type ? (uint16_t)json_integer_value(link_type) : PT_NO_LINK_TYPE,
	};
	packet_line(line, !strcmp(text_of(item, "canal"), "high"), &m);
	buf_addc(line, '\n');
	free(bytes.data);
}

/* ---- signals ---- */

static void note(int signal)
{
	signals++;
}

static sigset_t ending(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	return set;
}

void tapped_catch_signals(void)
{
	const sigset_t set = ending();
	sigprocmask(SIG_BLOCK, &set, NULL);
	ctl_catch(note);
}

bool tapped_interrupted(void)
{
	return signals;
}

int tapped_wait(struct pollfd *fds, unsigned count)
{
	sigset_t open;
	sigprocmask(SIG_SETMASK, NULL, &open);
	sigdelset(&open, SIGINT);
	sigdelset(&open, SIGTERM);
	sigdelset(&open, SIGHUP);
	return ppoll(fds, count, NULL, &open);
}

/* ---- into a file ---- */

int tapped_cannot_write(const char *path, int code, struct pt_error *err)
{
	return pt_fail(err, -PT_EIO, NULL, "cannot write to '%s': %s", path, error_words(code));
}

int tapped_open_file(const char *path, struct pt_error *err)
{
	if (!strcmp(path, "-"))
		return STDOUT_FILENO;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return fd < 0 ? tapped_cannot_write(path, -errno, err) : fd;
}

int tapped_check_output(const char *path, struct pt_error *err)
{
	if (strcmp(path, "-") || !out_is_terminal())
		return 0;
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
			code = tapped_cannot_write(path, rc, err);
		if (code || !*left || s->ended || tapped_interrupted())
			break;
		buf_consume(&s->bytes, length);
		if (tapped_wait(&wait, 1) > 0)
			code = tapped_read(s, err);
	}
	return code;
}

int tapped_write(struct ctl *ctl, const char *method, json_t *params, const char *path,
                 int64_t *left, struct pt_error *err)
{
	struct tapped s = {0};
	int fd = -1, code = tapped_check_output(path, err);
	tapped_catch_signals();
	if (code)
		json_decref(params);
	else
		code = tapped_open(&s, ctl, method, params, err);
	if (!code && (fd = tapped_open_file(path, err)) < 0)
		code = fd;
	if (!code) {
		follow_begin(ctl, fd == STDOUT_FILENO);
		code = copy(&s, fd, path, left, err);
	}
	if (fd > STDOUT_FILENO && close(fd) && !code)
		code = tapped_cannot_write(path, -errno, err);
	tapped_close(&s);
	return code;
}
