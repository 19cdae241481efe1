/* SPDX-License-Identifier: BSD-2-Clause */
/* A folder of files in which what cannot be sent yet waits, also over the end of the process. */
#ifndef NATS_SPOOL_H
#define NATS_SPOOL_H

#include <pipetool/outside.h>

/*
 * Records are added at the end of the last file, and marked where they are done with; a file all of
 * whose records are goes. What is not whole at the end of a file, after a crash, is cut off;
 * what is damaged before that is left out. One process at a time has a folder, which is locked. One
 * thread at a time.
 */
struct spool;
struct spool_file;

struct spool_place {
	struct spool_file *file; /* NULL: it lies nowhere */
	uint64_t at;             /* of its bytes; … */
	uint64_t head;           /* … of the record */
};

struct spool_record {
	uint64_t instance, number;
	uint32_t part, messages;
	const char *subject;
	size_t length;
	struct spool_place place;
};

/* Makes the folder, if it is not there. [worker] */
int spool_open(const struct pt_block *, const char *path, uint64_t limit, struct spool **,
               struct pt_error *);
void spool_close(struct spool *); /* NULL does nothing */

/* All that were found at the opening and are not done, the oldest first. Files of which something
   is damaged, and left out: how many. */
void spool_each(struct spool *, void (*found)(void *arg, const struct spool_record *), void *arg);
unsigned spool_damaged(const struct spool *);

/* Writes, and sets the place. 0, -EDQUOT beyond the limit, or another negative errno. */
int spool_put(struct spool *, struct spool_record *, const void *bytes);
int spool_sync(struct spool *); /* what was put is on the disk then */
int spool_read(const struct spool_place *, void *bytes, size_t length);
bool spool_done(struct spool *, const struct spool_place *); /* whether there is room again */
void spool_set_limit(struct spool *, uint64_t limit);

#endif
