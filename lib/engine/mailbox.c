/* SPDX-License-Identifier: BSD-2-Clause */
/* A locked list and a uv_async_t. */
#include "engine/mailbox.h"

#include <assert.h>

static void on_wake(uv_async_t *wake)
{
	mailbox_read(wake->data);
}

int mailbox_init(struct mailbox *box, uv_loop_t *loop)
{
	box->first = NULL;
	box->last = &box->first;
	int rc = uv_async_init(loop, &box->wake, on_wake);
	if (rc)
		return rc;
	box->wake.data = box;
	return uv_mutex_init(&box->lock);
}

void mailbox_post(struct mailbox *box, struct letter *letter)
{
	letter->next = NULL;
	uv_mutex_lock(&box->lock);
	*box->last = letter;
	box->last = &letter->next;
	/* Under the lock: once the reader has the letter, the box may be gone. */
	uv_async_send(&box->wake);
	uv_mutex_unlock(&box->lock);
}

void mailbox_wake(struct mailbox *box)
{
	uv_async_send(&box->wake);
}

void mailbox_read(struct mailbox *box)
{
	uv_mutex_lock(&box->lock);
	struct letter *letter = box->first;
	box->first = NULL;
	box->last = &box->first;
	uv_mutex_unlock(&box->lock);
	while (letter) {
		struct letter *next = letter->next;
		letter->read(letter);
		letter = next;
	}
}

void mailbox_close(struct mailbox *box, uv_close_cb closed)
{
	uv_close((uv_handle_t *)&box->wake, closed);
}

void mailbox_fini(struct mailbox *box)
{
	assert(!box->first);
	uv_mutex_destroy(&box->lock);
}
