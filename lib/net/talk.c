/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames out, credits, and when it is over. */
#include "net/talk.h"

#include "base/error.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define WRITE_SIZE  (64 * 1024)
#define END_NS      UINT64_C(2000000000)
#define PATIENCE_NS UINT64_C(1000000000) /* for the first word of one that may give credits */
#define READ_MOST   1024                 /* frames, before it is looked whether it is settled */
#define DEEP        16
#define MANY        (512 * sizeof(uint64_t)) /* triggers that may wait: more hold sources back … */
#define TOO_MANY    (64 * MANY)              /* … and so many at all */

void talk_init(struct talk *t, struct pt_block *b, const uint64_t *limit,
               void (*ended)(struct pt_block *, const char *why))
{
	t->block = b;
	t->limit = limit;
	t->ended = ended;
	for (int i = 0; i < 2; i++)
		t->fds[i] = t->slots[i] = -1;
}

/* ---- what is written ---- */

static void put_le(uint8_t *at, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static void add_frame(struct talk *t, enum talk_kind kind, const struct pt_msg *m,
                      enum pt_canal canal)
{
	size_t length = TALK_HEAD + (m ? m->length : 0);
	uint8_t *at = (uint8_t *)buf_reserve(&t->out, 4 + length);
	memset(at, 0, 4 + TALK_HEAD);
	put_le(at, length, 4);
	at[4] = (uint8_t)kind;
	if (m) {
		bool plain = m->link_type == PT_NO_LINK_TYPE;
		at[5] = canal == PT_HIGH;
		at[6] = pt_msg_is_text(m) ? TALK_TEXT : 0;
		put_le(at + 8, plain ? TALK_PLAIN : m->link_type, 4);
		put_le(at + 12, plain ? 0 : m->wire_length, 4);
		put_le(at + 16, (uint64_t)m->time_ns, 8);
		memcpy(at + 24, m->bytes, m->length);
	}
	t->out.length += 4 + length;
}

static bool trigger_is_next(const struct talk *t)
{
	uint64_t after;
	if (t->triggers.length < sizeof after)
		return false;
	memcpy(&after, t->triggers.data, sizeof after);
	return after <= t->given;
}

static bool may_give(const struct talk *t)
{
	return t->next && (t->window < 0 || t->under_way < (uint64_t)t->window);
}

/* As much as one write takes; false: nothing. */
static bool fill(struct talk *t)
{
	size_t before = t->out.length;
	while (t->out.length < WRITE_SIZE) {
		if (trigger_is_next(t)) {
			buf_consume(&t->triggers, sizeof(uint64_t));
			t->triggers_under_way += t->answers_triggers;
			add_frame(t, TALK_TRIGGER, NULL, PT_LOW);
		} else if (may_give(t)) {
			add_frame(t, TALK_MESSAGE, t->next, pt_queue_canal(t->next));
			t->next = t->next->next;
			t->given++;
			t->under_way++;
		} else {
			break;
		}
	}
	if (t->no_more && !t->told_no_more && !t->next && !t->triggers.length) {
		t->told_no_more = true;
		add_frame(t, TALK_EXHAUSTED, NULL, PT_LOW);
	}
	return t->out.length > before;
}

static void done_with(struct talk *t, uint64_t count)
{
	for (; count && t->under_way; count--, t->under_way--) {
		enum pt_canal canal;
		struct pt_msg *m = pt_queue_take(t->block, &t->queue, &canal, *t->limit);
		if (t->lost)
			pt_drop(t->block, m, "error");
		else
			pt_done(t->block, m);
		t->lost -= t->lost > 0;
	}
}

void talk_credit(struct talk *t, uint32_t count, unsigned flags)
{
	if (t->window < 0) {
		t->window = count ? count : 1;
		t->answers_triggers = flags & TALK_ANSWERS_TRIGGERS;
	} else if (count) {
		done_with(t, count);
	} else if (t->triggers_under_way) {
		t->triggers_under_way--;
	}
}

/* False: it takes no more for now. */
static bool write_out(struct talk *t)
{
	while (t->written < t->out.length) {
		ssize_t n = write(t->fds[0], t->out.data + t->written, t->out.length - t->written);
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n < 0 && errno != EINTR) {
			t->written = t->out.length; /* what it has said before is still read */
			t->told_end = true;
			if (!t->keeps)
				pt_full(t->block, false);
		}
		t->written += n > 0 ? (size_t)n : 0;
	}
	buf_clear(&t->out);
	t->written = 0;
	if (t->window < 0)
		done_with(t, t->under_way);
	return true;
}

