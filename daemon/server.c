/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of connections, and the rounds in which they are served. */
#include "daemon/server.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/moment.h"
#include "daemon/conf.h"
#include "daemon/connection.h"
#include "daemon/revisions.h"
#include "daemon/secret.h"
#include "rpc/call.h"
#include "type/param.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPT_TURN = 64, ACCEPT_PAUSE_MS = 100, BACKLOG_MAX = 1024 };

#define LINES_MAX ((size_t)64 * 1024 * 1024) /* bytes of long requests, of all connections */

struct entrance {
	struct server *server;
	struct control_socket socket;
	uv_poll_t poll;
};

struct server {
	struct daemon *daemon;
	uv_loop_t *loop;
	struct entrance *entrances;
	size_t entrance_count;
	uv_idle_t rounds; /* runs while somebody is ready */
	uv_timer_t again; /* runs while nobody can be accepted */
	TAILQ_HEAD(, connection_links) all, ready;
	size_t count, guests, ready_count, count_max, line_max;
	struct frame_budget line_budget;
	struct access *access;
	int spare_fd; /* given up for a moment to tell a peer that there is no descriptor left */
	bool full;    /* and said so */
	bool retired;
	int inotify; /* tells when a socket's name goes; -1: nobody does */
	uv_poll_t vanished;
	bool begun;
	unsigned handles; /* that are still to be closed */
};

/* ---- rounds ---- */

static void next_round(uv_idle_t *idle)
{
	struct server *s = idle->data;
	for (size_t n = s->ready_count; n && !TAILQ_EMPTY(&s->ready); n--) {
		struct connection_links *links = TAILQ_FIRST(&s->ready);
		TAILQ_REMOVE(&s->ready, links, ready);
		links->is_ready = false;
		s->ready_count--;
		connection_run(links->connection);
	}
	if (TAILQ_EMPTY(&s->ready))
		uv_idle_stop(&s->rounds);
}

void server_ready(struct server *s, struct connection_links *links)
{
	if (links->is_ready)
		return;
	links->is_ready = true;
	TAILQ_INSERT_TAIL(&s->ready, links, ready);
	s->ready_count++;
	uv_idle_start(&s->rounds, next_round);
}

void server_add(struct server *s, struct connection_links *links)
{
	TAILQ_INSERT_TAIL(&s->all, links, all);
	s->count++;
	s->guests += connection_peer(links->connection)->guest;
	connection_set_role(links->connection,
	                    access_role(s->access, connection_peer(links->connection)));
}

void server_remove(struct server *s, struct connection_links *links)
{
	TAILQ_REMOVE(&s->all, links, all);
	s->count--;
	s->guests -= connection_peer(links->connection)->guest;
	s->full = false;
	if (!links->is_ready)
		return;
	TAILQ_REMOVE(&s->ready, links, ready);
	links->is_ready = false;
	s->ready_count--;
}

/* ---- accepting ---- */

static void turn_away(struct server *s, int fd, const char *why)
{
	struct buf line = BUF_INIT;
	struct pt_error err = PT_ERROR_INIT;
	json_t *id = json_null();
	pt_fail(&err, -PT_ELIMIT, NULL, "%s", why);
	rpc_write_error(&line, id, &err);
	send(fd, line.data, line.length, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
	if (!s->full)
		log_warning("a connection is refused: %s", why);
	s->full = true;
	pt_error_clear(&err);
	buf_free(&line);
}

static void refuse(struct server *s, int fd, size_t count, const char *what)
{
	char *why = must_printf("there are %zu %s", count, what);
	turn_away(s, fd, why);
	free(why);
}

/* Whoever can only look must not be able to keep out those who can mend. */
static void welcome(struct server *s, const struct control_socket *socket, int fd)
{
	struct peer peer;
	if (s->count >= s->count_max) {
		refuse(s, fd, s->count, "connections, which is the limit");
	} else if (socket->viewers && s->guests >= (s->count_max + 1) / 2) {
		refuse(s, fd, s->guests, "connections of viewers, which is their limit");
	} else if (peer_read(fd, &peer)) {
		close(fd);
	} else {
		peer.looks = peer.guest = socket->viewers;
		connection_new(s, fd, peer);
	}
}

int server_join(struct server *s, bool looks, bool guest)
{
	int ends[2];
	if (s->retired || s->count >= s->count_max ||
	    (guest && s->guests >= (s->count_max + 1) / 2))
		return -PT_ELIMIT;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends))
		return -errno;
	const struct peer peer = {.pid = getpid(), .uid = getuid(), .looks = looks, .guest = guest};
	connection_new(s, ends[0], peer);
	return ends[1];
}

