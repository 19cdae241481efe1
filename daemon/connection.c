/* SPDX-License-Identifier: BSD-2-Clause */
/* A non-blocking socket between a frame of lines and an outbox. */
#include "daemon/connection.h"

#include "base/error.h"
#include "base/log.h"
#include "daemon/call.h"
#include "daemon/daemon.h"
#include "daemon/held.h"
#include "daemon/outbox.h"
#include "daemon/passed.h"
#include "daemon/reading.h"
#include "daemon/secret.h"
#include "daemon/server.h"
#include "daemon/listener.h"
#include "base/fds.h"
#include "rpc/frame.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

enum {
	TURN_REQUESTS = 64,
	TURN_NS = 500000,
	TURN_WRITE = 1024 * 1024,
	READ_SIZE = 64 * 1024,
	ATTACHED_MAX = 256,
	TAPS_MAX = 64,
};

/* What it wants to hear of. */
struct wishes {
	struct wish {
		char *engine, *block; /* NULL: any */
	} * items;
	size_t count;
};

struct connection {
	struct connection_links links; /* first: the server knows it by them */
	struct server *server;
	uv_poll_t poll;
	int fd, events;
	struct peer peer;
	enum role role;
	struct frame frame;
	struct passed passed;
	struct outbox outbox;
	uint64_t received; /* bytes */
	struct call *call; /* the request that is being carried out */
	struct held *held; /* messages that the peer may not have yet; NULL: none */
	struct wishes attached, subscribed;
	TAILQ_HEAD(, listener) taps;
	unsigned tap_count;
	struct gate *gate; /* of the taps; NULL: there was none */
	bool raw;          /* a stream goes out, and no lines come in */
	bool running;      /* inside connection_run */
	bool end;          /* the peer has closed its side */
	bool finished;     /* and all that it sent was carried out */
	bool gone;         /* nobody reads what is written */
	bool urgent;       /* the peer sent out-of-band data: it cannot be told from a hang-up */
	bool retired;
};

/* ---- watching the socket ---- */

static void polled(uv_poll_t *poll, int status, int events);

static bool may_serve(const struct connection *c)
{
	return !c->call && !c->finished && !c->retired && (c->gone || outbox_has_room(&c->outbox));
}

/* Hang-up is only told to whoever watches for something: for data that is urgent, which never
   comes. Reading is stopped only when data is there that cannot be taken: most peers send nothing
   before their answer. */
static void watch(struct connection *c, bool strictly)
{
	size_t waiting;
	int events = c->urgent ? 0 : UV_PRIORITIZED;
	if (may_serve(c) ? !c->end : !strictly && c->events & UV_READABLE)
		events |= UV_READABLE;
	if (outbox_next(&c->outbox, &waiting))
		events |= UV_WRITABLE;
	if (c->gone)
		events = 0;
	if (events == c->events)
		return;
	c->events = events;
	if (events)
		uv_poll_start(&c->poll, events, polled);
	else
		uv_poll_stop(&c->poll);
}

static bool is_hung_up(const struct connection *c)
{
	struct pollfd p = {.fd = c->fd};
	return poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR);
}

/* The peer does not hear us any more. What it sent before is still carried out. */
static void hang_up(struct connection *c)
{
	if (c->gone)
		return;
	c->gone = true;
	outbox_fini(&c->outbox);
	watch(c, true);
	if (c->call)
		call_cancel(c->call);
	server_ready(c->server, &c->links);
}

static void polled(uv_poll_t *poll, int status, int events)
{
	struct connection *c = poll->data;
	if (status < 0 || (events & UV_PRIORITIZED && is_hung_up(c)))
		hang_up(c);
	else if (events & UV_PRIORITIZED)
		c->urgent = true;
	if (events & UV_READABLE && !may_serve(c))
		watch(c, true);
	connection_run(c);
}

/* ---- reading ---- */

/* One read. False: there is nothing now. */
static bool fill(struct connection *c)
{
	static char
		bytes[READ_SIZE]; /* the control loop's: a connection keeps only part of a line */
	int fds[FDS_MAX], count;
	ssize_t n = fds_receive(c->fd, bytes, sizeof bytes, fds, &count);
	if (n < 0 && (errno == EAGAIN || errno == EINTR) && !c->gone)
		return false;
	if (n <= 0) {
		c->end = true;
		if (n < 0 || is_hung_up(c))
			hang_up(c);
		return true;
	}
	for (int i = 0; i < count; i++)
		passed_add(&c->passed, fds[i], c->received, c->received + (size_t)n);
	memcpy(frame_room(&c->frame, (size_t)n), bytes, (size_t)n);
	frame_filled(&c->frame, (size_t)n);
	c->received += (size_t)n;
	return true;
}

