/* SPDX-License-Identifier: BSD-2-Clause */
/* What the service manager keeps for the next daemon: descriptors, and state in memory. */
#ifndef DAEMON_KEEP_H
#define DAEMON_KEEP_H

#include <pipetool/engine.h>

/*
 * systemd keeps descriptors of a service while it restarts it, also after a crash, and hands them
 * to the next process (FileDescriptorStoreMax=, sd_pid_notify_with_fds(3)); it closes them when the
 * service is stopped for good. Here each block that has told what it leaves (hooks.left of an
 * engine) has its descriptors there, named keep/ENGINE/BLOCK/N, and as number 0 a piece of memory
 * that says which is what, and holds the bytes. That memory is shared: it is written without asking
 * anybody, and what was written last is there after a kill -9.
 *
 * Functions may be called from any thread, and only keep_settle and keep_free wait. A NULL keep
 * does nothing: then there is nobody who would keep anything.
 */
struct keep;

/* Copies what is there from before; the passed descriptors are closed later. Gives NULL without
   $NOTIFY_SOCKET, or without $FDSTORE, the number of descriptors that are kept: systemd sets it
   from 254 on, before that the unit has to. */
int keep_new(struct keep **, struct pt_error *);
void keep_free(struct keep *); /* all that it was told is with the service manager */

/* Hands an engine, that nothing was asked of, what the one of its name has left. */
void keep_give(struct keep *, const char *engine, struct pt_engine *);
void keep_sweep(struct keep *); /* what was not given to any is let go */

/* As hooks.left; and as that for all blocks of an engine. */
void keep_left(struct keep *, const char *engine, const char *block, const char *type,
               struct pt_estate *);
void keep_forget(struct keep *, const char *engine);

/* As hooks.left_settle. */
void keep_settle(struct keep *);

/* Whether a descriptor that was passed under this name is one of these. */
bool keep_is_name(const char *);

#endif
