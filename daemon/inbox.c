/* SPDX-License-Identifier: BSD-2-Clause */
/* A list under a mutex, and a handle that wakes the loop; emptied in turns of bounded length. */
#include "daemon/inbox.h"

#include <assert.h>

enum { TURN_NS = 1000000 };

static struct post *take(struct inbox *inbox)
{
	uv_mutex_lock(&inbox->mutex);
	struct post *posts = inbox->head;
	inbox->head = NULL;
	inbox->tail = &inbox->head;
	uv_mutex_unlock(&inbox->mutex);
	return posts;
}

static void woken(uv_async_t *async)
{
	struct inbox *inbox = async->data;
	uint64_t until = uv_hrtime() + TURN_NS;
	while (inbox->taken || (inbox->taken = take(inbox))) {
		struct post *post = inbox->taken;
		inbox->taken = post->next;
		post->run(post);
		if (uv_hrtime() < until)
			continue;
		uv_async_send(async); /* the connections have their turn before the rest */
		return;
	}
}

void inbox_init(struct inbox *inbox, uv_loop_t *loop)
{
	*inbox = (struct inbox){.tail = &inbox->head};
	int code = uv_mutex_init(&inbox->mutex);
	assert(!code);
	code = uv_async_init(loop, &inbox->async, woken);
	assert(!code);
	inbox->async.data = inbox;
}

void inbox_post(struct inbox *inbox, struct post *post)
{
	post->next = NULL;
	uv_mutex_lock(&inbox->mutex);
	*inbox->tail = post;
	inbox->tail = &post->next;
	uv_mutex_unlock(&inbox->mutex);
	uv_async_send(&inbox->async);
}

void inbox_fini(struct inbox *inbox)
{
	uv_close((uv_handle_t *)&inbox->async, NULL);
	uv_mutex_destroy(&inbox->mutex);
}