/* Out of descriptors: the peer is told so by means of the one kept for it. Returns why not. */
static int accept_without(struct server *s, int listening)
{
	if (s->spare_fd >= 0)
		close(s->spare_fd);
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int why = fd < 0 ? errno : 0;
	if (fd >= 0)
		turn_away(s, fd, "the daemon has no file descriptor left");
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return why;
}

static void begin_again(uv_timer_t *timer)
{
	server_begin(timer->data);
}

/* Who waits still waits, and the loop does not turn for nothing meanwhile. */
static void pause_accepting(struct server *s)
{
	for (size_t i = 0; i < s->entrance_count; i++)
		uv_poll_stop(&s->entrances[i].poll);
	uv_timer_start(&s->again, begin_again, ACCEPT_PAUSE_MS, 0);
}

static void accept_some(uv_poll_t *poll, int status, int events)
{
	const struct entrance *e = poll->data;
	int why = 0;
	for (int n = 0; n < ACCEPT_TURN && !why; n++) {
		int fd = accept4(e->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			welcome(e->server, &e->socket, fd);
		else if (errno == EMFILE || errno == ENFILE)
			why = accept_without(e->server, e->socket.fd);
		else if (errno != ECONNABORTED && errno != EINTR)
			why = errno;
	}
	if (why && why != EAGAIN)
		pause_accepting(e->server);
}

/* ---- notifications ---- */

static json_t *output_params(const char *engine, const char *block, const char *canal,
                             const char *text, size_t length)
{
	json_t *params = json_object();
	json_object_set_new(params, "engine", json_string(engine));
	json_object_set_new(params, "block", json_string(block));
	json_object_set_new(params, "canal", json_string(canal));
	json_object_set_new(params, "time", revisions_time_json(moment_now()));
	json_object_set_new(params, "text", param_bytes_to_json(text, length));
	return params;
}

void server_output(struct server *s, const char *engine, const char *block, const char *canal,
                   const char *text, size_t length)
{
	struct buf line = BUF_INIT;
	if (s->retired)
		return;
	for (struct connection_links *next, *links = TAILQ_FIRST(&s->all); links; links = next) {
		next = TAILQ_NEXT(links, all);
		if (!connection_wants(links->connection, engine, block))
			continue;
		if (!line.length) {
			json_t *params = output_params(engine, block, canal, text, length);
			rpc_write_notification(&line, "block.output", params);
			json_decref(params);
		}
		connection_notify(links->connection, &line);
	}
	buf_free(&line);
}

void server_event(struct server *s, const char *engine, const struct buf *line)
{
	struct buf masked = BUF_INIT;
	if (s->retired)
		return;
	const struct buf *others = secret_mask(line, &masked) ? &masked : line;
	for (struct connection_links *next, *links = TAILQ_FIRST(&s->all); links; links = next) {
		struct connection *c = links->connection;
		next = TAILQ_NEXT(links, all);
		if (connection_hears(c, engine))
			connection_notify(c, connection_may_see_keys(c) ? line : others);
	}
	buf_free(&masked);
}

bool server_has_subscribers(const struct server *s)
{
	struct connection_links *links;
	TAILQ_FOREACH (links, &s->all, all)
		if (connection_hears(links->connection, NULL))
			return true;
	return false;
}

void server_lost(struct server *s, const char *engine, uint64_t texts)
{
	struct connection_links *links;
	TAILQ_FOREACH (links, &s->all, all)
		if (connection_wants(links->connection, engine, NULL))
			connection_lost(links->connection, texts);
}

/* ---- names of sockets that are gone ---- */

static void renew(struct entrance *e)
{
	struct pt_error err = PT_ERROR_INIT;
	for (int turns = BACKLOG_MAX / ACCEPT_TURN; turns; turns--)
		accept_some(&e->poll, 0, UV_READABLE); /* who came by the old name is let in */
	uv_poll_stop(&e->poll);                        /* what it watches is about to be another */
	if (socket_renew(&e->socket, &err))
		log_error("%s%s%s", err.faults[0].message, err.faults[0].hint ? "; " : "",
		          err.faults[0].hint ? err.faults[0].hint : "");
	else
		log_warning("the name %s was gone: it is listened on anew", e->socket.path);
	uv_poll_start(&e->poll, UV_READABLE, accept_some);
	pt_error_clear(&err);
}

void server_look_after(struct server *s)
{
	for (size_t i = 0; i < s->entrance_count && !s->retired; i++) {
		struct entrance *e = &s->entrances[i];
		if (s->begun && socket_is_lost(&e->socket))
			renew(e);
		if (s->inotify >= 0)
			socket_watch(&e->socket, s->inotify);
	}
}

static void on_vanished(uv_poll_t *poll, int status, int events)
{
	struct server *s = poll->data;
	char told[4096];
	while (read(s->inotify, told, sizeof told) > 0)
		;
	server_look_after(s);
}

static void watch_names(struct server *s)
{
	s->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (s->inotify >= 0 && uv_poll_init(s->loop, &s->vanished, s->inotify)) {
		close(s->inotify);
		s->inotify = -1;
	}
	if (s->inotify < 0)
		return;
	s->vanished.data = s;
	uv_poll_start(&s->vanished, UV_READABLE, on_vanished);
	server_look_after(s);
}

/* ---- life ---- */

struct daemon *server_daemon(const struct server *s)
{
	return s->daemon;
}

uv_loop_t *server_loop(const struct server *s)
{
	return s->loop;
}

size_t server_line_max(const struct server *s)
{
	return s->line_max;
}

struct frame_budget *server_line_budget(struct server *s)
{
	return &s->line_budget;
}

void server_configure(struct server *s, const struct conf *conf)
{
	struct connection_links *links;
	access_free(s->access);
	s->access = access_new(conf);
	s->count_max = (size_t)conf->connections;
	s->line_max = conf->line;
	s->line_budget.max = conf->line > LINES_MAX ? conf->line : LINES_MAX;
	TAILQ_FOREACH (links, &s->all, all)
		connection_set_role(links->connection,
		                    access_role(s->access, connection_peer(links->connection)));
}

static void open_entrances(struct server *s, const struct control_socket *sockets, size_t count)
{
	s->entrances = must_calloc(count, sizeof *s->entrances);
	s->entrance_count = count;
	for (size_t i = 0; i < count; i++) {
		struct entrance *e = &s->entrances[i];
		*e = (struct entrance){.server = s, .socket = sockets[i]};
		uv_poll_init(s->loop, &e->poll, e->socket.fd);
		e->poll.data = e;
	}
}

struct server *server_new(struct daemon *daemon, uv_loop_t *loop,
                          const struct control_socket *sockets, size_t count,
                          const struct conf *conf)
{
	struct server *s = must_calloc(1, sizeof *s);
	s->daemon = daemon;
	s->loop = loop;
	TAILQ_INIT(&s->all);
	TAILQ_INIT(&s->ready);
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	server_configure(s, conf);
	uv_idle_init(loop, &s->rounds);
	uv_timer_init(loop, &s->again);
	s->rounds.data = s->again.data = s;
	open_entrances(s, sockets, count);
	watch_names(s);
	return s;
}

void server_begin(struct server *s)
{
	s->begun = true;
	for (size_t i = 0; i < s->entrance_count; i++)
		uv_poll_start(&s->entrances[i].poll, UV_READABLE, accept_some);
	server_look_after(s);
}

void server_retire(struct server *s)
{
	struct connection_links *links;
	s->retired = true;
	uv_timer_stop(&s->again);
	for (size_t i = 0; i < s->entrance_count; i++) {
		uv_poll_stop(&s->entrances[i].poll);
		socket_close(&s->entrances[i].socket);
	}
	TAILQ_FOREACH (links, &s->all, all)
		connection_retire(links->connection);
}

bool server_is_busy(const struct server *s)
{
	struct connection_links *links;
	TAILQ_FOREACH (links, &s->all, all)
		if (connection_is_busy(links->connection))
			return true;
	return false;
}

static void one_handle_less(struct server *s)
{
	if (--s->handles)
		return;
	access_free(s->access);
	free(s->entrances);
	free(s);
}

static void vanished_closed(uv_handle_t *handle)
{
	one_handle_less(handle->data);
}

static void turn_closed(uv_handle_t *handle)
{
	one_handle_less(handle->data);
}

static void entrance_closed(uv_handle_t *handle)
{
	const struct entrance *e = handle->data;
	one_handle_less(e->server);
}

void server_free(struct server *s)
{
	while (!TAILQ_EMPTY(&s->all))
		connection_close(TAILQ_FIRST(&s->all)->connection);
	for (size_t i = 0; i < s->entrance_count; i++)
		if (!s->retired)
			socket_close(&s->entrances[i].socket);
	if (s->spare_fd >= 0)
		close(s->spare_fd);
	s->handles = 2 + (s->inotify >= 0) + (unsigned)s->entrance_count;
	if (s->inotify >= 0) {
		uv_close((uv_handle_t *)&s->vanished, vanished_closed);
		close(s->inotify);
	}
	for (size_t i = 0; i < s->entrance_count; i++)
		uv_close((uv_handle_t *)&s->entrances[i].poll, entrance_closed);
	uv_close((uv_handle_t *)&s->rounds, turn_closed);
	uv_close((uv_handle_t *)&s->again, turn_closed);
}