/* ---- requests ---- */

/* Where in the stream of bytes the line that was given ends. */
static uint64_t line_end(const struct connection *c)
{
	return c->received - (c->frame.buffer.length - c->frame.given);
}

static int check_role(const struct connection *c, const struct rpc_method *method,
                      struct pt_error *err)
{
	if (c->role >= role_parse(method->role))
		return 0;
	pt_fail(err, -PT_EPERMITTED, NULL, "%s is for the role '%s'; user %u has %s%s%s%s",
	        method->name, method->role, (unsigned)c->peer.uid, c->peer.looks ? "here " : "",
	        c->role ? "'" : "", c->role ? role_name(c->role) : "none", c->role ? "'" : "");
	if (c->peer.looks)
		pt_hint(err, "this socket is for looking alone; use the control socket");
	else
		pt_hint(err, "name the user, or a @group of theirs, in [access] of pipetoold.conf");
	return -PT_EPERMITTED;
}

static int check_request(struct connection *c, struct call *call, struct pt_error *err)
{
	struct rpc_request *request = &call->request;
	int code = check_role(c, request->method, err);
	if (!code)
		code = passed_claim(&c->passed, line_end(c), request->fds, call->fds, err);
	if (!code)
		call->fd_count = request->fds;
	return code;
}

/* Its line has been read. */
static void begin(struct call *call, int code, struct pt_error *err)
{
	struct connection *c = call->connection;
	if (!code)
		code = c ? check_request(c, call, err) : -EPIPE;
	if (c)
		passed_expire(&c->passed, line_end(c));
	if (code)
		call_refuse(call, code, err);
	else if (!call_is_heard(call) && role_parse(call->request.method->role) <= ROLE_VIEWER)
		call_refuse(call, -EPIPE, err); /* it only tells, and nobody hears */
	else
		call_run(call);
	if (c && c->gone && c->call)
		call_cancel(c->call);
}

static void carry_out(struct connection *c, const char *line, size_t length)
{
	held_free(c->held);
	c->held = NULL;
	c->call = call_new(server_daemon(c->server), c);
	reading_begin(c->call, line, length, begin);
}

static void refuse_long(struct connection *c, bool crowded)
{
	struct pt_error err = PT_ERROR_INIT;
	struct call *call = c->call = call_new(server_daemon(c->server), c);
	int code = crowded ? -PT_ELIMIT : -PT_EREQUEST;
	call->request.id = json_null();
	if (crowded)
		pt_fail(&err, code, NULL, "no room for a request of more than %d bytes now",
		        FRAME_LINE_MAX);
	else
		pt_fail(&err, code, NULL, "a request of more than %zu bytes", c->frame.line_max);
	pt_hint(&err, crowded ? "others send long ones: try again, or send it in several requests"
	                      : "send it in several requests, or raise line in [limits]");
	passed_expire(&c->passed, line_end(c));
	call_refuse(call, code, &err);
}

/* What comes in is thrown away, so that its end is seen. */
static void ignore(struct connection *c)
{
	if (!c->end && !fill(c))
		return;
	passed_expire(&c->passed, c->received);
	frame_fini(&c->frame);
	frame_init(&c->frame, server_line_max(c->server), server_line_budget(c->server));
	c->finished = c->end;
	if (!c->end)
		server_ready(c->server, &c->links);
}

/* Requests, until there is none, or the turn is over. */
static void serve(struct connection *c)
{
	uint64_t until = uv_hrtime() + TURN_NS;
	bool has_read = false;
	const char *line;
	size_t length;
	for (unsigned n = 0; may_serve(c); n++) {
		if (c->raw) {
			ignore(c);
			return;
		}
		if (n == TURN_REQUESTS || uv_hrtime() > until) {
			server_ready(c->server, &c->links);
			return;
		}
		enum frame_result found = frame_next(&c->frame, c->end, &line, &length);
		if (found == FRAME_LINE) {
			carry_out(c, line, length);
		} else if (found != FRAME_NONE) {
			refuse_long(c, found == FRAME_CROWDED);
		} else if (c->end) {
			c->finished = true;
		} else if (has_read) {
			if (c->gone) /* nobody watches for more */
				server_ready(c->server, &c->links);
			return;
		} else if (!(has_read = fill(c))) {
			return;
		}
	}
}

