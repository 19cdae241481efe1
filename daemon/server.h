/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket's server: accepts, counts, and gives every connection its turn. */
#ifndef DAEMON_SERVER_H
#define DAEMON_SERVER_H

#include "base/buf.h"
#include "daemon/peer.h"
#include "daemon/socket.h"
#include "rpc/frame.h"
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct conf;
struct connection_links;
struct daemon;
struct server;

/* Takes the sockets over. Who connects waits until server_begin. */
struct server *server_new(struct daemon *, uv_loop_t *, const struct control_socket *, size_t count,
                          const struct conf *);
void server_begin(struct server *);
/* Names of sockets that are gone are made anew; so they are, too, when inotify tells of it. */
void server_look_after(struct server *);
void server_configure(struct server *, const struct conf *); /* access and limits, again any time */

/* A connection from within, of one who may look or, else, of the daemon's own user: its other end,
   non-blocking and the caller's to close; or a negative code. A guest counts as one of those who
   can only look. */
int server_join(struct server *, bool looks, bool guest);

/* What a block printed, to every connection that is attached to it. */
void server_output(struct server *, const char *engine, const char *block, const char *canal,
                   const char *text, size_t length);
/* An event of an engine, as a line, to every connection that has subscribed to it. */
void server_event(struct server *, const char *engine, const struct buf *line);
bool server_has_subscribers(const struct server *);
/* So many texts of the engine were dropped before they came here. */
void server_lost(struct server *, const char *engine, uint64_t texts);

/* The end, in three steps: no new connections and requests; while it is busy, answers are still
   written; then everything is closed, and the loop must run once more for its handles. */
void server_retire(struct server *);
bool server_is_busy(const struct server *);
void server_free(struct server *);

/* For the connections themselves. */
struct daemon *server_daemon(const struct server *);
uv_loop_t *server_loop(const struct server *);
size_t server_line_max(const struct server *);
struct frame_budget *server_line_budget(struct server *);
void server_add(struct server *, struct connection_links *);
void server_remove(struct server *, struct connection_links *);
void server_ready(struct server *,
                  struct connection_links *); /* a turn in the next round, please */

#endif
