/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames in: what a program sends. */
#include "net/talk.h"

#include "base/error.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE (64 * 1024)
#define GROUP     64

struct frame {
	uint8_t kind, canal;
	uint16_t flags;
	uint32_t link_type, wire_length;
	int64_t time_ns;
	const uint8_t *bytes;
	uint32_t length;
};

/* What is sent in one go. */
struct group {
	struct pt_msg *messages[GROUP];
	enum pt_canal canal;
	unsigned count;
};

static uint64_t get_le(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)at[i] << 8 * i;
	return value;
}

static void fault(struct talk *t, const char *fmt, unsigned number)
{
	char words[160];
	snprintf(words, sizeof words, fmt, number);
	talk_over(t, words);
}

/* 1: a frame, which is taken; 0: there is none; less: one that is wrong, and it is over. */
static int next_frame(struct talk *t, struct frame *f)
{
	size_t there = t->in.length - t->read;
	if (there < 4)
		return 0;
	const uint8_t *at = (const uint8_t *)t->in.data + t->read;
	uint32_t length = (uint32_t)get_le(at, 4);
	if (length < TALK_HEAD || length > TALK_MAX) {
		fault(t, "a frame whose length is %u: it is from 20 to 16777216", length);
		return -EBADMSG;
	}
	if (there < 4 + (size_t)length)
		return 0;
	*f = (struct frame){at[4],
	                    at[5],
	                    (uint16_t)get_le(at + 6, 2),
	                    (uint32_t)get_le(at + 8, 4),
	                    (uint32_t)get_le(at + 12, 4),
	                    (int64_t)get_le(at + 16, 8),
	                    at + 24,
	                    length - TALK_HEAD};
	t->read += 4 + (size_t)length;
	return 1;
}

static void send_group(struct talk *t, struct group *g)
{
	unsigned count = g->count;
	g->count = 0;
	if (count)
		pt_send_many(t->block, g->canal, g->messages, count);
}

static void take_message(struct talk *t, const struct frame *f, struct group *g)
{
	enum pt_canal canal = f->canal ? PT_HIGH : PT_LOW;
	bool plain = f->link_type == TALK_PLAIN;
	if (f->canal > 1 || (!plain && f->link_type >= PT_NO_LINK_TYPE)) {
		fault(t,
		      f->canal > 1 ? "a frame on canal %u: it is 0 or 1"
		                   : "a frame of link type %u: it is less than 65535",
		      f->canal > 1 ? f->canal : f->link_type);
		return;
	}
	uint32_t wire = f->wire_length > f->length && !plain ? f->wire_length : f->length;
	struct pt_msg *m =
		pt_msg_packet(pt_pool(t->block), f->bytes, f->length, wire,
	                      plain ? PT_NO_LINK_TYPE : (uint16_t)f->link_type, f->time_ns);
	if (!m) {
		pt_lost(t->block, 1, "memory");
		return;
	}
	pt_msg_set_text(m, f->flags & TALK_TEXT);
	pt_made(t->block, 1);
	if (g->count == GROUP || canal != g->canal)
		send_group(t, g);
	g->canal = canal;
	g->messages[g->count++] = m;
}

static void take_error(struct talk *t, const struct frame *f)
{
	pt_report(t->block, -PT_ESCRIPT, "%.*s", (int)f->length, (const char *)f->bytes);
	if (!(f->flags & TALK_LOST))
		return;
	if (t->lost < t->under_way)
		t->lost++;
	else
		pt_lost(t->block, 1, "error");
}

static void take_frame(struct talk *t, const struct frame *f, struct group *g)
{
	if (f->kind == TALK_MESSAGE) {
		take_message(t, f, g);
		return;
	}
	if (f->kind == TALK_ERROR)
		take_error(t, f); /* its bytes may move while something is sent */
	send_group(t, g);
	switch (f->kind) {
	case TALK_TRIGGER: pt_trigger(t->block); break;
	case TALK_EXHAUSTED:
		pt_exhausted(t->block);
		pt_ready(t->block, !t->dry);
		break;
	case TALK_END: talk_over(t, NULL); break;
	case TALK_ERROR: break;
	case TALK_CREDIT: talk_credit(t, f->wire_length, f->flags); break;
	default: fault(t, "a frame of kind %u: there are 1 to 6", f->kind);
	}
}

/* False: there is nothing more for now. */
static bool read_more(struct talk *t)
{
	buf_consume(&t->in, t->read);
	t->read = 0;
	ssize_t n;
	do
		n = read(t->fds[1], buf_reserve(&t->in, READ_SIZE), READ_SIZE);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		t->in.length += (size_t)n;
		return true;
	}
	if (n < 0 && errno == EAGAIN)
		t->dry = true;
	else if (t->in.length)
		talk_over(t, "its end came in the middle of a frame");
	else
		talk_over(t, NULL);
	return false;
}

/* Where order can be seen one by one: what comes back meanwhile reads on where this one stands. */
void talk_read(struct talk *t, unsigned max)
{
	struct group g = {.count = 0};
	struct frame f;
	unsigned most = pt_in_turn(t->block) ? 1 : max < GROUP ? max : GROUP;
	unsigned sent = 0;
	for (int rc; !t->over && sent < max;) {
		rc = next_frame(t, &f);
		if (rc < 0)
			break;
		if (!rc) {
			if (!read_more(t))
				break;
			continue;
		}
		take_frame(t, &f, &g);
		sent++;
		if (g.count >= most)
			send_group(t, &g);
	}
	send_group(t, &g);
	pt_ready(t->block, !t->over && !t->dry);
}
