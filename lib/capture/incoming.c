/* SPDX-License-Identifier: BSD-2-Clause */
/* A reader, and a poll for when it has to wait. */
#include "capture/incoming.h"

#include "base/buf.h"
#include "base/error.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define BATCH    64
#define AGAIN_MS 1

static void set_ready(struct incoming *in, bool ready)
{
	*in->ready = ready;
	if (ready)
		pt_ready(in->block, true);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct incoming *in = (struct incoming *)((char *)poll - offsetof(struct incoming, poll));
	uv_poll_stop(poll);
	set_ready(in, true);
}

static void on_again(uv_timer_t *timer)
{
	set_ready((struct incoming *)((char *)timer - offsetof(struct incoming, again)), true);
}

static int take_slot(struct incoming *in, int fd)
{
	if (in->slot >= 0)
		return dup3(fd, in->slot, O_CLOEXEC) < 0 ? -errno : 0;
	in->slot = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int rc = in->slot < 0 ? -errno : uv_poll_init(pt_loop(in->block), &in->poll, in->slot);
	if (rc)
		return rc;
	pt_adopt(in->block, (uv_handle_t *)&in->poll);
	uv_timer_init(pt_loop(in->block), &in->again);
	pt_adopt(in->block, (uv_handle_t *)&in->again);
	return 0;
}

int incoming_begin(struct incoming *in, int fd, const char *name, struct pt_error *err)
{
	int rc = take_slot(in, fd);
	if (rc) {
		close(fd);
		return pt_fail(err, rc, NULL, "cannot wait for '%s': %s", name, error_words(rc));
	}
	rc = capture_reader_open_fd(fd, name, &in->reader, err);
	if (!rc)
		set_ready(in, true);
	return rc;
}

void incoming_take_over(struct incoming *in, struct incoming *old)
{
	in->reader = old->reader;
	old->reader = NULL;
}

void incoming_go_on(struct incoming *in)
{
	if (in->reader && !take_slot(in, capture_reader_fd(in->reader)))
		set_ready(in, true);
}

void incoming_end(struct incoming *in)
{
	if (!in->reader)
		return;
	uv_poll_stop(&in->poll);
	uv_timer_stop(&in->again);
	capture_reader_release(in->reader);
	capture_reader_close(in->reader);
	in->reader = NULL;
	*in->ready = false;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null >= 0) {
		dup3(null, in->slot, O_CLOEXEC);
		close(null);
	}
}

void incoming_close(struct incoming *in)
{
	if (in->slot >= 0)
		close(in->slot);
	in->slot = -1;
	pt_origin_unref(in->origin);
	in->origin = NULL;
}

static void tell(struct incoming *in)
{
	for (uint64_t n = capture_reader_left_out(in->reader); n; n--)
		pt_report(
			in->block, -ENOTSUP,
			"a block that is no packet, and of a kind that is unknown or too long, is "
			"left out");
	for (uint64_t n = capture_reader_damaged(in->reader); n; n--)
		pt_report(in->block, -EBADMSG,
		          "options or names that reach past the end of their block are left out");
	for (uint64_t n = capture_reader_misdated(in->reader); n; n--)
		pt_report(in->block, -ERANGE,
		          "a packet is dated before 1677 or after 2262, and goes on with the "
		          "nearest time that there is");
}

static void end(struct incoming *in, int code, struct pt_error *err)
{
	uint64_t done, size;
	capture_reader_progress(in->reader, 0, &done, &size);
	if (!done && in->may_be_empty)
		code = 0;
	char *why = code ? must_strdup(pt_error_text(err, error_words(code))) : NULL;
	incoming_end(in);
	in->ended(in, why);
	free(why);
}

unsigned incoming_produce(struct incoming *in, unsigned max)
{
	struct pt_msg *messages[BATCH];
	struct pt_error err = PT_ERROR_INIT;
	if (!in->reader || !*in->ready)
		return 0;
	int n = capture_reader_next(in->reader, pt_pool(in->block), messages,
	                            max < BATCH ? max : BATCH, &err);
	tell(in);
	for (int i = 0; i < n && in->origin; i++)
		if (!messages[i]->origin)
			pt_msg_set_origin(messages[i], in->origin);
	if (n > 0) {
		pt_made(in->block, (unsigned)n);
		pt_send_many(in->block, PT_LOW, messages, (unsigned)n);
	} else if (n == -EAGAIN) {
		*in->ready = false;
		uv_poll_start(&in->poll, UV_READABLE, on_readable);
	} else if (n == -ENOMEM) {
		*in->ready = false;
		uv_timer_start(&in->again, on_again, AGAIN_MS, 0);
	} else {
		end(in, n, &err);
	}
	pt_error_clear(&err);
	return n > 0 ? (unsigned)n : 0;
}
