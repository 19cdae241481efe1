/* SPDX-License-Identifier: BSD-2-Clause */
/* The last bytes for a descriptor that is about to be closed. */
#ifndef NET_LINGER_H
#define NET_LINGER_H

#include <pipetool/error.h>
#include <stdint.h>

/*
 * [worker] Writes the bytes to a non-blocking descriptor as long as its other side reads:
 * -ETIMEDOUT when it took nothing for five seconds, or after a minute in all. Of a TCP connection
 * it also waits, while the peer goes on sending, until the peer has all (two seconds at most): a
 * connection closed with bytes unread is reset, and what was on its way is lost. *written: how many
 * bytes went out, also on failure.
 */
int linger(int fd, const uint8_t *bytes, size_t length, size_t *written, struct pt_error *);

#endif
