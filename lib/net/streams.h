/* SPDX-License-Identifier: BSD-2-Clause */
/* What the table of a block does that is nothing but its streams, be it one or several. */
#ifndef NET_STREAMS_H
#define NET_STREAMS_H

#include "net/stream.h"
#include <jansson.h>

/* First in the block's state; set in init. */
struct streams {
	struct stream *all;
	unsigned count;
};

#define FOR_STREAMS(streams, s) \
	for (struct stream *s = (streams)->all; s && s < (streams)->all + (streams)->count; s++)

/* As the functions of a type, but for the first two, which are a stream's. */
void streams_late(struct pt_block *);
void streams_check(struct pt_block *);
void streams_finish(struct pt_block *); /* cuts the connections */
void streams_committed(struct pt_block *);
void streams_changed(struct pt_block *); /* the limit */
void streams_no_more(struct pt_block *);
void streams_stop(struct pt_block *);
void streams_fini(struct pt_block *);
/* Adds "unread_s" and "waiting" (bytes) to what `show` tells, of that whose other side has read
   nothing for the longest time, a second at least; of several also which one: "unread_by". */
void streams_describe_unread(const struct streams *, json_t *now);
/* The `describe` of a type that has no more to tell. */
json_t *streams_describe(struct pt_block *);
/* Of one alone. */
void streams_push(struct pt_block *, enum pt_canal, struct pt_msg **messages, unsigned count);
void streams_produce(struct pt_block *, unsigned max);

#endif