bool connection_may_see_keys(const struct connection *c)
{
	return c->role == ROLE_ADMIN;
}

/* Messages are what they are. */
static void mask(const struct connection *c, const struct call *call, struct buf *line)
{
	const struct rpc_method *method = call->request.method;
	struct buf masked = BUF_INIT;
	if (connection_may_see_keys(c) || (method && !strcmp(method->name, "block.recv")) ||
	    !secret_mask(line, &masked))
		return;
	buf_free(line);
	*line = masked;
}

void connection_answered(struct connection *c, struct call *call, const json_t *result,
                         const struct pt_error *err)
{
	struct buf line = BUF_INIT;
	const json_t *id = call->request.id;
	if (id && err)
		rpc_write_error(&line, id, err);
	else if (id)
		rpc_write_result(&line, id, result);
	mask(c, call, &line);
	if (line.length && !c->gone)
		outbox_answer(&c->outbox, &line);
	buf_free(&line);
	c->call = NULL;
	if (!c->running)
		server_ready(c->server, &c->links);
}

/* ---- writing ---- */

/* The engines are told what is still unread. */
static void mind_gate(struct connection *c)
{
	struct listener *l;
	if (c->gate && gate_update(c->gate, c->outbox.unread))
		TAILQ_FOREACH (l, &c->taps, entry)
			listener_wake(l);
}

