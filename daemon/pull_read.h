/* SPDX-License-Identifier: BSD-2-Clause */
/* What lies in a folder that somebody else fills: all of it, and by whom. */
#ifndef DAEMON_PULL_READ_H
#define DAEMON_PULL_READ_H

#include "fleet/folder.h"
#include <stdbool.h>

/*
 * [a thread that may wait] Reads what lies there now. Where there is a list of sums, the files must
 * be as it says, and then it is `whole`; else it may be that more is to come. With a key the list
 * must be signed, too, as by
 *
 *     ssh-keygen -Y sign -f KEY -n file SHA256SUMS
 *
 * `key` is a public key, or the path of a file of public keys or allowed signers (ssh-keygen(1));
 * NULL: none is asked for. The caller calls folder_free in every case.
 */
int pull_read(const char *from, const char *key, struct folder *, bool *whole, struct pt_error *);

#endif
