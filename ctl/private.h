/* SPDX-License-Identifier: BSD-2-Clause */
/* A daemon of one's own, for `ptctl run --private`. */
#ifndef CTL_PRIVATE_H
#define CTL_PRIVATE_H

#include "ctl/ctl.h"
#include <sys/types.h>

struct private_daemon {
	pid_t pid;    /* 0: none */
	char *folder; /* what it has on disk, removed in the end */
	char *socket;
};

/* Starts pipetoold: the one beside ptctl, in the tree's build directory or in PATH. It dies with
   this process. Waits until it answers, `ctl` speaks to it from then on. The caller calls
   private_end in every case. */
int private_begin(struct private_daemon *, struct ctl *, struct pt_error *);
/* Removes the folder already while the daemon runs: no further connection can be opened, and
   nothing is left behind if this process is killed. */
void private_hide(struct private_daemon *);
void private_end(struct private_daemon *, struct ctl *);

#endif
