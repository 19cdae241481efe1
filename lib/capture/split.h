/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages to one file, or to a file for each of many values, by one thread. */
#ifndef CAPTURE_SPLIT_H
#define CAPTURE_SPLIT_H

#include "base/buf.h"
#include "base/map.h"
#include "capture/capture.h"
#include "capture/file_carry.h"
#include <jansson.h>
#include <pipetool/outside.h>
#include <stdatomic.h>

/* Which file a message goes to: packet/naming.h, for one. */
struct split_names {
	void *arg; /* NULL: there is only one, of the configuration's path */
	void (*key)(void *arg, const struct pt_msg *, bool high, struct buf *);
	void (*path)(void *arg, const struct pt_msg *, bool high, struct buf *);
	void (*other)(void *arg, struct buf *);
};

struct split_rotate {
	uint64_t size;
	double seconds;
	int64_t files;
};

struct split_config {
	struct capture_writer_config file; /* of each; path: the name that they have in common */
	struct split_names names;
	struct split_rotate rotate; /* of each for itself */
	unsigned open, values;
	double retry_s;
};

/* Of a file of a rotation. */
struct split_file {
	uint64_t begun_ns;
	bool begun; /* something was written to it */
};

struct split_value;

/* Part of a block's state. All on the engine's thread, but for split_open and split_close.

   A WrpcapSink whose name has no fields writes without one, as users see another thing of it: it
   has its header from the start; a failed write is the block's failure, which the engine retries,
   where here the value alone is without a file until its next message; and what waits for its own
   thread holds the sources back, not what waits for that of all values. */
struct split {
	struct pt_block *block;
	struct split_config config;
	struct crew *crew;
	struct split_value **table, *only, *other;
	struct file_carry carry; /* of the only one */
	struct split_exact {
		struct split_value *dirty, *noting;
		struct map left;
		struct split_left *left_list;
		bool resumed, others;
	} exact; /* of many: see split_exact.h */
	unsigned room, count;
	size_t buffered;
	struct buf key;
	atomic_bool full, lost; /* the thread wakes the block */
	bool begun, taken_over, found;
};

/* [worker] With one file that is opened; with many, the folder of the name's beginning is made. */
int split_open(struct pt_block *, struct split *, const struct split_config *, struct pt_error *);
void split_carry(const struct split *, struct pt_carry *);
bool split_settle(struct split *, bool begin); /* as the type's settle */
void split_take_over(struct pt_block *, struct split *, struct split *before);
void split_start(struct split *);
void split_put(struct split *, bool high, struct pt_msg **messages, unsigned count);
void split_push(struct split *); /* what came goes to the files */
void split_woken(struct split *);
void split_next(struct split *);   /* each value goes on in its next file */
void split_reopen(struct split *); /* names may lead elsewhere */
json_t *split_describe(const struct split *);
int split_close(struct split *, struct pt_error *); /* [worker] */

/* Before the next message: goes on in the next file, where this one is full or old. */
void split_rotate_if_due(struct pt_block *, const struct split_rotate *, struct split_file *,
                         struct capture_writer *);

/* Holds the sources back where there is no room: the writer's thread looks at `full` after it has
   made some, and wakes the block. */
void split_hold_back(struct pt_block *, atomic_bool *full, bool (*has_room)(const void *arg),
                     const void *arg);

void split_drop_all(struct pt_block *, struct pt_msg **messages, unsigned count, const char *why);

/* What was changed about packets that a file could not hold as they were, and was not told yet:
   each counts as an error. Also of a writer that is in no split. */
void split_tell_misfits(struct pt_block *, const struct capture_writer *, const char *path,
                        struct capture_misfits *told);

#endif
