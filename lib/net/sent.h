/* SPDX-License-Identifier: BSD-2-Clause */
/* How much has gone into a connection. */
#ifndef NET_SENT_H
#define NET_SENT_H

#include <stdbool.h>
#include <stdint.h>

/* By the kernel's count, which begins anywhere: it grows by as many bytes as are written into the
   connection, by any process. Never waits. False: it is no TCP, which alone is counted. */
bool sent_count(int fd, uint64_t *count);

#endif
