/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the connection itself, once the answer has come. */
#include "ctl/tapped.h"

#include "base/error.h"
#include "base/json.h"
#include <errno.h>
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

int tapped_open(struct tapped *s, struct ctl *ctl, struct pt_error *err)
{
	size_t length;
	json_t *params = ctl_params(ctl);
	json_object_set_new(params, "format", json_string("pcapng"));
	int code = ctl_connect(ctl, err); /* for tapped_check_gone */
	if (!code)
		code = ctl_open(ctl, &s->client, err);
	if (!code)
		code = pt_client_call(s->client, "block.tap", params, NULL, 0, ctl->timeout_s, NULL,
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
