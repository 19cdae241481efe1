/* SPDX-License-Identifier: BSD-2-Clause */
/* The counts, the page and what viewers may ask, over HTTP. */
#ifndef DAEMON_HTTP_H
#define DAEMON_HTTP_H

struct daemon;
struct http;

/* Listens as [http] of the configuration says, if it does, and sets the daemon's `http`. What goes
   wrong is logged; engines run without it, but a configuration that means something else is
   refused. All of it runs on the control loop. A request becomes a line on a connection of its own
   to the server, as one who may only look; its answer goes when the client takes it, and one that
   does not holds up nobody. */
int http_open(struct daemon *);
/* Ends all requests; the loop must run once more. NULL does nothing. */
void http_free(struct http *);

#endif
