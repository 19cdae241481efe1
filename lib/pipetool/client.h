/* SPDX-License-Identifier: BSD-2-Clause */
/* Talk to a pipetoold from C. */
#ifndef PIPETOOL_CLIENT_H
#define PIPETOOL_CLIENT_H

#include <pipetool/error.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One connection, used by one thread at a time. Calls block, at the longest for their time-out.
 * Requests are answered in order; notifications that come between are kept and, when the call is
 * over, handed to the callback set with pt_client_on_notification, or thrown away where there is
 * none. SIGPIPE is never raised.
 */
struct pt_client;
struct json_t;

/* Connects to the socket: `path`, else $PIPETOOL_SOCKET, else /run/pipetool/control.sock for root
   and whoever may open it, else $XDG_RUNTIME_DIR/pipetool/control.sock. -ENOENT, -ECONNREFUSED, …
   with the path and how to mend it in `err`. */
int pt_client_open(const char *path, struct pt_client **, struct pt_error *err);
/* The same over two descriptors that are open already (a pipe to ssh); they are taken over. */
int pt_client_open_fds(int in, int out, struct pt_client **);
void pt_client_close(struct pt_client *);   /* NULL does nothing */
int pt_client_fd(const struct pt_client *); /* to poll for notifications */

/* Calls a method. `params` is borrowed and may be NULL; *result is a new reference, written only
   on success. A refusal is told in `err` with its kinds, paths and hints as the daemon gave them.
   `timeout_s` < 0: waits for ever. -PT_ETIMEOUT if no answer came: its outcome is unknown, and the
   connection is of no use any more. -EPIPE: the daemon went away. Where it had not yet read the
   first request of a connection to a path, the request goes to whoever listens there next, once. */
int pt_client_call(struct pt_client *, const char *method, const struct json_t *params,
                   const int *fds, int fd_count, double timeout_s, struct json_t **result,
                   struct pt_error *err);

/* The bytes that came behind the last answer, for methods after which the connection carries
   something else than lines; what follows is read from pt_client_fd, which does not block. Valid
   until pt_client_close. Not where notifications are listened to. */
const char *pt_client_rest(const struct pt_client *, size_t *length);

void pt_client_on_notification(struct pt_client *,
                               void (*told)(void *arg, const char *method, struct json_t *params),
                               void *arg);

/* Waits for notifications and hands them over: 1 after at least one, 0 when the time is out or
   after a signal, -EPIPE when the daemon has closed, another errno when the connection failed. */
int pt_client_wait(struct pt_client *, double timeout_s);

/* The path that pt_client_open(NULL, …) would take. Yours to free. */
char *pt_client_default_path(void);

#ifdef __cplusplus
}
#endif
#endif
