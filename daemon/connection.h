/* SPDX-License-Identifier: BSD-2-Clause */
/* One client: its bytes, its requests in order, and what it is told. */
#ifndef DAEMON_CONNECTION_H
#define DAEMON_CONNECTION_H

#include "base/buf.h"
#include "daemon/peer.h"
#include <jansson.h>
#include <pipetool/error.h>
#include <sys/queue.h>

/*
 * A connection reads while it has nothing to do, carries out one request at a time, and writes
 * without ever waiting. It ends by itself: when the peer has closed its side and everything is
 * answered, when the peer is gone, or when it leaves too much unread.
 */
struct connection;
struct call;
struct server;

/* Its place in the server's lists. */
struct connection_links {
	TAILQ_ENTRY(connection_links) all, ready;
	bool is_ready;
	struct connection *connection;
};

/* Owns the descriptor, and takes what is in `peer`. Engines that are made, and blocks that
   are added, with `owned` end with it. */
void connection_new(struct server *, int fd, struct peer peer);
void connection_close(struct connection *); /* at once; what waits is given up */

/* A turn: reads, carries out what is there for a bounded time, and writes. */
void connection_run(struct connection *);

/* The call that it waits for is done: one of the two; no answer if nobody asked for one. */
void connection_answered(struct connection *, struct call *, const json_t *result,
                         const struct pt_error *);

/* What an engine's blocks print goes to this connection from here on; block NULL: all of them.
   -PT_ELIMIT if it has too many such wishes. */
int connection_attach(struct connection *, const char *engine, const char *block,
                      struct pt_error *);
/* Whether it is attached: to the block (NULL: to any of them) of the engine (NULL: to any). */
bool connection_wants(const struct connection *, const char *engine, const char *block);
void connection_notify(struct connection *, const struct buf *line);
void connection_lost(struct connection *, uint64_t notifications);

/* Events of an engine, NULL: of all, go to this connection from here on. -PT_ELIMIT as above. */
int connection_subscribe(struct connection *, const char *engine, struct pt_error *);
bool connection_hears(const struct connection *, const char *engine); /* NULL: of any */

/* Shows what an engine's tap hands over from here on: as notifications, or, after the answer, as a
   raw stream, with which nothing else goes over the connection any more: what the peer sends is
   thrown away, and the stream's end closes it. */
/* What block.recv has given, until the next request comes, which says that it has arrived; at the
   end of the connection it goes back. */
struct held;
void connection_hold(struct connection *, struct held *);

struct listener;
struct gate;
struct gate *connection_gate(struct connection *);
bool connection_may_tap(const struct connection *, bool raw, struct pt_error *);
void connection_tap(struct connection *, struct listener *);
void connection_tapped(struct connection *, const struct buf *bytes); /* for the tap itself */
void connection_untapped(struct connection *, struct listener *);     /* the same */

bool connection_is_gone(const struct connection *);      /* nobody hears the answers */
bool connection_may_see_keys(const struct connection *); /* those of anonymize */
void connection_set_role(struct connection *, enum role);
const struct peer *connection_peer(const struct connection *);

/* At the daemon's end: nothing more is read or carried out; what is answered is still written. */
void connection_retire(struct connection *);
bool connection_is_busy(const struct connection *); /* a call runs, or bytes wait to be written */

#endif
