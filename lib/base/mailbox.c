/* SPDX-License-Identifier: BSD-2-Clause */
/* A list under a lock, and a uv_async_t. */
#include "base/mailbox.h"

static struct pt_letter *take(struct mailbox *box)
{
	uv_mutex_lock(&box->lock);
	struct pt_letter *letters = box->first;
	box->first = NULL;
	box->last = &box->first;
	uv_mutex_unlock(&box->lock);
	return letters;
}

static void on_wake(uv_async_t *wake)
{
	struct mailbox *box = wake->data;
	uint64_t until = box->turn_ns ? uv_hrtime() + box->turn_ns : UINT64_MAX;
	struct pt_letter *left_over = box->taken;
	if (!left_over)
		box->taken = take(box);
	while (box->taken) {
		struct pt_letter *letter = box->taken;
		box->taken = letter->next;
		letter->read(letter);
		if (!box->turn_ns || uv_hrtime() < until)
			continue;
		uv_async_send(wake);
		return;
	}
	if (left_over) /* what came meanwhile had one wake with it */
		uv_async_send(wake);
}

int mailbox_init(struct mailbox *box, uv_loop_t *loop, uint64_t turn_ns)
{
	*box = (struct mailbox){.last = &box->first, .turn_ns = turn_ns};
	int rc = uv_async_init(loop, &box->wake, on_wake);
	if (rc)
		return rc;
	box->wake.data = box;
	return uv_mutex_init(&box->lock);
}

static void add(struct mailbox *box, struct pt_letter *letter)
{
	letter->next = NULL;
	*box->last = letter;
	box->last = &letter->next;
}

void mailbox_leave(struct mailbox *box, struct pt_letter *letter)
{
	uv_mutex_lock(&box->lock);
	add(box, letter);
	uv_mutex_unlock(&box->lock);
}

void mailbox_post(struct mailbox *box, struct pt_letter *letter)
{
	uv_mutex_lock(&box->lock);
	add(box, letter);
	/* Under the lock: once the reader has the letter, the box may be gone. */
	uv_async_send(&box->wake);
	uv_mutex_unlock(&box->lock);
}

void mailbox_wake(struct mailbox *box)
{
	uv_async_send(&box->wake);
}

void mailbox_close(struct mailbox *box)
{
	uv_close((uv_handle_t *)&box->wake, NULL);
}

void mailbox_fini(struct mailbox *box)
{
	uv_mutex_destroy(&box->lock);
}
