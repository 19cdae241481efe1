/* SPDX-License-Identifier: BSD-2-Clause */
/* How the daemon ends. */
#ifndef DAEMON_ENDING_H
#define DAEMON_ENDING_H

struct daemon;

/* Once, when the loop is there: --ends-with has the daemon end with another process. */
void ending_watch(struct daemon *);

/* Begins the end; `why` is a signal's name, or another reason of one word. A second time ends the
   process at once. */
void ending_begin(struct daemon *, const char *why);

#endif
