/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds the daemon's socket and connects to it. */
#ifndef RPC_DIAL_H
#define RPC_DIAL_H

#include <pipetool/error.h>

/* A connected descriptor that does not block, or a negative errno with the words written.
   Waits at most two seconds, where the daemon has too many at its door. */
int dial(const char *path, struct pt_error *);

#endif