static void flush(struct talk *t)
{
	while (!t->over && write_out(t) && !t->told_end && fill(t))
		;
}

/* ---- watching ---- */

static void on_writable(uv_poll_t *poll, int status, int events);
static void on_readable(uv_poll_t *poll, int status, int events);

static void watch(struct talk *t, int i, bool wanted)
{
	if (t->fds[i] < 0 || t->polled[i] == wanted)
		return;
	t->polled[i] = wanted;
	if (wanted)
		uv_poll_start(&t->polls[i], i ? UV_READABLE : UV_WRITABLE,
		              i ? on_readable : on_writable);
	else
		uv_poll_stop(&t->polls[i]);
}

static void watch_both(struct talk *t)
{
	watch(t, 0, !t->over && t->written < t->out.length);
	watch(t, 1, !t->over && t->dry);
}

static struct talk *of(uv_poll_t *poll, int i)
{
	return (struct talk *)((char *)(poll - i) - offsetof(struct talk, polls));
}

/* Whether it is full, and busy. */
static void update(struct talk *t)
{
	bool many = t->triggers.length >= MANY;
	if (many != t->many_triggers && (many || t->queue.bytes < *t->limit))
		pt_full(t->block, many);
	t->many_triggers = many;
	pt_busy(t->block, t->queue.head || t->triggers.length || t->triggers_under_way);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct talk *t = of(poll, 1);
	t->dry = false;
	pt_ready(t->block, true);
	watch_both(t);
}

static void on_writable(uv_poll_t *poll, int status, int events)
{
	struct talk *t = of(poll, 0);
	flush(t);
	update(t);
	watch_both(t);
}

/* What is left begins anew with the next. */
static void drop_given(struct talk *t)
{
	enum pt_canal canal;
	uint64_t after;
	for (; t->under_way; t->under_way--)
		pt_drop(t->block, pt_queue_take(t->block, &t->queue, &canal, *t->limit), "unsent");
	for (size_t at = 0; at < t->triggers.length; at += sizeof after) {
		memcpy(&after, t->triggers.data + at, sizeof after);
		after = after > t->given ? after - t->given : 0;
		memcpy(t->triggers.data + at, &after, sizeof after);
	}
	t->taken -= t->given;
	t->given = t->lost = t->triggers_under_way = 0;
	t->next = t->queue.head;
}

bool talk_waits(const struct talk *t)
{
	return t->queue.head || t->triggers.length;
}

void talk_drop(struct talk *t)
{
	t->next = NULL;
	t->taken = 0;
	t->many_triggers = false;
	buf_clear(&t->triggers);
	pt_queue_drop(t->block, &t->queue, "unsent");
	pt_full(t->block, false);
	update(t);
}

void talk_over(struct talk *t, const char *why)
{
	if (t->over)
		return;
	t->over = true;
	watch_both(t);
	drop_given(t);
	if (!t->keeps)
		talk_drop(t);
	pt_ready(t->block, false);
	update(t);
	t->ended(t->block, why);
}

/* A handle knows its descriptor by the number: every later one takes that. Two of one descriptor
   are none of the loop's, so each is its own. */
static void take(struct talk *t, int i, int fd)
{
	if (t->slots[i] >= 0) {
		dup3(fd, t->slots[i], O_CLOEXEC);
		close(fd);
	} else {
		t->slots[i] = fd;
		uv_poll_init(pt_loop(t->block), &t->polls[i], fd);
		pt_adopt(t->block, (uv_handle_t *)&t->polls[i]);
	}
	t->fds[i] = t->slots[i];
	fcntl(t->fds[i], F_SETFL, fcntl(t->fds[i], F_GETFL) | O_NONBLOCK);
}

void talk_begin(struct talk *t, int to, int from)
{
	t->window = -1;
	t->told_no_more = t->told_end = t->over = t->patient = false;
	t->answers_triggers = false;
	t->dry = true;
	t->depth = 0;
	buf_clear(&t->out);
	buf_clear(&t->in);
	t->written = t->read = 0;
	take(t, 0, to);
	take(t, 1, from);
	flush(t);
	update(t);
	watch_both(t);
}

/* ---- where it is waited for ---- */

static bool is_settled(const struct talk *t)
{
	bool waits = t->queue.head || t->triggers.length || t->triggers_under_way || t->out.length;
	return t->told_end || !waits; /* or what it has read is not known */
}

static bool await(struct talk *t, uint64_t until_ns)
{
	struct pollfd fds[] = {{t->fds[1], POLLIN, 0}, {t->fds[0], POLLOUT, 0}};
	return pt_await(t->block, fds, t->out.length ? 2 : 1, until_ns);
}

