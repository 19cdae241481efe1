/* SPDX-License-Identifier: BSD-2-Clause */
/* The service manager's store of descriptors, told by a thread. */
#ifndef DAEMON_FDSTORE_H
#define DAEMON_FDSTORE_H

#include <pipetool/error.h>
#include <stdbool.h>

/* Functions may be called from any thread; only fdstore_settle and fdstore_free wait. */
struct fdstore;

int fdstore_new(struct fdstore **, struct pt_error *);
void fdstore_free(struct fdstore *); /* all that it was told is with the service manager */

/* Both take the name, and the descriptor. */
void fdstore_put(struct fdstore *, char *name, int fd);
void fdstore_remove(struct fdstore *, char *name);

bool fdstore_is_told(struct fdstore *); /* the service manager has all that was put */
void fdstore_settle(struct fdstore *);  /* what was to be removed is closed over there */

#endif
