/* SPDX-License-Identifier: BSD-2-Clause */
/* Verbs that go on: a connection of their own, over which the daemon tells what happens. */
#ifndef CTL_FOLLOW_H
#define CTL_FOLLOW_H

#include "ctl/ctl.h"

typedef void follow_told(void *arg, const char *method, json_t *params);

/* Calls the method, after whose answer `told` is called for each notification. `params` is taken
   over; `result` may be NULL. The caller closes the client in every case. */
int follow_open(struct ctl *, const char *method, json_t *params, follow_told *, void *arg,
                struct pt_client **, json_t **result, struct pt_error *);

/* Nothing can be missed any more: with --ready this is told, one line on standard error for scripts
   to wait for. If it `prints`, ptctl ends with who reads its output from now on. */
void follow_begin(const struct ctl *, bool prints);

/* Until something has come, a signal, or the time is out. -EPIPE when the daemon has closed the
   connection. */
int follow_wait(struct pt_client *, double timeout_s, struct pt_error *);

/* Begins, and goes on until *over, or a fault, as when the daemon ends. */
int follow(const struct ctl *, struct pt_client *, const bool *over, struct pt_error *);
/* The same of messages of ctl's engine and block. Who looks on at a terminal, and sees nothing
   come, is told so, and why. */
int follow_messages(struct ctl *, struct pt_client *, const bool *over, struct pt_error *);

#endif