static void await_window(struct talk *t)
{
	uint64_t until = pt_now(t->block) + PATIENCE_NS;
	while (!t->patient && t->window < 0 && !t->over && (!t->dry || await(t, until)))
		talk_read(t, READ_MOST);
	t->patient = true;
}

/* Until all that came of what it was given has been sent. What comes back to the block meanwhile
   waits in turn, up to a depth. */
static void settle(struct talk *t)
{
	if (t->depth == DEEP || !pt_in_turn(t->block))
		return;
	t->depth++;
	while (!t->over && t->window >= 0 && !is_settled(t) && (!t->dry || await(t, UINT64_MAX))) {
		talk_read(t, READ_MOST);
		flush(t);
	}
	t->depth--;
}

/* Where nobody waits for it, what comes now goes with what comes next, in one write: when those who
   send have had their turn. */
static void go_on(struct talk *t)
{
	if (pt_in_turn(t->block)) {
		await_window(t);
		flush(t);
		settle(t);
	} else if (pt_held_back(t->block)) {
		flush(t);
	} else {
		pt_ready(t->block, true);
	}
	update(t);
	watch_both(t);
}

/* ---- what comes in ---- */

static bool takes(const struct talk *t)
{
	return !t->over && !t->told_end && t->fds[0] >= 0;
}

static void drop_all(struct talk *t, struct pt_msg **messages, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		pt_drop(t->block, messages[i], "unsent");
}

static void add(struct talk *t, enum pt_canal canal, struct pt_msg *m)
{
	if (m->length > TALK_MAX - TALK_HEAD) {
		pt_drop(t->block, m, "too-long");
		return;
	}
	if (!pt_queue_add(t->block, &t->queue, canal, m, *t->limit, PT_BLOCK))
		return;
	t->taken++;
	if (!t->next)
		t->next = t->queue.last;
}

void talk_push(struct talk *t, enum pt_canal canal, struct pt_msg **messages, unsigned count)
{
	if (!takes(t) && !t->keeps) {
		drop_all(t, messages, count);
		return;
	}
	for (unsigned i = 0; i < count; i++)
		add(t, canal, messages[i]);
	if (takes(t))
		go_on(t);
	else
		update(t);
}

void talk_trigger(struct talk *t)
{
	if (!takes(t) && !t->keeps)
		return;
	if (t->triggers.length >= TOO_MANY) {
		pt_report(t->block, -ENOBUFS,
		          "a trigger was left out: %zu wait already for who does not read them",
		          t->triggers.length / sizeof t->taken);
		return;
	}
	buf_add(&t->triggers, &t->taken, sizeof t->taken);
	if (takes(t))
		go_on(t);
	else
		update(t);
}

void talk_no_more(struct talk *t)
{
	t->no_more = true;
	if (t->over || t->fds[0] < 0)
		return;
	flush(t);
	watch_both(t);
}

void talk_changed(struct talk *t)
{
	pt_queue_changed(t->block, &t->queue, *t->limit, PT_BLOCK);
}

void talk_produce(struct talk *t, unsigned max)
{
	if (!t->dry)
		talk_read(t, max);
	flush(t);
	pt_ready(t->block, !t->over && !t->dry);
	update(t);
	watch_both(t);
}

/* ---- its end ---- */

static void tell_end(struct talk *t)
{
	if (t->told_end || t->queue.head != NULL || t->triggers.length || t->triggers_under_way)
		return;
	add_frame(t, TALK_END, NULL, PT_LOW);
	write_out(t);
	t->told_end = true;
}

bool talk_stop(struct talk *t)
{
	uint64_t until = pt_now(t->block) + END_NS;
	bool ended = t->over;
	if (t->fds[0] < 0)
		return true;
	flush(t);
	for (tell_end(t); !t->over && (!t->dry || await(t, until)); tell_end(t)) {
		talk_read(t, READ_MOST);
		flush(t);
		write_out(t);
	}
	ended = t->over;
	talk_over(t, NULL);
	return ended;
}

void talk_close(struct talk *t)
{
	for (int i = 0; i < 2; i++) {
		if (t->slots[i] >= 0)
			close(t->slots[i]);
		t->fds[i] = t->slots[i] = -1;
		t->polled[i] = false;
	}
}

void talk_detach(struct talk *t)
{
	for (int i = 0; i < 2; i++) {
		watch(t, i, false);
		t->fds[i] = -1; /* the slot stays open: another takes its place */
	}
}

void talk_fini(struct talk *t)
{
	pt_queue_clear(&t->queue);
	buf_free(&t->triggers);
	buf_free(&t->out);
	buf_free(&t->in);
}
