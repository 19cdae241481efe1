/* SPDX-License-Identifier: BSD-2-Clause */
/* A descriptor's life: it is begun, watched, handed on, and closed. */
#include "net/stream.h"

#include "base/buf.h"
#include "net/address.h"
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

void stream_init(struct stream *s, struct pt_block *b, const uint64_t *limit,
                 void (*ended)(struct pt_block *))
{
	s->block = b;
	s->limit = limit;
	s->ended = ended;
	s->fd = s->slot = -1;
}

void stream_set_ready(struct stream *s, bool ready)
{
	s->ready = ready;
	for (unsigned i = 0; i < s->fellow_count && !ready; i++)
		ready = s->fellows[i].ready;
	pt_ready(s->block, ready);
}

/* ---- watching ---- */

static void on_event(uv_poll_t *poll, int status, int events);

static struct stream *of(uv_poll_t *poll)
{
	return (struct stream *)((char *)poll - offsetof(struct stream, poll));
}

void stream_watch(struct stream *s)
{
	if (s->fd < 0 || s->always_ready)
		return;
	int events = (s->reading ? UV_READABLE : 0) | (s->writing ? UV_WRITABLE : 0) |
	             (s->gone && !s->output_failed ? UV_DISCONNECT : 0);
	if (events)
		uv_poll_start(&s->poll, events, on_event);
	else
		uv_poll_stop(&s->poll);
}

/* An error shows in whatever is tried next. */
static void on_event(uv_poll_t *poll, int status, int events)
{
	struct stream *s = of(poll);
	if (s->gone && (status < 0 || events & UV_DISCONNECT) && !s->output_failed)
		stream_fail_output(s, EPIPE);
	if ((status < 0 || events & UV_READABLE) && !s->input_ended) {
		s->reading = false;
		stream_set_ready(s, true);
	}
	if (status < 0 || events & UV_WRITABLE) {
		s->writing = false;
		stream_flush(s);
	}
	stream_watch(s);
}

/* ---- beginning and ending ---- */

static void look_at(struct stream *s, int fd)
{
	struct stat st = {0};
	int type = SOCK_STREAM, access = fcntl(fd, F_GETFL) & O_ACCMODE;
	socklen_t length = sizeof type;
	fstat(fd, &st);
	s->is_socket = S_ISSOCK(st.st_mode);
	if (s->is_socket)
		getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length);
	s->may_be_empty = s->is_socket && type == SOCK_DGRAM;
	s->has_borders = s->is_socket ? type != SOCK_STREAM : S_ISCHR(st.st_mode) && !isatty(fd);
	s->input_ended = access == O_WRONLY || s->writes_only;
	s->output_failed = s->read_only = access == O_RDONLY;
}

