/* SPDX-License-Identifier: BSD-2-Clause */
/* Connecting again and again, on a thread of its own. */
#ifndef NET_RECONNECT_H
#define NET_RECONNECT_H

#include <pipetool/block.h>
#include <stdatomic.h>
#include <uv.h>

/* Lies in a block's state. Names are resolved anew for each try, and neither that nor a slow
   connect holds up the engine. The block hands `due` (of the timer) on to reconnect_try and `woken`
   to reconnect_woken, and calls reconnect_close in close. */
struct reconnect {
	struct pt_block *block;
	const char *host; /* the block's own */
	int port;
	double retry_s;
	void (*due)(struct pt_block *);
	void (*connected)(struct pt_block *, int fd); /* engine's thread; owns fd */
	struct pt_timer timer;
	uv_thread_t thread;
	bool trying;        /* there is a thread to be joined */
	bool told;          /* that it does not succeed */
	_Atomic int result; /* the descriptor, or a negative code; TRYING while the thread runs */
};

void reconnect_init(struct reconnect *, struct pt_block *, const char *host, int port,
                    double retry_s, void (*due)(struct pt_block *),
                    void (*connected)(struct pt_block *, int fd));
void reconnect_start(struct reconnect *);
void reconnect_later(struct reconnect *); /* tries after retry_s */
void reconnect_try(struct reconnect *);
void reconnect_woken(struct reconnect *);
void reconnect_close(struct reconnect *); /* [worker] waits for the thread, ten seconds at most */

#endif
