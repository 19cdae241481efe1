/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether something changes in a folder, or on the way to it. */
#ifndef DAEMON_PULL_WATCH_H
#define DAEMON_PULL_WATCH_H

#include <stdbool.h>

/*
 * The way is followed as it is now: each link on it may be made to lead elsewhere, each folder be
 * moved away, and what is not there may come. After any of that it is to be followed anew, by
 * another watch. It tells nothing of the files to which links in the folder lead.
 */
struct pull_watch;

/* Where the system watches no more it never tells anything: that is logged. */
struct pull_watch *pull_watch_new(const char *folder);
void pull_watch_free(struct pull_watch *); /* NULL does nothing */

int pull_watch_fd(const struct pull_watch *); /* to poll; -1: none */
/* Takes what it has to tell: whether that is about the folder. */
bool pull_watch_told(struct pull_watch *);

#endif