static void set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	if (flags >= 0 && !(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* poll knows a descriptor by its number. */
static void take_slot(struct stream *s, int fd)
{
	if (s->slot < 0) {
		s->slot = fd;
		s->always_ready = uv_poll_init(pt_loop(s->block), &s->poll, fd) != 0;
		if (!s->always_ready)
			pt_adopt(s->block, (uv_handle_t *)&s->poll);
	} else {
		int rc = dup3(fd, s->slot, O_CLOEXEC);
		assert(rc >= 0);
		close(fd);
	}
	s->fd = s->slot;
}

void stream_name_peer(struct stream *s, const char *name, size_t length)
{
	snprintf(s->peer, sizeof s->peer, "%.*s", (int)length, name);
	pt_origin_unref(s->origin);
	s->origin = length ? pt_origin_new(s->peer) : NULL;
}

static void ask_peer(struct stream *s)
{
	char peer[ADDRESS_TEXT];
	bool is_known = s->tells_peer && address_of(s->fd, true, peer);
	stream_name_peer(s, peer, is_known ? strlen(peer) : 0);
}

void stream_read_on(struct stream *s)
{
	s->reading = !s->always_ready && !s->input_ended && !s->held;
	if (s->held || s->input_ended)
		return;
	if (s->always_ready || !frames_are_empty(&s->frames) || stream_has_left(s))
		stream_set_ready(s, true);
	stream_watch(s);
}

static void run(struct stream *s)
{
	stream_read_on(s);
	if (s->input_ended && !s->gone)
		s->ended(s->block);
	stream_flush(s);
	stream_watch(s);
}

static void begin(struct stream *s, int fd)
{
	assert(s->fd < 0);
	look_at(s, fd);
	set_nonblocking(fd);
	take_slot(s, fd);
	s->finishing = false;
	s->written = 0;
	s->frames.framing = s->framing;
	frames_clear(&s->frames);
	stream_keep(s);
	stream_count_sent(s);
	pt_queue_begun(&s->queue, 0);
	stream_watch_peer(s);
	ask_peer(s);
	pt_carry_changed(s->block);
}

void stream_begin(struct stream *s, int fd)
{
	begin(s, fd);
	run(s);
}

void stream_goes_on(struct stream *s, int fd, const char *key)
{
	begin(s, fd);
	bool whole = stream_carried_kept(s, key) && stream_carried_sent(s, key);
	run(s);
	bool found = !framing_is_some(s->framing) || frames_carried(&s->frames, s->block, key);
	if (whole && !found) {
		pt_report(s->block, -ESTALE,
		          "the daemon has ended in the middle of a message, whose end cannot be "
		          "found: the connection is cut");
		stream_cut(s);
	}
	stream_read_on(s);
}

static void go_on(struct stream *s)
{
	s->taken_over = false;
	s->frames.framing = s->framing;
	take_slot(s, s->fd);
	if (s->held)
		stream_wait(s);
	stream_watch_peer(s);
	ask_peer(s);
	run(s);
}

void stream_take_over(struct stream *s, struct stream *old)
{
	s->queue = old->queue;
	old->queue = (struct pt_queue){0};
	s->taken_over = old->fd >= 0;
	if (!s->taken_over)
		return;
	s->frames = old->frames;
	old->frames = (struct frames){.framing = NULL};
	s->fd = old->fd;
	s->written = old->written;
	s->counts = old->counts;
	s->sent_before = old->sent_before;
	s->is_socket = old->is_socket;
	s->has_borders = old->has_borders;
	s->may_be_empty = old->may_be_empty;
	s->input_ended = old->input_ended;
	s->output_failed = old->output_failed;
	s->read_only = old->read_only;
	s->finishing = old->finishing;
	stream_take_over_kept(s, old);
	old->fd = old->slot = -1;
	old->written = 0;
}

/* Of several those go on for which nothing waits, which would be lost; after a crash where it can
   be told that no message is torn. */
static bool may_carry(const struct stream *s, const struct pt_carry *carry)
{
	enum pt_carry_to to = pt_carry_to(carry);
	bool alone = !s->fellow_count || to == PT_TO_SUCCESSOR,
	     told = to == PT_AT_END || (s->who && pt_carry_exact(carry));
	return !stream_is_over(s) && (alone || (told && !s->queue.head));
}

bool stream_carry(struct stream *s, struct pt_carry *carry, const char *key)
{
	bool at_end = pt_carry_to(carry) == PT_AT_END;
	if (at_end)
		stream_flush(s);
	bool carries = may_carry(s, carry);
	stream_carry_kept(s, carry, carries ? key : NULL);
	if (carries) {
		pt_carry_fd(carry, key, s->fd);
		stream_carry_sent(s, carry, key);
		frames_carry(&s->frames, carry, key, s->who && pt_carry_exact(carry));
		s->carried = at_end;
	}
	if (s->fellow_count ? s->fd < 0 && s->queue.head : s->fd < 0 || carries)
		pt_queue_carry(s->block, &s->queue, carry);
	return carries;
}

bool stream_is_over(const struct stream *s)
{
	return s->fd < 0 || (s->input_ended && s->output_failed);
}

void stream_start(struct stream *s)
{
	s->stopped = s->carried = false;
	stream_limit_changed(s);
	pt_queue_carried(s->block, &s->queue);
	stream_limit_changed(s); /* of what was carried */
	stream_start_exact(s);
	if (s->taken_over) {
		go_on(s);
		return;
	}
	s->finishing = s->output_failed = s->read_only = s->ending = false;
	s->end_waits = s->end_told = false;
	s->written = 0;
}

void stream_detach(struct stream *s)
{
	if (s->fd < 0)
		return;
	if (s->keeps && s->output_failed && !s->queue.head) /* what comes next was not ended */
		s->ending = false;
	s->reading = s->writing = s->finishing = s->output_failed = false;
	s->end_waits = s->end_told = false;
	s->stalled_ns = 0;
	pt_timer_stop(s->block, &s->timer);
	if (!s->always_ready)
		uv_poll_stop(&s->poll);
	stream_set_ready(s, false);
	if (s->is_socket) /* somebody else may have a copy */
		shutdown(s->slot, SHUT_RDWR);
	pt_carry_changed(s->block);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup3(null, s->slot, O_CLOEXEC);
		close(null);
	} else {
		shutdown(s->slot, SHUT_RDWR);
	}
	s->fd = -1;
	s->who = 0;
	s->held = false;
	s->written = 0;
}

/* ---- the end ---- */

void stream_stop(struct stream *s)
{
	if (!s->carried)
		stream_flush(s);
	if (s->fd < 0 || s->output_failed || s->has_borders)
		stream_drop_queue(s, "unsent");
	stream_keep_rest(s);
	s->reading = s->writing = s->finishing = false;
	s->stopped = true;
	pt_origin_unref(s->origin);
	s->origin = NULL;
}

int stream_close(struct stream *s, struct pt_error *err)
{
	int rc = s->fd < 0 || s->carried ? 0 : stream_write_rest(s, s->fd, err);
	buf_free(&s->rest);
	buf_free(&s->rest_ends);
	if (s->slot >= 0 || s->fd >= 0)
		close(s->slot >= 0 ? s->slot : s->fd);
	s->slot = s->fd = -1;
	s->written = 0;
	kept_free(s->kept);
	s->kept = NULL;
	return rc;
}

void stream_fini(struct stream *s)
{
	pt_queue_clear(&s->queue);
	kept_free(s->kept);
	buf_free(&s->frames.bytes);
	buf_free(&s->rest);
	buf_free(&s->rest_ends);
}
