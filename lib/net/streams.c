/* SPDX-License-Identifier: BSD-2-Clause */
/* Hands on to each stream of a block. */
#include "net/streams.h"

#define UNREAD_S 1.0 /* is long */

static void each(struct pt_block *b, void (*call)(struct stream *))
{
	FOR_STREAMS ((struct streams *)pt_state(b), s)
		call(s);
}

void streams_late(struct pt_block *b)
{
	each(b, stream_late);
}

/* Whose timer is not armed, it was that one's. */
void streams_check(struct pt_block *b)
{
	FOR_STREAMS ((struct streams *)pt_state(b), s)
		if (!s->timer.place)
			stream_check(s);
}

void streams_finish(struct pt_block *b)
{
	each(b, stream_cut);
}

void streams_committed(struct pt_block *b)
{
	each(b, stream_committed);
}

void streams_changed(struct pt_block *b)
{
	each(b, stream_limit_changed);
}

void streams_no_more(struct pt_block *b)
{
	each(b, stream_end);
}

void streams_stop(struct pt_block *b)
{
	each(b, stream_stop);
}

void streams_fini(struct pt_block *b)
{
	each(b, stream_fini);
}

void streams_push(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages, unsigned count)
{
	struct streams *streams = pt_state(b);
	stream_push(streams->all, messages, count);
}

void streams_produce(struct pt_block *b, unsigned max)
{
	struct streams *streams = pt_state(b);
	stream_produce(streams->all, max);
}

void streams_describe_unread(const struct streams *streams, json_t *now)
{
	const struct stream *slowest = NULL;
	char peer[ADDRESS_TEXT];
	FOR_STREAMS (streams, s)
		if (!slowest || stream_unread_s(s) > stream_unread_s(slowest))
			slowest = s;
	double unread_s = slowest ? stream_unread_s(slowest) : 0;
	if (unread_s < UNREAD_S)
		return;
	json_object_set_new(now, "unread_s", json_integer((json_int_t)unread_s));
	json_object_set_new(now, "waiting", json_integer((json_int_t)slowest->queue.bytes));
	if (streams->count > 1 && address_of(slowest->fd, true, peer))
		json_object_set_new(now, "unread_by", json_string(peer));
}

json_t *streams_describe(struct pt_block *b)
{
	json_t *now = json_object();
	streams_describe_unread(pt_state(b), now);
	if (json_object_size(now))
		return now;
	json_decref(now);
	return NULL;
}
