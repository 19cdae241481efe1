/* SPDX-License-Identifier: BSD-2-Clause */
/* What a line asks for: read and checked without holding up the control loop. */
#ifndef DAEMON_READING_H
#define DAEMON_READING_H

#include "daemon/call.h"

/* Fills the call's request and params. `done` is called with what rpc_read returns: at once, or
   later, if the line is so long that a worker reads it. `line` is valid as long as the call is not
   done. The connection may be gone by then. Takes the faults. */
typedef void reading_done(struct call *, int code, struct pt_error *);
void reading_begin(struct call *, const char *line, size_t length, reading_done *);

/* Frees a call, also of such length. */
void reading_forget(struct call *);

#endif
