/* SPDX-License-Identifier: BSD-2-Clause */
/* Connecting again and again, on a thread of its own. */
#ifndef NET_RECONNECT_H
#define NET_RECONNECT_H

#include <pipetool/outside.h>

/* Lies in a block's state; the members above the timer are the block's to set. Names are resolved
   anew for each try, and neither that nor a slow connect holds up the engine, nor its end. The
   block hands `due` (of the timer) on to reconnect_try and `woken` to reconnect_woken, and calls
   reconnect_close in close. */
struct reconnect {
	struct pt_block *block;
	const char *host;      /* the block's own */
	const int64_t *port;   /* too */
	const double *retry_s; /* too */
	void (*due)(struct pt_block *);
	void (*connected)(struct pt_block *, int fd); /* engine's thread; owns fd */
	struct pt_timer timer;
	struct attempt *attempt; /* the one that is on its way */
	bool told;               /* that it does not succeed */
};

void reconnect_try(struct reconnect *);   /* at once */
void reconnect_later(struct reconnect *); /* after retry_s */
void reconnect_woken(struct reconnect *);
void reconnect_close(struct reconnect *); /* [worker] does not wait for a try that is on its way */

#endif
