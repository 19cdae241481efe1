/* SPDX-License-Identifier: BSD-2-Clause */
/* What events.subscribe tells of. */
#ifndef RPC_EVENT_H
#define RPC_EVENT_H

extern const char *const event_names[]; /* ends with NULL; the manual tells of each */

#endif
