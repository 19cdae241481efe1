/* SPDX-License-Identifier: BSD-2-Clause */
/* What the service manager keeps for the next daemon: descriptors, and state in memory. */
#ifndef DAEMON_STORE_H
#define DAEMON_STORE_H

#include <pipetool/engine.h>

/*
 * systemd keeps descriptors of a service while it restarts it, also after a crash, and hands them
 * to the next process (FileDescriptorStoreMax=, sd_pid_notify_with_fds(3)); it closes them when the
 * service is stopped for good. Here each block that has told what it carries over (an engine's
 * hooks.carry) has its descriptors there, named keep/ENGINE/BLOCK/N, and as number 0 a piece of
 * memory that says which is what, and holds the bytes. That memory is shared: it is written without
 * asking anybody, and what was written last is there after a kill -9.
 *
 * Functions may be called from any thread, and only store_settle and store_free wait. A NULL store
 * does nothing: then there is nobody who would keep anything.
 */
struct store;

/* Copies what is there from before; the passed descriptors are closed later. Gives NULL without
   $NOTIFY_SOCKET, or without $FDSTORE, the number of descriptors that are kept: systemd sets it
   from 254 on, before that the unit has to. */
int store_new(struct store **, struct pt_error *);
void store_free(struct store *); /* all that it was told is with the service manager */

/* Hands an engine, that nothing was asked of, what the one of its name has carried over. */
void store_give(struct store *, const char *engine, struct pt_engine *);
void store_sweep(struct store *); /* what was not given to any is let go */

/* As hooks.carry; and as that for all blocks of an engine. */
void store_carry(struct store *, const char *engine, const char *block, const char *type,
                 struct pt_carry *);
void store_forget(struct store *, const char *engine);

/* As hooks.commit, and hooks.tries. */
bool store_commit(struct store *, const char *engine, uint64_t cut, bool must);
void store_tries(struct store *, const char *engine, unsigned tries);

/* As hooks.carry_settle. */
void store_settle(struct store *);

/* Whether a descriptor that was passed under this name is one of these. */
bool store_is_name(const char *);

#endif
