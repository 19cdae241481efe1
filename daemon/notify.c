/* SPDX-License-Identifier: BSD-2-Clause */
/* sd_notify, and when to say the status anew. */
#include "daemon/notify.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

enum { PAUSE_MS = 100 };

struct notify {
	uv_prepare_t turn;
	uv_timer_t later;
	void (*status)(void *arg, struct buf *);
	void *arg;
	char *said;
	uint64_t said_ms;
	bool due;      /* the pause is over: this turn is the timer's */
	bool speaking; /* there is a status from `ready` on and until `stopping` */
	unsigned handles;
};

static char *make_status(const struct notify *n)
{
	struct buf text = BUF_INIT;
	n->status(n->arg, &text);
	return buf_steal(&text);
}

static void keep(struct notify *n, char *text)
{
	free(n->said);
	n->said = text;
	n->said_ms = uv_now(n->turn.loop);
}

static void say_status(struct notify *n)
{
	char *text = make_status(n);
	if (!n->said || strcmp(text, n->said))
		sd_notifyf(0, "STATUS=%s", text);
	keep(n, text);
}

static void on_due(uv_timer_t *timer)
{
	struct notify *n = timer->data;
	n->due = true;
}

static void on_turn(uv_prepare_t *turn)
{
	struct notify *n = turn->data;
	uint64_t since_ms = uv_now(turn->loop) - n->said_ms;
	if (!n->speaking)
		return;
	if (n->due || since_ms >= PAUSE_MS)
		say_status(n);
	else if (!uv_is_active((uv_handle_t *)&n->later))
		uv_timer_start(&n->later, on_due, PAUSE_MS - since_ms, 0);
	n->due = false;
}

void notify_ready(struct notify *n)
{
	if (!n)
		return;
	char *text = make_status(n);
	sd_notifyf(0, "READY=1\nSTATUS=%s", text);
	keep(n, text);
	n->speaking = true;
}

void notify_reloading(struct notify *n)
{
	if (n)
		sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, uv_hrtime() / 1000);
}

void notify_stopping(struct notify *n)
{
	if (!n)
		return;
	n->speaking = false;
	sd_notify(0, "STOPPING=1\nSTATUS=stopping the engines");
}

struct notify *notify_new(uv_loop_t *loop, void (*status)(void *arg, struct buf *), void *arg)
{
	const char *socket = getenv("NOTIFY_SOCKET");
	if (!socket || !*socket)
		return NULL;
	struct notify *n = must_calloc(1, sizeof *n);
	n->status = status;
	n->arg = arg;
	uv_prepare_init(loop, &n->turn);
	uv_timer_init(loop, &n->later);
	n->turn.data = n->later.data = n;
	uv_prepare_start(&n->turn, on_turn);
	return n;
}

static void closed(uv_handle_t *handle)
{
	struct notify *n = handle->data;
	if (--n->handles)
		return;
	free(n->said);
	free(n);
}

void notify_free(struct notify *n)
{
	if (!n)
		return;
	n->handles = 2;
	uv_close((uv_handle_t *)&n->turn, closed);
	uv_close((uv_handle_t *)&n->later, closed);
}