static void flush(struct connection *c)
{
	size_t length, sent = 0;
	const char *bytes;
	while (!c->gone && sent < TURN_WRITE && (bytes = outbox_next(&c->outbox, &length))) {
		ssize_t n = send(c->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			hang_up(c);
		if (n < 0)
			return;
		outbox_advance(&c->outbox, (size_t)n);
		sent += (size_t)n;
	}
	mind_gate(c);
}

static bool is_done(const struct connection *c)
{
	size_t waiting;
	if (c->raw && !c->tap_count && !outbox_next(&c->outbox, &waiting))
		return true;
	if (!c->finished || c->call)
		return false;
	return c->gone || (!outbox_next(&c->outbox, &waiting) && !c->attached.count &&
	                   !c->tap_count && !c->subscribed.count);
}

void connection_run(struct connection *c)
{
	c->running = true;
	serve(c);
	bool full = !outbox_has_room(&c->outbox);
	flush(c);
	c->running = false;
	if (full && may_serve(c))
		server_ready(c->server, &c->links);
	if (is_done(c))
		connection_close(c);
	else
		watch(c, false);
}

/* ---- notifications ---- */

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* 0, also if it is there. */
static int wish_add(struct wishes *w, const char *engine, const char *block)
{
	for (size_t i = 0; i < w->count; i++)
		if (same(w->items[i].engine, engine) && same(w->items[i].block, block))
			return 0;
	if (w->count == ATTACHED_MAX)
		return -PT_ELIMIT;
	w->items = must_realloc(w->items, w->count + 1, sizeof *w->items);
	w->items[w->count++] = (struct wish){engine ? must_strdup(engine) : NULL,
	                                     block ? must_strdup(block) : NULL};
	return 0;
}

static bool wish_meets(const struct wishes *w, const char *engine, const char *block)
{
	for (size_t i = 0; i < w->count; i++)
		if ((!engine || !w->items[i].engine || same(w->items[i].engine, engine)) &&
		    (!block || !w->items[i].block || same(w->items[i].block, block)))
			return true;
	return false;
}

static void wishes_free(struct wishes *w)
{
	for (size_t i = 0; i < w->count; i++) {
		free(w->items[i].engine);
		free(w->items[i].block);
	}
	free(w->items);
}

int connection_attach(struct connection *c, const char *engine, const char *block,
                      struct pt_error *err)
{
	int code = wish_add(&c->attached, engine, block);
	return !code ? 0
	             : pt_fail(err, code, NULL, "a connection attaches to at most %d blocks",
	                       ATTACHED_MAX);
}

bool connection_wants(const struct connection *c, const char *engine, const char *block)
{
	return wish_meets(&c->attached, engine, block);
}

int connection_subscribe(struct connection *c, const char *engine, struct pt_error *err)
{
	int code = wish_add(&c->subscribed, engine, NULL);
	return !code ? 0
	             : pt_fail(err, code, NULL,
	                       "a connection subscribes to at most %d engines, or to all",
	                       ATTACHED_MAX);
}

bool connection_hears(const struct connection *c, const char *engine)
{
	return wish_meets(&c->subscribed, engine, NULL);
}

void connection_notify(struct connection *c, const struct buf *line)
{
	if (c->gone || c->raw)
		return;
	if (outbox_notify(&c->outbox, line)) {
		server_ready(c->server, &c->links);
	} else if (outbox_given_up(&c->outbox)) {
		log_warning("process %d does not read what it is attached to; it is disconnected",
		            (int)c->peer.pid);
		hang_up(c);
	}
}

void connection_lost(struct connection *c, uint64_t notifications)
{
	if (c->gone || c->raw)
		return;
	outbox_lost(&c->outbox, notifications);
	server_ready(c->server, &c->links);
}

/* ---- taps ---- */

struct gate *connection_gate(struct connection *c)
{
	if (!c->gate)
		c->gate = gate_new();
	return c->gate;
}

bool connection_may_tap(const struct connection *c, bool raw, struct pt_error *err)
{
	if (c->tap_count == TAPS_MAX)
		pt_fail(err, -PT_ELIMIT, NULL, "a connection has at most %d taps", TAPS_MAX);
	else if (raw && (c->tap_count || c->attached.count || c->subscribed.count))
		pt_fail(err, -PT_ESTATE, "$.format",
		        "this connection is told other things, and cannot carry a raw stream: open "
		        "another");
	return !err->count;
}

void connection_tap(struct connection *c, struct listener *l)
{
	l->connection = c;
	c->raw = l->raw;
	c->tap_count++;
	TAILQ_INSERT_TAIL(&c->taps, l, entry);
}

void connection_tapped(struct connection *c, const struct buf *bytes)
{
	if (c->gone)
		return;
	outbox_put(&c->outbox, bytes);
	mind_gate(c);
	server_ready(c->server, &c->links);
}

void connection_untapped(struct connection *c, struct listener *l)
{
	TAILQ_REMOVE(&c->taps, l, entry);
	l->connection = NULL;
	c->tap_count--;
	server_ready(c->server, &c->links);
}

/* ---- life ---- */

bool connection_is_gone(const struct connection *c)
{
	return c->gone;
}

const struct peer *connection_peer(const struct connection *c)
{
	return &c->peer;
}

void connection_set_role(struct connection *c, enum role role)
{
	c->role = role;
}

void connection_hold(struct connection *c, struct held *held)
{
	held_free(c->held);
	c->held = held;
}

static void give_back(struct connection *c)
{
	held_give_back(c->held);
	c->held = NULL;
}

void connection_retire(struct connection *c)
{
	give_back(c); /* as long as there is somebody to take it */
	c->retired = true;
	watch(c, true);
}

bool connection_is_busy(const struct connection *c)
{
	size_t waiting;
	return c->call || outbox_next(&c->outbox, &waiting);
}

void connection_new(struct server *server, int fd, struct peer peer)
{
	struct connection *c = must_calloc(1, sizeof *c);
	if (uv_poll_init(server_loop(server), &c->poll, fd)) {
		close(fd);
		peer_clear(&peer);
		free(c);
		return;
	}
	c->server = server;
	c->poll.data = c;
	c->fd = fd;
	c->peer = peer;
	c->links.connection = c;
	TAILQ_INIT(&c->taps);
	frame_init(&c->frame, server_line_max(server), server_line_budget(server));
	server_add(server, &c->links);
	watch(c, true);
}

static void closed(uv_handle_t *handle)
{
	free(handle->data);
}

void connection_close(struct connection *c)
{
	struct call *call = c->call;
	give_back(c);
	server_remove(c->server, &c->links);
	if (call) {
		call->connection = NULL;
		call->ask.author.owner = NULL;
		call_cancel(call);
	}
	engines_disown(server_daemon(c->server)->engines, c);
	wishes_free(&c->attached);
	wishes_free(&c->subscribed);
	for (struct listener *l; (l = TAILQ_FIRST(&c->taps));) {
		TAILQ_REMOVE(&c->taps, l, entry);
		listener_end(l);
	}
	gate_unref(c->gate);
	passed_fini(&c->passed);
	frame_fini(&c->frame);
	outbox_fini(&c->outbox);
	peer_clear(&c->peer);
	uv_close((uv_handle_t *)&c->poll, closed);
	close(c->fd);
}
