/* SPDX-License-Identifier: BSD-2-Clause */
/* A gate that both threads see, and a parcel for each piece. */
#include "daemon/listener.h"

#include "base/buf.h"
#include "daemon/bound.h"
#include "daemon/connection.h"
#include "rpc/call.h"
#include <stdlib.h>

struct gate {
	uv_mutex_t mutex; /* for what follows */
	size_t on_the_way, unread;
	struct bound bound; /* the engine counts what it leaves out */
	unsigned refs;      /* the control loop's */
};

struct parcel {
	struct pt_letter letter;
	struct listener *listener;
	size_t length; /* as the gate counted it */
	struct buf bytes;
};

/* ---- the gate ---- */

struct gate *gate_new(void)
{
	struct gate *g = must_calloc(1, sizeof *g);
	g->refs = 1;
	if (uv_mutex_init(&g->mutex))
		out_of_memory();
	return g;
}

void gate_unref(struct gate *g)
{
	if (!g || --g->refs)
		return;
	uv_mutex_destroy(&g->mutex);
	free(g);
}

static size_t waiting(const struct gate *g)
{
	return g->on_the_way + g->unread;
}

bool gate_update(struct gate *g, size_t unread)
{
	uint64_t asked;
	uv_mutex_lock(&g->mutex);
	g->unread = unread;
	bool opens = bound_opens(&g->bound, waiting(g), LISTENER_WAITING_MAX, &asked);
	uv_mutex_unlock(&g->mutex);
	return opens;
}

static bool is_open(struct gate *g)
{
	uv_mutex_lock(&g->mutex);
	bool open = bound_takes(&g->bound, waiting(g), 1, LISTENER_WAITING_MAX);
	uv_mutex_unlock(&g->mutex);
	return open;
}

static void send_out(struct gate *g, size_t length)
{
	uv_mutex_lock(&g->mutex);
	g->on_the_way += length;
	uv_mutex_unlock(&g->mutex);
}

static void arrive(struct gate *g, size_t length)
{
	uv_mutex_lock(&g->mutex);
	g->on_the_way -= length;
	uv_mutex_unlock(&g->mutex);
}

/* ---- the control loop ---- */

static void arrived(struct pt_letter *letter)
{
	struct parcel *parcel = (struct parcel *)letter;
	struct listener *l = parcel->listener;
	arrive(l->gate, parcel->length);
	if (l->connection)
		connection_tapped(l->connection, &parcel->bytes);
	buf_free(&parcel->bytes);
	free(parcel);
}

static void tell_end(struct listener *l)
{
	struct buf line = BUF_INIT;
	json_t *params = json_pack("{s:s, s:s, s:[], s:b}", "engine", engine_name(l->engine),
	                           "block", l->block, "messages", "ended", 1);
	rpc_write_notification(&line, "block.packets", params);
	json_decref(params);
	connection_tapped(l->connection, &line);
	buf_free(&line);
}

static void ended(struct pt_letter *letter)
{
	struct listener *l = (struct listener *)((char *)letter - offsetof(struct listener, ended));
	if (l->connection && !l->raw && l->verb == PT_VERB_TAP)
		tell_end(l);
	if (l->connection)
		connection_untapped(l->connection, l);
	listener_free(l);
}

/* ---- the engine's thread ---- */

static bool is_ready(void *arg)
{
	struct listener *l = arg;
	return is_open(l->gate);
}

static void on_data(void *arg, const char *bytes, size_t length)
{
	struct listener *l = arg;
	struct parcel *parcel = must_calloc(1, sizeof *parcel);
	parcel->letter.read = arrived;
	parcel->listener = l;
	if (l->raw)
		buf_add(&parcel->bytes, bytes, length);
	else
		rpc_write_notification_text(
			&parcel->bytes, l->verb == PT_VERB_TAP ? "block.packets" : "block.traced",
			bytes, length);
	parcel->length = parcel->bytes.length;
	send_out(l->gate, parcel->length);
	mailbox_post(l->mailbox, &parcel->letter);
}

static void on_end(void *arg)
{
	struct listener *l = arg;
	mailbox_post(l->mailbox, &l->ended);
}

/* ---- life ---- */

struct listener *listener_new(struct engine *engine, const struct pt_request *r,
                              struct mailbox *mailbox, struct gate *gate)
{
	struct listener *l = must_calloc(1, sizeof *l);
	l->engine = engine;
	l->verb = r->verb;
	l->block = r->block ? must_strdup(r->block) : NULL;
	l->mailbox = mailbox;
	l->gate = gate;
	l->raw = r->format == PT_TAP_PCAPNG;
	l->ended.read = ended;
	gate->refs++;
	return l;
}

void listener_free(struct listener *l)
{
	gate_unref(l->gate);
	free(l->block);
	free(l);
}

void listener_begin(struct listener *l, struct ask *ask, engines_done *done, void *arg)
{
	ask->request.tap = (struct pt_tap_hooks){is_ready, on_data, on_end, l};
	ask_put(ask, l->engine, done, arg);
}

void listener_end(struct listener *l)
{
	l->connection = NULL;
	engines_untap(l->engine, l);
}

void listener_wake(const struct listener *l)
{
	engines_tap_ready(l->engine);
}
