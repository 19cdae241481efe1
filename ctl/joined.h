/* SPDX-License-Identifier: BSD-2-Clause */
/* The taps of several hosts, joined to one pcapng as they come. */
#ifndef CTL_JOINED_H
#define CTL_JOINED_H

#include "ctl/tapped.h"

/* One section. Each host has an interface of its name for each that its own stream describes. */
struct joined {
	const char *path; /* NULL: nothing is to be written; "-" is standard output */
	int fd;           /* -1: nothing has come yet */
	uint32_t interfaces;
};

struct joined_host {
	struct tapped stream;     /* its bytes alone are used */
	uint32_t *numbers, count; /* in the file, of its interfaces */
};

/* Refused where it would go to a terminal. */
int joined_init(struct joined *, const char *path, struct pt_error *);

/* Writes what is whole of the bytes (taken). -EPIPE: nobody reads any more. */
int joined_take(struct joined *, struct joined_host *, const char *name, struct buf *bytes,
                struct pt_error *);
void joined_host_fini(struct joined_host *);
int joined_end(struct joined *, struct pt_error *);

#endif
