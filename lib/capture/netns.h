/* SPDX-License-Identifier: BSD-2-Clause */
/* Another network namespace, for as long as something is opened in it. */
#ifndef CAPTURE_NETNS_H
#define CAPTURE_NETNS_H

#include <pipetool/error.h>

/*
 * What is opened, or asked, on this thread between the two is of the namespace: a name of
 * ip-netns(8), or a path such as /proc/1234/ns/net. NULL: that which the process is in. Of worker
 * threads alone. 0, with *back for netns_leave; or a negative code, and it has not been entered.
 */
int netns_enter(const char *netns, int *back, struct pt_error *);
void netns_leave(int back);

#endif
