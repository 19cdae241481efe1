/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages by their times, the earliest first. */
#ifndef MSG_STRAYS_H
#define MSG_STRAYS_H

#include "base/buf.h"
#include <pipetool/msg.h>
#include <stdbool.h>

struct stray {
	int64_t time_ns;
	uint64_t number; /* of two with the same time, the first is the one that came first */
	struct pt_msg *m;
	bool high; /* its canal */
};

/* A heap; zeroed to begin with. */
struct strays {
	struct stray *heap; /* the earliest first */
	size_t count, room, bytes;
	uint64_t number;
};

bool strays_make_room(struct strays *); /* for one more; false: there is no memory */
void strays_add(struct strays *, struct pt_msg *, bool high); /* takes it, into the room */
struct stray strays_take(struct strays *);                    /* the earliest; there must be one */
void strays_fini(struct strays *);

/* As bytes, for another process, each with the mark; and back, one by one. */
void strays_write(struct strays *, struct buf *, bool mark);
/* False: there is none. A stray without a message: there was no memory for it. */
bool stray_read(struct pt_pool *, const uint8_t **at, size_t *left, struct stray *, bool *mark);

#endif
