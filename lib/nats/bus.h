/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection to NATS servers, which comes back by itself. */
#ifndef NATS_BUS_H
#define NATS_BUS_H

#include "nats/who.h"

struct __natsConnection;
struct __natsMsg;
struct bus;

/* Called on threads of the library's, and under no lock. */
struct bus_hooks {
	void (*changed)(void *arg);                   /* the connection has come or gone */
	void (*denied)(void *arg, const char *words); /* something is not let through */
	void *arg;
};

struct bus *bus_new(const struct pt_block *, const struct who_params *, const struct bus_hooks *);
/* Reads the files, and tries all servers, once: 0; -EAGAIN with words, nobody answers; or another
   code with words: a file cannot be used, or who answers does not let us in. A connection that was
   ended is made anew. [a thread that may wait, always the same] */
int bus_connect(struct bus *, struct pt_error *);
/* For the thread that connects; NULL: there was none yet. */
struct __natsConnection *bus_connection(struct bus *);
int bus_publish(struct bus *, struct __natsMsg *); /* a natsStatus [any thread] */
bool bus_is_up(struct bus *);
bool bus_is_closed(struct bus *);                       /* it does not come back by itself */
void bus_server(struct bus *, char *text, size_t size); /* which one; "" */
/* What the server has forbidden since this was asked last, as words: yours to free; or NULL. */
char *bus_denied(struct bus *);
/* Whoever waits for something of it is told that it has ended. */
void bus_close(struct bus *);
/* Nobody calls a hook any more when it returns. NULL does nothing. [a thread that may wait] */
void bus_free(struct bus *);

/* ---- questions: ask.c. [a thread that may wait] ---- */

/* What is answered to a text that is published; `only_in` (or NULL) is the stream that may store
   it. 0 and the answer, yours to free; -ENOENT: nobody listens there; -EPERM: it is forbidden;
   -EAGAIN: there is no connection, or no answer; the last three without words. */
int bus_ask(struct bus *, const char *subject, const char *only_in, const char *text,
            char **answer);

/* What a server says in JSON: its `err_code`, and the words (yours to free); 0: it is no fault. */
int bus_fault(const char *answer, size_t length, char **words);

/* Whether a stream takes what is published there, and it may be. Nothing is stored. 0, -EAGAIN as
   above, or a code with words. */
int bus_probe(struct bus *, char *const *subjects, struct pt_error *);

#endif
