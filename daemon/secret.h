/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys in what is told to those who are no administrators. */
#ifndef DAEMON_SECRET_H
#define DAEMON_SECRET_H

#include "base/buf.h"
#include <stdbool.h>

/*
 * In each string of the JSON text that speaks of `anonymize`, the key or passphrase that is given
 * to it becomes ***; the whole string does where a key is given in a way that is not plain. Returns
 * false, and leaves `masked` alone, where there is nothing of the kind.
 */
bool secret_mask(const struct buf *json, struct buf *masked);

#endif
