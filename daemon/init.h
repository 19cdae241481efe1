/* SPDX-License-Identifier: BSD-2-Clause */
/* What is expected of process 1: of a container without an init of its own. */
#ifndef DAEMON_INIT_H
#define DAEMON_INIT_H

/*
 * If this is process 1, the rest of the program runs in a child, and this process does what only it
 * can: it waits for whatever has lost its parent, so that no zombies pile up, passes every signal
 * on to the child, and ends as that does. Returns in the child, and in any other process at once.
 * Before there is another thread.
 */
void init_begin(void);

#endif
