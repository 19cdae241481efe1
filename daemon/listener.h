/* SPDX-License-Identifier: BSD-2-Clause */
/* Taps of connections: what an engine's thread writes down, on its way to the peer. */
#ifndef DAEMON_LISTENER_H
#define DAEMON_LISTENER_H

#include "daemon/engines.h"
#include <sys/queue.h>

struct connection;

/*
 * The engine's thread asks whether there is room, and hands over pieces; the control loop writes
 * them to the connection. There is room while fewer than LISTENER_WAITING_MAX bytes are on the way
 * or unread by the peer; after that there is none until half of them are gone, and the engine
 * leaves out, and counts, what passes meanwhile.
 */
#define LISTENER_WAITING_MAX (4 * 1024 * 1024)

/* What the taps of one connection share. */
struct gate;
struct gate *gate_new(void);
void gate_unref(struct gate *);
/* So many bytes wait to be read by the peer. True: who found the gate closed is to be told. */
bool gate_update(struct gate *, size_t unread);

/* Whoever listens to a tap or a trace. Belongs to the control loop, and to itself once its engine
   was asked: it frees itself when the engine has said the last word. */
struct listener {
	TAILQ_ENTRY(listener) entry;   /* of the connection */
	struct connection *connection; /* NULL: it is gone */
	struct engine *engine;
	enum pt_verb verb; /* PT_VERB_TAP or PT_VERB_TRACE */
	char *block;       /* of a tap */
	struct gate *gate;
	struct mailbox *mailbox;
	bool raw; /* a pcapng stream, else notifications */
	struct pt_letter ended;
};

/* As the request says, which is to be asked of the engine. */
struct listener *listener_new(struct engine *, const struct pt_request *, struct mailbox *,
                              struct gate *);
void listener_free(struct listener *); /* of one that the engine has refused */
void listener_begin(struct listener *, struct ask *, engines_done *, void *arg);
void listener_end(struct listener *);        /* nobody listens any more */
void listener_wake(const struct listener *); /* the gate is open again */

#endif
